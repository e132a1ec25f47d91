"""The bags of tokens that channels and parts are described by: one function per block of the vector, the first eight of ten.

A bag maps a token to an energy, in units of 1/2**24 (`UNIT`); energies of equal tokens add. What a block is *about* is decided
here alone: equal tokens are what makes two files near. Energies below are shares of a block, so only their ratios count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from exr_inspector.embedding.cache import MB, bounded_cache
from exr_inspector.embedding.facts import FULL_SAMPLING, Box, ChannelFacts, PartFacts
from exr_inspector.embedding.text import OCTAVE, UNIT, canonical_words, component, digit_runs, fold, octaves, soft_bins, words

Bag = dict[bytes, int]

# Layers. A rename keeps the canonical tokens and the stems; an added layer adds one unit beside `SMOOTHING` and the others.
# What every file has must stay small: it is what files without a name in common would share.
RAW_NAME = 3 * UNIT // 10
CANONICAL_NAME = 6 * UNIT // 10
LAYER_STEMS = UNIT // 10
SMOOTHING = UNIT // 4
STEM = 3
"""Letters that a word and its abbreviations have in common: diff, dif and diffuse."""

FAMILIES = {b"zip": b"deflate", b"zips": b"deflate", b"dwaa": b"dwa", b"dwab": b"dwa", b"b44": b"b44", b"b44a": b"b44"}
LOSSY = frozenset(b"pxr24 b44 b44a dwaa dwab lj2k".split())

# A side that lies further off than four display sizes is as far off as one that lies at four.
MARGIN_LIMIT = 4
MARGIN_SCALE = 64
MARGIN_BIAS = 16 << 16
SIGNATURE_LIMIT = 200
WRITER_LEVELS = (10, 2, 2, 2)


def names(channels: tuple[ChannelFacts, ...]) -> Bag:
    """Block 1: which layers there are, by name, by canonical name, and by what the names are made of."""
    components: defaultdict[bytes, defaultdict[bytes, int]] = defaultdict(lambda: defaultdict(int))
    for _, layer, own in {(channel.part, channel.layer, channel.component) for channel in channels}:
        components[layer][own] += 1
    bag: defaultdict[bytes, int] = defaultdict(int, {b"b:": SMOOTHING})
    for layer, parts in components.items():
        times = max(parts.values())
        for token, energy in _layer_tokens(layer, tuple(sorted(parts))):
            bag[token] += energy * times
    return bag


def _tokens_bytes(arguments: tuple[bytes, tuple[bytes, ...]], tokens: tuple[tuple[bytes, int], ...]) -> int:
    """At least what a layer's tokens take: two of them hold its name, the others a few letters."""
    layer, components = arguments
    return 200 * len(tokens) + 2 * (len(components) + 1) * len(layer) + 8 * sum(map(len, components))


@bounded_cache(4 * MB, size=_tokens_bytes)
def _layer_tokens(layer: bytes, components: tuple[bytes, ...]) -> tuple[tuple[bytes, int], ...]:
    """One layer's tokens, its energy split over its components and the first letters of its words."""
    spoken = canonical_words(layer)
    name = b"".join(spoken)
    share = len(components)
    tokens = [(b"r:" + layer + b"." + own, RAW_NAME // share) for own in components]
    tokens += [(b"c:" + name + b"." + component(own), CANONICAL_NAME // share) for own in components]
    if not name:
        return (*tokens, (b"l:", LAYER_STEMS))
    return (*tokens, *_split(b"w:", [word[:STEM] for word in spoken], LAYER_STEMS))


def _split(prefix: bytes, tokens: Iterable[bytes], energy: int) -> list[tuple[bytes, int]]:
    """`energy` in equal shares over the distinct tokens."""
    distinct = set(tokens)
    each = energy // max(1, len(distinct))
    return [(prefix + token, each) for token in distinct]


def types(channels: tuple[ChannelFacts, ...]) -> Bag:
    """Block 2: pixel types, what type each component has, sampling, and how many channels there are."""
    bag: defaultdict[bytes, int] = defaultdict(int)
    _add(bag, soft_bins(b"n", octaves(len(channels)), OCTAVE, 4 * UNIT))
    if not channels:
        return bag
    by_type, by_component = 16 * UNIT // len(channels), 8 * UNIT // len(channels)
    for (kind, component_type, sampling), count in Counter(
        [(channel.type, channel.component_type, channel.sampling) for channel in channels]
    ).items():
        bag[b"t:" + kind] += by_type * count
        bag[b"c:" + component_type] += by_component * count
        bag[b"s:" + sampling] += by_component // 2 * count
    subsampled = sorted({channel.sampling for channel in channels} - {FULL_SAMPLING})
    bag[b"y:" + b",".join(subsampled)[:SIGNATURE_LIMIT]] += 14 * UNIT
    layers: defaultdict[bytes, set[bytes]] = defaultdict(set)
    for channel in channels:
        layers[channel.layer].add(channel.component_type)
    held = [b"".join(canonical_words(layer)) + b"." + b",".join(sorted(own)) for layer, own in layers.items()]
    _add(bag, _split(b"n:", [layer[:SIGNATURE_LIMIT] for layer in held], 8 * UNIT))
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
            bag[b"p:%d" % part.aspect] += 6 * each
        shown = part.display or part.data
        if shown is None:
            continue
        width, height = shown.width, shown.height
        bag[b"x:%dx%d" % (width, height)] += 3 * each
        size = octaves(width)
        _add(bag, soft_bins(b"w", size, OCTAVE, 6 * each))
        # The eighth counts apart from the octave: a proxy of half the size keeps it, and eight tokens need no hashing.
        _add(bag, soft_bins(b"w8", size, OCTAVE // 8, 4 * each, points=8))
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
        for token, energy in zip(writer_levels(part.product, part.version), WRITER_LEVELS, strict=True):
            bag[token] += energy * each
    return bag


def writer_levels(product: bytes, version: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """What wrote a file in four levels: product (folded), with its major version, with its minor version, with the whole version.

    A level that the version does not state is the one before it.

    >>> writer_levels(b"Arnold", b"7.2.1.0")
    (b'p:arnold', b'j:arnold 7', b'm:arnold 7.2', b'f:arnold 7.2.1.0')
    >>> writer_levels(b"Arnold", b"")
    (b'p:arnold', b'p:arnold', b'p:arnold', b'p:arnold')
    """
    name, runs = fold(product), digit_runs(version)
    program = b"p:" + name
    major = b"j:" + name + b" " + runs[0] if runs else program
    minor = b"m:" + name + b" " + b".".join(runs[:2]) if len(runs) > 1 else major
    return program, major, minor, b"f:" + name + b" " + version.lower() if version else minor


def _each(parts: tuple[PartFacts, ...]) -> int:
    return UNIT // max(1, len(parts))


def _add(bag: defaultdict[bytes, int], tokens: Iterable[tuple[bytes, int]]) -> None:
    for token, energy in tokens:
        bag[token] += energy
