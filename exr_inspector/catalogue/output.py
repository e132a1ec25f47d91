"""Answers for people and for programs: a table on the terminal, CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import difflib
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from exr_inspector.catalogue import tables
from exr_inspector.errors import Reject
from exr_inspector.terminal import fit_lines, json_text, on_lines, on_one_line, wrap_line

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("table", "csv", "json", "parquet")
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""Spreadsheets take a cell that begins with one of these for a formula, and run it."""


def complain(text: str) -> None:
    """A line, or several, for people on standard error; whatever stands in the names that it holds."""
    print(fit_lines(text, sys.stderr), file=sys.stderr)


def say_exactly(text: str) -> None:
    """Text that programs read, complete; on a terminal it is fit for one."""
    print(on_lines(text) if sys.stdout.isatty() else text)


def say_lines(lines: Iterable[str], whole: re.Pattern[str] | None = None) -> None:
    """Lines for people, wrapped between words at the width of the terminal; what goes on is indented as its line is.

    Lines that match `whole` are commands to copy, and stay as they are.
    """
    for line in wrap(lines, whole):
        print(line)


def wrap(lines: Iterable[str], whole: re.Pattern[str] | None = None) -> Iterator[str]:
    """See `say_lines`."""
    width = tables.width_of(sys.stdout)
    for line in map(on_one_line, lines):
        yield from [line] if whole and whole.match(line) else wrap_line(line, width)


def plain(value: Any) -> Any:
    """A value as JSON carries it: times in ISO 8601 with the zone of UTC, decimals as numbers, NaN and Infinity as text."""
    if isinstance(value, datetime):
        return value.isoformat() + ("" if value.tzinfo else "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return value


def rows_of(answer: pa.Table) -> list[dict[str, Any]]:
    """The rows as dicts of plain values."""
    return [{name: plain(value) for name, value in row.items()} for row in answer.to_pylist()]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an answer goes and how: `form` is one of FORMATS, `path` a file, or None for standard output.

    With `safe_csv` an apostrophe stands before texts of CSV that a spreadsheet would take for formulas.
    """

    form: str = "table"
    path: Path | None = None
    look: tables.Look = field(default_factory=tables.Look)
    safe_csv: bool = False


def write(answer: pa.Table, to: Destination, title: str = "") -> None:
    """Write an answer; its title stands above a table alone. Raises Reject for Parquet without a file, and unknown columns."""
    if to.look.columns:
        answer = answer.select(_known_columns(answer.column_names, to.look.columns))
    if to.form == "parquet":
        if to.path is None:
            raise Reject("Parquet is not for a terminal", remedy="Name a file: --output FILE.parquet")
        import pyarrow.parquet as pq

        pq.write_table(answer, to.path)
        return
    with to.path.open("w", encoding="utf-8", newline="") if to.path else nullcontext(sys.stdout) as file:
        _write_text(answer, to, file, title)


def _known_columns(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    for name in wanted:
        if name not in names:
            close = difflib.get_close_matches(name, names, cutoff=0.5) or names
            raise Reject(f"the answer has no column {name!r}", remedy=f"There are {', '.join(close)}")
    return list(wanted)


def _write_text(answer: pa.Table, to: Destination, file: TextIO, title: str) -> None:
    if to.form == "json":
        file.write(json_text(rows_of(answer), indent=2) + "\n")
    elif to.form == "csv":
        _write_csv(answer, file, _as_text if to.safe_csv else _as_it_is)
    else:
        tables.show(rows_of(answer), file, title, to.look)


def _write_csv(answer: pa.Table, file: TextIO, guard: Callable[[Any], Any]) -> None:
    """CSV with every value as it is, so that programs read it back; on a terminal without control characters."""
    cell, ending = (_on_terminal, "\n") if file.isatty() else (_as_it_is, "\r\n")
    writer = csv.writer(file, lineterminator=ending)
    writer.writerow(answer.column_names)
    writer.writerows([cell(guard(value)) for value in row.values()] for row in rows_of(answer))


def _as_it_is(value: Any) -> Any:
    return value


def _as_text(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def _on_terminal(value: Any) -> Any:
    return on_one_line(value) if isinstance(value, str) else value
