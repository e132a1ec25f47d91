"""Answers for people and for programs: a table on the terminal, CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exr_errors import Reject

FORMATS = ("table", "csv", "json", "parquet")


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


def write(answer: pa.Table, form: str, path: Path | None = None, title: str = "") -> None:
    """Write an answer in one of FORMATS to a file, or to standard output where `path` is None; Parquet needs a file."""
    if form == "parquet":
        if path is None:
            raise Reject("Parquet is not for a terminal", remedy="Name a file: --output FILE.parquet")
        pq.write_table(answer, path)
        return
    if path is not None:
        with path.open("w", encoding="utf-8", newline="") as file:
            _write_text(answer, form, file, title)
        return
    _write_text(answer, form, sys.stdout, title)


def _write_text(answer: pa.Table, form: str, file: TextIO, title: str) -> None:
    if form == "json":
        json.dump(rows_of(answer), file, ensure_ascii=False, indent=2)
        file.write("\n")
    elif form == "csv":
        writer = csv.DictWriter(file, answer.column_names)
        writer.writeheader()
        writer.writerows(rows_of(answer))
    else:
        show(answer.column_names, [list(row.values()) for row in rows_of(answer)], file, title)


def show(columns: Sequence[str], rows: Sequence[Sequence[Any]], file: TextIO, title: str = "") -> None:
    """A table for people; as wide as its content where `file` is no terminal."""
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
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
