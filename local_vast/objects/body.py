"""Request bodies: plain, chunked, or in S3's own framing (aws-chunked), with the digests that clients send along.

`Content-MD5`, `x-amz-content-sha256` and the checksums CRC32, SHA-1, SHA-256 and SHA-512 are verified, whether they come as
header or trailer. Other checksums (CRC32C, CRC64NVME, XXHASH) need libraries beyond Python's: they are kept, not verified.
The signatures of single aws-chunked chunks are not verified.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Protocol

from .errors import S3Error

BLOCK = 256 * 1024
# S3's limit of one PUT.
MAX_BODY = 5 * 1024**3
_MAX_LINE = 4096
_CHECKSUM = "x-amz-checksum-"
# Headers that start like a checksum but describe one.
_ABOUT_CHECKSUMS = frozenset(f"{_CHECKSUM}{word}" for word in ("algorithm", "type", "mode"))


class ByteSource(Protocol):
    """What a body is read from."""

    def read(self, size: int = ..., /) -> bytes:
        """At most `size` bytes; none at the end."""


class Digest(Protocol):
    """The part of hashlib's interface that is used here."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""

    def digest(self) -> bytes:
        """The value."""


class Crc32:
    """CRC-32 with hashlib's interface; big endian, as S3 writes it."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        """Four bytes."""
        return self._value.to_bytes(4, "big")


VERIFIED: dict[str, Callable[[], Digest]] = {
    f"{_CHECKSUM}crc32": Crc32,
    f"{_CHECKSUM}sha1": partial(hashlib.sha1, usedforsecurity=False),
    f"{_CHECKSUM}sha256": hashlib.sha256,
    f"{_CHECKSUM}sha512": hashlib.sha512,
}


class _Raw(io.RawIOBase):
    """A body as a raw stream that never reads past the declared length (WSGI leaves that to the application)."""

    def __init__(self, source: ByteSource, length: int | None) -> None:
        self._source = source
        self._left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = len(buffer) if self._left is None else min(len(buffer), self._left)
        block = self._source.read(wanted) if wanted else b""
        if self._left is not None:
            self._left -= len(block)
        buffer[: len(block)] = block
        return len(block)


class Body:
    """One request's body, read once. `length` None: it ends where the transfer coding says so."""

    def __init__(self, source: ByteSource, length: int | None, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self._length = length
        self._stream = io.BufferedReader(_Raw(source, length), BLOCK)
        self._trailers: dict[str, str] = {}

    def read_all(self, limit: int) -> bytes:
        """The whole body, for documents. Raises MalformedXML when it is longer than `limit` bytes, or what `copy_to` raises."""
        sink = io.BytesIO()

        def write(block: bytes) -> None:
            if sink.tell() + len(block) > limit:
                raise S3Error("MalformedXML", f"The document is longer than {limit} bytes")
            sink.write(block)

        self.copy_to(write)
        return sink.getvalue()

    def copy_to(self, write: Callable[[bytes], object]) -> Mapping[str, str]:
        """Hand the decoded body to `write` block by block, verify it, and return the checksums that came with it.

        Raises IncompleteBody, BadDigest, InvalidDigest, XAmzContentSHA256Mismatch, EntityTooLarge, InvalidRequest.
        """
        digests = self._wanted_digests()
        size = 0
        for block in self._blocks():
            size += len(block)
            if size > MAX_BODY:
                raise S3Error("EntityTooLarge", f"One request carries at most {MAX_BODY} bytes")
            for digest in digests.values():
                digest.update(block)
            write(block)
        self._verify_size(size)
        checksums = self._checksums()
        self._verify(digests, checksums)
        return checksums

    def drain(self) -> None:
        """Read and drop what is left, so that the next request on the connection starts where it should."""
        while self._stream.read(BLOCK):
            pass

    def _is_aws_chunked(self) -> bool:
        streaming = self._headers.get("x-amz-content-sha256", "").startswith("STREAMING-")
        return streaming or "aws-chunked" in self._headers.get("content-encoding", "")

    def _blocks(self) -> Iterator[bytes]:
        if self._is_aws_chunked():
            yield from self._aws_chunks()
        else:
            while block := self._stream.read(BLOCK):
                yield block

    def _aws_chunks(self) -> Iterator[bytes]:
        while size := self._chunk_size():
            while size:
                block = self._stream.read(min(size, BLOCK))
                if not block:
                    raise S3Error("IncompleteBody", "The body ends inside an aws-chunked chunk")
                size -= len(block)
                yield block
            if self._line() != b"":
                raise S3Error("InvalidRequest", "An aws-chunked chunk is longer than it says")
        while line := self._line():
            name, _, value = line.decode("latin-1").partition(":")
            self._trailers[name.strip().lower()] = value.strip()

    def _chunk_size(self) -> int:
        line = self._line()
        size = line.partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", size):
            what = f"{line[:40]!r} is not a chunk size" if line else "the body ends before its last chunk"
            raise S3Error("IncompleteBody", f"Bad aws-chunked body: {what}")
        return int(size, 16)

    def _line(self) -> bytes:
        return self._stream.readline(_MAX_LINE).rstrip(b"\r\n")

    def _verify_size(self, size: int) -> None:
        declared = self._headers.get("x-amz-decoded-content-length") if self._is_aws_chunked() else self._length
        if declared is not None and str(declared) != str(size):
            raise S3Error("IncompleteBody", f"The request declares {declared} bytes, {size} arrived")

    def _checksums(self) -> dict[str, str]:
        both = {**self._headers, **self._trailers}
        return {name: value for name, value in both.items() if name.startswith(_CHECKSUM) and name not in _ABOUT_CHECKSUMS}

    def _wanted_digests(self) -> dict[str, Digest]:
        announced = {name.strip().lower() for name in self._headers.get("x-amz-trailer", "").split(",")}
        wanted = {name: make() for name, make in VERIFIED.items() if name in self._headers or name in announced}
        if "content-md5" in self._headers:
            wanted["content-md5"] = hashlib.md5(usedforsecurity=False)
        if _is_sha256(self._headers.get("x-amz-content-sha256", "")):
            wanted["x-amz-content-sha256"] = hashlib.sha256()
        return wanted

    def _verify(self, digests: Mapping[str, Digest], checksums: Mapping[str, str]) -> None:
        for name, digest in digests.items():
            if name == "x-amz-content-sha256":
                if digest.digest().hex() != self._headers[name].lower():
                    raise S3Error("XAmzContentSHA256Mismatch", "The body's SHA-256 is not the one that was signed")
            elif not _same(name, checksums.get(name) or self._headers.get(name), digest.digest()):
                raise S3Error("BadDigest", f"The {name} that was sent is not that of the body")


def _is_sha256(value: str) -> bool:
    return re.fullmatch("[0-9a-fA-F]{64}", value) is not None


def _same(name: str, sent: str | None, digest: bytes) -> bool:
    if sent is None:
        raise S3Error("InvalidRequest", f"x-amz-trailer announces {name}, which did not arrive")
    try:
        expected = base64.b64decode(sent, validate=True)
    except binascii.Error:
        expected = b""
    if len(expected) != len(digest):
        raise S3Error("InvalidDigest", f"{name} is not the base64 of {len(digest)} bytes")
    return expected == digest
