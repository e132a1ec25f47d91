"""What a context offers, and that what it lacks or raises is as good as absent."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest

from exr_inspector.function.context import NoTelemetry, ask_platform, read_secrets, span, state, write_log


def raises(*_: Any) -> Any:
    """A call of the platform's that fails in a way of its own."""
    raise RuntimeError("Path not found")


def interrupts() -> Any:
    """What ends the program."""
    raise KeyboardInterrupt


def test_what_the_platform_lacks_or_raises_is_the_default() -> None:
    """Whatever the platform's object raises; what ends the program is not caught."""
    assert ask_platform(getattr, SimpleNamespace(a=1), "a", default=0) == 1
    assert ask_platform(getattr, SimpleNamespace(), "a", default=0) == 0
    assert ask_platform(raises, default=0) == 0
    with pytest.raises(KeyboardInterrupt):
        ask_platform(interrupts, default=0)


SECRETS = {"exr-inspector": {"a": "own"}, "other": {"a": "other", "b": "other"}, "flat": "text"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["exr-inspector"], {"a": "own"}),
        (["exr-inspector", "other"], {"a": "own", "b": "other"}),
        (["other", "exr-inspector"], {"a": "other", "b": "other"}),
        (["absent"], {"a": "own", "b": "other", "flat": "text"}),
        ([], {"a": "own", "b": "other", "flat": "text"}),
    ],
)
def test_named_secrets_count_and_all_of_them_where_none_is_there(names: list[str], expected: dict[str, str]) -> None:
    """The secrets of a pipeline's other functions do not interfere."""
    assert read_secrets(SimpleNamespace(secrets=SECRETS), names) == expected


@pytest.mark.parametrize("secrets", [None, 17, "text", [], [1], {"a": None}, {"a": {"k": 1}}, {1: {2: 3}}])
def test_secrets_of_another_shape_are_none(secrets: Any) -> None:
    """Values that are no text do not count either."""
    assert read_secrets(SimpleNamespace(secrets=secrets), ["a"]) == {}


def test_a_span_measures_and_tells_the_tracer_of_an_error() -> None:
    """The error comes through, also where the tracer's span would swallow it; times of equal names add up."""
    told: list[Any] = []

    class SpanThatSwallows:
        def __enter__(self) -> None: ...

        def __exit__(self, kind: Any, *_: object) -> bool:
            told.append(kind)
            return True

    ctx = SimpleNamespace(tracer=SimpleNamespace(start_as_current_span=lambda name: SpanThatSwallows()))
    timings = {"fetch": 1000.0}
    with pytest.raises(LookupError), span(ctx, "fetch", timings):
        raise LookupError
    with span(ctx, "persist", timings):
        pass
    assert told == [LookupError, None]
    assert timings["fetch"] >= 1000.0
    assert set(timings) == {"fetch", "persist"}


def test_what_records_nothing_has_the_methods_of_what_does() -> None:
    """Of OpenTelemetry's spans, tracers, meters and instruments, and of the platform's context; errors pass through a span."""
    nothing = NoTelemetry()
    timings: dict[str, float] = {}
    with pytest.raises(LookupError), span(nothing, "fetch", timings):
        raise LookupError
    assert timings.keys() == {"fetch"}
    for tracer in (nothing, nothing.tracer):
        with tracer.start_as_current_span("work", attributes={"a": 1}) as current:
            current.set_attribute("a", 1)
            current.set_attributes({"a": 1})
            current.add_event("done", {"a": 1})
            current.record_exception(LookupError())
            current.set_status("ok")
            assert not current.is_recording()
    nothing.tracer.start_span("work").end()
    for make in (nothing.counter, nothing.gauge, nothing.histogram, nothing.updowncounter, nothing.meter.create_gauge):
        instrument = make("name", unit="1", description="text")
        instrument.add(1, {"a": "b"})
        instrument.record(0.5)
        instrument.set(2)


@pytest.mark.parametrize("ctx", [None, SimpleNamespace(logger=None), SimpleNamespace(logger=SimpleNamespace(warning=raises))])
def test_a_log_line_is_never_lost(ctx: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It goes to the standard logger when the context has none that works."""
    with caplog.at_level(logging.INFO):
        write_log(ctx, "warning", {"object": object, "text": "é\n"})
    (record,) = caplog.records
    assert record.name == "exr_inspector"
    assert json.loads(record.message)["text"] == "é\n"
    assert "\n" not in record.message


def test_a_state_is_made_once_however_many_threads_ask() -> None:
    """And kept on the context."""
    ctx, made, together = SimpleNamespace(), [], Barrier(8)

    def ask(_: int) -> list[int]:
        together.wait()
        return state(ctx, "kept", list, lambda: made.append(1) or [1])  # type: ignore[func-returns-value]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(ask, range(8)))
    assert len(made) == 1
    assert all(result is ctx.kept for result in results)


def test_a_state_of_another_kind_is_replaced() -> None:
    """A context that answers to every name, as some stand-ins do, has not kept ours."""
    ctx = SimpleNamespace(kept="foreign")
    assert state(ctx, "kept", dict, dict) == {}
