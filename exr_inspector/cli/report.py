"""One page about everything that is stored, in one file that opens without a network.

    %(prog)s --output report.html
    %(prog)s --output today.html --since-report yesterday.html
    %(prog)s --serve

First what needs attention: one row for each problem, with its frames, since when, why, and what to do. Then shots and versions,
frames, cost, delivery, what is new and what is mended, and a map of the files by how they were made. --since-report compares with
an earlier page. --serve shows the page to this machine alone and renews it until Ctrl-C. What is listed is cut where it is long,
what needs attention first, and the page says so.

Exit status: 0 when the page was written; 2 for wrong options; 1 where the database did not answer.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exr_inspector.catalogue import output
from exr_inspector.cli import common
from exr_inspector.cli.subcommand import program, subcommand
from exr_inspector.errors import InspectorError

if TYPE_CHECKING:
    from exr_inspector.catalogue.connection import Target

PAGE = Path("report.html")
SECONDS = 60
"""Between two collections of a page that is served."""


@subcommand(__doc__)
def main(
    out: Annotated[Path, typer.Option("--output", "--out", metavar="FILE.html", help="write the page there")] = PAGE,
    since_report: Annotated[Path | None, typer.Option(metavar="FILE.html", help="an earlier page to compare with")] = None,
    serve: Annotated[bool, typer.Option("--serve", help="show it live on 127.0.0.1, and write no file")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="with --serve: the port; 0 takes a free one")] = 0,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    from exr_inspector.catalogue.report import page

    try:
        previous = page.read_previous(since_report) if since_report else None
        target = common.target_of(common.Options(endpoint=endpoint, schema=schema))
        if serve:
            return serve_page(target, previous, port)
        page.write(target, out, previous)
    except (InspectorError, OSError) as error:
        return common.refuse(error)
    print(out.resolve().as_uri())
    return 0


def serve_page(target: Target, previous: dict[str, object] | None, port: int) -> int:
    """Serve the page until Ctrl-C; its address is printed once it can be opened."""
    from exr_inspector.catalogue.report import data
    from exr_inspector.catalogue.report.live import Server

    with Server(partial(data.collect, target, previous), port, SECONDS) as server:
        print(server.url, flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            output.complain(f"{program()}: stopped")
    return 0
