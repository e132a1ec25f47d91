"""The element trigger: tells a function about objects that were created or removed, at least once.

Each event is posted to one URL by a few threads. An answer of 2xx settles it. Anything else (another status, no answer within the
time limit, no connection) is tried again with the same event id after 2, 4 and 8 seconds; after the fourth failure the event is
written to the dead-letter file, one JSON object per line: `time`, `attempts`, `error`, `event`. Events are not ordered.
With a journal, events that were not settled when the process ended are delivered by the next one.
Faults make deliveries double, fail or lose their answer, as a broker's may.
"""

from __future__ import annotations

import heapq
import itertools
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import urllib3
from cloudevents.conversion import from_json, to_json
from cloudevents.http import CloudEvent

from ..objects import ObjectChange
from .events import EventMaker, encode_event
from .journal import Journal, append_line

WAITS = (2.0, 4.0, 8.0)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TriggerFaults:
    """Probabilities, 0 to 1: an event is delivered twice; an attempt fails before it is sent; an attempt's answer is lost."""

    duplicate: float = 0.0
    refuse: float = 0.0
    lose_answer: float = 0.0


@dataclass(frozen=True, slots=True)
class TriggerCounts:
    """What a trigger did so far. `events` that passed the filter, `attempts` made, `delivered` and `dead` deliveries."""

    events: int = 0
    attempts: int = 0
    delivered: int = 0
    dead: int = 0


@dataclass(order=True, slots=True)
class _Delivery:
    """One event on its way; ordered by when it is due."""

    due: float
    number: int
    headers: dict[str, str] = field(compare=False)
    body: bytes = field(compare=False)
    event: CloudEvent = field(compare=False)
    attempts: int = field(compare=False, default=0)


class ElementTrigger:
    """Call it with each `ObjectChange` (it fits `ObjectStore(on_change=...)`); the call returns at once.

    Objects in `bucket` (any, when None) whose key starts with `prefix` and ends with `suffix` count, with letters as they are.
    `waits` are the seconds before each further attempt, `timeout` the seconds that an attempt may take; `clock` and `wait` are
    the time that the waits are measured in, and the way to let it pass. `faults` and `waits` may be set while it runs.
    """

    def __init__(
        self,
        url: str,
        *,
        dead_letter: Path,
        journal: Path | None = None,
        suffix: str = ".exr",
        bucket: str | None = None,
        prefix: str = "",
        source: str = "local-trigger",
        broker: str = "local-broker",
        topic: str = "main",
        binary: bool = False,
        waits: Sequence[float] = WAITS,
        timeout: float = 60.0,
        workers: int = 8,
        faults: TriggerFaults | None = None,
        seed: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Condition, float | None], object] = threading.Condition.wait,
    ) -> None:
        self.url = url
        self.dead_letter = dead_letter
        self.faults = faults or TriggerFaults()
        self._filter = (bucket, prefix, suffix)
        self._maker = EventMaker(source, broker, topic)
        self._binary = binary
        self.waits = tuple(waits)
        self._clock = clock
        self._wait = wait
        self._chance = random.Random(seed)  # noqa: S311  (it draws faults)
        self._http = urllib3.PoolManager(maxsize=workers, block=True, retries=False, timeout=timeout)
        self._changed = threading.Condition()
        self._queue: list[_Delivery] = []
        self._numbers = itertools.count()
        self._unsettled = 0
        self._counts = TriggerCounts()
        self._closing = False
        self._journal = Journal(journal) if journal else None
        if self._journal:
            for structured in self._journal.open_events.values():
                self._queue_up(from_json(CloudEvent, structured))
        self._threads = [threading.Thread(target=self._work, name=f"trigger-{n}", daemon=True) for n in range(workers)]
        for thread in self._threads:
            thread.start()

    def __call__(self, change: ObjectChange) -> None:
        """Queue the event about the change, when the filter lets it pass. Raises RuntimeError after `close`."""
        if not self._concerns(change):
            return
        with self._changed:
            if self._closing:
                raise RuntimeError("the trigger is closed: it takes no more changes")
            event = self._maker.event(change)
            if self._journal:
                self._journal.accept(event["id"], to_json(event).decode())
            self._queue_up(event)

    @property
    def counts(self) -> TriggerCounts:
        """A snapshot."""
        with self._changed:
            return self._counts

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until every delivery is settled (done or in the dead-letter file); False when `timeout` seconds were too few."""
        with self._changed:
            return self._changed.wait_for(self._is_settled, timeout)

    def _is_settled(self) -> bool:
        return self._unsettled == 0

    def close(self) -> None:
        """Finish the attempts under way and end the threads. May be called twice.

        What is left stays in the journal; without one it goes to the dead-letter file.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        with self._changed:
            left, self._queue = self._queue, []
        if self._journal:
            self._journal.close()
        else:
            for delivery in left:
                self._bury(delivery, "the trigger was closed before the event was delivered")
        self._http.clear()

    def _queue_up(self, event: CloudEvent) -> None:
        headers, body = encode_event(event, self._binary)
        with self._changed:
            self._count(events=1)
            for _ in range(2 if self._strikes(self.faults.duplicate) else 1):
                self._unsettled += 1
                self._push(_Delivery(self._clock(), next(self._numbers), headers, body, event))

    def _concerns(self, change: ObjectChange) -> bool:
        bucket, prefix, suffix = self._filter
        return change.bucket == (bucket or change.bucket) and change.key.startswith(prefix) and change.key.endswith(suffix)

    def _strikes(self, probability: float) -> bool:
        return probability > 0 and self._chance.random() < probability

    def _count(self, **more: int) -> None:
        self._counts = replace(self._counts, **{name: getattr(self._counts, name) + by for name, by in more.items()})

    def _push(self, delivery: _Delivery) -> None:
        heapq.heappush(self._queue, delivery)
        self._changed.notify_all()

    def _work(self) -> None:
        while (delivery := self._next()) is not None:
            self._attempt(delivery)

    def _next(self) -> _Delivery | None:
        """The next delivery that is due; None when the trigger closes."""
        with self._changed:
            while not self._closing:
                wait = self._queue[0].due - self._clock() if self._queue else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._queue)
                self._wait(self._changed, wait)
        return None

    def _attempt(self, delivery: _Delivery) -> None:
        delivery.attempts += 1
        error = self._send(delivery)
        if error is None:
            self._settle(delivery, attempts=1, delivered=1)
        elif delivery.attempts > len(self.waits):
            with self._changed:
                self._count(attempts=1)
            self._bury(delivery, error)
        else:
            with self._changed:
                self._count(attempts=1)
                delivery.due = self._clock() + self.waits[delivery.attempts - 1]
                self._push(delivery)

    def _send(self, delivery: _Delivery) -> str | None:
        """Post once; what went wrong, or None."""
        with self._changed:
            refused, lost = self._strikes(self.faults.refuse), self._strikes(self.faults.lose_answer)
        if refused:
            return "fault: the attempt was refused before it was sent"
        error = self._post(delivery)
        return "fault: the answer was lost" if lost and error is None else error

    def _post(self, delivery: _Delivery) -> str | None:
        try:
            answer = self._http.request("POST", self.url, body=delivery.body, headers=delivery.headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        if 200 <= answer.status < 300:
            return None
        return f"HTTP {answer.status}: {answer.data[:500].decode('utf-8', 'replace')}"

    def _bury(self, delivery: _Delivery, error: str) -> None:
        moment = datetime.now(UTC).isoformat()
        line = {"time": moment, "attempts": delivery.attempts, "error": error, "event": json.loads(to_json(delivery.event))}
        try:
            with self._changed:
                self.dead_letter.parent.mkdir(parents=True, exist_ok=True)
                with self.dead_letter.open("ab", buffering=0) as file:
                    append_line(file, line)
        except OSError:
            _log.exception("the dead-letter file %s cannot be written; lost: %s", self.dead_letter, line)
        self._settle(delivery, dead=1)

    def _settle(self, delivery: _Delivery, **counts: int) -> None:
        with self._changed:
            try:
                if self._journal:
                    self._journal.settle(delivery.event["id"])
            except OSError:
                _log.exception("the journal cannot be written; the event is delivered again after a restart")
            self._count(**counts)
            self._unsettled -= 1
            self._changed.notify_all()
