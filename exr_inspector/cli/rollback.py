"""Take back what migrate_v1_0_to_v1_1.py added. The columns and rows of schema 1.0.0 are not touched.

    scripts/rollback_v1_1.py [--archive-tables [DIR]] [--dry-run] [--endpoint URL] [--schema BUCKET/SCHEMA]

`--archive-tables` writes what goes to Parquet first: the tables pixel_stats and validation_results, and of the others the new
columns with the keys of their rows. A step's archive is complete before the step commits; an archive that is there is never
overwritten. Without it, statistics and findings are lost. The other columns come back with migrate_v1_0_to_v1_1.py --backfill.
Exit status: docs/OPERATIONS.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from exr_inspector.catalogue import connection
from exr_inspector.cli import common
from exr_inspector.errors import SchemaDrift
from exr_inspector.operations import migrations, parquet_files
from exr_inspector.operations.migrations import Step
from vast_schemas import VERSIONS

FROM, TO = "1.1.0", "1.0.0"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    folder = Path("archive-1.1.0")
    parser.add_argument("--archive-tables", nargs="?", type=Path, const=folder, metavar="DIR", help=f"default: {folder}")
    return common.run(parser.parse_args(arguments), roll_back)


def roll_back(options: argparse.Namespace) -> common.Answer:
    """Undo the steps of 1.1.0, the last one first."""
    store = common.store_of(options)
    state = migrations.read_state(store)
    if state.version is None:
        message = f"{store.place}: there are no tables of version {TO}"
        raise connection.nothing_stored(store) or SchemaDrift(message, remedy="Check --schema")
    younger = [step for step in migrations.steps(FROM) if VERSIONS.index(step.version) > VERSIONS.index(TO)]
    todo = [step for step in reversed(younger) if _is_there(state, step)]
    archives: list[str] = []
    if not options.dry_run:
        if options.archive_tables and todo:
            options.archive_tables.mkdir(parents=True, exist_ok=True)
        for step in todo:
            archive = Archive(options.archive_tables, archives) if options.archive_tables else None
            migrations.revert(store, step, archive)
    done = "would be taken back" if options.dry_run else "taken back"
    lines = [f"{step.name}: {done}" for step in todo] or [f"{store.place}: nothing of {FROM} is there"]
    return {
        "place": store.place,
        "steps": [step.name for step in todo],
        "archives": archives,
        "lines": [*lines, *(f"archived: {path}" for path in archives)],
    }


def _is_there(state: migrations.State, step: Step) -> bool:
    """Whether any of a step is there: also what an interrupted run left of it."""
    stored = state.tables.get(step.table)
    present = stored is not None and (step.kind == "create" or set(step.schema.names) & set(stored.schema.names))
    return bool(present) or state.is_recorded(step)


class Archive:
    """Writes what a step takes back into a folder; `written` gets the paths."""

    def __init__(self, folder: Path, written: list[str]) -> None:
        self._folder = folder
        self._written = written

    def __call__(self, step: Step, rows: pa.RecordBatchReader) -> None:
        """Stream the rows into a file of their own, which gets its name when it is complete."""
        path = self._free(step.table)
        parquet_files.write(path, rows)
        self._written.append(str(path))

    def _free(self, table: str) -> Path:
        """The first name that is not taken."""
        path, number = self._folder / f"{table}.parquet", 1
        while path.exists():
            number += 1
            path = self._folder / f"{table}-{number}.parquet"
        return path
