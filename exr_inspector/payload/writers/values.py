"""How facts are read from attributes: units, numbers that come as text, and words that say that nothing is known."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from exr_inspector.exr.attributes import Attribute

NUMBER_TYPES = frozenset({"int", "float", "double"})
# What renderers write where they know nothing.
_NOTHING = frozenset({"", "unknown", "none", "n/a", "null", "undefined", "<untitled>", "untitled", "-1"})
_BLANKS = "\0 \t\r\n"
# Above this a number counts nothing that a renderer could mean.
_LARGEST = 10**18
_NO_LIMIT = 1e17
# Unreal writes a sign, and days before the hours: `+00:00:01.250`, `+1.02:03:04.000`.
_CLOCK = re.compile(r"\+?(?:(?:(\d{1,6})\.)?(\d{1,6}):)?(\d{1,6}):(\d{1,2}(?:\.\d{1,9})?)")
_UNITS = re.compile(
    r"(?:(\d{1,6}) *d[a-z]* *)?(?:(\d{1,6}) *h[a-z]* *)?(?:(\d{1,6}) *m(?!s)[a-z]* *)?(?:(\d{1,9}(?:\.\d{1,9})?) *s[a-z]*)?"
)
_PLAIN = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*([a-z%]*)", re.IGNORECASE)
_SIGNED = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?(?:e[+-]?\d{1,2})?", re.IGNORECASE)
_TIMECODE = re.compile(r"\d\d:\d\d:\d\d[:;.]\d\d")
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")
# XMP may have a property as an attribute or as an element.
_CREATOR_TOOL = re.compile(r"""[\s<]xmp:CreatorTool(?:\s*=\s*["']([^"'<>]{1,200})|>([^<>]{1,200})<)""")
_SOFTWARE_AGENT = re.compile(r"""[\s<]\w{1,20}:softwareAgent(?:\s*=\s*["']([^"'<>]{1,200})|>([^<>]{1,200})<)""")
# What a plain number of a duration may be in.
_SECONDS = {"": 1.0, "ms": 0.001, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
# A megabyte is 2^20 bytes here: renderers that write "MB" count so.
_MEBIBYTES = {"b": 2**-20, "bytes": 2**-20, "k": 2**-10, "kb": 2**-10, "kib": 2**-10, "m": 1.0, "mb": 1.0, "mib": 1.0} | {
    "g": 2**10, "gb": 2**10, "gib": 2**10, "t": 2**20, "tb": 2**20, "tib": 2**20,
}  # fmt: skip


def text(attribute: Attribute) -> str | None:
    """A text without surrounding blanks and NULs; None where it says nothing ("", "unknown", "-1")."""
    if attribute.type != "string" or not isinstance(attribute.value, str):
        return None
    value = attribute.value.strip(_BLANKS)
    return None if value.lower() in _NOTHING else value


def number(attribute: Attribute) -> float | None:
    """A finite number, whether written as one or as text without a unit."""
    value = attribute.value
    if attribute.type == "string":
        written = value.strip(_BLANKS)
        return float(written) if _SIGNED.fullmatch(written) else None
    if attribute.type not in NUMBER_TYPES or isinstance(value, str):
        return None
    return float(value)


def positive(attribute: Attribute) -> float | None:
    """A number above 0, rounded to 6 digits behind the point: for renderers that write 0 or -1 where they know nothing."""
    value = number(attribute)
    return round(value, 6) or None if value is not None and value > 0 else None


def integer(attribute: Attribute) -> int | None:
    """A whole number from 0, also where it is written as text or as a float (`0040`, `40.0`)."""
    value = number(attribute)
    return int(value) if value is not None and value >= 0 and value == int(value) else None


def frame(attribute: Attribute) -> int | None:
    """A frame number, which may be negative; None for a frame between frames."""
    value = number(attribute)
    return int(value) if value is not None and value == int(value) else None


def degrees(attribute: Attribute) -> float | None:
    """An angle that is written in radians, in degrees."""
    value = number(attribute)
    return round(math.degrees(value), 4) if value is not None and value > 0 else None


def seconds(attribute: Attribute) -> float | None:
    """Seconds: a number from 0, or a text as `duration` reads it."""
    if attribute.type == "string":
        return duration(attribute.value)
    value = number(attribute)
    return value if value is not None and value >= 0 else None


def duration(written: str) -> float | None:
    """Seconds from text, or None.

    >>> duration("01:14.25"), duration(" 0h 28m 39.3s"), duration("83.5 s"), duration("1.5m"), duration("soon")
    (74.25, 1719.3, 83.5, 90.0, None)
    """
    written = written.strip(_BLANKS).lower()
    if clock := _CLOCK.fullmatch(written):
        return int(clock[1] or 0) * 86400 + int(clock[2] or 0) * 3600 + int(clock[3]) * 60 + float(clock[4])
    if written and (units := _UNITS.fullmatch(written)):
        days, hours, minutes = (int(units[index] or 0) for index in (1, 2, 3))
        return days * 86400 + hours * 3600 + minutes * 60 + float(units[4] or 0)
    plain = _PLAIN.fullmatch(written)
    return round(float(plain[1]) * _SECONDS[plain[2]], 6) if plain and plain[2] in _SECONDS else None


def memory(attribute: Attribute) -> float | None:
    """Mebibytes from a text with its unit (`1843.22M`, `50399.55 MiB`, `1.50 GB`)."""
    if attribute.type != "string":
        return None
    match = _PLAIN.fullmatch(attribute.value.strip(_BLANKS))
    factor = _MEBIBYTES.get(match[2].lower()) if match else None
    return round(float(match[1]) * factor, 6) or None if match and factor else None


def timecode(attribute: Attribute) -> str | None:
    """`hh:mm:ss:ff`, from the standard attribute or from text of that form."""
    if attribute.type == "timecode" and isinstance(attribute.value, dict):
        return str(attribute.value["text"])
    written = text(attribute)
    return written if written and _TIMECODE.fullmatch(written) else None


def rate(attribute: Attribute) -> float | None:
    """Frames per second, rounded to 6 digits: a rational, a number, or a text that begins with one (`24 fps`)."""
    value = attribute.value
    if attribute.type == "rational" and isinstance(value, dict):
        numerator, denominator = float(value["numerator"]), float(value["denominator"])
        return round(numerator / denominator, 6) if denominator and numerator / denominator > 0 else None
    if attribute.type == "string" and (match := _PLAIN.fullmatch(value.strip(_BLANKS))) and match[2].lower() in ("", "fps"):
        return round(float(match[1]), 6) or None
    return positive(attribute)


def matrix(attribute: Attribute) -> list[Any] | None:
    """The 16 numbers of a matrix, row by row."""
    return attribute.value if attribute.type in ("m44f", "m44d") else None


def before(separator: str) -> Callable[[Attribute], str | None]:
    """The text before the first separator, or the whole text: `PC-01 - AMD Ryzen` before ` - ` is `PC-01`."""
    return partial(_before, separator)


def _before(separator: str, attribute: Attribute) -> str | None:
    value = text(attribute)
    return value.partition(separator)[0].strip() or None if value else None


def after(separator: str) -> Callable[[Attribute], str | None]:
    """The text behind the first separator; None where there is none."""
    return partial(_after, separator)


def _after(separator: str, attribute: Attribute) -> str | None:
    value = text(attribute)
    return value.partition(separator)[2].strip() or None if value else None


def in_json(*path: str, factor: float = 1.0) -> Callable[[Attribute], float | None]:
    """A positive number in a JSON object, by its path of keys, times `factor`. `*` is every entry of a list: the sum of them."""
    return partial(_in_json, path, factor)


def _in_json(path: tuple[str, ...], factor: float, attribute: Attribute) -> float | None:
    numbers = [
        value
        for value in _at(_json(attribute), path)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _LARGEST
    ]
    return round(sum(numbers) * factor, 6) if numbers else None


def text_in_json(*path: str) -> Callable[[Attribute], str | None]:
    """A text in a JSON object, by its path of keys; of several (`*` is every entry of a list), the last."""
    return partial(_text_in_json, path)


def _text_in_json(path: tuple[str, ...], attribute: Attribute) -> str | None:
    texts = [value.strip(_BLANKS) for value in _at(_json(attribute), path) if isinstance(value, str)]
    # JSON can spell lone surrogates, which no column holds.
    known = [value.encode("utf-8", "replace").decode() for value in texts if value.lower() not in _NOTHING]
    return known[-1] if known else None


def integer_in_json(*path: str) -> Callable[[Attribute], int | None]:
    """A positive whole number in a JSON object, by its path of keys; of several (`*` is every entry of a list), the last."""
    return partial(_integer_in_json, path)


def _integer_in_json(path: tuple[str, ...], attribute: Attribute) -> int | None:
    integers = [value for value in _at(_json(attribute), path) if type(value) is int and 0 < value < _LARGEST]
    return integers[-1] if integers else None


def _json(attribute: Attribute) -> Any:
    if attribute.type != "string":
        return None
    try:
        return json.loads(attribute.value)
    except (ValueError, RecursionError):
        return None


def stem(attribute: Attribute) -> str | None:
    """A file's or clip's name without its extension."""
    value = text(attribute)
    return _EXTENSION.sub("", value) if value else None


def containing(word: str) -> Callable[[Attribute], str | None]:
    """The text, where it contains a word (in lower case; compared without case)."""
    return partial(_containing, word)


def _containing(word: str, attribute: Attribute) -> str | None:
    value = text(attribute)
    return value if value and word in value.lower() else None


def duration_behind(label: str) -> Callable[[Attribute], float | None]:
    """Seconds, from the end of the last line of a log that has a label."""
    return partial(_duration_behind, label)


def _duration_behind(label: str, attribute: Attribute) -> float | None:
    _, known, rest = (text(attribute) or "").rpartition(label)
    return duration(rest.partition("\n")[0]) if known else None


def quoted_behind(label: str) -> Callable[[Attribute], str | None]:
    """What stands in quotes behind the first label in a log."""
    return partial(_quoted_behind, label)


def _quoted_behind(label: str, attribute: Attribute) -> str | None:
    rest = (text(attribute) or "").partition(label)[2].partition("\n")[0]
    return rest[1:].partition('"')[0] or None if rest.startswith('"') else None


def xmp_tool(attribute: Attribute) -> str | None:
    """The program in an XMP packet (ISO 16684-1): `xmp:CreatorTool`, or else the agent of the last step in its history."""
    value = text(attribute) or ""
    tools = _CREATOR_TOOL.findall(value) or _SOFTWARE_AGENT.findall(value)
    return html.unescape("".join(tools[-1])).strip() or None if tools else None


def _at(value: Any, path: tuple[str, ...]) -> list[Any]:
    """What a path leads to in a JSON value: one value, none, or several by way of `*`."""
    values = [value]
    for key in path:
        if key == "*":
            values = [entry for one in values if isinstance(one, list) for entry in one]
        else:
            values = [one[key] for one in values if isinstance(one, dict) and key in one]
    return values


def elapsed(attribute: Attribute) -> float | None:
    """Seconds above 0, as `seconds` reads them: for renderers that write 0 before they know the time."""
    return seconds(attribute) or None


def distance(attribute: Attribute) -> float | None:
    """A distance in units of the scene; None for 0 and for what renderers write for no limit (1e18, 1e30, 1e38)."""
    value = positive(attribute)
    return value if value is not None and value < _NO_LIMIT else None


def largest(attribute: Attribute) -> int | None:
    """The largest of several numbers, where that is a whole one: `[min, max]` samples, with or without a third number behind."""
    if attribute.type not in ("v2f", "v3f", "v2i", "v3i"):
        return None
    numbers = [value for value in attribute.value if not isinstance(value, str)]
    value = max(numbers, default=0)
    return int(value) if 0 < value < _LARGEST and value == int(value) else None


def unless(*words: str) -> Callable[[Attribute], str | None]:
    """A text, unless it is one of these words: placeholders of one product."""
    return partial(_unless, frozenset(words))


def _unless(words: frozenset[str], attribute: Attribute) -> str | None:
    value = text(attribute)
    return None if value in words else value


def line(number: int) -> Callable[[Attribute], str | None]:
    """One line of a text, counted from 0."""
    return partial(_line, number)


def _line(number: int, attribute: Attribute) -> str | None:
    lines = (text(attribute) or "").splitlines()
    return lines[number].strip() or None if number < len(lines) else None
