"""Ask the stored rows in SQL: one SELECT, which changes nothing.

    %(prog)s "SELECT show_name, count(*) AS files FROM files WHERE is_current GROUP BY show_name"
    %(prog)s --file mine.sql --param show=apollo
    %(prog)s --explain "SELECT ..."

Tables stand by their bare names; `$name` stands for the value of `--param name=...`. What VAST's query engine is not known to run
is said on standard error, and a local endpoint runs it all the same. `--explain` says which columns and rows of which table are
read where, and asks nobody. Exit status: as for `ask`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exr_inspector.catalogue import output
from exr_inspector.cli import asking, common
from exr_inspector.cli.subcommand import program, subcommand, suggest
from exr_inspector.errors import BadSettings

if TYPE_CHECKING:
    from sqlglot import exp

    from exr_inspector.catalogue.connection import Target

_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@subcommand(__doc__)
def main(
    statement: Annotated[str | None, typer.Argument(metavar="STATEMENT", help="one SELECT")] = None,
    file: Annotated[Path | None, typer.Option(metavar="FILE", help="read the statement from there")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="say what would be read where")] = False,
    form: asking.Form = "table",
    output: asking.Output = None,
    columns: asking.Columns = None,
    wide: asking.Wide = False,
    safe_csv: asking.SafeCsv = False,
    engine: asking.Engine = "auto",
    sql: asking.Dialect = None,
    param: asking.Parameters = None,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.attempt(answer, locals())


def answer(options: common.Options) -> None:
    """Parse, warn, and ask, print or explain."""
    statement = bind(_text(options), asking.parameters(options.param))
    warn(statement)
    if options.explain:
        print("\n".join(explain_statement(statement)))
    elif options.sql:
        output.say_exactly(asking.write_statement(statement, options.sql, options))
    else:
        target = common.target_of(options)
        rows = _ask(target, statement, options.engine)
        output.write(rows, asking.destination(options))
        if not rows.num_rows:
            _explain_nothing(partial(asking.ask, target, engine=options.engine), statement)


def _ask(target: Target, statement: exp.Query, engine: str) -> Any:
    """The answer; what the engine does not know of a column's name is said with the near ones."""
    from exr_inspector.catalogue import questions, scans
    from vast_schemas import TABLES

    try:
        return asking.ask(target, statement, engine)
    except scans.QueryFailed as error:
        known = [column.name for table in questions.tables_of(statement) for column in TABLES[table.name].columns]
        wrong = [name for name in re.findall(r'"(\w+)"', error.message) if name not in known]
        if error.remedy or not wrong:
            raise
        remedy = suggest(wrong[0], known, "docs/DATABASE_SCHEMA.md")
        raise scans.QueryFailed(error.message.rstrip("!."), remedy=remedy) from error


def _text(options: common.Options) -> str:
    if (options.statement is None) == (options.file is None):
        raise BadSettings("give one statement, or --file", remedy=f"{program()} -h shows how")
    return options.statement or str(options.file.read_text(encoding="utf-8"))


def bind(text: str, values: dict[str, str]) -> exp.Query:
    """The statement with its parameters; those that a file's first comments declare have their kinds and defaults.

    Elsewhere a value that looks like a number is one. Raises BadQuestion.
    """
    from exr_inspector.catalogue import questions

    if "-- Question:" in text:
        return questions.read("statement", text).bind(values)
    kinds = {name: "number" if _NUMBER.fullmatch(value) else "text" for name, value in values.items()}
    declared = [questions.BoundParameter(name, kind, None, True, "") for name, kind in kinds.items()]
    return questions.bind_literals(questions.parse(text), {one.name: one.literal(values[one.name]) for one in declared})


def warn(statement: exp.Query) -> None:
    """Say what VAST's engine is not known to run."""
    from exr_inspector.catalogue import sql_check

    if unknown := sql_check.violations(statement):
        output.complain(f"{program()}: not known to run on a cluster: {', '.join(unknown)}")


def explain_statement(statement: exp.Query) -> Iterator[str]:
    """What is read of each table, and who does what with it."""
    from exr_inspector.catalogue import scans
    from vast_schemas import TABLES

    yield "--engine server: VAST's query engine runs the statement as it is."
    yield "--engine client: this process reads, and DuckDB here does the rest:"
    for scan in scans.scans_of(statement):
        rows = " and ".join(condition.sql("duckdb") for condition in scan.conditions) or "all rows"
        yield f"  {scan.table}: {len(scan.columns)} of {len(TABLES[scan.table].columns)} columns ({', '.join(scan.columns)})"
        yield f"    rows: {rows}" + (f", of the files in {scan.within}" if scan.within else "")


def _explain_nothing(ask: partial[Any], statement: exp.Query) -> None:
    from exr_inspector.catalogue import questions, units

    for name in sorted({table.name for table in questions.tables_of(statement)}):
        count = ask(questions.parse(f"SELECT count(*) AS rows FROM {name}"))  # noqa: S608 - a table of ours
        output.say_lines([f"no rows; {name} has {units.quantity(count['rows'][0].as_py(), 'row')}"])
