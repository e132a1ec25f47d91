"""The image that the Dockerfile makes: it can be built, and it reads no local file unless it is told to."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

from exr_inspector.settings import load
from project import ROOT, SHIPPED_FOLDERS

WITHOUT_COMMENTS = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
INSTRUCTIONS = WITHOUT_COMMENTS.replace("\\\n", " ")


def copied() -> set[str]:
    """What the COPY lines take from the folder in which the image is built, and not from another stage."""
    return {source for line in re.findall(r"^COPY (?!--from)(.+)$", INSTRUCTIONS, re.MULTILINE) for source in line.split()[:-1]}


def in_context(name: str) -> bool:
    """Whether .dockerignore lets a file or folder through; the last rule that matches it, or a folder that it is in, decides."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    taken = True
    for rule in (line.strip() for line in lines if line.strip() and not line.startswith("#")):
        if fnmatchcase(name, rule.removeprefix("!")) or name.startswith(f"{rule.removeprefix('!')}/"):
            taken = rule.startswith("!")
    return taken


def test_what_is_copied_is_there_and_reaches_the_builder() -> None:
    """A file that .dockerignore keeps out ends the build."""
    assert {name for name in copied() if not (ROOT / name).exists()} == set()
    assert {name for name in copied() if not in_context(name)} == set()


def test_nothing_else_reaches_the_builder() -> None:
    """No tests, no settings that somebody left there, no history."""
    here = {path.name for path in ROOT.iterdir()}
    assert {name for name in here if in_context(name)} == copied()
    folders = {
        f"exr_inspector/{path.name}" for path in (ROOT / "exr_inspector").iterdir() if path.name[0] != "_" and path.is_dir()
    }
    assert {name for name in folders if in_context(name)} == {f"exr_inspector/{name}" for name in SHIPPED_FOLDERS}


def test_packages_are_those_that_were_tested() -> None:
    """Each installation is bound by the constraints, and installs lists that were copied before it."""
    commands = re.findall(r"pip install ([^&\n]+)", INSTRUCTIONS)
    assert commands
    for command in commands:
        assert "-c constraints.txt" in command
        assert {Path(name).name for name in re.findall(r"-[rc] (\S+)", command)} <= copied()


def test_what_runs_has_a_tested_version() -> None:
    """A package without one would come in its newest version, and with cloudevents 2 the image did not start."""
    pinned = {plain_name(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    named = [*project["dependencies"], *extras["host"], *extras["cli"], *extras["cluster"]]
    assert {plain_name(one) for one in named} - pinned - {"exr-inspector"} == set()
    installed = {word for command in re.findall(r"pip install ([^&\n]+)", INSTRUCTIONS) for word in command.split()[1:]}
    assert {plain_name(one) for one in extras["host"]} <= installed


def plain_name(requirement: str) -> str:
    """The name of a package, as pip compares names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def test_the_image_is_started_as_nobody_in_particular_and_says_how_it_is() -> None:
    """A user without rights, by number, which Kubernetes can tell from root; and a health check."""
    assert re.findall(r"^USER (\d+):(\d+)$", INSTRUCTIONS, re.MULTILINE)[-1] != ("0", "0")
    assert re.search(r"^HEALTHCHECK .*/readiness", INSTRUCTIONS, re.MULTILINE)


def test_a_build_says_what_it_lacks(tmp_path: Path) -> None:
    """Where buildah is not installed, or the user is not root, nothing is tried."""
    command = [sys.executable, ROOT / "scripts/image"]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.search(r"it needs (root|buildah)", done.stderr)


def test_the_image_reads_no_local_file() -> None:
    """Events come from outside; without a setting every folder below the working folder would be open to them."""
    (value,) = re.findall(r'\bEXR_LOCAL_ROOTS="([^"]*)"', INSTRUCTIONS)
    assert load({"EXR_LOCAL_ROOTS": value}).local_roots == ()
