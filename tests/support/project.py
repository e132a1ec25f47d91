"""The project as its tests see it: its root, its files, its runtime modules."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def tracked(pattern: str) -> list[Path]:
    """The project's own files that match, whether committed or not yet; a test that asks for them is skipped without git."""
    if shutil.which("git") is None:
        pytest.skip("git, which knows the project's own files, is not installed", allow_module_level=True)
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip(f"git does not know the project's own files: {listed.stderr.strip()}", allow_module_level=True)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def shipped() -> list[str]:
    """The runtime modules: main and what has a prefix."""
    return sorted(p.stem for p in ROOT.glob("*.py") if p.stem == "main" or re.match(r"(exr|vast)_", p.stem))
