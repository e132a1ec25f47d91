"""Ask the stored rows one of the questions in exr_inspector/catalogue/queries.

    exr-inspector ask                                        lists the questions
    exr-inspector ask missing_frames --param show=apollo     asks one

`--engine server` has VAST's query engine answer, through the ADBC driver. `--engine client` streams the columns and rows that the
question needs and answers in this process, which works on every endpoint. Without it the server is asked where it has an engine.
Exit status: 0 with an answer, also an empty one; 2 for a question or a value that cannot be; 1 where the database did not answer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
from sqlglot import exp

from exr_inspector.arguments import Parser
from exr_inspector.catalogue import connection, output, questions
from exr_inspector.catalogue.engine import NoDriver, ask_client, ask_server
from exr_inspector.cli import common
from exr_inspector.errors import InspectorError, VASTDatabaseError
from exr_inspector.settings import Settings
from exr_inspector.terminal import json_text

ENGINES = ("auto", "server", "client")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        if asked.all:
            write_for_trino(asked.all, connection.settings_of(asked.endpoint, asked.schema))
        elif asked.name is None:
            _list(asked.format)
        else:
            _answer(asked)
    except (InspectorError, OSError) as error:
        return common.refuse("query.py", error)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", metavar="NAME", help="a question; without one they are listed")
    parser.add_argument("--param", action="append", default=[], metavar="K=V", help="a parameter's value; once for each")
    parser.add_argument("--format", choices=output.FORMATS, default="table")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the answer there")
    parser.add_argument("--safe-csv", action="store_true", help="in CSV, put ' before texts that a spreadsheet would run")
    parser.add_argument("--engine", choices=ENGINES, default="auto")
    parser.add_argument("--sql", choices=("vast", "trino"), help="print the statement for this engine, and ask nobody")
    parser.add_argument("--all", type=Path, metavar="DIR", help="write every question there in Trino's dialect, one file each")
    connection.add_arguments(parser)
    return parser


def _list(form: str) -> None:
    found = [questions.load(name) for name in questions.names()]
    if form == "json":
        print(json_text([questions.as_dict(question) for question in found], indent=2))
        return
    rows = [(one.name, one.question, " ".join(_signature(parameter) for parameter in one.parameters)) for one in found]
    output.show(("name", "question", "parameters"), rows, sys.stdout)


def write_for_trino(folder: Path, settings: Settings) -> None:
    """Every question in Trino's dialect, for the bucket and schema of these settings."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in questions.names():
        text = questions.trino_text(questions.load(name), settings.db_bucket, settings.db_schema)
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")


def _signature(parameter: questions.Parameter) -> str:
    if parameter.required:
        return f"{parameter.name}=..."
    return f"[{parameter.name}={'' if parameter.default is None else parameter.default}]"


def parameters(pairs: Sequence[str]) -> dict[str, str]:
    """`k=v` texts as a mapping. Raises BadQuestion where one has no `=`."""
    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise questions.BadQuestion(f"--param {pair!r}: expected K=V")
        values[name] = value
    return values


def _answer(asked: argparse.Namespace) -> None:
    question = questions.load(asked.name)
    statement = question.bind(parameters(asked.param))
    settings = connection.settings_of(asked.endpoint, asked.schema)
    if asked.sql:
        write = questions.for_vast if asked.sql == "vast" else questions.for_trino
        output.say_exactly(write(statement, settings.db_bucket, settings.db_schema))
        return
    answer = ask(connection.from_arguments(asked), statement, asked.engine)
    output.write(answer, asked.format, asked.output, title=question.question, safe_csv=asked.safe_csv)


def ask(target: connection.Target, statement: exp.Query, engine: str = "auto") -> pa.Table:
    """The answer of the engine that is asked for; `auto`: the server's, or the client's where the server has no engine."""
    ways: dict[str, Callable[[connection.Target, exp.Query], pa.Table]] = {
        "server": ask_server,
        "client": ask_client,
    }
    if engine != "auto":
        return ways[engine](target, statement)
    try:
        return ask_server(target, statement)
    except (VASTDatabaseError, NoDriver) as error:
        output.complain(f"query.py: the server's query engine cannot be used ({error.code}); answering here")
        return ask_client(target, statement)
