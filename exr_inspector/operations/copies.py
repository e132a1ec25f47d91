"""Copies some files of a schema, with all their versions and all their rows in other tables, into another schema."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from exr_inspector.database.session import ROW_ID, Ledger, Store
from exr_inspector.operations.migrations import RECORDS, RECORDS_SCHEMA, State
from exr_inspector.operations.progress import Progress, unseen
from exr_inspector.operations.transactions import retry
from vast_schemas import TABLES, VectorIndex

PATHS = 100
"""Paths per transaction."""


def choose_paths(store: Store, size: int) -> list[str]:
    """The sample of this size. Which paths it has depends on them alone, and a larger sample has those of a smaller one."""
    return retry(_lowest_hashes, store, size)


def stored_paths(store: Store) -> set[str]:
    """Every path that is stored."""
    return set(retry(_paths, store))


def _lowest_hashes(store: Store, size: int) -> list[str]:
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


def make_tables(target: Store, state: State, there: State) -> None:
    """Tables with the columns that the source's have, and the records of the source's version."""
    missing = {name: state.tables[name] for name in TABLES if name in state.tables and name not in there.tables}
    if not missing:
        return

    def make() -> None:
        loaded: dict[str, Any] = {}
        with target.transaction(Ledger(), loaded) as work:
            work.create({name: (one.schema, VectorIndex(*one.index) if one.index else None) for name, one in missing.items()})
            if not there.records and state.records:
                work.create({RECORDS: (RECORDS_SCHEMA, None)})
                loaded[RECORDS] = work.load(RECORDS)
                work.insert({RECORDS: pa.Table.from_pylist(_records(state), schema=RECORDS_SCHEMA)})

    retry(make)


def _records(state: State) -> list[dict[str, Any]]:
    columns = [name for name in RECORDS_SCHEMA.names if name != "inspector_version"]
    return [{name: getattr(one, name) for name in columns} for one in state.records]


def copy_paths(source: Store, target: Store, chosen: Sequence[str], progress: Progress = unseen) -> dict[str, int]:
    """Copy all rows of these paths; returns how many by table."""
    counts: Counter[str] = Counter()
    with progress("copying (paths)", len(chosen)) as advance:
        for start in range(0, len(chosen), PATHS):
            batch = chosen[start : start + PATHS]
            rows = retry(_read, source, batch)
            retry(_write, target, batch, rows)
            counts.update({name: table.num_rows for name, table in rows.items()})
            advance(len(batch))
    return dict(counts)


def _read(source: Store, paths: Sequence[str]) -> dict[str, pa.Table]:
    """The rows of these paths in all tables."""
    loaded: dict[str, Any] = {}
    with source.transaction(Ledger(), loaded) as work:
        loaded.update({name: metadata for name in TABLES if (metadata := work.load(name)) is not None})
        tables = {"files": work.select("files", work.schema("files").names, "file_path_normalized", paths)}
        owners = sorted(set(tables["files"]["file_id"].to_pylist()))
        for name in loaded:
            if name != "files":
                tables[name] = work.select(name, work.schema(name).names, "file_id", owners)
    return {name: table.drop_columns([ROW_ID]) for name, table in tables.items()}


def _write(target: Store, paths: Iterable[str], rows: dict[str, pa.Table]) -> None:
    """Insert the rows of these paths, unless an attempt whose answer was lost has done so."""
    loaded: dict[str, Any] = {}
    with target.transaction(Ledger(), loaded) as work:
        loaded.update({name: work.load(name) for name in rows})
        if not work.select("files", ["file_id"], "file_path_normalized", list(paths)).num_rows:
            work.insert(rows)
