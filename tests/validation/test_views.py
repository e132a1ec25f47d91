"""Rules by role look at every view, however a file says its views; and cryptomattes over all parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest

from exr_inspector.operations.validation import describe
from exr_inspector.validation.policy import Policy, Rule, load_policy
from exr_inspector.validation.validate import validate
from pixel_files import stats
from project import ROOT

BROKEN, SOUND = np.full((4, 4), 1.0, "float32"), np.full((4, 4), 1.0, "float32")
BROKEN[0, 0], BROKEN[1, 1] = np.inf, -5
HEADER = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}


def picture(view: str, broken: str) -> dict[str, np.ndarray]:
    """R, G and B of a view."""
    return dict.fromkeys("RGB", BROKEN if view == broken else SOUND)


def one_part(path: Path, broken: str) -> None:
    """Both views in one part; the first view has the names without a prefix."""
    right = {f"right.{name}": samples for name, samples in picture("right", broken).items()}
    OpenEXR.File(HEADER | {"multiView": ["left", "right"]}, picture("left", broken) | right).write(str(path))


def parts(path: Path, broken: str, name: str) -> None:
    """A part for each view; `name` with `{}` for the view is the part's name."""
    written = [OpenEXR.Part(HEADER | {"view": view}, picture(view, broken), name.format(view)) for view in ("left", "right")]
    OpenEXR.File(written).write(str(path))


WRITERS: dict[str, Callable[[Path, str], None]] = {
    "one part": one_part,
    "a part per view": lambda path, broken: parts(path, broken, "{}"),
    "Nuke's names": lambda path, broken: parts(path, broken, "rgba.{}"),
    "OpenEXR's names": lambda path, broken: parts(path, broken, "rgba_{}"),
}


def findings(path: Path) -> dict[str, tuple[str, str]]:
    """Rule -> status and code under the default policy, with statistics."""
    payload: dict[str, Any] = {**describe(path), "stats": stats(path.read_bytes())}
    policy = load_policy(ROOT / "exr_inspector/validation/policies/default.toml")
    return {one["rule_id"]: (one["status"], one["status_code"]) for one in validate(payload, policy, passes=False)["results"]}


@pytest.mark.parametrize("broken", ["left", "right"])
@pytest.mark.parametrize("writer", WRITERS)
def test_each_eye_fails_alike(tmp_path: Path, writer: str, broken: str) -> None:
    """The same Infinity and the same -5, in one view or the other."""
    WRITERS[writer](tmp_path / "frame.1001.exr", broken)
    assert findings(tmp_path / "frame.1001.exr") == {
        "no-infinity-in-colour": ("FAIL", "pixels_infinite"), "beauty-not-negative": ("WARN", "pixels_negative"),
    }  # fmt: skip


def test_views_in_names_of_channels_are_views_of_the_file(tmp_path: Path) -> None:
    """The rule that asks for views finds those of `multiView`, too."""
    one_part(tmp_path / "frame.1001.exr", "none")
    rule = Rule("views", "parts", "FAIL", 1, "Both eyes", options={"views": ["left", "right"]})
    (result,) = validate(describe(tmp_path / "frame.1001.exr"), Policy("p", "1", "p", None, (rule,), {}))["results"]
    assert (result["status"], result["actual"]) == ("PASS", ["left", "right"])


def matte_parts(path: Path, **first_rank: Any) -> Path:
    """A cryptomatte that the first part declares, its three ranks in parts of their own; changes are those of the first rank."""
    key = "cryptomatte/3ae39a5/"
    declared = {f"{key}name": "CryptoObject", f"{key}hash": "MurmurHash3_32", f"{key}conversion": "uint32_to_float32"}
    kind = first_rank.pop("kind", "float32")
    rank = {c: np.zeros((4, 4), "float32") for c in "RGBA"}
    written = [
        OpenEXR.Part(HEADER | declared, picture("left", "none"), "C"),
        OpenEXR.Part(HEADER | first_rank, {name: samples.astype(kind) for name, samples in rank.items()}, "CryptoObject00"),
        OpenEXR.Part(dict(HEADER), rank, "CryptoObject01"),
        OpenEXR.Part(dict(HEADER), rank, "CryptoObject02"),
    ]
    OpenEXR.File(written).write(str(path))
    return path


def test_a_cryptomatte_in_parts_of_its_own_is_sound(tmp_path: Path) -> None:
    """Its ranks are counted over all parts."""
    assert findings(matte_parts(tmp_path / "matte.1001.exr")) == {}


def test_the_parts_that_hold_the_ranks_are_looked_at(tmp_path: Path) -> None:
    """Half floats and lossy compression break ids wherever they are."""
    halves = matte_parts(tmp_path / "halves.1001.exr", kind="float16")
    assert findings(halves) == {"cryptomatte-sound": ("FAIL", "cryptomatte_not_float")}
    lossy = matte_parts(tmp_path / "lossy.1001.exr", compression=OpenEXR.PXR24_COMPRESSION)
    assert findings(lossy) == {"cryptomatte-sound": ("FAIL", "cryptomatte_compressed_with_loss")}


def test_cryptomatte_layers_without_metadata_are_a_warning(tmp_path: Path) -> None:
    """From these layers nothing can be selected."""
    path = tmp_path / "matte.1001.exr"
    ranks = {f"VRayCryptomatte0{rank}.{c}": SOUND for rank in range(3) for c in "RGBA"}
    OpenEXR.File(dict(HEADER), picture("left", "none") | ranks).write(str(path))
    assert findings(path) == {"cryptomatte-selectable": ("WARN", "cryptomatte_metadata_missing")}
