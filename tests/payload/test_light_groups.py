"""Which layers are of a light group, and of which."""

from __future__ import annotations

import pytest

from exr_inspector.payload.light_groups import LightGroup, light_group_of, writers_of


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("RGBA_key", "key"), ("RGBA_default", "default"), ("RGBA_key_left_window", "key_left_window"),
        ("Combined_key", "key"), ("Combined_Sky.001", "Sky.001"),
        ("C_Key", "Key"), ("combineddiffuse_HDR", "HDR"), ("indirectglossyreflection_spotLightA", "spotLightA"),
        ("directdiffuseunshadowed_key", "key"), ("glossytransmission_rim", "rim"),
        ("DiffuseLighting_key", "key"), ("SubsurfaceScatter_other", "other"),
        ("VRayLightSelect", None), ("VRayLightSelect_rim", "rim"), ("LightSelect_1", "1"), ("lightSelect key", "key"),
        ("VRayLightMix", None), ("CShading_LightSelect", None),
        ("light_group_1", "1"), ("lightGroup_rim", "rim"), ("LIGHTGROUP_fill", "fill"),
        ("lpe:C[DS]*<L.'key'>", "key"), ("lpe:C<RD>.*<L.'rim'>", "rim"),
    ],
)  # fmt: skip
def test_renderers_write_light_groups_so(name: str, group: str | None) -> None:
    """Each as the renderer's own documentation has it."""
    assert light_group_of(name) == LightGroup(group)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("diffuse_key", LightGroup("key", "arnold")),
        ("specular_indirect_rim", LightGroup("rim", "arnold")),
        ("sss_default", LightGroup("default", "arnold")),
        ("Beauty_key", LightGroup("key", "redshift")),
        ("Reflections_other", LightGroup("other", "redshift")),
    ],
)
def test_names_that_others_use_as_well_need_the_renderer(name: str, group: LightGroup) -> None:
    """Arnold and Redshift join the light group to names that anybody may complete with anything."""
    assert light_group_of(name) == group


@pytest.mark.parametrize(
    "name",
    [
        "rgba.main", "rgba_main", "rgba_left", "rgba_right", "RGBA", "RGBA_left", "RGBA_denoise", "RGBA_noisefree",
        "RGBA_variance", "Combined", "combined_key", "C", "Ci", "c_key", "diffuse_direct", "diffuse_albedo", "DiffuseLightingRaw",
        "DiffuseFilter", "DiffuseLighting_Raw", "keyLight", "key", "rim", "fill", "lgt_key", "lighting", "light",
        "character.main", "CryptoAsset00", "lpe:C[DS]*<L.>", "combineddiffuse", "beauty_key",
    ],
)  # fmt: skip
def test_other_names_are_no_light_groups(name: str) -> None:
    """Views, denoised and raw versions, and whatever somebody called `key`."""
    assert light_group_of(name) is None


def test_attributes_tell_who_wrote_the_file() -> None:
    """By their prefix."""
    assert writers_of(["channels", "arnold/version", "name"]) == {"arnold"}
    assert writers_of(["rs/version"]) == {"redshift"}
    assert writers_of(["Software", "arnoldish"]) == frozenset()
