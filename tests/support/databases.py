"""A running endpoint for the tests of persistence, and plain reads of what is stored in it."""

from __future__ import annotations

import atexit
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import vastdb

import vast_db_persistence as persistence
from exr_inspector.database import upsert
from exr_inspector.settings import Settings
from local_vast import LocalVast
from local_vast.catalogue import ROW_ID
from local_vast.transactions import OpenTransaction
from sample_payloads import bytes_named, payload
from vast_schemas import CHILD_TABLES, TABLES
from waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "renders"
Row = dict[str, Any]


@dataclass
class Database:
    """An endpoint, and settings for one schema in it."""

    server: LocalVast
    settings: Settings

    def at(self, schema: str) -> Database:
        """The same endpoint with another schema."""
        return Database(self.server, replace(self.settings, db_schema=schema))

    def store(self, **settings: Any) -> persistence.Store:
        """A store of its own session, as another container has one, with some settings of its own."""
        return persistence.open_store(replace(self.settings, **settings))

    def warm(self, **settings: Any) -> persistence.Store:
        """A store that has loaded the tables, and stored one file."""
        store = self.store(**settings)
        persistence.persist_to_vast_database(payload("/warm.exr"), session=store)
        return store

    def session(self) -> Any:
        """A plain session of the SDK."""
        given = self.settings
        return vastdb.connect(endpoint=given.db_endpoint, access=given.db_access_key, secret=given.db_secret_key)

    def rows(self, table: str, names: Sequence[str] = ()) -> list[Row]:
        """All rows of a table, with the columns of these names, `$row_id` among them, or with all declared ones."""
        with self.server.store.transaction(0) as tx:
            return self._rows(tx, table, names)

    def table_names(self) -> list[str]:
        """The tables of the schema."""
        catalogue = self.server.store.catalogue
        with self.server.store.transaction(0) as tx:
            return [table.name for table in catalogue.tables(tx, catalogue.schema(tx, BUCKET, self.settings.db_schema))]

    def contents(self) -> dict[str, list[Row]]:
        """All rows of all tables, as one transaction sees them."""
        with self.server.store.transaction(0) as tx:
            return {table: self._rows(tx, table) for table in TABLES}

    def _rows(self, tx: OpenTransaction, table: str, names: Sequence[str] = ()) -> list[Row]:
        """Straight from the endpoint's store: read through the client, they cost a test more than what it tests."""
        entry = self.server.store.catalogue.table(tx, BUCKET, self.settings.db_schema, table)
        names = names or entry.columns.names
        columns = [f'"{ROW_ID}"' if name == ROW_ID else entry.physical_column(name) for name in names]
        stored = tx.arrow(f'SELECT {", ".join(columns)} FROM {entry.physical} ORDER BY "{ROW_ID}"')
        values = [_values(column.combine_chunks()) for column in stored.columns]
        return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]

    def current(self, path: str) -> Row:
        """The one current row of a path."""
        (row,) = (row for row in self.rows("files") if row["is_current"] and row["file_path_normalized"] == path)
        return row

    def commands(self) -> list[str]:
        """The requests served since they were last cleared, as `METHOD command table`."""
        return [f"{r.method} {r.command} {r.path.rpartition('/')[2]}".rstrip() for r in self.server.requests]


def _values(column: pa.Array) -> list[Any]:
    """As `to_pylist`, which makes an object of each number of a vector on the way."""
    if not pa.types.is_fixed_size_list(column.type):
        return column.to_pylist()
    vectors = iter(column.flatten().to_numpy().reshape(-1, column.type.list_size).tolist())
    return [next(vectors) if is_there else None for is_there in column.is_valid().to_pylist()]


@contextmanager
def database(version: str = "5.5.0.0", schema: str = "exr", **options: Any) -> Iterator[Database]:
    """A fresh endpoint, and a process without the query engine's driver, as the image is."""
    with pytest.MonkeyPatch.context() as patch, LocalVast(buckets=(BUCKET,), version=version, **options) as server:
        patch.setitem(sys.modules, "adbc_driver_vastdb", None)
        yield Database(server, settings_for(server.url, server.access_key, server.secret_key, schema))


@contextmanager
def filled(fill: Callable[[Database], object], **options: Any) -> Iterator[Database]:
    """A fresh endpoint that holds what `fill` brings about; it is called once, and each endpoint gets a copy of the data."""
    with tempfile.TemporaryDirectory() as folder:
        data = shutil.copytree(_filled_data(fill), Path(folder, "data"))
        with database(data=data, **options) as running:
            yield running


@cache
def _filled_data(fill: Callable[[Database], object]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="filled-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with database(data=folder) as running:
        fill(running)
    return folder


def kill_at_request(db: Database, script: str, nth: int) -> None:
    """Run a script that prints a line and waits for one; then kill its process while the server waits with its n-th request."""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        assert child.stdout.readline()
        db.server.clear_requests()
        db.server.faults.add(f"latency=1500@any+{nth - 1}")
        child.stdin.write(b"\n")
        child.stdin.flush()
        wait_until(lambda: len(db.server.requests) >= nth)
        child.send_signal(signal.SIGKILL)


@contextmanager
def prepared(**options: Any) -> Iterator[Database]:
    """A fresh endpoint with its tables made, and short waits between attempts."""
    with filled(Database.warm, **options) as running, pytest.MonkeyPatch.context() as patch:
        patch.setattr(upsert, "_LONGEST_WAIT", 0.01)
        yield running


def settings_for(url: str, access: str, secret: str, schema: str = "exr", **more: Any) -> Settings:
    """Settings for an endpoint and a schema."""
    return Settings(db_endpoint=url, db_access_key=access, db_secret_key=secret, db_bucket=BUCKET, db_schema=schema, **more)


def assert_sound(contents: dict[str, list[Row]]) -> None:
    """What holds in every state that a reader may see.

    One current row per path, one row per file_id, and in the other tables exactly the rows of the file's own inspection.
    """
    files = contents["files"]
    assert Counter(row["file_path_normalized"] for row in files if row["is_current"]) == Counter(
        {row["file_path_normalized"] for row in files}
    )
    assert max(Counter(row["file_id"] for row in files).values(), default=1) == 1
    owners = {(row["file_id"], row["inspection_id"]) for row in files}
    for table in CHILD_TABLES:
        assert {(row["file_id"], row["inspection_id"]) for row in contents[table]} <= owners, table
    channels = Counter(row["file_id"] for row in contents["channels"])
    assert {row["file_id"]: row["channel_count"] for row in files if row["channel_count"]} == dict(channels)


def measurements(contents: dict[str, list[Row]], path: str | None = None) -> set[tuple[str, str | None, str]]:
    """(table, policy, bytes) of what was measured of a path's versions, or of all; each is of the bytes of its row in `files`.

    For payloads of `sample_payloads.measured`.
    """
    owners = {(row["file_id"], row["inspection_id"]): row for row in contents["files"]}
    sections = set()
    for table, column in (("pixel_stats", "sample_hash"), ("validation_results", "message")):
        for row in contents[table]:
            owner = owners[row["file_id"], row["inspection_id"]]
            assert row[column] == bytes_named(owner), (table, owner["file_path"])
            if path in (None, owner["file_path"]):
                sections.add((table, row.get("policy_id"), row[column]))
    return sections


def without_audit(contents: dict[str, list[Row]]) -> dict[str, list[str]]:
    """The contents without what differs between two runs of the same events: ids of inspections, times of inspection, counts."""
    audit = {"inspection_id", "last_inspection_id", "first_seen", "last_inspected", "inspection_count"}
    # As text, because NaN does not equal itself.
    return {
        table: sorted(repr({name: value for name, value in row.items() if name not in audit}) for row in rows)
        for table, rows in contents.items()
    }
