"""The files of questions: what each asks, in which group it is listed, and its parameters. Reads no SQL, so that a list is quick.

A file begins with comments:

    -- Question: Which frames are missing?
    -- Group: missing
    -- Asked by: render wranglers, before a shot goes to comp
    -- Nothing: no missing frames
    -- Needs: statistics
    -- $show text = null: the show; null asks all
    -- $limit integer = 1000: rows at most

and goes on with one SELECT, which `questions` reads. `Nothing` is what an empty answer means, and `Needs` what the answer rests
on beside headers: where no file has that, an empty answer is no good news. A studio's own questions lie in the folder that
EXR_QUERIES names.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exr_inspector.errors import Reject
from exr_inspector.near_names import near_names

QUERIES = Path(__file__).resolve().parent / "queries"
GROUPS = ("broken", "missing", "pixels", "versions", "delivery", "cost", "similar", "coverage", "attributes")
"""What questions are about, in the order in which they are listed; a studio's folder may have others, which come last."""
OWN_GROUP = "own"
LONGEST_QUESTION = 53
"""Characters of a question that is listed beside its name in 80 columns."""

_HEADER = re.compile(r"--\s*(Question|Group|Asked by|Nothing|Needs|Note):\s*(.+)")
_MORE = re.compile(r"--\s{2,}(\S.*)")
_PARAMETER = re.compile(r"--\s*\$(\w+)\s+(text|integer|number|time)(?:\s*=\s*(\S+|'[^']*'))?:\s*(.+)")


@dataclass(frozen=True, slots=True)
class Need:
    """What a question needs of a file beside its header: rows of a table that meet the conditions."""

    table: str
    conditions: tuple[str, ...]
    had: str
    """What was done to a file that has such rows."""
    remedy: str


NEEDS = {
    "statistics": Need("pixel_stats", (), "measured", "`exr-inspector backfill FOLDER --stats` measures"),
    "digests": Need(
        "pixel_stats",
        ("sample_hash IS NOT NULL", "NOT is_sampled", "NOT is_partial"),
        "measured as a whole",
        "`exr-inspector backfill FOLDER --stats full --force` measures",  # files with a sample are skipped without --force
    ),
    "findings": Need("validation_results", (), "judged", "`exr-inspector backfill FOLDER --policy NAME` judges"),
}
"""What a question may need, by the name that its file gives it."""


class BadQuestion(Reject):
    """A question that does not exist, or a parameter that it does not have or that has the wrong kind."""

    code = "bad_question"


@dataclass(frozen=True, slots=True)
class Parameter:
    """`kind` is text, integer, number or time; `default` is None where the value may be absent; `required` where it may not."""

    name: str
    kind: str
    default: str | None
    required: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class QuestionFile:
    """One file of questions, its statement as text."""

    name: str
    question: str
    asked_by: str
    note: str
    parameters: tuple[Parameter, ...]
    sql: str
    group: str = OWN_GROUP
    nothing: str = ""
    """What an empty answer means, such as `no missing frames`."""
    needs: str = ""
    """Which of NEEDS the answer rests on."""


def folders() -> list[Path]:
    """Where questions lie: the folder of a studio, if EXR_QUERIES names one, and that of the project. Raises BadQuestion."""
    own = os.environ.get("EXR_QUERIES")
    if not own:
        return [QUERIES]
    if not Path(own).is_dir():
        raise BadQuestion(f"EXR_QUERIES: {own} is not a folder", remedy="Name a folder with one .sql file for each question")
    return [Path(own), QUERIES]


def load(name: str) -> QuestionFile:
    """The question of this name, a studio's own before the project's. Raises BadQuestion, with the near ones, for no question."""
    for folder in folders() if re.fullmatch(r"\w+", name) else ():
        path = folder / f"{name}.sql"
        if path.is_file():
            return read(name, path.read_text(encoding="utf-8"))
    close = near_names(name, names())
    remedy = f"Did you mean {close}?" if close else "exr-inspector ask lists them"
    raise BadQuestion(f"there is no question {name!r}", remedy=remedy)


def names() -> list[str]:
    """All questions, by name."""
    return sorted({path.stem for folder in folders() for path in folder.glob("*.sql")})


def in_groups() -> dict[str, list[QuestionFile]]:
    """All questions by their groups, in the order of GROUPS."""
    known = [load(name) for name in names()]
    order = list(dict.fromkeys([*GROUPS, *sorted({one.group for one in known})]))
    return {group: members for group in order if (members := [one for one in known if one.group == group])}


def read(name: str, text: str) -> QuestionFile:
    """A question from the text of its file. Raises BadQuestion where the first comments do not say what they must."""
    heads: dict[str, str] = {}
    parameters: list[Parameter] = []
    last = ""
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        if named := _HEADER.fullmatch(line):
            last = named[1]
            heads[last] = named[2]
        elif declared := _PARAMETER.fullmatch(line):
            parameters.append(_parameter(*declared.groups()))
        elif (more := _MORE.fullmatch(line)) and last:
            heads[last] += f" {more[1]}"
        else:
            raise BadQuestion(f"question {name!r}: a comment that says neither question, asker nor parameter: {line!r}")
    for head in ("Question", "Asked by"):
        if head not in heads:
            raise BadQuestion(f"question {name!r}: its first comments lack `-- {head}:`")
    needs = heads.get("Needs", "")
    if needs and needs not in NEEDS:
        raise BadQuestion(f"question {name!r}: `-- Needs: {needs}` is not one of {', '.join(NEEDS)}")
    about = (heads["Question"], heads["Asked by"], heads.get("Note", ""))
    return QuestionFile(name, *about, tuple(parameters), text, heads.get("Group", OWN_GROUP), heads.get("Nothing", ""), needs)


def _parameter(name: str, kind: str, default: str | None, meaning: str) -> Parameter:
    plain = default.strip("'") if default is not None else None
    return Parameter(name, kind, None if plain == "null" else plain, default is None, meaning)


def as_dict(question: QuestionFile) -> dict[str, Any]:
    """The question as plain data, for `--json`."""
    return {
        "name": question.name,
        "group": question.group,
        "question": question.question,
        "asked_by": question.asked_by,
        "parameters": [
            {"name": p.name, "kind": p.kind, "default": p.default, "required": p.required, "meaning": p.meaning}
            for p in question.parameters
        ],
    }
