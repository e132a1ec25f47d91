"""Names and schemas as rows: buckets hold schemas, schemas hold tables, tables have columns.

Physical tables (`rows.t<id>`) and columns (`c<id>`) carry numbers that never change, so a rename is the update of one catalogue
row: isolated, undone by a rollback, and never in the way of a concurrent insert. Dropped columns stay in the physical table;
dropped tables are removed when no open snapshot can see them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from .database import DuckDatabase
from .errors import bad_request, conflict, mismatched_name, not_found
from .transactions import OpenTransaction, Transactions
from .types import check_field, sql_type, storage_type

DDL = """
CREATE SCHEMA IF NOT EXISTS catalogue;
CREATE SCHEMA IF NOT EXISTS rows;
CREATE TABLE IF NOT EXISTS catalogue.schemas (id BIGINT, bucket VARCHAR, path VARCHAR, properties VARCHAR);
CREATE TABLE IF NOT EXISTS catalogue.tables
    (id BIGINT, schema_id BIGINT, name VARCHAR, sub_table VARCHAR, properties VARCHAR,
     columns BLOB, numbers BLOB, options VARCHAR);
CREATE TABLE IF NOT EXISTS catalogue.projections (id BIGINT, table_id BIGINT, name VARCHAR, properties VARCHAR, columns VARCHAR);
CREATE TABLE IF NOT EXISTS catalogue.external_row_ids (table_id BIGINT);
"""
TOUCH = "SELECT id FROM catalogue.schemas LIMIT 1"
ROW_ID = "$row_id"
EXTERNAL_ROW_ID = "vastdb_rowid"
DISTANCE_FUNCTIONS = {"l2sq": "array_distance", "ip": "array_negative_inner_product"}


@dataclass(frozen=True, slots=True)
class SchemaEntry:
    """A schema row; `path` is the full path inside the bucket, `a/b` for nested ones."""

    id: int
    bucket: str
    path: str
    properties: str


@dataclass(frozen=True, slots=True)
class VectorIndexEntry:
    """The vector index of a table: metadata only, searches are exact."""

    column: str
    metric: str
    cluster_quantization: str
    search_quantization: str

    @property
    def sql_function(self) -> str:
        """The SQL function that orders by this metric."""
        return DISTANCE_FUNCTIONS[self.metric]


@dataclass(frozen=True, slots=True)
class StorageFormat:
    """The physical names of some columns, behind that of the row id, and the types in which DuckDB takes them."""

    names: list[str]
    types: list[pa.DataType]


@dataclass(frozen=True)
class TableEntry:
    """A table row. `columns` are the declared Arrow fields, `numbers` their physical column numbers, in the same order.

    Transactions share it: what is derived from it is worked out once.
    """

    id: int
    schema: SchemaEntry
    name: str
    sub_table: str
    properties: str
    columns: pa.Schema
    numbers: tuple[int, ...]
    sort_key: tuple[int, ...] = ()
    vector_index: VectorIndexEntry | None = None

    @property
    def physical(self) -> str:
        """The DuckDB table."""
        return f"rows.t{self.id}"

    @property
    def row_id_type(self) -> pa.DataType:
        """`decimal128(38, 0)` for sorted and vector-indexed tables, else `uint64`."""
        return pa.decimal128(38, 0) if self.sort_key or self.vector_index else pa.uint64()

    def position(self, name: str) -> int:
        """The position of a column; raises `VastError` (400) where the table has none of that name."""
        at = self.columns.get_field_index(name)
        if at < 0:
            raise mismatched_name(f"table {self.name!r} has no column {name!r}")
        return int(at)

    def physical_column(self, name: str) -> str:
        """The DuckDB column of a declared column."""
        return f"c{self.numbers[self.position(name)]}"

    @property
    def definitions(self) -> str:
        """The physical columns, as CREATE TABLE lists them."""
        columns = (f"c{number} {sql_type(column.type)}" for number, column in zip(self.numbers, self.columns, strict=True))
        return ", ".join([f'"{ROW_ID}" UBIGINT', *columns])

    @cached_property
    def storage(self) -> StorageFormat:
        """How DuckDB takes rows that have every column, in the declared order."""
        return self.storage_of(self.columns)

    def storage_of(self, sent: pa.Schema) -> StorageFormat:
        """How DuckDB takes rows that have these columns."""
        names = [ROW_ID, *(self.physical_column(name) for name in sent.names)]
        return StorageFormat(names, [storage_type(column.type) for column in sent])

    @property
    def fixed_columns(self) -> set[str]:
        """Columns that an update may not touch: sort keys and the vector column."""
        keys = {self.columns.names[self.numbers.index(number)] for number in self.sort_key if number in self.numbers}
        return keys | ({self.vector_index.column} if self.vector_index else set())

    @property
    def sorted_names(self) -> list[str]:
        """The sort key by name, most significant first."""
        return [self.columns.names[self.numbers.index(number)] for number in self.sort_key]


@dataclass(frozen=True, slots=True)
class ProjectionEntry:
    """A semi-sorted projection: metadata, and the order that a query by its name answers in."""

    id: int
    table: TableEntry
    name: str
    properties: str
    columns: tuple[tuple[str, bool], ...]


def open_catalogue(root: DuckDatabase) -> None:
    """Create the catalogue tables where they are missing, and remove physical tables that no row names."""
    root.execute(DDL)
    named = {row[0] for row in root.execute("SELECT id FROM catalogue.tables").fetchall()}
    physical = root.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'rows'").fetchall()
    for (name,) in physical:
        if int(name[1:]) not in named:
            root.execute(f"DROP TABLE rows.{name}")


class Catalogue:
    """Schema and table operations inside a transaction."""

    def __init__(self, root: DuckDatabase, transactions: Transactions, has_bucket: Callable[[str], bool]) -> None:
        self._root = root
        self._has_bucket = has_bucket
        self._transactions = transactions
        highest = root.execute(
            "SELECT greatest((SELECT max(id) FROM catalogue.schemas), (SELECT max(id) FROM catalogue.tables),"
            " (SELECT max(id) FROM catalogue.projections), 0)"
        ).fetchall()[0][0]
        self._ids = itertools.count(highest + 1)

    def buckets_in_use(self) -> set[str]:
        """The buckets that hold schemas."""
        return {bucket for (bucket,) in self._root.execute("SELECT DISTINCT bucket FROM catalogue.schemas").fetchall()}

    # Schemas

    def check_bucket(self, bucket: str) -> None:
        """404 unless the bucket exists."""
        if not self._has_bucket(bucket):
            raise not_found("Bucket", bucket)

    def schema(self, tx: OpenTransaction, bucket: str, path: str) -> SchemaEntry:
        """The schema at `path`; 404 where it does not exist."""
        self.check_bucket(bucket)
        for schema in self._schemas(tx):
            if schema.bucket == bucket and schema.path == path:
                return schema
        raise not_found("Schema", f"{bucket}/{path}")

    def _schemas(self, tx: OpenTransaction) -> list[SchemaEntry]:
        tx.check_usable()
        schemas: list[SchemaEntry] | None = tx.names.get("schemas")
        if schemas is None:
            rows = tx.rows("SELECT id, bucket, path, properties FROM catalogue.schemas ORDER BY path")
            schemas = tx.names["schemas"] = [SchemaEntry(*row) for row in rows]
        return schemas

    def child_schemas(self, tx: OpenTransaction, bucket: str, parent: str) -> list[tuple[str, SchemaEntry]]:
        """The direct children of `parent` (`""` is the bucket), with names relative to it."""
        self.check_bucket(bucket)
        if parent:
            self.schema(tx, bucket, parent)
        prefix = f"{parent}/" if parent else ""
        inside = [schema for schema in self._schemas(tx) if schema.bucket == bucket and schema.path.startswith(prefix)]
        named = [(schema.path[len(prefix) :], schema) for schema in inside]
        return [(name, schema) for name, schema in named if name and "/" not in name]

    def create_schema(self, tx: OpenTransaction, bucket: str, path: str, properties: str) -> SchemaEntry:
        """Add a schema; its parent must exist. 409 where the name is taken."""
        self.check_bucket(bucket)
        self._claim_schema_path(tx, bucket, path)
        schema = SchemaEntry(next(self._ids), bucket, path, properties)
        tx.run("INSERT INTO catalogue.schemas VALUES (?, ?, ?, ?)", [schema.id, bucket, path, properties])
        tx.leave_shared_names()
        return schema

    def _claim_schema_path(self, tx: OpenTransaction, bucket: str, path: str) -> None:
        if not path.strip("/"):
            raise bad_request("a schema needs a name")
        parent = path.rpartition("/")[0]
        if parent:
            self.schema(tx, bucket, parent)
        if any(schema.bucket == bucket and schema.path == path for schema in self._schemas(tx)):
            raise conflict(f"schema {bucket}/{path} exists", "TabularSchemaAlreadyExists")
        self._transactions.claim(tx, "schema names", [(bucket, path)])

    def alter_schema(self, tx: OpenTransaction, schema: SchemaEntry, new_path: str, properties: str | None) -> None:
        """Rename a schema (its children move with it) or replace its properties."""
        self._transactions.claim(tx, "schemas", [schema.id])
        if new_path:
            self._claim_schema_path(tx, schema.bucket, new_path)
            self._move_children(tx, schema, new_path)
            tx.run("UPDATE catalogue.schemas SET path = ? WHERE id = ?", [new_path, schema.id])
        if properties is not None:
            tx.run("UPDATE catalogue.schemas SET properties = ? WHERE id = ?", [properties, schema.id])
        tx.leave_shared_names()

    def _move_children(self, tx: OpenTransaction, schema: SchemaEntry, new_path: str) -> None:
        for child in self._schemas(tx):
            if child.bucket == schema.bucket and child.path.startswith(schema.path + "/"):
                self._transactions.claim(tx, "schemas", [child.id])
                moved = new_path + child.path[len(schema.path) :]
                tx.run("UPDATE catalogue.schemas SET path = ? WHERE id = ?", [moved, child.id])

    def drop_schema(self, tx: OpenTransaction, schema: SchemaEntry) -> None:
        """Remove an empty schema; 409 where it holds tables or schemas."""
        if self.child_schemas(tx, schema.bucket, schema.path) or self.tables(tx, schema):
            raise conflict(f"schema {schema.bucket}/{schema.path} is not empty", "TabularSchemaNotEmpty")
        self._transactions.claim(tx, "schemas", [schema.id])
        self._transactions.claim(tx, "schema names", [(schema.bucket, schema.path)])
        tx.run("DELETE FROM catalogue.schemas WHERE id = ?", [schema.id])
        tx.leave_shared_names()

    # Tables

    def tables(self, tx: OpenTransaction, schema: SchemaEntry) -> list[TableEntry]:
        """The tables of a schema by name, without sub-tables."""
        named = tx.rows("SELECT name FROM catalogue.tables WHERE schema_id = ? AND sub_table = '' ORDER BY name", [schema.id])
        return [self.table(tx, schema.bucket, schema.path, name) for (name,) in named]

    def table(self, tx: OpenTransaction, bucket: str, path: str, name: str, sub_table: str = "") -> TableEntry:
        """The table; 404 where bucket, schema or table do not exist."""
        key = ("table", bucket, path, name, sub_table)
        tx.check_usable()
        table: TableEntry | None = tx.names.get(key)
        if table is None:
            table = tx.names[key] = self._load(tx, self.schema(tx, bucket, path), name, sub_table)
        return table

    def _load(self, tx: OpenTransaction, schema: SchemaEntry, name: str, sub_table: str) -> TableEntry:
        rows = tx.rows(
            "SELECT id, properties, columns, numbers, options FROM catalogue.tables"
            " WHERE schema_id = ? AND name = ? AND sub_table = ?",
            [schema.id, name, sub_table],
        )
        if not rows:
            raise not_found("Table", "/".join(filter(None, (schema.bucket, schema.path, name, sub_table))))
        number, properties, columns, numbers, options = rows[0]
        stored = json.loads(options)
        index = VectorIndexEntry(**stored["vector_index"]) if stored["vector_index"] else None
        fields = pa.ipc.read_schema(pa.py_buffer(columns))
        numbers = tuple(json.loads(bytes(numbers)))
        return TableEntry(number, schema, name, sub_table, properties, fields, numbers, tuple(stored["sort_key"]), index)

    def create_table(self, tx: OpenTransaction, schema: SchemaEntry, name: str, columns: pa.Schema, **options: Any) -> TableEntry:
        """Add a table. Options: `sub_table`, `properties`, `sort_key` (column positions), `vector_index`.

        Raises `VastError`: 409 where the name is taken, 400 for column types, sort keys and indexes that VAST refuses.
        """
        sub_table, sort_key = options.get("sub_table", ""), options.get("sort_key", ())
        table = TableEntry(
            next(self._ids), schema, name, sub_table, options.get("properties", ""), columns, tuple(range(len(columns))),
            tuple(sort_key), options.get("vector_index"),
        )  # fmt: skip
        _check_columns(columns)
        _check_sort_key(table, sort_key)
        self._claim_table_name(tx, schema, name, sub_table)
        tx.run(f"CREATE TABLE {table.physical} ({table.definitions})")
        tx.run(
            "INSERT INTO catalogue.tables VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [table.id, schema.id, name, sub_table, table.properties, *_column_values(table)],
        )
        tx.leave_shared_names()
        return table

    def _claim_table_name(self, tx: OpenTransaction, schema: SchemaEntry, name: str, sub_table: str = "") -> None:
        sql = "SELECT 1 FROM catalogue.tables WHERE schema_id = ? AND name = ? AND sub_table = ?"
        if tx.rows(sql, [schema.id, name, sub_table]):
            raise conflict(f"table {schema.bucket}/{schema.path}/{name} exists", "TabularTableAlreadyExists")
        self._transactions.claim(tx, "table names", [(schema.id, name, sub_table)])

    def rename_table(self, tx: OpenTransaction, table: TableEntry, target: SchemaEntry, name: str) -> None:
        """Give a table another name, possibly in another schema; its sub-tables follow."""
        self._transactions.claim(tx, "tables", [table.id])
        self._claim_table_name(tx, target, name)
        tx.run(
            "UPDATE catalogue.tables SET schema_id = ?, name = ? WHERE schema_id = ? AND name = ?",
            [target.id, name, table.schema.id, table.name],
        )
        tx.leave_shared_names()

    def set_table_properties(self, tx: OpenTransaction, table: TableEntry, properties: str) -> None:
        """Replace the properties text."""
        self._transactions.claim(tx, "tables", [table.id])
        tx.run("UPDATE catalogue.tables SET properties = ? WHERE id = ?", [properties, table.id])
        tx.leave_shared_names()

    def enable_sorting(self, tx: OpenTransaction, table: TableEntry, positions: Iterable[int]) -> None:
        """Make a table sorted by the columns at `positions`; 400 where it is sorted already."""
        positions = list(positions)
        if table.sort_key:
            raise bad_request(f"table {table.name!r} is sorted already; a sorting key is set once")
        _check_sort_key(table, positions)
        self._update(tx, replace(table, sort_key=tuple(table.numbers[at] for at in positions)))

    def _update(self, tx: OpenTransaction, table: TableEntry) -> None:
        self._transactions.claim(tx, "tables", [table.id])
        tx.run(
            "UPDATE catalogue.tables SET columns = ?, numbers = ?, options = ? WHERE id = ?", [*_column_values(table), table.id]
        )
        tx.leave_shared_names()

    def drop_table(self, tx: OpenTransaction, table: TableEntry) -> None:
        """Remove a table with its sub-tables and projections."""
        where, key = "schema_id = ? AND name = ?", [table.schema.id, table.name]
        if table.sub_table:
            where, key = f"{where} AND sub_table = ?", [*key, table.sub_table]
        ids = [row[0] for row in tx.rows(f"SELECT id FROM catalogue.tables WHERE {where}", key)]
        self._transactions.claim(tx, "tables", ids)
        self._transactions.claim(tx, "table names", [(table.schema.id, table.name, table.sub_table)])
        tx.run(f"DELETE FROM catalogue.tables WHERE {where}", key)
        tx.run("DELETE FROM catalogue.projections WHERE table_id = ?", [table.id])
        tx.dropped.update(ids)
        tx.leave_shared_names()

    # Columns

    def add_columns(self, tx: OpenTransaction, table: TableEntry, columns: pa.Schema) -> None:
        """Append columns; existing rows have NULL in them."""
        _check_columns(columns)
        for name in columns.names:
            if name in table.columns.names:
                raise conflict(f"table {table.name!r} has a column {name!r}", "TabularColumnAlreadyExists")
        self._transactions.claim(tx, "tables", [table.id])
        first = max(table.numbers, default=-1) + 1
        first = max(first, self._physical_columns(tx, table))
        numbers = range(first, first + len(columns))
        for number, column in zip(numbers, columns, strict=True):
            tx.run(f"ALTER TABLE {table.physical} ADD COLUMN c{number} {sql_type(column.type)}")
        fields = pa.schema([*table.columns, *columns], metadata=table.columns.metadata)
        self._update(tx, replace(table, columns=fields, numbers=(*table.numbers, *numbers)))

    def _physical_columns(self, tx: OpenTransaction, table: TableEntry) -> int:
        sql = "SELECT column_name FROM duckdb_columns() WHERE schema_name = 'rows' AND table_name = ? AND column_name LIKE 'c%'"
        return max((int(name[1:]) + 1 for (name,) in tx.rows(sql, [f"t{table.id}"])), default=0)

    def drop_columns(self, tx: OpenTransaction, table: TableEntry, names: Iterable[str]) -> None:
        """Forget columns; 400 for columns that sort or index the table."""
        gone = {table.position(name) for name in names}
        for name in table.fixed_columns & {table.columns.names[at] for at in gone}:
            raise bad_request(f"column {name!r} of table {table.name!r} is a sort key or vector column and cannot be dropped")
        kept = [at for at in range(len(table.columns)) if at not in gone]
        fields = pa.schema([table.columns.field(at) for at in kept], metadata=table.columns.metadata)
        self._update(tx, replace(table, columns=fields, numbers=tuple(table.numbers[at] for at in kept)))

    def rename_column(self, tx: OpenTransaction, table: TableEntry, name: str, new_name: str) -> None:
        """Give a column another name."""
        at = table.position(name)
        if new_name in table.columns.names:
            raise conflict(f"table {table.name!r} has a column {new_name!r}", "TabularColumnAlreadyExists")
        index = table.vector_index
        if index and index.column == name:
            index = replace(index, column=new_name)
        fields = table.columns.set(at, table.columns.field(at).with_name(new_name))
        self._update(tx, replace(table, columns=fields, vector_index=index))

    # Projections

    def projections(self, tx: OpenTransaction, table: TableEntry) -> list[ProjectionEntry]:
        """The projections of a table by name."""
        sql = "SELECT id, name, properties, columns FROM catalogue.projections WHERE table_id = ? ORDER BY name"
        return [
            ProjectionEntry(number, table, name, properties, tuple((column, is_key) for column, is_key in json.loads(columns)))
            for number, name, properties, columns in tx.rows(sql, [table.id])
        ]

    def projection(self, tx: OpenTransaction, table: TableEntry, name: str) -> ProjectionEntry:
        """The projection of that name; 404 where there is none."""
        for projection in self.projections(tx, table):
            if projection.name == name:
                return projection
        raise not_found("Projection", f"{table.name}/{name}")

    def create_projection(self, tx: OpenTransaction, table: TableEntry, name: str, columns: list[tuple[str, bool]]) -> None:
        """Add a projection; `columns` are names with True for sort keys."""
        if any(projection.name == name for projection in self.projections(tx, table)):
            raise conflict(f"projection {table.name}/{name} exists", "TabularProjectionAlreadyExists")
        for column, _ in columns:
            table.position(column)
        if not any(is_key for _, is_key in columns):
            raise bad_request(f"projection {name!r} has no sorted column")
        self._transactions.claim(tx, "projection names", [(table.id, name)])
        values = [next(self._ids), table.id, name, "", json.dumps(columns)]
        tx.run("INSERT INTO catalogue.projections VALUES (?, ?, ?, ?, ?)", values)

    def alter_projection(self, tx: OpenTransaction, projection: ProjectionEntry, new_name: str, properties: str) -> None:
        """Rename a projection or replace its properties."""
        self._transactions.claim(tx, "projections", [projection.id])
        if new_name:
            self._transactions.claim(tx, "projection names", [(projection.table.id, new_name)])
        tx.run(
            "UPDATE catalogue.projections SET name = ?, properties = ? WHERE id = ?",
            [new_name or projection.name, properties or projection.properties, projection.id],
        )

    def drop_projection(self, tx: OpenTransaction, projection: ProjectionEntry) -> None:
        """Remove a projection."""
        self._transactions.claim(tx, "projections", [projection.id])
        tx.run("DELETE FROM catalogue.projections WHERE id = ?", [projection.id])


def _column_values(table: TableEntry) -> list[Any]:
    """The values of `columns`, `numbers` and `options` in the table's row."""
    index = asdict(table.vector_index) if table.vector_index else None
    options = {"sort_key": table.sort_key, "vector_index": index}
    return [table.columns.serialize().to_pybytes(), json.dumps(table.numbers).encode(), json.dumps(options)]


def _check_columns(columns: pa.Schema) -> None:
    if not len(columns):
        raise bad_request("a table needs at least one column")
    if len(set(columns.names)) != len(columns):
        raise bad_request("the column names are not unique")
    for column in columns:
        if column.name == ROW_ID:
            raise bad_request(f"column name {ROW_ID!r} is reserved")
        check_field(column)


def _check_sort_key(table: TableEntry, positions: Iterable[int]) -> None:
    for at in positions:
        if not 0 <= at < len(table.columns):
            raise bad_request(f"table {table.name!r} has no column number {at} to sort by")
