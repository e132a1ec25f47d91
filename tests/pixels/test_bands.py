"""A band of chunks, put into a file of its own, decodes to the pixels that the whole file has there."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import OpenEXR
import pytest

from exr_bytes import MemoryReader
from exr_inspector.exr import header as exr_header
from exr_inspector.exr.chunks import OffsetTable
from exr_inspector.exr.layout import Layout
from exr_inspector.exr.recovery import TableUnreadable, read_table
from exr_inspector.pixels import bands
from exr_inspector.pixels.decode import DeepPixels, decode
from exr_inspector.pixels.memory import MEMORY_LIMIT
from pixel_files import DEEP, FLAT, WINDOW, attributes, chunk_offsets, deep_plane, one, patched, planes, written


def opened(data: bytes) -> tuple[MemoryReader, exr_header.Header, tuple[Layout, ...], OffsetTable]:
    """A file's reader, header, layouts and table."""
    reader = MemoryReader(data)
    header = exr_header.read_header(reader)
    layouts = header.layouts()
    return reader, header, layouts, read_table(reader, header, layouts)


def in_cells(block: Any) -> Any:
    """A copy of a channel as the library has it: of deep pixels an array in each cell, or None."""
    if not isinstance(block, DeepPixels):
        return block.copy()
    cells = np.empty(block.counts.size, dtype=object)
    for number, samples in enumerate(np.split(block.samples.copy(), np.cumsum(block.counts.reshape(-1))[:-1])):
        cells[number] = samples if samples.size else None
    return cells.reshape(block.counts.shape)


def by_bands(data: bytes, number: int, most: int) -> dict[str, Any]:
    """A part decoded band by band, each of at most `most` units, and put together again."""
    reader, header, layouts, table = opened(data)
    part, shape = header.parts[number], layouts[number]
    found: dict[str, Any] = {}
    names = [name.decode() for name in bands.channel_names(part, shape)]
    units = bands.grid(shape)
    for band in bands.bands(units, lambda unit: all(table.extent(number, chunk) for chunk in units.unit_chunks(unit)), most):
        chunks = bands.fetch(reader, table, number, band.chunks)
        pieces = [bands.cut(header, shape, band, chunk, chunks[chunk]) for chunk in band.chunks]
        with decode(bands.band_file(part, shape, band, pieces), MEMORY_LIMIT) as decoded:
            arrays = {name: in_cells(block) for name, block in decoded.items()}
        for name, channel in zip(names, part.channels, strict=True):
            block = arrays[name]
            whole_size = (shape.window.height // channel.y_sampling, shape.window.width // channel.x_sampling)
            whole = found.setdefault(channel.name, np.zeros(whole_size, block.dtype))
            top = (band.window.y_min - shape.window.y_min) // channel.y_sampling
            left = (band.window.x_min - shape.window.x_min) // channel.x_sampling
            whole[top : top + block.shape[0], left : left + block.shape[1]] = block
    return found


def whole(data: bytes, number: int) -> dict[str, Any]:
    """The same part as the library reads it from the whole file."""
    parts = OpenEXR.File(io.BytesIO(data), separate_channels=True).parts
    return {name: channel.pixels for name, channel in parts[number].channels.items()}


def assert_same(ours: dict[str, Any], library: dict[str, Any]) -> None:
    """Bit for bit the same planes; deep pixels sample by sample."""
    assert ours.keys() == library.keys()
    for name, plane in library.items():
        if plane.dtype != object:
            assert (ours[name].dtype, ours[name].tobytes()) == (plane.dtype, plane.tobytes()), name
            continue
        for mine, theirs in zip(ours[name].flat, plane.flat, strict=True):
            assert (mine is None) == (theirs is None)
            assert mine is None or mine.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("most", [1, 7, 10_000])
@pytest.mark.parametrize("tile", [None, (32, 48)], ids=["lines", "tiles"])
@pytest.mark.parametrize("name", FLAT)
def test_flat_bands_are_the_pixels_of_the_file(name: str, tile: tuple[int, int] | None, most: int) -> None:
    """Every compression, in lines and tiles, with a data window off the origin, cut small and not at all."""
    data = one(planes(), name, tile, window=WINDOW)
    assert_same(by_bands(data, 0, most), whole(data, 0))


@pytest.mark.parametrize("most", [1, 3, 10_000])
@pytest.mark.parametrize("tile", [None, (8, 4)], ids=["lines", "tiles"])
@pytest.mark.parametrize("name", DEEP)
def test_deep_bands_are_the_pixels_of_the_file(name: str, tile: tuple[int, int] | None, most: int) -> None:
    """Every compression that deep data may have."""
    data = one({"Z": deep_plane(21, 13), "A": deep_plane(21, 13, "f2")}, name, tile, deep=True)
    assert_same(by_bands(data, 0, most), whole(data, 0))


@pytest.mark.parametrize("name", ["none", "zips", "zip", "piz", "b44", "htj2k32"])
def test_chroma_of_fewer_lines_is_cut_at_its_own_lines(name: str) -> None:
    """Where a chunk has one line and chroma every second, two chunks are one unit."""
    rng = np.random.default_rng(3)
    noise = rng.random((100, 64)).astype("f2")
    channels = {"Y": noise, "RY": OpenEXR.Channel("RY", noise + 1, 2, 2), "BY": OpenEXR.Channel("BY", noise + 2, 2, 2)}
    data = one(channels, name)
    for most in (1, 5):
        assert_same(by_bands(data, 0, most), whole(data, 0))


def test_parts_of_every_kind_in_one_file() -> None:
    """Lines, tiles and both deep kinds, each found by its own table and stripped of its part number."""
    deep = {"Z": deep_plane(64, 30)}
    data = written(
        (attributes("zip"), planes(seed=1)),
        (attributes("piz", (16, 16)), planes(seed=2)),
        (attributes("zips", deep=True), deep),
        (attributes("rle", (16, 16), deep=True), deep),
    )
    for number in range(4):
        assert_same(by_bands(data, number, 3), whole(data, number))


def test_names_that_are_no_text_do_not_matter() -> None:
    """A channel name that is not UTF-8, which stops the library on the whole file, is replaced in the band's file."""
    data = one({"AAAA": planes()["A"], "ZZZZ": planes()["Z"]}).replace(b"AAAA\0", b"\xff\xfe\xfd\xfc\0")
    _, header, layouts, _ = opened(data)
    names = bands.channel_names(header.parts[0], layouts[0])
    assert names == [b"00001", b"00000"]
    found = by_bands(data, 0, 4)
    assert found["ZZZZ"].shape == (300, 64)


def test_dwa_keeps_names_because_its_codec_reads_them() -> None:
    """DWA decides by suffixes such as R, G and B which channels it may convert."""
    _, header, layouts, _ = opened(one({"R": planes()["A"]}, "dwaa"))
    assert bands.channel_names(header.parts[0], layouts[0]) == [b"R"]


def test_absent_units_cut_rows_into_runs() -> None:
    """Two rows of four tiles of which one is absent: a row in two runs, then a row."""
    _, _, layouts, _ = opened(one(planes(), "zip", (16, 150)))
    units = bands.grid(layouts[0])
    found = list(bands.bands(units, lambda unit: unit != 1, 100))
    assert [band.chunks for band in found] == [(0,), (2, 3), (4, 5, 6, 7)]
    assert [band.origin for band in found] == [(0, 0), (2, 0), (0, 1)]


def test_rows_wider_than_the_limit_are_cut() -> None:
    """Where not even one row of tiles fits, its tiles come in groups that do."""
    _, _, layouts, _ = opened(one(planes(), "zip", (16, 150)))
    found = list(bands.bands(bands.grid(layouts[0]), lambda _: True, 3))
    assert [band.chunks for band in found] == [(0, 1, 2), (3,), (4, 5, 6), (7,)]


def test_neighbours_are_fetched_with_one_read() -> None:
    """All chunks of a small file need one request; two chunks far apart need two."""
    rng = np.random.default_rng(5)
    reader, _, _, table = opened(one({"Z": rng.random((64, 2048)).astype("f4")}, "none"))
    reader.reads.clear()
    assert len(bands.fetch(reader, table, 0, range(64))) == 64
    assert len(reader.reads) == 1
    reader.reads.clear()
    bands.fetch(reader, table, 0, [0, 63])
    assert len(reader.reads) == 2


def test_a_chunk_that_is_not_the_tables_is_damage() -> None:
    """A line number, a part number or a size that contradicts the table is refused before the library sees it."""
    data = one(planes())
    offset = chunk_offsets(data)[1]
    for place, value in ((0, 77), (4, 2**31 - 1), (4, -1)):
        reader, header, layouts, table = opened(patched(data, offset + place, value.to_bytes(4, "little", signed=True)))
        band = bands.grid(layouts[0]).unit(1)
        chunk = bands.fetch(reader, table, 0, band.chunks)[1]
        with pytest.raises(bands.DamagedChunk):
            bands.cut(header, layouts[0], band, 1, chunk)


def test_a_cut_table_is_named() -> None:
    """A file that ends inside its table has no chunk to read."""
    data = one(planes())
    end = exr_header.parse_header(data, size=len(data)).header_bytes
    with pytest.raises(TableUnreadable, match="before the end of its chunk offset table") as caught:
        opened(data[: end + 9])
    assert caught.value.code == "offset_table_truncated"
