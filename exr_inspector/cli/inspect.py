"""Describe EXR files, or run events as the function does; no database is needed.

    %(prog)s shots/sh010/beauty                 a folder, a line for each file
    %(prog)s beauty.1001.exr --pretty           everything about one file
    %(prog)s beauty.1001.exr --stats --json     with the statistics of its pixels

Where an endpoint is configured, what is inspected is stored as well. A terminal gets `--summary`, a pipe one JSON document a
line. Exit status: 0 every file is whole; 3 some are incomplete, damaged or unreadable; others as in `exr-inspector -h`. Of what
the pixels of a whole file hold, NaN or black, no status speaks; `exr-inspector validate` judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from exr_inspector.cli import common
from exr_inspector.cli.subcommand import subcommand
from exr_inspector.errors import InspectorError

STATUSES = {0: common.DONE, 1: common.FOUND, 3: common.UNREACHABLE}
"""Exit status of main.py -> that of this command."""
MODES = ("sampled", "full")
GAP = "  "
"""Between the facts of a summary."""
INDENT = 4 * " "
"""Before the facts that a terminal's line has no room for."""


@subcommand(__doc__, optional={"--stats": ("full", MODES.__contains__)})
def main(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="files, folders, or events as .json")],
    summary: Annotated[
        bool, typer.Option("--summary", help="a line of text for each file; a terminal's end breaks it, but no path")
    ] = False,
    pretty: Annotated[bool, typer.Option("--pretty", help="JSON laid out to be read")] = False,
    json: Annotated[bool, typer.Option("--json", help="one JSON document a line")] = False,
    stats: Annotated[Literal["sampled", "full"] | None, typer.Option("--stats", help="read pixels, too; default: full")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="write the log line of each event to standard error")] = False,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="write there")] = None,
) -> int:
    """The command line; returns the exit status."""
    options = common.Options(**locals())
    try:
        return inspect(options)
    except (InspectorError, OSError) as error:
        return common.refuse(error)
    except ValueError as error:
        return common.refuse(common.BadUse(str(error)))


def inspect(options: common.Options) -> int:
    """Inspect what was named, in order."""
    import sys

    import main as function
    from exr_inspector.catalogue.tables import width_of
    from exr_inspector.operations.validation import renders
    from exr_inspector.payload import text

    if options.summary + options.pretty + options.json > 1:
        raise common.BadUse("--summary, --pretty and --json exclude each other", remedy="Give one of them")
    options.summary = options.summary or (sys.stdout.isatty() and not (options.pretty or options.json or options.output))
    for path in options.paths:
        path.stat()  # raises OSError: what was named and is not there is said before anything is done
    inputs = [str(file) for path in options.paths for file in (renders(path) if path.is_dir() else (path,))]
    overrides = {"stats": options.stats} if options.stats else {}
    form = function.choose_form(options)
    if options.summary and sys.stdout.isatty() and not options.output:
        form = fit_to_terminal(form, width_of(sys.stdout))
    if options.pretty and sys.stdout.isatty() and not options.output:
        form = partial(text.pretty, width=width_of(sys.stdout))
    broken: list[str] = []
    status = function.inspect(inputs, note_broken(form, broken), options.output, verbose=options.verbose, **overrides)
    return STATUSES[status] or (common.FOUND if broken else common.DONE)


def note_broken(form: Callable[[Any], str], broken: list[str]) -> Callable[[Any], str]:
    """The form, which also adds to `broken` the paths of files that are not whole.

    The function is done with an incomplete file once that is stored; whoever typed the command asked whether it is whole.
    """

    def note(answer: Any) -> str:
        files = [one["file"] for one in answer.get("results", [answer]) if "file" in one]
        broken.extend(file["path"] for file in files if file["status"] != "ok")
        return form(answer)

    return note


def fit_to_terminal(form: Callable[[Any], str], width: int) -> Callable[[Any], str]:
    """The form, for a terminal with so many columns: paths from this folder on, lines broken between facts."""
    from exr_inspector.catalogue.places import from_here

    def fit(answer: Any) -> str:
        summaries = ([from_here(fact) for fact in line.split(GAP)] for line in form(answer).splitlines())
        return "\n".join(line for facts in summaries for line in break_lines(facts, width))

    return fit


def break_lines(facts: list[str], width: int) -> Iterator[str]:
    """Facts in lines of at most `width` columns; a fact that is longer has a line of its own.

    >>> list(break_lines(["ok", "beauty.1001.exr", "zip", "3 half in 1 layer"], 24))
    ['ok  beauty.1001.exr  zip', '    3 half in 1 layer']
    """
    line = facts[0]
    for fact in facts[1:]:
        if len(line) + len(GAP) + len(fact) > width and line.strip() != facts[0]:
            yield line
            line = INDENT + fact
        else:
            line += GAP + fact
    yield line
