"""What the tests of the tabular protocol share: sessions, small tables, and requests that the SDK would not send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import requests
import vastdb
from aws_requests_auth.aws_auth import AWSRequestsAuth
from vastdb.config import BackoffConfig
from vastdb.session import Session
from vastdb.table import Table
from vastdb.transaction import Transaction

from local_vast import LocalVast

BUCKET = "exr"
ROW_ID = "$row_id"
COLUMNS = pa.schema([("id", pa.int64()), ("name", pa.string())])


def connect(server: LocalVast, **options: Any) -> Session:
    """An SDK session; its retries do not wait."""
    options = {"access": server.access_key, "secret": server.secret_key} | options
    return vastdb.connect(endpoint=server.url, backoff_config=BackoffConfig(max_tries=3, max_value=0.01), **options)


def vector(size: int) -> pa.FixedSizeListType:
    """The type of a vector column."""
    return pa.list_(pa.field("item", pa.float32(), nullable=False), size)


def make_table(tx: Transaction, columns: pa.Schema = COLUMNS, name: str = "t", **options: Any) -> Table:
    """A new table in schema `s`."""
    schema = tx.bucket(BUCKET).create_schema("s", fail_if_exists=False)
    return schema.create_table(name, columns, **options)


def table(tx: Transaction, name: str = "t") -> Table:
    """The table of schema `s`."""
    stored = tx.bucket(BUCKET).schema("s").table(name)
    assert stored is not None
    return stored


def fill(session: Session, *rows: tuple[Any, ...], columns: pa.Schema = COLUMNS, **options: Any) -> None:
    """Commit a new table `s.t` with these rows."""
    with session.transaction() as tx:
        make_table(tx, columns, **options).insert(batch(*rows, columns=columns))


def batch(*rows: tuple[Any, ...], columns: pa.Schema = COLUMNS) -> pa.RecordBatch:
    """A record batch of rows given as tuples."""
    values = list(zip(*rows, strict=True)) if rows else [[] for _ in columns]
    return pa.record_batch([pa.array(column, field.type) for column, field in zip(values, columns, strict=True)], schema=columns)


def rows(source: Table, **options: Any) -> list[tuple[Any, ...]]:
    """What a select answers, as tuples."""
    return [tuple(row.values()) for row in source.select(**options).read_all().to_pylist()]


def read_committed(session: Session, name: str = "t", **options: Any) -> list[tuple[Any, ...]]:
    """What a new transaction sees of the table."""
    with session.transaction() as tx:
        return rows(table(tx, name), **options)


@contextmanager
def raw(server: LocalVast, secret: str | None = None) -> Iterator[Any]:
    """`call(method, path_and_query, headers, body)` for signed requests that the SDK has no function for."""
    host = server.url.removeprefix("http://")
    auth = AWSRequestsAuth(server.access_key, secret or server.secret_key, host, "", "s3")
    with requests.Session() as http:

        def call(method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> requests.Response:
            return http.request(method, server.url + target, headers=headers, data=body, auth=auth, timeout=20)

        yield call
