"""Copy some files with all their versions and all their rows in other tables into another schema, to try things on.

    scripts/copy_sample_data.py --source-schema [BUCKET/]A --target-schema [BUCKET/]B --sample-size N [--endpoint URL]

Which files depends on their paths alone: the same N are the same files, and a larger sample holds the smaller one. The target's
tables are made as the source's are; what it holds already is not copied again, so that an interrupted run goes on.
Exit status: docs/OPERATIONS.md.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from exr_inspector.catalogue import connection
from exr_inspector.cli import common
from exr_inspector.database.session import ROW_ID, Ledger, Store
from exr_inspector.errors import BadSettings, SchemaDrift
from exr_inspector.operations import migrations
from exr_inspector.operations.migrations import RECORDS, State
from vast_schemas import TABLES, VectorIndex

PATHS = 100
"""Paths per transaction."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    parser.add_argument("--source-schema", required=True, metavar="A", help="in the same bucket, or BUCKET/SCHEMA")
    parser.add_argument("--target-schema", required=True, metavar="B", help="likewise")
    parser.add_argument("--sample-size", required=True, type=common.positive, metavar="N", help="paths")
    return common.run(parser.parse_args(arguments), copy)


def copy(options: argparse.Namespace) -> common.Answer:
    """Choose, make the tables, copy what is not there."""
    source = common.store_of(options, options.source_schema)
    target = common.store_of(options, options.target_schema)
    if source.place == target.place:
        raise BadSettings("source and target are the same schema", remedy="Name another --target-schema")
    state = migrations.read_state(source)
    if "files" not in state.tables:
        message = f"{source.place}: there is no table files"
        raise connection.nothing_stored(source) or SchemaDrift(message, remedy="Check --source-schema")
    chosen = migrations.repeated(lambda: _chosen(source, options.sample_size))
    there = migrations.read_state(target)
    have = migrations.repeated(lambda: set(_paths(target))) if "files" in there.tables else set()
    todo = [path for path in chosen if path not in have]
    counts: dict[str, int] = {}
    if not options.dry_run:
        _make_tables(target, state, there)
        counts = _copy_all(source, target, todo, quiet=options.json)
    word = "would be copied" if options.dry_run else "copied"
    lines = [f"{len(todo)} paths {word} to {target.place}, {len(chosen) - len(todo)} were there"]
    lines += [f"{name}: {count} rows" for name, count in counts.items()]
    return {"paths": todo, "rows": counts, "lines": lines}


def _chosen(store: Store, size: int) -> list[str]:
    """The `size` paths whose hashes are lowest."""
    lowest: dict[str, str] = {}
    for path in _paths(store):
        lowest[hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()] = path
        if len(lowest) > 2 * size + PATHS:
            lowest = dict(sorted(lowest.items())[:size])
    return [path for _, path in sorted(lowest.items())[:size]]


def _paths(store: Store) -> list[str]:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        loaded["files"] = work.load("files")
        return [path for batch in work.scan("files", ["file_path_normalized"]) for path in batch.column(0).to_pylist()]


def _ours(state: State) -> list[str]:
    return [name for name in TABLES if name in state.tables]


def _make_tables(target: Store, state: State, there: State) -> None:
    """Tables with the columns that the source's have, and the records of the source's version."""
    missing = {name: state.tables[name] for name in _ours(state) if name not in there.tables}
    if not missing:
        return

    def make() -> None:
        loaded: dict[str, Any] = {}
        with target.transaction(Ledger(), loaded) as work:
            work.create({name: (one.schema, VectorIndex(*one.index) if one.index else None) for name, one in missing.items()})
            if not there.records and state.records:
                work.create({RECORDS: (migrations.RECORDS_SCHEMA, None)})
                loaded[RECORDS] = work.load(RECORDS)
                work.insert({RECORDS: pa.Table.from_pylist(_records(state), schema=migrations.RECORDS_SCHEMA)})

    migrations.repeated(make)


def _records(state: State) -> list[dict[str, Any]]:
    columns = [name for name in migrations.RECORDS_SCHEMA.names if name != "inspector_version"]
    return [{name: getattr(one, name) for name in columns} for one in state.records]


def _copy_all(source: Store, target: Store, todo: Sequence[str], *, quiet: bool) -> dict[str, int]:
    counts: dict[str, int] = {}
    with common.progress("copying (paths)", len(todo), quiet=quiet) as forward:
        for start in range(0, len(todo), PATHS):
            batch = todo[start : start + PATHS]
            rows = migrations.repeated(lambda batch=batch: _read(source, batch))  # type: ignore[misc]
            migrations.repeated(lambda batch=batch, rows=rows: _write(target, batch, rows))  # type: ignore[misc]
            for name, table in rows.items():
                counts[name] = counts.get(name, 0) + table.num_rows
            forward(len(batch))
    return counts


def _read(source: Store, paths: Sequence[str]) -> dict[str, pa.Table]:
    """The rows of these paths in all tables."""
    loaded: dict[str, Any] = {}
    with source.transaction(Ledger(), loaded) as work:
        loaded.update({name: metadata for name in TABLES if (metadata := work.load(name)) is not None})
        found = {"files": work.select("files", work.schema("files").names, "file_path_normalized", paths)}
        owners = sorted(set(found["files"]["file_id"].to_pylist()))
        for name in loaded:
            if name != "files":
                found[name] = work.select(name, work.schema(name).names, "file_id", owners)
    return {name: table.drop_columns([ROW_ID]) for name, table in found.items()}


def _write(target: Store, paths: Iterable[str], rows: dict[str, pa.Table]) -> None:
    """Insert them, unless an attempt whose answer was lost has done so."""
    loaded: dict[str, Any] = {}
    with target.transaction(Ledger(), loaded) as work:
        loaded.update({name: work.load(name) for name in rows})
        if not work.select("files", ["file_id"], "file_path_normalized", list(paths)).num_rows:
            work.insert(rows)
