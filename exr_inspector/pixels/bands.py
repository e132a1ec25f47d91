"""A band of a part's chunks -> the bytes of a small OpenEXR file that holds nothing else.

A decoder that only reads whole files can so be made to read one band of lines or one block of tiles of a file of any size, of
a truncated file, or of an object of which only some ranges were fetched. Chunks are copied as they are; what is rewritten are
the data window, the offset table, the part number and the tile coordinates ("OpenEXR File Layout"). Nothing is decoded here.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from operator import itemgetter

from exr_inspector.exr.attributes import COMPRESSIONS, PIXEL_TYPES
from exr_inspector.exr.chunks import OffsetTable, chunk_place, leader_bytes, read_leader
from exr_inspector.exr.header import LONG_NAMES, MAGIC, NON_IMAGE, TILED, VERSION, Header, Part, Reader
from exr_inspector.exr.layout import Layout, Window, tile_area

# Chunks that lie this close to each other are fetched with one read.
GAP = 64 * 1024


class DamagedChunk(ValueError):
    """A chunk is not the one that the table promises, or does not decode; `code` is that of the finding."""

    code = "chunk_not_decodable"


class LargeChunk(DamagedChunk):
    """A chunk needs more memory than there may be; whether it is damaged is not known."""

    code = "chunk_too_large"


@dataclass(frozen=True, slots=True)
class Band:
    """Chunks that fill a rectangle of level 0: `window` in pixels, `chunks` in the order of the image.

    `origin` is the column and row of the first tile, (0, 0) for lines.
    """

    window: Window
    chunks: tuple[int, ...]
    origin: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Grid:
    """How the first level of a part is cut into units, the least that can be decoded alone: one tile, or a group of chunks.

    Chroma that is sampled every n-th line cannot be cut between those lines, so a group covers a multiple of n lines.
    """

    layout: Layout
    columns: int
    rows: int
    group: int
    """Chunks per unit."""

    @property
    def units(self) -> int:
        """How many units the level has."""
        return self.columns * self.rows

    @property
    def chunks(self) -> int:
        """How many chunks the level has."""
        return self.columns * self.rows if self.layout.tile else self.layout.chunks

    def unit_chunks(self, number: int) -> range:
        """The numbers of a unit's chunks."""
        return range(number * self.group, min((number + 1) * self.group, self.chunks))

    def block(self, row: int, rows: int, column: int, columns: int) -> Band:
        """The band of `rows` x `columns` units from (row, column) on."""
        if self.layout.tile is None:
            first, last = row * self.group, min((row + rows) * self.group, self.layout.chunks)
            top, bottom = self.layout.area(first), self.layout.area(last - 1)
            return Band(Window(top.x_min, top.y_min, top.x_max, bottom.y_max), tuple(range(first, last)))
        area = tile_area(self.layout, self.layout.levels[0], column, row, column + columns - 1, row + rows - 1)
        chunks = tuple(y * self.columns + x for y in range(row, row + rows) for x in range(column, column + columns))
        return Band(area, chunks, (column, row))

    def unit(self, number: int) -> Band:
        """One unit, counted line by line."""
        row, column = divmod(number, self.columns)
        return self.block(row, 1, column, 1)


def grid(layout: Layout) -> Grid:
    """The units of a part's first level."""
    if layout.tile is not None:
        return Grid(layout, layout.levels[0].columns, layout.levels[0].rows, 1)
    steps = [y_step for _, _, y_step in layout.samples or ()]
    group = math.lcm(layout.lines, *steps) // layout.lines
    return Grid(layout, 1, -(-layout.chunks // group), group)


def bands(units: Grid, present: Callable[[int], object], most: int) -> Iterator[Band]:
    """The present units as bands of at most `most` units (at least one), from top to bottom and left to right.

    `present` is asked for a unit's number. Whole rows are joined while they fit; where a unit is absent or a row does not fit, a
    row is cut into runs.
    """
    height = max(1, most // units.columns)
    row = 0
    while row < units.rows:
        rows = _whole_rows(units, present, row, min(height, units.rows - row)) if most >= units.columns else 0
        if rows:
            yield units.block(row, rows, 0, units.columns)
        else:
            yield from _runs(units, present, row, most)
        row += max(rows, 1)


def _whole_rows(units: Grid, present: Callable[[int], object], row: int, most: int) -> int:
    """How many rows from `row` on are complete, up to `most`."""
    for rows in range(most):
        first = (row + rows) * units.columns
        if not all(map(present, range(first, first + units.columns))):
            return rows
    return most


def _runs(units: Grid, present: Callable[[int], object], row: int, most: int) -> Iterator[Band]:
    start = 0
    for column in range(units.columns + 1):
        here = column < units.columns and present(row * units.columns + column)
        if (not here or column - start == most) and column > start:
            yield units.block(row, 1, start, column - start)
            start = column
        if not here:
            start = column + 1


def fetch(reader: Reader, table: OffsetTable, part: int, chunks: Iterable[int], most: int = 2**63) -> dict[int, memoryview]:
    """The bytes in which each chunk lies, at most `most` per chunk, neighbours in one read; absent chunks are left out."""
    extents = {chunk: extent for chunk in chunks if (extent := table.extent(part, chunk, most)) is not None}
    data_of: dict[int, memoryview] = {}
    for span in _spans(extents):
        first, last = extents[span[0]][0], max(extents[chunk][1] for chunk in span)
        data = memoryview(reader.read(first, last - first))
        for chunk in span:
            begin, end = extents[chunk]
            data_of[chunk] = data[begin - first : end - first]
    return data_of


def _spans(extents: dict[int, tuple[int, int]]) -> list[list[int]]:
    spans: list[list[int]] = []
    reached = 0
    for chunk in sorted(extents, key=extents.__getitem__):
        begin, end = extents[chunk]
        if not spans or begin > reached + GAP:
            spans.append([])
        spans[-1].append(chunk)
        reached = end
    return spans


@dataclass(frozen=True, slots=True)
class Piece:
    """One chunk ready for a band's file; `unpacked` is the size of its samples in bytes where the leader says it (deep)."""

    body: tuple[bytes, memoryview]
    unpacked: int


def cut(header: Header, layout: Layout, band: Band, chunk: int, data: memoryview) -> Piece:
    """A chunk without its part number, with its tile counted from the band's corner.

    Raises DamagedChunk when the bytes are not that chunk, or end before it does.
    """
    length = leader_bytes(header, layout)
    if len(data) < length:
        raise DamagedChunk("its leader is cut off")
    leader, place = read_leader(header, layout, data), chunk_place(layout, chunk)
    if leader.part not in (None, layout.part):
        raise DamagedChunk("it belongs to another part")
    if leader.place != place:
        raise DamagedChunk(f"it lies at {leader.place} where the table has {place}")
    end = length + sum(leader.packed_sizes)
    if min(leader.sizes) < 0 or end > len(data):
        raise DamagedChunk(f"its {end} bytes reach beyond the {len(data)} that the file has for it")
    sizes_at = (4 if header.is_multipart else 0) + 4 * len(place)
    return Piece((_place_in_band(layout, band, place), data[sizes_at:end]), leader.unpacked)


def _place_in_band(layout: Layout, band: Band, place: tuple[int, ...]) -> bytes:
    """The place that the chunk's leader gets in the band's file."""
    if layout.tile is None:
        return struct.pack("<i", *place)
    return struct.pack("<4i", place[0] - band.origin[0], place[1] - band.origin[1], 0, 0)


def band_file(part: Part, layout: Layout, band: Band, pieces: list[Piece]) -> bytes:
    """A single-part OpenEXR file of a band, one piece for each of its chunks in order; its channels are `channel_names`."""
    header = _header(part, layout, band.window, len(pieces))
    sizes = (len(piece.body[0]) + len(piece.body[1]) for piece in pieces)
    position = len(header) + 8 * len(pieces)
    offsets = list(accumulate(sizes, initial=position))[:-1]
    table = struct.pack(f"<{len(offsets)}Q", *offsets)
    return b"".join((header, table, *(block for piece in pieces for block in piece.body)))


def _header(part: Part, layout: Layout, window: Window, chunks: int) -> bytes:
    flags = LONG_NAMES | (NON_IMAGE if layout.deep else 0) | (TILED if layout.tile and not layout.deep else 0)
    box = struct.pack("<4i", window.x_min, window.y_min, window.x_max, window.y_max)
    kind = ("deeptile" if layout.tile else "deepscanline") if layout.deep else ("tiledimage" if layout.tile else "scanlineimage")
    attributes = [
        _attribute("channels", "chlist", _channels(part, layout)),
        _attribute("compression", "compression", bytes([COMPRESSIONS.index(layout.compression)])),
        _attribute("dataWindow", "box2i", box),
        _attribute("displayWindow", "box2i", box),
        _attribute("lineOrder", "lineOrder", b"\0"),
        _attribute("pixelAspectRatio", "float", struct.pack("<f", 1)),
        _attribute("screenWindowCenter", "v2f", bytes(8)),
        _attribute("screenWindowWidth", "float", struct.pack("<f", 1)),
        _attribute("type", "string", kind.encode()),
    ]
    if layout.tile:
        attributes.append(_attribute("tiles", "tiledesc", struct.pack("<2IB", *layout.tile, 0)))
    if layout.deep:
        attributes += [_attribute("version", "int", b"\1\0\0\0"), _attribute("chunkCount", "int", struct.pack("<i", chunks))]
    return b"".join((MAGIC, struct.pack("<I", VERSION | flags), *attributes, b"\0"))


def _attribute(name: str, kind: str, value: bytes) -> bytes:
    return b"".join((name.encode(), b"\0", kind.encode(), b"\0", struct.pack("<i", len(value)), value))


def channel_names(part: Part, layout: Layout) -> list[bytes]:
    """The names that a part's channels get in a band's file.

    DWA's codecs decide by the name how to decode a channel, so theirs stay; the others' become numbers, in the order of the
    names, which is that of the samples in a chunk: a name that is not UTF-8 cannot stop the decoder then.
    """
    names = [channel.raw_name or channel.name.encode() for channel in part.channels]
    if layout.compression.startswith("dwa"):
        return names
    order = {name: rank for rank, name in enumerate(sorted(set(names)))}
    return [b"%05d" % order[name] for name in names]


def _channels(part: Part, layout: Layout) -> bytes:
    entries = sorted(zip(channel_names(part, layout), part.channels, strict=True), key=itemgetter(0))
    packed = (
        name + b"\0" + struct.pack("<iB3x2i", PIXEL_TYPES.index(one.type), one.p_linear, one.x_sampling, one.y_sampling)
        for name, one in entries
    )
    return b"".join(packed) + b"\0"
