"""Look for rows that contradict each other, and mend what can be mended from what is stored.

    scripts/data_integrity_check.py [--repair [--dry-run]] [--endpoint URL] [--schema BUCKET/SCHEMA]

Looks for orphans, duplicates, several current versions of a path or none, counts that disagree, statistics and findings that
contradict their row of files, vectors that are missing, not of unit length or not finite, vectors of an older algorithm, and a
raw_output that is not the columns'. Every finding names its remedy. Repairs are small transactions; an interrupted run leaves
whole repairs behind, and a second one does the rest.
Exit status: 0 sound, or mended; 3 findings are left; others as in exr_inspector/cli/common.py.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from exr_inspector.cli import common
from exr_inspector.database.session import ROW_ID, Ledger, Store
from exr_inspector.database.upsert import mend
from exr_inspector.errors import SchemaDrift
from exr_inspector.operations import integrity, migrations, recompute
from exr_inspector.operations.integrity import POSITION, REMEDIES, Finding
from vast_schemas import wire_schema

SHOWN = 20
BATCH = 200
ORDER = ("duplicate_file", "several_current", "no_current", "orphan", "duplicate_row", "count", "contradiction", "vector")
"""What is repaired, in this order: merging versions makes orphans, and counting them again needs single rows."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    parser.add_argument("--repair", action="store_true", help="mend what can be mended; with --dry-run only say what")
    return common.run(parser.parse_args(arguments), examine)


def examine(options: argparse.Namespace) -> common.Answer:
    """Find, mend where that is asked for, and find again."""
    store = common.store_of(options)
    if "files" not in migrations.read_state(store).tables:
        raise SchemaDrift(f"{store.place}: there is no table files", remedy="Check --schema, or run exr-inspector schema init")
    found = migrations.repeated(lambda: integrity.check(store))
    repaired: Counter[str] = Counter()
    if options.repair and not options.dry_run:
        with common.progress("repairing", len(found), quiet=options.json) as forward:
            for kind in ORDER:
                todo = [finding for finding in found if finding.kind == kind]
                repair(store, kind, todo)
                forward(len(todo))
        left = migrations.repeated(lambda: integrity.check(store))
        repaired = Counter(finding.kind for finding in found) - Counter(finding.kind for finding in left)
        found = left
    return _answer(store.place, found, repaired)


def _answer(place: str, found: Sequence[Finding], repaired: Counter[str]) -> common.Answer:
    counts = Counter(finding.kind for finding in found)
    lines = [f"repaired: {count} {kind}" for kind, count in repaired.items()]
    lines += [f"{kind}: {count}; {REMEDIES[kind]}" for kind, count in counts.items()]
    lines += [f"  {one.table} {one.subject}: {one.detail}" for one in found[:SHOWN]]
    lines += [f"  and {len(found) - SHOWN} more: --json names all"] * (len(found) > SHOWN)
    entries = [asdict(finding) | {"remedy": REMEDIES[finding.kind]} for finding in found]
    answer: common.Answer = {"ok": not found, "place": place, "counts": counts, "repaired": repaired, "findings": entries}
    return answer | {"lines": lines or [f"{place}: sound"]}


def repair(store: Store, kind: str, findings: Sequence[Finding]) -> None:
    """Mend findings of one kind, in transactions of BATCH subjects."""
    for start in range(0, len(findings), BATCH):
        batch = findings[start : start + BATCH]
        if kind in ("duplicate_file", "several_current", "no_current"):
            mend(store, sorted({finding.subject for finding in batch}), Ledger())
        else:
            migrations.repeated(lambda batch=batch: _rows(store, kind, batch))  # type: ignore[misc]


def _rows(store: Store, kind: str, findings: Sequence[Finding]) -> None:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        loaded.update({name: work.load(name) for name in {"files", *(finding.table for finding in findings)}})
        if kind == "vector":
            recompute.replace(work, loaded, sorted({finding.subject for finding in findings}), keep_previous=False)
            return
        for table in sorted({finding.table for finding in findings}):
            mine = [finding for finding in findings if finding.table == table]
            REPAIRS[kind](work, table, mine)


def _of(work: Any, table: str, findings: Sequence[Finding], columns: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The table's rows of the findings' inspections, by `$row_id`."""
    owners = {(finding.subject, finding.inspection_id) for finding in findings}
    names = ("file_id", "inspection_id", *columns)
    rows = work.select(table, names, "file_id", sorted({finding.subject for finding in findings})).to_pylist()
    return sorted((row for row in rows if (row["file_id"], row["inspection_id"]) in owners), key=lambda row: row[ROW_ID])


def _delete_orphans(work: Any, table: str, findings: Sequence[Finding]) -> None:
    """What no row of files names, seen in this transaction."""
    owned = {(row["file_id"], row["inspection_id"]) for row in _of(work, "files", findings)}
    rows = _of(work, table, findings)
    work.delete(table, [row[ROW_ID] for row in rows if (row["file_id"], row["inspection_id"]) not in owned])


def _delete_twins(work: Any, table: str, findings: Sequence[Finding]) -> None:
    seen: set[tuple[Any, ...]] = set()
    gone = []
    for row in _of(work, table, findings, POSITION[table]):
        place = tuple(value for name, value in row.items() if name != ROW_ID)
        if place in seen:
            gone.append(row[ROW_ID])
        seen.add(place)
    work.delete(table, gone)


def _write_again(work: Any, table: str, findings: Sequence[Finding]) -> None:
    """The rows that raw_output tells, where it does, in the place of those that are stored."""
    stored = _of(work, "files", findings, ("file_path", "file_path_normalized", "raw_output", "multipart_count", "channel_count"))
    fresh, owners = [], set()
    for row in stored:
        tables, _ = migrations.recomputed(row)
        wanted = row["multipart_count"] if table == "parts" else row["channel_count"]
        if len(tables[table]) == wanted:
            owners.add((row["file_id"], row["inspection_id"]))
            fresh += [entry | {"file_id": row["file_id"], "inspection_id": row["inspection_id"]} for entry in tables[table]]
    old = _of(work, table, findings)
    work.delete(table, [row[ROW_ID] for row in old if (row["file_id"], row["inspection_id"]) in owners])
    _insert(work, table, fresh)


def _measure_again(work: Any, table: str, findings: Sequence[Finding]) -> None:
    """Delete the sections that contradict files, and write what raw_output says of them."""
    wanted = {(finding.subject, finding.inspection_id, finding.policy_id) for finding in findings}

    def is_wanted(row: Mapping[str, Any]) -> bool:
        return (row["file_id"], row["inspection_id"], row.get("policy_id")) in wanted

    policy = ("policy_id",) if table == "validation_results" else ()
    work.delete(table, [row[ROW_ID] for row in _of(work, table, findings, policy) if is_wanted(row)])
    fresh = []
    for row in _of(work, "files", findings, ("file_path", "file_path_normalized", "raw_output")):
        tables, _ = migrations.recomputed(row)
        owner = {"file_id": row["file_id"], "inspection_id": row["inspection_id"]}
        fresh += [entry | owner for entry in tables[table] if is_wanted(entry | owner)]
    _insert(work, table, fresh)


def _insert(work: Any, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    schema = wire_schema(work.schema(table))
    work.insert({table: pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)})


REPAIRS: dict[str, Callable[[Any, str, Sequence[Finding]], None]] = {
    "orphan": _delete_orphans,
    "duplicate_row": _delete_twins,
    "count": _write_again,
    "contradiction": _measure_again,
}
"""Kind of finding -> what mends the rows of a table; the other kinds concern whole paths, or vectors."""
