"""How text and numbers fold before they are hashed."""

from __future__ import annotations

import math

import pytest

from exr_inspector.embedding.text import (
    NUMBER_LIMIT,
    OCTAVE,
    canonical_words,
    component,
    compression,
    cut_software,
    fold,
    line_order,
    number,
    octaves,
    pixel_type,
    soft_bins,
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
        (b"diffuse_direct", [b"diffuse", b"direct"]),
        (b"diffuseDirect", [b"diffuse", b"direct"]),
        (b"DiffDir", [b"diff", b"dir"]),
        (b"SSSFilter", [b"sss", b"filter"]),
        (b"SSS_filter", [b"sss", b"filter"]),
        (b"crypto_object00", [b"crypto", b"object", b"00"]),
        ("é_x".encode(), ["é".encode(), b"x"]),
        (b"__", []),
    ],
)
def test_words_follow_case_digits_and_separators(name, expected):
    """The last capital of a run begins the next word when small letters follow."""
    assert words(name) == expected


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (b"ViewLayer.DiffDir", [b"diff", b"dir"]),
        (b"diffuse_direct", [b"diffuse", b"direct"]),
        (b"AOV_albedo_02", [b"albedo"]),
        (b"albedo_v012", [b"albedo"]),
        (b"dev2", [b"dev"]),
        (b"rgba", [b"rgba"]),
        (b"Layer1", [b"1"]),
        (b"Layer1_v2", [b"1"]),
        (b"360.00-407", [b"360", b"00", b"407"]),
        (b"ViewLayer.ViewLayer", [b"view", b"layer"]),
        (b"", []),
    ],
)
def test_a_layer_is_known_without_case_separators_versions_counters_and_generic_words(layer, expected):
    """Where nothing else is left, counters say which layer it is, and else generic words."""
    assert canonical_words(layer) == expected


@pytest.mark.parametrize(("name", "expected"), [(b"R", b"r"), (b"red", b"r"), (b"Alpha", b"a"), (b"Z", b"z"), (b"reds", b"reds")])
def test_colours_are_components_by_either_name(name, expected):
    """Some programs write red, green, blue and alpha."""
    assert component(name) == expected


@pytest.mark.parametrize(
    ("software", "program", "version"),
    [
        (b"Arnold 7.2.1.0", b"Arnold", b"7.2.1.0"),
        (b"Nuke 14.0v5", b"Nuke", b"14.0v5"),
        (b"V-Ray 6.10.02", b"V-Ray", b"6.10.02"),
        (b"Renderer version 3.1", b"Renderer", b"3.1"),
        (b"Gaffer v1.4", b"Gaffer", b"1.4"),
        (b"3Delight 9.0.8 linux64 (Jan 14 2010)", b"3Delight", b"9.0.8"),
        (b"3ds Max 2024", b"3ds Max", b"2024"),
        (b"OpenImageIO 2.6.3.0dev : CE1F1D8D6B7505C9", b"OpenImageIO", b"2.6.3.0dev"),
        (b"OpenImageIO 2.3.14 : oiiotool a.1001.exr -o b.exr", b"OpenImageIO", b"2.3.14"),
        (b"tool --threads 4 a.1001.exr", b"tool", b""),
        ("渲染 3.1".encode(), "渲染".encode(), b"3.1"),
        (b"handmade", b"handmade", b""),
        (b"", b"", b""),
        (b" " * 400 + b"a" + b" " * 100 + b"1.2", b"a", b"1.2"),
    ],
)
def test_software_is_cut_to_program_and_version(software, program, version):
    """A command line or a hash differs from frame to frame."""
    assert cut_software(software) == (program, version)


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
