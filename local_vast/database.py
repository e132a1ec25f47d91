"""The DuckDB database behind the store: when its write-ahead log is folded in, and how it is opened again.

DuckDB folds the log into the file at a commit that makes the log long. Where the disk is full, that makes the whole database
unusable, after the commit was made. So DuckDB is told never to, and it is done here, after the answer is certain and where the
disk has room. Should it fail all the same, the file and the log are intact: the database is opened again.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import duckdb

# The length of the log, in bytes, from which it is folded into the file; DuckDB's own default.
LOG_LIMIT = 16 * 1024 * 1024
# Folding rewrites what was changed, and the log stays until that is done.
_ROOM = 64 * 1024 * 1024
_CONFIG: dict[str, str | bool | int | float | list[str]] = {"wal_autocheckpoint": "1TB"}
_SETTINGS = (
    # SQL from clients must not read files.
    "enable_external_access = false",
    # DuckDB 2.0.0 takes `struct_extract(s, 'x') IN (1, 2)` for true where x is NULL and its other values are 1 and 2.
    "disabled_optimizers = 'statistics_propagation'",
)


class DuckDatabase:
    """Open on construction, at `path` or, where that is None, in memory."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._due = LOG_LIMIT
        self._root = self._open()

    def _open(self) -> duckdb.DuckDBPyConnection:
        root = duckdb.connect(str(self._path or ":memory:"), config=_CONFIG)
        for setting in _SETTINGS:
            root.execute(f"SET GLOBAL {setting}")
        return root

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own."""
        return self._root.cursor()

    def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        """Run a statement outside of every transaction."""
        return self._root.execute(sql)

    def fold_log(self) -> None:
        """Fold a long log into the file, where the disk has room for both. What fails here fails no request."""
        size = self._log_size()
        if self._path is None or size < self._due or shutil.disk_usage(self._path.parent).free < 2 * size + _ROOM:
            return
        # Another transaction may be in the way; after a fatal error the next transaction opens the database again.
        with suppress(duckdb.TransactionException, duckdb.FatalException):
            self._root.execute("CHECKPOINT").fetchall()
        self._due = self._log_size() + LOG_LIMIT

    def _log_size(self) -> int:
        log = Path(f"{self._path}.wal")
        return log.stat().st_size if self._path and log.exists() else 0

    def is_usable(self) -> bool:
        """False once a fatal error has made DuckDB refuse everything."""
        try:
            self._root.execute("SELECT 1").fetchall()
        except duckdb.FatalException:
            return False
        return True

    def reopen(self) -> None:
        """Open the file again; every other connection must be closed. A database in memory would be lost, and is left alone."""
        if self._path is not None:
            self._root.close()
            self._root = self._open()

    def close(self) -> None:
        """Close the file."""
        self._root.close()
