"""The vocabulary of AOVs: which words in the name of a layer or channel say what its samples are, and of which category.

`AOVS` is the one table. Its words are those that renderers give to their own AOVs, from their makers' pages:

* Arnold: User Guide, "AOVs" and "Light Path Expression AOVs" (help.autodesk.com/view/ARNOL)
* V-Ray: "Render Elements" (documentation.chaos.com), with the default channel names of each host
* Corona: "What available render elements are there?" (support.chaos.com)
* Redshift: "Integrated AOVs" (help.maxon.net/r3d)
* Karma: "Karma Standard Render Vars" (sidefx.com/docs/houdini/nodes/lop)
* RenderMan: "Light Path Expressions", "Arbitrary Output Variables", "Denoiser AOVs" (rmanwiki.pixar.com)
* Cycles and EEVEE: `RE_PASSNAME_*` in `DNA_scene_types.h` and, from Blender 5.0, `DNA_scene_enums.h`
* Octane: "Render Passes" (docs.otoy.com)
* Unreal Engine: the passes of `MovieRenderPipelineRenderPasses`
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

CATEGORIES = ("beauty", "lighting", "light_group", "utility", "depth", "matte", "cryptomatte", "denoise", "deep", "data")


@dataclass(frozen=True, slots=True)
class Aov:
    """One kind of AOV. `role` is None where the words tell the category alone.

    `words` decide wherever they stand in a name, alone or as two that follow each other; `names` only as the whole name.
    """

    role: str | None
    category: str
    words: frozenset[str]
    names: frozenset[str]


# What joins more of a name decides (`diffuse filter` before `diffuse`); of equals, what stands higher here.
AOVS = tuple(
    Aov(role, category, frozenset(words.split()), frozenset(names.split()))
    for role, category, words, names in (
        ("cryptomatte", "cryptomatte", "crypto cryptomatte cryptoasset cryptomaterial cryptoobject actorhitproxymask", ""),
        (None, "denoise", "variance var mse samplecount", "samples"),
        (
            "id", "matte",
            "id ids objectid materialid matid mtlid nodeid renderid instanceid particleid modelid primid elementid faceid instid "
            "indexob indexma objectindex materialindex",
            "",
        ),
        (
            "matte", "matte",
            "matte mattes mask masks holdout multimatte multimatteelement puzzlematte puzzlemattes wirecolor roto", "",
        ),
        ("alpha", "matte", "alpha opacity", ""),
        ("depth", "depth", "depth zdepth zback scenedepth worlddepth zfiltered", "z hitpz"),
        (None, "depth", "mist deptha", ""),
        (
            "motion", "utility",
            "motion motionvector motionvectors motionvec motionvecs mvec velocity",
            "mv vector vectors forward backward dpdtime dpcameradtime",
        ),
        (
            "normal", "utility", "normal normals shadingnormal bumpnormals bumpnormal nworld ncamera",
            "n nn ng ns non hitn",
        ),
        ("position", "utility", "position positions worldposition pworld pcamera worldpos", "p po pref hitp restp"),
        ("uv", "utility", "uv uvs texcoord texcoords mapcoord", "st hituv hitst"),
        ("occlusion", "utility", "ao occlusion ambientocclusion", ""),
        (
            "albedo", "utility",
            "albedo basecolor sourcecolor diffcol glosscol transcol subsurfacecol diffusecolor glossycolor transmissioncolor "
            "subsurfacecolor specularcolor diffusefilter reflectionfilter reflectionsfilter refractionfilter refractionsfilter "
            "transmissionfilter translucencyfilter coatfilter sheenfilter",
            "",
        ),
        (
            None, "utility",
            "facing facingratio fresnel bump curvature pointiness wireframe barycentric normalsdot dotproduct roughness "
            "glossiness metalness ior disparity tangent uncertainty",
            "disparityl disparityr cputime raycount aainvdensity",
        ),
        ("coat", "lighting", "coat clearcoat", ""),
        ("sheen", "lighting", "sheen fuzz", ""),
        ("diffuse", "lighting", "diffuse diffdir diffind", "diff"),
        ("subsurface", "lighting", "sss subsurface subsurfacescatter translucency", ""),
        (
            "transmission", "lighting",
            "transmission transmissive transmitted refraction refractions refract glossytransmission transdir transind", "trans",
        ),
        ("caustics", "lighting", "caustic caustics", ""),
        (
            "specular", "lighting",
            "specular spec reflection reflections reflect glossy glossyreflection glossdir glossind", "gloss",
        ),
        ("volume", "lighting", "volume volumetric volumetrics atmosphere atmospheric fog", ""),
        (
            "emission", "lighting",
            "emission emissive emit emitters incandescence selfillumination selfillum visiblelights", "",
        ),
        (
            "shadow", "utility",
            "shadow shadows shadowmatte matteshadow shadowdiff diffuseshadow shadowcollector shadowcatcher", "",
        ),
        ("background", "lighting", "background environment", "env"),
        (
            "light", "lighting",
            "direct indirect lighting gi globalillumination irradiance light lights totallight rawlight", "",
        ),
        ("beauty", "beauty", "beauty rgba rgb combined noisyimage pathtracer", "c ci viewlayer renderlayer"),
    )
)  # fmt: skip
# Their samples are not colours: four of them are four values, none of which is a coverage of the others.
DATA_ROLES = frozenset({"cryptomatte", "id", "matte", "depth", "motion", "normal", "position", "uv"})
COLOUR_ROLES = frozenset(aov.role for aov in AOVS if aov.role is not None) - DATA_ROLES
"""Roles whose samples are colour or coverage."""

_ROW_OF_WORD: dict[str, int] = {}
_ROW_OF_NAME: dict[str, int] = {}
for _row, _aov in enumerate(AOVS):
    _ROW_OF_WORD |= dict.fromkeys(_aov.words, _row)
    _ROW_OF_NAME |= dict.fromkeys(_aov.words | _aov.names, _row)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Renderers that put their own name, or that of a group of elements, before that of the AOV.
_PREFIX = re.compile(
    r"VRay(?:RE_)?|vrayRE_|rsAov_|C(?:ESSENTIAL|SHADING|Shading|Geometry|Masking)_|FinalImage(?:MovieRenderQueue)?_?|lpe:"
)
# Karma joins words in lower case: `combineddiffuse`, `indirectglossyreflection`, `directdiffuseunshadowed`.
_JOINED = re.compile(r"(?:(combined|direct|indirect)(?=[a-z]))?([a-z]+?)(?:unshadowed|unoccluded)?")
_DENOISE = frozenset({"denoise", "denoised", "denoiser", "denoising", "noisy", "noisyimage"})
# A light path expression as the name, "Light Path Expressions" of RenderMan: what happens at the first surface decides.
_EXPRESSION = re.compile(r"lpe:(?:\w+;)?C(?P<event>.*)")
_EVENTS = (
    ("<RD>", "diffuse"), ("D", "diffuse"), ("<TD>", "subsurface"), ("<RS>", "specular"), ("S", "specular"),
    ("<TS>", "transmission"), ("<T[S]>", "transmission"), ("V", "volume"), ("[<L.>O]", "emission"), ("O", "emission"),
    ("[DS]", "beauty"), ("[DSV]", "beauty"), (".*", "beauty"),
)  # fmt: skip
_CATEGORY_OF = {aov.role: aov.category for aov in AOVS}
_LONGEST_KEPT = 255


class NameWords(NamedTuple):
    """What a name says: role and category, as far as they are known."""

    role: str | None
    category: str | None


def read_words(name: str) -> NameWords:
    """What the words of one name say, of the name of an AOV alone or of a channel's component.

    >>> read_words("VRayDiffuseFilter"), read_words("combinedglossyreflection")
    (NameWords(role='albedo', category='utility'), NameWords(role='specular', category='lighting'))
    >>> read_words("Denoising Normal"), read_words("myPass")
    (NameWords(role='normal', category='denoise'), NameWords(role=None, category=None))
    """
    # What is kept is bounded in bytes: with long names of parts a file could fill the memory.
    return _read_short_name(name) if len(name) <= _LONGEST_KEPT else _read_name(name)


def _read_name(name: str) -> NameWords:
    if expression := _EXPRESSION.fullmatch(name):
        role = next((role for event, role in _EVENTS if expression["event"].startswith(event)), None)
        return NameWords(role, _CATEGORY_OF.get(role))
    prefix = _PREFIX.match(name)
    words = [_part_of_joined(word.lower()) for word in _WORD.findall(name, prefix.end() if prefix else 0)]
    if not words and name.startswith("FinalImage"):
        return NameWords("beauty", "beauty")
    aov = _aov_of(words)
    role, category = (aov.role, aov.category) if aov else (None, None)
    if category != "cryptomatte" and not _DENOISE.isdisjoint(words):
        category = "denoise"
    return NameWords(role, category)


def _part_of_joined(word: str) -> str:
    """The word that decides of several that are joined in lower case; any other word as it is."""
    if word in _ROW_OF_NAME or (match := _JOINED.fullmatch(word)) is None:
        return word
    return match[2] if match[2] in _ROW_OF_WORD else word


def _aov_of(words: list[str]) -> Aov | None:
    """The row of the table that the words name: all of them joined, else two that follow each other, else one."""
    row = _ROW_OF_NAME.get("".join(words))
    if row is not None:
        return AOVS[row]
    for forms in (list(map("".join, pairwise(words))), words):
        rows = [_ROW_OF_WORD[form] for form in forms if form in _ROW_OF_WORD]
        if rows:
            return AOVS[min(rows)]
    return None


_read_short_name = lru_cache(maxsize=4096)(_read_name)
