"""Write every table of a schema to Parquet, with a manifest of counts and digests.

    %(prog)s --backup-path FOLDER|FILE.tar.gz|s3://BUCKET/PREFIX

All tables are read in one transaction and streamed: memory does not grow with them. A backup without manifest was interrupted;
the same command takes it again. A complete one is never overwritten. Objects: S3_ENDPOINT and its keys from the environment.
Exit status: `exr-inspector -h`.
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
    return common.run(back_up, locals())


def back_up(options: common.Options) -> common.Answer:
    """Write the backup, or say what it would hold."""
    from exr_inspector.cli.progress import bars
    from exr_inspector.operations import backup_files, backups, migrations

    store = common.store_of(options)
    state = migrations.read_state(store)
    if not state.tables:
        raise common.absent(store, f"{store.place}: there are no tables to back up", "Check --schema")
    if options.dry_run:
        rows = {name: stored.rows for name, stored in state.tables.items()}
        lines = [f"{name}: {count} rows would be written" for name, count in rows.items()]
        return {"dry_run": True, "place": store.place, "rows": rows, "lines": lines}
    with backup_files.writing(options.backup_path, common.settings_of(options)) as folder:
        manifest = backups.write(store, state.version, folder, bars(quiet=options.json))
    lines = [f"{name}: {entry.rows} rows" for name, entry in manifest.tables.items()]
    return manifest.summary() | {"path": options.backup_path, "lines": [*lines, f"backup: {options.backup_path}"]}
