"""How much of an image is read at a time, so that memory stays within its limit whatever the image.

The constants are measured by benchmarks/pixel_stats/memory.py.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from exr_inspector.errors import BadSettings
from exr_inspector.exr.header import Part
from exr_inspector.pixels.bands import Grid
from exr_inspector.pixels.tally import HISTOGRAM_BYTES, KEPT_BYTES

MEMORY_LIMIT = 512 * 2**20
LEAST_MEMORY = 128 * 2**20
# What a process holds that has imported NumPy, together with one that decodes; what each further one that decodes holds of its
# own; and what the sums of a band need meanwhile.
BASE_MEMORY = 56 * 2**20
DECODER_MEMORY = 16 * 2**20
SUMS = 8 * 2**20
# Larger bands are not faster: the processor's caches have been left long before.
BAND_BYTES = 16 * 2**20
# What a codec needs beside the result, in multiples of a chunk's unpacked bytes.
CODEC_COST = 1.25
WAVELET_COST = 4.0
WAVELETS = frozenset({"htj2k256", "htj2k32", "lj2k"})
# The binding makes one array per pixel and channel of deep data; its samples come on top.
DEEP_CELL_BYTES = 256

Mode = Literal["full", "sampled"]


@dataclass(frozen=True, slots=True)
class StatsOptions:
    """What was asked for; `pixels.statistics.compute_pixel_stats` describes the fields."""

    deep_stats: bool
    mode: Mode
    sample_stride: int
    max_pixels: int | None
    memory_limit: int
    threads: int

    def __post_init__(self) -> None:
        wrong = []
        if self.mode not in ("full", "sampled"):
            wrong.append(f"mode is {self.mode!r}, and may be 'full' or 'sampled'")
        for name, least in (("sample_stride", 1), ("max_pixels", 1), ("memory_limit", LEAST_MEMORY), ("threads", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                wrong.append(f"{name} is {value}, and must be {least} or more")
        if wrong:
            raise BadSettings("; ".join(wrong), remedy="Correct the settings of pixel statistics")

    def as_dict(self) -> dict[str, Any]:
        """The options on which the figures depend."""
        return {name: getattr(self, name) for name in ("mode", "deep_stats", "sample_stride", "max_pixels")}


@dataclass(frozen=True, slots=True)
class TallyMemory:
    """What the tallies of a part hold: a histogram per half channel or none, and so many bytes of samples per other channel."""

    histograms: bool
    kept_bytes: int
    memory: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a part is read: units per band (0: not even one fits), bands at a time, and the bytes that this takes in all."""

    units: int
    in_flight: int
    memory: int


def tally_memory(part: Part, options: StatsOptions) -> TallyMemory:
    """Histograms and samples where they fit into a quarter of the memory; else samples alone, as many as fit."""
    quarter = (options.memory_limit - BASE_MEMORY) // 4
    count = max(len(part.channels), 1)
    memory = sum(HISTOGRAM_BYTES if channel.type == "HALF" else KEPT_BYTES for channel in part.channels)
    if memory <= quarter:
        return TallyMemory(True, KEPT_BYTES, memory)
    return TallyMemory(False, min(KEPT_BYTES, quarter // count), quarter)


def most_packed(grid: Grid, options: StatsOptions) -> int:
    """The most bytes that a chunk may take in the file; flat data that does not shrink is stored as it is."""
    if grid.layout.deep:
        return (options.memory_limit - BASE_MEMORY) // 8
    return 2 * (grid.layout.unpacked_bytes(0) or 0) + 4096


def make_schedule(grid: Grid, channels: int, packed: int, held: TallyMemory, options: StatsOptions) -> Schedule:
    """The largest bands up to 16 MiB, several at a time if they fit, else one. `packed` is what a unit takes in the file.

    A band costs its packed bytes three times, as fetched, as its file, and as the decoder's copy of that; its pixels once,
    because the decoder lets go of what it has sent; and the codec's needs for one chunk.
    """
    layout, area = grid.layout, grid.unit(0).window
    chunk = layout.unpacked_bytes(0) or 0
    pixels = area.width * area.height * channels * DEEP_CELL_BYTES + 2 * packed if layout.deep else chunk * grid.group
    unit = pixels + 3 * packed
    fixed = int(chunk * (WAVELET_COST if layout.compression in WAVELETS else CODEC_COST)) + SUMS
    working = options.memory_limit - BASE_MEMORY - held.memory
    for in_flight in (options.threads + 1, 1) if options.threads and not layout.deep else (1,):
        decoders = (in_flight - 1) * DECODER_MEMORY
        room = (working - decoders) // in_flight - fixed
        if room >= unit:
            units = max(1, min(BAND_BYTES // max(pixels, 1), room // unit))
            return Schedule(units, in_flight, held.memory + decoders + in_flight * (fixed + units * unit))
    return Schedule(0, 1, held.memory)


class MemoryPool:
    """The memory that all files together use which this process reads at a time; a caller waits until there is room."""

    def __init__(self) -> None:
        self._used = 0
        self._freed = threading.Condition()

    @contextmanager
    def reserve(self, needed: int, limit: int) -> Iterator[None]:
        """`needed` bytes of `limit`, once others leave as much; a file that is alone is never kept waiting."""
        with self._freed:
            while self._used and self._used + needed > limit:
                self._freed.wait()
            self._used += needed
        try:
            yield
        finally:
            with self._freed:
                self._used -= needed
                self._freed.notify_all()


POOL = MemoryPool()
