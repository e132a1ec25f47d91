"""Primaries of the colour spaces of the field: the one table, and the one tolerance with which files are compared with it."""

from __future__ import annotations

from collections.abc import Sequence

# CIE xy of red, green, blue and white. The key is the word for the space in the colour interop ID `lin_WORD_scene` (ASWF colour
# interop forum), which is linear and scene-referred.
PRIMARIES = {
    "ap0": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767),
    "ap1": (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767),
    "rec709": (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329),
    "rec2020": (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, 0.3127, 0.329),
    "p3d65": (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329),
    "adobergb": (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, 0.3127, 0.329),
    "ciexyzd65": (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3),
}
# Writers round to three or four digits; no two of these spaces are so near each other.
CHROMATICITY_TOLERANCE = 0.0005


def equal_chromaticities(xy: Sequence[float], others: Sequence[float], tolerance: float = CHROMATICITY_TOLERANCE) -> bool:
    """Whether eight numbers are the same chromaticities as eight others."""
    return all(abs(one - other) <= tolerance for one, other in zip(xy, others, strict=True))


def interop_id(xy: Sequence[float]) -> str | None:
    """The colour interop ID of the linear space with these chromaticities, or None.

    >>> interop_id((0.6402, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329))
    'lin_rec709_scene'
    """
    name = next((name for name, primaries in PRIMARIES.items() if equal_chromaticities(xy, primaries)), None)
    return None if name is None else f"lin_{name}_scene"
