"""The project as its tests see it: its root, its files, what ships."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tracked(pattern: str) -> list[Path]:
    """The project's own files that match, whether committed or not yet; a test that asks for them is skipped without git."""
    if shutil.which("git") is None:
        pytest.skip("git, which knows the project's own files, is not installed", allow_module_level=True)
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip(f"git does not know the project's own files: {listed.stderr.strip()}", allow_module_level=True)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


SHIPPED_FOLDERS = ("exr", "payload", "pixels", "embedding", "validation", "database", "function")
"""Folders of the package that the function needs; the others serve people at a terminal."""


def shipped() -> list[Path]:
    """The modules that the function is made of."""
    root = [ROOT / name for name in ("main.py", "vast_schemas.py", "vast_db_persistence.py")]
    package = [path for path in (ROOT / "exr_inspector").glob("*.py") if path.name != "__main__.py"]
    folders = (path for folder in SHIPPED_FOLDERS for path in (ROOT / "exr_inspector" / folder).rglob("*.py"))
    return sorted([*root, *package, *folders])
