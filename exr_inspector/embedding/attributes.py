"""What the attributes of a header say about how it was made: the bags of the last two blocks, `attrs` and `values`.

The name of an attribute tells what wrote the file, since families of tools have names of their own; its value tells how the
render was set up. What every file has, what a part of the payload states already, and what differs between two frames, machines
or runs of one setup is left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from exr_inspector.embedding.cache import MB, bounded_cache
from exr_inspector.embedding.facts import LEAVES_LIMIT, Attribute, numbers
from exr_inspector.embedding.text import (
    OCTAVE,
    UNIT,
    fold,
    fold_digits,
    fold_hashes,
    number,
    octaves,
    soft_bins,
    text,
    words,
)

Bag = dict[bytes, int]
Tokens = tuple[tuple[bytes, int], ...]
"""(token, energy) pairs, of the energy of one attribute: `UNIT`, or half as much again for a text that says which one it is."""

# Attributes that a part of the payload states already under names of its own, and the width of the screen window: every file has
# one, and a zoom changes it from frame to frame.
PART_ATTRIBUTES = frozenset(
    b"channels compression datawindow displaywindow lineorder pixelaspectratio screenwindowwidth tiles type name view chunkcount "
    b"version software multiview preview oiio:colorspace".split()
)
# Every file has this one as well; it says something where it is not (0, 0).
CENTRE = b"screenwindowcenter"
PART_ATTRIBUTES_PREFIX = b"openexr:"
# Values that differ from frame to frame, machine to machine or run to run, without the render being another.
VOLATILE_WORDS = frozenset(
    b"time date frame utc clock capdate elapsed rendertime mtime ctime host computer computername hostname machine node cpu pid "
    b"user owner artist uuid guid id hash sha seed memory mem ram vmem stats statistics primitives peak total size filesize "
    b"bounds manifest timecode keycode filename file path rib document session temp tmp command history log xmp".split()
)
# Names whose text says which one it is, so that its digits are no counter.
IDENTITY_WORDS = frozenset(
    b"camera cam lens clip reel take slate shot sequence scene layer view pass light version software renderer generated build "
    b"product program writer".split()
)
TEXT_TYPES = frozenset({b"string", b"envmap"})
NUMBER_TYPES = frozenset({b"int", b"uint", b"float", b"double", b"half"})
LIST_TYPES = frozenset({b"chromaticities", b"rational", b"v2f", b"v2i"})
SHORT_TEXT = 64
THOUSANDTHS = 1000
ATTRIBUTE = 4
"""Units of energy of one attribute in a part; the values have as much in a token that every file has."""
LONG: Tokens = ((b"$long", UNIT),)

_NAMESPACE_END = re.compile(rb"[/:.]")
_NUMBER = re.compile(rb"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
_CLOCK = re.compile(rb"[0-9]{1,2}(:[0-9]{2}){1,3}([.][0-9]+)?|[0-9]{4}([-/.:])[0-9]{1,2}\3[0-9]{1,2}")
# A version such as v0012 is no counter.
_COUNTER = re.compile(rb"(?<![v0-9])[0-9]{4,}")
_TEMPORARY = re.compile(rb"(^|/)te?mp/.*", re.DOTALL)


class Said(NamedTuple):
    """What one attribute adds to `attrs` and to `values`."""

    name: Tokens
    value: Tokens


class Label(NamedTuple):
    """What is read off the name and the type of an attribute, whatever its value."""

    folded: bytes
    type: bytes
    """In lower case; empty where none is stated."""
    namespace: bytes
    counts: bool
    value_counts: bool
    is_identity: bool


NOTHING = Said((), ())


def setup_attributes(attributes: list[list[Attribute]]) -> tuple[tuple[Tokens, ...], tuple[Tokens, ...]]:
    """What the attributes of all parts say by their names, and by their values; those that say nothing are left out."""
    said = [
        _cached_say(name, kind, value) if type(name) is type(kind) is str and _is_short(value) else _say(name, kind, value)
        for entries in attributes
        for name, kind, value in entries
    ]
    return tuple([name for name, _ in said if name]), tuple([value for _, value in said if value])


def attrs(named: tuple[Tokens, ...], lists: int) -> Bag:
    """Block 9: which attributes of which type there are, and from which namespaces, over the parts that list any."""
    return _sum(named, lists, {})


def values(valued: tuple[Tokens, ...], lists: int) -> Bag:
    """Block 10: the values of attributes that describe how a render was set up, beside a token that every file has."""
    return _sum(valued, lists, {b"b:": ATTRIBUTE * UNIT})


def _sum(said: tuple[Tokens, ...], lists: int, bag: Bag) -> Bag:
    sums: defaultdict[bytes, int] = defaultdict(int, bag)
    for tokens in said:
        for token, energy in tokens:
            sums[token] += ATTRIBUTE * energy // max(1, lists)
    return sums


def _is_short(value: Any) -> bool:
    """Long texts would fill memory, and (1,) and (True,) are one key but not one value."""
    kind = type(value)
    return kind is int or kind is float or (kind is str and len(value) <= SHORT_TEXT)


def _say(stated_name: Any, stated_type: Any, value: Any) -> Said:
    is_text = type(stated_name) is type(stated_type) is str
    label = _cached_label(stated_name, stated_type) if is_text else _read_label(stated_name, stated_type)
    if not label.counts or (label.folded == CENTRE and not any(numbers(value))):
        return NOTHING
    type_name = label.type or _type_of(value)
    named: Tokens = ((b"n:" + label.folded + b":" + type_name, UNIT),)
    if label.namespace:
        named += ((b"s:" + label.namespace, UNIT),)
    spelled = _spell(type_name, value, label.is_identity) if label.value_counts else ()
    return Said(named, tuple([(label.folded + b"=" + token, energy) for token, energy in spelled if energy]))


def _type_of(value: Any) -> bytes:
    """EXR's type for a value that comes without one."""
    if isinstance(value, str):
        return b"string"
    if isinstance(value, bool) or value is None:
        return b""
    if isinstance(value, int):
        return b"int"
    return b"float" if isinstance(value, float) else b""


def _said_bytes(arguments: tuple[str, str, Any], _: Said) -> int:
    """At least what an attribute takes: five tokens, each of its name and of a type or value of at most 64 characters."""
    name, kind, _ = arguments
    return 2000 + 10 * len(name) + 6 * len(kind)


_cached_say = bounded_cache(4 * MB, typed=True, size=_said_bytes)(_say)


def _read_label(stated_name: Any, stated_type: Any) -> Label:
    name = text(stated_name)
    lowered, folded, spoken = name.lower(), fold(name), words(name)
    separator = _NAMESPACE_END.search(folded)
    counts = lowered not in PART_ATTRIBUTES and not lowered.startswith(PART_ATTRIBUTES_PREFIX)
    return Label(
        folded,
        text(stated_type).lower(),
        folded[: separator.start()] if separator else b"",
        counts,
        counts and VOLATILE_WORDS.isdisjoint(spoken),
        not IDENTITY_WORDS.isdisjoint(spoken),
    )


def _label_bytes(arguments: tuple[str, str], _: Label) -> int:
    """At least what a name and a type of up to four bytes a character take."""
    return 600 + 7 * (len(arguments[0]) + len(arguments[1]))


_cached_label = bounded_cache(MB, size=_label_bytes)(_read_label)


def _spell(kind: bytes, value: Any, is_identity: bool) -> Iterable[tuple[bytes, int]]:
    """The value as it enters tokens; nothing for types whose values say nothing about the setup.

    A payload holds a value of more than 64 KiB as its size and digest: such a text is long, such a list is not short.
    """
    if isinstance(value, Mapping) and "sha256" in value:
        return LONG if kind in TEXT_TYPES or kind == b"stringvector" else ()
    if kind in TEXT_TYPES:
        return _spell_text(text(value), is_identity)
    if kind in NUMBER_TYPES:
        return _spell_number(number(value, THOUSANDTHS))
    if kind == b"stringvector":
        # 66 texts have 65 commas between them, which is long whatever the texts are.
        strings = value[: SHORT_TEXT + 2] if isinstance(value, list) else [value]
        return _spell_text(b",".join(text(item) for item in strings), is_identity)
    scalars = numbers(value) if kind in LIST_TYPES else []
    if 0 < len(scalars) <= LEAVES_LIMIT:
        return ((b",".join(b"%d" % number(item, THOUSANDTHS) for item in scalars), UNIT),)
    return ()


def _spell_number(value: int) -> Tokens:
    """A number in thousandths: half of the energy on the very number, half softly on its octave."""
    sign = b"-" if value < 0 else b"+"
    return (b"%d" % value, UNIT // 2), *soft_bins(sign, octaves(abs(value)), OCTAVE, UNIT // 2)


def _spell_text(value: bytes, is_identity: bool) -> Tokens:
    """A number, a path, a short text or a long one, without what follows " : ", which is a command line or a hash."""
    stated = value.partition(b" : ")[0].strip(b"\0 \t\r\n").lower()
    if _NUMBER.fullmatch(stated):
        return _spell_number(number(float(stated), THOUSANDTHS))
    steady = _CLOCK.sub(b"#", fold_hashes(stated))
    if b"/" in steady or b"\\" in steady:
        return _spell_path(steady.replace(b"\\", b"/"), is_identity)
    if is_identity:
        steady = steady[:SHORT_TEXT]
    elif len(steady) > SHORT_TEXT:
        return LONG
    exact = steady if is_identity else _COUNTER.sub(b"#", steady)
    return _share(exact, b"~" + fold_digits(steady), is_identity)


def _spell_path(path: bytes, is_identity: bool) -> Tokens:
    """Half of the energy on the path, half on its folder; the digits of a file name and of temporary folders do not count."""
    folder, _, name = _TEMPORARY.sub(rb"\1tmp/#", path).rpartition(b"/")
    if not is_identity:
        folder = _COUNTER.sub(b"#", folder)
        name = fold_digits(name) if b"." in name else _COUNTER.sub(b"#", name)
    return _share(folder + b"/" + name, b"$in:" + folder, is_identity)


def _share(exact: bytes, loose: bytes, is_identity: bool) -> Tokens:
    """Half of the energy each, and half as much again where the text says which one: another camera is graver than a setting."""
    energy = 3 * UNIT // 4 if is_identity else UNIT // 2
    return (exact, energy), (loose, energy)
