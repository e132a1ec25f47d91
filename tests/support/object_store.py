"""A small object store on loopback whose answers a test can bend: what arrived is counted, what comes back can be scripted."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from exr_inspector.settings import Settings

MODIFIED = "Thu, 07 May 2026 16:02:44 GMT"
ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that arrived, and how many bytes of an object it got."""

    method: str
    key: str
    range: str | None
    if_match: str | None
    sent: int


@dataclass(slots=True)
class ScriptedStore:
    """Objects by `bucket/key`. `before` runs ahead of each answer, with the count of requests so far; it may return a status.

    Keys in `busy` are answered with 503.
    """

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    before: Callable[[int], tuple[int, str] | None] = lambda count: None
    busy: set[str] = field(default_factory=set)
    ignores_ranges: bool = False
    connections: set[Any] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def settings(self, **more: Any) -> Settings:
        """Settings for this store."""
        return Settings(s3_endpoint=self.url, s3_access_key="AKEY", s3_secret_key="hush-hush", **more)

    def log(self, seen: Seen) -> None:
        """Remember a request."""
        with self.lock:
            self.seen.append(seen)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    store: ScriptedStore

    def do_GET(self) -> None:
        """A whole object or a range of it."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """What a GET would say, without the bytes."""
        self._answer(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read `store.seen`."""

    def _answer(self, *, with_body: bool) -> None:
        key = unquote(urlsplit(self.path).path).removeprefix("/")
        self.store.connections.add(self.client_address)
        forced = (503, "SlowDown") if key in self.store.busy else self.store.before(len(self.store.seen))
        data = self.store.objects.get(key)
        if forced or data is None:
            self._refuse(key, *(forced or (404, "NoSuchKey")), with_body=with_body)
            return
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        if self.headers.get("If-Match") not in (None, etag):
            self._refuse(key, 412, "PreconditionFailed", with_body=with_body)
            return
        self._send(key, data, etag, with_body=with_body)

    def _send(self, key: str, data: bytes, etag: str, *, with_body: bool) -> None:
        asked = None if self.store.ignores_ranges or not with_body else self.headers.get("Range")
        headers = {"ETag": etag, "Last-Modified": MODIFIED}
        body, status = data, 200
        if asked:
            first, last = (int(number) for number in asked.removeprefix("bytes=").split("-"))
            if first >= len(data):
                self._refuse(key, 416, "InvalidRange", with_body=with_body)
                return
            body, status = data[first : last + 1], 206
            headers["Content-Range"] = f"bytes {first}-{first + len(body) - 1}/{len(data)}"
        self._write(key, status, body, headers, with_body=with_body)

    def _refuse(self, key: str, status: int, code: str, *, with_body: bool) -> None:
        body = ERROR.format(code=code, message="signed with hush-hush").encode()
        self._write(key, status, body, {"Content-Type": "application/xml"}, with_body=with_body)

    def _write(self, key: str, status: int, body: bytes, headers: dict[str, str], *, with_body: bool) -> None:
        sent = len(body) if with_body and status < 300 else 0
        self.store.log(Seen(self.command, key, self.headers.get("Range"), self.headers.get("If-Match"), sent))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of some tests."""


@contextmanager
def object_store() -> Iterator[ScriptedStore]:
    """A store that lives as long as the block, on a free loopback port."""
    store = ScriptedStore()
    handler = type("Handler", (_Handler,), {"store": store})
    with _Server(("127.0.0.1", 0), handler) as server:
        store.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield store
        server.shutdown()
        thread.join()
