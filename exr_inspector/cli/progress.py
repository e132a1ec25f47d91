"""Bars with rate and remaining time, on standard error where that is a terminal."""

from __future__ import annotations

import threading
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

from exr_inspector.errors import InspectorError
from exr_inspector.operations import progress
from exr_inspector.operations.progress import unseen


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
def bar(what: str, total: float | None, *, quiet: bool = False) -> Iterator[Bar]:
    """A bar for as long as the work lasts."""
    console = Console(stderr=True)
    times = (Rate(), TimeElapsedColumn(), TimeRemainingColumn())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *times)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as shown:
        yield Bar(shown, shown.add_task(what, total=total))


def bars(*, quiet: bool) -> progress.Progress:
    """How operations show how far they are: a bar each, or nothing."""
    return unseen if quiet else bar
