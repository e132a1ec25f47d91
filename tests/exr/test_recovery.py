"""Chunks that the offset table does not list: found where they are there, at a cost that has a limit."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_bytes import (
    NON_IMAGE,
    TILED,
    ZIPS,
    Chunk,
    MemoryReader,
    attribute,
    header,
    image,
    named_part,
    part,
    scanline_chunks,
    set_offsets,
    text,
    tiledesc,
    with_chunks,
    without_chunks,
)
from exr_bytes import NONE as UNCOMPRESSED
from exr_inspector.exr import recovery
from exr_inspector.exr.completeness import Completeness, assess
from exr_inspector.exr.header import parse_header
from exr_inspector.exr.recovery import find_unlisted


@dataclass(frozen=True)
class Kind:
    """A kind of file: its header, and its chunks in the order of the tables."""

    head: bytes
    chunks: list[Chunk]

    def data(self, order: list[int] | None = None) -> bytes:
        """The file, its chunks in this order."""
        return with_chunks(self.head, self.chunks, order)


def deep(kind: str, count: int, *more: bytes) -> bytes:
    """The header of a deep part."""
    own = (text("type", kind), attribute("chunkCount", "int", struct.pack("<i", count)))
    return header(part(*own, *more, window=(0, 0, 63, 31), compression=ZIPS), flags=NON_IMAGE)


TILES = attribute("tiles", "tiledesc", tiledesc(32, 16))
MIPMAP = attribute("tiles", "tiledesc", tiledesc(32, 32, 1))
FOUR_TILES = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (1, 1, 0, 0)]
PYRAMID = [*((x, 0, 0, 0) for x in (0, 1)), *((0, 0, level, level) for level in range(1, 7))]
KINDS = {
    "lines": Kind(header(part(window=(0, -20, 63, 99))), scanline_chunks(8, top=-20)),
    "lines as they are": Kind(
        header(part(window=(0, 0, 63, 7), compression=UNCOMPRESSED)), scanline_chunks(8, lines=1, size=64 * 3 * 2)
    ),
    "tiles of every level": Kind(header(part(MIPMAP), flags=TILED), [Chunk(place) for place in PYRAMID]),
    "deep lines": Kind(deep("deepscanline", 32), [Chunk((y,), (40, y)) for y in range(32)]),
    "deep tiles": Kind(deep("deeptile", 4, TILES), [Chunk(place, (40, 60)) for place in FOUR_TILES]),
    "parts": Kind(
        header(
            named_part("a", "scanlineimage", 2), named_part("b", "tiledimage", 4, TILES), named_part("c", "scanlineimage", 2)
        ),
        [
            *scanline_chunks(2, part=0),
            *(Chunk(place, part=1) for place in FOUR_TILES),
            *scanline_chunks(2, part=2),
        ],
    ),
}  # fmt: skip


def judged(data: bytes, held: int | None = None) -> tuple[Completeness, list[tuple[int, int]]]:
    """The completeness of a file of which `held` bytes are there, and the reads beyond them."""
    reader = MemoryReader(data)
    found = assess(parse_header(data), reader, held=held)
    return found, [read for read in reader.reads if held is not None and sum(read) > held]


def emptied(kind: Kind, data: bytes, *entries: int) -> bytes:
    """The file with these entries of its table zero, or all of them; its chunks are where they were."""
    return set_offsets(data, kind.head, dict.fromkeys(entries or range(len(kind.chunks)), 0))


@pytest.mark.parametrize("name", KINDS)
@given(data=st.data())
def test_chunks_that_are_there_are_found_whatever_of_the_table_is_zero(name: str, data: st.DataObject) -> None:
    """In whichever order they lie in the file, all entries or some: the tables are what they were."""
    kind = KINDS[name]
    count = len(kind.chunks)
    whole = kind.data(data.draw(st.permutations(range(count))))
    lost = data.draw(st.lists(st.integers(0, count - 1), min_size=1, unique=True))
    parsed = parse_header(whole)
    table = struct.unpack_from(f"<{count}Q", whole, parsed.header_bytes)
    offsets = [0 if index in lost else offset for index, offset in enumerate(table)]
    found = find_unlisted(MemoryReader(whole), parsed, parsed.layouts(), offsets)
    assert (found.offsets, found.exhaustive) == ({index: table[index] for index in lost}, True)


@pytest.mark.parametrize("name", KINDS)
def test_an_empty_table_before_all_chunks_is_a_warning(name: str) -> None:
    """Other readers show the whole picture, so nothing is missing; the rest of the verdict is that of the file as it was."""
    kind = KINDS[name]
    (whole, _), (found, _) = judged(kind.data()), judged(emptied(kind, kind.data()))
    assert (found.verdict, found.chunks_present, found.missing) == ("complete", len(kind.chunks), ())
    assert [(finding.severity, finding.code) for finding in found.findings] == [("warning", "offset_table_empty")]
    assert found.profiles == whole.profiles


@pytest.mark.parametrize("name", KINDS)
def test_a_table_that_lacks_chunks_of_the_file_is_a_warning(name: str) -> None:
    """Some offsets are zero although their chunks are there."""
    kind = KINDS[name]
    found, _ = judged(emptied(kind, kind.data(), 1, 3))
    assert (found.verdict, found.chunks_present) == ("complete", len(kind.chunks))
    assert [finding.code for finding in found.findings] == ["offset_table_incomplete"]
    assert f"2 of {len(kind.chunks)} chunks" in found.findings[0].message


def test_a_killed_render_has_the_chunks_that_it_wrote() -> None:
    """Five of eight are whole, the sixth is cut off: three are missing, and the table is said to be empty."""
    kind = KINDS["lines"]
    found, _ = judged(emptied(kind, kind.data())[: -2 * 108 - 50])
    assert (found.verdict, found.chunks_present) == ("incomplete", 5)
    assert [(span.area.y_min, span.area.y_max) for span in found.missing] == [(60, 99)]
    assert [finding.code for finding in found.findings] == ["offset_table_empty", "chunks_missing"]
    assert found.findings[1].message == "3 of 8 chunk offsets are zero: these chunks were never written"


def test_bytes_after_the_last_chunk_found_are_counted() -> None:
    """As they are where the table lists the chunks."""
    kind = KINDS["lines"]
    found, _ = judged(emptied(kind, kind.data()) + b"junk!")
    assert (found.verdict, found.trailing_bytes) == ("complete", 5)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, 17),  # lines that no chunk begins with
        (0, 8 * 16),  # beyond the window
        (0, -16),
        (0, 16),  # a chunk that another one is already
        (4, 0),  # no bytes for its pixels
        (4, -1),
        (4, 10**6),  # beyond the file
        (4, 2**31 - 1),
    ],
)
def test_a_leader_that_contradicts_the_header_ends_the_search(place: int, value: int) -> None:
    """What lies behind it is not believed; the third chunk's leader is wrong."""
    kind = Kind(header(part(window=(0, 0, 63, 127))), scanline_chunks(8))
    third = len(kind.head) + 64 + 2 * 108
    data = bytearray(emptied(kind, kind.data()))
    struct.pack_into("<i", data, third + place, value)
    found, _ = judged(bytes(data))
    assert (found.verdict, found.chunks_present) == ("incomplete", 2)


@pytest.mark.parametrize("name", KINDS)
@given(data=st.data())
def test_any_bytes_may_follow_an_empty_table(name: str, data: st.DataObject) -> None:
    """Whatever is wrong with the leaders, the search ends, and no chunk is found twice or outside the file."""
    kind = KINDS[name]
    noise = bytearray(emptied(kind, kind.data()))
    for _ in range(3):
        at = data.draw(st.integers(len(kind.head) + 8 * len(kind.chunks), len(noise) - 8))
        noise[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))
    parsed = parse_header(bytes(noise))
    found = find_unlisted(MemoryReader(bytes(noise)), parsed, parsed.layouts(), [0] * len(kind.chunks)).offsets
    assert len(set(found.values())) == len(found)
    assert all(0 <= index < len(kind.chunks) and offset < len(noise) for index, offset in found.items())


def test_a_chunk_of_a_part_that_is_not_there_ends_the_search() -> None:
    """A leader names its part by a number."""
    kind = KINDS["parts"]
    data = bytearray(emptied(kind, kind.data()))
    struct.pack_into("<i", data, len(kind.head) + 64, 3)
    assert judged(bytes(data))[0].chunks_present == 0


# What it costs


def empty_file(count: int, size: int) -> tuple[bytes, int]:
    """A file of so many chunks of so many bytes whose table is empty, and the bytes up to the end of the table."""
    head = header(part(window=(0, 0, 999, 16 * count - 1)))
    kind = Kind(head, scanline_chunks(count, size=size))
    return emptied(kind, kind.data()), len(head) + 8 * count


@pytest.mark.parametrize(
    ("count", "size", "requests", "most_bytes"),
    [
        (135, 90_000, 135, 135 * 44),  # a request for each leader
        (100, 1_000, 2, 100 * 1_008 + 44),  # many chunks in one request
        (250, 70_000, 250, 250 * 44),
        (300, 66_000, 256, 300 * 66_008),  # more chunks than requests: several chunks in each
    ],
)
def test_a_search_costs_one_request_for_each_large_chunk_or_many_small_ones(
    count: int, size: int, requests: int, most_bytes: int
) -> None:
    """And never more than 256."""
    data, held = empty_file(count, size)
    found, reads = judged(data, held)
    assert (found.verdict, found.chunks_present, found.exact) == ("complete", count, True)
    assert len(reads) <= requests
    assert sum(length for _, length in reads) <= most_bytes


def test_a_search_that_costs_too_much_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found counts, the rest is not called unwritten; on disk the same file is searched to its end."""
    monkeypatch.setattr(recovery, "MOST_RANGES", 8)
    monkeypatch.setattr(recovery, "MOST_BYTES", 600_000)
    data, held = empty_file(20, 90_000)
    found, reads = judged(data, held)
    assert (found.verdict, found.chunks_present, found.exact) == ("incomplete", 8, False)
    assert (len(reads), found.findings[0].code, found.findings[1].code) == (4, "offset_table_empty", "chunks_missing")
    assert "took too many reads" in found.findings[1].message
    assert "never written" not in found.findings[1].message
    assert judged(data)[0].verdict == "complete"


def test_chunks_that_were_never_written_cost_a_few_requests() -> None:
    """The usual unfinished file: nothing lies between the chunks, as the leaders of the longest ones and of the last tell."""
    kind = Kind(header(part(window=(0, 0, 999, 6399))), scanline_chunks(400, size=5_000))
    data = without_chunks(kind.data(), len(kind.head), *range(0, 400, 2))
    found, reads = judged(data, len(kind.head) + 3200)
    assert (found.verdict, found.chunks_present, found.exact) == ("incomplete", 200, True)
    assert len(reads) <= recovery.MOST_PROBED + 1


def test_a_hidden_chunk_is_found_where_only_a_few_leaders_are_read() -> None:
    """Its bytes make another chunk look long."""
    kind = Kind(header(part(window=(0, 0, 999, 6399))), scanline_chunks(400, size=5_000))
    found, reads = judged(emptied(kind, kind.data(), 200, 300), len(kind.head) + 3200)
    assert (found.verdict, found.chunks_present) == ("complete", 400)
    assert len(reads) <= recovery.MOST_PROBED + 2


def test_a_whole_table_costs_nothing_more() -> None:
    """No leader is read for the search."""
    reader = MemoryReader(image())
    parsed = parse_header(reader.data)
    offsets = struct.unpack_from("<8Q", reader.data, parsed.header_bytes)
    assert find_unlisted(reader, parsed, parsed.layouts(), offsets).offsets == {}
    assert reader.reads == []


def test_a_table_that_is_too_long_to_be_searched_says_so() -> None:
    """Nothing claims that the chunks were never written."""
    count = 600_000
    head = header(part(window=(0, 0, 63, count - 1), compression=ZIPS))
    found, _ = judged(head + bytes(8 * count + 100))
    assert (found.verdict, found.exact) == ("incomplete", False)
    assert "too long to look for them" in found.findings[0].message
