"""A small VAST on loopback for demonstrations and tests: object store, database, trigger, and the function behind its host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, cast

import boto3
import vastdb
from botocore.config import Config

import main
from exr_inspector.function.host import FunctionHost
from exr_inspector.payload.document import normalize_path
from local_vast import LocalVast
from local_vast.trigger import ElementTrigger

BUCKET, DATABASE, SCHEMA = "shows", "renders", "exr"
SECONDS = 60
RETRY_WAITS = (0.05, 0.1, 0.2)
"""Seconds before each further delivery; VAST waits about 2, 4 and 8."""

Row = dict[str, Any]


@dataclass
class Cloud:
    """A small VAST on loopback: the endpoint, its trigger, the function, and a client of the object store."""

    server: LocalVast
    trigger: ElementTrigger
    host: FunctionHost
    s3: Any

    def settle(self) -> None:
        """Wait until every event is delivered or dead."""
        if not self.trigger.drain(SECONDS):
            raise TimeoutError(f"events are still under way after {SECONDS} seconds")

    def put(self, key: str, data: bytes) -> None:
        """Upload an object and wait for what comes of it."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=data)
        self.settle()

    def delete(self, key: str) -> None:
        """Delete an object and wait for what comes of it."""
        self.s3.delete_object(Bucket=BUCKET, Key=key)
        self.settle()

    def rows(self, table: str = "files") -> list[Row]:
        """All rows of a table, through the SDK."""
        session = vastdb.connect(endpoint=self.server.url, access=self.server.access_key, secret=self.server.secret_key)
        with session.transaction() as tx:
            rows: list[Row] = tx.bucket(DATABASE).schema(SCHEMA).table(table).select().read_all().to_pylist()
        return rows

    def of(self, key: str) -> list[Row]:
        """The rows of one object in `files`, the current one first."""
        path = normalize_path(f"s3://{BUCKET}/{key}")
        rows = [row for row in self.rows() if row["file_path_normalized"] == path]
        return sorted(rows, key=itemgetter("is_current"), reverse=True)


@contextmanager
def local_cloud() -> Iterator[Cloud]:
    """Start everything on free ports, with data in memory; stop it at the end of the block.

    Each event goes to the function, whatever the key's suffix, so that what is not ours is seen to be skipped.
    """
    with LocalVast(buckets=(BUCKET, DATABASE), trigger_url="http://127.0.0.1/", trigger_suffix="") as server:
        trigger = cast(ElementTrigger, server.trigger)
        with FunctionHost(main.handler, main.init, secrets={"exr-inspector": secret_of(server)}) as host:
            trigger.url, trigger.waits = host.url, RETRY_WAITS
            host.wait_until_ready(SECONDS)
            yield Cloud(server, trigger, host, client(server))


def secret_of(server: LocalVast) -> dict[str, str]:
    """Endpoints and keys, as a secret of the platform holds them."""
    keys = {"endpoint": server.url, "accesskey": server.access_key, "secretkey": server.secret_key}
    places = {"vdbbucket": DATABASE, "vdbschema": SCHEMA}
    return {f"{service}{key}": value for service in ("s3", "vdb") for key, value in keys.items()} | places


def client(server: LocalVast) -> Any:
    """An S3 client such as a render farm has."""
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=16),
    )
