"""`exr-inspector SUBCOMMAND ...`: finds the module of a subcommand and hands it the rest of the command line."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence

from exr_inspector import __version__

SUBCOMMANDS = {
    "inspect": ("main", "describe EXR files, or run events as the function does"),
    "validate": ("exr_inspector.cli.validate", "check files against a delivery policy; --stored: what is stored already"),
    "ask": ("exr_inspector.cli.ask", "ask the stored rows a question; without a name the questions are listed"),
    "similar": ("exr_inspector.cli.similar", "find the stored renders that were made like this one"),
    "report": ("exr_inspector.cli.report", "write one page about what is stored"),
    "backfill": ("exr_inspector.cli.backfill", "store the renders that are there already"),
    "doctor": ("exr_inspector.cli.doctor", "try each step from the settings to a stored row"),
    "serve": ("exr_inspector.function.host", "run the function behind HTTP"),
    "local": ("exr_inspector.cli.local", "run a command beside a local endpoint"),
    "schema init": ("exr_inspector.cli.init", "make the tables"),
    "schema verify": ("exr_inspector.cli.verify", "compare the tables with what a version says they are"),
    "schema migrate": ("exr_inspector.cli.migrate", "bring the tables from 1.0.0 to 1.1.0"),
    "schema rollback": ("exr_inspector.cli.rollback", "take the tables back to 1.0.0"),
    "schema backup": ("exr_inspector.cli.backup", "write every table to Parquet"),
    "schema restore": ("exr_inspector.cli.restore", "make a schema from a backup"),
    "schema copy": ("exr_inspector.cli.copy", "copy a sample of the rows into another schema"),
    "schema check": ("exr_inspector.cli.check", "look for rows that contradict each other, and repair them"),
    "schema recompute": ("exr_inspector.cli.recompute", "compute stored vectors again"),
    "schema rehearse": ("exr_inspector.cli.rehearse", "try a migration and its way back on a copy"),
}
"""Subcommand -> its module, whose `main` takes the arguments and returns the exit status, and what it does."""
EXTRAS = {"serve": "host"}
"""Subcommand -> the extra of pyproject.toml that brings what it needs; `cli` for the others."""
OURS = {"main", "vast_schemas", "vast_db_persistence", "exr_inspector", "local_vast"}
"""Modules whose absence is a fault of this installation, not of its extras."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status of the subcommand, or 2 where there is none of that name."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in (["--version"], ["-V"]):
        print(f"exr-inspector {__version__}")
        return 0
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    name, rest = _split(words)
    if name == "validate" and "--stored" in rest:
        name, module = "validate --stored", "exr_inspector.cli.validate_stored"
        rest.remove("--stored")
    elif name in SUBCOMMANDS:
        module = SUBCOMMANDS[name][0]
    else:
        print(_unknown(name), file=sys.stderr)
        return 2
    sys.argv = [f"exr-inspector {name}", *rest]  # usage and messages begin with this name
    return _run(name, module, rest)


def _run(name: str, module: str, arguments: Sequence[str]) -> int:
    """The subcommand's exit status; 2 where an optional package that it needs is not installed."""
    try:
        status: int = importlib.import_module(module).main(arguments)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package in OURS:
            raise
        extra = EXTRAS.get(name, "cli")
        print(f"exr-inspector {name} needs the package {package}: pip install 'exr-inspector[{extra}]'", file=sys.stderr)
        return 2
    return status


def usage() -> str:
    """Every subcommand with what it does."""
    lines = [f"  {name:<18}{about}" for name, (_, about) in SUBCOMMANDS.items()]
    head = "usage: exr-inspector [-h] [--version] SUBCOMMAND ...\n"
    return "\n".join([head, *lines, "", "Each says more with --help."])


def _split(words: Sequence[str]) -> tuple[str, list[str]]:
    """The subcommand, of one word or of two, and what follows it."""
    if words[0] == "schema" and len(words) > 1:
        return " ".join(words[:2]), list(words[2:])
    return words[0], list(words[1:])


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, SUBCOMMANDS, cutoff=0.5)
    group = [one for one in SUBCOMMANDS if one.startswith(f"{name} ")]
    hint = f"did you mean {' or '.join(group or near)}?" if group or near else "exr-inspector --help lists them"
    return f"exr-inspector: there is no subcommand {name!r}; {hint}"
