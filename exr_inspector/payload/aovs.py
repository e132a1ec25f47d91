"""AOVs: what the samples of a channel are, told from its name (its role), and which family of AOVs that is (its category).

A name is read word by word, and `AOVS` is the one table of the words. A name without a known word has no role, never a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from exr_inspector.exr.attributes import Channel
from exr_inspector.exr.header import Part
from exr_inspector.exr.layout import unpacked_sizes

CATEGORIES = ("beauty", "lighting", "light_group", "utility", "depth", "matte", "cryptomatte", "denoise", "deep", "data")


@dataclass(frozen=True, slots=True)
class Aov:
    """Words for one kind of AOV. `role` is None where the words tell the category alone."""

    role: str | None
    category: str
    words: frozenset[str]


# Of several known words the one in the uppermost row decides, so the more specific ones stand first. Words of a light group stand
# twice: whatever its samples are, a layer that has one belongs to a light group.
AOVS = tuple(
    Aov(role, category, frozenset(words.split()))
    for role, category, words in (
        ("cryptomatte", "cryptomatte", "crypto cryptomatte cryptoasset cryptomaterial cryptoobject"),
        (None, "light_group", "lightgroup lightgroups lg lgt lightselect lightmix lpe"),
        ("id", "matte", "id ids objectid materialid matte mattes mask"),
        ("depth", "depth", "z zback depth zdepth"),
        (None, "depth", "deptha"),
        (None, "matte", "masks holdout indexob indexma multimatte puzzlematte mtlid alpha"),
        ("motion", "utility", "motion motionvector motionvectors velocity mv forward backward"),
        ("normal", "utility", "n normal normals nn shadingnormal"),
        ("position", "utility", "p position pworld pref worldposition"),
        ("uv", "utility", "uv st texcoord"),
        ("occlusion", "utility", "ao occlusion"),
        ("albedo", "utility", "albedo"),
        (None, "denoise", "denoising variance samples"),
        (None, "utility", "vector vectors facing fresnel bump curvature wirecolor"),
        ("diffuse", "lighting", "diffuse diff"),
        ("subsurface", "lighting", "sss subsurface"),
        ("transmission", "lighting", "transmission refraction refract"),
        ("specular", "lighting", "specular spec reflection reflect coat sheen"),
        ("emission", "lighting", "emission emissive incandescence"),
        ("volume", "lighting", "volume atmosphere fog"),
        ("shadow", "utility", "shadow shadows"),
        (None, "lighting", "direct indirect glossy gloss trans emit environment env background gi globalillumination lighting"),
        (None, "lighting", "selfillumination"),
        ("light", "light_group", "light lightgroup lgt key fill rim"),
        ("beauty", "beauty", "beauty rgba rgb combined"),
        (None, "beauty", "c ci"),
    )
)
# Their samples are no colours: four of them are four values, none of which is a coverage of the others.
_DATA_ROLES = frozenset({"cryptomatte", "id", "depth", "motion", "normal", "position", "uv"})
COLOUR_ROLES = frozenset({"alpha", *(aov.role for aov in AOVS if aov.role is not None)} - _DATA_ROLES)
"""Roles whose samples are colour or coverage."""
_ALPHA = frozenset({"a", "alpha"})
_COLOUR = frozenset({"r", "g", "b", "red", "green", "blue", "y", "ry", "by"})
_COLOUR_ALPHA = frozenset({"ar", "ag", "ab"})
# Layers are published under words that are older than three of the categories.
_LAYER_ROLES = {"lighting": "beauty", "denoise": "utility", "cryptomatte": "crypto"}

_ROWS_OF_WORD: dict[str, list[int]] = {}
for _row, _aov in enumerate(AOVS):
    for _word in _aov.words:
        _ROWS_OF_WORD.setdefault(_word, []).append(_row)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LONGEST_KEPT = 255


def aov_role(layer: str, component: str) -> str | None:
    """What a channel holds, from the words of its layer, else of its component; None where no word is known.

    The fourth component of a layer of data is data (of a Cryptomatte layer, the coverage of its second id), not alpha.

    >>> aov_role("", "R"), aov_role("", "A"), aov_role("", "Z"), aov_role("diffuse_direct", "G"), aov_role("myPass", "x")
    ('beauty', 'alpha', 'depth', 'diffuse', None)
    >>> aov_role("diffuse_direct", "A"), aov_role("crypto_object00", "A")
    ('alpha', 'cryptomatte')
    """
    role = _read_name(layer).role if layer else None
    if component.lower() in _ALPHA and role not in _DATA_ROLES:
        return "alpha"
    if layer:
        return role
    return "beauty" if component.lower() in _COLOUR else _read_name(component).role


def category(layer: str, components: list[str]) -> str:
    """The family of AOVs that a layer of a flat part belongs to, one of CATEGORIES, from its name, else from its components.

    >>> category("", ["A", "B", "G", "R"]), category("", ["Z"]), category("CryptoObject00", ["R", "G"]), category("myPass", ["x"])
    ('beauty', 'depth', 'cryptomatte', 'data')
    >>> category("RGBA_key", ["R", "G", "B"]), category("diffuse_direct", ["R", "G", "B"]), category("Normal", ["X", "Y", "Z"])
    ('light_group', 'lighting', 'utility')
    """
    name = _read_name(layer)
    if name.category is not None or name.has_words:
        return name.category or "data"
    lower = {component.lower() for component in components}
    if lower & (_COLOUR | _ALPHA | _COLOUR_ALPHA):
        return "beauty"
    return "depth" if {aov_role("", component) for component in components} == {"depth"} else "data"


def layer_role(layer: str, components: list[str]) -> str:
    """The category of a layer of a flat part, under the word that payloads have for it."""
    family = category(layer, components)
    return _LAYER_ROLES.get(family, family)


@dataclass(frozen=True, slots=True)
class _Name:
    """What a name says: role and category where they are known, and whether it has words at all."""

    role: str | None
    category: str | None
    has_words: bool


def _read_name(name: str) -> _Name:
    # What is kept is bounded in bytes: with long names of parts a file could fill the memory.
    return _read_short_name(name) if len(name) <= _LONGEST_KEPT else _read_words(name)


def _read_words(name: str) -> _Name:
    words = [word.lower() for word in _WORD.findall(name)]
    known = {*words, "".join(words), *map("".join, pairwise(words))}
    aovs = [AOVS[row] for row in sorted({row for word in known for row in _ROWS_OF_WORD.get(word, ())})]
    role = next((aov.role for aov in aovs if aov.role is not None), None)
    # Arnold names light groups RGBA_key, Blender Combined_key.
    if len(words) > 1 and words[0] in ("rgba", "combined") and not known & {"denoise", "denoised", "noisy"}:
        return _Name(role, "light_group", has_words=True)
    return _Name(role, aovs[0].category if aovs else None, has_words=bool(words))


_read_short_name = lru_cache(maxsize=4096)(_read_words)


def layers(part: Part, *, of_several: bool) -> list[dict[str, Any]]:
    """The layers of a part, the channels that share the text before the last dot, in the order of their first channels.

    `logical_bytes` is what the layer's samples take uncompressed; None for deep parts, and where type or sampling is unknown.
    `of_several`: the part is one of a multi-part file, where its name stands for that of a nameless layer.
    """
    grouped: dict[str, list[Channel]] = {}
    for channel in part.channels:
        grouped.setdefault(channel.name.rpartition(".")[0], []).append(channel)
    part_name = str(part.value("name", "string") or "") if of_several else ""
    sizes = unpacked_sizes(None if part.is_deep else part.data_window, grouped.values())
    return [
        _layer(part.is_deep, name, name or part_name, channels, size)
        for (name, channels), size in zip(grouped.items(), sizes, strict=True)
    ]


def _layer(is_deep: bool, name: str, label: str, channels: list[Channel], logical_bytes: int | None) -> dict[str, Any]:
    components = [channel.name.rpartition(".")[2] for channel in channels]
    return {
        "name": name,
        "role": "deep" if is_deep else layer_role(label, components),
        "components": components,
        "types": sorted({channel.type for channel in channels}),
        "logical_bytes": logical_bytes,
    }
