"""Write every table of a schema to Parquet, with a manifest of counts and digests.

    scripts/backup_schema.py --backup-path FOLDER|FILE.tar.gz|s3://BUCKET/PREFIX [--endpoint URL] [--schema BUCKET/SCHEMA]

All tables are read in one transaction and streamed: memory does not grow with them. A backup without manifest was interrupted;
the same command takes it again. A complete one is never overwritten. Objects: S3_ENDPOINT and its keys from the environment.
Exit status: docs/OPERATIONS.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exr_inspector.catalogue import connection
from exr_inspector.cli import common
from exr_inspector.database.session import Ledger, Store
from exr_inspector.errors import SchemaDrift
from exr_inspector.operations import backups, migrations
from exr_inspector.operations.backups import Entry, Manifest

ANSWER_ROWS = {"files": 100, "attributes": 2000}
"""Rows that are read at a time where a row may be large: one of files 126 KB, of attributes 64 KB."""
MOST_ROWS = 20_000


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    parser.add_argument("--backup-path", required=True, metavar="P", help="a folder, a .tar.gz, or s3://BUCKET/PREFIX")
    return common.run(parser.parse_args(arguments), back_up)


def back_up(options: argparse.Namespace) -> common.Answer:
    """Write the backup, or say what it would hold."""
    store = common.store_of(options)
    state = migrations.read_state(store)
    if not state.tables:
        message = f"{store.place}: there are no tables to back up"
        raise connection.nothing_stored(store) or SchemaDrift(message, remedy="Check --schema")
    if options.dry_run:
        rows = {name: stored.rows for name, stored in state.tables.items()}
        lines = [f"{name}: {count} rows would be written" for name, count in rows.items()]
        return {"dry_run": True, "place": store.place, "rows": rows, "lines": lines}
    settings = connection.settings_of(options.endpoint, options.schema)
    with backups.writing(options.backup_path, settings) as folder:
        manifest = write(store, state.version, folder, quiet=options.json)
    lines = [f"{name}: {entry.rows} rows" for name, entry in manifest.tables.items()]
    return backups.describe(manifest) | {"path": options.backup_path, "lines": [*lines, f"backup: {options.backup_path}"]}


def write(store: Store, version: str | None, folder: Path, *, quiet: bool = True) -> Manifest:
    """Write all tables as one transaction sees them, then the manifest. Tried again from the start where that can help."""
    tables = migrations.repeated(lambda: _tables(store, folder, quiet))
    manifest = Manifest(store.place, datetime.now(UTC).isoformat(timespec="seconds"), version, tables)
    backups.write_manifest(folder, manifest)
    return manifest


def _tables(store: Store, folder: Path, quiet: bool) -> dict[str, Entry]:
    loaded: dict[str, Any] = {}
    found: dict[str, Entry] = {}
    with store.transaction(Ledger(), loaded) as work:
        names = work.names()
        with common.progress("backing up (tables)", len(names), quiet=quiet) as forward:
            for name in names:
                loaded[name] = work.load(name)
                index = loaded[name].stats.vector_index
                rows = work.scan(name, loaded[name].arrow_schema.names, answer_rows=ANSWER_ROWS.get(name, MOST_ROWS))
                found[name] = backups.write_table(folder, name, rows, (index.column, index.distance_metric) if index else None)
                forward(1)
    return found
