"""What the code of an error means: the words of docs/ERRORS.md or of its class, and its problem in docs/TROUBLESHOOTING.md."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from exr_inspector.catalogue import emptiness
from exr_inspector.errors import InspectorError, Reject
from exr_inspector.near_names import near_names
from exr_inspector.operations import (  # their errors are found below
    backfill,
    backups,
    clusters,
    doctor,
    function_trial,
    migrations,
)

_DOCS = Path(__file__).resolve().parents[2] / "docs"
"""There in a checkout; an installed package has the words of the classes alone."""
DEFINED_IN = (backfill, backups, clusters, doctor, emptiness, function_trial, migrations)
"""Modules with errors of their own, loaded so that these are found."""
_ROW = re.compile(r"^\| \[(.+?)\]\(TROUBLESHOOTING\.md#[^)]*\) \| (.+) \|$", re.MULTILINE)
_CODE = re.compile(r"(?:^|<br>)`(\w+)`: (.*?)(?=<br>|$)")
_EXAMPLE = re.compile(r"^<!--.*\n|^```(?s:.*?)^```$", re.MULTILINE)


class UnknownCode(Reject):
    """No error has this code."""

    code = "unknown_code"


def explain(code: str) -> Iterator[str]:
    """What it means and what to do. Raises UnknownCode, with the near ones."""
    meanings, listed = _meanings(), _read_codes()
    if code not in meanings and code not in listed:
        close = near_names(code, sorted(meanings.keys() | listed.keys()))
        raise UnknownCode(f"no error has the code {code!r}", remedy=f"Did you mean {close}?" if close else None)
    heading, said = listed.get(code, ("", ""))
    yield f"{code}: {meanings.get(code, said)}"
    if heading:
        yield ""
        yield heading
        yield from (line.replace("* ", "  ", 1) for line in re.sub(r"\n  +", " ", _problem(heading)).strip().splitlines())


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


def _read_codes() -> dict[str, tuple[str, str]]:
    """Code -> the heading of its problem, and what docs/ERRORS.md says."""
    rows = _ROW.findall(_page("ERRORS.md"))
    return {code: (heading, said) for heading, cell in rows for code, said in _CODE.findall(cell)}


def _problem(heading: str) -> str:
    """The text of a problem, without its examples."""
    text = _page("TROUBLESHOOTING.md").partition(f"### {heading}\n")[2]
    return _EXAMPLE.sub("", re.split(r"^#", text, maxsplit=1, flags=re.MULTILINE)[0])


def _page(name: str) -> str:
    return (_DOCS / name).read_text(encoding="utf-8") if (_DOCS / name).is_file() else ""
