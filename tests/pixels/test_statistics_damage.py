"""Files that end early, were never finished or hold garbage give the statistics of what is there, and say that it is partial."""

from __future__ import annotations

import io
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_bytes import MemoryReader, without_chunks
from exr_inspector.errors import BadHeader
from exr_inspector.exr import header, recovery
from exr_inspector.pixels import decode as exr_pixel_decode
from exr_inspector.pixels import statistics
from exr_inspector.pixels.bands import DamagedChunk
from exr_inspector.pixels.memory import MEMORY_LIMIT
from pixel_files import FLAT, WINDOW, attributes, chunk_offsets, deep_plane, one, patched, planes, rows, stats, written


def table_start(data: bytes) -> int:
    """The first byte of the offset table."""
    return header.parse_header(data, size=len(data)).header_bytes


def without(data: bytes, *chunks: int) -> bytes:
    """The file as a render leaves it that never wrote these chunks."""
    return without_chunks(data, table_start(data), *chunks)


def spoiled(data: bytes, chunk: int, leader: int = 8) -> bytes:
    """The same file with a chunk whose packed bytes are noise."""
    offset = chunk_offsets(data)[chunk]
    (size,) = struct.unpack_from("<i", data, offset + leader - 4)
    return patched(data, offset + leader, np.random.default_rng(chunk).bytes(size))


def codes(found: dict[str, Any]) -> list[str]:
    """The codes of the findings."""
    return [finding["code"] for finding in found["findings"]]


def test_a_truncated_file_gives_what_is_there() -> None:
    """Cut inside the sixth of 19 chunks of 16 lines: the figures are those of the first 80 lines."""
    plane = planes()
    data = one(plane)
    found = stats(data[: chunk_offsets(data)[5] + 20])
    part = found["parts"][0]
    assert found["is_partial"]
    assert (part["chunks"], part["chunks_read"], part["chunks_missing"] + part["chunks_damaged"]) == (19, 5, 14)
    for row in found["channels"]:
        assert row["is_partial"]
        assert row["pixel_count"] == 80 * 64
        assert row["max_value"] == plane[row["channel_name"]][:80].max()


def test_chunks_that_were_never_written_are_missing() -> None:
    """Three buckets of a tiled render are not there: three tiles fewer, and the finding counts them."""
    data = without(one({"R": planes()["A"]}, tile=(16, 50)), 0, 5, 23)
    found = stats(data)
    assert found["parts"][0]["chunks_missing"] == 3
    assert found["channels"][0]["pixel_count"] == 64 * 300 - 3 * 16 * 50
    assert codes(found) == ["pixels_missing"]
    assert "3 of 24 chunks" in found["findings"][0]["message"]


def unlisted(data: bytes, *chunks: int) -> bytes:
    """The file with these entries of its table zero, or all of them; its chunks are there."""
    for chunk in chunks or range(len(chunk_offsets(data))):
        data = patched(data, table_start(data) + 8 * chunk, bytes(8))
    return data


FILES = {
    **{name: lambda name=name: one(planes(), name, window=WINDOW) for name in FLAT},
    "tiles": lambda: one(planes(), tile=(16, 50)),
    "deep lines": lambda: one({"Z": deep_plane(16, 16)}, "zips", deep=True),
    "deep tiles": lambda: one({"Z": deep_plane(16, 16)}, "zips", (8, 8), deep=True),
    "parts": lambda: written(
        (attributes("piz"), planes()), (attributes(tile=(16, 50)), planes(seed=2)), (attributes("dwaa"), planes(seed=3))
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_chunks_that_the_table_does_not_list_are_read(name: str) -> None:
    """Of an empty table and of one that lacks entries: the figures are those of the whole file, and nothing is partial."""
    data = FILES[name]()
    whole = stats(data, deep_stats=True)
    assert not whole["is_partial"]
    assert stats(unlisted(data), deep_stats=True) == whole
    assert stats(unlisted(data, 0, len(chunk_offsets(data)) - 1), deep_stats=True) == whole


def test_a_killed_render_has_the_figures_of_what_it_wrote() -> None:
    """The table is empty, and the sixth of 19 chunks ends with the file."""
    data = one(planes())
    cut = chunk_offsets(data)[5] + 20
    assert stats(unlisted(data)[:cut])["channels"] == stats(without(data, *range(5, 19)))["channels"]


def test_chunks_are_looked_for_at_a_cost_that_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the table is at hand; what was not found is missing."""
    monkeypatch.setattr(recovery, "MOST_RANGES", 1)
    monkeypatch.setattr(recovery, "MOST_BYTES", 40_000)
    data = unlisted(one(planes(), "none"))
    found = stats(data, held=table_start(data) + 8 * 300)
    (part,) = found["parts"]
    assert part["chunks_read"] == -(-40_000 // (8 + 64 * 10))
    assert (part["chunks_missing"], codes(found)) == (300 - part["chunks_read"], ["pixels_missing"])


REAL = Path(__file__).resolve().parents[3] / "shared/corpus/real/GafferHQ+gaffer/python/GafferImageTest/images"


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the corpus")
def test_a_real_file_with_an_empty_table_has_the_figures_that_other_readers_have() -> None:
    """Of the Gaffer project; the OpenEXR library gives these."""
    found = rows((REAL / "checkerMitchell.200x150.exr").read_bytes())["R"]
    assert round(found["min_value"], 6) == 0.046898
    assert round(found["max_value"], 6) == 1.031983
    assert round(found["mean_value"], 6) == 0.341339
    assert (found["pixel_count"], found["is_partial"]) == (200 * 150, False)


@pytest.mark.parametrize("name", ["rle", "zips", "zip", "piz", "pxr24", "dwaa", "zstd", "htj2k32"])
def test_a_chunk_of_noise_costs_its_own_pixels_alone(name: str) -> None:
    """The band that does not decode is read again unit by unit; what the library refuses is named with its lines."""
    plane = {"R": planes()["A"]}
    data = one(plane, name)
    found = stats(spoiled(data, 1))
    part = found["parts"][0]
    assert part["chunks_damaged"] + part["chunks_read"] == part["chunks"] == len(chunk_offsets(data))
    assert part["chunks_read"] >= part["chunks"] - 1
    if part["chunks_damaged"]:
        assert codes(found) == ["chunk_not_decodable"]
        assert "gives no pixels" in found["findings"][0]["message"]
        assert found["channels"][0]["is_partial"]


def test_a_spoiled_zip_chunk_is_seen_as_damage() -> None:
    """ZIP carries a checksum, so noise cannot pass for pixels."""
    plane = planes()["A"]
    row = rows(spoiled(one({"R": plane}), 1))["R"]
    kept = np.concatenate([plane[:16], plane[32:]])
    assert (row["pixel_count"], row["min_value"], row["max_value"]) == (kept.size, kept.min(), kept.max())
    assert row["mean_value"] == pytest.approx(kept.astype("f8").mean())


def test_a_spoiled_tile_and_a_spoiled_deep_line_are_left_out() -> None:
    """The same for tiles, whose leaders have four coordinates, and for deep lines, whose have three sizes."""
    tiled = stats(spoiled(one({"R": planes()["A"]}, tile=(16, 50)), 6, leader=20))
    assert (tiled["parts"][0]["chunks_damaged"], tiled["channels"][0]["pixel_count"]) == (1, 23 * 800)
    deep = one({"Z": deep_plane(16, 16)}, "zips", deep=True)
    offset = chunk_offsets(deep)[3]
    counts_size = struct.unpack_from("<q", deep, offset + 4)[0]
    found = stats(patched(deep, offset + 28, b"\xff" * counts_size), deep_stats=True)
    assert found["parts"][0]["chunks_damaged"] == 1
    assert found["channels"][0]["details"]["pixels"] == 15 * 16


def test_damage_in_one_part_leaves_the_others_alone() -> None:
    """The second part loses a chunk; the first and third have all their samples."""
    data = written(*((attributes(), planes(seed=seed)) for seed in range(3)))
    found = stats(without(data, 19 + 4))
    assert [part["is_partial"] for part in found["parts"]] == [False, True, False]
    assert {row["part_index"] for row in found["channels"] if row["is_partial"]} == {1}


def test_a_chunk_beyond_its_neighbour_is_damage() -> None:
    """A packed size that reaches into the next chunk is not followed."""
    data = one(planes())
    forged = patched(data, chunk_offsets(data)[2] + 4, struct.pack("<i", 2**30))
    found = stats(forged)
    assert (found["parts"][0]["chunks_damaged"], codes(found)) == (1, ["chunk_not_decodable"])


def test_deep_samples_beyond_the_memory_limit_are_refused() -> None:
    """The leader says how much the samples take unpacked; what does not fit is not handed to the library."""
    data = one({"Z": deep_plane(16, 16)}, "zips", deep=True)
    forged = patched(data, chunk_offsets(data)[0] + 4 + 16, struct.pack("<q", 2**40))
    found = stats(forged, deep_stats=True)
    assert found["parts"][0]["chunks_damaged"] == 1
    assert "memory limit" in found["findings"][0]["message"]


def test_files_without_a_layout_or_table_say_so() -> None:
    """No row, one finding, no exception."""
    data = one(planes())
    cut = stats(data[: table_start(data) + 3])
    assert (codes(cut), cut["channels"], cut["is_partial"]) == (["offset_table_truncated"], [], True)
    window = data.index(b"dataWindow\0box2i\0") + len(b"dataWindow\0box2i\0") + 4
    inverted = stats(patched(data, window, struct.pack("<i", 1000)))
    assert (codes(inverted), inverted["channels"]) == (["no_chunk_layout"], [])


def test_an_unknown_compression_is_not_guessed() -> None:
    """A part whose codec this version does not know has no figures."""
    data = one(planes(), tile=(64, 64))
    place = data.index(b"compression\0compression\0") + len(b"compression\0compression\0") + 4
    found = stats(patched(data, place, b"\x63"))
    assert codes(found) == ["part_not_decodable"]
    assert found["channels"] == []


def test_a_header_that_the_library_refuses_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chroma whose lines do not begin with the window: no unit would decode, so the units are not tried one by one."""
    tried: list[int] = []

    def counted(data: bytes, memory: int) -> AbstractContextManager[dict[str, Any]]:
        tried.append(len(data))
        return exr_pixel_decode.decode(data, memory)

    monkeypatch.setattr(statistics, "decode", counted)
    data = one({"Y": planes()["A"]}, "zips", window=((0, 1), (63, 300)))
    sampling = data.index(b"Y\0") + 2 + 8 + 4
    found = stats(patched(data, sampling, struct.pack("<i", 2)), threads=0)
    assert len(tried) == 1
    assert found["parts"][0]["chunks_damaged"] == 300
    assert "refuses it" in found["findings"][0]["message"]


def test_a_channel_name_that_repeats_is_not_guessed() -> None:
    """Two channels of one name cannot be told apart in what the library decodes."""
    data = one({"AA": planes()["A"], "BB": planes()["A"]}).replace(b"BB\0", b"AA\0")
    found = stats(data)
    assert found["is_partial"]
    assert {row["pixel_count"] for row in found["channels"]} == {0}


def test_there_are_not_more_findings_than_a_row_can_hold() -> None:
    """A file full of noise names its first 64 chunks, and counts all."""
    data = one({"R": planes()["A"]}, "zips")
    for chunk in range(300):
        data = spoiled(data, chunk)
    found = stats(data)
    assert found["parts"][0]["chunks_damaged"] > 64
    assert len(found["findings"]) == 64


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_file_may_end_at_any_byte(data: st.DataObject) -> None:
    """Whatever is cut off, the rest is counted and every chunk is accounted for."""
    whole = written((attributes("zip"), planes(64, 64)), (attributes("piz", (16, 16)), planes(64, 64)))
    reader = MemoryReader(whole[: data.draw(st.integers(table_start(whole), len(whole)))])
    found = stats(reader.data)
    for part in found["parts"]:
        assert part["chunks_read"] + part["chunks_missing"] + part["chunks_damaged"] == part["chunks"]
    assert found["is_partial"] == (len(reader.data) < len(whole))


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["none", "rle", "zip", "piz", "b44"]), st.integers(0, 2**32), st.binary(min_size=1, max_size=4))
def test_any_bytes_may_be_wrong(name: str, place: int, value: bytes) -> None:
    """Damage anywhere raises nothing but BadHeader; no chunk is counted twice; a part without channels has nothing to read."""
    whole = one(planes(32, 48), name)
    try:
        found = stats(patched(whole, place % len(whole), value))
    except BadHeader:
        return
    readable = {row["part_index"] for row in found["channels"]}
    for part in found["parts"]:
        counted = part["chunks_read"] + part["chunks_missing"] + part["chunks_damaged"]
        assert counted == part["chunks"] or (counted == 0 and part["part_index"] not in readable)


@pytest.mark.parametrize("name", ["none", "zip"])
def test_a_part_that_lost_its_channel_list_has_no_figures(name: str) -> None:
    """Its attribute has another name now."""
    found = stats(patched(one(planes(32, 48), name), 8, b"\x01"))
    assert found["channels"] == []


def test_the_librarys_messages_do_not_reach_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither through `sys.stdout` nor through the file descriptors; the platform reads answers there."""
    stats(spoiled(one(planes()), 1))
    stats(one(planes())[:2000])
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_what_the_library_says_of_a_chunk_stands_in_its_finding() -> None:
    """Without the name of its buffer, and of each chunk what was said of it: nothing of the one before."""
    found = stats(spoiled(spoiled(one({"R": planes()["A"]}, "zips"), 3), 200), threads=0)
    messages = [finding["message"] for finding in found["findings"]]
    assert messages == [
        f"part 0: chunk {chunk} of lines {chunk} to {chunk}, columns 0 to 63 gives no pixels: "
        f"OpenEXR does not decode it: Unable to decompress w 2 image data {size} -> 128, got 0"
        for chunk, size in zip((3, 200), packed_sizes("zips", 3, 200), strict=True)
    ]


def packed_sizes(name: str, *chunks: int) -> list[int]:
    """The bytes of some chunks' data in the file of one half channel."""
    data = one({"R": planes()["A"]}, name)
    return [struct.unpack_from("<i", data, chunk_offsets(data)[chunk] + 4)[0] for chunk in chunks]


def test_twenty_files_at_a_time_do_not_disturb_each_other(capfd: pytest.CaptureFixture[str]) -> None:
    """More than there are processes that decode; damaged and whole ones, each with its own figures."""
    whole, damaged = one({"R": planes()["A"]}), spoiled(one({"R": planes()["A"]}), 1)
    expected = {False: stats(whole), True: stats(damaged)}
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(stats, [whole, damaged] * 10))
    assert found == [expected[False], expected[True]] * 10
    assert capfd.readouterr().out == ""


def test_the_library_alone_would_print() -> None:
    """The reason for all this: on the same bytes the binding prints a warning, drops the part and raises nothing."""
    with redirect_stdout(io.StringIO()) as printed:
        assert OpenEXR.File(io.BytesIO(spoiled(one(planes()), 1))).parts == []
    assert "Warning" in printed.getvalue()


def test_undecodable_bytes_raise_what_the_library_said() -> None:
    """Whether it refused the file, or did not decode it."""
    decode = exr_pixel_decode.DECODERS.decode
    with pytest.raises(DamagedChunk, match="OpenEXR does not decode it"), decode(spoiled(one(planes()), 1), MEMORY_LIMIT):
        pass
    with pytest.raises(exr_pixel_decode.RefusedFile, match="refuses it"), decode(b"no file at all", MEMORY_LIMIT):
        pass


def test_a_process_without_stdout_decodes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some hosts start Python without a standard output."""
    monkeypatch.setattr(sys, "stdout", None)
    found = stats(spoiled(one(planes()), 1))
    assert found["parts"][0]["chunks_damaged"] == 1
