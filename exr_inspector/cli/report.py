#!/usr/bin/env python3
"""One page about everything that is stored, in one file that opens without a network.

    scripts/report.py --out report.html

Status per show and shot, frame coverage with gaps and broken frames, sizes and compression, validation, renderers and render
times, and a map of the files by how they were made. What is listed is cut where it is long, what needs attention first.
Exit status: 0 when the page was written; 2 for wrong options; 1 where the database did not answer.
"""

from __future__ import annotations

if __name__ == "__main__":
    import _environment

    _environment.ensure()

import argparse
import importlib.resources
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exr_errors import InspectorError
from exr_text import Parser
from scripts import connection, report_data, upkeep

FOLDER = Path(__file__).resolve().parent


def page(data: dict[str, Any]) -> str:
    """The page as HTML, with the data, the charting library and everything else inside."""
    library = importlib.resources.files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8")
    pieces = {
        "css": (FOLDER / "report_page.css").read_text(encoding="utf-8"),
        # A name may contain </script>: in JSON, < can be written without using it.
        "data": json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        "plotly": library.replace("</script", "<\\/script"),
        "script": (FOLDER / "report_page.js").read_text(encoding="utf-8"),
    }
    text = (FOLDER / "report_page.html").read_text(encoding="utf-8")
    head, *rest = text.split("@")
    return head + "".join(pieces[piece] if at % 2 == 0 else piece for at, piece in enumerate(rest))


def write(target: connection.Target, path: Path) -> None:
    """Write the page; the file is replaced at once, so that a reader never meets half of it."""
    text = page(report_data.collect(target))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".html", delete=False) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = Parser(prog="scripts/report.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.html")
    connection.add_arguments(parser)
    asked = parser.parse_args(arguments)
    try:
        write(connection.from_arguments(asked), asked.out)
    except (InspectorError, OSError) as error:
        return upkeep.refuse("report.py", error)
    print(asked.out.resolve().as_uri())
    return 0


if __name__ == "__main__":
    sys.exit(main())
