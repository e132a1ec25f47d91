"""Layers (AOVs) of a part: the channels that share the text before the last dot, with a role and their size in memory.

Roles follow the words of the field, and a name that holds none of them is `data`:
`beauty` (the image, and the lighting components that add up to it), `light_group`, `utility` (normals, positions, vectors),
`matte`, `crypto`, `depth`, `deep` (every layer of a deep part), `data`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import Any

from exr_inspector.exr.header import Header, Part
from exr_inspector.exr.layout import samples_of, unpacked_bytes

COLOR_COMPONENTS = frozenset({"r", "g", "b", "a", "red", "green", "blue", "alpha", "y", "ry", "by", "ar", "ag", "ab"})
DEPTH_COMPONENTS = frozenset({"z", "zback", "depth"})
# In order of precedence: of several known words in a name the first row that knows one decides.
ROLE_WORDS = tuple(
    (name, frozenset(words.split()))
    for name, words in {
        "crypto": "crypto cryptomatte cryptoobject cryptoasset cryptomaterial",
        "light_group": "lightgroup lightgroups lg lgt lightselect lightmix lpe",
        "depth": "depth z zdepth zback deptha",
        "matte": "matte mattes mask masks id ids objectid materialid holdout indexob indexma multimatte puzzlematte alpha mtlid",
        "utility": "normal normals n nn p pref position pworld uv st vector vectors motion velocity mv ao occlusion albedo "
        "motionvector motionvectors facing fresnel shadow shadows bump curvature variance samples denoising wirecolor",
        "beauty": "beauty rgba rgb combined ci c diffuse diff specular spec glossy gloss reflection refraction refract "
        "transmission trans emission emissive emit sss subsurface coat sheen direct indirect volume environment env background "
        "gi selfillumination lighting globalillumination",
    }.items()
)

REMEMBERED_CHARACTERS = 128

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def layers(header: Header, part: Part) -> list[dict[str, Any]]:
    """The part's layers in the order of their first channels: name, role, components, pixel types, logical bytes.

    `logical_bytes` is what the layer's samples take uncompressed; None for deep parts, and where type or sampling is unknown.
    """
    grouped: dict[str, list[Any]] = {}
    for channel in part.channels:
        grouped.setdefault(channel.name.rpartition(".")[0], []).append(channel)
    named = str(part.value("name", "string") or "") if header.is_multipart else ""
    return [
        {
            "name": name,
            "role": "deep" if part.is_deep else role(name or named, tuple(one.name.rpartition(".")[2] for one in channels)),
            "components": [one.name.rpartition(".")[2] for one in channels],
            "types": sorted({one.type for one in channels}),
            "logical_bytes": None if part.is_deep else logical_bytes(part, channels),
        }
        for name, channels in grouped.items()
    ]


def role(layer: str, components: tuple[str, ...]) -> str:
    """What a layer is for, from its name and components.

    >>> role("", ("A", "B", "G", "R")), role("", ("Z",)), role("CryptoObject00", ("R", "G", "B", "A")), role("myPass", ("x",))
    ('beauty', 'depth', 'crypto', 'data')
    >>> role("RGBA_key", ("R", "G", "B")), role("diffuse_direct", ("R", "G", "B")), role("Normal", ("X", "Y", "Z"))
    ('light_group', 'beauty', 'utility')
    """
    # What is remembered is bounded in bytes: by long names and lists of components a file could fill the memory.
    remembered = len(layer) + sum(map(len, components)) <= REMEMBERED_CHARACTERS
    return _remembered_role(layer, components) if remembered else _role(layer, components)


def _role(layer: str, components: tuple[str, ...]) -> str:
    lower = tuple(component.lower() for component in components)
    words = [word.lower() for word in _WORD.findall(layer)]
    known = {*words, "".join(words), *("".join(pair) for pair in pairwise(words))}
    # Arnold names light groups RGBA_key, Blender Combined_key.
    if len(words) > 1 and words[0] in ("rgba", "combined") and not known & {"denoise", "denoised", "noisy"}:
        return "light_group"
    for name, vocabulary in ROLE_WORDS:
        if known & vocabulary:
            return name
    if not words and set(lower) & COLOR_COMPONENTS:
        return "beauty"
    return "depth" if not words and set(lower) <= DEPTH_COMPONENTS else "data"


_remembered_role = lru_cache(maxsize=4096)(_role)


def logical_bytes(part: Part, channels: list[Any]) -> int | None:
    """Bytes of these channels' samples in the data window, uncompressed; None where type, sampling or window is unknown."""
    area, samples = part.data_window, samples_of(channels)
    if area is None or area.width <= 0 or area.height <= 0 or samples is None:
        return None
    return unpacked_bytes(samples, area)
