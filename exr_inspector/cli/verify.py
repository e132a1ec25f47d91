"""Compare the stored tables with what a schema version says they are.

    %(prog)s [--version 1.1.0] [--expected-tables files,parts] [--endpoint URL] [--schema BUCKET/SCHEMA]

Looks at missing and extra tables and columns, types, nullability, dimensions of vectors, the vector index, and the recorded
version; the function makes its tables without a record. Nothing is written, with --dry-run or without. Exit status: 0 all as it
should be, 3 not so (each difference with its remedy), others as in docs/OPERATIONS.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from exr_inspector.cli import common
from vast_schemas import CURRENT_VERSION, VERSIONS


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    parser.add_argument("--version", choices=VERSIONS, help=f"default: what is recorded, else {CURRENT_VERSION}")
    parser.add_argument("--expected-tables", type=common.words, metavar="A,B", help="exactly these tables")
    return common.run(parser.parse_args(arguments), verify)


def verify(options: argparse.Namespace) -> common.Answer:
    """Every difference, with its remedy."""
    from exr_inspector.catalogue import connection
    from exr_inspector.operations import migrations, verification

    store = common.store_of(options)
    state = migrations.read_state(store)
    version = options.version or state.recorded_version or CURRENT_VERSION
    indexed = store.session.features.vast_version >= (5, 5)
    differences = list(verification.differences(state, version, options.expected_tables, indexed=indexed))
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
