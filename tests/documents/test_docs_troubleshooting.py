"""docs/TROUBLESHOOTING.md: each problem gives the message that the page shows, and each code of an error has its place there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import prepared
from exr_inspector.database.rulings import DATABASE_RULINGS
from exr_inspector.errors import InspectorError
from object_store import object_store
from project import ROOT, tracked
from provocations import PROVOKED, Scene

TEXT = (ROOT / "docs/TROUBLESHOOTING.md").read_text(encoding="utf-8")
_SPLIT = re.split(r"^### (.+)$", TEXT, flags=re.MULTILINE)
PROBLEMS = {heading: text for heading, text in zip(_SPLIT[1::2], _SPLIT[2::2], strict=True) if "* Message:" in text}
LABELS = ["Message", "Cause", "Check", "Remedy"]
CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")


def messages_shown(heading: str) -> list[str]:
    """The messages that a problem shows; none where the page says that there is none, or that a rule writes its own."""
    match = re.search(r"^\* Message: (.+(?:\n  .+)*)", PROBLEMS[heading], re.MULTILINE)
    assert match, heading
    return [] if match[1].startswith(("none", "the rule's own")) else re.findall(r"`([^`]+)`", match[1])


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
    """Each message of the page is given. What is given besides begins otherwise: a damaged file has other findings, too."""
    given, shown = list(PROVOKED[heading](place)), messages_shown(heading)
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
    """In this order, each in a line of its own."""
    labels = re.findall(r"^\* (\w+): \S", PROBLEMS[heading], re.MULTILINE)
    assert [label for label in labels if label != "Codes"] == LABELS


def code_positions(trees: list[ast.Module]) -> Iterator[tuple[str, int]]:
    """Each function or data class that takes a `code`, and which of its arguments that is."""
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in node.args.args if argument.arg not in ("self", "cls")]
        elif isinstance(node, ast.ClassDef) and not node.bases:
            targets = [item.target for item in node.body if isinstance(item, ast.AnnAssign)]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        else:
            continue
        if "code" in names:
            yield node.name, names.index("code")


def codes_given() -> Iterator[str]:
    """The codes that the code gives: literals passed as a `code`, the codes of error classes and of the client's errors."""
    trees = [ast.parse(path.read_bytes()) for path in tracked("exr_inspector/*.py")]
    positions = dict(code_positions(trees))
    for call in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func).rpartition(".")[2]
        passed = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
        passed += call.args[positions[name] :][:1] if name in positions else []
        yield from (node.value for value in passed for node in ast.walk(value) if isinstance(node, ast.Constant))
    classes = [InspectorError]
    for error in classes:
        classes += error.__subclasses__()
    yield from (error.code for error in classes)
    yield from (ruling.code for ruling in DATABASE_RULINGS.values())


def test_every_code_has_its_place_on_the_page() -> None:
    """Whoever searches for the code in front of them finds what it means."""
    codes = {code for code in codes_given() if isinstance(code, str) and CODE.fullmatch(code)}
    assert len(codes) > 60
    assert sorted(code for code in codes if f"`{code}`" not in TEXT) == []
