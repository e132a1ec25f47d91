"""What the scripts that keep a schema in order have in common: the store, the answer, the exit status, progress.

Exit status: 0 done and all is well; 1 the database or the object store could not be reached, a second run goes on; 2 the request
cannot be carried out, and the message says why; 3 something was found that is not as it should be; 130 interrupted (Ctrl-C), 143
terminated (SIGTERM).
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from exr_inspector.arguments import Parser
from exr_inspector.catalogue import connection, output
from exr_inspector.database.persist import open_store
from exr_inspector.database.session import Store
from exr_inspector.errors import BadSettings, InspectorError, Reject, Retry
from exr_inspector.terminal import json_text, on_one_line

DONE, UNREACHABLE, REFUSED, FOUND, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143

_MISSPELT = "database_bucket_missing"
"""An event waits for its bucket; whoever types a name that is not there has to type another."""

Answer = dict[str, Any]
Work = Callable[[argparse.Namespace], Answer]


class FileUnusable(Reject):
    """A file or folder that was named cannot be read or written."""

    code = "file_unusable"


class Terminated(KeyboardInterrupt):
    """SIGTERM came, which ends the work as Ctrl-C does."""


def parser(about: str | None, *, database: bool = True) -> argparse.ArgumentParser:
    """A parser with `--json` and `--dry-run`, and with `--endpoint` and `--schema` where they make sense."""
    made = Parser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--json", action="store_true", help="answer with one JSON object on standard output")
    made.add_argument("--dry-run", action="store_true", help="say what would be done, and write nothing")
    if database:
        connection.add_arguments(made)
    return made


def run(arguments: argparse.Namespace, work: Work) -> int:
    """Do the work, print its answer, and return the exit status: FOUND where the answer's `ok` is false.

    `lines` of the answer are for people, the rest for programs.
    """
    name = Path(sys.argv[0]).name
    try:
        with _terminable():
            answer = work(arguments)
    except (InspectorError, OSError) as error:
        _say({"ok": False, "error": refusal(error).as_dict(), "lines": []}, arguments.json)
        return refuse(name, error)
    except KeyboardInterrupt as error:
        how, status = ("terminated", TERMINATED) if isinstance(error, Terminated) else ("interrupted", INTERRUPTED)
        output.complain(f"{name}: {how}; what is done stays done, and the same command goes on")
        return status
    _say(answer, arguments.json)
    return DONE if answer.get("ok", True) else FOUND


def refuse(name: str, error: InspectorError | OSError) -> int:
    """Say why a script called `name` ends, and return its exit status."""
    reason = refusal(error)
    output.complain(f"{name}: {reason}")
    return UNREACHABLE if isinstance(reason, Retry) and reason.code != _MISSPELT else REFUSED


def refusal(error: InspectorError | OSError) -> InspectorError:
    """The error to tell people. The system's are about files that were named here: those of the network have their own."""
    if isinstance(error, InspectorError):
        return error
    reason = (error.strerror or str(error)).lower()
    return FileUnusable(f"{error.filename}: {reason}", remedy="Check the path, its permissions and the room on the disk")


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
    for line in answer.get("lines", ()):
        print(on_one_line(line))


def store_of(arguments: argparse.Namespace, schema: str | None = None) -> Store:
    """The store that the options and the environment name; `schema` (BUCKET/SCHEMA, or SCHEMA in the same bucket) before them."""
    logging.getLogger("vastdb").setLevel(logging.CRITICAL)  # it logs what is tried again, and what is looked for
    settings = connection.settings_of(arguments.endpoint, arguments.schema)
    if schema and "/" not in schema:
        schema = f"{settings.db_bucket}/{schema}"
    return open_store(connection.settings_of(arguments.endpoint, schema) if schema else settings)


class Rate(ProgressColumn):
    """How many a second, over what was done last."""

    def render(self, task: Task) -> Text:
        """`12.3/s`, or nothing before there is anything to count."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


class Bar:
    """Moves a bar forward when called with a count."""

    def __init__(self, shown: Progress, task: TaskID) -> None:
        self._shown = shown
        self._task = task

    def __call__(self, count: float) -> None:
        """So many more are done."""
        self._shown.advance(self._task, count)

    def expect_later(self, counting: Callable[[], int]) -> None:
        """Count beside the work what there is to do, for the time that is left; only where the bar is seen."""
        if not self._shown.disable:
            threading.Thread(target=self._expect, args=(counting,), daemon=True).start()

    def _expect(self, counting: Callable[[], int]) -> None:
        with suppress(InspectorError):  # the work itself meets the same error
            self._shown.update(self._task, total=counting())


@contextmanager
def progress(what: str, total: float | None, *, quiet: bool = False) -> Iterator[Bar]:
    """A bar with rate and remaining time, on standard error where that is a terminal."""
    console = Console(stderr=True)
    times = (Rate(), TimeElapsedColumn(), TimeRemainingColumn())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *times)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as shown:
        yield Bar(shown, shown.add_task(what, total=total))


def words(text: str) -> list[str]:
    """The words of a list with commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def fraction(text: str) -> tuple[int, int]:
    """`i/n` with 1 <= i <= n."""
    part, _, whole = text.partition("/")
    if not (part.isdecimal() and whole.isdecimal() and 1 <= int(part) <= int(whole)):
        raise argparse.ArgumentTypeError(f"{text!r} is not i/n with 1 <= i <= n, such as 2/8")
    return int(part), int(whole)


def positive(text: str) -> int:
    """A whole number, 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 1 or more")
    return int(text)


def count_to(largest: int) -> Callable[[str], int]:
    """A type of argument: a whole number from 1 to `largest`."""

    def count(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= largest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {largest}")
        return int(text)

    return count


def known(value: str, among: Sequence[str], what: str) -> str:
    """`value` where it is one of `among`; else BadSettings that names them."""
    if value not in among:
        raise BadSettings(f"{what} {value!r} does not exist", remedy=f"There are {', '.join(among) or 'none'}")
    return value
