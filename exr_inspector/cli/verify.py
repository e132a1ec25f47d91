"""Compare the stored tables with what a schema version says they are.

    scripts/verify_schema.py [--version 1.1.0] [--expected-tables files,parts] [--endpoint URL] [--schema BUCKET/SCHEMA]

Looks at missing and extra tables and columns, types, nullability, dimensions of vectors, the vector index, and the recorded
version; the function makes its tables without a record. Nothing is written, with --dry-run or without. Exit status: 0 all as it
should be, 3 not so (each difference with its remedy), others as in exr_inspector/cli/common.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import pyarrow as pa

from exr_inspector.catalogue import connection
from exr_inspector.cli import common
from exr_inspector.database.tables import same_type
from exr_inspector.operations import migrations
from exr_inspector.operations.migrations import State, Stored
from vast_schemas import CURRENT_VERSION, TABLES, VERSIONS, TableSpec, schema_for, tables_at

MIGRATE = "run scripts/migrate_v1_0_to_v1_1.py"
INIT = "run exr-inspector schema init"
REBUILD = "back up, drop the table, and restore: scripts/backup_schema.py, scripts/restore_schema.py"
ROLL_BACK = "run scripts/rollback_v1_1.py, or verify against --version 1.1.0"
OWN = "it is not exr-inspector's; keep it elsewhere, or name it in --expected-tables"
UNNAMED = "name it in --expected-tables as well"

Difference = dict[str, str | None]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    parser.add_argument("--version", choices=VERSIONS, help=f"default: what is recorded, else {CURRENT_VERSION}")
    parser.add_argument("--expected-tables", type=common.words, metavar="A,B", help="exactly these tables")
    return common.run(parser.parse_args(arguments), verify)


def verify(options: argparse.Namespace) -> common.Answer:
    """Every difference, with its remedy."""
    store = common.store_of(options)
    state = migrations.read_state(store)
    version = options.version or state.recorded_version or CURRENT_VERSION
    indexed = store.session.features.vast_version >= (5, 5)
    found = list(differences(state, version, options.expected_tables, indexed=indexed))
    absent = None if state.tables else connection.nothing_stored(store)
    lines = [f"{entry['what']}; {entry['remedy']}" for entry in found]
    lines[:0] = [str(absent)] if absent else []
    sound = "" if state.recorded_version else f"; no version is recorded yet, which {INIT.removeprefix('run ')} does"
    return {
        "ok": not found,
        "place": store.place,
        "version": version,
        "recorded_version": state.recorded_version,
        "rows": {name: stored.rows for name, stored in sorted(state.tables.items())},
        "differences": found,
        "lines": lines or [f"{store.place}: as version {version} says{sound}"],
    }


def differences(
    state: State, version: str, expected: Sequence[str] | None = None, *, indexed: bool = True
) -> Iterator[Difference]:
    """How a state differs from a version. `indexed`: whether the server offers vector indexes, so that one has to be there."""
    wanted = list(expected) if expected is not None else [table.name for table in tables_at(version)]
    for name in wanted:
        if name not in state.tables:
            younger = name in TABLES and TABLES[name].since != VERSIONS[0] and "files" in state.tables
            yield _difference("missing_table", name, None, f"table {name} is missing", MIGRATE if younger else INIT)
        elif name in TABLES and TABLES[name] in tables_at(version):
            yield from _table(TABLES[name], state.tables[name], version, indexed=indexed)
    for name in sorted(set(state.tables) - {*wanted, migrations.PREVIOUS_VECTORS}):
        yield _difference("extra_table", name, None, f"table {name} is not expected", _remedy_for_extra(name, expected))
    if expected is None:
        yield from _recorded(state, version)


def _remedy_for_extra(name: str, expected: Sequence[str] | None) -> str:
    if name not in TABLES:
        return OWN
    return ROLL_BACK if expected is None else f"it is one of exr-inspector's, since {TABLES[name].since}: {UNNAMED}"


def _table(table: TableSpec, stored: Stored, version: str, *, indexed: bool) -> Iterator[Difference]:
    wanted = schema_for(table.name, version)
    for field in wanted:
        position = stored.schema.get_field_index(field.name)
        if position < 0:
            younger = next(column.since for column in table.columns if column.name == field.name) != VERSIONS[0]
            what = f"column {field.name} of table {table.name} is missing"
            yield _difference("missing_column", table.name, field.name, what, MIGRATE if younger else REBUILD)
        else:
            yield from _column(table.name, field, stored.schema.field(position))
    for name in stored.schema.names:
        if name not in wanted.names:
            known = any(column.name == name for column in table.columns)
            what = f"column {name} of table {table.name} is not expected"
            yield _difference("extra_column", table.name, name, what, ROLL_BACK if known else OWN)
    yield from _index(table, stored, indexed=indexed)


def _column(table: str, wanted: pa.Field, stored: pa.Field) -> Iterator[Difference]:
    where = f"column {wanted.name} of table {table}"
    if pa.types.is_fixed_size_list(wanted.type) and pa.types.is_fixed_size_list(stored.type):
        if wanted.type.list_size != stored.type.list_size:
            what = f"{where} has {stored.type.list_size} dimensions, expected {wanted.type.list_size}"
            yield _difference("vector_dimension", table, wanted.name, what, REBUILD)
            return
        if stored.type.value_field.nullable:
            yield _difference("nullability", table, wanted.name, f"{where} has elements that may be null", REBUILD)
    if not same_type(wanted.type, stored.type):
        yield _difference("type", table, wanted.name, f"{where} is {stored.type}, expected {wanted.type}", REBUILD)
    elif not stored.nullable:
        yield _difference("nullability", table, wanted.name, f"{where} must not be null, and rows leave it out", REBUILD)


def _index(table: TableSpec, stored: Stored, *, indexed: bool) -> Iterator[Difference]:
    wanted = (table.vector_index.column, table.vector_index.metric) if table.vector_index and indexed else None
    if stored.index != wanted:
        what = f"table {table.name} has {_spoken(stored.index)}, expected {_spoken(wanted)}"
        yield _difference("index", table.name, wanted[0] if wanted else None, what, f"an index is made with its table: {REBUILD}")


def _spoken(index: tuple[str, str] | None) -> str:
    return f"a vector index on {index[0]} ({index[1]})" if index else "no vector index"


def _recorded(state: State, version: str) -> Iterator[Difference]:
    recorded = state.recorded_version
    unrecorded = recorded is None and state.version == version  # as the function makes them, and as releases before 1.1.0 did
    if recorded != version and not unrecorded:
        what = f"version {version} is expected, and {recorded or 'none'} is recorded in {migrations.RECORDS}"
        younger = recorded is None or VERSIONS.index(recorded) < VERSIONS.index(version)
        remedy = (INIT if state.version == version or not state.tables else MIGRATE) if younger else ROLL_BACK
        yield _difference("version", migrations.RECORDS, None, what, remedy)


def _difference(kind: str, table: str, column: str | None, what: str, remedy: str) -> Difference:
    return {"kind": kind, "table": table, "column": column, "what": what, "remedy": remedy}
