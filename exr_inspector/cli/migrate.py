"""Add what schema 1.1.0 has and 1.0.0 has not: nullable columns and two tables. The function may run meanwhile.

    scripts/migrate_v1_0_to_v1_1.py [--dry-run] [--backfill] [--endpoint URL] [--schema BUCKET/SCHEMA]

`--backfill` fills the new columns of stored rows from raw_output and paths; no EXR is read, and no value that is there
changes. Every step and every range of files is a transaction that records itself: an interrupted run goes on where it stopped.
Exit status: docs/OPERATIONS.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from exr_inspector.catalogue import connection
from exr_inspector.cli import common
from exr_inspector.database.session import Store
from exr_inspector.errors import SchemaDrift
from exr_inspector.operations import migrations
from vast_schemas import VERSIONS

FROM, TO = "1.0.0", "1.1.0"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    parser.add_argument("--backfill", action="store_true", help="fill the new columns of stored rows")
    size = migrations.FILL_FILES
    parser.add_argument("--batch", type=common.positive, default=size, help="files per transaction (default: %(default)s)")
    return common.run(parser.parse_args(arguments), migrate)


def migrate(options: argparse.Namespace) -> common.Answer:
    """Carry the pending steps out, then fill where that is asked for."""
    store = common.store_of(options)
    state = migrations.read_state(store)
    if state.version is None:
        message = f"{store.place}: there are no tables of version {FROM}"
        remedy = "Run `exr-inspector schema init`, which creates them"
        raise connection.nothing_stored(store) or SchemaDrift(message, remedy=remedy)
    todo = [step for step in migrations.pending(state, TO) if VERSIONS.index(step.version) <= VERSIONS.index(TO)]
    answer: common.Answer = {"place": store.place, "from": state.version, "to": TO, "steps": [step.name for step in todo]}
    if options.dry_run:
        rows = state.tables["files"].rows
        lines = [f"{step.name}: would add {', '.join(step.schema.names)}" for step in todo]
        lines += [f"{rows} rows of files would be looked at for values to fill in"] * options.backfill
        return answer | {"dry_run": True, "lines": lines or [f"{store.place}: nothing to do"]}
    for step in todo:
        migrations.apply(store, step)
    filled = fill(store, options) if options.backfill else {}
    lines = [f"{step.name}: done" for step in todo] or [f"{store.place}: every step to {TO} is recorded already"]
    if filled:
        lines.append(f"filled {filled['rows']} rows of {filled['files']} files, {filled['by_path_only']} by path alone")
    return answer | {"filled": filled, "lines": lines}


def fill(store: Store, options: argparse.Namespace) -> dict[str, int]:
    """Fill the new columns, with a bar; returns what was done."""
    total = {"files": 0, "rows": 0, "by_path_only": 0}
    done = 0.0
    with common.progress("filling (%)", 100, quiet=options.json) as forward:
        for filled in migrations.fill(store, options.batch):
            forward(100 * (filled.done - done))
            done = filled.done
            for name in total:
                total[name] += getattr(filled, name)
    return total
