"""docs/TROUBLESHOOTING.md: each problem gives the messages that it shows, and docs/ERRORS.md has every code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import prepared
from exr_inspector.database.rulings import DATABASE_RULINGS
from exr_inspector.operations.integrity import REMEDIES
from generators import errors
from object_store import object_store
from project import ROOT, tracked
from provocations import PROVOKED, Scene

TEXT = (ROOT / "docs/TROUBLESHOOTING.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs/ERRORS.md").read_text(encoding="utf-8")
_SPLIT = re.split(r"^### (.+)$", TEXT, flags=re.MULTILINE)
PROBLEMS = dict(zip(_SPLIT[1::2], _SPLIT[2::2], strict=True))
CODE_GIVEN = re.compile(r"""^    code = "(\w+)"|\bcode="(\w+)"|\bRuling\(\w+, "(\w+)\"""", re.MULTILINE)
TITLES = (
    "VAST_DB_ENDPOINT not configured", "Failed to create VAST DataBase session", "Connection timeout", "Vector size mismatch",
    "Vector is not normalized", "Transaction failed", "Rollback failed", "Cannot convert int32 to float32",
    "Vector queries are slow", "Embedding computation is slow", "Validation policy not found",
)  # fmt: skip
"""What users of earlier versions search for."""


def messages_shown(heading: str) -> list[str]:
    """The messages that a problem shows; none where it has none."""
    match = re.search(r"^\* Message: (.+(?:\n  .+)*)", PROBLEMS[heading], re.MULTILINE)
    shown = re.findall(r"`([^`]+)`", match[1]) if match else []
    return [text for text in shown if " " in text]


def pattern(message: str) -> re.Pattern[str]:
    """What a message with `<name>` for values matches."""
    return re.compile(".*".join(map(re.escape, re.split(r"<[^<>]*>", message))), re.DOTALL)


@pytest.fixture(scope="module")
def shared() -> Iterator[Scene]:
    """One database and one object store for all problems."""
    with prepared() as db, object_store() as objects:
        yield Scene(db, objects, Path())


@pytest.fixture
def place(shared: Scene, tmp_path: Path) -> Iterator[Scene]:
    """The same, with a folder of its own, and no faults left from the problem before."""
    yield Scene(shared.db, shared.objects, tmp_path)
    shared.db.server.faults.clear()
    shared.objects.before = lambda count: None


@pytest.mark.parametrize("heading", PROVOKED)
def test_a_problem_gives_the_messages_that_the_page_shows(heading: str, place: Scene) -> None:
    """Each of them, and no message in other words."""
    given = [text for provoke in PROVOKED[heading] for text in provoke(place)]
    shown = messages_shown(heading)
    for message in shown:
        assert any(pattern(message).fullmatch(text) for text in given), (message, given)
    for text in given:
        alike = [message for message in shown if message.split()[:3] == text.split()[:3]]
        assert not alike or any(pattern(message).fullmatch(text) for message in shown), text


def test_every_message_that_a_problem_shows_is_provoked() -> None:
    """No message is written from memory, and no provocation is about a problem that the page does not have."""
    assert {heading for heading in PROBLEMS if messages_shown(heading)} == set(PROVOKED)


@pytest.mark.parametrize("heading", PROBLEMS)
def test_a_problem_has_a_cause_a_check_and_a_remedy(heading: str) -> None:
    """In this order, each in a line of its own; most have messages and codes before them."""
    labels = re.findall(r"^\* (\w+): \S", PROBLEMS[heading], re.MULTILINE)
    assert labels in (["Message", "Cause", "Check", "Remedy"], ["Cause", "Check", "Remedy"])


def test_the_page_can_be_read() -> None:
    """In one sitting, and by the titles that users of earlier versions know."""
    assert len(TEXT.splitlines()) <= 600
    assert [title for title in TITLES if not any(title in heading for heading in PROBLEMS)] == []


def test_every_code_is_listed() -> None:
    """Those of error classes, of the client's errors, of findings, and those that problems name."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in tracked("exr_inspector/*.py"))
    codes = {code for found in CODE_GIVEN.findall(sources) for code in found if code}
    codes |= {ruling.code for ruling in DATABASE_RULINGS.values()} | REMEDIES.keys()
    codes |= {code for _, named in errors.problems() for code in named}
    assert len(codes) > 100
    assert sorted(code for code in codes if f"`{code}`: " not in ERRORS) == []
