"""What each block of the vector says about a file, and how much of it."""

from __future__ import annotations

import copy
import math

import pytest
from test_vectors import channels_of, distance_moved, render, window

from exr_inspector.embedding import tokens as tokens
from exr_inspector.embedding.facts import Box, read_attributes, read_box, read_channels, read_parts
from exr_inspector.embedding.text import UNIT
from exr_inspector.embedding.vectors import (
    BLOCKS,
    EMBEDDING_VERSION,
    FINGERPRINT_BLOCKS,
    compute_metadata_embedding,
    explain_distance,
)


def bag_of(block, *parts, channels=()):
    """The bag that a block makes of part dicts (and channel dicts), energies in units of a block."""
    make = getattr(tokens, block)
    described = (read_parts(list(parts)), read_channels(list(channels)))
    bag = make(*described) if block == "arrangement" else make(described[0])
    return {token: energy / UNIT for token, energy in bag.items() if energy}


def layers_of(*names, part=0):
    return [{"name": name, "part_index": part, "type": "HALF"} for name in names]


def names_of(*channels):
    return {token: energy / UNIT for token, energy in tokens.names(read_channels([*channels])).items()}


def close(result, expected):
    """Equal keys, and values equal but for integer division."""
    assert result.keys() == expected.keys()
    assert all(abs(result[key] - value) < 1e-5 for key, value in expected.items())


def test_weights_and_dimensions_of_the_blocks_add_up():
    """A thousand per mille over 384 dimensions; the fingerprint is the first 128 of them."""
    assert (sum(block.weight for block in BLOCKS), sum(block.dims for block in BLOCKS)) == (1000, 384)
    assert [block.name for block in FINGERPRINT_BLOCKS] == ["names", "types"]
    assert sum(block.dims for block in FINGERPRINT_BLOCKS) == 128
    assert EMBEDDING_VERSION == 1


def test_each_block_has_the_length_of_its_weight():
    """A distance is therefore a weighted sum over blocks."""
    vector = compute_metadata_embedding(render())
    lengths = [part.distance for part in explain_distance(vector, [-value for value in vector])]
    assert all(abs(length / 2 - block.weight / 1000) < 1e-6 for length, block in zip(lengths, BLOCKS, strict=True))


def test_a_layer_is_one_unit_of_energy_over_its_names():
    """Raw names, canonical names, words, and trigrams of the canonical name."""
    close(
        names_of(*layers_of("AOV_ab.R", "AOV_ab.G")),
        {
            b"b:": 3,
            b"r:AOV_ab.R": 0.05,
            b"r:AOV_ab.G": 0.05,
            b"c:ab.r": 0.15,
            b"c:ab.g": 0.15,
            b"w:aov": 0.05,
            b"w:ab": 0.05,
            b"t:^ab": 0.25,
            b"t:ab$": 0.25,
        },
    )


def test_the_unnamed_layer_has_a_token_of_its_own():
    """It has no words and no trigrams."""
    close(names_of({"name": "R"}), {b"b:": 3, b"r:.R": 0.1, b"c:.r": 0.3, b"l:": 0.6})


def test_a_layer_counts_once_per_part_that_carries_one_of_its_channels():
    """Twice in a stereo file, however often a part repeats it."""
    left, right = layers_of("N.X", "N.Y"), layers_of("N.X", part=1)
    assert names_of(*left, *right)[b"r:N.Y"] == 2 * names_of(*left)[b"r:N.Y"]
    assert names_of(*left, *left) == names_of(*left)


def test_types_count_channels_by_type_component_and_sampling():
    """Half of the block is the type, a quarter each the type per component and the sampling, per channel."""
    bag = tokens.types(read_channels([{"name": "a.R", "type": "HALF"}, {"name": "Z", "type": "float32", "x_sampling": 2}]))
    result = {token: energy / UNIT for token, energy in bag.items()}
    assert (result[b"t:half"], result[b"t:float"]) == (8, 8)
    assert (result[b"c:r:half"], result[b"c:z:float"]) == (4, 4)
    assert (result[b"s:1:1"], result[b"s:2:1"]) == (4, 4)
    assert (result[b"n:a.r:half"], result[b"n:.z:float"]) == (2, 2)
    assert abs(sum(result.values()) - 40) < 1e-5


@pytest.mark.parametrize(
    ("name", "family", "kind"),
    [
        ("zips", "deflate", "lossless"),
        ("zip", "deflate", "lossless"),
        ("dwaa", "dwa", "lossy"),
        ("dwab", "dwa", "lossy"),
        ("b44", "b44", "lossy"),
        ("b44a", "b44", "lossy"),
        ("pxr24", "pxr24", "lossy"),
        ("htj2k256", "htj2k", "lossless"),
        ("htj2k32", "htj2k", "lossless"),
        ("lj2k", "lj2k", "lossy"),
        ("zstd", "zstd", "lossless"),
        ("none", "none", "lossless"),
        ("unknown(99)", "unknown(99)", "lossless"),
    ],
)
def test_compressions_have_families_and_some_lose(name, family, kind):
    """Six for the name, four for the family, two for the loss."""
    expected = {f"x:{name}".encode(): 6, f"f:{family}".encode(): 4, f"l:{kind}".encode(): 2}
    assert bag_of("compression", {"compression": name}) == expected


def test_parts_share_the_energy_of_a_block():
    """A file of two parts is half the one and half the other."""
    bag = bag_of("compression", {"compression": "zip"}, {"compression": "piz"})
    assert (bag[b"x:zip"], bag[b"x:piz"], bag[b"l:lossless"]) == (3, 3, 2)


def test_format_says_the_display_size_exactly_and_by_octave():
    """The size counts 8, the pixel aspect 5, width and height 6 each, the aspect 2."""
    sizes = {"display_width": 1023, "display_height": 511, "width": 5, "height": 5}
    bag = bag_of("resolution", {**sizes, "pixel_aspect_ratio": 2.0})
    assert (bag[b"x:1023x511"], bag[b"p:2048"]) == (8, 5)
    assert (bag[b"w~10"], bag[b"w8~80"], bag[b"h~9"]) == (4, 2, 4)
    assert abs(sum(bag.values()) - 27) < 1e-5


def test_format_falls_back_to_the_data_size():
    """A reference without a display window still has a size."""
    assert b"x:640x480" in bag_of("resolution", {"width": 640, "height": 480})


DISPLAY = window(0, 0, 99, 99)


@pytest.mark.parametrize(
    ("data", "relation", "margins"),
    [
        (DISPLAY, b"r:full", b"o:0,0,0,0"),
        (window(-8, -4, 107, 103), b"r:over", b"o:8,4,8,4"),
        (window(10, 10, 50, 50), b"r:crop", b"o:-"),
        (window(-10, 10, 50, 50), b"r:mixed", b"o:-"),
    ],
)
def test_window_tells_overscan_exactly_and_crops_loosely(data, relation, margins):
    """Overscan is chosen to the pixel; a crop follows what the frame shows."""
    bag = bag_of("window", {"data_window": data, "display_window": DISPLAY})
    assert (bag[relation], bag[margins]) == (8, 3)
    assert abs(sum(bag.values()) - 19) < 1e-5


def test_window_offsets_are_bounded_at_four_displays():
    """A window far away is as far as one at four displays."""
    far, further = (bag_of("window", {"data_window": window(x, 0, x + 99, 99), "display_window": DISPLAY}) for x in (400, 10**9))
    assert far == further
    assert far[b"dw~24"] == 1


def test_storage_says_how_pixels_are_laid_out():
    """Deep counts 10, tiles 6, their size 2, line order 3, the number of parts 6 and 2."""
    bag = bag_of("storage", {"type": "deeptile", "tile_width": 64, "tile_height": 32, "line_order": "RANDOM_Y"})
    expected = {b"d:deep": 10, b"k:tiled": 6, b"z:64x32": 2, b"o:random": 3, b"n~1": 6, b"m:single": 2}
    assert bag == expected
    assert bag_of("storage", {}) == {b"d:flat": 10, b"k:scan": 6, b"z:-": 2, b"n~1": 6, b"m:single": 2}
    assert bag_of("storage", {}, {})[b"m:multi"] == 2


def test_parts_are_told_by_view_name_and_what_they_hold():
    """The name's words share 4; the signature of components and types is sorted."""
    channels = [{"name": "b.R", "type": "HALF"}, {"name": "a.R", "type": "HALF"}, {"name": "A", "type": "FLOAT", "part_index": 1}]
    bag = bag_of("arrangement", {"name": "key_light", "view": "left"}, channels=channels)
    expected = {b"v:left": 4, b"n:key_light": 2, b"w:key": 2, b"w:light": 2, b"p:r:half": 2, b"p:a:float": 2}
    assert bag == expected
    assert bag_of("arrangement", {}) == {b"v:": 4, b"n:": 2}


def test_signatures_of_parts_end_at_200_bytes():
    """A part of hundreds of components is told by the first of them."""
    channels = [{"name": f"c{at:04d}", "type": "HALF"} for at in range(300)]
    (token,) = (token for token in bag_of("arrangement", {}, channels=channels) if token.startswith(b"p:"))
    assert len(token) == 202


@pytest.mark.parametrize(
    ("software", "levels"),
    [
        ("Arnold 7.2.1.0", (b"arnold", b"7", b"2")),
        ("Nuke 14.0v5", (b"nuke", b"14", b"0")),
        ("V-Ray 6.10.02", (b"v-ray", b"6", b"10")),
        ("Renderer version 3.1", (b"renderer", b"3", b"1")),
        ("Gaffer v1.4", (b"gaffer", b"1", b"4")),
        ("3ds Max 2024", (b"#ds max", b"2024", b"")),
        ("渲染 3.1", ("渲染".encode(), b"3", b"1")),
        ("handmade", (b"handmade", b"", b"")),
        (None, (b"", b"", b"")),
    ],
)
def test_software_has_four_levels(software, levels):
    """Product 8, with major 2, with minor 1, the full text 1; colour space 8."""
    product, major, minor = levels
    bag = bag_of("source", {"render_software": software, "color_space": "ACEScg"})
    assert bag == {
        b"c:ACEScg": 8,
        b"p:" + product: 8,
        b"j:" + product + b" " + major: 2,
        b"m:" + product + b" " + major + b"." + minor: 2,
        b"f:" + (software or "").encode(): 1,
    }


def test_software_is_read_past_many_separators():
    """The product is what stands before the first version number, without what separates them."""
    assert tokens.software_levels(b" " * 400 + b"a" + b" " * 100 + b"1.2") == (b"a", b"1", b"2")


def attribute_bags(*parts):
    lists = read_attributes({"parts": [*parts]})
    known, spelled = tokens.setup_attributes(lists)
    scale = 4 * UNIT // max(1, len(lists))
    bags = tokens.attrs(known, len(lists)), tokens.values(spelled, len(lists))
    return tuple({token: energy / scale for token, energy in bag.items()} for bag in bags)


def test_attributes_have_names_types_and_namespaces():
    """A namespace counts a quarter of a name."""
    names, _ = attribute_bags([{"name": "Arnold/opt12", "type": "Int", "value": 1}, {"name": "owner", "type": "string"}])
    assert names == {b"n:arnold/opt#:int": 1, b"s:arnold": 0.25, b"n:owner:string": 1, b"s:owner": 0.25}


@pytest.mark.parametrize(
    "name", ["channels", "dataWindow", "type", "software", "chunkCount", "multiView", "oiio:ColorSpace", "openexr:lossy"]
)
def test_what_parts_tell_is_no_attribute(name):
    """It has a block of its own, or none."""
    assert attribute_bags([{"name": name, "type": "string", "value": "x"}]) == ({}, {})


@pytest.mark.parametrize("name", ["capDate", "renderTime", "hostComputer", "exr/render_uuid", "arnold/stats", "peakMemory"])
def test_values_that_change_from_run_to_run_are_left_out_and_names_stay(name):
    """Machine, time and identity say nothing about the setup."""
    names, values = attribute_bags([{"name": name, "type": "string", "value": "x"}])
    assert len(names) == 2
    assert values == {}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("string", "Take 12", b"take #"),
        ("string", "y" * 65, b"$long"),
        ("string", "/shots/a", b"$long"),
        ("string", "C:\\shots", b"$long"),
        ("int", 4095, b"4095"),
        ("int", 4096, b"^13"),
        ("int", -5000, b"-^13"),
        ("float", 24, b"24000"),
        ("float", 23.9764, b"23976"),
        ("double", 5000.5, b"^13"),
        ("half", math.nan, b"0"),
        ("float", "NaN", b"0"),
        ("v2f", [0.5, 1], b"500,1000"),
        ("v2i", {"y": 2, "x": 1}, b"1000,2000"),
        ("rational", [24000, 1001], b"24000000,1001000"),
        ("chromaticities", {"red": [0.64, 0.33], "white": {"x": 0.3127, "y": 0.329}}, b"640,330,313,329"),
        ("envmap", "latlong", b"latlong"),
        ("stringvector", ["Left 1", "right"], b"left #,right"),
    ],
)
def test_values_are_spelled_so_that_small_differences_vanish(kind, value, expected):
    """Numbers to a thousandth or by octave, text without counters, paths and long text as one."""
    _, values = attribute_bags([{"name": "gain", "type": kind, "value": value}])
    assert values == {b"gain=" + expected: 1}


@pytest.mark.parametrize(("kind", "value"), [("m44f", [1.0] * 16), ("timecode", 5), ("keycode", {}), ("blob", None), ("v2f", [])])
def test_values_of_other_types_are_left_out(kind, value):
    """Matrices, timecodes and blobs differ in every frame."""
    assert attribute_bags([{"name": "gain", "type": kind, "value": value}])[1] == {}


def test_attributes_may_be_a_dict_per_part():
    """References are often written that way; the type follows from the value."""
    listed = [{"name": "gain", "type": "float", "value": 1.5}, {"name": "owner", "type": "string", "value": "me"}]
    assert attribute_bags({"gain": 1.5, "owner": {"type": "string", "value": "me"}}) == attribute_bags(listed)


@pytest.mark.parametrize(
    "value",
    [
        {"min": {"x": -1, "y": 2}, "max": {"x": 8, "y": 9}},
        {"min": [-1, 2], "max": [8, 9]},
        {"xmin": -1, "ymin": 2, "xmax": 8, "ymax": 9},
        [-1, 2, 8, 9],
        [[-1, 2], [8, 9]],
    ],
)
def test_windows_have_many_shapes(value):
    """Every one is the same box."""
    assert read_box(value) == Box(-1, 2, 8, 9)


@pytest.mark.parametrize("value", [None, 5, "0 0 1 1", [], [1, 2, 3], {"min": 3}, {"min": {"x": 1}}])
def test_what_is_no_window_is_none(value):
    """A size may still be known from the integers."""
    assert read_box(value) is None


def test_integers_stand_in_for_windows():
    """References often have sizes alone."""
    integers = {"width": 64, "height": 32, "data_x_offset": 4, "data_y_offset": 2, "display_width": 100, "display_height": 50}
    (part,) = read_parts([integers])
    assert (part.data, part.display) == (Box(4, 2, 67, 33), Box(0, 0, 99, 49))


@pytest.mark.parametrize(
    ("change", "blocks"),
    [
        ({"compression": "piz"}, {"compression"}),
        ({"line_order": "DECREASING_Y"}, {"storage"}),
        ({"type": "tiledimage", "is_tiled": True, "tile_width": 64, "tile_height": 64}, {"storage"}),
        ({"is_deep": True}, {"storage"}),
        ({"pixel_aspect_ratio": 2.0}, {"format"}),
        ({"data_window": window(-8, -8, 1927, 1087)}, {"window"}),
        ({"color_space": "lin_rec709"}, {"source"}),
        ({"render_software": "Arnold 7.2.1.1"}, {"source"}),
        ({"view": "right"}, {"parts"}),
        ({"name": "matte"}, {"parts"}),
        ({"display_window": window(0, 0, 2047, 1079), "data_window": window(0, 0, 2047, 1079)}, {"format"}),
    ],
)
def test_a_change_of_a_part_moves_the_block_that_tells_it(change, blocks):
    """And no other: a distance can be explained."""
    assert distance_moved(render(), render(**change)) == blocks


def test_a_change_of_channels_moves_names_types_and_parts():
    """HALF to FLOAT leaves the names alone; another layer of the same components leaves the part's signature alone."""
    floats, more = render(), render()
    floats["channels"] = channels_of(kind="FLOAT")
    more["channels"] += channels_of(("fog",))
    assert distance_moved(render(), floats) == {"types", "parts"}
    assert distance_moved(render(), more) == {"names", "types"}


def test_tile_sizes_are_read_from_a_nested_description_as_well():
    """Some producers group them."""
    spellings = (("xSize", "ySize"), ("x_size", "y_size"), ("width", "height"), ("tile_width", "tile_height"))
    nested = [{"tiles": {across: 64, down: 32}} for across, down in spellings]
    assert {part.tile for part in read_parts(nested)} == {b"64x32"}


def test_a_stray_tile_size_does_not_make_a_scanline_part_tiled():
    """The type decides; a size decides only where nothing else does."""
    size = {"tile_width": 64, "tile_height": 32}
    stray, sparse = read_parts([size | {"type": "scanlineimage"}, size])
    assert (stray.tiled, stray.tile) == (False, b"-")
    assert (sparse.tiled, sparse.tile) == (True, b"64x32")


@pytest.mark.parametrize(("kind", "spelled"), [("string", b"$long"), ("stringvector", b"$long"), ("v2f", None), ("int", None)])
def test_a_value_that_the_payload_holds_as_its_digest_is_long_text_or_nothing(kind, spelled):
    """A payload replaces values of more than 64 KiB by size, digest and first bytes."""
    digest = {"size": 70_000, "sha256": "ab" * 32, "first_base64": "QUJD"}
    attributes = {"parts": [[{"name": "note", "type": kind, "value": digest}]]}
    _, bag = tokens.setup_attributes(read_attributes(attributes))
    assert bag == (() if spelled is None else (b"note=" + spelled,))


def test_equal_numbers_of_different_types_inside_a_value_do_not_share_a_token():
    """True counts as 0, whatever was read before it."""
    attributes = [{"parts": [[{"name": "n", "type": "v2i", "value": pair}]]} for pair in ((1, 2), (True, 2))]
    read = [tokens.setup_attributes(read_attributes(one))[1] for one in attributes]
    assert read == [(b"n=1000,2000",), (b"n=0,2000",)]


def test_a_vector_of_many_empty_texts_is_long():
    """Its commas alone are more than 64 bytes."""
    attributes = {"parts": [[{"name": "views", "type": "stringvector", "value": [""] * 66}]]}
    assert tokens.setup_attributes(read_attributes(attributes))[1] == (b"views=$long",)


def test_a_list_that_contains_itself_is_still_read():
    """JSON cannot carry one, a caller can."""
    endless: list = []
    endless.append(endless)
    payload = copy.deepcopy(render())
    payload["attributes"]["parts"][0].append({"name": "loop", "type": "v2f", "value": endless})
    assert len(compute_metadata_embedding(payload)) == 384
