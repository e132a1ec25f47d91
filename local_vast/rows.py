"""Rows in and out of the physical tables: insert, update, delete, and the counters that hand out row ids."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from .catalog import EXTERNAL_ROW_ID, ROW_ID, Table
from .errors import bad_request, mismatched_type
from .transactions import Transaction, Transactions
from .types import conform, single, storage_type, without_zones

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

    def next_row_id(self, tx: Transaction, table: Table) -> int:
        """One more than the highest row id handed out; ids of rolled back inserts are not used again."""
        with self._lock:
            if table.id in self._next:
                return self._next[table.id]
        highest = tx.rows(f'SELECT max("{ROW_ID}") FROM {table.physical}')[0][0]
        with self._lock:
            return self._next.setdefault(table.id, 0 if highest is None else highest + 1)

    def _allocate(self, tx: Transaction, table: Table, count: int) -> int:
        self.next_row_id(tx, table)
        with self._lock:
            first = self._next[table.id]
            self._next[table.id] = first + count
            return first

    def insert(self, tx: Transaction, table: Table, batch: pa.RecordBatch) -> pa.Array:
        """Append rows; columns that the batch lacks are NULL. Returns the row ids in the order of the batch.

        Raises `VastError` (400) for unknown columns, types that differ, cells beyond the limit, and external row ids that do not
        ascend.
        """
        self._check(table, batch)
        if not batch.num_rows:
            return pa.array([], table.row_id_type)
        ids = self._row_ids(tx, table, batch)
        self._append(tx, table, batch, ids)
        return ids.cast(table.row_id_type)

    def _row_ids(self, tx: Transaction, table: Table, batch: pa.RecordBatch) -> pa.Array:
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
            tx.cache.pop(("external", table.id), None)
        return ids

    def is_external(self, tx: Transaction, table: Table) -> bool:
        """True once a caller has supplied row ids."""
        key = ("external", table.id)
        if key not in tx.cache:
            found = tx.rows("SELECT 1 FROM catalogue.external_row_ids WHERE table_id = ? LIMIT 1", [table.id])
            tx.cache[key] = bool(found)
        return bool(tx.cache[key])

    def _append(self, tx: Transaction, table: Table, batch: pa.RecordBatch, ids: pa.Array) -> None:
        names = [ROW_ID, *(table.physical_column(name) for name in batch.schema.names)]
        source = _stored(batch, names, ids)
        listed = ", ".join(f'"{name}"' for name in names)
        tx.load(f"INSERT INTO {table.physical} ({listed}) SELECT {listed} FROM source", source)

    def update(self, tx: Transaction, table: Table, batch: pa.RecordBatch) -> None:
        """Set columns of the rows that `$row_id`, the first column, names.

        Raises `VastError`: 400 as `insert` and for sort keys and vector columns, 409 where another transaction wrote a row.
        """
        ids, values = _split(batch)
        for name in table.fixed_columns.intersection(values.schema.names):
            raise bad_request(f"column {name!r} of table {table.name!r} is a sort key or vector column and cannot be updated")
        self._check(table, values)
        if not len(ids) or not values.num_columns:
            return
        self._claim(tx, table, ids)
        names = [ROW_ID, *(table.physical_column(name) for name in values.schema.names)]
        assignments = ", ".join(f"{name} = source.{name}" for name in names[1:])
        tx.load(
            f"UPDATE {table.physical} AS target SET {assignments} FROM source"
            f' WHERE target."{ROW_ID}" = source."{ROW_ID}" AND {_between("target", ids)}',
            _stored(values, names, ids),
        )

    def delete(self, tx: Transaction, table: Table, batch: pa.RecordBatch) -> None:
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

    def _claim(self, tx: Transaction, table: Table, ids: pa.Array) -> None:
        first, last = ids[0].as_py(), ids[-1].as_py()
        if any(first in own and last in own for own in tx.inserted.get(table.id, ())):
            return
        self.transactions.claim(tx, f"row of table {table.name!r} ({table.id})", ids.to_pylist())

    def _check(self, table: Table, batch: pa.RecordBatch) -> None:
        if len(set(batch.schema.names)) != batch.num_columns:
            raise bad_request("the column names of the batch are not unique")
        for sent, column in zip(batch.schema, batch.columns, strict=True):
            declared = table.columns.field(table.position(sent.name))
            kind = sent.type if self.keep_zones else without_zones(sent.type)
            if not kind.equals(declared.type) or sent.nullable != declared.nullable:
                raise mismatched_type(f"column {sent.name!r} of table {table.name!r} is {declared}, not {sent}")
            self._check_cells(sent, column)

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


def _stored(batch: pa.RecordBatch, names: list[str], ids: pa.Array) -> pa.Table:
    """The batch as DuckDB takes it: row ids first, physical names, storage types."""
    columns = [conform(single(column), storage_type(column.type)) for column in batch.columns]
    return pa.table([ids, *columns], names=names)
