"""Statistics of a file by this project, by OpenImageIO's computePixelStats and by NumPy over what OpenEXR decodes, compared.

OpenImageIO gives single precision, sums in an order that depends on its threads, and scales unsigned integers to 0..1; so values
are compared up to 1e-5 of the largest magnitude in the channel, and its unsigned integers times 4,294,967,295. NumPy's are
compared up to 1e-9. Counts must be equal.
"""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from exr_inspector.exr import header
from exr_inspector.function import objects
from exr_inspector.pixels import statistics

VALUES = ("min_value", "max_value", "mean_value", "stddev_value")
UINT_SCALE = 2**32 - 1
# OpenEXR's binding refuses whole files for this attribute; under another type's name it is passed over.
KNOWN, UNKNOWN = b"\0deepImageState\0deepImageState\0", b"\0deepImageState\0deepImageStatX\0"


@dataclass
class Agreement:
    """Channels that two programs agree on, what they differ in, and why the other program has none."""

    channels: int = 0
    differences: list[str] = field(default_factory=list)
    refused: str = ""

    def __str__(self) -> str:
        if self.differences:
            return "differs: " + "; ".join(self.differences[:3])
        said = f"{self.channels} agree" if self.channels else ""
        return ", ".join(filter(None, (said, self.refused))) or "no channel"


def ours(path: Path) -> dict[str, Any]:
    """This project's statistics, deep parts included; BadHeader where the header is damaged."""
    with objects.LocalFile(str(path), (path.parent,)) as reader:
        return statistics.compute_pixel_stats(reader, header.read_header(reader), deep_stats=True)


def complete_rows(stats: dict[str, Any]) -> dict[tuple[int, str], dict[str, Any]]:
    """The rows of the parts of which nothing is missing: the other programs know no partial figures."""
    whole = {part["part_index"] for part in stats["parts"] if not part["is_partial"]}
    return {(row["part_index"], row["channel_name"]): row for row in stats["channels"] if row["part_index"] in whole}


def with_openimageio(path: Path, rows: dict[tuple[int, str], dict[str, Any]]) -> Agreement:
    """The rows against computePixelStats, part by part."""
    import OpenImageIO

    agreement = Agreement()
    whole = OpenImageIO.ImageBuf(str(path))
    count = whole.nsubimages
    agreement.refused = _reason(whole) if whole.has_error else ""
    for part in range(count):
        image = OpenImageIO.ImageBuf(str(path), part, 0)
        result = None if image.has_error else OpenImageIO.ImageBufAlgo.computePixelStats(image)
        if result is None or image.has_error or not result.min:
            agreement.refused = _reason(image)
            continue
        for number, name in enumerate(image.spec().channelnames):
            row = rows.get((part, name))
            if row is None:
                agreement.differences.append(f"{name} of part {part} has no row")
                continue
            scale = UINT_SCALE if row["details"]["type"] == "UINT" else 1
            values = (result.min, result.max, result.avg, result.stddev)
            figures = {key: value[number] * scale for key, value in zip(VALUES, values, strict=True)}
            counts = {"nan": result.nancount[number], "inf": result.infcount[number], "finite": result.finitecount[number]}
            _compare(agreement, f"{name} of part {part}", row, figures, counts, 1e-5)
    return agreement


def _reason(image: Any) -> str:
    """OpenEXR's code in OpenImageIO's complaint, or its first words; it need not be text where it quotes the file."""
    try:
        said = str(image.geterror()).strip()
    except UnicodeDecodeError:
        return "refused with a message that is no text"
    code = re.search(r"EXR_ERR_\w+", said)
    return code[0] if code else said.splitlines()[0].split(" (")[0].removeprefix("Could not open file: ")


def with_numpy(path: Path, rows: dict[tuple[int, str], dict[str, Any]]) -> Agreement:
    """The rows against NumPy in double precision, over the pixels that OpenEXR decodes from the whole file."""
    agreement = Agreement()
    try:
        with redirect_stdout(io.StringIO()):
            parts = OpenEXR.File(io.BytesIO(path.read_bytes().replace(KNOWN, UNKNOWN)), separate_channels=True).parts
    except RuntimeError as error:
        agreement.refused = str(error).split(":")[0].replace("'<python_buffer>' for read", "it")
        return agreement
    for part in parts:
        for name, channel in part.channels.items():
            if (row := rows.get((part.part_index, name))) is None:
                agreement.differences.append(f"{name} of part {part.part_index} has no row")
                continue
            values = _values(channel.pixels)
            finite = values[np.isfinite(values)]
            figures = {}
            if finite.size:
                figures = dict(zip(VALUES, (finite.min(), finite.max(), finite.mean(), finite.std()), strict=True))
            counts = {"nan": np.isnan(values).sum(), "inf": np.isinf(values).sum(), "finite": finite.size}
            _compare(agreement, f"{name} of part {part.part_index}", row, figures, counts, 1e-9)
    if not parts:
        agreement.refused = "OpenEXR decodes no part"
    return agreement


def _values(pixels: Any) -> Any:
    if pixels.dtype != object:
        return pixels.astype("f8").reshape(-1)
    return np.concatenate([np.empty(0), *(pixel for pixel in pixels.flat if pixel is not None)]).astype("f8")


def _compare(
    agreement: Agreement, what: str, row: dict[str, Any], figures: dict[str, Any], counts: dict[str, Any], tolerance: float
) -> None:
    mine = {"nan": row["nan_count"], "inf": row["pos_inf_count"] + row["neg_inf_count"], "finite": row["finite_count"]}
    wrong = [f"{name} {mine[name]} against {counts[name]}" for name in counts if mine[name] != counts[name]]
    if row["finite_count"]:
        allowed = tolerance * max(abs(row["min_value"]), abs(row["max_value"]), 1e-30)
        far = [name for name, value in figures.items() if not abs(row[name] - value) <= allowed]
        wrong += [f"{name} {row[name]} against {figures[name]}" for name in far]
    agreement.differences += [f"{what}: {entry}" for entry in wrong]
    agreement.channels += not wrong
