"""What the subcommands that ask have in common: the form of the answer, and which engine gives it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from exr_inspector.catalogue import output
from exr_inspector.catalogue.output import Destination
from exr_inspector.catalogue.tables import Look
from exr_inspector.cli import common
from exr_inspector.cli.subcommand import program
from exr_inspector.errors import VASTDatabaseError

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp

    from exr_inspector.catalogue.connection import Target

Form = Annotated[Literal["table", "csv", "json", "parquet"], typer.Option("--format", help="of the answer")]
Output = Annotated[Path | None, typer.Option("--output", metavar="FILE", help="write the answer there")]
Columns = Annotated[str | None, typer.Option("--columns", metavar="A,B", help="only these columns, in this order")]
Wide = Annotated[bool, typer.Option("--wide", help="every column in full, whatever fits")]
SafeCsv = Annotated[bool, typer.Option("--safe-csv", help="in CSV, put ' before texts that a spreadsheet would run")]
Engine = Annotated[
    Literal["auto", "server", "client"], typer.Option("--engine", help="VAST's query engine, or DuckDB here over what is read")
]
Parameters = Annotated[list[str] | None, typer.Option("--param", metavar="K=V", help="a parameter's value; once for each")]
Dialect = Annotated[
    Literal["vast", "trino"] | None, typer.Option("--sql", help="print the statement for this engine, and ask nobody")
]
KEYWORDS: dict[str, tuple[Any, Any]] = {
    "form": (Form, "table"),
    "output": (Output, None),
    "columns": (Columns, None),
    "wide": (Wide, False),
    "safe_csv": (SafeCsv, False),
    "engine": (Engine, "auto"),
    "sql": (Dialect, None),
    "param": (Parameters, None),
    "endpoint": (common.Endpoint, None),
    "schema": (common.Schema, None),
}
"""The options of every question: their types, and their defaults."""


def destination(options: common.Options) -> Destination:
    """Where the answer goes."""
    look = Look(options.wide, tuple(common.words(options.columns or "")))
    return Destination(options.form, options.output, look, options.safe_csv)


def parameters(pairs: list[str] | None) -> dict[str, str]:
    """`k=v` texts as a mapping. Raises BadQuestion where one has no `=`."""
    from exr_inspector.catalogue.library import BadQuestion

    values = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadQuestion(f"--param {pair!r}: expected K=V")
        values[name] = value
    return values


def write_statement(statement: exp.Query, dialect: str, options: common.Options) -> str:
    """The statement for VAST's engine or for Trino, at the place of these options."""
    from exr_inspector.catalogue import questions

    settings = common.settings_of(options)
    write = questions.for_vast if dialect == "vast" else questions.for_trino
    return write(statement, settings.db_bucket, settings.db_schema)


def ask(target: Target, statement: exp.Query, engine: str = "auto") -> pa.Table:
    """The answer of the engine that is asked for; `auto`: the server's, or the client's where the server has no engine."""
    from exr_inspector.catalogue.engine import NoDriver, ask_client, ask_server

    if engine == "client":
        return ask_client(target, statement)
    try:
        return ask_server(target, statement)
    except (VASTDatabaseError, NoDriver) as error:
        if engine == "server":
            raise
        output.complain(f"{program()}: the server's query engine cannot be used ({error.code}); answering here")
        return ask_client(target, statement)
