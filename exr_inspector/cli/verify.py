"""Compare the stored tables with what a schema version says they are.

    %(prog)s [--version 1.1.0] [--expected-tables files,parts]

Looks at missing and extra tables and columns, types, nullability, dimensions of vectors, the vector index, and the recorded
version; the function makes its tables without a record. Nothing is written, with --dry-run or without. Exit status: 0 all as it
should be, 3 not so (each difference with its remedy), others as in `exr-inspector -h`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from exr_inspector.cli import common
from exr_inspector.cli.subcommand import subcommand


@subcommand(__doc__)
def main(
    version: Annotated[
        str | None,
        typer.Option(parser=common.schema_version, metavar="V", help="default: what is recorded, else the current one"),
    ] = None,
    expected_tables: Annotated[str | None, typer.Option(metavar="A,B", help="exactly these tables")] = None,
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(verify, locals())


def verify(options: common.Options) -> common.Answer:
    """Every difference, with its remedy."""
    from exr_inspector.catalogue import connection
    from exr_inspector.operations import migrations, verification
    from vast_schemas import CURRENT_VERSION

    store = common.store_of(options)
    state = migrations.read_state(store)
    version = options.version or state.recorded_version or CURRENT_VERSION
    expected = common.words(options.expected_tables) if options.expected_tables else None
    indexed = store.session.features.vast_version >= (5, 5)
    differences = list(verification.differences(state, version, expected, indexed=indexed))
    lines = [f"{entry['what']}; {entry['remedy']}" for entry in differences]
    absent = None if state.tables else connection.nothing_stored(store)
    if absent:
        lines.insert(0, str(absent))
    unrecorded = "" if state.recorded_version else "; no version is recorded yet, which exr-inspector schema init does"
    return {
        "ok": not differences,
        "place": store.place,
        "version": version,
        "recorded_version": state.recorded_version,
        "rows": {name: stored.rows for name, stored in sorted(state.tables.items())},
        "differences": differences,
        "lines": lines or [f"{store.place}: as version {version} says{unrecorded}"],
    }
