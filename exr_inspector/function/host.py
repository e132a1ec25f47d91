"""Runs a function as the platform does, for laptops and for any Knative platform: CloudEvents in over HTTP, a status out.

    exr-inspector serve [--app-path DIR] [--handler main.py] [--host 127.0.0.1] [--port 8080] [--threads 20] [--name NAME]
                            [--secrets FILE.json] [--grace 30] [--log-level INFO] [--log-format text|json]

POST a CloudEvent, structured or binary, or a batch of them (`application/cloudevents-batch+json`), to any path: 204 when the
handler returned, 500 with the error's text when it raised or the event is malformed, 400 when the request is not a CloudEvent,
413 when its body is over 16 MiB, 408 when that takes over 30 seconds to arrive. With `Prefer: return=representation` (RFC 7240)
the answer is 200 and what the handler returned, as JSON. What is posted to /dead-letters is counted and logged, not handled: for
the dead-letter sink of a Knative trigger.

GET /readiness is 200 once `init` is done and 503 before, or for ever when it failed; GET /liveness is 200; GET /metrics is a page
for Prometheus. SIGTERM and SIGINT end the host after the events that it already accepted, at the latest after `--grace` seconds.

One thread, as on the platform with uvicorn, reads all requests and answers probes, however many events wait and however slowly
others arrive; `--threads` handlers run beside it.

The module has `init(ctx)` and `handler(ctx, event)`, the latter sync or async. `ctx` has `logger`, `secrets`, `function_name` and
instruments, whose values are on the page of metrics, and keeps what the function assigns to it; its tracer records nothing. What
is returned is not forwarded; the level DEBUG logs it.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import inspect
import json
import logging
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import uvicorn

from exr_inspector.arguments import Parser
from exr_inspector.errors import InspectorError
from exr_inspector.function import host_log, host_metrics
from exr_inspector.function.host_events import NoCloudEvent, VastEvent, parse_request, read_cloudevent

THREADS = 20
MAX_BODY = 16 * 1024**2
BODY_SECONDS = 30.0
GRACE_SECONDS = 30.0
# Connections that the system accepts while this process is busy; beyond it a burst is reset.
BACKLOG = 1024
DEAD_LETTERS = "/dead-letters"
REPRESENTATION = "return=representation"
# A preference (RFC 7240, 2) up to the comma behind it; a comma within quotes is none.
_PREFERENCE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_log = logging.getLogger("exr_inspector.function.host")

T = TypeVar("T")
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class HttpAnswer(NamedTuple):
    """Status, content, and what kind of content that is; whether it is as the request's `Prefer` asked for."""

    status: int
    content: str
    kind: str = "text/plain; charset=utf-8"
    is_preferred: bool = False


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


class Unreadable(Exception):
    """The request has no body that can be read; `answer` says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.answer = HttpAnswer(status, text)


class HostContext(host_metrics.HostTelemetry):
    """What `init` and `handler` get. Functions keep their state by assigning attributes."""

    def __init__(self, function_name: str, secrets: Mapping[str, Any]) -> None:
        super().__init__()
        self.function_name = function_name
        self.logger = logging.getLogger(function_name)
        self.secrets = Secrets(secrets)


class FunctionHost:
    """A running function; starts on construction. `port` 0 takes a free one; `threads` handlers run at once.

    Raises OSError when the address cannot be listened on.
    """

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
        self.context = HostContext(function_name, secrets or {})
        self._handler = _as_sync(handler)
        context = self.context
        self._deliveries = context.counter("exr_inspector.deliveries", description="POST requests, by the answer's status.")
        self._waiting = context.updowncounter("exr_inspector.events_waiting", description="Events that wait for a thread.")
        self._dead_letters = context.counter("exr_inspector.dead_letters", description="Events posted to /dead-letters.")
        for instrument in (self._waiting, self._dead_letters):
            instrument.add(0)
        self._socket = _listen(host, port)
        self._url = _url_of(self._socket)
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        # A large event is parsed beside the thread that answers probes.
        self._parser = ThreadPoolExecutor(1, thread_name_prefix="parser")
        self._stopping = threading.Event()
        self._ready: Future[Any] = self._workers.submit(init or _nothing, self.context)
        self._ready.add_done_callback(_report_init)
        self._server = uvicorn.Server(_configuration(self, grace))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="exr_inspector.function.host")
        self._thread.start()

    @property
    def url(self) -> str:
        """The address to post events to."""
        return self._url

    def wait_until_ready(self, timeout: float | None = None) -> None:
        """Return when `init` is done. Raises what it raised, or TimeoutError."""
        self._ready.result(timeout)

    def stop(self) -> None:
        """Take no more events, finish those that were accepted, and end the threads. May be called twice."""
        self._stopping.set()
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self._workers.shutdown()
        self._parser.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (ASGI 3)."""
        answer = await self._answer(scope, receive)
        if scope["method"] == "POST":
            self._deliveries.add(1, {"status": answer.status})
        content = answer.content.encode("utf-8", "replace")
        headers = [] if answer.status == 204 else [("content-type", answer.kind), ("content-length", str(len(content)))]
        headers += [("preference-applied", REPRESENTATION)] if answer.is_preferred else []
        encoded = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, scope: Scope, receive: Receive) -> HttpAnswer:
        method, path = scope["method"], scope["path"]
        if method in ("GET", "HEAD"):
            return self._show(path)
        try:
            body = await asyncio.wait_for(_read_body(receive), BODY_SECONDS)
        except Unreadable as error:
            return error.answer
        except TimeoutError:
            return HttpAnswer(408, f"the request's body did not arrive within {BODY_SECONDS:.0f} seconds")
        if method != "POST":
            return HttpAnswer(405, "post CloudEvents here")
        headers = _headers(scope)
        if path == DEAD_LETTERS:
            return self._note_dead_letter(headers, body)
        return await self._deliver(headers, body)

    def _show(self, path: str) -> HttpAnswer:
        if path == "/metrics":
            return HttpAnswer(200, self.context.page.text(), host_metrics.CONTENT_TYPE)
        return self._probe(path) if path in ("/readiness", "/liveness") else HttpAnswer(404, "post CloudEvents here")

    def _probe(self, path: str) -> HttpAnswer:
        if path == "/liveness":
            return HttpAnswer(200, "alive")
        problem = "the host is stopping" if self._stopping.is_set() else self._not_ready()
        return HttpAnswer(503, problem) if problem else HttpAnswer(200, "ready")

    def _not_ready(self) -> str | None:
        if not self._ready.done():
            return "init is still running"
        error = self._ready.exception()
        return f"init failed: {error}" if error else None

    def _note_dead_letter(self, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """An event that no more deliveries are made of: its id and object are logged, whatever else is wrong with it."""
        try:
            event = read_cloudevent(headers, body).get_attributes()
        except NoCloudEvent as error:
            return HttpAnswer(400, str(error))
        self._dead_letters.add(1)
        named = {"event_id": event["id"], "source": event["source"], "location": event.get("elementpath")}
        _log.error("%s", json.dumps({"message": "dead letter", **named}))
        return HttpAnswer(204, "")

    async def _deliver(self, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        if problem := self._not_ready():
            return HttpAnswer(503, problem)
        parsed = await _wait_for(self._parser.submit(parse_request, headers, body))
        error = parsed.exception()
        if isinstance(error, NoCloudEvent):
            return HttpAnswer(400, str(error))
        if error is not None:
            _log.error("event refused: %s", error)
            return HttpAnswer(500, str(error))
        return await self._run(parsed.result(), is_preferred=prefers_representation(headers.get("prefer", "")))

    async def _run(self, event: VastEvent | list[VastEvent], *, is_preferred: bool) -> HttpAnswer:
        name = f"event {event.id}" if isinstance(event, VastEvent) else f"batch of {len(event)} events"
        started = time.perf_counter()
        self._waiting.add(1)
        call = await _wait_for(self._workers.submit(self._call, event))
        error = call.exception()
        spent = (time.perf_counter() - started) * 1000
        if error is not None:
            # An error that has a verdict has its line in the log, written by the function.
            level = logging.DEBUG if isinstance(error, InspectorError) else logging.ERROR
            _log.log(level, "%s: the function raised after %.1f milliseconds", name, spent, exc_info=error)
            return HttpAnswer(500, str(error))
        _log.debug("%s: the function returned %r with duration %.1f milliseconds", name, call.result(), spent)
        if not is_preferred:
            return HttpAnswer(204, "")
        return HttpAnswer(200, json.dumps(call.result(), default=str), "application/json", is_preferred)

    def _call(self, event: VastEvent | list[VastEvent]) -> Any:
        """Handle an event, in a worker's thread."""
        self._waiting.add(-1)
        return self._handler(self.context, event)


def _listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections at once, also while the server is still starting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def _url_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _configuration(app: FunctionHost, grace: float) -> uvicorn.Config:
    """The standard library's event loop, no log but what goes wrong, and no more than `grace` seconds for the end."""
    return uvicorn.Config(
        app,
        interface="asgi3",
        lifespan="off",
        loop="asyncio",
        http="h11",
        ws="none",
        backlog=BACKLOG,
        proxy_headers=False,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=max(1, round(grace)),
    )


async def _wait_for(call: Future[T]) -> Future[T]:
    """The call of another thread, when it is done; whatever it raised stays in it."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def wake(_: Future[T]) -> None:
        loop.call_soon_threadsafe(done.set)

    call.add_done_callback(wake)
    await done.wait()
    return call


async def _read_body(receive: Receive) -> bytes:
    """The body of a request. Raises Unreadable.

    What is too long is still read for a while: whoever is sending does not look for an answer before the end.
    """
    parts: list[bytes] = []
    size, more = 0, True
    while more and size <= 4 * MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Unreadable(400, "the request ended within its body")
        size += len(message.get("body", b""))
        if size <= MAX_BODY:
            parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    if size > MAX_BODY:
        raise Unreadable(413, f"the request's body is over {MAX_BODY:,} bytes")
    return b"".join(parts)


def _nothing(context: HostContext) -> None:
    """The init of a function that has none."""


def _report_init(ready: Future[Any]) -> None:
    error = ready.exception()
    if error:
        _log.error("init failed; the function never becomes ready", exc_info=error)


def _as_sync(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The handler itself, or one that runs a coroutine function to its end in the worker's thread."""
    if not inspect.iscoroutinefunction(handler):
        return handler

    def run(context: Any, event: Any) -> Any:
        return asyncio.run(handler(context, event))

    return run


def _headers(scope: Scope) -> dict[str, str]:
    """By lower-case names; of a header that stands several times, its values behind each other (RFC 9110, 5.3)."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        said, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[said] = f"{headers[said]}, {text}" if said in headers else text
    return headers


def prefers_representation(prefer: str) -> bool:
    """Whether a `Prefer` header asks for what the request led to: the first preference `return` counts (RFC 7240, 2)."""
    preferences = (text.partition(";")[0].partition("=") for text in _PREFERENCE.findall(prefer))
    values = [value.strip().strip('"') for name, _, value in preferences if name.strip().lower() == "return"]
    return values[:1] == ["representation"]


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
    """Serve until SIGTERM or SIGINT. Exit status 0, 1 when the address cannot be listened on or an event had to be given up, 2
    when the function or its secrets cannot be loaded.
    """
    options = _parser().parse_args(arguments)
    host_log.configure(options.log_level, options.log_format)
    try:
        secrets = read_secrets(options.secrets)
        handler, init = load(options.app_path, options.handler)
    except (ImportError, OSError, ValueError) as error:
        print(f"function_host: {error}", file=sys.stderr)
        return 2
    stopped = _stop_signal()
    shape = {"host": options.host, "port": options.port, "threads": options.threads, "grace": options.grace}
    try:
        host = FunctionHost(handler, init, secrets=secrets, function_name=options.name, **shape)
    except OSError as error:
        # `socket.create_server` adds the address to the system's words.
        reason = str(error.strerror).partition(" (while")[0]
        print(f"function_host: cannot listen on {options.host} port {options.port}: {reason}", file=sys.stderr)
        return 1
    with host:
        print(host_log.address(host.url, options.log_format), flush=True)
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

    def stop(*_: object) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return stopped


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not a port, 0 to 65535")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description="Run a VAST DataEngine function behind HTTP.")
    here = Path(__file__).resolve().parents[2]
    port = os.environ.get("PORT", "8080")
    parser.add_argument("--app-path", type=Path, default=here, metavar="DIR", help="where the module is")
    parser.add_argument("--handler", default="main.py", metavar="FILE", help="the module; default: main.py")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on; 0.0.0.0 in a container")
    parser.add_argument("--port", type=_port, default=port, help="default: PORT, or 8080; 0 is any free")
    parser.add_argument("--threads", type=int, default=THREADS, help=f"handlers at once; default: {THREADS}, as on VAST")
    parser.add_argument("--secrets", type=Path, metavar="FILE.json", help='{"secret name": {"key": "value"}}')
    parser.add_argument("--grace", type=float, default=GRACE_SECONDS, metavar="SECONDS", help="for running events at the end")
    name = os.environ.get("K_SERVICE") or "exr-inspector"
    parser.add_argument("--name", default=name, help="the function's, in the log; default: K_SERVICE, or exr-inspector")
    parser.add_argument("--log-level", default=os.environ.get("LOG_LEVEL", "INFO"))
    form = "text, or json: one object a line; default: text"
    parser.add_argument("--log-format", choices=host_log.FORMATS, default="text", help=form)
    return parser


if __name__ == "__main__":
    sys.exit(main())
