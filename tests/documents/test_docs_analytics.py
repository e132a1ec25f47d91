"""The page of questions shows what each question answers."""

from __future__ import annotations

from scripts import analytics, questions


def test_every_question_shows_what_it_answers() -> None:
    """Below its description stands the output of the command that asks it."""
    text = analytics.PAGE.read_text(encoding="utf-8")
    for name in questions.names():
        section = text.split(f"<!-- question: {name} -->")[1].split("\n### ")[0]
        assert f"<!-- output(catalogue): scripts/query.py {name}" in section, name
