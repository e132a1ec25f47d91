"""What the code of an error means: the words of its class, and the problem of docs/TROUBLESHOOTING.md that has it."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from exr_inspector.catalogue import emptiness
from exr_inspector.errors import InspectorError, Reject
from exr_inspector.operations import (  # their errors are found below
    backfill,
    backups,
    clusters,
    doctor,
    function_trial,
    migrations,
)

PAGE = Path(__file__).resolve().parents[2] / "docs/TROUBLESHOOTING.md"
"""There in a checkout; an installed package has the words of the classes alone."""
DEFINED_IN = (backfill, backups, clusters, doctor, emptiness, function_trial, migrations)
"""Modules with errors of their own, loaded so that these are found."""
_PROBLEM = re.compile(r"^### (.+?)\n\n(\* Message:.*?)(?=^#|\Z|^<!--|^```)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([a-z][a-z0-9_]+)`")


class UnknownCode(Reject):
    """No error has this code."""

    code = "unknown_code"


def explain(code: str) -> Iterator[str]:
    """What it means and what to do. Raises UnknownCode, with the near ones."""
    meanings, problems = _meanings(), list(_problems(code))
    if code not in meanings and not problems:
        close = difflib.get_close_matches(code, sorted(meanings.keys() | _listed()), cutoff=0.5)
        raise UnknownCode(f"no error has the code {code!r}", remedy=f"Did you mean {' or '.join(close)}?" if close else None)
    if code in meanings:
        yield f"{code}: {meanings[code]}"
    for heading, text in problems:
        yield ""
        yield heading
        yield from (line.replace("* ", "  ", 1) for line in re.sub(r"\n  +", " ", text).strip().splitlines())


def _meanings() -> dict[str, str]:
    """Code -> what its class says, with what the platform does about it."""
    meanings: dict[str, str] = {}
    waiting = [InspectorError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        said = (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")
        meanings.setdefault(kind.code, f"{said} ({kind.verdict})")
    return meanings


def _page() -> str:
    return PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""


def _problems(code: str) -> Iterator[tuple[str, str]]:
    """Heading and text of the problems that name the code."""
    for match in _PROBLEM.finditer(_page()):
        named = re.search(r"^\* Codes: (.+(?:\n  .+)*)", match[2], re.MULTILINE)
        if named and code in _CODE.findall(named[1]):
            yield match[1], match[2]


def _listed() -> set[str]:
    lines = re.findall(r"^\* Codes: (.+(?:\n  .+)*)", _page(), re.MULTILINE)
    return {code for line in lines for code in _CODE.findall(line)}
