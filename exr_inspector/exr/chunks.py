"""Where a file's chunks lie: the offset tables of its parts, and the leader before each chunk's data ("OpenEXR File Layout").

The tables follow the header, one for each part, and have eight bytes for each chunk. A chunk begins with its part's number in
multi-part files, then its place (a line, or a tile and its level), then the size of its data, or three sizes where it is deep.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from exr_inspector.exr.header import Header, Reader
from exr_inspector.exr.layout import Layout

ENTRY_BYTES = 8
MAX_LEADER_BYTES = 44
"""Of a deep tile of a multi-part file: its part, four numbers of its place, three sizes."""


class OffsetTable:
    """The offset tables of all parts, and where each chunk may end at most: at the next chunk, or at the object's end."""

    def __init__(self, offsets: array[int], counts: Iterable[int], first_byte: int, size: int) -> None:
        self._offsets = offsets
        self._starts = [0, *accumulate(counts)]
        self._first_byte = first_byte
        self._size = size
        self._ordered = array("Q", sorted(offsets))

    def extent(self, part: int, chunk: int, most: int = 2**63) -> tuple[int, int] | None:
        """First byte and end of the room of a part's chunk, at most `most` bytes; None where the file does not hold the chunk."""
        offset = self._offsets[self._starts[part] + chunk]
        if not self._first_byte <= offset < self._size:
            return None
        after = bisect_right(self._ordered, offset)
        end = self._ordered[after] if after < len(self._ordered) else self._size
        return offset, min(end, self._size, offset + most)


def table_end(header: Header, layouts: Iterable[Layout]) -> int:
    """The byte after the offset tables, before which no chunk can begin."""
    return header.header_bytes + ENTRY_BYTES * sum(layout.chunks for layout in layouts)


def read_offsets(reader: Reader, header: Header, first: int, last: int) -> array[int]:
    """The entries `first` to `last` (exclusive), counted over all parts; fewer where the object ends before them."""
    data = reader.read(header.header_bytes + ENTRY_BYTES * first, ENTRY_BYTES * (last - first))
    offsets = array("Q")
    offsets.frombytes(data[: len(data) // ENTRY_BYTES * ENTRY_BYTES])
    if sys.byteorder == "big":
        offsets.byteswap()
    return offsets


@dataclass(frozen=True, slots=True)
class Leader:
    """What precedes a chunk's data. `part` is None in a single-part file, which does not say it."""

    part: int | None
    place: tuple[int, ...]
    """The first line; or column, row and level (x, y) of the tile."""
    sizes: tuple[int, ...]
    """Bytes of the data; of deep data those of the sample counts and of the samples, and those of the samples unpacked."""

    @property
    def packed_sizes(self) -> tuple[int, ...]:
        """The sizes that the chunk has in the file."""
        return self.sizes[:2]

    @property
    def unpacked(self) -> int:
        """The bytes of a deep chunk's samples, unpacked; 0 where the leader does not say it."""
        return self.sizes[2] if len(self.sizes) > 2 else 0


def leader_bytes(header: Header, layout: Layout) -> int:
    """The length of the leaders of a part's chunks."""
    return _leader_struct(header, layout).size


def read_leader(header: Header, layout: Layout, data: bytes | memoryview) -> Leader:
    """The leader at the start of a chunk of that part, of which at least `leader_bytes` are there."""
    fields = _leader_struct(header, layout).unpack_from(data)
    number, fields = (fields[0], fields[1:]) if header.is_multipart else (None, fields)
    words = 1 if layout.tile is None else 4
    return Leader(number, fields[:words], fields[words:])


def part_of_leader(header: Header, data: bytes) -> int | None:
    """The part that the leader at the start of `data` names; None where the data ends before that."""
    if not header.is_multipart:
        return 0
    return int.from_bytes(data[:4], "little", signed=True) if len(data) >= 4 else None


def _leader_struct(header: Header, layout: Layout) -> struct.Struct:
    number, place = "i" if header.is_multipart else "", "i" if layout.tile is None else "4i"
    return struct.Struct(f"<{number}{place}{'3q' if layout.deep else 'i'}")


def chunk_place(layout: Layout, chunk: int) -> tuple[int, ...]:
    """The place that the leader of a chunk must state."""
    if layout.tile is None:
        return (layout.window.y_min + chunk * layout.lines,)
    level = layout.level_of(chunk)
    row, column = divmod(chunk - level.first, level.columns)
    return column, row, level.x, level.y


def chunk_at(layout: Layout, place: tuple[int, ...]) -> int | None:
    """The number of the chunk whose leader states this place; None where the part has no such chunk."""
    if layout.tile is None:
        chunk, rest = divmod(place[0] - layout.window.y_min, layout.lines)
        return chunk if not rest and 0 <= chunk < layout.chunks else None
    column, row, x, y = place
    level = next((level for level in layout.levels if (level.x, level.y) == (x, y)), None)
    if level is None or not (0 <= column < level.columns and 0 <= row < level.rows):
        return None
    return level.first + row * level.columns + column
