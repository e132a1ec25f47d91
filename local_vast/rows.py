"""Rows in and out of the physical tables: insert, update, delete, and the counters that hand out row ids."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from .catalogue import EXTERNAL_ROW_ID, ROW_ID, StorageFormat, TableEntry
from .errors import bad_request, mismatched_type
from .transactions import OpenTransaction, Transactions
from .types import conform, drop_zones, one_array

# The low 56 bits of a row id ascend per table; sorted tables may use the bits above.
ROW_ID_MASK = (1 << 56) - 1


@dataclass(slots=True)
class RowStore:
    """Reads and writes rows. `cell_limit` is the largest cell in bytes."""

    transactions: Transactions
    cell_limit: int
    keep_zones: bool = True
    _next: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next_row_id(self, tx: OpenTransaction, table: TableEntry) -> int:
        """One more than the highest row id handed out; ids of rolled back inserts are not used again."""
        with self._lock:
            if table.id in self._next:
                return self._next[table.id]
        highest = tx.rows(f'SELECT max("{ROW_ID}") FROM {table.physical}')[0][0]
        with self._lock:
            return self._next.setdefault(table.id, 0 if highest is None else highest + 1)

    def _allocate(self, tx: OpenTransaction, table: TableEntry, count: int) -> int:
        self.next_row_id(tx, table)
        with self._lock:
            first = self._next[table.id]
            self._next[table.id] = first + count
            return first

    def insert(self, tx: OpenTransaction, table: TableEntry, batch: pa.RecordBatch) -> pa.Array:
        """Append rows; columns that the batch lacks are NULL. Returns the row ids in the order of the batch.

        Raises `VastError` (400) for unknown columns, types that differ, cells beyond the limit, and external row ids that do not
        ascend.
        """
        self._check_batch(table, batch)
        if not batch.num_rows:
            return pa.array([], table.row_id_type)
        ids = self._row_ids(tx, table, batch)
        self._append(tx, table, batch, ids)
        return ids.cast(table.row_id_type)

    def _row_ids(self, tx: OpenTransaction, table: TableEntry, batch: pa.RecordBatch) -> pa.Array:
        if EXTERNAL_ROW_ID not in batch.schema.names:
            first = self._allocate(tx, table, batch.num_rows)
            tx.inserted.setdefault(table.id, []).append(range(first, first + batch.num_rows))
            return pa.array(range(first, first + batch.num_rows), pa.uint64())
        ids = batch.column(EXTERNAL_ROW_ID).cast(pa.uint64())
        _check_ascending(ids)
        with self._lock:
            self._next[table.id] = max(self._next.get(table.id, 0), ids[-1].as_py() + 1)
        if not self.is_external(tx, table):
            tx.run("INSERT INTO catalogue.external_row_ids VALUES (?)", [table.id])
            tx.leave_shared_names()
        return ids

    def is_external(self, tx: OpenTransaction, table: TableEntry) -> bool:
        """True once a caller has supplied row ids."""
        key = ("external", table.id)
        is_external: bool | None = tx.names.get(key)
        if is_external is None:
            rows = tx.rows("SELECT 1 FROM catalogue.external_row_ids WHERE table_id = ? LIMIT 1", [table.id])
            is_external = tx.names[key] = bool(rows)
        return is_external

    def _append(self, tx: OpenTransaction, table: TableEntry, batch: pa.RecordBatch, ids: pa.Array) -> None:
        storage = table.storage if batch.schema.equals(table.columns) else table.storage_of(batch.schema)
        listed = ", ".join(f'"{name}"' for name in storage.names)
        tx.load(f"INSERT INTO {table.physical} ({listed}) FROM source", _storage_table(batch, storage, ids))

    def update(self, tx: OpenTransaction, table: TableEntry, batch: pa.RecordBatch) -> None:
        """Set columns of the rows that `$row_id`, the first column, names.

        Raises `VastError`: 400 as `insert` and for sort keys and vector columns, 409 where another transaction wrote a row.
        """
        ids, values = _split(batch)
        for name in table.fixed_columns.intersection(values.schema.names):
            raise bad_request(f"column {name!r} of table {table.name!r} is a sort key or vector column and cannot be updated")
        self._check_batch(table, values)
        if not len(ids) or not values.num_columns:
            return
        self._claim(tx, table, ids)
        storage = table.storage_of(values.schema)
        assignments = ", ".join(f"{name} = source.{name}" for name in storage.names[1:])
        tx.load(
            f"UPDATE {table.physical} AS target SET {assignments} FROM source"
            f' WHERE target."{ROW_ID}" = source."{ROW_ID}" AND {_between("target", ids)}',
            _storage_table(values, storage, ids),
        )

    def delete(self, tx: OpenTransaction, table: TableEntry, batch: pa.RecordBatch) -> None:
        """Remove the rows that `$row_id` names; 409 where another transaction wrote one of them."""
        ids, _ = _split(batch)
        if not len(ids):
            return
        self._claim(tx, table, ids)
        tx.load(
            f"DELETE FROM {table.physical} AS target WHERE {_between('target', ids)}"
            f' AND target."{ROW_ID}" IN (SELECT "{ROW_ID}" FROM source)',
            pa.table({ROW_ID: ids}),
        )

    def _claim(self, tx: OpenTransaction, table: TableEntry, ids: pa.Array) -> None:
        first, last = ids[0].as_py(), ids[-1].as_py()
        if any(first in own and last in own for own in tx.inserted.get(table.id, ())):
            return
        self.transactions.claim(tx, f"row of table {table.name!r} ({table.id})", ids.to_pylist())

    def _check_batch(self, table: TableEntry, batch: pa.RecordBatch) -> None:
        if not batch.schema.equals(table.columns):
            self._check_columns(table, batch.schema)
        # Where the whole batch is no larger than a cell may be, no cell is.
        if batch.nbytes > self.cell_limit:
            for sent, column in zip(batch.schema, batch.columns, strict=True):
                self._check_cells(sent, column)

    def _check_columns(self, table: TableEntry, columns: pa.Schema) -> None:
        if len(set(columns.names)) != len(columns):
            raise bad_request("the column names of the batch are not unique")
        for sent in columns:
            declared = table.columns.field(table.position(sent.name))
            kind = sent.type if self.keep_zones else drop_zones(sent.type)
            if not kind.equals(declared.type) or sent.nullable != declared.nullable:
                raise mismatched_type(f"column {sent.name!r} of table {table.name!r} is {declared}, not {sent}")

    def _check_cells(self, sent: pa.Field, column: pa.Array) -> None:
        if not (pt.is_string(sent.type) or pt.is_binary(sent.type)):
            return
        largest = pc.max(pc.binary_length(column)).as_py() or 0
        if largest > self.cell_limit:
            raise bad_request(
                f"column {sent.name!r}: a cell of {largest} bytes is larger than the limit of {self.cell_limit}",
                "TabularCellTooLarge",
            )


def _split(batch: pa.RecordBatch) -> tuple[pa.Array, pa.RecordBatch]:
    """The row ids as uint64, and the other columns."""
    if not batch.num_columns or batch.schema.names[0] != ROW_ID:
        raise bad_request(f"the first column must be {ROW_ID}")
    ids = batch.column(0)
    if not (pt.is_uint64(ids.type) or pt.is_decimal128(ids.type)):
        raise mismatched_type(f"{ROW_ID} must be uint64 or decimal128(38, 0), not {ids.type}")
    if ids.null_count:
        raise bad_request(f"{ROW_ID} must not be NULL")
    ids = pc.bit_wise_and(ids.cast(pa.uint64()), pa.scalar(ROW_ID_MASK, pa.uint64()))
    _check_ascending(ids)
    return ids, batch.select(batch.schema.names[1:])


def _between(name: str, ids: pa.Array) -> str:
    """A range around ascending row ids, so that DuckDB reads only the row groups that hold them."""
    return f'{name}."{ROW_ID}" BETWEEN {ids[0].as_py()} AND {ids[-1].as_py()}'


def _check_ascending(ids: pa.Array) -> None:
    if len(ids) > 1 and not pc.all(pc.less(ids[:-1], ids[1:])).as_py():
        raise bad_request("Found duplicate row ids or not in ascending order")


def _storage_table(batch: pa.RecordBatch, storage: StorageFormat, ids: pa.Array) -> pa.Table:
    """The batch as DuckDB takes it: row ids first, physical names, storage types."""
    columns = [conform(one_array(column), kind) for column, kind in zip(batch.columns, storage.types, strict=True)]
    return pa.table([ids, *columns], names=storage.names)
