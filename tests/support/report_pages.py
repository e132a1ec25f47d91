"""The page over the seeded catalogue, for tests and for the picture in README; and which problem each planted fault must be.

scripts/python tests/support/report_pages.py docs/images/report.png      writes the picture
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import seeded_catalogue
from exr_inspector.catalogue import connection
from exr_inspector.catalogue.report import data as report_data
from exr_inspector.catalogue.report import page as report_page
from local_vast import LocalVast
from seeded_catalogue import PLANTED

Row = dict[str, Any]
NOW = datetime(2026, 4, 1, tzinfo=UTC)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTH, HEIGHT = 1280, 900
"""Of the picture, in pixels."""


@dataclass(frozen=True, slots=True)
class Planted:
    """The problem that a planted fault must be: its kind, show, sequence, shot and perhaps layer, its frames as ranges.

    `says` stands in its reason.
    """

    kind: str
    place: tuple[str, ...]
    frames: list[list[int]]
    says: str = ""

    def stands_in(self, row: Row) -> bool:
        """Whether a problem is in this place."""
        return self.place == tuple(row[name] for name in ("show", "sequence", "shot", "layer"))[: len(self.place)]


def _at(kind: str, name: str, *frames: int) -> Planted:
    """A fault whose place is planted under this name, frames included unless others are given."""
    place = PLANTED[name]
    planted = place[4:] if len(place) > 4 else ()
    numbers = frames or (planted[0] if planted and isinstance(planted[0], tuple) else planted)
    return Planted(kind, place[:4], [[numbers[0], numbers[-1]]] if numbers else [])


def _from(name: str) -> Planted:
    return _at("drift", name, PLANTED[name][4], 1045)


def _in_key(kind: str, name: str) -> Planted:
    """A fault that is planted by sequence_key."""
    ((key, numbers),) = PLANTED[name].items()
    first, last = numbers if isinstance(numbers, tuple) else (numbers, numbers)
    return Planted(kind, tuple(key.split("/")[4:8]), [[first, last]])


ODD_IN = {
    "odd_frame": "compression",
    "odd_type": "channel types (P.X, Z",
    "odd_name": "channel names (+depth.Z, -Z)",
    "odd_attribute": "attributes (+lensModel, +lensSerial)",
    "odd_value": "attribute values (focalLength)",
    "odd_part": "part name, view",
}
"""What the frames are odd in."""

FAULTS = {
    "missing": _in_key("missing", "missing"),
    "duplicate": _in_key("duplicate", "duplicate"),
    "truncated": _at("incomplete", "truncated"),
    "incomplete": _at("incomplete", "incomplete"),
    "damaged": _at("damaged", "damaged"),
    "unreadable": _at("unreadable", "unreadable"),
    "frozen": _at("frozen", "frozen"),
    **{name: replace(_at("odd", name), says=says) for name, says in ODD_IN.items()},
    "odd_family": _at("setup", "odd_family"),
    "oversized": _at("oversized", "oversized"),
    "too_many_channels": _at("odd", "too_many_channels"),
    "failing_shot": _at("delivery", "failing_shot", 1001, 1045),
    "cryptomatte": _at("cryptomatte", "cryptomatte", 1001, 1045),
    "unjudged_cryptomatte": _at("cryptomatte", "unjudged_cryptomatte", 1001, 1045),
    **{name: _from(name) for name in ("drift_software", "drift_window", "drift_channels", "drift_types")},
    "slow_host": Planted("slow", PLANTED["slow_host"][:3], []),
    "mixed_builds": _at("mixed", "mixed_builds", PLANTED["drift_software"][4], 1045),
    "misnumbered": _at("misnumbered", "misnumbered"),
    "renumbered": _at("misnumbered", "renumbered", 1001, 1045),
    "nan": _at("nan", "nan"),
    "infinity": _at("nan", "infinity"),
    "negative": _at("negative", "negative"),
    "black": _at("black", "black"),
    "constant": _at("black", "constant"),
    "flash": _at("flicker", "flash"),
    "jump": _at("flicker", "jump"),
    "same_frame": _at("repeated", "same_frame"),
    "stray": _at("stray", "stray"),
    "versions": _at("repeated", "versions", 1001, 1045),
}
"""What was planted in the catalogue and needs attention. The rest is cost, age, or was mended."""


@contextmanager
def serve_catalogue() -> Iterator[LocalVast]:
    """The seeded catalogue behind an endpoint, in renders/exr."""
    with LocalVast(buckets=("renders",)) as running:
        seeded_catalogue.load(running, "renders", "exr")
        yield running


def target_of(server: LocalVast) -> connection.Target:
    """A session with that catalogue."""
    environ = {"VAST_DB_ACCESS_KEY": server.access_key, "VAST_DB_SECRET_KEY": server.secret_key}
    return connection.open_target(connection.settings_of(server.url, "renders/exr", environ))


def nobody_answers(_statement: Any) -> Any:
    """An answer that must not be asked for."""
    raise AssertionError


def write_picture(path: Path) -> None:
    """The upper part of the page, as few colours as its size needs."""
    from playwright.sync_api import sync_playwright

    with serve_catalogue() as server, tempfile.TemporaryDirectory() as scratch:
        data = report_data.collect(target_of(server))
        page = Path(scratch) / "report.html"
        page.write_text(report_page.render(data | {"place": "VAST DataBase, renders/exr"}), encoding="utf-8")
        with (
            sync_playwright() as playwright,
            playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as browser,
        ):
            shown = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            shown.goto(page.as_uri())
            shown.wait_for_selector("html[data-ready=yes]")
            path.parent.mkdir(parents=True, exist_ok=True)
            shown.screenshot(path=str(path))


if __name__ == "__main__":
    write_picture(Path(sys.argv[1]))
