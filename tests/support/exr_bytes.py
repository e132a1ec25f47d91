"""OpenEXR files built byte by byte, so that tests can say things that no library would write.

    exr(part(attribute("dataWindow", "box2i", ...), ...))

Every builder returns bytes or a small value; nothing here uses the code under test.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path

MAGIC = 20000630
TILED, LONG_NAMES, NON_IMAGE, MULTI_PART = 0x200, 0x400, 0x800, 0x1000
NONE, RLE, ZIPS, ZIP, PIZ, PXR24, B44, B44A, DWAA, DWAB, HTJ2K256, HTJ2K32, LJ2K, ZSTD = range(14)
LINES = (1, 1, 1, 16, 32, 16, 32, 32, 32, 256, 256, 32, 256, 1)
UINT, HALF, FLOAT = range(3)
BYTES = (4, 2, 4)


@dataclass
class MemoryReader:
    """A Reader over bytes that keeps count of what was asked for; `size` may be set apart from the bytes."""

    data: bytes
    size: int = -1
    reads: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.size < 0:
            self.size = len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`; fewer at the end."""
        self.reads.append((offset, length))
        return self.data[offset : offset + length]


@dataclass
class FileReader:
    """A Reader over a local file."""

    path: Path
    reads: list[tuple[int, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The file's size in bytes."""
        return self.path.stat().st_size

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`; fewer at the end."""
        self.reads.append((offset, length))
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(length)


def attribute(name: str | bytes, kind: str | bytes, value: bytes, size: int | None = None) -> bytes:
    """One attribute; `size` overrides the true size of the value."""
    raw = [text.encode() if isinstance(text, str) else text for text in (name, kind)]
    return raw[0] + b"\0" + raw[1] + b"\0" + struct.pack("<i", len(value) if size is None else size) + value


def text(name: str, value: str | bytes) -> bytes:
    """A string attribute."""
    return attribute(name, "string", value.encode() if isinstance(value, str) else value)


def box(x_min: int, y_min: int, x_max: int, y_max: int) -> bytes:
    """The value of a box2i."""
    return struct.pack("<4i", x_min, y_min, x_max, y_max)


def channel(name: str | bytes, kind: int = HALF, x: int = 1, y: int = 1, linear: int = 0) -> bytes:
    """One entry of a chlist."""
    raw = name.encode() if isinstance(name, str) else name
    return raw + b"\0" + struct.pack("<iB3xii", kind, linear, x, y)


def chlist(*channels: bytes) -> bytes:
    """The value of a chlist."""
    return b"".join(channels) + b"\0"


RGB = chlist(channel("B"), channel("G"), channel("R"))


def tiledesc(width: int, height: int, level: int = 0, rounding: int = 0) -> bytes:
    """The value of a tiledesc; level 0 one, 1 mip map, 2 rip map; rounding 0 down, 1 up."""
    return struct.pack("<IIB", width, height, level | rounding << 4)


def part(
    *extra: bytes,
    window: tuple[int, int, int, int] = (0, 0, 63, 31),
    display: tuple[int, int, int, int] | None = None,
    compression: int = ZIP,
    channels: bytes = RGB,
    without: tuple[str, ...] = (),
) -> list[bytes]:
    """The attributes of one part: the required ones but those named in `without`, then `extra`."""
    required = {
        "channels": attribute("channels", "chlist", channels),
        "compression": attribute("compression", "compression", bytes([compression])),
        "dataWindow": attribute("dataWindow", "box2i", box(*window)),
        "displayWindow": attribute("displayWindow", "box2i", box(*(display or window))),
        "lineOrder": attribute("lineOrder", "lineOrder", b"\0"),
        "pixelAspectRatio": attribute("pixelAspectRatio", "float", struct.pack("<f", 1.0)),
        "screenWindowCenter": attribute("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        "screenWindowWidth": attribute("screenWindowWidth", "float", struct.pack("<f", 1.0)),
    }
    return [value for name, value in required.items() if name not in without] + list(extra)


def named_part(name: str, kind: str, chunks: int, *extra: bytes, **options: object) -> list[bytes]:
    """The attributes of a part of a multi-part file."""
    own = (text("name", name), text("type", kind), attribute("chunkCount", "int", struct.pack("<i", chunks)))
    return part(*own, *extra, **options)  # type: ignore[arg-type]


def header(*parts: list[bytes], flags: int = 0) -> bytes:
    """Magic number, version field and the headers of all parts; more than one part sets the multi-part flag."""
    flags |= MULTI_PART if len(parts) > 1 else 0
    start = struct.pack("<II", MAGIC, 2 | flags)
    body = b"".join(b"".join(attributes) + b"\0" for attributes in parts)
    return start + body + (b"\0" if flags & MULTI_PART else b"")


@dataclass(frozen=True)
class Chunk:
    """One chunk as it lies in the file: its coordinates and the length of its data; deep chunks have two lengths."""

    place: tuple[int, ...]
    sizes: tuple[int, ...] = (100,)
    part: int | None = None

    def packed(self, fill: int = 0x55) -> bytes:
        """Leader and data."""
        leader = b"" if self.part is None else struct.pack("<i", self.part)
        leader += struct.pack(f"<{len(self.place)}i", *self.place)
        leader += struct.pack("<i", *self.sizes) if len(self.sizes) == 1 else struct.pack("<3q", *self.sizes, 999)
        return leader + bytes([fill]) * sum(self.sizes)


def scanline_chunks(count: int, lines: int = 16, top: int = 0, size: int = 100, part: int | None = None) -> list[Chunk]:
    """Chunks of consecutive lines, each of `size` bytes."""
    return [Chunk((top + index * lines,), (size,), part) for index in range(count)]


def with_chunks(head: bytes, chunks: list[Chunk], order: list[int] | None = None, trailing: bytes = b"") -> bytes:
    """Header, offset table and chunks. `order`: the positions of the chunks in the file; the table stays in its own order."""
    start = len(head) + 8 * len(chunks)
    offsets, body = [0] * len(chunks), b""
    for index in order or range(len(chunks)):
        offsets[index] = start + len(body)
        body += chunks[index].packed()
    return head + struct.pack(f"<{len(offsets)}Q", *offsets) + body + trailing


def set_offsets(data: bytes, head: bytes, changes: dict[int, int]) -> bytes:
    """The file with some entries of its offset table replaced."""
    changed = bytearray(data)
    for index, offset in changes.items():
        struct.pack_into("<Q", changed, len(head) + 8 * index, offset)
    return bytes(changed)


def without_chunks(data: bytes, table: int, *chunks: int) -> bytes:
    """The file as a render leaves it that never wrote these chunks: their bytes are not there, and their offsets are zero.

    `table`: where the offset table begins; the first chunk has to follow it.
    """
    length = next(n for n in range(8, len(data), 8) if n + table == min(_offsets(data, table, n)))
    offsets = _offsets(data, table, length)
    ends = dict(pairwise([*sorted(offsets), len(data)]))
    kept = [offset for index, offset in enumerate(offsets) if index not in chunks]
    places = dict(zip(sorted(kept), accumulate((ends[one] - one for one in sorted(kept)), initial=table + length), strict=False))
    entries = struct.pack(f"<{len(offsets)}Q", *(0 if index in chunks else places[at] for index, at in enumerate(offsets)))
    return data[:table] + entries + b"".join(data[one : ends[one]] for one in sorted(kept))


def _offsets(data: bytes, table: int, length: int) -> list[int]:
    return [offset for (offset,) in struct.iter_unpack("<Q", data[table : table + length])]


def image(*extra: bytes, height: int = 128, size: int = 100, **options: object) -> bytes:
    """A complete single-part ZIP scanline file of 64 pixels' width."""
    head = header(part(*extra, window=(0, 0, 63, height - 1), **options))  # type: ignore[arg-type]
    return with_chunks(head, scanline_chunks(-(-height // 16), size=size))
