"""Where a part's chunks lie in the image: how many there are, which lines or tiles each one holds, how large it is unpacked.

A chunk is what the offset table counts: a run of scanlines, or one tile of one level. Pure arithmetic over a parsed header,
after the OpenEXR file format; a header that does not say enough has no layout, and the reason is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from exr_inspector.exr.header import NON_IMAGE, TILED, Header, Part
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


class NoLayout(ValueError):
    """The header does not say how many chunks a part has."""

    def __init__(self, part: int, reason: str) -> None:
        super().__init__(f"part {part} has {reason}")
        self.part = part


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
    samples: tuple[tuple[int, int, int], ...] | None
    """(bytes, x sampling, y sampling) per channel; None when a type or sampling is unknown."""

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

    def unpacked_bytes(self, chunk: int) -> int | None:
        """The bytes of a chunk's pixels before compression; None for deep parts and unknown channels."""
        if self.deep or self.samples is None:
            return None
        area = self.area(chunk)
        return sum(
            size * sampled(area.x_min, area.x_max, x_step) * sampled(area.y_min, area.y_max, y_step)
            for size, x_step, y_step in self.samples
        )


def sampled(first: int, last: int, step: int) -> int:
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


def part_type(header: Header, part: Part) -> str:
    """What the part is: its `type` attribute, or what the version flags say; flags win where a single part contradicts them.

    A single-part file is read by its flags (its `type` came later and is optional), a multi-part file by `type` alone.
    """
    named = part.value("type", "string")
    if header.is_multipart or header.flags & NON_IMAGE:
        return str(named) if named is not None else ""
    return "tiledimage" if header.flags & TILED else "scanlineimage"


def window(part: Part, name: str) -> Window | None:
    """The part's `dataWindow` or `displayWindow`, or None."""
    box = part.value(name, "box2i")
    return None if box is None else Window(box["min"]["x"], box["min"]["y"], box["max"]["x"], box["max"]["y"])


def layouts(header: Header) -> tuple[Layout | NoLayout, ...]:
    """The layout of each part, or why it has none; at most MAX_LEVELS levels in all."""
    found: list[Layout | NoLayout] = []
    left = MAX_LEVELS
    for part in header.parts:
        try:
            one = layout(header, part, left)
        except NoLayout as fault:
            found.append(fault.with_traceback(None))
        else:
            left -= len(one.levels)
            found.append(one)
    return tuple(found)


def require_layouts(header: Header) -> list[Layout]:
    """The layouts of all parts. Raises NoLayout for the first part that has none."""
    found: list[Layout] = []
    for one in layouts(header):
        if isinstance(one, NoLayout):
            raise one
        found.append(one)
    return found


def layout(header: Header, part: Part, levels_left: int = MAX_LEVELS) -> Layout:
    """The part's chunks. Raises NoLayout when required attributes are missing or make no sense, or for too many levels."""
    kind = part_type(header, part)
    area, compression = window(part, "dataWindow"), part.value("compression", "compression")
    if area is None or compression is None:
        raise NoLayout(part.index, "no usable dataWindow or compression")
    if area.width <= 0 or area.height <= 0:
        raise NoLayout(part.index, f"a data window of {area.width} x {area.height} pixels")
    tile: tuple[int, int] | None = None
    levels: tuple[Level, ...] = ()
    lines, chunks = LINES_PER_CHUNK.get(compression, 0), 0
    if kind in TILED_TYPES:
        tile, levels = _tiles(part, area, levels_left)
        chunks = levels[-1].first + levels[-1].columns * levels[-1].rows
    elif lines:
        chunks = -(-area.height // lines)
    declared = part.value("chunkCount", "int")
    if declared is not None and declared > 0 and not (kind in PART_TYPES and chunks):
        chunks = declared
    if not chunks:
        raise NoLayout(part.index, f"compression {compression} and no usable chunkCount")
    return Layout(
        part.index, area, chunks, lines or area.height, tile, levels, kind in DEEP_TYPES, compression != "none", compression,
        _samples(part),
    )  # fmt: skip


def _samples(part: Part) -> tuple[tuple[int, int, int], ...] | None:
    channels = part.channels
    if any(channel.type not in SAMPLE_BYTES or channel.x_sampling < 1 or channel.y_sampling < 1 for channel in channels):
        return None
    return tuple((SAMPLE_BYTES[channel.type], channel.x_sampling, channel.y_sampling) for channel in channels)


def _tiles(part: Part, area: Window, levels_left: int) -> tuple[tuple[int, int], tuple[Level, ...]]:
    tiles: dict[str, Any] | None = part.value("tiles", "tiledesc")
    if tiles is None:
        raise NoLayout(part.index, "tiles, and no usable attribute that describes them")
    size = (tiles["x_size"], tiles["y_size"])
    if not (size[0] and size[1]):
        raise NoLayout(part.index, f"tiles of {size[0]} x {size[1]} pixels")
    if "unknown" in tiles["level_mode"] or "unknown" in tiles["rounding_mode"]:
        raise NoLayout(part.index, f"tile modes {tiles['level_mode']}, {tiles['rounding_mode']}")
    up = tiles["rounding_mode"] == "round_up"
    numbers = _level_numbers(area, tiles["level_mode"], up)
    if len(numbers) > levels_left:
        raise NoLayout(part.index, f"{len(numbers)} resolution levels, with which the file has more than {MAX_LEVELS}")
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
