"""Files that the OpenEXR library writes: every codec, part type and attribute type is read as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from test_document import payload_of

from exr_bytes import FileReader, MemoryReader
from exr_inspector.exr import attributes

CODECS = {getattr(OpenEXR, f"{word.upper()}_COMPRESSION" if word != "none" else "NO_COMPRESSION"): word
          for word in attributes.COMPRESSIONS}  # fmt: skip
DEEP_CODECS = ("none", "rle", "zips")


def noise(height: int, width: int, kind: str = "float16") -> Any:
    """Pixels that no codec shrinks to nothing, a function of the size alone."""
    values = np.arange(height * width, dtype="uint64").reshape(height, width) * np.uint64(2654435761) % np.uint64(1009)
    return (values / 1009).astype(kind)


def written(path: Path, header: dict[str, Any], channels: dict[str, Any] | None = None) -> Path:
    """The file with this header, of three half channels by default."""
    planes = channels or {name: noise(300, 70) for name in "RGB"}
    OpenEXR.File({"type": OpenEXR.scanlineimage, **header}, planes).write(str(path))
    return path


def verdict(path: Path, cut: int = 0) -> tuple[str, int]:
    """The verdict on the file without its last `cut` bytes, and the bytes missing."""
    data = path.read_bytes()
    document = payload_of(MemoryReader(data[: len(data) - cut]), str(path))["file"]["completeness"]
    return document["verdict"], document["bytes_missing"]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: CODECS[codec])
def test_scanline_files_of_every_codec_are_judged_to_the_byte(codec: Any, tmp_path: Path) -> None:
    """Complete as written; without the last byte truncated by one byte."""
    path = written(tmp_path / "a.exr", {"compression": codec})
    (part,) = payload_of(FileReader(path), str(path))["parts"]
    assert part["compression"] == CODECS[codec]
    assert (verdict(path), verdict(path, 1)) == (("complete", 0), ("truncated", 1))


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: CODECS[codec])
def test_tiled_files_of_every_codec_are_judged_to_the_byte(codec: Any, tmp_path: Path) -> None:
    """With tiles that do not divide the window."""
    tiles = OpenEXR.TileDescription()
    tiles.xSize, tiles.ySize = 32, 64
    path = written(tmp_path / "a.exr", {"compression": codec, "type": OpenEXR.tiledimage, "tiles": tiles})
    (part,) = payload_of(FileReader(path), str(path))["parts"]
    assert (part["type"], part["tile_width"], part["tile_height"]) == ("tiledimage", 32, 64)
    assert (verdict(path), verdict(path, 1)) == (("complete", 0), ("truncated", 1))


@pytest.mark.parametrize("word", DEEP_CODECS)
def test_deep_files_are_judged_to_the_byte(word: str, tmp_path: Path) -> None:
    """Their chunks have two packed sizes."""
    samples = np.empty((20, 30), object)
    for y, x in np.ndindex(samples.shape):
        samples[y, x] = np.arange((x + y) % 4, dtype="float32")
    codec = next(codec for codec, name in CODECS.items() if name == word)
    path = written(tmp_path / "a.exr", {"compression": codec, "type": OpenEXR.deepscanline}, {"Z": samples})
    (part,) = payload_of(FileReader(path), str(path))["parts"]
    assert (part["type"], part["is_deep"], part["layers"][0]["category"]) == ("deepscanline", True, "deep")
    assert (verdict(path), verdict(path, 1)) == (("complete", 0), ("truncated", 1))


def test_multipart_files_are_judged_to_the_byte(tmp_path: Path) -> None:
    """Parts of different codecs and sizes."""
    display = (np.array([0, 0], "int32"), np.array([39, 209], "int32"))
    common = {"type": OpenEXR.scanlineimage, "displayWindow": display}
    parts = [
        OpenEXR.Part(common | {"compression": codec}, {"Y": noise(10 + 50 * n, 40)}, f"part{n}")
        for n, codec in enumerate(list(CODECS)[:5])
    ]
    path = tmp_path / "a.exr"
    OpenEXR.File(parts).write(str(path))
    assert [part["name"] for part in payload_of(FileReader(path), str(path))["parts"]] == [f"part{n}" for n in range(5)]
    assert (verdict(path), verdict(path, 1)) == (("complete", 0), ("truncated", 1))


TIMECODE = OpenEXR.TimeCode()
TIMECODE.hours, TIMECODE.minutes, TIMECODE.seconds, TIMECODE.frame, TIMECODE.dropFrame = 10, 20, 30, 12, True

WRITTEN: dict[str, tuple[Any, str, Any]] = {
    "an_int": (7, "int", 7),
    "a_float": (0.5, "float", 0.5),
    "a_string": ("Ärmel", "string", "Ärmel"),
    "an_empty_string": ("", "string", ""),
    "a_v2i": (np.array([1, 2], "int32"), "v2i", [1, 2]),
    "a_v3f": (np.array([1, 2, 3], "float32"), "v3f", [1.0, 2.0, 3.0]),
    "an_m33f": (np.arange(9, dtype="float32").reshape(3, 3), "m33f", [float(n) for n in range(9)]),
    "an_m44d": (np.arange(16, dtype="float64").reshape(4, 4), "m44d", [float(n) for n in range(16)]),
    "strings": (["a", "", "b"], "stringvector", ["a", "", "b"]),
    "floats": ([0.5, 1.5], "floatvector", [0.5, 1.5]),
    "chromaticities": (
        (0.5, 0.25, 0.5, 0.75, 0.125, 0.0625, 0.25, 0.5), "chromaticities",
        {"red": [0.5, 0.25], "green": [0.5, 0.75], "blue": [0.125, 0.0625], "white": [0.25, 0.5]},
    ),
    "some_bytes": (OpenEXR.Bytes(b"\1\2", "hint"), "bytes", {"type_hint": "hint", "size": 2, "data_base64": "AQI="}),
    "keycode": (
        OpenEXR.KeyCode(1, 2, 3, 4, 5, 6, 20), "keycode",
        {
            "film_mfc_code": 1, "film_type": 2, "prefix": 3, "count": 4,
            "perf_offset": 5, "perfs_per_frame": 6, "perfs_per_count": 20,
        },
    ),
    "envmap": (OpenEXR.ENVMAP_CUBE, "envmap", "cube"),
}  # fmt: skip
"""Name -> what the library is given, the EXR type it chooses, the value of the payload."""


@pytest.mark.parametrize("name", WRITTEN)
def test_attributes_are_read_as_the_library_wrote_them(name: str, tmp_path: Path) -> None:
    """Type name and value."""
    given, kind, value = WRITTEN[name]
    path = written(tmp_path / "a.exr", {name: given})
    (entries,) = payload_of(FileReader(path), str(path))["attributes"]["parts"]
    (entry,) = [entry for entry in entries if entry["name"] == name]
    assert (entry["type"], entry["value"]) == (kind, value)


def test_a_timecode_is_read_as_the_library_wrote_it(tmp_path: Path) -> None:
    """Fields and text."""
    path = written(tmp_path / "a.exr", {"timeCode": TIMECODE})
    payload = payload_of(FileReader(path), str(path))
    (entry,) = [entry for entry in payload["attributes"]["parts"][0] if entry["name"] == "timeCode"]
    assert (entry["value"]["text"], entry["value"]["drop_frame"]) == ("10:20:30:12", True)
    assert payload["parts"][0]["timecode"] == "10:20:30:12"


def test_a_preview_is_read_as_the_library_wrote_it(tmp_path: Path) -> None:
    """Size and digest."""
    path = written(tmp_path / "a.exr", {"preview": OpenEXR.PreviewImage(6, 4)})
    (entry,) = [one for one in payload_of(FileReader(path), str(path))["attributes"]["parts"][0] if one["name"] == "preview"]
    assert (entry["value"]["width"], entry["value"]["height"], entry["value"]["size"]) == (6, 4, 96)
