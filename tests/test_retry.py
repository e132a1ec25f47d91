"""How long is waited before something is tried again."""

from __future__ import annotations

import time

import pytest

from exr_inspector.retry import repeat


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were to be waited, of which none is."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def fail() -> None:
    """What never passes."""
    raise ConnectionError


def test_half_of_each_wait_is_certain(waits: list[float]) -> None:
    """Whatever chance says, eight attempts are not over in less than 2.5 seconds: a schema's tables are made by then."""
    with pytest.raises(ConnectionError):
        repeat(fail, errors=(ConnectionError,), attempts=8, longest_wait=2.0)
    longest = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert len(waits) == len(longest)
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))


def test_without_a_longest_wait_nothing_is_waited_for(waits: list[float]) -> None:
    """An object that changes while it is read is read again at once."""
    with pytest.raises(ConnectionError):
        repeat(fail, errors=(ConnectionError,), attempts=3)
    assert sum(waits) == 0
