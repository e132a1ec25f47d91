"""Contradictions: each one has a stable code, a severity and a place."""

from __future__ import annotations

import struct

import pytest

from exr_bytes import (
    FLOAT,
    MULTI_PART,
    NON_IMAGE,
    RGB,
    TILED,
    ZIPS,
    attribute,
    box,
    channel,
    chlist,
    header,
    named_part,
    part,
    text,
    tiledesc,
)
from exr_inspector.exr.contradictions import REQUIRED, contradictions
from exr_inspector.exr.header import Finding, parse_header

CHUNKS = attribute("chunkCount", "int", struct.pack("<i", 4))
TILES = attribute("tiles", "tiledesc", tiledesc(32, 32))
DEEP = part(text("type", "deepscanline"), CHUNKS, window=(0, 0, 7, 3), compression=ZIPS)


def found_in(data: bytes) -> list[Finding]:
    """The contradictions of a header."""
    return list(contradictions(parse_header(data)))


def codes(data: bytes) -> list[str]:
    """Their codes."""
    return [finding.code for finding in found_in(data)]


@pytest.mark.parametrize(
    "data",
    [
        header(part()),
        header(part(text("type", "scanlineimage"))),
        header(part(TILES), flags=TILED),
        header(part(TILES, text("type", "tiledimage")), flags=TILED),
        header(DEEP, flags=NON_IMAGE),
        header(named_part("a", "scanlineimage", 2), named_part("b", "tiledimage", 2, TILES)),
        header(part(channels=chlist(channel("BY", FLOAT, 2, 2), channel("RY", FLOAT, 2, 2), channel("Y", FLOAT)))),
    ],
)
def test_sound_headers_have_none(data: bytes) -> None:
    """Scanline, tiled, deep, multi-part and luminance/chroma files."""
    assert codes(data) == []


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_a_missing_required_attribute_is_named(name: str) -> None:
    """At the beginning of the part that lacks it."""
    (finding,) = found_in(header(part(without=(name,))))
    assert (finding.severity, finding.code) == ("error", "missing_required_attribute")
    assert (finding.part, finding.attribute, finding.offset) == (0, name, 8)


def test_a_required_attribute_of_another_type_is_named() -> None:
    """At its own offset."""
    data = header(part(text("lineOrder", "up"), without=("lineOrder",)))
    (finding,) = found_in(data)
    assert (finding.code, finding.offset) == ("attribute_wrong_type", data.index(b"lineOrder\0"))


PARTS = (named_part("a", "scanlineimage", 2), named_part("a", "scanlineimage", 2))
SHARED = attribute("pixelAspectRatio", "float", struct.pack("<f", 2))


@pytest.mark.parametrize(
    ("data", "code", "severity"),
    [
        (header(part(text("type", "tiledimage"), TILES)), "type_contradicts_flags", "error"),
        (header(part(text("type", "scanlineimage"), TILES), flags=TILED), "type_contradicts_flags", "error"),
        (header(part(text("type", "deepscanline"))), "type_contradicts_flags", "error"),
        (header(DEEP, flags=NON_IMAGE | TILED), "type_contradicts_flags", "error"),
        (header(part(text("type", "hologram"))), "unknown_part_type", "error"),
        (header(part(), flags=TILED), "missing_required_attribute", "error"),
        (header(part(channels=chlist())), "no_channels", "error"),
        (header(part(channels=chlist(channel("R"), channel("R")))), "duplicate_channel", "error"),
        (header(part(channels=chlist(channel("R"), channel("G")))), "unsorted_channels", "warning"),
        (header(part(channels=chlist(channel("R", 9)))), "unknown_pixel_type", "error"),
        (header(part(channels=chlist(channel("R", 1, 0, 1)))), "bad_sampling", "error"),
        (header(part(TILES, channels=chlist(channel("R", 1, 2, 2))), flags=TILED), "bad_sampling", "error"),
        (header(part(channels=chlist(channel("R", 1, 3, 1)))), "misaligned_sampling", "error"),
        (header(part(window=(5, 5, 1, 1), display=(0, 0, 9, 9))), "inverted_data_window", "error"),
        (header(part(display=(5, 5, 1, 1))), "inverted_display_window", "error"),
        (header(part(window=(0, 0, 2**30, 9), display=(0, 0, 9, 9))), "huge_data_window", "error"),
        (header(part(window=(0, 0, 200_000, 9), display=(0, 0, 9, 9))), "huge_data_window", "warning"),
        (header(part(display=(1000, 1000, 1100, 1100))), "windows_disjoint", "warning"),
        (header(part(SHARED, without=("pixelAspectRatio",))), None, ""),
        (header(part(attribute("pixelAspectRatio", "float", struct.pack("<f", 0)), without=("pixelAspectRatio",))),
         "bad_pixel_aspect_ratio", "error"),
        (header(part(attribute("pixelAspectRatio", "float", b"\0\0\xc0\x7f"), without=("pixelAspectRatio",))),
         "bad_pixel_aspect_ratio", "error"),
        (header(part(attribute("screenWindowWidth", "float", struct.pack("<f", -1)), without=("screenWindowWidth",))),
         "bad_screen_window_width", "error"),
        (header(part(compression=99)), "unknown_enum_value", "error"),
        (header(part(attribute("envmap", "envmap", b"\x09"))), "unknown_enum_value", "warning"),
        (header(part(attribute("lineOrder", "lineOrder", b"\2"), without=("lineOrder",))), "random_scanlines", "error"),
        (header(part(text("type", "deepscanline"), CHUNKS, window=(0, 0, 7, 63)), flags=NON_IMAGE),
         "bad_deep_compression", "error"),
        (header(part(attribute("tiles", "tiledesc", tiledesc(0, 32))), flags=TILED), "bad_tiles", "error"),
        (header(part(attribute("tiles", "tiledesc", tiledesc(32, 32, 7))), flags=TILED), "bad_tiles", "error"),
        (header(part(attribute("chunkCount", "int", struct.pack("<i", 9)))), "chunk_count_mismatch", "error"),
        (header(*PARTS), "duplicate_part_name", "error"),
        (header(PARTS[0], named_part("b", "scanlineimage", 2, SHARED, without=("pixelAspectRatio",))),
         "shared_attribute_differs", "error"),
        (header(part(text("name", "a"), text("type", "scanlineimage")), flags=MULTI_PART), "missing_required_attribute", "error"),
    ],
)  # fmt: skip
def test_each_contradiction_has_its_code(data: bytes, code: str | None, severity: str) -> None:
    """And nothing else is reported beside it."""
    assert [(one.code, one.severity) for one in found_in(data)] == ([(code, severity)] if code else [])


def test_a_duplicate_channel_is_named() -> None:
    """The finding carries the channel beside part, attribute and offset."""
    (finding,) = found_in(header(part(channels=chlist(channel("R"), channel("R"), channel("R")))))
    assert finding.as_dict() == {
        "code": "duplicate_channel",
        "message": "part 0: channel 'R' is listed 3 times",
        "part": 0,
        "attribute": "channels",
        "channel": "R",
        "offset": 8,
    }


def test_findings_of_a_later_part_carry_its_number_and_offset() -> None:
    """Offsets count from the beginning of the file."""
    data = header(named_part("a", "scanlineimage", 2), named_part("b", "scanlineimage", 2, without=("lineOrder",)))
    (finding,) = found_in(data)
    assert finding.part == 1
    assert data[finding.offset or 0 :].startswith(b"channels\0")
    assert data.index(RGB) < (finding.offset or 0)
    assert box(0, 0, 63, 31) in data
