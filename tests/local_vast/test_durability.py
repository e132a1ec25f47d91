"""What was committed survives: a restart, and a process killed under load."""

from __future__ import annotations

import collections
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
import vastdb
from vastdb import errors
from vastdb.config import BackoffConfig
from vastdb.session import Session
from vastdb.util import serialize_record_batch

from local_vast import LocalVast
from tabular_support import BUCKET, batch, connect, fill, make_table, read_committed, table

ROOT = Path(__file__).parents[2]
COLUMNS = pa.schema([("writer", pa.int64()), ("number", pa.int64()), ("row", pa.int64())])
ROWS = 5
WRITERS = 8
COMMITS = 60


@contextmanager
def process(data: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`python -m local_vast` over `data`, and its URL; killed at the end."""
    command = [sys.executable, "-m", "local_vast", "--data", str(data), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        try:
            yield server, server.stdout.readline().removeprefix("LOCAL_VAST_URL=").strip()
        finally:
            server.kill()
            server.stdout.close()


def session_of(url: str) -> Session:
    # Without the SDK's retries, which go on for a minute when the server is gone.
    return vastdb.connect(endpoint=url, access="local", secret="local-secret", backoff_config=BackoffConfig(max_tries=1))


def test_tables_survive_a_restart(tmp_path: Path) -> None:
    """Rows, schemas, properties of columns, objects and row ids go on where they stopped; open transactions do not."""
    with LocalVast(data=tmp_path) as server:
        session = connect(server)
        fill(session, (1, "a"), (2, "b"), sorting_key=["id"])
        txid = int(session.api.begin_transaction().headers["tabular-txid"])
        session.api.insert_rows(BUCKET, "s", "t", serialize_record_batch(batch((3, "open"))), txid)
    with LocalVast(data=tmp_path) as server:
        session = connect(server)
        assert read_committed(session) == [(1, "a"), (2, "b")]
        with session.transaction() as tx:
            assert [field.name for field in table(tx)._metadata.sorted_columns] == ["id"]
            assert [int(number) for number in table(tx).insert(batch((3, "c"))).to_pylist()] == [2]
    with LocalVast(data=tmp_path) as server:
        assert read_committed(connect(server)) == [(1, "a"), (2, "b"), (3, "c")]


def test_a_bucket_that_holds_schemas_is_there_after_a_restart(tmp_path: Path) -> None:
    """Also where it is not named again."""
    with LocalVast(data=tmp_path, buckets=("mine",)) as server, connect(server).transaction() as tx:
        tx.bucket("mine").create_schema("s")
    with LocalVast(data=tmp_path) as server, connect(server).transaction() as tx:
        assert [schema.name for schema in tx.bucket("mine").schemas()] == ["s"]


def test_a_reset_empties_a_directory_for_good(tmp_path: Path) -> None:
    """After a reset and a restart nothing is left of the tables."""
    with LocalVast(data=tmp_path) as server:
        fill(connect(server), (1, "a"))
        server.reset()
        assert server.store.physical_tables() == 0
    with LocalVast(data=tmp_path) as server, connect(server).transaction() as tx:
        assert tx.bucket(BUCKET).schemas() == []


class Load:
    """Eight writers and two readers against one endpoint, until it dies. What a writer was told is kept."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.committed: set[tuple[int, int]] = set()
        self.unknown: set[tuple[int, int]] = set()
        self.rolled_back: set[tuple[int, int]] = set()
        self.snapshots = 0
        self.torn: list[tuple[int, int]] = []
        self.enough = threading.Event()
        self._lock = threading.Lock()
        names = [(self._write, number) for number in range(WRITERS)] + [(self._read, number) for number in range(2)]
        self._threads = [threading.Thread(target=target, args=(number,), daemon=True) for target, number in names]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(60)

    def _write(self, writer: int) -> None:
        session = session_of(self.url)
        for number in range(10_000):
            outcome = self._attempt(session, writer, number)
            with self._lock:
                outcome.add((writer, number))
                if len(self.committed) >= COMMITS:
                    self.enough.set()
            if outcome is self.unknown:
                return

    def _attempt(self, session: Session, writer: int, number: int) -> set[tuple[int, int]]:
        """One transaction; every fifth is given up. Returns the set that its outcome belongs to."""
        data = batch(*((writer, number, row) for row in range(ROWS)), columns=COLUMNS)
        try:
            with session.transaction() as tx:
                table(tx).insert(data)
                if number % 5 == 4:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            return self.rolled_back
        except Exception:  # noqa: BLE001 - whatever the SDK or the driver makes of a dead server
            return self.unknown
        return self.committed

    def _read(self, _: int) -> None:
        session = session_of(self.url)
        while True:
            try:
                rows = read_committed(session)
            except Exception:  # noqa: BLE001 - whatever the SDK or the driver makes of a dead server
                return
            self.snapshots += 1
            counts = collections.Counter((writer, number) for writer, number, _ in rows)
            self.torn += [key for key, count in counts.items() if count != ROWS]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_kill_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    """Eight writers, readers beside them, kill -9 in the middle, restart: every committed row once, no uncommitted one.

    A transaction whose commit got no answer is there whole or not at all; no snapshot ever showed a part of one.
    """
    with process(tmp_path) as (server, url):
        with session_of(url).transaction() as tx:
            make_table(tx, COLUMNS)
        with Load(url) as load:
            assert load.enough.wait(120)
            server.send_signal(signal.SIGKILL)
            server.wait()
    with process(tmp_path) as (_, url):
        rows = read_committed(session_of(url), internal_row_id=True)
    transactions = collections.Counter(row[:2] for row in rows)
    assert load.snapshots > 0
    assert load.torn == []
    assert len(set(rows)) == len({row[3] for row in rows}) == len(rows)
    assert set(transactions.values()) == {ROWS}
    assert load.committed <= set(transactions) <= load.committed | load.unknown
    assert not load.rolled_back & set(transactions)


def test_the_process_stops_on_a_signal(tmp_path: Path) -> None:
    """SIGTERM ends it in order: exit status 0, and the port is closed."""
    with process(tmp_path) as (server, url):
        session = session_of(url)
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
        with pytest.raises(errors.ConnectionError):
            session.api.begin_transaction()
