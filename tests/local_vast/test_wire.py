"""Bytes on the wire, read with the vendor's own classes, and arrays on their way through the store."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vastdb import _internal
from vastdb.vast_flatbuf.tabular.GetTableStatsResponse import GetTableStatsResponse
from vastdb.vast_flatbuf.tabular.ListTablesResponse import ListTablesResponse

from local_vast import flat, wire
from local_vast.catalogue import SchemaEntry, TableEntry, VectorIndexEntry
from local_vast.errors import VastError
from local_vast.relation import Leaf, decode_query
from local_vast.types import check_field, conform, quote_identifier, sql_type, storage_type

VECTOR = pa.list_(pa.field("item", pa.float32(), nullable=False), 2)
NESTED = pa.schema(
    [
        ("a", pa.int64()),
        ("s", pa.struct([("x", pa.int16()), ("l", pa.list_(pa.string())), ("m", pa.map_(pa.string(), pa.float64()))])),
        ("v", VECTOR),
        ("lv", pa.list_(VECTOR)),
    ]
)
ROWS = [
    {"a": 1, "s": {"x": 1, "l": ["p", None], "m": [("k", 0.5), ("j", None)]}, "v": [1.0, 2.0], "lv": [[1.0, 2.0], None]},
    {"a": None, "s": None, "v": None, "lv": None},
    {"a": 3, "s": {"x": None, "l": [], "m": []}, "v": [0.0, 4.0], "lv": []},
]


def table(columns: pa.Schema, **options: Any) -> TableEntry:
    """A table that is in no store."""
    return TableEntry(7, SchemaEntry(1, "b", "s", ""), "t", "", "props", columns, tuple(range(len(columns))), **options)


def test_tables_are_listed_as_the_sdk_reads_them() -> None:
    """Names, properties, handles that are decimal text, counts, and whether sorting is done."""
    columns = pa.schema([("a", pa.int64())])
    tables = [(table(columns, sort_key=(0,)), (12, 96)), (table(columns), (0, 0))]
    listing = ListTablesResponse.GetRootAs(wire.tables_response(SchemaEntry(1, "b", "s", ""), tables))
    assert (listing.BucketName(), listing.SchemaName(), listing.TablesLength()) == (b"b", b"s", 2)
    first, second = (_internal._parse_table_info(listing.Tables(at)) for at in range(2))
    assert (first.name, first.properties, int(first.handle), first.num_rows, first.size_in_bytes) == ("t", "props", 7, 12, 96)
    assert [(one.sorting_key_enabled, one.sorting_done) for one in (first, second)] == [(True, True), (False, False)]


def test_statistics_carry_the_vector_index_whole_or_not_at_all() -> None:
    """All five texts are set; without an index the table has none, and no virtual IPs are named."""
    columns = pa.schema([("v", VECTOR)])
    index = VectorIndexEntry("v", "ip", "none", "scalar_8bit")
    stats = GetTableStatsResponse.GetRootAs(wire.stats_response(table(columns, vector_index=index), (3, 24), True))
    result = stats.VectorIndexMetadata()
    assert (result.ColumnName(), result.DistanceMetric(), result.SqlFunctionName()) == (
        b"v",
        b"ip",
        b"array_negative_inner_product",
    )
    assert (result.ClusterQuantization(), result.SearchQuantization()) == (b"none", b"scalar_8bit")
    assert (stats.NumRows(), stats.IsExternalRowidAlloc(), stats.VipsLength()) == (3, True, 0)
    assert GetTableStatsResponse.GetRootAs(wire.stats_response(table(columns), (0, 0), False)).VectorIndexMetadata() is None


RECORDS = st.recursive(
    st.lists(st.none() | st.text(max_size=5) | st.booleans() | st.integers(-(2**63), 2**63 - 1), max_size=4).map(flat.FlatRecord),
    lambda inner: st.lists(inner | st.lists(inner, max_size=3), max_size=3).map(flat.FlatRecord),
    max_leaves=6,
)


@given(record=RECORDS)
def test_what_is_built_can_be_read(record: flat.FlatRecord) -> None:
    """Every field of every table, absent ones included."""
    check(flat.FlatTable.root(flat.build(record)), record)


def check(decoded: flat.FlatTable, record: flat.FlatRecord) -> None:
    for slot, value in enumerate(record.fields):
        if isinstance(value, str):
            assert decoded.text(slot) == value
        elif isinstance(value, bool):
            assert decoded.scalar(slot, "<?", False) == value
        elif isinstance(value, int):
            assert decoded.scalar(slot, "<q") == value
        elif value is None:
            assert decoded.position(slot) == 0
        else:
            inner = [decoded.table(slot)] if isinstance(value, flat.FlatRecord) else list(decoded.tables(slot))
            for one, expected in zip(inner, [value] if isinstance(value, flat.FlatRecord) else value, strict=True):
                assert one is not None
                check(one, expected)


def answer(columns: pa.Schema, names: list[str], data: pa.Table) -> list[pa.Table]:
    """What the SDK's parser makes of an answer in two sub-splits, the second without rows."""
    request = _internal.build_query_data_request(columns, None, names)
    leaves = decode_query(request.serialized, table(columns)).leaves
    parts = []
    for sub_split, part in enumerate((data, data.slice(0, 0))):
        arrays = {name: part.column(name).combine_chunks() for name in names}
        arrays = {name: array if isinstance(array, pa.Array) else array.chunk(0) for name, array in arrays.items()}
        parts += wire.chunk(sub_split, wire.FINISHED, wire.leaf_batch(arrays, leaves, part.num_rows))
    body = io.BytesIO(b"".join(bytes(part) for part in [*parts, wire.end_of_response()]))
    batches = list(_internal.parse_query_data_response(body, request.response_schema, parser=request.response_parser))
    assert [(sub_split, next_row_id) for sub_split, next_row_id, _ in batches] == [(0, wire.FINISHED), (1, wire.FINISHED)]
    return [part for *_, part in batches]


@pytest.mark.parametrize("names", [["a"], ["s"], ["v", "lv"], ["lv", "s", "a", "v"], []], ids=str)
def test_the_sdk_rebuilds_nested_columns_from_leaves(names: list[str]) -> None:
    """Structs, lists, maps and vectors are sent leaf by leaf; no column at all still has rows."""
    data = pa.Table.from_pylist(ROWS, schema=NESTED)
    full, empty = answer(NESTED, names, data)
    assert (full.num_rows, empty.num_rows) == (3, 0)
    assert full.select(names).equals(data.select(names))


def test_a_query_names_leaves_depth_first() -> None:
    """Struct fields, list items, map keys and values, the child of a vector for the vector."""
    request = _internal.build_query_data_request(NESTED, None, ["s", "v"])
    assert decode_query(request.serialized, table(NESTED)).leaves == (
        Leaf("s", ("x",)), Leaf("s", ("l", "item")), Leaf("s", ("m", "key")), Leaf("s", ("m", "value")), Leaf("v", ("item",)),
    )  # fmt: skip


def test_a_query_for_an_unknown_column_is_refused() -> None:
    """400 with the name."""
    request = _internal.build_query_data_request(NESTED, None, ["a"])
    with pytest.raises(VastError, match="no column 'a'"):
        decode_query(request.serialized, table(pa.schema([("b", pa.int64())])))


FLAT = [pa.int8(), pa.float16(), pa.string(), pa.timestamp("s", tz="UTC"), pa.time32("s"), pa.binary(2), pa.decimal128(9, 2)]
TYPES = st.recursive(
    st.sampled_from(FLAT),
    lambda inner: (
        inner.map(pa.list_)
        | st.tuples(inner, inner).map(lambda pair: pa.struct([("p", pair[0]), ('q"', pair[1])]))
        | inner.map(lambda kind: pa.map_(pa.string(), kind))
    ),
    max_leaves=4,
)


@given(kind=TYPES)
def test_storage_types_keep_the_shape(kind: pa.DataType) -> None:
    """What DuckDB is given has the same levels, and an empty or NULL column comes back as the declared type."""
    check_field(pa.field("x", kind))
    assert sql_type(kind) == sql_type(storage_type(kind))
    nothing = pa.array([None, None], storage_type(kind))
    assert conform(nothing, kind).type == kind
    assert conform(nothing, kind).null_count == 2


def test_conforming_restores_names_nullability_and_zones() -> None:
    """Values stay, at every level."""
    stored = pa.array([[{"p": dt.datetime(2020, 1, 1)}], None], pa.list_(pa.field("", pa.struct([("p", pa.timestamp("us"))]))))
    declared = pa.list_(pa.field("element", pa.struct([pa.field("p", pa.timestamp("us", tz="UTC"), nullable=False)])))
    conformed = conform(stored, declared)
    assert conformed.type.equals(declared, check_metadata=True)
    assert conformed.to_pylist() == [[{"p": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}], None]


@given(name=st.text(max_size=6))
def test_names_are_quoted(name: str) -> None:
    """Whatever they hold, they are one identifier."""
    assert quote_identifier(name).startswith('"')
    assert quote_identifier(name)[1:-1].replace('""', '"') == name
