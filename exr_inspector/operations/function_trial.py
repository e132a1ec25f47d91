"""Tries the function end to end: sends events about sample renders, and compares the rows that come of them."""

from __future__ import annotations

import json
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import main
from exr_inspector.database.session import Ledger, Store
from exr_inspector.database.tables import ensure_tables
from exr_inspector.errors import BadSettings, Reject, Retry
from exr_inspector.function import objects
from exr_inspector.function.job import STATE, make_runtime
from exr_inspector.operations import samples
from exr_inspector.operations.transactions import retry
from exr_inspector.settings import Settings
from vast_schemas import CHILD_TABLES

TIMEOUT = 60.0
_BUSY = (429, 503)
"""Answers of a host that is starting, or has as many events as it takes."""
Send = Callable[[dict[str, Any]], None]


class NotDelivered(Reject):
    """The host did not take an event."""

    code = "not_delivered"


@dataclass(frozen=True, slots=True)
class SampleEvent:
    """A sample render's address, and the event about it."""

    path: str
    event: dict[str, Any]


@contextmanager
def sample_events(count: int, bucket: str | None, settings: Settings) -> Iterator[list[SampleEvent]]:
    """Events about sample renders, on disk or in a bucket; the renders are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="exr-inspector-") as folder:
        files = [Path(folder) / f"test_function_v001.{1001 + at}.exr" for at in range(count)]
        for at, file in enumerate(files):
            samples.beauty(file, frame=1001 + at)
        if bucket is None:
            yield [SampleEvent(str(file), {"data": {"path": str(file)}}) for file in files]
            return
        with _upload(files, bucket, settings) as keys:
            yield [SampleEvent(f"s3://{bucket}/{key}", {"data": {"s3_bucket": bucket, "s3_key": key}}) for key in keys]


@contextmanager
def _upload(files: Sequence[Path], bucket: str, settings: Settings) -> Iterator[list[str]]:
    """The keys of these files in the bucket, below a prefix of their own."""
    prefix = f"exr-inspector-test/{uuid.uuid4()}"
    client = objects.s3_client(settings)
    keys = [f"{prefix}/{file.name}" for file in files]
    try:
        for key, file in zip(keys, files, strict=True):
            with _translate_errors(bucket):
                client.upload_file(str(file), bucket, key)
        yield keys
    finally:
        for key in keys:
            with _translate_errors(bucket):
                client.delete_object(Bucket=bucket, Key=key)


@contextmanager
def _translate_errors(bucket: str) -> Iterator[None]:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise objects.as_inspector_error(error, f"s3://{bucket}") from error
    except Boto3Error as error:
        raise BadSettings(f"s3://{bucket}: {error}", remedy="Check --bucket and S3_ENDPOINT") from error


def handler_here(settings: Settings) -> Send:
    """The handler in this process, allowed to read where the samples are."""
    ctx = SimpleNamespace()
    roots = (*settings.local_roots, Path(tempfile.gettempdir()))
    values = {name: getattr(replace(settings, local_roots=roots, log_level="CRITICAL"), name) for name in settings.__slots__}
    setattr(ctx, STATE, make_runtime(ctx, **values))

    def send(event: dict[str, Any]) -> None:
        answer = main.handler(ctx, event)  # type: ignore[no-untyped-call]
        if answer["errors"]:
            message = answer["errors"][0]["message"]
            raise NotDelivered(f"the handler answered: {message}", remedy="Try exr-inspector doctor with the file")

    return send


def host_at(url: str) -> Send:
    """A function host, which gets a CloudEvent in binary mode, of the kind that the platform gives to an invocation by hand."""
    if not url.startswith(("http://", "https://")):
        raise BadSettings(f"--url {url!r} is not an address", remedy="Write it like http://127.0.0.1:8080")

    def send(event: dict[str, Any]) -> None:
        headers = {
            "Content-Type": "application/json",
            "ce-id": str(uuid.uuid4()),
            "ce-source": "vastdata.com:test_function",
            "ce-type": "vastdata.com:Manual",
            "ce-subject": "exr-inspector.test_function",
            "ce-specversion": "1.0",
        }
        body = json.dumps(event["data"]).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=TIMEOUT) as answer:  # noqa: S310 - checked above
                answer.read()
        except urllib.error.HTTPError as error:
            kind = Retry if error.code in _BUSY else NotDelivered
            raise kind(f"{url} answered {error.code}", remedy="Look into the host's log for the event") from error
        except OSError as error:
            raise Retry(f"{url} cannot be reached: {error}", remedy="Start the host, or check --url") from error

    return send


def read_back(store: Store, paths: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What is stored of each path: its current row, with the number of its rows in each other table."""
    return retry(_read_rows, store, paths)


def _read_rows(store: Store, paths: Sequence[str]) -> dict[str, dict[str, Any]]:
    loaded = ensure_tables(store, Ledger())
    columns = ("file_id", "file_path_normalized", "is_current", "status", "inspector_version", "channel_count", "multipart_count")
    with store.transaction(Ledger(), loaded) as work:
        rows = work.select("files", columns, "file_path_normalized", paths).to_pylist()
        current = {row["file_path_normalized"]: row for row in rows if row["is_current"]}
        ids = [row["file_id"] for row in current.values()]
        for table in CHILD_TABLES if ids else ():
            owners = work.select(table, ["file_id"], "file_id", ids)["file_id"].to_pylist()
            for row in current.values():
                row[table] = owners.count(row["file_id"])
    return current


def problems(path: str, row: dict[str, Any] | None, version: str) -> Iterator[str]:
    """How a file's rows differ from what was sent."""
    if row is None:
        yield f"{path}: nothing is stored; the function stores elsewhere, or the event did not reach it"
        return
    if row["inspector_version"] != version:
        yield f"{path}: made by version {row['inspector_version']}, expected {version}; deploy that one"
    if row["status"] != "ok":
        yield f"{path}: status {row['status']}, expected ok"
    if (row["channels"], row["parts"]) != (row["channel_count"], row["multipart_count"]) or not row["attributes"]:
        yield f"{path}: {row['parts']} parts, {row['channels']} channels and {row['attributes']} attributes are stored"
