"""How far the files of a run have come, counted file by file across processes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

LONGEST = 1024
"""Bytes of a folder's name that are kept."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Where a run stands: files and bytes that were looked at, and the folder of the last one."""

    files: int
    bytes: int
    folder: str


class Pulse:
    """Counts files as they are looked at. One that is made with a context of multiprocessing can be given to its workers."""

    def __init__(self, context: Any = None) -> None:
        self._numbers: Any = context.Array("q", 2) if context else [0, 0]
        self._folder: Any = context.Array("c", LONGEST) if context else None
        self._last = ""

    def beat(self, path: str, size: int | None) -> None:
        """Another file was looked at."""
        folder = path.rpartition("/")[0]
        if self._folder is None:
            self._last = folder
            self._add(size)
            return
        with self._numbers.get_lock():
            self._add(size)
            self._folder.value = os.fsencode(folder)[:LONGEST]

    def _add(self, size: int | None) -> None:
        self._numbers[0] += 1
        self._numbers[1] += size or 0

    def read(self) -> Beat:
        """Where the run stands."""
        folder = self._last if self._folder is None else os.fsdecode(self._folder.value)
        return Beat(self._numbers[0], self._numbers[1], folder)
