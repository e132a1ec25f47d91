"""What the platform hands to a function beside the event: logger, tracer, metrics and secrets, each of which may be missing.

The runtime differs between versions, is not on the package index, and its objects may raise anything: an absent secret, for
one, raised a non-KeyError on a live cluster. Nothing here may change the outcome of an event, so every call goes through
`ask_platform`, the one place that takes any error of the platform's for "it has none".
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ContextDecorator
from operator import getitem
from time import perf_counter
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
LOGGER_NAME = "exr_inspector"


def ask_platform(call: Callable[..., Any], *arguments: Any, default: Any = None) -> Any:
    """What the call returns, or `default` when the platform's object lacks it or raises whatever it raises."""
    try:
        return call(*arguments)
    except Exception:  # noqa: BLE001 - a foreign object: no list of its errors exists
        return default


def call_method(target: Any, method: str, *arguments: Any) -> Any:
    """Call a method by its name: for `ask_platform`, where the object may lack it."""
    return getattr(target, method)(*arguments)


def call_each(calls: Iterable[tuple[Any, ...]]) -> None:
    """Each of these calls, with the arguments that follow it, independently of the others."""
    for call in calls:
        ask_platform(*call)


def read_secrets(ctx: Any, names: Sequence[str] = ()) -> dict[str, str]:
    """The secrets of a context as one flat mapping of key to text.

    `ctx.secrets[secret][key]` is the platform's shape. The secrets in `names` count, the first one first; only where none of them
    is there, all that the context lists do, and keys without a secret around them: a pipeline's other functions have secrets too.
    What is missing or raises is absent.
    """
    secrets = ask_platform(getattr, ctx, "secrets")
    return _merge_secrets(secrets, names) or _merge_secrets(secrets, ask_platform(_list_keys, secrets, default=[]))


def read_secret(ctx: Any, name: str) -> dict[str, str]:
    """The entries of one secret of a context; none where it is not there."""
    return _entries(ask_platform(getattr, ctx, "secrets"), name)


def _merge_secrets(secrets: Any, names: Sequence[str]) -> dict[str, str]:
    """The entries of these secrets; of equal keys, the first."""
    flat: dict[str, str] = {}
    for name in names:
        for key, text in _entries(secrets, name).items():
            flat.setdefault(key, text)
    return flat


def _entries(secrets: Any, name: str) -> dict[str, str]:
    value = ask_platform(getitem, secrets, name)
    if isinstance(value, str):
        return {name: value}
    entries = {key: ask_platform(getitem, value, key) for key in ask_platform(_list_keys, value, default=[])}
    return {key: text for key, text in entries.items() if isinstance(text, str)}


def _list_keys(secrets: Any) -> list[str]:
    return [str(key) for key in secrets]


class span:  # noqa: N801 - used as a `with` statement
    """A step under a span of the context's tracer, where it has one; its milliseconds are added to `timings[name]`.

    The platform's span is told about an error and cannot swallow it.
    """

    def __init__(self, ctx: Any, name: str, timings: dict[str, float]) -> None:
        self._name, self._timings = name, timings
        tracer = ask_platform(getattr, ctx, "tracer", None)
        self._current = None if tracer is None else ask_platform(call_method, tracer, "start_as_current_span", name)

    def __enter__(self) -> None:
        """Begin the span, and the measurement."""
        if self._current is not None:
            ask_platform(call_method, self._current, "__enter__")
        self._started = perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End both."""
        spent = (perf_counter() - self._started) * 1000
        self._timings[self._name] = round(self._timings.get(self._name, 0.0) + spent, 3)
        if self._current is not None:
            ask_platform(call_method, self._current, "__exit__", kind, error, trace)


class NoSpan(ContextDecorator):
    """A span that records nothing: OpenTelemetry's methods, also as a decorator."""

    def __enter__(self) -> NoSpan:
        """The span itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Errors pass."""

    def set_attribute(self, key: str, value: Any) -> None:
        """Nothing."""

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Nothing."""

    def set_status(self, status: Any, description: str | None = None) -> None:
        """Nothing."""

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """Nothing."""

    def add_link(self, context: Any, attributes: Any = None) -> None:
        """Nothing."""

    def record_exception(self, exception: BaseException, *_: Any, **__: Any) -> None:
        """Nothing."""

    def update_name(self, name: str) -> None:
        """Nothing."""

    def end(self, end_time: int | None = None) -> None:
        """Nothing."""

    def is_recording(self) -> bool:
        """It is not."""
        return False


class NoTracer:
    """A tracer whose spans record nothing."""

    def start_as_current_span(self, name: str, *_: Any, **__: Any) -> NoSpan:
        """A span for a `with` statement."""
        return NoSpan()

    start_span = start_as_current_span


class NoInstrument:
    """A counter, gauge or histogram that keeps nothing."""

    def add(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """As a counter."""

    def record(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """As a histogram."""

    def set(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """As a gauge."""


class NoMeter:
    """A meter whose instruments keep nothing."""

    def create_counter(self, name: str, *_: Any, **__: Any) -> NoInstrument:
        """An instrument, of whatever kind."""
        return NoInstrument()

    create_up_down_counter = create_histogram = create_gauge = create_counter
    create_observable_counter = create_observable_up_down_counter = create_observable_gauge = create_counter


class NoTelemetry:
    """The part of the platform's context that observes: functions may use it in `init`, and nothing comes of it."""

    def __init__(self) -> None:
        """A tracer and a meter, as attributes."""
        self.tracer = NoTracer()
        self.meter = NoMeter()

    def start_as_current_span(self, name: str, *_: Any, **__: Any) -> NoSpan:
        """A span for a `with` statement."""
        return NoSpan()

    start_as_current_event_span = start_as_current_span

    def counter(self, name: str, *_: Any, **__: Any) -> NoInstrument:
        """An instrument, of whatever kind."""
        return NoInstrument()

    gauge = histogram = updowncounter = counter


# Made once, as `database.cells` has it.
_to_line = json.JSONEncoder(default=str, separators=(",", ":")).encode


def write_log(ctx: Any, level: str, entry: Mapping[str, Any]) -> None:
    """One line of JSON to the context's logger; to the standard one when the context has none that works.

    `level` is `info`, `warning` or `error`. The line is valid JSON whatever the entry holds: foreign values are written as text.
    """
    line = _to_line(entry)
    if not ask_platform(_write_line, ctx, level, line, default=False):
        import logging  # late: a context without a logger is the exception, and loading it takes time

        getattr(logging.getLogger(LOGGER_NAME), level)(line)


def _write_line(ctx: Any, level: str, line: str) -> bool:
    """Whether the context's logger took the line: True, unless it raises."""
    getattr(ctx.logger, level)(line)
    return True


_STATE_LOCK = threading.Lock()


def state(ctx: Any, name: str, kind: type[T], make: Callable[[], T]) -> T:
    """The `kind` kept as `ctx.<name>`, made by the first of the threads that ask; for a context that keeps nothing, made anew."""
    kept = ask_platform(getattr, ctx, name)
    if isinstance(kept, kind):
        return kept
    with _STATE_LOCK:
        kept = ask_platform(getattr, ctx, name)
        if isinstance(kept, kind):
            return kept
        made = make()
        ask_platform(setattr, ctx, name, made)
        return made
