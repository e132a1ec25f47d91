"""Every kind of rule, with a payload that passes it and one that does not."""

from __future__ import annotations

import copy
import json

import pytest

from exr_inspector.payload.colour import interop_id
from exr_inspector.validation.checks import RULE_KINDS
from exr_inspector.validation.policy import Policy, Rule, parse_policy
from exr_inspector.validation.validate import validate

DISPLAY = {"min": {"x": 0, "y": 0}, "max": {"x": 3839, "y": 2159}}
AP0 = {"red": [0.7347, 0.2653], "green": [0.0, 1.0], "blue": [0.0001, -0.077], "white": [0.32168, 0.33767]}


def channel(name, kind="HALF", part=0, **more):
    layer, _, component = name.rpartition(".")
    return {"part_index": part, "name": name, "layer_name": layer, "component_name": component, "type": kind,
            "x_sampling": 1, "y_sampling": 1, **more}  # fmt: skip


def payload():
    """A complete 4K frame: colour, alpha, depth, a cryptomatte, and statistics of three channels."""
    part = {
        "index": 0, "name": "beauty", "view": "left", "type": "scanlineimage", "data_window": DISPLAY, "display_window": DISPLAY,
        "width": 3840, "height": 2160, "display_width": 3840, "display_height": 2160, "pixel_aspect_ratio": 1.0,
        "line_order": "increasing_y", "compression": "zip", "is_deep": False, "is_tiled": False, "tile_width": None,
        "tile_height": None, "tile_level_mode": None, "color_space": "ACEScg", "timecode": "00:00:41:17", "fps": 24.0,
        "chromaticities": AP0,
        "cryptomatte": [{"key": "1234567", "name": "crypto_object", "key_matches": True, "ranks": 2, "manifest_size": 20,
                         "manifest_entries": 1, "manifest_mismatches": 0}],
    }  # fmt: skip
    matte = [channel(f"crypto_object{rank:02d}.{c}", "FLOAT") for rank in range(2) for c in "RGBA"]
    attributes = [
        {"name": "owner", "type": "string", "size": 6, "value": "studio"},
        {"name": "iso", "type": "float", "size": 4, "value": 800.0},
        {"name": "colorInteropID", "type": "string", "size": 13, "value": "lin_ap0_scene"},
        {"name": "cryptomatte/1234567/manifest", "type": "string", "size": 20, "value": "{}"},
    ]
    return {
        "file": {"path_normalized": "/shows/a/sh010/beauty.1001.exr", "frame_number": 1001, "status": "ok", "header_bytes": 900,
                 "completeness": {"verdict": "complete", "bytes_missing": 0, "trailing_bytes": 0}},
        "parts": [part],
        "channels": [*(channel(name) for name in "RGBA"), channel("Z", "FLOAT"), *matte],
        "attributes": {"parts": [attributes]},
        "stats": {"channels": [statistics("R"), statistics("A"), statistics("Z", pos_inf_count=90)]},
    }  # fmt: skip


def statistics(name, **changes):
    return {"part_index": 0, "channel_name": name, "nan_count": 0, "pos_inf_count": 0, "neg_inf_count": 0, "negative_count": 0,
            "min_value": 0.0, "max_value": 1.0, "is_constant": False, **changes}  # fmt: skip


def check(kind, options, document, **rule):
    """The one result of a policy of one rule; None when the rule does not apply."""
    policy = Policy("p", "1", "p", None, (Rule("r", kind, "FAIL", 1, "message", options=options, **rule),), REFERENCES)
    results = validate(document, policy)["results"]
    return results[0] if results else None


def with_value(*path, to):
    """The payload with one value replaced."""
    document = payload()
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return document


def part(**changes):
    document = payload()
    document["parts"][0].update(changes)
    return document


def box(left, top, right, bottom):
    return {"min": {"x": left, "y": top}, "max": {"x": right, "y": bottom}}


def with_channel(*added):
    document = payload()
    document["channels"] += added
    return document


def statistics_with(name, **changes):
    return with_value("stats", "channels", to=[statistics(name, **changes)])


def matte(**changes):
    return with_value("parts", 0, "cryptomatte", 0, to=payload()["parts"][0]["cryptomatte"][0] | changes)


def two_parts(**changes):
    document = payload()
    document["parts"].append({**document["parts"][0], "index": 1, "name": "depth", "view": "right", **changes})
    return document


def attribute(**entry):
    document = payload()
    document["attributes"]["parts"][0].append(entry)
    return document


REFERENCES = {"same.json": payload()}
CASES = [
    ("status", {"allowed": ["ok"]}, with_value("file", "status", to="unreadable"), "status_not_allowed"),
    ("completeness", {"allowed": ["complete"]},
     with_value("file", "completeness", "verdict", to="truncated"), "file_not_complete"),
    ("completeness", {"allowed": ["complete"], "max_bytes_missing": 0},
     with_value("file", "completeness", "bytes_missing", to=7), "too_many_bytes_missing"),
    ("completeness", {"allowed": ["complete"], "max_trailing_bytes": 0},
     with_value("file", "completeness", "trailing_bytes", to=7), "too_many_trailing_bytes"),
    ("resolution", {"min_width": 3840}, part(display_width=1920), "resolution_too_small"),
    ("resolution", {"max_height": 2160}, part(display_height=3000), "resolution_too_large"),
    ("resolution", {"sizes": [[3840, 2160]]}, part(display_width=4096), "resolution_not_allowed"),
    ("resolution", {"of": "data", "multiple_of": 16}, part(width=3841), "resolution_not_a_multiple"),
    ("window", {"relations": ["full", "over"]}, part(data_window=box(10, 10, 20, 20)), "window_not_allowed"),
    ("window", {"origin": [0, 0]}, part(display_window=box(1, 0, 3839, 2159)), "display_origin_not_allowed"),
    ("window", {"min_overscan": 0}, part(data_window=box(10, 0, 3839, 2159)), "overscan_too_small"),
    ("window", {"max_overscan": 100}, part(data_window=box(-200, 0, 3839, 2159)), "overscan_too_large"),
    ("pixel_aspect", {"min": 0.5, "max": 2}, part(pixel_aspect_ratio="NaN"), "pixel_aspect_not_allowed"),
    ("compression", {"allowed": ["zip", "piz"]}, part(compression="dwaa"), "compression_not_allowed"),
    ("compression", {"forbidden": ["b44"]}, part(compression="b44"), "compression_not_allowed"),
    ("channels", {"required": ["R", "A"]}, with_value("channels", to=[channel("R")]), "channel_missing"),
    ("channels", {"forbidden": [r"debug\..*"]}, with_channel(channel("debug.x")), "channel_forbidden"),
    ("channels", {"max_count": 13}, with_channel(channel("more")), "too_many_channels"),
    ("channel_types", {"allowed": ["HALF", "FLOAT"]}, with_channel(channel("id.x", "UINT")), "channel_type_not_allowed"),
    ("channel_names", {"pattern": r"[\w.]+"}, with_channel(channel("my pass.R")), "channel_name_not_allowed"),
    ("layers", {"required": ["crypto_object00"]}, with_value("channels", to=[channel("R")]), "layer_missing"),
    ("layers", {"allowed": [r"crypto_object\d\d"]}, with_channel(channel("fog.R")), "layer_not_allowed"),
    ("sampling", {"allowed": [[1, 1]]}, with_channel(channel("BY", x_sampling=2)), "sampling_not_allowed"),
    ("parts", {"max_count": 1}, two_parts(), "part_count_not_allowed"),
    ("parts", {"names": "[a-z]+"}, part(name="My Part"), "part_name_not_allowed"),
    ("parts", {"unique_names": True}, two_parts(name="beauty"), "part_name_repeated"),
    ("parts", {"views": ["left"]}, part(view=None), "view_missing"),
    ("parts", {"allowed_views": ["left"]}, two_parts(), "view_not_allowed"),
    ("tiling", {"storage": ["scanline"]}, part(is_tiled=True), "storage_not_allowed"),
    ("deep", {"allowed": False}, part(is_deep=True), "deep_not_allowed"),
    ("line_order", {"allowed": ["increasing_y"]}, part(line_order="random_y"), "line_order_not_allowed"),
    ("attribute", {"name": "owner"}, with_value("attributes", "parts", to=[[]]), "attribute_missing"),
    ("attribute", {"name": "debug", "forbidden": True}, attribute(name="debug", type="int", value=1), "attribute_forbidden"),
    ("attribute", {"name": "owner", "type": "string"}, attribute(name="owner", type="int"), "attribute_type_not_allowed"),
    ("attribute", {"name": "owner", "equals": "studio"}, attribute(name="owner", value="x"), "attribute_value_not_allowed"),
    ("attribute", {"name": "owner", "one_of": ["studio"]}, attribute(name="owner", value="x"), "attribute_value_not_allowed"),
    ("attribute", {"name": "owner", "pattern": "st.+"}, attribute(name="owner", value="x"), "attribute_value_not_allowed"),
    ("attribute", {"name": "iso", "min": 100, "max": 3200}, attribute(name="iso", value=9999), "attribute_out_of_range"),
    ("color_space", {"allowed": ["ACEScg"]}, part(color_space="sRGB"), "color_space_not_allowed"),
    ("color_space", {"allowed": ["ACEScg"], "required": True}, part(color_space=None), "color_space_missing"),
    ("color_interop_id", {"allowed": ["lin_ap0_scene"]}, attribute(), None),
    ("chromaticities", {"equal": "ap0"}, part(chromaticities={**AP0, "red": [0.64, 0.33]}), "chromaticities_differ"),
    ("header_size", {"max_bytes": 1000}, with_value("file", "header_bytes", to=10**7), "header_too_large"),
    ("manifest_size", {"max_bytes": 100}, with_value("attributes", "parts", 0, 3, "size", to=10**6), "manifest_too_large"),
    ("cryptomatte", {}, matte(key_matches=False), "cryptomatte_key_wrong"),
    ("cryptomatte", {}, matte(manifest_entries=None), "cryptomatte_manifest_damaged"),
    ("cryptomatte", {}, matte(manifest_mismatches=3), "cryptomatte_ids_wrong"),
    ("cryptomatte", {"min_ranks": 2}, matte(ranks=1), "cryptomatte_ranks_missing"),
    ("cryptomatte", {}, part(compression="dwaa"), "cryptomatte_compressed_with_loss"),
    ("cryptomatte", {}, with_channel(channel("crypto_object02.R", "HALF")), "cryptomatte_not_float"),
    ("cryptomatte_metadata", {}, with_channel(channel("VRayCryptomatte00.R", "FLOAT")), "cryptomatte_metadata_missing"),
    ("path", {"name": r"[A-Za-z0-9._-]+"}, with_value("file", "path_normalized", to="/a/my frame.1.exr"), "name_not_allowed"),
    ("path", {"path": "/shows/.*"}, with_value("file", "path_normalized", to="/tmp/a.exr"), "path_not_allowed"),
    ("path", {"extension": "exr"}, with_value("file", "path_normalized", to="/a/b.EXR"), "extension_not_allowed"),
    ("frame", {"digits": 4}, with_value("file", "path_normalized", to="/a/beauty.01001.exr"), "frame_padding_wrong"),
    ("frame", {"required": True}, with_value("file", "frame_number", to=None), "frame_number_missing"),
    ("timecode", {}, part(timecode="01:00:00:00"), "timecode_out_of_step"),
    ("timecode", {"required": True, "in_step": False}, part(timecode=None), "timecode_missing"),
    ("pixels", {"max_nan": 0}, statistics_with("R", nan_count=2), "pixels_nan"),
    ("pixels", {"max_infinite": 100}, statistics_with("Z", pos_inf_count=60, neg_inf_count=60), "pixels_infinite"),
    ("pixels", {"max_negative": 0}, statistics_with("R", negative_count=1), "pixels_negative"),
    ("pixels", {"min": 0}, statistics_with("R", min_value=-0.5), "pixels_below_range"),
    ("pixels", {"max": 1}, statistics_with("A", max_value="Infinity"), "pixels_above_range"),
    ("pixels", {"constant": False}, statistics_with("R", is_constant=True), "pixels_constant"),
    ("embedding", {"reference": "same.json", "max_distance": 0.005}, part(is_deep=True), "too_far_from_reference"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options", "failing", "code"), CASES)
def test_a_rule_passes_what_it_allows_and_fails_what_it_does_not(kind, options, failing, code):
    """With a stable code, what was expected, and what was found."""
    fits = check(kind, options, payload())
    assert (fits["status"], fits["status_code"], fits["suggested_fix"]) == ("PASS", "ok", None), fits
    if code is None:
        return
    finding = check(kind, options, failing)
    assert (finding["status"], finding["status_code"]) == ("FAIL", code)
    assert finding["expected"] == options
    assert finding["message"].startswith(f"message: {code.replace('_', ' ')}")
    assert json.dumps(finding)


def test_every_kind_is_among_the_cases():
    """Two kinds need files of their own: they have tests below."""
    assert RULE_KINDS.keys() - {case[0] for case in CASES} == {"color_metadata"}


def test_channel_sets_are_exact():
    """ACES allows RGB or RGBA, nothing beside."""
    options = {"one_of": [["R", "G", "B"], ["R", "G", "B", "A"]]}
    exact = with_value("channels", to=[channel(name) for name in "ABGR"])
    assert check("channels", options, exact)["status"] == "PASS"
    assert check("channels", options, payload())["status_code"] == "channel_set_not_allowed"


def test_tile_rules_are_about_tiles():
    """A scanline part has no tile size to be wrong."""
    tiles = {"is_tiled": True, "tile_width": 64, "tile_height": 64, "tile_level_mode": "one_level"}
    assert check("tiling", {"tile_sizes": [[64, 64]]}, payload()) is None
    assert check("tiling", {"tile_sizes": [[64, 64]]}, part(**tiles))["status"] == "PASS"
    assert check("tiling", {"tile_sizes": [[32, 32]]}, part(**tiles))["status_code"] == "tile_size_not_allowed"
    assert check("tiling", {"level_modes": ["mipmap_levels"]}, part(**tiles))["status_code"] == "level_mode_not_allowed"


def test_interop_ids_are_read_from_the_attribute():
    """Absent is no fault unless it is required."""
    wrong = with_value("attributes", "parts", 0, 2, "value", to="srgb_texture")
    absent = with_value("attributes", "parts", to=[[]])
    options = {"allowed": ["lin_ap0_scene"]}
    assert check("color_interop_id", options, wrong)["status_code"] == "color_interop_id_not_allowed"
    assert check("color_interop_id", options, absent) is None
    assert check("color_interop_id", options | {"required": True}, absent)["status_code"] == "color_interop_id_missing"


@pytest.mark.parametrize("off", [0, 0.0004, 0.0006])
def test_a_space_is_named_and_checked_by_one_tolerance(off):
    """A file that is called lin_ap0_scene has AP0's chromaticities, and one that is not called so has not."""
    own = {**AP0, "red": [AP0["red"][0] + off, AP0["red"][1]]}
    is_named = interop_id([number for corner in AP0 for number in own[corner]]) == "lin_ap0_scene"
    passes = check("chromaticities", {"equal": "ap0"}, part(chromaticities=own))["status"] == "PASS"
    assert is_named is passes is (off < 0.0005)


def test_chromaticities_may_be_numbers_and_may_be_required():
    """A known name or eight numbers, within a tolerance."""
    exact = {"values": [0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767]}
    absent = part(chromaticities=None)
    assert check("chromaticities", exact, payload())["status"] == "PASS"
    assert check("chromaticities", {"equal": "rec709", "tolerance": 0.01}, payload())["status_code"] == "chromaticities_differ"
    assert check("chromaticities", {"equal": "ap0"}, absent) is None
    assert check("chromaticities", {"equal": "ap0", "required": True}, absent)["status_code"] == "chromaticities_missing"


def test_openexr_judges_colour_metadata_where_a_file_claims_a_space():
    """An interop id and chromaticities of another space contradict each other."""
    aces = attribute(name="acesImageContainerFlag", type="int", value=1)
    aces["attributes"]["parts"][0].append({"name": "chromaticities", "type": "chromaticities", "value": AP0})
    assert check("color_metadata", {}, aces)["status"] == "PASS"
    wrong = copy.deepcopy(aces)
    wrong["attributes"]["parts"][0][-1]["value"] = {**AP0, "red": [0.64, 0.33]}
    finding = check("color_metadata", {}, wrong)
    assert finding["status_code"] == "color_metadata_contradicts"
    assert set(finding["actual"]) >= {"chromaticities_differ"}
    ignored = {"ignored": finding["actual"]}
    assert check("color_metadata", ignored, wrong)["status"] == "PASS"
    assert check("color_metadata", {}, with_value("attributes", "parts", to=[[]])) is None


def test_roles_narrow_a_rule_to_their_channels():
    """Infinity in depth is background; in colour it is a fault."""
    options = {"max_infinite": 0}
    assert check("pixels", options, payload(), roles=("beauty",))["status"] == "PASS"
    finding = check("pixels", options, payload(), roles=("depth",))
    assert (finding["status_code"], finding["channel_name"], finding["part_index"], finding["actual"]) == (
        "pixels_infinite",
        "Z",
        0,
        90,
    )
    assert check("channel_types", {"allowed": ["HALF"]}, payload(), roles=("beauty", "alpha"))["status"] == "PASS"
    assert check("compression", {"allowed": ["zip"]}, payload(), roles=("uv",)) is None


def test_paths_narrow_a_rule_to_some_files():
    """A glob's star also crosses folders."""
    assert check("deep", {"allowed": False}, payload(), paths=("*/sh010/*",))["status"] == "PASS"
    assert check("deep", {"allowed": False}, payload(), paths=("*/plates/*",)) is None


def test_rules_about_statistics_say_nothing_without_them():
    """Header-only inspection does not fail for what it did not read."""
    assert check("pixels", {"max_nan": 0}, with_value("stats", to={})) is None


POLICY = """
id = "house"
version = "3"
[[rule]]
id = "a"
kind = "deep"
severity = "WARN"
allowed = false
[[rule]]
id = "b"
kind = "compression"
severity = "FAIL"
allowed = ["piz"]
message = "Piz only"
suggested_fix = "oiiotool {path} --compression piz -o {path}"
"""


def test_the_section_names_policy_verdict_and_counts():
    """The worst status is the file's; passes are listed when asked for."""
    policy = parse_policy(POLICY, "house.toml")
    section = validate(part(is_deep=True), policy)
    assert (section["policy_id"], section["policy_version"], section["status"]) == ("house", "3", "FAIL")
    assert section["counts"] == {"PASS": 0, "WARN": 1, "FAIL": 1}
    assert [(result["rule_id"], result["status"], result["severity"]) for result in section["results"]] == [
        ("a", "WARN", "WARN"),
        ("b", "FAIL", "FAIL"),
    ]
    quiet = validate(payload(), policy, passes=False)
    assert [result["rule_id"] for result in quiet["results"]] == ["b"]
    assert quiet["counts"]["PASS"] == 1


def test_a_fix_is_a_command_for_this_file():
    """Paths with blanks are quoted for the shell."""
    document = with_value("file", "path_normalized", to="/a/my frame.exr")
    (_, result) = validate(document, parse_policy(POLICY, "house.toml"))["results"]
    assert result["suggested_fix"] == "oiiotool '/a/my frame.exr' --compression piz -o '/a/my frame.exr'"


def test_the_same_payload_and_policy_give_the_same_findings():
    """And the payload stays as it was."""
    document, before = payload(), payload()
    policy = parse_policy(POLICY, "house.toml")
    assert json.dumps(validate(document, policy)) == json.dumps(validate(copy.deepcopy(document), policy))
    assert document == before


def test_a_policy_of_which_nothing_applies_passes():
    """No result, no fault."""
    assert validate({"file": {}, "parts": [], "channels": []}, parse_policy(POLICY, "house.toml")) == {
        "policy_id": "house",
        "policy_version": "3",
        "status": "PASS",
        "counts": {"PASS": 0, "WARN": 0, "FAIL": 0},
        "results": [],
    }


def test_one_result_stands_for_many_channels():
    """The first place and the number are in the message; values are listed once, at most sixteen."""
    document = with_channel(*(channel(f"l{at}.x y") for at in range(40)))
    finding = check("channel_names", {"pattern": r"[\w.]+"}, document)
    assert "40 of 53" in finding["message"]
    assert len(finding["actual"]) == 16
    assert finding["channel_name"] is None
