"""Pixels -> statistics per part and channel, in bounded memory whatever the image, from a file or from ranges of an object.

A part is read band by band (pixels.bands), decoded by OpenEXR in a process of its own (pixels.decode) and reduced at once
(pixels.tally), so the memory depends on the band, not on the image. Chunks that are missing or damaged, or that end the
process that decodes them, are left out and counted, and what they leave is marked partial. NumPy is imported when the first part
is read.
"""

from __future__ import annotations

import os
from array import array
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from exr_inspector.exr.attributes import COMPRESSIONS
from exr_inspector.exr.chunks import OffsetTable
from exr_inspector.exr.header import Finding, Header, Part, Reader
from exr_inspector.exr.layout import Layout, NoLayout
from exr_inspector.exr.recovery import TableUnreadable, read_table
from exr_inspector.pixels import bands, memory, sampling
from exr_inspector.pixels import tally as tallies
from exr_inspector.pixels.bands import Band, DamagedChunk, LargeChunk
from exr_inspector.pixels.decode import DecoderCrashed, RefusedFile, decode
from exr_inspector.pixels.memory import BASE_MEMORY, MEMORY_LIMIT, POOL, Mode, Schedule, StatsOptions
from exr_inspector.pixels.sampling import Choice
from exr_inspector.pixels.tally import Measurement, Tally

MAX_THREADS = 4
MAX_FINDINGS = 64
# Every crash costs the start of two processes, so a part that goes on like that is given up.
MAX_CRASHES = 4


def compute_pixel_stats(
    reader: Reader,
    header: Header,
    *,
    deep_stats: bool = False,
    mode: Mode = "full",
    sample_stride: int = 1,
    max_pixels: int | None = None,
    memory_limit: int = MEMORY_LIMIT,
    threads: int | None = None,
    held: int | None = None,
) -> dict[str, Any]:
    """The payload's `stats`: `channels` (one row per part and channel), `parts` (what was read of each), `findings`.

    `deep_stats` reads deep parts as well. `mode` "sampled" reads a deterministic choice of chunks and bounds the share of NaN.
    `sample_stride` n counts every n-th sample of every n-th line. A file of more than `max_pixels` pixels (all parts together) is
    sampled. `memory_limit` in bytes holds for all files together that a process reads at a time. `threads`: 0 reads one band
    after the other, None uses as many as there are processors, 4 at most. `held`: how many bytes from
    the file's start cost no request, None for all: how far chunks are looked for that the offset table does not list.
    Tiled parts: level 0. Raises BadSettings for a setting
    out of range, Retry where no process can be started; a damaged file raises nothing, it gives findings.
    """
    count = min(MAX_THREADS, os.cpu_count() or 1) if threads is None else threads
    options = StatsOptions(deep_stats, mode, sample_stride, max_pixels, memory_limit, count)
    try:
        layouts = header.layouts()
        table = read_table(reader, header, layouts, held)
    except NoLayout as fault:
        return _answer(options, [], [Finding("error", "no_chunk_layout", f"{fault}, so no pixel can be read", fault.part)])
    except TableUnreadable as fault:
        return _answer(options, [], [Finding("error", fault.code, str(fault), offset=header.header_bytes)])
    source = ChunkedFile(reader, header, table)
    limits = _pixel_limits(layouts, options)
    parts = [_PartRun(source, part, layouts[part.index], options, limits[part.index]).result() for part in header.parts]
    return _answer(options, parts, [finding for part in parts for finding in part.findings])


def _pixel_limits(layouts: tuple[Layout, ...], options: StatsOptions) -> list[int | None]:
    """How many pixels may be read of each part: its share of `max_pixels`, or None where all may be."""
    pixels = [one.window.width * one.window.height if options.deep_stats or not one.deep else 0 for one in layouts]
    if options.max_pixels is None or sum(pixels) <= options.max_pixels:
        return [None] * len(layouts)
    return [options.max_pixels * count // sum(pixels) for count in pixels]


@dataclass(frozen=True, slots=True)
class PartStats:
    """What is left of a part once it was read: the tallies, which are large, are gone."""

    summary: dict[str, Any]
    rows: list[dict[str, Any]]
    findings: list[Finding]


def _answer(options: StatsOptions, parts: list[PartStats], findings: list[Finding]) -> dict[str, Any]:
    return {
        **options.as_dict(),
        "is_sampled": any(part.summary["is_sampled"] for part in parts),
        "is_partial": any(part.summary["is_partial"] for part in parts) or bool(findings),
        "parts": [part.summary for part in parts],
        "channels": [row for part in parts for row in part.rows],
        "findings": [finding.as_dict() for finding in findings[:MAX_FINDINGS]],
    }


@dataclass(frozen=True, slots=True)
class ChunkedFile:
    """Where the chunks of a file come from."""

    reader: Reader
    header: Header
    table: OffsetTable


@dataclass(slots=True)
class _ChannelTally:
    """One channel on its way: its tally, and what the tally cannot know."""

    name: str
    kind: str
    step: tuple[int, int]
    """Horizontal and vertical sampling."""
    tally: Tally
    first_nan: tuple[int, int] | None = None
    """(y, x) in the image."""
    shares: float = 0.0
    """Sum over the draws of the share of NaN."""


@dataclass(slots=True)
class _Depth:
    """Samples per pixel of a deep part."""

    pixels: int = 0
    empty: int = 0
    total: int = 0
    least: int | None = None
    most: int | None = None

    def add(self, other: _Depth) -> None:
        """Joins the pixels of another band."""
        self.pixels += other.pixels
        self.empty += other.empty
        self.total += other.total
        self.least = min((one for one in (self.least, other.least) if one is not None), default=None)
        self.most = max((one for one in (self.most, other.most) if one is not None), default=None)

    def as_dict(self) -> dict[str, Any]:
        """The figures as they stand in the row's details."""
        mean = self.total / self.pixels if self.pixels else None
        return {
            "samples_per_pixel": {"min": self.least, "mean": mean, "max": self.most, "total": self.total},
            "pixels": self.pixels,
            "empty_pixels": self.empty,
        }


@dataclass(slots=True)
class _Outcome:
    """What a band gave: figures per channel with the position of the first NaN, and the chunks that gave none."""

    band: Band
    measured: list[tuple[Measurement, tuple[int, int] | None]] = field(default_factory=list)
    depth: _Depth | None = None
    fault: DamagedChunk | None = None


class _PartRun:
    """The reading of one part."""

    def __init__(self, source: ChunkedFile, part: Part, shape: Layout, options: StatsOptions, pixel_limit: int | None) -> None:
        self.source = source
        self.part = part
        self.layout = shape
        self.options = options
        self.grid = bands.grid(shape)
        self.most_packed = memory.most_packed(self.grid, options)
        self.pixel_limit = pixel_limit
        self.asked = options.deep_stats or not shape.deep
        self.channels: list[_ChannelTally] = []
        self.findings: list[Finding] = []
        self.wanted = bytearray(self.grid.units)
        self.choice: Choice | None = None
        self.depth = _Depth()
        self.chunks_read = 0
        self.chunks_missing = 0
        self.chunks_damaged = 0
        self.crashes = 0
        self.crash_code = ""

    @property
    def is_sampled(self) -> bool:
        """Whether samples were left out on purpose."""
        return self.choice is not None and (self.draws is not None or self.options.sample_stride > 1)

    @property
    def draws(self) -> dict[int, int] | None:
        """The units that were drawn and how often each; None where all are read."""
        return self.choice.times if self.choice else None

    @property
    def is_partial(self) -> bool:
        """Whether samples were left out because the file does not give them."""
        return bool(self.chunks_missing or self.chunks_damaged)

    def result(self) -> PartStats:
        """Reads the part, or says in `findings` why not."""
        self._run()
        return PartStats(self._summary(), list(self._rows()), self.findings)

    def _run(self) -> None:
        if not self.asked or not self.part.channels:
            return
        if self.layout.samples is None or self.layout.compression not in COMPRESSIONS:
            self._find("part_not_decodable", "its compression, or a channel's type or sampling, is unknown")
            self.chunks_damaged = self.grid.chunks
            return
        packed = self._choose()
        held = memory.tally_memory(self.part, self.options)
        schedule = memory.make_schedule(self.grid, len(self.part.channels), packed, held, self.options)
        with POOL.reserve(schedule.memory, self.options.memory_limit - BASE_MEMORY):
            for one in self.part.channels:
                tally = tallies.tally(one.type, held.kept_bytes, histogram=held.histograms)
                self.channels.append(_ChannelTally(one.name, one.type, (one.x_sampling, one.y_sampling), tally))
            if schedule.units:
                self._read_bands(schedule)
            else:
                self._too_large()
        self._report()

    def _choose(self) -> int:
        """Decides which units are read; the most bytes that one of them takes in the file."""
        sizes = array("Q", map(self._packed_size, range(self.grid.units)))
        units = array("Q", (unit for unit, size in enumerate(sizes) if size))
        self.chunks_missing = self.grid.chunks - sum(len(self.grid.unit_chunks(unit)) for unit in units)
        if self.options.sample_stride > 1:
            units = array("Q", (unit for unit in units if self._is_wanted(self.grid.unit(unit))))
        for unit in units:
            self.wanted[unit] = 1
        self.choice = sampling.choose(units, self._pixels, self._draws(len(units)), self._seed())
        return max(sizes, default=0)

    def _packed_size(self, unit: int) -> int:
        """The bytes of a unit in the file; 0 where a chunk of it is not there."""
        extent, number = self.source.table.extent, self.part.index
        extents = [extent(number, chunk, self.most_packed) for chunk in self.grid.unit_chunks(unit)]
        return 0 if None in extents else sum(end - begin for begin, end in filter(None, extents))

    def _is_wanted(self, band: Band) -> bool:
        """Whether any pixel of the band is one of every n-th line and column; a band without one need not be read."""
        step, window, origin = self.options.sample_stride, band.window, self.layout.window
        top, left = window.y_min - origin.y_min, window.x_min - origin.x_min
        return -top % step < window.height and -left % step < window.width

    def _pixels(self, unit: int) -> int:
        window = self.grid.unit(unit).window
        return window.width * window.height

    def _draws(self, units: int) -> int:
        draws = sampling.DRAWS if self.options.mode == "sampled" else units
        if self.pixel_limit is not None:
            draws = min(draws, max(1, self.pixel_limit // self._pixels(0)))
        return draws

    def _seed(self) -> str:
        return f"{self.source.header.header_hash}:{self.part.index}"

    def _bands(self, schedule: Schedule) -> Iterator[Band]:
        if self.draws is None:
            yield from bands.bands(self.grid, self.wanted.__getitem__, schedule.units)
        else:
            yield from map(self.grid.unit, sorted(self.draws))

    def _read_bands(self, schedule: Schedule) -> None:
        """Fetches in this thread, decodes and measures in others, joins the results in the order of the image."""
        tallies.prepare()
        if schedule.in_flight == 1:
            for band in self._bands(schedule):
                self._join(self._measure(band, self._fetch(band)))
            return
        with ThreadPoolExecutor(schedule.in_flight - 1, thread_name_prefix="pixel-stats") as pool:
            self._read_ahead(schedule, pool)

    def _read_ahead(self, schedule: Schedule, pool: Executor) -> None:
        pending: deque[Future[list[_Outcome]]] = deque()
        for band in self._bands(schedule):
            while len(pending) >= schedule.in_flight - 1:
                self._join(pending.popleft().result())
            pending.append(pool.submit(self._measure, band, self._fetch(band)))
        while pending:
            self._join(pending.popleft().result())

    def _fetch(self, band: Band) -> dict[int, memoryview]:
        source = self.source
        return bands.fetch(source.reader, source.table, self.part.index, band.chunks, self.most_packed)

    def _measure(self, band: Band, data: dict[int, memoryview]) -> list[_Outcome]:
        """The band's figures; where it does not decode, those of its units that do."""
        try:
            return [self._measure_whole(band, data)]
        except DamagedChunk as fault:
            units = self._units_of(band)
            if len(units) == 1 or isinstance(fault, RefusedFile) or self.crashes >= MAX_CRASHES:
                return [_Outcome(band, fault=fault)]
        return [outcome for unit in units for outcome in self._measure(unit, data)]

    def _units_of(self, band: Band) -> list[Band]:
        if self.layout.tile is not None:
            return [self.grid.unit(chunk) for chunk in band.chunks]
        return [self.grid.unit(row) for row in range(band.chunks[0] // self.grid.group, band.chunks[-1] // self.grid.group + 1)]

    def _measure_whole(self, band: Band, data: dict[int, memoryview]) -> _Outcome:
        pieces = [bands.cut(self.source.header, self.layout, band, chunk, data[chunk]) for chunk in band.chunks]
        if sum(piece.unpacked for piece in pieces) > self.most_packed:
            raise LargeChunk("its samples do not fit into the memory limit")
        names = [name.decode("utf-8", "replace") for name in bands.channel_names(self.part, self.layout)]
        with self._decode(bands.band_file(self.part, self.layout, band, pieces)) as arrays:
            if sorted(names) != sorted(arrays):
                raise DamagedChunk("OpenEXR decodes other channels")
            blocks = [(channel, arrays[name]) for channel, name in zip(self.channels, names, strict=True)]
            return self._measure_deep(band, blocks) if self.layout.deep else self._measure_flat(band, blocks)

    @contextmanager
    def _decode(self, file: bytes) -> Iterator[dict[str, Any]]:
        """The band's pixels; after too many crashes nothing more of the part is given to the decoder."""
        if self.crashes >= MAX_CRASHES:
            raise DecoderCrashed(f"it was not tried, because {self.crashes} crashes came before it in this part", self.crash_code)
        try:
            with decode(file, self.options.memory_limit) as arrays:
                yield arrays
        except DecoderCrashed as crash:
            self.crashes, self.crash_code = self.crashes + 1, crash.code
            raise

    def _measure_flat(self, band: Band, blocks: list[tuple[_ChannelTally, Any]]) -> _Outcome:
        outcome = _Outcome(band)
        for channel, block in blocks:
            corner, block = self._stride(band, channel, block)
            measured, place = channel.tally.measure(block), None
            if measured.first_nan is not None:
                place = self._place(channel, corner, divmod(measured.first_nan, block.shape[1]))
            outcome.measured.append((measured, place))
        return outcome

    def _measure_deep(self, band: Band, blocks: list[tuple[_ChannelTally, Any]]) -> _Outcome:
        outcome = _Outcome(band)
        for channel, block in blocks:
            corner, block = self._stride(band, channel, block)
            outcome.depth = outcome.depth or _depth(block.counts)
            measured, place = channel.tally.measure(block.samples.reshape(1, -1)), None
            if measured.first_nan is not None:
                pixel = int(block.counts.cumsum().searchsorted(measured.first_nan, "right"))
                place = self._place(channel, corner, divmod(pixel, block.counts.shape[1]))
            outcome.measured.append((measured, place))
        return outcome

    def _stride(self, band: Band, channel: _ChannelTally, block: Any) -> tuple[tuple[int, int], Any]:
        """Every n-th sample of every n-th line, counted from the data window's corner; and row and column of the first one."""
        step, window = self.options.sample_stride, self.layout.window
        row = (band.window.y_min - window.y_min) // channel.step[1]
        column = (band.window.x_min - window.x_min) // channel.step[0]
        skipped = -row % step, -column % step
        return (row + skipped[0], column + skipped[1]), block[skipped[0] :: step, skipped[1] :: step]

    def _place(self, channel: _ChannelTally, corner: tuple[int, int], position: tuple[int, int]) -> tuple[int, int]:
        """(y, x) in the image of the sample at `position` (line, sample) of a block whose first sample lies at `corner`."""
        stride, window = self.options.sample_stride, self.layout.window
        row, column = corner[0] + position[0] * stride, corner[1] + position[1] * stride
        return window.y_min + row * channel.step[1], window.x_min + column * channel.step[0]

    def _join(self, outcomes: list[_Outcome]) -> None:
        for outcome in outcomes:
            if outcome.fault is not None:
                self._count_damage(outcome, outcome.fault)
                continue
            self.chunks_read += len(outcome.band.chunks)
            for channel, (measured, place) in zip(self.channels, outcome.measured, strict=True):
                channel.tally.add(measured)
                channel.first_nan = min((one for one in (channel.first_nan, place) if one is not None), default=None)
                channel.shares += self._times(outcome.band) * measured.counts.nan / max(measured.counts.total, 1)
            if outcome.depth is not None:
                self.depth.add(outcome.depth)

    def _times(self, band: Band) -> int:
        """How often the band's unit was drawn; 0 where bands are not drawn."""
        if self.draws is None:
            return 0
        return self.draws[band.chunks[0] // (1 if self.layout.tile else self.grid.group)]

    def _count_damage(self, outcome: _Outcome, fault: DamagedChunk) -> None:
        self.chunks_damaged += len(outcome.band.chunks)
        for channel in self.channels:
            channel.shares += self._times(outcome.band)
        window = outcome.band.window
        if len(self.findings) < MAX_FINDINGS:
            place = f"lines {window.y_min} to {window.y_max}, columns {window.x_min} to {window.x_max}"
            self._find(fault.code, f"{_chunks(outcome.band)} of {place} gives no pixels: {fault}")

    def _too_large(self) -> None:
        self.chunks_damaged = self.grid.chunks - self.chunks_missing
        limit = self.options.memory_limit
        self._find("chunk_too_large", f"one chunk takes more memory than the limit of {limit} bytes allows; raise the limit")

    def _report(self) -> None:
        if self.chunks_missing:
            self._find("pixels_missing", f"{self.chunks_missing} of {self.grid.chunks} chunks are not in the file")

    def _find(self, code: str, message: str) -> None:
        self.findings.append(Finding("error", code, f"part {self.part.index}: {message}", self.part.index))

    def _summary(self) -> dict[str, Any]:
        """What was read of the part."""
        window = self.layout.window
        summary: dict[str, Any] = {
            "part_index": self.part.index,
            "type": self.part.kind,
            "pixels": window.width * window.height,
            "chunks": self.grid.chunks,
            "chunks_read": self.chunks_read,
            "chunks_missing": self.chunks_missing,
            "chunks_damaged": self.chunks_damaged,
            "is_sampled": self.is_sampled,
            "is_partial": self.is_partial,
        }
        return summary if self.asked else {**summary, "skipped": "deep parts are read with deep_stats"}

    def _rows(self) -> Iterator[dict[str, Any]]:
        """One row per channel, in the header's order, with the keys that the table `pixel_stats` takes."""
        for channel in self.channels:
            counts = channel.tally.counts
            some = counts.finite > 0
            yield {
                "part_index": self.part.index,
                "channel_name": channel.name,
                "pixel_count": counts.total,
                "finite_count": counts.finite,
                "nan_count": counts.nan,
                "pos_inf_count": counts.pos_inf,
                "neg_inf_count": counts.neg_inf,
                "negative_count": counts.negative,
                "zero_count": counts.zero,
                "min_value": counts.low + 0.0 if some else None,
                "max_value": counts.high + 0.0 if some else None,
                **channel.tally.figures(),
                "first_nan_x": channel.first_nan[1] if channel.first_nan else None,
                "first_nan_y": channel.first_nan[0] if channel.first_nan else None,
                "is_constant": counts.is_constant,
                "is_sampled": self.is_sampled,
                "is_partial": self.is_partial,
                "sample_hash": channel.tally.sample_hash if counts.total else None,
                "details": self._details(channel),
            }

    def _details(self, channel: _ChannelTally) -> dict[str, Any]:
        details: dict[str, Any] = {"type": channel.kind, "percentiles_exact": channel.tally.percentiles_exact}
        if self.layout.deep:
            return details | self.depth.as_dict()
        if self.choice and self.draws and self.options.sample_stride == 1:
            details["nan_share"] = self._nan_share(channel, self.choice, len(self.draws))
        return details

    def _nan_share(self, channel: _ChannelTally, choice: Choice, units_read: int) -> dict[str, Any]:
        """An unbiased estimate of the share of NaN in the chunks that the file holds, and a bound with its confidence.

        A draw that does not decode counts as NaN: nothing is known of its pixels.
        """
        mean = channel.shares / choice.draws
        return {
            "estimate": mean,
            "at_most": sampling.upper_bound(mean, choice.draws),
            "confidence": sampling.CONFIDENCE,
            "draws": choice.draws,
            "units_read": units_read,
            "units": choice.population,
        }


def _chunks(band: Band) -> str:
    first, last = band.chunks[0], band.chunks[-1]
    return f"chunk {first}" if first == last else f"the band of chunks {first} to {last}"


def _depth(counts: Any) -> _Depth:
    if not counts.size:
        return _Depth()
    return _Depth(int(counts.size), int((counts == 0).sum()), int(counts.sum()), int(counts.min()), int(counts.max()))
