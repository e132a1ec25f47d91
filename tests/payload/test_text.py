"""The line about a file says what its pixels hold, once they were read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from exr_bytes import MemoryReader
from exr_inspector.exr import completeness
from exr_inspector.exr import header as exr_header
from exr_inspector.payload.document import FileFacts, add_statistics, describe
from exr_inspector.payload.text import summary_line
from pixel_files import attributes, chunk_offsets, deep_plane, one, patched, stats, written

PICTURE = np.linspace(0, 1, 64 * 64, dtype="f2").reshape(64, 64)
BLACK = np.zeros_like(PICTURE)
BROKEN = PICTURE.copy()
BROKEN[3, 4:12] = np.nan
ENDLESS = PICTURE.copy()
ENDLESS[0, :2] = -np.inf, np.inf
FINE = "no NaN, Infinity or negative colour"


def measured(data: bytes, **options: Any) -> list[str]:
    """The facts that stand in a file's line only because its pixels were read."""
    reader = MemoryReader(data)
    header = exr_header.read_header(reader)
    payload = describe(FileFacts("/a.1001.exr", size_bytes=len(data)), header, completeness.assess(header, reader))
    silent = summary_line(payload).split("  ")
    add_statistics(payload, stats(data, **options))
    return [fact for fact in summary_line(payload).split("  ") if fact not in silent]


@pytest.mark.parametrize(
    ("channels", "facts"),
    [
        ({"R": PICTURE, "G": PICTURE, "B": PICTURE}, [FINE]),
        ({"R": BROKEN, "G": PICTURE, "B": PICTURE}, ["8 NaN in R, first at x 4, y 3"]),
        ({"R": ENDLESS, "Z": ENDLESS}, ["2 Infinity in R", "1 negative in R", "2 Infinity in Z"]),
        ({"R": BLACK, "G": BLACK, "B": BLACK, "A": PICTURE}, ["black picture", FINE]),
        ({"R": BLACK, "G": BLACK + 1, "B": BLACK}, ["constant picture", FINE]),
        ({"R": BLACK, "G": PICTURE, "B": BLACK}, [FINE]),
        ({"R": PICTURE, "diffuse.R": BLACK, "diffuse.G": BLACK, "diffuse.B": BLACK}, [FINE]),
        ({"diffuse.R": BLACK, "diffuse.G": BLACK}, ["black picture", FINE]),
        ({"Z": BLACK - 1}, ["constant picture", FINE]),
        ({"R": BLACK + np.nan}, ["4,096 NaN in R, first at x 0, y 0"]),
        ({f"c{at}.R": BROKEN for at in range(6)}, [*(f"8 NaN in c{at}.R, first at x 4, y 3" for at in range(4)), "(+2)"]),
    ],
)  # fmt: skip
def test_what_the_pixels_hold(channels: dict[str, Any], facts: list[str]) -> None:
    """By channel, where samples are bad; an AOV that is black is told only where there is no beauty."""
    assert measured(one(channels)) == facts


def test_chunks_that_do_not_decode_are_counted() -> None:
    """What is said of the others holds for the others alone."""
    data = one({"R": PICTURE})
    spoiled = patched(data, chunk_offsets(data)[1] + 8, b"\xff" * 8)
    status, *facts, error = measured(spoiled)
    assert (status, error) == ("damaged", "error chunk_not_decodable")
    assert facts == ["1 of 4 chunks does not decode", f"{FINE} in the pixels that were read"]


def test_a_sample_and_deep_parts_say_so() -> None:
    """Nobody takes a share of the pixels for all of them."""
    assert measured(one({"R": PICTURE}), sample_stride=2) == [f"{FINE} in the pixels that were read"]
    deep = (attributes(deep=True, window=((0, 0), (7, 7)), name="zips"), {"Z": deep_plane(8, 8)})
    assert measured(written(deep)) == ["deep pixels not read"]
    two = written((attributes(), {"R": PICTURE}), (attributes(), {"R": BROKEN}))
    assert measured(two) == ["8 NaN in R of part 1, first at x 4, y 3"]
