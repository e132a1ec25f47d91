"""The page in a real browser, by what a person does and sees: every planted fault within two clicks, at every width and theme."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

import report_pages
from exr_inspector.catalogue.report import data as report_data
from exr_inspector.catalogue.report import live
from exr_inspector.catalogue.report import page as report_page
from exr_inspector.catalogue.report.kinds import KINDS
from report_pages import CHROMIUM, FAULTS
from seeded_catalogue import PLANTED, SHOWS, sequence_key

Row = dict[str, Any]
Scheme = Literal["dark", "light"]
PATIENCE = 60_000
"""Milliseconds; what a test waits for comes far sooner unless the machine is busy with other things."""
HOSTILE = "<img src=x onerror=console.error(1)>"


@pytest.fixture(scope="module")
def data() -> Row:
    """What the page shows of the seeded catalogue."""
    with report_pages.serve_catalogue() as server:
        return report_data.collect(report_pages.target_of(server))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH; the package is called chromium")
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pages are written."""
    return tmp_path_factory.mktemp("report")


def write(folder: Path, data: Row, name: str = "report.html") -> str:
    """A page on disk; returns its address."""
    path = folder / name
    path.write_text(report_page.render(data), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def address(data: Row, folder: Path) -> str:
    """The page, with a shot and a problem whose names are HTML, and a formula."""
    bad = {**data["problems"][0], "shot": HOSTILE, "why": HOSTILE, "layer": "=1+1", "id": "x", "key": "x"}
    hostile = {
        "problems": [*data["problems"], bad],
        "versions": [{**data["versions"][0], "shot_name": HOSTILE, "layer_key": "x"}, *data["versions"]],
    }
    return write(folder, data | hostile)


@contextmanager
def open_page(browser: Browser, address: str, width: int = 1440, scheme: Scheme = "light", **more: Any) -> Iterator[Page]:
    """The page once it is drawn. Whatever it says on the console, and whatever it asks of a network, is a failure."""
    said: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **more)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: None if request.url.partition("#")[0] == address else said.append(request.url))
    page.goto(address)
    page.wait_for_selector("html[data-ready=yes]")
    yield page
    context.close()
    assert [one for one in said if not one.startswith("blob:")] == []


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page in a wide window."""
    with open_page(browser, address) as shown:
        yield shown


def follow(page: Page, link: Locator) -> None:
    """Click a link within the page, and wait until the page has drawn what its address then says.

    The address changes with the click; the event at which the page is drawn comes later, and to the page before it comes to us.
    """
    if link.get_attribute("href") == page.evaluate("location.hash"):
        link.click()
        return
    page.evaluate("() => { window.drawn = new Promise((done) => addEventListener('hashchange', () => done(), { once: true })); }")
    link.click()
    page.evaluate("() => window.drawn")


def rows(page: Page, table: str) -> list[str]:
    """The text of the rows of a table, without its headings."""
    return [text.replace("\n", " ") for text in page.locator(f"#{table} tbody tr:not(.group)").all_inner_texts()]


@pytest.mark.parametrize("width", [400, 1440])
def test_every_planted_fault_is_found_within_two_clicks(browser: Browser, address: str, width: int) -> None:
    """One, on its kind among the figures: the row is there with place, layer, frames and what a frame is odd in, once."""
    assert {fault.kind for fault in FAULTS.values()} == set(KINDS)
    with open_page(browser, address, width) as page:
        for name, fault in FAULTS.items():
            follow(page, page.locator("#gravities").get_by_role("link", name=KINDS[fault.kind].label, exact=True))
            listed = [row for row in rows(page, "problems") if all(word in row for word in _words(fault))]
            assert len(listed) == 1, name
            assert page.locator("#problems tbody tr:not(.group)").first.is_visible()


def _words(fault: report_pages.Planted) -> list[str]:
    """What its row says."""
    frames = [f"{first}–{last}" if last > first else str(first) for first, last in fault.frames]
    return [" / ".join(fault.place[:3]), *fault.place[3:], *frames, fault.says]


def test_every_figure_leads_to_rows(page: Page) -> None:
    """Each figure and each kind is a link; what it leads to is in view, and lists as many problems as the figure says."""
    for at in range(page.locator("#figures a").count()):
        follow(page, page.locator("#figures a").nth(at))
        section = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('at')")
        page.wait_for_function("(id) => Math.abs(document.getElementById(id).getBoundingClientRect().top) < 300", arg=section)
    kinds = page.locator("#gravities li")
    for at in range(kinds.count()):
        count, label = kinds.nth(at).locator("b").inner_text(), kinds.nth(at).get_by_role("link").inner_text()
        follow(page, kinds.nth(at).get_by_role("link"))
        assert page.locator("#problems tr.group").all_inner_texts()[0].startswith(f"{label} {count}, ")
        assert len(rows(page, "problems")) == int(count) + (label == "Unreadable")  # the one with hostile names


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1440])
def test_nothing_is_cut_and_nothing_is_hard_to_read(browser: Browser, address: str, width: int, scheme: Scheme) -> None:
    """No element is wider than the window, and text has contrast enough (WCAG 2: 4.5 to 1), in both themes, however chosen."""
    with open_page(browser, address, width, scheme) as page:
        for expected in (scheme, "light" if scheme == "dark" else "dark"):
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            cut = page.evaluate(
                """() => [...document.querySelectorAll("main *, header *, footer *")]
                    .filter((one) => one.checkVisibility() && !one.closest("svg, thead"))
                    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
                    .map((one) => one.outerHTML.slice(0, 100))"""
            )
            assert cut == []
            assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == expected
            assert page.evaluate(CONTRAST) >= 4.5
            page.locator("#theme").click()


CONTRAST = """() => {
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    const hex = style.getPropertyValue(name).trim().replace("#", "");
    const full = hex.length === 3 ? [...hex].map((one) => one + one).join("") : hex;
    const [r, g, b] = [0, 2, 4].map((at) => parseInt(full.slice(at, at + 2), 16) / 255)
        .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => (Math.max(light(one), light(other)) + 0.05) / (Math.min(light(one), light(other)) + 0.05);
  return Math.min(...["--ink", "--soft", "--link", "--ok", "--bad", "--warn", "--note"].flatMap((name) =>
    [contrast(name, "--card"), contrast(name, "--page")]), contrast("--bad", "--bad-fill"), contrast("--warn", "--warn-fill"));
}"""


def test_names_are_text_and_exports_are_no_formulas(page: Page, tmp_path: Path) -> None:
    """HTML in a name is shown as it is; in CSV what a spreadsheet would run has an apostrophe before it."""
    page.locator("#problems").get_by_label("Filter problems").fill("onerror")
    assert HOSTILE in page.locator("#problems tbody").inner_text()
    page.locator("#grid").get_by_label("Filter shots").fill("onerror")
    assert HOSTILE in page.locator("#grid").inner_text()
    with page.expect_download() as download:
        page.locator("#problems").get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "problems.csv")
    (row,) = csv.DictReader((tmp_path / "problems.csv").read_text(encoding="utf-8").splitlines())
    assert (row["shot"], row["layer"], row["frames"]) == (HOSTILE, "'=1+1", "1044")


def test_a_table_is_filtered_and_sorted_and_its_address_says_so(browser: Browser, page: Page) -> None:
    """Numbers as numbers; the address opens the same page again, its theme and its show included."""
    page.locator("#show").select_option("caldera")
    assert all(row.startswith("caldera") for row in rows(page, "costs"))
    page.locator("#costs").get_by_role("button", name="Files").click()
    page.locator("#costs").get_by_role("button", name="Files").click()
    assert page.locator("#costs th[aria-sort=descending]").inner_text().startswith("Files")
    assert "sq020 sh010" in rows(page, "costs")[0].replace("\t", " ")
    page.locator("#problems").get_by_label("Filter problems").fill("stereo")
    page.locator("#theme").click()
    with open_page(browser, page.url.partition("#")[0]) as other:
        other.goto(page.url)
        other.reload()
        other.wait_for_selector("html[data-ready=yes]")
        assert rows(other, "costs") == rows(page, "costs")
        assert rows(other, "problems") == rows(page, "problems")
        assert len(rows(other, "problems")) == 3
        assert other.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_row_copies_its_path_and_its_command(browser: Browser, address: str) -> None:
    """What the clipboard holds can be pasted into a shell."""
    with open_page(browser, address, permissions=["clipboard-read", "clipboard-write"]) as page:
        follow(page, page.locator("#gravities").get_by_role("link", name="Missing", exact=True))
        for what, begins in (("path", next(iter(PLANTED["missing"]))), ("command", "exr-inspector ask missing_frames")):
            page.get_by_role("button", name=f"copy {what}").first.click()
            page.wait_for_function("async (begins) => (await navigator.clipboard.readText()).startsWith(begins)", arg=begins)


def test_a_stray_frame_leaves_its_sequence_readable(page: Page) -> None:
    """Frame 1 beside 1001 to 1045: two stretches, each with whole numbers; the long one has most of the width."""
    page.locator("#strips").get_by_label("Filter strips").fill(sequence_key(*PLANTED["stray"][:4]))
    (row,) = page.locator("#strips tbody tr").all()
    assert [text.split() for text in row.locator(".ticks").all_inner_texts()] == [["1"], ["1001", "1023", "1045"]]
    assert row.locator(".gap").inner_text() == "999 between"
    short, long = (stretch.bounding_box() for stretch in row.locator(".stretch").all())
    assert short
    assert long
    assert long["width"] > 5 * short["width"]
    assert "1 stray" in row.inner_text()


def test_the_axes_of_sequences_have_whole_numbers(page: Page) -> None:
    """All of them, and only those with faults when that is asked for."""
    ticks = page.locator("#strips .ticks span").all_inner_texts()
    assert ticks
    assert all(tick.isdigit() for tick in ticks)
    page.get_by_label("only with faults").check()
    assert len(rows(page, "strips")) == 7


def test_versions_of_a_shot_stand_side_by_side(page: Page) -> None:
    """Three versions of the layer with what changed; the cell has state, frames, size and hours of the latest."""
    page.locator("#show").select_option("caldera")
    cell = page.locator("#grid tr", has_text="sq020 sh010").locator("td[data-label=fx] button")
    text = cell.inner_text()
    assert "v003" in text
    assert "48 frames" in text
    assert "3.4 GB" in text
    cell.click()
    cards = page.locator("#versions > div")
    assert [card.locator("b").first.inner_text() for card in cards.all()] == ["v003", "v002", "v001"]
    assert "channels (+Z), resolution 4096x2160 to 4096x1716" in cards.nth(0).inner_text()
    assert "nothing of these" in cards.nth(1).inner_text()
    assert "The same picture again" in cards.nth(1).inner_text()


def test_what_was_not_judged_is_said(browser: Browser, data: Row, folder: Path, page: Page) -> None:
    """Judged and not judged; and where nothing was, no figure says 0 failed, and the page says how to judge."""
    lead = page.locator("#delivery-lead").inner_text()
    assert lead == "Judged 312 of 9,999 files; 9,687 not judged. 90 of the judged failed."
    never = {"judged": [row | {"judged": 0, "failed": 0, "warned": 0} for row in data["judged"]], "rules": []}
    unjudged = data | never | {"totals": data["totals"] | {"judged": 0, "failed": 0}}
    with open_page(browser, write(folder, unjudged, "unjudged.html")) as other:
        assert "not judged" in other.locator("#figures").inner_text()
        assert "failed" not in other.locator("#figures").inner_text()
        assert "is not known" in other.locator("#delivery-lead").inner_text()
        assert "exr-inspector backfill --from-catalog --policy default" in other.locator("#delivery").inner_text()


def test_one_of_a_thing_is_singular(browser: Browser, data: Row, folder: Path) -> None:
    """1 show, 1 shot, and sizes in the unit that suits them."""
    one = data | {"totals": data["totals"] | {"shows": 1, "shots": 1, "files": 1, "sequences": 1, "bytes": 120}}
    with open_page(browser, write(folder, one, "one.html")) as page:
        text = page.locator("#figures").inner_text()
    assert "in 1 show\n" in text
    for words in ("1\nshot\n", "1\nfile\n", "1\nsequence of frames\n", "120 B\nstored"):
        assert words in text


def test_one_day_is_a_narrow_bar_and_a_file_is_no_frame(browser: Browser, data: Row, folder: Path) -> None:
    """The chart says that there is one day so far; the kinds that were not found are a sentence, and NaN keeps its letters."""
    path = "s3://r/apollo/notes.exr"
    file = data["problems"][0] | {"kind": "unreadable", "layer": "notes.exr", "frames": [], "count": 1, "key": path, "path": path}
    less = data | {
        "problems": [file],
        "counts": {"unreadable": {"problems": 1, "frames": 1}},
        "place": "the local endpoint, r/exr",
    }
    with open_page(browser, write(folder, less, "one-day.html")) as page:
        bar = page.locator("#began .columns i").bounding_box()
        assert bar is not None
        assert bar["width"] < 40
        assert "one day so far" in page.locator("#began .ticks").inner_text()
        assert "1 file" in rows(page, "problems")[-1]
        lead = page.locator("#attention-lead").inner_text()
        assert "No problems of these kinds: damaged, incomplete, missing, NaN or Infinity, " in lead
        assert page.locator("#place").inner_text().startswith("The local endpoint, r/exr, ")


def test_an_empty_catalogue_is_shown(browser: Browser, data: Row, folder: Path) -> None:
    """Nothing needs attention, and nothing breaks."""
    lists = ("problems", "strips", "versions", "costs", "savings", "judged", "rules", "renderers", "compression", "sizes", "days")
    nothing: Row = {name: [] for name in (*lists, "mended", "measured", "shows", "colours")}
    figures = dict.fromkeys(data["totals"], 0)
    empty = data | nothing | {"counts": {}, "totals": figures, "map": {"points": [], "groups": [], "apart": 0.4}}
    with open_page(browser, write(folder, empty, "empty.html")) as page:
        assert "Nothing needs attention." in page.locator("#problems").inner_text()
        assert page.locator("#gravities").inner_text().count("no problems") == 3


def test_a_page_against_an_earlier_one_has_new_mended_and_still_there(browser: Browser, data: Row, folder: Path) -> None:
    """The figures lead to their rows."""
    states = [row | {"state": "new" if row["kind"] == "nan" else "still"} for row in data["problems"]]
    earlier = {"generated": "2026-03-31T06:00:00Z", "place": "here", "totals": data["totals"] | {"files": 9_000}, "counts": {}}
    with open_page(browser, write(folder, data | {"problems": states, "previous": earlier}, "later.html")) as page:
        assert "page of 2026-03-31 06:00" in page.locator("#trend-lead").inner_text()
        assert "+999 since the earlier page" in page.locator("#figures").inner_text()
        follow(page, page.locator("#trend-figures").get_by_role("link", name="new"))
        assert len(rows(page, "problems")) == 2
        assert "sh010" in page.locator("#mended tbody").inner_text()


def point_of(page: Page, key: str) -> tuple[float, float]:
    """Where in the window the map has this sequence."""
    page.locator("#map").scroll_into_view_if_needed()
    at = page.evaluate("(key) => data.map.points.findIndex((one) => one.key === key)", key)
    box = page.locator(f"#map circle[data-at='{at}']").bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_map_says_what_is_under_the_pointer_and_a_click_chooses_it(page: Page) -> None:
    """The pass that stands alone: its path on hover; after a click its path, its id, its frames, its problem."""
    key = sequence_key(*PLANTED["odd_family"])
    page.mouse.move(*point_of(page, key))
    page.locator("#tip").wait_for()
    assert key in page.locator("#tip").inner_text()
    page.mouse.click(*point_of(page, key))
    chosen = page.locator("#chosen")
    assert "exr-inspector similar " in chosen.inner_text()
    assert "1 problem" in chosen.inner_text()
    follow(page, chosen.get_by_role("link", name="show its frames"))
    assert len(rows(page, "strips")) == 1


def test_the_map_names_its_groups_and_has_a_scale(page: Page) -> None:
    """The largest groups by layer and renderer, none over another, the pass of floats apart; a bar is the scale."""
    names = page.locator("#map text").all_text_contents()
    assert {"beauty, Arnold (23)", "beauty, Arnold (1)"} <= set(names)
    assert "utility, Karma (24)" in names
    assert "this far apart: another setup" in names
    boxes = [box for text in page.locator("#map text").all() if (box := text.bounding_box())]
    pairs = [(one, other) for at, one in enumerate(boxes) for other in boxes[at + 1 :]]
    assert not [pair for pair in pairs if _overlap(*pair)]
    page.locator("#groups").get_by_role("button", name="beauty, Arnold").first.click()
    assert page.locator("#map circle:not(.dim)").count() == 23


def _overlap(one: Any, other: Any) -> bool:
    across = one["x"] < other["x"] + other["width"] and other["x"] < one["x"] + one["width"]
    return across and one["y"] + 4 < other["y"] + other["height"] and other["y"] + 4 < one["y"] + one["height"]


def test_the_map_is_walked_with_the_arrow_keys(page: Page) -> None:
    """From the search one Tab leads to the map; an arrow chooses the next point, the other goes back, ends are joined."""
    page.locator("#map-search").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "map"
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
        seen.append(page.locator("#chosen").inner_text())
    assert seen[0] == seen[2] == seen[4]
    assert len(set(seen)) == 3
    assert page.locator("#map circle.ring").count() == 1


def test_a_search_rings_what_it_finds_and_lists_it(page: Page) -> None:
    """The passes of one shot and no others; the list is chosen from with the keyboard; nothing found is said."""
    show, sequence, shot = PLANTED["stale"]
    page.locator("#map-search").fill(f"{show} {sequence} {shot}")
    hits = page.locator("#hits button")
    assert hits.count() == len(SHOWS[show]) == page.locator("#map circle.found").count()
    hits.first.focus()
    page.keyboard.press("Enter")
    assert f"/{show}/{sequence}/{shot}/" in page.locator("#chosen").inner_text()
    page.locator("#map-search").fill("no such thing")
    assert page.locator("#hits").inner_text() == "nothing on the map matches"


def test_a_list_that_was_cut_says_so(browser: Browser, data: Row, folder: Path) -> None:
    """In the footer, with how many are left out."""
    cut = data | {"omitted": {"problems": 1234, "map": 1}}
    with open_page(browser, write(folder, cut, "cut.html")) as page:
        text = page.locator("footer").inner_text()
    assert "1,234 problems more are not listed" in text
    assert "1 point more is not listed on the map" in text


def test_the_page_prints(page: Page) -> None:
    """On white whatever the theme, without controls, and nothing is wider than the paper."""
    page.locator("#theme").click()
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("#problems .tools").is_visible()
    assert not page.locator("nav").is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_the_served_page_renews_itself_and_stays_where_somebody_is(browser: Browser, data: Row) -> None:
    """A new problem appears without a reload; the filter stays."""
    shown = [data | {"problems": data["problems"][:1]}, data]

    def collect() -> Row:
        return shown.pop(0) if len(shown) > 1 else shown[0]

    with live.Server(collect, refresh=1) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        context = browser.new_context()
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(f"{server.url}#show=borealis")
        page.wait_for_selector("html[data-ready=yes]")
        page.locator("#problems tr.group", has_text="Mixed builds").wait_for()
        assert len(rows(page, "problems")) > 1
        assert all("borealis" in row for row in rows(page, "problems"))
        context.close()
        server.shutdown()
        thread.join()
