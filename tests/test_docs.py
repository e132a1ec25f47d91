"""The documents speak of things that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from project import ROOT, tracked

DOCUMENTS = tracked("*.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)*\.(?:py|md|toml|json|sql|txt|yaml|sh)")
MADE_BY_USERS = {"EVENT.json"}


def relative(path: Path) -> str:
    """A document's name in a test's id."""
    return str(path.relative_to(ROOT))


def prose(path: Path) -> str:
    """A document without its code blocks."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """The anchors that a document's headings make."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_internal_link_resolves(document: Path) -> None:
    """Links lead to files of the project, and their anchors to headings."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_file_that_is_named_exists(document: Path) -> None:
    """A file name in code type is a file of the project, from its root, beside the document, or by its last segment."""
    known = {path.name for path in tracked("*")}
    named = {word for code in re.findall(r"`([^`\n]+)`", prose(document)) if FILE.fullmatch(code) for word in [code]}
    missing = {
        name
        for name in named - MADE_BY_USERS
        if not (ROOT / name).exists() and not (document.parent / name).exists() and ("/" in name or name not in known)
    }
    assert missing == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_command_of_the_project_exists(document: Path) -> None:
    """What a shell block runs from scripts/ is there and may be executed."""
    fences = FENCE.findall(document.read_text(encoding="utf-8"))
    blocks = [body for language, body in fences if language in ("console", "bash", "sh")]
    for command in {word for body in blocks for word in re.findall(r"(?:^|\s)(?:\./)?(scripts/[\w.-]+)", body)}:
        path = ROOT / command
        assert path.exists(), command
        assert path.suffix == ".py" or path.stat().st_mode & 0o111, f"{command} is not executable"


def test_every_flag_of_main_that_the_readme_names_exists() -> None:
    """`main.py --help` lists each flag that the README gives it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("## Inspect a file")[1].split("\n## ")[0]
    usage = subprocess.run([sys.executable, "main.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    flags = set(re.findall(r"--[a-z][\w-]*", section))
    assert flags
    assert flags <= set(re.findall(r"--[a-z][\w-]*", usage))


def test_the_readme_is_short() -> None:
    """It starts with what the project does for its reader, and fits in 120 lines."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120
