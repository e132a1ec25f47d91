"""Peak memory and time of pixel statistics on an 8K x 4K multi-part file of 40 half channels, beside `oiiotool --stats`.

    python -m benchmarks.pixel_stats.large_file [--scale N] [--compression zip] [--rounds N] [--keep DIRECTORY]

Each measurement is a process of its own; both programs run in turns on the same file, which is deleted afterwards. `--scale 4`
divides width and height by 4. oiiotool comes from the OpenImageIO wheel.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from exr_inspector.exr.header import MAGIC, MULTI_PART, VERSION, Header, parse_header

WIDTH, HEIGHT, PARTS, COMPONENTS = 8192, 4096, 10, "RGBA"
OURS = """
import json, pathlib, resource, sys, time
sys.path.insert(0, {root!r})
from exr_inspector.exr.header import read_header
from exr_inspector.function.objects import LocalFile
from exr_inspector.pixels.statistics import compute_pixel_stats
path = pathlib.Path({path!r})
with LocalFile(str(path), (path.parent,)) as reader:
    start = time.perf_counter()
    header = read_header(reader)
    stats = compute_pixel_stats(reader, header, memory_limit={limit}, threads={threads})
    seconds = time.perf_counter() - start
rows = stats["channels"]
assert not stats["is_partial"] and not stats["is_sampled"] and len(rows) == {channels}, stats["findings"]
used = resource.getrusage(resource.RUSAGE_SELF)
peak = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([seconds, used.ru_utime + used.ru_stime, peak, sum(row["pixel_count"] for row in rows)]))
"""
# A small process starts the other program: what a process inherits from its parent counts towards its peak.
THEIRS = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
assert process.returncode == 0
print(json.dumps([time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024]))
"""


def write_large(path: Path, width: int, height: int, compression: Any) -> None:
    """Ten parts whose chunks are the same: one part is encoded, and its chunks are copied under ten part numbers."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width].astype("f4")
    ramp = (np.sin(x / 300) + np.cos(y / 200) + 2) / 4
    planes = {name: (ramp * (n + 1) + rng.random((height, width), "f4") * 0.01).astype("f2") for n, name in enumerate(COMPONENTS)}
    one = path.with_suffix(".one.exr")
    OpenEXR.File({"compression": compression, "type": OpenEXR.scanlineimage}, planes).write(str(one))
    data = one.read_bytes()
    one.unlink()
    header = parse_header(data, size=len(data))
    first = struct.unpack_from("<Q", data, header.header_bytes)[0]
    count = (first - header.header_bytes) // 8
    offsets = [*struct.unpack_from(f"<{count}Q", data, header.header_bytes), len(data)]
    path.write_bytes(b"")
    with path.open("r+b") as out:
        heads = b"".join(_part_header(data, header, number, count) for number in range(PARTS)) + b"\0"
        start = 8 + len(heads) + 8 * count * PARTS
        out.write(MAGIC + struct.pack("<I", VERSION | MULTI_PART) + heads)
        stride = len(data) - first + 4 * count
        for number in range(PARTS):
            base = start + number * stride - first
            out.write(struct.pack(f"<{count}Q", *(offset + base + 4 * index for index, offset in enumerate(offsets[:-1]))))
        for number in range(PARTS):
            for index in range(count):
                out.write(struct.pack("<i", number) + data[offsets[index] : offsets[index + 1]])


def _part_header(data: bytes, header: Header, number: int, chunks: int) -> bytes:
    added = {"name": ("string", b"aov%d" % number), "chunkCount": ("int", struct.pack("<i", chunks))}
    kept = data[8 : header.header_bytes - 1]
    assert header.parts[0].stated["type"] == "scanlineimage"
    assert not added.keys() & header.parts[0].first.keys()
    for name, (kind, raw) in added.items():
        kept += name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(raw)) + raw
    return kept + b"\0"


def ours(path: Path, limit: int, threads: int | None) -> list[float]:
    """Seconds, seconds of processor time, peak resident bytes of the process, samples."""
    root = str(Path(__file__).resolve().parents[2])
    code = OURS.format(root=root, path=str(path), limit=limit, threads=threads, channels=PARTS * len(COMPONENTS))
    return list(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout))


def theirs(path: Path, tool: str) -> list[float]:
    """Seconds, seconds of processor time, peak resident bytes of `oiiotool --stats` on all parts."""
    command = [sys.executable, "-S", "-c", THEIRS, tool, "--stats", "-a", str(path)]
    return list(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def main() -> None:
    """Write the file, measure in turns, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--compression", default="zip")
    parser.add_argument("--limit-mb", type=int, default=512)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="pixel-stats-"))
    path = folder / f"large_{options.compression}_{options.scale}.exr"
    tool = shutil.which("oiiotool") or str(Path(sys.executable).with_name("oiiotool"))
    try:
        if not path.exists():
            compression = getattr(OpenEXR, f"{options.compression.upper()}_COMPRESSION")
            write_large(path, WIDTH // options.scale, HEIGHT // options.scale, compression)
        for _ in range(options.rounds):
            report(path, tool, options)
    finally:
        if not options.keep:
            shutil.rmtree(folder)


def report(path: Path, tool: str, options: argparse.Namespace) -> None:
    """One round: this project, then oiiotool."""
    *figures, samples = ours(path, options.limit_mb * 2**20, options.threads)
    rows = {"exr_inspector.pixels.statistics": figures}
    if Path(tool).exists():
        rows["oiiotool --stats"] = theirs(path, tool)
    millions = samples / 1e6
    size = path.stat().st_size / 1e6
    print(f"{size:.0f} MB, {millions:.0f} million samples, {options.compression}, {os.cpu_count()} processors")
    for name, (seconds, processor, peak) in rows.items():
        times = f"{seconds:7.1f} s {processor:7.1f} s processor {millions / seconds:7.1f} million samples/s"
        print(f"{name:16} {times}, peak {peak / 2**20:5.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
