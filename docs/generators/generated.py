"""Pages of documentation that are made from code: one command line for all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from exr_text import Parser

ROOT = Path(__file__).resolve().parent.parent


def command(path: Path, page: Callable[[], str], by: str) -> int:
    """Write `page()` to `path`; with --check write nothing and return 1 when the file says something else. `by`: the script."""
    name = path.relative_to(ROOT)
    parser = Parser(prog=by, description=f"Write {name}.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 when the page is out of date")
    if not parser.parse_args().check:
        path.write_text(page(), encoding="utf-8")
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == page():
        return 0
    print(f"{name} is out of date; {by} writes it", file=sys.stderr)
    return 1
