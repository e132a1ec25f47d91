"""The outputs that documents show, made by the commands that stand above them.

    scripts/generate_outputs [--check] [DOCUMENT...]

Each document runs from top to bottom in a copy of the project with the sample renders and an endpoint that holds their rows;
what a command prints replaces the block below `<!-- output: COMMAND -->`. With --check nothing is written: exit status 1 says
that a document shows something else, 2 that one of its blocks cannot be run. Without documents all of them are looked at.
"""

from __future__ import annotations

import argparse
import difflib
import logging
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from scripts.generated import ROOT

sys.path.insert(0, str(ROOT / "tests"))

from docs_blocks import BadBlock
from docs_run import Failed, Running
from docs_stage import Stages
from exr_text import Parser
from project import tracked


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    asked = _parser().parse_args(arguments)
    warnings.filterwarnings("ignore", message="Cannot disable autocommit")
    logging.getLogger("vastdb").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, Stages(Path(folder)) as stages:
        return max([_document(path.resolve(), stages, check=asked.check) for path in asked.documents or tracked("*.md")])


def _parser() -> argparse.ArgumentParser:
    about = "Write the outputs that documents show, by running their commands."
    parser = Parser(prog="scripts/generate_outputs", description=about)
    parser.add_argument("documents", nargs="*", type=Path, metavar="DOCUMENT", help="default: all of the project")
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 when a document shows something else")
    return parser


def _document(path: Path, stages: Stages, *, check: bool) -> int:
    """Write one document, or compare it; returns its share of the exit status."""
    before = path.read_text(encoding="utf-8")
    try:
        after = Running(path, stages).rewritten()
    except (Failed, BadBlock) as error:
        print(f"generate_outputs: {error}", file=sys.stderr)
        return 2
    if after == before:
        return 0
    if check:
        sys.stderr.writelines(difflib.unified_diff(*(text.splitlines(keepends=True) for text in (before, after)), str(path)))
        return 1
    path.write_text(after, encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: outputs written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
