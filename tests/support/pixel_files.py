"""EXR files in memory with pixels that are known, written by the OpenEXR library; and their statistics."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import OpenEXR

from exr_bytes import MemoryReader
from exr_inspector.exr import header as exr_header
from exr_inspector.pixels.statistics import compute_pixel_stats

FLAT = ("none", "rle", "zips", "zip", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab", "htj2k256", "htj2k32", "lj2k", "zstd")
DEEP = ("none", "rle", "zips", "zstd")
WINDOW = ((-6, -4), (57, 295))
"""64 x 300 pixels: several chunks in every compression, the last one not full, and a corner that is not the origin."""


def compression(name: str) -> Any:
    """The library's value for a compression's lower-case name."""
    return OpenEXR.NO_COMPRESSION if name == "none" else getattr(OpenEXR, f"{name.upper()}_COMPRESSION")


def planes(width: int = 64, height: int = 300, seed: int = 1) -> dict[str, Any]:
    """One plane of each type, with random values, negative ones among them."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(height, width))
    return {
        "A": np.round(noise * 8).astype("f2") / 8,
        "Z": (noise * 1e3).astype("f4"),
        "id": rng.integers(0, 2**32, (height, width), dtype="u4"),
    }


def deep_plane(width: int, height: int, kind: str = "f4") -> Any:
    """A deep plane: a pixel's samples are as many as its position modulo 4, and carry its position."""
    plane = np.empty((height, width), dtype=object)
    for place in range(width * height):
        plane.flat[place] = np.full(place % 4, place, dtype=kind) if place % 4 else None
    return plane


def tiles(width: int, height: int) -> Any:
    """A tile description with one level."""
    description = OpenEXR.TileDescription()
    description.xSize, description.ySize = width, height
    return description


def attributes(
    name: str = "zip", tile: tuple[int, int] | None = None, *, deep: bool = False, window: Any = None
) -> dict[str, Any]:
    """A header for the library."""
    kinds = (OpenEXR.deepscanline, OpenEXR.deeptile) if deep else (OpenEXR.scanlineimage, OpenEXR.tiledimage)
    made = {"compression": compression(name), "type": kinds[tile is not None], "displayWindow": ((0, 0), (63, 63))}
    if tile is not None:
        made["tiles"] = tiles(*tile)
    if window is not None:
        made["dataWindow"] = window
    return made


def written(*parts: tuple[dict[str, Any], dict[str, Any]]) -> bytes:
    """The bytes of a file of one or several parts, each given as header and channels."""
    stream = io.BytesIO()
    parts = tuple((dict(header), dict(channels)) for header, channels in parts)  # the library puts objects of its own into them
    if len(parts) == 1:
        OpenEXR.File(*parts[0]).write(stream)
    else:
        OpenEXR.File([OpenEXR.Part(*part, f"part{number}") for number, part in enumerate(parts)]).write(stream)
    return stream.getvalue()


def one(channels: dict[str, Any], name: str = "zip", tile: tuple[int, int] | None = None, **options: Any) -> bytes:
    """The bytes of a file of one part."""
    return written((attributes(name, tile, **options), channels))


def stats(data: bytes, **options: Any) -> dict[str, Any]:
    """What `compute_pixel_stats` says of these bytes."""
    reader = MemoryReader(data)
    return compute_pixel_stats(reader, exr_header.read_header(reader), **options)


def rows(data: bytes, **options: Any) -> dict[str, dict[str, Any]]:
    """The rows of a file whose channel names do not repeat, by name."""
    return {row["channel_name"]: row for row in stats(data, **options)["channels"]}


def chunk_offsets(data: bytes) -> list[int]:
    """The offset table of a file, all parts together."""
    end = exr_header.parse_header(data, size=len(data)).header_bytes
    first = int.from_bytes(data[end : end + 8], "little")
    return [int.from_bytes(data[place : place + 8], "little") for place in range(end, first, 8)]


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    """The same bytes with `value` at `offset`."""
    return data[:offset] + value + data[offset + len(value) :]
