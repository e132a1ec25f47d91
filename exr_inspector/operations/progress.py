"""How work on many rows says how far it has come, without knowing who listens: a terminal's bar, or nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Advance = Callable[[float], None]
"""Called with how much more is done."""
Progress = Callable[[str, float | None], AbstractContextManager[Advance]]
"""Called with what is done and how much there is to do; gives an Advance for as long as the work lasts."""


@contextmanager
def unseen(what: str, total: float | None) -> Iterator[Advance]:
    """A Progress that nobody sees."""
    yield _ignore


def _ignore(count: float) -> None:
    pass
