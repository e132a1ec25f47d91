"""The page of questions has every question of docs/queries, says of it what its file says, and shows an answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import analytics, questions
from scripts.questions import Question

QUESTION = """\
-- Question: Which files are large?
-- Asked by: people who pay for storage
-- Note: larger than $least.
-- $least integer: bytes at least
-- $before time = now-30d: last inspected before
-- $show text = null: only this show; null asks all
-- $limit integer = 50: rows at most
SELECT file_path, metadata_embedding FROM files
WHERE is_current AND size_bytes >= $least AND last_inspected < $before AND etag IS NOT NULL
    AND ($show IS NULL OR show_name = $show)
ORDER BY file_path LIMIT $limit
"""


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Question:
    """One question, and no other."""
    question = questions.read("large", QUESTION)
    monkeypatch.setattr(questions, "load", lambda _: question)
    monkeypatch.setattr(questions, "names", lambda: ["large"])
    return question


def test_the_page_says_what_the_files_say() -> None:
    """scripts/generate_analytics writes it; every question stands there exactly once."""
    assert analytics.page() == analytics.PAGE.read_text(encoding="utf-8")


def test_every_question_shows_what_it_answers() -> None:
    """Below its description stands the output of the command that asks it."""
    text = analytics.PAGE.read_text(encoding="utf-8")
    for name in questions.names():
        section = text.split(f"<!-- question: {name} -->")[1].split("\n### ")[0]
        assert f"<!-- output(catalogue): scripts/query.py {name}" in section, name


def test_every_question_stands_below_a_need() -> None:
    """The list of all questions names the heading of each, and no more than the page has."""
    text = analytics.PAGE.read_text(encoding="utf-8")
    rows = [line for line in analytics.index(text) if "](#" in line]
    needs = {row.split(" | ")[0].removeprefix("| ") for row in rows}
    assert len(rows) == len(questions.names())
    assert needs <= set(re.findall(r"^## (.+)$", text, re.MULTILINE))
    assert len(needs) == 7


def test_a_question_is_described_by_its_header_and_its_statement(planted: Question) -> None:
    """Question, asker, note, parameters with the common ones short, the columns and conditions, the SQL by link."""
    assert list(analytics.lines("large")) == [
        "**Which files are large?** Asked by people who pay for storage.",
        "\nLarger than `least`.",
        "",
        "* Parameters: `show`, `limit` (50); `least` (integer, needed): bytes at least; "
        "`before` (time, now-30d): last inspected before.",
        "* Reads 6 of 43 columns of `files`, `metadata_embedding` among them, where `etag IS NOT NULL` and `is_current` and "
        "`last_inspected < a time` and `size_bytes >= 0`.",
        "* SQL: [large.sql](queries/large.sql), [for Trino](queries/trino/large.sql).",
    ]


def page_of(folder: Path, text: str) -> Path:
    """A page with this text."""
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return path


SECTION = "## A need\n\n### large\n\n<!-- question: large -->\nold\n<!-- /question -->\n\nBy hand.\n"


def test_what_is_written_by_hand_stays(planted: Question, tmp_path: Path) -> None:
    """Only what stands between the marks is written again; twice is as once."""
    path = page_of(tmp_path, f"Head.\n\n<!-- questions -->\nold\n<!-- /questions -->\n\n{SECTION}")
    made = analytics.page(path)
    assert made.startswith("Head.\n\n<!-- questions -->\n| need |")
    assert "| A need | Which files are large? | [large](#large) |\n<!-- /questions -->" in made
    assert made.endswith("<!-- /question -->\n\nBy hand.\n")
    assert "old" not in made
    assert analytics.page(page_of(tmp_path, made)) == made


@pytest.mark.parametrize(
    ("text", "odd"),
    [("", "large"), (SECTION + SECTION, "large"), (SECTION.replace("large", "small"), "large, small")],
)
def test_a_page_that_has_not_every_question_once_is_refused(planted: Question, tmp_path: Path, text: str, odd: str) -> None:
    """The message names what is missing, twice there, or unknown."""
    with pytest.raises(analytics.Unasked, match=f"exactly once: {odd}$"):
        analytics.page(page_of(tmp_path, text))
