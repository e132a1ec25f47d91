"""Names of the field: what a path says of show, sequence and shot, and a channel's name of its role."""

from __future__ import annotations

import doctest

import pytest

import exr_roles
from exr_roles import Place, aov_role, place_of


def test_the_examples_in_the_docstrings_hold():
    """The rules are shown where they are stated."""
    assert doctest.testmod(exr_roles).failed == 0


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/shows/apollo/beauty.exr", Place("apollo")),
        ("/prod/apollo/assets/tree/tree.exr", Place("apollo")),
        ("/jobs/apollo/sequences/op/op_sh0100/v002/x.exr", Place("apollo", "op", "op_sh0100")),
        ("s3://bucket/PROJ/Apollo/SQ010/SH0020/x.exr", Place("Apollo", "SQ010", "SH0020")),
        ("/shows/x.exr", Place()),
        ("x.exr", Place()),
        ("", Place()),
    ],
)
def test_a_known_layout_is_read_and_any_other_is_left_alone(path, place):
    """Case is kept; a folder that is no shot code is no shot."""
    assert place_of(path) == place


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
