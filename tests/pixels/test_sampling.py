"""What is read when not everything is read, and what may be said of the rest."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_bytes import MemoryReader
from exr_inspector.exr import header as exr_header
from exr_inspector.function import objects
from exr_inspector.pixels.sampling import DRAWS, choose, upper_bound
from exr_inspector.pixels.statistics import compute_pixel_stats
from object_store import object_store
from pixel_files import attributes, deep_plane, one, patched, planes, rows, stats, written


def tall(height: int = 1600, nan_lines: slice | None = None) -> bytes:
    """One channel of single-line chunks, with NaN in some lines."""
    plane = np.linspace(0, 1, height * 32, dtype="f4").reshape(height, 32)
    if nan_lines is not None:
        plane[nan_lines] = np.nan
    return one({"R": plane}, "zips")


@pytest.mark.parametrize("tile", [None, (16, 8)], ids=["lines", "tiles"])
@pytest.mark.parametrize("stride", [2, 3, 7, 64, 301])
def test_a_stride_takes_every_nth_sample_of_every_nth_line(stride: int, tile: tuple[int, int] | None) -> None:
    """Counted from the data window's corner, wherever the chunks begin."""
    plane = planes()["Z"]
    data = one({"Z": plane}, "zip", tile, window=((-6, -4), (57, 295)))
    statistics = stats(data, sample_stride=stride)
    row, kept = statistics["channels"][0], plane[::stride, ::stride]
    assert row["is_sampled"]
    assert (row["pixel_count"], row["min_value"], row["max_value"]) == (kept.size, kept.min(), kept.max())
    assert row["mean_value"] == pytest.approx(kept.astype("f8").mean(), abs=1e-9)
    assert not row["is_partial"]


def test_a_stride_reads_no_chunk_that_it_does_not_need() -> None:
    """Every 64th line of single-line chunks: 5 of 300 chunks are fetched."""
    statistics = stats(one({"Z": planes()["Z"]}, "zips"), sample_stride=64)
    assert statistics["parts"][0]["chunks_read"] == 5


def test_the_first_nan_of_a_stride_lies_on_it() -> None:
    """The position is that in the image, of a sample that was looked at."""
    plane = np.zeros((90, 60), dtype="f2")
    plane[30:, 33] = np.nan
    row = rows(one({"R": plane}), sample_stride=11)["R"]
    assert (row["first_nan_x"], row["first_nan_y"]) == (33, 33)


def test_a_stride_counts_deep_pixels_too() -> None:
    """Every second pixel of every second line."""
    plane = deep_plane(20, 20)
    row = rows(one({"Z": plane}, "zips", deep=True), deep_stats=True, sample_stride=2)["Z"]
    kept = [pixel for pixel in plane[::2, ::2].flat if pixel is not None]
    assert row["details"]["pixels"] == 100
    assert row["pixel_count"] == sum(map(len, kept))


def test_a_file_over_the_limit_is_sampled_and_says_so() -> None:
    """At most `max_pixels` pixels are decoded, spread over the image; a file at the limit is read whole."""
    data = tall()
    statistics = stats(data, max_pixels=3200)
    row = statistics["channels"][0]
    assert statistics["is_sampled"]
    assert row["is_sampled"]
    assert not row["is_partial"]
    assert 1600 <= row["pixel_count"] <= 3200
    assert row["p50"] == pytest.approx(0.5, abs=0.02)
    assert not stats(data, max_pixels=1600 * 32)["is_sampled"]


def test_the_limit_is_shared_by_the_parts() -> None:
    """Each part gets its share; deep parts that nobody asked for need none."""
    data = written(
        (attributes("zips"), {"R": planes()["A"]}),
        (attributes("zips"), {"R": planes()["A"][:100]}),
        (attributes("zips", deep=True), {"Z": deep_plane(64, 64)}),
    )
    statistics = stats(data, max_pixels=6400)
    counts = {row["part_index"]: row["pixel_count"] for row in statistics["channels"]}
    assert sum(counts.values()) <= 6400
    assert counts[0] > 2 * counts[1]
    assert stats(data, max_pixels=400 * 64)["is_sampled"] is False


def test_sampling_fetches_ranges_of_the_object_alone() -> None:
    """Of 1,600 chunks at most 59 are read, and of the bytes the same share, apart from the table."""
    rng = np.random.default_rng(1)
    data = one({"R": rng.random((1600, 4096)).astype("f4")}, "none")
    reader = MemoryReader(data)
    header = exr_header.read_header(reader)
    reader.reads.clear()
    statistics = compute_pixel_stats(reader, header, mode="sampled")
    assert statistics["parts"][0]["chunks_read"] <= DRAWS
    assert len(reader.reads) <= DRAWS + 1
    assert sum(length for _, length in reader.reads) < 0.04 * len(data)


def test_a_sample_of_an_object_is_ranges_of_it() -> None:
    """Through the reader of objects: one ranged request for the header and table, one for each chunk; no byte more."""
    rng = np.random.default_rng(1)
    data = one({"R": rng.random((1600, 1024)).astype("f4")}, "none")
    with object_store() as store:
        store.objects["renders/a.exr"] = data
        client = objects.s3_client(store.settings())
        try:
            with objects.S3Object(client, "renders", ["a.exr"], 64 * 1024) as opened:
                statistics = compute_pixel_stats(opened, exr_header.read_header(opened), mode="sampled")
        finally:
            client.close()
        assert statistics == stats(data, mode="sampled")
        assert len(store.seen) <= DRAWS + 1
        assert all(seen.range for seen in store.seen)
        assert sum(seen.sent for seen in store.seen) < 64 * 1024 + DRAWS * 4 * 1100


def test_the_choice_is_the_same_every_time_and_another_for_another_file() -> None:
    """Nothing but the header and the part's number decides."""
    data = tall()
    assert stats(data, mode="sampled") == stats(data, mode="sampled", threads=0)
    renamed = data.replace(b"R\0", b"S\0")
    hashes = {stats(one_file, mode="sampled")["channels"][0]["sample_hash"] for one_file in (data, renamed)}
    assert len(hashes) == 2


@pytest.mark.parametrize("tile", [None, (8, 10)], ids=["lines", "tiles"])
def test_a_sample_of_a_clean_file_bounds_the_nan_share(tile: tuple[int, int] | None) -> None:
    """No NaN in 59 draws: at most 5 % of all pixels, with 95 % confidence."""
    data = one({"R": planes()["A"]}, "none", tile)
    row = rows(data, mode="sampled")["R"]
    share = row["details"]["nan_share"]
    assert row["is_sampled"]
    assert (share["estimate"], share["draws"], share["confidence"]) == (0.0, 59, 0.95)
    assert share["at_most"] == pytest.approx(1 - 0.05 ** (1 / 59))
    assert share["units"] == (240 if tile else 300)
    assert share["units_read"] <= 59


def test_a_sample_finds_a_band_of_nan() -> None:
    """A tenth of the lines is NaN in one block, as a failed bucket leaves it: the estimate is near, the bound above."""
    share = rows(tall(nan_lines=slice(400, 560)), mode="sampled")["R"]["details"]["nan_share"]
    assert share["estimate"] == pytest.approx(0.1, abs=0.03)
    assert 0.1 <= share["at_most"] <= 0.25


def test_a_file_of_few_chunks_is_read_whole() -> None:
    """Where there are no more chunks than draws, nothing is left to chance, and the row has no bound but the count."""
    row = rows(one(planes()), mode="sampled")["A"]
    assert not row["is_sampled"]
    assert "nan_share" not in row["details"]


def test_a_sample_of_a_truncated_file_is_both() -> None:
    """The draws are among the chunks that the file holds, and the row says partial as well as sampled."""
    data = tall()
    row = rows(data[: len(data) // 2], mode="sampled")["R"]
    assert row["is_sampled"]
    assert row["is_partial"]
    assert row["max_value"] < 0.6
    assert row["details"]["nan_share"]["units"] < 900


def test_deep_samples_give_no_bound() -> None:
    """Deep pixels hold different numbers of samples, so a share of samples is no mean over draws."""
    data = one({"Z": deep_plane(8, 200)}, "zips", deep=True)
    row = rows(data, mode="sampled", deep_stats=True)["Z"]
    assert row["is_sampled"]
    assert "nan_share" not in row["details"]


def test_a_draw_that_does_not_decode_is_no_clean_draw() -> None:
    """A damaged chunk among the drawn ones counts as wholly NaN in the estimate, so the bound stays one."""
    data = tall()
    clean = rows(data, mode="sampled")["R"]["details"]["nan_share"]
    reader = MemoryReader(data)
    header = exr_header.read_header(reader)
    start = header.header_bytes
    for chunk in range(1600):
        offset = int.from_bytes(data[start + 8 * chunk : start + 8 * chunk + 8], "little")
        data = patched(data, offset, (7000).to_bytes(4, "little")) if chunk % 2 else data
    statistics = stats(data, mode="sampled")
    share = statistics["channels"][0]["details"]["nan_share"]
    assert statistics["parts"][0]["chunks_damaged"] > 0
    assert share["estimate"] == pytest.approx(0.5, abs=0.15)
    assert share["at_most"] > clean["at_most"]


@pytest.mark.parametrize(("mean", "draws"), [(0.0, 1), (0.0, 59), (0.0, 1000)])
def test_the_bound_without_a_fault_is_that_of_clopper_and_pearson(mean: float, draws: int) -> None:
    """(1 - p) ** n = 0.05."""
    assert upper_bound(mean, draws) == pytest.approx(1 - 0.05 ** (1 / draws))


@given(st.floats(0, 1), st.integers(1, 5000))
def test_the_bound_lies_above_the_mean_and_tightens(mean: float, draws: int) -> None:
    """Never below what was seen, never above 1, and no worse with more draws."""
    bound = upper_bound(mean, draws)
    assert mean <= bound <= 1
    assert upper_bound(mean, 2 * draws) <= bound + 1e-12


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("pattern", ["one block", "scattered pixels", "every second unit's half"])
def test_the_bound_holds_as_often_as_it_says(pattern: str, share: float) -> None:
    """Over 400 seeds the true share exceeds the bound in at most 5 % of the cases, however the faults cluster."""
    truth = faulty(pattern, share)
    missed = 0
    for seed in range(400):
        choice = choose(range(truth.size), lambda _: 10, DRAWS, str(seed))
        assert choice.times is not None
        mean = sum(times * truth[unit] for unit, times in choice.times.items()) / choice.draws
        missed += bool(truth.mean() > upper_bound(float(mean), choice.draws))
    assert missed <= 0.05 * 400


def faulty(pattern: str, share: float) -> Any:
    """The share of NaN in each of 1,000 units."""
    truth = np.zeros(1000)
    if pattern == "one block":
        truth[500 : 500 + int(1000 * share)] = 1
    elif pattern == "scattered pixels":
        truth[:] = np.random.default_rng(2).binomial(100, share, 1000) / 100
    else:
        truth[::2] = min(1, 2 * share)
    return truth


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=200), st.integers(1, 250), st.text(max_size=4))
def test_one_unit_is_drawn_from_each_stratum(weights: list[int], draws: int, seed: str) -> None:
    """The draws number what was asked for, and the i-th lies where the i-th n-th part of the weight lies."""
    units = list(range(len(weights)))
    choice = choose(units, weights.__getitem__, draws, seed)
    if draws >= len(units):
        assert (choice.times, choice.draws, choice.population) == (None, len(units), len(units))
        return
    assert choice.times is not None
    assert sum(choice.times.values()) == choice.draws == draws
    ends = np.cumsum(weights)
    picked = sorted(unit for unit, times in choice.times.items() for _ in range(times))
    for stratum, unit in enumerate(picked):
        low, high = stratum * ends[-1] / draws, (stratum + 1) * ends[-1] / draws
        assert ends[unit] > math.floor(low)
        assert ends[unit] - weights[unit] <= high


def test_heavier_units_are_drawn_more_often() -> None:
    """In proportion to their pixels: the last chunk, which is short, as rarely as it is short."""
    weights = [10] * 99 + [1]
    drawn = sum(99 in (choose(range(100), weights.__getitem__, 10, str(seed)).times or ()) for seed in range(2000))
    assert drawn / 2000 == pytest.approx(10 * 1 / 991, abs=0.008)
