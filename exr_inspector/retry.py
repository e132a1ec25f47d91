"""Trying again what may pass by itself: the one place that knows how."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def repeat(
    action: Callable[..., T],
    *arguments: object,
    errors: tuple[type[Exception], ...],
    attempts: int,
    longest_wait: float = 0.0,
    longest_time: float = float("inf"),
) -> T:
    """Run until it meets none of these errors, `attempts` times at most; the last error is raised.

    In between it waits up to 50 milliseconds, up to twice as long every time, and no longer than `longest_wait` seconds: half of
    that at random, so that those who met each other do not meet again, and half in any case, so that whoever makes the tables of
    a new schema gets done. After `longest_time` seconds it tries no more.
    """
    import tenacity  # late: it brings asyncio, and an event that stores nothing needs neither

    again = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(attempts) | tenacity.stop_after_delay(longest_time),
        wait=tenacity.wait_exponential(multiplier=0.025, max=longest_wait / 2)
        + tenacity.wait_random_exponential(multiplier=0.025, max=longest_wait / 2),
        retry=tenacity.retry_if_exception_type(errors),
        reraise=True,
    )
    return again(action, *arguments)
