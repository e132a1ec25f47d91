"""The local endpoint of ./scripts/run, for commands where no other is configured."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from exr_inspector.catalogue import output
from exr_inspector.cli.subcommand import at_end, program
from exr_inspector.errors import Reject

if TYPE_CHECKING:
    from local_vast import LocalVast

BUCKET, SCHEMA = "renders", "exr"
"""Where ./scripts/run stores."""
DATA = Path(".local_vast")
DATABASE = "database"
URL = "LOCAL_VAST_URL"


def serve(endpoint: str | None) -> None:
    """Start the endpoint that holds DATA until the command ends, and say so, unless an endpoint is configured."""
    if endpoint or os.environ.get("VAST_DB_ENDPOINT") or not (DATA / DATABASE).is_dir():
        return
    server = at_end.enter_context(open_data(DATA / DATABASE))
    named = variables(server)
    if "S3_ENDPOINT" in os.environ:
        named = {name: value for name, value in named.items() if not name.startswith("S3_")}
    for name in named.keys() - os.environ.keys():
        os.environ[name] = named[name]
        at_end.callback(os.environ.pop, name)
    output.complain(f"{program()}: no endpoint is configured; the local one of {DATA} answers, which is not VAST")


def is_local(endpoint: str | None) -> bool:
    """Whether this is the endpoint that `serve`, or `exr-inspector local` around this command, has started."""
    return endpoint is not None and endpoint == os.environ.get(URL)


def open_data(database: Path) -> LocalVast:
    """An endpoint that holds what is kept there. Raises Reject where another process has it."""
    from duckdb import IOException

    from local_vast import LocalVast

    try:
        return LocalVast(data=database, buckets=(BUCKET,))
    except IOException as error:
        if "lock" not in str(error):
            raise
        remedy = "Wait until it ends, or run this one inside it: `exr-inspector local bash` gives several commands one endpoint"
        raise Reject(f"{database.parent} is in use by another command", code="file_unusable", remedy=remedy) from error


@contextmanager
def begin_data(database: Path) -> Iterator[LocalVast]:
    """An endpoint that holds what is kept there; folders that are made for it go again where nothing was stored in them."""
    made = [folder for folder in (database, *database.parents) if not folder.exists()]
    with open_data(database) as server:
        try:
            yield server
        finally:
            # While the endpoint still locks them, so that they are nobody else's.
            if made and not server.store.catalogue.buckets_in_use() and not any(map(Path.is_file, database.glob("objects/**/*"))):
                with suppress(OSError):  # somebody else's file is in one, or NFS keeps one that is open
                    shutil.rmtree(database)
                    for folder in made[1:]:
                        folder.rmdir()


def variables(server: LocalVast) -> dict[str, str]:
    """The settings that lead to the endpoint's tables and objects."""
    keys = {"ACCESS_KEY": server.access_key, "SECRET_KEY": server.secret_key}
    named = {f"{prefix}_{name}": value for prefix in ("VAST_DB", "S3") for name, value in keys.items()}
    places = {"VAST_DB_ENDPOINT": server.url, "S3_ENDPOINT": server.url, URL: server.url}
    return named | places | {"VAST_DB_BUCKET": BUCKET, "VAST_DB_SCHEMA": SCHEMA}
