"""Take back what `schema migrate` added. The columns and rows of schema 1.0.0 are not touched.

    %(prog)s [--archive-tables [DIR]] [--dry-run]

`--archive-tables` writes what goes to Parquet first: the tables pixel_stats and validation_results, and of the others the new
columns with the keys of their rows. A step's archive is complete before the step commits; an archive that is there is never
overwritten. Without it, statistics and findings are lost. The other columns come back with `schema migrate --backfill`.
Exit status: `exr-inspector -h`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exr_inspector.cli import common
from exr_inspector.cli.subcommand import subcommand

FROM, TO = "1.1.0", "1.0.0"
ARCHIVE = Path("archive-1.1.0")


@subcommand(__doc__, optional={"--archive-tables": (str(ARCHIVE), lambda word: True)})
def main(
    archive_tables: Annotated[Path | None, typer.Option(metavar="[DIR]", help=f"keep what goes; default: {ARCHIVE}")] = None,
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(roll_back, locals())


def roll_back(options: common.Options) -> common.Answer:
    """Undo the steps of 1.1.0, the last one first."""
    from exr_inspector.operations import migrations, rollback

    store = common.store_of(options)
    state = migrations.read_state(store)
    if state.version is None:
        raise common.absent(store, f"{store.place}: there are no tables of version {TO}", "Check --schema")
    steps = rollback.steps_back(state, FROM, TO)
    archives: list[str] = []
    if not options.dry_run:
        if options.archive_tables and steps:
            options.archive_tables.mkdir(parents=True, exist_ok=True)
        for step in steps:
            archive = rollback.ArchiveFolder(options.archive_tables, archives) if options.archive_tables else None
            migrations.revert(store, step, archive)
    done = "would be taken back" if options.dry_run else "taken back"
    lines = [f"{step.name}: {done}" for step in steps] or [f"{store.place}: nothing of {FROM} is there"]
    return {
        "place": store.place,
        "steps": [step.name for step in steps],
        "archives": archives,
        "lines": [*lines, *(f"archived: {path}" for path in archives)],
    }
