"""Restore a backup into an empty schema, the backup's own or another one.

    scripts/restore_schema.py --backup-path FOLDER|FILE.tar.gz|s3://BUCKET/PREFIX [--endpoint URL] [--schema BUCKET/SCHEMA]

Every file is compared with the manifest first: a damaged backup is refused before anything is written. Then all tables are made
and filled in one transaction, so that an interrupted restore leaves nothing behind, and is begun again. Tables that hold rows
are never touched. Exit status: docs/OPERATIONS.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from exr_inspector.catalogue import connection
from exr_inspector.cli import common
from exr_inspector.database.rulings import CommitLost, Transient
from exr_inspector.database.session import ROW_ID, Ledger, Store, Work
from exr_inspector.errors import Reject
from exr_inspector.operations import backups, migrations, parquet_files
from exr_inspector.operations.backups import Entry, Manifest
from exr_inspector.operations.migrations import RECORDS, State
from vast_schemas import VectorIndex

ROWS = 500
"""Rows in memory at a time: with raw_output of the largest size 63 MB."""


class NotEmpty(Reject):
    """A table that would be restored holds rows, or has other columns."""

    code = "not_empty"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    parser.add_argument("--backup-path", required=True, metavar="P", help="a folder, a .tar.gz, or s3://BUCKET/PREFIX")
    return common.run(parser.parse_args(arguments), restore)


def restore(options: argparse.Namespace) -> common.Answer:
    """Check, then write."""
    settings = connection.settings_of(options.endpoint, options.schema)
    with backups.reading(options.backup_path, settings) as folder:
        manifest = backups.read_checked(folder)
        store = common.store_of(options)
        _refuse_rows(store, migrations.read_state(store), manifest)
        if not options.dry_run:
            read(store, manifest, folder, quiet=options.json)
    done = "would be restored" if options.dry_run else "restored"
    lines = [f"{name}: {entry.rows} rows {done}" for name, entry in manifest.tables.items()]
    return backups.describe(manifest) | {"into": store.place, "lines": lines}


def _refuse_rows(store: Store, state: State, manifest: Manifest) -> None:
    """Raise NotEmpty where a table is in the way."""
    for name, entry in manifest.tables.items():
        stored = state.tables.get(name)
        if stored is None:
            continue
        if stored.rows:
            remedy = "Restore into another schema: --schema BUCKET/OTHER"
            raise NotEmpty(f"{store.place}: table {name} holds {stored.rows} rows", remedy=remedy, table=name)
        if set(stored.schema.names) != set(entry.arrow_schema.names):
            remedy = "Drop the empty table, or restore into another schema"
            raise NotEmpty(f"{store.place}: table {name} has other columns than the backup", remedy=remedy, table=name)


def read(store: Store, manifest: Manifest, folder: Path, *, quiet: bool = True) -> None:
    """Make and fill the tables in one transaction."""
    migrations.repeated(lambda: _read(store, manifest, folder, quiet))


def _read(store: Store, manifest: Manifest, folder: Path, quiet: bool) -> None:
    loaded: dict[str, Any] = {}
    try:
        with store.transaction(Ledger(), loaded) as work:
            missing = {name: entry for name, entry in manifest.tables.items() if work.load(name) is None}
            work.create({name: (entry.arrow_schema, _index(entry)) for name, entry in missing.items()})
            loaded.update({name: work.load(name) for name in manifest.tables})
            if RECORDS in loaded:
                work.delete(RECORDS, work.scan(RECORDS, ["name"], row_ids=True).read_all()[ROW_ID].to_pylist())
            total = sum(entry.rows for entry in manifest.tables.values())
            with common.progress("restoring (rows)", total, quiet=quiet) as forward:
                for name, entry in manifest.tables.items():
                    _fill(work, name, entry, folder, forward)
    except CommitLost as lost:
        _settle(store, manifest, lost)


def _index(entry: Entry) -> VectorIndex | None:
    return VectorIndex(*entry.index) if entry.index else None


def _fill(work: Work, name: str, entry: Entry, folder: Path, forward: Any) -> None:
    for batch in parquet_files.read(folder / entry.file, entry.arrow_schema, ROWS):
        work.insert({name: pa.Table.from_batches([batch])})
        forward(batch.num_rows)


def _settle(store: Store, manifest: Manifest, lost: CommitLost) -> None:
    """Whether a commit without an answer took effect: the tables have the backup's rows, or none."""
    state = migrations.read_state(store)
    wanted = {name: entry.rows for name, entry in manifest.tables.items() if name != RECORDS}
    if {name: state.tables[name].rows for name in wanted if name in state.tables} != wanted:
        raise Transient(f"{lost.message}; it did not take effect", code="commit_lost") from lost
