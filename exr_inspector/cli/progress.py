"""Bars with rate and remaining time, on standard error where that is a terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

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

from exr_inspector.catalogue import units
from exr_inspector.errors import InspectorError
from exr_inspector.operations import progress
from exr_inspector.operations.progress import unseen
from exr_inspector.operations.pulse import Beat
from exr_inspector.terminal import on_one_line


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


SECONDS = 0.2
"""Between two looks at a run, where a bar shows it."""
SECONDS_UNSEEN = 30.0
"""Between two lines, where there is no terminal."""


IN = ", in "
SHORTEST_FOLDER = 8
"""Columns, of the end of a folder's path."""
BESIDE = 20
"""Columns beside the words: ten of the bar at least, the time that is left, and the gaps."""


def rate_of(files: int, seconds: float) -> str:
    """`12.3/s`, from the beginning of a run to now or to its end.

    >>> rate_of(10, 4.0), rate_of(0, 0.0)
    ('2.5/s', '0/s')
    """
    return f"{units.number(files / max(seconds, SECONDS))}/s"


class Watch:
    """Shows where a run stands until it ends: a bar with rate, volume and folder, or, without a terminal, a line at times."""

    def __init__(self, what: str, read: Callable[[], Beat], console: Console, since: float | None = None) -> None:
        """`since` is when the run began, by the monotonic clock; None: now."""
        self._what = what
        self._read = read
        self._total: int | None = None
        self._console = console
        self._started = time.monotonic() if since is None else since
        self._ended = threading.Event()

    def expect_later(self, counting: Callable[[], int]) -> None:
        """Count beside the work what there is to do."""
        threading.Thread(target=self._expect, args=(counting,), daemon=True).start()

    def _expect(self, counting: Callable[[], int]) -> None:
        with suppress(InspectorError):  # the work itself meets the same error
            self._total = counting()

    def line(self, width: int | None = None) -> str:
        """Where the run stands, in words; of a folder that is too long for a width the end, which tells most."""
        beat = self._read()
        rate = rate_of(beat.files, time.monotonic() - self._started)
        whole = "" if self._total is None else f" of {self._total:,}"
        text = f"{self._what}: {beat.files:,}{whole} files, {rate}, {units.size(beat.bytes)}"
        folder = on_one_line(beat.folder)
        if width is not None and len(text) + len(IN) + len(folder) > width:
            room = width - len(text) - len(IN) - 1
            folder = f"…{folder[-room:]}" if room >= SHORTEST_FOLDER else ""
        return (f"{text}{IN}{folder}" if folder else text)[:width]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Show it for as long as the block lasts."""
        show = self._show_bar if self._console.is_terminal else self._say_lines
        thread = threading.Thread(target=show, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _show_bar(self) -> None:
        columns = (BarColumn(None), TextColumn("{task.description}", markup=False), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True, expand=True) as shown:
            task = shown.add_task(self._what, total=None)
            going_on = True
            while going_on:
                going_on = not self._ended.wait(SECONDS)
                line = self.line(self._console.width - BESIDE)
                shown.update(task, completed=self._read().files, total=self._total, description=line)

    def _say_lines(self) -> None:
        while not self._ended.wait(SECONDS_UNSEEN):
            self._console.print(self.line(), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def watch(what: str, read: Callable[[], Beat], counting: Callable[[], int], since: float, *, quiet: bool) -> Iterator[None]:
    """Show where a run stands that began at `since`, on standard error; `counting` says how many files there are."""
    if quiet:
        yield
        return
    shown = Watch(what, read, Console(stderr=True), since)
    shown.expect_later(counting)
    with shown.watching():
        yield


@contextmanager
def bar(what: str, total: float | None, *, quiet: bool = False) -> Iterator[Bar]:
    """A bar for as long as the work lasts."""
    console = Console(stderr=True)
    times = (Rate(), TimeElapsedColumn(), TimeRemainingColumn())
    columns = (TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn(), *times)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, expand=True) as shown:
        yield Bar(shown, shown.add_task(what, total=total))


def bars(*, quiet: bool) -> progress.Progress:
    """How operations show how far they are: a bar each, or nothing."""
    return unseen if quiet else bar
