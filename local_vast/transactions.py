"""Open transactions: one DuckDB connection each, snapshot isolation, and first-writer-wins conflicts on rows and names.

DuckDB detects some write-write conflicts by itself, but not an update against a delete of the same row or updates of two
columns of one row, and it aborts the whole transaction when it does. So what each transaction writes is recorded here and
checked before DuckDB is asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import duckdb

from .database import DuckDatabase
from .errors import conflict, disk_full, first_line, is_disk_full, not_found

Domain = Hashable
Writes = dict[Domain, set[Hashable]]
Names = dict[Hashable, Any]
T = TypeVar("T")


@dataclass(eq=False, slots=True)
class OpenTransaction:
    """An open transaction. `lock` serialises its requests.

    `names` holds what was looked up in the catalogue; transactions whose snapshots have the same catalogue share it. `broken`
    says why the transaction can only be rolled back, `dropped` are tables to remove once it has committed, and `inserted` has, by
    table, the row ids of its own rows, which nobody else can write.
    """

    id: int
    connection: duckdb.DuckDBPyConnection
    started: int
    last_used: float
    names: Names
    lock: threading.RLock = field(default_factory=threading.RLock)
    writes: Writes = field(default_factory=dict)
    has_changed_names: bool = False
    dropped: set[int] = field(default_factory=set)
    inserted: dict[int, list[range]] = field(default_factory=dict)
    broken: str = ""

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a statement in this transaction and fetch everything; a conflict found by DuckDB becomes 409."""

        def fetch() -> list[tuple[Any, ...]]:
            return self.connection.execute(sql, parameters or []).fetchall()

        return self._run(fetch)

    def run(self, sql: str, parameters: list[Any] | None = None) -> None:
        """Run a statement for its effect."""
        self.rows(sql, parameters)

    def check_usable(self) -> None:
        """409 after a statement has failed."""
        if self.broken:
            raise conflict(f"the transaction can only be rolled back, since an earlier statement failed: {self.broken}")

    def leave_shared_names(self) -> None:
        """Look names up anew, and for this transaction alone: it has changed the catalogue."""
        self.names = {}
        self.has_changed_names = True

    def arrow(self, sql: str, sources: Mapping[str, Any] | None = None) -> Any:
        """Run a query, which may read the Arrow tables `sources` by name; the result is a `pyarrow.Table`."""

        def query() -> Any:
            with self._register(sources or {}):
                return self.connection.sql(sql).to_arrow_table()

        return self._run(query)

    def load(self, sql: str, source: Any) -> None:
        """Run a statement that reads the Arrow table `source` under the name `source`."""

        def insert() -> None:
            with self._register({"source": source}):
                self.connection.execute(sql).fetchall()

        self._run(insert)

    @contextmanager
    def _register(self, sources: Mapping[str, Any]) -> Iterator[None]:
        for name, source in sources.items():
            self.connection.register(name, source)
        yield
        # Not after an error: the transaction is aborted then, and its connection refuses everything but a rollback.
        for name in sources:
            self.connection.unregister(name)

    def _run(self, work: Callable[[], T]) -> T:
        self.check_usable()
        try:
            return work()
        except duckdb.Error as error:
            # DuckDB aborts the transaction on any error.
            self.broken = first_line(error)
            if is_disk_full(error):
                raise disk_full(self.broken) from error
            if isinstance(error, duckdb.TransactionException):
                raise conflict(f"write-write conflict: {self.broken}") from error
            raise


class Transactions:
    """The open transactions of one store."""

    def __init__(
        self, root: DuckDatabase, idle_seconds: float | None, touch: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._root = root
        self._idle = idle_seconds
        self._touch = touch
        self._clock = clock
        self._lock = threading.RLock()
        self._recovering = threading.Lock()
        self._open: dict[int, OpenTransaction] = {}
        self._committed: list[tuple[int, Writes]] = []
        self._garbage: list[tuple[int, set[int]]] = []
        self._sequence = 0
        self._next_id = time.time_ns() // 1000
        # Of the committed catalogue; replaced, never emptied, when that changes: open snapshots keep the one they began with.
        self._names: Names = {}

    def begin(self) -> OpenTransaction:
        """Open a transaction; its snapshot is the state of this moment."""
        try:
            return self._begin()
        except duckdb.FatalException:
            self._recover()
            return self._begin()

    def _begin(self) -> OpenTransaction:
        with self._lock:
            self._expire_idle()
            connection = self._root.cursor()
            connection.execute("BEGIN")
            # DuckDB takes the snapshot at the first access, not at BEGIN.
            connection.execute(self._touch).fetchall()
            self._next_id += 1
            transaction = OpenTransaction(self._next_id, connection, self._sequence, self._clock(), self._names)
            self._open[transaction.id] = transaction
            return transaction

    def _recover(self) -> None:
        """Open a database again that refuses everything. What was committed is there; open transactions are gone."""
        with self._recovering:
            if self._root.is_usable():
                return
            with self._lock:
                lost = list(self._open.values())
                self._open.clear()
                self._committed.clear()
                self._names = {}
            # Not below the registry's lock, which a request that holds its transaction's lock may be waiting for.
            for transaction in lost:
                with transaction.lock:
                    transaction.connection.close()
            with self._lock:
                self._root.reopen()

    def get(self, txid: int) -> OpenTransaction:
        """The open transaction `txid`; 404 when it ended, expired or never was."""
        with self._lock:
            self._expire_idle()
            transaction = self._open.get(txid)
            if transaction is None:
                raise not_found("Transaction", str(txid))
            self.touch(transaction)
            return transaction

    def touch(self, transaction: OpenTransaction) -> None:
        """Count the time for which the transaction is idle from now."""
        transaction.last_used = self._clock()

    def commit(self, txid: int) -> None:
        """Make the writes durable and visible to transactions that begin from now on."""
        transaction = self.get(txid)
        with transaction.lock:
            if transaction.broken:
                self.rollback(txid)
                raise conflict(f"the transaction was rolled back, since an earlier statement failed: {transaction.broken}")
            self._commit(transaction)

    def _commit(self, transaction: OpenTransaction) -> None:
        with self._lock:
            try:
                transaction.connection.execute("COMMIT")
            except duckdb.FatalException:
                # Nobody can say whether it is durable.
                self._names = {}
                self._close(transaction)
                raise
            except duckdb.Error as error:
                # The failed commit has rolled back.
                self._close(transaction)
                refuse = disk_full if is_disk_full(error) else conflict
                raise refuse(f"commit failed: {first_line(error)}") from error
            self._sequence += 1
            if transaction.has_changed_names:
                self._names = {}
            if transaction.writes:
                self._committed.append((self._sequence, transaction.writes))
            if transaction.dropped:
                self._garbage.append((self._sequence, transaction.dropped))
            self._close(transaction)
            self._root.fold_log()

    def rollback(self, txid: int) -> None:
        """Undo the transaction."""
        transaction = self.get(txid)
        with transaction.lock, self._lock:
            self._close(transaction)

    def expire(self, txid: int) -> None:
        """Undo the transaction as the idle timeout would; unknown ids are ignored."""
        if txid in self._open:
            self.rollback(txid)

    def _close(self, transaction: OpenTransaction) -> None:
        """Forget the transaction; what it has not committed is rolled back with its connection."""
        self._open.pop(transaction.id, None)
        transaction.connection.close()
        oldest = min((other.started for other in self._open.values()), default=self._sequence)
        self._committed = [entry for entry in self._committed if entry[0] > oldest]
        self._collect(oldest)

    def _collect(self, oldest: int) -> None:
        """Drop the physical tables that no open snapshot can see any more."""
        ready = [entry for entry in self._garbage if entry[0] <= oldest]
        if ready and not self._open:
            try:
                for table in sorted(set().union(*(tables for _, tables in ready))):
                    self._root.execute(f"DROP TABLE IF EXISTS rows.t{table}")
            except duckdb.Error:
                # The transaction that ends here is not to blame, for a full disk for instance: the next one tries again.
                return
            self._garbage = [entry for entry in self._garbage if entry[0] > oldest]

    def _expire_idle(self) -> None:
        if self._idle is None:
            return
        limit = self._clock() - self._idle
        for transaction in [other for other in self._open.values() if other.last_used < limit]:
            # A request that is running right now holds the lock: the transaction is not idle.
            if transaction.lock.acquire(blocking=False):
                try:
                    self._close(transaction)
                finally:
                    transaction.lock.release()

    def claim(self, transaction: OpenTransaction, domain: Domain, keys: Iterable[Hashable]) -> None:
        """Record that `transaction` writes `keys`; 409 when another one did, open or committed after this one's snapshot."""
        wanted = set(keys)
        with self._lock:
            others = [other.writes for other in self._open.values() if other is not transaction]
            others += [writes for sequence, writes in self._committed if sequence > transaction.started]
            for writes in others:
                taken = writes.get(domain)
                if taken and not wanted.isdisjoint(taken):
                    clash = next(iter(wanted & taken))
                    raise conflict(f"{domain}: {clash} was written by a concurrent transaction; roll back and try again")
            transaction.writes.setdefault(domain, set()).update(wanted)

    def forget_names(self) -> None:
        """Look names up anew in transactions that begin from now on: the catalogue was changed outside of every transaction."""
        with self._lock:
            self._names = {}

    def close(self) -> None:
        """Undo everything that is open."""
        with self._lock:
            for transaction in list(self._open.values()):
                transaction.connection.close()
            self._open.clear()

    def __len__(self) -> int:
        return len(self._open)
