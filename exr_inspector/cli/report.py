"""One page about everything that is stored, in one file that opens without a network.

    %(prog)s --output report.html

Status per show and shot, frame coverage with gaps and broken frames, sizes and compression, validation, renderers and render
times, and a map of the files by how they were made. What is listed is cut where it is long, what needs attention first.
Exit status: 0 when the page was written; 2 for wrong options; 1 where the database did not answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exr_inspector.cli import common
from exr_inspector.cli.subcommand import subcommand
from exr_inspector.errors import InspectorError

PAGE = Path("report.html")


@subcommand(__doc__)
def main(
    out: Annotated[Path, typer.Option("--output", "--out", metavar="FILE.html", help="write the page there")] = Path(
        "report.html"
    ),
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    from exr_inspector.catalogue.report import page

    try:
        page.write(common.target_of(common.Options(endpoint=endpoint, schema=schema)), out)
    except (InspectorError, OSError) as error:
        return common.refuse(error)
    print(out.resolve().as_uri())
    return 0
