"""The store: one DuckDB database with its catalogue, transactions and rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.types as pt

from .catalogue import DDL, TOUCH, Catalogue, TableEntry, open_catalogue
from .database import DuckDatabase
from .rows import RowStore
from .transactions import OpenTransaction, Transactions

FILE_NAME = "local_vast.duckdb"
# What a value of variable size is counted as in the size estimate.
_VARIABLE_BITS = 256


class TableStore:
    """Open on construction, in memory or in `directory`; `close` releases the file.

    `idle_seconds` is how long a transaction may be left alone, by `clock`, before it expires; None never.
    """

    def __init__(
        self,
        has_bucket: Callable[[str], bool],
        directory: Path | None = None,
        *,
        cell_limit: int,
        keep_zones: bool = True,
        idle_seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if directory:
            directory.mkdir(parents=True, exist_ok=True)
        self._root = DuckDatabase(directory / FILE_NAME if directory else None)
        open_catalogue(self._root)
        self.transactions = Transactions(self._root, idle_seconds, TOUCH, clock)
        self.catalogue = Catalogue(self._root, self.transactions, has_bucket)
        self.rows = RowStore(self.transactions, cell_limit, keep_zones)

    @contextmanager
    def transaction(self, txid: int) -> Iterator[OpenTransaction]:
        """The open transaction `txid`, locked for one request; 0 is a transaction of its own, committed at the end."""
        tx = self.transactions.get(txid) if txid else self.transactions.begin()
        with tx.lock:
            # The transaction may have ended while this request waited for the lock.
            self.transactions.get(tx.id)
            try:
                yield tx
            except BaseException:
                if not txid:
                    self.transactions.rollback(tx.id)
                raise
            finally:
                self.transactions.touch(tx)
            if not txid:
                self.transactions.commit(tx.id)

    def stats(self, tx: OpenTransaction, table: TableEntry) -> tuple[int, int]:
        """Rows, and an estimate of their bytes from the column types."""
        rows = tx.rows(f"SELECT count(*) FROM {table.physical}")[0][0]
        bits = sum(column.type.bit_width if pt.is_primitive(column.type) else _VARIABLE_BITS for column in table.columns)
        return rows, rows * bits // 8

    def physical_tables(self) -> int:
        """How many physical tables there are, those included that wait to be removed."""
        return int(self._root.execute("SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'rows'").fetchall()[0][0])

    def clear(self) -> None:
        """Roll back everything that is open and remove every schema and table."""
        self.transactions.close()
        self._root.execute("DROP SCHEMA rows CASCADE; DROP SCHEMA catalogue CASCADE")
        self._root.execute(DDL)
        self.transactions.forget_names()

    def close(self) -> None:
        """Roll back what is open and close the database."""
        self.transactions.close()
        self._root.close()
