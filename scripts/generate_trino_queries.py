#!/usr/bin/env python3
"""Writes docs/queries/trino from docs/queries: the same questions in Trino's dialect.

    scripts/generate_trino_queries.py [--check]

`--check` writes nothing; exit status 1 where a file differs from what would be written.
"""

from __future__ import annotations

if __name__ == "__main__":
    import _environment

    _environment.ensure()

import argparse
import sys

from exr_text import Parser
from scripts import questions
from vast_settings import Settings

FOLDER = questions.QUERIES / "trino"


def expected() -> dict[str, str]:
    """File name -> text, for the default bucket and schema."""
    settings = Settings()
    return {
        f"{name}.sql": questions.trino_text(questions.load(name), settings.db_bucket, settings.db_schema)
        for name in questions.names()
    }


def stored() -> dict[str, str]:
    """File name -> text of what is there."""
    return {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.sql")}


def main() -> int:
    """Write, or check."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        wanted, there = expected(), stored()
        differing = sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))
        print(*differing, sep="\n")
        return 1 if differing else 0
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.sql"):
        path.unlink()
    for name, text in expected().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
