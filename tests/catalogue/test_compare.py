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
