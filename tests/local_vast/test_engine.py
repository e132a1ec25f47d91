"""The query engine: SQL and vector search through the real ADBC driver, inside the SDK's transaction."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import adbc_driver_vastdb
import numpy as np
import pyarrow as pa
import pytest
from adbc_driver_manager import dbapi
from hypothesis import given
from hypothesis import strategies as st
from vastdb import errors
from vastdb._internal import VectorIndexSpec
from vastdb.session import Session
from vastdb.transaction import Transaction

from local_vast import LocalVast, protobuf
from local_vast.engine import BATCH_ROWS
from tabular_support import COLUMNS, batch, fill, make_table, raw, rows, table, vector

T = '"exr/s".t'


def sql(tx: Transaction, text: str) -> list[tuple[Any, ...]]:
    """The rows of a query in this transaction."""
    tx.adbc_conn.cursor.execute(text)
    return [tuple(row) for row in tx.adbc_conn.cursor.fetchall()]


def test_sql_sees_the_transaction(session: Session) -> None:
    """Its own inserts, and the snapshot of its beginning."""
    fill(session, (1, "a"))
    with session.transaction() as tx:
        table(tx).insert(batch((2, "b")))
        with session.transaction() as other:
            table(other).insert(batch((9, "other")))
        assert sql(tx, f"SELECT id, name FROM {T} ORDER BY id DESC") == [(2, "b"), (1, "a")]


QUERIES: dict[str, list[tuple[Any, ...]]] = {
    f"SELECT count(*), max(name) FROM {T}": [(3, "c")],
    f"SELECT a.id FROM {T} a JOIN {T} b ON b.id = a.id + 1 ORDER BY 1": [(1,), (2,)],
    f"WITH q AS (SELECT id FROM {T} WHERE id > 1) SELECT sum(id)::BIGINT FROM q": [(5,)],
    f"SELECT id FROM {T} WHERE name IN (SELECT name FROM {T} WHERE id = 3)": [(3,)],
    f"SELECT t.name FROM {T} WHERE t.id = 2": [("b",)],
    'SELECT id FROM vastdb."exr/s"."t" LIMIT 1 OFFSET 2': [(3,)],
    f"SELECT id FROM {T} UNION ALL SELECT 7 ORDER BY 1 DESC LIMIT 1": [(7,)],
    f"SELECT id FROM {T} WHERE id > 100": [],
    "SELECT 1 + 1": [(2,)],
    f"SELECT name, row_number() OVER (ORDER BY id DESC) FROM {T} ORDER BY id LIMIT 1": [("a", 3)],
}


@pytest.mark.parametrize("text", QUERIES)
def test_the_forms_of_queries(session: Session, text: str) -> None:
    """Joins, sub-queries, common table expressions, unions, windows, and results without rows."""
    fill(session, (1, "a"), (2, "b"), (3, "c"))
    with session.transaction() as tx:
        assert sql(tx, text) == QUERIES[text]


MISTAKES = {
    f"SELECT nope FROM {T}": "nope",
    'SELECT * FROM "exr/s".missing': "NoSuchKey|does not exist",
    "SELECT * FROM t": "is not written",
    "SELECT FROM WHERE": "does not parse|failed",
    f"SELECT name + 1 FROM {T} WHERE name = date": "failed",
    "SELECT * FROM catalogue.tables": "is not written",
    "SELECT * FROM read_csv('/etc/passwd')": "failed",
    f"CREATE TABLE {T} (x INT)": "does not implement CREATE",
    f"TRUNCATE {T}": "does not implement TRUNCATE",
    f"EXPLAIN DELETE FROM {T}": "does not implement EXPLAIN",
    f"COPY {T} TO 'x'": "does not implement COPY",
    f"MERGE INTO {T} USING {T} AS u ON u.id = t.id WHEN MATCHED THEN DELETE": "does not implement MERGE",
    f"ALTER TABLE {T} ADD COLUMN x INT": "does not implement ALTER",
    f"DROP TABLE {T}": "does not implement DROP",
    "SET threads = 1": "does not implement SET",
    "BEGIN": "does not implement BEGIN",
    f"DELETE FROM {T} LIMIT 1": "does not implement DELETE with LIMIT",
    f"INSERT INTO {T} BY NAME SELECT 1 AS id": "does not implement INSERT with BY NAME",
    f"INSERT INTO {T} DEFAULT VALUES": "does not implement INSERT with DEFAULT VALUES",
    f"WITH q AS (SELECT 1, 'a') INSERT INTO {T} SELECT * FROM q": "does not implement INSERT with WITH",
    f"UPDATE {T} SET (id, name) = (1, 'a')": "whole columns",
    f"SELECT 1; DELETE FROM {T}": "does not implement 2 statements",
    f"DELETE FROM {T} RETURNING id": "does not implement DELETE with RETURNING",
    f"DELETE FROM {T} USING {T} AS u WHERE u.id = t.id": "does not implement DELETE with USING",
    f"UPDATE {T} SET name = u.name FROM {T} AS u": "does not implement UPDATE with FROM",
    f"UPDATE {T} SET name.x = 1": "whole columns",
    f"UPDATE {T} SET nope = 1": "has no column 'nope'",
    f"UPDATE {T} SET name = nope": "failed",
    f"INSERT OR REPLACE INTO {T} VALUES (1, 'a')": "does not implement INSERT with OR",
    f"INSERT INTO {T} VALUES (1, 'a') ON CONFLICT DO NOTHING": "does not implement INSERT with ON CONFLICT",
    f"INSERT INTO {T} VALUES (1)": "expected 2 columns but 1",
    f"INSERT INTO {T} (id) VALUES (1, 2)": "expected 1 columns but 2",
    'INSERT INTO "exr/s".missing VALUES (1)': "does not exist",
}


def test_a_mistake_leaves_the_transaction_alone(session: Session) -> None:
    """Each is an error with its reason; the transaction goes on and commits."""
    fill(session)
    with session.transaction() as tx:
        for text, reason in MISTAKES.items():
            with pytest.raises(dbapi.Error, match=reason):
                sql(tx, text)
        table(tx).insert(batch((1, "after")))
    with session.transaction() as tx:
        assert rows(table(tx)) == [(1, "after")]


def test_a_query_that_fails_on_the_data_ends_the_transaction(session: Session) -> None:
    """It is an error with its reason, and so is everything after it; nothing is committed."""
    fill(session, (1, "a"))
    with pytest.raises(errors.Conflict, match="earlier statement failed"), session.transaction() as tx:
        table(tx).insert(batch((2, "b")))
        with pytest.raises(dbapi.Error, match=r"(?i)could not convert"):
            sql(tx, f"SELECT name::INT FROM {T}")
        table(tx).insert(batch((3, "c")))
    with session.transaction() as tx:
        assert rows(table(tx)) == [(1, "a")]


def test_a_result_of_several_batches_arrives_whole(session: Session) -> None:
    """Every row once, in order."""
    columns = pa.schema([("n", pa.int64())])
    count = 2 * BATCH_ROWS + 1
    with session.transaction() as tx:
        make_table(tx, columns).insert(pa.table([pa.array(range(count))], schema=columns))
        tx.adbc_conn.cursor.execute(f"SELECT n FROM {T} ORDER BY n")
        assert tx.adbc_conn.cursor.fetch_arrow_table()["n"].to_pylist() == list(range(count))


def test_types_arrive_through_sql(session: Session) -> None:
    """As the declared ones, NULLs included."""
    kinds = (vector(2), pa.timestamp("us"), pa.decimal128(7, 3), pa.list_(pa.string()), pa.binary())
    columns = pa.schema(list(zip("vtdlb", kinds, strict=True)))
    values = ([1.0, 0.5], dt.datetime(2024, 5, 6, 7, 8, 9, 10), decimal.Decimal("1.125"), ["x", None], b"\x00")
    fill(session, values, (None,) * 5, columns=columns)
    with session.transaction() as tx:
        tx.adbc_conn.cursor.execute(f"SELECT * FROM {T}")
        answer = tx.adbc_conn.cursor.fetch_arrow_table()
    assert answer.schema.types == columns.types
    assert [tuple(row.values()) for row in answer.to_pylist()] == [values, (None,) * 5]


@contextmanager
def driver(server: LocalVast) -> Iterator[dbapi.Connection]:
    """The driver without the SDK: a transaction of its own for each statement."""
    options = {"vast.db.endpoint": server.url, "vast.db.access_key": "local", "vast.db.secret_key": "local-secret"}
    with dbapi.connect(driver=adbc_driver_vastdb.get_driver_path(), db_kwargs=options, autocommit=True) as connection:
        yield connection


def test_the_driver_works_without_the_sdk(server: LocalVast, session: Session) -> None:
    """It sees what was committed before each statement, and leaves no transaction open."""
    fill(session, (1, "a"))
    with driver(server) as connection, connection.cursor() as cursor:
        for expected in (1, 2):
            cursor.execute(f"SELECT count(*) FROM {T}")
            assert cursor.fetchall() == [(expected,)]
            with session.transaction() as tx:
                table(tx).insert(batch((2, "b")))
    assert len(server.store.transactions) == 0


def test_the_driver_lists_and_loads_tables(server: LocalVast, session: Session) -> None:
    """Its catalogue functions find schema, table and columns; its bulk load makes a table and adds to it."""
    fill(session, (1, "a"))
    with driver(server) as connection:
        assert connection.adbc_get_table_schema("t", catalog_filter="vastdb", db_schema_filter="exr/s").names == COLUMNS.names
        for mode in ("create", "append"):
            with connection.cursor() as cursor:
                assert cursor.adbc_ingest("loaded", batch((5, "x")), mode, catalog_name="vastdb", db_schema_name="exr/s") == 1
        objects = connection.adbc_get_objects(depth="tables", catalog_filter="vastdb", db_schema_filter="exr/s").read_all()
    (schema,) = objects["catalog_db_schemas"][0].as_py()
    assert [entry["table_name"] for entry in schema["db_schema_tables"]] == ["loaded", "t"]
    with session.transaction() as tx:
        assert rows(table(tx, "loaded")) == [(5, "x"), (5, "x")]


@pytest.mark.parametrize(("metric", "sign"), [("l2sq", 1), ("ip", -1)])
def test_vector_search_is_exact(session: Session, metric: str, sign: int) -> None:
    """The nearest rows by the index's metric, in order, with a filter, as numpy computes them; NULL vectors are not found."""
    generator = np.random.default_rng(7)
    stored, wanted = generator.normal(size=(300, 16)).astype("f4"), generator.normal(size=16).astype("f4")
    columns = pa.schema([("id", pa.int64()), ("v", vector(16))])
    distances = np.linalg.norm(stored - wanted, axis=1) if sign > 0 else -(stored @ wanted)
    with session.transaction() as tx:
        made = make_table(tx, columns, vector_index=VectorIndexSpec("v", metric))
        made.insert(batch(*((number, stored[number].tolist()) for number in range(300)), (300, None), columns=columns))
        result = made.vector_search(wanted.tolist(), ["id"], 5, predicate=made["id"] >= 100).read_all()
    nearest = 100 + np.argsort(distances[100:])[:5]
    assert result["id"].to_pylist() == nearest.tolist()
    np.testing.assert_allclose(result["vast_pysdk_vector_dist"].to_numpy(), distances[nearest], rtol=1e-5)


def test_a_vector_in_sql_is_the_stored_one(session: Session) -> None:
    """A float32 written as its shortest decimal is found at distance zero."""
    value = [float(np.float32(0.1)), float(np.float32(1e-7)), -3.25]
    columns = pa.schema([("v", vector(3))])
    fill(session, (value,), columns=columns)
    with session.transaction() as tx:
        assert sql(tx, f"SELECT array_distance(v, {value}::FLOAT[3]), v = {value}::FLOAT[3] FROM {T}") == [(0.0, True)]


ARRAYS = {
    "ARRAY[1.0, 2, 3e0]::FLOAT[3]": [1.0, 2.0, 3.0],
    "array [1,2] :: FLOAT[2]": [1.0, 2.0],
    "CAST(ARRAY[1, 2] AS FLOAT[2])": [1.0, 2.0],
    "ARRAY[-1.5, 2]::DOUBLE[2]": [-1.5, 2.0],
    "ARRAY[1, 2]": [1, 2],
    "(SELECT v[1] FROM (SELECT [[7]] AS v))::FLOAT[1]": [7.0],
    "'it''s ARRAY[1,2]::FLOAT[2]'": "it's ARRAY[1,2]::FLOAT[2]",
}


@pytest.mark.parametrize("text", ARRAYS)
def test_an_array_may_be_written_as_vast_clients_do(session: Session, text: str) -> None:
    """With or without the word ARRAY; what looks like one in a text stays text."""
    with session.transaction() as tx:
        assert sql(tx, f"SELECT {text}") == [(ARRAYS[text],)]


def test_a_distance_to_an_array_finds_the_nearest(session: Session) -> None:
    """The form of VAST's own vector clients, in the order and in the filter."""
    columns = pa.schema([("id", pa.int64()), ("v", vector(3))])
    fill(session, (1, [0.0, 0.0, 0.0]), (2, [1.0, 2.0, 3.0]), (3, [9.0, 9.0, 9.0]), columns=columns)
    distance = "array_distance(v, ARRAY[1.0, 2.0, 3.5]::FLOAT[3])"
    with session.transaction() as tx:
        nearest = sql(tx, f"SELECT id, {distance} AS d FROM {T} WHERE {distance} < 10 ORDER BY d LIMIT 2")
    assert nearest == [(2, 0.5), (1, pytest.approx(4.153, abs=1e-3))]


def test_sql_changes_rows_in_the_transaction(session: Session) -> None:
    """INSERT of values and of a query, UPDATE and DELETE: visible inside, outside after the commit, and gone with a rollback."""
    fill(session, (1, "a"))
    with pytest.raises(ZeroDivisionError), session.transaction() as tx:
        assert sql(tx, f"DELETE FROM {T}") == [(1,)]
        raise ZeroDivisionError
    with session.transaction() as tx, session.transaction() as other:
        assert sql(tx, f"INSERT INTO {T} (NAME, id) VALUES ('b', 2), (NULL, 3)") == [(2,)]
        assert sql(tx, f"INSERT INTO {T} WITH old AS (SELECT * FROM {T} WHERE id < 3) SELECT id + 10, name FROM old") == [(2,)]
        assert sql(tx, f"UPDATE {T} AS x SET name = x.name || x.id, id = id * 2 WHERE id > 10") == [(2,)]
        assert sql(tx, f"DELETE FROM {T} WHERE name IS NULL OR id = (SELECT min(id) FROM {T})") == [(2,)]
        assert sql(tx, f"UPDATE {T} SET id = 0 WHERE FALSE") == [(0,)]
        assert rows(table(tx)) == [(2, "b"), (22, "a11"), (24, "b12")]
        assert rows(table(other)) == [(1, "a")]
    with session.transaction() as tx:
        assert rows(table(tx)) == [(2, "b"), (22, "a11"), (24, "b12")]


def test_sql_stores_every_type(session: Session) -> None:
    """Values take the declared types, vectors included, as if they had come by the wire."""
    kinds = (vector(2), pa.timestamp("us"), pa.decimal128(7, 3), pa.list_(pa.string()), pa.float16(), pa.timestamp("ns", "UTC"))
    columns = pa.schema(list(zip("vtdlhz", kinds, strict=True)))
    fill(session, columns=columns)
    with session.transaction() as tx:
        sql(tx, f"INSERT INTO {T} VALUES (ARRAY[1, 0.5]::FLOAT[2], '2024-05-06 07:08:09', 1.125, ['x', NULL], 0.5, '2024-05-06')")
        sql(tx, f"INSERT INTO {T} (v) VALUES ([3, 4])")
        stored = table(tx).select().read_all()
    assert stored.schema.types == columns.types
    moment, day = dt.datetime(2024, 5, 6, 7, 8, 9), dt.datetime(2024, 5, 6, tzinfo=dt.UTC)
    first = ([1.0, 0.5], moment, decimal.Decimal("1.125"), ["x", None], 0.5, day)
    assert [tuple(row.values()) for row in stored.to_pylist()] == [first, ([3.0, 4.0], *(None,) * 5)]


@pytest.mark.parametrize("text", [f"UPDATE {T} SET name = 'sql' WHERE id = 1", f"DELETE FROM {T} WHERE id = 1"])
def test_sql_conflicts_as_the_wire_protocol_does(session: Session, text: str) -> None:
    """A row that another open transaction writes is refused with 409; the first writer commits."""
    fill(session, (1, "a"), (2, "b"))
    with session.transaction() as first:
        sql(first, f"UPDATE {T} SET name = 'first' WHERE id = 1")
        with pytest.raises(dbapi.Error, match="TabularConflict"), session.transaction() as second:
            sql(second, f"DELETE FROM {T} WHERE id = 2")
            sql(second, text)
    with session.transaction() as tx:
        assert rows(table(tx)) == [(1, "first"), (2, "b")]


def test_sql_obeys_the_limits_of_the_wire_protocol(session: Session) -> None:
    """A vector column cannot be updated, a cell has a limit, and rows that come by both ways have different ids."""
    columns = pa.schema([("id", pa.int64()), ("name", pa.string()), ("v", vector(1))])
    with session.transaction() as tx:
        made = make_table(tx, columns, vector_index=VectorIndexSpec("v", "l2sq"))
        made.insert(batch((1, "a", [1.0]), columns=columns))
        sql(tx, f"INSERT INTO {T} VALUES (2, 'b', [2])")
        assert len(set(made.select(columns=["id"], internal_row_id=True).read_all()["$row_id"].to_pylist())) == 2
        with pytest.raises(dbapi.Error, match="cannot be updated"):
            sql(tx, f"UPDATE {T} SET v = [3]")
        with pytest.raises(dbapi.Error, match="TabularCellTooLarge"):
            sql(tx, f"UPDATE {T} SET name = repeat('x', 6000000)")
        assert sql(tx, f"UPDATE {T} SET name = 'c' WHERE id = 2") == [(1,)]


def test_the_driver_changes_rows_without_the_sdk(server: LocalVast, session: Session) -> None:
    """Each statement is a transaction of its own; the driver commits it when the answer is read, or is not asked for."""
    fill(session, (1, "a"))
    with driver(server) as connection, connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {T} VALUES (2, 'b')")
        assert cursor.fetchall() == [(1,)]
        cursor.adbc_statement.set_sql_query(f"DELETE FROM {T} WHERE id = 1")
        cursor.adbc_statement.execute_update()
    with session.transaction() as tx:
        assert rows(table(tx)) == [(2, "b")]


def test_sql_does_not_change_rows_before_5_5() -> None:
    """An older cluster's engine only reads."""
    refused = pytest.raises(dbapi.Error, match=r"DELETE through the query engine before version 5\.5")
    with LocalVast(version="5.4.0.0") as old, driver(old) as connection, connection.cursor() as cursor, refused:
        cursor.execute(f"DELETE FROM {T}")


def test_unknown_queries_and_garbage_are_refused(server: LocalVast) -> None:
    """404 for a query that does not exist, 400 for a body that is no message, 501 for queries that are no SQL."""
    identity = protobuf.encode((1, protobuf.encode((1, 99), (2, 0))))
    with raw(server) as call:
        assert call("POST", "/?vastdb-query-status=", {}, identity).status_code == 404
        assert call("POST", "/?vastdb-data=", {}, identity).status_code == 404
        assert call("POST", "/?vastdb-data=", {}, b"\x0a\xff").status_code == 400
        assert call("POST", "/?vastdb-run-query=", {}, protobuf.encode((2, 0), (4, b"substrait"))).status_code == 501
        for body in (protobuf.encode((3, b"\xff")), protobuf.encode((2, b"x"), (3, b"SELECT 1")), protobuf.encode((1, b"\xff"))):
            for command in ("vastdb-run-query", "vastdb-query-status"):
                answer = call("POST", f"/?{command}=", {}, body)
                assert answer.status_code in (400, 404, 501), (command, body)
                assert "<RequestId>" in answer.text


VALUES = st.integers(0, 2**64 - 1) | st.binary(max_size=300)


@given(fields=st.dictionaries(st.integers(1, 2000), VALUES, max_size=5), cut=st.integers(1, 9))
def test_messages_decode_as_they_were_encoded(fields: dict[int, int | bytes], cut: int) -> None:
    """Numbers and bytes by field number; a message that is cut short is refused or has fewer fields."""
    message = protobuf.encode(*fields.items())
    assert protobuf.decode(message) == fields
    try:
        assert len(protobuf.decode(message[:-cut])) < max(1, len(fields)) or not fields
    except ValueError:
        assert fields
