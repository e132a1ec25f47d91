"""docs/TD_DAY.md fits 80 columns and finds what was planted; that its blocks run is test_docs_blocks' business."""

from __future__ import annotations

import re

import pytest

from exr_inspector.operations.planted_show import PLANTED
from project import ROOT

TEXT = (ROOT / "docs/TD_DAY.md").read_text(encoding="utf-8")
ANSWERS = re.findall(r"^```console\n(\$ .*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_no_line_of_an_answer_is_longer_than_80_columns(answer: str) -> None:
    """But for commands to copy, which would not work in pieces."""
    assert [line for line in answer.splitlines() if len(line) > 80 and not line.strip().startswith(("fix: ", "$ "))] == []


@pytest.mark.parametrize(
    ("heading", "fault", "shown"),
    [
        ("What is broken?", "cut short", "1003    incomplete"),
        ("What is broken?", "no EXR", "1004    unreadable"),
        ("What is missing?", "missing", "1006        1"),
        ("What is frozen?", "frozen", "1007-1008"),
        ("Which frame has another resolution?", "wrong resolution", "1009"),
        ("Which frame has channels of another type?", "wrong type", "1004           3"),
        ("Which pixels are not numbers, and which frame is black?", "NaN", "NaN        0  R             1  1005"),
        (
            "Which pixels are not numbers, and which frame is black?",
            "black",
            "beauty       1        10  1006",
        ),
        ("Where did renderer or compression change?", "drift", "1008-1010       3  Arnold 7.4.0.0  piz"),
    ],
)
def test_what_was_planted_is_found(heading: str, fault: str, shown: str) -> None:
    """In the section that asks for it, at the shot and the frames where it was planted."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    shot, frames = PLANTED[fault]
    assert shown in section
    assert f"/{shot}/" in section
    assert str(frames[0]) in shown
