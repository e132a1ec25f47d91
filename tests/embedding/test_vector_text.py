"""How text and numbers fold before they are hashed."""

from __future__ import annotations

import math

import pytest

from exr_inspector.embedding.text import (
    NUMBER_LIMIT,
    OCTAVE,
    compression,
    fold,
    line_order,
    number,
    octaves,
    pixel_type,
    soft_bins,
    specific_words,
    text,
    words,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, b""),
        ("R", b"R"),
        ("é", b"\xc3\xa9"),
        ("\ud800", b"\xed\xa0\x80"),
        ("x" * 600, b"x" * 512),
        (b"raw", b"raw"),
        (7, b"7"),
        pytest.param(10**5000, b"%d" % NUMBER_LIMIT, id="huge"),
        (1.5, b""),
        (["a"], b""),
    ],
)
def test_text_is_the_first_512_bytes_of_utf8(value, expected):
    """Lone surrogates are kept; what is no text is empty."""
    assert text(value) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"diffuse_direct", (b"diffuse", b"direct")),
        (b"diffuseDirect", (b"diffuse", b"direct")),
        (b"DiffDir", (b"diff", b"dir")),
        (b"SSSFilter", (b"sss", b"filter")),
        (b"SSS_filter", (b"sss", b"filter")),
        (b"crypto_object00", (b"crypto", b"object", b"#")),
        ("é_x".encode(), ("é".encode(), b"x")),
        (b"__", ()),
    ],
)
def test_words_follow_case_digits_and_separators(name, expected):
    """The last capital of a run begins the next word when small letters follow."""
    assert words(name) == expected


def test_generic_words_say_nothing_unless_there_is_nothing_else():
    """A prefix such as ViewLayer or rgba is no name."""
    assert specific_words(b"ViewLayer.DiffDir") == (b"diff", b"dir")
    assert specific_words(b"AOV_albedo_02") == (b"albedo",)
    assert specific_words(b"rgba") == (b"rgba",)


@pytest.mark.parametrize(
    ("value", "scale", "expected"),
    [
        (True, 1, 0),
        (None, 1, 0),
        ("12", 1, 0),
        (math.nan, 1000, 0),
        (math.inf, 1000, 0),
        (2.5, 1, 2),
        (3.5, 1, 4),
        (-0.0, 1000, 0),
        (1.5, 1024, 1536),
        (24, 1000, 24000),
        (1e12, 1, NUMBER_LIMIT),
        (-1e300, 1, -NUMBER_LIMIT),
        (10**400, 1000, NUMBER_LIMIT),
        (-(10**400), 1, -NUMBER_LIMIT),
    ],
)
def test_numbers_round_half_to_even_and_are_bounded(value, scale, expected):
    """What is no finite number is 0."""
    assert number(value, scale) == expected


def test_octaves_are_the_logarithm_of_one_more():
    """Exact at powers of two, within a tenth of an octave between them, never falling."""
    assert [octaves((1 << power) - 1) for power in range(8)] == [power * OCTAVE for power in range(8)]
    sizes = range(1, 9000, 7)
    assert all(abs(octaves(size) / OCTAVE - math.log2(size + 1)) < 0.1 for size in sizes)
    assert all(octaves(size) <= octaves(size + 1) for size in sizes)
    assert octaves(-5) == 0


def test_soft_shares_energy_between_neighbours_on_the_grid():
    """On a grid point all of it stays there; half way it is shared; the shares never exceed the whole."""
    assert dict(soft_bins(b"k", 3 * OCTAVE, OCTAVE, 100)) == {b"k~3": 100, b"k~4": 0}
    assert dict(soft_bins(b"k", OCTAVE // 2, OCTAVE, 100)) == {b"k~0": 50, b"k~1": 50}
    assert dict(soft_bins(b"k", OCTAVE // 4, OCTAVE, 100)) == {b"k~0": 90, b"k~1": 10}


@pytest.mark.parametrize(
    ("value", "expected"),
    [("HALF", b"half"), ("Float32", b"float"), ("unsigned int", b"uint"), ("UINT32", b"uint"), ("f16", b"half"), (None, b"")],
)
def test_pixel_types_have_one_spelling(value, expected):
    """Case and aliases fold."""
    assert pixel_type(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ZIP_COMPRESSION", b"zip"),
        ("Compression.ZIPS_COMPRESSION", b"zips"),
        ("NO_COMPRESSION", b"none"),
        ("uncompressed", b"none"),
        ("dwaa:45", b"dwaa"),
        (0, b"none"),
        (13, b"zstd"),
        ("unknown(99)", b"unknown(99)"),
        (99, b"99"),
        (None, b""),
    ],
)
def test_compressions_have_one_spelling(value, expected):
    """Enumeration names, levels, bytes and plain names fold."""
    assert compression(value) == expected


@pytest.mark.parametrize("value", ["INCREASING_Y", "increasingY", "increasing_y", 0, "LineOrder.INCREASING_Y"])
def test_line_orders_have_one_spelling(value):
    """The same order under every name in use."""
    assert line_order(value) == b"increasing"
    assert line_order(None) == b""
    assert line_order("other") == b"other"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"Take 12", b"take #"),
        (b"id 9f3c2ab1", b"id #"),
        (b"idx9f3c2ab1", b"idx#f#c#ab#"),
        (b"facade", b"facade"),
        (b"12ab", b"#ab"),
        (b"a0b1c2d3-e4f5a6b7", b"#-#"),
    ],
)
def test_folding_hides_counters_and_hashes(name, expected):
    """A hash is six or more hex characters with a digit and no letter next to them."""
    assert fold(name) == expected
