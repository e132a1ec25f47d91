"""What the function measures, as a platform's context is told it, and as the function host shows it to Prometheus."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from contexts import Context
from exr_inspector.database.session import Ledger
from exr_inspector.function.context import NoTelemetry
from exr_inspector.function.host_metrics import HostTelemetry
from exr_inspector.function.metrics import INSTRUMENTS, Metrics
from project import ROOT
from scrapes import Scrape, parse_page

DONE = {"status": "ok", "verdict": "done", "code": ""}
TIMINGS = {"fetch": 2.0, "inspect": 7.0, "total": 40.0}


def raises(*_: object, **__: object) -> None:
    raise LookupError


def measure(ctx: Any) -> None:
    """One event and its transaction, told to the instruments of a context."""
    metrics = Metrics(ctx)
    metrics.begin()
    metrics.record_storing(3, [Ledger(files=2, requests=8, attempts=2, conflicts=1)])
    metrics.record(DONE, TIMINGS, 65_536)


def measured(tell: Callable[[Any], None]) -> Scrape:
    """What the page of a host's context shows afterwards."""
    ctx = HostTelemetry()
    tell(ctx)
    return parse_page(ctx.page.text())


def test_each_instrument_is_told_its_values_with_its_labels() -> None:
    """By a context that takes nothing but a name, and keeps everything."""
    context = Context()
    measure(context)
    labels = {instrument.name: set(instrument.labels) for instrument in INSTRUMENTS}
    assert {name for name, _, _ in context.measured} == labels.keys()
    assert {name: set(said) for name, _, said in context.measured} == labels


def test_what_is_not_offered_is_not_measured() -> None:
    """No instruments, instruments that fail, and those that keep nothing: the event goes on."""
    failing = SimpleNamespace(add=raises, record=raises, set=raises)
    for odd in (None, NoTelemetry(), SimpleNamespace(counter=raises), SimpleNamespace(counter=lambda name: failing)):
        measure(odd)


def test_instruments_are_made_once_with_help_and_buckets_where_those_are_taken() -> None:
    """Of a context with OpenTelemetry's keywords; durations have buckets up to ten minutes, in milliseconds."""
    made: dict[str, dict[str, Any]] = {}

    def make(name: str, **more: Any) -> Any:
        assert name not in made
        made[name] = more
        return SimpleNamespace(add=raises)

    Metrics(SimpleNamespace(counter=make, histogram=make, gauge=make, updowncounter=make))
    assert made.keys() == {instrument.name for instrument in INSTRUMENTS}
    assert all(more["description"].endswith(".") for more in made.values())
    assert made["exr_inspector.duration_ms"]["explicit_bucket_boundaries_advisory"][-1] == 600_000
    assert "explicit_bucket_boundaries_advisory" not in made["exr_inspector.events"]


def test_the_page_has_seconds_and_totals() -> None:
    """As Prometheus names and counts: milliseconds become seconds, in values and in buckets."""
    page = measured(measure)
    assert page.value("exr_inspector_events_total", **DONE) == 1
    assert page.value("exr_inspector_duration_seconds_sum", status="ok") == pytest.approx(0.04)
    assert page.value("exr_inspector_duration_seconds_bucket", status="ok", le="0.025") == 0
    assert page.value("exr_inspector_duration_seconds_bucket", status="ok", le="0.05") == 1
    assert page.value("exr_inspector_step_seconds_sum", step="inspect") == pytest.approx(0.007)
    assert page.value("exr_inspector_bytes_read_sum", status="ok") == 65_536
    assert page.value("exr_inspector_events_in_progress") == 0
    assert page.value("exr_inspector_database_waiting") == 3
    assert page.value("exr_inspector_database_requests_total") == 8
    assert page.value("exr_inspector_database_attempts_total") == 2
    assert page.value("exr_inspector_database_conflicts_total") == 1
    assert page.value("exr_inspector_database_group_files_bucket", le="2.0") == 1
    assert page.value("process_resident_memory_bytes") > 1e6


def test_counts_of_what_has_not_happened_yet_are_zero() -> None:
    """Of a series that begins at 1, Prometheus sees no rise."""
    page = measured(Metrics)
    assert page.value("exr_inspector_database_conflicts_total") == 0
    assert page.names >= {"exr_inspector_database_requests_total", "exr_inspector_events_in_progress"}


def test_instruments_of_other_functions_are_on_the_page() -> None:
    """Asked for by a meter or by the context, twice or once; odd names are made fit, and the first labels are the labels."""

    def tell(ctx: Any) -> None:
        ctx.meter.create_counter("frames.seen-twice").add(2, {"show": 'a"b\n'})
        ctx.counter("frames.seen-twice").add(1, {"show": 'a"b\n'})
        ctx.meter.create_up_down_counter("depth").add(-4)
        ctx.gauge("level").set(0.5)
        with pytest.raises(ValueError, match="label"):
            ctx.counter("frames.seen-twice").add(1, {"other": "x"})

    page = measured(tell)
    assert page.value("frames_seen_twice_total", show='a"b\n') == 3
    assert (page.value("depth"), page.value("level")) == (-4, 0.5)


def test_the_function_needs_no_package_of_prometheus() -> None:
    """Nor of the host: its image is made of requirements.txt, and it answers an event without them."""
    program = """
import sys
sys.modules |= dict.fromkeys(("prometheus_client", "uvicorn", "cloudevents"))
import main
print(main.handler(None, {"type": "vastdata.com:Schedule.TimerElapsed"})["status"])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "skipped\n"
