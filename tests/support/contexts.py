"""The platform's side of a call, by hand: a context that works and remembers, and an element event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any


class Context:
    """A context that works, and remembers what it was told."""

    def __init__(self, secrets: dict[str, dict[str, str]] | None = None) -> None:
        self.lines: list[tuple[str, str]] = []
        self.spans: list[str] = []
        self.measured: list[tuple[str, float, Any]] = []
        self.secrets = secrets or {}
        self.logger = SimpleNamespace(**{level: self._logs(level) for level in ("debug", "info", "warning", "error")})
        self.tracer = SimpleNamespace(start_as_current_span=self._span)

    def counter(self, name: str) -> Any:
        """An instrument that counts."""
        return SimpleNamespace(add=lambda value, labels: self.measured.append((name, value, labels)))

    def histogram(self, name: str) -> Any:
        """An instrument that collects values."""
        return SimpleNamespace(record=lambda value, labels: self.measured.append((name, value, labels)))

    def entries(self) -> list[dict[str, Any]]:
        """The log lines, read back."""
        return [json.loads(line) for _, line in self.lines]

    def gauge(self, name: str) -> Any:
        """An instrument that is set."""
        return SimpleNamespace(set=lambda value, labels: self.measured.append((name, value, labels)))

    updowncounter = counter

    def measured_as(self, name: str) -> list[tuple[float, Any]]:
        """Values and labels that an instrument was told."""
        return [(value, labels) for measured, value, labels in self.measured if measured == f"exr_inspector.{name}"]

    def event_entries(self) -> list[dict[str, Any]]:
        """Those of events, without what is said at the start."""
        return [entry for entry in self.entries() if "verdict" in entry]

    def _logs(self, level: str) -> Any:
        return lambda line: self.lines.append((level, line))

    @contextmanager
    def _span(self, name: str) -> Iterator[None]:
        self.spans.append(name)
        yield


def element(name: str, subtype: str = "ElementCreated") -> dict[str, Any]:
    """An element event about `bucket/key`."""
    return {
        "specversion": "1.0",
        "type": f"vastdata.com:Element.{subtype}",
        "id": "105849469009922",
        "source": "vastdata.com:exr-trigger.25d743ba-5c35-4524-a165-5a6566801b63",
        "subject": "broker.topic",
        "elementpath": name,
        "data": {},
    }
