"""What channels and layers are, told from their names: view, role, category and light group."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from exr_bytes import FLOAT, HALF, NON_IMAGE, attribute, channel, chlist, header, named_part, part, text
from exr_inspector.exr.completeness import Completeness
from exr_inspector.exr.header import parse_header
from exr_inspector.payload import aov_words
from exr_inspector.payload.aov_words import AOVS, CATEGORIES, COLOUR_ROLES, DATA_ROLES, read_words
from exr_inspector.payload.aovs import describe_channels, read_layer
from exr_inspector.payload.document import FileFacts, describe
from project import ROOT


def test_a_role_has_one_category_and_a_word_one_row() -> None:
    """One table: a word alone is read in one way."""
    roles = [aov.role for aov in AOVS if aov.role is not None]
    assert len(set(roles)) == len(roles)
    assert {aov.category for aov in AOVS} <= set(CATEGORIES)
    words = [word for aov in AOVS for word in (*aov.words, *aov.names)]
    assert len(set(words)) == len(words)
    assert not COLOUR_ROLES & DATA_ROLES


def test_the_schema_of_payloads_has_the_same_words() -> None:
    """Every role and every category, and no other."""
    definitions = json.loads((ROOT / "docs/payload.schema.json").read_text(encoding="utf-8"))["$defs"]
    assert set(definitions["role"]["enum"]) == {*(aov.role for aov in AOVS), "spectral"}
    assert tuple(definitions["category"]["enum"]) == CATEGORIES


@pytest.mark.parametrize("aov", AOVS, ids=lambda aov: f"{aov.role or aov.category}")
def test_each_word_is_read_as_its_row_says(aov: aov_words.Aov) -> None:
    """In lower case, alone and, where it decides anywhere, within a longer name."""
    for word in aov.words | aov.names:
        assert read_words(word) == (aov.role, "denoise" if word == "noisyimage" else aov.category)
        assert read_words(word.capitalize()) == read_words(word)
    for word in aov.words:
        assert read_words(f"xyz_{word}_v2")[0] == aov.role


ROLES_OF_NAMES = {
    "Arnold": {
        "beauty": "RGBA", "light": "direct indirect", "background": "background", "emission": "emission",
        "diffuse": "diffuse diffuse_direct diffuse_indirect", "specular": "specular specular_direct specular_indirect",
        "coat": "coat coat_direct coat_indirect", "sheen": "sheen sheen_direct", "subsurface": "sss sss_direct",
        "transmission": "transmission transmission_direct", "volume": "volume volume_direct volume_indirect",
        "albedo": "albedo diffuse_albedo specular_albedo coat_albedo sss_albedo volume_albedo",
        "alpha": "opacity volume_opacity", "normal": "N", "position": "P Pref", "motion": "motionvector",
        "shadow": "shadow shadow_diff shadow_matte", "id": "ID", "depth": "Z", None: "cputime raycount AA_inv_density",
    },
    "V-Ray": {
        "albedo": "VRayDiffuseFilter VRayReflectionFilter VRayRefractionFilter",
        "light": "VRayLighting VRayGlobalIllumination VRayTotalLighting VRayRawLighting VRayRawGlobalIllumination lighting "
        "GI rawGI",
        "specular": "VRayReflection VRaySpecular VRayRawReflection reflect specular",
        "transmission": "VRayRefraction VRayRawRefraction refract", "subsurface": "VRaySSS2 SSS",
        "emission": "VRaySelfIllumination selfIllum self_illumination", "caustics": "VRayCaustics caustics",
        "volume": "VRayAtmosphere VRayAtmosphericEffects atmospheric_effects", "background": "VRayBackground",
        "shadow": "VRayShadows VRayRawShadow VRayMatteShadow", "normal": "VRayNormals VRayBumpNormals", "motion": "VRayVelocity",
        "depth": "VRayZDepth zDepth", "id": "VRayObjectID VRayMtlID VRayRenderID", "matte": "VRayWireColor VRayMultiMatteElement",
        "coat": "VRayCoat VRayCoatReflection", "sheen": "VRaySheen", "alpha": "VRayAlpha", "cryptomatte": "VRayCryptomatte00",
    },
    "Redshift": {
        "beauty": "Beauty", "diffuse": "DiffuseLighting DiffuseLightingRaw",
        "specular": "Reflections SpecularLighting ReflectionsRaw",
        "transmission": "Refractions RefractionsRaw", "caustics": "Caustics CausticsRaw", "emission": "Emission",
        "light": "GlobalIllumination GlobalIlluminationRaw GI", "subsurface": "SubsurfaceScatter SubSurfaceScatterRaw SSS",
        "albedo": "DiffuseFilter ReflectionsFilter RefractionsFilter TranslucencyFilter", "motion": "MotionVectors",
        "volume": "VolumeLighting VolumeFogEmission", "background": "Background", "shadow": "Shadows", "id": "ObjectID",
        "matte": "PuzzleMatte Matte", "normal": "Normals BumpNormals ObjectSpaceBumpNormals",
        "position": "WorldPosition ObjectSpacePositions", "occlusion": "AO AmbientOcclusion", "depth": "Depth Z",
    },
    "Karma": {
        "beauty": "C beautyunshadowed", "diffuse": "combineddiffuse directdiffuse indirectdiffuse combineddiffuseunshadowed",
        "specular": "combinedglossyreflection directglossyreflection indirectglossyreflection",
        "transmission": "glossytransmission", "emission": "combinedemission directemission indirectemission visiblelights",
        "volume": "combinedvolume directvolume indirectvolume", "coat": "coat", "subsurface": "sss",
        "shadow": "shadow combineddiffuseshadow", "albedo": "albedo export_basecolor", "position": "hitP", "normal": "hitN",
        "depth": "hitPz depth", "uv": "hituv", "id": "primid",
    },
    "Cycles": {
        "beauty": "Combined", "diffuse": "DiffDir DiffInd", "specular": "GlossDir GlossInd", "transmission": "TransDir TransInd",
        "albedo": "DiffCol GlossCol TransCol SubsurfaceCol", "subsurface": "SubsurfaceDir SubsurfaceInd",
        "volume": "VolumeDir VolumeInd", "emission": "Emit", "background": "Env", "occlusion": "AO", "shadow": "Shadow",
        "id": "IndexOB IndexMA", "motion": "Vector", "uv": "UV", "depth": "Depth Z", "normal": "Normal", "position": "Position",
        None: "Mist",
    },
    "Blender 5": {
        "diffuse": "Diffuse_Direct Diffuse_Indirect", "specular": "Glossy_Direct", "transmission": "Transmission_Direct",
        "albedo": "Diffuse_Color Glossy_Color Transmission_Color Subsurface_Color", "id": "Object_Index Material_Index",
        "emission": "Emission", "background": "Environment", "occlusion": "Ambient_Occlusion", "volume": "Volume_Direct",
    },
    "RenderMan": {
        "beauty": "Ci beauty", "diffuse": "directDiffuse indirectDiffuse directDiffuseLobe lpe:diffuse lpe:C<RD>[<L.>O]",
        "specular": "directSpecular indirectSpecular directSpecularPrimaryLobe lpe:specular lpe:C<RS>[DS]+[<L.>O]",
        "subsurface": "subsurface subsurfaceLobe", "transmission": "transmissive transmissiveGlassLobe lpe:refraction",
        "emission": "emissive lpe:emission lpe:C[<L.>O]", "coat": "directSpecularClearcoatLobe",
        "sheen": "directSpecularFuzzLobe",
        "albedo": "albedo", "normal": "Nn N", "position": "P __Pworld", "motion": "dPdtime forward backward", "uv": "st",
        "depth": "z", None: "albedo_var normal_mse sampleCount",
    },
    "Corona": {
        "light": "CESSENTIAL_Direct CESSENTIAL_Indirect", "specular": "CESSENTIAL_Reflect", "transmission": "CESSENTIAL_Refract",
        "emission": "CESSENTIAL_Emission", "subsurface": "CESSENTIAL_Translucency", "volume": "CESSENTIAL_Volumetrics",
        "depth": "CGeometry_ZDepth", "motion": "CGeometry_Velocity", "position": "CGeometry_WorldPosition",
        "uv": "CGeometry_MapCoord",
        "id": "CMasking_ID", "matte": "CMasking_Mask CMasking_WireColor", "albedo": "CShading_Albedo CShading_SourceColor",
        "shadow": "CShading_Shadows", None: "CGeometry_NormalsDotProduct",
    },
    "Octane": {
        "diffuse": "Diffuse_direct Diffuse_indirect", "specular": "Reflection_direct",
        "albedo": "Diffuse_filter Reflection_filter",
        "emission": "Emitters", "light": "Irradiance", "volume": "Volume_emission", "depth": "Z-depth", "normal": "Smooth_normal",
    },
    "Unreal Engine": {
        "beauty": "FinalImage FinalImagePathTracer", "depth": "FinalImageMovieRenderQueue_WorldDepth",
        "motion": "FinalImageMovieRenderQueue_MotionVectors", "specular": "FinalImageReflectionsOnly",
        "light": "FinalImageLightingOnly", "cryptomatte": "ActorHitProxyMask00",
    },
    "Somebody": {
        None: "myPass character custom layer1 cosDiffTheta test_n layer_p bg key_v2 directional xyz 07 _arg_0",
        "matte": "matte_hero depth_mask rim_mask holdout", "light": "keyLight", "beauty": "customRgba", "depth": "customDepth",
        "diffuse": "shadow_diffuse", "volume": "volume_fog", "uv": "left_tex_coord",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("role", "name"),
    [
        pytest.param(role, name, id=f"{renderer}-{name}")
        for renderer, roles in ROLES_OF_NAMES.items()
        for role, names in roles.items()
        for name in names.split()
    ],
)
def test_the_aovs_of_each_renderer_have_their_roles(role: str | None, name: str) -> None:
    """As the manuals list them; a space of a name is written as an underscore here."""
    assert read_words(name)[0] == role
    assert read_words(name.replace("_", " "))[0] == role


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Denoising Normal", ("normal", "denoise")),
        ("denoise_albedo", ("albedo", "denoise")),
        ("Noisy Image", ("beauty", "denoise")),
        ("VRayDenoiser", (None, "denoise")),
        ("diffuse_variance", (None, "denoise")),
        ("Debug Sample Count", (None, "denoise")),
        ("crypto_denoised", ("cryptomatte", "cryptomatte")),
        ("RGBA_denoise", ("beauty", "denoise")),
    ],
)
def test_what_a_denoiser_reads_or_writes_is_of_its_category(name: str, words: tuple[str | None, str]) -> None:
    """Its role is what the samples are."""
    assert read_words(name) == words


def answers(label: str, *components: str) -> dict[str, tuple[str | None, str]]:
    """Component -> role and category."""
    return dict(zip(components, read_layer(label, components).components, strict=True))


BEAUTY, ALPHA, DEPTH, DATA = ("beauty", "beauty"), ("alpha", "beauty"), ("depth", "depth"), (None, "data")


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("", {"A": ALPHA, "B": BEAUTY, "G": BEAUTY, "R": BEAUTY, "Z": DEPTH, "ZBack": DEPTH, "id": ("id", "matte")}),
        ("", {"R": BEAUTY, "custom": DATA}),
        ("", {"Y": BEAUTY, "RY": BEAUTY, "BY": BEAUTY, "AR": ALPHA}),
        ("", {"red": BEAUTY, "alpha": ALPHA}),
        ("", {"X": DATA, "Y": DATA, "Z": DATA}),
        ("", {"A": ("alpha", "matte"), "Z": DEPTH}),
        ("", {"A": ("alpha", "matte")}),
        ("", {"G.": DATA}),
        ("", {"360.00-407.00nm": ("spectral", "beauty")}),
        ("", {"360.00-407.00nm": ("spectral", "beauty"), "R": BEAUTY}),
        ("character", {"R": DATA, "A": ("alpha", "data"), "Z": DEPTH, "mask": ("matte", "matte")}),
        ("_arg_0", {"X": DATA, "Y": DATA, "Z": DATA}),
        ("material", {"id0": ("id", "matte"), "id1": ("id", "matte")}),
        ("rgba", {"R": BEAUTY, "A": ALPHA, "Z": DEPTH, "custom": DATA}),
        ("diffuse", {"R": ("diffuse", "lighting"), "A": ("alpha", "lighting"), "V": ("diffuse", "lighting")}),
        ("N", {"X": ("normal", "utility"), "Z": ("normal", "utility"), "A": ("normal", "utility")}),
        ("crypto_material01", {"r": ("cryptomatte", "cryptomatte"), "a": ("cryptomatte", "cryptomatte")}),
        ("RGBA_key", {"R": ("beauty", "light_group"), "A": ("alpha", "light_group")}),
        ("combineddiffuse_key", {"R": ("diffuse", "light_group")}),
        ("VRayLightSelect_key", {"R": ("beauty", "light_group")}),
        ("lpe:C<RD>.*<L.'key'>", {"r": ("diffuse", "light_group")}),
        ("S0", {"550,0nm": ("spectral", "beauty")}),
        ("T", {"550,0nm": ("spectral", "data"), "550,0nm.560,0nm": ("spectral", "data")}),
        ("S0", {"R": DATA}),
        ("bg_matte.Combined", {"R": BEAUTY, "A": ALPHA}),
        ("matte_layer.MyAOV", {"R": DATA}),
        ("ViewLayer.Depth", {"Z": DEPTH}),
    ],
)  # fmt: skip
def test_the_components_of_a_layer(label: str, expected: dict[str, tuple[str | None, str]]) -> None:
    """The layer's name decides, without the view layer before it; without a known word each component speaks for itself."""
    assert answers(label, *expected) == expected


def payload_of(*parts: list[bytes], flags: int = 0) -> dict[str, Any]:
    """The payload of a header of these parts."""
    found = parse_header(header(*parts, flags=flags))
    return describe(FileFacts("/a.exr"), found, Completeness("complete", 2, 2, 2))


def channels(*names: str, kind: int = HALF) -> bytes:
    """A list of channels of one type."""
    return chlist(*(channel(name, kind) for name in names))


def multi_view(*views: str) -> bytes:
    """The attribute that lists the views of a file."""
    return attribute("multiView", "stringvector", b"".join(struct.pack("<i", len(view)) + view.encode() for view in views))


def words(payload: dict[str, Any]) -> dict[tuple[int, str], tuple[str | None, str, str | None, str | None]]:
    """Part and channel -> role, category, view, light group."""
    return {
        (entry["part_index"], entry["name"]): (entry["role"], entry["category"], entry["view"], entry["light_group"])
        for entry in payload["channels"]
    }


def layers(payload: dict[str, Any]) -> list[tuple[str, str | None, str, str | None, str | None]]:
    """Name, role, category, view and light group of every layer."""
    return [
        (layer["name"], layer["role"], layer["category"], layer["view"], layer["light_group"])
        for part in payload["parts"]
        for layer in part["layers"]
    ]


def test_a_part_per_layer_with_the_view_in_its_name() -> None:
    """As Nuke writes them: `rgba.main` is the beauty of the view main, not a light group."""
    payload = payload_of(
        named_part("rgba.main", "scanlineimage", 2, text("view", "main"), channels=channels("A", "B", "G", "R")),
        named_part("depth.main", "scanlineimage", 2, text("view", "main"), channels=channels("Z")),
        named_part("character.main", "scanlineimage", 2, text("view", "main"), channels=channels("blue", "green", "mask", "red")),
    )
    assert layers(payload) == [
        ("", "beauty", "beauty", "main", None), ("", "depth", "depth", "main", None), ("", None, "data", "main", None),
    ]  # fmt: skip
    assert words(payload)[0, "A"] == ("alpha", "beauty", "main", None)
    assert words(payload)[2, "mask"] == ("matte", "matte", "main", None)


def test_a_part_per_view() -> None:
    """RGBA is the beauty of the part's view."""
    payload = payload_of(
        *(
            named_part(view, "scanlineimage", 2, text("view", view), channels=channels("A", "B", "G", "R"))
            for view in ("left", "right")
        )
    )
    assert layers(payload) == [("", "beauty", "beauty", "left", None), ("", "beauty", "beauty", "right", None)]


def test_the_views_of_a_single_part() -> None:
    """R, G and B are those of the first view."""
    names = ("B", "G", "R", "right.B", "right.G", "right.R", "diffuse.right.R", "diffuse.left.R", "disparityL.x")
    payload = payload_of(part(multi_view("left", "right"), channels=channels(*names)))
    assert layers(payload) == [
        ("", "beauty", "beauty", "left", None), ("right", "beauty", "beauty", "right", None),
        ("diffuse.right", "diffuse", "lighting", "right", None), ("diffuse.left", "diffuse", "lighting", "left", None),
        ("disparityL", None, "utility", None, None),
    ]  # fmt: skip
    assert words(payload)[0, "G"] == ("beauty", "beauty", "left", None)
    assert words(payload)[0, "right.G"] == ("beauty", "beauty", "right", None)


def test_a_single_part_may_state_its_view() -> None:
    """Then all of its channels are of it."""
    payload = payload_of(part(text("view", "left"), channels=channels("R", "depth.Z")))
    assert layers(payload) == [("", "beauty", "beauty", "left", None), ("depth", "depth", "depth", "left", None)]


def test_view_layers_and_the_light_groups_of_their_passes() -> None:
    """Blender writes view layer, pass, component; what a view layer is called says nothing of its passes."""
    names = ("ViewLayer.Combined.R", "ViewLayer.Combined_key.R", "bg_matte.Combined.R", "bg_matte.IndexOB.X", "fg.Vector.X")
    payload = payload_of(part(channels=channels(*names)))
    assert layers(payload) == [
        ("ViewLayer.Combined", "beauty", "beauty", None, None), ("ViewLayer.Combined_key", "beauty", "light_group", None, "key"),
        ("bg_matte.Combined", "beauty", "beauty", None, None), ("bg_matte.IndexOB", "id", "matte", None, None),
        ("fg.Vector", "motion", "utility", None, None),
    ]  # fmt: skip


def test_light_groups_that_need_the_renderer() -> None:
    """`diffuse_key` is of a light group where Arnold wrote it, or where there is an `RGBA_key`."""
    listed = channels("diffuse_key.R", "diffuse_hero.R", "Beauty_key.R")
    assert [layer[2:] for layer in layers(payload_of(part(channels=listed)))] == [
        ("lighting", None, None), ("lighting", None, None), ("beauty", None, None),
    ]  # fmt: skip
    assert [layer[2:] for layer in layers(payload_of(part(text("arnold/version", "7"), channels=listed)))] == [
        ("light_group", None, "key"), ("light_group", None, "hero"), ("light_group", None, "key"),
    ]  # fmt: skip
    known = channels("RGBA_key.R", "diffuse_key.R", "diffuse_hero.R")
    assert [layer[1:] for layer in layers(payload_of(part(channels=known)))] == [
        ("beauty", "light_group", None, "key"), ("diffuse", "light_group", None, "key"), ("diffuse", "lighting", None, None),
    ]  # fmt: skip


def test_a_view_is_never_a_light_group() -> None:
    """`RGBA_left` in the part of the view left is that view's beauty."""
    payload = payload_of(
        named_part("RGBA_left", "scanlineimage", 2, text("view", "left"), channels=channels("R")),
        named_part("RGBA_key", "scanlineimage", 2, text("view", "left"), channels=channels("R")),
    )
    assert layers(payload) == [("", "beauty", "beauty", "left", None), ("", "beauty", "light_group", "left", "key")]


def test_an_empty_component_belongs_to_no_layer() -> None:
    """A name that ends with a dot."""
    (entry,) = payload_of(part(channels=channels("G.")))["channels"]
    assert (entry["layer_name"], entry["component_name"], entry["role"]) == ("", "G.", None)


def test_names_of_parts_that_say_nothing_hide_no_picture() -> None:
    """A part has to have a name; `subimage00` is OpenImageIO's."""
    payload = payload_of(
        named_part("subimage00", "scanlineimage", 2, channels=channels("R")),
        named_part("diffuse", "scanlineimage", 2, channels=channels("R")),
        named_part("hero", "scanlineimage", 2, channels=channels("hero.R")),
    )
    assert [layer[1] for layer in layers(payload)] == ["beauty", "diffuse", None]


def test_deep_parts_are_deep_whatever_their_samples_are() -> None:
    """The role is kept."""
    payload = payload_of(part(text("type", "deepscanline"), channels=channels("A", "Z", "id")), flags=NON_IMAGE)
    assert layers(payload) == [("", None, "deep", None, None)]
    assert [entry[:2] for entry in words(payload).values()] == [("alpha", "deep"), ("depth", "deep"), ("id", "deep")]
    assert payload["parts"][0]["layers"][0]["logical_bytes"] is None


def test_layers_group_channels_and_count_their_bytes() -> None:
    """Logical bytes are those of the samples in the data window, subsampling included."""
    listed = chlist(channel("BY", HALF, 2, 2), channel("Y", HALF), channel("depth.Z", FLOAT))
    own = payload_of(part(channels=listed, window=(0, 0, 63, 31)))["parts"][0]["layers"]
    assert [(one["name"], one["components"], one["types"]) for one in own] == [
        ("", ["BY", "Y"], ["HALF"]), ("depth", ["Z"], ["FLOAT"]),
    ]  # fmt: skip
    assert [one["logical_bytes"] for one in own] == [64 * 32 * 2 + 32 * 16 * 2, 64 * 32 * 4]


def cryptomatte(name: str, key: str) -> bytes:
    """The attribute that declares a cryptomatte layer."""
    return text(f"cryptomatte/{key}/name", name)


def test_declared_layers_are_cryptomattes_whatever_they_are_called() -> None:
    """And their channels, of every rank."""
    listed = channels("special_chars.R", "special_chars00.R", "special_chars00.A", "special.R", kind=FLOAT)
    payload = payload_of(part(cryptomatte("special_chars", "1234567"), channels=listed))
    assert [layer[1] for layer in layers(payload)] == ["cryptomatte", "cryptomatte", None]
    assert words(payload)[0, "special_chars00.A"] == ("cryptomatte", "cryptomatte", None, None)
    assert "cryptomatte_without_metadata" not in {entry["code"] for entry in payload["warnings"]}


def test_the_ranks_of_a_cryptomatte_may_lie_in_other_parts() -> None:
    """Three parts that are called as layers would be, and one that declares them."""
    ranks = [named_part(f"CryptoObject0{rank}", "scanlineimage", 2, channels=channels("R", kind=FLOAT)) for rank in range(3)]
    payload = payload_of(named_part("C", "scanlineimage", 2, cryptomatte("CryptoObject", "3ae39a5")), *ranks)
    (declared,) = payload["parts"][0]["cryptomatte"]
    assert (declared["ranks"], declared["parts"], declared["key_matches"]) == (3, [1, 2, 3], True)
    assert [layer[1] for layer in layers(payload)] == ["beauty", "cryptomatte", "cryptomatte", "cryptomatte"]


def test_the_ranks_of_each_part_are_its_own() -> None:
    """Where a part has the metadata and the ranks, other parts with ranks of the name do not count."""
    own = cryptomatte("CryptoObject", "3ae39a5")
    payload = payload_of(
        *(
            named_part(view, "scanlineimage", 2, text("view", view), own, channels=channels(*names, kind=FLOAT))
            for view, names in (("left", ["CryptoObject00.R"]), ("right", ["CryptoObject00.R", "CryptoObject01.R"]))
        )
    )
    assert [part["cryptomatte"][0]["ranks"] for part in payload["parts"]] == [1, 2]
    assert [part["cryptomatte"][0]["parts"] for part in payload["parts"]] == [[0], [1]]


def test_cryptomattes_without_metadata_are_a_warning() -> None:
    """Nothing can be selected from them."""
    listed = channels("R", "VRayCryptomatte.R", "VRayCryptomatte00.R", "VRayCryptomatte01.R", kind=FLOAT)
    (warning,) = payload_of(part(channels=listed))["warnings"]
    assert (warning["code"], warning["part"]) == ("cryptomatte_without_metadata", 0)
    assert "'VRayCryptomatte'" in warning["message"]
    assert "nothing can be selected" in warning["message"]


def test_payloads_that_do_not_say_it_are_read_again() -> None:
    """From the same names, so with the same answer; what a payload does say is kept."""
    payload = payload_of(
        named_part("rgba.main", "scanlineimage", 2, text("view", "main"), channels=channels("A", "R")),
        named_part("stereo", "scanlineimage", 2, multi_view("left", "right"), channels=channels("R", "right.R", "RGBA_key.R")),
        named_part("C", "scanlineimage", 2, cryptomatte("Assets", "1234567"), channels=channels("Assets00.R")),
    )
    keys = ("role", "category", "view", "light_group")
    older = {**payload, "channels": [{k: v for k, v in entry.items() if k not in keys} for entry in payload["channels"]]}
    assert describe_channels(older) == payload["channels"]
    assert describe_channels(payload) == payload["channels"]
    older["channels"][1]["role"] = "diffuse"
    assert describe_channels(older)[1]["role"] == "diffuse"
    assert describe_channels({}) == []
