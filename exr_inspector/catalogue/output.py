"""Answers for people and for programs: a table on the terminal, CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from exr_inspector.errors import Reject
from exr_inspector.terminal import json_text, on_lines, on_one_line

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("table", "csv", "json", "parquet")
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""Spreadsheets take a cell that begins with one of these for a formula, and run it."""


def complain(text: str) -> None:
    """A line, or several, for people on standard error; whatever stands in the names that it holds."""
    print(on_lines(text), file=sys.stderr)


def say_exactly(text: str) -> None:
    """Text that programs read, complete; on a terminal it is fit for one."""
    print(on_lines(text) if sys.stdout.isatty() else text)


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


def write(answer: pa.Table, form: str, path: Path | None = None, title: str = "", *, safe_csv: bool = False) -> None:
    """Write an answer in one of FORMATS to a file, or to standard output where `path` is None; Parquet needs a file.

    With `safe_csv` an apostrophe stands before texts of CSV that a spreadsheet would take for formulas.
    """
    if form == "parquet":
        if path is None:
            raise Reject("Parquet is not for a terminal", remedy="Name a file: --output FILE.parquet")
        import pyarrow.parquet as pq

        pq.write_table(answer, path)
        return
    if path is not None:
        with path.open("w", encoding="utf-8", newline="") as file:
            _write_text(answer, form, file, title, safe_csv)
        return
    _write_text(answer, form, sys.stdout, title, safe_csv)


def _write_text(answer: pa.Table, form: str, file: TextIO, title: str, safe_csv: bool) -> None:
    if form == "json":
        file.write(json_text(rows_of(answer), indent=2) + "\n")
    elif form == "csv":
        _write_csv(answer, file, _as_text if safe_csv else _as_it_is)
    else:
        show(answer.column_names, [list(row.values()) for row in rows_of(answer)], file, title)


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


def show(columns: Sequence[str], rows: Sequence[Sequence[Any]], file: TextIO, title: str = "") -> None:
    """A table for people; as wide as its content where `file` is no terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=file, width=None if file.isatty() else 10_000)
    if title:
        console.print(Text(_cell(title)), soft_wrap=True)  # in a table's own title a path would be broken at the table's width
    table = Table(box=box.SIMPLE, pad_edge=False)
    for at, column in enumerate(columns):
        numeric = rows and all(isinstance(row[at], int | float | None) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print(table)


def _cell(value: Any) -> str:
    """Text without control characters: a file name may hold any, also those that a terminal obeys."""
    if value is None:
        return ""
    return on_one_line(f"{value:.6g}" if isinstance(value, float) else str(value))
