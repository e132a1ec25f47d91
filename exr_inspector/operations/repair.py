"""Mends what `integrity` finds, from what is stored: small transactions, each of which is a whole repair."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import pyarrow as pa

from exr_inspector.database.session import ROW_ID, Ledger, Store
from exr_inspector.database.upsert import mend
from exr_inspector.operations import FILES_PER_TRANSACTION, fill, recompute
from exr_inspector.operations.integrity import POSITION, Discrepancy
from exr_inspector.operations.progress import Progress, unseen
from exr_inspector.operations.transactions import retry
from vast_schemas import wire_schema

ORDER = ("duplicate_file", "several_current", "no_current", "orphan", "duplicate_row", "count", "contradiction", "vector")
"""What is repaired, in this order: merging versions makes orphans, and counting them again needs single rows."""


def repair_all(store: Store, findings: Sequence[Discrepancy], progress: Progress = unseen) -> None:
    """Mend findings of every kind that can be mended."""
    with progress("repairing", len(findings)) as advance:
        for kind in ORDER:
            of_kind = [finding for finding in findings if finding.kind == kind]
            repair(store, kind, of_kind)
            advance(len(of_kind))


def repair(store: Store, kind: str, findings: Sequence[Discrepancy]) -> None:
    """Mend findings of one kind, in transactions of FILES_PER_TRANSACTION subjects each."""
    for start in range(0, len(findings), FILES_PER_TRANSACTION):
        batch = findings[start : start + FILES_PER_TRANSACTION]
        if kind in ("duplicate_file", "several_current", "no_current"):
            mend(store, sorted({finding.subject for finding in batch}), Ledger())
        else:
            retry(_repair_rows, store, kind, batch)


def _repair_rows(store: Store, kind: str, findings: Sequence[Discrepancy]) -> None:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        loaded.update({name: work.load(name) for name in {"files", *(finding.table for finding in findings)}})
        if kind == "vector":
            recompute.replace(work, loaded, sorted({finding.subject for finding in findings}), keep_previous=False)
            return
        for table in sorted({finding.table for finding in findings}):
            mine = [finding for finding in findings if finding.table == table]
            REPAIRS[kind](work, table, mine)


def _of(work: Any, table: str, findings: Sequence[Discrepancy], columns: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The table's rows of the findings' inspections, by `$row_id`."""
    owners = {(finding.subject, finding.inspection_id) for finding in findings}
    names = ("file_id", "inspection_id", *columns)
    rows = work.select(table, names, "file_id", sorted({finding.subject for finding in findings})).to_pylist()
    return sorted((row for row in rows if (row["file_id"], row["inspection_id"]) in owners), key=itemgetter(ROW_ID))


def _delete_orphans(work: Any, table: str, findings: Sequence[Discrepancy]) -> None:
    """What no row of files names, seen in this transaction."""
    owned = {(row["file_id"], row["inspection_id"]) for row in _of(work, "files", findings)}
    rows = _of(work, table, findings)
    work.delete(table, [row[ROW_ID] for row in rows if (row["file_id"], row["inspection_id"]) not in owned])


def _delete_twins(work: Any, table: str, findings: Sequence[Discrepancy]) -> None:
    seen: set[tuple[Any, ...]] = set()
    gone = []
    for row in _of(work, table, findings, POSITION[table]):
        place = tuple(value for name, value in row.items() if name != ROW_ID)
        if place in seen:
            gone.append(row[ROW_ID])
        seen.add(place)
    work.delete(table, gone)


def _write_again(work: Any, table: str, findings: Sequence[Discrepancy]) -> None:
    """The rows that raw_output tells, where it does, in the place of those that are stored."""
    stored = _of(work, "files", findings, ("file_path", "file_path_normalized", "raw_output", "multipart_count", "channel_count"))
    fresh, owners = [], set()
    for row in stored:
        tables, _ = fill.recompute_rows(row)
        wanted = row["multipart_count"] if table == "parts" else row["channel_count"]
        if len(tables[table]) == wanted:
            owners.add((row["file_id"], row["inspection_id"]))
            fresh += [entry | {"file_id": row["file_id"], "inspection_id": row["inspection_id"]} for entry in tables[table]]
    old = _of(work, table, findings)
    work.delete(table, [row[ROW_ID] for row in old if (row["file_id"], row["inspection_id"]) in owners])
    _insert(work, table, fresh)


def _measure_again(work: Any, table: str, findings: Sequence[Discrepancy]) -> None:
    """Delete the sections that contradict files, and write what raw_output says of them."""
    wanted = {(finding.subject, finding.inspection_id, finding.policy_id) for finding in findings}

    def is_wanted(row: Mapping[str, Any]) -> bool:
        return (row["file_id"], row["inspection_id"], row.get("policy_id")) in wanted

    policy = ("policy_id",) if table == "validation_results" else ()
    work.delete(table, [row[ROW_ID] for row in _of(work, table, findings, policy) if is_wanted(row)])
    fresh = []
    for row in _of(work, "files", findings, ("file_path", "file_path_normalized", "raw_output")):
        tables, _ = fill.recompute_rows(row)
        owner = {"file_id": row["file_id"], "inspection_id": row["inspection_id"]}
        fresh += [entry | owner for entry in tables[table] if is_wanted(entry | owner)]
    _insert(work, table, fresh)


def _insert(work: Any, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    schema = wire_schema(work.schema(table))
    work.insert({table: pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)})


REPAIRS: dict[str, Callable[[Any, str, Sequence[Discrepancy]], None]] = {
    "orphan": _delete_orphans,
    "duplicate_row": _delete_twins,
    "count": _write_again,
    "contradiction": _measure_again,
}
"""Kind of finding -> what mends the rows of a table; the other kinds concern whole paths, or vectors."""
