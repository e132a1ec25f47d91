"""One page about everything that is stored, in one file that opens without a network.

    exr-inspector report --out report.html

Status per show and shot, frame coverage with gaps and broken frames, sizes and compression, validation, renderers and render
times, and a map of the files by how they were made. What is listed is cut where it is long, what needs attention first.
Exit status: 0 when the page was written; 2 for wrong options; 1 where the database did not answer.
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exr_inspector.arguments import Parser
from exr_inspector.catalogue import connection
from exr_inspector.catalogue.report.data import collect
from exr_inspector.cli import common
from exr_inspector.errors import InspectorError

FOLDER = Path(__file__).resolve().parents[1] / "catalogue/report"


def page(data: dict[str, Any]) -> str:
    """The page as HTML, with the data, the charting library and everything else inside."""
    library = importlib.resources.files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8")
    pieces = {
        "css": (FOLDER / "page.css").read_text(encoding="utf-8"),
        # A name may contain </script>: in JSON, < can be written without using it.
        "data": json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        "plotly": library.replace("</script", "<\\/script"),
        "script": (FOLDER / "page.js").read_text(encoding="utf-8"),
    }
    text = (FOLDER / "page.html").read_text(encoding="utf-8")
    head, *rest = text.split("@")
    return head + "".join(pieces[piece] if at % 2 == 0 else piece for at, piece in enumerate(rest))


def write(target: connection.Target, path: Path) -> None:
    """Write the page; the file is replaced at once, so that a reader never meets half of it."""
    text = page(collect(target))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".html", delete=False) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.html")
    connection.add_arguments(parser)
    asked = parser.parse_args(arguments)
    try:
        write(connection.from_arguments(asked), asked.out)
    except (InspectorError, OSError) as error:
        return common.refuse("report.py", error)
    print(asked.out.resolve().as_uri())
    return 0
