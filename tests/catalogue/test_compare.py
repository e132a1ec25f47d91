"""Two sets of files are told apart in words: each difference once, with the layers and frames that have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

import seeded_catalogue
from exr_inspector.catalogue.compare import Side, as_dict, compare, layers_of, lines
from seeded_catalogue import ARNOLD, BEAUTY, SHOWS, Frame

SETUP = SHOWS["apollo"][0]


def side(name: str, frames: Sequence[Frame]) -> Side:
    """A set of files as the catalogue would have them."""
    return Side(name, tuple(seeded_catalogue.payload(frame) for frame in frames))


def frames(numbers: Sequence[int], version: str = "v001", **changes: Any) -> list[Frame]:
    """Frames of one pass, all with the same size."""
    setup = replace(SETUP, **changes)
    return [Frame("apollo", "sq010", "sh010", setup, number, version=version, size=10_000_000) for number in numbers]


def told(a: Side, b: Side) -> dict[str, tuple[str, str]]:
    """What differs, by what it is."""
    return {one.what: (one.a, one.b) for one in compare(a, b).differences}


def test_a_set_does_not_differ_from_itself() -> None:
    """And what all files have in common is said once."""
    one = side("a", frames([1001, 1002]))
    comparison = compare(one, one)
    assert comparison.same
    assert comparison.pairs == 2
    assert list(lines(comparison))[3] == "nothing differs in 2 pairs of files"
    assert comparison.common["renderer"] == ARNOLD
    assert as_dict(comparison)["same"] is True


def test_two_versions_differ_in_what_was_changed_and_nothing_else() -> None:
    """Renderer, compression, a channel that is missing, another that has another type; versions are the same layer."""
    channels = (("A", "FLOAT"), *(entry for entry in BEAUTY if entry[0] not in ("A", "sss.R")))
    b = frames([1001, 1002], "v002", software="Arnold 7.4.0.0", compression="dwaa", channels=channels)
    assert told(side("v001", frames([1001, 1002])), side("v002", b)) == {
        "renderer": (ARNOLD, "Arnold 7.4.0.0"),
        "compression": ("zip", "dwaa"),
        "channel A": ("half", "float"),
        "channel sss.R": ("half", "none"),
    }


def test_frames_that_one_side_alone_has_are_ranges() -> None:
    """The others are compared."""
    comparison = compare(side("a", frames([1001, 1002, 1003, 1005])), side("b", frames([1001, 1002])))
    assert [(one.what, one.a, one.b) for one in comparison.differences] == [("frames", "1001-1003,1005", "1001-1002")]
    assert comparison.pairs == 2


def test_a_difference_of_some_frames_names_them() -> None:
    """Of all it names none."""
    b = [*frames([1001]), *frames([1002, 1003], compression="piz")]
    comparison = compare(side("a", frames([1001, 1002, 1003])), side("b", b))
    assert "compression in 1002-1003: zip -> piz" in list(lines(comparison))
    assert as_dict(comparison)["differences"][0]["frames"] == {"": "1002-1003"}


def test_what_differs_in_every_frame_in_its_own_way_is_one_difference() -> None:
    """With an example."""
    numbers = range(1001, 1011)
    a, b = (side(name, frames(numbers)) for name in "ab")
    for at, payload in enumerate(b.payloads):
        payload["attributes"]["parts"][0].append({"name": "seed", "type": "int", "value": at})
    for at, payload in enumerate(a.payloads):
        payload["attributes"]["parts"][0].append({"name": "seed", "type": "int", "value": 100 + at})
    (difference,) = compare(a, b).differences
    assert (difference.what, difference.varies, difference.count) == ("attribute seed", True, 10)
    assert "attribute seed, such as: 100 -> 0" in list(lines(compare(a, b)))


def test_sizes_and_times_are_told_in_units_with_their_change() -> None:
    """The size of all pairs together, times as a mean of a frame."""
    a = [replace(frame, host="farm-1", seconds=600.0) for frame in frames([1001, 1002])]
    b = [replace(frame, size=15_000_000, seconds=1200.0) for frame in a]
    differences = told(side("a", a), side("b", b))
    assert differences["size"] == ("20 MB", "30 MB (+50 %)")
    before, after = differences["render time a frame"]
    assert before.startswith(("9 min", "10 min"))
    assert after.endswith("(+100 %)")


def test_layers_are_paired_by_their_names_without_versions() -> None:
    """Of two versions of a layer the last one counts."""
    crypto = [Frame("apollo", "sq010", "sh010", SHOWS["apollo"][1], 1001)]
    payloads = side("shot", [*frames([1001]), *frames([1001], "v002", compression="piz"), *crypto]).payloads
    layers = layers_of(payloads)
    assert set(layers) == {"beauty", "crypto"}
    assert layers["beauty"][1001]["parts"][0]["compression"] == "piz"
    assert told(Side("a", payloads), side("b", frames([1001], "v002", compression="piz")))["layers"] == ("crypto", "none") or (
        len(layers_of(side("b", frames([1001])).payloads)) == 1
    )


def test_channels_of_a_layer_stand_together() -> None:
    """And attributes that one side lacks, too."""
    b = frames([1001], channels=tuple(entry for entry in BEAUTY if not entry[0].startswith("albedo")), artist=None)
    text = list(lines(compare(side("a", frames([1001])), side("b", b))))
    assert "channels only in A: albedo.(B G R)" in text
    assert "attributes only in A: artist" in text


@pytest.mark.parametrize("numbers", [[1001], [1001, 1002]])
def test_two_shots_are_compared_layer_by_layer(numbers: list[int]) -> None:
    """Though their files have other names."""
    a = frames(numbers)
    b = [replace(frame, shot="sh020") for frame in a]
    assert compare(side("a", a), side("b", b)).same


def multi_part(payload: dict[str, Any], *names: str) -> dict[str, Any]:
    """The same file with a copy of its part for each name."""
    (part,) = payload["parts"]
    return payload | {
        "parts": [part | {"index": at, "name": name} for at, name in enumerate(names)],
        "channels": [channel | {"part_index": at} for at in range(len(names)) for channel in payload["channels"]],
        "attributes": {"parts": payload["attributes"]["parts"] * len(names)},
    }


def test_a_file_of_one_part_is_compared_with_the_first_of_several() -> None:
    """The further parts are named, and nothing more is said of them."""
    one = side("a", frames([1001], compression="piz"))
    other = multi_part(side("b", frames([1001])).payloads[0], "rgb.left", "depth.left", "rgb.right")
    text = list(lines(compare(one, Side("b", (other,)))))
    assert text[3:7] == [
        "parts: 1 -> 3",
        "parts only in B: depth.left, rgb.right",
        "compression of part 0: piz -> zip",
        "name of part 0: none -> rgb.left",
    ]
    assert len([line for line in text if " -> " in line]) == 3


def test_parts_are_matched_by_name() -> None:
    """Whatever their order; a part that has no counterpart is named."""
    payload = side("a", frames([1001])).payloads[0]
    a, b = multi_part(dict(payload), "rgb", "depth", "id"), multi_part(dict(payload), "depth", "rgb")
    b["parts"][0]["compression"] = "zips"
    comparison = compare(Side("a", (a,)), Side("b", (b,)))
    assert [(one.what, one.a, one.b) for one in comparison.differences] == [
        ("parts", "3", "2"),
        ("compression of part depth", "zip", "zips"),
        ("part id", a["parts"][2]["type"], "none"),
    ]
    assert "parts only in A: id" in list(lines(comparison))


def test_files_that_cannot_be_read_are_named_and_are_no_layer() -> None:
    """What is compared is said where that is not all, and which frame is cut short."""
    a, b = side("a", frames([1001])), side("b", frames([1001, 1002]))
    cut = a.payloads[0]["file"] | {"status": "incomplete", "completeness": {"verdict": "truncated"}}
    folder = str(cut["path_normalized"]).rpartition("/")[0]
    note = {"path_normalized": f"{folder}/notes.exr", "frame_number": None, "version_token": "v001", "size_bytes": 31}
    unreadable = {"file": note | {"status": "unreadable"}, "parts": [], "channels": [], "attributes": {"parts": []}}
    comparison = compare(Side("a", ({**a.payloads[0], "file": cut | {"size_bytes": 5_000_000}}, unreadable)), b)
    text = list(lines(comparison))
    assert text[:5] == [
        "A: a, 2 files, 5 MB",
        "   cannot be read: notes.exr",
        "B: b, 2 files, 20 MB",
        "compared: 1 common frame (1001)",
        "",
    ]
    assert "status in 1001: incomplete, cut short -> ok" in text
    assert "size of the common frame: 5 MB -> 10 MB (+100 %)" in text
    assert not any(line.startswith("layers") for line in text)
    assert as_dict(comparison)["unreadable"] == {"a": ["notes.exr"], "b": []}


def test_an_unreadable_file_on_one_side_is_a_difference() -> None:
    """Though nothing can be said of its content."""
    a = side("a", frames([1001]))
    file = a.payloads[0]["file"] | {"status": "unreadable"}
    b = Side("b", ({"file": file, "parts": [], "channels": [], "attributes": {"parts": []}},))
    assert not compare(a, b).same
    assert compare(b, b).same
