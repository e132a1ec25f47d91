"""What channels and layers hold, told from their names."""

from __future__ import annotations

import doctest

import pytest

from exr_inspector.payload import aovs
from exr_inspector.payload.aovs import AOVS, CATEGORIES, aov_role, category


def test_the_examples_in_the_docstrings_hold():
    """The rules are shown where they are stated."""
    assert doctest.testmod(aovs).failed == 0


def test_a_role_has_one_category_and_a_word_one_role():
    """One table: a word alone is read in one way."""
    roles = [aov.role for aov in AOVS if aov.role is not None]
    assert len(set(roles)) == len(roles)
    assert {aov.category for aov in AOVS} <= set(CATEGORIES)
    words = [word for aov in AOVS if aov.category != "light_group" for word in aov.words]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("aov", [aov for aov in AOVS if aov.role is not None], ids=lambda aov: aov.role)
def test_a_word_tells_layers_and_channels_the_same(aov):
    """The category of a layer is that of the role of its channels."""
    for word in aov.words:
        assert (aov_role(word, "x"), category(word, ["x"])) == (aov.role, aov.category)


@pytest.mark.parametrize(
    ("layer", "role", "family"),
    [
        ("depth_mask", "id", "matte"),
        ("shadow_diffuse", "diffuse", "lighting"),
        ("volume_fog", "volume", "lighting"),
        ("keyLight", "light", "light_group"),
        ("diffuse_lgt", "diffuse", "light_group"),
        ("rim_mask", "id", "matte"),
        ("left_tex_coord", "uv", "utility"),
        ("denoising_normal", "normal", "utility"),
        ("variance", None, "denoise"),
    ],
)
def test_of_several_words_one_decides(layer, role, family):
    """A light group is one whatever its samples are; else the category follows from the role."""
    assert (aov_role(layer, "x"), category(layer, ["x"])) == (role, family)


@pytest.mark.parametrize(
    ("layer", "component", "role"),
    [
        ("crypto_object00", "r", "cryptomatte"),
        ("diffuseDirect", "R", "diffuse"),
        ("specular_albedo", "R", "albedo"),
        ("lightGroup_key", "B", "light"),
        ("motionVector", "x", "motion"),
        ("left", "R", None),
        ("", "RY", "beauty"),
        ("depth", "Z", "depth"),
        ("diffuse", "A", "alpha"),
        ("crypto_material01", "a", "cryptomatte"),
        ("N", "A", "normal"),
        ("myPass", "A", "alpha"),
    ],
)
def test_the_role_of_a_channel(layer, component, role):
    """The most specific known word of the layer decides."""
    assert aov_role(layer, component) == role
