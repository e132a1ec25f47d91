"""The parts of docs/VAST_ANALYTICS_QUERIES.md that say what the files of exr_inspector/catalogue/queries say.

    scripts/generate queries [--check]

The page is written by hand but for what stands between `<!-- question: NAME -->` and `<!-- /question -->`, and between
`<!-- questions -->` and `<!-- /questions -->`: the list of all questions below their headings. Outputs are made by
scripts/generate outputs. With --check nothing is written: exit status 1 says that the page is out of date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sqlglot import exp

from exr_inspector.catalogue import questions
from exr_inspector.catalogue.questions import Parameter, Question
from exr_inspector.catalogue.scans import Scan, scans_of
from generators import ROOT
from vast_schemas import TABLES, VectorIndex, schema_for

PAGE = ROOT / "docs/VAST_ANALYTICS_QUERIES.md"
NARROWING = {"show": "only this show", "sequence": "only this sequence", "shot": "only this shot"}
"""Parameters that mean the same wherever they are; the page says so once."""

MOMENT = "2000-01-01T00:00:00"
"""Stands for the time of a parameter, whose default follows the clock."""
_MOMENT = r"CAST\('2000-01-01 [\d:.]+' AS TIMESTAMP\)"
_QUESTION = re.compile(r"<!-- question: (\w+) -->\n.*?<!-- /question -->", re.DOTALL)
_INDEX = re.compile(r"<!-- questions -->\n.*?<!-- /questions -->", re.DOTALL)
_STEP = re.compile(r"^## (.+)$|<!-- question: (\w+) -->", re.MULTILINE)


class Unasked(ValueError):
    """A file of exr_inspector/catalogue/queries that the page does not have, or a question of the page that no file has."""


def page(path: Path = PAGE) -> str:
    """The page with its generated parts as they must be. Raises Unasked where it has not every question exactly once."""
    text = path.read_text(encoding="utf-8")
    named = [match[1] for match in _QUESTION.finditer(text)]
    if sorted(named) != questions.names():
        odd = sorted(set(named) ^ set(questions.names())) or sorted({name for name in named if named.count(name) > 1})
        raise Unasked(f"{path.name} has not every question exactly once: {', '.join(odd)}")
    text = _QUESTION.sub(_section, text)
    return _INDEX.sub(lambda _: _between("questions", "questions", index(text)), text)


def _section(match: re.Match[str]) -> str:
    return _between(f"question: {match[1]}", "question", lines(match[1]))


def _between(opening: str, closing: str, made: Iterator[str]) -> str:
    return "\n".join([f"<!-- {opening} -->", *made, f"<!-- /{closing} -->"])


def index(text: str) -> Iterator[str]:
    """Every question in the page's order, with the need that it serves: the heading above it."""
    yield "| need | question | name |"
    yield "|---|---|---|"
    need = ""
    for heading, name in _STEP.findall(text):
        if heading:
            need = heading
        else:
            yield f"| {need} | {questions.load(name).question} | [{name}](#{name}) |"


def lines(name: str) -> Iterator[str]:
    """What a question's file says: the question, who asks, its note, parameters, what it reads, where its SQL is."""
    question = questions.load(name)
    yield f"**{question.question}** Asked by {question.asked_by}."
    if question.note:
        yield f"\n{_sentence(question.note)}"
    yield ""
    yield f"* Parameters: {'; '.join(_parameters(question))}."
    yield f"* Reads {'; '.join(map(_reading, scans(question)))}."
    yield f"* SQL: [{name}.sql](../exr_inspector/catalogue/queries/{name}.sql)."


def scans(question: Question) -> list[Scan]:
    """What the question reads with its defaults, 0 where it needs a value, and MOMENT for every time."""
    given = {parameter.name: "0" for parameter in question.parameters if parameter.required}
    times = {parameter.name: MOMENT for parameter in question.parameters if parameter.kind == "time"}
    return scans_of(question.bind(given | times))


def _sentence(text: str) -> str:
    return re.sub(r"\$(\w+)", r"`\1`", text[0].upper() + text[1:])


def _parameters(question: Question) -> Iterator[str]:
    """Those that narrow, the limit, and the question's own with their meaning."""
    narrowing = [one for one in question.parameters if NARROWING.get(one.name, "").split(";")[0] == one.meaning.split(";")[0]]
    limit = next(one for one in question.parameters if one.name == "limit")
    yield ", ".join([*(f"`{one.name}`" for one in narrowing), f"`limit` ({limit.default})"])
    for one in question.parameters:
        if one not in narrowing and one != limit:
            yield f"`{one.name}` ({_kind(one)}): {one.meaning.replace('; null asks all', '')}"


def _kind(parameter: Parameter) -> str:
    if parameter.required:
        return f"{parameter.kind}, needed"
    return f"{parameter.kind}, {parameter.default}" if parameter.default is not None else parameter.kind


def _reading(scan: Scan) -> str:
    """Columns of a table, the vectors among them by name, and what storage leaves out before anything is sent."""
    table = TABLES[scan.table]
    vectors = [name for name in scan.columns if VectorIndex(name, "l2sq") == table.vector_index]
    count = f"{len(scan.columns)} of {len(schema_for(scan.table))} columns of `{scan.table}`"
    count += f", `{vectors[0]}` among them" if vectors else ""
    return f"{count}, where {' and '.join(map(_condition, scan.conditions))}" if scan.conditions else f"{count}, all rows"


def _condition(condition: exp.Expression) -> str:
    if isinstance(condition, exp.Not) and isinstance(condition.this, exp.Is):
        return f"`{condition.this.this.name} IS NOT NULL`"
    text = condition.sql(questions.DIALECT)
    return f"`{re.sub(_MOMENT, 'a time', text)}`"
