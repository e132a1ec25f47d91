"""A small show with faults at known places, to learn the command on and to see what it finds.

    scripts/python -m exr_inspector.operations.planted_show DIRECTORY

Two shots of the show `zephyr`, each with a beauty in two versions, ten frames long. `PLANTED` says what is wrong where.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from exr_inspector.arguments import Parser
from exr_inspector.operations.samples import REC709, pattern, timecode

SHOW = "shows/zephyr/sq010"
FRAMES = range(1001, 1011)
SIZE = (64, 36)
RENDERER, OTHER_RENDERER = "Arnold 7.3.4.1", "Arnold 7.4.0.0"
PLANTED: dict[str, tuple[str, tuple[int, ...]]] = {
    "cut short": ("sh010", (1003,)),
    "no EXR": ("sh010", (1004,)),
    "missing": ("sh010", (1006,)),
    "frozen": ("sh010", (1007, 1008)),
    "wrong resolution": ("sh010", (1009,)),
    "wrong type": ("sh020", (1004,)),
    "NaN": ("sh020", (1005,)),
    "black": ("sh020", (1006,)),
    "drift": ("sh020", (1008, 1009, 1010)),
}
"""What is wrong -> the shot, and the frames of the last version of its beauty."""


def write_show(directory: Path) -> list[Path]:
    """Write every file below `directory`; returns their paths."""
    return [path for shot in ("sh010", "sh020") for version in (2, 3) for path in _write_version(directory, shot, version)]


def _write_version(directory: Path, shot: str, version: int) -> Iterator[Path]:
    folder = directory / SHOW / shot / f"beauty/v{version:03d}"
    folder.mkdir(parents=True, exist_ok=True)
    for number in FRAMES:
        faults = {what for what, (where, numbers) in PLANTED.items() if version == 3 and where == shot and number in numbers}
        if "missing" not in faults:
            path = folder / f"sq010_{shot}_beauty_v{version:03d}.{number}.exr"
            _write_frame(path, number, version, faults)
            yield path


def _write_frame(path: Path, number: int, version: int, faults: set[str]) -> None:
    drifted = "drift" in faults
    header: dict[str, Any] = {
        "type": OpenEXR.scanlineimage,
        "compression": OpenEXR.PIZ_COMPRESSION if drifted else OpenEXR.ZIP_COMPRESSION,
        "software": OTHER_RENDERER if drifted else RENDERER,
        "renderTime": 60.0 + number % 10 + 20 * version,
        "AA_samples": 3 * version,
        "chromaticities": REC709,
        "timeCode": timecode(number),
        "framesPerSecond": 24.0,
    }
    OpenEXR.File(header, _planes(1007 if "frozen" in faults else number, faults)).write(str(path))
    whole = path.read_bytes()
    if "cut short" in faults:
        path.write_bytes(whole[: len(whole) * 2 // 3])
    if "no EXR" in faults:
        path.write_text("render failed: no licence\n", encoding="utf-8")


def _planes(seed: int, faults: set[str]) -> dict[str, np.ndarray]:
    """Red, green, blue and alpha, as the faults want them."""
    width, height = (48, 27) if "wrong resolution" in faults else SIZE
    kind = "float32" if "wrong type" in faults else "float16"
    planes = {name: pattern(width, height, seed + at, kind) for at, name in enumerate("RGB")}
    if "black" in faults:
        planes = {name: np.zeros_like(plane) for name, plane in planes.items()}
    if "NaN" in faults:
        planes["R"][10:12, 20:24] = np.nan
    return planes | {"A": np.ones((height, width), "float16")}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: the folder to write into."""
    parser = Parser(prog="planted_show", description="Write a small show with faults at known places.")
    parser.add_argument("directory", type=Path, metavar="DIRECTORY")
    paths = write_show(parser.parse_args(arguments).directory)
    print(f"{len(paths)} files in {parser.parse_args(arguments).directory / SHOW}")


if __name__ == "__main__":
    main()
