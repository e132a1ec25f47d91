"""The query engine that the ADBC driver speaks to: SQL over the tables, as Protocol Buffers messages over HTTP.

A query runs when it is started and its result is kept until it is finished or cancelled. Tables are written
`"bucket/schema".table`; each becomes a sub-select over its physical table, so that a query sees the transaction's snapshot and
its own writes. Every SELECT of DuckDB's dialect runs; of the statements that change something, those of `changes`.
"""

from __future__ import annotations

import itertools
import re
import threading
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.types as pt
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from . import protobuf
from .catalogue import ROW_ID, TableEntry
from .changes import Change, parse_change
from .errors import bad_request, first_line, not_found, not_implemented
from .http import HttpRequest, HttpResponse
from .store import TableStore
from .transactions import OpenTransaction
from .types import conform, one_array, quote_identifier

COMMANDS = frozenset({"query-engine-capabilities", "vastdb-run-query", "vastdb-query-status", "vastdb-data"})
CATALOG = "vastdb"
# Rows in one answer to `vastdb-data`.
BATCH_ROWS = 65_536
# Results that their client never finished; the oldest go first.
MAX_RESULTS = 64
_STARTED, _COMPLETED = 1, 3
# Texts and quoted names, which are left alone, or a list of plain numbers, with or without ARRAY before it, with a cast to a
# vector: DuckDB reads the same numbers from text. Behind a name or a bracket it would be an index.
_VECTOR = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|(?:\bARRAY\s*|(?<![\w"\])]))(\[[-+.0-9eE,\s]+\])\s*::\s*((?:FLOAT|DOUBLE)\[(\d+)\])""",
    re.IGNORECASE,
)
_MARKER = "local_vast_vector_"


def is_engine(request: HttpRequest) -> bool:
    """True for the query engine's requests."""
    return request.command in COMMANDS


@dataclass(frozen=True, slots=True)
class Result:
    """A finished query: its schema and the record batches."""

    schema: pa.Schema
    batches: list[pa.RecordBatch]


class Engine:
    """The query engine over a store."""

    def __init__(self, store: TableStore, version: str, *, changes: bool = True) -> None:
        self._store = store
        self._version = version
        self._may_change = changes
        self._ids = itertools.count(1)
        self._results: dict[int, Result] = {}
        self._lock = threading.Lock()
        self._binder: duckdb.DuckDBPyConnection | None = None

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Carry out a request; raises `VastError`."""
        if request.command == "query-engine-capabilities":
            # server_version, session_options_support; here the version has five numbers.
            return HttpResponse([protobuf.encode((1, f"{self._version}.0"), (2, False))])
        return self._step(request, _message(request.body))

    def _step(self, request: HttpRequest, message: protobuf.Fields) -> HttpResponse:
        if request.method == "DELETE":
            if request.command == "vastdb-run-query":
                self._forget(message)
            return HttpResponse()
        if request.command == "vastdb-run-query":
            return self._start(message)
        if request.command == "vastdb-query-status":
            return self._status(message)
        return self._data(message)

    # Messages

    def _start(self, message: protobuf.Fields) -> HttpResponse:
        """StartQueryRequest(2 txid, 3 sql) -> StartQueryResponse(1 status, 2 arrow_schema, 3 is_blocking)."""
        sql = message.get(3)
        if not isinstance(sql, bytes):
            raise not_implemented("queries that are not SQL text")
        result = self._run(_number(message, 2), _text(sql))
        with self._lock:
            number = next(self._ids)
            self._results[number] = result
            while len(self._results) > MAX_RESULTS:
                del self._results[next(iter(self._results))]
        schema = result.schema.serialize().to_pybytes()
        return HttpResponse([protobuf.encode((1, _query_status(number, _STARTED)), (2, schema), (3, False))])

    def _status(self, message: protobuf.Fields) -> HttpResponse:
        """GetQueryStatusRequest(1 query_id) -> (1 status); the one ticket names this host."""
        number = _query_number(message)
        self._result(number)
        # 2 endpoints: 1 uri, a host without port. 4 ticket_id: an Any of type and value.
        ticket = protobuf.encode((2, protobuf.encode((1, "127.0.0.1"))), (4, protobuf.encode((1, "ticket"), (2, b"0"))))
        return HttpResponse([protobuf.encode((1, _query_status(number, _COMPLETED, ticket)))])

    def _data(self, message: protobuf.Fields) -> HttpResponse:
        """GetDataRequest(1 query_id, 3 offset(1 record_batch_id)) -> GetDataResponse(1 next, 2 empty_stream), a record batch."""
        result = self._result(_query_number(message))
        at = _number(_message(message.get(3)), 1)
        if not result.batches:
            head = protobuf.encode((2, True))
            return HttpResponse([head], {"tabular-protobuf-size": str(len(head))})
        if not 0 <= at < len(result.batches):
            raise bad_request(f"the result has no record batch number {at}")
        following = protobuf.encode((1, at + 1)) if at + 1 < len(result.batches) else None
        # `empty_stream` has to be there, also when it is false.
        head = protobuf.encode((1, following), (2, False))
        return HttpResponse([head, result.batches[at].serialize().to_pybytes()], {"tabular-protobuf-size": str(len(head))})

    def _result(self, number: int) -> Result:
        with self._lock:
            if number not in self._results:
                raise not_found("Query", str(number))
            return self._results[number]

    def _forget(self, message: protobuf.Fields) -> None:
        with self._lock:
            self._results.pop(_query_number(message), None)

    # Queries

    def _run(self, txid: int, sql: str) -> Result:
        with self._store.transaction(txid) as tx:
            masked, vectors = _mask_vectors(sql)
            statement = _parse(masked)
            if not isinstance(statement, exp.Query):
                return self._change(tx, parse_change(statement), vectors)
            tables = self._resolve(tx, statement)
            runnable = _unmask_vectors(statement.sql("duckdb"), vectors)
            self._bind(runnable, tables)
            answer = _arrow(tx, runnable)
        columns = [_plain(one_array(column)) for column in answer.columns]
        schema = pa.schema([pa.field(name, column.type) for name, column in zip(answer.column_names, columns, strict=True)])
        return Result(schema, pa.Table.from_arrays(columns, schema=schema).to_batches(BATCH_ROWS))

    def _change(self, tx: OpenTransaction, change: Change, vectors: list[str]) -> Result:
        """Carry out a change; the result is the number of rows, as DuckDB answers it."""
        if not self._may_change:
            raise not_implemented(f"{change.kind} through the query engine before version 5.5")
        table = self._table(tx, change.target)
        tables = self._resolve(tx, change.values, change.target)
        query = _unmask_vectors(change.values.sql("duckdb"), vectors)
        self._bind(change.check_statement(table, query), [table, *tables])
        batch = _batch(table, change, _arrow(tx, change.cast_query(table, query)))
        rows = self._store.rows
        write = {"INSERT": rows.insert, "UPDATE": rows.update, "DELETE": rows.delete}[change.kind]
        write(tx, table, batch)
        count = pa.record_batch([pa.array([batch.num_rows], pa.int64())], names=["Count"])
        return Result(count.schema, [count])

    def _resolve(self, tx: OpenTransaction, statement: exp.Expression, target: exp.Table | None = None) -> list[TableEntry]:
        """Replace every table by a sub-select, that of `target` with its row ids; the tables it reads."""
        names = {expression.alias_or_name for expression in statement.find_all(exp.CTE)}
        tables: list[TableEntry] = []
        for node in list(statement.find_all(exp.Table)):
            if isinstance(node.this, exp.Identifier) and not (node.name in names and not node.db):
                tables.append(self._table(tx, node))
                node.replace(_sub_select(node, tables[-1], with_row_ids=node is target))
        return tables

    def _table(self, tx: OpenTransaction, node: exp.Table) -> TableEntry:
        bucket, _, path = node.db.partition("/")
        if not path or node.catalog not in ("", CATALOG):
            raise bad_request(f'table {node.sql()} is not written "bucket/schema".table', "QueryFailed")
        return self._store.catalogue.table(tx, bucket, path, node.name)

    def _bind(self, sql: str, tables: list[TableEntry]) -> None:
        """Check names and types against empty copies of the tables: an error in the transaction itself would end it."""
        with self._lock:
            if self._binder is None:
                self._binder = duckdb.connect(config={"enable_external_access": "false"})
                self._binder.execute("CREATE SCHEMA rows")
            self._binder.execute("BEGIN")
            try:
                for table in {table.id: table for table in tables}.values():
                    self._binder.execute(f"CREATE TABLE {table.physical} ({table.definitions})")
                self._binder.execute(f"EXPLAIN {sql}").fetchall()
            except duckdb.Error as error:
                raise bad_request(f"the query failed: {first_line(error)}", "QueryFailed") from error
            finally:
                self._binder.execute("ROLLBACK")

    def close(self) -> None:
        """Forget all results."""
        with self._lock:
            self._results.clear()
            if self._binder is not None:
                self._binder.close()
                self._binder = None


def _parse(sql: str) -> exp.Expression:
    try:
        statements = [statement for statement in sqlglot.parse(sql, read="duckdb") if statement is not None]
    except SqlglotError as error:
        raise bad_request(f"the query does not parse: {first_line(error)}", "QueryFailed") from error
    if len(statements) != 1:
        raise not_implemented(f"{len(statements)} statements in one query")
    return statements[0]


def _arrow(tx: OpenTransaction, sql: str) -> pa.Table:
    """What the query answers; an error on the data is 400, one of the disk goes on."""
    try:
        return tx.arrow(sql)
    except (duckdb.IOException, duckdb.FatalException):
        raise
    except duckdb.Error as error:
        raise bad_request(f"the query failed: {first_line(error)}", "QueryFailed") from error


def _batch(table: TableEntry, change: Change, rows: pa.Table) -> pa.RecordBatch:
    """The rows that a change writes, in the declared types; row ids first where it finds rows."""
    fields = [pa.field(ROW_ID, pa.uint64())] if change.finds_rows else []
    fields += [table.columns.field(at) for at in change.fields(table)]
    arrays = [conform(one_array(column), field.type) for column, field in zip(rows.columns, fields, strict=True)]
    return pa.record_batch(arrays, schema=pa.schema(fields))


def _mask_vectors(sql: str) -> tuple[str, list[str]]:
    """The statement with a marker in the place of each vector literal, and the literals: parsing hundreds of numbers is slow."""
    vectors: list[str] = []

    def mask(match: re.Match[str]) -> str:
        if match[1] is None or match[1].count(",") + 1 != int(match[3]):
            return match[0]
        vectors.append(match[1])
        return f"'{_MARKER}{len(vectors) - 1}'::{match[2]}"

    return _VECTOR.sub(mask, sql), vectors


def _unmask_vectors(sql: str, vectors: list[str]) -> str:
    def vector(match: re.Match[str]) -> str:
        return vectors[int(match[1])]

    return re.sub(rf"{_MARKER}(\d+)", vector, sql) if vectors else sql


def _sub_select(node: exp.Table, table: TableEntry, *, with_row_ids: bool) -> exp.Expression:
    columns = ", ".join(
        f"c{number} AS {quote_identifier(name)}" for number, name in zip(table.numbers, table.columns.names, strict=True)
    )
    if with_row_ids:
        columns = f"{quote_identifier(ROW_ID)}, {columns}"
    select = sqlglot.parse_one(f"SELECT {columns} FROM {table.physical}", read="duckdb")
    alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(node.name, quoted=True))
    return exp.Subquery(this=select, alias=alias, joins=node.args.get("joins"))


def _plain(column: pa.Array) -> pa.Array:
    """The column in the types that VAST answers with: plain text, no dictionaries."""
    if pt.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pt.is_fixed_size_list(column.type):
        kind = pa.list_(pa.field("item", column.type.value_type, nullable=False), column.type.list_size)
        return conform(column, kind)
    return column


def _message(content: bytes | int | None) -> protobuf.Fields:
    """A message's fields; none where it is absent."""
    try:
        return protobuf.decode(content) if isinstance(content, bytes) else {}
    except ValueError as error:
        raise bad_request(f"the request is not a Protocol Buffers message: {error}") from error


def _number(message: protobuf.Fields, field: int) -> int:
    value = message.get(field, 0)
    if not isinstance(value, int):
        raise bad_request(f"field {field} of the request must be a number")
    return value


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise bad_request(f"the query is not UTF-8: {error}", "QueryFailed") from error


def _query_number(message: protobuf.Fields) -> int:
    return _number(_message(message.get(1)), 1)


def _query_status(number: int, state: int, ticket: bytes | None = None) -> bytes:
    """QueryStatus: 1 query_id (1 req_id, 2 vip_id), 4 tickets, 5 status_code, 7 state."""
    return protobuf.encode((1, protobuf.encode((1, number), (2, 0))), (4, ticket), (5, 0), (7, state))
