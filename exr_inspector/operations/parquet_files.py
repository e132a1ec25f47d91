"""Rows as Parquet files, streamed. Vectors are stored as lists: Parquet's writer refuses fixed-size lists that are null."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from exr_inspector.errors import Reject
from vast_schemas import wire_schema

_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.ENOENT, errno.EIO, errno.EFBIG}
BATCH_ROWS = 1000
GROUP_BYTES = 4 << 20
"""The most rows, and about the most bytes, of a row group, which is what a reader holds in memory."""


class Unwritable(Reject):
    """A file cannot be written; `path` says which."""

    code = "unwritable"


def writable(schema: pa.Schema) -> pa.Schema:
    """The schema with lists in the place of vectors."""
    return pa.schema([pa.field(field.name, _as_list(field.type)) for field in wire_schema(schema)])


def _as_list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("item", kind.value_type, nullable=False)) if pa.types.is_fixed_size_list(kind) else kind


def write(path: Path, rows: pa.RecordBatchReader) -> int:
    """Stream rows into a file, which gets its name when it is complete. Returns their number."""
    partial = path.with_name(path.name + ".partial")
    count = 0
    schema = writable(rows.schema)
    with _write_whole(path), pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for batch in rows:
            for piece in _pieces(batch):
                writer.write_batch(as_written(piece, schema))
            count += batch.num_rows
    partial.rename(path)
    return count


@contextmanager
def _write_whole(path: Path) -> Iterator[None]:
    """A full disk does not pass by itself, unlike other errors of the system, which count as conditions of the database."""
    try:
        yield
    except OSError as error:
        if error.errno in _OF_THE_DISK:
            raise Unwritable(f"{path}: {error.strerror}", remedy="Free space, or name another folder", path=str(path)) from error
        raise


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    rows = min(BATCH_ROWS, max(1, batch.num_rows * GROUP_BYTES // max(1, batch.nbytes)))
    return (batch.slice(start, rows) for start in range(0, batch.num_rows, rows))


def as_written(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with the columns of `writable`."""
    columns = [_list_of(batch.column(field.name), field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _list_of(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column if column.type == kind else pa.array(column.to_pylist(), type=kind) if column.null_count else column.cast(kind)


def read(source: Any, schema: pa.Schema, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """The rows of a file (a path, or an open binary file) with these types, a batch at a time."""
    with pq.ParquetFile(source) as file:
        for group in range(file.num_row_groups):
            for batch in file.iter_batches(batch_size=rows, row_groups=[group]):
                columns = [_to_fixed_size(batch.column(field.name), field.type) for field in schema]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _to_fixed_size(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Vectors from lists; element by element, because a cast drops the list's type of elements where a list is null."""
    if column.type == kind or not pa.types.is_fixed_size_list(kind):
        return column.cast(kind)
    return pa.array(column.to_pylist(), type=kind) if column.null_count else column.cast(kind)
