"""Time per header and per whole inspection, beside OpenEXR Python's `File(header_only=True)`, in one run.

    python -m benchmarks.header.speed FOLDER [--rounds 200]

Every `.exr` below FOLDER is read with both, alternating, and counts with its fastest round; printed are medians over the files in
microseconds. OpenEXR reads the file itself, so `file and header` is what compares with it; `header` is the same without the file.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import OpenEXR

from exr_inspector.errors import BadHeader
from exr_inspector.exr import completeness
from exr_inspector.exr.header import FIRST_RANGE, parse_header, read_header
from exr_inspector.payload import document


class PlainFile:
    """A Reader over an open file that keeps the first range."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._file).st_size
        self._first = b""

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`; fewer at the end."""
        if offset + length <= len(self._first):
            return self._first[offset : offset + length]
        data = os.pread(self._file, length, offset)
        if offset == 0:
            self._first = data
        return data

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def header_of_file(path: Path) -> None:
    """Open, read the first range, parse, close."""
    file = PlainFile(path)
    read_header(file)
    file.close()


def whole_inspection(path: Path) -> dict[str, Any]:
    """Open, header, chunks, payload, close."""
    file = PlainFile(path)
    try:
        header = read_header(file)
        return document.describe(document.FileFacts(str(path)), header, completeness.assess(header, file))
    finally:
        file.close()


def openexr(path: Path) -> None:
    """The header through the library."""
    OpenEXR.File(str(path), header_only=True)


def header_of_bytes(path: Path) -> Callable[[Path], None]:
    """The header alone, from bytes at hand."""
    data, size = path.read_bytes()[:FIRST_RANGE], path.stat().st_size
    return lambda _: _swallow(data, size)


def _swallow(data: bytes, size: int) -> None:
    parse_header(data, size=size)


def fastest(calls: dict[str, Callable[[Path], object]], path: Path, rounds: int) -> dict[str, float]:
    """The fastest of `rounds` of each call, in microseconds; the calls alternate so that a busy machine slows all alike."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            try:
                call(path)
            except (BadHeader, RuntimeError):
                continue
            finally:
                best[name] = min(best[name], 1e6 * (time.perf_counter() - start))
    return best


def main() -> None:
    """One line per measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    paths = sorted(options.folder.rglob("*.exr"))
    results = []
    for path in paths:
        calls: dict[str, Callable[[Path], object]] = {
            "header": header_of_bytes(path), "file and header": header_of_file, "OpenEXR Python": openexr,
            "whole inspection": whole_inspection,
        }  # fmt: skip
        results.append(fastest(calls, path, options.rounds))
    print(f"{len(paths)} files, microseconds")
    for name in results[0]:
        times = sorted(result[name] for result in results)
        print(f"{name:18} median {statistics.median(times):8.1f}   95 % {times[int(0.95 * len(times))]:8.1f}")


if __name__ == "__main__":
    main()
