"""What the function measures: one table of instruments, for the platform's context and for the host's page of metrics.

Durations are milliseconds, as in the log, because the buckets that OpenTelemetry takes by itself fit those, and whether the
platform takes others is not known. The host's page of metrics gives seconds, as Prometheus wants it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Any

from exr_inspector.function.context import ask_platform, call_each

if TYPE_CHECKING:
    from exr_inspector.database.session import Ledger

MILLISECONDS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 90_000, 120_000, 300_000, 600_000)
BYTES = tuple(4**power for power in range(6, 16))
"""4 KiB to 1 GiB."""
FILES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000)


@dataclass(frozen=True, slots=True)
class Instrument:
    """A counter, histogram, gauge or updowncounter; `labels` are those that its values carry, `buckets` a histogram's limits."""

    kind: str
    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    def make(self, ctx: Any) -> Callable[[float, Mapping[str, str]], Any] | None:
        """What takes the values of the context's instrument, made with help and buckets where it takes them; None without one."""
        more = {"description": self.help, **({"explicit_bucket_boundaries_advisory": self.buckets} if self.buckets else {})}
        made = ask_platform(_make, ctx, self, more) or ask_platform(_make, ctx, self, {})
        method: Callable[[float, Mapping[str, str]], Any] | None = ask_platform(getattr, made, _METHODS[self.kind])
        return method


_METHODS = {"counter": "add", "updowncounter": "add", "histogram": "record", "gauge": "set"}


def _make(ctx: Any, instrument: Instrument, more: Mapping[str, Any]) -> Any:
    return getattr(ctx, instrument.kind)(instrument.name, **more)


EVENTS = Instrument(
    "counter", "exr_inspector.events", "Events that were answered or raised, each delivery once.", ("status", "verdict", "code")
)
DURATION = Instrument("histogram", "exr_inspector.duration_ms", "Time of a whole event.", ("status",), MILLISECONDS)
STEP = Instrument("histogram", "exr_inspector.step_ms", "Time of one step of an event.", ("step",), MILLISECONDS)
BYTES_READ = Instrument("histogram", "exr_inspector.bytes_read", "Bytes read of an event's objects.", ("status",), BYTES)
IN_PROGRESS = Instrument("updowncounter", "exr_inspector.events_in_progress", "Events that are worked on now.")
LAST_SUCCESS = Instrument("gauge", "exr_inspector.last_success_timestamp_seconds", "When an event last had the verdict done.")
REQUESTS = Instrument("counter", "exr_inspector.database_requests", "Requests to the database for storing.")
ATTEMPTS = Instrument("counter", "exr_inspector.database_attempts", "Attempts to write a transaction.")
CONFLICTS = Instrument("counter", "exr_inspector.database_conflicts", "Transactions that met another writer's.")
GROUP_FILES = Instrument("histogram", "exr_inspector.database_group_files", "Changes in one transaction.", (), FILES)
WAITING = Instrument("gauge", "exr_inspector.database_waiting", "Changes that waited for a transaction when one came or went.")
INSTRUMENTS = (
    EVENTS, DURATION, STEP, BYTES_READ, IN_PROGRESS, LAST_SUCCESS, REQUESTS, ATTEMPTS, CONFLICTS, GROUP_FILES, WAITING,
)  # fmt: skip

Value = tuple[Instrument, float] | tuple[Instrument, float, Mapping[str, str]]
"""What an instrument is told: the value, and its labels."""


class Metrics:
    """The function's instruments. What the context does not offer is not measured."""

    def __init__(self, ctx: Any) -> None:
        """Ask the context for each instrument, once; what only counts begins at 0, so that a first rise is seen."""
        made = {instrument.name: instrument.make(ctx) for instrument in INSTRUMENTS}
        self._takers = {name: taker for name, taker in made.items() if taker is not None}
        self._tell(*((instrument, 0) for instrument in (IN_PROGRESS, REQUESTS, ATTEMPTS, CONFLICTS)))

    def begin(self) -> None:
        """An event is worked on from now on."""
        self._tell((IN_PROGRESS, 1))

    def record(self, outcome: Mapping[str, str], timings: Mapping[str, float], bytes_read: int) -> None:
        """An event is done. `outcome` has its status, verdict and error code; `timings` milliseconds of steps, and `total`."""
        status = {"status": outcome["status"]}
        self._tell(
            (IN_PROGRESS, -1),
            (EVENTS, 1, outcome),
            (DURATION, timings["total"], status),
            (BYTES_READ, bytes_read, status),
            *((STEP, milliseconds, {"step": step}) for step, milliseconds in timings.items() if step != "total"),
            *([(LAST_SUCCESS, time())] if outcome["verdict"] == "done" else []),
        )

    def record_storing(self, waiting: int, ledgers: Iterable[Ledger]) -> None:
        """So many changes wait for a transaction now; and what each of the last ones has cost, committed or given up."""
        values: list[Value] = [(WAITING, waiting)]
        for spent in ledgers:
            values += (
                (GROUP_FILES, spent.files),
                (REQUESTS, spent.requests),
                (ATTEMPTS, spent.attempts),
                (CONFLICTS, spent.conflicts),
            )
        self._tell(*values)

    def _tell(self, *values: Value) -> None:
        takers = self._takers
        call_each([(takers[told.name], value, dict(*labels)) for told, value, *labels in values if told.name in takers])
