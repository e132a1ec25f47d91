"""How small a chunk of one colour gets: the numbers behind `exr.completeness.CONSTANT_SIZE`.

    python -m benchmarks.header.constant_chunks

For each codec, and several sizes and numbers of channels, writes frames of one colour and of a horizontal ramp that every line
repeats (less varied than any picture) with the OpenEXR library. Prints the mean chunk as a share of the limit: at most 1 for one
colour, above 1 for the ramp.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import OpenEXR

from exr_inspector.exr import completeness
from exr_inspector.exr.header import read_header
from exr_inspector.function.objects import LocalFile

CODECS = ("RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "DWAA", "DWAB", "HTJ2K256", "HTJ2K32", "LJ2K", "ZSTD")
SIZES = ((320, 256), (1920, 1080), (4096, 512))
NAMES = ("R", "G", "B", "A", *(f"light.{n:02}" for n in range(8)))


def constant(width: int, height: int, count: int) -> dict[str, np.ndarray]:
    """So many half channels, each of one value."""
    return {name: np.full((height, width), 0.18 + 0.01 * n, "float16") for n, name in enumerate(NAMES[:count])}


def ramp(width: int, height: int, count: int) -> dict[str, np.ndarray]:
    """So many half channels of one horizontal ramp."""
    line = np.linspace(0, 1, width, dtype="float16")
    return {name: np.tile(line, (height, 1)) for name in NAMES[:count]}


def share_of_limit(channels: dict[str, np.ndarray], codec: str, path: Path) -> float:
    """The mean chunk over what a chunk of one colour takes at most."""
    header = {"compression": getattr(OpenEXR, f"{codec}_COMPRESSION"), "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, channels).write(str(path))
    with LocalFile(str(path), (path.parent,)) as reader:
        found = read_header(reader)
        verdict = completeness.assess(found, reader)
    limit = completeness.constant_bytes(found.layouts()[0])
    return verdict.profiles[0].total_bytes / (verdict.chunks_expected or 1) / (limit or 1)


def main() -> None:
    """One line per codec."""
    print(f"{'codec':10} {'one colour, most':>18} {'ramp, least':>14}")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "frame.exr"
        for codec in CODECS:
            cases = [(*size, count) for size in SIZES for count in (1, 3, 4, 12)]
            most = max(share_of_limit(constant(*case), codec, path) for case in cases)
            least = min(share_of_limit(ramp(*case), codec, path) for case in cases)
            print(f"{codec.lower():10} {most:18.2f} {least:14.2f}")


if __name__ == "__main__":
    main()
