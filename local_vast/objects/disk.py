"""Buckets and objects as folders and files: what is stored, found, replaced, listed and removed below one root.

    ROOT/BUCKET/...                       objects at their natural place (`keys`)
    ROOT/.local_vast/escaped/BUCKET/...   objects whose key is not a path
    ROOT/.local_vast/meta/BUCKET/...      one JSON per object: ETag, headers, checksums
    ROOT/.local_vast/uploads/BUCKET/...   multipart uploads in progress
    ROOT/.local_vast/incoming/            bodies being received; emptied at start

The rename of the data file is the one moment at which an object changes. Its JSON is written before, under a name made of key,
time stamp and size, so a reader finds either the old pair or the new one, and a kill at any moment leaves one of them.
A file without such a JSON (put there, or changed, by other means) is served too: its ETag is then a digest of size and time
stamp with the suffix `-1`, which no client takes for the MD5 of the content.
Symbolic links are neither followed nor listed, so no key reaches outside the root.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import shutil
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from .errors import S3Error, no_such_bucket, no_such_key
from .keys import (
    MAX_KEY_BYTES,
    PRIVATE,
    escaped_parts,
    is_new_bucket_name,
    is_served_folder,
    key_of_escaped,
    natural_parts,
)

DEFAULT_TYPE = "binary/octet-stream"
# UTF-8 has no byte 0xff: PREFIX + BEYOND is above every key that starts with PREFIX and below every other key above it.
BEYOND = b"\xff"


def _default_headers() -> dict[str, str]:
    return {"Content-Type": DEFAULT_TYPE}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object: `etag` without quotes, `mtime_ns` since 1970, `headers` and `checksums` as they are answered."""

    key: str
    size: int
    mtime_ns: int
    etag: str
    headers: Mapping[str, str] = field(default_factory=_default_headers)
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Description:
    """What a body does not say about the object that it becomes; `etag` None means the MD5 of the body."""

    headers: Mapping[str, str]
    checksums: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None


Check = Callable[[StoredObject | None], None]
"""Called with the stored object, or None, right before it is replaced or removed; raises S3Error to forbid it."""


def allow_any(current: StoredObject | None) -> None:
    """The check that allows everything."""


class Incoming:
    """A body on its way to the disk: a file in the private folder that is removed unless it becomes an object."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._file = path.open("xb", buffering=0)
        self._md5 = hashlib.md5(usedforsecurity=False)

    def write(self, block: bytes) -> None:
        """Append to file and digest."""
        view = memoryview(block)
        while view:
            view = view[self._file.write(view) :]
        self._md5.update(block)
        self.size += len(block)

    @property
    def md5(self) -> str:
        """Hex MD5 of what was written so far."""
        return self._md5.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


@dataclass(slots=True)
class Cursor:
    """Where a listing stands: keys at or below `after` are passed over. The reader moves it on while it reads."""

    after: bytes = b""


class Disk:
    """The store's only access to the file system; safe for use by many threads of one process."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root.resolve()
        self._private = self.root / PRIVATE
        self._lock = threading.Lock()
        self._last_stamp = 0
        shutil.rmtree(self._private / "incoming", ignore_errors=True)

    # Buckets

    def buckets(self) -> list[tuple[str, int]]:
        """Name and time stamp (ns) of each bucket, by name."""
        with os.scandir(self.root) as entries:
            folders = [entry for entry in entries if is_served_folder(entry.name) and entry.is_dir(follow_symlinks=False)]
            return sorted((entry.name, entry.stat().st_mtime_ns) for entry in folders)

    def has_bucket(self, bucket: str) -> bool:
        """Whether the bucket's folder is there."""
        path = self.root / bucket
        return is_served_folder(bucket) and path.is_dir() and not path.is_symlink()

    def folder(self, bucket: str) -> Path:
        """The bucket's folder. Raises NoSuchBucket."""
        if not self.has_bucket(bucket):
            raise no_such_bucket(bucket)
        return self.root / bucket

    def create_bucket(self, bucket: str) -> None:
        """Make the folder. Raises InvalidBucketName or BucketAlreadyOwnedByYou."""
        if not is_new_bucket_name(bucket):
            raise S3Error("InvalidBucketName", f"{bucket!r} is not 3 to 63 of a-z, 0-9, '.' and '-', or looks like an IP address")
        try:
            (self.root / bucket).mkdir()
        except FileExistsError:
            raise S3Error("BucketAlreadyOwnedByYou", f"The bucket {bucket!r} exists already") from None

    def delete_bucket(self, bucket: str) -> None:
        """Remove an empty bucket with its uploads in progress. Raises NoSuchBucket or BucketNotEmpty."""
        with self._lock:
            folder = self.folder(bucket)
            if next(self.scan(bucket, "", Cursor()), None) is not None:
                raise S3Error("BucketNotEmpty", f"The bucket {bucket!r} still has objects")
            try:
                for path, _, _ in os.walk(folder, topdown=False):
                    Path(path).rmdir()
            except OSError as error:
                raise S3Error(
                    "BucketNotEmpty", f"The folder of {bucket!r} holds something that is not an object: {error}"
                ) from error
            for kind in ("escaped", "meta", "uploads"):
                shutil.rmtree(self._private / kind / bucket, ignore_errors=True)

    # Objects

    def stat(self, bucket: str, key: str) -> StoredObject:
        """The object's facts. Raises NoSuchBucket or NoSuchKey."""
        self.folder(bucket)
        with self._lock:
            stored = self._stat(bucket, key)
        if stored is None:
            raise no_such_key(key)
        return stored

    def open(self, bucket: str, key: str) -> tuple[BinaryIO, StoredObject]:
        """The object's content and facts, which belong together whatever is written meanwhile. Raises like `stat`."""
        self.folder(bucket)
        with self._lock:
            path = self._place(bucket, key)
            if path is None:
                raise no_such_key(key)
            with ExitStack() as on_error:
                file = on_error.enter_context(path.open("rb", buffering=0))
                stored = self._describe(bucket, key, os.fstat(file.fileno()))
                on_error.pop_all()
            return file, stored

    def receive(self, folder: Path | None = None) -> Incoming:
        """A new file for a body; in `folder`, which must be there, when it is to stay there."""
        if folder is None:
            folder = self._private / "incoming"
            folder.mkdir(parents=True, exist_ok=True)
        return Incoming(folder / f".{uuid.uuid4().hex}")

    def commit(self, bucket: str, key: str, incoming: Incoming, about: Description, check: Check = allow_any) -> StoredObject:
        """Make the received body the object, in one step. Raises NoSuchBucket, or what `check` raises."""
        with self._lock:
            self.folder(bucket)
            current = self._stat(bucket, key)
            check(current)
            stamped = self._stamp(incoming.path)
            stored = StoredObject(
                key, stamped.st_size, stamped.st_mtime_ns, about.etag or incoming.md5, about.headers, about.checksums
            )
            self._put_in_place(bucket, stored, incoming.path)
            if current is not None:
                self._meta_path(bucket, key, current.mtime_ns, current.size).unlink(missing_ok=True)
            return stored

    def _put_in_place(self, bucket: str, stored: StoredObject, received: Path) -> None:
        """Write the object's JSON and rename its file; where the disk refuses either, neither is left."""
        target = self._place(bucket, stored.key) or self._new_place(bucket, stored.key)
        try:
            self._write_meta(bucket, stored)
            target.parent.mkdir(parents=True, exist_ok=True)
            received.replace(target)
        except OSError:
            self._meta_path(bucket, stored.key, stored.mtime_ns, stored.size).unlink(missing_ok=True)
            _prune(target.parent, (self.root / bucket, self._private / "escaped" / bucket))
            raise

    def delete(self, bucket: str, key: str, check: Check = allow_any) -> StoredObject | None:
        """Remove the object and the folders that it leaves empty. Raises like `commit`.

        Returns the object with the time stamp of its removal, or None when there was none.
        """
        with self._lock:
            folder = self.folder(bucket)
            current = self._stat(bucket, key)
            check(current)
            path = self._place(bucket, key)
            if current is None or path is None:
                return None
            path.unlink()
            self._meta_path(bucket, key, current.mtime_ns, current.size).unlink(missing_ok=True)
            _prune(path.parent, (folder, self._private / "escaped" / bucket))
            return replace(current, mtime_ns=self._now())

    def uploads_folder(self, bucket: str) -> Path:
        """Where the bucket's multipart uploads are kept. Raises NoSuchBucket."""
        self.folder(bucket)
        return self._private / "uploads" / bucket

    # Listing

    def scan(self, bucket: str, prefix: str, cursor: Cursor) -> Iterator[str]:
        """Keys that start with `prefix`, in the order of their UTF-8 bytes, reading no folder that the cursor is beyond."""
        natural = _walk(self.folder(bucket), "", prefix, cursor)
        escaped = self._list_escaped(bucket, prefix, cursor)
        last = None
        for key in heapq.merge(natural, escaped, key=str.encode):
            if key != last and key.encode() > cursor.after:
                last = key
                yield key

    def _list_escaped(self, bucket: str, prefix: str, cursor: Cursor) -> Iterator[str]:
        folder = self._private / "escaped" / bucket
        places = (Path(path, name) for path, _, names in os.walk(folder) for name in names)
        keys = (key_of_escaped(place.relative_to(folder).parts) for place in places)
        for key in sorted((key for key in keys if key.startswith(prefix)), key=str.encode):
            if key.encode() > cursor.after:
                yield key

    # Places

    def _place(self, bucket: str, key: str) -> Path | None:
        """The file that holds the object now."""
        natural = natural_parts(key)
        if natural is not None and _is_object(path := self.root.joinpath(bucket, *natural)):
            return path
        path = self._escaped_place(bucket, key)
        return path if _is_object(path) else None

    def _new_place(self, bucket: str, key: str) -> Path:
        """The file that is to hold an object that is not there yet."""
        natural = natural_parts(key)
        if natural is not None:
            path = self.root.joinpath(bucket, *natural)
            if not os.path.lexists(path) and _can_hold(path.parent):
                return path
        return self._escaped_place(bucket, key)

    def _escaped_place(self, bucket: str, key: str) -> Path:
        return self._private.joinpath("escaped", bucket, *escaped_parts(key))

    # Facts

    def _stat(self, bucket: str, key: str) -> StoredObject | None:
        path = self._place(bucket, key)
        return None if path is None else self._describe(bucket, key, path.stat())

    def _describe(self, bucket: str, key: str, status: os.stat_result) -> StoredObject:
        size, mtime_ns = status.st_size, status.st_mtime_ns
        try:
            meta = json.loads(self._meta_path(bucket, key, mtime_ns, size).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            opaque = hashlib.md5(f"{size}-{mtime_ns}".encode(), usedforsecurity=False).hexdigest()
            return StoredObject(key, size, mtime_ns, f"{opaque}-1")
        return StoredObject(key, size, mtime_ns, meta["etag"], meta["headers"], meta["checksums"])

    def _write_meta(self, bucket: str, stored: StoredObject) -> None:
        path = self._meta_path(bucket, stored.key, stored.mtime_ns, stored.size)
        path.parent.mkdir(parents=True, exist_ok=True)
        facts = {"key": stored.key, "etag": stored.etag, "headers": dict(stored.headers), "checksums": dict(stored.checksums)}
        path.write_text(json.dumps(facts), encoding="utf-8")

    def _meta_path(self, bucket: str, key: str, mtime_ns: int, size: int) -> Path:
        digest = hashlib.sha256(key.encode()).hexdigest()[:40]
        return self._private / "meta" / bucket / f"{digest}-{mtime_ns:x}-{size:x}.json"

    def _stamp(self, path: Path) -> os.stat_result:
        """Give the file a time stamp later than any before: kernels stamp in steps of milliseconds, which may be equal."""
        now = self._now()
        os.utime(path, ns=(now, now))
        return path.stat()

    def _now(self) -> int:
        self._last_stamp = max(time.time_ns(), self._last_stamp + 1)
        return self._last_stamp


def _is_object(path: Path) -> bool:
    """Whether a regular file is there, reached through no symbolic link."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(status.st_mode) and os.path.realpath(path.parent) == str(path.parent)


def _can_hold(folder: Path) -> bool:
    """Whether the folder is there, or can be made, without passing a file or a symbolic link."""
    while not os.path.lexists(folder):
        folder = folder.parent
    return folder.is_dir() and os.path.realpath(folder) == str(folder)


def _prune(folder: Path, limits: tuple[Path, ...]) -> None:
    """Remove folders that became empty, upwards to a limit: S3 has no empty folders."""
    while folder not in limits:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = folder.parent


def _walk(folder: Path, base: str, prefix: str, cursor: Cursor) -> Iterator[str]:
    """Keys of the files below a folder whose own key is `base`, in byte order: a folder sorts as its name with a slash."""
    for name, is_folder in _entries(folder):
        key = base + name
        encoded = key.encode()
        if is_folder:
            may_match = key.startswith(prefix) or prefix.startswith(key)
            if may_match and cursor.after < encoded + BEYOND and len(encoded) < MAX_KEY_BYTES:
                yield from _walk(folder / name, key, prefix, cursor)
        elif key.startswith(prefix) and cursor.after < encoded and len(encoded) <= MAX_KEY_BYTES:
            yield key


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """Names (a folder's with a slash at the end) and whether they are folders, in byte order; none that is not UTF-8."""
    listed = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    listed.append((entry.name, False))
                elif entry.is_dir(follow_symlinks=False):
                    listed.append((entry.name + "/", True))
    except (FileNotFoundError, NotADirectoryError):
        return []
    # Of valid UTF-8 the order of the code points is that of the bytes.
    return sorted(item for item in listed if _is_utf8(item[0]))


def _is_utf8(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)
