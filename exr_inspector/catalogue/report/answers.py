"""Asking the questions for the page: tables that several of them need are read once.

A question that needs vectors, channels, pixels or versions that were replaced is asked by itself, so that it reads the rows
that it needs and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from exr_inspector.catalogue import engine, questions
from exr_inspector.catalogue.output import rows_of
from exr_inspector.catalogue.scans import CURRENT, Scan, scans_of
from vast_schemas import TABLES

Row = dict[str, Any]
Ask = Callable[[exp.Query], pa.Table]
SHARED = ("files", "parts", "validation_results")
"""The tables that are read once for the whole page."""
MOST_ROWS = 5_000
"""Rows of one answer that the page is made from."""
_CURRENT = {condition.sql(questions.DIALECT) for condition in CURRENT}


def ask(answer_of: Ask, name: str, **values: str) -> list[Row]:
    """The rows that a question gives, MOST_ROWS at most."""
    question = questions.load(name)
    given = dict(values)
    if any(parameter.name == "limit" for parameter in question.parameters):
        given.setdefault("limit", str(MOST_ROWS))
    return rows_of(answer_of(question.bind(given)))


def shared_scans(own: Iterable[Scan], names: Iterable[str]) -> list[Scan]:
    """What the page reads once: its own scans, and what those questions need of the same tables."""
    columns: dict[str, set[str]] = {scan.table: set(scan.columns) for scan in own}
    for name in names:
        needed = scans_of(questions.load(name).bind())
        if all(map(_is_shared, needed)):
            for scan in needed:
                columns.setdefault(scan.table, set()).update(scan.columns)
    return [Scan(table, _in_order(table, wanted), CURRENT if table == "files" else ()) for table, wanted in columns.items()]


def _in_order(table: str, wanted: set[str]) -> tuple[str, ...]:
    return tuple(column.name for column in TABLES[table].columns if column.name in wanted)


def _is_shared(scan: Scan) -> bool:
    """Whether a scan of the page's own tables holds all that this one needs, whatever the columns."""
    fields = {column.name: column.type for column in TABLES[scan.table].columns}
    vectors = any(pa.types.is_fixed_size_list(fields[name]) for name in scan.columns)
    return scan.table in SHARED and not vectors and (scan.table != "files" or _is_of_current(scan))


def _is_of_current(scan: Scan) -> bool:
    return {condition.sql(questions.DIALECT) for condition in scan.conditions} >= _CURRENT


def over_shared(sql: duckdb.DuckDBPyConnection, shared: Sequence[Scan], apart: Ask) -> Ask:
    """Answers from the tables of `sql`, which hold the shared scans; what they do not hold is asked `apart`."""
    held: Mapping[str, set[str]] = {scan.table: set(scan.columns) for scan in shared}

    def answer(statement: exp.Query) -> pa.Table:
        needed = [replace(scan, within=None) for scan in scans_of(statement)]
        enough = all(_is_shared(scan) and set(scan.columns) <= held.get(scan.table, set()) for scan in needed)
        return engine.run(sql, statement) if enough else apart(statement)

    return answer
