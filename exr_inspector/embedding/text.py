"""Text and numbers as the vectors count them: bytes, words, spellings, fixed-point logarithms.

Everything here is exact: byte strings, integers and floor division. No Unicode table, locale, clock or libm takes part, so a
value folds to the same token on every machine and Python version. A change to a list or pattern below changes the vectors and
therefore needs a new `EMBEDDING_VERSION`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from exr_inspector.embedding.cache import MB, bounded_cache

EMBEDDING_VERSION = 2
UNIT = 1 << 24
OCTAVE = 1 << 16
TEXT_LIMIT = 512
NUMBER_LIMIT = 1 << 50
FLOAT_LIMIT = 1e12
EMPTY = b"\0empty"
"""The only token of a bag that nothing was put into."""

GENERIC_WORDS = frozenset(b"rgb rgba aov aovs layer view viewlayer render c v".split())
COMPONENTS = {b"red": b"r", b"green": b"g", b"blue": b"b", b"alpha": b"a"}
PIXEL_TYPES = {
    b"uint32": b"uint",
    b"unsigned int": b"uint",
    b"float32": b"float",
    b"f32": b"float",
    b"float16": b"half",
    b"f16": b"half",
}
# The order is that of the compression byte in the file.
COMPRESSIONS = b"none rle zips zip piz pxr24 b44 b44a dwaa dwab htj2k256 htj2k32 lj2k zstd".split()
UNCOMPRESSED = frozenset({b"no", b"none", b"uncompressed"})
LINE_ORDERS = (b"increasing", b"decreasing", b"random")

_WORD = re.compile(rb"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[\x80-\xff]+")
_HEX_RUN = re.compile(rb"(?<![a-z0-9])(?=[a-f]*[0-9])[0-9a-f]{6,}(?![a-z0-9])")
_DIGITS = re.compile(rb"[0-9]+")
_VERSION = re.compile(rb"(?<![0-9A-Za-z.])[vV]?([0-9]+(?:\.[0-9A-Za-z]+)+|[0-9]+(?:v[0-9]+)?)(?![0-9A-Za-z])")
_OPTIONS = re.compile(rb"\s--?[A-Za-z]")
_VERSION_SUFFIX = re.compile(rb"[_.-][vV][0-9]+$")
# What may stand between a program and its version: "Nuke 14", "Gaffer-1.4", "Renderer version 3.1".
_SEPARATORS = b" \t-_/.,:;@+()[]'\""
_INTRODUCTIONS = (b" version", b" v")


def hash_prefix(block: str) -> bytes:
    """What precedes every token of a block in its hash."""
    return f"exr-inspector/embedding/{EMBEDDING_VERSION}/{block}\0".encode("ascii")


def encode(value: Any) -> bytes:
    """The whole value as bytes: text in UTF-8 with lone surrogates kept, integers in decimal, anything else empty."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, int):
        # Through `number`, because Python refuses to print integers of more than 4300 digits.
        return b"%d" % number(int(value))
    return b""


def text(value: Any) -> bytes:
    """The first 512 bytes of `value`; empty for None and for everything that is not text."""
    if type(value) is str:  # the first 512 bytes lie within the first 512 characters
        return value[:TEXT_LIMIT].encode("utf-8", "surrogatepass")[:TEXT_LIMIT]
    return encode(value)[:TEXT_LIMIT]


def texts(values: Iterable[Any]) -> list[bytes]:
    """`text` of each value."""
    return [text(value) for value in values]


def words(name: bytes) -> list[bytes]:
    """The words of a name in order, lower-cased: camel case and separators split, a run of digits is a word."""
    return [word.lower() for word in _WORD.findall(name)]


def canonical_words(layer: bytes) -> list[bytes]:
    """A layer's words without those that every layer may have, a version and counters.

    Where nothing else is left, counters say which layer it is, and else the words that every layer may have, once each.

    >>> canonical_words(b"ViewLayer.DiffDir_v002"), canonical_words(b"AOV_02"), canonical_words(b"rgba")
    ([b'diff', b'dir'], [b'02'], [b'rgba'])
    """
    spoken = words(_VERSION_SUFFIX.sub(b"", layer))
    specific = [word for word in spoken if word not in GENERIC_WORDS]
    return [word for word in specific if not word.isdigit()] or specific or list(dict.fromkeys(spoken))


def fold(name: bytes) -> bytes:
    """Lower case, with hashes and digit runs as `#`."""
    lowered = name.lower()
    return fold_digits(fold_hashes(lowered)) if _DIGITS.search(lowered) else lowered


def fold_hashes(lowered: bytes) -> bytes:
    """Hashes as `#`: six or more hex characters with a digit among them, not touching letters."""
    return _HEX_RUN.sub(b"#", lowered)


def fold_digits(name: bytes) -> bytes:
    """Runs of digits as `#`."""
    return _DIGITS.sub(b"#", name)


def digit_runs(name: bytes) -> list[bytes]:
    """The runs of digits, in order."""
    return _DIGITS.findall(name)


def number(value: Any, scale: int = 1) -> int:
    """`value * scale` as an integer within 2**50 of zero; 0 for what is not a finite number. Halves round to even."""
    if type(value) is int:
        scaled = value * scale
        return scaled if -NUMBER_LIMIT <= scaled <= NUMBER_LIMIT else _clamp(scaled)
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return _clamp(int(value) * scale)
    if not isinstance(value, float) or value != value or value in (float("inf"), float("-inf")):
        return 0
    if abs(value) >= FLOAT_LIMIT:
        return NUMBER_LIMIT if value > 0 else -NUMBER_LIMIT
    return _clamp(round(float(value) * scale))


def _clamp(value: int) -> int:
    return max(-NUMBER_LIMIT, min(NUMBER_LIMIT, value))


def octaves(value: int) -> int:
    """log2(value + 1) in units of 1/65536 octave, linear between powers of two; negative values count as 0."""
    shifted = max(value, 0) + 1
    exponent = shifted.bit_length() - 1
    return (exponent << 16) + ((shifted << 16) >> exponent) - OCTAVE


def soft_bins(key: bytes, position: int, step: int, energy: int, points: int = 0) -> Iterator[tuple[bytes, int]]:
    """`energy` shared by the two grid points next to `position`, so that near values stay near and far ones do not meet.

    With `points`, the grid is a circle of so many.
    """
    grid, right = divmod(position, step)
    left = step - right
    whole = left * left + right * right
    after = grid + 1
    if points:
        grid, after = grid % points, after % points
    yield key + b"~%d" % grid, energy * left * left // whole
    yield key + b"~%d" % after, energy * right * right // whole


def pixel_type(value: Any) -> bytes:
    """`half`, `float` or `uint` for the spellings in use, else the lower-cased text."""
    spelled = text(value).lower()
    return PIXEL_TYPES.get(spelled, spelled)


def component(name: bytes) -> bytes:
    """A component's name in lower case; R, G, B and A for red, green, blue and alpha."""
    lowered = name.lower()
    return COMPONENTS.get(lowered, lowered)


def compression(value: Any) -> bytes:
    """EXR's lower-case name of a compression; empty when there is none to name. Integers are the byte in the file."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(COMPRESSIONS):
        return COMPRESSIONS[value]
    # A level follows a colon ("dwaa:45"), an enumeration's name precedes a dot ("Compression.ZIP_COMPRESSION").
    spelled = text(value).lower().partition(b":")[0].rpartition(b".")[2].replace(b"_compression", b"")
    return b"none" if spelled in UNCOMPRESSED else spelled


def line_order(value: Any) -> bytes:
    """`increasing`, `decreasing` or `random` for the spellings in use, else the lower-cased text; empty when missing."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(LINE_ORDERS):
        return LINE_ORDERS[value]
    spelled = text(value).lower()
    return next((order for order in LINE_ORDERS if order in spelled), spelled)


@bounded_cache(MB // 4)
def cut_software(software: bytes) -> tuple[bytes, bytes]:
    """The program that a `Software` text names, and its version; without what follows " : ", which is a command line or a hash.

    >>> cut_software(b"Renderer version 3.1 (linux)"), cut_software(b"OpenImageIO 2.3.14 : oiiotool a.exr")
    ((b'Renderer', b'3.1'), (b'OpenImageIO', b'2.3.14'))
    """
    stated = _OPTIONS.split(software.partition(b" : ")[0], maxsplit=1)[0]
    version = _VERSION.search(stated)
    if version is None:
        return stated.strip(_SEPARATORS), b""
    program = stated[: version.start()].strip(_SEPARATORS)
    for introduction in _INTRODUCTIONS:
        if program.lower().endswith(introduction):
            program = program[: -len(introduction)].rstrip(_SEPARATORS)
    return program, version[1]
