"""`LocalVast`: the endpoint as a library, and the application that joins its parts."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import urlsplit

import duckdb
import pyarrow as pa

from . import auth, deviations, routes
from .engine import Engine, is_engine
from .errors import VastError, bad_request, disk_full, first_line, is_disk_full
from .faults import BadFault, Fault, Faults
from .http import CUT, HEADERS, HttpRequest, HttpResponse, HttpServer, status_line
from .objects import ObjectStore
from .objects.errors import S3Error
from .objects.http import drain
from .routes import is_tabular, operation_name
from .store import TableStore
from .tabular import Tabular
from .trigger import ElementTrigger

DEFAULT_VERSION = "5.5.0.0"
CONTROL = "/_local_vast/"
# The names under which the loopback interface is reached.
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# After how many seconds an idle transaction expires. The vendor's connectors say after 60 that theirs are alive.
IDLE_SECONDS = 300.0
CELL_LIMIT_BEFORE_5_5 = 126 * 1024
CELL_LIMIT = 5 * 1024 * 1024
# The request log forgets its older half beyond this.
MAX_REQUESTS = 100_000
StartResponse = Callable[..., Any]


class LoggedRequest(NamedTuple):
    """A request in the log of `LocalVast.requests`."""

    method: str
    path: str
    command: str
    client_port: int
    """Of the connection that it came by."""


class LocalVast:
    """A VAST DataBase endpoint for development and tests. It is not VAST: see docs/LOCAL_VAST.md.

    Starts on construction and listens on 127.0.0.1. `data` is a directory that keeps tables across restarts, None memory;
    `objects` likewise for S3 objects. `cell_limit` is the largest cell in bytes (default: what `version` allows),
    `idle_seconds` after how long, by `clock`, an idle transaction expires (None: never), `latency_ms` is added to every request,
    `trigger_workers` are how many events it delivers at a time, `deviates` are ways of `deviations` to behave unlike VAST.
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
        trigger_workers: int = 8,
        latency_ms: float = 0,
        faults: Iterable[str] = (),
        port: int = 0,
        cell_limit: int | None = None,
        idle_seconds: float | None = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        deviates: Iterable[str] = (),
    ) -> None:
        self.deviates = deviations.check(deviates)
        self.access_key, self.secret_key, self.version = access_key, secret_key, version
        self.faults = Faults(faults)
        self.latency_ms = latency_ms
        self.requests: list[LoggedRequest] = []
        self._numbers = _version_numbers(version)
        default_limit = CELL_LIMIT if self._numbers >= (5, 5) else CELL_LIMIT_BEFORE_5_5
        directory = Path(data) if data else None
        self._scratch = Path(tempfile.mkdtemp(prefix="local_vast-"))
        self._own_objects = None if objects or directory else self._scratch / "objects"
        dead_letter = (directory or self._scratch) / "dead-letter.jsonl"
        journal = directory / "undelivered.jsonl" if directory else None
        self.trigger: ElementTrigger | None = None
        if trigger_url:
            self.trigger = ElementTrigger(
                trigger_url, dead_letter=dead_letter, journal=journal, suffix=trigger_suffix, workers=trigger_workers
            )
        self._objects = ObjectStore(Path(objects or self._own_objects or f"{directory}/objects"), self.trigger)
        self.store = TableStore(
            self._objects.has_bucket,
            directory,
            cell_limit=cell_limit or default_limit,
            keep_zones=self._numbers >= (5, 4),
            idle_seconds=idle_seconds,
            clock=clock,
        )
        self._buckets = {*buckets, *self.store.catalogue.buckets_in_use()}
        self._make_buckets()
        self._tabular = Tabular(self.store, self._numbers, self._open_object)
        self._engine = Engine(self.store, version, changes=self._numbers >= (5, 5))
        self._request_ids = itertools.count(1)
        self._http = HttpServer(self._application, port)

    @property
    def url(self) -> str:
        """The endpoint URL, without a trailing slash."""
        return f"http://127.0.0.1:{self._http.port}"

    def _make_buckets(self) -> None:
        for bucket in sorted(self._buckets):
            self._objects.create_bucket(bucket)

    def _open_object(self, bucket: str, name: str) -> BinaryIO:
        try:
            return self._objects.disk.open(bucket, name)[0]
        except S3Error as error:
            raise VastError(error.status, error.code, error.message) from error

    def _log(self, request: LoggedRequest) -> None:
        if len(self.requests) >= MAX_REQUESTS:
            del self.requests[: MAX_REQUESTS // 2]
        self.requests.append(request)

    def clear_requests(self) -> None:
        """Forget the requests served so far."""
        self.requests.clear()

    def reset(self) -> None:
        """Remove every schema, table and open transaction, switch faults off, forget requests.

        Objects go too where they lie in a temporary directory; a directory that was named is left alone.
        """
        self.store.clear()
        if self._own_objects:
            shutil.rmtree(self._own_objects, ignore_errors=True)
            self._own_objects.mkdir()
            self._make_buckets()
        self.faults.clear()
        self.clear_requests()

    def stop(self) -> None:
        """Stop answering and close the database; open transactions are rolled back."""
        self._http.stop()
        self._engine.close()
        self.store.close()
        if self.trigger:
            self.trigger.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> LocalVast:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()

    # One request

    def _application(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        request = _parse_request(environ)
        if environ.get("CONTENT_LENGTH", "").startswith("-"):
            refusal = bad_request("Content-Length must not be negative")
            return _send(_error_response(request, refusal, next(self._request_ids)), start_response, self.version)
        if request.path.startswith(CONTROL):
            return _send(self._control(request, environ), start_response, self.version)
        self._log(LoggedRequest(request.method, request.path, request.command, int(environ["REMOTE_PORT"])))
        if self.latency_ms:
            time.sleep(self.latency_ms / 1000)
        due = self.faults.take_due(_place(request))
        try:
            self._strike(due, request, environ[CUT])
            answer = self._answer(request, environ, start_response)
        except (duckdb.Error, pa.ArrowException) as error:
            failure = _database_error(error)
            answer = _send(_error_response(request, failure, next(self._request_ids)), start_response, self.version)
        except VastError as error:
            drain(environ)
            answer = _send(_error_response(request, error, next(self._request_ids)), start_response, self.version)
        if any(fault.what == "lost" for fault in due):
            environ[CUT]()
        return answer

    def _answer(self, request: HttpRequest, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Carry out a request; raises `VastError`. S3 bodies are streamed, all others are read first."""
        engine, tabular = is_engine(request), is_tabular(request)
        if not (engine or tabular):
            self._check_signature(request, None)
            deviations.ignore_headers(self.deviates, environ[HEADERS])
            return self._objects(environ, _with_server(start_response, self.version))
        request = replace(request, body=_body(environ))
        self._check_signature(request, hashlib.sha256(request.body).hexdigest())
        request = deviations.rewrite(self.deviates, request)
        response = self._engine.answer(request) if engine else routes.answer(self._tabular, request)
        return _send(response, start_response, self.version)

    def _check_signature(self, request: HttpRequest, payload_hash: str | None) -> None:
        signed = auth.SignedRequest(request.method, request.path, request.query, request.headers)
        auth.check(signed, self.access_key, self.secret_key, payload_hash)

    def _strike(self, due: list[Fault], request: HttpRequest, cut: Callable[[], None]) -> None:
        for fault in due:
            if fault.what.startswith("latency="):
                time.sleep(int(fault.what.partition("=")[2]) / 1000)
            elif fault.what == "reset":
                cut()
            elif fault.what == "expire":
                self.store.transactions.expire(request.txid)
            elif error := fault.error():
                if error.status == 409 and operation_name(request) == "commit":
                    # A conflict ends the transaction; clients do not roll back after a failed commit.
                    self.store.transactions.expire(request.txid)
                raise error

    # Control, for other processes

    def _control(self, request: HttpRequest, environ: dict[str, Any]) -> HttpResponse:
        """`/_local_vast/faults` (GET, POST a JSON list, DELETE), `/requests` (GET, DELETE) and `/reset` (POST)."""
        try:
            if reason := _reason_to_refuse(request):
                drain(environ)
                return _json({"error": reason}, 403)
            return self._carry_out(replace(request, body=_body(environ)))
        except (BadFault, ValueError, TypeError) as error:
            return _json({"error": str(error)}, 400)
        except duckdb.Error as error:
            failure = _database_error(error)
            return _json({"error": failure.message}, failure.status)

    def _carry_out(self, request: HttpRequest) -> HttpResponse:
        what = (request.method, request.path[len(CONTROL) :])
        if what == ("POST", "faults"):
            self.faults.add(*json.loads(request.body))
        elif what == ("DELETE", "faults"):
            self.faults.clear()
        elif what == ("DELETE", "requests"):
            self.clear_requests()
        elif what == ("POST", "reset"):
            self.reset()
        elif what not in (("GET", "faults"), ("GET", "requests")):
            return _json({"error": "no such control"}, 404)
        return _json({"faults": self.faults.specifications(), "requests": [list(request) for request in self.requests]})


def _reason_to_refuse(request: HttpRequest) -> str:
    """Why a control request is not from this machine's own tools, or "".

    A page in a browser can post here without asking: its requests carry `Origin` or `Sec-Fetch-Site`, and where it has its own
    name lead here (DNS rebinding), a `Host` of another name.
    """
    if "origin" in request.headers or request.headers.get("sec-fetch-site", "none") != "none":
        return "a web page may not control local_vast: the request carries Origin or Sec-Fetch-Site"
    host = urlsplit(f"//{request.headers.get('host', 'localhost')}").hostname
    return "" if host in _LOOPBACK else f"local_vast is controlled as 127.0.0.1 or localhost, not as {host!r}"


def _json(content: dict[str, Any], status: int = 200) -> HttpResponse:
    return HttpResponse([json.dumps(content).encode()], {"Content-Type": "application/json"}, status)


def _database_error(error: Exception) -> VastError:
    """What an error of the database answers."""
    message = first_line(error)
    return disk_full(message) if is_disk_full(error) else VastError(500, "InternalError", message)


def _version_numbers(version: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d+(\.\d+){3}", version):
        raise ValueError(f"version {version!r} must be four numbers, such as {DEFAULT_VERSION}")
    return tuple(int(part) for part in version.split("."))


def _place(request: HttpRequest) -> str:
    if is_engine(request):
        return "engine"
    return operation_name(request) if is_tabular(request) else "object"


def _parse_request(environ: dict[str, Any]) -> HttpRequest:
    return HttpRequest.parse(environ["REQUEST_METHOD"], environ["REQUEST_URI"], environ[HEADERS])


def _body(environ: dict[str, Any]) -> bytes:
    if environ.get("wsgi.input_terminated"):
        return bytes(environ["wsgi.input"].read())
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return bytes(environ["wsgi.input"].read(length)) if length else b""


def _error_response(request: HttpRequest, error: VastError, number: int) -> HttpResponse:
    body = b"" if request.method == "HEAD" else error.body(request.path, f"{number:016x}")
    return HttpResponse([body], {"Content-Type": "application/xml"}, error.status)


def _send(response: HttpResponse, start_response: StartResponse, version: str) -> Iterable[bytes]:
    body = b"".join(response.body)
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(len(body)), **response.headers}
    _with_server(start_response, version)(status_line(response.status), list(headers.items()))
    return [body]


def _with_server(start_response: StartResponse, version: str) -> StartResponse:
    """`start_response` with the header that clients read the version from."""

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [("Server", f"vast {version}"), *headers], *rest)

    return start
