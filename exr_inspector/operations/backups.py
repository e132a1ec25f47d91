"""Writes the tables of a schema into a backup, and a backup into the tables of a schema."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from exr_inspector.database.rulings import CommitLost, Transient
from exr_inspector.database.session import ROW_ID, Ledger, Store, Work
from exr_inspector.errors import Reject
from exr_inspector.operations import backup_files, migrations, parquet_files
from exr_inspector.operations.backup_files import Entry, Manifest
from exr_inspector.operations.migrations import RECORDS, State
from exr_inspector.operations.progress import Advance, Progress, unseen
from exr_inspector.operations.transactions import retry
from vast_schemas import VectorIndex

READ_ROWS = {"files": 100, "attributes": 2000}
"""Rows that are read at a time where a row may be large: one of files 126 KB, of attributes 64 KB."""
MOST_READ_ROWS = 20_000
WRITTEN_ROWS = 500
"""Rows in memory at a time while restoring: with raw_output of the largest size 63 MB."""


class NotEmpty(Reject):
    """A table that would be restored holds rows, or has other columns."""

    code = "not_empty"


def write(store: Store, version: str | None, folder: Path, progress: Progress = unseen) -> Manifest:
    """Write all tables as one transaction sees them, then the manifest. Begins again where that can help."""
    tables = retry(_write_tables, store, folder, progress)
    manifest = Manifest(store.place, datetime.now(UTC).isoformat(timespec="seconds"), version, tables)
    backup_files.write_manifest(folder, manifest)
    return manifest


def _write_tables(store: Store, folder: Path, progress: Progress) -> dict[str, Entry]:
    loaded: dict[str, Any] = {}
    entries: dict[str, Entry] = {}
    with store.transaction(Ledger(), loaded) as work:
        names = work.names()
        with progress("backing up (tables)", len(names)) as advance:
            for name in names:
                loaded[name] = work.load(name)
                index = loaded[name].stats.vector_index
                rows = work.scan(name, loaded[name].arrow_schema.names, answer_rows=READ_ROWS.get(name, MOST_READ_ROWS))
                entries[name] = backup_files.write_table(
                    folder, name, rows, (index.column, index.distance_metric) if index else None
                )
                advance(1)
    return entries


def refuse_rows(place: str, state: State, manifest: Manifest) -> None:
    """Raise NotEmpty where a table of the schema is in the way of the backup's."""
    for name, entry in manifest.tables.items():
        stored = state.tables.get(name)
        if stored is None:
            continue
        if stored.rows:
            remedy = "Restore into another schema: --schema BUCKET/OTHER"
            raise NotEmpty(f"{place}: table {name} holds {stored.rows} rows", remedy=remedy, table=name)
        if set(stored.schema.names) != set(entry.arrow_schema.names):
            remedy = "Drop the empty table, or restore into another schema"
            raise NotEmpty(f"{place}: table {name} has other columns than the backup", remedy=remedy, table=name)


def restore(store: Store, manifest: Manifest, folder: Path, progress: Progress = unseen) -> None:
    """Make and fill the tables in one transaction. Begins again where that can help."""
    retry(_restore, store, manifest, folder, progress)


def _restore(store: Store, manifest: Manifest, folder: Path, progress: Progress) -> None:
    loaded: dict[str, Any] = {}
    try:
        with store.transaction(Ledger(), loaded) as work:
            missing = {name: entry for name, entry in manifest.tables.items() if work.load(name) is None}
            work.create({name: (entry.arrow_schema, _index(entry)) for name, entry in missing.items()})
            loaded.update({name: work.load(name) for name in manifest.tables})
            if RECORDS in loaded:
                work.delete(RECORDS, work.scan(RECORDS, ["name"], row_ids=True).read_all()[ROW_ID].to_pylist())
            total = sum(entry.rows for entry in manifest.tables.values())
            with progress("restoring (rows)", total) as advance:
                for name, entry in manifest.tables.items():
                    _fill(work, name, entry, folder, advance)
    except CommitLost as lost:
        _resolve_lost_commit(store, manifest, lost)


def _index(entry: Entry) -> VectorIndex | None:
    return VectorIndex(*entry.index) if entry.index else None


def _fill(work: Work, name: str, entry: Entry, folder: Path, advance: Advance) -> None:
    for batch in parquet_files.read(folder / entry.file, entry.arrow_schema, WRITTEN_ROWS):
        work.insert({name: pa.Table.from_batches([batch])})
        advance(batch.num_rows)


def _resolve_lost_commit(store: Store, manifest: Manifest, lost: CommitLost) -> None:
    """Look whether a commit without an answer took effect: the tables then have the backup's rows, else none."""
    state = migrations.read_state(store)
    wanted = {name: entry.rows for name, entry in manifest.tables.items() if name != RECORDS}
    if {name: state.tables[name].rows for name in wanted if name in state.tables} != wanted:
        raise Transient(f"{lost.message}; it did not take effect", code="commit_lost") from lost
