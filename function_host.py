"""Runs a function as the platform does, for laptops and for any Knative platform: CloudEvents in over HTTP, a status out.

    python function_host.py [--app-path DIR] [--handler main.py] [--host 127.0.0.1] [--port 8080] [--threads 20]
                            [--secrets FILE.json] [--grace 30] [--log-level INFO]

POST a CloudEvent, structured or binary, to any path: 204 when the handler returned, 500 with the error's text when it raised or
the event is malformed, 400 when the request is no CloudEvent. GET /readiness is 200 once `init` is done and 503 before, or for
ever when it failed; GET /liveness is 200. SIGTERM and SIGINT end the host after the events that it already accepted, at the
latest after `--grace` seconds.

The module has `init(ctx)` and `handler(ctx, event)`, the latter sync or async. `ctx` has `logger`, `secrets` and `function_name`,
and keeps what the function assigns to it; tracer and metrics are absent. Nothing is forwarded: the return value is logged.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import inspect
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cheroot import wsgi
from cheroot.server import HTTPConnection

from function_host_events import NoCloudEvent, VastEvent

THREADS = 20
MAX_BODY = 16 * 1024**2
GRACE_SECONDS = 30.0
# Requests wait in these while all workers are busy, and probes must still be answered.
_HTTP_THREADS_BESIDE = 12
_log = logging.getLogger("function_host")

Answer = tuple[int, str]
Environ = Mapping[str, Any]


class SecretNotFound(Exception):
    """A secret is not mounted. Deliberately no KeyError: on a live cluster it is none either."""


class Secrets(Mapping[str, Any]):
    """`secrets[secret][key]`; what is missing raises SecretNotFound."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise SecretNotFound(f"Path not found: /secrets/{name}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(self._values)})"


class Context:
    """What `init` and `handler` get. Functions keep their state by assigning attributes."""

    def __init__(self, function_name: str, secrets: Mapping[str, Any]) -> None:
        self.function_name = function_name
        self.logger = logging.getLogger(function_name)
        self.secrets = Secrets(secrets)


class Connection(HTTPConnection):
    """A connection that closes its writer, too: cheroot leaves that to the garbage collector.

    Where the client is gone before it has read everything, the writer would send the rest through a closed descriptor.
    """

    def close(self) -> None:
        """Close the socket; what could not be sent is dropped."""
        super().close()
        self.wfile.raw.close()


class FunctionHost:
    """A running function; starts on construction. `port` 0 takes a free one; `threads` handlers run at once."""

    def __init__(
        self,
        handler: Callable[[Any, Any], Any],
        init: Callable[[Any], Any] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        threads: int = THREADS,
        secrets: Mapping[str, Any] | None = None,
        function_name: str = "function",
        grace: float = GRACE_SECONDS,
    ) -> None:
        self.context = Context(function_name, secrets or {})
        self._handler = _as_sync(handler)
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._stopping = threading.Event()
        self._ready: Future[Any] = self._workers.submit(init or _nothing, self.context)
        self._ready.add_done_callback(_report_init)
        self._server = wsgi.Server(
            (host, port), self, numthreads=threads + _HTTP_THREADS_BESIDE, shutdown_timeout=max(1, round(grace))
        )
        self._server.ConnectionClass = Connection
        self._server.max_request_body_size = MAX_BODY
        # How long an idle connection may keep the server from looking at its stop flag.
        self._server.expiration_interval = 0.05
        self._server.prepare()
        self._thread = threading.Thread(target=self._server.serve, name="function_host")
        self._thread.start()

    @property
    def url(self) -> str:
        """The address to post events to."""
        host, port = self._server.bind_addr[:2]
        return f"http://{host}:{port}"

    def wait_until_ready(self, timeout: float | None = None) -> None:
        """Return when `init` is done. Raises what it raised, or TimeoutError."""
        self._ready.result(timeout)

    def stop(self) -> None:
        """Take no more events, finish those that were accepted, and end the threads. May be called twice."""
        self._stopping.set()
        self._server.stop()
        self._thread.join()
        self._workers.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """One request (PEP 3333)."""
        body = environ["wsgi.input"].read()
        status, text = self._answer(environ, body)
        content = text.encode("utf-8", "replace")
        headers = [] if status == 204 else [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(content)))]
        start_response(f"{status} {_REASONS[status]}", headers)
        return [content] if content else []

    def _answer(self, environ: Environ, body: bytes) -> Answer:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/")
        if method in ("GET", "HEAD"):
            return self._probe(path) if path in ("/readiness", "/liveness") else (404, "post CloudEvents here")
        if method != "POST":
            return 405, "post CloudEvents here"
        return self._deliver(_headers(environ), body)

    def _probe(self, path: str) -> Answer:
        if path == "/liveness":
            return 200, "alive"
        problem = "the host is stopping" if self._stopping.is_set() else self._not_ready()
        return (503, problem) if problem else (200, "ready")

    def _not_ready(self) -> str | None:
        if not self._ready.done():
            return "init is still running"
        error = self._ready.exception()
        return f"init failed: {error}" if error else None

    def _deliver(self, headers: Mapping[str, str], body: bytes) -> Answer:
        if problem := self._not_ready():
            return 503, problem
        try:
            event = VastEvent.parse(headers, body)
        except NoCloudEvent as error:
            return 400, str(error)
        except ValueError as error:
            _log.error("event refused: %s", error)
            return 500, str(error)
        return self._run(event)

    def _run(self, event: VastEvent) -> Answer:
        started = time.perf_counter()
        call = self._workers.submit(self._handler, self.context, event)
        error = call.exception()
        spent = (time.perf_counter() - started) * 1000
        if error is not None:
            _log.error("event %s: the function raised after %.1f milliseconds", event.id, spent, exc_info=error)
            return 500, str(error)
        _log.info("event %s: the function returned %r with duration %.1f milliseconds", event.id, call.result(), spent)
        return 204, ""


_REASONS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def _nothing(context: Context) -> None:
    """The init of a function that has none."""


def _report_init(ready: Future[Any]) -> None:
    error = ready.exception()
    if error:
        _log.error("init failed; the function never becomes ready", exc_info=error)


def _as_sync(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The handler itself, or one that runs a coroutine function to its end in the worker's thread."""
    if not inspect.iscoroutinefunction(handler):
        return handler
    return lambda context, event: asyncio.run(handler(context, event))


def _headers(environ: Environ) -> dict[str, str]:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    return {**headers, "content-type": environ.get("CONTENT_TYPE", "")}


def load(app_path: Path, handler_file: str) -> tuple[Callable[[Any, Any], Any], Callable[[Any], Any]]:
    """`handler` and `init` of the module. Raises ImportError when it is not there or lacks one of the two."""
    sys.path.insert(0, str(app_path.resolve()))
    module = importlib.import_module(Path(handler_file).stem)
    missing = [name for name in ("init", "handler") if not callable(getattr(module, name, None))]
    if missing:
        raise ImportError(f"{handler_file} must contain init(ctx) and handler(ctx, event); it lacks {' and '.join(missing)}")
    return module.handler, module.init


def read_secrets(path: Path | None) -> dict[str, Any]:
    """`{"secret name": {"key": "value"}}` from a JSON file. Raises ValueError for another shape."""
    if path is None:
        return {}
    secrets = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(secrets, dict) or not all(isinstance(entries, dict) for entries in secrets.values()):
        raise ValueError(f'{path} must hold {{"secret name": {{"key": "value"}}}}')
    return secrets


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Exit status 0, or 2 when the function or its secrets cannot be loaded."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        secrets = read_secrets(options.secrets)
        handler, init = load(options.app_path, options.handler)
    except (ImportError, OSError, ValueError) as error:
        print(f"function_host: {error}", file=sys.stderr)
        return 2
    stopped = _stop_signal()
    name = os.environ.get("K_SERVICE") or options.app_path.resolve().name
    shape = {"host": options.host, "port": options.port, "threads": options.threads, "grace": options.grace}
    with FunctionHost(handler, init, secrets=secrets, function_name=name, **shape) as host:
        print(f"FUNCTION_HOST_URL={host.url}", flush=True)
        stopped.wait()
        _log.info("stopping: no more events are taken")
        last_resort = threading.Timer(options.grace, _give_up, [options.grace])
        last_resort.daemon = True
        last_resort.start()
    return 0


def _give_up(grace: float) -> None:
    """End at once: a handler that does not return cannot be interrupted in any gentler way."""
    _log.error("an event was still running %.0f seconds after the stop signal; it will be delivered again", grace)
    logging.shutdown()
    os._exit(1)


def _stop_signal() -> threading.Event:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    return stopped


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="function_host", description="Run a VAST DataEngine function behind HTTP.")
    here = Path(__file__).resolve().parent
    port = int(os.environ.get("PORT", "8080"))
    parser.add_argument("--app-path", type=Path, default=here, metavar="DIR", help="where the module is")
    parser.add_argument("--handler", default="main.py", metavar="FILE", help="the module; default: main.py")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on; 0.0.0.0 in a container")
    parser.add_argument("--port", type=int, default=port, help="default: PORT, or 8080; 0 is any free")
    parser.add_argument("--threads", type=int, default=THREADS, help=f"handlers at once; default: {THREADS}, as on VAST")
    parser.add_argument("--secrets", type=Path, metavar="FILE.json", help='{"secret name": {"key": "value"}}')
    parser.add_argument("--grace", type=float, default=GRACE_SECONDS, metavar="SECONDS", help="for running events at the end")
    parser.add_argument("--log-level", default=os.environ.get("LOG_LEVEL", "INFO"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
