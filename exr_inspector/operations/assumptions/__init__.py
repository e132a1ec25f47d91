"""What the product assumes of VAST, each as a trial against the endpoint that is configured.

Nobody who wrote this had a cluster. What is assumed is written down with its source, how sure it is, and what depends on it; a
trial says what was seen. `exr-inspector doctor --assumptions` runs them in a schema of its own, which it removes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exr_inspector.errors import InspectorError
from exr_inspector.operations.assumptions import engine, events, objects, queries, transactions, values
from exr_inspector.operations.assumptions.bench import IDLE_SECONDS, Assumption, Bench, Broken, Untried, open_bench
from exr_inspector.settings import Settings

ASSUMPTIONS: tuple[Assumption, ...] = tuple(
    one for area in (transactions, values, queries, engine, objects, events) for one in area.TRIALS
)
"""All of them, in the order in which they are tried."""


def try_all(
    settings: Settings, objects_at: str | None = None, event: Path | None = None, idle: float = IDLE_SECONDS
) -> list[dict[str, Any]]:
    """Try every assumption; for each its `name`, `verdict` (holds, broken, not tried), what was `seen`, and what depends on it.

    `objects_at`: BUCKET/PREFIX below which objects may be written and removed. `event`: a file with an event of the platform.
    `idle`: seconds for which a transaction is left alone.
    Raises BadSettings or VASTDatabaseError where there is no endpoint to try them on.
    """
    with open_bench(settings, objects_at, event, idle) as bench:
        return [_verdict(one, bench) for one in ASSUMPTIONS]


def _verdict(one: Assumption, bench: Bench) -> dict[str, Any]:
    verdict, seen = _try(one, bench)
    described = {"name": one.name, "area": one.area, "statement": one.statement, "verdict": verdict, "seen": seen}
    return described | ({"depends": one.depends} if verdict == "broken" else {})


def _try(one: Assumption, bench: Bench) -> tuple[str, str]:
    try:
        return "holds", one.trial(bench)
    except Untried as reason:
        return "not tried", str(reason)
    except (Broken, InspectorError) as seen:
        return "broken", str(seen)


def lines(tried: list[dict[str, Any]]) -> Iterator[str]:
    """The verdicts for people, and beneath each that is broken what depends on it."""
    marks = {"holds": "holds    ", "broken": "BROKEN   ", "not tried": "not tried"}
    for one in tried:
        yield f"{marks[one['verdict']]} {one['name']}: {one['statement']} Seen: {one['seen']}"
        if "depends" in one:
            yield f"          What depends on it: {one['depends']}"
    counts = [f"{sum(one['verdict'] == verdict for one in tried)} {word}" for verdict, word in _COUNTED]
    yield ", ".join(counts)


_COUNTED = (("holds", "hold"), ("broken", "do not"), ("not tried", "were not tried"))
