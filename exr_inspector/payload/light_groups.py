"""Light groups: which layers hold the contribution of some lights alone, told from the names that renderers give them.

Only names that a renderer's documentation states are read so; a layer is not of a light group because somebody called it `key`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

# Names of AOVs that are rendered for a light group as well, those of each renderer.
_ARNOLD = "direct|indirect|emission|background|(?:diffuse|specular|coat|sheen|sss|transmission|volume)(?:_(?:direct|indirect))?"
_KARMA = (
    "beautyunshadowed|(?:combined|direct|indirect)diffuse(?:unshadowed|shadow)?|"
    "(?:combined|direct|indirect)(?:glossyreflection|emission|volume)|glossytransmission|visiblelights"
)
_REDSHIFT = "Beauty|Reflections|Refractions|GI|SSS|Emission"
_REDSHIFT_ALONE = "DiffuseLighting|SpecularLighting|GlobalIllumination|Sub[Ss]urfaceScatter"

_CERTAIN = re.compile(
    "|".join(
        (
            # Arnold, "Per-light AOVs": the AOV's name, an underscore, the light's `aov` ("default" for lights without one).
            "RGBA_(?P<arnold>.+)",
            # Cycles, `blender/sync.cpp`: "Combined_%s".
            "Combined_(?P<cycles>.+)",
            # Karma, "LPE Tag" LOP: with "Split per LPE Tag" the beauty `C` becomes `C_Key`, `C_Fill`; so do the other AOVs.
            f"(?:C|{_KARMA})_(?P<karma>.+)",
            # Redshift, "Light Group AOVs", compatible AOVs; the joint as in ayon-maya's render products ("Beauty_other").
            f"(?:{_REDSHIFT_ALONE})_(?P<redshift>.+)",
            # V-Ray and Corona, "Light Select" and "Light Mix" render elements, which users complete with the name of the lights.
            r"(?:VRay|vrayRE_|CShading_|CSHADING_)?[Ll]ight_?(?:[Ss]elect|[Mm]ix)(?:[ _]*(?P<vray>.*))",
            # RenderMan and others that name the layer by its expression, "Light Path Expressions": <L.'group'>.
            r"lpe:.*<L\.'(?P<lpe>[^']+)'>.*",
        )
    )
)
# Names that say it: alShaders' `light_group_1`, and houses that name layers so.
_SAID = re.compile(r"(?:aov_)?light_?groups?(?:[ _]*(?P<named>.*))", re.IGNORECASE)
# The same joint after names that other people use as well: a group only where the renderer or another layer of the file says so.
_BY_WRITER = re.compile(f"(?P<arnold>{_ARNOLD})_(?P<a>.+)|(?P<redshift>{_REDSHIFT})_(?P<r>.+)")
_ATTRIBUTES_OF = {"arnold": "arnold/", "redshift": "rs/"}
_PREFIXES = tuple(_ATTRIBUTES_OF.values())
# What follows the same joint without being a group of lights.
_QUALIFIER = re.compile(
    "(?:denois(?:e|ed|er|ing)|noisy|noisefree|variance|var|mse|raw|filter|albedo|direct|indirect|unshadowed|unoccluded|shadow|"
    "alpha|main|left|right|half|float|linear)(?![a-z])",
    re.IGNORECASE,
)


# The group stands in the entry of each channel.
_LONGEST_NAME = 128


class LightGroup(NamedTuple):
    """`name` is None where the layer is of a light group that has no name; `writer` tells who must have written the file."""

    name: str | None
    writer: str | None = None


def light_group_of(name: str) -> LightGroup | None:
    """The light group that the name of an AOV says, or None.

    >>> light_group_of("RGBA_key"), light_group_of("C_Fill"), light_group_of("rgba_main"), light_group_of("RGBA_denoise")
    (LightGroup(name='key', writer=None), LightGroup(name='Fill', writer=None), None, None)
    >>> light_group_of("diffuse_key"), light_group_of("diffuse_direct"), light_group_of("VRayLightSelect")
    (LightGroup(name='key', writer='arnold'), None, LightGroup(name=None, writer=None))
    """
    if len(name) > _LONGEST_NAME:
        return None
    if match := _CERTAIN.fullmatch(name) or _SAID.fullmatch(name):
        group = match[match.lastgroup] if match.lastgroup else ""
        return None if _QUALIFIER.match(group) else LightGroup(group or None)
    if match := _BY_WRITER.fullmatch(name):
        writer = "arnold" if match["arnold"] else "redshift"
        group = match["a"] or match["r"]
        return None if _QUALIFIER.match(group) else LightGroup(group, writer)
    return None


def writers_of(attributes: Iterable[str]) -> frozenset[str]:
    """Which of the renderers whose names need it wrote the file, by the names of its attributes."""
    names = [name for name in attributes if name.startswith(_PREFIXES)]
    return frozenset(writer for writer, prefix in _ATTRIBUTES_OF.items() if any(name.startswith(prefix) for name in names))
