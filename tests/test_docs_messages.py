"""docs/TROUBLESHOOTING.md has every message that the code can give, and gives it as the code does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

import exr_checks
import exr_errors
from databases import prepared
from exr_header import Finding
from object_store import object_store
from project import ROOT
from provocations import PROVOKED, Place
from scripts import message_sites, messages
from scripts.message_sites import PAYLOAD_FIELD, Site
from vast_settings import environment_name

TEXT = messages.PAGE.read_text(encoding="utf-8")
WRITTEN = TEXT.partition(messages.BEGIN)[0]
PROBLEMS = messages.sections(WRITTEN)
"""Heading -> text; the rollbacks have headings of the same level, and no message."""
LABELS = ("Message", "Cause", "Check", "Remedy")
WITHOUT_MESSAGE = {heading for heading, text in PROBLEMS.items() if "* Message:" not in text}


def spoken(heading: str) -> list[str]:
    """The messages that a problem shows."""
    found = re.search(r"^\* Message: (.+(?:\n  .+)*)", PROBLEMS[heading], re.MULTILINE)
    assert found, heading
    if found[1].startswith(("none", "the rule's own")):
        return []
    return re.findall(r"`([^`]+)`", found[1])


def pattern(message: str) -> re.Pattern[str]:
    """What a message with `<name>` for values matches."""
    parts = re.split(r"<[^<>]*>", message)
    return re.compile(".*".join(map(re.escape, parts)), re.DOTALL)


@pytest.fixture(scope="module")
def shared() -> Iterator[Place]:
    """One database and one object store for all problems."""
    with prepared() as db, object_store() as objects:
        yield Place(db, objects, Path())


@pytest.fixture
def place(shared: Place, tmp_path: Path) -> Iterator[Place]:
    """The same, with a folder of its own, and no faults left from the problem before."""
    yield Place(shared.db, shared.objects, tmp_path)
    shared.db.server.faults.clear()
    shared.objects.before = lambda count: None


@pytest.fixture(scope="module")
def known() -> Sequence[Site]:
    """Every message of the tables."""
    return messages.every_site()


@pytest.mark.parametrize("heading", PROVOKED)
def test_a_problem_gives_the_message_that_the_page_shows(heading: str, place: Place, known: Sequence[Site]) -> None:
    """What is given matches a message of the problem, each of which is given; the tables have it, too."""
    given = list(PROVOKED[heading](place))
    shown = spoken(heading)
    rows = [pattern(site.message) for site in known]
    for text in given:
        assert any(pattern(message).fullmatch(text) for message in shown) or not _is_about(text, shown), text
        assert any(row.fullmatch(part) for row in rows for part in (text, *text.split(". "), text.partition(": ")[2])), text
    for message in shown:
        assert any(pattern(message).fullmatch(text) for text in given), (message, given)


def _is_about(text: str, shown: list[str]) -> bool:
    """Whether a text is one of the problem's: a damaged file has other findings beside."""
    return any(text.split()[:3] == message.split()[:3] for message in shown)


def test_every_message_that_a_problem_shows_is_provoked() -> None:
    """No message is written from memory, and no provocation is about a problem that the page has not."""
    assert {heading for heading in PROBLEMS.keys() - WITHOUT_MESSAGE if spoken(heading)} == set(PROVOKED)


@pytest.mark.parametrize("heading", sorted(PROBLEMS.keys() - WITHOUT_MESSAGE))
def test_a_problem_has_a_cause_a_check_and_a_remedy(heading: str) -> None:
    """In this order, each in a line of its own."""
    labels = re.findall(r"^\* (\w+): \S", PROBLEMS[heading], re.MULTILINE)
    assert [label for label in labels if label != "Codes"] == list(LABELS)


def test_the_page_has_what_users_meet() -> None:
    """Thirty problems or more, and the ways back."""
    assert len(PROBLEMS) - len(WITHOUT_MESSAGE) >= 30
    assert {"Code only", "A patch", "The schema", "Everything"} == WITHOUT_MESSAGE


def test_the_tables_are_those_of_the_code() -> None:
    """scripts/generate_messages writes them; it refuses a code that no problem names."""
    assert messages.page() == TEXT


def test_a_code_without_a_problem_is_refused() -> None:
    """Whoever adds a message has to explain it."""
    with pytest.raises(ValueError, match="commit_lost"):
        messages.tables({heading: text for heading, text in PROBLEMS.items() if "commit" not in heading})


def test_no_problem_names_a_code_that_the_code_has_not(known: Sequence[Site]) -> None:
    """A code that is gone goes from the page, too."""
    named = {code for text in PROBLEMS.values() for code in messages.codes_of(text)}
    assert named <= {site.code for site in known}


def test_every_literal_of_a_raise_is_in_the_tables(known: Sequence[Site]) -> None:
    """Counted apart from the reading of sites: the words of each `raise` of an error of ours stand in a message."""
    words = " ".join(site.message for site in known)
    missing = [text for path in message_sites.modules() for text in _raised_words(path) if text not in words]
    assert missing == []


def _raised_words(path: Path) -> Iterator[str]:
    """The literal pieces, of three words or more, in the first argument of each `raise`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            if ast.unparse(node.exc.func) in ("AssertionError", "OverflowError"):
                continue
            first = node.exc.args[0]
            pieces = first.values if isinstance(first, ast.JoinedStr) else [first]
            texts = [piece.value for piece in pieces if isinstance(piece, ast.Constant) and isinstance(piece.value, str)]
            yield from (text.strip() for text in texts if len(text.split()) > 2 and path.name != "doctor.py")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('raise BadEvent("no object", remedy="Name one")', {("bad_event", "no object", "Name one", "reject")}),
        ('name = f"{x!r} is odd"\nraise Retry(name, code="late")', {("late", "'<x>' is odd", "", "retry")}),
        ('if x:\n    t = "one"\nelse:\n    t = "other"\nraise Skip(t)', {("skipped", t, "", "skip") for t in ("one", "other")}),
        ('t = "first"\nraise Skip(t)\nt = "second"\nraise Skip(t)', {("skipped", t, "", "skip") for t in ("first", "second")}),
        ('raise Reject("a" if x else "b")', {("rejected", t, "", "reject") for t in ("a", "b")}),
        ('raise Skip(f"{environment_name(\'s3_endpoint\')} is missing")', {("skipped", "S3_ENDPOINT is missing", "", "skip")}),
        ('yield Finding("warning", "odd_thing", f"{len(x)} things")', {("odd_thing", "<number> things", "", "warning")}),
        ('entry = {"code": "entry_code", "message": "an entry"}', {("entry_code", "an entry", "", "warning")}),
        ('raise BadPayload("file", "a text", x)', {("bad_payload", PAYLOAD_FIELD.format("a text"), "", "reject")}),
        ('raise Skip(x.message)', set()),
    ],
)  # fmt: skip
def test_a_site_is_read_from_source(source: str, expected: set[tuple[str, str, str, str]]) -> None:
    """Code, text, remedy and verdict follow from how the error is made; a text that is somebody else's is none."""
    assert {(one.code, one.message, one.remedy, one.verdict) for one in _read(f"def f(x):\n{_indented(source)}")} == expected


def test_what_a_helper_makes_is_read_from_its_callers() -> None:
    """A helper that takes code and message is no site; each call is one."""
    helper = 'def bad(code, message, what="file"):\n    return BadHeader(f"{what}: {message}", offset=1, code=code)\n'
    found = _read(f'{helper}def f():\n    raise bad("one", "is odd")\ndef g():\n    raise bad("two", "is even", "part")\n')
    assert {(one.code, one.message) for one in found} == {("one", "file: is odd"), ("two", "part: is even")}


def _read(text: str) -> list[Site]:
    names = SimpleNamespace(**vars(exr_errors), Finding=Finding, environment_name=environment_name)
    return message_sites.found_in(message_sites.Source("sample.py", ast.parse(text), names))


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def test_the_kinds_of_rules_are_those_of_the_checks() -> None:
    """The second table has every kind of rule, with the codes of its helpers."""
    codes = messages.policy_codes()
    assert list(codes) == list(exr_checks.CHECKS)
    assert {"view_missing", "part_count_not_allowed"} <= set(codes["parts"])
    assert "color_space_missing" in codes["color_space"]


def test_commands_of_the_page_exist() -> None:
    """Every script that the page names is there, and has the options that the page gives it."""
    for code in re.findall(r"`(scripts/[^`]+)`", WRITTEN):
        name, *words = code.split()
        path = ROOT / name
        assert path.exists(), name
        shared = (ROOT / name for name in ("scripts/upkeep.py", "scripts/connection.py", "scripts/validation.py", "main.py"))
        known = "".join(source.read_text(encoding="utf-8") for source in (path, *shared))
        assert [word for word in words if word.startswith("--") and word not in known] == [], code


def test_the_tables_end_the_page() -> None:
    """Writing them leaves nothing of earlier ones behind, whatever the messages hold."""
    assert TEXT.endswith(f"{messages.END}\n")
    assert len(re.findall(r"^\| kind of rule \|", TEXT, re.MULTILINE)) == 1
