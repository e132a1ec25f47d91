"""Bytes on the wire: Arrow IPC messages, the query response stream, and the FlatBuffers answers of listings and statistics."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.types as pt

from .catalogue import ProjectionEntry, SchemaEntry, TableEntry
from .errors import bad_request
from .flat import FlatRecord, build
from .relation import Leaf

# A sub-split whose rows have all been sent.
FINISHED = (1 << 48) - 1
_END_OF_RESPONSE = struct.pack("<I", 0xFFFFFFFE)
_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_SORTED = {b"VAST:sort_type": b"Sorted"}
_UNSORTED = {b"VAST:sort_type": b"Unsorted"}


def read_batch(body: bytes) -> pa.RecordBatch:
    """The one record batch of an Arrow IPC stream; raises `VastError` (400) for anything else."""
    try:
        with pa.ipc.open_stream(body) as reader:
            batches = list(reader)
    except (pa.ArrowException, OSError) as error:
        raise bad_request(f"the body is not an Arrow IPC stream: {error}") from error
    if len(batches) != 1:
        raise bad_request(f"the body must hold exactly one record batch, not {len(batches)}")
    return batches[0]


def read_schema(body: bytes) -> pa.Schema:
    """An Arrow IPC schema message; raises `VastError` (400) for anything else."""
    try:
        return pa.ipc.read_schema(pa.py_buffer(body))
    except (pa.ArrowException, OSError) as error:
        raise bad_request(f"the body is not an Arrow schema: {error}") from error


def stream(schema: pa.Schema, batches: Iterable[pa.RecordBatch] = ()) -> bytes:
    """An Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


# Query responses


def chunk(sub_split: int, next_row_id: int, batch: pa.RecordBatch) -> Iterator[bytes | memoryview]:
    """One sub-split's chunk: schema, record batch and end of stream, each behind its 12-byte head."""
    head = struct.pack("<IQ", sub_split, next_row_id)
    yield head + batch.schema.serialize().to_pybytes() + head
    yield memoryview(batch.serialize())
    yield head + _END_OF_STREAM


def end_of_response() -> bytes:
    """The end of a query response."""
    return _END_OF_RESPONSE


def leaf_batch(columns: dict[str, pa.Array], leaves: Iterable[Leaf], rows: int) -> pa.RecordBatch:
    """A batch with one column per leaf, each wrapped in its levels; a batch without leaves keeps the number of rows."""
    arrays = [leaf_array(columns[leaf.column], leaf.path) for leaf in leaves]
    if not arrays:
        return pa.record_batch([pa.nulls(rows)], names=["none"]).select([])
    return pa.record_batch(arrays, names=[leaf.column for leaf in leaves])


def leaf_array(array: pa.Array, path: tuple[str, ...]) -> pa.Array:
    """`array` with only the leaf at `path`: `Struct<a, b>` becomes `Struct<a>`, a map `List<Struct<key>>`."""
    if not path:
        return array
    kind, buffers = array.type, array.buffers()
    if pt.is_struct(kind):
        child = leaf_array(array.field(path[0]), path[1:])
        wrapped = pa.struct([pa.field(path[0], child.type)])
        return pa.Array.from_buffers(wrapped, len(array), buffers[:1], children=[child])
    if pt.is_map(kind):
        inner = leaf_array(array.keys if path[0] == "key" else array.items, path[1:])
        entries = pa.StructArray.from_arrays([inner], names=[path[0]])
        return pa.Array.from_buffers(pa.list_(entries.type), len(array), buffers[:2], children=[entries])
    child = leaf_array(array.values, path[1:])
    item = kind.value_field.with_type(child.type)
    if pt.is_fixed_size_list(kind):
        return pa.Array.from_buffers(pa.list_(item, kind.list_size), len(array), buffers[:1], children=[child])
    return pa.Array.from_buffers(pa.list_(item), len(array), buffers[:2], children=[child])


# Listings and statistics; the comments name the slots.


def _details(name: str, properties: str, number: int, stats: tuple[int, int] = (0, 0), is_sorted: bool = False) -> FlatRecord:
    # name, properties, handle, num_rows, size_in_bytes, num_partitions, sorting_key_enabled, sorting_score
    rows, size = stats
    return FlatRecord([name, properties, str(number), rows, size, 0, is_sorted, _score(is_sorted), 0, 0, False])


def _score(is_sorted: bool) -> int:
    # Bit 63 says that sorting is done; as a signed integer that is the lowest one.
    return -(1 << 63) + 100 if is_sorted else 0


def schemas_response(bucket: str, schemas: list[tuple[str, SchemaEntry]]) -> bytes:
    """`ListSchemasResponse`: bucket_name, schemas."""
    return build(FlatRecord([bucket, [_details(name, schema.properties, schema.id) for name, schema in schemas]]))


def tables_response(schema: SchemaEntry, tables: list[tuple[TableEntry, tuple[int, int]]]) -> bytes:
    """`ListTablesResponse`: bucket_name, schema_name, tables; with (rows, bytes) of each table."""
    listed = [_details(table.name, table.properties, table.id, stats, bool(table.sort_key)) for table, stats in tables]
    return build(FlatRecord([schema.bucket, schema.path, listed]))


def projections_response(table: TableEntry, projections: list[ProjectionEntry], stats: tuple[int, int]) -> bytes:
    """`ListProjectionsResponse`: bucket_name, schema_name, table_name, projections."""
    listed = [_details(projection.name, projection.properties, projection.id, stats) for projection in projections]
    return build(FlatRecord([table.schema.bucket, table.schema.path, table.name, listed]))


def stats_response(table: TableEntry, stats: tuple[int, int], is_external: bool) -> bytes:
    """`GetTableStatsResponse`; without virtual IPs, so that clients stay on the endpoint that they were given."""
    index = table.vector_index
    # column_name, distance_metric, sql_function_name, cluster_quantization, search_quantization
    metadata = (
        FlatRecord([index.column, index.metric, index.sql_function, index.cluster_quantization, index.search_quantization])
        if index
        else None
    )
    is_sorted = bool(table.sort_key)
    # num_rows, size_in_bytes, is_external_rowid_alloc, address_type, vips, sorting_key_enabled, sorting_score,
    # write_amplification, acummulative_row_inserition_count, vector_index_metadata, partitioning_key_enabled, num_partitions
    return build(FlatRecord([*stats, is_external, "ip", [], is_sorted, _score(is_sorted), 0, stats[0], metadata, False, 0]))


def projection_stats_response(stats: tuple[int, int]) -> bytes:
    """`GetProjectionTableStatsResponse`: num_rows, size_in_bytes, dirty_blocks_percentage, initial_sync_progress."""
    return build(FlatRecord([*stats, 0, 100]))


def columns_response(columns: list[pa.Field], sort_key: list[str] | None) -> bytes:
    """An Arrow stream that is only a schema; with a `sort_key`, every field says whether and where it stands in it.

    From 5.5 on the SDK fails on a field without metadata; before, servers send none (`sort_key` None).
    """
    if sort_key is None:
        return stream(pa.schema(columns))
    rank = {name: at for at, name in enumerate(sort_key)}
    return stream(pa.schema([_mark_sorted(column, rank.get(column.name)) for column in columns]))


def _mark_sorted(column: pa.Field, rank: int | None) -> pa.Field:
    extra = _UNSORTED if rank is None else {**_SORTED, b"VAST:sort_index": str(rank).encode()}
    return column.with_metadata({**(column.metadata or {}), **extra})


def import_result(bucket: str, name: str, result: str, message: str) -> bytes:
    """One result of an import, padded to the 1,024 bytes in which the SDK reads."""
    text = json.dumps({"res": result, "err_msg": message, "bucket_name": bucket, "object_name": name})
    return text.encode().ljust(1024)
