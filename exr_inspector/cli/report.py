"""One page about everything that is stored, in one file that opens without a network.

    %(prog)s --out report.html

Status per show and shot, frame coverage with gaps and broken frames, sizes and compression, validation, renderers and render
times, and a map of the files by how they were made. What is listed is cut where it is long, what needs attention first.
Exit status: 0 when the page was written; 2 for wrong options; 1 where the database did not answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from exr_inspector.cli import common
from exr_inspector.errors import InspectorError


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.plain_parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.html")
    common.add_database(parser)
    options = parser.parse_args(arguments)
    from exr_inspector.catalogue.report import page

    try:
        page.write(common.target_of(options), options.out)
    except (InspectorError, OSError) as error:
        return common.refuse(error)
    print(options.out.resolve().as_uri())
    return 0
