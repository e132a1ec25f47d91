"""The work on one event: find what it is about, read it, describe it, store it, and say so in an answer and a log line.

`Runtime` is what all events of a container share; a `Job` is one event. `main` says in which order a job's steps follow.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from exr_inspector.errors import (
    BadHeader,
    BadPolicy,
    BadSettings,
    InspectorError,
    ObjectChanged,
    ObjectUnavailable,
    Reject,
    Retry,
    Skip,
    VASTDatabaseError,
    Verdict,
)
from exr_inspector.exr import completeness
from exr_inspector.exr.header import Header, read_header
from exr_inspector.function import context, events, objects
from exr_inspector.function.events import Request
from exr_inspector.function.metrics import Metrics
from exr_inspector.payload import document
from exr_inspector.settings import (
    Settings,
    database_secret,
    load,
    named_for_database,
    secret_names,
    with_event_credentials,
)

if TYPE_CHECKING:
    from exr_inspector.database.session import Store
    from exr_inspector.validation.policy import Policy

Answer = dict[str, Any]
T = TypeVar("T")
STATE = "exr_inspector"
POLICIES = Path(__file__).resolve().parents[1] / "validation/policies"
STATUS_OF = {Verdict.SKIP: "skipped", Verdict.REJECT: "rejected", Verdict.RETRY: "retry"}
VERDICT_OF = {"skipped": "skip", "rejected": "reject", "unreadable": "reject", "damaged": "reject", "retry": "retry"}
GRAVITY = ("skip", "done", "reject", "retry")
LISTED_FINDINGS = 10
LISTED_RESULTS = 20
REPEATED = 1_000
"""Characters of an error that nobody foresaw; of its traceback, ten times as many, from its end."""
EXHAUSTED = (MemoryError, RecursionError)
"""What an event ends in that takes more than a container has; it would take as much at the next delivery."""
LOG_LEVEL_OF = {"retry": "error", "reject": "warning"}


class Clients:
    """The connections of one configuration, shared by all threads; each is made when first needed, and again if that failed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._s3: Any = None
        self._store: Store | None = None

    def connectors(self) -> list[Callable[[], Any]]:
        """What there is to connect to."""
        endpoints = ((self._settings.s3_endpoint, self.s3), (self._settings.db_endpoint, self.store))
        return [connect for endpoint, connect in endpoints if endpoint]

    def s3(self) -> Any:
        """The object store's client. Raises BadSettings where no object store is configured."""
        with self._lock:
            if self._s3 is None:
                self._s3 = objects.s3_client(self._settings)
            return self._s3

    def store(self) -> Store:
        """The database's tables. Raises VASTDatabaseError while the database is out of reach."""
        from exr_inspector.database import persist  # brings pyarrow and vastdb, which take longer to load than all else here

        if self._store is None:
            opened = persist.open_store(self._settings)  # may wait for the network: not under the lock
            with self._lock:
                self._store = self._store or opened
        return self._store


@dataclass(frozen=True, slots=True)
class Runtime:
    """What all events of a container share."""

    settings: Settings
    metrics: Metrics
    clients: Clients


def runtime_of(ctx: Any) -> Runtime:
    """The runtime that a context keeps, made at the first call. Raises BadSettings with every wrong setting, or BadPolicy."""
    return context.state(ctx, STATE, Runtime, partial(make_runtime, ctx))


def make_runtime(ctx: Any, **overrides: Any) -> Runtime:
    """A runtime for the settings in the context's secrets and the environment, some of them overridden."""
    other = named_for_database(context.read_secret(ctx, database_secret()))
    secrets = other | context.read_secrets(ctx, secret_names())
    settings = replace(load(secrets=secrets), **overrides)
    if settings.validate:
        policy_of(None, settings)
    return Runtime(settings, Metrics(ctx), _clients(settings))


@lru_cache(maxsize=4)
def _clients(settings: Settings) -> Clients:
    """One set of connections per configuration, also for contexts that keep nothing."""
    return Clients(settings)


@dataclass(slots=True)
class Job:
    """One event on its way: its steps, and what its log line will say."""

    ctx: Any
    runtime: Runtime
    event_id: str | None = None
    request: Request | None = None
    requests: int = 0
    bytes_read: int = 0
    timings: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=perf_counter)

    def __post_init__(self) -> None:
        """An event is worked on from here until it is finished."""
        self.runtime.metrics.begin()

    def locate(self, event: Any) -> tuple[Request, ...]:
        """The objects that the event is about. Raises NotAnExr or BadEvent."""
        envelope = events.read_envelope(event)
        self.event_id = envelope.event_id
        return events.read_requests(envelope)

    def answer(self, request: Request) -> Answer:
        """What became of one object: of its removal, or of its inspection. What is hopeless is an answer too."""
        return self.attempt(self._act, request)

    def attempt(self, action: Callable[..., T], request: Request, *arguments: Any) -> T | Answer:
        """What an action on one object comes to. What is hopeless is an answer too, and keeps no other object back."""
        self.request = request
        try:
            return action(request, *arguments)
        except (Skip, Reject) as error:
            return self.refusal(error)
        except EXHAUSTED as error:
            return self.exhaustion(error)

    def _act(self, request: Request) -> Answer:
        return self.remove(request) or self.inspect(request)

    def inspect(self, request: Request) -> Answer:
        """Read, describe, store; again from the start while the object changes under it."""
        payload = objects.read_consistently(self._inspect_once, request)
        return self._answer_with(request, payload)

    def _inspect_once(self, request: Request) -> dict[str, Any]:
        opened = self.read(request)
        payload = self.describe(request, opened)
        return self.store(request, payload)

    def prepare(self, request: Request) -> dict[str, Any]:
        """The payload of an object that is to be stored with others, and `settle`d then."""
        return objects.read_consistently(self._describe_once, request)

    def _describe_once(self, request: Request) -> dict[str, Any]:
        return self.describe(request, self.read(request))

    def settle(self, request: Request, payload: dict[str, Any], persistence: dict[str, Any]) -> Answer:
        """The answer to an object whose rows were stored with others; where it was replaced meanwhile it is inspected again."""
        if persistence["status"] == "retry":
            error = persistence["error"]
            raise VASTDatabaseError(error["message"], code=error["code"], remedy=error.get("remedy"))
        try:
            _, warning = with_event_credentials(self.runtime.settings, request.data)
            return self._answer_with(request, self._complete(payload, persistence, warning))
        except ObjectChanged:
            return self.inspect(request)

    def remove(self, request: Request) -> Answer | None:
        """Record the removal; None where there is something to inspect.

        Events arrive late, twice and in any order, so a removal is believed only of an object that is not there now.
        """
        gone = self._find_gone(request) if request.removed else []
        if not gone:
            return None
        settings, _ = with_event_credentials(self.runtime.settings, request.data)
        missing = settings.missing_for_database()
        persistence = skip_persistence(missing) if missing else self._mark_removed(request, gone, settings)
        file_id = persistence.get("file_id")
        if file_id is not None and len(self._find_gone(request)) < len(gone):
            return None  # it came back meanwhile
        return self._summarize("removed", gone[0], persistence=persistence, file_id=file_id)

    def read(self, request: Request) -> objects.OpenObject:
        """The object, with its first range where it is in a bucket."""
        settings = self.runtime.settings
        with self._step("fetch"):
            if request.path is not None:
                return objects.LocalFile(request.path, settings.local_roots)
            return objects.S3Object(self.runtime.clients.s3(), str(request.bucket), request.keys, settings.first_range)

    def describe(self, request: Request, opened: objects.OpenObject) -> dict[str, Any]:
        """The payload of the object, with the statistics and the validation that were asked for; an unreadable file says so."""
        try:
            with opened:
                payload, header = self._describe(opened)
                if header is not None:
                    document.add_statistics(payload, self._compute_stats(request, opened, header))
        finally:
            self.requests += opened.requests
            self.bytes_read += opened.bytes_read
        return self._validate(request, payload)

    def _describe(self, opened: objects.OpenObject) -> tuple[dict[str, Any], Header | None]:
        settings = self.runtime.settings
        facts = document.FileFacts(
            path=opened.path,
            bucket=opened.bucket,
            object_key=opened.object_key,
            size_bytes=opened.size,
            mtime=opened.mtime,
            etag=opened.etag,
        )
        with self._step("inspect"):
            try:
                header = read_header(opened, first_range=settings.first_range, limit=settings.header_limit)
                held, exact_tail = opened.prefix_length, settings.exact_tail
                chunks = completeness.assess(header, opened, held=held, exact_tail=exact_tail)
                return document.describe(facts, header, chunks), header
            except BadHeader as error:
                return document.describe_unreadable(facts, error), None

    def _compute_stats(self, request: Request, opened: objects.OpenObject, header: Header) -> dict[str, Any]:
        """Pixel statistics where the event or the settings ask for them, else nothing."""
        settings, options = self.runtime.settings, request.options
        deep = options.deep_stats or settings.deep_stats
        mode = settings.stats if options.stats is False else "sampled" if options.stats == "sampled" else "full"
        if mode == "off" and not deep:
            return {}
        from exr_inspector.pixels import statistics  # late: most events ask for no pixels

        with self._step("stats"):
            return statistics.compute_pixel_stats(
                opened,
                header,
                deep_stats=deep,
                mode="sampled" if mode == "sampled" else "full",
                sample_stride=settings.stats_stride,
                max_pixels=settings.stats_max_pixels,
                memory_limit=settings.stats_memory,
                held=opened.prefix_length,
            )

    def _validate(self, request: Request, payload: dict[str, Any]) -> dict[str, Any]:
        """The payload with its validation where that was asked for. A policy that cannot be used is an error, not silence."""
        settings, options = self.runtime.settings, request.options
        if not (options.validate or settings.validate):
            return payload
        from exr_inspector.validation import validate

        with self._step("validate"):
            try:
                policy = policy_of(options.policy_path, settings)
            except BadPolicy as error:
                payload["errors"] = [*payload["errors"], error.as_dict()]
            else:
                payload["validation"] = validate.validate(payload, policy, passes=settings.report_passes)
        return payload

    def store(self, request: Request, payload: dict[str, Any]) -> dict[str, Any]:
        """The payload with what became of its rows. Raises ObjectChanged where a newer object may have been stored before it."""
        settings, warning = with_event_credentials(self.runtime.settings, request.data)
        missing = settings.missing_for_database()
        persistence = skip_persistence(missing) if missing else self._persist(payload, settings)
        return self._complete(payload, persistence, warning)

    def _complete(self, payload: dict[str, Any], persistence: dict[str, Any], warning: dict[str, Any] | None) -> dict[str, Any]:
        payload["persistence"] = persistence
        payload["timings_ms"] = self.timings
        if warning:
            payload["warnings"] = [*payload["warnings"], warning]
        self._check_overtaken(payload)
        return payload

    def _persist(self, payload: dict[str, Any], settings: Settings) -> dict[str, Any]:
        from exr_inspector.database import persist
        from exr_inspector.embedding.vectors import compute_metadata_embedding

        with self._step("embed"):
            embedding = compute_metadata_embedding(payload)
        with self._step("persist"), self.storing(settings) as store:
            return persist.persist_to_vast_database(
                payload, session=store, settings=settings, embedding=embedding, read_back=settings.db_read_back
            )

    def _check_overtaken(self, payload: dict[str, Any]) -> None:
        """Whether what was just stored is still what is in the bucket.

        Times of objects are whole seconds, so of two uploads within one second the store cannot tell which is newer. Where
        rows of this path were there before, one HEAD settles it; a plain first insert needs none.
        """
        file, persistence = payload["file"], payload["persistence"]
        first = persistence.get("inserted") and not persistence.get("superseded")
        if file["bucket"] is None or persistence["status"] != "stored" or first:
            return
        with self._step("fetch"):
            now = objects.current_etag(self.runtime.clients.s3(), file["bucket"], file["object_key"])
            self.requests += 1
        if now not in (None, file["etag"]):
            raise ObjectChanged(f"{file['path']} was replaced while it was stored", path=file["path"])

    def _find_gone(self, request: Request) -> list[str]:
        """The request's addresses at which nothing is now."""
        if request.path is not None:
            there = objects.local_exists(request.path, self.runtime.settings.local_roots)
            return [] if there else [objects.local_address(request.path)]
        client, bucket = self.runtime.clients.s3(), str(request.bucket)
        with self._step("fetch"):
            self.requests += len(request.keys)
            return [f"s3://{bucket}/{key}" for key in request.keys if objects.current_etag(client, bucket, key) is None]

    def _mark_removed(self, request: Request, gone: Sequence[str], settings: Settings) -> dict[str, Any]:
        """The store's answer for the address under which it knew the object, else for the last spelling of the key."""
        from exr_inspector.database import persist

        read_back = settings.db_read_back
        with self._step("persist"), self.storing(settings) as store:
            results = [
                persist.mark_removed(path, request.event_time, session=store, settings=settings, read_back=read_back)
                for path in gone
            ]
        return next((result for result in results if result["file_id"]), results[-1])

    @contextmanager
    def storing(self, settings: Settings) -> Iterator[Store | None]:
        """The container's own store; None, for one of its own, where an event brings its own credentials.

        At both ends what waits for a transaction is measured, and what transactions have cost meanwhile.
        """
        store = self.runtime.clients.store() if settings == self.runtime.settings else None
        self._measure(store, settings)
        try:
            yield store
        finally:
            self._measure(store, settings)

    def _measure(self, store: Store | None, settings: Settings) -> None:
        from exr_inspector.database import persist

        store = store or persist.known_store(settings)
        if store is None:
            return
        ledgers = []
        with suppress(IndexError):  # another thread may take the last one
            while store.ledgers:
                ledgers.append(store.ledgers.popleft())
        self.runtime.metrics.record_storing(persist.group_of(store).waiting, ledgers)

    def _step(self, name: str) -> AbstractContextManager[None]:
        """A span of the platform's tracer, whose milliseconds also go to the log line."""
        return context.span(self.ctx, name, self.timings)

    def _answer_with(self, request: Request, payload: dict[str, Any]) -> Answer:
        """The payload where the settings want it whole, else what is worth a line in the platform's log."""
        if self.runtime.settings.full_payload:
            return payload if request.options.meta else {key: value for key, value in payload.items() if key != "attributes"}
        persistence = payload["persistence"]
        return self._summarize(
            payload["file"]["status"],
            payload["file"]["path"],
            file_id=persistence.get("file_id"),
            inserted=persistence.get("inserted", False),
            counts=_counts(payload),
            errors=_shorten(payload["errors"]),
            warnings=_shorten(payload["warnings"]),
            validation=_without_results(payload["validation"]),
            persistence=persistence,
        )

    def refusal(self, error: InspectorError) -> Answer:
        """The answer to an event that ended in an error: `skipped`, `rejected` or, in local invocation, `retry`."""
        skipped = error.verdict is Verdict.SKIP
        return self._summarize(
            STATUS_OF[error.verdict],
            self.request.location if self.request else None,
            reason=error.as_dict() if skipped else None,
            errors=[] if skipped else [error.as_dict()],
            persistence={"status": "skipped", "message": "there is nothing to store"},
        )

    def exhaustion(self, error: BaseException) -> Answer:
        """The answer to an event that takes more memory, or more levels of nesting, than there are."""
        remedy = "Give the container more memory, then inspect it with exr-inspector backfill"
        return self.refusal(Reject(f"the event takes too much ({type(error).__name__})", code="exhausted", remedy=remedy))

    def _summarize(self, status: str, path: str | None, **more: Any) -> Answer:
        """A summary; what a kind of event does not have is empty."""
        empty: Answer = {"file_id": None, "inserted": False, "counts": {}, "errors": [], "warnings": [], "validation": {}}
        return {
            "schema_version": document.SCHEMA_VERSION,
            "inspector_version": document.INSPECTOR_VERSION,
            "status": status,
            "path": path,
            **empty,
            **{key: value for key, value in more.items() if value is not None},
            "timings_ms": self.timings,
        }

    def finish(self, answers: Sequence[Answer], **more: Any) -> Answer:
        """Write the event's one log line, count it, and return its answer; several records give several results in one."""
        answer = answers[0] if len(answers) == 1 else {"status": "several", "results": list(answers)}
        verdict = _gravest(answers)
        timings = {**self.timings, "total": round((perf_counter() - self.started) * 1000, 3)}
        level = LOG_LEVEL_OF.get(verdict, "info")
        if self.runtime.settings.logs(level):
            context.write_log(self.ctx, level, self._log_entry(answer, verdict, timings) | more)
        outcome = {"status": status_of(answer), "verdict": verdict, "code": _gravest_code(answers, verdict)}
        self.runtime.metrics.record(outcome, timings, self.bytes_read)
        return answer

    def _log_entry(self, answer: Answer, verdict: str, timings: dict[str, float]) -> dict[str, Any]:
        request = self.request
        return {
            "message": "exr-inspector event",
            "event_id": self.event_id,
            "source": request.source if request else None,
            "location": request.location if request else None,
            "verdict": verdict,
            "status": status_of(answer),
            **{key: LOGGED[key](answer[key]) for key in LOGGED if answer.get(key)},
            "requests": self.requests,
            "bytes_read": self.bytes_read,
            "timings_ms": timings,
        }

    def report_fault(self, error: Exception) -> Retry:
        """An error without a verdict is a fault of this program: logged with its place, and delivered again, not lost."""
        import traceback

        hide = self.runtime.settings.hide_secrets
        said = hide(f"{type(error).__name__}: {error}")[:REPEATED]
        failure = Retry(said, code="internal_error", remedy="The log has its traceback")
        self.finish([self.refusal(failure)], traceback=hide("".join(traceback.format_exception(error)))[-REPEATED * 10 :])
        return failure


def _shorten(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many findings as fit a line of the log, what decides the verdict before others; the stored payload has all of them."""
    left = len(entries) - LISTED_FINDINGS
    more = [{"code": "more_findings", "message": f"{left} more, in the full payload"}] if left > 0 else []
    decisive = [entry for entry in entries if entry["code"] == BadPolicy.code]
    others = [entry for entry in entries if entry["code"] != BadPolicy.code]
    return [*decisive, *others][:LISTED_FINDINGS] + more


def _outline_results(results: list[Answer]) -> list[dict[str, Any]]:
    """A short entry for each of several results; of more than LISTED_RESULTS, for the gravest of them."""
    gravity = [GRAVITY.index(_verdict(result)) for result in results]
    gravest = sorted(range(len(results)), key=gravity.__getitem__, reverse=True)[:LISTED_RESULTS]
    listed = [
        {
            "status": status_of(one),
            "path": one["file"]["path"] if "file" in one else one["path"],
            "errors": _shorten(one["errors"]),
        }
        for one in (results[at] for at in sorted(gravest))
    ]
    left = len(results) - len(listed)
    return listed + ([{"message": f"{left} more, in the answer"}] if left else [])


def _without_results(validation: dict[str, Any]) -> dict[str, Any]:
    """A validation without its list of results."""
    return {key: value for key, value in validation.items() if key != "results"}


def _keep(value: Any) -> Any:
    return value


LOGGED: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("file_id", "inserted", "counts", "reason", "persistence"), _keep),
    "errors": _shorten,
    "warnings": _shorten,
    "validation": _without_results,
    "results": _outline_results,
}
"""What of an answer goes to the log line, and how it is kept short where the answer is the whole payload."""


def status_of(answer: Answer) -> str:
    """`ok`, `incomplete`, `damaged`, `unreadable`, `removed`, `skipped`, `rejected`, `retry` or `several`."""
    return str(answer.get("status") or answer["file"]["status"])


def _verdict(answer: Answer) -> str:
    """A file whose rows the database refused counts as rejected, and so does one whose policy cannot be used."""
    codes = {entry["code"] for entry in answer.get("errors", [])}
    refused = answer["persistence"].get("status") == "error" or BadPolicy.code in codes
    return "reject" if refused else VERDICT_OF.get(status_of(answer), "done")


def _gravest(answers: Sequence[Answer]) -> str:
    return max(map(_verdict, answers), key=GRAVITY.index)


def _gravest_code(answers: Sequence[Answer], verdict: str) -> str:
    """The code of what was skipped, rejected or has to come again; of several records, of the first that decides."""
    if verdict == "done":
        return ""
    answer = next(one for one in answers if _verdict(one) == verdict)
    reasons = [answer["persistence"].get("error"), *_shorten(answer["errors"]), answer.get("reason")]
    return next((str(reason["code"]) for reason in reasons if reason), "")


def failures(answer: Answer) -> list[str]:
    """Why an event counts as rejected although its object was read: what stood in the way of its rows, or of its validation."""
    persistence = answer["persistence"]
    unstored = [f"not stored: {persistence['message']}"] if persistence.get("status") == "error" else []
    return unstored + [entry["message"] for entry in answer["errors"] if "file" in answer and entry["code"] == BadPolicy.code]


def exit_status(answer: Answer) -> int:
    """0 done, 1 something was rejected, 3 something may succeed later."""
    return {"reject": 1, "retry": 3}.get(_gravest(answer.get("results", [answer])), 0)


def skip_persistence(missing: str) -> dict[str, Any]:
    """What the answer says of rows where a setting that storing needs is missing."""
    return {"status": "skipped", "missing_setting": missing, "message": f"{missing} is not set, so nothing was stored"}


def say_nothing_is_stored(missing: str) -> dict[str, Any]:
    """The log line of a container that inspects and stores nothing because a setting is missing."""
    remedy = (
        "Set VAST_DB_ENDPOINT, VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY and VAST_DB_BUCKET, or name the secret that holds them in "
        "EXR_SECRET_NAMES; docs/COMING_FROM.md has what other functions for EXR call them"
    )
    error = BadSettings(f"{missing} is not set", remedy=remedy, settings=[missing])
    return {"message": "nothing will be stored", "error": error.as_dict()}


def policy_of(named: str | None, settings: Settings) -> Policy:
    """The policy that an event names, or that of the settings: a file, or one that ships. Raises BadPolicy.

    An event's path has to lie below an allowed folder, as the path of an image has to.
    """
    from exr_inspector.validation.policy import load_policy, shipped_policies

    name = named or settings.policy
    shipped = POLICIES / f"{name}.toml"
    if Path(name).name == name and os.path.isfile(shipped):  # noqa: PTH113 - before Python 3.14 Path.is_file raises for long names
        return load_policy(shipped)
    if named is None:
        return load_policy(name)
    try:
        return load_policy(objects.allowed_path(named, settings.local_roots))
    except ObjectUnavailable as error:
        remedy = f"{error.remedy}; the policies that ship are {', '.join(shipped_policies())}"
        raise BadPolicy(f"policy {error.message}", path=named, remedy=remedy) from None


def _counts(payload: dict[str, Any]) -> dict[str, int]:
    attributes = sum(len(part) for part in payload["attributes"]["parts"])
    return {"parts": len(payload["parts"]), "channels": len(payload["channels"]), "attributes": attributes}
