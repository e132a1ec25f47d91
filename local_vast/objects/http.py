"""One S3 request and one answer, as WSGI sees them."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from ..http import HEADERS
from .body import Body
from .disk import DEFAULT_TYPE
from .errors import S3Error
from .keys import MAX_KEY_BYTES

Environ = Mapping[str, Any]
METADATA = "x-amz-meta-"
MAX_METADATA = 2048
# Headers that S3 keeps with an object and gives back with it.
KEPT = {
    "cache-control": "Cache-Control",
    "content-disposition": "Content-Disposition",
    "content-encoding": "Content-Encoding",
    "content-language": "Content-Language",
    "content-type": "Content-Type",
    "expires": "Expires",
}
_REQUEST_NUMBERS = itertools.count(time.time_ns() // 1000)


@dataclass(frozen=True, slots=True)
class S3Response:
    """Status, headers and body; a body with `close` is closed by the server."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Iterable[bytes] = ()

    @classmethod
    def xml(cls, document: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> S3Response:
        """A document as the answer."""
        sized = {"Content-Type": "application/xml", "Content-Length": str(len(document))}
        return cls(status, {**sized, **(headers or {})}, (document,))


class S3Request:
    """Method, bucket, key and parameters from the request line as the client sent it; headers by lower-case name."""

    def __init__(self, environ: Environ) -> None:
        self._environ = environ
        self.method: str = environ["REQUEST_METHOD"].upper()
        raw_path, raw_query = _target(environ)
        self.resource = raw_path
        bucket, _, key = raw_path.removeprefix("/").partition("/")
        self.bucket = _decode(bucket)
        self.key = _decode(key)
        self.query = dict(parse_qsl(raw_query, keep_blank_values=True))
        self.headers = _headers(environ)
        self.request_id = f"0x{next(_REQUEST_NUMBERS):x}"

    def check_names(self) -> None:
        """Raises InvalidURI or KeyTooLongError for names that no object can have."""
        encoded = f"{self.bucket}{self.key}".encode("utf-8", "replace")
        if encoded != f"{self.bucket}{self.key}".encode("utf-8", "surrogateescape"):
            raise S3Error("InvalidURI", "The path is not UTF-8")
        if len(self.key.encode()) > MAX_KEY_BYTES:
            raise S3Error("KeyTooLongError", f"The key has {len(self.key.encode())} bytes, {MAX_KEY_BYTES} are allowed")

    @cached_property
    def body(self) -> Body:
        """The request's body; one object, as it can be read once."""
        return _body(self._environ, self.headers)

    @property
    def has_length(self) -> bool:
        """Whether the client said how long the body is, or how its end is marked."""
        return bool(self._environ.get("CONTENT_LENGTH")) or "transfer-encoding" in self.headers

    @property
    def source_ip(self) -> str:
        """The client's address."""
        return str(self._environ.get("REMOTE_ADDR", ""))

    @property
    def principal(self) -> str:
        """The access key that signed the request; empty when it is anonymous."""
        signed = self.headers.get("authorization", "") + "&Credential=" + self.query.get("X-Amz-Credential", "")
        credential = re.search(r"Credential=([^/,\s]+)/", signed)
        return credential[1] if credential else ""

    def kept_headers(self) -> dict[str, str]:
        """What is to be stored with the object: content headers and user metadata. Raises MetadataTooLarge."""
        kept = {name: self.headers[low] for low, name in KEPT.items() if low in self.headers}
        encoding = [part.strip() for part in kept.pop("Content-Encoding", "").split(",")]
        remaining = ", ".join(part for part in encoding if part and part != "aws-chunked")
        metadata = {name: value for name, value in self.headers.items() if name.startswith(METADATA)}
        if sum(len(name) - len(METADATA) + len(value) for name, value in metadata.items()) > MAX_METADATA:
            raise S3Error("MetadataTooLarge", f"User metadata is longer than {MAX_METADATA} bytes")
        if remaining:
            kept["Content-Encoding"] = remaining
        return {"Content-Type": DEFAULT_TYPE, **kept, **metadata}


def drain(environ: Environ) -> None:
    """Read and drop what is left of a body that nobody wants, in blocks: the next request on the connection follows it."""
    _body(environ, {}).drain()


def _body(environ: Environ, headers: Mapping[str, str]) -> Body:
    chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    return Body(environ["wsgi.input"], None if chunked else int(environ.get("CONTENT_LENGTH") or 0), headers)


def _target(environ: Environ) -> tuple[str, str]:
    """Path and query, still percent-encoded: a decoded PATH_INFO cannot tell `%2F` from `/`."""
    raw = environ.get("REQUEST_URI")
    if not raw:
        # PEP 3333 hands over decoded bytes as latin-1.
        path = environ.get("PATH_INFO", "/").encode("latin-1")
        return "".join(chr(byte) if chr(byte) in _PLAIN else f"%{byte:02X}" for byte in path), environ.get("QUERY_STRING", "")
    if not raw.startswith("/"):
        raw = "/" + raw.partition("://")[2].partition("/")[2]
    path, _, query = raw.partition("?")
    return path, query


_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


def _decode(part: str) -> str:
    return unquote_to_bytes(part.encode("latin-1")).decode("utf-8", "surrogateescape")


def _headers(environ: Environ) -> Mapping[str, str]:
    """By lower-case name; from the WSGI variables, where hyphens and underscores are one, only if the server keeps no other."""
    if HEADERS in environ:
        received: Mapping[str, str] = environ[HEADERS]
        return received
    headers = {name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = str(environ[name])
    return headers
