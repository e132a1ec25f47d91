"""Chunks that the offset table does not list, found by going from one chunk's leader to the next.

A writer reserves the table with zeros and fills it when the file is closed, so whatever ends it before that leaves a table of
zeros with chunks behind it. OpenEXR's own readers then look for the chunks (measured on 3.5.3, which does so where any offset is
zero), and so does this module: from the end of the table where it is empty, else after each chunk that the table does list.

No chunk is believed that contradicts the header, lies where the table puts another one, or ends beyond the room for it. What
lies beyond the bytes at hand costs requests, of which there are `MOST_RANGES` of `MOST_BYTES` together.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from exr_inspector.exr.chunks import (
    ENTRY_BYTES,
    MAX_LEADER_BYTES,
    OffsetTable,
    chunk_at,
    leader_bytes,
    part_of_leader,
    read_leader,
    read_offsets,
    table_end,
)
from exr_inspector.exr.header import Header, Reader
from exr_inspector.exr.layout import Layout

# A million chunks: a 32K texture of 64-pixel tiles has a third of that, levels included. Sorting them takes 50 MiB for a moment.
MAX_TABLE_BYTES = 8 * 2**20
# One request for each chunk of an 8K frame in ZIP.
MOST_RANGES = 256
MOST_BYTES = 32 * 2**20
# Chunks smaller than this are read together: a request takes longer than their bytes.
WINDOW = 64 * 2**10
# How many leaders of listed chunks are read where that costs; the chunks with the most bytes for their pixels come first.
MOST_PROBED = 16


class TableUnreadable(ValueError):
    """The offset table is cut off, or longer than 8 MiB; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Recovery:
    """The chunks that were found: position in the tables of all parts, one after the other, -> first byte."""

    offsets: dict[int, int]
    exhaustive: bool
    """False where the search ended because it had cost enough, so that there may be more."""


def find_unlisted(
    reader: Reader, header: Header, layouts: Sequence[Layout], offsets: Sequence[int], held: int | None = None
) -> Recovery:
    """The chunks whose entries of `offsets`, the tables of all parts, are zero; nothing is read where none is.

    `held`: how many bytes from the start of the file are there without a request; None: reading costs nothing.
    """
    search = _Search(reader, header, layouts, offsets, reader.size if held is None else held)
    if search.unlisted:
        search.run()
    return Recovery(search.found, search.exhaustive)


def read_table(reader: Reader, header: Header, layouts: Sequence[Layout], held: int | None = None) -> OffsetTable:
    """The offset tables of a file, with the chunks that they do not list; `held` as in `find_unlisted`.

    Raises TableUnreadable where they are cut off or too long to be held.
    """
    counts = [layout.chunks for layout in layouts]
    length, end = ENTRY_BYTES * sum(counts), header.header_bytes + ENTRY_BYTES * sum(counts)
    if length > MAX_TABLE_BYTES:
        message = f"the chunk offset table takes {length} bytes, more than {MAX_TABLE_BYTES}"
        raise TableUnreadable("offset_table_too_long", message)
    offsets = read_offsets(reader, header, 0, sum(counts)) if end <= reader.size else array("Q")
    if len(offsets) < sum(counts):
        raise TableUnreadable("offset_table_truncated", f"the file ends before the end of its chunk offset table at byte {end}")
    for index, offset in find_unlisted(reader, header, layouts, offsets, held).offsets.items():
        offsets[index] = offset
    return OffsetTable(offsets, counts, end, reader.size)


class _Search:
    """One search through the rooms between the chunks that the table lists."""

    def __init__(self, reader: Reader, header: Header, layouts: Sequence[Layout], offsets: Sequence[int], held: int) -> None:
        self.reader = reader
        self.header = header
        self.layouts = layouts
        self.offsets = offsets
        self.held = held
        self.starts = [0, *accumulate(layout.chunks for layout in layouts)]
        self.unlisted = sum(1 for offset in offsets if not offset)
        self.found: dict[int, int] = {}
        self.exhaustive = True
        self.ranges = MOST_RANGES
        self.bytes = MOST_BYTES
        self.window = (0, b"")

    def run(self) -> None:
        """Walk through every room, until all chunks are found or the search has cost enough."""
        for begin, end in self._rooms():
            self._walk(begin, end)
            if len(self.found) == self.unlisted or not self.exhaustive:
                return

    def _rooms(self) -> Iterator[tuple[int, int]]:
        """Where chunks may lie that the table does not list, as [begin, end)."""
        first, size = table_end(self.header, self.layouts), self.reader.size
        listed = {offset: index for index, offset in enumerate(self.offsets) if first <= offset < size}
        ordered = [*sorted(listed), size]
        yield first, ordered[0]
        rooms = [(listed[begin], begin, end) for begin, end in pairwise(ordered)]
        costly = [room for room in rooms if self._costs(*room)]
        # A writer appends, so the last chunk that is listed is the likeliest to be followed by others.
        costly.sort(key=lambda room: (room[2] < size, -self._bytes_per_pixel(*room)))
        probed = [room for room in rooms if not self._costs(*room)] + costly[:MOST_PROBED]
        for index, begin, end in probed:
            stop = self._end_of(index, begin)
            if stop is not None and stop < end:
                yield stop, end

    def _part_of(self, index: int) -> tuple[Layout, int]:
        """The part and the number of the chunk at a position in the tables."""
        part = bisect_right(self.starts, index) - 1
        return self.layouts[part], index - self.starts[part]

    def _costs(self, index: int, begin: int, _: int) -> bool:
        """Whether it takes a request to know where a listed chunk ends."""
        return begin + MAX_LEADER_BYTES > self.held and self.held < self.reader.size and self._fixed_bytes(index) is None

    def _fixed_bytes(self, index: int) -> int | None:
        """The length of a chunk that is not compressed, from the header alone."""
        layout, chunk = self._part_of(index)
        unpacked = None if layout.compressed else layout.unpacked_bytes(chunk)
        return None if unpacked is None else leader_bytes(self.header, layout) + unpacked

    def _bytes_per_pixel(self, index: int, begin: int, end: int) -> float:
        layout, chunk = self._part_of(index)
        area = layout.area(chunk)
        return (end - begin) / max(1, area.width * area.height)

    def _end_of(self, index: int, offset: int) -> int | None:
        """Where a listed chunk ends; None where its leader is not that of a chunk."""
        if (length := self._fixed_bytes(index)) is not None:
            return offset + length
        chunk = self._chunk(offset, 0)
        return None if chunk is None else chunk[1]

    def _walk(self, begin: int, end: int) -> None:
        """From chunk to chunk, as long as each is one that is looked for."""
        while begin < end and len(self.found) < self.unlisted:
            chunk = self._chunk(begin, end - begin)
            if chunk is None:
                return
            index, stop = chunk
            if stop > end or self.offsets[index] or index in self.found:
                return
            self.found[index] = begin
            begin = stop

    def _chunk(self, offset: int, room: int) -> tuple[int, int] | None:
        """The position in the tables of the chunk at `offset`, and where it ends; None where there is none."""
        data = self._leader_at(offset, room)
        part = part_of_leader(self.header, data)
        if part is None or not 0 <= part < len(self.layouts):
            return None
        layout = self.layouts[part]
        length = leader_bytes(self.header, layout)
        if len(data) < length:
            return None
        leader = read_leader(self.header, layout, data)
        number = chunk_at(layout, leader.place)
        if number is None or not _is_plausible(layout, number, leader.sizes):
            return None
        return self.starts[part] + number, offset + length + sum(leader.packed_sizes)

    def _leader_at(self, offset: int, room: int) -> bytes:
        """The bytes of the longest leader from `offset` on, fewer at the file's end; none where they cost too much."""
        end = min(offset + MAX_LEADER_BYTES, self.reader.size)
        if end <= self.held:
            return self.reader.read(offset, end - offset)
        at, data = self.window
        if not at <= offset <= end <= at + len(data):
            length = min(max(self._length(room), end - offset), self.reader.size - offset, self.bytes)
            if self.ranges < 1 or length < end - offset:
                self.exhaustive = False
                return b""
            self.ranges, self.bytes = self.ranges - 1, self.bytes - length
            at, data = self.window = (offset, self.reader.read(offset, length))
        return data[offset - at : end - at]

    def _length(self, room: int) -> int:
        """How much to read at once of the `room` bytes that are still to be walked through, so that the ranges suffice."""
        left = self.unlisted - len(self.found)
        if not room:
            return MAX_LEADER_BYTES
        least = WINDOW if room < WINDOW * left else MAX_LEADER_BYTES
        return max(least, room // self.ranges + 1) if left > self.ranges > 0 else least


def _is_plausible(layout: Layout, chunk: int, sizes: tuple[int, ...]) -> bool:
    """Whether a chunk may have these sizes. What does not shrink is stored as it is, so none is much larger than its pixels."""
    if min(sizes) < 0:
        return False
    unpacked = layout.unpacked_bytes(chunk)
    if unpacked is None:
        return sizes[0] > 0
    if not layout.compressed:
        return sizes[0] == unpacked
    return (sizes[0] > 0 or not unpacked) and sizes[0] <= 2 * unpacked + 4096
