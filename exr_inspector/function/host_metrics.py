"""Instruments whose values a page shows in Prometheus' text form: what a function host's context offers to its function.

As with the platform's context, a function asks for an instrument by its name and tells values with attributes. The page has a
metric once a value was told. Names follow Prometheus' rules: `exr_inspector.step_ms` becomes `exr_inspector_step_seconds`, its
values and buckets divided by a thousand, and a counter's name ends in `_total`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from exr_inspector.function.context import NoInstrument, NoMeter, NoTelemetry

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_PLAIN_0_0_4
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_:]")
_MILLISECONDS = "_ms"


class PageInstrument(NoInstrument):
    """A metric of the page, made with the first value: its attributes are the labels, which all later values have to carry.

    `buckets` are in the unit of the values. Every method raises ValueError for other attributes than the first value had.
    """

    def __init__(
        self, registry: CollectorRegistry, kind: type[Any], name: str, help: str = "", buckets: Sequence[float] = ()
    ) -> None:
        self._registry, self._kind = registry, kind
        self._divisor = 1000 if name.endswith(_MILLISECONDS) else 1
        plain = _NOT_IN_NAMES.sub("_", name)
        self._name = plain.removesuffix(_MILLISECONDS) + "_seconds" if self._divisor > 1 else plain
        self._help = help or self._name
        self._options = {"buckets": [limit / self._divisor for limit in buckets]} if buckets else {}
        self._guard = threading.Lock()
        self._metric: Any = None

    def add(self, amount: float, attributes: Mapping[str, Any] | None = None, context: Any = None) -> None:
        """As a counter, or as a gauge that goes up and down."""
        self._child(attributes).inc(amount)

    def record(self, amount: float, attributes: Mapping[str, Any] | None = None, context: Any = None) -> None:
        """As a histogram."""
        self._child(attributes).observe(amount / self._divisor)

    def set(self, amount: float, attributes: Mapping[str, Any] | None = None, context: Any = None) -> None:
        """As a gauge."""
        self._child(attributes).set(amount)

    def _child(self, attributes: Mapping[str, Any] | None) -> Any:
        labels = {name: str(value) for name, value in (attributes or {}).items()}
        with self._guard:
            if self._metric is None:
                self._metric = self._kind(self._name, self._help, tuple(labels), registry=self._registry, **self._options)
        return self._metric.labels(**labels) if labels else self._metric


class MetricsPage:
    """The metrics of one context, and of its process."""

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, of no use here
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._instruments: dict[str, PageInstrument] = {}

    def text(self) -> str:
        """All metrics in the text form 0.0.4."""
        return prometheus_client.generate_latest(self._registry).decode()

    def instrument(self, kind: type[Any], name: str, more: Mapping[str, Any]) -> PageInstrument:
        """The instrument of this name, made when it is asked for first; `more`: OpenTelemetry's keywords."""
        help, buckets = more.get("description", ""), more.get("explicit_bucket_boundaries_advisory") or ()
        return self._instruments.setdefault(name, PageInstrument(self._registry, kind, name, help, buckets))


class PageMeter(NoMeter):
    """OpenTelemetry's meter; what it would observe by itself keeps nothing."""

    def __init__(self, page: MetricsPage) -> None:
        self._page = page

    def create_counter(self, name: str, *_: Any, **more: Any) -> NoInstrument:
        """What only rises."""
        return self._page.instrument(Counter, name, more)

    def create_gauge(self, name: str, *_: Any, **more: Any) -> NoInstrument:
        """What is set."""
        return self._page.instrument(Gauge, name, more)

    def create_histogram(self, name: str, *_: Any, **more: Any) -> NoInstrument:
        """What is collected."""
        return self._page.instrument(Histogram, name, more)

    create_up_down_counter = create_gauge


class HostTelemetry(NoTelemetry):
    """The part of a context that observes: values are shown on `page`, spans are not recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.page = MetricsPage()
        self.meter: NoMeter = PageMeter(self.page)

    def counter(self, name: str, *_: Any, **more: Any) -> NoInstrument:
        """What only rises."""
        return self.meter.create_counter(name, **more)

    def gauge(self, name: str, *_: Any, **more: Any) -> NoInstrument:
        """What is set."""
        return self.meter.create_gauge(name, **more)

    def histogram(self, name: str, *_: Any, **more: Any) -> NoInstrument:
        """What is collected."""
        return self.meter.create_histogram(name, **more)

    updowncounter = gauge
