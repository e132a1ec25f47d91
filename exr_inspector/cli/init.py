"""Create the schema and its tables where they are missing, and record their version.

    %(prog)s [--version 1.1.0] [--dry-run]

Tables that are there already are left as they are; one that lacks columns is for exr-inspector schema migrate. A second run
changes nothing. Exit status: `exr-inspector -h`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from exr_inspector.cli import common
from exr_inspector.cli.subcommand import subcommand

if TYPE_CHECKING:
    from exr_inspector.operations.migrations import State


@subcommand(__doc__)
def main(
    version: Annotated[
        str | None, typer.Option(parser=common.schema_version, metavar="V", help="of the tables; default: the current one")
    ] = None,
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(initialise, locals())


def initialise(options: common.Options) -> common.Answer:
    """Every step to the version, each in a transaction of its own; what an interrupted run did is not done again."""
    from exr_inspector.operations import migrations
    from vast_schemas import CURRENT_VERSION

    version = options.version or CURRENT_VERSION
    store = common.store_of(options)
    state = migrations.read_state(store)
    steps = migrations.pending(state, version)
    _refuse_older(store.place, state, version)
    if not options.dry_run:
        for step in steps:
            migrations.apply(store, step)
    done = "would be done" if options.dry_run else "done"
    lines = [f"{step.name}: {done}" for step in steps] or [f"{store.place}: nothing to do, the schema is {version}"]
    return {"place": store.place, "version": version, "steps": [step.name for step in steps], "lines": lines}


def _refuse_older(place: str, state: State, version: str) -> None:
    """Tables that hold rows of an older version are migrated knowingly, not in passing."""
    from exr_inspector.errors import SchemaDrift
    from vast_schemas import VERSIONS

    if state.version is None or VERSIONS.index(state.version) >= VERSIONS.index(version):
        return
    if any(stored.rows for stored in state.tables.values()):
        raise SchemaDrift(
            f"{place}: the tables are of version {state.version} and hold rows",
            remedy="Run `exr-inspector schema migrate`",
        )
