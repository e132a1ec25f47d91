"""`exr-inspector SUBCOMMAND ...`: finds the module of a subcommand and hands it the rest of the command line."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from exr_inspector.cli.names import NAME, PLAIN, SUBCOMMANDS

EXTRAS = {"serve": "host"}
"""Subcommand -> the extra of pyproject.toml that brings what it needs; `cli` for the others."""
OURS = {"main", "vast_schemas", "vast_db_persistence", "exr_inspector", "local_vast"}
"""Modules whose absence is a fault of this installation, not of its extras."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status of the subcommand, or 2 where there is none of that name.

    2 also where an optional package that it needs is not installed.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = next((one for one in (" ".join(words[:2]), *words[:1]) if one in SUBCOMMANDS), "")
    try:
        return _run_plain(name, words[1:]) if name in PLAIN else _run(words)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package in OURS:
            raise
        whole = f"{NAME} {name}".rstrip()
        extra = EXTRAS.get(name, "cli")
        print(f"{whole} needs the package {package}: pip install 'exr-inspector[{extra}]'", file=sys.stderr)
        return 2


def _run_plain(name: str, arguments: list[str]) -> int:
    sys.argv = [f"{NAME} {name}", *arguments]  # usage and messages begin with this name
    status: int = importlib.import_module(SUBCOMMANDS[name][0]).main(arguments)
    return status


def _run(words: list[str]) -> int:
    from exr_inspector.cli import app, subcommand

    return subcommand.run(app.app(), words, NAME)
