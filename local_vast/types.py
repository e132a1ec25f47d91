"""Column types: which are accepted, how DuckDB stores them, and how arrays go in and come back without losing their type."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from .errors import VastError, unsupported_type

# DuckDB's own limit of a fixed-size list.
MAX_LIST_SIZE = 100_000

_PLAIN = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint8(): "UTINYINT",
    pa.uint16(): "USMALLINT",
    pa.uint32(): "UINTEGER",
    pa.uint64(): "UBIGINT",
    pa.float16(): "FLOAT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.date32(): "DATE",
    pa.time32("s"): "TIME",
    pa.time32("ms"): "TIME",
    pa.time64("us"): "TIME",
    pa.time64("ns"): "TIME_NS",
}
_TIMESTAMPS = {"s": "TIMESTAMP_S", "ms": "TIMESTAMP_MS", "us": "TIMESTAMP", "ns": "TIMESTAMP_NS"}


def check_field(field: pa.Field) -> None:
    """Refuse a column type that VAST does not store; raises `VastError` (400) with the code the vendor's tests expect."""
    _check_type(field.type, field.name)


def _check_type(kind: pa.DataType, name: str) -> None:
    if pt.is_fixed_size_list(kind):
        _check_fixed_list(kind, name)
    elif pt.is_struct(kind):
        for child in kind:
            _check_type(child.type, f"{name}.{child.name}")
    elif pt.is_map(kind):
        _check_type(kind.key_type, f"{name}.key")
        _check_type(kind.item_type, f"{name}.value")
    elif pt.is_list(kind):
        _check_type(kind.value_type, f"{name}.item")
    elif not (kind in _PLAIN or pt.is_timestamp(kind) or pt.is_decimal128(kind) or pt.is_fixed_size_binary(kind)):
        raise unsupported_type(f"column {name!r}: type {kind} is not supported")


def _check_fixed_list(kind: pa.FixedSizeListType, name: str) -> None:
    item = kind.value_field
    numeric = pt.is_integer(item.type) or pt.is_floating(item.type) or pt.is_decimal128(item.type)
    if not (numeric or pt.is_date32(item.type) or pt.is_timestamp(item.type) or pt.is_time(item.type)):
        raise unsupported_type(f"column {name!r}: a fixed-size list of {item.type} is not supported")
    if item.nullable:
        raise unsupported_type(f"column {name!r}: the items of a fixed-size list must not be nullable")
    if kind.list_size < 1:
        raise VastError(400, "TabularInvalidColumnTypeParam", f"column {name!r}: a fixed-size list needs at least one item")
    if kind.list_size > MAX_LIST_SIZE:
        raise unsupported_type(f"column {name!r}: a fixed-size list has at most {MAX_LIST_SIZE} items")


def sql_type(kind: pa.DataType) -> str:
    """The DuckDB type that stores an Arrow type."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if pt.is_timestamp(kind):
        return _TIMESTAMPS[kind.unit]
    if pt.is_decimal128(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if pt.is_fixed_size_binary(kind):
        return "BLOB"
    return _nested_sql_type(kind)


def _nested_sql_type(kind: pa.DataType) -> str:
    if pt.is_fixed_size_list(kind):
        return f"{sql_type(kind.value_type)}[{kind.list_size}]"
    if pt.is_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    if pt.is_map(kind):
        return f"MAP({sql_type(kind.key_type)}, {sql_type(kind.item_type)})"
    fields = ", ".join(f"{quote_identifier(child.name)} {sql_type(child.type)}" for child in kind)
    return f"STRUCT({fields})"


def quote_identifier(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def storage_type(kind: pa.DataType) -> pa.DataType:
    """The Arrow type in which DuckDB takes a column: no half floats, no time zones, no fixed-size binary."""
    if pt.is_float16(kind):
        return pa.float32()
    if pt.is_timestamp(kind):
        return pa.timestamp(kind.unit)
    if pt.is_fixed_size_binary(kind):
        return pa.binary()
    return _map_children(kind, storage_type)


def _map_children(kind: pa.DataType, change: Any) -> pa.DataType:
    def with_changed_type(field: pa.Field) -> pa.Field:
        return field.with_type(change(field.type))

    if pt.is_fixed_size_list(kind):
        return pa.list_(with_changed_type(kind.value_field), kind.list_size)
    if pt.is_list(kind):
        return pa.list_(with_changed_type(kind.value_field))
    if pt.is_map(kind):
        return pa.map_(with_changed_type(kind.key_field), with_changed_type(kind.item_field))
    if pt.is_struct(kind):
        return pa.struct([with_changed_type(child) for child in kind])
    return kind


def drop_zones(kind: pa.DataType) -> pa.DataType:
    """The type as versions before 5.4 keep it: time zones are dropped."""
    if pt.is_timestamp(kind):
        return pa.timestamp(kind.unit)
    return _map_children(kind, drop_zones)


def conform(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """`array` as exactly `kind`: names, nullability and leaf types of every level are those of `kind`; the values stay."""
    if array.type.equals(kind, check_metadata=True):
        return array
    children = _children(array, kind)
    if children is None:
        return _leaf(array, kind)
    # A whole-array copy brings the offset to 0, so that parent and child buffers agree.
    buffers = array.buffers()[: 2 if pt.is_list(array.type) or pt.is_map(array.type) else 1]
    return pa.Array.from_buffers(kind, len(array), buffers, offset=array.offset, children=children)


def _leaf(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if pt.is_fixed_size_binary(kind):
        # Below a NULL parent the values are empty, whatever the width.
        array = pc.if_else(pc.equal(pc.binary_length(array), kind.byte_width), array, pa.scalar(None, array.type))
    return array.cast(kind)


def _children(array: pa.Array, kind: pa.DataType) -> list[pa.Array] | None:
    if pt.is_struct(kind):
        if array.offset:
            raise ValueError("a sliced struct array cannot be conformed")
        return [conform(array.field(at), child.type) for at, child in enumerate(kind)]
    if pt.is_map(kind):
        entries = pa.struct([kind.key_field, kind.item_field])
        keys, items = conform(array.keys, kind.key_type), conform(array.items, kind.item_type)
        return [pa.Array.from_buffers(entries, len(keys), [None], children=[keys, items])]
    if pt.is_list(kind) or pt.is_fixed_size_list(kind):
        return [conform(array.values, kind.value_type)]
    return None


def one_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The column as one array that starts at offset 0."""
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    return pa.concat_arrays([column]) if column.offset else column
