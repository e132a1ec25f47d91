"""Restore a backup into an empty schema, the backup's own or another one.

    %(prog)s --backup-path FOLDER|FILE.tar.gz|s3://BUCKET/PREFIX [--endpoint URL] [--schema BUCKET/SCHEMA]

Every file is compared with the manifest first: a damaged backup is refused before anything is written. Then all tables are made
and filled in one transaction, so that an interrupted restore leaves nothing behind, and is begun again. Tables that hold rows
are never touched. Exit status: docs/OPERATIONS.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from exr_inspector.cli import common


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    parser.add_argument("--backup-path", required=True, metavar="P", help="a folder, a .tar.gz, or s3://BUCKET/PREFIX")
    return common.run(parser.parse_args(arguments), restore)


def restore(options: argparse.Namespace) -> common.Answer:
    """Check, then write."""
    from exr_inspector.cli.progress import bars
    from exr_inspector.operations import backup_files, backups, migrations

    with backup_files.reading(options.backup_path, common.settings_of(options)) as folder:
        manifest = backup_files.verify(folder)
        store = common.store_of(options)
        backups.refuse_rows(store.place, migrations.read_state(store), manifest)
        if not options.dry_run:
            backups.restore(store, manifest, folder, bars(quiet=options.json))
    done = "would be restored" if options.dry_run else "restored"
    lines = [f"{name}: {entry.rows} rows {done}" for name, entry in manifest.tables.items()]
    return manifest.summary() | {"into": store.place, "lines": lines}
