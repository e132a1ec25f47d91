"""The report is one file that opens by itself, says what is wrong in the catalogue, and survives any name."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import query_cases
import seeded_catalogue
from exr_inspector.catalogue import connection
from exr_inspector.catalogue.report import data as report_data
from exr_inspector.catalogue.report import page as report_page
from exr_inspector.cli import report
from local_vast import LocalVast
from seeded_catalogue import PLANTED, sequence_key
from vast_schemas import schema_for

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHARTS = 8


@pytest.fixture(scope="module")
def server() -> Iterator[LocalVast]:
    """The seeded catalogue behind an endpoint."""
    with seeded_catalogue.served() as running:
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
    assert (totals["incomplete"], totals["damaged"], totals["unreadable"]) == (2, 1, 1)
    assert (totals["missing"], totals["duplicates"]) == (3, 1)
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
    assert sum(faulty) == 6


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
    assert cut["omitted"]["strips"] == 218 - 5


def no_vectors(_file_ids: Sequence[str]) -> dict[str, list[float]]:
    """None of the files has a vector."""
    return {}


def summary_of(files: list[dict[str, Any]]) -> dict[str, Any]:
    """What the report shows of files alone."""
    rows = [{"status": "ok", "size_bytes": 1} | file for file in files]
    tables = {name: schema_for(name).empty_table() for name in report_data.COLUMNS}
    with query_cases.over(tables | {"files": pa.Table.from_pylist(rows, schema=schema_for("files"))}) as sql:
        return report_data.summarize(sql, "here", no_vectors)


def strip_of(numbers: list[int]) -> dict[str, Any]:
    """The strip of a sequence with these frames."""
    files = [{"file_id": str(at), "file_path": f"a.{at}.exr", "sequence_key": "a.#.exr", "frame_number": at} for at in numbers]
    (strip,) = summary_of(files)["strips"]
    chosen: dict[str, Any] = strip
    return chosen


def test_shows_beyond_those_with_a_colour_share_one() -> None:
    """The largest have their own; of many shows as many are listed as there may be, and the rest is counted."""
    shows = [f"show{at:03d}" for at in range(100)]
    files = [{"file_id": f"{show}{at}", "file_path": f"{show}/{at}.exr", "show_name": show} for show in shows for at in range(2)]
    summary = summary_of([*files, {"file_id": "x", "file_path": "x.exr", "show_name": shows[-1]}])
    assert summary["colours"][0] == shows[-1]
    assert len(summary["colours"]) == report_data.COLOURS
    assert {row["show"] for row in summary["sizes"]} == {*summary["colours"], report_data.OTHER_SHOWS}
    assert sum(row["files"] for row in summary["sizes"]) == summary["totals"]["files"] == 201
    assert (len(summary["shows"]), summary["omitted"]["shows"]) == (report_data.LIMITS["shows"], 60)


def test_a_sequence_in_a_thousand_pieces_stays_a_short_strip() -> None:
    """Every other frame of 2,000 is missing: at most RUNS runs, from the first frame to the last, and the count is exact."""
    strip = strip_of(list(range(1, 2001, 2)))
    assert len(strip["runs"]) <= report_data.RUNS
    assert {run["kind"] for run in strip["runs"]} == {"mixed"}
    assert (strip["runs"][0]["first"], strip["runs"][-1]["last"]) == (1, 1999)
    assert (strip["present"], strip["missing"]) == (1000, 999)


def test_a_sequence_in_a_few_pieces_is_drawn_exactly() -> None:
    """As many runs as there may be are not merged."""
    numbers = list(range(1, report_data.RUNS, 2))
    strip = strip_of(numbers)
    assert [run["first"] for run in strip["runs"] if run["kind"] == "present"] == numbers


def test_an_empty_catalogue_has_a_report() -> None:
    """Right after the tables were made."""
    empty = {name: table.slice(0, 0) for name, table in seeded_catalogue.tables().items()}
    with LocalVast(buckets=("renders",)) as fresh, pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeded_catalogue, "tables", lambda: empty)
        seeded_catalogue.load(fresh, "renders", "exr")
        environ = {"VAST_DB_ACCESS_KEY": fresh.access_key, "VAST_DB_SECRET_KEY": fresh.secret_key}
        collected = report_data.collect(connection.open_target(connection.settings_of(fresh.url, "renders/exr", environ)))
    assert collected["totals"]["files"] == 0
    assert collected["map"] == []
    assert "Rendered files" in report_page.render(collected)


def test_the_page_holds_everything_and_asks_for_nothing(data: dict[str, Any]) -> None:
    """No address to load from, the data as they are, nothing of a key."""
    text = report_page.render(data)
    outside = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", outside)
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert match
    assert json.loads(match[1]) == data
    assert "local-secret" not in text


def test_a_name_cannot_leave_the_data(data: dict[str, Any]) -> None:
    """A show may be called anything."""
    hostile = "</script><script>alert(1)</script>@data@"
    text = report_page.render(data | {"shows": [{**data["shows"][0], "show": hostile}]})
    assert hostile not in text
    assert text.count("<script") == report_page.render(data).count("<script")


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH; the package is called chromium")
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as running:
        yield running


@pytest.fixture(scope="module")
def address(data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report on disk, with a shot whose name is HTML."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    hostile = {**data["shots"][0], "shot": "<img src=x onerror=console.error(1)>"}
    path.write_text(report_page.render(data | {"shots": [hostile, *data["shots"]]}), encoding="utf-8")
    return path.as_uri()


@contextmanager
def open_page(browser: Browser, address: str, width: int = 1300, scheme: Literal["dark", "light"] = "light") -> Iterator[Page]:
    """The page once it is drawn. Whatever it says on the console, and whatever it asks of a network, is a failure."""
    said: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: None if request.url == address else said.append(request.url))
    page.goto(address)
    page.wait_for_selector("html[data-ready=yes]")
    yield page
    context.close()
    assert said == []


@pytest.fixture(scope="module")
def wide(browser: Browser, address: str) -> Iterator[Page]:
    """The report in a wide window, opened once: reading the charting library takes seconds."""
    with open_page(browser, address) as shown:
        yield shown


@pytest.fixture
def page(wide: Page) -> Page:
    """The report as it was when it was opened."""
    wide.evaluate(
        """() => {
            for (const id of ["map-search", "strip-filter"]) find(id).value = "";
            find("only-faults").checked = false;
            find("chosen").replaceChildren();
            chosen = null;
            return setTheme("light");
        }"""
    )
    return wide


@pytest.mark.parametrize(("width", "scheme"), [(420, "dark"), (1300, "light")])
def test_a_browser_shows_the_gap_and_the_broken_frame(
    browser: Browser, address: str, width: int, scheme: Literal["dark", "light"]
) -> None:
    """Every chart is drawn, the faults stand in the first rows of the strips and of their table, and nothing is too wide."""
    ((_, (first, last)),) = PLANTED["missing"].items()
    with open_page(browser, address, width, scheme) as shown:
        assert shown.locator(".chart.js-plotly-plot").count() == CHARTS
        assert shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert shown.evaluate("document.documentElement.dataset.theme") == scheme
        faults = shown.locator("#strips-table td.bad").all_inner_texts()
        assert {f"{first}–{last}", str(PLANTED["truncated"][4])} <= set(faults)
        for kind, count in (("missing", 1), ("broken", 3), ("duplicate", 1)):
            bars = shown.evaluate("(kind) => find('strips-chart').data.find((trace) => trace.name === kind).x.length", kind)
            assert bars == count
        assert "<img src=x" in shown.locator("#shots-table").inner_text()


def point_of(page: Page, key: str) -> tuple[float, float]:
    """Where on the screen the map has this sequence."""
    page.locator("#map-chart").scroll_into_view_if_needed()
    x, y = page.evaluate(
        """(key) => {
            const point = data.map.find((one) => one.sequence_key === key), chart = find("map-chart");
            const { xaxis, yaxis, _size } = chart._fullLayout, box = chart.getBoundingClientRect();
            return [box.x + _size.l + xaxis.l2p(point.x), box.y + _size.t + yaxis.l2p(point.y)];
        }""",
        key,
    )
    return x, y


def test_the_map_says_which_file_is_under_the_pointer_and_a_click_chooses_it(page: Page) -> None:
    """The pass that stands alone: its path on hover; after a click its path, its id, and the way to its frames."""
    key = sequence_key(*PLANTED["odd_family"])
    path = key.replace("#", "1001")
    page.mouse.move(*point_of(page, key))
    hover = page.locator("#map-chart .hoverlayer .hovertext")
    hover.wait_for()
    assert path.rpartition("/")[2] in (hover.text_content() or "")
    page.mouse.click(*point_of(page, key))
    chosen = page.locator("#chosen")
    chosen.get_by_text(path, exact=True).wait_for()
    assert "exr-inspector similar " in chosen.inner_text()
    chosen.get_by_role("button", name="show its frames").click()
    assert page.locator("#strip-filter").input_value() == key
    assert page.locator("#strips-table tbody tr").count() == 1
    assert page.evaluate("document.activeElement.id") == "strip-filter"


def test_the_map_is_walked_with_the_arrow_keys(page: Page) -> None:
    """From the search one Tab leads to the map; an arrow chooses the next point, the other goes back, ends are joined."""
    page.locator("#map-search").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "map-chart"
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
        seen.append(page.locator("#chosen").inner_text())
    assert seen[0] == seen[2] == seen[4]
    assert len(set(seen)) == 3
    assert page.evaluate("find('map-chart').data.find((trace) => trace.name === 'chosen').x.length") == 1


def test_a_search_rings_what_it_finds_and_lists_it(page: Page) -> None:
    """The passes of one shot and no others; the list is chosen from with the keyboard; nothing found is said."""
    show, sequence, shot = PLANTED["stale"]
    page.locator("#map-search").fill(f"{show} {sequence} {shot}")
    hits = page.locator("#map-hits button")
    assert hits.count() == len(seeded_catalogue.SHOWS[show])
    assert page.evaluate("find('map-chart').data.find((trace) => trace.name === 'found').x.length") == hits.count()
    hits.first.focus()
    page.keyboard.press("Enter")
    assert f"/{show}/{sequence}/{shot}/" in page.locator("#chosen").inner_text()
    page.locator("#map-search").fill("no such thing")
    assert page.locator("#map-hits").inner_text() == "nothing on the map matches"


def test_tables_and_map_lead_to_each_other(page: Page) -> None:
    """A sequence in the table of frames is shown on the map; a shot in the table of shots shows its sequences."""
    ((gap, _),) = PLANTED["missing"].items()
    page.locator("#strips-table tbody tr").first.get_by_role("button").click()
    assert gap.replace("#", "1001") in page.locator("#chosen").inner_text()
    assert page.evaluate("document.activeElement.id") == "map-chart"
    page.locator("#shots-table").get_by_role("button", name=PLANTED["failing_shot"][2], exact=True).first.click()
    shown = page.locator("#strips-table tbody tr").all_inner_texts()
    assert len(shown) == len(seeded_catalogue.SHOWS["apollo"])
    assert all(" ".join(PLANTED["failing_shot"]) in row for row in shown)


def test_the_strips_can_be_held_to_those_with_faults_and_the_theme_switched(page: Page) -> None:
    """Five sequences have faults; the button goes from light to dark."""
    page.locator("#only-faults").check()
    assert page.locator("#strips-table tbody tr").count() == 5
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
