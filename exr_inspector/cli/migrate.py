#!/usr/bin/env python3
"""Add what schema 1.1.0 has and 1.0.0 has not: nullable columns and two tables. The function may run meanwhile.

    scripts/migrate_v1_0_to_v1_1.py [--dry-run] [--backfill] [--endpoint URL] [--schema BUCKET/SCHEMA]

`--backfill` fills the new columns of stored rows from raw_output and paths; no EXR is read, and no value that is there
changes. Every step and every range of files is a transaction that records itself: an interrupted run goes on where it stopped.
Exit status: scripts/upkeep.py.
"""

from __future__ import annotations

if __name__ == "__main__":
    import _environment

    _environment.ensure()

import argparse
import sys
from collections.abc import Sequence

import vast_migrations
from exr_errors import SchemaDrift
from scripts import connection, upkeep
from vast_schemas import VERSIONS
from vast_session import Store

FROM, TO = "1.0.0", "1.1.0"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = upkeep.parser(__file__, __doc__)
    parser.add_argument("--backfill", action="store_true", help="fill the new columns of stored rows")
    size = vast_migrations.FILL_FILES
    parser.add_argument("--batch", type=upkeep.positive, default=size, help="files per transaction (default: %(default)s)")
    return upkeep.run(__file__, parser.parse_args(arguments), migrate)


def migrate(options: argparse.Namespace) -> upkeep.Answer:
    """Carry the pending steps out, then fill where that is asked for."""
    store = upkeep.store_of(options)
    state = vast_migrations.read_state(store)
    if state.version is None:
        message = f"{store.place}: there are no tables of version {FROM}"
        remedy = "Run `python scripts/init_schema.py`, which creates them"
        raise connection.nothing_stored(store) or SchemaDrift(message, remedy=remedy)
    todo = [step for step in vast_migrations.pending(state, TO) if VERSIONS.index(step.version) <= VERSIONS.index(TO)]
    answer: upkeep.Answer = {"place": store.place, "from": state.version, "to": TO, "steps": [step.name for step in todo]}
    if options.dry_run:
        rows = state.tables["files"].rows
        lines = [f"{step.name}: would add {', '.join(step.schema.names)}" for step in todo]
        lines += [f"{rows} rows of files would be looked at for values to fill in"] * options.backfill
        return answer | {"dry_run": True, "lines": lines or [f"{store.place}: nothing to do"]}
    for step in todo:
        vast_migrations.apply(store, step)
    filled = fill(store, options) if options.backfill else {}
    lines = [f"{step.name}: done" for step in todo] or [f"{store.place}: every step to {TO} is recorded already"]
    if filled:
        lines.append(f"filled {filled['rows']} rows of {filled['files']} files, {filled['by_path_only']} by path alone")
    return answer | {"filled": filled, "lines": lines}


def fill(store: Store, options: argparse.Namespace) -> dict[str, int]:
    """Fill the new columns, with a bar; returns what was done."""
    total = {"files": 0, "rows": 0, "by_path_only": 0}
    done = 0.0
    with upkeep.progress("filling (%)", 100, quiet=options.json) as forward:
        for filled in vast_migrations.fill(store, options.batch):
            forward(100 * (filled.done - done))
            done = filled.done
            for name in total:
                total[name] += getattr(filled, name)
    return total


if __name__ == "__main__":
    sys.exit(main())
