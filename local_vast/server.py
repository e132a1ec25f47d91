"""`LocalVast`: the endpoint as a library, and the application that joins its parts."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from . import auth
from .engine import Engine, is_engine
from .errors import VastError
from .faults import BadFault, Fault, Faults
from .http import CUT, HttpServer, status_line
from .routes import Request, Response, Tabular, is_tabular, operation
from .store import Store

DEFAULT_VERSION = "5.5.0.0"
CONTROL = "/_local_vast/"
CELL_LIMIT_BEFORE_5_5 = 126 * 1024
CELL_LIMIT = 5 * 1024 * 1024


class Served(NamedTuple):
    """A request that was served."""

    method: str
    path: str
    command: str


class LocalVast:
    """A VAST DataBase endpoint for development and tests. It is not VAST: see docs/LOCAL_VAST.md.

    Starts on construction and listens on 127.0.0.1. `data` is a directory that keeps tables across restarts, None memory;
    `objects` likewise for S3 objects. `cell_limit` is the largest cell in bytes (default: what `version` allows),
    `idle_seconds` after how long an idle transaction expires (None: never), `latency_ms` is added to every request.
    """

    def __init__(
        self,
        data: Path | str | None = None,
        buckets: Iterable[str] = ("exr",),
        access_key: str = "local",
        secret_key: str = "local-secret",  # noqa: S107 - the documented default of a local endpoint
        version: str = DEFAULT_VERSION,
        objects: Path | str | None = None,
        trigger_url: str | None = None,
        trigger_suffix: str = ".exr",
        latency_ms: float = 0,
        faults: Iterable[str] = (),
        port: int = 0,
        cell_limit: int | None = None,
        idle_seconds: float | None = None,
    ) -> None:
        self.access_key, self.secret_key, self.version = access_key, secret_key, version
        self.faults = Faults(faults)
        self.latency_ms = latency_ms
        self.requests: list[Served] = []
        self._numbers = tuple(int(part) for part in version.split("."))
        default_limit = CELL_LIMIT if self._numbers >= (5, 5) else CELL_LIMIT_BEFORE_5_5
        self.store = Store(
            set(buckets),
            Path(data) if data else None,
            cell_limit=cell_limit or default_limit,
            keep_zones=self._numbers >= (5, 4),
            idle_seconds=idle_seconds,
        )
        self._tabular = Tabular(self.store, self._numbers)
        self._engine = Engine(self.store, version)
        self._request_ids = itertools.count(1)
        self._http = HttpServer(self._application, port)

    @property
    def url(self) -> str:
        """The endpoint URL, without a trailing slash."""
        return f"http://127.0.0.1:{self._http.port}"

    @property
    def buckets(self) -> set[str]:
        """The names of the buckets."""
        return self.store.catalogue.buckets

    def clear_requests(self) -> None:
        """Forget the requests served so far."""
        self.requests.clear()

    def reset(self) -> None:
        """Remove every schema, table and open transaction, switch faults off, forget requests."""
        self.store.clear()
        self.faults.clear()
        self.clear_requests()

    def stop(self) -> None:
        """Stop answering and close the database; open transactions are rolled back."""
        self._http.stop()
        self.store.close()

    def __enter__(self) -> LocalVast:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # One request

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        headers = {name[5:].lower().replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
        length = int(environ.get("CONTENT_LENGTH") or 0)
        method, target = environ["REQUEST_METHOD"], environ["REQUEST_URI"]
        body = environ["wsgi.input"].read(length) if length else b""
        request = Request.parse(method, target, headers, body)
        if request.path.startswith(CONTROL):
            response = self._control(request)
        else:
            self.requests.append(Served(method, request.path, request.command))
            response = self._answer(request, environ[CUT])
        return self._send(response, start_response)

    def _answer(self, request: Request, cut: Callable[[], None]) -> Response:
        if self.latency_ms:
            time.sleep(self.latency_ms / 1000)
        due = self.faults.due(_place(request))
        try:
            self._strike(due, request, cut)
            auth.check(
                auth.Request(request.method, request.path, request.query, request.headers),
                self.access_key,
                self.secret_key,
                hashlib.sha256(request.body).hexdigest(),
            )
            response = self._dispatch(request)
        except VastError as error:
            body = b"" if request.method == "HEAD" else error.body(request.path, f"{next(self._request_ids):016x}")
            response = Response([body], {"Content-Type": "application/xml"}, error.status)
        if any(fault.what == "lost" for fault in due):
            cut()
        return response

    def _strike(self, due: list[Fault], request: Request, cut: Callable[[], None]) -> None:
        for fault in due:
            if fault.what.startswith("latency="):
                time.sleep(int(fault.what.partition("=")[2]) / 1000)
            elif fault.what == "reset":
                cut()
            elif fault.what == "expire":
                self.store.transactions.expire(request.txid)
            elif error := fault.error():
                raise error

    def _dispatch(self, request: Request) -> Response:
        if is_engine(request):
            return self._engine.answer(request)
        if is_tabular(request):
            return self._tabular.answer(request)
        return self._bucket(request)

    def _bucket(self, request: Request) -> Response:
        self.store.catalogue.check_bucket(request.segments[0] if request.segments else "")
        return Response()

    def _send(self, response: Response, start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = [bytes(part) for part in response.body]
        headers = {
            "Server": f"vast {self.version}",
            "Content-Type": "application/octet-stream",
            "Content-Length": str(sum(map(len, body))),
            **response.headers,
        }
        start_response(status_line(response.status), list(headers.items()))
        return body

    # Control, for other processes

    def _control(self, request: Request) -> Response:
        """`/_local_vast/faults` (GET, POST a JSON list, DELETE), `/requests` (GET, DELETE) and `/reset` (POST)."""
        what = (request.method, request.path[len(CONTROL) :])
        try:
            if what == ("POST", "faults"):
                self.faults.add(*json.loads(request.body))
            elif what == ("DELETE", "faults"):
                self.faults.clear()
            elif what == ("DELETE", "requests"):
                self.clear_requests()
            elif what == ("POST", "reset"):
                self.reset()
            elif what not in (("GET", "faults"), ("GET", "requests")):
                return Response([b'{"error": "no such control"}'], {"Content-Type": "application/json"}, 404)
        except (BadFault, ValueError, TypeError) as error:
            return Response([json.dumps({"error": str(error)}).encode()], {"Content-Type": "application/json"}, 400)
        state = {"faults": self.faults.active(), "requests": [list(served) for served in self.requests]}
        return Response([json.dumps(state).encode()], {"Content-Type": "application/json"})


def _place(request: Request) -> str:
    if is_engine(request):
        return "engine"
    return operation(request) if is_tabular(request) else "object"
