"""What questions answer over a few rows made for one rule each: versions, jumps of brightness, repeats, what is not known."""

from __future__ import annotations

from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from sqlglot import exp

import query_cases
from exr_inspector.catalogue import emptiness, engine, questions
from exr_inspector.catalogue.report import problems
from exr_inspector.payload.aov_words import COLOUR_ROLES
from vast_schemas import TABLES, schema_for

Rows = list[dict[str, Any]]
LAYER = "/s/sh010/v#/key_v#.#.exr"


def ask(name: str, tables: dict[str, Rows], **parameters: str) -> Rows:
    """The answer over these rows; columns that they lack are null."""
    stored = {table: pa.Table.from_pylist(tables.get(table, []), schema=schema_for(table)) for table in TABLES}
    with query_cases.over(stored) as sql:
        return engine.run(sql, questions.load(name).bind(parameters)).to_pylist()


def file(number: int, version: int | None = 1, **columns: Any) -> dict[str, Any]:
    """A current file of a shot: a frame of a version of a layer."""
    key = LAYER.replace("v#", f"v{version}")
    return {
        "file_id": f"{version}/{number}", "file_path": key.replace("#", f"{number}"), "sequence_key": key, "layer_key": LAYER,
        "show_name": "apollo", "shot_name": "sh010", "frame_number": number, "version_number": version,
        "version_token": None if version is None else f"v{version}", "size_bytes": 100, "status": "ok", "channel_count": 1,
        "is_current": True,
    } | columns  # fmt: skip


def stats(file_id: str, channel: str = "R", **columns: Any) -> dict[str, Any]:
    """What was measured of a channel of a file."""
    plain = {"part_index": 0, "nan_count": 0, "pos_inf_count": 0, "neg_inf_count": 0, "negative_count": 0}
    return plain | {"file_id": file_id, "channel_name": channel, "is_sampled": False, "is_partial": False} | columns


def explain(name: str, tables: dict[str, Rows], /, **parameters: str) -> str:
    """What an empty answer over these rows means."""
    stored = {table: pa.Table.from_pylist(tables.get(table, []), schema=schema_for(table)) for table in TABLES}
    with query_cases.over(stored) as sql:
        return emptiness.meaning(partial(engine.run, sql), questions.load(name), parameters)


@pytest.mark.parametrize("name", questions.names())
def test_where_nothing_was_measured_or_judged_nothing_is_called_good(name: str) -> None:
    """Every question that reads statistics or findings says so; the one that counts what was measured answers with a 0."""
    read = {table.name for table in questions.tables_of(questions.parse(questions.load(name).sql))}
    said = explain(name, {"files": [file(1), file(2)]})
    if name != "measured_files" and read & {"pixel_stats", "validation_results"}:
        assert said.startswith("0 of 2 current files of 1 show were ")
        assert "so nothing is known of " in said
    else:
        assert "among 2 current files of 1 show" in said
    assert not set("$[]") & set(said)


def test_what_was_measured_is_counted_beside_what_is_there() -> None:
    """A file with several measured channels once, one that is not current any more not at all."""
    files = [file(1), file(2), file(3), file(4, is_current=False)]
    tables = {"files": files, "pixel_stats": [stats("1/1"), stats("1/1", "G"), stats("1/4")]}
    assert explain("bad_pixels", tables) == "no bad pixels among the 1 of 3 current files of 1 show that were measured"


def test_files_that_were_sampled_are_not_known_to_differ() -> None:
    """Which pixels two files share is known where all of them were read."""
    tables = {"files": [file(1)], "pixel_stats": [stats("1/1", sample_hash="a", is_sampled=True)]}
    said = explain("same_picture", tables)
    assert said.startswith("0 of 1 current file of 1 show were measured as a whole")
    assert said.endswith("`exr-inspector backfill FOLDER --stats full --force` measures")


def test_a_policy_is_asked_of_what_it_judged_itself() -> None:
    """Another policy's verdict is not its own."""
    tables = {"files": [file(1)], "validation_results": [{"file_id": "1/1", "policy_id": "studio", "status": "PASS"}]}
    assert explain("failed_rules", tables).startswith("no broken rules among the 1 of 1 current file")
    assert explain("failed_rules", tables, policy="netflix").startswith("0 of 1 current file of 1 show were judged by")


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        (
            "attribute_values",
            {},
            "no file has the attribute 'artist' among 1 current file of 1 show; ask for another with --name",
        ),
        (
            "attribute_values",
            {"name": "lens", "value": "S4"},
            "no file has the attribute 'lens' with the text 'S4' among 1 current",
        ),
        ("files_without_attribute", {"name": "lens"}, "no file lacks the attribute 'lens' among 1 current file of 1 show"),
        ("channel_composition", {}, "no file has the channel or layer 'Z' among"),
        ("channel_composition", {"channel": "N", "and_also": "P.X"}, "no file has the channel or layer 'N' and 'P.X' among"),
        ("many_channels", {}, "no file has 200 channels or more among 1 current file of 1 show; ask for another with --least"),
        ("new_files", {"since": "2026-03-01T12:30:00"}, "nothing has arrived since 2026-03-01 12:30 UTC among"),
        ("stale_inspections", {"before": "2026-03-01"}, "no file was last inspected before 2026-03-01 00:00 UTC among"),
    ],
)
def test_an_empty_answer_says_which_values_were_looked_for(name: str, values: dict[str, str], said: str) -> None:
    """Defaults as well, with the option that asks for another."""
    meant = explain(name, {"files": [file(1)]}, **values)
    assert meant.startswith(said)
    assert ("ask for another" in meant) == (not values)


def part(file_id: str, **columns: Any) -> dict[str, Any]:
    """The first part of a file."""
    return {"file_id": file_id, "part_index": 0, "part_type": "scanlineimage", "is_deep": False} | columns


def brightness(*means: float) -> dict[str, Rows]:
    """Frames whose red channel has these means, from frame 1 on."""
    files = [file(number) for number in range(1, len(means) + 1)]
    return {"files": files, "pixel_stats": [stats(one["file_id"], mean_value=m) for one, m in zip(files, means, strict=True)]}


def test_versions_go_by_number_and_not_by_text() -> None:
    """v10 follows v9, and is compared with it."""
    files = [file(1, version) for version in (2, 9, 10)]
    parts = [part("2/1", compression="zip"), part("9/1", compression="piz"), part("10/1", compression="dwaa")]
    rows = ask("versions", {"files": files, "parts": parts})
    changes = [(row["version"], row["changed"]) for row in rows]
    assert changes == [("v10", "compression piz to dwaa"), ("v9", "compression zip to piz"), ("v2", None)]


def test_what_is_unknown_of_a_version_is_neither_a_change_nor_zero() -> None:
    """A renderer that only one of two versions names is no change, and hours that no header tells are null."""
    parts = [part("1/1", render_product="Arnold", render_seconds=1800.0), part("2/1")]
    later, earlier = ask("versions", {"files": [file(1, 1), file(1, 2)], "parts": parts})
    assert (later["changed"], later["render_hours"], earlier["render_hours"]) == ("nothing of these", None, 0.5)


def test_the_worst_status_of_a_version_is_told() -> None:
    """Of incomplete and unreadable frames, unreadable; and a version without a readable file has no known changes."""
    files = [file(1, 1), file(2, 1, status="incomplete"), file(3, 1, status="unreadable"), file(1, 2, status="unreadable")]
    later, earlier = ask("versions", {"files": files, "parts": [part(one["file_id"]) for one in files[:2]]})
    assert (later["worst_status"], later["changed"], earlier["worst_status"]) == ("unreadable", None, "unreadable")


def test_channels_that_came_and_went_are_named() -> None:
    """Two by name, more by two names and their number."""
    names = {"1/1": "AB", "2/1": "BC", "3/1": "DEFG"}
    channels = [
        {"file_id": file_id, "part_index": 0, "channel_index": 0, "channel_name": name, "channel_type": "HALF"}
        for file_id, letters in names.items()
        for name in letters
    ]
    files = [file(1, version) for version in (1, 2, 3)]
    rows = ask("versions", {"files": files, "parts": [part(file_id) for file_id in names], "channels": channels})
    assert [row["changed"] for row in rows] == ["channels (+D, -C and 4 more)", "channels (+C, -A)", None]


def test_files_without_a_version_are_neither_versions_nor_superseded() -> None:
    """Their bytes that could go are unknown; so are the hours of a shot whose headers tell none."""
    tables = {"files": [file(1, None)], "parts": [part("None/1")]}
    assert ask("versions", tables) == []
    (row,) = ask("shot_cost", tables)
    assert (row["total_bytes"], row["superseded_bytes"], row["render_hours"], row["timed_files"]) == (100, None, None, 0)


def test_a_shot_pays_for_what_is_on_disk_and_for_what_was_rendered_over() -> None:
    """Bytes of earlier rows of a path are gone, their hours were spent; the slowest frame on disk is named."""
    files = [file(1, 1), file(1, 2), file(2, 2), file(2, 2, file_id="old", is_current=False, size_bytes=7000)]
    seconds = {"1/1": 60.0, "2/1": 120.0, "2/2": 240.0, "old": 7200.0}
    (row,) = ask("shot_cost", {"files": files, "parts": [part(key, render_seconds=value) for key, value in seconds.items()]})
    assert (row["file_count"], row["total_bytes"], row["superseded_bytes"], row["overwritten_hours"]) == (3, 300, 100, 2.0)
    assert (row["seconds_a_frame"], row["worst_seconds"], row["worst_path"]) == (140.0, 240.0, "/s/sh010/v2/key_v2.2.exr")


def test_a_version_whose_later_one_was_removed_is_not_superseded() -> None:
    """What is not on disk supersedes nothing."""
    gone = file(1, 2, deleted_at=query_cases.seeded_catalogue.START)
    (row,) = ask("shot_cost", {"files": [file(1, 1), gone], "parts": []})
    assert (row["file_count"], row["superseded_bytes"]) == (1, 0)


@pytest.mark.parametrize(
    ("means", "jumps"),
    [
        ((1.0, 1.01, 1.0, 3.0, 1.01, 1.0, 1.01, 1.0), [(4, "back")]),
        ((1.0, 1.01, 1.0, 3.0, 3.01, 3.0, 3.01, 3.0), [(4, "stays")]),
        ((1.0, 1.01, 1.0, 1.01, 1.0, 1.01, 3.0), [(7, None)]),
        ((-1.0, -1.01, -1.0, -3.0, -1.01, -1.0, -1.01, -1.0), [(4, "back")]),
        ((1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0), [(5, "back")]),
        ((1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5), []),
        ((1.0, 1.0, 1.0, 1.05, 1.05, 1.05, 1.05, 1.05), []),
        ((1.0, 3.0, 1.0, 3.0, 1.0, 3.0, 1.0, 3.0), []),
        ((1.0, 3.0, 1.0, 1.0), []),
    ],
    ids=["flash", "jump", "at the end", "negative", "black frame", "fade", "too small", "throughout", "too few"],
)
def test_a_jump_stands_out_from_its_sequence(means: tuple[float, ...], jumps: list[tuple[int, str | None]]) -> None:
    """By five times the usual step and a tenth of the means; a fade, a small step and a steady flicker do not."""
    assert [(row["frame_number"], row["returns"]) for row in ask("flicker", brightness(*means))] == jumps


def test_a_gap_is_no_jump() -> None:
    """Frames that are not neighbours are not compared."""
    tables = brightness(1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 3.0)
    tables["files"] = [one for one in tables["files"] if one["frame_number"] not in (6, 7)]
    assert ask("flicker", tables) == []


def pictures(**digests: str) -> dict[str, Rows]:
    """A file for each name, with channels A, B, ... that have these one-letter digests."""
    files = [file(1, file_id=name, file_path=name, sequence_key=None, channel_count=len(digests[name])) for name in digests]
    rows = [
        stats(name, channel, sample_hash=digest)
        for name, letters in digests.items()
        for channel, digest in zip("ABCDEFGH", letters, strict=False)
    ]
    return {"files": files, "pixel_stats": rows}


def repeats(tables: dict[str, Rows]) -> set[tuple[str, str]]:
    """The files that repeat another one, with that one."""
    return {(row["sequence_or_file"], row["same_as"]) for row in ask("same_picture", tables)}


def test_all_channels_decide_whether_two_pictures_are_the_same() -> None:
    """Equal smallest and largest digests are not enough, and of those the equal ones are found whichever sorts first."""
    tables = pictures(one="axcz", other="axdz", again="axdz", swapped="zxca", shorter="axz")
    assert repeats(tables) == {("other", "again")}


def test_what_was_not_measured_whole_is_the_same_as_nothing() -> None:
    """Sampled or partial channels, and files of which a channel was not read."""
    tables = pictures(one="ab", other="ab", third="ab")
    tables["pixel_stats"][2]["is_sampled"] = True
    tables["files"][2]["channel_count"] = 3
    assert repeats(tables) == set()


def test_only_colour_may_not_be_negative() -> None:
    """Depth and what no role is known of may be; both Infinities are one fault."""
    roles = {"R": "beauty", "Z": "depth", "x": None}
    channels = [
        {"file_id": "1/1", "part_index": 0, "channel_index": 0, "channel_name": name, "channel_type": "HALF", "aov_role": role}
        for name, role in roles.items()
    ]
    measured = [stats("1/1", name, negative_count=3, pos_inf_count=1, neg_inf_count=2) for name in roles]
    rows = ask("bad_pixels", {"files": [file(1)], "channels": channels, "pixel_stats": measured})
    said = {(row["channel_name"], row["fault"], row["sample_count"]) for row in rows}
    assert said == {("R", "negative colour", 3), *((name, "Infinity", 3) for name in roles)}


@pytest.mark.parametrize("name", ["bad_pixels", "black_or_constant_frames"])
def test_colour_is_what_the_roles_say(name: str) -> None:
    """The list in the statement has every role of colour; alpha is no picture."""
    statement = questions.load(name).bind()
    roles = {value.name for one in statement.find_all(exp.In) for value in one.expressions}
    assert roles - {"alpha"} == COLOUR_ROLES - {"alpha"}


def test_rows_of_versions_that_are_not_current_are_left_out() -> None:
    """Statistics of a version that was rendered over describe nothing that is there."""
    old = file(1, file_id="old", is_current=False)
    tables = {"files": [old, file(1)], "pixel_stats": [stats("old", nan_count=1, is_constant=True, sample_hash="a")]}
    for name in ("bad_pixels", "black_or_constant_frames", "flicker", "same_picture"):
        assert ask(name, tables) == []


def test_of_what_arrived_every_status_is_counted() -> None:
    """Stills stand for themselves; what came before, or was removed, is not new."""
    day = query_cases.seeded_catalogue.START
    files = [
        file(1, first_seen=day), file(3, first_seen=day, status="damaged"), file(4, first_seen=day, deleted_at=day),
        file(5, first_seen=query_cases.seeded_catalogue.LATEST, status="incomplete"),
        file(6, first_seen=day, sequence_key=None, frame_number=None, file_path="/s/still.exr", status="unreadable"),
    ]  # fmt: skip
    rows = ask("new_files", {"files": files}, since=day.isoformat())
    counted = {row["sequence_or_file"]: [row[key] for key in ("ok", "incomplete", "damaged", "unreadable")] for row in rows}
    assert counted == {"/s/sh010/v1/key_v1.#.exr": [1, 1, 1, 0], "/s/still.exr": [0, 0, 0, 1]}
    assert len(ask("new_files", {"files": files}, since=query_cases.seeded_catalogue.LATEST.isoformat())) == 1


def test_frames_that_keep_a_rule_do_not_stand_among_those_that_break_it() -> None:
    """A row for each run of frames, each rule by itself; a still is a row of its own."""
    files = [*(file(number) for number in range(1001, 1009)), file(1, 2, sequence_key=None, frame_number=None)]
    broken = {"width": [1001, 1002, 1003, 1006, 1007, 1008], "timecode": [1003, 1004]}
    results = [
        {"file_id": f"1/{number}", "policy_id": "studio", "rule_id": rule, "status": "FAIL" if number in numbers else "PASS"}
        for rule, numbers in broken.items()
        for number in range(1001, 1009)
    ]
    still = {"file_id": "2/1", "policy_id": "studio", "rule_id": "width", "status": "FAIL"}
    rows = ask("failed_rules", {"files": files, "validation_results": [*results, still]})
    assert [(row["rule_id"], row["first_frame"], row["last_frame"], row["file_count"]) for row in rows] == [
        ("timecode", 1003, 1004, 2), ("width", 1001, 1003, 3), ("width", 1006, 1008, 3), ("width", None, None, 1),
    ]  # fmt: skip
    (width,) = (fault for fault in problems.failed_rules(rows[1:3]))
    assert (width.frames, width.count) == (((1001, 1003), (1006, 1008)), 6)
