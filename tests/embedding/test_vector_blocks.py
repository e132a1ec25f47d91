"""What each block of the vector says about a file, and how much of it."""

from __future__ import annotations

import copy
import math

import pytest
from test_vectors import channels_of, distance_moved, render, window

from exr_inspector.embedding import attributes, tokens
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
    assert EMBEDDING_VERSION == 2


def test_each_block_has_the_length_of_its_weight():
    """A distance is therefore a weighted sum over blocks."""
    vector = compute_metadata_embedding(render())
    lengths = [part.distance for part in explain_distance(vector, [-value for value in vector])]
    assert all(abs(length / 2 - block.weight / 1000) < 1e-6 for length, block in zip(lengths, BLOCKS, strict=True))


def test_a_layer_is_one_unit_of_energy_over_its_names():
    """Raw names, canonical names, and the first letters of words."""
    close(
        names_of(*layers_of("AOV_keyLight.R", "AOV_keyLight.green")),
        {
            b"b:": 0.25,
            b"r:AOV_keyLight.R": 0.15,
            b"r:AOV_keyLight.green": 0.15,
            b"c:keylight.r": 0.3,
            b"c:keylight.g": 0.3,
            b"w:key": 0.05,
            b"w:lig": 0.05,
        },
    )


def test_the_unnamed_layer_has_a_token_of_its_own():
    """It has no words."""
    close(names_of({"name": "R"}), {b"b:": 0.25, b"r:.R": 0.3, b"c:.r": 0.6, b"l:": 0.1})


def test_a_layer_counts_once_per_part_that_carries_one_of_its_channels():
    """Twice in a stereo file, however often a part repeats it."""
    left, right = layers_of("N.X", "N.Y"), layers_of("N.X", part=1)
    assert names_of(*left, *right)[b"r:N.Y"] == 2 * names_of(*left)[b"r:N.Y"]
    assert names_of(*left, *left) == names_of(*left)


def test_types_count_channels_by_type_component_and_sampling():
    """Per channel 16 for the type, 8 for the type per component, 4 for the sampling; 14 for what is subsampled, 8 over layers."""
    bag = tokens.types(read_channels([{"name": "a.R", "type": "HALF"}, {"name": "Z", "type": "float32", "x_sampling": 2}]))
    result = {token: energy / UNIT for token, energy in bag.items()}
    assert (result[b"t:half"], result[b"t:float"]) == (8, 8)
    assert (result[b"c:r:half"], result[b"c:z:float"]) == (4, 4)
    assert (result[b"s:1:1"], result[b"s:2:1"]) == (2, 2)
    assert result[b"y:2:1"] == 14
    assert (result[b"n:a.r:half"], result[b"n:.z:float"]) == (4, 4)
    assert abs(sum(result.values()) - 54) < 1e-5


@pytest.mark.parametrize(
    ("name", "family", "kind"),
    [
        ("zips", "deflate", "lossless"),
        ("zip", "deflate", "lossless"),
        ("dwaa", "dwa", "lossy"),
        ("dwab", "dwa", "lossy"),
        ("b44", "b44", "lossy"),
        ("b44a", "b44", "lossy"),
        ("pxr24", None, "lossy"),
        ("htj2k256", "htj2k", "lossless"),
        ("htj2k32", "htj2k", "lossless"),
        ("lj2k", None, "lossy"),
        ("zstd", None, "lossless"),
        ("none", None, "lossless"),
        ("unknown(99)", None, "lossless"),
    ],
)
def test_compressions_have_families_and_some_lose(name, family, kind):
    """Six for the name, four for the family (or for the name, where it is one), two for the loss."""
    named = {f"x:{name}".encode(): 6, f"f:{family}".encode(): 4} if family else {f"x:{name}".encode(): 10}
    assert bag_of("compression", {"compression": name}) == named | {f"l:{kind}".encode(): 2}


def test_parts_share_the_energy_of_a_block():
    """A file of two parts is half the one and half the other."""
    bag = bag_of("compression", {"compression": "zip"}, {"compression": "piz"})
    assert (bag[b"x:zip"], bag[b"f:deflate"], bag[b"x:piz"], bag[b"l:lossless"]) == (3, 2, 5, 2)


def test_format_says_the_display_size_exactly_and_by_octave():
    """The size counts 3, the pixel aspect 6, the width 6 by octave and 4 by the eighth of an octave, the aspect 6."""
    sizes = {"display_width": 1023, "display_height": 511, "width": 5, "height": 5}
    bag = bag_of("resolution", {**sizes, "pixel_aspect_ratio": 2.0})
    assert (bag[b"x:1023x511"], bag[b"p:2048"]) == (3, 6)
    assert (bag[b"w~10"], bag[b"w8~0"]) == (6, 4)
    assert bag[b"a~68"] > 5.9
    assert abs(sum(bag.values()) - 25) < 1e-5


def test_eighths_of_an_octave_are_a_circle():
    """A picture of half the width has the same one, and widths on both sides of a power of two are neighbours."""
    full, half, below = (
        {token for token in bag_of("resolution", {"width": width, "height": 500}) if token.startswith(b"w8")}
        for width in (2047, 1023, 2000)
    )
    assert full == half == {b"w8~0"}
    assert below == {b"w8~7", b"w8~0"}


def test_format_falls_back_to_the_data_size():
    """A reference without a display window still has a size."""
    assert b"x:640x480" in bag_of("resolution", {"width": 640, "height": 480})


DISPLAY = window(0, 0, 99, 99)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (DISPLAY, {b"l~16": 4, b"t~16": 4, b"r~16": 4, b"b~16": 4, b"o:0,0,0,0": 1}),
        (window(-100, 0, 99, 99), {b"l~22": 4, b"t~16": 4, b"r~16": 4, b"b~16": 4, b"o:100,0,0,0": 1}),
        (window(0, 0, 99, 49), {b"l~16": 4, b"t~16": 4, b"r~16": 4, b"b~11": 4}),
        (window(0, 0, 199, 49), {b"l~16": 4, b"t~16": 4, b"r~22": 4, b"b~11": 4}),
    ],
)
def test_window_says_of_each_side_how_far_it_lies_from_that_of_the_display(data, expected):
    """In octaves of a sixty-fourth of the display, beyond it or within; overscan, which is chosen, also to the pixel."""
    bag = bag_of("window", {"data_window": data, "display_window": DISPLAY})
    assert {token: round(energy) for token, energy in bag.items() if energy > 0.5} == expected
    assert abs(sum(bag.values()) - sum(expected.values())) < 1e-5


def test_a_side_far_away_is_as_far_as_one_at_four_displays():
    """Margins are bounded."""
    far, further = (bag_of("window", {"data_window": window(0, x, 99, 9999), "display_window": DISPLAY}) for x in (400, 5000))
    assert {token: energy for token, energy in far.items() if token.startswith(b"t")} == {
        token: energy for token, energy in further.items() if token.startswith(b"t")
    }


def test_storage_says_how_pixels_are_laid_out():
    """Deep counts 10, tiles 6, their size 2, line order 5, the number of parts 6 and 2."""
    bag = bag_of("storage", {"type": "deeptile", "tile_width": 64, "tile_height": 32, "line_order": "RANDOM_Y"})
    expected = {b"d:deep": 10, b"k:tiled": 6, b"z:64x32": 2, b"o:random": 5, b"n~1": 6, b"m:single": 2}
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


ARNOLD = {b"p:arnold": 10, b"j:arnold 7": 2, b"m:arnold 7.2": 2, b"f:arnold 7.2.1.0": 2}


@pytest.mark.parametrize(
    ("part", "levels"),
    [
        ({"render_product": "Arnold", "render_software_version": "7.2.1.0"}, ARNOLD),
        ({"render_software": "Arnold 7.2.1.0"}, ARNOLD),
        (
            {"render_product": "Nuke", "render_software": "x 3", "render_software_version": "14.0v5"},
            {b"p:nuke": 10, b"j:nuke 14": 2, b"m:nuke 14.0": 2, b"f:nuke 14.0v5": 2},
        ),
        ({"render_product": "Blender", "render_software_version": None}, {b"p:blender": 16}),
        ({"software": "3ds Max 2024"}, {b"p:#ds max": 10, b"j:#ds max 2024": 4, b"f:#ds max 2024": 2}),
        ({"render_software": "handmade"}, {b"p:handmade": 16}),
        ({}, {b"p:": 16}),
    ],
)
def test_what_wrote_a_file_has_four_levels(part, levels):
    """Product 10, with each version 2, colour space 8; what the payload calls it comes before what the file says.

    What a version does not state counts at the level before.
    """
    assert bag_of("source", {"color_space": "ACEScg", **part}) == {b"c:ACEScg": 8, **levels}


def attribute_bags(*parts):
    """The bags of names and of values, in units of an attribute, without what every file has."""
    lists = read_attributes({"parts": [*parts]})
    named, valued = attributes.setup_attributes(lists)
    scale = 4 * UNIT // max(1, len(lists))
    bags = attributes.attrs(named, len(lists)), attributes.values(valued, len(lists))
    return tuple({token: energy / scale for token, energy in bag.items() if token != b"b:"} for bag in bags)


def test_attributes_have_names_types_and_namespaces():
    """A namespace counts like a name."""
    names, _ = attribute_bags([{"name": "Arnold/opt12", "type": "Int", "value": 1}, {"name": "owner", "type": "string"}])
    assert names == {b"n:arnold/opt#:int": 1, b"s:arnold": 1, b"n:owner:string": 1}


@pytest.mark.parametrize(
    "name",
    [
        "channels",
        "dataWindow",
        "type",
        "software",
        "chunkCount",
        "multiView",
        "oiio:ColorSpace",
        "openexr:lossy",
        "screenWindowWidth",
    ],
)
def test_what_parts_tell_and_every_file_has_is_no_attribute(name):
    """It has a block of its own, or none."""
    assert attribute_bags([{"name": name, "type": "string", "value": "x"}]) == ({}, {})


def test_the_centre_of_the_screen_window_counts_where_it_is_not_the_default():
    """Every file has one."""
    centre = {"name": "screenWindowCenter", "type": "v2f"}
    assert attribute_bags([centre | {"value": [0.0, 0.0]}]) == ({}, {})
    assert attribute_bags([centre | {"value": {"x": 0.0, "y": 0.0}}]) == ({}, {})
    _, values = attribute_bags([centre | {"value": [0.5, 0.0]}])
    assert values == {b"screenwindowcenter=500,0": 1}


@pytest.mark.parametrize(
    "name",
    [
        *("capDate", "renderTime", "hostComputer", "exr/render_uuid", "arnold/stats", "peakMemory", "utcOffset", "DocumentName"),
        *("nuke/node_hash", "Exif:ImageHistory", "log", "arnold/bounds_min_x", "commandLine", "machine", "owner", "File"),
    ],
)
def test_values_that_change_from_run_to_run_are_left_out_and_names_stay(name):
    """Machine, time and identity say nothing about the setup."""
    names, values = attribute_bags([{"name": name, "type": "string", "value": "x"}])
    assert names
    assert values == {}


HALF = 0.5


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("int", 1023, {b"1023000": HALF, b"+~19": 0.0013, b"+~20": 0.4987}),
        ("int", 0, {b"0": HALF, b"+~0": HALF}),
        ("float", -0.001, {b"-1": HALF, b"-~1": HALF}),
        ("half", math.nan, {b"0": HALF, b"+~0": HALF}),
        ("float", "NaN", {b"0": HALF, b"+~0": HALF}),
        ("string", "0.003", {b"3": HALF, b"+~2": HALF}),
        ("string", "Take 12", {b"take 12": HALF, b"~take #": HALF}),
        ("string", "frame 1001 of v0012", {b"frame # of v0012": HALF, b"~frame # of v#": HALF}),
        ("string", "job 9f3c2ab1 at 10:20:30", {b"job # at #": HALF, b"~job # at #": HALF}),
        ("string", "rendered 2024-11-26", {b"rendered #": HALF, b"~rendered #": HALF}),
        ("string", "Tool 1.2 : a.exr -o b.exr", {b"tool 1.2": HALF, b"~tool #.#": HALF}),
        ("string", "y" * 65, {b"$long": 1}),
        ("string", "/shots/s010/tex.1001.tx", {b"/shots/s010/tex.#.tx": HALF, b"$in:/shots/s010": HALF}),
        ("string", "C:\\shots\\a", {b"c:/shots/a": HALF, b"$in:c:/shots": HALF}),
        ("string", "/tmp/r0042/a.abc", {b"/tmp/#": HALF, b"$in:/tmp": HALF}),
        ("v2f", [0.5, 1], {b"500,1000": 1}),
        ("v2i", {"y": 2, "x": 1}, {b"1000,2000": 1}),
        ("rational", [24000, 1001], {b"24000000,1001000": 1}),
        ("chromaticities", {"red": [0.64, 0.33], "white": {"x": 0.3127, "y": 0.329}}, {b"640,330,313,329": 1}),
        ("envmap", "latlong", {b"latlong": HALF, b"~latlong": HALF}),
        ("stringvector", ["Left 1", "right"], {b"left 1,right": HALF, b"~left #,right": HALF}),
    ],
)
def test_values_are_spelled_so_that_small_differences_stay_small(kind, value, expected):
    """Numbers exactly and by octave, also in texts; texts and paths exactly and without what counts."""
    _, values = attribute_bags([{"name": "gain", "type": kind, "value": value}])
    assert values == {b"gain=" + token: pytest.approx(energy, abs=1e-3) for token, energy in expected.items()}


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("Camera", "Camera.0001", "Camera.0002"),
        ("render/camera", "/shot/cam.0001", "/shot/cam.0002"),
        ("generatedBy", "Mitsuba version 3.6.1234", "Mitsuba version 3.6.1235"),
        ("viewLayer", "ViewLayer.1001", "ViewLayer.1002"),
    ],
)
def test_digits_stay_where_the_name_says_which_one_it_is(name, one, other):
    """Cameras, layers and builds; a text of any length is told by its first 64 bytes."""
    spelled = [
        attribute_bags([{"name": name, "type": "string", "value": text}])[1] for text in (one, other, other + " " + "x" * 99)
    ]
    assert spelled[0] != spelled[1] != spelled[2]
    assert all(b"$long" not in token for token in spelled[2])


def test_a_text_that_says_which_one_it_is_counts_half_as_much_again():
    """Another camera is graver than another setting; a number under such a name is a number."""
    text = {"type": "string", "value": "Front"}
    assert attribute_bags([text | {"name": "Camera"}])[1] == {b"camera=front": 0.75, b"camera=~front": 0.75}
    assert attribute_bags([text | {"name": "gain"}])[1] == {b"gain=front": 0.5, b"gain=~front": 0.5}
    assert attribute_bags([{"name": "ViewLayer.samples", "type": "string", "value": "0"}])[1] == {
        b"viewlayer.samples=0": 0.5,
        b"viewlayer.samples=+~0": 0.5,
    }


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
    """A payload replaces values of more than 64 KiB by size, digest and first bytes; no number is that long."""
    digest = {"size": 70_000, "sha256": "ab" * 32, "first_base64": "QUJD"}
    _, values = attribute_bags([{"name": "note", "type": kind, "value": digest}])
    assert values == ({} if spelled is None else {b"note=" + spelled: 1})


def test_equal_numbers_of_different_types_inside_a_value_do_not_share_a_token():
    """True counts as 0, whatever was read before it."""
    read = [attribute_bags([{"name": "n", "type": "v2i", "value": pair}])[1] for pair in ((1, 2), (True, 2))]
    assert read == [{b"n=1000,2000": 1}, {b"n=0,2000": 1}]


def test_a_vector_of_many_empty_texts_is_long():
    """Its commas alone are more than 64 bytes."""
    assert attribute_bags([{"name": "gains", "type": "stringvector", "value": [""] * 66}])[1] == {b"gains=$long": 1}


def test_a_list_that_contains_itself_is_still_read():
    """JSON cannot carry one, a caller can."""
    endless: list = []
    endless.append(endless)
    payload = copy.deepcopy(render())
    payload["attributes"]["parts"][0].append({"name": "loop", "type": "v2f", "value": endless})
    assert len(compute_metadata_embedding(payload)) == 384
