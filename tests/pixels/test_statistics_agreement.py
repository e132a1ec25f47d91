"""Other programs' figures for the same real files."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import pixel_agreement
from exr_inspector.errors import BadHeader
from pixel_files import FLAT, deep_plane, one, planes

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
FILES = sorted(CORPUS.rglob("*.exr"))


@pytest.mark.skipif(not FILES, reason="needs the corpus")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_openimageio_and_numpy_have_the_same_figures(path: Path) -> None:
    """Every channel of every part that they can read, deep ones included."""
    try:
        stats = pixel_agreement.ours(path)
    except BadHeader as error:
        pytest.skip(f"{path.name}: {error.code}")
    rows = pixel_agreement.complete_rows(stats)
    partial = tuple(f" of part {part['part_index']} has no row" for part in stats["parts"] if part["is_partial"])
    agreements = [pixel_agreement.with_numpy(path, rows)]
    if find_spec("OpenImageIO"):
        agreements.append(pixel_agreement.with_openimageio(path, rows))
    for agreement in agreements:
        assert [difference for difference in agreement.differences if not difference.endswith(partial)] == []
        assert agreement.channels == len(rows) or agreement.refused


@pytest.mark.parametrize("tile", [None, (16, 32)], ids=["lines", "tiles"])
@pytest.mark.parametrize("name", FLAT[:10])
def test_openimageio_has_the_same_figures_where_there_is_no_corpus(name: str, tile: Any, tmp_path: Path) -> None:
    """Of files that the test writes, in every compression that OpenImageIO's wheel knows."""
    pytest.importorskip("OpenImageIO")
    path = tmp_path / "written.exr"
    path.write_bytes(one(planes(), name, tile))
    rows = pixel_agreement.complete_rows(pixel_agreement.ours(path))
    agreement = pixel_agreement.with_openimageio(path, rows)
    assert agreement.differences == []
    assert agreement.channels == 3 or agreement.refused


def test_openimageio_has_the_same_figures_of_deep_samples(tmp_path: Path) -> None:
    """computePixelStats counts deep samples as this project does."""
    pytest.importorskip("OpenImageIO")
    path = tmp_path / "deep.exr"
    path.write_bytes(one({"Z": deep_plane(32, 32)}, "zips", deep=True))
    agreement = pixel_agreement.with_openimageio(path, pixel_agreement.complete_rows(pixel_agreement.ours(path)))
    assert (agreement.differences, agreement.channels) == ([], 1)
