"""The shipped policies judge real files: the samples by golden findings, an ACES container by each single deviation from it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_inspector.cli.validate import main
from exr_inspector.operations.samples import SAMPLES, write_samples
from exr_inspector.operations.validation import describe
from exr_inspector.validation import validate as exr_validation
from exr_inspector.validation.subject import Probe
from exr_inspector.validation.validate import load_policy, validate
from project import ROOT
from sample_payloads import payload

POLICIES = sorted((ROOT / "exr_inspector/validation/policies").glob("*.toml"))
GOLDEN = Path(__file__).resolve().parents[1] / "golden/policies.json"
AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every sample render."""
    directory = tmp_path_factory.mktemp("samples")
    write_samples(directory)
    return directory


def aces(path: Path, *, kind: str = "float16", names: str = "RGBA", **changes: Any) -> Path:
    """A small file that ST 2065-4 allows; `changes` are header attributes, None removes one."""
    header = {
        "type": OpenEXR.scanlineimage,
        "compression": OpenEXR.NO_COMPRESSION,
        "acesImageContainerFlag": 1,
        "chromaticities": AP0,
    } | changes
    pixels = {name: np.full((16, 24), 0.25, dtype=kind) for name in names}
    OpenEXR.File({key: value for key, value in header.items() if value is not None}, pixels).write(str(path))
    return path


def failures(path: Path, policy: str = "aces_container") -> dict[str, str]:
    """Rule -> code of what fails."""
    section = validate(describe(path), load_policy(ROOT / f"exr_inspector/validation/policies/{policy}.toml"), passes=False)
    return {result["rule_id"]: result["status_code"] for result in section["results"]}


def test_an_aces_container_passes(tmp_path):
    """With alpha and without."""
    assert failures(aces(tmp_path / "rgba.exr")) == {}
    assert failures(aces(tmp_path / "rgb.exr", names="RGB")) == {}


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"acesImageContainerFlag": None}, {"container-flag": "attribute_missing"}),
        (
            {"acesImageContainerFlag": 2},
            {"container-flag": "attribute_value_not_allowed", "colour-metadata-consistent": "color_metadata_contradicts"},
        ),
        (
            {"chromaticities": REC709},
            {"ap0": "chromaticities_differ", "colour-metadata-consistent": "color_metadata_contradicts"},
        ),
        (
            {"chromaticities": None},
            {"ap0": "chromaticities_missing", "colour-metadata-consistent": "color_metadata_contradicts"},
        ),
        ({"compression": OpenEXR.ZIP_COMPRESSION}, {"uncompressed": "compression_not_allowed"}),
        ({"kind": "float32"}, {"half": "channel_type_not_allowed"}),
        ({"names": "RGBAZ"}, {"channels": "channel_set_not_allowed"}),
        ({"names": "Y"}, {"channels": "channel_set_not_allowed"}),
        (
            {"type": OpenEXR.tiledimage, "tiles": OpenEXR.TileDescription()},
            {"scanlines": "storage_not_allowed"},
        ),
    ],
)
def test_each_deviation_from_an_aces_container_fails_with_its_own_code(tmp_path, changes, codes):
    """And with OpenEXR's own finding, where that looks at the same attribute."""
    assert failures(aces(tmp_path / "deviant.exr", **changes)) == codes


def test_a_cut_container_is_not_complete(tmp_path):
    """The header alone would pass."""
    path = aces(tmp_path / "cut.exr")
    path.write_bytes(path.read_bytes()[:-100])
    assert failures(path) == {"complete": "file_not_complete"}


def test_two_parts_are_no_aces_container(tmp_path):
    """ST 2065-4 knows a single part."""
    header = {"compression": OpenEXR.NO_COMPRESSION, "acesImageContainerFlag": 1, "chromaticities": AP0}
    parts = [OpenEXR.Part(dict(header), {"RGB": np.zeros((8, 8, 3), "float16")}, name) for name in ("one", "two")]
    OpenEXR.File(parts).write(str(tmp_path / "two.exr"))
    assert failures(tmp_path / "two.exr")["one-part"] == "part_count_not_allowed"


def findings(directory: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Policy -> sample -> rule -> code of what fails."""
    return {policy.stem: {relative: failures(directory / relative, policy.stem) for relative in SAMPLES} for policy in POLICIES}


def test_every_shipped_policy_finds_in_the_samples_what_it_found_before(samples):
    """`python tests/validation/test_policies.py` writes the golden findings anew; read the difference before committing it."""
    assert findings(samples) == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_no_policy_lets_a_file_pass_that_is_no_exr(samples):
    """Nothing applies to it, and it must not pass for that."""
    (unreadable,) = (relative for relative in SAMPLES if relative.endswith("notes.exr"))
    for policy in POLICIES:
        assert failures(samples / unreadable, policy.stem)["readable"] == "status_not_allowed"


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.stem)
def test_no_policy_lets_a_file_pass_whose_pixels_do_not_decode(policy):
    """Its header can be read, and all its chunks are there."""
    section = validate(payload(status="damaged"), load_policy(policy))
    (readable,) = (result for result in section["results"] if result["rule_id"] == "readable")
    assert (readable["status"], readable["status_code"], readable["actual"]) == ("FAIL", "status_not_allowed", "damaged")


def test_the_command_exits_3_on_a_failure_and_says_how_to_mend_it(samples, capsys):
    """For CI, and for the person who reads its log."""
    stereo = str(next(samples / relative for relative in SAMPLES if "stereo" in relative))
    assert main([stereo, "--policy", "aces_container"]) == 3
    shown = capsys.readouterr().out
    assert "\nFAIL  " in shown
    assert shown.splitlines()[-1] == "1 file by aces_container 1: 0 pass, 0 with warnings, 1 fail"
    assert f"fix: oiiotool --native --wildcardoff --evaloff --create-dir --nosoftwareattrib -a {stereo} " in shown


def test_the_command_exits_0_when_nothing_fails(tmp_path, capsys):
    """Warnings do not count as failures; `--all` lists what passes."""
    path = aces(tmp_path / "frame.exr")
    assert (
        main([str(tmp_path), "--policy", str(ROOT / "exr_inspector/validation/policies/aces_container.toml"), "--json", "--all"])
        == 0
    )
    (entry,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (entry["path"], entry["status"]) == (str(path), "PASS")
    assert {result["rule_id"] for result in entry["results"]} >= {"ap0", "half"}


@pytest.mark.parametrize(("path", "policy"), [("", "no/such.toml"), ("/*.png", "default"), ("/absent.exr", "default")])
def test_the_command_exits_2_on_a_wrong_policy_or_path(tmp_path, capsys, monkeypatch, path, policy):
    """A check that looked at nothing must not pass; the message begins with the command that was typed."""
    monkeypatch.setattr(sys, "argv", ["exr-inspector validate"])
    assert main([f"{tmp_path}{path}", "--policy", policy]) == 2
    assert "validate: " in capsys.readouterr().err


def test_globs_reach_into_folders(samples, capsys):
    """`**` stands for any depth, as in a shell."""
    main([f"{samples}/**/*beauty_v003.100*.exr", "--policy", "default", "--json"])
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_what_fails_stands_by_rule_and_sequence_with_ranges_of_frames(samples, capsys, monkeypatch):
    """Three frames of a sequence are one line, and lines fit 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main([str(samples), "--policy", "netflix_vfx"]) == 3
    lines = capsys.readouterr().out.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("FAIL  active-width: "))
    assert "      sq010/sh020/beauty/v003  1001-1003" in lines[start:]
    assert lines[-1] == "10 files by netflix_vfx 1: 0 pass, 0 with warnings, 10 fail"
    assert [line for line in lines if len(line) > 80 and not line.strip().startswith(("fix: ", "in "))] == []


def test_a_rule_can_be_left_out(samples, capsys):
    """By its id; one that the policy has not is refused with the near ones."""
    (unreadable,) = (str(samples / relative) for relative in SAMPLES if relative.endswith("notes.exr"))
    assert main([unreadable, "--policy", "comp_plate", "--except", "readable"]) == 0
    assert main([unreadable, "--policy", "comp_plate", "--except", "readible"]) == 2
    assert "Did you mean readable?" in capsys.readouterr().err


def test_junit_has_a_case_for_each_rule_of_each_file(samples, capsys):
    """What fails is a failure with its message, what is warned of is none."""
    frames = f"{samples}/**/*beauty_v003.100*.exr"
    assert main([frames, "--policy", "netflix_vfx", "--format", "junit"]) == 3
    suite = ElementTree.fromstring(capsys.readouterr().out)  # noqa: S314 - made a line before
    cases = suite.findall("testcase")
    assert suite.get("tests") == str(len(cases))
    failing = {case.get("name") for case in cases if case.find("failure") is not None}
    assert failing == {"active-width"}
    assert suite.get("failures") == "3"
    assert {case.get("name") for case in cases if case.find("system-out") is not None} == {"timecode-in-step"}
    assert {case.get("classname") for case in cases} == {
        str(samples / relative) for relative in SAMPLES if "beauty_v003.100" in relative
    }


def test_sarif_has_a_result_for_each_rule_that_is_not_met(samples, capsys):
    """With its level and its file, under rules that the tool declares."""
    assert main([f"{samples}/**/*beauty_v003.100*.exr", "--policy", "netflix_vfx", "--format", "sarif"]) == 3
    document = json.loads(capsys.readouterr().out)
    (run,) = document["runs"]
    assert document["version"] == "2.1.0"
    levels = [(one["ruleId"], one["level"]) for one in run["results"]]
    assert sorted(set(levels)) == [("active-width", "error"), ("timecode-in-step", "warning")]
    assert {one["ruleId"] for one in run["results"]} <= {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    places = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]}
    assert places == {str(samples / relative) for relative in SAMPLES if "beauty_v003.100" in relative}


OIIOTOOL = shutil.which("oiiotool", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
COMMANDS = sorted(
    (policy.stem, rule.id) for policy in POLICIES for rule in load_policy(policy).rules if "{path}" in (rule.suggested_fix or "")
)
"""Policy and rule of every fix that is a command."""


def fixes(path: Path, policy: str, stats: dict[str, Any] | None = None) -> dict[str, str]:
    """Rule -> suggested fix of what fails."""
    payload = describe(path) | ({"stats": stats} if stats else {})
    section = validate(payload, load_policy(ROOT / f"exr_inspector/validation/policies/{policy}.toml"), passes=False)
    return {result["rule_id"]: result["suggested_fix"] for result in section["results"]}


def picture(path: Path, channels: dict[str, str], *, size: tuple[int, int] = (32, 64), **header: Any) -> Path:
    """A scanline file, compressed with ZIP, of noise that half floats do not hold exactly."""
    noise = np.random.default_rng(8)
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION, "software": "Arnold 7.3.4.1"} | header
    planes = {name: (noise.random(size) * 1000).astype(kind) for name, kind in channels.items()}
    OpenEXR.File(header, planes).write(str(path))
    return path


def tiles_of(side: int) -> OpenEXR.TileDescription:
    """Square tiles."""
    tiles = OpenEXR.TileDescription()
    tiles.xSize = tiles.ySize = side
    return tiles


HALF_RGBA = dict.fromkeys("RGBA", "float16")
FLOAT_RGBA = dict.fromkeys("RGBA", "float32")
MIXED = FLOAT_RGBA | {"Z": "float32"} | {f"CryptoObject00.{c}": "float32" for c in "RGBA"}
TILED = {"type": OpenEXR.tiledimage, "tiles": OpenEXR.TileDescription()}
ACES = {"compression": OpenEXR.NO_COMPRESSION, "acesImageContainerFlag": 1, "chromaticities": AP0}
SMALL_TILES = TILED | {"tiles": tiles_of(16)}
TO_MEND: dict[tuple[str, str], tuple[dict[str, str], dict[str, Any]]] = {
    ("aces_container", "uncompressed"): (HALF_RGBA, ACES | {"compression": OpenEXR.ZIP_COMPRESSION}),
    ("aces_container", "half"): (FLOAT_RGBA, ACES),
    ("aces_container", "scanlines"): (HALF_RGBA, ACES | TILED),
    ("comp_plate", "scanlines"): (MIXED, TILED),
    ("comp_plate", "rows-apart"): (MIXED, {"compression": OpenEXR.RLE_COMPRESSION}),
    ("netflix_vfx", "half"): (MIXED, {}),
    ("netflix_vfx", "lossless"): (MIXED, {"compression": OpenEXR.RLE_COMPRESSION}),
    ("texture_mipmap", "tiled"): (dict.fromkeys("RGB", "float16"), {}),
    ("texture_mipmap", "mip-mapped"): (dict.fromkeys("RGB", "float32"), TILED),
    ("texture_mipmap", "tile-size"): (dict.fromkeys("RGB", "float16"), SMALL_TILES),
}
"""A file that each command mends: channels and header."""
MAY_CHANGE = {
    "capDate", "channels", "chunkCount", "colorInteropID", "compression", "fovcot", "textureformat", "tiles", "type",
    "uvslopes_scale", "wrapmodes", "oiio:AverageColor", "oiio:ConstantColor", "oiio:SHA-1",
}  # fmt: skip
"""Attributes that OpenImageIO adds, and those that a fix is about."""


def planes(path: Path) -> dict[str, np.ndarray]:
    """The samples of a file's first part."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return {name: np.array(channel.pixels) for name, channel in file.parts[0].channels.items()}


def attributes(path: Path) -> dict[str, str]:
    """The attributes that no fix may change."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return {name: repr(value) for name, value in file.parts[0].header.items() if name not in MAY_CHANGE}


@pytest.mark.skipif(OIIOTOOL is None, reason="needs oiiotool, which the package OpenImageIO brings")
@pytest.mark.parametrize(("policy", "rule"), COMMANDS)
def test_a_suggested_command_mends_what_failed_and_nothing_else(tmp_path, policy, rule):
    """Run as it stands: the rule passes, no other fails for it, samples and attributes stay, and so does the file itself."""
    channels, header = TO_MEND[policy, rule]
    folder = tmp_path / "sh 010 {x}"
    folder.mkdir()
    path = picture(folder / "beauty#.1001.exr", channels, **header)
    before, failed = path.read_bytes(), failures(path, policy)
    command = fixes(path, policy)[rule]
    assert OIIOTOOL is not None
    environment = os.environ | {"PATH": f"{Path(OIIOTOOL).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    subprocess.run(command, shell=True, check=True, cwd=tmp_path, env=environment, capture_output=True)  # noqa: S602
    (output,) = (written for written in tmp_path.rglob("*.exr") if written != path)
    assert path.read_bytes() == before
    assert failures(output, policy).keys() < failed.keys()
    assert rule not in failures(output, policy)
    assert attributes(output) == attributes(path)
    assert_same_samples(path, output, halves="RGBA" if rule == "half" else "")


def assert_same_samples(path: Path, output: Path, halves: str) -> None:
    """The same channels, bit by bit, but for those that became half floats."""
    theirs, mine = planes(output), planes(path)
    assert theirs.keys() == mine.keys()
    for name, samples in mine.items():
        wanted = samples.astype("float16") if name in halves else samples
        assert theirs[name].dtype == wanted.dtype
        assert theirs[name].tobytes() == wanted.tobytes(), name


def test_every_command_is_run():
    """A fix that is new needs a file that it mends."""
    assert sorted(TO_MEND) == COMMANDS


def two_parts(path: Path) -> Path:
    """R twice, as floats in the first part, as whole numbers in the second."""
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    kinds = {"a": "float32", "b": "uint32"}
    parts = [OpenEXR.Part(dict(header), {"R": np.zeros((8, 8), kind)}, name) for name, kind in kinds.items()]
    OpenEXR.File(parts).write(str(path))
    return path


def cut(path: Path) -> Path:
    """A file without its last bytes."""
    path.write_bytes(path.read_bytes()[:-200])
    return path


def cut_picture(path: Path) -> Path:
    """A picture of floats without its last bytes."""
    return cut(picture(path, FLOAT_RGBA))


DWAB = OpenEXR.DWAB_COMPRESSION
OVERSCAN = {
    "dataWindow": (np.array([-4, -4], "int32"), np.array([59, 27], "int32")),
    "displayWindow": (np.array([0, 0], "int32"), np.array([55, 23], "int32")),
}
half_picture = partial(picture, channels=HALF_RGBA)
HARMED: dict[str, tuple[str, str, Callable[[Path], Path], str]] = {
    "lossy": ("netflix_vfx", "lossless", partial(half_picture, compression=DWAB), "dropped"),
    "lossy rows": ("comp_plate", "rows-apart", partial(half_picture, compression=DWAB), "dwab"),
    "lossy tiles": ("comp_plate", "scanlines", partial(half_picture, **TILED, compression=DWAB), "dwab"),
    "data as half": ("aces_container", "half", partial(picture, channels=MIXED, **ACES), "may hold data"),
    "whole numbers": ("netflix_vfx", "half", partial(picture, channels=FLOAT_RGBA | {"id": "uint32"}), "'id' would be rounded"),
    "cut": ("netflix_vfx", "half", cut_picture, "missing"),
    "another part": ("netflix_vfx", "half", two_parts, "'R'"),
    "overscan": ("texture_mipmap", "tiled", partial(half_picture, **OVERSCAN), "data window"),
    "cube map": ("texture_mipmap", "tiled", partial(half_picture, envmap=OpenEXR.ENVMAP_CUBE), "'envmap'"),
}


@pytest.mark.parametrize("name", HARMED)
def test_where_a_command_would_harm_the_advice_is_to_render_again(tmp_path, name):
    """And it says what would be lost."""
    policy, rule, make, said = HARMED[name]
    fix = fixes(make(tmp_path / "frame.1001.exr"), policy)[rule]
    assert fix.startswith("Render or export it again: ")
    assert said in fix


@pytest.mark.parametrize(
    ("section", "change", "said"),
    [
        ("parts", {"tile_level_mode": "mipmap_levels"}, "levels (mipmap_levels)"),
        ("parts", {"tile_level_mode": "ripmap_levels"}, "levels (ripmap_levels)"),
        ("parts", {"is_deep": True}, "deep"),
        ("channels", {"y_sampling": 2}, "'A' is subsampled"),
    ],
)
def test_what_a_scanline_file_cannot_hold_is_rendered_again(tmp_path, section, change, said):
    """Levels, deep samples, and samples for every other line."""
    payload = describe(picture(tmp_path / "tiled.1001.exr", HALF_RGBA, **TILED))
    payload[section][0] |= change
    results = validate(payload, load_policy(ROOT / "exr_inspector/validation/policies/comp_plate.toml"), passes=False)["results"]
    (fix,) = (result["suggested_fix"] for result in results if result["rule_id"] == "scanlines")
    assert fix.startswith("Render or export it again: ")
    assert said in fix


def test_values_beyond_half_floats_are_not_made_infinite(tmp_path):
    """Where statistics know of them."""
    path = picture(tmp_path / "sun.1001.exr", FLOAT_RGBA)
    bright = {"channels": [{"part_index": 0, "channel_name": "G", "min_value": 0.0, "max_value": 1e5}]}
    assert "-d G=half" in fixes(path, "netflix_vfx")["half"]
    assert "become infinite" in fixes(path, "netflix_vfx", bright)["half"]


@settings(deadline=None)
@given(
    folder=st.sampled_from(["", "/", "/a b/", "fixed/half/", "s3://bucket/shots/"]),
    name=st.text(st.sampled_from("-a'\" #%{}$.;é\n"), min_size=1, max_size=8).filter(lambda name: name not in (".", "..")),
)
def test_no_fix_writes_over_its_input(folder, name):
    """Whatever the path: as a shell reads the command, it names the file once, and writes into another folder."""
    path = f"{folder}{name}.exr"
    for policy, rule in COMMANDS:
        (chosen,) = (
            one for one in load_policy(ROOT / f"exr_inspector/validation/policies/{policy}.toml").rules if one.id == rule
        )
        command = exr_validation._fill_template(chosen, [Probe("x", False, None, 0, "R")], path)
        words = shlex.split(command.removeprefix("On a local copy: "))
        given_path, output = words[words.index("-a") + 1 if "-a" in words else 5], words[-1]
        local = path.removeprefix("s3://bucket/shots/")
        assert given_path in (local, f"./{local}")
        assert words.count(given_path) == 1
        assert output == f"{local[: len(local) - len(name) - 4]}fixed/{rule}/{name}.exr"
        assert command.startswith("On a local copy: ") == path.startswith("s3:")


def test_every_fix_is_a_command_that_runs_or_advice():
    """Commands are of a program that is known and tried; everything else says to render, export or copy again."""
    for policy in POLICIES:
        for rule in load_policy(policy).rules:
            if rule.suggested_fix and (policy.stem, rule.id) not in COMMANDS:
                assert "again" in rule.suggested_fix
    commands = [fix for policy in POLICIES for rule in load_policy(policy).rules if "{" in (fix := rule.suggested_fix or "")]
    assert all(fix.startswith("oiiotool ") and fix.endswith(" {output}") for fix in commands)


if __name__ == "__main__":
    import tempfile

    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        write_samples(Path(folder))
        GOLDEN.write_text(json.dumps(findings(Path(folder)), indent=1) + "\n", encoding="utf-8")
