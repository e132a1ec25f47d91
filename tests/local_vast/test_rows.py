"""Rows: what goes in comes back, and what VAST refuses is refused."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import pyarrow as pa
import pytest
import requests
from aws_requests_auth.aws_auth import AWSRequestsAuth
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vastdb import errors
from vastdb._internal import VectorIndexSpec
from vastdb.session import Session
from vastdb.util import serialize_record_batch

from local_vast import LocalVast
from tabular_support import BUCKET, COLUMNS, ROW_ID, batch, connect, fill, make_table, raw, read_committed, rows, table, vector

MOMENT = dt.datetime(2031, 5, 6, 7, 8, 9, 123456)
VALUES: dict[pa.DataType, list[Any]] = {
    pa.bool_(): [True, False],
    pa.int8(): [-128, 127],
    pa.int64(): [-(2**63), 2**63 - 1],
    pa.uint64(): [0, 2**64 - 1],
    pa.float16(): [1.5, -65504.0],
    pa.float32(): [0.1, float("inf")],
    pa.float64(): [-0.0, 5e-324],
    pa.string(): ["", "äöü 名 \0 '\""],
    pa.binary(): [b"", b"\x00\xff"],
    pa.decimal128(38, 10): [decimal.Decimal("1234567890123456789012345678.0123456789"), decimal.Decimal("-0.0000000001")],
    pa.date32(): [dt.date(1, 1, 1), dt.date(9999, 12, 31)],
    pa.time32("s"): [dt.time(0, 0, 0), dt.time(23, 59, 59)],
    pa.time32("ms"): [dt.time(1, 2, 3, 4000), dt.time(23, 59, 59, 999000)],
    pa.time64("us"): [dt.time(1, 2, 3, 4), dt.time(23, 59, 59, 999999)],
    pa.time64("ns"): [1, 86_399_999_999_999],
    pa.timestamp("s"): [dt.datetime(1970, 1, 1), dt.datetime(2500, 1, 1)],
    pa.timestamp("ms"): [MOMENT.replace(microsecond=123000), dt.datetime(1900, 1, 1)],
    pa.timestamp("us"): [MOMENT, dt.datetime(1, 1, 1)],
    pa.timestamp("ns"): [MOMENT, dt.datetime(2200, 1, 1)],
    pa.timestamp("us", tz="UTC"): [MOMENT.replace(tzinfo=dt.UTC), dt.datetime(2000, 1, 1, tzinfo=dt.UTC)],
    vector(3): [[1.0, 2.0, 3.5], [0.0, -0.0, 1e-40]],
    pa.list_(pa.string()): [["a", None], []],
    pa.list_(pa.field("element", pa.float16())): [[1.0], [None]],
    pa.map_(pa.string(), pa.list_(pa.int32())): [[("a", [1, None])], []],
    pa.struct([("a", pa.struct([("b", pa.timestamp("s", tz="UTC"))])), ("c", pa.binary())]): [
        {"a": {"b": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}, "c": b"x"},
        {"a": None, "c": None},
    ],
}


@pytest.mark.parametrize("kind", VALUES, ids=str)
def test_every_type_comes_back_as_it_was(session: Session, kind: pa.DataType) -> None:
    """Values and the declared type, to the last bit and down to field names, with NULLs between them."""
    columns = pa.schema([("v", kind)])
    sent = pa.table([pa.array([VALUES[kind][0], None, VALUES[kind][1]], kind)], schema=columns)
    with session.transaction() as tx:
        made = make_table(tx, columns)
        assert made.insert(sent).to_pylist() == [0, 1, 2]
        assert made.arrow_schema == columns
        assert made.select().read_all().equals(sent)


NESTED = pa.struct([("l", pa.list_(pa.struct([("x", pa.int16()), ("m", pa.map_(pa.string(), pa.bool_()))]))), ("s", pa.string())])
MAPS = st.dictionaries(st.text(max_size=3), st.none() | st.booleans(), max_size=2).map(lambda entries: [*entries.items()])
NESTED_VALUES = st.none() | st.fixed_dictionaries(
    {
        "l": st.none()
        | st.lists(
            st.none()
            | st.fixed_dictionaries(
                {
                    "x": st.none() | st.integers(-(2**15), 2**15 - 1),
                    "m": st.none() | MAPS,
                }
            ),
            max_size=3,
        ),
        "s": st.none() | st.text(st.characters(codec="utf-8"), max_size=4),
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(NESTED_VALUES, min_size=1, max_size=8))
def test_any_nested_value_comes_back(session: Session, values: list[Any]) -> None:
    """Lists of structs with maps survive, whatever is NULL or empty at which level."""
    sent = pa.table([pa.array(values, NESTED)], names=["n"])
    with pytest.raises(ZeroDivisionError), session.transaction() as tx:
        made = make_table(tx, sent.schema)
        made.insert(sent)
        assert made.select().read_all().to_pylist() == sent.to_pylist()
        raise ZeroDivisionError


def test_columns_that_an_insert_omits_are_null(session: Session) -> None:
    """Any subset of the columns in any order can be inserted."""
    fill(session)
    with session.transaction() as tx:
        table(tx).insert(pa.record_batch([pa.array(["only"])], names=["name"]))
    assert read_committed(session) == [(None, "only")]


def refusal_of(session: Session, data: pa.RecordBatch, method: str) -> str:
    """The error with which a batch is refused, sent as it is."""
    fill(session)
    with session.transaction() as tx, pytest.raises(errors.BadRequest) as caught:
        getattr(tx._rpc.api, method)(BUCKET, "s", "t", serialize_record_batch(data), tx.active_txid)
    return f"{caught.value.code}: {caught.value.message}"


def test_mismatches_are_refused_with_their_code(session: Session) -> None:
    """Another type, another nullability, another list size and an unknown name are told apart."""
    columns = pa.schema([("id", pa.int64()), ("v", vector(2))])
    fill(session, columns=columns)
    wrong = {
        "TabularMismatchColumnType: column 'id'": pa.field("id", pa.int32()),
        "TabularMismatchColumnType: column 'v'": pa.field("v", vector(3)),
        "TabularMismatchColumnType: column 'v' of": pa.field("v", pa.list_(pa.field("item", pa.float64(), nullable=False), 2)),
        "TabularMismatchColumnType: column 'id' of": pa.field("id", pa.int64(), nullable=False),
        "TabularMismatchColumnName: table 't' has no column 'x'": pa.field("x", pa.int64()),
    }
    with session.transaction() as tx:
        for expected, field in wrong.items():
            data = pa.record_batch([pa.array([], field.type)], schema=pa.schema([field]))
            with pytest.raises(errors.BadRequest) as caught:
                tx._rpc.api.insert_rows(BUCKET, "s", "t", serialize_record_batch(data), tx.active_txid)
            assert f"{caught.value.code}: {caught.value.message}".startswith(expected)


def test_a_body_that_is_no_record_batch_is_refused(server: LocalVast, session: Session) -> None:
    """Garbage, an empty stream and two batches answer 400."""
    fill(session)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, COLUMNS) as writer:
        writer.write_batch(batch((1, "a")))
        writer.write_batch(batch((1, "a")))
    with raw(server) as call:
        for body in (b"garbage", b"", sink.getvalue().to_pybytes()):
            answer = call("POST", "/exr/s/t?rows", {"tabular-txid": "0"}, body)
            assert (answer.status_code, "InvalidArgument" in answer.text) == (400, True)


def test_a_body_of_more_than_five_megabytes_is_refused(server: LocalVast, session: Session) -> None:
    """The SDK never sends one; a body in chunks of unknown length is taken."""
    fill(session)
    with raw(server) as call:
        answer = call("POST", "/exr/s/t?rows", {"tabular-txid": "0"}, bytes(5 * 1024 * 1024 + 1))
        assert (answer.status_code, "EntityTooLarge" in answer.text) == (400, True)
    data = serialize_record_batch(batch((1, "a"))).to_pybytes()
    auth = AWSRequestsAuth("local", "local-secret", server.url.removeprefix("http://"), "", "s3")
    with requests.Session() as http:
        headers = {"tabular-txid": "0"}
        prepared = requests.Request("POST", f"{server.url}/exr/s/t?rows", data=data, headers=headers, auth=auth).prepare()
        prepared.body = iter([data[:100], data[100:]])
        del prepared.headers["Content-Length"]
        prepared.headers["Transfer-Encoding"] = "chunked"
        assert http.send(prepared, timeout=10).status_code == 200
    assert read_committed(session) == [(1, "a")]


def test_the_cell_limit_is_that_of_the_version(server: LocalVast, session: Session) -> None:
    """126 KB before 5.5, 5 MB from 5.5, or what was set; a cell of the limit itself is stored."""
    for options, limit in (({"version": "5.4.0.0"}, 126 * 1024), ({"cell_limit": 1000}, 1000)):
        with LocalVast(**options) as strict:
            other = connect(strict)
            fill(other, (1, "x" * limit))
            with pytest.raises(errors.BadRequest, match="TabularCellTooLarge"), other.transaction() as tx:
                table(tx).insert(batch((2, "x" * (limit + 1))))
    fill(session, (1, "x" * 127 * 1024))
    assert server.store.rows.cell_limit == 5 * 1024 * 1024


def test_updates_and_deletes_want_ascending_row_ids(session: Session) -> None:
    """Duplicates, disorder and a missing first `$row_id` column are refused."""
    twice = pa.record_batch([pa.array([1, 1], pa.uint64())], names=[ROW_ID])
    assert "Found duplicate row ids or not in ascending order" in refusal_of(session, twice, "delete_rows")
    missing = batch((1, "a"))
    with session.transaction() as tx, pytest.raises(errors.BadRequest, match="the first column must be"):
        tx._rpc.api.update_rows(BUCKET, "s", "t", serialize_record_batch(missing), tx.active_txid)


def test_sort_keys_and_the_vector_column_cannot_be_updated(session: Session) -> None:
    """Their tables have decimal row ids, with which the other columns can be."""
    columns = pa.schema([("id", pa.int64()), ("name", pa.string()), ("v", vector(2))])
    with session.transaction() as tx:
        made = make_table(tx, columns, vector_index=VectorIndexSpec("v", "l2sq"))
        made.insert(batch((1, "a", [1, 2]), columns=columns))
        stored = made.select(internal_row_id=True).read_all()
        assert stored.schema.field(ROW_ID).type == pa.decimal128(38, 0)
        made.update(pa.table([stored[ROW_ID], pa.array(["b"])], names=[ROW_ID, "name"]))
        assert rows(made, columns=["name"]) == [("b",)]
        with pytest.raises(errors.BadRequest, match="vector column and cannot be updated"):
            made.update(stored, columns=["v"])


def test_row_ids_ascend_and_are_not_used_again(session: Session) -> None:
    """Not after a delete, and not after the insert that had them was rolled back."""
    fill(session, (1, "a"), (2, "b"))
    with pytest.raises(ZeroDivisionError), session.transaction() as tx:
        assert table(tx).insert(batch((3, "c"))).to_pylist() == [2]
        raise ZeroDivisionError
    with session.transaction() as tx:
        table(tx).delete(pa.record_batch([pa.array([1], pa.uint64())], names=[ROW_ID]))
        assert table(tx).insert(batch((3, "c"))).to_pylist() == [3]
    assert read_committed(session, internal_row_id=True) == [(1, "a", 0), (3, "c", 3)]


def test_external_row_ids_are_the_callers(session: Session) -> None:
    """A `vastdb_rowid` column gives the ids; they must ascend, and the statistics say that they are external."""
    columns = pa.schema([("vastdb_rowid", pa.int64()), ("n", pa.int64())])
    with session.transaction() as tx:
        made = make_table(tx, columns)
        assert made.insert(batch((10, 1), (12, 2), columns=columns)).to_pylist() == [10, 12]
        assert made.get_stats().is_external_rowid_alloc
        with pytest.raises(errors.BadRequest, match="Found duplicate row ids"):
            made.insert(batch((5, 1), (5, 2), columns=columns))
    assert read_committed(session, internal_row_id=True) == [(10, 1, 10), (12, 2, 12)]


def test_the_same_row_can_be_inserted_twice(session: Session) -> None:
    """Nothing is unique."""
    fill(session, (1, "a"), (1, "a"))
    assert read_committed(session) == [(1, "a"), (1, "a")]


def test_updates_of_rows_that_are_not_there_change_nothing(session: Session) -> None:
    """An unknown row id is passed over; the known ones are set."""
    fill(session, (1, "a"))
    with session.transaction() as tx:
        data = [pa.array([0, 99], pa.uint64()), pa.array(["x", "y"])]
        table(tx).update(pa.table(data, names=[ROW_ID, "name"]))
    assert read_committed(session) == [(1, "x")]
