"""The parts of docs/VAST_ANALYTICS_QUERIES.md that follow from the files of exr_inspector/catalogue/queries.

    scripts/generate queries [--check]

The page is written by hand but for the table of the questions between `<!-- questions -->` and `<!-- /questions -->`. Outputs are
made by scripts/generate outputs. With --check nothing is written: exit status 1 says that the page is out of date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from exr_inspector.catalogue import questions
from generators import ROOT

PAGE = ROOT / "docs/VAST_ANALYTICS_QUERIES.md"
COMMON = frozenset({"show", "sequence", "shot", "limit", "file_id"})
"""Parameters that mean the same wherever they are; the page says so once."""

_ASKED = re.compile(r"^(?:<!-- output\(catalogue\): )?exr-inspector ask (\w+)", re.MULTILINE)
_TABLE = re.compile(r"<!-- questions -->\n.*?<!-- /questions -->", re.DOTALL)
_STEP = re.compile(rf"^(##|###) (.+)$|{_ASKED.pattern}", re.MULTILINE)


class Unasked(ValueError):
    """A file of exr_inspector/catalogue/queries that the page does not have, or a question of the page that has no file."""


def page(path: Path = PAGE) -> str:
    """The page with its generated parts as they must be. Raises Unasked where it lacks a question, or shows one that is none."""
    text = path.read_text(encoding="utf-8")
    if odd := sorted(set(_ASKED.findall(text)) ^ set(questions.names())):
        raise Unasked(f"{path.name} must show every question: {', '.join(odd)}")
    made = "\n".join(["<!-- questions -->", *index(text), "<!-- /questions -->"])
    return _TABLE.sub(lambda _: made, text)


def index(text: str) -> Iterator[str]:
    """A row for each group of questions, in the page's order, with a link to each task and what it asks."""
    yield "| you want to | ask |"
    yield "|---|---|"
    groups: dict[str, dict[str, list[str]]] = {}
    task = ""
    for level, heading, name in _STEP.findall(text):
        if level == "##":
            tasks = groups.setdefault(heading, {})
        elif level == "###":
            task = heading
        elif task:
            tasks.setdefault(task, []).append(name)
    yield from (_row(group, tasks) for group, tasks in groups.items() if tasks)


def _row(group: str, tasks: dict[str, list[str]]) -> str:
    links = (f"[{task}](#{anchor(task)}): {', '.join(map(_link_to, names))}" for task, names in tasks.items())
    return f"| [{group}](#{anchor(group)}) | {'<br>'.join(links)} |"


def anchor(heading: str) -> str:
    """The anchor that a heading makes."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _link_to(name: str) -> str:
    """A question's name, with its options beyond the common ones."""
    own = [f"`--{one.name.replace('_', '-')}`" for one in questions.load(name).parameters if one.name not in COMMON]
    return f"`{name}`" + (f" ({', '.join(own)})" if own else "")
