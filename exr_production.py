"""What TDs look for in a header, normalised from what renderers write: software, colour space.

Renderers agree on little; each rule below names attributes that a renderer or a standard writes, and the answer says which one
was used. Absent stays None.
"""

from __future__ import annotations

import re
from typing import Any

from exr_header import Part

# CIE xy of red, green, blue and white -> the colour interop ID of the linear, scene-referred space (ASWF colour interop forum).
PRIMARIES = {
    (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290): "lin_rec709_scene",
    (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290): "lin_rec2020_scene",
    (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290): "lin_p3d65_scene",
    (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, 0.3127, 0.3290): "lin_adobergb_scene",
    (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767): "lin_ap1_scene",
    (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767): "lin_ap0_scene",
    (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3): "lin_ciexyzd65_scene",
}
CHROMATICITY_TOLERANCE = 0.0005

COLOR_SPACE_ATTRIBUTES = (
    "oiio:ColorSpace", "colorspace", "colorSpace", "ColorSpace", "color_space", "arnold/color_space", "nuke/colorspace",
    "nuke/input/colorspace", "exr/colorspace", "vrayInfo/colorspace", "interop_id", "OCIO:ColorSpace",
)  # fmt: skip

SOFTWARE_ATTRIBUTES = (
    "software", "Software", "arnold/version", "rmanVersion", "redshift/version", "octane/version", "husk/version", "creator",
)  # fmt: skip
# Attributes that hold a bare version, and the product that writes them.
VERSION_ATTRIBUTES = {
    "vrayInfo/vrayversion": "V-Ray",
    "nuke/version": "Nuke",
    "unreal/version": "Unreal Engine",
    "houdini/version": "Houdini",
}
_VERSION = re.compile(r"(?<![A-Za-z0-9.])v?(\d+(?:\.\w+)+|\d+(?:v\d+)?)", re.IGNORECASE)


def text_of(part: Part, *names: str) -> tuple[str, str] | None:
    """The first of these attributes that is non-empty text, as (name, stripped text)."""
    for name in names:
        value = part.value(name, "string")
        if isinstance(value, str) and value.strip("\0 "):
            return name, value.strip("\0 ")
    return None


def software(part: Part) -> tuple[str | None, str | None]:
    """The software that wrote the part, as written, and its version.

    V-Ray, Nuke, Unreal and Houdini write a bare version under a name of their own; the product is put before it.
    """
    if found := text_of(part, *SOFTWARE_ATTRIBUTES):
        version = _VERSION.search(found[1])
        return found[1], version[1] if version else None
    if found := text_of(part, *VERSION_ATTRIBUTES):
        return f"{VERSION_ATTRIBUTES[found[0]]} {found[1]}", found[1]
    return None, None


def color_space(part: Part) -> tuple[str | None, str | None]:
    """The part's colour space and where it was taken from.

    In order: `colorInteropID`, an attribute that names the space, the ACES container flag, chromaticities of a known space.
    """
    if found := text_of(part, "colorInteropID"):
        return found[1], found[0]
    if found := text_of(part, *COLOR_SPACE_ATTRIBUTES):
        return found[1], found[0]
    if part.value("acesImageContainerFlag", "int") == 1:
        return "lin_ap0_scene", "acesImageContainerFlag"
    known = _by_chromaticities(part.value("chromaticities", "chromaticities"))
    return (known, "chromaticities") if known else (None, None)


def _by_chromaticities(value: dict[str, list[Any]] | None) -> str | None:
    if value is None:
        return None
    numbers = [number for corner in ("red", "green", "blue", "white") for number in value[corner]]
    if any(isinstance(number, str) for number in numbers):
        return None
    for primaries, name in PRIMARIES.items():
        if all(abs(a - b) <= CHROMATICITY_TOLERANCE for a, b in zip(numbers, primaries, strict=True)):
            return name
    return None
