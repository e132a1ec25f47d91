"""A generator of shows: payloads of renders whose family is known, and edits whose severity is known.

`Show(seed)` draws the conventions of a production; `setups()` lists what is rendered (renderer, pass, shot), `frame(setup, n)` is
the payload of one frame. Frames of a setup differ as real ones do: paths, times, machines, matrices, a focus pull, and crops that
follow the image. Everything is drawn from seeded generators, so a seed is a data set.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from typing import Any

Payload = dict[str, Any]

# Renderer -> how it names and stores things. The names are those that the renderers' manuals give to their outputs.
RENDERERS: dict[str, dict[str, Any]] = {
    "arnold": {
        "software": ("Arnold 7.2.1.0", "Arnold 7.3.2.1", "Arnold 6.2.1.1"),
        "aovs": "diffuse_direct diffuse_indirect specular_direct specular_indirect coat_direct sheen sss_direct sss_indirect "
        "transmission_direct transmission_indirect volume_direct emission albedo diffuse_albedo light_group_key "
        "light_group_fill light_group_rim",
        "data": "N P Pref motionvector Z shadow_matte",
        "crypto": "crypto_object crypto_material crypto_asset",
        "attributes": "arnold/aa_samples:int arnold/gi_diffuse_samples:int arnold/color_manager:string",
    },
    "renderman": {
        "software": ("RenderMan 25.2", "RenderMan 26.1", "RenderMan 24.4"),
        "aovs": "directDiffuse indirectDiffuse directSpecular indirectSpecular subsurface transmissive emissive albedo "
        "directDiffuseLobe directSpecularClearcoat indirectSpecularGlass lightGroupKey lightGroupFill",
        "data": "Nn __Pworld __Nworld dPdtime z sampleCount",
        "crypto": "CryptoObject CryptoMaterial",
        "attributes": "rman/maxSamples:int rman/pixelVariance:float rman/integrator:string",
        "tiled": True,
    },
    "karma": {
        "software": ("Karma 20.5.332", "Karma 19.5.605", "Karma 20.0.547"),
        "aovs": "beauty_unshadowed combineddiffuse directdiffuse indirectdiffuse combinedglossyreflection "
        "directglossyreflection indirectglossyreflection glossytransmission coat sss albedo visiblelights allvolume",
        "data": "hitP hitPz hitN primvar_st depth",
        "crypto": "CryptoPrimitive CryptoShader",
        "attributes": "karma:global:pathtracedsamples:int karma:global:denoise:string",
    },
    "vray": {
        "software": ("V-Ray 6.10.02", "V-Ray 5.20.23", "V-Ray 6.20.06"),
        "aovs": "diffuse GI lighting reflection refraction specular SSS selfIllum atmosphere caustics rawLight rawGI "
        "lightSelectKey lightSelectFill",
        "data": "zDepth velocity normals worldPositions",
        "crypto": "cryptomatte",
        "attributes": "vray/sampler_type:string vray/max_subdivs:int vray/noise_threshold:float",
    },
    "cycles": {
        "software": ("Blender 4.1.1", "Blender 3.6.5", "Blender 4.2.0"),
        "aovs": "DiffDir DiffInd DiffCol GlossDir GlossInd GlossCol TransDir TransInd Emit Env AO VolumeDir",
        "data": "Depth Normal Vector UV Position",
        "crypto": "CryptoObject CryptoMaterial",
        "attributes": "cycles.ViewLayer.samples:string Camera:string Scene:string",
        "prefix": "ViewLayer.",
    },
    "nuke": {
        "software": ("Nuke 14.0v5", "Nuke 15.1v2", "Nuke 13.2v8"),
        "aovs": "matte_hero matte_bg roto_sky despill holdout precomp_fg",
        "data": "depth forward",
        "crypto": "",
        "attributes": "nuke/version:string input/width:int input/height:int",
    },
    "plate": {
        "software": ("OpenImageIO 2.4.11.0", "DaVinci Resolve 18.6", "ARRI ART 1.2.1"),
        "aovs": "",
        "data": "",
        "crypto": "",
        "attributes": "cameraModel:string cameraIsoSpeed:int cameraShutterAngle:float reelName:string",
    },
}
# Characters, sets and effects are rendered apart, with the same settings and other outputs.
PASSES = ("beauty_char", "beauty_env", "beauty_fx", "lights_char", "lights_env", "utility", "crypto", "deep", "shadow")
COMPRESSIONS = ("zips", "zip", "piz", "dwaa", "dwab", "pxr24", "none")
RESOLUTIONS = ((1920, 1080), (2048, 858), (2048, 1152), (3840, 2160), (4096, 1716), (4448, 3096), (2880, 1620))
COLOR_SPACES = ("ACEScg", "ACES2065-1", "scene_linear", "lin_rec709", None)


@dataclass(frozen=True)
class Setup:
    """One thing that is rendered: every frame of it is made the same way. `family` leaves the shot out."""

    show: int
    renderer: str
    passed: str
    shot: int
    recipe: dict[str, Any] = field(hash=False, compare=False, default_factory=dict)

    @property
    def family(self) -> tuple[int, str, str]:
        return (self.show, self.renderer, self.passed)

    @property
    def key(self) -> tuple[int, str, str, int]:
        return (*self.family, self.shot)


class Show:
    """One production: its resolution, colour space, frame rate, and a recipe per renderer and pass."""

    def __init__(self, seed: int, number: int, shots: int = 4) -> None:
        self.seed, self.number = seed, number
        self.draw = random.Random(f"{seed}/{number}")
        self.shots = shots
        self.resolution = self.draw.choice(RESOLUTIONS)
        self.color_space = self.draw.choice(COLOR_SPACES)
        self.rate = self.draw.choice(([24, 1], [25, 1], [24000, 1001]))
        self.name = f"show{number:02d}"
        self.renderers = [*self.draw.sample([name for name in RENDERERS if name not in ("nuke", "plate")], 2), "nuke", "plate"]

    def setups(self) -> list[Setup]:
        """Every renderer, pass and shot of the show."""
        setups = []
        for renderer in self.renderers:
            passes = PASSES if RENDERERS[renderer]["crypto"] else PASSES[:1]
            for passed in passes:
                base = self._recipe(renderer, passed)
                setups += [Setup(self.number, renderer, passed, shot, self._for_shot(base)) for shot in range(self.shots)]
        return setups

    def _recipe(self, renderer: str, passed: str) -> dict[str, Any]:
        house = RENDERERS[renderer]
        kind = passed.partition("_")[0]
        layers, data = self._layers(house, kind, random.Random(f"{self.draw.random()}"))
        draw = random.Random(f"{self.seed}/{self.number}/{renderer}/{kind}")
        deep = kind == "deep"
        return {
            "renderer": renderer,
            "layers": layers,
            "data": data,
            "deep": deep,
            "tiled": bool(house.get("tiled")) and not deep,
            "compression": "zips" if deep else draw.choice(COMPRESSIONS),
            "software": random.Random(f"{self.seed}/{self.number}/{renderer}").choice(house["software"]),
            "resolution": self.resolution,
            "color_space": self.color_space if renderer != "plate" else "ACES2065-1",
            "overscan": draw.choice((0, 0, 0, 32, 64)),
            "crop": kind in ("crypto", "shadow") and draw.random() < 0.5,
            "focus_pull": draw.random() < 0.15,
            "multipart": draw.random() < 0.3 and not deep,
            "aspect": draw.choice((1.0, 1.0, 1.0, 2.0)) if renderer == "plate" else 1.0,
            "settings": {name: _setting(name, kind, draw) for name, kind in _parse_settings(house["attributes"])},
        }

    def _layers(self, house: dict[str, Any], kind: str, draw: random.Random) -> tuple[list[str], list[str]]:
        prefix = house.get("prefix", "")
        aovs, data, crypto = house["aovs"].split(), house["data"].split(), house["crypto"].split()
        some = draw.sample(aovs, k=min(len(aovs), draw.randint(4, 11)))
        chosen: tuple[list[str], list[str]] = {
            "beauty": (["", *some], data[:1]),
            "lights": (["", *aovs[-4:], *some[:3]], []),
            "utility": ([""], data),
            "crypto": ([""] + [f"{name}{rank:02d}" for name in crypto for rank in range(3)], []),
            "deep": ([""], []),
            "shadow": ([""], data[-1:]),
        }[kind]
        return ([prefix + layer if layer else layer for layer in chosen[0]], [prefix + layer for layer in chosen[1]])

    def _for_shot(self, base: dict[str, Any]) -> dict[str, Any]:
        recipe = copy.deepcopy(base)
        recipe["focal"] = self.draw.choice((18.0, 21.0, 27.0, 32.0, 35.0, 40.0, 50.0, 65.0, 85.0, 100.0))
        recipe["lens"] = self.draw.choice(("Master Prime", "Signature", "Ultra Panatar", "Anamorphic i", "Supreme"))
        if self.draw.random() < 0.25 and len(recipe["layers"]) > 3:
            recipe["layers"].pop(self.draw.randrange(1, len(recipe["layers"])))
        if self.draw.random() < 0.2 and not recipe["crop"]:
            recipe["overscan"] = 48 if recipe["overscan"] == 0 else 0
        return recipe

    def frame(self, setup: Setup, number: int) -> Payload:
        """The payload of one frame of a setup."""
        recipe = setup.recipe
        draw = random.Random(f"{setup.key}/{number}")
        groups = _groups(recipe)
        path = f"s3://renders/{self.name}/sh{setup.shot:03d}0/{setup.renderer}/{setup.passed}.{number:04d}.exr"
        return {
            "schema_version": 1,
            "file": {
                "path": path,
                "size_bytes": draw.randrange(1 << 20, 1 << 28),
                "mtime": f"2026-02-{1 + number % 28:02d}T10:{draw.randrange(60):02d}:00.000000Z",
                "frame_number": number,
                "multipart_count": len(groups),
                "is_deep": recipe["deep"],
            },
            "parts": [_part(recipe, index, name, draw) for index, (name, _) in enumerate(groups)],
            "channels": [channel for index, (_, layers) in enumerate(groups) for channel in _channels(recipe, index, layers)],
            "attributes": {"parts": [_attributes(self, setup, number, draw) for _ in groups]},
        }


def _parse_settings(text: str) -> list[tuple[str, str]]:
    return [(name, kind) for name, _, kind in (word.rpartition(":") for word in text.split())]


def _setting(name: str, kind: str, draw: random.Random) -> tuple[str, Any]:
    if kind == "int":
        return (kind, draw.choice((2, 4, 6, 8, 16, 64, 512)))
    if kind == "float":
        return (kind, draw.choice((0.001, 0.01, 0.05, 180.0)))
    return (kind, f"{name.rpartition('/')[2]} {draw.choice(('default', 'high', 'final', 'path', 'ocio'))}")


def _groups(recipe: dict[str, Any]) -> list[tuple[str, list[str]]]:
    layers = recipe["layers"] + recipe["data"]
    if not recipe["multipart"] or len(layers) < 2:
        return [("", layers)]
    return [(layer or "rgba", [layer]) for layer in layers]


def _components(recipe: dict[str, Any], layer: str) -> str:
    if recipe["deep"]:
        return "RGBA"
    tail = layer.rpartition(".")[2]
    if tail in ("Z", "z", "depth", "zDepth", "Depth", "hitPz", "sampleCount"):
        return "Z"
    if layer in recipe["data"]:
        return "XYZ"
    return "RGBA" if not layer or "rypto" in layer else "RGB"


def _channels(recipe: dict[str, Any], part: int, layers: list[str]) -> list[Payload]:
    channels = []
    for layer in layers:
        for component in _components(recipe, layer):
            full = "FLOAT" if layer in recipe["data"] or "rypto" in layer else recipe.get("pixel", "HALF")
            channels.append(_channel(part, layer, component, full))
    if recipe["deep"]:
        channels += [_channel(part, "", component, "FLOAT") for component in ("Z", "ZBack")]
    return channels


def _channel(part: int, layer: str, component: str, kind: str) -> Payload:
    name = f"{layer}.{component}" if layer else component
    return {
        "part_index": part,
        "name": name,
        "layer_name": name.rpartition(".")[0],
        "component_name": component,
        "type": kind,
        "x_sampling": 1,
        "y_sampling": 1,
        "p_linear": False,
    }


def _box(left: int, top: int, right: int, bottom: int) -> Payload:
    return {"min": {"x": left, "y": top}, "max": {"x": right, "y": bottom}}


def _part(recipe: dict[str, Any], index: int, name: str, draw: random.Random) -> Payload:
    width, height = recipe["resolution"]
    pad = recipe["overscan"]
    left, top, right, bottom = -pad, -pad, width - 1 + pad, height - 1 + pad
    if recipe["crop"]:  # follows what the frame shows
        left, top = width // 4 + draw.randrange(width // 40), height // 4 + draw.randrange(height // 40)
        right, bottom = 3 * width // 4 - draw.randrange(width // 40), 3 * height // 4 - draw.randrange(height // 40)
    kind = ("deep" if recipe["deep"] else "") + ("tile" if recipe["tiled"] else "scanline") + ("" if recipe["deep"] else "image")
    return {
        "index": index,
        "name": name or None,
        "view": recipe.get("view"),
        "type": kind.replace("tileimage", "tiledimage"),
        "data_window": _box(left, top, right, bottom),
        "display_window": _box(0, 0, width - 1, height - 1),
        "width": right - left + 1,
        "height": bottom - top + 1,
        "data_x_offset": left,
        "data_y_offset": top,
        "display_width": width,
        "display_height": height,
        "pixel_aspect_ratio": recipe["aspect"],
        "line_order": recipe.get("line_order", "INCREASING_Y"),
        "compression": recipe["compression"],
        "is_deep": recipe["deep"],
        "is_tiled": recipe["tiled"],
        "tile_width": 64 if recipe["tiled"] else None,
        "tile_height": 64 if recipe["tiled"] else None,
        "color_space": recipe["color_space"],
        "render_software": recipe["software"],
    }


def _attributes(show: Show, setup: Setup, number: int, draw: random.Random) -> list[Payload]:
    recipe = setup.recipe
    focus = 4.0 + (0.05 * number if recipe["focus_pull"] else 0.0)
    volatile = [
        ("capDate", "string", f"2026:02:{1 + number % 28:02d} 10:00:{draw.randrange(60):02d}"),
        ("timeCode", "timecode", {"time": number, "user": 0}),
        ("hostComputer", "string", f"blade{draw.randrange(400):03d}"),
        ("renderTime", "float", draw.uniform(60, 9000)),
        ("peakMemory", "int", draw.randrange(1 << 30)),
        ("worldToCamera", "m44f", [draw.uniform(-1, 1) for _ in range(16)]),
        ("stats/primitives", "int", draw.randrange(1 << 20)),
        ("exr/render_uuid", "string", f"{draw.getrandbits(128):032x}"),
    ]
    steady = [
        ("framesPerSecond", "rational", show.rate),
        ("screenWindowWidth", "float", 1.0),
        ("screenWindowCenter", "v2f", [0.0, 0.0]),
        ("comments", "string", f"{show.name} lighting v{3 + setup.shot:03d}"),
        ("focalLength", "float", recipe["focal"]),
        ("lensModel", "string", recipe["lens"]),
        ("focus", "float", focus),
        *((name, kind, value) for name, (kind, value) in recipe["settings"].items()),
        *recipe.get("more", []),
    ]
    return [{"name": name, "type": kind, "value": value} for name, kind, value in steady + volatile]
