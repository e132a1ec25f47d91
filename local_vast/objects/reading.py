"""Conditional and partial requests: If-Match and its relatives, Range, and the bytes of a file in blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import formatdate, parsedate_to_datetime
from typing import BinaryIO

from .disk import Check, StoredObject
from .errors import NotModified, S3Error, no_such_key, not_implemented

BLOCK = 256 * 1024


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `start` to `stop - 1` of an object."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.stop - self.start


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """The range that a Range header asks of an object of `size` bytes; None where the header counts for nothing (RFC 9110, 14.2).

    That is: no header, several ranges (S3 answers those with the whole object), another unit, or nonsense.
    Raises InvalidRange (416) when no byte of the range is there.
    """
    given = re.fullmatch(r"bytes=(\d*)-(\d*)", (header or "").strip(), re.ASCII)
    if not given or given[0] == "bytes=-":
        return None
    first, last = given[1], given[2]
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= size:
        message = f"The object has {size} bytes, none of them in {header}"
        raise S3Error("InvalidRange", message, {"Content-Range": f"bytes */{size}"})
    return ByteRange(start, stop)


class FileBlocks:
    """The bytes of a range as a WSGI body: at most one block in memory; `close` may come before, amid or after the reading."""

    def __init__(self, file: BinaryIO, wanted: ByteRange) -> None:
        self._file = file
        self._wanted = wanted

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(self._wanted.start)
        left = self._wanted.length
        while left and (block := self._file.read(min(left, BLOCK))):
            left -= len(block)
            yield block

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def http_date(mtime_ns: int) -> str:
    """A time stamp as the Last-Modified header shows it."""
    return formatdate(mtime_ns // 1_000_000_000, usegmt=True)


def validators(stored: StoredObject) -> dict[str, str]:
    """The headers by which a client recognises this version of the object."""
    return {"ETag": f'"{stored.etag}"', "Last-Modified": http_date(stored.mtime_ns)}


def check_read(headers: Mapping[str, str], stored: StoredObject) -> None:
    """Raises PreconditionFailed (412) or NotModified (304) as RFC 9110, 13.2.2, orders the four conditions."""
    _check_unchanged(headers, stored, "if-match", "if-unmodified-since")
    none_match = headers.get("if-none-match")
    since = _date(headers.get("if-modified-since"))
    if none_match is not None:
        current = _matches(none_match, stored)
    else:
        current = since is not None and _seconds(stored) <= since.timestamp()
    if current:
        raise NotModified(validators(stored))


def check_copy_source(headers: Mapping[str, str], stored: StoredObject) -> None:
    """The four conditions on the source of a copy; each that fails is a PreconditionFailed."""
    prefix = "x-amz-copy-source-"
    _check_unchanged(headers, stored, f"{prefix}if-match", f"{prefix}if-unmodified-since")
    none_match = headers.get(f"{prefix}if-none-match")
    since = _date(headers.get(f"{prefix}if-modified-since"))
    if none_match is not None and _matches(none_match, stored):
        raise _precondition_failed(f"{prefix}if-none-match")
    if none_match is None and since is not None and _seconds(stored) <= since.timestamp():
        raise _precondition_failed(f"{prefix}if-modified-since")


def write_check(headers: Mapping[str, str], key: str) -> Check:
    """The check of a PUT, a completed upload or a DELETE: If-Match with an ETag, If-None-Match with `*` (all that S3 knows)."""
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if none_match is not None and none_match.strip() != "*":
        raise not_implemented("If-None-Match with anything but * on a write")

    def check(current: StoredObject | None) -> None:
        if none_match is not None and current is not None:
            raise _precondition_failed("If-None-Match")
        if match is not None and current is None:
            raise no_such_key(key)
        if match is not None and current is not None and not _matches(match, current):
            raise _precondition_failed("If-Match")

    return check


def _check_unchanged(headers: Mapping[str, str], stored: StoredObject, match_name: str, date_name: str) -> None:
    match = headers.get(match_name)
    until = _date(headers.get(date_name))
    if match is not None and not _matches(match, stored):
        raise _precondition_failed(match_name)
    if match is None and until is not None and _seconds(stored) > until.timestamp():
        raise _precondition_failed(date_name)


def _matches(header: str, stored: StoredObject) -> bool:
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return "*" in tags or stored.etag in tags


def _seconds(stored: StoredObject) -> int:
    return stored.mtime_ns // 1_000_000_000


def _date(header: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(header) if header else None
    except ValueError:
        return None


def _precondition_failed(condition: str) -> S3Error:
    return S3Error("PreconditionFailed", f"The condition {condition} does not hold for the stored object")
