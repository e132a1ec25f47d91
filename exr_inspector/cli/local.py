"""Run a command with a local endpoint that holds what ./scripts/run has stored.

    %(prog)s [--data DIR] COMMAND [ARGUMENT...]

The endpoint has the data in DIR (default `.local_vast`), keeps what the command stores, and ends with the command, which finds
its address and keys in the environment, under the names of docs/CONFIGURATION.md, and the address again as LOCAL_VAST_URL. The
exit status is the command's; 2 where there is no data yet.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exr_inspector.catalogue import output
from exr_inspector.cli import common
from exr_inspector.cli.command import SUBCOMMANDS

if TYPE_CHECKING:
    from local_vast import LocalVast

BUCKET, SCHEMA = "renders", "exr"
"""Where ./scripts/run stores."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    database = options.data / "database"
    if not database.is_dir():
        output.complain(f"{common.program()}: {database} is not there; ./scripts/run makes it")
        return 2
    from local_vast import LocalVast

    with LocalVast(data=database, buckets=(BUCKET,)) as server:
        command = [options.command, *options.arguments]
        if options.command in {name.split()[0] for name in SUBCOMMANDS}:
            command = [sys.executable, "-m", "exr_inspector", *command]
        try:
            return subprocess.run(command, env=os.environ | variables(server), check=False).returncode
        except OSError as error:
            output.complain(f"{common.program()}: {options.command}: {error.strerror}")
            return 127


def variables(server: LocalVast) -> dict[str, str]:
    """The settings that lead to the endpoint's tables and objects."""
    keys = {"ACCESS_KEY": server.access_key, "SECRET_KEY": server.secret_key}
    named = {f"{prefix}_{name}": value for prefix in ("VAST_DB", "S3") for name, value in keys.items()}
    places = {"VAST_DB_ENDPOINT": server.url, "S3_ENDPOINT": server.url, "LOCAL_VAST_URL": server.url}
    return named | places | {"VAST_DB_BUCKET": BUCKET, "VAST_DB_SCHEMA": SCHEMA}


def _parser() -> argparse.ArgumentParser:
    parser = common.plain_parser(__doc__)
    parser.add_argument("--data", type=Path, default=Path(".local_vast"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("command", metavar="COMMAND", help="a subcommand such as ask, or a program such as bash")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT")
    return parser
