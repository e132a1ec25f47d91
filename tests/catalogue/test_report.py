"""What the page shows: every planted fault with place, frames, time, reason and remedy; honest figures; any name."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import query_cases
import report_pages
import seeded_catalogue
from exr_inspector.catalogue import engine, questions
from exr_inspector.catalogue.report import alike, answers, live, problems, trend
from exr_inspector.catalogue.report import data as report_data
from exr_inspector.catalogue.report import page as report_page
from exr_inspector.catalogue.report.kinds import KINDS, OF_PIXELS, SINGLE
from exr_inspector.cli import report
from exr_inspector.errors import VASTDatabaseError
from local_vast import LocalVast
from report_pages import FAULTS
from seeded_catalogue import PLANTED, sequence_key
from vast_schemas import TABLES, schema_for

Row = dict[str, Any]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalVast]:
    """The seeded catalogue behind an endpoint."""
    with report_pages.serve_catalogue() as running:
        yield running


@pytest.fixture(scope="module")
def data(server: LocalVast) -> Row:
    """What the page shows of it."""
    return report_data.collect(report_pages.target_of(server))


def test_the_figures_are_those_of_the_catalogue(data: Row) -> None:
    """Files that are current and not deleted; what was judged is told from what was not."""
    totals = data["totals"]
    assert totals["files"] == seeded_catalogue.FILES - 1
    assert (totals["shows"], totals["shots"]) == (3, 72)
    assert (totals["judged"], totals["failed"]) == (6 * 45 - 3 + 45, 45 + 45)
    assert sum(row["files"] for row in data["judged"]) == totals["files"]
    assert {row["show"]: row["judged"] for row in data["judged"]}["borealis"] == 0
    assert sum(row["measured_count"] for row in data["measured"]) == 318
    assert data["omitted"] == {}


@pytest.mark.parametrize("name", FAULTS)
def test_every_planted_fault_is_a_problem_with_its_frames(data: Row, name: str) -> None:
    """Of its kind, in its place, with exactly its frames; with a reason, a remedy, a command, and since when."""
    fault = FAULTS[name]
    at_place = [row for row in data["problems"] if row["kind"] == fault.kind and fault.stands_in(row)]
    assert [row["frames"] for row in at_place if row["frames"] == fault.frames] == [fault.frames]
    for row in at_place:
        assert row["why"]
        assert row["todo"]
        assert row["command"].startswith("exr-inspector ask ")
        assert row["since"].startswith("2026-03-")


def test_nothing_but_what_was_planted_is_a_problem(data: Row) -> None:
    """Each kind has as many problems as were planted, and those that follow from others."""
    counts = {kind: count["problems"] for kind, count in data["counts"].items()}
    follow = {"mixed": 1, "drift": 4, "odd": 7, "flicker": 2 + 2, "nan": 2, "black": 2, "incomplete": 2, "misnumbered": 2}
    more = {"oversized": 2, "setup": 2, "repeated": 2, "cryptomatte": 2}
    assert counts == dict.fromkeys(KINDS, 1) | follow | more
    assert sum(counts.values()) == len(data["problems"])


def test_problems_stand_by_gravity_and_have_layer_and_version(data: Row) -> None:
    """The unusable ones first; the layer is what the file name says, where no template tells it."""
    gravities = [KINDS[row["kind"]].gravity for row in data["problems"]]
    assert gravities == sorted(gravities)
    (missing,) = (row for row in data["problems"] if row["kind"] == "missing")
    assert (missing["show"], missing["sequence"], missing["shot"]) == ("apollo", "sq010", "sh020")
    assert (missing["layer"], missing["version"], missing["count"]) == ("beauty", "v001", 3)
    assert missing["path"] == next(iter(PLANTED["missing"]))
    assert missing["command"] == "exr-inspector ask missing_frames --show apollo --shot sh020"


def test_the_reason_of_drift_says_what_changed(data: Row) -> None:
    """From what to what, of every kind of change that was planted."""
    whys = {row["sequence"] + row["shot"]: row["why"] for row in data["problems"] if row["kind"] == "drift"}
    assert "renderer Blender 4.2.3 → Blender 4.1.1" in whys["sq010sh020"]
    assert "number of channels 15 → 11" in whys["sq040sh060"]
    assert "data window 4096x2160 → 4128x2192-16-16" in whys["sq020sh050"]
    assert "names or types of channels" in whys["sq040sh040"]


def test_a_stray_frame_is_no_gap_of_a_thousand_frames(data: Row) -> None:
    """Frame 1 stands for itself; its sequence has nothing missing, and its strip a gap instead."""
    *place, stray = PLANTED["stray"]
    strip = next(row for row in data["strips"] if row["sequence_key"] == sequence_key(*place))
    assert (strip["missing"], strip["stray"]) == (0, [[stray, stray]])
    assert strip["runs"] == [["present", 1, 1], ["gap", 2, 1000], ["present", 1001, 1045]]
    assert data["counts"]["missing"]["frames"] == 3


@pytest.mark.parametrize(
    ("first", "last", "present", "gaps", "stray"),
    [
        (1, 1045, 46, [(2, 1000)], ((1, 1),)),
        (1001, 9999, 46, [(1046, 9998)], ((9999, 9999),)),
        (1, 9999, 47, [(2, 1000), (1046, 9998)], ((1, 1), (9999, 9999))),
        (1, 100, 6, [(4, 97)], ()),  # three frames at each end
        (1, 1000, 2, [(2, 999)], ()),  # which of two would be stray?
        (1001, 1045, 42, [(1013, 1015)], ()),
    ],
)
def test_stray_frames_are_told_from_gaps(
    first: int, last: int, present: int, gaps: list[tuple[int, int]], stray: tuple[tuple[int, int], ...]
) -> None:
    """Two frames at most, further from the others than these are many."""
    known = problems.gaps_of(first, last, present, gaps)
    assert known.stray == stray
    assert sorted((*known.missing, *known.beside)) == gaps


def test_strips_with_faults_come_first(data: Row) -> None:
    """The gap as one run of missing frames between two of present ones."""
    strips = {strip["sequence_key"]: strip for strip in data["strips"]}
    ((gap, (first, last)),) = PLANTED["missing"].items()
    assert strips[gap]["runs"] == [["present", 1001, first - 1], ["missing", first, last], ["present", last + 1, 1045]]
    broken = sequence_key(*PLANTED["truncated"][:4])
    frame = PLANTED["truncated"][4]
    assert ["broken", frame, frame] in strips[broken]["runs"]
    faulty = [strip["missing"] + strip["broken"] + strip["duplicates"] + len(strip["stray"]) > 0 for strip in data["strips"]]
    assert faulty == sorted(faulty, reverse=True)
    assert sum(faulty) == 7


def test_versions_stand_side_by_side_with_what_changed(data: Row) -> None:
    """Three versions of the layer, the latest first, and the layer's name."""
    rows = [row for row in data["versions"] if row["layer_key"] == sequence_key(*PLANTED["versions"]).replace("v001", "v#")]
    assert [(row["version"], row["layer"]) for row in rows] == [("v003", "fx"), ("v002", "fx"), ("v001", "fx")]
    assert rows[0]["changed"].startswith("channels (+Z), resolution")


def test_without_an_earlier_page_the_tables_tell_what_was_mended(data: Row) -> None:
    """The frame that was not finished, and is."""
    (row,) = data["mended"]
    assert (row["kind"], row["shot"], row["frames"]) == ("incomplete", "sh010", [[1020, 1020]])
    assert {row["state"] for row in data["problems"]} == {"still"}


def test_against_an_earlier_page_problems_are_new_mended_or_still_there(data: Row) -> None:
    """Where other frames of a sequence are missing than before, the problem is still there."""
    (missing,) = (row for row in data["problems"] if row["kind"] == "missing")
    gone = missing | {"id": "0" * 16, "shot": "sh999"}
    earlier = data | {"problems": [missing | {"frames": [[1002, 1002]]}, gone]}
    now = [missing, next(row for row in data["problems"] if row["kind"] == "nan")]
    states = trend.with_states(now, earlier, report_pages.NOW)
    assert [row["state"] for row in states] == ["still", "new"]
    assert [row["shot"] for row in trend.repairs(now, earlier, report_pages.nobody_answers, "")] == ["sh999"]


def test_the_id_of_a_problem_stays_when_its_frames_change() -> None:
    """And differs by kind, by place, and by what is wrong."""
    place = {"show_name": "apollo", "sequence_name": None, "shot_name": "sh010"}
    fault = problems.FaultRow("missing", place, "a.#.exr", "", ((1, 2),))
    assert fault.id == problems.FaultRow("missing", place, "a.#.exr", "other words", ((5, 5),)).id
    others = [
        problems.FaultRow("frozen", place, "a.#.exr", ""),
        problems.FaultRow("missing", place, "b.#.exr", ""),
        problems.FaultRow("missing", place, "a.#.exr", "", topic="x"),
        problems.FaultRow("missing", place, None, ""),
    ]
    assert len({fault.id, *(other.id for other in others)}) == 5


def test_questions_that_share_tables_are_answered_as_by_themselves(server: LocalVast) -> None:
    """What is read once for the page gives the golden rows; what it does not hold is asked apart."""
    scans = report_data.report_scans()
    apart: list[str] = []

    def ask_apart(statement: Any) -> pa.Table:
        apart.append(statement.sql())
        return engine.ask_client(report_pages.target_of(server), statement)

    with engine.open_scans(report_pages.target_of(server), scans) as sql:
        answer = answers.over_shared(sql, scans, ask_apart)
        for name in (
            "broken_frames",
            "frozen_frames",
            "slow_hosts",
            "failed_rules",
            "storage_what_if",
            "shot_cost",
            "bad_pixels",
        ):
            before = len(apart)
            rows = query_cases.comparable(answer(query_cases.statement(name)))
            assert rows == query_cases.golden(name)
            assert (len(apart) > before) == (name in ("storage_what_if", "shot_cost", "bad_pixels"))


def test_a_command_that_looks_at_a_file_shows_the_fault() -> None:
    """Faults of pixels need the pixels; a header is enough for the others."""
    with duckdb.connect() as sql:
        sql.execute(
            "CREATE TABLE present (show_name TEXT, sequence_name TEXT, shot_name TEXT, layer_name TEXT, version_token TEXT,"
            " mtime TIMESTAMP, first_seen TIMESTAMP, frame_number BIGINT, host TEXT, sequence_key TEXT, file_path TEXT)"
        )
        faults = [problems.FaultRow(kind, {}, None, "", path="/r/a b.1005.exr") for kind in SINGLE]
        commands = {row["kind"]: row["command"] for row in problems.as_rows(sql, faults)}
    assert {commands[kind] for kind in OF_PIXELS} == {"exr-inspector inspect '/r/a b.1005.exr' --stats"}
    assert {commands[kind] for kind in set(SINGLE) - set(OF_PIXELS)} == {"exr-inspector inspect '/r/a b.1005.exr'"}
    assert set(OF_PIXELS) < set(SINGLE)


def test_every_kind_has_a_question_that_ships() -> None:
    """And every question that is read for problems has a reader."""
    assert {kind.question for kind in KINDS.values()} <= set(questions.names())
    assert {kind.question for kind in KINDS.values()} == {*problems.READERS, "missing_frames"} - {"findings"}


def test_cryptomattes_are_looked_at_whether_or_not_they_were_judged(data: Row) -> None:
    """What a policy says of them goes before what the inspection found."""
    unjudged = next(row for row in data["problems"] if FAULTS["unjudged_cryptomatte"].stands_in(row))
    assert unjudged["why"] == "No metadata name its layers, so nothing can be selected from them"
    assert unjudged["command"] == "exr-inspector ask findings --show apollo --shot sh040"
    found = {
        "show_name": None, "sequence_or_file": "s3://r/a.exr", "finding_codes": "chunk_missing cryptomatte_key_mismatch",
        "file_count": 1, "first_frame": None, "last_frame": None, "first_path": "s3://r/a.exr",
    }  # fmt: skip
    (matte,) = problems.mattes([found])
    assert matte.why == "The key of a layer is not the hash of its name"
    judged = replace(matte, topic="default cryptomatte-selectable")
    assert problems.without_repeats([matte, judged]) == [judged]
    assert problems.without_repeats([matte, replace(judged, key="s3://r/b.exr")])[0] == matte


def test_files_made_alike_stand_together_on_the_map_and_groups_have_names(data: Row) -> None:
    """The same pass of two shots is nearer than two passes; the pass that is set up like no other is a group of its own."""
    points = {point["key"]: point for point in data["map"]["points"]}
    places = {key: np.array([point["x"], point["y"]]) for key, point in points.items()}
    one, same = sequence_key("apollo", "sq010", "sh010", "beauty"), sequence_key("apollo", "sq030", "sh020", "beauty")
    other = sequence_key("apollo", "sq010", "sh010", "deep")
    assert np.linalg.norm(places[one] - places[same]) < 0.25 * np.linalg.norm(places[one] - places[other])
    assert points[one]["group"] == points[same]["group"] != points[other]["group"]
    groups = data["map"]["groups"]
    assert groups[points[one]["group"]]["name"] == "beauty, Arnold"
    assert groups[points[sequence_key(*PLANTED["odd_family"])]["group"]]["count"] == 1
    assert sum(group["count"] for group in groups) == len(points)


def test_equal_vectors_are_told_apart_on_the_map_and_one_vector_is_enough() -> None:
    """Points that would coincide are spread; the same vectors give the same places."""
    equal = np.tile(np.eye(1, 384), (5, 1))
    assert len({tuple(row) for row in alike.project(equal, [0] * 5).round(6)}) == 5
    assert alike.project(np.ones((1, 384)), [0]).shape == (1, 2)
    several = np.random.default_rng(0).normal(size=(20, 384))
    assert (alike.project(several, [0] * 20) == alike.project(several, [0] * 20)).all()


def test_lists_are_cut_and_say_so(server: LocalVast, monkeypatch: pytest.MonkeyPatch, data: Row) -> None:
    """What is left out of a list is counted, and the figures count it all the same."""
    monkeypatch.setattr(report_data, "LIMITS", report_data.LIMITS | {"problems": 10, "strips": 5, "map": 20})
    cut = report_data.collect(report_pages.target_of(server))
    assert (len(cut["problems"]), len(cut["strips"]), len(cut["map"]["points"])) == (10, 5, 20)
    assert cut["omitted"]["problems"] == len(data["problems"]) - 10
    assert cut["omitted"]["strips"] == 218 - 5
    assert cut["counts"] == data["counts"]


def stored_tables(files: list[Row], parts: Sequence[Row] = ()) -> dict[str, pa.Table]:
    """The tables with these files and parts and nothing else."""
    rows = [{"status": "ok", "size_bytes": 1, "is_current": True} | file for file in files]
    filled = {"files": rows, "parts": parts}
    return {name: pa.Table.from_pylist(list(filled.get(name, [])), schema=schema_for(name)) for name in TABLES}


def summary_of(files: list[Row], parts: Sequence[Row] = ()) -> Row:
    """What the page shows of files and parts alone."""
    with query_cases.over(stored_tables(files, parts)) as sql:
        return report_data.summarize(sql, "here", no_vectors, lambda statement: engine.run(sql, statement))


def no_vectors(_file_ids: Sequence[str]) -> dict[str, list[float]]:
    """None of the files has a vector."""
    return {}


def strip_of(numbers: list[int]) -> Row:
    """The strip of a sequence with these frames."""
    files = [{"file_id": str(at), "file_path": f"a.{at}.exr", "sequence_key": "a.#.exr", "frame_number": at} for at in numbers]
    (strip,) = summary_of(files)["strips"]
    shown: Row = strip
    return shown


def test_shows_beyond_those_with_a_colour_share_one() -> None:
    """The largest have their own."""
    shows = [f"show{at:03d}" for at in range(100)]
    files = [{"file_id": f"{show}{at}", "file_path": f"{show}/{at}.exr", "show_name": show} for show in shows for at in range(2)]
    shown = summary_of([*files, {"file_id": "x", "file_path": "x.exr", "show_name": shows[-1]}])
    assert shown["colours"][0] == shows[-1]
    assert len(shown["colours"]) == report_data.COLOURS
    assert (len(shown["judged"]), shown["totals"]["files"]) == (100, 201)


def test_the_page_and_the_question_count_compressions_alike() -> None:
    """A file whose parts differ is one of several on both; what a part does not tell is no difference."""
    files = [{"file_id": name, "file_path": f"{name}.exr", "show_name": "apollo"} for name in "abc"]
    kinds = {"a": ("piz", "zip"), "b": ("piz", "piz"), "c": ("zips", None)}
    parts = [
        {"file_id": name, "part_index": at, "compression": kind} for name, both in kinds.items() for at, kind in enumerate(both)
    ]
    with query_cases.over(stored_tables(files, parts)) as sql:
        asked = engine.run(sql, questions.load("compression").bind({})).to_pylist()
    expected = [("piz", 1), ("several", 1), ("zips", 1)]
    assert sorted((row["compression"], row["file_count"]) for row in asked) == expected
    assert sorted((row["compression"], row["files"]) for row in summary_of(files, parts)["compression"]) == expected


def test_a_sequence_in_a_thousand_pieces_stays_a_short_strip() -> None:
    """Every other frame of 2,000 is missing: at most RUNS runs, from the first frame to the last, and the count is exact."""
    strip = strip_of(list(range(1, 2001, 2)))
    assert len(strip["runs"]) <= report_data.RUNS
    assert {kind for kind, _, _ in strip["runs"]} == {"mixed"}
    assert (strip["runs"][0][1], strip["runs"][-1][2]) == (1, 1999)
    assert (strip["present"], strip["missing"]) == (1000, 999)


def test_a_sequence_in_a_few_pieces_is_drawn_exactly() -> None:
    """As many runs as there may be are not merged."""
    numbers = list(range(1, report_data.RUNS, 2))
    assert [first for kind, first, _ in strip_of(numbers)["runs"] if kind == "present"] == numbers


def test_a_setup_is_unlike_others_only_where_its_layer_has_others() -> None:
    """Three at least, of the same layer in the show; a pass that a show has once has no template."""

    def sequence(show: str, shot: str, layer: str) -> Row:
        key = f"s3://r/{show}/{shot}/{layer}/v001/{shot}_{layer}_v001.#.exr"
        return {
            "show_name": show, "sequence_key": key, "layer_name": None, "version_token": "v001", "sequence_name": None,
            "shot_name": shot,
        }  # fmt: skip

    present = [sequence("apollo", f"sh0{at}", "beauty") for at in range(4)]
    present += [sequence("apollo", "sh00", "crypto"), *(sequence("borealis", f"sh0{at}", "beauty") for at in range(3))]
    faults = [problems.FaultRow("setup", row, row["sequence_key"], "") for row in present]
    faults.append(problems.FaultRow("slow", {}, None, ""))
    schema = pa.schema([(name, pa.string()) for name in present[0]])
    with duckdb.connect() as sql:
        sql.register("present", pa.Table.from_pylist(present, schema=schema))
        assert problems.without_rare_layers(sql, faults) == [*faults[:4], faults[-1]]


def test_a_file_that_cannot_be_read_and_is_no_frame_is_known_by_its_name() -> None:
    """It is neither a layer with a version nor a sequence with all its frames."""
    path = "s3://r/apollo/sh010/beauty/v002/notes.exr"
    file = {
        "file_id": "1", "file_path": path, "file_path_normalized": path, "status": "unreadable", "show_name": "apollo",
        "shot_name": "sh010", "version_token": "v002", "version_number": 2, "layer_key": path.replace("v002", "v#"),
        "is_current": True, "error_code": "bad_magic",
    }  # fmt: skip
    summary = summary_of([file])
    (row,) = summary["problems"]
    assert (row["kind"], row["layer"], row["version"], row["frames"], row["count"]) == ("unreadable", "notes.exr", None, [], 1)
    assert summary["versions"] == []


def test_an_empty_catalogue_has_a_page() -> None:
    """Right after the tables were made."""
    shown = summary_of([])
    assert (shown["totals"]["files"], shown["problems"], shown["map"]["points"]) == (0, [], [])
    assert "Rendered files" in report_page.render(shown)


def test_the_page_holds_everything_and_asks_for_nothing(data: Row) -> None:
    """No address to load from, the data as they are, nothing of a key; and it stays small."""
    text = report_page.render(data)
    outside = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", outside)
    assert "connect-src" not in text
    held = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert held
    assert json.loads(held[1]) == json.loads(json.dumps(data))
    assert "local-secret" not in text
    assert len(text.encode()) < 3_000_000


def test_a_name_cannot_leave_the_data(data: Row) -> None:
    """A show may be called anything."""
    hostile = "</script><script>alert(1)</script>@data@"
    text = report_page.render(data | {"shows": [{**data["shows"][0], "show": hostile}]})
    assert hostile not in text
    assert text.count("<script") == report_page.render(data).count("<script")


def test_an_earlier_page_is_read_back(data: Row, tmp_path: Path) -> None:
    """What it showed; a file that is none is refused by name."""
    path = tmp_path / "earlier.html"
    path.write_text(report_page.render(data), encoding="utf-8")
    assert report_page.read_previous(path)["counts"] == data["counts"]
    for text in ("", "<html>", '<script type="application/json" id="data">{"problems": 5}</script>'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(report_page.NoReport, match="does not list problems"):
            report_page.read_previous(path)


def test_the_command_writes_the_page_and_compares_it_with_itself(
    server: LocalVast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file and no other; against an earlier page nothing is new; without keys there is a message and no file."""
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", server.access_key)
    monkeypatch.setenv("VAST_DB_SECRET_KEY", server.secret_key)
    path = tmp_path / "out/report.html"
    where = ["--endpoint", server.url, "--schema", "renders/exr"]
    assert report.main(["--output", str(path), *where]) == 0
    assert capsys.readouterr().out.strip() == path.as_uri()
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]
    later = tmp_path / "later.html"
    assert report.main(["--output", str(later), "--since-report", str(path), *where]) == 0
    shown = report_page.read_previous(later)
    assert {row["state"] for row in shown["problems"]} == {"still"}
    assert shown["mended"] == []
    assert report.main(["--output", str(later), "--since-report", str(tmp_path / "none.html"), *where]) == 2
    assert "none.html" in capsys.readouterr().err
    monkeypatch.delenv("VAST_DB_SECRET_KEY")
    assert report.main(["--output", str(tmp_path / "none.html"), *where]) == 2
    assert not (tmp_path / "none.html").exists()


@pytest.fixture
def served(data: Row) -> Iterator[live.Server]:
    """The page behind its own server."""
    with live.Server(lambda: data) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def get(url: str, **headers: str) -> tuple[int, str]:
    """Status and text of an answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_served_page_asks_its_server_and_nobody_else(served: live.Server, data: Row) -> None:
    """The page, its data, nothing besides; under a name that is not this machine's, nothing at all."""
    status, text = get(served.url)
    assert (status, "connect-src 'self'" in text) == (200, True)
    assert json.loads(get(f"{served.url}data.json")[1])["counts"] == data["counts"]
    assert get(f"{served.url}etc/passwd")[0] == 404
    assert get(served.url, Host="evil.example:80")[0] == 403
    assert served.server_address[0] == "127.0.0.1"


def test_a_database_that_does_not_answer_is_said_to_whoever_asks() -> None:
    """503, with the message; the server goes on."""

    def fail() -> Row:
        raise VASTDatabaseError("nobody answers", remedy="look")

    with live.Server(fail) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        said = [get(running.url) for _ in range(2)]
        running.shutdown()
        thread.join()
    assert [(status, "nobody answers" in text) for status, text in said] == [(503, True)] * 2


def test_data_are_collected_again_when_they_are_old() -> None:
    """Not for every request, and not never."""
    times = iter([0.0, 5.0, 10.0, 10.0])
    collected: list[Row] = []

    def collect() -> Row:
        collected.append({"number": len(collected)})
        return collected[-1]

    latest = live.Latest(collect, 10.0, lambda: next(times))
    assert [latest.get()["number"] for _ in range(3)] == [0, 0, 1]
