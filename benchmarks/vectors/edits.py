"""Edits of a setup, each with its severity: 1 a detail, 2 a setting, 3 another kind of file.

An edit changes a copy of the recipe, so every frame made from it shows the edit, and nothing else changes.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from benchmarks.vectors.shows import COMPRESSIONS, RESOLUTIONS, Setup

Recipe = dict[str, Any]
NEW_LAYERS = ("caustics_extra", "rim_light", "fog", "wetness", "id_matte", "hair_spec", "eye_catch", "dust")
SHORT = {
    "direct": "dir",
    "indirect": "ind",
    "diffuse": "diff",
    "specular": "spec",
    "glossy": "gloss",
    "transmission": "trans",
    "lighting": "lgt",
    "light": "lgt",
    "subsurface": "sss",
    "reflection": "refl",
    "refraction": "refr",
    "emission": "emit",
    "volume": "vol",
    "albedo": "alb",
    "normals": "nrm",
    "velocity": "vel",
    "depth": "z",
}


def _add_attribute(recipe: Recipe, draw: random.Random) -> None:
    recipe["more"] = [*recipe.get("more", []), (f"studio/{draw.choice('abcdefgh')}{draw.choice('xyz')}flag", "string", "on")]


def _patch_version(recipe: Recipe, draw: random.Random) -> None:
    recipe["software"] += f".{draw.randint(1, 9)}"


def _focal_length(recipe: Recipe, draw: random.Random) -> None:
    recipe["focal"] += draw.choice((1.0, 3.0, 7.0))


def _setting(recipe: Recipe, draw: random.Random) -> None:
    name = draw.choice(sorted(recipe["settings"]))
    kind, value = recipe["settings"][name]
    recipe["settings"][name] = (kind, value + draw.choice((" alt", " test")) if kind == "string" else value + draw.randint(1, 5))


def _add_layer(recipe: Recipe, draw: random.Random) -> None:
    recipe["layers"].append(draw.choice([name for name in NEW_LAYERS if name not in recipe["layers"]]))


def _drop_layer(recipe: Recipe, draw: random.Random) -> None:
    if len(recipe["layers"]) < 2:
        _add_layer(recipe, draw)
    else:
        recipe["layers"].pop(draw.randrange(1, len(recipe["layers"])))


def _overscan(recipe: Recipe, draw: random.Random) -> None:
    recipe["crop"] = False
    recipe["overscan"] += draw.choice((16, 40, 100))


def _compression(recipe: Recipe, draw: random.Random) -> None:
    recipe["compression"] = draw.choice([name for name in COMPRESSIONS if name != recipe["compression"]])


def _color_space(recipe: Recipe, draw: random.Random) -> None:
    recipe["color_space"] = draw.choice([name for name in ("ACEScg", "lin_rec709", "sRGB") if name != recipe["color_space"]])


def _resolution(recipe: Recipe, draw: random.Random) -> None:
    recipe["resolution"] = draw.choice([size for size in RESOLUTIONS if size != recipe["resolution"]])


def _pixel_type(recipe: Recipe, _draw: random.Random) -> None:
    recipe["pixel"] = "FLOAT" if recipe.get("pixel", "HALF") == "HALF" else "HALF"


def _deep(recipe: Recipe, _draw: random.Random) -> None:
    recipe["deep"] = not recipe["deep"]


def _tiles(recipe: Recipe, _draw: random.Random) -> None:
    recipe["tiled"] = not recipe["tiled"]


def _rename_one(recipe: Recipe, draw: random.Random) -> None:
    at = draw.randrange(len(recipe["layers"]))
    recipe["layers"][at] = f"{recipe['layers'][at] or 'main'}_{draw.choice('abcd')}"


def _keep_half_of_layers(recipe: Recipe, draw: random.Random) -> None:
    kept = draw.sample(recipe["layers"][1:], len(recipe["layers"][1:]) // 2)
    recipe["layers"] = recipe["layers"][:1] + (kept or ["only_" + draw.choice(NEW_LAYERS)])


DETAILS = (_add_attribute, _patch_version, _focal_length, _setting)
SETTINGS = (_add_layer, _drop_layer, _overscan, _compression)
KINDS = (_resolution, _pixel_type, _deep, _color_space, _tiles)
BY_SEVERITY: dict[int, tuple[Callable[[Recipe, random.Random], None], ...]] = {1: DETAILS, 2: SETTINGS, 3: KINDS}
CHANNELS = (_add_layer, _drop_layer, _rename_one, _keep_half_of_layers, _pixel_type)
GROWTH = (_add_layer,)
ALL = DETAILS + SETTINGS + KINDS


def apply_edits(setup: Setup, edits: list[Callable[[Recipe, random.Random], None]], draw: random.Random) -> Setup:
    """The setup after the edits, in order."""
    recipe = copy.deepcopy(setup.recipe)
    for edit in edits:
        edit(recipe, draw)
    return replace(setup, recipe=recipe)


def add_layer(setup: Setup, draw: random.Random) -> Setup:
    """One AOV more."""
    return apply_edits(setup, [_add_layer], draw)


def rename_layers(setup: Setup, draw: random.Random) -> Setup:
    """All layers spelled by another convention: another case, a prefix, a suffix, or abbreviated."""
    style = draw.choice(NAMING_STYLES)
    recipe = copy.deepcopy(setup.recipe)
    for kind in ("layers", "data"):
        recipe[kind] = [style(name) if name else name for name in recipe[kind]]
    return replace(setup, recipe=recipe)


def _add_rgba_prefix(name: str) -> str:
    return "rgba_" + name


def _add_view_layer_prefix(name: str) -> str:
    return "ViewLayer." + name


def _add_suffix(name: str) -> str:
    return name + "_v2"


def _dash(name: str) -> str:
    return "aov_" + "-".join(_pieces(name)).lower()


def _pieces(name: str) -> list[str]:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)


def _snake(name: str) -> str:
    return "_".join(_pieces(name)).lower()


def _camel(name: str) -> str:
    first, *rest = _pieces(name)
    return first.lower() + "".join(piece.capitalize() for piece in rest)


def _upper_first(name: str) -> str:
    return "".join(piece.capitalize() for piece in _pieces(name))


def _shorten(name: str) -> str:
    return "_".join(SHORT.get(piece.lower(), piece.lower()) for piece in _pieces(name))


NAMING_STYLES = (
    *(_snake, _camel, _upper_first, _shorten, _dash),
    *(_add_suffix, _add_rgba_prefix, _add_view_layer_prefix),
)
