"""The arithmetic of chunks: lines, tiles, levels and their sizes."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_bytes import (
    BYTES,
    LINES,
    MULTI_PART,
    NON_IMAGE,
    TILED,
    attribute,
    channel,
    chlist,
    header,
    named_part,
    part,
    text,
    tiledesc,
)
from exr_inspector.exr.header import parse_header
from exr_inspector.exr.layout import Layout, NoLayout, Window, sample_count


def laid_out(*extra: bytes, flags: int = 0, **options: Any) -> Layout:
    """The layout of a single part."""
    parsed = parse_header(header(part(*extra, **options), flags=flags))
    return parsed.layouts()[0]


@pytest.mark.parametrize("compression", range(14))
@pytest.mark.parametrize("height", [1, 31, 32, 33, 1080])
def test_scanline_chunks_cover_the_window_once(compression: int, height: int) -> None:
    """Every line of the data window belongs to one chunk, and the last chunk ends with the window."""
    layout = laid_out(window=(-5, -7, 20, height - 8), compression=compression)
    assert layout.lines == LINES[compression]
    covered = [line for chunk in range(layout.chunks) for line in range(layout.area(chunk).y_min, layout.area(chunk).y_max + 1)]
    assert covered == list(range(-7, height - 7))


@settings(deadline=None)
@given(
    width=st.integers(1, 90), height=st.integers(1, 90), tile=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    mode=st.integers(0, 2), rounding=st.integers(0, 1),
)  # fmt: skip
def test_tiles_of_a_level_cover_it_once(width: int, height: int, tile: tuple[int, int], mode: int, rounding: int) -> None:
    """Areas of one level add up to its size; levels begin where the one before ends."""
    tiles = attribute("tiles", "tiledesc", tiledesc(*tile, mode, rounding))
    layout = laid_out(tiles, flags=TILED, window=(3, 4, 2 + width, 3 + height))
    first = 0
    for level in layout.levels:
        assert level.first == first
        first += level.columns * level.rows
        areas = [layout.area(chunk) for chunk in range(level.first, first)]
        assert sum(area.width * area.height for area in areas) == level.width * level.height
        assert all(area.width > 0 and area.height > 0 for area in areas)
    assert layout.chunks == first
    assert (layout.levels[0].width, layout.levels[0].height) == (width, height)
    if mode:
        assert (layout.levels[-1].width, layout.levels[-1].height) == (1, 1)


@settings(deadline=None)
@given(st.integers(-500, 500), st.integers(0, 300), st.integers(1, 9))
def test_samples_are_the_multiples_of_the_step(first: int, count: int, step: int) -> None:
    """As many as counting gives, on both sides of zero."""
    assert sample_count(first, first + count - 1, step) == sum(line % step == 0 for line in range(first, first + count))


def test_unpacked_bytes_respect_types_and_sampling() -> None:
    """Two bytes for half, four for float and uint, fewer samples where subsampled."""
    listed = chlist(*[channel(f"c{kind}", kind) for kind in range(3)], channel("sub", 1, 2, 2))
    layout = laid_out(window=(0, 0, 15, 15), channels=listed)
    assert layout.unpacked_bytes(0) == 256 * sum(BYTES) + 64 * 2
    assert laid_out(channels=chlist(channel("odd", 9))).unpacked_bytes(0) is None


@pytest.mark.parametrize(
    ("kind", "flags", "expected"),
    [
        (None, 0, "scanlineimage"), (None, TILED, "tiledimage"), ("tiledimage", 0, "scanlineimage"),
        ("scanlineimage", TILED, "tiledimage"), ("deepscanline", NON_IMAGE, "deepscanline"), ("deeptile", NON_IMAGE, "deeptile"),
        ("tiledimage", MULTI_PART, "tiledimage"), (None, MULTI_PART, ""),
    ],
)  # fmt: skip
def test_flags_decide_what_a_flat_single_part_is(kind: str | None, flags: int, expected: str) -> None:
    """Deep and multi-part files go by the type."""
    extra = [text("type", kind)] if kind else []
    parsed = parse_header(header(part(*extra), flags=flags))
    assert parsed.parts[0].kind == expected


@pytest.mark.parametrize(
    ("extra", "options"),
    [
        ((), {"without": ("dataWindow",)}), ((), {"without": ("compression",)}), ((), {"window": (0, 0, -1, 0)}),
        ((), {"compression": 99}), ((), {"flags": TILED}),
        ((attribute("tiles", "tiledesc", tiledesc(0, 8)),), {"flags": TILED}),
        ((attribute("tiles", "tiledesc", tiledesc(8, 8, 5)),), {"flags": TILED}),
        ((attribute("tiles", "tiledesc", tiledesc(8, 8, 0, 5)),), {"flags": TILED}),
    ],
)  # fmt: skip
def test_a_header_that_does_not_say_enough_has_no_layout(extra: tuple[bytes, ...], options: dict[str, Any]) -> None:
    """The part is named."""
    with pytest.raises(NoLayout) as fault:
        laid_out(*extra, **options)
    assert fault.value.part == 0
    assert str(fault.value).startswith("part 0 has ")


def test_an_unknown_codec_is_counted_by_its_chunk_count() -> None:
    """A file of a later version of the format is judged all the same."""
    count = attribute("chunkCount", "int", struct.pack("<i", 12))
    assert laid_out(count, compression=99).chunks == 12
    parsed = parse_header(header(named_part("a", "hologram", 7), named_part("b", "scanlineimage", 2)))
    assert [one.chunks for one in parsed.layouts()] == [7, 2]


def test_windows_count_both_corners() -> None:
    """One pixel has a window whose corners coincide."""
    assert (Window(3, 4, 3, 4).width, Window(3, 4, 3, 4).height) == (1, 1)
    assert Window(0, 0, 1919, 1079).as_dict() == {"min": {"x": 0, "y": 0}, "max": {"x": 1919, "y": 1079}}
