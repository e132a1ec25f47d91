"""The page live: a server on loopback, for the people of this machine.

GET / is the page, GET /data.json what it shows now. Both come from one collection, which is made again when somebody asks and the
last one is older than the page's interval; while one is being made, others who ask wait for it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from exr_inspector.catalogue.report import page
from exr_inspector.catalogue.report.answers import Row
from exr_inspector.errors import InspectorError

LOOPBACK = "127.0.0.1"
NAMES = ("127.0.0.1", "localhost")
"""Hosts that a request may name: a page of somebody else's, whose name leads here, reads nothing."""


class Latest:
    """The data, at most `seconds` old."""

    def __init__(self, collect: Callable[[], Row], seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._collect, self._seconds, self._clock = collect, seconds, clock
        self._lock = threading.Lock()
        self._data: Row | None = None
        self._made = 0.0

    def get(self) -> Row:
        """The data. Raises what collecting raises."""
        with self._lock:
            if self._data is None or self._clock() - self._made >= self._seconds:
                self._data = self._collect()
                self._made = self._clock()
            return self._data


class Server(ThreadingHTTPServer):
    """The server; port 0 takes one that is free."""

    daemon_threads = True

    def __init__(self, collect: Callable[[], Row], port: int = 0, refresh: int = 30) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.refresh = refresh
        # A page that asks on the second is answered with data that are new.
        self.latest = Latest(collect, refresh / 2)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        """Answer with the page or its data."""
        path = self.path.partition("?")[0]
        if (self.headers.get("Host") or "").rpartition(":")[0] not in NAMES:
            self._answer(403, "text/plain", "this server answers on loopback alone\n")
        elif path not in ("/", "/data.json"):
            self._answer(404, "text/plain", "there is / and /data.json\n")
        else:
            self._answer_with_data(path)

    def _answer_with_data(self, path: str) -> None:
        try:
            data = self.server.latest.get()
        except InspectorError as error:
            self._answer(503, "text/plain", f"{error}\n")
            return
        if path == "/":
            self._answer(200, "text/html", page.render(data, self.server.refresh))
        else:
            self._answer(200, "application/json", json.dumps(data, ensure_ascii=False))

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal belongs to whoever started the server."""
