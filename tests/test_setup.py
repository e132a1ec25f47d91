"""The environment that the scripts make and use: wherever it is, and what they say where none can be made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from exr_inspector import __version__
from project import ROOT

WITHOUT_VENV = """#!/bin/sh
case "$*" in
*ensurepip*) exit 1 ;;
esac
exec "{python}" "$@"
"""
"""A Python as Debian has it before python3-venv is installed."""
FAILING_PIP = """#!/bin/sh
case "$*" in
*"pip install"*) for n in $(seq 300); do echo "line $n"; done; exit 1 ;;
esac
exec "{python}" "$@"
"""
"""A Python whose pip says much and installs nothing."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The scripts and the lists of packages, in a folder of their own."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def installed(project: Path, folder: Path) -> None:
    """An environment at `folder` that the setup takes for complete."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(sys.executable)
    lists = b"".join((project / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    digest = subprocess.run("cksum", input=lists, capture_output=True, check=True).stdout
    (folder / ".installed").write_bytes(b"dev " + digest)


def run(script: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A script with variables of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "VENV")}
    return subprocess.run([script, *arguments], env=kept | environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", [None, "other", "/elsewhere"])
def test_the_environment_may_lie_anywhere(project: Path, tmp_path: Path, name: str | None) -> None:
    """Beside the scripts by default, elsewhere in the project by a relative name, anywhere by an absolute one."""
    folder = project / (name or ".venv") if name != "/elsewhere" else tmp_path / "elsewhere"
    installed(project, folder)
    given = {} if name is None else {"VENV": str(folder) if name == "/elsewhere" else name}
    done = run(project / "scripts/python", "-c", "import sys; print(sys.executable)", **given)
    assert (done.stdout.strip(), done.stderr) == (str(folder / "bin/python"), "")


def test_a_failed_installation_shows_the_end_of_what_was_said(project: Path) -> None:
    """Of hundreds of lines the last ones, and where all of them are."""
    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/pyvenv.cfg").touch()
    python = project / ".venv/bin/python"
    python.write_text(FAILING_PIP.format(python=sys.executable), encoding="utf-8")
    python.chmod(0o755)
    done = run(project / "scripts/setup")
    assert done.returncode == 1
    assert "line 300" in done.stderr
    assert "line 200\n" not in done.stderr
    assert len(done.stderr.splitlines()) <= 23
    assert "line 200\n" in (project / ".venv/install.log").read_text(encoding="utf-8")


def test_where_venv_is_missing_the_package_is_named(project: Path, tmp_path: Path) -> None:
    """By the version of the Python that lacks it, and nothing is left half made."""
    python = tmp_path / "python"
    python.write_text(WITHOUT_VENV.format(python=sys.executable))
    python.chmod(0o755)
    done = run(project / "scripts/setup", PYTHON=str(python))
    assert done.returncode == 1
    assert f"sudo apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in done.stderr
    assert not (project / ".venv").exists()


def test_a_python_that_is_none_is_named(project: Path) -> None:
    """A mistyped PYTHON is not replaced by another one silently."""
    done = run(project / "scripts/setup", PYTHON="/no/such/python")
    assert (done.returncode, done.stderr) == (1, "PYTHON=/no/such/python is not a Python 3.11 or later.\n")


def test_a_folder_with_something_else_is_left_alone(project: Path, tmp_path: Path) -> None:
    """An environment is not made over what lies there."""
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/dear.txt").write_text("dear")
    done = run(project / "scripts/setup", VENV=str(tmp_path / "letters"), PYTHON=sys.executable)
    assert done.returncode == 1
    assert "not a Python environment" in done.stderr
    assert (tmp_path / "letters/dear.txt").read_text() == "dear"


def test_the_project_and_the_image_need_the_same_packages() -> None:
    """requirements.txt is what the platform's builder reads, `dependencies` what pip does."""
    listed = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == [line for line in listed if line and not line.startswith("#")]
    assert "opentelemetry" not in str(project)


def test_the_command_says_its_version() -> None:
    """The one of the package, which pyproject.toml takes from there."""
    command = [Path(sys.executable).with_name("exr-inspector"), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"exr-inspector {__version__}\n"
    assert metadata.version("exr-inspector") == __version__
