"""The database's client, and nothing of what is stored in it: one shared store, transactions, statements, errors.

The only module that imports `vastdb`, and only when a session is created: that takes most of a second.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, partial
from types import TracebackType
from typing import Any

import pyarrow as pa

from exr_inspector.database import rulings
from exr_inspector.database.rulings import CommitLost, Ruling, Transient
from exr_inspector.errors import BadSettings, InspectorError, VASTDatabaseError
from exr_inspector.path_templates import Template
from exr_inspector.settings import Settings, environment_name
from vast_schemas import VectorIndex, wire_schema

ROW_ID = "$row_id"
# The client sends at most 0.98 of 5 MiB in one insert; a wider one it splits into an insert and updates.
MAX_INSERT_BYTES = 5_000_000
# One fibre of the server reads blocks of eight row groups of 65,536 rows.
_ROWS_PER_FIBRE = 8 * 65_536
_MAX_FIBRES = 64
# Inserts of one transaction wait for the network side by side; as many workers as the runtime has handler threads.
_INSERTERS = 20
# The client repeats what the server answered with SlowDown; longer waits are the platform's business, not a worker thread's.
_SLOW_DOWN = {"max_tries": 4, "max_time": 10.0, "max_value": 2.0}
# It waits at random, up to 0.1 s before the second try, 0.4 and 1.6 s before the next; by itself it would begin with up to a
# second, for which all files of a group wait.
_SLOW_DOWN_WAITS = {"factor": 0.1, "base": 4}

_KEPT_LEDGERS = 1_000
# As the client has it.
_ENTITIES_PER_PAGE = 10_000
# Of VAST.
_OLDEST = (5, 1)
# Answers to a commit after which it certainly did not take effect.
CONFLICT = "database_conflict"
_NOT_COMMITTED = frozenset({CONFLICT, "database_slow_down"})


@dataclass(slots=True)
class Ledger:
    """What one call has cost: `requests` counts transactions' ends and statements, not the repetitions that the client makes.

    `attempts` counts writes of its transaction, `conflicts` those of all its transactions that met another writer's; `files` is
    how many changes it was to store.
    """

    requests: int = 0
    attempts: int = 0
    conflicts: int = 0
    files: int = 0


class PathLocks:
    """One lock per path, kept while someone holds or awaits it; taken in sorted order, so that no two calls block each other."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}
        self._watchers: list[set[str]] = []

    @contextmanager
    def hold(self, paths: Iterable[str]) -> Iterator[HeldPaths]:
        """Hold the locks of these paths, and of those that are added."""
        with ExitStack() as held:
            for path in sorted(set(paths)):
                self._take(path)
                held.callback(self._release, path)
            yield HeldPaths(self, held, held.enter_context(self._watch()))

    def _take(self, path: str) -> None:
        with self._guard:
            lock, users = self._locks.get(path, (threading.Lock(), 0))
            self._locks[path] = (lock, users + 1)
        lock.acquire()

    def _release(self, path: str) -> None:
        with self._guard:
            lock, users = self._locks.pop(path)
            if users > 1:
                self._locks[path] = (lock, users - 1)
            for freed in self._watchers:
                freed.add(path)
        lock.release()

    @contextmanager
    def _watch(self) -> Iterator[set[str]]:
        """The paths that somebody has let go of since this block began."""
        freed: set[str] = set()
        with self._guard:
            self._watchers.append(freed)
        try:
            yield freed
        finally:
            with self._guard:
                self._watchers = [other for other in self._watchers if other is not freed]

    def add(self, path: str, held: ExitStack, freed: set[str]) -> bool:
        """Hold a path until `held` ends, if nobody holds or awaits it, and it is not among those that were `freed`."""
        with self._guard:
            if path in self._locks or path in freed:
                return False
            lock = threading.Lock()
            lock.acquire()
            self._locks[path] = (lock, 1)
        held.callback(self._release, path)
        return True


@dataclass(frozen=True, slots=True)
class HeldPaths:
    """The paths whose locks one call holds."""

    _locks: PathLocks
    _held: ExitStack
    _freed: set[str]

    def add(self, path: str) -> bool:
        """Hold this path, too, unless somebody else holds it or has let go of it since the others are held.

        So what a transaction reads that was begun since then has all that others of this process have written of the path.
        """
        return self._locks.add(path, self._held, self._freed)


def connect(settings: Settings) -> Any:
    """A `vastdb` session for the endpoint in the settings. Costs one request.

    Raises BadSettings where endpoint or keys are missing, VASTDatabaseError where the endpoint does not answer as VAST DataBase,
    or as one before 5.1.
    """
    missing = [name for name in ("db_endpoint", "db_access_key", "db_secret_key") if not getattr(settings, name)]
    if missing:
        names = ", ".join(environment_name(name) for name in missing)
        remedy = "On a laptop, `exr-inspector local backfill RENDERS` makes one here; docs/CONFIGURATION.md has that of a cluster"
        raise BadSettings(f"{names}: not set, so there is no database to connect to", remedy=remedy)
    place = f"VAST DataBase at {settings.db_endpoint}"
    with translate_errors(partial(rulings.as_inspector_error, place=place)):
        session = _session_class()(settings)
    _check_version(session.features.vast_version, place)
    _apply_retries_once(session.api)
    _keep_connections(session.api)
    return session


@cache
def _session_class() -> type[Any]:
    """The client's session and its requests, with TLS as the settings have it.

    `requests` has REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE go before what the client (2.1) is told of TLS, and the client asks for
    the server's version while it makes the session, so that nothing can be changed about the session before its first request.
    For every request it looks for proxies in all variables of the environment: with forty of them, 76 us of about 600. Here once,
    for the one endpoint that there is.
    """
    from vastdb._internal import VastdbApi
    from vastdb._session_context import SessionContext
    from vastdb.config import BackoffConfig, SessionConfig
    from vastdb.features import Features
    from vastdb.session import Session

    class Api(VastdbApi):  # type: ignore[misc]  # the client's classes are untyped
        def _session_create(self, url: Any) -> Any:
            made = super()._session_create(url)
            merge = made.merge_environment_settings

            @cache
            def merge_once(stream: Any, verify: Any, cert: Any) -> Any:
                # Where the settings say nothing of TLS, the environment does.
                return merge(str(url), {}, stream, verify if self._ssl_verify is True else self._ssl_verify, cert)

            def merge_settings(_: Any, __: Any, stream: Any, verify: Any, cert: Any) -> Any:
                return dict(merge_once(stream, verify, cert))

            made.merge_environment_settings = merge_settings
            return made

    class ConfiguredSession(Session):  # type: ignore[misc]
        def __init__(self, settings: Settings) -> None:
            endpoint = str(settings.db_endpoint)
            self.access, self.secret = settings.db_access_key, settings.db_secret_key
            self.api = Api(
                access_key=self.access,
                secret_key=self.secret,
                endpoints=[endpoint],
                max_entities_per_page=_ENTITIES_PER_PAGE,
                ssl_verify=settings.verify(),
                timeout=settings.db_timeout,
                backoff_config=BackoffConfig(partial(BackoffConfig().wait_gen, **_SLOW_DOWN_WAITS), **_SLOW_DOWN),
            )
            self._context = SessionContext(api=self.api, endpoint=endpoint, config=SessionConfig(data_endpoints=[endpoint]))
            self.features = Features(self.api.vast_version)
            self.adbc_driver_path = self._end_user = None

    return ConfiguredSession


def _check_version(version: tuple[int, ...], place: str) -> None:
    """An older server answers an insert without row ids, which the client (2.1) takes for a damaged answer."""
    if version < _OLDEST:
        shown, oldest = (".".join(map(str, numbers)) for numbers in (version, _OLDEST))
        message = f"{place} is of version {shown}; rows can be stored from {oldest} on"
        raise VASTDatabaseError(message, code="database_version", remedy="Upgrade the cluster")


def _apply_retries_once(api: Any) -> None:
    """Keep the client's retries from growing with every SELECT.

    The client (2.1) applies one `backoff` decorator to a new function in each SELECT, and the decorator (2.2.1) adds its two log
    handlers to its own lists whenever it is applied: 0.8 MiB in 1,000 SELECTs, and as many log lines for one retry. Applied
    once, to a function that calls what it is given, it retries the same and keeps nothing.
    """
    decorate = getattr(api, "_backoff_decorator", None)
    if decorate is not None:
        api._backoff_decorator = partial(partial, decorate(_call))


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _keep_connections(api: Any) -> None:
    """Let SELECTs use the connections that there are, and keep as many as threads can use at a time.

    The client (2.1) opens a session, and with it a connection and a TLS handshake, for the endpoints of each SELECT. There is
    one endpoint here. Of the connections that threads used side by side it keeps ten.
    """

    def with_endpoint(endpoint: Any) -> AbstractContextManager[Any]:
        return nullcontext(api)

    api.with_endpoint = with_endpoint
    for requests_session in getattr(api, "_sessions", {}).values():
        for adapter in requests_session.adapters.values():
            adapter.init_poolmanager(1, 2 * _INSERTERS)


@dataclass(eq=False, slots=True, weakref_slot=True)
class Store:
    """A session and what all threads share of it: the schema's place, the tables' metadata once loaded, a lock per path, workers.

    `templates` say where the files that are stored belong; at most `group_files` changes that wait go into one transaction.
    `tables` is filled on first use and forgotten when the server says that it no longer fits. `ledgers` has what transactions
    have cost, for whoever counts it; of those that nobody takes, the last ones.
    """

    session: Any = field(repr=False)
    endpoint: str
    bucket: str
    schema: str
    templates: tuple[Template, ...] = ()
    group_files: int = 1
    paths: PathLocks = field(default_factory=PathLocks, repr=False)
    loading: threading.Lock = field(default_factory=threading.Lock, repr=False)
    tables: Mapping[str, Any] | None = field(default=None, repr=False)
    ledgers: deque[Ledger] = field(default_factory=partial(deque, maxlen=_KEPT_LEDGERS), repr=False)
    inserters: ThreadPoolExecutor = field(default_factory=partial(ThreadPoolExecutor, _INSERTERS, "insert"), repr=False)

    @property
    def place(self) -> str:
        """How messages name it."""
        return f"VAST DataBase at {self.endpoint}, {self.bucket}/{self.schema}"

    def transaction(self, ledger: Ledger, tables: Mapping[str, Any] | None = None) -> Work:
        """A transaction for a `with` block: begun there, committed at its end, rolled back on an exception.

        `tables`: the metadata of the tables that its statements name. Raises Transient for what may pass within this call,
        CommitLost where the commit may or may not have taken effect, VASTDatabaseError or Reject for the rest.
        """
        return Work(self, self.session.transaction(), ledger, {} if tables is None else tables)

    def resume(self, txid: int, tables: Mapping[str, Any]) -> Work:
        """The transaction with this id, whatever state it is in; not for a `with` block."""
        transaction = self.session.transaction()
        transaction.txid = txid
        return Work(self, transaction, Ledger(), tables)

    def roll_back(self, txid: int) -> None:
        """Roll back the transaction with this id. That there is no such transaction says nothing of the tables."""
        with translate_errors(partial(rulings.as_inspector_error, place=self.place)):
            self.session.api.rollback_transaction(txid)

    def translate(self, error: BaseException, ruling: Ruling) -> InspectorError:
        """The error to raise for one of the client's."""
        if ruling.code in ("database_not_found", "database_stale"):
            self.tables = None
        return rulings.as_inspector_error(error, ruling, self.place)


@dataclass(frozen=True, slots=True)
class Work:
    """A transaction, and what can be done within it.

    Every statement is one request, but for inserts that are wider than one.
    """

    store: Store
    _transaction: Any
    _ledger: Ledger
    _tables: Mapping[str, Any]

    def __enter__(self) -> Work:
        """Begin. The client's own `with` opens a connection to the query engine as well, where its driver is installed.

        That costs two requests, fails where there is no engine or where it has a certificate of the cluster's own, and nothing
        here asks it.
        """
        self._ledger.requests += 1
        with translate_errors(self.store.translate):
            answer = self.store.session.api.begin_transaction()
        self._transaction.txid = int(answer.headers["tabular-txid"])
        self._ledger.requests += 1  # its end
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self._commit()
            return
        # A rollback that fails changes nothing: the server rolls back what is never committed.
        with suppress(InspectorError), translate_errors(self.store.translate):
            self._transaction.__exit__(kind, error, trace)
        with translate_errors(self._translate):
            raise error

    def _commit(self) -> None:
        txid = self._transaction.txid
        try:
            with translate_errors(self._translate_commit):
                self._transaction.__exit__(None, None, None)
        except InspectorError:
            self._abandon(txid)
            raise

    def _translate(self, error: BaseException, ruling: Ruling) -> InspectorError:
        self._ledger.conflicts += ruling.code == CONFLICT
        return self.store.translate(error, ruling)

    def _translate_commit(self, error: BaseException, ruling: Ruling) -> InspectorError:
        answered = getattr(error, "status", None) is not None
        if answered and (ruling.code in _NOT_COMMITTED or ruling.error is not Transient):
            return self._translate(error, ruling)
        return CommitLost(f"{self.store.place}: no clear answer to the commit: {rulings.summarize(error)}")

    def _abandon(self, txid: int) -> None:
        """Roll the transaction back if it is still open: it would keep its rows locked, and could take effect later."""
        self._ledger.requests += 1
        with suppress(InspectorError):
            self.store.roll_back(txid)

    @property
    def txid(self) -> int:
        """The server's number of the transaction, while it is open."""
        return int(self._transaction.txid)

    def select(self, table: str, columns: Sequence[str], key: str, values: Sequence[str]) -> pa.Table:
        """The rows whose `key` is one of `values`, with these columns and `$row_id`."""
        from vastdb.config import QueryConfig

        self._ledger.requests += 1
        target, metadata = self._table(table), self._tables[table]
        rows = metadata.stats.num_rows if metadata.stats else 0
        config = QueryConfig(
            num_splits=1,
            num_sub_splits=max(1, min(_MAX_FIBRES, rows // _ROWS_PER_FIBRE)),
            data_endpoints=[self.store.endpoint],
        )
        column = target[key]
        predicate = column == values[0] if len(values) == 1 else column.isin(list(values))
        return target.select(list(columns), predicate, config, internal_row_id=True).read_all()

    def insert(self, tables: Mapping[str, pa.Table]) -> None:
        """Insert rows into several tables, in as few requests as their size allows, side by side; none for an empty table."""
        self.insert_batches({name: batches(rows) for name, rows in tables.items()})

    def insert_batches(self, rows: Mapping[str, Sequence[pa.RecordBatch]]) -> None:
        """The same of rows whose columns carry no metadata."""
        inserts = [(name, piece) for name, given in rows.items() for batch in given for piece in cut(batch)]
        self._ledger.requests += len(inserts)
        futures = [self.store.inserters.submit(self._table(name).insert, batch) for name, batch in inserts]
        wait(futures)  # all of them, so that none is still on its way when the transaction is rolled back
        for future in futures:
            future.result()

    def update(self, table: str, row_ids: Sequence[Any], columns: pa.Table) -> None:
        """Set these columns of the rows with these `$row_id`s."""
        self._ledger.requests += 1
        schema = pa.schema([_row_id_field(row_ids), *wire_schema(columns.schema)])
        self._table(table).update(pa.Table.from_arrays([_row_id_array(row_ids), *columns.columns], schema=schema))

    def delete(self, table: str, row_ids: Sequence[Any]) -> None:
        """Delete the rows with these `$row_id`s; none, no request."""
        if row_ids:
            self._ledger.requests += 1
            self._table(table).delete(pa.table([_row_id_array(row_ids)], schema=pa.schema([_row_id_field(row_ids)])))

    def load(self, table: str) -> Any | None:
        """The metadata of a table, with its `arrow_schema`; None where there is no such table. Two requests."""
        from vastdb import TableRef
        from vastdb.errors import Missing, NotFound

        self._ledger.requests += 2
        metadata = _shared_metadata()(TableRef(self.store.bucket, self.store.schema, table))
        try:
            with _expect_missing():
                metadata.load(self._transaction)
        except (NotFound, Missing):
            return None
        return metadata

    def load_all(self, tables: Iterable[str]) -> dict[str, Any]:
        """The metadata of these tables, without those that are not there; two requests each, side by side."""
        futures = {table: self.store.inserters.submit(self.load, table) for table in tables}
        wait(futures.values())
        loaded = {table: future.result() for table, future in futures.items()}
        return {table: metadata for table, metadata in loaded.items() if metadata is not None}

    def create(self, tables: Mapping[str, tuple[pa.Schema, VectorIndex | None]]) -> list[str]:
        """Create the schema and these tables where they are missing, with the vector index where the server offers one.

        The names of the tables that were made. One request, one for each of them, and two for the schema.
        """
        from vastdb import VectorIndexSpec

        api, txid, indexes = self.store.session.api, self._transaction.txid, self.store.session.features.vast_version >= (5, 5)
        names = self._list_tables()
        if names is None:
            self._ledger.requests += 1
            api.create_schema(self.store.bucket, self.store.schema, txid=txid)
        missing = [name for name in tables if name not in (names or ())]
        for name in missing:
            columns, index = tables[name]
            spec = VectorIndexSpec(index.column, index.metric) if index and indexes else None
            self._ledger.requests += 1
            api.create_table(self.store.bucket, self.store.schema, name, wire_schema(columns), txid=txid, vector_index=spec)
        return missing

    def metadata_of(self, table: str, columns: pa.Schema) -> Any:
        """What `load` answers about a table without a vector index that was made with these columns a moment ago; no request."""
        from vastdb import TableRef
        from vastdb.table_metadata import TableType

        return _shared_metadata()(TableRef(self.store.bucket, self.store.schema, table), wire_schema(columns), TableType.Regular)

    def names(self) -> list[str]:
        """The names of the schema's tables, sorted; none where there is no such schema. One request for each thousand."""
        return self._list_tables() or []

    def _list_tables(self) -> list[str] | None:
        """The names of the schema's tables, sorted; None where there is no such schema. Raises for a bucket that is not there."""
        from vastdb.errors import Missing, NotFound

        names: list[str] = []
        next_key, more = 0, True
        try:
            while more:
                self._ledger.requests += 1
                with _expect_missing():
                    answer = self.store.session.api.list_tables(
                        self.store.bucket, self.store.schema, txid=self._transaction.txid, next_key=next_key
                    )
                _, _, tables, next_key, more, _ = answer
                names += [table.name for table in tables]
        except (NotFound, Missing):
            self._ledger.requests += 1
            self._transaction.bucket(self.store.bucket)  # raises where it is the bucket that is missing
            return None
        return sorted(names)

    def scan(
        self,
        table: str,
        columns: Sequence[str],
        low: str = "",
        high: str | None = None,
        *,
        key: str = "file_id",
        row_ids: bool = False,
        answer_rows: int | None = None,
    ) -> pa.RecordBatchReader:
        """The rows with `low` <= key < `high` (all rows where both are empty), streamed: read it within the transaction.

        `answer_rows` is how many rows an answer holds at most, and so what is in memory at a time; unset, the client's 131,072.
        """
        from vastdb.config import QueryConfig

        self._ledger.requests += 1
        config = QueryConfig(num_splits=1, num_sub_splits=1, limit_rows_per_sub_split=answer_rows) if answer_rows else None
        target = self._table(table)
        predicate = target[key] >= low if low else None
        if high is not None:
            below = target[key] < high
            predicate = below if predicate is None else predicate & below
        return target.select(list(columns), predicate, config=config, internal_row_id=row_ids)

    def schema(self, table: str) -> pa.Schema:
        """The columns of a table, as its metadata have them; no request."""
        return self._tables[table].arrow_schema

    def add_columns(self, table: str, columns: pa.Schema) -> None:
        """Add nullable columns. Metadata that were loaded before do not know them."""
        self._ledger.requests += 1
        self._editable_table(table).add_column(wire_schema(columns))

    def drop_columns(self, table: str, columns: pa.Schema) -> None:
        """Drop columns with all their values."""
        self._ledger.requests += 1
        self._editable_table(table).drop_column(wire_schema(columns))

    def drop(self, table: str) -> None:
        """Drop a table with all its rows."""
        self._ledger.requests += 1
        self._editable_table(table).drop()

    def drop_schema(self) -> None:
        """Drop the schema with all its tables."""
        for table in self.names():
            self.drop(table)
        self._ledger.requests += 1
        self.store.session.api.drop_schema(self.store.bucket, self.store.schema, txid=self.txid)

    def _editable_table(self, table: str) -> Any:
        """A table that can be changed as such; four requests."""
        self._ledger.requests += 4
        return self._transaction.bucket(self.store.bucket).schema(self.store.schema).table(table)

    def _table(self, table: str) -> Any:
        return self._transaction.table_from_metadata(self._tables[table])


_expects_missing: ContextVar[bool] = ContextVar("_expects_missing", default=False)


@contextmanager
def _expect_missing() -> Iterator[None]:
    """In this block of this thread, the client does not warn of an answer that says that there is no such thing.

    It warns of every answer with an error status, also where the question was whether something is there.
    """
    logging.getLogger("vastdb.errors").addFilter(_is_unexpected)  # kept once, however often it is added
    token = _expects_missing.set(True)
    try:
        yield
    finally:
        _expects_missing.reset(token)


def _is_unexpected(record: logging.LogRecord) -> bool:
    """Whether a record of the client's is to be logged."""
    return not (_expects_missing.get() and isinstance(record.args, Mapping) and record.args.get("status") == 404)


@cache
def _shared_metadata() -> type[Any]:
    """Table metadata that all transactions share.

    The client copies the metadata for every table of every transaction, in depth, which takes longer than the statement. Nothing
    changes them once they are loaded.
    """
    from vastdb.table_metadata import TableMetadata

    class SharedMetadata(TableMetadata):  # type: ignore[misc]  # the client's class is untyped
        def __deepcopy__(self, memo: dict[int, Any]) -> SharedMetadata:
            return self

    return SharedMetadata


@dataclass(frozen=True, slots=True)
class translate_errors:  # noqa: N801 - used as a `with` statement, like contextlib.suppress
    """Raise the project's error for one of the client's, as `translate` makes it; errors of other kinds pass."""

    translate: Callable[[BaseException, Ruling], InspectorError]

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        ruling = rulings.ruling_of(error) if error is not None else None
        if error is not None and ruling is not None:
            raise self.translate(error, ruling) from error


def batches(rows: pa.Table) -> list[pa.RecordBatch]:
    """The rows of a table as they are sent."""
    whole = pa.Table.from_arrays(rows.columns, schema=wire_schema(rows.schema)).combine_chunks()
    return list(whole.to_batches())


def cut(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    """Rows in pieces that fit into one insert each."""
    if batch.get_total_buffer_size() < MAX_INSERT_BYTES // 2:
        return [batch]  # with schema and padding as well, which take several times as long to measure
    size = pa.ipc.get_record_batch_size(batch) + batch.schema.serialize().size
    if size <= MAX_INSERT_BYTES or batch.num_rows == 1:
        return [batch]
    pieces = -(-size // MAX_INSERT_BYTES)
    step = max(1, batch.num_rows // pieces)
    if step == batch.num_rows:
        step = (batch.num_rows + 1) // 2
    parts = [batch.slice(start, step) for start in range(0, batch.num_rows, step)]
    return [piece for part in parts for piece in cut(part)]


def _row_id_field(row_ids: Sequence[Any]) -> pa.Field:
    """`$row_id` is decimal128 in tables with a vector index, and uint64 in others."""
    return pa.field(ROW_ID, pa.decimal128(38, 0) if isinstance(row_ids[0], Decimal) else pa.uint64())


def _row_id_array(row_ids: Sequence[Any]) -> pa.Array:
    return pa.array(row_ids, type=_row_id_field(row_ids).type)
