"""The function: `init(ctx)` once per container, `handler(ctx, event)` for every event.

    python main.py EVENT.json|FILE.exr ... [--pretty] [--output FILE]

runs the same handler on a laptop and prints what it returns. Exit status: 0 done, 1 something was rejected, 2 wrong usage or
settings, 3 something may succeed later.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from time import perf_counter
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any

import exr_chunks
import exr_header
import exr_payload
import vast_context
import vast_events
import vast_objects
import vast_settings
from exr_errors import BadHeader, BadSettings, InspectorError, Retry, Verdict
from vast_events import Request
from vast_settings import Settings

if TYPE_CHECKING:
    from vast_db_persistence import Store

STATE = "exr_inspector"
STATUS_OF = {Verdict.SKIP: "skipped", Verdict.REJECT: "rejected", Verdict.RETRY: "retry"}
LOG_LEVEL_OF = {"retry": "error", "reject": "warning"}
LOGGED_KEYS = ("file_id", "inserted", "counts", "reason", "errors", "warnings", "persistence")


class Clients:
    """The connections of one configuration, shared by all threads; each is made when first needed, and again if that failed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._s3: Any = None
        self._store: Store | None = None

    def configured(self) -> list[Callable[[], Any]]:
        """What there is to connect to."""
        settings = self._settings
        return [self.s3] * bool(settings.s3_endpoint) + [self.store] * bool(settings.db_endpoint)

    def s3(self) -> Any:
        """The object store's client. Raises BadSettings where no object store is configured."""
        with self._lock:
            if self._s3 is None:
                self._s3 = vast_objects.s3_client(self._settings)
            return self._s3

    def store(self) -> Store:
        """The database's tables. Raises VASTDatabaseError while the database is out of reach."""
        import vast_db_persistence  # brings pyarrow and vastdb, which take longer to load than all else here

        if self._store is None:
            opened = vast_db_persistence.open_store(self._settings)  # may wait for the network: not under the lock
            with self._lock:
                self._store = self._store or opened
        return self._store


@dataclass(frozen=True, slots=True)
class Runtime:
    """What all events of a container share."""

    settings: Settings
    metrics: vast_context.Metrics
    clients: Clients


@dataclass(slots=True)
class Job:
    """One event on its way through the handler: what its log line will say."""

    ctx: Any
    runtime: Runtime
    event_id: str | None
    started: float = field(default_factory=perf_counter)
    timings: dict[str, float] = field(default_factory=dict)
    request: Request | None = None
    requests: int = 0
    bytes_read: int = 0

    def step(self, name: str) -> AbstractContextManager[None]:
        """A span of the platform's tracer, whose milliseconds also go to the log line."""
        return vast_context.span(self.ctx, name, self.timings)


def init(ctx):  # type: ignore[no-untyped-def]  # the platform's command line rejects some annotations
    """Read the settings and build the clients, before the first event. A service that is out of reach is tried again by events.

    Raises BadSettings with every wrong setting at once: a container with those never becomes ready, and so loses no event.
    """
    for connect in _runtime(ctx).clients.configured():
        try:
            connect()
        except InspectorError as error:
            vast_context.write_log(ctx, "warning", {"message": "out of reach at the start", "error": error.as_dict()})


def handler(ctx, event):  # type: ignore[no-untyped-def]  # as init
    """Inspect the object that the event is about, store what was found, and answer with a summary.

    What is not ours (`skipped`) and what is hopeless (`rejected`, `unreadable`) is an answer as well. What may succeed later is
    raised, so that the platform delivers the event again.
    """
    job = Job(ctx, _runtime(ctx), vast_events.event_id(event))
    try:
        answers = [_answer(job, request) for request in vast_events.read_requests(event)]
        return _logged(job, answers[0] if len(answers) == 1 else {"status": "several", "results": answers})
    except InspectorError as error:
        answer = _logged(job, _refusal(job, error), error.verdict)
        if error.verdict is Verdict.RETRY:
            raise
        return answer
    except Exception as error:  # noqa: BLE001 - the last line of defence: logged, and delivered again
        raise _unforeseen(job, error) from None


def _runtime(ctx: Any) -> Runtime:
    return vast_context.state(ctx, STATE, Runtime, lambda: _make_runtime(ctx))


def _make_runtime(ctx: Any, **overrides: Any) -> Runtime:
    secrets = vast_context.read_secrets(ctx, vast_settings.secret_names())
    settings = replace(vast_settings.load(secrets=secrets), **overrides)
    return Runtime(settings, vast_context.Metrics(ctx), _clients(settings))


@lru_cache(maxsize=4)
def _clients(settings: Settings) -> Clients:
    """One set of connections per configuration, also for contexts that keep nothing."""
    return Clients(settings)


def _answer(job: Job, request: Request) -> dict[str, Any]:
    """Events arrive late and in any order, so a removal is believed only of an object that is not there now."""
    job.request = request
    gone = _gone(job, request) if request.removed else []
    return _remove(job, request, gone) if gone else _inspect(job, request)


def _gone(job: Job, request: Request) -> list[str]:
    """The request's addresses at which nothing is now."""
    if request.path is not None:
        return [] if Path(request.path).exists() else [request.path]
    client = job.runtime.clients.s3()
    with job.step("fetch"):
        keys = [key for key in request.keys if not vast_objects.object_exists(client, str(request.bucket), key)]
    return [f"s3://{request.bucket}/{key}" for key in keys]


def _inspect(job: Job, request: Request) -> dict[str, Any]:
    """Read, describe, store, answer."""
    settings, warning = vast_settings.with_event_credentials(job.runtime.settings, request.data)
    payload = vast_objects.read_consistently(lambda: _describe(job, request))
    payload["persistence"] = _persist(job, payload, settings)
    payload["timings_ms"] = job.timings
    warnings = [*payload["warnings"], *([warning] if warning else []), *_not_computed(request)]
    payload["warnings"] = warnings
    return _shaped(job, request, payload)


def _describe(job: Job, request: Request) -> dict[str, Any]:
    """The payload of the object; one of a file that is no readable EXR says so."""
    settings = job.runtime.settings
    with job.step("fetch"):
        opened = _open(job, request)
    facts = exr_payload.FileFacts(
        path=opened.path,
        bucket=opened.bucket,
        object_key=opened.object_key,
        size_bytes=opened.size,
        mtime=opened.mtime,
        etag=opened.etag,
    )
    with opened, job.step("inspect"):
        try:
            header = exr_header.read_header(opened, first_range=settings.first_range, limit=settings.header_limit)
            return exr_payload.describe(facts, header, exr_chunks.assess(header, opened))
        except BadHeader as error:
            return exr_payload.describe_unreadable(facts, error)
        finally:
            job.requests += opened.requests
            job.bytes_read += opened.bytes_read


def _open(job: Job, request: Request) -> vast_objects.OpenObject:
    settings = job.runtime.settings
    if request.path is not None:
        return vast_objects.LocalFile(request.path, settings.local_roots)
    return vast_objects.S3Object(job.runtime.clients.s3(), str(request.bucket), request.keys, settings.first_range)


def _persist(job: Job, payload: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """What became of the rows. Without an endpoint the inspection still returns, with the name of the setting that is missing."""
    missing = settings.missing_for_database()
    if missing:
        return _not_stored(missing)
    import vast_db_persistence

    with job.step("embed"):
        embedding = vast_db_persistence.compute_metadata_embedding(payload)
    with job.step("persist"):
        store = _store(job, settings)
        return vast_db_persistence.persist_to_vast_database(payload, session=store, settings=settings, embedding=embedding)


def _store(job: Job, settings: Settings) -> Store | None:
    """The container's own store; None, for one of its own, where an event brings its own credentials."""
    return job.runtime.clients.store() if settings == job.runtime.settings else None


def _remove(job: Job, request: Request, gone: Sequence[str]) -> dict[str, Any]:
    """Say in the database that nothing is at these addresses any more."""
    settings, _ = vast_settings.with_event_credentials(job.runtime.settings, request.data)
    missing = settings.missing_for_database()
    marked = _not_stored(missing) if missing else _mark_removed(job, request, gone, settings)
    return {
        "schema_version": exr_payload.SCHEMA_VERSION,
        "inspector_version": exr_payload.INSPECTOR_VERSION,
        "status": "removed",
        "path": gone[0],
        "file_id": marked.get("file_id"),
        "inserted": False,
        "counts": {},
        "errors": [],
        "persistence": marked,
        "timings_ms": job.timings,
    }


def _mark_removed(job: Job, request: Request, gone: Sequence[str], settings: Settings) -> dict[str, Any]:
    """The store's answer for the address under which it knew the object, else for the last spelling of the key."""
    import vast_db_persistence

    with job.step("persist"):
        store, moment = _store(job, settings), request.event_time
        answers = [vast_db_persistence.mark_removed(path, moment, session=store, settings=settings) for path in gone]
    return next((answer for answer in answers if answer["file_id"]), answers[-1])


def _not_stored(missing: str) -> dict[str, Any]:
    return {"status": "skipped", "missing_setting": missing, "message": f"{missing} is not set, so nothing was stored"}


def _not_computed(request: Request) -> Iterator[dict[str, Any]]:
    """A warning for each thing that the event asked for and this version does not compute."""
    options = request.options
    asked = {"stats": options.stats, "deep_stats": options.deep_stats, "validate": options.validate}
    for name in (name for name, wanted in asked.items() if wanted):
        message = f"{name} was asked for, and this version does not compute it"
        yield {"code": "not_computed", "message": message, "field": f"data.{name}"}


def _shaped(job: Job, request: Request, payload: dict[str, Any]) -> dict[str, Any]:
    """The answer: the payload where the settings want it whole, else what is worth a line in the platform's log."""
    if job.runtime.settings.full_payload:
        return payload if request.options.meta else {key: value for key, value in payload.items() if key != "attributes"}
    persistence = payload["persistence"]
    return {
        "schema_version": payload["schema_version"],
        "inspector_version": payload["inspector_version"],
        "status": payload["file"]["status"],
        "path": payload["file"]["path"],
        "file_id": persistence.get("file_id"),
        "inserted": persistence.get("inserted", False),
        "counts": _counts(payload),
        "errors": payload["errors"],
        "warnings": payload["warnings"],
        "persistence": persistence,
        "timings_ms": payload["timings_ms"],
    }


def _counts(payload: dict[str, Any]) -> dict[str, int]:
    attributes = sum(len(part) for part in payload["attributes"]["parts"])
    return {"parts": len(payload["parts"]), "channels": len(payload["channels"]), "attributes": attributes}


def _refusal(job: Job, error: InspectorError) -> dict[str, Any]:
    """The answer to an event that ended in an error: `skipped`, `rejected` or, in local invocation, `retry`."""
    return {
        "schema_version": exr_payload.SCHEMA_VERSION,
        "inspector_version": exr_payload.INSPECTOR_VERSION,
        "status": STATUS_OF[error.verdict],
        "path": job.request.location if job.request else None,
        "file_id": None,
        "inserted": False,
        "counts": {},
        "reason": error.as_dict() if error.verdict is Verdict.SKIP else None,
        "errors": [] if error.verdict is Verdict.SKIP else [error.as_dict()],
        "persistence": {"status": "skipped", "message": "there is nothing to store"},
        "timings_ms": job.timings,
    }


def _logged(job: Job, answer: dict[str, Any], verdict: Verdict | None = None, **more: Any) -> dict[str, Any]:
    """Write the event's one log line, count it, and hand the answer on."""
    status = _status(answer)
    judged = str(verdict) if verdict else "reject" if status == "unreadable" or _not_kept(answer) else "done"
    total = round((perf_counter() - job.started) * 1000, 3)
    level = LOG_LEVEL_OF.get(judged, "info")
    entry = {
        "message": "exr-inspector event",
        "event_id": job.event_id,
        "source": job.request.source if job.request else None,
        "location": job.request.location if job.request else None,
        "verdict": judged,
        "status": status,
        **{key: answer[key] for key in LOGGED_KEYS if answer.get(key)},
        "requests": job.requests,
        "bytes_read": job.bytes_read,
        "timings_ms": {**job.timings, "total": total},
        **more,
    }
    job.runtime.metrics.record(status, total, job.bytes_read)
    if job.runtime.settings.logs(level):
        vast_context.write_log(job.ctx, level, entry)
    return answer


def _status(answer: dict[str, Any]) -> str:
    return str(answer.get("status") or answer["file"]["status"])


def _not_kept(answer: dict[str, Any]) -> bool:
    """Whether the database refused the rows, of one object or of any of several."""
    answers = answer.get("results", [answer])
    return any(one.get("persistence", {}).get("status") == "error" for one in answers)


def _unforeseen(job: Job, error: Exception) -> Retry:
    """An error without a verdict is a fault of this program's: logged with its place, and delivered again, not lost."""
    import traceback

    hide = job.runtime.settings.hide_secrets
    failure = Retry(hide(f"{type(error).__name__}: {error}"), code="internal_error", remedy="The log has its traceback")
    place = hide("".join(traceback.format_exception(error)))
    _logged(job, _refusal(job, failure), failure.verdict, traceback=place)
    return failure


def _local_runtime(ctx: Any, arguments: Sequence[str], *, verbose: bool) -> Runtime:
    """Settings for local invocation: the whole payload is the answer, and what is named on the command line may be read.

    Whoever types a path has the right to read it already; the allowed roots are about paths that come in events.
    """
    settings = vast_settings.load()
    named = (Path(argument).resolve() for argument in arguments if not _is_event(argument))
    level = settings.log_level if verbose else "CRITICAL"
    return _make_runtime(ctx, full_payload=True, local_roots=(*settings.local_roots, *named), log_level=level)


def _is_event(argument: str) -> bool:
    return Path(argument).suffix.lower() == ".json"


def _events(arguments: Sequence[str]) -> Iterator[Any]:
    """One event for each argument: what a .json file holds, and for any other path a plain event that names it."""
    for argument in arguments:
        if _is_event(argument):
            yield json.loads(Path(argument).read_text(encoding="utf-8"))
        else:
            yield {"data": {"path": argument}}


def _invoke(ctx: Any, event: Any, options: Any, stream: IO[str]) -> int:
    """Print what the handler answers, and return the exit status that goes with it."""
    try:
        answer = handler(ctx, event)  # type: ignore[no-untyped-call]
    except Retry as error:
        answer = {"status": "retry", "errors": [error.as_dict()]}
    text = json.dumps(answer, indent=2 if options.pretty else None, separators=None if options.pretty else (",", ":"))
    print(text, file=stream, flush=True)
    return {"retry": 3, "rejected": 1, "unreadable": 1}.get(_status(answer), int(_not_kept(answer)))


class _StandardError:
    """The logger of local invocation."""

    def info(self, line: str) -> None:
        """One line, whatever its level."""
        print(line, file=sys.stderr)

    warning = error = info


def _command_line(arguments: Sequence[str] | None = None) -> int:
    """Local invocation; the exit status is the gravest of all inputs."""
    import argparse

    parser = argparse.ArgumentParser(prog="main.py", description="Inspect EXR files or run events as the function does.")
    parser.add_argument("inputs", nargs="+", metavar="EVENT.json|FILE.exr", help="an event, or the path of a file to inspect")
    parser.add_argument("--pretty", action="store_true", help="indented JSON (default: one line for each input)")
    parser.add_argument("--verbose", action="store_true", help="write the log line of each event to the standard error")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead of to the standard output")
    options = parser.parse_args(arguments)
    ctx = SimpleNamespace(logger=_StandardError())
    try:
        events = list(_events(options.inputs))
        setattr(ctx, STATE, _local_runtime(ctx, options.inputs, verbose=options.verbose))
        output = options.output.open("w", encoding="utf-8") if options.output else nullcontext(sys.stdout)
    except (OSError, ValueError, BadSettings) as error:
        parser.error(str(error))
    with output as stream:
        return max([_invoke(ctx, event, options, stream) for event in events])


if __name__ == "__main__":
    sys.exit(_command_line())
