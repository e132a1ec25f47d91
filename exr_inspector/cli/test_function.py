"""Try the function end to end: sample renders go in as events, and the rows that come out are compared with what was sent.

    scripts/test_function.py [--sample-files N] [--version V] [--url URL [--bucket B]] [--schema BUCKET/SCHEMA]

Without --url the handler runs in this process. With --url the events are posted to a function host (`exr-inspector serve`, or the
platform's) as CloudEvents; --bucket names a bucket that both sides reach through S3_ENDPOINT, where the samples are put, else the
host must see this machine's files. --version is the inspector version that the rows must name (default: that of this checkout).
The samples' rows are marked as removed at the end. --dry-run connects and sends nothing. Exit status: 0 all as expected, 3 not
so; others as in exr_inspector/cli/common.py.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import main as function
from exr_inspector.catalogue import connection
from exr_inspector.cli import common
from exr_inspector.database.persist import mark_removed
from exr_inspector.database.session import Ledger, Store
from exr_inspector.database.tables import ensure_tables
from exr_inspector.errors import BadSettings, Reject, Retry
from exr_inspector.function import objects
from exr_inspector.function.job import STATE, make_runtime
from exr_inspector.operations import migrations, samples
from exr_inspector.payload import document
from exr_inspector.settings import Settings
from vast_schemas import CHILD_TABLES

TIMEOUT = 60.0
FILES = 3
_BUSY = (429, 503)
"""Answers of a host that is starting, or has as many events as it takes."""
Send = Callable[[dict[str, Any]], None]


class NotDelivered(Reject):
    """The host did not take an event."""

    code = "not_delivered"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    parser.add_argument("--sample-files", type=common.positive, default=FILES, metavar="N", help="default: %(default)s")
    parser.add_argument("--version", default=document.INSPECTOR_VERSION, metavar="V", help="default: %(default)s")
    parser.add_argument("--url", help="a function host")
    parser.add_argument("--bucket", help="put the samples into this bucket")
    return common.run(parser.parse_args(arguments), examine)


def examine(options: argparse.Namespace) -> common.Answer:
    """Send, read back, compare, tidy up."""
    store = common.store_of(options)
    settings = connection.settings_of(options.endpoint, options.schema)
    if options.dry_run:
        place = f"{options.url or 'the handler in this process'}, and rows looked for in {store.place}"
        return {"dry_run": True, "sent": 0, "lines": [f"{options.sample_files} events would be sent to {place}"]}
    with _samples(options, settings) as sent:
        send = _posting(options.url) if options.url else _calling(settings)
        for _, event in sent:
            send(event)
        paths = [document.normalize_path(path) for path, _ in sent]
        rows = migrations.repeated(lambda: _stored(store, paths))
        for path, _ in sent:
            mark_removed(path, session=store)
    found = [problem for path in paths for problem in problems(path, rows.get(path), options.version)]
    lines = [f"{len(sent)} events sent, {len(rows)} files stored", *found]
    counts = {"sent": len(sent), "stored": len(rows)}
    return {"ok": not found, "version": options.version, **counts, "problems": found, "lines": lines}


@contextmanager
def _samples(options: argparse.Namespace, settings: Settings) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Sample renders, each with its address and the event about it; they are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="exr-inspector-") as folder:
        files = [Path(folder) / f"test_function_v001.{1001 + at}.exr" for at in range(options.sample_files)]
        for at, file in enumerate(files):
            samples.beauty(file, frame=1001 + at)
        if options.bucket is None:
            yield [(str(file), {"data": {"path": str(file)}}) for file in files]
            return
        prefix = f"exr-inspector-test/{uuid.uuid4()}"
        client = objects.s3_client(settings)
        keys = [f"{prefix}/{file.name}" for file in files]
        try:
            for key, file in zip(keys, files, strict=True):
                _asking(options.bucket, lambda key=key, file=file: client.upload_file(str(file), options.bucket, key))  # type: ignore[misc]
            yield [(f"s3://{options.bucket}/{key}", {"data": {"s3_bucket": options.bucket, "s3_key": key}}) for key in keys]
        finally:
            for key in keys:
                _asking(options.bucket, lambda key=key: client.delete_object(Bucket=options.bucket, Key=key))  # type: ignore[misc]


def _asking(bucket: str, call: Callable[[], Any]) -> None:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        call()
    except (BotoCoreError, ClientError) as error:
        raise objects.as_inspector_error(error, f"s3://{bucket}") from error
    except Boto3Error as error:
        raise BadSettings(f"s3://{bucket}: {error}", remedy="Check --bucket and S3_ENDPOINT") from error


def _calling(settings: Settings) -> Send:
    """The handler in this process, allowed to read where the samples are."""
    ctx = SimpleNamespace()
    roots = (*settings.local_roots, Path(tempfile.gettempdir()))
    values = {name: getattr(replace(settings, local_roots=roots, log_level="CRITICAL"), name) for name in settings.__slots__}
    setattr(ctx, STATE, make_runtime(ctx, **values))

    def send(event: dict[str, Any]) -> None:
        answer = function.handler(ctx, event)  # type: ignore[no-untyped-call]
        if answer["errors"]:
            message = answer["errors"][0]["message"]
            raise NotDelivered(f"the handler answered: {message}", remedy="Try exr-inspector doctor with the file")

    return send


def _posting(url: str) -> Send:
    """A CloudEvent in binary mode, of the kind that the platform gives to an invocation by hand."""
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


def _stored(store: Store, paths: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What is stored of each path: its current row, with the number of its rows in each other table."""
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
