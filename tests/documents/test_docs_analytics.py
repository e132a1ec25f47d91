"""The page of questions shows what each question answers."""

from __future__ import annotations

from exr_inspector.catalogue import questions
from generators import queries


def test_every_question_shows_what_it_answers() -> None:
    """Below its description stands the output of the command that asks it."""
    text = queries.PAGE.read_text(encoding="utf-8")
    for name in questions.names():
        section = text.split(f"<!-- question: {name} -->")[1].split("\n### ")[0]
        assert f"<!-- output(catalogue): exr-inspector ask {name}" in section, name
