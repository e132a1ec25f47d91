"""A table fits its terminal: nothing is broken, what all rows share is said once, and what does not fit is named."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest

import query_cases
from exr_inspector.catalogue import library, tables
from exr_inspector.catalogue.tables import Look

RULE = re.compile(r"[ ─]*─[ ─]*")
NOT_SHOWN = re.compile(r"not shown: (.*) \(--wide, --columns\)")


class Terminal(io.StringIO):
    """What is no terminal, whose width COLUMNS says."""


def shown(rows: list[dict[str, Any]], width: int, monkeypatch: pytest.MonkeyPatch, **look: Any) -> list[str]:
    """The lines of a table."""
    monkeypatch.setenv("COLUMNS", str(width))
    file = Terminal()
    tables.show(rows, file, "Which?", Look(**look))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 110])
@pytest.mark.parametrize("name", library.names())
def test_every_question_fits_the_terminal(name: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is longer, no word is broken, and every column is shown, said above, or named as left out."""
    rows = query_cases.golden(name)
    lines = shown(rows, width, monkeypatch)
    assert max(map(len, lines)) <= width
    assert len(lines) <= 6 * len(rows) + 12, "a row takes a line, or a few where it has sentences"
    broken = [word for line in lines for word in line.split() if "…" in word and "/" not in word]
    assert broken == []
    left_out = " ".join(NOT_SHOWN.findall(" ".join(lines)))
    words = {word for line in lines for word in line.split()}
    for row in rows:
        for column, value in row.items():
            if isinstance(value, str) and value.count(" ") > 2 and column not in left_out:
                assert set(value.split()) <= words


def test_what_is_left_out_is_named_with_the_way_to_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last columns go first, never the file, its frames and its status; --columns and --wide bring them back."""
    rows = query_cases.golden("broken_frames")
    lines = shown(rows, 80, monkeypatch)
    (left_out,) = NOT_SHOWN.findall(" ".join(lines))
    assert left_out == "bytes_missing, error_code"
    assert [line.split() for line in lines if "truncated" in line] == [
        ["apollo/sq020/sh010/beauty/v001", "1030", "incomplete", "truncated", "45", "of", "68"]
    ]
    wide = shown(rows, 80, monkeypatch, wide=True)
    assert all(column in wide[2] for column in rows[0])
    assert rows[0]["file_path"] in wide[4]
    assert "not_exr" in " ".join(shown(rows, 80, monkeypatch, columns=("file_path", "error_code")))


def test_what_all_rows_share_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder and the constant columns stand above the table; empty columns do not stand at all."""
    row = {"show_name": "apollo", "status": "incomplete", "size_bytes": 10, "error_code": None}
    rows = [row | {"file_path": f"/shows/apollo/{shot}/a.exr", "host": shot} for shot in ("sh010", "sh020")]
    lines = shown(rows, 80, monkeypatch)
    assert lines[:3] == ["Which?", "in /shows/apollo", "status incomplete, size 10 B"]
    assert [line.split() for line in lines[-2:]] == [["sh010/a.exr", "sh010"], ["sh020/a.exr", "sh020"]]
    assert not any("error" in line for line in lines)


def test_what_has_no_name_in_any_row_is_said_to_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the layer of channels that stand by themselves."""
    rows = [{"layer_name": "", "role": "beauty", "files": at} for at in (1, 2)]
    assert shown(rows, 80, monkeypatch)[1] == "no layer, role beauty"


def test_rows_that_differ_in_their_frame_alone_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbouring frames are a range, and a frame that equals another counts with it."""
    paths = [f"/shows/apollo/sh010/beauty/v001/sh010_beauty_v001.{number}.exr" for number in (1021, 1022, 1023, 1030)]
    rows = [{"file_path": path, "status": "incomplete"} for path in paths]
    (line,) = [line for line in shown(rows, 80, monkeypatch) if "1021" in line]
    assert line.split() == ["1021-1023,1030"]
    frozen = [{"sequence_key": "/a/b.#.exr", "frame_number": frame, "same_as_frame": frame + 1} for frame in (1020, 1021)]
    assert "1020-1022" in shown(frozen, 80, monkeypatch)


def test_one_row_that_does_not_fit_is_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each column, wrapped between words."""
    row = {f"column_{at}": f"value number {at} of many" for at in range(9)}
    lines = shown([row], 40, monkeypatch)
    assert lines[2:4] == ["column 0  value number 0 of many", "column 1  value number 1 of many"]
    assert len(lines) == 2 + len(row)


def test_numbers_stand_as_people_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes, durations, memory (21,000 MiB), times and windows; programs get them as they are."""
    window = json.dumps({"min": {"x": 0, "y": 0}, "max": {"x": 1919, "y": 1079}})
    row = {
        "stored_bytes": 5_047_094_461, "average_seconds": 5979.4, "peak_memory_mb": 21_000.0, "ratio": 2.17580465,
        "oldest_inspection": "2026-03-09T06:04:02Z", "data_window": window, "is_deep": True, "nothing": None,
    }  # fmt: skip
    cells = re.split(r" {2,}", shown([row], 110, monkeypatch)[-1].strip())
    assert cells == ["5.05 GB", "1 h 40 min", "22 GB", "2.18", "2026-03-09 06:04", "1920x1080", "yes"]


def test_statuses_are_coloured_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is where there is none."""
    rows = [{"file_path": f"/a/{status}.exr", "status": status} for status in ("ok", "unreadable")]
    styles = {str(span.style) for line in tables.lines(rows, 80, Look()) if not isinstance(line, str) for span in line.spans}
    assert {"green", "red"} <= styles
    assert not any("\x1b" in line for line in shown(rows, 80, monkeypatch))


def test_several_rows_about_one_sequence_stand_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they would not fit beside it."""
    lines = shown(query_cases.golden("drift_within_sequence"), 80, monkeypatch)
    at = lines.index("apollo/sq040/sh060/crypto/v001")
    assert [line.split()[:2] for line in lines[at + 1 : at + 3]] == [["1001-1039", "39"], ["1040-1045", "6"]]


def test_hashes_go_before_what_a_person_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a row does not fit, its id is left out, not the figure that was asked for."""
    monkeypatch.setenv("COLUMNS", "80")
    rows = [{"file_id": f"{n:064x}", "file_path": f"/shows/a/{n}.exr", "distance": n / 8} for n in range(3)]
    shown = io.StringIO()
    tables.show(rows, shown)
    assert "distance" in shown.getvalue().partition("not shown")[0]
    assert "not shown: file_id" in shown.getvalue()


def test_rows_of_one_sequence_that_lie_apart_do_not_stand_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order says which shot costs most; a sequence above each row would say it again and again."""
    rows = [row for row in query_cases.golden("shot_cost") if row["show_name"] == "caldera"]
    lines = shown(rows[:6], 80, monkeypatch)
    above = [line for line in lines if re.fullmatch(r"sq\d+", line)]
    assert len(set(above)) == len(above)


def test_a_row_about_a_shot_is_not_about_its_worst_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its frames are those of the shot, or none."""
    lines = shown(query_cases.golden("shot_cost"), 110, monkeypatch)
    assert not any(line.startswith("in ") for line in lines)
    assert "frames" not in " ".join(lines).split()


def test_a_range_beside_its_count_has_a_title_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two columns named frames would leave open which is which."""
    head = " ".join(shown(query_cases.golden("bad_pixels"), 110, monkeypatch))
    assert "frames  range" in head


def test_what_is_long_is_told_by_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix is shown; --wide, and what programs read, has all numbers of a vector, and the whole of a payload."""
    rows = [{"status": "ok", "vector": [0.5 * at] * 384, "matrix": [at] * 16} for at in range(2)]
    text = "\n".join(shown(rows, 80, monkeypatch))
    assert text.count("[384 numbers]") == 2
    payload = [{"status": "ok", "raw_output": "x" * 17_000}]
    assert "".join("".join(shown(payload, 80, monkeypatch)).split()).endswith("x...[17,000characters]")
    assert "x" * 17_000 in "\n".join(shown(payload, 80, monkeypatch, wide=True))
    assert ", ".join(["1"] * 4) in text
    assert "[384 numbers]" not in "\n".join(shown(rows, 80, monkeypatch, wide=True))


def test_a_path_is_not_shortened_to_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """What all rows share is said above them, but for the layer, without which a version says nothing."""
    folder = "s3://renders/apollo/sh020/beauty"
    rows = [
        {"file_path": f"{folder}/v003/sh020_beauty_v003.{at}.exr", "layer_key": f"{folder}/v#/sh020_beauty_v#.#.exr", "frame": at}
        for at in (1001, 1002)
    ]
    text = "\n".join(shown(rows, 80, monkeypatch))
    assert "in s3://renders/apollo/sh020\n" in text
    assert "file beauty/v003, layer key beauty/v#" in text
