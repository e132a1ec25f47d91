"""The parts of docs/VAST_ANALYTICS_QUERIES.md that follow from the files of exr_inspector/catalogue/queries.

    scripts/generate queries [--check]

The page is written by hand but for two tables: that of the questions between `<!-- questions -->` and `<!-- /questions -->`, and
that of their options. Outputs are made by scripts/generate outputs. With --check nothing is written: exit status 1 says that the
page is out of date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from exr_inspector.catalogue import questions
from exr_inspector.catalogue.questions import Parameter
from generators import ROOT

PAGE = ROOT / "docs/VAST_ANALYTICS_QUERIES.md"
COMMON = frozenset({"show", "sequence", "shot", "limit", "file_id"})
"""Parameters that mean the same wherever they are; the page says so once."""

_ASKED = re.compile(r"<!-- output\(catalogue\): exr-inspector ask (\w+)")
_TABLE = r"<!-- {0} -->\n.*?<!-- /{0} -->"
_STEP = re.compile(rf"^(##|###) (.+)$|{_ASKED.pattern}", re.MULTILINE)


class Unasked(ValueError):
    """A file of exr_inspector/catalogue/queries that the page does not have, or a question of the page that has no file."""


def page(path: Path = PAGE) -> str:
    """The page with its generated parts as they must be. Raises Unasked where it lacks a question, or shows one that is none."""
    text = path.read_text(encoding="utf-8")
    if odd := sorted(set(_ASKED.findall(text)) ^ set(questions.names())):
        raise Unasked(f"{path.name} must show every question: {', '.join(odd)}")
    return _table(_table(text, "questions", index(text)), "options", options())


def _table(text: str, name: str, rows: Iterator[str]) -> str:
    made = "\n".join([f"<!-- {name} -->", *rows, f"<!-- /{name} -->"])
    return re.sub(_TABLE.format(name), lambda _: made, text, flags=re.DOTALL)


def index(text: str) -> Iterator[str]:
    """A row for each group of questions, in the page's order, with a link to each task."""
    yield "| you want to | ask |"
    yield "|---|---|"
    rows: dict[str, list[str]] = {}
    group = task = ""
    for level, heading, name in _STEP.findall(text):
        if level == "##":
            group = heading
        elif level == "###":
            task = heading
        elif (row := f"[{task}](#{anchor(task)}): `{name}`") not in rows.setdefault(group, []):
            rows[group].append(row)
    yield from (f"| [{group}](#{anchor(group)}) | {'<br>'.join(tasks)} |" for group, tasks in rows.items())


def anchor(heading: str) -> str:
    """The anchor that a heading makes."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def options() -> Iterator[str]:
    """A row for each question that has options beyond the common ones, with defaults and meanings."""
    yield "| question | options |"
    yield "|---|---|"
    for name in questions.names():
        own = [one for one in questions.load(name).parameters if one.name not in COMMON]
        if own:
            yield f"| `{name}` | {'<br>'.join(map(_option, own))} |"


def _option(parameter: Parameter) -> str:
    default = f" ({parameter.default})" if parameter.default is not None else ""
    return f"`--{parameter.name.replace('_', '-')}`{default}: {parameter.meaning.replace('; null asks all', '')}"
