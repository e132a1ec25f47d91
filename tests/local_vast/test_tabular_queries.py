"""Queries: predicates, splits, pages, projections."""

from __future__ import annotations

import datetime as dt
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vastdb import errors
from vastdb.session import Session
from vastdb.table import QueryConfig

from local_vast import LocalVast
from local_vast.query import ROW_GROUP, Splits
from tabular_support import BUCKET, batch, fill, make_table, raw, rows, table, vector

COLUMNS = pa.schema(
    [
        ("n", pa.int32()),
        ("u", pa.uint64()),
        ("f", pa.float32()),
        ("h", pa.float16()),
        ("s", pa.string()),
        ("b", pa.binary()),
        ("d", pa.date32()),
        ("t", pa.time32("ms")),
        ("at", pa.timestamp("us")),
        ("ok", pa.bool_()),
    ]
)
ROWS = [
    (1, 2**63 - 1, 0.1, 0.5, "it's", b"\x00\x01", dt.date(2024, 2, 29), dt.time(1, 2, 3, 4000), dt.datetime(2024, 1, 1), True),
    (-5, 7, -2.5, 2.0, "itself", b"", dt.date(1969, 12, 31), dt.time(0), dt.datetime(1960, 1, 1, 0, 0, 0, 1), False),
    (None,) * 10,
    (3, 8, 1e30, 65504.0, "nul\0名", b"'", dt.date(2030, 1, 1), dt.time(23, 59, 59), dt.datetime(2031, 5, 6), True),
]
VALUES = dict(zip(COLUMNS.names, ROWS[0], strict=True))


@pytest.fixture
def stored(session: Session) -> Session:
    fill(session, *ROWS, columns=COLUMNS)
    return session


@pytest.mark.parametrize("name", [name for name in COLUMNS.names if name != "ok"])
def test_comparisons_are_those_of_sql(stored: Session, name: str) -> None:
    """Six operators on each type against a stored value; NULL matches none of them, `!=` included."""
    expected_from = pa.Table.from_batches([batch(*ROWS, columns=COLUMNS)])
    value = VALUES[name]
    # pyarrow does not compare half floats.
    kind = pa.float32() if name == "h" else COLUMNS.field(name).type
    with stored.transaction() as tx:
        result = table(tx)
        for operator in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
            compare = {"__eq__": "equal", "__ne__": "not_equal", "__lt__": "less", "__le__": "less_equal", "__gt__": "greater"}
            function = getattr(pc, compare.get(operator, "greater_equal"))
            expected = expected_from.filter(function(expected_from[name].cast(kind), pa.scalar(value, kind)))
            predicate = getattr(result[name], operator)(value)
            assert result.select(predicate=predicate).read_all().equals(expected), operator


PREDICATES: dict[str, tuple[Any, list[int | None]]] = {
    "true": (ibis._.ok == True, [1, 3]),  # noqa: E712 - an expression, not a comparison
    "null": (ibis._.n.isnull(), [None]),
    "not null": (~ibis._.n.isnull(), [1, -5, 3]),
    "between": (ibis._.n.between(-5, 1), [1, -5]),
    "in": (ibis._.n.isin([3, 4, 1]), [1, 3]),
    "one in": (ibis._.n.isin([3]), [3]),
    "or with null": ((ibis._.n == 3) | ibis._.n.isnull(), [None, 3]),
    "or of ranges": ((ibis._.n < 0) | (ibis._.n > 2), [-5, 3]),
    "and": ((ibis._.n > 0) & (ibis._.s == "it's"), [1]),
    "contains": (ibis._.s.contains("'"), [1]),
    "prefix": (ibis._.s.startswith("it"), [1, -5]),
    "prefix of wide characters": (ibis._.s.startswith("nul\0名"), [3]),
    "empty prefix": (ibis._.s.startswith(""), [1, -5, 3]),
    "in text": (ibis._.s.isin(["it's", "nul\0名"]), [1, 3]),
}


@pytest.mark.parametrize("name", PREDICATES)
def test_the_forms_of_predicates(stored: Session, name: str) -> None:
    """Everything the SDK can ask for selects the rows that it names."""
    predicate, expected = PREDICATES[name]
    with stored.transaction() as tx:
        assert [row[0] for row in rows(table(tx), columns=["n"], predicate=predicate)] == expected


def test_columns_come_in_the_order_asked_for(stored: Session) -> None:
    """Any subset, the row id last, and no column at all: then the number of rows is right."""
    with stored.transaction() as tx:
        result = table(tx)
        assert rows(result, columns=["s", "n"], internal_row_id=True)[0] == ("it's", 1, 0)
        assert result.select(columns=[]).read_all().num_rows == 4
        assert result.select(columns=[], predicate=result["n"] > 0).read_all().num_rows == 2


def test_subfields_of_structs_can_be_asked_for(session: Session) -> None:
    """A NULL struct has NULL subfields, and a list of values does not match them."""
    columns = pa.schema([("s", pa.struct([("x", pa.int16()), ("q", pa.struct([("y", pa.string())]))])), ("n", pa.int64())])
    data = [({"x": 1, "q": {"y": "a"}}, 0), (None, 1), ({"x": 2, "q": None}, 2), ({"x": None, "q": {"y": None}}, 3)]
    fill(session, *data, columns=columns)
    with session.transaction() as tx:
        result = table(tx)

        def numbers(predicate: Any) -> list[int]:
            return [row[1] for row in rows(result, predicate=predicate)]

        assert numbers((result["s"]["x"] == 1) | (result["s"]["x"] == 2)) == [0, 2]
        assert numbers(result["s"]["x"].isnull()) == [1, 3]
        assert numbers(result["s"]["q"]["y"] == "a") == [0]
        assert numbers(result["s"]["q"]["y"].isnull() & (result["n"] > 1)) == [2, 3]


def test_vectors_are_compared_element_by_element(session: Session) -> None:
    """Equality and lexicographic order of fixed-size lists."""
    columns = pa.schema([("n", pa.int64()), ("v", vector(2))])
    fill(session, (0, [1, 2]), (1, [1, 3]), (2, None), (3, [2, 0]), columns=columns)
    with session.transaction() as tx:
        result = table(tx)
        assert rows(result, columns=["n"], predicate=result["v"] == [1, 2]) == [(0,)]
        assert rows(result, columns=["n"], predicate=result["v"] > [1, 2]) == [(1,), (3,)]
        assert rows(result, columns=["n"], predicate=result["v"] != [1, 2]) == [(1,), (3,)]


def test_thousands_of_values_can_be_asked_for(session: Session) -> None:
    """A long list of values is one request."""
    columns = pa.schema([("n", pa.int64())])
    with session.transaction() as tx:
        made = make_table(tx, columns)
        made.insert(pa.table([pa.array(range(5_000))], schema=columns))
        assert made.select(predicate=made["n"].isin(list(range(2_000, 6_000)))).read_all().num_rows == 3_000


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    splits=st.integers(1, 5),
    sub_splits=st.integers(1, 3),
    groups=st.integers(1, 2),
    limit=st.sampled_from([30_000, 65_536, 200_000]),
)
def test_splits_and_pages_read_every_row_once(big: Session, splits: int, sub_splits: int, groups: int, limit: int) -> None:
    """However the scan is divided, each row comes exactly once."""
    config = QueryConfig(
        num_splits=splits, num_sub_splits=sub_splits, num_row_groups_per_sub_split=groups, limit_rows_per_sub_split=limit
    )
    with big.transaction() as tx:
        read = table(tx).select(columns=["n"], config=config).read_all()
        assert sorted(read["n"].to_pylist()) == list(range(3 * ROW_GROUP))


@pytest.fixture
def big(session: Session) -> Session:
    columns = pa.schema([("n", pa.int64())])
    with session.transaction() as tx:
        make_table(tx, columns).insert(pa.table([pa.array(range(3 * ROW_GROUP))], schema=columns))
    return session


@given(
    splits=st.integers(1, 40),
    sub_splits=st.integers(1, 8),
    groups=st.integers(1, 8),
    row=st.integers(0, 2**40),
    end=st.integers(1, 2**40),
)
def test_each_row_belongs_to_exactly_one_sub_split(splits: int, sub_splits: int, groups: int, row: int, end: int) -> None:
    """The conditions of all sub-splits partition the row ids."""
    owners = 0
    for split in range(splits):
        division = Splits(split, splits, groups, sub_splits, {}, 0)
        conditions = [division.row_filter(sub_split, 0, max(row + 1, end)) for sub_split in range(sub_splits)]
        owners += sum(condition is not None and _holds(condition, row) for condition in conditions)
    assert owners == 1


def _holds(condition: str, row: int) -> bool:
    """Evaluate one of the few forms of condition that `Splits.owned` makes."""
    python = condition.replace('"$row_id" BETWEEN', "BETWEEN").replace('"$row_id"', str(row)).replace(" OR ", " or ")
    python = python.replace(" AND (", " and (").replace(" = ", " == ")
    while "BETWEEN" in python:
        before, _, after = python.partition("BETWEEN ")
        low, _, rest = after.partition(" AND ")
        high = rest.split(" ")[0].rstrip(")")
        python = f"{before}{low} <= {row} <= {high}{rest[len(high) :]}"
    return bool(eval(python))  # noqa: S307 - an expression of numbers made above


def test_a_limit_stops_the_answer(big: Session) -> None:
    """`limit_rows` gives as many rows, from the beginning."""
    with big.transaction() as tx:
        assert table(tx).select(limit_rows=10).read_all()["n"].to_pylist() == list(range(10))


def test_a_projection_answers_in_its_own_order(big: Session) -> None:
    """By name, and without one where a filter uses its sort key; a missing one is 404."""
    columns = pa.schema([("n", pa.int64()), ("r", pa.int64())])
    with big.transaction() as tx:
        made = make_table(tx, columns, name="p")
        made.insert(pa.table([pa.array(range(ROW_GROUP)), pa.array(range(ROW_GROUP, 0, -1))], schema=columns))
        made.create_projection("by_r", ["r"], ["n"])
        for name in ("by_r", None):
            config = QueryConfig(semi_sorted_projection_name=name)
            assert rows(made, columns=["n", "r"], predicate=made["r"] < 4, config=config) == [
                (ROW_GROUP - 1, 1), (ROW_GROUP - 2, 2), (ROW_GROUP - 3, 3),
            ]  # fmt: skip
        with pytest.raises(errors.NotFound):
            rows(made, config=QueryConfig(semi_sorted_projection_name="none"))


def test_a_sorted_table_tells_how_many_row_groups_a_query_reads(session: Session) -> None:
    """With more splits than two the SDK asks for the estimate first."""
    columns = pa.schema([("n", pa.int64())])
    with session.transaction() as tx:
        made = make_table(tx, columns, sorting_key=["n"])
        made.insert(pa.table([pa.array(range(5000))], schema=columns))
        config = QueryConfig(rows_per_split=1000)
        assert made.select(predicate=made["n"] >= 10, config=config).read_all().num_rows == 4990


def test_requests_that_do_not_decode_answer_400(server: LocalVast, stored: Session) -> None:
    """Garbage, and headers that are no numbers."""
    requests = (({}, b"\x00" * 8), ({}, b"\xff" * 64), ({"tabular-split": "x,1,8"}, b""), ({"tabular-txid": "x"}, b""))
    with raw(server) as call:
        for headers, body in requests:
            answer = call("GET", f"/{BUCKET}/s/t?data", {"tabular-txid": "0", **headers}, body)
            assert (answer.status_code, "InvalidArgument" in answer.text) == (400, True), (headers, answer.text)
