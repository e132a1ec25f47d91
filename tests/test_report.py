"""The report is one file that opens by itself, says what is wrong in the catalogue, and survives any name."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seeded_catalogue
from local_vast import LocalVast
from scripts import connection, report, report_data
from seeded_catalogue import PLANTED, sequence_key

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHARTS = 8


@pytest.fixture(scope="module")
def server() -> Iterator[LocalVast]:
    """The seeded catalogue behind an endpoint."""
    with LocalVast(buckets=("renders",)) as running:
        seeded_catalogue.load(running, "renders", "exr")
        yield running


@pytest.fixture(scope="module")
def data(server: LocalVast) -> dict[str, Any]:
    """What the report shows of it."""
    environ = {"VAST_DB_ACCESS_KEY": server.access_key, "VAST_DB_SECRET_KEY": server.secret_key}
    return report_data.collect(connection.open_target(connection.settings_of(server.url, "renders/exr", environ)))


def test_the_numbers_are_those_of_the_catalogue(data: dict[str, Any]) -> None:
    """Files that are current and not deleted, and every planted fault once."""
    totals = data["totals"]
    assert totals["files"] == seeded_catalogue.FILES - 1
    assert (totals["incomplete"], totals["unreadable"], totals["missing"], totals["duplicates"]) == (2, 1, 3, 1)
    assert totals["failed"] == seeded_catalogue.FRAMES
    assert sum(row["files"] for row in data["shows"]) == totals["files"]


def test_strips_with_faults_come_first_and_name_their_frames(data: dict[str, Any]) -> None:
    """The gap as one run of missing frames between two of present ones; the broken frame as a run of one."""
    strips = {strip["sequence_key"]: strip for strip in data["strips"]}
    ((gap, (first, last)),) = PLANTED["missing"].items()
    assert strips[gap]["runs"] == [
        {"kind": "present", "first": 1001, "last": first - 1},
        {"kind": "missing", "first": first, "last": last},
        {"kind": "present", "first": last + 1, "last": 1045},
    ]
    broken = sequence_key(*PLANTED["truncated"][:4])
    frame = PLANTED["truncated"][4]
    assert {"kind": "broken", "first": frame, "last": frame} in strips[broken]["runs"]
    faulty = [strip["missing"] + strip["broken"] + strip["duplicates"] > 0 for strip in data["strips"]]
    assert faulty == sorted(faulty, reverse=True)
    assert sum(faulty) == 5


def test_files_made_alike_stand_together_on_the_map(data: dict[str, Any]) -> None:
    """The same pass of two shots is nearer than two passes; the pass that is set up like no other stands alone."""
    places = {point["sequence_key"]: np.array([point["x"], point["y"]]) for point in data["map"]}
    one = places[sequence_key("apollo", "sq010", "sh010", "beauty")]
    same = places[sequence_key("apollo", "sq030", "sh020", "beauty")]
    other = places[sequence_key("apollo", "sq010", "sh010", "deep")]
    assert np.linalg.norm(one - same) < 0.2 * np.linalg.norm(one - other)
    assert len(data["map"]) <= report_data.LIMITS["map"]


def test_equal_vectors_are_told_apart_on_the_map_and_one_vector_is_enough() -> None:
    """Points that would coincide are spread; the same vectors give the same places."""
    equal = np.tile(np.eye(1, 384), (5, 1))
    assert len({tuple(row) for row in report_data.project(equal).round(6)}) == 5
    assert report_data.project(np.ones((1, 384))).shape == (1, 2)
    several = np.random.default_rng(0).normal(size=(20, 384))
    assert (report_data.project(several) == report_data.project(several)).all()


def test_lists_are_cut_and_say_so(server: LocalVast, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out of a list is counted."""
    monkeypatch.setattr(report_data, "LIMITS", report_data.LIMITS | {"shots": 10, "strips": 5, "map": 20})
    environ = {"VAST_DB_ACCESS_KEY": server.access_key, "VAST_DB_SECRET_KEY": server.secret_key}
    cut = report_data.collect(connection.open_target(connection.settings_of(server.url, "renders/exr", environ)))
    assert (len(cut["shots"]), len(cut["strips"]), len(cut["map"])) == (10, 5, 20)
    assert cut["omitted"]["shots"] == 72 - 10
    assert cut["omitted"]["strips"] == 216 - 5


def test_an_empty_catalogue_has_a_report() -> None:
    """Right after the tables were made."""
    empty = {name: table.slice(0, 0) for name, table in seeded_catalogue.tables().items()}
    with LocalVast(buckets=("renders",)) as fresh, pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeded_catalogue, "tables", lambda: empty)
        seeded_catalogue.load(fresh, "renders", "exr")
        environ = {"VAST_DB_ACCESS_KEY": fresh.access_key, "VAST_DB_SECRET_KEY": fresh.secret_key}
        found = report_data.collect(connection.open_target(connection.settings_of(fresh.url, "renders/exr", environ)))
    assert found["totals"]["files"] == 0
    assert found["map"] == []
    assert "Rendered files" in report.page(found)


def test_the_page_holds_everything_and_asks_for_nothing(data: dict[str, Any]) -> None:
    """No address to load from, the data as they are, nothing of a key."""
    text = report.page(data)
    outside = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", outside)
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    assert json.loads(found[1]) == data
    assert "local-secret" not in text


def test_a_name_cannot_leave_the_data(data: dict[str, Any]) -> None:
    """A show may be called anything."""
    hostile = "</script><script>alert(1)</script>@data@"
    text = report.page(data | {"shows": [{**data["shows"][0], "show": hostile}]})
    assert hostile not in text
    assert text.count("<script") == report.page(data).count("<script")


def test_the_script_writes_the_page_and_prints_its_address(
    server: LocalVast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file and no other; without keys there is a message and no file."""
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", server.access_key)
    monkeypatch.setenv("VAST_DB_SECRET_KEY", server.secret_key)
    arguments = ["--out", str(tmp_path / "out/report.html"), "--endpoint", server.url, "--schema", "renders/exr"]
    assert report.main(arguments) == 0
    assert capsys.readouterr().out.strip() == (tmp_path / "out/report.html").as_uri()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.html"]
    monkeypatch.delenv("VAST_DB_SECRET_KEY")
    assert report.main(["--out", str(tmp_path / "none.html"), *arguments[2:]]) == 2
    assert not (tmp_path / "none.html").exists()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
@pytest.mark.parametrize("width", [480, 1300])
def test_a_browser_shows_the_gap_and_the_broken_frame(data: dict[str, Any], tmp_path: Path, width: int) -> None:
    """Every chart is drawn, nothing is said on the console, and the faults stand in the page."""
    page = tmp_path / "report.html"
    hostile = {**data["shots"][0], "shot": "<img src=x onerror=console.error(1)>"}
    page.write_text(report.page(data | {"shots": [hostile, *data["shots"]]}), encoding="utf-8")
    shown = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile",
            "--enable-logging=stderr", f"--window-size={width},2000", "--virtual-time-budget=20000", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in shown.stderr
    dom = shown.stdout
    assert 'data-ready="yes"' in dom
    assert "data-error" not in dom.partition(">")[0]
    assert len(re.findall(r'class="chart js-plotly-plot"', dom)) == CHARTS
    ((_, (first, last)),) = PLANTED["missing"].items()
    assert f'<td class="bad">{first}–{last}</td>' in dom
    assert f'<td class="bad">{PLANTED["truncated"][4]}</td>' in dom
    assert "&lt;img src=x" in dom
