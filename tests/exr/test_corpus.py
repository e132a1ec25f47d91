"""Real files: what exrheader and OpenEXR Python say of them, this reader says as well; differences are listed with reasons.

The files lie beside the repository at ../shared/corpus and are OpenEXR's own test files; without them these tests are skipped.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from test_document import payload_of

from exr_bytes import FileReader
from exr_inspector.errors import BadHeader
from exr_inspector.exr import completeness
from exr_inspector.exr import header as exr_header
from exr_inspector.exr.chunks import MAX_LEADER_BYTES
from project import ROOT

CORPUS = ROOT.parent / "shared" / "corpus"
FILES = sorted(CORPUS.glob("*/*.exr"))
pytestmark = pytest.mark.skipif(not FILES, reason="no ../shared/corpus")

INVENTED = "the library makes up a default where a required attribute is missing"
PHANTOM = "exrheader 3.1.5 loses its place in an idmanifest and lists the tail of the next name once more"
OVERRULED = "the library replaces a type that contradicts the version flags by the one that the flags imply"
STRIPPED = "this test strips blanks from what exrheader prints, and the channel's name is a blank"
CLAMPED = "the library maps a byte outside the enumeration to its own count of codecs"
OPENEXR_SIZE = "OpenEXR 3.5 gives up at an impossible size and fills in what it has not read"

TYPE = {"type": OVERRULED}
DIFFERENCES: dict[str, dict[str, str]] = {
    "11.deep.exr": {"Order": PHANTOM},
    "42.deep.exr": {"Order": PHANTOM},
    "64.deep.exr": {"Order": PHANTOM},
    "manifest_id.exr": {"Order": PHANTOM},
    "multivariate.deep.exr": {"Order": PHANTOM},
    "comp_bad_neg_bounds_pxr24.exr": {"channels": STRIPPED, "displayWindow": INVENTED},
    "comp_bad_pos_bounds_piz.exr": {
        "00000": CLAMPED, "displayWindow": INVENTED, "lineOrder": INVENTED, "pixelAspectRatio": INVENTED,
        "screenWindowCenter": INVENTED, "screenWindowWidth": INVENTED,
    },
    "comp_bad_pos_bounds_pxr24.exr": {
        "displayWindow": INVENTED, "lineOrder": INVENTED, "pixelAspectRatio": INVENTED, "screenWindowCenter": INVENTED,
        "screenWindowWidth": INVENTED,
    },
    "comp_invalid_unknown.exr": {"pixelAspectRatio": INVENTED},
    "comp_short_decode_piz.exr": {"pixelAspectRatio": INVENTED},
    "scanline_with_deepscanline_type.exr": TYPE,
    "scanline_with_deeptiled_type.exr": TYPE,
    "scanline_with_tiledimage_type.exr": TYPE,
    "tiled_with_deepscanline_type.exr": TYPE,
    "tiled_with_deeptile_type.exr": TYPE,
    "tiled_with_scanlineimage_type.exr": TYPE,
}  # fmt: skip
"""File -> attribute -> why exrheader says something else of it. Another version of exrheader may differ less."""

PYTHON_DIFFERENCES: dict[str, dict[str, str]] = {
    "comp_invalid_unknown.exr": {
        "displayWindow": OPENEXR_SIZE, "owner": OPENEXR_SIZE, "pixelAspectRatio": INVENTED, "pxelAspectRatio": OPENEXR_SIZE,
    },
} | {name: TYPE for name, differences in DIFFERENCES.items() if differences is TYPE}  # fmt: skip
"""File -> attribute -> why OpenEXR Python says something else of it."""

REFUSED_BY_EXRHEADER = {
    "comp_early_eof_piz.exr": "attribute_size_impossible",
    "invalid.exr": "bad_magic",
    "invalid_shared_attrs_multipart.exr": "shared_attribute_differs",
}
"""Files that exrheader cannot read -> an error that this reader reports, each with its byte offset."""

REFUSED_BY_OPENEXR = REFUSED_BY_EXRHEADER | {
    "comp_bad_bounds_piz.exr": "attribute_size_impossible",
    "comp_bad_neg_bounds_pxr24.exr": "attribute_size_impossible",
    "comp_bad_pos_bounds_piz.exr": "attribute_size_impossible",
    "comp_bad_pos_bounds_pxr24.exr": "attribute_size_impossible",
    "comp_short_decode_piz.exr": "attribute_size_impossible",
    "tests_images_fuzzed_invalid_integer_bounds.exr": "unsupported_version",
    "tests_images_fuzzed_zero-tilesize.exr": "inverted_data_window",
    # OpenEXR Python has no deepImageState; the files are sound.
    "11.deep.exr": "ok",
    "42.deep.exr": "ok",
    "64.deep.exr": "ok",
    "multivariate.deep.exr": "ok",
    "objectid.deep.exr": "ok",
    "testsuite_openexr-idmanifest_src_manifest.exr": "ok",
}
"""Files that OpenEXR Python cannot open -> the error that this reader reports, or `ok` where it reads them."""

LINE = re.compile(r"(.*) \(type (.*?)\)(?:: ?(.*))?", re.DOTALL)
COMPRESSIONS = {
    "none": "none", "rle": "run-length encoding", "zips": "zip, individual scanlines", "zip": "zip, multi-scanline blocks",
    "piz": "piz", "pxr24": "pxr24", "b44": "b44", "b44a": "b44a", "dwaa": "dwa, small scanline blocks",
    "dwab": "dwa, medium scanline blocks",
}  # fmt: skip
PIXEL_TYPES = {"UINT": "32-bit unsigned integer", "HALF": "16-bit floating-point", "FLOAT": "32-bit floating-point"}
LEVELS = {"one_level": "single level", "mipmap_levels": "mip-map", "ripmap_levels": "rip-map"}


def name_of(path: Path) -> str:
    """The id of a file in a test's name."""
    return path.name


def shown(values: list[Any]) -> str:
    """Numbers as a C++ stream prints them."""
    return " ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def corners(box: dict[str, Any]) -> str:
    """A box as exrheader prints it."""
    return " - ".join(f"({shown([box[corner]['x'], box[corner]['y']])})" for corner in ("min", "max"))


def tiles(value: dict[str, Any]) -> str:
    """A tiledesc as exrheader prints it."""
    lines = [LEVELS[value["level_mode"]], f"tile size {value['x_size']} by {value['y_size']} pixels"]
    if value["level_mode"] != "one_level":
        lines.append(f"level sizes rounded {value['rounding_mode'].removeprefix('round_')}")
    return "\n".join(lines)


def listed_channels(value: list[dict[str, Any]]) -> str:
    """A chlist as exrheader prints it: sorted by name."""
    return "\n".join(
        f"{one['name']}, {PIXEL_TYPES[one['type']]}, sampling {one['x_sampling']} {one['y_sampling']}"
        + (", plinear" if one["p_linear"] else "")
        for one in sorted(value, key=lambda one: one["name"].encode())
    )


def rows(value: list[float]) -> str:
    """A matrix as exrheader prints it."""
    side = int(len(value) ** 0.5)
    return "(" + "\n".join(shown(value[start : start + side]) for start in range(0, len(value), side)) + ")"


AS_EXRHEADER = {
    "box2i": corners, "box2f": corners, "tiledesc": tiles, "chlist": listed_channels, "m33f": rows, "m44f": rows,
    "int": str, "float": lambda value: f"{value:g}", "double": lambda value: f"{value:g}",
    "compression": lambda value: COMPRESSIONS.get(value, value), "lineOrder": lambda value: value.replace("_", " "),
    "v2i": lambda value: f"({shown(value)})", "v2f": lambda value: f"({shown(value)})", "v3i": lambda value: f"({shown(value)})",
    "v3f": lambda value: f"({shown(value)})", "string": lambda value: f'"{value}"',
    "stringvector": lambda value: "\n".join(f'"{item}"' for item in value),
    "chromaticities": lambda value: "\n".join(f"{key:5} ({shown(value[key])})" for key in ("red", "green", "blue", "white")),
}  # fmt: skip
"""EXR type -> a value of the payload as exrheader prints it; types that exrheader does not print are absent."""


def said_by_exrheader(path: Path) -> list[dict[str, tuple[str, str]]] | None:
    """Per part: name -> (type, printed value); None when it cannot read the file."""
    answer = subprocess.run(["exrheader", str(path)], capture_output=True, check=False)
    if answer.returncode:
        return None
    parts: list[dict[str, tuple[str, str]]] = [{}]
    name = ""
    for line in answer.stdout.decode("utf-8", "replace").split("\n")[4:]:
        if line.startswith(" part "):
            parts += [{}] if parts[-1] else []
        elif match := LINE.fullmatch(line):
            name = match[1]
            parts[-1][name] = (match[2], match[3] or "")
        elif name and line.strip():
            kind, value = parts[-1][name]
            parts[-1][name] = (kind, f"{value}\n{line.strip()}" if value else line.strip())
    return parts


def said_here(path: Path) -> list[dict[str, tuple[str, str]]]:
    """The same from the payload; the first of several attributes of one name counts."""
    parts = []
    for entries in payload_of(FileReader(path), str(path))["attributes"]["parts"]:
        own: dict[str, tuple[str, str]] = {}
        for one in entries:
            render = AS_EXRHEADER.get(one["type"], lambda value: "")
            own.setdefault(one["name"], (one["type"], render(one["value"])))
        parts.append(own)
    return parts


def differences(ours: dict[str, tuple[str, str]], theirs: dict[str, tuple[str, str]]) -> Iterator[str]:
    """Names of attributes that are missing on one side, or differ in type or value."""
    for name in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(name), theirs.get(name)
        # The library adds the type to single-part files, which need not have it.
        if name == "type" and mine is None:
            continue
        if mine is None or other is None or mine[0] != other[0] or (mine[0] in AS_EXRHEADER and mine[1] != other[1]):
            yield name


@pytest.mark.skipif(shutil.which("exrheader") is None, reason="no exrheader (Debian package openexr)")
@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_exrheader_says_the_same(path: Path) -> None:
    """Names, types, values and channels of every part, but for the listed differences."""
    theirs = said_by_exrheader(path)
    if theirs is None:
        assert verdict(payload_of(FileReader(path), str(path)), REFUSED_BY_EXRHEADER[path.name])
        return
    ours = said_here(path)
    assert len(ours) == len(theirs)
    found = {name for mine, other in zip(ours, theirs, strict=True) for name in differences(mine, other)}
    assert found <= set(DIFFERENCES.get(path.name, {}))


def verdict(payload: dict[str, Any], code: str) -> bool:
    """Whether the payload reports an error of that code at a byte offset, or for `ok` a complete file without one."""
    if code == "ok":
        return payload["file"]["status"] == "ok" and not payload["errors"]
    return any(entry["code"] == code and entry["offset"] >= 0 for entry in payload["errors"])


def plain(value: Any) -> Any:
    """A value of OpenEXR Python in the payload's vocabulary, as far as the two can be compared; else None."""
    if isinstance(value, np.ndarray):
        return value.flatten().tolist()
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], np.ndarray):
        low, high = (corner.tolist() for corner in value)
        return {"min": {"x": low[0], "y": low[1]}, "max": {"x": high[0], "y": high[1]}}
    if isinstance(value, tuple) and len(value) == 8:
        return {name: list(value[2 * n : 2 * n + 2]) for n, name in enumerate(("red", "green", "blue", "white"))}
    if isinstance(value, OpenEXR.Compression | OpenEXR.LineOrder | OpenEXR.Storage):
        return "none" if value.name == "NO_COMPRESSION" else value.name.removesuffix("_COMPRESSION").lower()
    if isinstance(value, list) and value and isinstance(value[0], OpenEXR.Channel):
        return [(one.name, one.xSampling, one.ySampling, one.pLinear) for one in value]
    return value if isinstance(value, str | int | float | list) else None


def comparable(entry: dict[str, Any]) -> Any:
    """A value of the payload in the form of `plain`."""
    if entry["type"] == "chlist":
        return [(one["name"], one["x_sampling"], one["y_sampling"], one["p_linear"]) for one in entry["value"]]
    return [entry["value"]] if entry["type"] == "double" else entry["value"]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_openexr_python_says_the_same(path: Path) -> None:
    """Names and values, where it opens the file; it knows no types and no order."""
    payload = payload_of(FileReader(path), str(path))
    try:
        file = OpenEXR.File(str(path), header_only=True)
    except RuntimeError:
        assert verdict(payload, REFUSED_BY_OPENEXR[path.name])
        return
    for entries, part in zip(payload["attributes"]["parts"], file.parts, strict=True):
        ours = {entry["name"]: entry for entry in reversed(entries)}
        theirs = {name: plain(value) for name, value in part.header.items()}
        found = set(ours.keys() ^ theirs.keys()) - ({"type"} - ours.keys())
        found |= {
            name for name in ours.keys() & theirs.keys() if theirs[name] is not None and comparable(ours[name]) != theirs[name]
        }
        assert found == set(PYTHON_DIFFERENCES.get(path.name, {}))


def test_one_request_of_64_kib_reads_95_percent_of_the_headers() -> None:
    """Counted over the corpus: requests and bytes, of the header and of the whole inspection."""
    single = whole = 0
    for path in FILES:
        reader = FileReader(path)
        try:
            header = exr_header.read_header(reader)
        except BadHeader:
            header = None
        single += reader.reads == [(0, min(65536, reader.size))]
        chunks = None if header is None else completeness.assess(header, reader)
        whole += sum(offset + length > 65536 for offset, length in reader.reads) <= 1
        # The table, the last chunk's leader, and where chunks are not listed the leaders of all that may be there.
        listed = chunks is None or not any(finding.code in UNLISTED for finding in chunks.findings)
        each = 8 if listed else 8 + MAX_LEADER_BYTES
        assert (
            sum(length for _, length in reader.reads[1:]) <= each * ((chunks and chunks.chunks_expected) or 0) + MAX_LEADER_BYTES
        )
    assert single >= 0.95 * len(FILES)
    assert whole >= 0.95 * len(FILES)


UNLISTED = {"chunks_missing", "offset_table_empty", "offset_table_incomplete"}
KILLED = {
    "oiio/testsuite_oiiotool-readerror_src_incomplete.exr": (125, 480, ["offset_table_empty", "chunks_missing"]),
    "oiio/testsuite_missingcolor_src_partial.exr": (10, 16, ["chunks_missing"]),
    "real/GafferHQ+gaffer/python/GafferImageTest/images/checkerMitchell.200x150.exr": (10, 10, ["offset_table_empty"]),
    "real/ImageEngine+cortex/test/IECoreImage/data/exr/deepIncomplete.exr": (0, 32, ["chunks_missing"]),
    "real/ImageEngine+cortex/test/IECoreImage/data/exr/incomplete.exr": (29, 200, ["chunks_missing"]),
    "real/ImageEngine+cortex/test/IECoreImage/data/exr/tiledDeepIncomplete.exr": (2, 4, ["chunks_missing"]),
}
"""Files that people keep because something is missing of them: chunks that are there, chunks in all, findings."""


@pytest.mark.parametrize("name", KILLED)
def test_of_unfinished_files_the_chunks_are_counted_that_are_there(name: str) -> None:
    """Whether their tables list them or not."""
    present, expected, codes = KILLED[name]
    reader = FileReader(CORPUS / name)
    found = completeness.assess(exr_header.read_header(reader), reader)
    assert (found.chunks_present, found.chunks_expected) == (present, expected)
    assert [finding.code for finding in found.findings] == codes
