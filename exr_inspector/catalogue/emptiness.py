"""What an empty answer means: how much was looked at, or that there is no show, sequence or shot of the name that was given.

A question that needs more than headers says so, `-- Needs: statistics`: where no file has them, an empty answer tells nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from exr_inspector.catalogue import units
from exr_inspector.catalogue.library import NEEDS, Need
from exr_inspector.errors import Reject
from exr_inspector.near_names import near_names

if TYPE_CHECKING:
    import pyarrow as pa

    from exr_inspector.catalogue.questions import BoundParameter, Question

Ask = Callable[[exp.Query], "pa.Table"]
PLACES = {"show": "show_name", "sequence": "sequence_name", "shot": "shot_name"}
"""Parameter -> the column of `files` that its value must be in."""
NAMED = 20
"""Names that a message has."""
_REFERENCE = re.compile(r"\$(\w+)")
_OPTIONAL = re.compile(r"\[([^\]$]*\$(\w+)[^\]]*)\]")


class NotThere(Reject):
    """No stored file is of the show, the sequence or the shot that was named."""

    code = "not_there"


def meaning(ask: Ask, question: Question, values: Mapping[str, str]) -> str:
    """What was looked at in vain. Raises NotThere, with the names that there are, where a name is the reason."""
    given = {column: values[name] for name, column in PLACES.items() if values.get(name)}
    where: dict[str, str] = {}
    for column, value in given.items():
        _check(ask, column, value, where)
        where[column] = value
    counts = _counts(ask, "show_name", where)
    total = sum(counts.values())
    named = [f"{name} {values[name]}" for name, column in PLACES.items() if column in given]
    shows = units.quantity(sum(name is not None for name in counts), "show")
    files = f"{units.quantity(total, 'current file')} of {' '.join(named) or shows}"
    nothing, hint = _describe(question, values)
    if not question.needs or not total:
        return f"{nothing} among {files}{hint}"
    need, policy = NEEDS[question.needs], values.get("policy")
    had = f"{need.had} by the policy {policy!r}" if policy else need.had
    known = sum(_counts(ask, "show_name", where, _files_with(need, policy)).values())
    if not known:
        return f"0 of {files} were {had}, so nothing is known of {nothing.removeprefix('no ')}; {need.remedy}"
    return f"{nothing} among the {known:,} of {files} that were {had}{hint}"


def _describe(question: Question, values: Mapping[str, str]) -> tuple[str, str]:
    """What was not found, with the values that were asked for, and how to ask for others where defaults were."""
    shown = {one.name: _shown(one, values.get(one.name, one.default)) for one in question.parameters}
    text = _OPTIONAL.sub(lambda part: part[1] if shown[part[2]] else "", question.nothing or "nothing")
    options = [f"--{name.replace('_', '-')}" for name in _REFERENCE.findall(text) if name not in values]
    hint = f"; ask for another with {' or '.join(options)}" if options else ""
    return _REFERENCE.sub(lambda name: shown[name[1]], text), hint


def _shown(parameter: BoundParameter, value: str | None) -> str:
    if value is None:
        return ""
    if parameter.kind == "time":
        return f"{units.moment(parameter.literal(value).this.name)} UTC"
    return repr(value) if parameter.kind == "text" else value


def _files_with(need: Need, policy: str | None) -> exp.Select:
    """The file_ids that have what is needed, each once."""
    query = exp.select("file_id").from_(need.table).where(*need.conditions)
    if policy:
        query = query.where(exp.column("policy_id").eq(exp.Literal.string(policy)))
    return query.group_by("file_id")


def _check(ask: Ask, column: str, value: str, where: Mapping[str, str]) -> None:
    names = sorted(name for name in _counts(ask, column, where) if name is not None)
    if value in names:
        return
    noun = column.removesuffix("_name")
    close = near_names(value, names)
    listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    remedy = f"Did you mean {close}?" if close else f"There are {listed}" if names else f"No file is of a {noun}"
    raise NotThere(f"there is no {noun} {value!r}{''.join(f' in {name}' for name in where.values())}", remedy=remedy)


def _counts(ask: Ask, column: str, where: Mapping[str, str], among: exp.Select | None = None) -> dict[str | None, int]:
    """Current files by the values of a column; of those alone whose file_id a query gives."""
    query = exp.select(column, "count(*) AS files").from_("files").where("is_current").where("deleted_at IS NULL")
    if among is not None:
        query = query.with_("known", as_=among).join("known", on="known.file_id = files.file_id")
    for name, value in where.items():
        query = query.where(exp.column(name).eq(exp.Literal.string(value)))
    answer = ask(query.group_by(column))
    return dict(zip(answer[column].to_pylist(), answer["files"].to_pylist(), strict=True))
