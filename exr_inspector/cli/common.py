"""What the subcommands have in common: their options, the store they work on, the answer, the exit status.

`cli.app.EXIT_STATUS` says what each status means.

What a subcommand works with is imported when it works: --help and a mistyped option are answered without loading pyarrow.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exr_inspector.catalogue import output
from exr_inspector.cli import nearby
from exr_inspector.cli.subcommand import program
from exr_inspector.errors import InspectorError, Reject, Retry
from exr_inspector.terminal import json_text, on_one_line

if TYPE_CHECKING:
    from exr_inspector.catalogue.connection import Target
    from exr_inspector.database.session import Store
    from exr_inspector.settings import Settings

DONE, UNREACHABLE, REFUSED, FOUND, INTERRUPTED, CUT_OFF, TERMINATED = 0, 1, 2, 3, 130, 141, 143

_MISSPELT = "database_bucket_missing"
"""An event waits for its bucket; whoever types a name that is not there has to type another."""

Options = SimpleNamespace
"""The values of a subcommand's options, by name."""
Answer = dict[str, Any]
Work = Callable[[Options], Answer]

Json = Annotated[bool, typer.Option("--json", help="answer with one JSON object on standard output")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="say what would be done, and write nothing")]
Endpoint = Annotated[
    str | None,
    typer.Option("--endpoint", metavar="URL", help="default: VAST_DB_ENDPOINT; keys come from the environment alone"),
]
Schema = Annotated[str | None, typer.Option("--schema", metavar="[BUCKET/]SCHEMA", help="default: VAST_DB_BUCKET/VAST_DB_SCHEMA")]


class FileUnusable(Reject):
    """A file or folder that was named cannot be read or written."""

    code = "file_unusable"


class BadUse(Reject):
    """Options that do not go together, or a value that cannot be."""

    code = "bad_use"


class Terminated(KeyboardInterrupt):
    """SIGTERM came, which ends the work as Ctrl-C does."""


def run(work: Work, given: Mapping[str, Any]) -> int:
    """Do the work with the values of the options, print its answer, and return the exit status: FOUND where `ok` is false.

    `lines` of the answer are for people, the rest for programs.
    """
    options = Options(**given)
    try:
        with _terminable():
            answer = work(options)
    except (InspectorError, OSError) as error:
        _say({"ok": False, "error": refusal(error).as_dict(), "lines": []}, options.json)
        return refuse(error)
    except KeyboardInterrupt as error:
        how, status = ("terminated", TERMINATED) if isinstance(error, Terminated) else ("interrupted", INTERRUPTED)
        output.complain(f"{program()}: {how}; what is done stays done, and the same command goes on")
        return status
    _say(answer, options.json)
    return DONE if answer.get("ok", True) else FOUND


def attempt(work: Callable[[Options], int | None], given: Mapping[str, Any]) -> int:
    """Do the work with the values of the options; its exit status, DONE where it gives none, or that of what refuses it."""
    try:
        return work(Options(**given)) or DONE
    except (InspectorError, OSError) as error:
        return refuse(error)


def refuse(error: InspectorError | OSError) -> int:
    """Say why the program ends, and return its exit status. Whoever stopped reading the answer needs no reason."""
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CUT_OFF
    reason = refusal(error)
    output.complain(f"{program()}: {reason}")
    return UNREACHABLE if isinstance(reason, Retry) and reason.code != _MISSPELT else REFUSED


def refusal(error: InspectorError | OSError) -> InspectorError:
    """The error to tell people. The system's are about files that were named here: those of the network have their own."""
    if isinstance(error, InspectorError):
        return error
    reason = error.strerror.lower() if error.strerror else str(error)
    remedy = "Check the path" + (", its permissions and the room on the disk" if not isinstance(error, FileNotFoundError) else "")
    return FileUnusable(f"{error.filename}: {reason}" if error.filename else reason, remedy=remedy)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises Terminated in the main thread, unless whoever started this process had it ignored."""
    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


def _terminate(number: int, frame: object) -> None:
    raise Terminated


def _say(answer: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        shown = {key: value for key, value in answer.items() if key != "lines"}
        print(json_text({"ok": True} | shown))
        return
    lines = answer.get("lines", ())
    if sys.stdout.isatty():
        output.say_lines(lines)
        return
    for line in lines:
        print(on_one_line(line))


def settings_of(arguments: Options) -> Settings:
    """The settings that the options and the environment name; where they name no endpoint, those of the local one."""
    from exr_inspector.catalogue import connection

    nearby.serve(arguments.endpoint)
    return connection.settings_of(arguments.endpoint, arguments.schema)


def store_of(arguments: Options, schema: str | None = None) -> Store:
    """The store that the options and the environment name; `schema` (BUCKET/SCHEMA, or SCHEMA in the same bucket) before them."""
    from exr_inspector.catalogue import connection
    from exr_inspector.database.persist import open_store

    silence_client()
    settings = settings_of(arguments)
    if schema and "/" not in schema:
        schema = f"{settings.db_bucket}/{schema}"
    return open_store(connection.settings_of(arguments.endpoint, schema) if schema else settings)


def target_of(arguments: Options) -> Target:
    """A session for asking, at the place that the options and the environment name."""
    from exr_inspector.catalogue import connection

    # The ADBC driver has no autocommit switch, and its manager says so at every connection.
    warnings.filterwarnings("ignore", message="Cannot disable autocommit")
    silence_client()
    settings = settings_of(arguments)
    return connection.open_target(settings, is_local=nearby.is_local(settings.db_endpoint))


def silence_client() -> None:
    """Show nothing of the SDK's log: what it tries again, what it looks for, that an endpoint names no others."""
    logging.getLogger("vastdb").setLevel(logging.CRITICAL)


def absent(place: Store, message: str, remedy: str) -> InspectorError:
    """The error to raise where tables are missing: what exactly is not there, else `message`."""
    from exr_inspector.catalogue import connection
    from exr_inspector.errors import SchemaDrift

    return connection.nothing_stored(place) or SchemaDrift(message, remedy=remedy)


def words(text: str) -> list[str]:
    """The words of a list with commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def fraction(text: str) -> tuple[int, int]:
    """`i/n` with 1 <= i <= n."""
    part, _, whole = text.partition("/")
    if not (part.isdecimal() and whole.isdecimal() and 1 <= int(part) <= int(whole)):
        raise typer.BadParameter(f"{text!r} is not i/n with 1 <= i <= n, such as 2/8")
    return int(part), int(whole)


def positive(given: str | int) -> int:
    """A whole number, 1 or more; typer gives defaults, too."""
    text = str(given)
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(f"{text!r} is not a whole number, 1 or more")
    return int(text)


def schema_version(text: str) -> str:
    """A version of the tables."""
    from vast_schemas import VERSIONS

    if text not in VERSIONS:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(VERSIONS)}")
    return text


def count_to(largest: int) -> Callable[[str | int], int]:
    """A type of argument: a whole number from 1 to `largest`."""

    def count(given: str | int) -> int:
        text = str(given)
        if not text.isdecimal() or not 1 <= int(text) <= largest:
            raise typer.BadParameter(f"{text!r} is not a whole number from 1 to {largest}")
        return int(text)

    return count
