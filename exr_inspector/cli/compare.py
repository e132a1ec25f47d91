"""What differs between two files, sequences, versions or shots, on disk or stored.

    %(prog)s beauty/v002 beauty/v003                  two versions on disk
    %(prog)s a.1001.exr s3://renders/b.1001.exr       a file on disk, and a stored one
    %(prog)s apollo/sq010/sh010 apollo/sq010/sh020    two stored shots

A side is a file, a folder or a sequence such as beauty.#.exr on disk, or what is stored by its file_id, its path, its folder or
its shot. Files are paired by layer and frame; of several versions of a layer the last one counts. Exit status: 0 nothing differs;
3 something differs; 2 where a side names no file; 1 the database did not answer.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from exr_inspector.catalogue import output
from exr_inspector.cli import asking, common
from exr_inspector.cli.subcommand import subcommand
from exr_inspector.terminal import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exr_inspector.catalogue.compare import Side


@subcommand(__doc__)
def main(
    a: Annotated[str, typer.Argument(metavar="A", help="a file, folder, sequence or shot")],
    b: Annotated[str, typer.Argument(metavar="B", help="likewise")],
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="in words, or as one JSON document")] = "table",
    engine: asking.Engine = "auto",
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.attempt(compare, locals())


def compare(options: common.Options) -> int:
    """Read both sides, and say what differs."""
    from exr_inspector.catalogue import compare as comparing

    comparison = comparing.compare(*_sides(options))
    if options.form == "json":
        print(json_text(comparing.as_dict(comparison), indent=2))
    else:
        output.say_lines(comparing.lines(comparison))
    return common.DONE if comparison.same else common.FOUND


def _sides(options: common.Options) -> Iterator[Side]:
    """Both sides; the database is opened where one of them is not on disk."""
    from exr_inspector.operations import compare_sources

    target = None
    for text in (options.a, options.b):
        side = compare_sources.on_disk(text)
        if side is None:
            target = target or common.target_of(options)
            side = compare_sources.read_stored(target, partial(asking.ask, target, engine=options.engine), text)
        yield side
