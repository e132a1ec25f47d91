"""The page as one file, with the data and everything else inside; and reading back what an earlier page showed."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from exr_inspector.catalogue.connection import Target
from exr_inspector.catalogue.report.answers import Row
from exr_inspector.catalogue.report.data import collect
from exr_inspector.errors import Reject

FOLDER = Path(__file__).resolve().parent
SCRIPTS = ("base", "table", "attention", "shots", "coverage", "figures", "alike", "page")
"""The scripts of the page in the order in which they need each other."""
REFRESHED = "connect-src 'self'"
_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


class NoReport(Reject):
    """A file is not a page of this kind, or is one of an older version."""

    code = "no_report"


def render(data: dict[str, Any], refresh: int = 0) -> str:
    """The page as HTML; with `refresh` it asks for newer data every so many seconds, where a server gave it."""
    pieces = {
        "css": _read("page.css"),
        # A name may contain </script>: in JSON, < can be written without using it.
        "data": json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        "script": "\n".join(_read(f"{name}.js") for name in SCRIPTS),
        "connect": f"; {REFRESHED}" if refresh else "",
        "refresh": str(refresh),
    }
    head, *rest = _read("page.html").split("@")
    return head + "".join(pieces[piece] if at % 2 == 0 else piece for at, piece in enumerate(rest))


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def read_previous(path: Path) -> Row:
    """What an earlier page showed. Raises NoReport where the file is not such a page, OSError where it cannot be read."""
    embedded = _DATA.search(path.read_text(encoding="utf-8", errors="replace"))
    remedy = "Name a file that exr-inspector report wrote"
    try:
        data: Row = json.loads(embedded[1] if embedded else "")
        ids = [row["id"] for row in data["problems"]]
    except (ValueError, KeyError, TypeError) as error:
        raise NoReport(f"{path} does not list problems as a page of exr-inspector report does", remedy=remedy) from error
    if not all(isinstance(one, str) for one in ids) or not {"generated", "place", "totals", "counts"} <= data.keys():
        raise NoReport(f"{path} lacks some of what a page of exr-inspector report has", remedy=remedy)
    return data


def write(target: Target, path: Path, previous: Row | None = None) -> None:
    """Write the page; the file is replaced at once, so that a reader never meets half of it."""
    text = render(collect(target, previous))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".html", delete=False) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
