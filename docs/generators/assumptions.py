"""docs/ASSUMPTIONS.md, made from the trials in exr_inspector/operations/assumptions.

scripts/generate assumptions [--check]
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from exr_inspector.operations.assumptions import ASSUMPTIONS
from exr_inspector.operations.assumptions.bench import INFERRED, SAID, SEEN, Assumption
from generators import ROOT

PAGE = ROOT / "docs/ASSUMPTIONS.md"

HEAD = """# What is assumed of VAST

In your first hour on a cluster, try everything that this project assumes of VAST. It takes a schema of its own, which it
removes:

<!-- cluster -->
```console
exr-inspector doctor --assumptions --objects BUCKET/PREFIX
exr-inspector doctor --assumptions EVENT.json
```

It tries each of the {count} by itself and prints what it saw. If one does not hold, it prints what depends on it, and the exit
status is 3. Below BUCKET/PREFIX it writes and removes small objects; EVENT.json is an event from the function's log. It leaves a
transaction idle for two seconds: `--idle 90` tries the minute that backups and copies rely on. With `--dry-run` nothing is
written, and the list is printed.

Why: nobody who wrote exr-inspector had a cluster. What it relies on was read in the vendor's client, its tests, its documents
and public code. On a laptop all of it holds, because `local_vast` was made that way; with `--deviate` it behaves differently in
one respect ([LOCAL_VAST.md](LOCAL_VAST.md#faults)), and the tests look for what notices. This page is generated from
`exr_inspector/operations/assumptions` by `scripts/generate assumptions`.
"""
TABLE = """
## Each assumption, and what depends on it

| assumption | source | how sure | what depends on it |
|---|---|---|---|
"""
UNTRIED = (
    (
        "Events come at least once, and at most four times, with the same id, if the function raises. Nothing is assumed of "
        "their order, so there is nothing to try",
        "a course that was checked on a cluster", SEEN, "the upsert is idempotent, and the bucket decides what is current",
    ),
    (
        "A container gets up to 20 events at a time, in threads",
        "the runtime's log on a cluster", SEEN, "grouping, and the sizes of pools",
    ),
    (
        "A commit whose answer was lost took effect or did not, and never in part",
        "the vendor's connectors tell users to look", INFERRED, "reading back after a lost answer",
    ),
    (
        "Batches are lists, answered by lists of the same length",
        "the vendor's guide to the SDK, 5.5", SAID, "`handler` with a list",
    ),
)  # fmt: skip
"""What no trial shows: assumption, source, how sure, what depends on it."""


def page() -> str:
    """The whole page."""
    areas = groupby(ASSUMPTIONS, key=lambda one: one.area)
    tried = "".join(section(area, map(cells, ones)) for area, ones in areas)
    return HEAD.format(count=len(ASSUMPTIONS)) + TABLE + tried + section("What no trial shows", UNTRIED)


def cells(one: Assumption) -> tuple[str, ...]:
    """One row of the table."""
    return f"`{one.name}`: {one.statement}", one.source, one.sure, one.depends


def section(area: str, rows: Iterable[tuple[str, ...]]) -> str:
    """The rows of one area, with its name before them."""
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"| **{area}** | | | |\n{lines}\n"
