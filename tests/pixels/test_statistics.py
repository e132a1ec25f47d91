"""What pixel statistics say of files whose pixels are known."""

from __future__ import annotations

import hashlib
import io
import json
import math
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_bytes import MemoryReader
from exr_inspector.database.rows import payload_to_pixel_stats_rows
from exr_inspector.errors import BadSettings
from exr_inspector.exr import completeness
from exr_inspector.exr import header as exr_header
from exr_inspector.payload import document
from exr_inspector.pixels import memory, statistics, tally
from pixel_files import DEEP, FLAT, WINDOW, attributes, deep_plane, one, planes, rows, stats, written
from vast_schemas import PIXEL_STATS

ROOT = Path(__file__).resolve().parents[2]
HALF_LIMIT = 65_504.0


def reference(plane: Any) -> dict[str, Any]:
    """The figures that NumPy gives for a plane, in double precision."""
    values = plane.astype("f8").reshape(-1)
    finite = values[np.isfinite(values)]
    figures: dict[str, Any] = {
        "pixel_count": values.size,
        "finite_count": finite.size,
        "nan_count": int(np.isnan(values).sum()),
        "pos_inf_count": int((values == np.inf).sum()),
        "neg_inf_count": int((values == -np.inf).sum()),
        "negative_count": int((values < 0).sum()),
        "zero_count": int((values == 0).sum()),
    }
    if finite.size:
        values = (finite.min(), finite.max(), finite.mean(), finite.std(), *np.percentile(finite, [1, 50, 99]))
        names = ("min_value", "max_value", "mean_value", "stddev_value", "p01", "p50", "p99")
        figures |= {name: pytest.approx(value, rel=1e-11, abs=1e-11) for name, value in zip(names, values, strict=True)}
    return figures


def assert_matches(row: dict[str, Any], plane: Any) -> None:
    """The row has the figures of the plane."""
    expected = reference(plane)
    assert {name: row[name] for name in expected} == expected


def line_hash(plane: Any) -> str:
    """The documented hash: SHA-256 over the SHA-256 of each line."""
    return hashlib.sha256(b"".join(hashlib.sha256(line.tobytes()).digest() for line in plane)).hexdigest()


@pytest.mark.parametrize("tile", [None, (32, 48)], ids=["lines", "tiles"])
@pytest.mark.parametrize("name", FLAT)
def test_flat_parts_have_the_figures_of_numpy(name: str, tile: tuple[int, int] | None) -> None:
    """Half, float and uint, in every compression, as decoded by the library from the whole file."""
    data = one(planes(), name, tile, window=WINDOW)
    figures = rows(data)
    for channel, held in OpenEXR.File(io.BytesIO(data), separate_channels=True).channels().items():
        assert_matches(figures[channel], held.pixels)
        assert figures[channel]["sample_hash"] == line_hash(held.pixels)
        assert figures[channel]["is_sampled"] is figures[channel]["is_partial"] is False


def test_a_row_has_the_columns_of_the_table() -> None:
    """Every source that the table names is a key of the row, and the row is JSON."""
    row = rows(one(planes()))["A"]
    assert {column.source for column in PIXEL_STATS.columns if column.source} <= row.keys()
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_all_half_values_are_told_apart() -> None:
    """The 65,536 halfs: 63,488 finite, one of each infinity, two zeros, the rest NaN; percentiles exact."""
    plane = np.arange(65_536, dtype="u2").view("f2").reshape(256, 256)
    row = rows(one({"R": plane}))["R"]
    assert_matches(row, plane)
    assert (row["finite_count"], row["pos_inf_count"], row["neg_inf_count"]) == (63_488, 1, 1)
    assert (row["nan_count"], row["zero_count"]) == (2_046, 2)
    assert (row["min_value"], row["max_value"]) == (-HALF_LIMIT, HALF_LIMIT)
    assert row["negative_count"] == 31_744


@pytest.mark.parametrize("kind", ["f2", "f4"])
def test_the_first_nan_is_named_in_image_coordinates(kind: str) -> None:
    """The first line that has one counts, and in it the leftmost; the corner of the data window is not the origin."""
    plane = np.zeros((300, 64), dtype=kind)
    plane[200, 3] = plane[150, 40] = plane[150, 41] = np.nan
    for tile in (None, (16, 16)):
        row = rows(one({"R": plane}, tile=tile, window=WINDOW))["R"]
        assert (row["first_nan_x"], row["first_nan_y"]) == (-6 + 40, -4 + 150)
        assert row["nan_count"] == 3


def test_the_first_nan_of_chroma_lies_where_its_sample_lies() -> None:
    """A sample of a channel that is sampled every second pixel has even coordinates."""
    luma, chroma = np.ones((100, 64), dtype="f2"), np.full((100, 64), 2, dtype="f2")
    data = one({"Y": luma, "RY": OpenEXR.Channel("RY", chroma, 2, 2)}, "none")
    line = chroma[0, :32].tobytes()
    place = [at for at in range(len(data)) if data.startswith(line, at)][7]
    row = rows(data[: place + 10] + b"\xff\x7f" * 5 + data[place + 20 :])["RY"]
    assert row["pixel_count"] == 50 * 32
    assert (row["nan_count"], row["first_nan_x"], row["first_nan_y"]) == (5, 10, 14)


@pytest.mark.parametrize("kind", ["f2", "f4", "u4"])
def test_constant_channels_are_flagged(kind: str) -> None:
    """One value everywhere, or NaN everywhere, is constant; one other sample is not."""
    flat = np.full((40, 30), 3, dtype=kind)
    other = flat.copy()
    other[20, 20] = 4
    channels = {"flat": flat, "other": other}
    if kind != "u4":
        channels |= {"nan": np.full_like(flat, np.nan), "inf": np.full_like(flat, np.inf), "mixed": flat.copy()}
        channels["mixed"][0, 0] = np.nan
    constant = {name for name, row in rows(one(channels)).items() if row["is_constant"]}
    assert constant == channels.keys() & {"flat", "nan", "inf"}


def test_without_a_finite_sample_there_is_no_range() -> None:
    """Absent stays None, never 0."""
    row = rows(one({"R": np.full((4, 4), np.nan, dtype="f4")}))["R"]
    names = ("min_value", "max_value", "mean_value", "stddev_value", "p01", "p50", "p99")
    assert {row[name] for name in names} == {None}


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["f2", "f4", "u4"]).flatmap(
        lambda kind: st.tuples(st.just(kind), st.binary(min_size=4, max_size=1200), st.integers(1, 9))
    )
)
def test_any_bits_have_the_figures_of_numpy(case: tuple[str, bytes, int]) -> None:
    """Whatever the samples: NaN of every payload, infinities, denormals, both zeros."""
    kind, data, width = case
    size = np.dtype(kind).itemsize
    values = np.frombuffer(data[: len(data) // size * size], dtype=kind)
    lines = max(1, values.size // width)
    plane = np.resize(values, (lines, width))
    row = rows(one({"R": plane}, "none"))["R"]
    with np.errstate(all="ignore"):
        assert_matches_loosely(row, plane)


@pytest.mark.parametrize("bits", [0x7FA00000, 0xFF800001, 0x7FFFFFFF])
def test_a_signalling_nan_is_a_nan_and_no_warning(bits: int) -> None:
    """Converting one is an invalid operation to the processor, of which NumPy warns."""
    plane = np.full((4, 400), bits, dtype="u4").view("f4")
    plane[1:] = 1
    row = rows(one({"R": plane}, "none"))["R"]
    assert (row["nan_count"], row["mean_value"], row["first_nan_y"]) == (400, 1.0, 0)


def assert_matches_loosely(row: dict[str, Any], plane: Any) -> None:
    """Counts exactly; means up to what cancellation in double precision leaves of the largest sample."""
    values = plane.astype("f8")
    finite = values[np.isfinite(values)]
    expected = reference(plane)
    assert {name: row[name] for name in expected if name.endswith("_count")} == {
        name: value for name, value in expected.items() if name.endswith("_count")
    }
    if finite.size:
        scale = float(np.abs(finite).max())
        assert row["mean_value"] == pytest.approx(math.fsum(finite) / finite.size, abs=1e-12 * scale)
        assert row["stddev_value"] == pytest.approx(finite.std(), abs=1e-9 * scale)
        assert (row["min_value"], row["max_value"]) == (finite.min(), finite.max())


@pytest.mark.parametrize("tile", [None, (16, 8)], ids=["lines", "tiles"])
@pytest.mark.parametrize("name", DEEP)
def test_deep_parts_tell_samples_and_empty_pixels(name: str, tile: tuple[int, int] | None) -> None:
    """Samples per pixel over all pixels, and the figures of all samples."""
    data = one({"Z": deep_plane(33, 21), "A": deep_plane(33, 21, "f2")}, name, tile, deep=True)
    figures = rows(data, deep_stats=True)
    count = 33 * 21
    samples = np.concatenate([pixel for pixel in deep_plane(33, 21).flat if pixel is not None])
    assert_matches(figures["Z"], samples)
    details = figures["A"]["details"]
    assert details["samples_per_pixel"] == {"min": 0, "mean": samples.size / count, "max": 3, "total": samples.size}
    assert (details["pixels"], details["empty_pixels"]) == (count, math.ceil(count / 4))


def test_a_deep_nan_is_named_by_its_pixel() -> None:
    """The pixel that holds the sample, not the number of the sample."""
    plane = deep_plane(16, 16)
    plane[5, 7] = np.array([1, np.nan, 2], dtype="f4")
    row = rows(one({"Z": plane}, "zips", deep=True, window=((10, 20), (25, 35))), deep_stats=True)["Z"]
    assert (row["first_nan_x"], row["first_nan_y"], row["nan_count"]) == (17, 25, 1)


def test_deep_parts_wait_to_be_asked_for() -> None:
    """Without deep_stats a deep part has no rows, and the part says why; flat parts beside it are read."""
    data = written((attributes(), planes()), (attributes("zips", deep=True), {"Z": deep_plane(8, 8)}))
    result = stats(data)
    assert {row["part_index"] for row in result["channels"]} == {0}
    assert result["parts"][1]["skipped"] == "deep parts are read with deep_stats"
    assert not result["is_partial"]
    assert {row["part_index"] for row in stats(data, deep_stats=True)["channels"]} == {0, 1}


def test_every_part_has_its_rows() -> None:
    """Channels of equal name in several parts are told apart by the part's number."""
    parts = [planes(seed=number) for number in range(3)]
    data = written(*((attributes("zip", (32, 32) if number == 1 else None), part) for number, part in enumerate(parts)))
    for row in stats(data)["channels"]:
        assert_matches(row, parts[row["part_index"]][row["channel_name"]])


def test_of_a_mipmap_only_the_image_counts() -> None:
    """Level 0 of a tiled part; the smaller copies hold no pixels of their own."""
    folder = Path(__file__).resolve().parents[3] / "shared/corpus/openexr-images"
    path = folder / "MultiResolution_PeriodicPattern.exr"
    if not path.exists():
        pytest.skip("needs a multi-resolution image, which the library's binding cannot write")
    data = path.read_bytes()
    result = stats(data)
    window = exr_header.parse_header(data, size=len(data)).parts[0].stated["dataWindow"]
    pixels = (window["max"]["x"] - window["min"]["x"] + 1) * (window["max"]["y"] - window["min"]["y"] + 1)
    assert {row["pixel_count"] for row in result["channels"]} == {pixels}


def test_the_hash_is_that_of_the_pixels_not_of_their_packing() -> None:
    """Lines and tiles, ZIP and PIZ and none: the same samples, the same hash; another sample, another hash."""
    plane = {"R": planes()["A"]}
    hashes = {rows(one(plane, name, tile))["R"]["sample_hash"] for name in ("zip", "piz", "none") for tile in (None, (16, 32))}
    assert len(hashes) == 1
    changed = plane["R"].copy()
    changed[299, 63] += 1
    assert rows(one({"R": changed}))["R"]["sample_hash"] not in hashes


def test_the_same_bytes_give_the_same_statistics_however_they_are_cut() -> None:
    """Neither the number of threads nor the size of the bands shows in any figure."""
    data = written((attributes("zips"), planes(64, 300)), (attributes("zip", (16, 16)), planes(64, 300)))
    result = [stats(data, threads=threads) for threads in (0, 1, 3)]
    assert result[0] == result[1] == result[2]


def test_small_bands_give_the_same_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    """A band of one chunk, a band of all: the same figures, hashes and positions."""
    plane = planes()
    plane["Z"][123, 4] = np.nan
    data = one(plane, "zips")
    whole = stats(data)
    monkeypatch.setattr(memory, "BAND_BYTES", 1)
    assert stats(data) == whole


def test_percentiles_of_long_float_channels_come_from_evenly_spread_samples() -> None:
    """Above 235,298 samples every seventh is kept; the row says so, and the error is that of the sample."""
    rng = np.random.default_rng(11)
    plane = rng.normal(size=(700, 1024)).astype("f4")
    row = rows(one({"Z": plane}, "none"))["Z"]
    assert row["details"]["percentiles_exact"] is False
    for name, share in tally.PERCENTILES.items():
        assert (plane < row[name]).mean() == pytest.approx(share, abs=0.003)
    assert rows(one({"Z": plane[:100]}, "none"))["Z"]["details"]["percentiles_exact"] is True


def test_thinning_keeps_every_nth_value_whatever_the_portions() -> None:
    """The kept values of a stream do not depend on how it was cut."""
    stream = np.arange(5000, dtype="f4")
    for portion in (1, 13, 700, 5000):
        thinned = tally.Thinned(100)
        for start in range(0, stream.size, portion):
            thinned.add(stream[start : start + portion])
        assert not thinned.is_exact
        assert thinned.percentiles()["p50"] == pytest.approx(2500, abs=343)
        assert thinned.percentiles() == _thinned_at_once(stream)


def _thinned_at_once(stream: Any) -> dict[str, float | None]:
    thinned = tally.Thinned(100)
    thinned.add(stream)
    return thinned.percentiles()


def test_many_half_channels_do_without_a_histogram_each() -> None:
    """Where histograms would take more than a quarter of the memory, lines are summed instead, to the same figures."""
    plane = planes(8, 8)["A"]
    names = [f"c{number:04}" for number in range(200)]
    figures = rows(one(dict.fromkeys(names, plane)), memory_limit=memory.LEAST_MEMORY)
    for name in names[::50]:
        assert_matches(figures[name], plane)


def test_a_channel_of_no_text_name_is_read() -> None:
    """The name stands in the row as the payload shows it."""
    data = one({"AAAA": planes()["A"]}).replace(b"AAAA\0", b"\xff\xfe\xfd\xfc\0")
    (row,) = stats(data)["channels"]
    assert_matches(row, planes()["A"])


def test_a_chunk_that_does_not_fit_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The part says what is too large and what to change; nothing is decoded."""
    monkeypatch.setattr(memory, "BASE_MEMORY", memory.LEAST_MEMORY - 1000)
    result = stats(one(planes(), "dwab"), memory_limit=memory.LEAST_MEMORY)
    assert [finding["code"] for finding in result["findings"]] == ["chunk_too_large"]
    assert result["is_partial"]
    assert {row["pixel_count"] for row in result["channels"]} == {0}


def test_a_window_beyond_all_memory_is_refused() -> None:
    """A header may claim lines of eight gigabytes; the claim alone allocates nothing."""
    data = one({"R": np.zeros((1, 8), "f4")}, "none")
    window = data.index(b"dataWindow\0box2i\0") + len(b"dataWindow\0box2i\0") + 4
    forged = data[: window + 8] + (2**31 - 2).to_bytes(4, "little") + data[window + 12 :]
    result = stats(forged)
    assert [finding["code"] for finding in result["findings"]] == ["chunk_too_large"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"mode": "some"}, "mode"),
        ({"sample_stride": 0}, "sample_stride"),
        ({"max_pixels": 0}, "max_pixels"),
        ({"memory_limit": 1}, "memory_limit"),
    ],
)
def test_a_setting_out_of_range_is_named(options: dict[str, Any], named: str) -> None:
    """Which setting, what it is, what it may be."""
    with pytest.raises(BadSettings, match=named):
        stats(one(planes()), **options)


def test_memory_is_shared_between_files_read_at_a_time() -> None:
    """Who finds no room waits until another is done; who is alone always gets it."""
    pool = memory.MemoryPool()
    order: list[str] = []
    entered = threading.Event()

    def second() -> None:
        entered.set()
        with pool.reserve(60, 100):
            order.append("second in")

    with pool.reserve(60, 100):
        thread = threading.Thread(target=second)
        thread.start()
        entered.wait()
        with pool.reserve(40, 100):
            order.append("third in")
        order.append("first out")
    thread.join()
    assert order == ["third in", "first out", "second in"]
    with pool.reserve(10**12, 100):
        order.append("alone")


def test_twenty_threads_at_once_give_what_one_gives() -> None:
    """The module keeps no state that one file could leave to another."""
    data = [one(planes(seed=seed), name) for seed, name in enumerate(("zip", "piz", "none", "zips"))]
    alone = [stats(one_file) for one_file in data]
    result: list[Any] = [None] * 20

    def read(number: int) -> None:
        result[number] = stats(data[number % 4])

    threads = [threading.Thread(target=read, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert result == [alone[number % 4] for number in range(20)]


def test_importing_the_module_loads_neither_numpy_nor_openexr() -> None:
    """Header-only inspection does not pay for statistics."""
    code = "import sys, exr_inspector.pixels.statistics; print(sorted({'numpy', 'OpenEXR'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_reader_is_asked_for_what_is_needed_and_no_more() -> None:
    """One read for the table, and one for all chunks of a part that is small: no byte of them twice."""
    data = one(planes(), tile=(64, 64))
    reader = MemoryReader(data)
    header = exr_header.read_header(reader)
    reader.reads.clear()
    statistics.compute_pixel_stats(reader, header)
    assert len(reader.reads) == 2
    assert sum(length for _, length in reader.reads) == len(data) - header.header_bytes


def test_the_rows_become_rows_of_the_table() -> None:
    """A payload with these statistics gives an Arrow table with the schema of `pixel_stats`, one row per channel."""
    data = written((attributes(), planes()), (attributes("zips", deep=True), {"Z": deep_plane(8, 8)}))
    reader = MemoryReader(data)
    header = exr_header.read_header(reader)
    payload = document.describe(document.FileFacts("a.exr"), header, completeness.assess(header, reader))
    payload["stats"] = statistics.compute_pixel_stats(reader, header, deep_stats=True)
    table = payload_to_pixel_stats_rows(payload).to_pylist()
    assert [(row["part_index"], row["channel_name"]) for row in table] == [(0, "A"), (0, "Z"), (0, "id"), (1, "Z")]
    for stored, row in zip(table, payload["stats"]["channels"], strict=True):
        names = ("pixel_count", "min_value", "max_value", "mean_value", "p50", "is_constant", "sample_hash")
        assert {name: stored[name] for name in names} == {name: row[name] for name in names}
        assert json.loads(stored["details"]) == row["details"]
