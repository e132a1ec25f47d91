"""What moves a vector, and how far: volatile metadata not at all, every mistake of a setup further than any other noise."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from test_vectors import channels_of, distance, render, window

from exr_inspector.embedding.seats import SEATS
from exr_inspector.embedding.vectors import BLOCKS, compute_channel_fingerprint, compute_metadata_embedding

Payload = dict[str, Any]
Edit = Callable[[Payload], None]
FOUND = 0.002
"""The least distance that a planted mistake has to move; frames of one setup are below it."""

ATTRIBUTES = {
    "cycles.ViewLayer.samples": "128",
    "arnold/AA_samples": 6,
    "arnold/frame": 1001.0,
    "render/camera": "/shot/renderCam",
    "Camera": "Camera.001",
    "generatedBy": "Mitsuba version 3.6.4",
    "texture": "/shots/s010/tex/wall.1001.tx",
    "capDate": "2026:11:26 10:20:30",
    "utcOffset": -3600.0,
    "hostComputer": "render-a01",
    "arnold/stats/memory/peak": 967.6,
    "nuke/node_hash": "927695385d539ac1",
    "DocumentName": "/tmp/untitled_7f3a21.gfr",
    "Exif:ImageHistory": "oiiotool a.1001.exr -o b.1001.exr",
    "status": "written at 10:20:30 on 2026-11-26",
    "screenWindowWidth": 1.0,
}


def frame(**changes: Any) -> Payload:
    """A beauty render with attributes of several renderers; `changes` replace keys of its part."""
    payload = render(**changes)
    payload["attributes"] = {
        "parts": [[{"name": name, "type": kind_of(value), "value": value} for name, value in ATTRIBUTES.items()]]
    }
    return payload


def kind_of(value: Any) -> str:
    return {str: "string", int: "int", float: "float"}[type(value)]


def set_part(**changes: Any) -> Edit:
    return lambda payload: payload["parts"][0].update(changes)


def set_attribute(name: str, value: Any) -> Edit:
    def edit(payload: Payload) -> None:
        (entry,) = (entry for entry in payload["attributes"]["parts"][0] if entry["name"] == name)
        entry["value"] = value

    return edit


def set_channel(**changes: Any) -> Edit:
    return lambda payload: payload["channels"][0].update(changes)


def moved(edit: Edit, start: Payload | None = None) -> float:
    """Cosine distance that an edit moves a frame."""
    before = start or frame()
    after = copy.deepcopy(before)
    edit(after)
    assert after != before
    return distance(compute_metadata_embedding(before), compute_metadata_embedding(after))


VOLATILE = {
    "time": set_attribute("capDate", "2026:11:27 00:00:01"),
    "clock change": set_attribute("utcOffset", -7200.0),
    "host": set_attribute("hostComputer", "render-b17"),
    "memory": set_attribute("arnold/stats/memory/peak", 1083.25),
    "hash": set_attribute("nuke/node_hash", "60021b31c457c732"),
    "frame": set_attribute("arnold/frame", 1002.0),
    "unsaved scene": set_attribute("DocumentName", "/tmp/untitled_90210c.gfr"),
    "command line in an attribute": set_attribute("Exif:ImageHistory", "oiiotool a.1002.exr -o b.1002.exr"),
    "clock in a text": set_attribute("status", "written at 11:00:01 on 2026-11-27"),
    "frame in a path": set_attribute("texture", "/shots/s010/tex/wall.1002.tx"),
    "zoom": set_attribute("screenWindowWidth", 1.25),
    "path of the file": lambda payload: payload["file"].update(path="/else/b.1002.exr", frame_number=1002),
}


@pytest.mark.parametrize("name", VOLATILE)
def test_volatile_metadata_does_not_move_the_vector(name):
    """The vectors are the same, bit for bit."""
    before, after = frame(), frame()
    VOLATILE[name](after)
    assert after != before
    assert compute_metadata_embedding(after) == compute_metadata_embedding(before)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("OpenImageIO 2.3.14 : oiiotool a.1001.exr -o b.exr", "OpenImageIO 2.3.14 : oiiotool a.1002.exr -o b.exr"),
        ("OpenImageIO 2.6.3.0dev : CE1F1D8D6B7505C9", "OpenImageIO 2.6.3.0dev : 2C1F0D354F246A0B"),
        ("tool --threads 4 a.1001.exr", "tool --threads 8 a.1002.exr"),
    ],
)
def test_a_command_line_in_software_does_not_move_the_vector(one, other):
    """Program and version are the same."""
    assert compute_metadata_embedding(frame(render_software=one)) == compute_metadata_embedding(frame(render_software=other))


MISTAKES = {
    "subsampled channel": set_channel(x_sampling=2, y_sampling=2),
    "pixel type of one channel": set_channel(type="FLOAT"),
    "crop": set_part(data_window=window(240, 135, 1679, 944)),
    "overscan": set_part(data_window=window(-16, -16, 1935, 1095)),
    "renderer's build": set_part(render_software="Arnold 7.2.1.1"),
    "samples, as text": set_attribute("cycles.ViewLayer.samples", "4096"),
    "samples, as a number": set_attribute("arnold/AA_samples", 12),
    "camera by number": set_attribute("Camera", "Camera.002"),
    "camera by path": set_attribute("render/camera", "/shot/witnessCam"),
    "build in a text": set_attribute("generatedBy", "Mitsuba version 0.5.0"),
    "texture": set_attribute("texture", "/shots/s020/tex/wall.1001.tx"),
    "line order": set_part(line_order="DECREASING_Y"),
    "pixel aspect": set_part(pixel_aspect_ratio=2.0),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(name):
    """It moves the vector by more than frames of a setup differ."""
    assert moved(MISTAKES[name]) > FOUND


def test_mistakes_move_further_the_graver_they_are():
    """A version by its level, a crop by its size, a number by its octaves, a camera like another."""
    versions = [moved(set_part(render_software=f"Arnold {version}")) for version in ("7.2.1.1", "7.3.1.0", "8.0.0.0")]
    renderer = moved(set_part(render_software="V-Ray 7.2.1.0"))
    assert versions == sorted(versions)
    assert versions[-1] < renderer
    crops = [moved(set_part(data_window=window(inset, inset, 1919 - inset, 1079 - inset))) for inset in (2, 20, 200)]
    assert crops == sorted(crops)
    one_more, octaves_more = (moved(set_attribute("cycles.ViewLayer.samples", text)) for text in ("129", "4096"))
    assert FOUND / 2 < one_more < octaves_more
    assert octaves_more < moved(set_attribute("Camera", "Witness"))


def test_a_number_as_text_is_that_number():
    """50.00 and 50, in a text or not."""
    after = frame()
    set_attribute("cycles.ViewLayer.samples", "128.0")(after)
    assert compute_metadata_embedding(after) == compute_metadata_embedding(frame())


def test_a_window_that_follows_the_picture_moves_less_than_what_is_of_another_kind():
    """A frame that fills the display, among others that do not, is not odder than one whose channel is subsampled."""
    small = frame(data_window=window(0, 980, 199, 1079))
    filled = moved(set_part(data_window=window(0, 0, 1919, 1079)), small)
    kinds = ("subsampled channel", "pixel type of one channel", "line order")
    assert FOUND < filled < min(moved(MISTAKES[kind], small) for kind in kinds)


def test_an_auto_cropped_sequence_stays_closer_together_than_a_planted_crop_is_far():
    """The data window follows what the frames show; one of them fills the display on every side."""
    insets = [(6, 4), (3, 2), (8, 5), (0, 0), (5, 4), (7, 6)]
    vectors = [
        compute_metadata_embedding(frame(data_window=window(x, y, 1919 - x, 1079 - y if at else 1079)))
        for at, (x, y) in enumerate(insets)
    ]
    apart = max(distance(a, b) for a in vectors for b in vectors)
    planted = compute_metadata_embedding(frame(data_window=window(240, 135, 1679, 944)))
    assert apart < min(distance(planted, vector) for vector in vectors) / 2


def test_what_wrote_a_file_counts_with_and_without_the_payload_naming_it():
    """A sparse reference has the software alone; the payload's own product is the same program."""
    named = frame(render_product="Arnold", render_software_version="7.2.1.0", render_software="a command line")
    assert compute_metadata_embedding(named) == compute_metadata_embedding(frame())
    other = frame(render_product="Nuke", render_software_version="14.0v5")
    assert distance(compute_metadata_embedding(named), compute_metadata_embedding(other)) > 0.05


def test_names_of_one_family_of_tools_bring_files_together():
    """Two files of which nothing says the writer, but the names of attributes."""

    def written_by(*names: str) -> list[float]:
        payload = render(render_software=None)
        payload["attributes"] = {"parts": [[{"name": name, "type": "float", "value": 1.0} for name in names]]}
        return compute_metadata_embedding(payload)

    one, same, other = (
        written_by("vray/gi", "vray/dmc"),
        written_by("vray/gi", "vray/caustics"),
        written_by("mts/depth", "mts/rr"),
    )
    assert distance(one, same) < distance(one, other) - 0.05


def test_required_attributes_at_their_defaults_say_nothing():
    """A file that lists them and one that does not are the same."""
    before, after = frame(), frame()
    after["attributes"]["parts"][0] += [
        {"name": "screenWindowCenter", "type": "v2f", "value": [0.0, 0.0]},
        {"name": "pixelAspectRatio", "type": "float", "value": 1.0},
        {"name": "lineOrder", "type": "lineOrder", "value": "INCREASING_Y"},
    ]
    assert compute_metadata_embedding(after) == compute_metadata_embedding(before)


@pytest.mark.parametrize(
    "rename",
    [
        lambda layer, component: (layer + "_v2" if layer else "", component),
        lambda layer, component: (layer.title().replace("_", ""), component),
        lambda layer, component: (layer.upper(), component.lower()),
        lambda layer, component: (layer, {"R": "red", "G": "green", "B": "blue"}[component]),
    ],
    ids=["version", "camel case", "case", "colours by name"],
)
def test_layers_renamed_by_another_convention_stay_near(rename):
    """Nearer than one of the layers missing is far from none of them being the same."""
    channels = channels_of()
    renamed = []
    for channel in channels:
        layer, component = rename(channel["layer_name"], channel["component_name"])
        renamed.append(channel | {"layer_name": layer, "component_name": component, "name": f"{layer}.{component}".lstrip(".")})
    others = channels_of(("", "mask_a", "depth_eye", "motion_world", "noise"))
    own = compute_channel_fingerprint(channels)
    assert distance(own, compute_channel_fingerprint(renamed)) < 0.5 * distance(own, compute_channel_fingerprint(others))


def test_a_fingerprint_orders_channel_sets_by_what_they_share():
    """From all layers down to none."""
    layers = ["diffuse_direct", "specular_indirect", "volume", "emission", "sss", "coat", "albedo", "normal"]
    strangers = ["mask_a", "depth_eye", "motion_world", "noise", "fog", "ao", "uv_map", "cam_ray"]
    own = compute_channel_fingerprint(channels_of(tuple(layers)))
    apart = [
        distance(own, compute_channel_fingerprint(channels_of(tuple(layers[:kept] + strangers[kept:])))) for kept in range(9)
    ]
    assert apart == sorted(apart, reverse=True)
    assert apart[8] == pytest.approx(0, abs=1e-7)


def test_seats_are_places_of_their_own():
    """No two tokens of a block share one, and every block has places left to hash into."""
    for block in BLOCKS:
        places = [seat // 2 for seat in SEATS[block.name].values()]
        assert sorted(places) == list(range(len(places)))
        assert len(places) <= block.dims - 3


def test_distances_of_a_plain_pair_are_free_of_hashing_noise():
    """Two compressions of no family share nothing but being lossless, to the last digit."""
    piz, rle = compute_metadata_embedding(frame(compression="piz")), compute_metadata_embedding(frame(compression="rle"))
    weight = next(block.weight for block in BLOCKS if block.name == "compression") / 1000
    assert distance(piz, rle) == pytest.approx(weight * 10 / 12, abs=1e-7)
