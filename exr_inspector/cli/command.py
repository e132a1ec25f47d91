"""`exr-inspector SUBCOMMAND ...`: finds the module of a subcommand and hands it the rest of the command line."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

NAME = "exr-inspector"
SUBCOMMANDS = {
    "inspect": ("exr_inspector.cli.inspect", "describe EXR files, or run events as the function does"),
    "validate": ("exr_inspector.cli.validate", "check files against a delivery policy"),
    "compare": ("exr_inspector.cli.compare", "what differs between two files, versions or shots"),
    "ask": ("exr_inspector.cli.ask", "ask the stored rows a question; without a name, list them"),
    "sql": ("exr_inspector.cli.sql", "ask the stored rows in SQL"),
    "similar": ("exr_inspector.cli.similar", "find the stored renders that were made like this one"),
    "report": ("exr_inspector.cli.report", "write one page about what is stored"),
    "backfill": ("exr_inspector.cli.backfill", "store the renders that are there already"),
    "doctor": ("exr_inspector.cli.doctor", "try each step from the settings to a stored row"),
    "serve": ("exr_inspector.function.host", "run the function behind HTTP"),
    "local": ("exr_inspector.cli.local", "run a command beside a local endpoint"),
    "schema init": ("exr_inspector.cli.init", "make the tables"),
    "schema verify": ("exr_inspector.cli.verify", "compare the tables with what a version says"),
    "schema migrate": ("exr_inspector.cli.migrate", "bring the tables from 1.0.0 to 1.1.0"),
    "schema rollback": ("exr_inspector.cli.rollback", "take the tables back to 1.0.0"),
    "schema backup": ("exr_inspector.cli.backup", "write every table to Parquet"),
    "schema restore": ("exr_inspector.cli.restore", "make a schema from a backup"),
    "schema copy": ("exr_inspector.cli.copy", "copy a sample of the rows into another schema"),
    "schema check": ("exr_inspector.cli.check", "look for rows that contradict each other"),
    "schema recompute": ("exr_inspector.cli.recompute", "compute stored vectors again"),
    "schema rehearse": ("exr_inspector.cli.rehearse", "try a migration and its way back on a copy"),
}
"""Subcommand -> its module, whose `main` takes the arguments and returns the exit status, and what it does."""
PLAIN = {"serve"}
"""Subcommands that ship with the function, and so have a parser of their own."""
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


def load(name: str) -> Any:
    """The module's `main`, which is a Subcommand but for those of PLAIN."""
    return importlib.import_module(SUBCOMMANDS[name][0]).main
