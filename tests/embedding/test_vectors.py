"""What the two vectors promise to those who store and compare them."""

from __future__ import annotations

import copy
import math
import struct

import pytest

from exr_inspector.embedding.vectors import (
    BLOCKS,
    DEFAULT_CHANNEL_FINGERPRINT_DIM,
    DEFAULT_METADATA_EMBEDDING_DIM,
    FINGERPRINT_BLOCKS,
    VectorEmbeddingError,
    block_slices,
    compute_channel_fingerprint,
    compute_metadata_embedding,
    explain_distance,
)
from exr_inspector.errors import BadPayload

LAYERS = ("", "diffuse_direct", "specular_direct", "crypto_object00", "volume")


def channels_of(layers=LAYERS, kind="HALF", part=0):
    """R, G and B of every layer."""
    return [
        {
            "part_index": part,
            "name": f"{layer}.{component}" if layer else component,
            "layer_name": layer,
            "component_name": component,
            "type": kind,
            "x_sampling": 1,
            "y_sampling": 1,
        }
        for layer in layers
        for component in "RGB"
    ]


def window(left, top, right, bottom):
    return {"min": {"x": left, "y": top}, "max": {"x": right, "y": bottom}}


def render(**changes):
    """A beauty render at 1920 x 1080 by Arnold; `changes` replace keys of its only part."""
    part = {
        "index": 0,
        "name": "beauty",
        "view": "left",
        "type": "scanlineimage",
        "data_window": window(0, 0, 1919, 1079),
        "display_window": window(0, 0, 1919, 1079),
        "pixel_aspect_ratio": 1.0,
        "line_order": "INCREASING_Y",
        "compression": "zip",
        "is_deep": False,
        "is_tiled": False,
        "color_space": "ACEScg",
        "render_software": "Arnold 7.2.1.0",
        **changes,
    }
    attributes = [
        {"name": "arnold/settings/aa_samples", "type": "int", "value": 8},
        {"name": "comments", "type": "string", "value": "lighting v012"},
        {"name": "framesPerSecond", "type": "rational", "value": [24, 1]},
    ]
    return {"file": {"path": "/s/a.1001.exr"}, "parts": [part], "channels": channels_of(), "attributes": {"parts": [attributes]}}


def distance(a, b):
    """Cosine distance of unit vectors."""
    return 1 - math.fsum(x * y for x, y in zip(a, b, strict=True))


def distance_moved(before, after):
    """The blocks by which two payloads differ."""
    parts = explain_distance(compute_metadata_embedding(before), compute_metadata_embedding(after))
    return {part.block for part in parts if part.distance > 1e-9}


@pytest.mark.parametrize("dim", [32, 33, 47, 100, 128, 384, 512, 1000])
def test_any_dimension_from_32_gives_a_unit_vector_of_float32_values(dim):
    """Every dimension has all blocks, unit length, and values that a FLOAT32 column returns unchanged."""
    for vector in (compute_metadata_embedding(render(), dim), compute_channel_fingerprint(channels_of(), dim)):
        assert len(vector) == dim
        assert all(type(value) is float for value in vector)
        assert abs(math.fsum(value * value for value in vector) - 1) < 1e-6
        assert list(struct.unpack(f"<{dim}f", struct.pack(f"<{dim}f", *vector))) == vector


def test_layout_at_384_and_512_is_the_documented_one():
    """Queries slice the column, so the places of the blocks are part of the contract."""
    assert [at.stop for at in block_slices(BLOCKS, 384)] == [96, 128, 151, 201, 221, 241, 267, 303, 355, 384]
    assert [at.stop - at.start for at in block_slices(BLOCKS, 512)] == [128, 43, 31, 67, 27, 27, 34, 48, 69, 38]
    assert [at.stop for at in block_slices(FINGERPRINT_BLOCKS, 128)] == [96, 128]


@pytest.mark.parametrize("dim", [31, 0, -384, True, 384.0, "384", None, pytest.param(-(10**5000), id="huge")])
def test_a_dimension_below_32_or_of_another_type_is_an_error(dim):
    """The error names the argument, and an integer too long to print does not break it."""
    with pytest.raises(VectorEmbeddingError) as caught:
        compute_metadata_embedding(render(), dim)
    assert caught.value.field == "embedding_dim"
    with pytest.raises(VectorEmbeddingError):
        compute_channel_fingerprint(channels_of(), dim)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (None, "payload"),
        ([], "payload"),
        ("{}", "payload"),
        ({}, "channels"),
        ({"channels": []}, "parts"),
        ({"channels": {}, "parts": []}, "channels"),
        ({"channels": [], "parts": "none"}, "parts"),
        ({"channels": (), "parts": []}, "channels"),
        pytest.param({"channels": [], "parts": 10**5000}, "parts", id="huge"),
    ],
)
def test_a_payload_of_the_wrong_shape_is_an_error_that_names_the_key(payload, field):
    """The top level is checked; the error is a rejected payload."""
    with pytest.raises(VectorEmbeddingError) as caught:
        compute_metadata_embedding(payload)
    assert caught.value.field == field
    assert isinstance(caught.value, BadPayload)


@pytest.mark.parametrize("channels", [None, {}, "RGB", ({"name": "R"},), 3])
def test_a_fingerprint_of_anything_but_a_list_is_an_error(channels):
    """The key is named here as well."""
    with pytest.raises(VectorEmbeddingError, match="channels"):
        compute_channel_fingerprint(channels)


def test_nothing_to_describe_gives_the_uniform_vector():
    """A zero vector would make every cosine distance NaN."""
    empty = {"file": {"path": "a.exr", "is_deep": True}, "parts": [], "channels": []}
    assert compute_metadata_embedding(empty) == [1 / math.sqrt(384)] * 384
    assert compute_metadata_embedding(empty, 33) == [1 / math.sqrt(33)] * 33
    assert compute_channel_fingerprint([]) == [1 / math.sqrt(128)] * 128


def test_identity_does_not_move_the_vector():
    """Path, size, times and frame number say which file it is, not how it was made."""
    other = render()
    other["file"] = {"path": "/else/b.9.exr", "size_bytes": 1, "mtime": "2026-01-01T00:00:00Z", "frame_number": 9}
    other["parts"][0]["index"] = 7
    assert compute_metadata_embedding(other) == compute_metadata_embedding(render())


def test_order_of_channels_attributes_and_keys_does_not_matter():
    """Producers order them differently."""
    shuffled = render()
    shuffled["channels"].reverse()
    shuffled["attributes"]["parts"][0].reverse()
    shuffled["parts"][0] = dict(reversed(shuffled["parts"][0].items()))
    assert compute_metadata_embedding(shuffled) == compute_metadata_embedding(render())


def test_first_two_blocks_rescaled_are_the_fingerprint():
    """Either column answers which files have the same channels."""
    embedding = compute_metadata_embedding(render())
    fingerprint = compute_channel_fingerprint(channels_of())
    rescaled = [value / math.sqrt(0.187) for value in embedding[:128]]
    assert max(abs(x - y) for x, y in zip(rescaled, fingerprint, strict=True)) < 1e-7


def test_calls_do_not_change_the_payload():
    """The payload is stored after the vectors are made."""
    payload = render()
    before = copy.deepcopy(payload)
    compute_metadata_embedding(payload)
    assert payload == before


def test_default_dimensions_are_those_of_the_columns():
    """The tables are declared with them."""
    assert len(compute_metadata_embedding(render())) == DEFAULT_METADATA_EMBEDDING_DIM == 384
    assert len(compute_channel_fingerprint(channels_of())) == DEFAULT_CHANNEL_FINGERPRINT_DIM == 128
