"""Ways to have OpenEXR decode every pixel of a file once, and what sampling costs: time, memory, bytes and requests.

    python -m benchmarks.pixel_stats.decoders [--width 4096] [--height 2160] [--channels 16]

`whole` is OpenEXR.File on the file, `lines` the deprecated OpenEXR.InputFile channel by channel in ranges of lines, `bands` what
exr_inspector/pixels does, figures included, `inside` the same without processes that decode, `sampled` its mode "sampled". Each
is a process of its own that does it twice; the second time is shown, as a container has it that has decoded before. Processor
time counts the processes that decode.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import OpenEXR

from benchmarks.pixel_stats.memory import INSIDE, band

ROOT = str(Path(__file__).resolve().parents[2])
START = """
import json, os, pathlib, resource, sys, time
sys.path.insert(0, {root!r})
import numpy, OpenEXR
from exr_inspector.exr import header
from exr_inspector.pixels import decode as decoding, statistics, worker
path = pathlib.Path({path!r})
class Reader:
    def __init__(self):
        self.file, self.size, self.reads = path.open("rb"), path.stat().st_size, []
    def read(self, offset, length):
        self.reads.append(length)
        self.file.seek(offset)
        return self.file.read(length)
def processor():
    ids = [one._process.pid for one in decoding.DECODERS._idle]
    fields = [pathlib.Path(f"/proc/{{number}}/stat").read_text().rpartition(")")[2].split() for number in ids]
    return time.process_time() + sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")
def run():
    reader, start, before = Reader(), time.perf_counter(), processor()
    exec({code!r}, globals() | {{"reader": reader}})
    return time.perf_counter() - start, processor() - before, reader
run()
"""
WAYS = {
    "whole": "file = OpenEXR.File(str(path), separate_channels=True)",
    "lines": """
file = OpenEXR.InputFile(str(path))
box = file.header()["dataWindow"]
for top in range(box.min.y, box.max.y + 1, 64):
    for name in file.header()["channels"]:
        file.channel(name, scanLine1=top, scanLine2=min(top + 63, box.max.y))
""",
    "bands": "statistics.compute_pixel_stats(reader, header.read_header(reader))",
    "inside": f"""
{INSIDE}
statistics.compute_pixel_stats(reader, header.read_header(reader))
""",
    "sampled": "statistics.compute_pixel_stats(reader, header.read_header(reader), mode='sampled')",
}
END = """
seconds, spent, reader = run()
peak = next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
decoding.DECODERS.close()
decoder = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps([seconds, spent, peak, decoder, len(reader.reads), sum(reader.reads) / 2**20]))
"""


def main() -> None:
    """A line per way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--height", type=int, default=2160)
    parser.add_argument("--channels", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pixel-stats-") as name:
        path = Path(name) / "file.exr"
        planes = band(options.width, options.height, options.channels, "f2")
        OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, planes).write(str(path))
        print(f"{path.stat().st_size / 2**20:.0f} MiB, {sum(plane.nbytes for plane in _arrays(planes)) / 2**20:.0f} MiB unpacked")
        for way, code in WAYS.items():
            program = START.format(root=ROOT, path=str(path), code=code) + END
            answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
            seconds, processor, peak, decoder, requests, read = json.loads(answer)
            said = f"{requests:4.0f} reads, {read:5.0f} MiB" if requests else ""
            memory = f"peak {peak:5.0f} MiB, of a decoder {decoder:5.0f} MiB"
            print(f"{way:8} {seconds:6.2f} s {processor:6.2f} s processor, {memory} {said}", flush=True)


def _arrays(planes: dict[str, object]) -> list[object]:
    """The planes themselves, which the library has put into objects of its own."""
    return [getattr(plane, "pixels", plane) for plane in planes.values()]


if __name__ == "__main__":
    main()
