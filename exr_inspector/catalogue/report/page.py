"""The page as one file, with the data, the charting library and everything else inside."""

from __future__ import annotations

import importlib.resources
import json
import tempfile
from pathlib import Path
from typing import Any

from exr_inspector.catalogue.connection import Target
from exr_inspector.catalogue.report.data import collect

FOLDER = Path(__file__).resolve().parent


def render(data: dict[str, Any]) -> str:
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


def write(target: Target, path: Path) -> None:
    """Write the page; the file is replaced at once, so that a reader never meets half of it."""
    text = render(collect(target))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".html", delete=False) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
