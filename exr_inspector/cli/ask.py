"""Ask the stored rows a question.

    %(prog)s                                   lists the questions
    %(prog)s missing_frames --show apollo      asks one
    %(prog)s missing_frames -h                 says what it can be asked

The questions of the folder that EXR_QUERIES names are listed with those that ship. `--engine server` has VAST's query engine
answer, `--engine client` reads the columns and rows that the question needs and answers in this process, which works on every
endpoint; without it the server is asked where it has an engine.

Exit status: 0 with an answer, also an empty one; 2 for a question or a value that cannot be; 1 where the database did not answer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from exr_inspector.catalogue import library, output
from exr_inspector.cli import asking, common
from exr_inspector.cli.subcommand import CONTEXT, CommandGroup, Subcommand, program, run
from exr_inspector.errors import InspectorError
from exr_inspector.terminal import json_text, on_one_line

if TYPE_CHECKING:
    from exr_inspector.catalogue.connection import Target
    from exr_inspector.catalogue.questions import Question
    from exr_inspector.settings import Settings

FILE_ID = "file_id"
"""A parameter of this name takes the path of a stored file as well."""


class Questions(CommandGroup):
    """Each question as a subcommand."""

    noun = "question"

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the questions."""
        return library.names()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The question; None where there is none of this name."""
        return _subcommand(library.load(cmd_name)).command if cmd_name in library.names() else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The questions in their groups."""
        for line in listing():
            formatter.write(f"{line}\n")


def listing() -> list[str]:
    """The questions in groups, one line each."""
    lines: list[str] = []
    width = max(map(len, library.names()))
    for group, files in library.in_groups().items():
        lines += ["", group, *(f"  {one.name:<{width}} {_shorten(one.question)}" for one in files)]
    return [on_one_line(line) for line in lines]


def _shorten(text: str) -> str:
    return text if len(text) <= library.LONGEST_QUESTION else text[: library.LONGEST_QUESTION - 1].rpartition(" ")[0] + " …"


class Asking:
    """The subcommand: a question by its name, or the list of all."""

    @property
    def command(self) -> Any:
        """The command for a group."""
        app = typer.Typer(cls=Questions, rich_markup_mode=None, add_completion=False, context_settings=CONTEXT)
        app.callback(invoke_without_command=True, help=__doc__, subcommand_metavar="[QUESTION]")(_without_question)
        return typer.main.get_command(app)

    def __call__(self, arguments: Sequence[str] | None = None) -> int:
        """Run the command line `arguments`, or that of this process."""
        return run(self.command, arguments, program())


main = Asking()


def _without_question(
    context: typer.Context,
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="of the list")] = "table",
    all_: Annotated[
        Path | None, typer.Option("--all", metavar="DIR", help="write every question there in Trino's dialect, one file each")
    ] = None,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """List the questions, or write them."""
    if context.invoked_subcommand is not None:
        return 0
    try:
        if all_:
            write_for_trino(all_, common.settings_of(common.Options(endpoint=endpoint, schema=schema)))
        elif form == "json":
            known = [one for group in library.in_groups().values() for one in group]
            print(json_text([library.as_dict(one) for one in known], indent=2))
        else:
            print("\n".join(listing()[1:]))
    except (InspectorError, OSError) as error:
        return common.refuse(error)
    return 0


def write_for_trino(folder: Path, settings: Settings) -> None:
    """Every question in Trino's dialect, for the bucket and schema of these settings."""
    from exr_inspector.catalogue import questions

    folder.mkdir(parents=True, exist_ok=True)
    for name in questions.names():
        text = questions.trino_text(questions.load(name), settings.db_bucket, settings.db_schema)
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")


def _subcommand(file: library.QuestionFile) -> Subcommand:
    """A question as a subcommand, whose parameters are options."""
    parameters = [_option(one) for one in file.parameters if one.name not in asking.KEYWORDS]
    keyword = inspect.Parameter.KEYWORD_ONLY
    common_ones = [
        inspect.Parameter(name, keyword, annotation=kind, default=default) for name, (kind, default) in asking.KEYWORDS.items()
    ]

    def main(**given: Any) -> int:
        return _run(file, {name: given.pop(name) for name in [one.name for one in parameters]}, common.Options(**given))

    main.__signature__ = inspect.Signature([*parameters, *common_ones])  # type: ignore[attr-defined]
    main.__annotations__ = {}
    about = "\n\n".join(filter(None, (file.question, f"Asked by {file.asked_by}.", file.note)))
    return Subcommand(main, about, {}, {})


_METAVARS = {"text": "TEXT", "integer": "N", "number": "X", "time": "TIME"}


def _option(one: library.Parameter) -> inspect.Parameter:
    default = "" if one.default is None or one.required else f"  [default: {one.default}]"
    metavar = _METAVARS[one.kind] if one.name != FILE_ID else "PATH|FILE_ID"
    flags = [f"--{one.name.replace('_', '-')}", *(["--file"] if one.name == FILE_ID else ())]
    meaning = one.meaning.removesuffix("; null asks all")
    kind = Annotated[str | None, typer.Option(*flags, metavar=metavar, help=f"{meaning}{default}")]
    return inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=None)


def _run(file: library.QuestionFile, given: dict[str, str | None], options: common.Options) -> int:
    from exr_inspector.catalogue import questions

    try:
        values = {name: value for name, value in given.items() if value is not None} | asking.parameters(options.param)
        _answer(questions.read(file.name, file.sql), values, options)
    except (InspectorError, OSError) as error:
        return common.refuse(error)
    return 0


def _answer(question: Question, values: dict[str, str], options: common.Options) -> None:
    question.bind(values)  # a wrong value is said before anything is opened
    target = None
    if "/" in values.get(FILE_ID, ""):
        target = common.target_of(options)
        values[FILE_ID] = _file_id(target, values[FILE_ID], options.engine)
    statement = question.bind(values)
    if options.sql:
        output.say_exactly(asking.write_statement(statement, options.sql, options))
        return
    target = target or common.target_of(options)
    answer = asking.ask(target, statement, options.engine)
    output.write(answer, asking.destination(options), question.question)
    if not answer.num_rows:
        _explain(partial(asking.ask, target, engine=options.engine), question, values, options)


def _file_id(target: Target, path: str, engine: str) -> str:
    """The file_id of a stored file by its path. Raises NoReference where it is not stored."""
    from exr_inspector.catalogue import similarity

    return similarity.stored_file_id(partial(asking.ask, target, engine=engine), path)


def _explain(ask: Callable[..., Any], question: Question, values: dict[str, str], options: common.Options) -> None:
    """Say what an empty answer means: above nothing for people, beside an empty document for programs."""
    from exr_inspector.catalogue import emptiness

    meaning = emptiness.meaning(ask, question, values)
    if options.form == "table" and options.output is None:
        output.say_lines([meaning])
    else:
        output.complain(f"{program()}: {meaning}")
