"""Restore a backup into an empty schema, the backup's own or another one.

    %(prog)s --backup-path FOLDER|FILE.tar.gz|s3://BUCKET/PREFIX

Every file is compared with the manifest first: a damaged backup is refused before anything is written. Then all tables are made
and filled in one transaction, so that an interrupted restore leaves nothing behind, and is begun again. Tables that hold rows
are never touched. Exit status: `exr-inspector -h`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from exr_inspector.cli import common
from exr_inspector.cli.subcommand import subcommand


@subcommand(__doc__)
def main(
    backup_path: Annotated[str, typer.Option(metavar="PATH", help="a folder, a .tar.gz, or s3://BUCKET/PREFIX")],
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(restore, locals())


def restore(options: common.Options) -> common.Answer:
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
