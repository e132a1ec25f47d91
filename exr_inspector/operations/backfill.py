"""Finding existing renders, and inspecting them a batch at a time; the same code in a thread, a process, or on another machine.

A batch is one look-up of what is stored, the reading of what is new or changed, and one transaction. It needs nothing but its
arguments, and done twice it changes nothing, so that whoever runs it may lose it and run it again.
"""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, partial
from itertools import chain, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from exr_inspector.catalogue.units import quantity
from exr_inspector.database.persist import open_store, persist_batch
from exr_inspector.database.rows import TOLD_PLACE, place_columns
from exr_inspector.database.session import Ledger, Store
from exr_inspector.database.tables import ensure_tables
from exr_inspector.errors import InspectorError, Reject, Retry
from exr_inspector.function import objects
from exr_inspector.function.events import Request
from exr_inspector.function.job import Job, Runtime, make_runtime, policy_of
from exr_inspector.operations.pulse import Pulse
from exr_inspector.operations.transactions import retry
from exr_inspector.path_templates import Template
from exr_inspector.payload.document import normalize_path
from exr_inspector.payload.places import place_of
from exr_inspector.settings import Settings

SUFFIX = ".exr"
TEMPORARY = (".tmp", f".tmp{SUFFIX}")
"""How names end while their files are written. Hidden files are what editors (`.~a.exr`), macOS (`._a.exr`) and NFS leave."""
COLLECTIONS = (100_000, 50, 100)
"""A batch's payloads are hundreds of thousands of objects that live until it is stored. Searching them for cycles as often as
Python does by itself takes an eighth of a worker's time."""
READERS = 16
"""Files of a batch that are read side by side: reading waits for the object store."""
AHEAD = 2
"""Batches that wait for each worker: listing goes on while they are read, and never far ahead."""


_PLACE = ("show_name", "sequence_name", "shot_name", "task_name", "layer_name", "version_token")


class NothingToRead(Reject):
    """The root, the prefix or the list cannot be read, or holds no EXR."""

    code = "nothing_to_read"


class WorkersDied(Retry):
    """Workers ended again and again before their batches did."""

    code = "workers_died"

    def __init__(self, message: str) -> None:
        super().__init__(message, remedy="Look for what ends them, such as too little memory; the same command goes on")


@dataclass(frozen=True, slots=True)
class Item:
    """A file to inspect: a path or `s3://bucket/key`, and what its listing said of it."""

    path: str
    etag: str | None = None
    mtime: datetime | None = None
    size: int | None = None

    @property
    def is_object(self) -> bool:
        """Whether it is in a bucket."""
        return self.path.startswith("s3://")


Batch = tuple[Item, ...]


@dataclass(slots=True)
class Placeless:
    """How many files have no shot, and the first of them."""

    files: int = 0
    example: str | None = None

    def look_at(self, path: str, templates: tuple[Template, ...]) -> None:
        """Count a file in where its path tells no shot."""
        if place_of(normalize_path(path), templates).shot is None:
            self.add(Placeless(1, path))

    def add(self, other: Placeless) -> None:
        """Count others in."""
        self.files += other.files
        self.example = self.example or other.example


STATUSES = ("incomplete", "damaged", "unreadable")
"""Of what was stored, what is not whole."""


@dataclass(slots=True)
class Outcome:
    """What became of a batch; `failures` are entries of the report: path, code, message, verdict."""

    stored: int = 0
    incomplete: int = 0
    damaged: int = 0
    unreadable: int = 0
    skipped: int = 0
    requests: int = 0
    bytes_read: int = 0
    database_requests: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    without_shot: Placeless = field(default_factory=Placeless)

    @property
    def files(self) -> int:
        """Files that were dealt with."""
        return self.stored + self.skipped + len(self.failures)

    def add(self, other: Outcome) -> None:
        """Count another batch in."""
        for name in (*STATUSES, "stored", "skipped", "requests", "bytes_read", "database_requests"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failures += other.failures
        self.without_shot.add(other.without_shot)


def is_render(name: str) -> bool:
    """Whether a file of this name is to be inspected: an EXR that is neither hidden nor on its way.

    >>> [is_render(name) for name in ("a.1001.exr", ".nfs0001.exr", "._a.exr", ".~a.exr", "a.exr.tmp", "a.tmp.exr")]
    [True, False, False, False, False, False]
    """
    lower = name.lower()
    return lower.endswith(SUFFIX) and not lower.startswith(".") and not lower.endswith(TEMPORARY)


def is_left_out(name: str) -> bool:
    """Whether it would be inspected but for being hidden or on its way."""
    lower = name.lower()
    return not is_render(name) and (lower.endswith((SUFFIX, f"{SUFFIX}.tmp")) or lower.startswith(".nfs"))


def no_render_in(place: Path | str, left_out: int = 0) -> NothingToRead:
    """The error about a folder or a prefix that holds no EXR, but for hidden and temporary ones."""
    others = f", only {quantity(left_out, 'hidden or temporary file')}" if left_out else ""
    return NothingToRead(f"{place} holds no EXR{others}", remedy="Name a place that does")


def first_of(items: Iterator[Item]) -> Iterator[Item]:
    """The items, the first of which is found already: raises NothingToRead now, before anything is made for them."""
    return chain(tuple(islice(items, 1)), items)


def from_folder(root: Path, *, described: bool = True, left_out: Counter[str] | None = None) -> Iterator[Item]:
    """The EXRs below a folder, in the order of names, symbolic links not followed. Raises NothingToRead.

    A folder that cannot be read is an item itself, so that reading it says why. Without `described` no file is asked for its
    time and size. Hidden and temporary files are counted in `left_out`, by folder.
    """
    left_out = Counter() if left_out is None else left_out
    if not root.is_dir():
        raise NothingToRead(f"{root} is not a folder", remedy="Name a folder, or s3://BUCKET/PREFIX")
    refused: list[OSError] = []
    count = 0
    for folder, folders, names in os.walk(root, onerror=refused.append):
        folders.sort()
        for name in sorted(names):
            if is_left_out(name):
                left_out[folder] += 1
            if is_render(name):
                count += 1
                yield _local(os.path.join(folder, name), described)  # noqa: PTH118 - a Path for each of millions costs more
    yield from (_local(error.filename) for error in refused)
    if not count and not refused:
        raise no_render_in(root, left_out.total())


def _local(path: str, described: bool = True) -> Item:
    named = os.path.abspath(path)  # noqa: PTH100 - Path.resolve follows links
    if not described:
        return Item(named)
    try:
        address = objects.local_address(path)
        known = os.stat(address)  # noqa: PTH116 - as above
    except (OSError, ValueError):
        return Item(named)  # reading it says what is wrong
    return Item(address, None, datetime.fromtimestamp(known.st_mtime, tz=UTC).replace(tzinfo=None), known.st_size)


def from_bucket(address: str, settings: Settings, left_out: Counter[str] | None = None) -> Iterator[Item]:
    """The EXRs below `s3://bucket/prefix`, as the bucket lists them; hidden and temporary ones are counted in `left_out`.

    Raises NothingToRead where there are none.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    client = objects.s3_client(settings)
    left_out = Counter() if left_out is None else left_out
    count = 0
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                folder, _, name = entry["Key"].rpartition("/")
                if is_left_out(name):
                    left_out[folder] += 1
                if is_render(name):
                    count += 1
                    modified = entry["LastModified"].astimezone(UTC).replace(tzinfo=None)
                    yield Item(f"s3://{bucket}/{entry['Key']}", entry["ETag"].strip('"'), modified, entry["Size"])
    except (BotoCoreError, ClientError) as error:
        raise objects.as_inspector_error(error, address) from error
    if not count:
        raise no_render_in(address, left_out.total())


def from_list(path: Path, *, described: bool = True) -> Iterator[Item]:
    """The paths of a file: one a line, or the report of an earlier run."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as lines:
            for line in map(str.strip, lines):
                if line:
                    name = str(json.loads(line)["path"]) if line.startswith("{") else line
                    yield Item(name) if name.startswith("s3://") else _local(name, described)
    except (OSError, ValueError, KeyError) as error:
        reason = f"a line has no {error}" if isinstance(error, KeyError) else getattr(error, "strerror", None) or error
        raise NothingToRead(f"{path}: {reason}", remedy="One path a line, or a report of exr-inspector backfill") from error


def from_catalogue(store: Store, *, described: bool = True) -> Iterator[Item]:
    """The current files that are stored and not removed."""
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        loaded["files"] = work.load("files")
        rows = work.scan("files", ("file_path", "is_current", "deleted_at")) if loaded["files"] is not None else ()
        paths = [row["file_path"] for batch in rows for row in batch.to_pylist() if row["is_current"] and not row["deleted_at"]]
    for path in sorted(paths):
        yield Item(path) if path.startswith("s3://") else _local(path, described)


def of_shard(items: Iterable[Item], shard: tuple[int, int]) -> Iterator[Item]:
    """Every item whose path's hash falls into shard i of n; no item is in two shards, and none is in no shard."""
    part, whole = shard
    for item in items:
        digest = hashlib.sha256(normalize_path(item.path).encode("utf-8", "surrogatepass")).digest()
        if int.from_bytes(digest[:8], "big") % whole == part - 1:
            yield item


def batches_of(items: Iterable[Item], size: int) -> Iterator[Batch]:
    """Items in batches, each path once in a batch."""
    source = iter(items)
    while batch := tuple(islice(source, size)):
        yield tuple({item.path: item for item in batch}.values())


def make_tables(store: Store) -> None:
    """Make the tables that are missing."""
    retry(ensure_tables, store, Ledger())


@cache
def _runtime(settings: Settings) -> tuple[Runtime, Store]:
    """What the batches of a process share: connections, and the tables once loaded."""
    logging.getLogger("vastdb").setLevel(logging.CRITICAL)  # it logs what is tried again
    gc.set_threshold(*COLLECTIONS)
    everywhere = replace(settings, local_roots=(Path("/"),), log_level="CRITICAL")
    values = {name: getattr(everywhere, name) for name in everywhere.__slots__}
    return make_runtime(SimpleNamespace(), **values), open_store(settings)


pulse: Pulse = Pulse()
"""Counts the files of this process as they are inspected; a worker's is shared with the process that started it."""


def ingest(settings: Settings, items: Sequence[Item], force: bool = False) -> Outcome:
    """Inspect and store a batch. What one file causes is a failure in the outcome; what the database causes is one of each file.

    Raises BadSettings, SchemaDrift, or VASTDatabaseError where the database is out of reach before anything was read.
    """
    runtime, store = _runtime(settings)
    known = {} if force else retry(_read_stored, store, items, wanted_of(settings))
    rows = [_unless_moved(known.get(normalize_path(item.path)), store) for item in items]
    outcome = Outcome(database_requests=0 if force else 3)
    for item in items:
        outcome.without_shot.look_at(item.path, store.templates)
    payloads = []
    with ThreadPoolExecutor(READERS) as readers:
        for item, (payload, job) in zip(items, readers.map(partial(_look_at, runtime), items, rows), strict=True):
            outcome.requests += job.requests
            outcome.bytes_read += job.bytes_read
            pulse.beat(item.path, item.size)
            if payload is None:
                outcome.skipped += 1
            elif isinstance(payload, InspectorError):
                outcome.failures.append(_failure(item, payload.as_dict(), str(payload.verdict)))
            else:
                payloads.append((item, payload))
    _store(store, payloads, outcome)
    return outcome


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stored file must have beside its description so that it is left alone: statistics, results of a policy."""

    stats: bool = False
    policy_id: str | None = None
    deep_stats: bool = False


def wanted_of(settings: Settings) -> Wanted:
    """What these settings make of every file."""
    policy = policy_of(None, settings).id if settings.validate else None
    return Wanted(settings.stats != "off" or settings.deep_stats, policy, settings.deep_stats)


def _read_stored(store: Store, items: Sequence[Item], wanted: Wanted) -> dict[str, dict[str, Any]]:
    """The current rows of these paths that were not removed, and that lack nothing of what is wanted."""
    columns = ("file_id", "file_path_normalized", "status", "is_current", "deleted_at", "etag", "mtime", "size_bytes", *_PLACE)
    paths = sorted({normalize_path(item.path) for item in items})
    with store.transaction(Ledger(), ensure_tables(store, Ledger())) as work:
        rows = work.select("files", columns, "file_path_normalized", paths).to_pylist()
        current = [row for row in rows if row["is_current"] and row["deleted_at"] is None]
        lacking = _lacking(work, current, wanted)
    return {row["file_path_normalized"]: row for row in current if row["file_id"] not in lacking}


def _lacking(work: Any, files: Sequence[Mapping[str, Any]], wanted: Wanted) -> set[str]:
    """The files without statistics, or without results of the policy, where those are wanted; unreadable ones have no pixels."""
    lacking: set[str] = set()
    file_ids = [row["file_id"] for row in files]
    readable = [row["file_id"] for row in files if row["status"] != "unreadable"]
    if wanted.stats and readable:
        unmeasured = set(readable) - set(work.select("pixel_stats", ["file_id"], "file_id", readable)["file_id"].to_pylist())
        lacking |= unmeasured if wanted.deep_stats else _with_flat_parts(work, sorted(unmeasured))
    if wanted.policy_id and file_ids:
        rows = work.select("validation_results", ["file_id", "policy_id"], "file_id", file_ids).to_pylist()
        lacking |= set(file_ids) - {row["file_id"] for row in rows if row["policy_id"] == wanted.policy_id}
    return lacking


def _with_flat_parts(work: Any, file_ids: Sequence[str]) -> set[str]:
    """The files that have more than deep parts, of which nothing is measured unless that is asked for."""
    if not file_ids:
        return set()
    parts = work.select("parts", ["file_id", "is_deep"], "file_id", file_ids).to_pylist()
    return {part["file_id"] for part in parts if not part["is_deep"]}


def _unless_moved(row: dict[str, Any] | None, store: Store) -> dict[str, Any] | None:
    """The stored row; None where templates that came later tell another place, so that the file is inspected again."""
    if row is None:
        return None
    place = place_columns(row["file_path_normalized"], store.templates)
    return row if all(row[name] == value or (value is None and name in TOLD_PLACE) for name, value in place.items()) else None


def _is_unchanged(item: Item, row: dict[str, Any] | None, job: Job) -> bool:
    """By ETag in a bucket, by time and size on disk. An object that no listing described is asked for its ETag."""
    if row is None:
        return False
    if not item.is_object:
        return item.mtime is not None and (item.mtime, item.size) == (row["mtime"], row["size_bytes"])
    etag = item.etag
    if etag is None and row["etag"]:
        bucket, _, key = item.path.removeprefix("s3://").partition("/")
        job.requests += 1
        etag = objects.current_etag(job.runtime.clients.s3(), bucket, key)
    return etag is not None and etag == row["etag"]


def _look_at(runtime: Runtime, item: Item, row: dict[str, Any] | None) -> tuple[dict[str, Any] | InspectorError | None, Job]:
    """The payload of one file, None where it is as its stored row says, or the error that stood in its way."""
    job = Job(SimpleNamespace(), runtime)
    try:
        return None if _is_unchanged(item, row, job) else _payload_of(item, job), job
    except InspectorError as error:
        return error, job


def _payload_of(item: Item, job: Job) -> dict[str, Any]:
    if item.is_object:
        bucket, _, key = item.path.removeprefix("s3://").partition("/")
        request = Request(bucket=bucket, keys=(key,))
    else:
        request = Request(path=item.path)
    return objects.read_consistently(lambda: job.describe(request, job.read(request)))


def _store(store: Store, payloads: Sequence[tuple[Item, dict[str, Any]]], outcome: Outcome) -> None:
    results = persist_batch([payload for _, payload in payloads], session=store)
    outcome.database_requests += max((result["requests"] for result in results), default=0)
    for (item, payload), result in zip(payloads, results, strict=True):
        if result["status"] == "stored":
            outcome.stored += 1
            status = payload["file"]["status"]
            if status in STATUSES:
                setattr(outcome, status, getattr(outcome, status) + 1)
        else:
            outcome.failures.append(_failure(item, result["error"], "retry" if result["status"] == "retry" else "reject"))


def _failure(item: Item, error: dict[str, Any], verdict: str) -> dict[str, Any]:
    return {"path": item.path, "code": error["code"], "message": error["message"], "verdict": verdict}
