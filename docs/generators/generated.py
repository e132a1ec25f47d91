"""Every generated page: `scripts/generate [PAGE...] [--check]` writes the pages, or says which are out of date."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

PAGES = (
    "assumptions",
    "configuration",
    "database_schema",
    "errors",
    "events",
    "queries",
    "writers",
    "reference",
    "outputs",
    "summary",
)
"""Modules of this folder, in an order in which none reads what a later one writes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status is 1 where a page is out of date, 2 where one cannot be written."""
    parser = argparse.ArgumentParser(prog="scripts/generate", description="Write the pages of docs/ that are made from the code.")
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"one of {', '.join(PAGES)} (default: all)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 says that a page is out of date")
    parser.add_argument("--document", action="append", default=[], type=Path, help="outputs: of this document alone")
    asked = parser.parse_args(arguments)
    unknown = sorted(set(asked.pages) - set(PAGES))
    if unknown:
        parser.error(f"there is no page {unknown[0]!r}; there are {', '.join(PAGES)}")
    return max([_generate(name, asked.document, check=asked.check) for name in PAGES if name in (asked.pages or PAGES)])


def _generate(name: str, documents: Sequence[Path], *, check: bool) -> int:
    module = importlib.import_module(f"generators.{name}")
    if hasattr(module, "write_outputs"):
        status: int = module.write_outputs(documents, check=check)
        return status
    made = module.page()
    if made == (module.PAGE.read_text(encoding="utf-8") if module.PAGE.exists() else None):
        return 0
    if check:
        print(f"{module.PAGE.name} is out of date; scripts/generate {name} writes it", file=sys.stderr)
        return 1
    module.PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
