"""Where a part's chunks lie in the image: how many there are, which lines or tiles each one holds, how large it is unpacked.

A chunk is what the offset table counts: a run of scanlines, or one tile of one level. Pure arithmetic over a parsed header,
after the OpenEXR file format; a header that does not say enough has no layout, and the reason is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exr_inspector.exr.attributes import Channel
from exr_inspector.exr.limits import MAX_LEVELS

# Scanlines per chunk; the values of the codecs added in 3.4 and 3.5 were measured on files written by OpenEXR 3.5.3.
LINES_PER_CHUNK = {
    "none": 1, "rle": 1, "zips": 1, "zip": 16, "piz": 32, "pxr24": 16, "b44": 32, "b44a": 32, "dwaa": 32, "dwab": 256,
    "htj2k256": 256, "htj2k32": 32, "lj2k": 256, "zstd": 1,
}  # fmt: skip
SAMPLE_BYTES = {"UINT": 4, "HALF": 2, "FLOAT": 4}
TILED_TYPES = frozenset({"tiledimage", "deeptile"})
DEEP_TYPES = frozenset({"deepscanline", "deeptile"})
PART_TYPES = frozenset({"scanlineimage", "tiledimage", "deepscanline", "deeptile"})

Sample = tuple[int, int, int]
"""Of one channel: bytes of a sample, and how many pixels lie between samples across and down."""


class NoLayout(ValueError):
    """The header does not say how many chunks a part has."""

    def __init__(self, part: int, reason: str) -> None:
        super().__init__(f"part {part} has {reason}")
        self.part = part
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of pixels, both corners inclusive, as in the header."""

    x_min: int
    y_min: int
    x_max: int
    y_max: int

    @property
    def width(self) -> int:
        """Pixels; 0 or less when the window is inverted."""
        return self.x_max - self.x_min + 1

    @property
    def height(self) -> int:
        """Pixels; 0 or less when the window is inverted."""
        return self.y_max - self.y_min + 1

    def overlaps(self, other: Window) -> bool:
        """Whether the two share a pixel."""
        across = self.x_min <= other.x_max and self.x_max >= other.x_min
        return across and self.y_min <= other.y_max and self.y_max >= other.y_min

    def as_dict(self) -> dict[str, dict[str, int]]:
        """The window in the payload's form."""
        return {"min": {"x": self.x_min, "y": self.y_min}, "max": {"x": self.x_max, "y": self.y_max}}


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of a tiled part; `first` is the number of its first chunk in the part's table."""

    x: int
    y: int
    width: int
    height: int
    columns: int
    rows: int
    first: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A part's chunks. Scanline parts have `lines` per chunk and no levels, tiled parts `tile` = (width, height) and levels."""

    part: int
    window: Window
    chunks: int
    lines: int
    tile: tuple[int, int] | None
    levels: tuple[Level, ...]
    deep: bool
    compressed: bool
    compression: str
    samples: tuple[Sample, ...] | None
    """One for each channel; None when a type or sampling is unknown."""

    def level_of(self, chunk: int) -> Level:
        """The level that holds a chunk of a tiled part."""
        return next(level for level in reversed(self.levels) if level.first <= chunk)

    def area(self, chunk: int) -> Window:
        """The pixels of one chunk, in the coordinates of its level, which begins where the data window does."""
        window = self.window
        if self.tile is None:
            top = window.y_min + chunk * self.lines
            return Window(window.x_min, top, window.x_max, min(top + self.lines - 1, window.y_max))
        level = self.level_of(chunk)
        row, column = divmod(chunk - level.first, level.columns)
        return tile_area(self, level, column, row, column, row)

    def pixels(self, chunks: Iterable[int]) -> list[int]:
        """How many pixels each of several chunks holds, at least 1."""
        areas = [self.area(chunk) for chunk in chunks]
        return [max(1, area.width * area.height) for area in areas]

    def unpacked_bytes(self, chunk: int) -> int | None:
        """The bytes of a chunk's pixels before compression; None for deep parts and unknown channels."""
        if self.deep or self.samples is None:
            return None
        return unpacked_bytes(self.samples, self.area(chunk))


def unpacked_bytes(samples: tuple[Sample, ...], area: Window) -> int:
    """The bytes of these channels' samples in an area, uncompressed. Most channels are alike, so each kind is counted once."""
    return sum(
        samples.count(sample)
        * sample[0]
        * sample_count(area.x_min, area.x_max, sample[1])
        * sample_count(area.y_min, area.y_max, sample[2])
        for sample in set(samples)
    )


def sample_count(first: int, last: int, step: int) -> int:
    """How many multiples of `step` lie in first..last, both inclusive."""
    return last // step - (first - 1) // step


def tile_area(layout: Layout, level: Level, column: int, row: int, last_column: int, last_row: int) -> Window:
    """The pixels of a block of tiles of one level."""
    width, height = layout.tile or (1, 1)
    left, top = layout.window.x_min, layout.window.y_min
    return Window(
        left + column * width,
        top + row * height,
        left + min((last_column + 1) * width, level.width) - 1,
        top + min((last_row + 1) * height, level.height) - 1,
    )


def window(box: dict[str, dict[str, int]] | None) -> Window | None:
    """The window that the value of `dataWindow` or `displayWindow` states; None where there is none."""
    return None if box is None else Window(box["min"]["x"], box["min"]["y"], box["max"]["x"], box["max"]["y"])


def layout_or_reason(
    part: int,
    kind: str,
    area: Window | None,
    channels: Iterable[Channel],
    stated: Mapping[str, Any],
    levels_left: int = MAX_LEVELS,
) -> Layout | NoLayout:
    """The chunks of a part with this data window, or why they are not known: what is missing, or makes no sense.

    `stated`: what the standard attributes say (`attributes.read_stated`); `levels_left`: how many resolution levels the parts
    before leave for this one.
    """
    try:
        return _layout(part, kind, area, tuple(channels), stated, levels_left)
    except NoLayout as fault:
        return fault.with_traceback(None)


def _layout(
    part: int,
    kind: str,
    area: Window | None,
    channels: tuple[Channel, ...],
    stated: Mapping[str, Any],
    levels_left: int,
) -> Layout:
    compression = stated["compression"]
    if area is None or compression is None:
        raise NoLayout(part, "no usable dataWindow or compression")
    if area.width <= 0 or area.height <= 0:
        raise NoLayout(part, f"a data window of {area.width} x {area.height} pixels")
    tile: tuple[int, int] | None = None
    levels: tuple[Level, ...] = ()
    lines, chunks = LINES_PER_CHUNK.get(compression, 0), 0
    if kind in TILED_TYPES:
        tile, levels = _tiles(part, stated["tiles"], area, levels_left)
        chunks = levels[-1].first + levels[-1].columns * levels[-1].rows
    elif lines:
        chunks = -(-area.height // lines)
    declared = stated["chunkCount"]
    if declared is not None and declared > 0 and not (kind in PART_TYPES and chunks):
        chunks = declared
    if not chunks:
        raise NoLayout(part, f"compression {compression} and no usable chunkCount")
    return Layout(
        part=part,
        window=area,
        chunks=chunks,
        lines=lines or area.height,
        tile=tile,
        levels=levels,
        deep=kind in DEEP_TYPES,
        compressed=compression != "none",
        compression=compression,
        samples=samples_of((kind, x_step, y_step) for _, kind, _, x_step, y_step, _ in channels),
    )


def samples_of(channels: Iterable[tuple[str, int, int]]) -> tuple[Sample, ...] | None:
    """What one sample of each channel (type and sampling) takes and where samples lie; None when one of these is unknown."""
    samples = []
    for kind, x_step, y_step in channels:
        if kind not in SAMPLE_BYTES or x_step < 1 or y_step < 1:
            return None
        samples.append((SAMPLE_BYTES[kind], x_step, y_step))
    return tuple(samples)


def unpacked_sizes(area: Window | None, groups: Iterable[Iterable[tuple[str, int, int]]]) -> list[int | None]:
    """The bytes of each group of channels over an area, uncompressed; None where the area, a type or a sampling is unknown."""
    known = area is not None and area.x_max >= area.x_min and area.y_max >= area.y_min
    samples = [samples_of(group) for group in groups]
    return [unpacked_bytes(one, area) if known and area and one is not None else None for one in samples]


def _tiles(part: int, tiles: dict[str, Any] | None, area: Window, levels_left: int) -> tuple[tuple[int, int], tuple[Level, ...]]:
    if tiles is None:
        raise NoLayout(part, "tiles, and no usable attribute that describes them")
    size = (tiles["x_size"], tiles["y_size"])
    if not (size[0] and size[1]):
        raise NoLayout(part, f"tiles of {size[0]} x {size[1]} pixels")
    if "unknown" in tiles["level_mode"] or "unknown" in tiles["rounding_mode"]:
        raise NoLayout(part, f"tile modes {tiles['level_mode']}, {tiles['rounding_mode']}")
    up = tiles["rounding_mode"] == "round_up"
    numbers = _level_numbers(area, tiles["level_mode"], up)
    if len(numbers) > levels_left:
        raise NoLayout(part, f"{len(numbers)} resolution levels, with which the file has more than {MAX_LEVELS}")
    levels: list[Level] = []
    first = 0
    for x, y in numbers:
        width, height = _level_size(area.width, x, up), _level_size(area.height, y, up)
        columns, rows = -(-width // size[0]), -(-height // size[1])
        levels.append(Level(x, y, width, height, columns, rows, first))
        first += columns * rows
    return size, tuple(levels)


def _level_numbers(area: Window, mode: str, up: bool) -> list[tuple[int, int]]:
    """The levels in table order: one, the mip levels, or the rip levels with x running fastest."""
    if mode == "one_level":
        return [(0, 0)]
    if mode == "mipmap_levels":
        return [(level, level) for level in range(_level_count(max(area.width, area.height), up))]
    columns, rows = _level_count(area.width, up), _level_count(area.height, up)
    return [(x, y) for y in range(rows) for x in range(columns)]


def _level_count(size: int, up: bool) -> int:
    """1 + log2(size), rounded down or up."""
    return ((size - 1).bit_length() if up else size.bit_length() - 1) + 1


def _level_size(size: int, level: int, up: bool) -> int:
    return max(1, (size + (1 << level) - 1 if up else size) >> level)
