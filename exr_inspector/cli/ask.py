"""Ask the stored rows one of the questions in exr_inspector/catalogue/queries.

    %(prog)s                                        lists the questions
    %(prog)s missing_frames --param show=apollo     asks one

`--engine server` has VAST's query engine answer, through the ADBC driver. `--engine client` streams the columns and rows that the
question needs and answers in this process, which works on every endpoint. Without it the server is asked where it has an engine.
Exit status: 0 with an answer, also an empty one; 2 for a question or a value that cannot be; 1 where the database did not answer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exr_inspector.catalogue import output
from exr_inspector.cli import common
from exr_inspector.errors import InspectorError, VASTDatabaseError
from exr_inspector.terminal import json_text

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp

    from exr_inspector.catalogue.connection import Target
    from exr_inspector.catalogue.questions import Parameter
    from exr_inspector.settings import Settings

ENGINES = ("auto", "server", "client")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.all:
            write_for_trino(options.all, common.settings_of(options))
        elif options.name is None:
            _list(options.format)
        else:
            _answer(options)
    except (InspectorError, OSError) as error:
        return common.refuse(error)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = common.plain_parser(__doc__)
    parser.add_argument("name", nargs="?", metavar="NAME", help="a question; without one they are listed")
    parser.add_argument("--param", action="append", default=[], metavar="K=V", help="a parameter's value; once for each")
    parser.add_argument("--format", choices=output.FORMATS, default="table")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the answer there")
    parser.add_argument("--safe-csv", action="store_true", help="in CSV, put ' before texts that a spreadsheet would run")
    parser.add_argument("--engine", choices=ENGINES, default="auto")
    parser.add_argument("--sql", choices=("vast", "trino"), help="print the statement for this engine, and ask nobody")
    parser.add_argument("--all", type=Path, metavar="DIR", help="write every question there in Trino's dialect, one file each")
    common.add_database(parser)
    return parser


def _list(form: str) -> None:
    from exr_inspector.catalogue import questions

    known = [questions.load(name) for name in questions.names()]
    if form == "json":
        print(json_text([questions.as_dict(question) for question in known], indent=2))
        return
    rows = [(one.name, one.question, " ".join(map(_signature, one.parameters))) for one in known]
    output.show(("name", "question", "parameters"), rows, sys.stdout)


def _signature(parameter: Parameter) -> str:
    if parameter.required:
        return f"{parameter.name}=..."
    return f"[{parameter.name}={'' if parameter.default is None else parameter.default}]"


def write_for_trino(folder: Path, settings: Settings) -> None:
    """Every question in Trino's dialect, for the bucket and schema of these settings."""
    from exr_inspector.catalogue import questions

    folder.mkdir(parents=True, exist_ok=True)
    for name in questions.names():
        text = questions.trino_text(questions.load(name), settings.db_bucket, settings.db_schema)
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")


def parameters(pairs: Sequence[str]) -> dict[str, str]:
    """`k=v` texts as a mapping. Raises BadQuestion where one has no `=`."""
    from exr_inspector.catalogue.questions import BadQuestion

    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadQuestion(f"--param {pair!r}: expected K=V")
        values[name] = value
    return values


def _answer(options: argparse.Namespace) -> None:
    from exr_inspector.catalogue import questions

    question = questions.load(options.name)
    statement = question.bind(parameters(options.param))
    if options.sql:
        settings = common.settings_of(options)
        write = questions.for_vast if options.sql == "vast" else questions.for_trino
        output.say_exactly(write(statement, settings.db_bucket, settings.db_schema))
        return
    answer = ask(common.target_of(options), statement, options.engine)
    output.write(answer, options.format, options.output, title=question.question, safe_csv=options.safe_csv)


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
        output.complain(f"{common.program()}: the server's query engine cannot be used ({error.code}); answering here")
        return ask_client(target, statement)
