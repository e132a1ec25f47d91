"""Answers from the stored tables: by VAST's query engine, or by DuckDB in this process over what the SDK streams.

The second way works on every endpoint. Of each table it reads the columns that the statement uses, and of the conditions those
that VAST can apply itself, so that little more than the answer's raw material crosses the network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import duckdb
import pyarrow as pa
from sqlglot import exp

import vast_schemas
from exr_inspector.catalogue import connection, questions
from exr_inspector.catalogue.connection import Target
from exr_inspector.catalogue.scans import QueryFailed, Scan, scans_of, stream
from exr_inspector.errors import BadSettings

MOST_FILE_IDS = 20_000
"""Of more files than that, all rows are read instead."""
_MESSAGE = re.compile(r'message: "((?:[^"\\]|\\.)*)"')


class NoDriver(BadSettings):
    """The ADBC driver is not installed, so VAST's query engine cannot be asked from here."""

    code = "no_query_engine"


Read = Callable[[Scan, Sequence[str] | None], pa.RecordBatchReader]
"""Returns the rows of a scan; where file_ids are given, of these files alone."""


def ask_server(target: Target, statement: exp.Query) -> pa.Table:
    """The answer of VAST's query engine, through the ADBC driver.

    Raises QueryFailed with the engine's words, VASTDatabaseError where there is no query engine, NoDriver without the driver.
    """
    from adbc_driver_manager import Error
    from vastdb.transaction import NoAdbcConnectionError

    sql = questions.for_vast(statement, target.bucket, target.schema)
    with target.reading(engine=True) as transaction:
        try:
            cursor = transaction.adbc_conn.cursor
            cursor.execute(sql)
            return cursor.fetch_arrow_table()
        except NoAdbcConnectionError as error:
            remedy = "Install adbc-driver-vastdb, or use --engine client"
            raise NoDriver("the ADBC driver is not installed", remedy=remedy) from error
        except Error as error:
            absent = connection.nothing_stored(target, {table.name for table in questions.tables_of(statement)})
            raise absent or QueryFailed(
                f"{target.place}: the query engine refused the statement: {engine_message(error)}"
            ) from error


def engine_message(error: Exception) -> str:
    """The engine's own words; around them the driver's text repeats the request."""
    message = _MESSAGE.search(str(error))
    return message[1].replace('\\"', '"') if message else str(error).splitlines()[0]


def ask_client(target: Target, statement: exp.Query) -> pa.Table:
    """The answer of DuckDB in this process over columns and rows that the SDK streams. Raises QueryFailed with its words."""
    with open_engine() as sql, target.reading() as transaction:
        tables = target.tables(transaction)

        def read(scan: Scan, file_ids: Sequence[str] | None) -> pa.RecordBatchReader:
            return stream(tables.table(scan.table), scan, file_ids)

        return run(sql, load_tables(sql, statement, read))


def load_tables(sql: duckdb.DuckDBPyConnection, statement: exp.Query, read: Read) -> exp.Query:
    """Copy what the statement needs into tables with their bare names; returns the rest of the statement, to run over them.

    Tables of which only few files are asked for are read last: the WITHs that the other tables can answer say which files.
    """
    rest, needed = statement.copy(), scans_of(statement)
    unbounded, bounded = [scan for scan in needed if scan.within is None], [scan for scan in needed if scan.within is not None]
    for scan in unbounded:
        copy_rows(sql, scan.table, read(scan, None))
    answered = _answer_withs(sql, rest, {scan.table for scan in unbounded}) if bounded else set()
    for scan in bounded:
        copy_rows(sql, scan.table, read(scan, _file_ids(sql, scan.within) if scan.within in answered else None))
    return rest


def _answer_withs(sql: duckdb.DuckDBPyConnection, statement: exp.Query, loaded: set[str]) -> set[str]:
    """Turn the WITHs of the statement that need only the loaded tables into tables; returns their names."""
    answered: set[str] = set()
    for cte in list(statement.ctes):
        needed = {table.name for table in cte.this.find_all(exp.Table)}
        if cte.alias in vast_schemas.TABLES or not needed <= loaded | answered:
            break
        copy_rows(sql, cte.alias, run(sql, cte.this).to_reader())
        answered.add(cte.alias)
        cte.pop()
    if not statement.ctes:
        statement.set("with_", None)
    return answered


def _file_ids(sql: duckdb.DuckDBPyConnection, name: str) -> Sequence[str] | None:
    """The file_ids of a table; None where they are too many to ask for."""
    query = exp.select("file_id").from_(exp.to_table(name)).where("file_id IS NOT NULL").group_by("file_id")
    file_ids: list[str] = run(sql, query)["file_id"].to_pylist()
    return file_ids if len(file_ids) <= MOST_FILE_IDS else None


@contextmanager
def open_scans(target: Target, wanted: Sequence[Scan]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection with the rows of these scans, in tables with their bare names."""
    with open_engine() as sql, target.reading() as transaction:
        tables = target.tables(transaction)
        for scan in wanted:
            copy_rows(sql, scan.table, stream(tables.table(scan.table), scan))
        yield sql


@contextmanager
def open_engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB in this process, with no tables."""
    with duckdb.connect() as sql:
        sql.execute("SET enable_progress_bar = false")  # it would be printed into the answer
        # Stored rows have no order to keep, and without one the copy uses every core.
        sql.execute("SET preserve_insertion_order = false")
        yield sql


def copy_rows(sql: duckdb.DuckDBPyConnection, name: str, rows: pa.RecordBatchReader) -> None:
    """Copy a stream into a table: a reader can be read once, and a statement may use a table several times."""
    sql.register("incoming", rows)
    sql.execute(f'CREATE TABLE "{name}" AS SELECT * FROM incoming')  # noqa: S608 - names of vast_schemas
    sql.unregister("incoming")


def run(sql: duckdb.DuckDBPyConnection, statement: exp.Query) -> pa.Table:
    """The statement's answer over tables with their bare names."""
    try:
        return sql.sql(statement.sql(questions.DIALECT)).to_arrow_table()
    except duckdb.Error as error:
        raise QueryFailed(f"DuckDB refused the statement: {str(error).splitlines()[0]}") from error
