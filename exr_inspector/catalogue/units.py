"""Stored values as people read them: sizes, durations, times, windows, ranges of frames. Programs get the values themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")
THOUSAND = 1000
MEBIBYTE = 2**20
LONGEST_LIST = 16
"""Numbers that a cell shows: a matrix, and not a vector."""
LONGEST_TEXT, SHOWN_TEXT = 2000, 200
"""Characters that a cell shows, and how many of a longer text, such as a whole payload."""
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?")


def size(count: float) -> str:
    """Bytes in decimal units, with three digits or so.

    >>> size(0), size(999), size(180_783_347_363), size(1_500_000)
    ('0 B', '999 B', '181 GB', '1.5 MB')
    """
    value, at = float(count), 0
    while abs(value) >= 999.5 and at < len(_SIZES) - 1:
        value, at = value / THOUSAND, at + 1
    return f"{number(value)} {_SIZES[at]}"


def mebibytes(count: float) -> str:
    """Mebibytes, in which renderers count memory, in decimal units.

    >>> mebibytes(4096.0)
    '4.29 GB'
    """
    return size(count * MEBIBYTE)


def duration(seconds: float) -> str:
    """Seconds in the two largest units that say something.

    >>> duration(0.25), duration(45.2), duration(1394), duration(5979.4), duration(200_000)
    ('0.25 s', '45.2 s', '23 min 14 s', '1 h 40 min', '2 d 8 h')
    """
    if seconds < _MINUTE:
        return f"{number(seconds)} s"
    for unit, word, below, lower in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1.0, "s")):
        whole = round(seconds / below)
        if seconds >= unit:
            ones, rest = divmod(whole, round(unit / below))
            return f"{ones} {word}" + (f" {rest} {lower}" if rest else "")
    raise AssertionError


def number(value: float) -> str:
    """Three significant digits, whole numbers whole.

    >>> number(2.17580465), number(0.0), number(181.4), number(3236), number(0.000123)
    ('2.18', '0', '181', '3236', '0.000123')
    """
    if value == int(value) or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def moment(value: datetime | str) -> str:
    """A time in UTC to the minute."""
    text = value.isoformat() if isinstance(value, datetime) else value
    return text.replace("T", " ")[:16]


def is_moment(text: str) -> bool:
    """Whether a text is a time in ISO 8601, with hours."""
    return _ISO.fullmatch(text) is not None


def window(text: str) -> str:
    """A stored window: its size, and its place where that is not the origin.

    >>> window('{"min": {"x": -32, "y": -32}, "max": {"x": 2079, "y": 889}}')
    '2112x922-32-32'
    """
    corners = json.loads(text)
    left, top = corners["min"]["x"], corners["min"]["y"]
    width, height = corners["max"]["x"] - left + 1, corners["max"]["y"] - top + 1
    return f"{width}x{height}" + (f"{left:+d}{top:+d}" if left or top else "")


def frames(numbers: Iterable[int]) -> str:
    """Frame numbers as ranges.

    >>> frames([1001, 1002, 1003, 1005])
    '1001-1003,1005'
    """
    from fileseq import framesToFrameRange

    return str(framesToFrameRange(sorted(set(numbers))))


def quantity(count: int, noun: str) -> str:
    """A count with its noun.

    >>> quantity(1, "file"), quantity(10_000, "file")
    ('1 file', '10,000 files')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def as_read(name: str, value: Any) -> str:
    """A cell of a column of this name.

    >>> as_read("peak_memory_mb", 4096.0), as_read("render_hours", 1.5), as_read("total_bytes", 1500), as_read("is_deep", True)
    ('4.29 GB', '1 h 30 min', '1.5 kB', 'yes')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and len(value) > LONGEST_LIST and all(isinstance(one, int | float) for one in value):
        return f"[{len(value)} numbers]"
    if isinstance(value, int | float):
        return _number_as_read(name, value)
    if isinstance(value, datetime) or (isinstance(value, str) and is_moment(value)):
        return moment(value)
    if name.endswith("_window") and isinstance(value, str) and value.startswith("{"):
        return window(value)
    text = str(value)
    return text if len(text) <= LONGEST_TEXT else f"{text[:SHOWN_TEXT]}... [{len(text):,} characters]"


def _number_as_read(name: str, value: float) -> str:
    if name.endswith("bytes") or name.startswith("bytes_"):
        return size(value)
    if name.endswith("_mb"):
        return mebibytes(value)
    if "seconds" in name:
        return duration(value)
    if name.endswith("_hours"):
        return duration(value * _HOUR)
    if isinstance(value, int):
        return str(value) if "frame" in name or value < 10 * THOUSAND else f"{value:,}"
    return number(value)
