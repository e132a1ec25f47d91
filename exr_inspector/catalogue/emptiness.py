"""What an empty answer means: how much was looked at, or that there is no show, sequence or shot of the name that was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from exr_inspector.catalogue import units
from exr_inspector.errors import Reject
from exr_inspector.near_names import near_names

if TYPE_CHECKING:
    import pyarrow as pa

Ask = Callable[[exp.Query], "pa.Table"]
PLACES = {"show": "show_name", "sequence": "sequence_name", "shot": "shot_name"}
"""Parameter -> the column of `files` that its value must be in."""
NAMED = 20
"""Names that a message has."""


class NotThere(Reject):
    """No stored file is of the show, the sequence or the shot that was named."""

    code = "not_there"


def meaning(ask: Ask, nothing: str, values: Mapping[str, str]) -> str:
    """What was looked at in vain. Raises NotThere, with the names that there are, where a name is the reason."""
    given = {column: values[name] for name, column in PLACES.items() if values.get(name)}
    where: dict[str, str] = {}
    for column, value in given.items():
        _check(ask, column, value, where)
        where[column] = value
    counts = _counts(ask, "show_name", where)
    files = units.quantity(sum(counts.values()), "current file")
    named = [f"{name} {values[name]}" for name, column in PLACES.items() if column in given]
    shows = units.quantity(sum(name is not None for name in counts), "show")
    return f"{nothing or 'nothing'} among {files} of {' '.join(named) or shows}"


def _check(ask: Ask, column: str, value: str, where: Mapping[str, str]) -> None:
    names = sorted(name for name in _counts(ask, column, where) if name is not None)
    if value in names:
        return
    noun = column.removesuffix("_name")
    close = near_names(value, names)
    listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    remedy = f"Did you mean {close}?" if close else f"There are {listed}" if names else f"No file is of a {noun}"
    raise NotThere(f"there is no {noun} {value!r}{''.join(f' in {name}' for name in where.values())}", remedy=remedy)


def _counts(ask: Ask, column: str, where: Mapping[str, str]) -> dict[str | None, int]:
    """Current files by the values of a column."""
    query = exp.select(column, "count(*) AS files").from_("files").where("is_current").where("deleted_at IS NULL")
    for name, value in where.items():
        query = query.where(exp.column(name).eq(exp.Literal.string(value)))
    answer = ask(query.group_by(column))
    return dict(zip(answer[column].to_pylist(), answer["files"].to_pylist(), strict=True))
