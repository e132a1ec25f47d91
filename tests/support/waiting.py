"""Waiting for what another thread or process does, which leaves it the processor."""

from __future__ import annotations

import threading
from collections.abc import Callable


def wait_until(condition: Callable[[], object]) -> None:
    """Return once the condition holds; it is asked a hundred times a second."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)
