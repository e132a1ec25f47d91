"""Add what schema 1.1.0 has and 1.0.0 has not: nullable columns and two tables. The function may run meanwhile.

    %(prog)s [--dry-run] [--backfill]

`--backfill` fills the new columns of stored rows from raw_output and paths; no EXR is read, and no value that is there
changes. Every step and every range of files is a transaction that records itself: an interrupted run goes on where it stopped.
Exit status: `exr-inspector -h`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from exr_inspector.cli import common
from exr_inspector.cli.subcommand import subcommand
from exr_inspector.operations import FILES_PER_TRANSACTION

if TYPE_CHECKING:
    from exr_inspector.database.session import Store
    from exr_inspector.operations.migrations import State, Step

FROM, TO = "1.0.0", "1.1.0"


@subcommand(__doc__)
def main(
    backfill: Annotated[bool, typer.Option("--backfill", help="fill the new columns of stored rows")] = False,
    batch: Annotated[
        int, typer.Option(parser=common.positive, metavar="N", help="files per transaction")
    ] = FILES_PER_TRANSACTION,
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(migrate, locals())


def migrate(options: common.Options) -> common.Answer:
    """Carry the pending steps out, then fill where that is asked for."""
    from exr_inspector.operations import migrations

    store = common.store_of(options)
    state = migrations.read_state(store)
    if state.version is None:
        remedy = "Run `exr-inspector schema init`, which creates them"
        raise common.absent(store, f"{store.place}: there are no tables of version {FROM}", remedy)
    steps = migrations.pending(state, TO)
    answer: common.Answer = {"place": store.place, "from": state.version, "to": TO, "steps": [step.name for step in steps]}
    if options.dry_run:
        lines = [f"{step.name}: {_foresee(step, state)}" for step in steps]
        if options.backfill:
            lines.append(f"{state.tables['files'].rows} rows of files would be looked at for values to fill in")
        return answer | {"dry_run": True, "lines": lines or [f"{store.place}: nothing to do"]}
    for step in steps:
        migrations.apply(store, step)
    lines = [f"{step.name}: {'there already, recorded' if state.has(step) else 'done'}" for step in steps] or [
        f"{store.place}: every step to {TO} is recorded already"
    ]
    filled = _fill(store, options) if options.backfill else {}
    if filled:
        lines.append(f"filled {filled['rows']} rows of {filled['files']} files, {filled['by_path_only']} by path alone")
    return answer | {"filled": filled, "lines": lines}


def _foresee(step: Step, state: State) -> str:
    if state.has(step):
        return "there already, would be recorded"
    there = state.tables[step.table].schema.names if step.table in state.tables else ()
    return f"would add {', '.join(name for name in step.schema.names if name not in there)}"


def _fill(store: Store, options: common.Options) -> dict[str, int]:
    """Fill the new columns, with a bar; returns what was done."""
    from exr_inspector.cli.progress import bar
    from exr_inspector.operations import fill

    total = {"files": 0, "rows": 0, "by_path_only": 0}
    done = 0.0
    with bar("filling (%)", 100, quiet=options.json) as advance:
        for filled in fill.fill(store, options.batch):
            advance(100 * (filled.done - done))
            done = filled.done
            for name in total:
                total[name] += getattr(filled, name)
    return total
