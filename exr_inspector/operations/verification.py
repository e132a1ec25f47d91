"""How stored tables differ from what a schema version says they are, and what to do about each difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from exr_inspector.database.tables import same_type
from exr_inspector.operations.migrations import PREVIOUS_VECTORS, RECORDS, State, StoredTable
from vast_schemas import TABLES, VERSIONS, TableSpec, schema_for, tables_at

MIGRATE = "run exr-inspector schema migrate"
INIT = "run exr-inspector schema init"
REBUILD = "back up, drop the table, and restore: exr-inspector schema backup, exr-inspector schema restore"
ROLL_BACK = "run exr-inspector schema rollback, or verify against --version 1.1.0"
OWN = "it is not exr-inspector's; keep it elsewhere, or name it in --expected-tables"
UNNAMED = "name it in --expected-tables as well"

Difference = dict[str, str | None]
"""Its `kind`, the `table`, the `column` where one is concerned, `what` differs in words, and the `remedy`."""


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
    for name in sorted(set(state.tables) - {*wanted, PREVIOUS_VECTORS}):
        yield _difference("extra_table", name, None, f"table {name} is not expected", _remedy_for_extra(name, expected))
    if expected is None:
        yield from _compare_record(state, version)


def _remedy_for_extra(name: str, expected: Sequence[str] | None) -> str:
    if name not in TABLES:
        return OWN
    return ROLL_BACK if expected is None else f"it is one of exr-inspector's, since {TABLES[name].since}: {UNNAMED}"


def _table(table: TableSpec, stored: StoredTable, version: str, *, indexed: bool) -> Iterator[Difference]:
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


def _index(table: TableSpec, stored: StoredTable, *, indexed: bool) -> Iterator[Difference]:
    wanted = (table.vector_index.column, table.vector_index.metric) if table.vector_index and indexed else None
    if stored.index != wanted:
        what = f"table {table.name} has {_format_index(stored.index)}, expected {_format_index(wanted)}"
        yield _difference("index", table.name, wanted[0] if wanted else None, what, f"an index is made with its table: {REBUILD}")


def _format_index(index: tuple[str, str] | None) -> str:
    return f"a vector index on {index[0]} ({index[1]})" if index else "no vector index"


def _compare_record(state: State, version: str) -> Iterator[Difference]:
    recorded = state.recorded_version
    unrecorded = recorded is None and state.version == version  # as the function makes them, and as releases before 1.1.0 did
    if recorded != version and not unrecorded:
        what = f"version {version} is expected, and {recorded or 'none'} is recorded in {RECORDS}"
        younger = recorded is None or VERSIONS.index(recorded) < VERSIONS.index(version)
        remedy = (INIT if state.version == version or not state.tables else MIGRATE) if younger else ROLL_BACK
        yield _difference("version", RECORDS, None, what, remedy)


def _difference(kind: str, table: str, column: str | None, what: str, remedy: str) -> Difference:
    return {"kind": kind, "table": table, "column": column, "what": what, "remedy": remedy}
