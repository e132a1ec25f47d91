#!/usr/bin/env python3
"""Hold the public surface against the committed one, tests/golden/public_surface.json.

    scripts/public_surface.py --check       exit status 3 where a promise is broken or a new name is not committed
    scripts/public_surface.py --update      write the file; refused with 3 where a promise is broken
    scripts/public_surface.py --deprecated  what is announced to go
    scripts/public_surface.py               how many names of each family there are

docs/DEPRECATION_POLICY.md says what is public and what is promised of it.
"""

from __future__ import annotations

if __name__ == "__main__":
    import _environment

    _environment.ensure()

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from exr_errors import InspectorError
from scripts import deprecations, surface
from scripts.generated import ROOT
from scripts.surface import Entry
from scripts.upkeep import DONE, FOUND, REFUSED

SNAPSHOT = ROOT / "tests/golden/public_surface.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="scripts/public_surface.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="only compare")
    action.add_argument("--update", action="store_true", help="write the file")
    action.add_argument("--deprecated", action="store_true", help="list the records")
    asked = parser.parse_args(arguments)
    try:
        return hold(update=asked.update) if asked.check or asked.update else tell(deprecated=asked.deprecated)
    except InspectorError as error:
        print(f"public_surface.py: {error}", file=sys.stderr)
        return REFUSED


def hold(*, update: bool) -> int:
    """Compare, and write the file where that is asked for and no promise is broken; returns the exit status."""
    now = surface.collect()
    found = faults(now, with_added=not update)
    for fault in found:
        print(fault, file=sys.stderr)
    if update and not found:
        SNAPSHOT.write_text(text(now), encoding="utf-8")
    return FOUND if found else DONE


def tell(*, deprecated: bool) -> int:
    """Print the records, or how many names there are; returns the exit status."""
    if deprecated:
        told = [f"{one.name}: since {one.since}, goes with {one.removal}; use {one.replacement}" for one in deprecations.read()]
        print("\n".join(told or ["Nothing is deprecated."]))
    else:
        print("\n".join(f"{family:<10} {len(entries):>4}" for family, entries in surface.collect().items()))
    return DONE


def faults(now: Mapping[str, Mapping[str, Entry]], *, with_added: bool) -> list[str]:
    """What breaks a promise, and with `with_added` which names are not committed yet. Raises BadRecord."""
    before = committed()
    records = deprecations.read()
    found = deprecations.violations(before, now, records, surface.versions(), datetime.now(UTC).date())
    if with_added:
        remedy = "it is new; commit it with scripts/public_surface.py --update"
        found += [f"{name}: {remedy}" for name in deprecations.added(before, now)]
    return found


def committed() -> dict[str, dict[str, str]]:
    """The committed shapes by family and name."""
    shapes: dict[str, dict[str, str]] = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    return shapes


def text(now: Mapping[str, Mapping[str, Entry]]) -> str:
    """The file's text: one name on a line, so that a change is one line of a diff."""
    shapes = {family: {name: entry.shape for name, entry in entries.items()} for family, entries in now.items()}
    return json.dumps(shapes, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
