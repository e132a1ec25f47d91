"""Take back what `schema migrate` added. The columns and rows of schema 1.0.0 are not touched.

    %(prog)s [--archive-tables [DIR]] [--dry-run] [--endpoint URL] [--schema BUCKET/SCHEMA]

`--archive-tables` writes what goes to Parquet first: the tables pixel_stats and validation_results, and of the others the new
columns with the keys of their rows. A step's archive is complete before the step commits; an archive that is there is never
overwritten. Without it, statistics and findings are lost. The other columns come back with `schema migrate --backfill`.
Exit status: docs/OPERATIONS.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from exr_inspector.cli import common

FROM, TO = "1.1.0", "1.0.0"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    folder = Path("archive-1.1.0")
    parser.add_argument("--archive-tables", nargs="?", type=Path, const=folder, metavar="DIR", help=f"default: {folder}")
    return common.run(parser.parse_args(arguments), roll_back)


def roll_back(options: argparse.Namespace) -> common.Answer:
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
