"""The names of the subcommands, their modules, and what they do."""

from __future__ import annotations

import importlib
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
    "schema import": ("exr_inspector.cli.import_list", "list what another function for EXR has stored"),
    "schema rehearse": ("exr_inspector.cli.rehearse", "try a migration and its way back on a copy"),
}
"""Subcommand -> its module, whose `main` takes the arguments and returns the exit status, and what it does."""
PLAIN = {"serve"}
"""Subcommands that ship with the function, and so have a parser of their own."""


def load(name: str) -> Any:
    """The module's `main`, which is a Subcommand but for those of PLAIN."""
    return importlib.import_module(SUBCOMMANDS[name][0]).main
