"""The parts of a channel's name: layer, component, view, wavelength."""

from __future__ import annotations

import pytest

from exr_inspector.exr.channel_names import split_name, stokes_component, view_of_part, views_of_layers


@pytest.mark.parametrize(
    ("name", "layer", "component"),
    [
        ("R", "", "R"),
        ("diffuse.R", "diffuse", "R"),
        ("ViewLayer.Combined.R", "ViewLayer.Combined", "R"),
        ("G.", "", "G."),
        ("a.b.", "", "a.b."),
        (".R", "", "R"),
        (".", "", "."),
        ("", "", ""),
        ("S0.550,000000nm", "S0", "550,000000nm"),
        ("left.S3.5,5e2nm", "left.S3", "5,5e2nm"),
        ("T.380,0nm.390,0nm", "T", "380,0nm.390,0nm"),
        ("360.00-407.00nm", "", "360.00-407.00nm"),
        ("film.rim", "film", "rim"),
        ("S4.550,0nm", "S4", "550,0nm"),
    ],
)
def test_a_name_is_split_at_its_last_dot(name: str, layer: str, component: str) -> None:
    """Wavelengths are one component, and an empty component is none."""
    assert split_name(name) == (layer, component)


@pytest.mark.parametrize(
    ("layer", "component", "stokes"),
    [
        ("S0", "550,000000nm", "S0"), ("S3", "1,5um", "S3"), ("T", "380,0nm.390,0nm", "T"), ("key.S0", "430THz", "S0"),
        ("", "360.00-407.00nm", "S0"), ("S0", "R", None), ("film", "rim", None), ("", "nm", None), ("", "", None),
    ],
)  # fmt: skip
def test_spectral_channels_say_what_they_measure(layer: str, component: str, stokes: str | None) -> None:
    """As the spectral layout 1.0 has it: radiance and polarisation in S0 to S3, reflectance in T."""
    assert stokes_component(layer, component) == stokes


def test_views_are_those_of_the_library() -> None:
    """The examples of OpenEXR's own manual for names in files with several views."""
    layers = ["", "left", "diffuse.left", "right", "diffuse.right", "tmp", "diffuse.tmp"]
    views = [view for view, _ in views_of_layers(layers, ["left", "right"])]
    assert views == ["left", "left", "left", "right", "right", None, None]


def test_nuke_names_the_view_first_and_leaves_out_the_first_one() -> None:
    """A layer is of the first view when another view has the same layer; else it is of none."""
    layers = ["", "character", "depth", "left", "left.character", "left.depth", "disparityL"]
    assert views_of_layers(layers, ["right", "left"]) == [
        ("right", ""), ("right", "character"), ("right", "depth"),
        ("left", ""), ("left", "character"), ("left", "depth"), (None, "disparityL"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "stated", "views", "expected"),
    [
        ("rgba.main", "main", [], ("main", "rgba")),
        ("rgba_right", "right", [], ("right", "rgba")),
        ("left.depth", "left", [], ("left", "depth")),
        ("left", "left", [], ("left", "")),
        ("beauty", "left", [], ("left", "beauty")),
        ("leftover", "left", [], ("left", "leftover")),
        ("depth_left", None, ["left", "right"], ("left", "depth")),
        ("depth.cam2", None, ["cam1", "cam2"], ("cam2", "depth")),
        ("rgba.main", None, [], ("main", "rgba")),
        ("rgba_main", None, [], (None, "rgba_main")),
        ("RGBA_key", None, [], (None, "RGBA_key")),
        ("left", None, [], (None, "left")),
        ("", None, ["left"], (None, "")),
    ],
)
def test_a_part_has_its_view_in_its_name(
    name: str, stated: str | None, views: list[str], expected: tuple[str | None, str]
) -> None:
    """By what the part states, by what other parts state, and by the usual views where a dot joins them."""
    assert view_of_part(name, stated, views) == expected
