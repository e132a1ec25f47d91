"""The contract of the vectors, tried with whatever Hypothesis can think of."""

from __future__ import annotations

import copy
import math
import os
import random
import struct
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_inspector.embedding.vectors import (
    VectorEmbeddingError,
    compute_channel_fingerprint,
    compute_metadata_embedding,
    explain_distance,
)
from project import ROOT

tried = settings(deadline=None, max_examples=60)  # no deadline: the first example also fills the caches

NAMES = st.text(st.characters(), max_size=24)  # surrogates included
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), 1e300, -0.0, True]))
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, NAMES, st.binary(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)
COMPONENTS = st.sampled_from("RGBAZ")
LAYERS = st.sampled_from(["", "diffuse", "spec.left", "crypto_object00", "ViewLayer.Combined", "_", "影"])
CHANNEL = st.fixed_dictionaries(
    {
        "part_index": st.integers(0, 2),
        "name": st.builds(lambda layer, component: f"{layer}.{component}" if layer else component, LAYERS, COMPONENTS),
    },
    optional={
        "type": st.sampled_from(["HALF", "FLOAT", "UINT"]),
        "x_sampling": st.integers(1, 2),
        "y_sampling": st.integers(1, 2),
    },
)
SIZE = st.integers(1, 8192)
PART = st.fixed_dictionaries(
    {"index": st.integers(0, 5)},
    optional={
        "name": st.sampled_from(["beauty", "rgba.left", ""]),
        "view": st.sampled_from(["left", "right", None]),
        "compression": st.sampled_from(["zip", "PIZ", "dwaa", "unknown(99)"]),
        "width": SIZE,
        "height": SIZE,
        "display_width": SIZE,
        "display_height": SIZE,
        "data_x_offset": st.integers(-9000, 9000),
        "pixel_aspect_ratio": st.floats(0.1, 4),
        "is_tiled": st.booleans(),
        "line_order": st.sampled_from(["INCREASING_Y", "random_y"]),
        "render_software": st.sampled_from(["Arnold 7.2.1.0", "Nuke 14.0v5", "handmade"]),
    },
)
ATTRIBUTE = st.fixed_dictionaries(
    {"name": st.sampled_from(["owner", "arnold/samples", "fps", "capDate"]), "type": st.sampled_from(["string", "int", "float"])},
    optional={"value": st.one_of(NUMBERS, NAMES)},
)
KEYS = (
    *("part_index", "name", "layer_name", "component_name", "type", "x_sampling", "y_sampling", "value"),
    *("index", "view", "data_window", "display_window", "width", "height", "data_x_offset", "display_width", "display_height"),
    *("pixel_aspect_ratio", "line_order", "compression", "is_deep", "is_tiled", "tiles", "tile_width", "tile_height"),
    *("color_space", "render_software"),
)
ODD_ENTRY = st.one_of(
    ANYTHING,
    st.dictionaries(
        st.sampled_from(KEYS),
        ANYTHING,
        max_size=8,
    ),
)
PAYLOAD = st.builds(
    lambda channels, parts, attributes: {"channels": channels, "parts": parts, "attributes": {"parts": attributes}},
    st.lists(CHANNEL, max_size=8),
    st.lists(PART, max_size=3),
    st.lists(st.lists(ATTRIBUTE, max_size=4), max_size=3),
)
ODD_PAYLOAD = st.builds(
    lambda channels, parts, attributes, file: {"channels": channels, "parts": parts, "attributes": attributes, "file": file},
    st.lists(ODD_ENTRY, max_size=5),
    st.lists(ODD_ENTRY, max_size=3),
    st.one_of(ANYTHING, st.fixed_dictionaries({"parts": st.lists(ANYTHING | st.lists(ODD_ENTRY, max_size=4), max_size=3)})),
    ANYTHING,
)


def check_vector(vector, dim):
    """Unit length, finite, Python floats, the asked dimension."""
    assert len(vector) == dim
    assert all(type(value) is float and math.isfinite(value) for value in vector)
    assert abs(math.sqrt(math.fsum(value * value for value in vector)) - 1) < 1e-6


@tried
@given(ODD_PAYLOAD, st.integers(32, 600))
def test_any_value_inside_still_gives_a_unit_vector(payload, dim):
    """NaN, huge integers, lone surrogates and wrong types inside count as absent; they never break the vector."""
    check_vector(compute_metadata_embedding(payload, dim), dim)
    check_vector(compute_channel_fingerprint(payload["channels"], dim), dim)


@tried
@given(ANYTHING)
def test_the_wrong_top_level_is_an_error(payload):
    """No generated value has both lists, so none has a vector."""
    with pytest.raises(VectorEmbeddingError) as caught:
        compute_metadata_embedding(payload)
    assert caught.value.field in {"payload", "channels", "parts"}


@tried
@given(PAYLOAD)
def test_vectors_are_float32_values_unless_there_is_nothing_to_describe(payload):
    """What a FLOAT32 column gives back is what was returned, bit for bit."""
    vector = compute_metadata_embedding(payload)
    check_vector(vector, 384)
    stored = list(struct.unpack("<384f", struct.pack("<384f", *vector)))
    assert stored == vector or not (payload["channels"] or payload["parts"])


@tried
@given(PAYLOAD, st.randoms(use_true_random=False))
def test_order_of_channels_attributes_and_parts_does_not_matter(payload, draw):
    """Parts are put in another order together with their attributes; channels name their part by index."""
    shuffled = copy.deepcopy(payload)
    for entries in (shuffled["channels"], shuffled["parts"], shuffled["attributes"]["parts"], *shuffled["attributes"]["parts"]):
        draw.shuffle(entries)
    assert compute_metadata_embedding(shuffled) == compute_metadata_embedding(payload)
    assert compute_channel_fingerprint(shuffled["channels"]) == compute_channel_fingerprint(payload["channels"])


@tried
@given(PAYLOAD, ANYTHING)
def test_the_file_section_does_not_move_the_vector(payload, file):
    """Path, size, times, frame number and whatever else stands there."""
    assert compute_metadata_embedding({**payload, "file": file}) == compute_metadata_embedding(payload)


@tried
@given(PAYLOAD)
def test_spelling_of_types_and_compressions_does_not_matter(payload):
    """Producers disagree about letter case."""
    spelled = copy.deepcopy(payload)
    for entry in spelled["channels"] + spelled["parts"]:
        for key in entry.keys() & {"type", "compression"}:
            entry[key] = entry[key].swapcase()
    assert compute_metadata_embedding(spelled) == compute_metadata_embedding(payload)


@tried
@given(PAYLOAD)
def test_split_names_and_full_names_are_the_same_channels(payload):
    """Layer and component may be given, or be read off the name."""
    split = copy.deepcopy(payload["channels"])
    for entry in split:
        entry["layer_name"], _, entry["component_name"] = entry.pop("name").rpartition(".")
    assert compute_channel_fingerprint(split) == compute_channel_fingerprint(payload["channels"])


@tried
@given(PAYLOAD)
def test_the_first_blocks_rescaled_are_the_fingerprint_of_the_same_channels(payload):
    """The same channels give the same fingerprint whether asked through the payload or the list."""
    if payload["channels"]:
        scaled = [value / math.sqrt(0.187) for value in compute_metadata_embedding(payload)[:128]]
        fingerprint = compute_channel_fingerprint(payload["channels"])
        assert max(abs(x - y) for x, y in zip(scaled, fingerprint, strict=True)) < 1e-7


@tried
@given(PAYLOAD, PAYLOAD, st.sampled_from([128, 384, 500]))
def test_the_explanation_adds_up_to_the_cosine_distance(one, other, dim):
    """Blocks add, and an equal file differs in none."""
    a, b = compute_metadata_embedding(one, dim), compute_metadata_embedding(other, dim)
    explained = math.fsum(part.distance for part in explain_distance(a, b))
    assert abs(explained - (1 - math.fsum(x * y for x, y in zip(a, b, strict=True)))) < 1e-6
    assert all(part.distance == 0 for part in explain_distance(a, a))


@tried
@given(PAYLOAD, st.text("abcdefghij", min_size=3, max_size=12), NAMES)
def test_an_unknown_attribute_moves_the_vector_by_its_share_at_most(payload, name, value):
    """Attribute names weigh 0.155, and their values 0.06."""
    more = copy.deepcopy(payload)
    more["attributes"]["parts"].append([{"name": "vendor" + name, "type": "string", "value": value}])
    if payload["channels"] or payload["parts"]:
        a, b = compute_metadata_embedding(payload), compute_metadata_embedding(more)
        moved = {part.block: part.distance for part in explain_distance(a, b)}
        assert {block for block, distance in moved.items() if distance} <= {"attrs", "values"}
        assert sum(moved.values()) <= 2 * 0.215


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_another_process_and_hash_seed_gives_the_same_bits(seed):
    """Nothing depends on the order in which sets or dicts of this process happen to iterate."""
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, str(ROOT / "tests/golden/embeddings/digest.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert '"differing": []' in done.stdout


def test_calls_in_another_order_give_the_same_bits():
    """What is kept between calls never shows in a result."""
    payloads = [{"channels": [{"name": f"l{at}.{c}", "x_sampling": kind(1)} for c in "RGB"], "parts": []}
                for at in range(20) for kind in (int, bool, float)]  # fmt: skip
    first = [compute_metadata_embedding(payload) for payload in payloads]
    order = list(range(len(payloads)))
    random.Random(5).shuffle(order)
    again = {at: compute_metadata_embedding(payloads[at]) for at in order}
    assert [again[at] for at in range(len(payloads))] == first
    assert first[0] != first[1]  # a sampling of True is no number, though it equals 1
