"""Sample renders: a small show on disk, written with the OpenEXR library and the same bytes on every run.

    scripts/make_samples DIRECTORY

writes, below DIRECTORY, the files that `SAMPLES` lists. They are what a studio's tree looks like in miniature, faults included.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mmh3
import numpy as np
import OpenEXR

from exr_inspector.arguments import Parser

WIDTH, HEIGHT = 192, 108
REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
AOVS = (
    "diffuse_direct", "diffuse_indirect", "glossy_direct", "glossy_indirect", "transmission",
    "emission", "environment", "shadow", "albedo", "normal",
)  # fmt: skip
SHOT = "shows/apollo/sq010/sh020"


def pattern(width: int, height: int, seed: int, kind: str = "float16") -> np.ndarray:
    """A picture with smooth ramps and edges, from 0 to 1, a function of its arguments alone.

    Integers until the last division: sine and cosine differ in the last bit between processors, and the bytes must not.
    """
    y, x = np.mgrid[0:height, 0:width]
    ramps = _triangle(x + 13 * seed, 40 + seed % 5) * 3 + _triangle(y + 5 * seed, 30 + seed % 7) * 2 + _triangle(x + y, 64)
    scaled: np.ndarray = (ramps / 2048).astype("float32").astype(kind)
    return scaled


def _triangle(values: np.ndarray, period: int) -> np.ndarray:
    """A triangle wave from 0 to 341, six of which add up to less than 2048."""
    return abs(values % (2 * period) - period) * 341 // period


def rgb(layer: str, seed: int, kind: str = "float16") -> dict[str, np.ndarray]:
    """Three planes named `layer.R`, `layer.G`, `layer.B`."""
    return {f"{layer}.{c}": pattern(WIDTH, HEIGHT, seed + i, kind) for i, c in enumerate("RGB")}


def camera(frame: int) -> np.ndarray:
    """A world-to-camera matrix that moves a little with the frame."""
    matrix = np.eye(4, dtype="float32")
    matrix[3, :3] = (-0.25 * frame, -1.5, -12.0)
    return matrix


def timecode(frame: int) -> Any:
    """01:00:00:00 plus the frame, at 24 frames a second, no drop frame."""
    code = OpenEXR.TimeCode()
    code.hours, code.minutes, code.seconds, code.frame = 1, 0, frame // 24, frame % 24
    return code


def beauty(path: Path, frame: int = 1001, software: str = "Blender 4.2.3 LTS", samples: int = 256) -> None:
    """One frame of a scanline beauty render with ten half AOVs and what a renderer writes beside them."""
    number = frame - 1001
    channels = {c: pattern(WIDTH, HEIGHT, number + i) for i, c in enumerate("RGB")}
    channels["A"] = np.ones((HEIGHT, WIDTH), "float16")
    for index, layer in enumerate(AOVS):
        channels |= rgb(layer, 10 * index + number)
    header = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "software": software,
        "owner": "lighting",
        "comments": "",
        "capDate": f"2026:03:14 09:26:{number:02d}",
        "cycles.ViewLayer.render_time": f"01:{14 + number:02d}.25",
        "cycles.ViewLayer.samples": str(samples),
        "Hostname": "farm-0042",
        "Memory": "1843.22M",
        "chromaticities": REC709,
        "colorInteropID": "lin_rec709_scene",
        "timeCode": timecode(number),
        "framesPerSecond": 24.0,
        "worldToCamera": camera(number),
        "worldToNDC": camera(number),
        "focalLength": 35.0,
    }
    OpenEXR.File(header, channels).write(str(path))


def stereo(path: Path) -> None:
    """A multi-part file: left and right eye, each with beauty and depth in a part of its own."""
    parts = []
    for eye, view in enumerate(("left", "right")):
        colour = {c: pattern(WIDTH, HEIGHT, eye + i) for i, c in enumerate("RGB")}
        depth = {"Z": pattern(WIDTH, HEIGHT, 40 + eye, "float32") * np.float32(100)}
        common = {"type": OpenEXR.scanlineimage, "view": view, "software": "Karma XPU 20.5.370", "chromaticities": REC709}
        parts.append(OpenEXR.Part(common | {"compression": OpenEXR.PIZ_COMPRESSION}, colour, f"rgb.{view}"))
        parts.append(OpenEXR.Part(common | {"compression": OpenEXR.ZIPS_COMPRESSION}, depth, f"depth.{view}"))
    OpenEXR.File(parts).write(str(path))


def deep(path: Path) -> None:
    """A deep scanline file: zero to three samples a pixel, with depth and alpha."""
    shape = (36, 64)
    depth, alpha = np.empty(shape, object), np.empty(shape, object)
    for y, x in np.ndindex(shape):
        count = (x * 7 + y * 3) % 4
        depth[y, x] = np.arange(count, dtype="float32") + np.float32(y)
        alpha[y, x] = np.full(count, 0.25, "float16")
    header = {"type": OpenEXR.deepscanline, "compression": OpenEXR.ZIPS_COMPRESSION, "software": "RenderMan 26.1"}
    OpenEXR.File(header, {"Z": depth, "A": alpha}).write(str(path))


def crypto_id(name: str) -> tuple[str, float]:
    """The manifest's hexadecimal hash of a name and the float that stands for it in the pixels.

    Cryptomatte specification 1.2: MurmurHash3 32 bit; the exponent's extreme values are avoided so that no id is NaN or denormal.
    """
    bits = mmh3.hash(name, signed=False)
    exponent = (bits >> 23) & 0xFF
    if exponent in (0, 255):
        bits ^= 1 << 23
    return f"{bits:08x}", struct.unpack("<f", struct.pack("<I", bits))[0]


def cryptomatte(path: Path) -> None:
    """An object cryptomatte with two ranked layers and a manifest in the header."""
    layer, objects = "CryptoObject", ("/world/hero/body", "/world/hero/sword", "/world/set/rock_01", "/world/set/Ärmel")
    ids = {name: crypto_id(name) for name in objects}
    key = f"cryptomatte/{mmh3.hash(layer, signed=False):08x}"[: len("cryptomatte/") + 7]
    column = np.arange(WIDTH) * len(objects) // WIDTH
    rank = np.broadcast_to(np.array([ids[name][1] for name in objects], "float32")[column], (HEIGHT, WIDTH)).copy()
    full, none = np.ones((HEIGHT, WIDTH), "float32"), np.zeros((HEIGHT, WIDTH), "float32")
    channels = {c: pattern(WIDTH, HEIGHT, i) for i, c in enumerate("RGB")}
    channels |= {f"{layer}00.R": rank, f"{layer}00.G": full, f"{layer}00.B": none, f"{layer}00.A": none}
    channels |= {f"{layer}01.{c}": none for c in "RGBA"}
    header = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "software": "Arnold 7.3.4.1",
        f"{key}/name": layer,
        f"{key}/hash": "MurmurHash3_32",
        f"{key}/conversion": "uint32_to_float32",
        f"{key}/manifest": json.dumps({name: ids[name][0] for name in objects}, ensure_ascii=False, separators=(",", ":")),
    }
    OpenEXR.File(header, channels).write(str(path))


def luminance_chroma(path: Path) -> None:
    """A plate as luminance and chroma, the chroma channels at half resolution in x and y."""
    planes = {name: pattern(WIDTH, HEIGHT, seed) for seed, name in enumerate(("Y", "RY", "BY"))}
    channels = {"Y": OpenEXR.Channel("Y", planes["Y"])}
    channels |= {name: OpenEXR.Channel(name, planes[name], 2, 2) for name in ("RY", "BY")}
    header = {"compression": OpenEXR.PIZ_COMPRESSION, "type": OpenEXR.scanlineimage, "chromaticities": REC709}
    OpenEXR.File(header, channels).write(str(path))


def _write_tiles(path: Path, size: int, mode: Any) -> bytes:
    """A square tiled image with 32 pixel tiles. The library's Python writer fills level 0 alone, whatever the mode."""
    tiles = OpenEXR.TileDescription()
    tiles.xSize = tiles.ySize = 32
    tiles.mode = mode
    header = {"type": OpenEXR.tiledimage, "tiles": tiles, "compression": OpenEXR.ZIP_COMPRESSION}
    planes = {c: pattern(size, size, i) for i, c in enumerate("RGB")}
    OpenEXR.File(header | {"textureformat": "Plain Texture"}, planes).write(str(path))
    return path.read_bytes()


def mipmap(path: Path) -> None:
    """A complete mip-mapped texture of 128 x 128 in 32 pixel tiles: 16 + 4 + 1 + 5 x 1 tiles.

    Every level is compressed by the library as an image of its own; its chunks are then joined below one header, since the
    Python writer has no call for levels other than 0.
    """
    levels = [128 >> level for level in range(8)]
    counts = [max(1, size // 32) ** 2 for size in levels]
    whole = _write_tiles(path, levels[0], OpenEXR.MIPMAP_LEVELS)
    header_size = _header_size(whole)
    chunks: list[bytes] = []
    for level, (size, count) in enumerate(zip(levels, counts, strict=True)):
        chunks += _level_chunks(_write_tiles(path, size, OpenEXR.ONE_LEVEL), count, level)
    position, offsets = header_size + 8 * len(chunks), []
    for chunk in chunks:
        offsets.append(position)
        position += len(chunk)
    path.write_bytes(whole[:header_size] + struct.pack(f"<{len(offsets)}Q", *offsets) + b"".join(chunks))


def _header_size(data: bytes) -> int:
    """Bytes before the offset table of a single-part file: magic, version, attributes, one NUL."""
    position = 8
    while data[position]:
        position = data.index(b"\0", data.index(b"\0", position) + 1) + 1
        position += 4 + struct.unpack_from("<i", data, position)[0]
    return position + 1


def _level_chunks(data: bytes, count: int, level: int) -> list[bytes]:
    """The tiles of a one-level file, their leaders (x, y, level x, level y, size) rewritten to stand for `level`."""
    chunks = []
    for offset in struct.unpack_from(f"<{count}Q", data, _header_size(data)):
        x, y, _, _, size = struct.unpack_from("<5i", data, offset)
        chunks.append(struct.pack("<5i", x, y, level, level, size) + data[offset + 20 : offset + 20 + size])
    return chunks


def cut_short(path: Path) -> None:
    """A frame of an older version, from an older build, whose copy stopped at two thirds of its bytes."""
    beauty(path, software="Blender 4.1.1", samples=128)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])


def not_an_exr(path: Path) -> None:
    """A text file that somebody named .exr."""
    path.write_text("This is a note, not a picture.\n", encoding="utf-8")


SAMPLES: dict[str, Callable[[Path], None]] = {
    **{f"{SHOT}/beauty/v003/sq010_sh020_beauty_v003.{n}.exr": partial(beauty, frame=n) for n in (1001, 1002, 1003)},
    f"{SHOT}/stereo/v001/sq010_sh020_stereo_v001.1001.exr": stereo,
    "shows/apollo/assets/rock/textures/rock_basecolor.exr": mipmap,
    f"{SHOT}/deep/v001/sq010_sh020_deep_v001.1001.exr": deep,
    f"{SHOT}/crypto/v003/sq010_sh020_crypto_v003.1001.exr": cryptomatte,
    f"{SHOT}/plate/v001/sq010_sh020_plate_v001.1001.exr": luminance_chroma,
    f"{SHOT}/beauty/v002/sq010_sh020_beauty_v002.1001.exr": cut_short,
    f"{SHOT}/beauty/v002/notes.exr": not_an_exr,
}
"""Relative path -> writer. The last two are faults: a frame cut short, and a file that is not an EXR."""


def write_samples(directory: Path) -> list[Path]:
    """Write every sample below `directory` and return the paths in the order of `SAMPLES`."""
    paths = []
    for relative, write in SAMPLES.items():
        path = directory / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
        paths.append(path)
    return paths


def main() -> None:
    """Command line: one directory."""
    parser = Parser(prog="scripts/make_samples", description="Write the sample renders below DIRECTORY.")
    parser.add_argument("directory", type=Path, metavar="DIRECTORY")
    for path in write_samples(parser.parse_args().directory):
        print(f"{path.stat().st_size:>9,}  {path}")


if __name__ == "__main__":
    main()
