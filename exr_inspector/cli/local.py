"""Run a command with an endpoint on this machine that keeps what is stored: no cluster is needed.

    %(prog)s [--data DIR] COMMAND [ARGUMENT...]

The endpoint has the data in DIR, keeps what the command stores, and ends with the command, which finds its address and keys in
the environment, under the names of docs/CONFIGURATION.md, and the address again as LOCAL_VAST_URL. `local backfill RENDERS`
makes DIR where it is missing; ./scripts/run stores samples there. The exit status is the command's; 2 where DIR is missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from exr_inspector.catalogue import output
from exr_inspector.cli import common, nearby
from exr_inspector.cli.names import SUBCOMMANDS
from exr_inspector.cli.subcommand import program, subcommand
from exr_inspector.errors import Reject

STORING = ("backfill", "schema init", "schema restore")
"""The subcommands that may begin with no data."""


@subcommand(__doc__, ignore_unknown_options=True, allow_interspersed_args=False)
def main(
    command: Annotated[str, typer.Argument(metavar="COMMAND", help="a subcommand such as ask, or a program such as bash")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="ARGUMENT...", help="its own arguments")] = None,
    data: Annotated[Path, typer.Option(metavar="DIR", help="where everything is kept")] = nearby.DATA,
) -> int:
    """The command line; returns the exit status."""
    database = data / nearby.DATABASE
    words = [command, *(arguments or ())]
    if not database.is_dir() and not {command, " ".join(words[:2]), *words} & {*STORING, "-h", "--help"}:
        output.complain(
            f"{program()}: {database} is not there; "
            f"`{program()} backfill RENDERS` makes it from your renders, ./scripts/run from samples"
        )
        return 2
    try:
        with nearby.begin_data(database) as server:
            return _run(words, os.environ | nearby.variables(server))
    except Reject as error:
        return common.refuse(error)


def _run(words: list[str], environment: Mapping[str, str]) -> int:
    """The exit status of a subcommand or a program; 127 where there is no such program, as shells have it."""
    is_ours = words[0] in {name.split()[0] for name in SUBCOMMANDS}
    try:
        command = [sys.executable, "-m", "exr_inspector", *words] if is_ours else words
        return subprocess.run(command, env=environment, check=False).returncode
    except OSError as error:
        output.complain(f"{program()}: {words[0]}: {error.strerror}")
        return 127
