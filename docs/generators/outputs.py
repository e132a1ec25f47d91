"""The outputs that documents show, made by the commands that stand above them.

    scripts/generate outputs [--document DOCUMENT] [--check]

Each document runs from top to bottom in a copy of the project with the sample renders and an endpoint that holds their rows;
what a command prints replaces the block below `<!-- output: COMMAND -->`. With --check nothing is written: exit status 1 says
that a document shows something else, 2 that one of its blocks cannot be run. Without documents all of them are looked at.
"""

from __future__ import annotations

import difflib
import logging
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from generators import ROOT

sys.path.insert(0, str(ROOT / "tests/support"))

from docs_blocks import BadBlock
from docs_run import Failed, Running
from docs_stage import Stages
from project import tracked


def write_outputs(documents: Sequence[Path] = (), *, check: bool) -> int:
    """Write the outputs of these documents (default: of all), or compare them; returns the exit status."""
    warnings.filterwarnings("ignore", message="Cannot disable autocommit")
    logging.getLogger("vastdb").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, Stages(Path(folder)) as stages:
        return max([_document(path.resolve(), stages, check=check) for path in documents or tracked("*.md")])


def _document(path: Path, stages: Stages, *, check: bool) -> int:
    """Write one document, or compare it; returns its share of the exit status."""
    before = path.read_text(encoding="utf-8")
    try:
        after = Running(path, stages).rewritten()
    except (Failed, BadBlock) as error:
        print(f"scripts/generate outputs: {error}", file=sys.stderr)
        return 2
    if after == before:
        return 0
    if check:
        sys.stderr.writelines(difflib.unified_diff(*(text.splitlines(keepends=True) for text in (before, after)), str(path)))
        return 1
    path.write_text(after, encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: outputs written")
    return 0
