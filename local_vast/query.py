"""Answering `?data`: which rows a sub-split owns, where it goes on, and in what order the rows come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from . import wire
from .catalogue import ROW_ID, Catalogue, ProjectionEntry, TableEntry
from .relation import Query, decode_query
from .rows import RowStore
from .transactions import OpenTransaction
from .types import conform, one_array

ROW_GROUP = 65_536
# The split number with which a client asks how many row groups a sorted table would read.
ESTIMATE = 0xFFFFFFFF - 3
# Up to this many blocks a sub-split is asked for by ranges, which DuckDB prunes; beyond it by arithmetic.
_MAX_RANGES = 16


@dataclass(frozen=True, slots=True)
class Splits:
    """How a client divides the scan: this is split `index` of `count`, in `sub_splits` parts, `groups` row groups to a block.

    Blocks of rows go round robin over all sub-splits of all splits. `starts` has, by sub-split, the row id to go on from.
    `limit` is the number of rows a sub-split sends in one answer; 0 sends all.
    """

    index: int
    count: int
    groups: int
    sub_splits: int
    starts: dict[int, int]
    limit: int

    def block(self) -> int:
        """The rows of a block."""
        return ROW_GROUP * max(1, self.groups)

    def row_filter(self, sub_split: int, start: int, end: int) -> str | None:
        """SQL for the rows below `end`, from `start`, that `sub_split` reads; None where there can be none."""
        if start >= end:
            return None
        workers = self.count * self.sub_splits
        worker = self.index * self.sub_splits + sub_split
        if workers == 1:
            return f'"{ROW_ID}" >= {start}'
        size = self.block()
        first = start // size
        first += (worker - first) % workers
        blocks = range(first, (end - 1) // size + 1, workers)
        if not blocks:
            return None
        if len(blocks) > _MAX_RANGES:
            return f'"{ROW_ID}" >= {start} AND ("{ROW_ID}" // {size}) % {workers} = {worker}'
        ranges = [f'"{ROW_ID}" BETWEEN {max(start, at * size)} AND {(at + 1) * size - 1}' for at in blocks]
        return f"({' OR '.join(ranges)})"


@dataclass(frozen=True, slots=True)
class TableReader:
    """Runs queries over one table in one transaction."""

    catalogue: Catalogue
    rows: RowStore
    tx: OpenTransaction
    table: TableEntry

    def answer(self, body: bytes, splits: Splits, projection: str, wants_projection: bool) -> Iterator[bytes | memoryview]:
        """The response stream. Every sub-split that is not finished gets a chunk, empty where it has no rows.

        `projection` is the one asked for by name; without a name and with `wants_projection` one that fits is used.
        """
        query = decode_query(body, self.table)
        if splits.index == ESTIMATE:
            return self._estimate(query)
        order = self._projection(query, projection, wants_projection)
        if order is None:
            return self._chunks(query, splits, f'"{ROW_ID}"')
        # Rows that come in another order cannot be continued by row id: they are sent in one piece.
        keys = [self.table.physical_column(name) for name, is_key in order.columns if is_key]
        return self._chunks(query, replace(splits, limit=0), ", ".join([*keys, f'"{ROW_ID}"']))

    def _projection(self, query: Query, name: str, wanted: bool) -> ProjectionEntry | None:
        """The projection by name, or the first one whose leading sort key is filtered by and that has every column."""
        if name:
            return self.catalogue.projection(self.tx, self.table, name)
        if not wanted or query.condition == "TRUE" or self.rows.next_row_id(self.tx, self.table) < ROW_GROUP:
            return None
        needed = {leaf.column for leaf in query.leaves} | query.filtered
        for projection in self.catalogue.projections(self.tx, self.table):
            keys = [column for column, is_key in projection.columns if is_key]
            if keys[0] in query.filtered and needed <= {column for column, _ in projection.columns}:
                return projection
        return None

    def _estimate(self, query: Query) -> Iterator[bytes | memoryview]:
        answer = self.tx.arrow(f"SELECT count(*) FROM {self.table.physical} WHERE {query.condition}", query.values)
        count = answer.column(0)[0].as_py()
        groups = -(-count // ROW_GROUP)
        yield from wire.chunk(0, wire.FINISHED, wire.leaf_batch({}, (), groups))
        yield wire.end_of_response()

    def _chunks(self, query: Query, splits: Splits, order: str) -> Iterator[bytes | memoryview]:
        end = self.rows.next_row_id(self.tx, self.table)
        for sub_split in range(splits.sub_splits):
            start = splits.starts.get(sub_split, 0)
            where = splits.row_filter(sub_split, start, end) if start < wire.FINISHED else None
            columns, count, next_row_id = self._fetch(query, where, splits.limit, order)
            yield from wire.chunk(sub_split, next_row_id, wire.leaf_batch(columns, query.leaves, count))
        yield wire.end_of_response()

    def _fetch(self, query: Query, where: str | None, limit: int, order: str) -> tuple[dict[str, pa.Array], int, int]:
        """The columns of one chunk, the number of rows, and the row id to go on from."""
        names = list(dict.fromkeys(leaf.column for leaf in query.leaves))
        if where is None:
            return {name: pa.array([], self._declared_type(name)) for name in names}, 0, wire.FINISHED
        physical = [self.table.physical_column(name) for name in names if name != ROW_ID]
        sql = f'SELECT "{ROW_ID}", {", ".join(physical)}' if physical else f'SELECT "{ROW_ID}"'
        sql += f" FROM {self.table.physical} WHERE {where} AND {query.condition} ORDER BY {order}"
        rows = self.tx.arrow(sql + (f" LIMIT {limit}" if limit else ""), query.values)
        return self._conform_columns(names, rows), rows.num_rows, self._next(rows, limit)

    def _conform_columns(self, names: list[str], rows: pa.Table) -> dict[str, pa.Array]:
        columns = iter(rows.columns[1:])
        arrays = {}
        for name in names:
            column = rows.column(0) if name == ROW_ID else next(columns)
            arrays[name] = conform(one_array(column), self._declared_type(name))
        return arrays

    def _declared_type(self, name: str) -> pa.DataType:
        return self.table.row_id_type if name == ROW_ID else self.table.columns.field(self.table.position(name)).type

    def _next(self, rows: pa.Table, limit: int) -> int:
        if not limit or rows.num_rows < limit:
            return wire.FINISHED
        return int(pc.max(rows.column(0)).as_py()) + 1
