"""Several events in one call, as batches of the platform deliver them: read side by side, stored together, answered one by one.

The platform takes a batch as a whole: it is delivered again when the function raises. So where one of its events has to come
again, all are finished first, and then that is raised; events that come twice do no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

from exr_inspector.errors import InspectorError, Verdict
from exr_inspector.function.events import Request
from exr_inspector.function.job import EXHAUSTED, Answer, Job, Runtime, skip_persistence
from exr_inspector.settings import Settings, with_event_credentials

READERS = 8
"""Objects that are read at a time: they wait for the network, and what they compute shares one processor."""
SLICE = 200
"""Events whose payloads are in memory at a time."""


@dataclass(slots=True)
class Prepared:
    """An object that was read: its payload, which is still to be stored."""

    request: Request
    payload: dict[str, Any]


@dataclass(slots=True)
class Delivery:
    """One event of a batch: for each of its objects what was read or what is answered already, and why it has to come again."""

    job: Job
    event: Any
    objects: list[Prepared | Answer] = field(default_factory=list)
    failure: InspectorError | None = None
    is_reported: bool = False

    def prepare(self) -> None:
        """Read what the event is about; record what was removed."""
        self._try(self._prepare)

    def _prepare(self) -> list[Prepared | Answer]:
        return [self.job.attempt(self._prepare_one, request) for request in self.job.locate(self.event)]

    def _prepare_one(self, request: Request) -> Prepared | Answer:
        return self.job.remove(request) or Prepared(request, self.job.prepare(request))

    def settle(self, persistence: dict[int, dict[str, Any]]) -> None:
        """Answer for what was stored; `persistence` has what became of each payload, by its identity."""
        self._try(self._settle, persistence)

    def _try(self, action: Callable[..., list[Prepared | Answer]], *arguments: Any) -> None:
        """Do a step; what is hopeless becomes the answer, what may succeed later is kept until the whole batch is done."""
        if self.failure is not None:
            return
        try:
            self.objects = action(*arguments)
        except InspectorError as error:
            self.objects = [self.job.refusal(error)]
            self.failure = error if error.verdict is Verdict.RETRY else None
        except EXHAUSTED as error:  # of an event that cannot be read
            self.objects = [self.job.exhaustion(error)]
        except Exception as error:  # noqa: BLE001 - as in the handler of one event
            self.failure, self.is_reported = self.job.report_fault(error), True

    def _settle(self, persistence: dict[int, dict[str, Any]]) -> list[Prepared | Answer]:
        return [
            self.job.attempt(self.job.settle, one.request, one.payload, persistence[id(one.payload)])
            if isinstance(one, Prepared)
            else one
            for one in self.objects
        ]

    def finish(self) -> Answer:
        """Write the event's log line, and return its answer; a fault of this program has its line already."""
        if self.failure is not None and self.is_reported:
            return self.job.refusal(self.failure)
        return self.job.finish([one for one in self.objects if not isinstance(one, Prepared)])


def answer_batch(ctx: Any, runtime: Runtime, batch: Iterable[Any]) -> list[Answer]:
    """An answer for each event, in their order. Raises the first error after which an event has to come again."""
    events = list(batch)
    answers: list[Answer] = []
    failures: list[InspectorError] = []
    for start in range(0, len(events), SLICE):
        deliveries = [Delivery(Job(ctx, runtime), event) for event in events[start : start + SLICE]]
        with ThreadPoolExecutor(min(READERS, len(deliveries)), "batch") as pool:
            list(pool.map(Delivery.prepare, deliveries))
            persistence = _store(deliveries, runtime.settings)
            list(pool.map(Delivery.settle, deliveries, repeat(persistence)))
        answers += [delivery.finish() for delivery in deliveries]
        failures += [delivery.failure for delivery in deliveries if delivery.failure is not None]
    if failures:
        raise failures[0]
    return answers


def _store(deliveries: Sequence[Delivery], settings: Settings) -> dict[int, dict[str, Any]]:
    """Store what was read, together where it goes to the same place; what became of each payload, by its identity."""
    persistence: dict[int, dict[str, Any]] = {}
    for place, entries in _by_place(deliveries, settings).items():
        payloads = [prepared.payload for prepared, _ in entries]
        results = _persist(payloads, place, entries[0][1])
        persistence |= {id(payload): result for payload, result in zip(payloads, results, strict=True)}
    return persistence


def _persist(payloads: list[dict[str, Any]], place: Settings, job: Job) -> list[dict[str, Any]]:
    if missing := place.missing_for_database():
        return [skip_persistence(missing) for _ in payloads]
    from exr_inspector.database import persist  # late: it brings pyarrow

    try:
        with job.storing(place) as store:
            return persist.persist_batch(payloads, session=store, settings=place, read_back=place.db_read_back)
    except InspectorError as error:  # there is no session
        status = "retry" if error.verdict is Verdict.RETRY else "error"
        return [persist.error_result(error, status) for _ in payloads]


def _by_place(deliveries: Sequence[Delivery], settings: Settings) -> dict[Settings, list[tuple[Prepared, Job]]]:
    """What was read, by the settings that say where it is to be stored."""
    places: dict[Settings, list[tuple[Prepared, Job]]] = {}
    for delivery, prepared in _prepare_all(deliveries):
        place, _ = with_event_credentials(settings, prepared.request.data)
        places.setdefault(place, []).append((prepared, delivery.job))
    return places


def _prepare_all(deliveries: Sequence[Delivery]) -> Iterator[tuple[Delivery, Prepared]]:
    for delivery in deliveries:
        yield from ((delivery, one) for one in delivery.objects if isinstance(one, Prepared))
