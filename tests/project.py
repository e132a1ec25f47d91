"""The project as its tests see it: its root, its files, its runtime modules."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def tracked(pattern: str) -> list[Path]:
    """The project's own files that match, whether committed or not yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).exists()]


def shipped() -> list[str]:
    """The runtime modules: main and what has a prefix."""
    return sorted(p.stem for p in ROOT.glob("*.py") if p.stem == "main" or re.match(r"(exr|vast)_", p.stem))
