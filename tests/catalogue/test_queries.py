"""Every question gives the golden rows, from the query engine and from the client, and finds what was planted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlglot

import query_cases
import seeded_catalogue
from exr_inspector.catalogue import connection, engine, questions
from exr_inspector.database import rows as vast_rows
from exr_inspector.embedding.vectors import BLOCKS
from seeded_catalogue import PLANTED, sequence_key

QUESTIONS = questions.names()


@pytest.fixture(scope="module")
def target() -> Iterator[connection.Target]:
    """The seeded catalogue behind an endpoint that speaks VAST's protocols."""
    with seeded_catalogue.served() as server:
        sys.modules.pop("adbc_driver_vastdb", None)  # scripts that need no engine mark it as absent
        environ = {"VAST_DB_ACCESS_KEY": server.access_key, "VAST_DB_SECRET_KEY": server.secret_key}
        yield connection.open_target(connection.settings_of(server.url, "renders/exr", environ))


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_query_engine_gives_the_golden_rows(target: connection.Target, name: str) -> None:
    """Through the ADBC driver, on the server."""
    answer = engine.ask_server(target, query_cases.statement(name))
    assert query_cases.comparable(answer) == query_cases.golden(name)


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_client_gives_the_golden_rows(target: connection.Target, name: str) -> None:
    """DuckDB over what the SDK streams, which works where there is no query engine."""
    answer = engine.ask_client(target, query_cases.statement(name))
    assert query_cases.comparable(answer) == query_cases.golden(name)


def test_of_few_files_alone_the_client_reads_what_differs(target: connection.Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of channels and attributes of the odd frames and the sample beside them, not those of the whole table."""
    rows: dict[str, int] = {}
    copy_rows = engine.copy_rows

    def count_rows(sql: Any, name: str, reader: Any) -> None:
        table = reader.read_all()
        rows[name] = table.num_rows
        copy_rows(sql, name, table.to_reader())

    monkeypatch.setattr(engine, "copy_rows", count_rows)
    engine.ask_client(target, query_cases.statement("frames_unlike_sequence"))
    odd = len(query_cases.golden("frames_unlike_sequence"))
    assert odd < rows["parts"] <= 2 * 10 * odd
    assert rows["channels"] < seeded_catalogue.tables()["channels"].num_rows / 50
    assert rows["attributes"] < seeded_catalogue.tables()["attributes"].num_rows / 50


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_statement_for_trino_parses_and_names_its_tables(name: str) -> None:
    """One statement, of Trino's dialect, over vast."bucket|schema"."table"."""
    (parsed,) = sqlglot.parse(questions.for_trino(query_cases.statement(name), "renders", "exr"), read="trino")
    assert parsed is not None
    tables = questions.tables_of(parsed)
    assert tables
    assert {(table.catalog, table.db) for table in tables} == {("vast", "renders|exr")}


def keys(name: str, column: str) -> set[str]:
    """The values of a column of the golden rows."""
    return {row[column] for row in query_cases.golden(name)}


def test_the_planted_gaps_and_no_other_are_missing() -> None:
    """Three frames of one sequence, and what lies between a stray frame and its sequence."""
    ((key, (first, last)),) = PLANTED["missing"].items()
    *place, stray = PLANTED["stray"]
    rows = query_cases.golden("missing_frames")
    assert [(row["sequence_key"], row["first_missing"], row["last_missing"]) for row in rows] == [
        (key, first, last),
        (sequence_key(*place), stray + 1, seeded_catalogue.FIRST_FRAME - 1),
    ]


def test_the_planted_duplicate_and_no_other_is_found() -> None:
    """One frame under two paddings."""
    ((key, number),) = PLANTED["duplicate"].items()
    assert [(row["sequence_key"], row["frame_number"]) for row in query_cases.golden("duplicate_frames")] == [(key, number)]


BROKEN = ("truncated", "incomplete", "damaged", "unreadable")


def test_the_broken_files_are_those_that_were_planted() -> None:
    """One truncated, one incomplete, one damaged, one unreadable; the damaged one has all its chunks, and says which is wrong."""
    rows = query_cases.golden("broken_frames")
    kinds = {row["frame_number"]: row["completeness"] if row["status"] == "incomplete" else row["status"] for row in rows}
    assert kinds == {PLANTED[what][4]: what for what in BROKEN}
    assert {(row["shot_name"], row["frame_number"]) for row in rows} == {PLANTED[what][2::2] for what in BROKEN}
    (damaged,) = (row for row in rows if row["status"] == "damaged")
    assert (damaged["completeness"], damaged["error_code"]) == ("complete", "chunk_not_decodable")


def test_similar_renders_are_first_those_of_the_same_setup() -> None:
    """The nearest are the same pass: at distance zero by the camera of that name, near by others; other passes are far."""
    rows = query_cases.golden("similar_renders")
    alike = [row for row in rows if row["distance"] < 0.03]
    assert {row["file_path"].split("/")[7] for row in alike} == {"beauty"}
    assert {row["show_name"] for row in alike} == {"borealis"}
    assert len(alike) == len(seeded_catalogue.SEQUENCES) * len(seeded_catalogue.SHOTS) - 1
    assert [row["shot_name"] for row in alike if row["distance"] == 0] == ["sh010"] * 3
    assert rows[len(alike)]["distance"] > 0.25


def test_a_channel_composition_lists_whole_passes() -> None:
    """Normals, depth and position together are in the utility passes alone."""
    expected = {
        sequence_key(show, sequence, shot, "utility")
        for show in ("borealis", "caldera")
        for sequence in seeded_catalogue.SEQUENCES
        for shot in seeded_catalogue.SHOTS
    }
    assert keys("channel_composition", "sequence_or_file") == expected


def place(show: str, sequence: str, shot: str, name: str, number: int) -> tuple[str, int]:
    """A planted frame as its sequence_key and number."""
    return sequence_key(show, sequence, shot, name), number


def frames(name: str) -> set[tuple[str, int]]:
    """The frames that the golden rows of a question name."""
    return {(row["sequence_key"], row["frame_number"]) for row in query_cases.golden(name)}


def shots(name: str) -> list[tuple[str, str, str]]:
    """The shots that the golden rows of a question name, in order."""
    return [(row["show_name"], row["sequence_name"], row["shot_name"]) for row in query_cases.golden(name)]


def test_the_odd_frames_are_found_with_what_differs() -> None:
    """Channels, their types, attributes, their values, parts; beside them stands the frame with hundreds of channels."""
    rows = query_cases.golden("frames_unlike_sequence")
    differs = {(row["sequence_key"], row["frame_number"]): row["differs_in"] for row in rows}
    assert differs == {
        place(*PLANTED["odd_frame"]): "channel names (-albedo.B, -transmission.R and 19 more), compression, color_space",
        place(*PLANTED["odd_name"]): "channel names (+depth.Z, -Z)",
        place(*PLANTED["odd_type"]): "channel types (P.X, Z and 2 more)",
        place(*PLANTED["odd_attribute"]): "attributes (+lensModel, +lensSerial)",
        place(*PLANTED["odd_value"]): "attribute values (focalLength)",
        place(*PLANTED["odd_part"]): "part name, view",
        place(*PLANTED["too_many_channels"]): "channel names (+light_000.B, +light_109.R and 658 more)",
    }


def change_block(frame: seeded_catalogue.Frame, block: str) -> seeded_catalogue.Frame:
    """The frame with another value in what a block of the vector sees."""
    setup = frame.setup
    changes: dict[str, dict[str, Any]] = {
        "names": {"channels": tuple((f"new.{name}", kind) for name, kind in setup.channels)},
        "types": {"channels": tuple((name, "UINT") for name, _ in setup.channels)},
        "compression": {"compression": "dwaa"},
        "format": {"size": (640, 480)},
        "window": {"overscan": 100},
        "storage": {"kind": "tiledimage"},
        "parts": {"views": ("left", "right")},
        "source": {"software": "Nuke 15.1v2", "color_space": "sRGB"},
    }
    if block in changes:
        return replace(frame, setup=replace(setup, **changes[block]))
    entry = ("lens", "string", "Cooke S4") if block == "attrs" else ("focalLength", "float", 85.0)
    return replace(frame, extra=(entry,))


@pytest.mark.parametrize("block", [block.name for block in BLOCKS])
@pytest.mark.parametrize("odd", [0, 3])
def test_whatever_the_vector_sees_is_said(block: str, odd: int) -> None:
    """A sequence of nine frames, one of them other in one block of the vector, in the sample or not: it has a reason."""
    setup = seeded_catalogue.SHOWS["apollo"][0]
    frames = [seeded_catalogue.Frame("apollo", "sq010", "sh010", setup, 1001 + number, host="farm-1") for number in range(9)]
    frames[odd] = change_block(frames[odd], block)
    rows = [(vast_rows.rows_of(seeded_catalogue.payload(one)), seeded_catalogue.stamp(one)) for one in frames]
    stored = vast_rows.to_tables(rows)
    statement = questions.load("frames_unlike_sequence").bind({"threshold": "0.0005"})
    with query_cases.over(stored) as sql:
        (row,) = engine.run(sql, statement).to_pylist()
    assert row["frame_number"] == 1001 + odd
    said = {
        "names": "channel names", "types": "channel types", "format": "display_window", "window": "data_window",
        "storage": "type", "source": "color_space, software", "attrs": "attributes (+lens)",
        "values": "attribute values (focalLength)",
    }  # fmt: skip
    assert said.get(block, block) in row["differs_in"]


@pytest.mark.parametrize(
    ("numbers", "odd"),
    [
        *((range(1001, 1001 + frames), 1001 + odd) for frames in (3, 4, 6, 16, 17) for odd in (0, frames // 2, frames - 1)),
        (range(1001, 1032, 5), 1016),
        ([1, *range(1001, 1025)], 1),
        ([1, *range(1001, 1025)], 1004),
    ],
)
def test_one_odd_frame_is_found_however_short_the_sequence_is(numbers: Sequence[int], odd: int) -> None:
    """Wherever it stands, also where the sample would draw the centroid to it; with a stray frame far before the others."""
    setup, other = seeded_catalogue.SHOWS["apollo"][0], seeded_catalogue.SHOWS["caldera"][1]
    frames = [
        seeded_catalogue.Frame(
            "apollo", "sq010", "sh010", replace(other, name=setup.name) if number == odd else setup, number, host="farm-1"
        )
        for number in numbers
    ]
    rows = [(vast_rows.rows_of(seeded_catalogue.payload(one)), seeded_catalogue.stamp(one)) for one in frames]
    with query_cases.over(vast_rows.to_tables(rows)) as sql:
        found = engine.run(sql, questions.load("frames_unlike_sequence").bind({})).to_pylist()
    assert [row["frame_number"] for row in found] == [odd]
    assert found[0]["differs_in"].startswith("channel names (")


def test_the_sequences_without_a_family_are_found_alone() -> None:
    """The pass that another program wrote, at another size, and the version of which almost everything is new."""
    row, later = query_cases.golden("sequences_unlike_family")
    assert row["sequence_key"] == sequence_key(*PLANTED["odd_family"])
    assert later["sequence_key"] == sequence_key(*PLANTED["versions"], "v003")
    assert row["nearest_path"].split("/")[6:8] == ["sh060", "fx"]
    said = "channel names (+fire.B, -diffuse_indirect.R and 14 more), compression, type, tiles, data_window, "
    assert row["differs_in"].startswith(f"{said}display_window, software")


def test_both_questions_tell_differences_by_the_same_text() -> None:
    """SQL has no place for what two statements share; so it is the same, word by word."""
    texts = [questions.load(name).sql for name in ("frames_unlike_sequence", "sequences_unlike_family")]
    shared = {text[text.index("topics AS (") : text.index("SELECT\n    unlike.show_name")] for text in texts}
    assert len(shared) == 1


def test_the_oversized_frame_is_found() -> None:
    """Beside it stands only the frame with hundreds of channels, which is large indeed."""
    assert frames("oversized_files") == {place(*PLANTED["oversized"]), place(*PLANTED["too_many_channels"])}


def test_the_uncompressed_pass_is_found_alone() -> None:
    """All of its frames, and their bytes."""
    (row,) = query_cases.golden("uncompressed_files")
    assert row["sequence_or_file"] == sequence_key(*PLANTED["uncompressed"])
    assert row["file_count"] == seeded_catalogue.FRAMES


def test_the_file_with_too_many_channels_is_found_alone() -> None:
    """Both eyes count."""
    (row,) = query_cases.golden("many_channels")
    assert (row["show_name"], row["shot_name"], row["frame_number"]) == (
        PLANTED["too_many_channels"][0], PLANTED["too_many_channels"][2], PLANTED["too_many_channels"][4],
    )  # fmt: skip
    assert row["channel_count"] == 2 * (7 + len(seeded_catalogue.MANY))


def test_deep_files_are_counted_by_renderer_without_the_deleted_one() -> None:
    """Two shows render deep, one of them lost a frame."""
    whole = seeded_catalogue.FRAMES * len(seeded_catalogue.SEQUENCES) * len(seeded_catalogue.SHOTS)
    counted = {(row["show_name"], row["software"]): row["file_count"] for row in query_cases.golden("deep_files")}
    assert counted == {("apollo", "Arnold"): whole - 1, ("borealis", "RenderMan"): whole}


def test_the_failing_and_the_warned_shot_are_found_and_no_other() -> None:
    """In this order; and the rules say which of them fails."""
    assert shots("validation_by_shot") == [PLANTED["failing_shot"], PLANTED["cryptomatte"][:3], PLANTED["warned_shot"]]
    failed = {row["rule_id"]: (row["failed"], row["warned"]) for row in query_cases.golden("validation_by_policy")}
    every = seeded_catalogue.FRAMES
    assert failed == {"compression": (every, 0), "cryptomatte-selectable": (every, 0), "timecode": (0, every)}


def test_coverage_lists_exactly_the_sequences_with_a_planted_fault() -> None:
    """Missing, duplicate, incomplete, truncated, damaged, unreadable and stray frames."""
    broken = {sequence_key(*PLANTED[what][:4]) for what in (*BROKEN, "stray")}
    assert keys("frame_coverage", "sequence_key") == {*PLANTED["missing"], *PLANTED["duplicate"], *broken}
    assert sum(row["frames_missing"] for row in query_cases.golden("frame_coverage")) == 3 + 999


def test_compression_adds_up_to_the_catalogue() -> None:
    """Every current, readable file that was not deleted is counted once."""
    assert sum(row["file_count"] for row in query_cases.golden("compression")) == seeded_catalogue.FILES - 2
    deep = [row for row in query_cases.golden("compression") if row["compression"] == "zips"]
    assert all(row["ratio"] is None for row in deep)


def test_what_was_rendered_again_stands_on_its_day() -> None:
    """The frames of one pass, and no others."""
    again = [row for row in query_cases.golden("render_trends") if row["rendered_again"]]
    assert [(row["show_name"], row["rendered_again"]) for row in again] == [("apollo", seeded_catalogue.FRAMES)]


def test_the_stale_shot_is_found_alone() -> None:
    """And counted where the coverage of inspection is."""
    assert shots("stale_inspections") == [PLANTED["stale"]]
    stale = {row["show_name"]: row["stale"] for row in query_cases.golden("inspection_coverage")}
    assert stale == {None: 0, "apollo": 0, "borealis": 0, "caldera": 3 * seeded_catalogue.FRAMES}


def test_the_shot_without_an_artist_is_found_alone() -> None:
    """All of its passes, and no shot of the show beside it."""
    show, sequence, shot = PLANTED["no_artist"]
    passes = {sequence_key(show, sequence, shot, setup.name) for setup in seeded_catalogue.SHOWS[show]}
    assert keys("files_without_attribute", "sequence_or_file") == passes
    assert keys("attribute_values", "value_text") == {"ayşe", "jonas", "mira"}


def test_the_frozen_frames_are_found_alone() -> None:
    """Three equal frames are two pairs."""
    *where, numbers = PLANTED["frozen"]
    assert frames("frozen_frames") == {(sequence_key(*where), number) for number in numbers[:-1]}


def test_every_drift_is_found_at_its_frame() -> None:
    """Renderer, window, channels and their types: the second run of each sequence begins where the change was planted."""
    runs: dict[str, list[int]] = {}
    for row in query_cases.golden("drift_within_sequence"):
        runs.setdefault(row["sequence_key"], []).append(row["first_frame"])
    drifts = (PLANTED[name] for name in ("drift_software", "drift_window", "drift_channels", "drift_types"))
    assert runs == {sequence_key(*drift[:4]): [seeded_catalogue.FIRST_FRAME, drift[4]] for drift in drifts}


def test_the_largest_savings_are_the_planted_ones() -> None:
    """The uncompressed pass and the beauty in full floats; overscan is that of the show which renders with it."""
    rows = query_cases.golden("storage_what_if")
    ideas = [row for row in rows if row["idea"] != "no overscan"]
    savings = {row["idea"]: (row["show_name"], row["sequence_name"], row["shot_name"]) for row in ideas}
    assert savings == {"compress": PLANTED["uncompressed"][:3], "half floats": PLANTED["floats"][:3]}
    overscanned = {row["shot_name"] for row in rows if row["idea"] == "no overscan" and row["show_name"] != "borealis"}
    assert overscanned == {PLANTED["drift_window"][2]}


def test_the_slow_machine_is_found_alone() -> None:
    """With either renderer of the shot, it takes more than three times as long as its neighbours."""
    rows = query_cases.golden("slow_hosts")
    assert {(row["show_name"], row["sequence_name"], row["shot_name"], row["host"]) for row in rows} == {PLANTED["slow_host"]}
    assert [row["render_product"] for row in rows] == ["Karma", "V-Ray"]
    assert all(row["times_usual"] > 3 for row in rows)


def test_the_shot_with_two_builds_is_found_alone() -> None:
    """Both builds, with the frames that each wrote."""
    assert set(shots("mixed_builds")) == {PLANTED["mixed_builds"]}
    builds = [(row["render_product"], row["build"]) for row in query_cases.golden("mixed_builds")]
    assert builds == [("Blender", "4.1.1"), ("Blender", "4.2.3")]


def test_renumbered_sequences_and_renamed_frames_are_told_apart() -> None:
    """A sequence whose scene counts from 1 is one row of all its frames; a renamed frame is a row of one."""
    answers = {(row["sequence_key"], row["difference"], row["frame_count"]) for row in query_cases.golden("misnumbered_frames")}
    renamed, renumbered = PLANTED["misnumbered"], PLANTED["renumbered"]
    assert answers == {(sequence_key(*renamed[:4]), 1, 1), (sequence_key(*renumbered), -1000, 45)}


def test_layers_are_counted_over_all_parts() -> None:
    """A beauty of the first show has eight named layers and the unnamed one, its cryptomattes three and the unnamed one."""
    counted = {(row["sequence_or_file"].split("/")[7], row["layer_count"]) for row in query_cases.golden("multi_layer_renders")}
    assert counted == {("beauty", 9), ("crypto", 4)}


def test_the_aovs_of_a_shot_are_listed_by_view_and_category() -> None:
    """Both eyes of the stereo render and the view that one frame has by mistake; sizes are those of the samples."""
    rows = query_cases.golden("aov_inventory")
    stereo = {(row["view_name"], row["aov_category"], row["layer_name"]): row for row in rows if row["view_name"]}
    views, frames = ("left", "right", "centre"), seeded_catalogue.FRAMES
    kinds = (("beauty", ""), ("lighting", "diffuse_direct"))
    assert set(stereo) == {(view, *kind) for view in views for kind in kinds}
    assert {key: stereo[key]["file_count"] for key in stereo} == {
        (view, *kind): count for view, count in zip(views, (frames, frames - 1, 1), strict=True) for kind in kinds
    }
    width, height = seeded_catalogue.UHD
    assert stereo["centre", "beauty", ""]["sample_bytes"] == width * height * 4 * 2
    assert stereo["left", "lighting", "diffuse_direct"]["sample_bytes"] == frames * width * height * 3 * 2
    utility = [(row["layer_name"], row["aov_category"], row["aov_role"]) for row in rows if row["view_name"] is None]
    assert ("P", "utility", "position") in utility
    assert ("N", "utility", "normal") in utility
    assert ("", "depth", "depth") in utility


def test_bad_pixels_are_found_with_their_frames_and_the_first_position() -> None:
    """Three frames with NaN, one with Infinity, two with negative colour; negative normals and positions are no fault."""
    rows = query_cases.golden("bad_pixels")
    assert {row["sequence_or_file"] for row in rows} == {sequence_key(*PLANTED["nan"][:4])}
    ranges = {row["fault"]: (row["channel_name"], row["first_frame"], row["last_frame"], row["frame_count"]) for row in rows}
    assert ranges == {
        "NaN": (seeded_catalogue.NAN_CHANNEL, 1011, 1013, 3),
        "Infinity": (seeded_catalogue.INFINITY_CHANNEL, 1020, 1020, 1),
        "negative colour": (seeded_catalogue.NEGATIVE_CHANNEL, 1030, 1031, 2),
    }
    positions = {row["fault"]: (row["first_x"], row["first_y"]) for row in rows}
    assert positions == {"NaN": seeded_catalogue.NAN_AT, "Infinity": (None, None), "negative colour": (None, None)}


def test_black_and_constant_pictures_are_told_apart() -> None:
    """Two black frames and one of one colour; opaque alpha is not a picture, and lights that are off are not asked for."""
    rows = query_cases.golden("black_or_constant_frames")
    assert {row["sequence_or_file"] for row in rows} == {sequence_key(*PLANTED["black"][:4])}
    ranges = {row["kind"]: (row["layer_name"], row["first_frame"], row["last_frame"], row["frame_count"]) for row in rows}
    assert ranges == {"black": ("", 1001, 1002, 2), "constant": ("", 1045, 1045, 1)}


def test_of_every_colour_the_lights_that_are_off_are_black_in_all_frames() -> None:
    """The emission of each measured pass of the first show."""
    with query_cases.over(seeded_catalogue.tables()) as sql:
        rows = engine.run(sql, questions.load("black_or_constant_frames").bind({"role": "emission"})).to_pylist()
    passes = {sequence_key(*place) for place in seeded_catalogue.MEASURED if place[0] == "apollo"}
    assert {row["sequence_or_file"] for row in rows} == passes
    assert {(row["kind"], row["frame_count"], row["frames_of_sequence"]) for row in rows} == {("black", 45, 45)}


def test_a_flash_goes_back_and_a_jump_stays() -> None:
    """Each once, at its frame, with the means on both sides; a black beginning and a constant end are jumps as well."""
    rows = {(row["sequence_key"], row["frame_number"]): row for row in query_cases.golden("flicker")}
    flash, jump = place(*PLANTED["flash"]), place(*PLANTED["jump"])
    dark = sequence_key(*PLANTED["black"][:4])
    assert {key: row["returns"] for key, row in rows.items()} == {
        flash: "back", jump: "stays", (dark, 1003): "stays", (dark, 1045): None,
    }  # fmt: skip
    assert 3.9 < rows[flash]["mean_value"] / rows[flash]["mean_before"] < 4.1
    assert 1.7 < rows[jump]["mean_after"] / rows[jump]["mean_before"] < 1.9
    # All but alpha and the emission, of which every frame is the same.
    assert rows[flash]["channel_count"] == len(seeded_catalogue.BEAUTY) - 4
    assert rows[dark, 1003]["channel_count"] == 3


def test_renders_that_changed_nothing_and_repeated_frames_are_found() -> None:
    """The second version repeats all frames of the first, and one frame repeats the one before it."""
    rows = query_cases.golden("same_picture")
    first, second = sequence_key(*PLANTED["versions"]), sequence_key(*PLANTED["versions"], "v002")
    key, number = place(*PLANTED["same_frame"])
    said = {
        (row["sequence_or_file"], row["same_as"]): (row["file_count"], row["first_frame"], row["same_as_first_frame"])
        for row in rows
    }
    assert said == {(second, first): (seeded_catalogue.FRAMES, 1001, 1001), (key, key): (1, number, number - 1)}


def test_versions_are_listed_latest_first_with_what_changed() -> None:
    """First the layer that was written last: of its third version everything changed, of the second nothing."""
    layer = sequence_key(*PLANTED["versions"]).replace("v001", "v#")
    rows = query_cases.golden("versions")[:3]
    assert {row["layer_key"] for row in rows} == {layer}
    assert [(row["version"], row["frame_count"], row["last_frame"]) for row in rows] == [
        ("v003", 48, 1048), ("v002", 45, 1045), ("v001", 45, 1045),
    ]  # fmt: skip
    assert [row["changed"] for row in rows] == [
        "channels (+Z), resolution 4096x2160 to 4096x1716, compression zip to piz, renderer V-Ray 6.20.02 to Mantra 20.5.370, "
        "frames 1001-1045 to 1001-1048",
        "nothing of these",
        None,
    ]


def test_what_a_shot_could_lose_is_what_has_a_later_version() -> None:
    """The bytes of the first and second of three versions; of other shots, 0 where all versions are the latest."""
    bytes_of = {row["version"]: row["total_bytes"] for row in query_cases.golden("versions") if "/fx/v#" in row["layer_key"]
                and row["sequence_name"] == PLANTED["versions"][1]}  # fmt: skip
    rows = query_cases.golden("shot_cost")
    superseded = {(row["show_name"], row["sequence_name"], row["shot_name"]): row["superseded_bytes"] for row in rows}
    assert {shot: count for shot, count in superseded.items() if count} == {
        PLANTED["versions"][:3]: bytes_of["v001"] + bytes_of["v002"]
    }
    overwritten = {(row["show_name"], row["sequence_name"], row["shot_name"]) for row in rows if row["overwritten_hours"]}
    assert overwritten == {PLANTED["rerendered"][:3], PLANTED["deleted"][:3]}


def test_only_what_came_since_is_new() -> None:
    """The frames of the latest version."""
    (row,) = query_cases.golden("new_files")
    assert row["sequence_or_file"] == sequence_key(*PLANTED["versions"], "v003")
    assert (row["file_count"], row["ok"], row["first_frame"], row["last_frame"]) == (48, 48, 1001, 1048)


def test_broken_rules_are_listed_with_frames_and_what_mends_them() -> None:
    """All frames of two passes; a warning is listed when it is asked for."""
    rows = query_cases.golden("failed_rules")
    said = {row["sequence_or_file"]: (row["rule_id"], row["first_frame"], row["last_frame"], row["file_count"]) for row in rows}
    assert said == {
        sequence_key(*PLANTED["failing_shot"], "beauty"): ("compression", 1001, 1045, 45),
        sequence_key(*PLANTED["cryptomatte"]): ("cryptomatte-selectable", 1001, 1045, 45),
    }
    assert rows[0]["suggested_fix"] == "Write it again with zip"
    with query_cases.over(seeded_catalogue.tables()) as sql:
        warned = engine.run(sql, questions.load("failed_rules").bind({"warnings": "1"})).to_pylist()
    assert {row["shot_name"] for row in warned if row["status"] == "WARN"} == {PLANTED["warned_shot"][2]}


def test_findings_are_listed_also_where_nothing_was_judged() -> None:
    """All frames of a pass of cryptomattes that nothing declares; errors as well; those with a code when it is asked for."""
    rows = {row["sequence_or_file"]: row for row in query_cases.golden("findings")}
    row = rows[sequence_key(*PLANTED["unjudged_cryptomatte"])]
    assert (row["finding_codes"], row["file_count"]) == ("cryptomatte_without_metadata", 45)
    assert rows[sequence_key(*PLANTED["unreadable"][:4])]["finding_codes"] == "not_exr"
    with query_cases.over(seeded_catalogue.tables()) as sql:
        mattes = engine.run(sql, questions.load("findings").bind({"code": "cryptomatte"})).to_pylist()
    assert [one["sequence_or_file"] for one in mattes] == [row["sequence_or_file"]]


def test_a_file_that_was_broken_and_is_whole_is_mended() -> None:
    """The frame whose earlier version was not finished; those that only were rendered again are not."""
    (row,) = query_cases.golden("mended_frames")
    assert (row["show_name"], row["sequence_name"], row["shot_name"]) == PLANTED["mended"][:3]
    assert (row["frame_number"], row["status_before"]) == (PLANTED["mended"][4], "incomplete")


def test_measured_files_are_counted_by_show() -> None:
    """The measured passes, with the later versions of one."""
    rows = {row["show_name"]: row["measured_count"] for row in query_cases.golden("measured_files")}
    assert rows == {"apollo": 3 * 45, "borealis": 0, "caldera": 2 * 45 + 45 + 48, None: 0}
