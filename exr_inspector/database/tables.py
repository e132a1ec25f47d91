"""The tables on the server: loaded once, created where they are missing, and refused where they differ from what is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from exr_inspector.database.session import Ledger, Store
from exr_inspector.errors import SchemaDrift
from vast_schemas import CURRENT_VERSION, TABLES, VERSIONS, TableSpec, schema_for, tables_at

_MIGRATE = "Run `exr-inspector schema migrate`, which adds what is missing"
_REPLACE = "Set VAST_DB_SCHEMA to another schema, or move this table away"
_SHOWN = 5
"""Differences that a message names."""


def ensure_tables(store: Store, ledger: Ledger) -> Mapping[str, Any]:
    """The metadata of every table of the current version, by name; loaded once per store, created on first use.

    Raises SchemaDrift, before anything is written, where a table lacks a column or has one of another type. Columns that this
    version does not know are left alone.
    """
    tables = store.tables
    if tables is not None:
        return tables
    with store.loading:
        if store.tables is None:
            store.tables = _load_or_create(store, ledger)
        return store.tables


def _load_or_create(store: Store, ledger: Ledger) -> Mapping[str, Any]:
    """All in one transaction, which an error rolls back: where a table differs, none is made either."""
    wanted = {table.name: (schema_for(table.name), table.vector_index) for table in tables_at()}
    with store.transaction(ledger) as work:
        made = work.create(wanted)
        # What was made here without an index is known; of the others, and of the index, the server says what there is.
        known = [name for name in made if wanted[name][1] is None]
        loaded = work.load_all(name for name in wanted if name not in known)
        differences = [text for name, metadata in loaded.items() for text in drift(TABLES[name], metadata.arrow_schema)]
        if differences:
            raise _drift_error(store, differences)
        return loaded | {name: work.metadata_of(name, wanted[name][0]) for name in known}


def drift(table: TableSpec, stored: pa.Schema) -> list[tuple[str, str, str]]:
    """How a stored table differs from what is written to it: (table, column, what is wrong), one entry per column."""
    differences = []
    for field in schema_for(table.name):
        position = stored.get_field_index(field.name)
        if position < 0:
            differences.append((table.name, field.name, "is missing"))
        elif not same_type(field.type, stored.field(position).type):
            differences.append((table.name, field.name, f"is {stored.field(position).type}, expected {field.type}"))
    return differences


def same_type(wanted: pa.DataType, stored: pa.DataType) -> bool:
    """Whether two column types are the same, whatever a server calls the elements of a vector."""
    if pa.types.is_fixed_size_list(wanted) and pa.types.is_fixed_size_list(stored):
        return bool(wanted.list_size == stored.list_size and wanted.value_type == stored.value_type)
    return bool(wanted == stored)


def _drift_error(store: Store, differences: list[tuple[str, str, str]]) -> SchemaDrift:
    texts = "; ".join(f"column {column} of table {table} {what}" for table, column, what in differences[:_SHOWN])
    if len(differences) > _SHOWN:
        texts += f"; and {len(differences) - _SHOWN} more"
    table, column, _ = differences[0]
    return SchemaDrift(
        f"{store.place}: {texts}",
        remedy=_MIGRATE if all(map(_is_addition, differences)) else _REPLACE,
        table=table,
        column=column,
        schema_version=CURRENT_VERSION,
    )


def _is_addition(difference: tuple[str, str, str]) -> bool:
    """Whether a migration adds this column: it is missing, and younger than the first version."""
    table, column, what = difference
    return what == "is missing" and any(known.name == column and known.since != VERSIONS[0] for known in TABLES[table].columns)
