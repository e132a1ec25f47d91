"""Completeness: what the offset table and the true size say about the chunks of a file."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest

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
from exr_inspector.exr import completeness
from exr_inspector.exr.completeness import Completeness, assess
from exr_inspector.exr.header import parse_header

HEAD = header(part(window=(0, 0, 63, 127)))
"""Eight chunks of 16 lines."""


def judged(data: bytes, size: int = -1) -> Completeness:
    """The completeness of a file of these bytes."""
    reader = MemoryReader(data, size)
    return assess(parse_header(data), reader)


def codes(found: Completeness) -> list[str]:
    """The codes of its findings."""
    return [finding.code for finding in found.findings]


def lines(found: Completeness) -> list[tuple[int, int]]:
    """First and last line of each missing range."""
    return [(span.area.y_min, span.area.y_max) for span in found.missing]


def test_a_complete_file_is_complete() -> None:
    """All chunks there, nothing missing, nothing left over."""
    found = judged(image())
    assert (found.verdict, found.chunks_expected, found.chunks_present, found.chunks_checked) == ("complete", 8, 8, 8)
    assert (found.missing, found.bytes_missing, found.trailing_bytes, found.exact) == ((), 0, 0, True)
    assert found.findings == ()


@pytest.mark.parametrize("order", [[7, 6, 5, 4, 3, 2, 1, 0], [3, 1, 4, 0, 5, 7, 2, 6]])
def test_the_order_of_chunks_in_the_file_does_not_matter(order: list[int]) -> None:
    """Decreasing and random line order are complete as well."""
    assert judged(with_chunks(HEAD, scanline_chunks(8), order)).verdict == "complete"


def test_zero_offsets_mean_that_rendering_stopped() -> None:
    """The missing lines are in image coordinates, runs are merged, and the last chunk ends with the window."""
    head = header(part(window=(0, -20, 63, 99)))
    data = with_chunks(head, scanline_chunks(8, top=-20))
    found = judged(without_chunks(data, len(head), 1, 2, 7))
    assert (found.verdict, found.chunks_present) == ("incomplete", 5)
    assert lines(found) == [(-4, 27), (92, 99)]
    assert found.missing[0].as_dict() == {"part": 0, "area": {"min": {"x": 0, "y": -4}, "max": {"x": 63, "y": 27}}}
    assert codes(found) == ["chunks_missing"]


def test_a_table_of_zeros_is_a_file_without_a_chunk() -> None:
    """The library opens such a file without a word."""
    for rest in (b"", bytes(5000), b"\x55" * 5000):
        found = judged(HEAD + bytes(64) + rest)
        assert (found.verdict, found.chunks_present, lines(found)) == ("incomplete", 0, [(0, 127)])
        assert codes(found) == ["chunks_missing"]


def test_a_copy_cut_short_is_truncated() -> None:
    """The chunk that straddles the cut is missing as well; the bytes missing are at least those up to the last chunk's start."""
    data = image()
    found = judged(data[: len(data) - 250])
    assert (found.verdict, found.chunks_present, lines(found)) == ("truncated", 5, [(80, 127)])
    assert 250 - 108 < found.bytes_missing <= 250
    assert codes(found) == ["chunks_truncated"]


@pytest.mark.parametrize("cut", [1, 99, 100])
def test_a_cut_inside_the_last_chunk_is_found_by_its_leader(cut: int) -> None:
    """One small read tells how many bytes are missing, exactly."""
    data = image()
    reader = MemoryReader(data[:-cut])
    found = assess(parse_header(data), reader)
    assert (found.verdict, found.chunks_present, found.bytes_missing) == ("truncated", 7, cut)
    assert reader.reads[-1] == (len(data) - 108, 8)


def test_a_cut_inside_the_last_leader_is_truncated() -> None:
    """Even the chunk's length is gone."""
    data = image()
    found = judged(data[:-104])
    assert (found.verdict, found.chunks_present, lines(found)) == ("truncated", 7, [(112, 127)])


def test_uncompressed_files_need_no_leader() -> None:
    """The last chunk's length follows from the header; the table is the only read."""
    head = header(part(window=(0, 0, 63, 7), compression=UNCOMPRESSED))
    data = with_chunks(head, scanline_chunks(8, lines=1, size=64 * 3 * 2))
    reader = MemoryReader(data)
    assert assess(parse_header(data), reader).verdict == "complete"
    assert reader.reads == [(len(head), 64)]
    cut = judged(data[:-5])
    assert (cut.verdict, cut.bytes_missing) == ("truncated", 5)


def test_a_table_beyond_the_object_is_truncated_without_a_read() -> None:
    """However large the header says it is."""
    head = header(part(window=(0, 0, 63, 2**30 - 2)))
    reader = MemoryReader(head + bytes(100))
    found = assess(parse_header(head), reader)
    assert (found.verdict, found.chunks_expected, found.chunks_present) == ("truncated", 2**26, 0)
    assert found.bytes_missing == 8 * 2**26 - 100
    assert (reader.reads, codes(found)) == ([], ["offset_table_truncated"])


@pytest.mark.parametrize(
    ("changes", "code", "present"),
    [
        ({3: 17}, "offset_before_chunks", 7),
        ({3: 2**63 + 5}, "offset_senseless", 7),
        ({3: 2**40}, "offset_senseless", 7),
    ],
)
def test_offsets_that_make_no_sense_are_damage(changes: dict[int, int], code: str, present: int) -> None:
    """Into the header, or farther than the image could reach."""
    found = judged(set_offsets(image(), HEAD, changes))
    assert (found.verdict, found.chunks_present, lines(found)) == ("damaged", present, [(48, 63)])
    assert codes(found) == [code]


def test_an_offset_used_twice_is_damage() -> None:
    """Two chunks cannot lie at one place."""
    data = image()
    (second,) = struct.unpack_from("<Q", data, len(HEAD) + 8)
    found = judged(set_offsets(data, HEAD, {0: second}))
    assert (found.verdict, codes(found)) == ("damaged", ["offset_duplicated"])


def test_a_last_chunk_that_is_another_one_is_damage() -> None:
    """Its leader names other lines than the table does."""
    chunks = scanline_chunks(8)
    chunks[7] = Chunk((16,))
    found = judged(with_chunks(HEAD, chunks))
    assert (found.verdict, codes(found)) == ("damaged", ["chunk_leader_mismatch"])


def test_a_file_filled_up_with_zeros_is_damage() -> None:
    """A transfer that reserved the space and never wrote it: the last chunk's leader is blank."""
    data = image(size=1000)
    found = judged(data[:4000] + bytes(len(data) - 4000))
    assert found.verdict == "damaged"


def test_bytes_after_the_last_chunk_and_before_the_first_are_warnings() -> None:
    """The file is complete; what else is there is counted."""
    data = image() + b"junk!"
    found = judged(data)
    assert (found.verdict, found.trailing_bytes, codes(found)) == ("complete", 5, ["trailing_bytes"])
    shorter = header(part(window=(0, 0, 63, 111)))
    shifted = judged(shorter + image()[len(HEAD) :])
    assert "bytes_before_chunks" in codes(shifted)
    assert shifted.findings[0].severity == "warning"


def test_a_header_that_does_not_say_how_many_chunks_there_are_has_no_verdict() -> None:
    """The reason is an error at the end of the header."""
    for options in ({"without": ("dataWindow",)}, {"window": (0, 0, -1, 5)}, {"compression": 99}):
        found = judged(header(part(**options)))  # type: ignore[arg-type]
        assert (found.verdict, found.chunks_expected, codes(found)) == ("unknown", None, ["chunks_uncountable"])


def tiled(level: int, rounding: int, size: tuple[int, int] = (100, 60), tile: int = 32) -> tuple[bytes, list[tuple[int, ...]]]:
    """The header of a tiled file, and the coordinates of its tiles in table order, worked out one by one."""
    head = header(
        part(attribute("tiles", "tiledesc", tiledesc(tile, tile, level, rounding)), window=(10, 20, 9 + size[0], 19 + size[1])),
        flags=TILED,
    )

    def sizes(side: int) -> list[int]:
        found = [side]
        while found[-1] > 1:
            found.append((found[-1] + rounding) // 2)
        return found

    widths, heights = sizes(size[0]), sizes(size[1])
    longest = max(len(widths), len(heights))
    pairs = {
        0: [(0, 0)],
        1: [(n, n) for n in range(longest)],
        2: [(x, y) for y in range(len(heights)) for x in range(len(widths))],
    }[level]
    places = []
    for x, y in pairs:
        width, height = widths[min(x, len(widths) - 1)], heights[min(y, len(heights) - 1)]
        places += [(column, row, x, y) for row in range(-(-height // tile)) for column in range(-(-width // tile))]
    return head, places


@pytest.mark.parametrize("rounding", [0, 1])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_tiles_of_every_level_mode_and_rounding_are_counted(level: int, rounding: int) -> None:
    """As many as walking the levels gives, in the order in which the format stores them."""
    head, places = tiled(level, rounding)
    data = with_chunks(head, [Chunk(place) for place in places])
    found = judged(data)
    assert (found.verdict, found.chunks_expected, found.chunks_present) == ("complete", len(places), len(places))
    for last in range(len(places)):
        order = [n for n in range(len(places)) if n != last] + [last]
        assert judged(with_chunks(head, [Chunk(place) for place in places], order)).verdict == "complete"


def test_missing_tiles_are_blocks_in_the_coordinates_of_their_level() -> None:
    """The rest of a row, whole rows, the start of a row; at the edge clipped to the image."""
    head, places = tiled(1, 0)
    data = with_chunks(head, [Chunk(place) for place in places])
    found = judged(without_chunks(data, len(head), 2, 3, 4, 5, 6, 7, 8))
    assert found.verdict == "incomplete"
    blocks = [span.as_dict() for span in found.missing]
    assert [block["level"] for block in blocks] == [{"x": 0, "y": 0}, {"x": 0, "y": 0}, {"x": 1, "y": 1}]
    assert blocks[0]["tiles"] == {"min": {"x": 2, "y": 0}, "max": {"x": 3, "y": 0}}
    assert blocks[0]["area"] == {"min": {"x": 74, "y": 20}, "max": {"x": 109, "y": 51}}
    assert blocks[1]["area"] == {"min": {"x": 10, "y": 52}, "max": {"x": 109, "y": 79}}
    assert blocks[2]["tiles"] == {"min": {"x": 0, "y": 0}, "max": {"x": 0, "y": 0}}


def test_deep_chunks_have_two_packed_sizes() -> None:
    """The sample count table and the data, both before the next chunk."""
    own = (text("type", "deepscanline"), attribute("chunkCount", "int", struct.pack("<i", 4)))
    head = header(part(*own, window=(0, 0, 7, 3), compression=ZIPS), flags=NON_IMAGE)
    data = with_chunks(head, [Chunk((y,), (40, 60)) for y in range(4)])
    assert judged(data).verdict == "complete"
    assert judged(data[:-1]).bytes_missing == 1


def test_deep_tiles_have_coordinates_and_two_packed_sizes() -> None:
    """The type says that the part is tiled; the version flag for tiles is for flat single parts alone."""
    own = (text("type", "deeptile"), attribute("chunkCount", "int", struct.pack("<i", 4)))
    tiles = attribute("tiles", "tiledesc", tiledesc(32, 16))
    head = header(part(*own, tiles, compression=ZIPS), flags=NON_IMAGE)
    data = with_chunks(head, [Chunk((x, y, 0, 0), (40, 60)) for y in (0, 1) for x in (0, 1)])
    assert judged(data).verdict == "complete"
    cut = judged(data[:-1])
    assert (cut.verdict, cut.bytes_missing, cut.missing[0].tiles is not None) == ("truncated", 1, True)


def test_a_part_of_an_unknown_type_is_counted_by_its_chunk_count() -> None:
    """The library does the same."""
    head = header(named_part("a", "hologram", 3, compression=99), named_part("b", "scanlineimage", 2))
    data = with_chunks(head, [Chunk((n,), part=0) for n in range(3)] + scanline_chunks(2, part=1))
    assert judged(data).chunks_expected == 5


def multipart() -> tuple[bytes, bytes]:
    """Two scanline parts of two chunks and a tiled one of four, their chunks interleaved: the header, the file."""
    tiles = attribute("tiles", "tiledesc", tiledesc(32, 16))
    head = header(
        named_part("a", "scanlineimage", 2), named_part("b", "tiledimage", 4, tiles), named_part("c", "scanlineimage", 2)
    )
    middle = [Chunk((x, y, 0, 0), part=1) for y in (0, 1) for x in (0, 1)]
    chunks = [*scanline_chunks(2, part=0), *middle, *scanline_chunks(2, part=2)]
    return head, with_chunks(head, chunks, [7, 0, 5, 2, 6, 3, 1, 4])


def test_parts_have_tables_one_after_the_other_and_chunks_anywhere() -> None:
    """What is missing is named by part."""
    head, data = multipart()
    assert judged(data).verdict == "complete"
    found = judged(without_chunks(data, len(head), 1, 3, 6))
    assert [(span.part, span.area.y_min, span.tiles is not None) for span in found.missing] == [
        (0, 16, False), (1, 0, True), (2, 0, False),
    ]  # fmt: skip
    assert [profile.part for profile in found.profiles] == [0, 1, 2]


def test_a_multipart_leader_names_its_part() -> None:
    """A chunk of another part at the end of the file is damage."""
    _, data = multipart()
    at = len(data) - 24 - 100
    assert struct.unpack_from("<i", data, at) == (1,)
    wrong = data[:at] + struct.pack("<i", 0) + data[at + 4 :]
    assert codes(judged(wrong)) == ["chunk_leader_mismatch"]


def test_the_number_of_listed_ranges_is_bounded() -> None:
    """Every second line missing: 256 ranges are listed, the rest is counted."""
    head = header(part(window=(0, 0, 63, 1999), compression=ZIPS))
    data = with_chunks(head, scanline_chunks(2000, lines=1))
    found = judged(without_chunks(data, len(head), *range(0, 2000, 2)))
    assert (len(found.missing), found.ranges_omitted, found.chunks_present) == (256, 744, 1000)


def test_a_huge_table_is_judged_by_a_bounded_read() -> None:
    """Two megabytes of the table in 32 runs, the first and last entries among them, and one leader; the verdict says so."""
    count = 600_000
    head = header(part(window=(0, 0, 63, count - 1), compression=ZIPS))
    start = len(head) + 8 * count
    offsets = [start + 9 * n for n in range(count)]
    data = head + struct.pack(f"<{count}Q", *offsets) + b"".join(struct.pack("<iib", n, 1, 0) for n in range(count))
    reader = MemoryReader(data)
    found = assess(parse_header(data[:4096]), reader)
    assert (found.verdict, found.exact, found.chunks_expected) == ("complete", False, count)
    assert found.chunks_checked == found.chunks_present == completeness.TABLE_BUDGET // 8
    assert sum(length for _, length in reader.reads) <= completeness.TABLE_BUDGET + 8
    assert len(reader.reads) == 33
    stopped = set_offsets(data, head, dict.fromkeys(range(count // 2, count), 0))
    assert judged(stopped).verdict == "incomplete"


def profile_of(sizes: list[int], compression: int = ZIPS) -> completeness.Profile:
    """The profile of a scanline file with chunks of these sizes."""
    head = header(part(window=(0, 0, 999, len(sizes) - 1), compression=compression))
    data = with_chunks(head, [Chunk((y,), (size,)) for y, size in enumerate(sizes)])
    (profile,) = judged(data).profiles
    return profile


def test_a_profile_spreads_the_bytes_over_32_bins() -> None:
    """Shares with sum one, in image order, whatever the number of chunks."""
    for count in (1, 5, 32, 33, 100):
        profile = profile_of([1000] * count)
        assert len(profile.bins) == 32
        assert sum(profile.bins) == pytest.approx(1, abs=1e-4)
        assert all(share == pytest.approx(1 / 32, abs=1e-5) for share in profile.bins)
        assert profile.total_bytes == 1008 * count
    rising = profile_of([100 + 40 * n for n in range(64)])
    assert all(before < after for before, after in pairwise(rising.bins))


def test_a_frozen_frame_has_the_sizes_of_its_neighbour() -> None:
    """The digest is of the exact sizes in table order."""
    assert profile_of([100, 200, 300]).sizes_sha256 == profile_of([100, 200, 300]).sizes_sha256
    assert profile_of([100, 200, 300]).sizes_sha256 != profile_of([100, 200, 301]).sizes_sha256


def test_uncompressed_parts_have_no_profile() -> None:
    """Their chunks are all of one size."""
    head = header(part(window=(0, 0, 63, 7), compression=UNCOMPRESSED))
    assert judged(with_chunks(head, scanline_chunks(8, lines=1, size=384))).profiles == ()


def test_a_profile_says_nothing_of_what_the_chunks_show() -> None:
    """A picture that is mostly black packs as small as one that is black: whether it is, only pixels tell (`is_constant`)."""
    assert set(profile_of([30] * 40).as_dict()) == {"bins", "total_bytes", "sizes_sha256"}


def economical(data: bytes) -> tuple[Completeness, int]:
    """The completeness from a reader that holds the header and the table alone, and how often it was asked for more."""
    parsed = parse_header(data)
    held = parsed.header_bytes + 8 * 8
    reader = MemoryReader(data)
    found = assess(parsed, reader, held=held)
    return found, sum(offset + length > held for offset, length in reader.reads)


def test_a_last_chunk_of_the_usual_length_is_not_looked_at_where_that_costs() -> None:
    """The table and the size suffice, and the payload says that the tail was not read."""
    found, asked = economical(image())
    assert (found.verdict, found.tail_checked, asked) == ("complete", False, 0)
    assert found.as_dict()["tail_checked"] is False


@pytest.mark.parametrize(
    ("cut", "verdict", "asked"), [(1, "complete", 0), (50, "complete", 0), (60, "truncated", 1), (99, "truncated", 1)]
)
def test_a_short_last_chunk_is_looked_at_even_where_that_costs(cut: int, verdict: str, asked: int) -> None:
    """Less than half of what the chunks before it lead to expect."""
    found, requests = economical(image()[:-cut])
    assert (found.verdict, requests) == (verdict, asked)


def test_bytes_far_beyond_the_last_chunk_are_looked_at_even_where_that_costs() -> None:
    """More than four times what the chunks before it lead to expect."""
    found, requests = economical(image() + bytes(1000))
    assert (found.trailing_bytes, found.tail_checked, requests) == (1000, True, 1)
