"""What one band costs in memory, per codec, in multiples of its unpacked pixels; and what a process costs without one.

    python -m benchmarks.pixel_stats.memory [--width 4096] [--channels 16]

The constants of exr_inspector/pixels/memory.py rest on these figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from exr_inspector.exr.layout import LINES_PER_CHUNK

ROOT = str(Path(__file__).resolve().parents[2])
INSIDE = """
import contextlib
from exr_inspector.pixels import statistics, worker
from exr_inspector.pixels.decode import DeepPixels
@contextlib.contextmanager
def decode(data, memory):
    description, blocks = worker.answer(data)
    channels = {}
    for one in description["channels"]:
        arrays = [blocks.popleft().view(kind).reshape(shape) for kind, shape, _ in one["blocks"]]
        channels[one["name"]] = arrays[0] if len(arrays) == 1 else DeepPixels(*arrays)
    yield channels
statistics.decode = decode
"""
"""Has pixels decoded in the process itself, so that its peak is that of decoding, too."""
CHILD = """
import json, pathlib, sys
sys.path.insert(0, {root!r})
from exr_inspector.exr import header
from exr_inspector.function import objects
from exr_inspector.pixels import memory, statistics
{inside}
memory.make_schedule = lambda *_: memory.Schedule(10**9, 1, 0)  # all in one band
def peak():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
def run(path):
    path = pathlib.Path(path)
    with objects.LocalFile(str(path), (path.parent,)) as reader:
        stats = statistics.compute_pixel_stats(reader, header.read_header(reader), threads=0, deep_stats=True)
    assert not stats["is_partial"], stats["findings"]
run({small!r})
base = peak()
run({path!r})
print(json.dumps([base, peak() - base]))
"""


def band(width: int, lines: int, channels: int, kind: str) -> dict[str, Any]:
    """Planes of noise on a ramp."""
    rng = np.random.default_rng(1)
    ramp = np.linspace(0, 1, width, dtype="f4")
    return {f"c{number:03}.R": (rng.random((lines, width), "f4") * 0.01 + ramp).astype(kind) for number in range(channels)}


def measure(folder: Path, header: dict[str, Any], channels: dict[str, Any]) -> list[int]:
    """Peak bytes of the process before, and in addition while the file is read as one band."""
    small, path = folder / "small.exr", folder / "band.exr"
    OpenEXR.File({}, {"R": np.ones((4, 4), "f2"), "Z": np.ones((4, 4), "f4")}).write(str(small))
    OpenEXR.File(header, channels).write(str(path))
    code = CHILD.format(root=ROOT, inside=INSIDE, small=str(small), path=str(path))
    answer = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout
    return list(json.loads(answer))


def main() -> None:
    """A line per codec, for half and for float."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--channels", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pixel-stats-") as name:
        for codec in LINES_PER_CHUNK:
            for kind in ("f2", "f4"):
                value = OpenEXR.NO_COMPRESSION if codec == "none" else getattr(OpenEXR, f"{codec.upper()}_COMPRESSION")
                lines = max(LINES_PER_CHUNK[codec], 32)
                planes = band(options.width, lines, options.channels, kind)
                size = sum(plane.nbytes for plane in planes.values())
                base, more = measure(Path(name), {"compression": value, "type": OpenEXR.scanlineimage}, planes)
                cost = f"band {size / 2**20:5.0f} MiB, cost {more / size:5.2f}"
                print(f"{codec:9} {kind} base {base / 2**20:4.0f} MiB, {cost}", flush=True)
        deep = np.empty((32, 1024), dtype=object)
        for place in range(deep.size):
            deep.flat[place] = np.ones(1, "f4")
        planes = {f"c{number}": deep.copy() for number in range(6)}
        base, more = measure(Path(name), {"compression": OpenEXR.ZIPS_COMPRESSION, "type": OpenEXR.deepscanline}, planes)
        print(f"deep: {more / (6 * deep.size):.0f} bytes per pixel and channel")


if __name__ == "__main__":
    main()
