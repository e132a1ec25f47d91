"""Memory depends on the band, not on the image; a band is planned from what codecs need."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_bytes import MemoryReader
from exr_inspector.exr import header as exr_header
from exr_inspector.pixels import bands
from exr_inspector.pixels import memory as exr_pixel_plan
from exr_inspector.pixels.memory import BASE_MEMORY, LEAST_MEMORY, SUMS, StatsOptions, TallyMemory, make_schedule, tally_memory
from exr_inspector.pixels.statistics import compute_pixel_stats
from exr_inspector.pixels.tally import HISTOGRAM_BYTES, KEPT_BYTES
from pixel_files import attributes, deep_plane, one, planes, stats, written

MIB = 2**20


def options(limit: int = LEAST_MEMORY, threads: int = 2) -> StatsOptions:
    """StatsOptions with a memory limit and a number of threads."""
    return StatsOptions(deep_stats=True, mode="full", sample_stride=1, max_pixels=None, memory_limit=limit, threads=threads)


def opened(data: bytes) -> tuple[exr_header.Part, bands.Grid]:
    """The first part of a file, and its grid."""
    header = exr_header.read_header(MemoryReader(data))
    return header.parts[0], bands.grid(header.layouts()[0])


def peak(data: bytes, **asked: Any) -> int:
    """The most bytes that Python and NumPy hold while the statistics of these bytes are computed."""
    stats(data, **asked)
    tracemalloc.start()
    try:
        stats(data, **asked)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_image_of_twice_the_height_takes_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """With bands of one mebibyte, an image of 16 takes the same as one of 8, and less than its own size."""
    monkeypatch.setattr(exr_pixel_plan, "BAND_BYTES", MIB)
    held = [peak(one(dict.fromkeys("AB", np.ones((lines, 1024), "f2"))), threads=0) for lines in (2048, 4096)]
    assert held[1] < held[0] + MIB
    assert held[1] < 12 * MIB


def test_deep_pixels_are_read_a_few_lines_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The binding makes an array per pixel, so a deep band is small: twice the lines, the same memory."""
    monkeypatch.setattr(exr_pixel_plan, "BAND_BYTES", MIB // 4)
    held = [peak(one({"Z": deep_plane(64, lines)}, "zips", deep=True), deep_stats=True) for lines in (100, 200)]
    assert held[1] < held[0] + MIB // 4 < 200 * 64 * exr_pixel_plan.DEEP_CELL_BYTES


def test_bands_are_of_sixteen_mebibytes_where_memory_allows() -> None:
    """Several at a time when there are threads, one when there is none."""
    part, grid = opened(one({"A": np.zeros((512, 1024), "f2")}, "none"))
    held = tally_memory(part, options())
    schedule = make_schedule(grid, 1, 2048, held, options(512 * MIB))
    assert (schedule.units, schedule.in_flight) == (exr_pixel_plan.BAND_BYTES // 2048, 3)
    assert make_schedule(grid, 1, 2048, held, options(512 * MIB, threads=0)).in_flight == 1


def test_where_several_bands_do_not_fit_there_is_one() -> None:
    """And where not even one unit fits, there is none."""
    _, grid = opened(one({"A": np.zeros((256, 4096), "f4")}, "dwab"))
    size = 256 * 4096 * 4
    needed = SUMS + int(2.25 * size) + 3 * size
    held = TallyMemory(histograms=True, kept_bytes=KEPT_BYTES, memory=LEAST_MEMORY - BASE_MEMORY - needed)
    schedule = make_schedule(grid, 1, size, held, options())
    assert (schedule.units, schedule.in_flight, schedule.memory) == (1, 1, LEAST_MEMORY - BASE_MEMORY)
    assert make_schedule(grid, 1, size + 1, held, options()).units == 0


def test_wavelet_codecs_need_more() -> None:
    """The JPEG 2000 codecs hold several times the chunk while they decode (measured)."""
    held = TallyMemory(histograms=True, kept_bytes=KEPT_BYTES, memory=0)
    plane = {"A": np.zeros((256, 2048), "f4")}
    memory = {
        name: make_schedule(opened(one(plane, name))[1], 1, 1000, held, options(512 * MIB, 0)).memory for name in ("dwab", "lj2k")
    }
    assert memory["lj2k"] - memory["dwab"] == int((4 - 1.25) * 256 * 2048 * 4)


@given(
    st.sampled_from([128, 200, 512, 4096]),
    st.integers(0, 4),
    st.integers(1, 2**28),
    st.integers(0, 60 * MIB),
    st.sampled_from(["zip", "lj2k"]),
)
def test_no_plan_exceeds_its_limit(limit: int, threads: int, packed: int, held_bytes: int, name: str) -> None:
    """Whatever the units take: state, bands and codec stay within what the limit leaves beside the base."""
    held = TallyMemory(histograms=True, kept_bytes=KEPT_BYTES, memory=held_bytes)
    schedule = make_schedule(GRIDS[name], 3, packed, held, options(limit * MIB, threads))
    assert schedule.memory <= limit * MIB - BASE_MEMORY
    assert schedule.units >= 0


GRIDS = {name: opened(one(planes(), name))[1] for name in ("zip", "lj2k")}


def test_tallies_take_a_quarter_of_the_memory_at_most() -> None:
    """A histogram for each half while that fits; then fewer samples for each channel, however many there are."""
    few, _ = opened(one(dict.fromkeys(("A", "B"), np.zeros((2, 2), "f2")) | {"Z": np.zeros((2, 2), "f4")}))
    assert tally_memory(few, options()) == TallyMemory(True, KEPT_BYTES, 2 * HISTOGRAM_BYTES + KEPT_BYTES)
    many, _ = opened(one({f"c{number:04}": np.zeros((2, 2), "f2") for number in range(2000)}))
    held = tally_memory(many, options())
    assert held.histograms is False
    assert held.memory == (LEAST_MEMORY - BASE_MEMORY) // 4
    assert held.kept_bytes * 2000 <= held.memory


def test_a_packed_chunk_is_not_fetched_beyond_what_it_can_be() -> None:
    """Data that does not shrink is stored as it is; a gap of a gigabyte before the next chunk is not read."""
    data = one({"A": np.zeros((64, 64), "f4")})
    _, grid = opened(data)
    assert exr_pixel_plan.most_packed(grid, options()) == 2 * 16 * 64 * 4 + 4096
    reader = MemoryReader(data + bytes(MIB))
    header = exr_header.read_header(reader)
    reader.reads.clear()
    compute_pixel_stats(reader, header)
    assert max(length for _, length in reader.reads) < 64 * 1024


def test_parts_are_read_one_after_the_other() -> None:
    """Many parts take no more memory than one, apart from the rows."""
    plane = {"A": np.ones((256, 512), "f2")}
    alone = peak(written((attributes(), plane)), threads=0)
    together = peak(written(*[(attributes(), plane)] * 6), threads=0)
    assert together < alone + HISTOGRAM_BYTES // 2
