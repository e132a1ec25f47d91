"""Imports: the server reads Parquet objects from its own object store into a table.

Without keys the rows are appended. With `key_names` the file's other columns are set on the rows whose keys are equal (a "zip"
import); columns that the table lacks are added. What was imported is recorded in the table's `vastdb-imported-objects` sub-table,
which appears with the first import; an object that is in it is not imported again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from . import wire
from .catalogue import ROW_ID, TableEntry
from .errors import VastError, bad_request, mismatched_name, mismatched_type
from .flat import FlatTable
from .store import TableStore
from .transactions import OpenTransaction
from .types import conform, one_array, storage_type

IMPORTED = "vastdb-imported-objects"
IMPORTED_COLUMNS = pa.schema([("BucketName", pa.string()), ("ObjectName", pa.string())])
MAX_FILES = 10
OpenObject = Callable[[str, str], BinaryIO]


@dataclass(frozen=True, slots=True)
class ImportSource:
    """An object to import; `partition` is an Arrow stream of one row with constants, or empty."""

    bucket: str
    name: str
    partition: bytes


def decode_import(body: bytes) -> tuple[list[ImportSource], list[str]]:
    """The files and key names of an `ImportDataRequest`.

    Slots: 0 s3_files (1 bucket_name, 2 file_name, 3 partitions), 1 key_names (0 name).
    """
    try:
        request = FlatTable.root(body)
        files = [ImportSource(file.text(1), file.text(2), file.blob(3) or b"") for file in request.tables(0)]
        keys = [key.text(0) for key in request.tables(1)]
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise bad_request(f"the import request cannot be decoded: {error}") from error
    if len(files) > MAX_FILES:
        raise bad_request(f"{len(files)} files in one import; at most {MAX_FILES} are allowed")
    return files, keys


class Importer:
    """Imports into one table, in one transaction."""

    def __init__(self, store: TableStore, open_object: OpenObject, tx: OpenTransaction, path: tuple[str, str, str]) -> None:
        self._store = store
        self._open = open_object
        self._tx = tx
        self._path = path

    def run(self, body: bytes) -> Iterator[bytes]:
        """Import the files of a request; one result each, and after a failure the rest is not started."""
        files, keys = decode_import(body)
        failed = False
        for source in files:
            if failed:
                yield wire.import_result(source.bucket, source.name, "TabularImportNotStarted", "")
                continue
            try:
                result = self._import(source, keys)
                yield wire.import_result(source.bucket, source.name, result, "")
            except VastError as error:
                failed = True
                yield wire.import_result(source.bucket, source.name, error.code, error.message)

    def _table(self) -> TableEntry:
        return self._store.catalogue.table(self._tx, *self._path)

    def _import(self, source: ImportSource, keys: list[str]) -> str:
        imported = self._imported_table()
        if self._is_imported(imported, source):
            return "TabularAlreadyImported"
        data = self._read_parquet(source)
        if keys:
            self._zip(data, keys)
        else:
            self._append(data)
        record = pa.record_batch([[source.bucket], [source.name]], schema=IMPORTED_COLUMNS)
        self._store.rows.insert(self._tx, imported, record)
        return "Success"

    def _imported_table(self) -> TableEntry:
        catalogue, table = self._store.catalogue, self._table()
        try:
            return catalogue.table(self._tx, *self._path, IMPORTED)
        except VastError:
            return catalogue.create_table(self._tx, table.schema, table.name, IMPORTED_COLUMNS, sub_table=IMPORTED)

    def _is_imported(self, imported: TableEntry, source: ImportSource) -> bool:
        where = " AND ".join(f"{imported.physical_column(name)} = ?" for name in IMPORTED_COLUMNS.names)
        return bool(self._tx.rows(f"SELECT 1 FROM {imported.physical} WHERE {where}", [source.bucket, source.name]))

    def _read_parquet(self, source: ImportSource) -> pa.Table:
        try:
            with self._open(source.bucket, source.name) as file:
                data = pq.read_table(file)
        except (pa.ArrowException, OSError) as error:
            raise bad_request(f"object {source.name!r} is not a Parquet file: {error}", "TabularInvalidParquet") from error
        if source.partition:
            constants = wire.read_batch(source.partition)
            for field, column in zip(constants.schema, constants.columns, strict=True):
                values = pa.array([column[0].as_py()] * data.num_rows, field.type)
                data = data.append_column(field.name, values)
        return data

    def _append(self, data: pa.Table) -> None:
        table = self._table()
        fields = []
        for field in data.schema:
            declared = table.columns.field(table.position(field.name))
            _check_same_type(field, declared)
            fields.append(declared)
        for batch in data.cast(pa.schema(fields)).to_batches():
            self._store.rows.insert(self._tx, table, batch)

    def _zip(self, data: pa.Table, keys: list[str]) -> None:
        self._check_keys(data, keys)
        table = self._with_columns(data, keys)
        for field in data.schema:
            _check_same_type(field, table.columns.field(table.position(field.name)))
        declared = pa.schema([table.columns.field(table.position(field.name)) for field in data.schema])
        source = self._with_row_ids(table, data.cast(declared, safe=False), keys)
        self._store.rows.update(self._tx, table, source)

    def _check_keys(self, data: pa.Table, keys: list[str]) -> None:
        table = self._table()
        for key in keys:
            if key not in data.schema.names or key not in table.columns.names:
                raise mismatched_name(f"Failed to verify import keys: column {key!r} is not in both table and file")

    def _with_columns(self, data: pa.Table, keys: list[str]) -> TableEntry:
        """The table, after the columns that only the file has were added."""
        table = self._table()
        new = [field for field in data.schema if field.name not in table.columns.names and field.name not in keys]
        if new:
            self._store.catalogue.add_columns(self._tx, table, pa.schema(new))
        return self._table()

    def _with_row_ids(self, table: TableEntry, data: pa.Table, keys: list[str]) -> pa.RecordBatch:
        """The file's columns without its keys, behind the ids of the rows with the same keys."""
        physical = [table.physical_column(name) for name in data.schema.names]
        stored = [conform(one_array(column), storage_type(column.type)) for column in data.columns]
        on = " AND ".join(f"target.{name} = source.{name}" for name in (table.physical_column(key) for key in keys))
        source = pa.table([*stored, pa.array(range(data.num_rows), pa.int64())], names=[*physical, "position"])
        sql = f'SELECT target."{ROW_ID}", source.position FROM {table.physical} AS target JOIN source ON {on} ORDER BY 1'
        matches = self._tx.arrow(sql, {"source": source})
        rows = self._store.stats(self._tx, table)[0]
        if not matches.num_rows == data.num_rows == rows:
            message = f"Failed to get row_ids to update on table: {matches.num_rows} of {rows} rows have a key of the file"
            raise bad_request(message, "TabularImportKeyMismatch")
        values = data.drop_columns(keys).take(matches.column("position"))
        batch = pa.table([matches.column(0), *values.columns], schema=pa.schema([(ROW_ID, pa.uint64()), *values.schema]))
        return batch.combine_chunks().to_batches()[0]


def _check_same_type(sent: pa.Field, declared: pa.Field) -> None:
    """Types must be equal; time stamps may differ in their unit."""
    both_timestamps = pt.is_timestamp(sent.type) and pt.is_timestamp(declared.type)
    if not (sent.type.equals(declared.type) or both_timestamps):
        raise mismatched_type(f"column {sent.name!r} of the file is {sent.type}, the table's is {declared.type}")
