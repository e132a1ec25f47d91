"""The shipped policies judge real files: the samples by golden findings, an ACES container by each single deviation from it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest

from exr_validation import load_policy, validate
from project import ROOT
from scripts.samples import SAMPLES, write_samples
from scripts.validation import describe, main

POLICIES = sorted((ROOT / "policies").glob("*.toml"))
GOLDEN = Path(__file__).parent / "golden/policies.json"
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


def judged(path: Path, policy: str = "aces_container") -> dict[str, str]:
    """Rule -> code of what fails."""
    section = validate(describe(path), load_policy(ROOT / f"policies/{policy}.toml"), passes=False)
    return {result["rule_id"]: result["status_code"] for result in section["results"]}


def test_an_aces_container_passes(tmp_path):
    """With alpha and without."""
    assert judged(aces(tmp_path / "rgba.exr")) == {}
    assert judged(aces(tmp_path / "rgb.exr", names="RGB")) == {}


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
    assert judged(aces(tmp_path / "deviant.exr", **changes)) == codes


def test_a_cut_container_is_not_complete(tmp_path):
    """The header alone would pass."""
    path = aces(tmp_path / "cut.exr")
    path.write_bytes(path.read_bytes()[:-100])
    assert judged(path) == {"complete": "file_not_complete"}


def test_two_parts_are_no_aces_container(tmp_path):
    """ST 2065-4 knows a single part."""
    header = {"compression": OpenEXR.NO_COMPRESSION, "acesImageContainerFlag": 1, "chromaticities": AP0}
    parts = [OpenEXR.Part(dict(header), {"RGB": np.zeros((8, 8, 3), "float16")}, name) for name in ("one", "two")]
    OpenEXR.File(parts).write(str(tmp_path / "two.exr"))
    assert judged(tmp_path / "two.exr")["one-part"] == "part_count_not_allowed"


def findings(directory: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Policy -> sample -> rule -> code of what fails."""
    return {
        policy.stem: {relative: judged(directory / relative, policy.stem) for relative in SAMPLES} for policy in POLICIES
    }


def test_every_shipped_policy_finds_in_the_samples_what_it_found_before(samples):
    """`python tests/test_policies.py` writes the golden findings anew; read the difference before committing it."""
    assert findings(samples) == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_no_policy_lets_a_file_pass_that_is_no_exr(samples):
    """Nothing applies to it, and it must not pass for that."""
    (unreadable,) = (relative for relative in SAMPLES if relative.endswith("notes.exr"))
    for policy in POLICIES:
        assert judged(samples / unreadable, policy.stem)["readable"] == "status_not_allowed"


def test_the_command_exits_1_on_a_failure_and_says_how_to_mend_it(samples, capsys):
    """For CI, and for the person who reads its log."""
    stereo = str(next(samples / relative for relative in SAMPLES if "stereo" in relative))
    assert main([stereo, "--policy", "aces_container"]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("FAIL ")
    assert f"fix: oiiotool {stereo}" in shown


def test_the_command_exits_0_when_nothing_fails(tmp_path, capsys):
    """Warnings do not count as failures; `--all` lists what passes."""
    path = aces(tmp_path / "frame.exr")
    assert main([str(tmp_path), "--policy", str(ROOT / "policies/aces_container.toml"), "--json", "--all"]) == 0
    (entry,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (entry["path"], entry["status"]) == (str(path), "PASS")
    assert {result["rule_id"] for result in entry["results"]} >= {"ap0", "half"}


@pytest.mark.parametrize(("path", "policy"), [("", "no/such.toml"), ("/*.png", "default"), ("/absent.exr", "default")])
def test_the_command_exits_2_on_a_wrong_policy_or_path(tmp_path, capsys, path, policy):
    """A check that looked at nothing must not pass."""
    assert main([f"{tmp_path}{path}", "--policy", policy]) == 2
    assert "validate: " in capsys.readouterr().err


def test_globs_reach_into_folders(samples, capsys):
    """`**` stands for any depth, as in a shell."""
    main([f"{samples}/**/*beauty_v003.100*.exr", "--policy", "default", "--json"])
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_suggested_commands_are_those_of_known_programs():
    """A fix that nobody can run is none."""
    known = {"oiiotool", "exrheader", "exrstdattr", "maketx"}
    fixes = [rule.suggested_fix for path in POLICIES for rule in load_policy(path).rules if rule.suggested_fix]
    assert {fix.split()[0] for fix in fixes} <= known
    assert all("{path}" in fix for fix in fixes)


@pytest.mark.skipif(shutil.which("exrheader") is None, reason="needs OpenEXR's command line programs")
def test_the_command_that_shows_a_header_runs(tmp_path):
    """The fix of the rule that every policy begins with."""
    done = subprocess.run(["exrheader", str(aces(tmp_path / "a.exr"))], capture_output=True, text=True, check=False)
    assert done.returncode == 0


if __name__ == "__main__":
    import tempfile

    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        write_samples(Path(folder))
        GOLDEN.write_text(json.dumps(findings(Path(folder)), indent=1) + "\n", encoding="utf-8")
