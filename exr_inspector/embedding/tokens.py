"""The ten bags of tokens that a file is described by: one function per block of the vector.

A bag maps a token to an energy, in units of 1/2**24 (`UNIT`); energies of equal tokens add. What a block is *about* is decided
here alone: equal tokens are what makes two files near. Energies below are shares of a block, so only their ratios count.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from exr_inspector.embedding.cache import MB, bounded_cache
from exr_inspector.embedding.facts import LEAVES_LIMIT, AttributeFacts, Box, ChannelFacts, PartFacts, numbers, relation
from exr_inspector.embedding.text import OCTAVE, UNIT, fold, number, octaves, soft_bins, specific_words, text, words

Bag = dict[bytes, int]

# Layers. A rename keeps some of the canonical tokens; an added layer adds one unit beside `SMOOTHING` and the others.
RAW_NAME = UNIT // 10
CANONICAL_NAME = 3 * UNIT // 10
LAYER_WORDS = UNIT // 10
LAYER_TRIGRAMS = UNIT // 2
UNNAMED_LAYER = 6 * UNIT // 10
SMOOTHING = 3 * UNIT

FAMILIES = {b"zip": b"deflate", b"zips": b"deflate", b"dwaa": b"dwa", b"dwab": b"dwa", b"b44a": b"b44"}
LOSSY = frozenset(b"pxr24 b44 b44a dwaa dwab lj2k".split())

# What may stand between a product and its version: "Nuke 14", "Gaffer-1.4", "Renderer version 3.1".
SEPARATORS = b" \t-_/.,:;@+()[]'\""

# A window that lies further off than four display sizes is as far off as one that lies at four.
OFFSET_LIMIT = 4
OFFSET_BIAS = 8 << 16
PARTS_SIGNATURE_LIMIT = 200

# Attributes that a part of the payload states already, under names of its own.
PART_ATTRIBUTES = frozenset(
    b"channels compression datawindow displaywindow lineorder pixelaspectratio tiles type name view chunkcount version "
    b"software multiview preview oiio:colorspace".split()
)
PART_ATTRIBUTES_PREFIX = b"openexr:"
# Values that differ from frame to frame, machine to machine or run to run, without the render being another.
VOLATILE_WORDS = frozenset(
    b"time date frame host computer computername hostname uuid hash memory mem stats statistics mtime ctime size filesize "
    b"manifest timecode keycode filename file path rib ram vmem cpu primitives rendertime user pid seed sha history id "
    b"capdate elapsed peak total".split()
)
TEXT_TYPES = frozenset({b"string", b"envmap"})
INTEGER_TYPES = frozenset({b"int", b"uint"})
FLOAT_TYPES = frozenset({b"float", b"double", b"half"})
LIST_TYPES = frozenset({b"chromaticities", b"rational", b"v2f", b"v2i"})
SHORT_TEXT = 64
EXACT_NUMBERS = 4096
THOUSANDTHS = 1000

_NAMESPACE_END = re.compile(rb"[/:.]")
_VERSION = re.compile(rb"([0-9]+)\.([0-9]+)")
_PLAIN_VERSION = re.compile(rb"(?<![0-9A-Za-z])[vV]?([0-9]+)(?![0-9A-Za-z])()")


def names(channels: tuple[ChannelFacts, ...]) -> Bag:
    """Block 1: which layers there are, by name, by canonical name, and by what the names are made of."""
    copies = Counter([(layer, component) for _, layer, component in {channel[:3] for channel in channels}])
    components: defaultdict[bytes, list[bytes]] = defaultdict(list)
    times: defaultdict[bytes, int] = defaultdict(int)
    for (layer, component), parts in copies.items():
        components[layer].append(component)
        times[layer] = max(times[layer], parts)
    bag: defaultdict[bytes, int] = defaultdict(int, {b"b:": SMOOTHING})
    for layer, own in components.items():
        for token, energy in _layer_tokens(layer, tuple(sorted(own))):
            bag[token] += energy * times[layer]
    return bag


@bounded_cache(4 * MB)
def _layer_tokens(layer: bytes, components: tuple[bytes, ...]) -> tuple[tuple[bytes, int], ...]:
    """One layer's tokens, its energy split over its components, words and trigrams."""
    canonical = b"".join(specific_words(layer))
    share = len(components)
    tokens = [(b"r:" + layer + b"." + component, RAW_NAME // share) for component in components]
    tokens += [(b"c:" + canonical + b"." + component.lower(), CANONICAL_NAME // share) for component in components]
    if not canonical:
        return (*tokens, (b"l:", UNNAMED_LAYER))
    tokens += _split(b"w:", words(layer), LAYER_WORDS)
    framed = b"^" + canonical + b"$"
    tokens += _split(b"t:", (framed[at : at + 3] for at in range(len(framed) - 2)), LAYER_TRIGRAMS)
    return tuple(tokens)


def _split(prefix: bytes, tokens: Iterable[bytes], energy: int) -> list[tuple[bytes, int]]:
    """`energy` in equal shares over the distinct tokens."""
    distinct = dict.fromkeys(tokens)
    return [(prefix + token, energy // len(distinct)) for token in distinct]


def types(channels: tuple[ChannelFacts, ...]) -> Bag:
    """Block 2: pixel types, what type each component has, sampling, and how many channels there are."""
    bag: defaultdict[bytes, int] = defaultdict(int)
    _add(bag, soft_bins(b"n", octaves(len(channels)), OCTAVE, 4 * UNIT))
    if not channels:
        return bag
    by_type, by_component = 16 * UNIT // len(channels), 8 * UNIT // len(channels)
    for (component, kind, sampling), count in Counter([channel[2:] for channel in channels]).items():
        bag[b"t:" + kind] += by_type * count
        bag[b"c:" + component.lower() + b":" + kind] += by_component * count
        bag[b"s:" + sampling] += by_component * count
    _add(bag, _split(b"n:", [channel.layer + b"." + channel.component_type for channel in channels], 4 * UNIT))
    return bag


def compression(parts: tuple[PartFacts, ...]) -> Bag:
    """Block 3: the compression, its family, and whether it loses anything."""
    bag: defaultdict[bytes, int] = defaultdict(int)
    each = _each(parts)
    for name in (part.compression for part in parts if part.compression):
        family = b"htj2k" if name.startswith(b"htj2k") else FAMILIES.get(name, name)
        bag[b"x:" + name] += 6 * each
        bag[b"f:" + family] += 4 * each
        bag[b"l:lossy" if name in LOSSY else b"l:lossless"] += 2 * each
    return bag


def resolution(parts: tuple[PartFacts, ...]) -> Bag:
    """Block 4, `format`: the display size (else the data size), its aspect, and the pixel aspect."""
    bag: defaultdict[bytes, int] = defaultdict(int)
    each = _each(parts)
    for part in parts:
        if part.aspect is not None:
            bag[b"p:%d" % part.aspect] += 5 * each
        shown = part.display or part.data
        if shown is None:
            continue
        width, height = shown.width, shown.height
        bag[b"x:%dx%d" % (width, height)] += 8 * each
        for key, size in ((b"w", octaves(width)), (b"h", octaves(height))):
            _add(bag, soft_bins(key, size, OCTAVE, 4 * each))
            _add(bag, soft_bins(key + b"8", size, OCTAVE // 8, 2 * each))
        _add(bag, soft_bins(b"a", octaves((width << 16) // height), OCTAVE // 4, 2 * each))
    return bag


def window(parts: tuple[PartFacts, ...]) -> Bag:
    """Block 5: how the data window lies in the display window."""
    bag: defaultdict[bytes, int] = defaultdict(int)
    each = _each(parts)
    for part in parts:
        if part.data is not None and part.display is not None:
            _add_window(bag, part.data, part.display, each)
    return bag


def _add_window(bag: defaultdict[bytes, int], data: Box, display: Box, each: int) -> None:
    bag[b"r:" + relation(data, display).encode("ascii")] += 8 * each
    margins = b"-"
    if data.contains(display):  # overscan is chosen, to the pixel; a crop follows what the frame shows
        sides = (display.left - data.left, display.top - data.top, data.right - display.right, data.bottom - display.bottom)
        margins = b"%d,%d,%d,%d" % sides
    bag[b"o:" + margins] += 3 * each
    for key, covered, full, offset in (
        (b"w", data.width, display.width, data.left - display.left),
        (b"h", data.height, display.height, data.top - display.top),
    ):
        _add(bag, soft_bins(b"c" + key, octaves((covered << 16) // full), OCTAVE, 3 * each))
        near = max(-OFFSET_LIMIT * full, min(OFFSET_LIMIT * full, offset))
        _add(bag, soft_bins(b"d" + key, (near << 16) // full + OFFSET_BIAS, OCTAVE // 2, each))


def storage(parts: tuple[PartFacts, ...]) -> Bag:
    """Block 6: deep or flat, tiled or scanlines, tile size, line order, one part or several."""
    bag: defaultdict[bytes, int] = defaultdict(int)
    each = _each(parts)
    for part in parts:
        bag[b"d:deep" if part.deep else b"d:flat"] += 10 * each
        bag[b"k:tiled" if part.tiled else b"k:scan"] += 6 * each
        bag[b"z:" + part.tile] += 2 * each
        if part.line_order:
            bag[b"o:" + part.line_order] += 3 * each
    _add(bag, soft_bins(b"n", octaves(len(parts)), OCTAVE, 6 * UNIT))
    bag[b"m:multi" if len(parts) > 1 else b"m:single"] += 2 * UNIT
    return bag


def arrangement(parts: tuple[PartFacts, ...], channels: tuple[ChannelFacts, ...]) -> Bag:
    """Block 7, `parts`: views, part names, and which components of which type lie in one part."""
    bag: defaultdict[bytes, int] = defaultdict(int)
    each = _each(parts)
    for part in parts:
        bag[b"v:" + part.view] += 4 * each
        bag[b"n:" + part.name] += 2 * each
        _add(bag, _split(b"w:", words(part.name), 4 * each))
    components: defaultdict[int, set[bytes]] = defaultdict(set)
    for channel in channels:
        components[channel.part].add(channel.component_type)
    for own in components.values():
        bag[b"p:" + b",".join(sorted(own))[:PARTS_SIGNATURE_LIMIT]] += 4 * UNIT // len(components)
    return bag


def source(parts: tuple[PartFacts, ...]) -> Bag:
    """Block 8: colour space and the software that wrote the file, from the product down to the full version text."""
    bag: defaultdict[bytes, int] = defaultdict(int)
    each = _each(parts)
    for part in parts:
        bag[b"c:" + part.color_space] += 8 * each
        product, major, minor = software_levels(part.software)
        bag[b"p:" + product] += 8 * each
        bag[b"j:" + product + b" " + major] += 2 * each
        bag[b"m:" + product + b" " + major + b"." + minor] += 2 * each
        bag[b"f:" + part.software] += each
    return bag


def software_levels(software: bytes) -> tuple[bytes, bytes, bytes]:
    """Product (folded), major and minor version.

    >>> software_levels(b"Arnold 7.2.1.0"), software_levels(b"3ds Max 2024"), software_levels(b"")
    ((b'arnold', b'7', b'2'), (b'#ds max', b'2024', b''), (b'', b'', b''))
    """
    version = _VERSION.search(software) or _PLAIN_VERSION.search(software)
    if version is None:
        return fold(software).strip(SEPARATORS), b"", b""
    product = fold(software[: version.start()]).strip(SEPARATORS)
    for introduction in (b" version", b" v"):
        product = product.removesuffix(introduction).rstrip(SEPARATORS)
    return product, version.group(1), version.group(2)


def setup_attributes(attributes: list[list[AttributeFacts]]) -> tuple[tuple[tuple[bytes, bytes], ...], tuple[bytes, ...]]:
    """The attributes that describe the setup: (name, type) of each, for block 9, and `name=value`, for block 10.

    Left out is what a part states already, and the values of what changes from frame to frame.
    """
    kinds, assignments = [], []
    for entries in attributes:
        for attribute in entries:
            by_name, by_value = _counts(attribute.name)
            if by_name:
                kinds.append((attribute.name, attribute.type))
            if by_value and (token := _assignment(attribute)) is not None:
                assignments.append(token)
    return tuple(kinds), tuple(assignments)


def _assignment(attribute: AttributeFacts) -> bytes | None:
    """Only short scalars are cached. Long texts would fill memory, and (1,) and (True,) are one key but not one value."""
    kind = type(attribute.value)
    if kind is int or kind is float or (kind is str and len(attribute.value) <= SHORT_TEXT):
        return _cached_assignment(*attribute)
    return _spell_assignment(*attribute)


def _spell_assignment(name: bytes, kind: bytes, value: Any) -> bytes | None:
    spelled = _spell(kind, value)
    return None if spelled is None else fold(name) + b"=" + spelled


_cached_assignment = bounded_cache(MB, typed=True)(_spell_assignment)


def attrs(kinds: tuple[tuple[bytes, bytes], ...], lists: int) -> Bag:
    """Block 9: which attributes of which type there are, and from which namespaces, over the parts that list any."""
    bag: defaultdict[bytes, int] = defaultdict(int)
    each = 4 * UNIT // max(1, lists)
    for raw, kind in kinds:
        name = fold(raw)
        bag[b"n:" + name + b":" + kind] += each
        bag[b"s:" + _NAMESPACE_END.split(name, maxsplit=1)[0]] += each // 4
    return bag


def values(assignments: tuple[bytes, ...], lists: int) -> Bag:
    """Block 10: the values of attributes that describe how a render was set up."""
    bag: defaultdict[bytes, int] = defaultdict(int)
    for token in assignments:
        bag[token] += 4 * UNIT // max(1, lists)
    return bag


@bounded_cache(MB)
def _counts(name: bytes) -> tuple[bool, bool]:
    """Whether an attribute of this name counts by its name, and whether it also counts by its value."""
    lowered = name.lower()
    by_name = lowered not in PART_ATTRIBUTES and not lowered.startswith(PART_ATTRIBUTES_PREFIX)
    return by_name, by_name and VOLATILE_WORDS.isdisjoint(words(name))


def _spell(kind: bytes, value: Any) -> bytes | None:
    """The value as it enters a token; None for types whose values say nothing about the setup.

    A payload holds a value of more than 64 KiB as its size and digest: such a text is long, such a list is not short.
    """
    if isinstance(value, Mapping) and "sha256" in value:
        return b"$long" if kind in TEXT_TYPES or kind == b"stringvector" else None
    if kind in TEXT_TYPES:
        return _short_text(text(value))
    if kind in INTEGER_TYPES:
        return _magnitude(number(value), EXACT_NUMBERS, 1)
    if kind in FLOAT_TYPES:
        return _magnitude(number(value, THOUSANDTHS), EXACT_NUMBERS * THOUSANDTHS, THOUSANDTHS)
    if kind == b"stringvector":
        # 66 texts have 65 commas between them, which is long whatever the texts are.
        strings = value[: SHORT_TEXT + 2] if isinstance(value, list) else [value]
        return _short_text(b",".join(text(item) for item in strings))
    scalars = numbers(value) if kind in LIST_TYPES else []
    if 0 < len(scalars) <= LEAVES_LIMIT:
        return b",".join(b"%d" % number(item, THOUSANDTHS) for item in scalars)
    return None


def _short_text(value: bytes) -> bytes:
    """Folded when it is short and not a path; all others are one token."""
    return b"$long" if len(value) > SHORT_TEXT or b"/" in value or b"\\" in value else fold(value)


def _magnitude(value: int, exact: int, scale: int) -> bytes:
    """The number itself when small, else its sign and the octave it lies in."""
    if abs(value) < exact:
        return b"%d" % value
    return (b"-" if value < 0 else b"") + b"^%d" % (abs(value) // scale).bit_length()


def _each(parts: tuple[PartFacts, ...]) -> int:
    return UNIT // max(1, len(parts))


def _add(bag: defaultdict[bytes, int], tokens: Iterable[tuple[bytes, int]]) -> None:
    for token, energy in tokens:
        bag[token] += energy
