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
from exr_inspector.embedding.facts import LEAVES_LIMIT, AttributeFacts, Box, ChannelFacts, PartFacts, numbers
from exr_inspector.embedding.text import _DIGITS, _HEX_RUN, OCTAVE, UNIT, fold, number, octaves, soft_bins, specific_words, text, words

Bag = dict[bytes, int]

# Layers. A rename keeps some of the canonical tokens; an added layer adds one unit beside `SMOOTHING` and the others.
RAW_NAME = 3 * UNIT // 10
CANONICAL_NAME = 4 * UNIT // 10
LAYER_WORDS = UNIT // 10
LAYER_TRIGRAMS = 2 * UNIT // 10
UNNAMED_LAYER = LAYER_WORDS + LAYER_TRIGRAMS
SMOOTHING = 2 * UNIT

FAMILIES = {b"zip": b"deflate", b"zips": b"deflate", b"dwaa": b"dwa", b"dwab": b"dwa", b"b44": b"b44", b"b44a": b"b44"}
LOSSY = frozenset(b"pxr24 b44 b44a dwaa dwab lj2k".split())

# What may stand between a product and its version: "Nuke 14", "Gaffer-1.4", "Renderer version 3.1".
SEPARATORS = b" \t-_/.,:;@+()[]'\""

# A side that lies further off than four display sizes is as far off as one that lies at four.
MARGIN_LIMIT = 4
MARGIN_SCALE = 64
MARGIN_BIAS = 16 << 16
SIGNATURE_LIMIT = 200
FULL_SAMPLING = b"1:1"

# Attributes that a part of the payload states already, under names of its own.
PART_ATTRIBUTES = frozenset(
    b"channels compression screenwindowcenter screenwindowwidth datawindow displaywindow lineorder pixelaspectratio tiles type name view chunkcount version "
    b"software multiview preview oiio:colorspace".split()
)
PART_ATTRIBUTES_PREFIX = b"openexr:"
# Values that differ from frame to frame, machine to machine or run to run, without the render being another.
VOLATILE_WORDS = frozenset(
    b"time date frame host computer computername hostname uuid hash memory mem stats statistics mtime ctime size filesize "
    b"manifest timecode keycode filename file path rib ram vmem cpu primitives rendertime user pid seed sha history id "
    b"capdate elapsed peak total utc offset log owner artist document machine node bounds xmp command clock session temp tmp".split()
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
        bag[b"s:" + sampling] += by_component // 2 * count
    subsampled = sorted({channel.sampling for channel in channels} - {FULL_SAMPLING})
    bag[b"y:" + b",".join(subsampled)[:SIGNATURE_LIMIT]] += 8 * UNIT
    _add(bag, _split(b"n:", [channel.layer + b"." + channel.component_type for channel in channels], 8 * UNIT))
    return bag


def compression(parts: tuple[PartFacts, ...]) -> Bag:
    """Block 3: the compression, its family, and whether it loses anything."""
    bag: defaultdict[bytes, int] = defaultdict(int)
    each = _each(parts)
    for name in (part.compression for part in parts if part.compression):
        family = b"htj2k" if name.startswith(b"htj2k") else FAMILIES.get(name)
        bag[b"x:" + name] += 6 * each
        bag[b"x:" + name if family is None else b"f:" + family] += 4 * each
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
        size = octaves(width)
        _add(bag, soft_bins(b"w", size, OCTAVE, 6 * each))
        _add(bag, soft_bins(b"w8", size, OCTAVE // 8, 4 * each))
        _add(bag, soft_bins(b"a", octaves((width << 16) // height), OCTAVE // 4, 6 * each))
    return bag


def window(parts: tuple[PartFacts, ...]) -> Bag:
    """Block 5: how far the data window reaches beyond each side of the display window, or stays within it."""
    bag: defaultdict[bytes, int] = defaultdict(int)
    each = _each(parts)
    for part in parts:
        if part.data is not None and part.display is not None:
            _add_window(bag, part.data, part.display, each)
    return bag


def _add_window(bag: defaultdict[bytes, int], data: Box, display: Box, each: int) -> None:
    for key, margin, size in (
        (b"l", display.left - data.left, display.width),
        (b"t", display.top - data.top, display.height),
        (b"r", data.right - display.right, display.width),
        (b"b", data.bottom - display.bottom, display.height),
    ):
        beyond = min(abs(margin), MARGIN_LIMIT * size)
        # log2(1 + 64 share): a sixty-fourth of the display is one octave from none, in either direction.
        reach = octaves(OCTAVE - 1 + (MARGIN_SCALE * beyond << 16) // size) - 16 * OCTAVE
        _add(bag, soft_bins(key, MARGIN_BIAS + (reach if margin >= 0 else -reach), OCTAVE, 4 * each))
    if data.contains(display):  # overscan is chosen, to the pixel; a crop follows what the frame shows
        sides = (display.left - data.left, display.top - data.top, data.right - display.right, data.bottom - display.bottom)
        bag[b"o:%d,%d,%d,%d" % sides] += each


def storage(parts: tuple[PartFacts, ...]) -> Bag:
    """Block 6: deep or flat, tiled or scanlines, tile size, line order, one part or several."""
    bag: defaultdict[bytes, int] = defaultdict(int)
    each = _each(parts)
    for part in parts:
        bag[b"d:deep" if part.deep else b"d:flat"] += 10 * each
        bag[b"k:tiled" if part.tiled else b"k:scan"] += 6 * each
        bag[b"z:" + part.tile] += 2 * each
        if part.line_order:
            bag[b"o:" + part.line_order] += 5 * each
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
        bag[b"p:" + b",".join(sorted(own))[:SIGNATURE_LIMIT]] += 4 * UNIT // len(components)
    return bag


def source(parts: tuple[PartFacts, ...]) -> Bag:
    """Block 8: colour space, and what wrote the file: product, major and minor version, full version."""
    bag: defaultdict[bytes, int] = defaultdict(int)
    each = _each(parts)
    for part in parts:
        bag[b"c:" + part.color_space] += 8 * each
        for token, energy in zip(writer_levels(part.product, part.version), (10, 2, 2, 2), strict=True):
            bag[token] += energy * each
    return bag


def writer_levels(product: bytes, version: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    major, minor = (_DIGITS.findall(version) + [b"", b""])[:2]
    name = fold(product)
    return b"p:" + name, b"j:" + name + b" " + major, b"m:" + name + b" " + major + b"." + minor, b"f:" + name + b" " + version.lower()


Weighted = tuple[tuple[bytes, int], ...]


def setup_attributes(attributes: list[list[AttributeFacts]]) -> tuple[tuple[tuple[bytes, bytes], ...], tuple[Weighted, ...]]:
    kinds, assignments = [], []
    for entries in attributes:
        for attribute in entries:
            by_name, by_value = _counts(attribute.name)
            if by_name:
                kinds.append((attribute.name, attribute.type))
            if by_value and (token := _assignment(attribute)):
                assignments.append(token)
    return tuple(kinds), tuple(assignments)


def _assignment(attribute: AttributeFacts) -> Weighted:
    kind = type(attribute.value)
    if kind is int or kind is float or (kind is str and len(attribute.value) <= SHORT_TEXT):
        return _cached_assignment(*attribute)
    return _spell_assignment(*attribute)


def _spell_assignment(name: bytes, kind: bytes, value: Any) -> Weighted:
    folded = fold(name) + b"="
    return tuple([(folded + token, energy) for token, energy in _spell(kind, value, not COUNTED.isdisjoint(words(name))) if energy])


_cached_assignment = bounded_cache(MB, typed=True)(_spell_assignment)


def attrs(kinds: tuple[tuple[bytes, bytes], ...], lists: int) -> Bag:
    bag: defaultdict[bytes, int] = defaultdict(int)
    each = 4 * UNIT // max(1, lists)
    for raw, kind in kinds:
        name = fold(raw)
        bag[b"n:" + name + b":" + kind] += each
        namespace, *rest = _NAMESPACE_END.split(name, maxsplit=1)
        if rest:
            bag[b"s:" + namespace] += each
    return bag


def values(assignments: tuple[Weighted, ...], lists: int) -> Bag:
    bag: defaultdict[bytes, int] = defaultdict(int, {b"b:": 4 * UNIT})
    for tokens in assignments:
        for token, energy in tokens:
            bag[token] += 4 * energy // max(1, lists)
    return bag


@bounded_cache(MB)
def _counts(name: bytes) -> tuple[bool, bool]:
    lowered = name.lower()
    by_name = lowered not in PART_ATTRIBUTES and not lowered.startswith(PART_ATTRIBUTES_PREFIX)
    return by_name, by_name and VOLATILE_WORDS.isdisjoint(words(name))


def _spell(kind: bytes, value: Any, identity: bool) -> list[tuple[bytes, int]]:
    if isinstance(value, Mapping) and "sha256" in value:
        return [(b"$long", UNIT)] if kind in TEXT_TYPES or kind == b"stringvector" else []
    if kind in TEXT_TYPES:
        return _text_tokens(text(value), identity)
    if kind in INTEGER_TYPES or kind in FLOAT_TYPES:
        return _number_tokens(number(value, THOUSANDTHS))
    if kind == b"stringvector":
        strings = value[: SHORT_TEXT + 2] if isinstance(value, list) else [value]
        return _text_tokens(b",".join(text(item) for item in strings), identity)
    scalars = numbers(value) if kind in LIST_TYPES else []
    if 0 < len(scalars) <= LEAVES_LIMIT:
        return [(b",".join(b"%d" % number(item, THOUSANDTHS) for item in scalars), UNIT)]
    return []


def _number_tokens(value: int) -> list[tuple[bytes, int]]:
    sign = b"-" if value < 0 else b"+"
    return [(b"%d" % value, UNIT // 2), *soft_bins(sign, octaves(abs(value)), OCTAVE, UNIT // 2)]


_NUMBER = re.compile(rb"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
_CLOCK = re.compile(rb"[0-9]+(:[0-9]+)+([.][0-9]+)?|[0-9]{4}([-/.])[0-9]{1,2}\3[0-9]{1,2}")
_LONG_DIGITS = re.compile(rb"(?<![v0-9])[0-9]{4,}")
COUNTED = frozenset(b"camera cam lens build version software renderer generated layer view".split())


def _text_tokens(value: bytes, identity: bool) -> list[tuple[bytes, int]]:
    value = value.partition(b" : ")[0].strip(b"\0 \t\r\n").lower()
    if _NUMBER.fullmatch(value):
        return _number_tokens(number(float(value), THOUSANDTHS))
    value = _CLOCK.sub(b"#", _HEX_RUN.sub(b"#", value))
    if b"/" in value or b"\\" in value:
        value = value.replace(b"\\", b"/")
        folder, _, name = value.rpartition(b"/")
        if not identity:
            name = _DIGITS.sub(b"#", name) if b"." in name else name
            folder = _LONG_DIGITS.sub(b"#", folder)
        return [(folder + b"/" + name, UNIT // 2), (b"$in:" + folder, UNIT // 2)]
    if len(value) > SHORT_TEXT:
        return [(b"$long", UNIT)]
    exact = value if identity else _LONG_DIGITS.sub(b"#", value)
    return [(exact, UNIT // 2), (b"~" + _DIGITS.sub(b"#", value), UNIT // 2)]


def _each(parts: tuple[PartFacts, ...]) -> int:
    return UNIT // max(1, len(parts))


def _add(bag: defaultdict[bytes, int], tokens: Iterable[tuple[bytes, int]]) -> None:
    for token, energy in tokens:
        bag[token] += energy
