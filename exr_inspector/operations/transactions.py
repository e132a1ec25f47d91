"""Transactions that may be begun again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from exr_inspector.database.rulings import CommitLost, Transient
from exr_inspector.retry import repeat

ATTEMPTS = 8
_LONGEST_WAIT = 2.0

P = ParamSpec("P")
T = TypeVar("T")


def retry(action: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Call the action, and again while what stops it may pass by itself.

    For actions that look up what there is to do when they begin: a commit whose answer was lost does no harm then.
    """
    return repeat(
        partial(action, *arguments, **options), errors=(Transient, CommitLost), attempts=ATTEMPTS, longest_wait=_LONGEST_WAIT
    )
