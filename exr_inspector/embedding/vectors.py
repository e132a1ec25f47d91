"""Two vectors per file: how it was made (384 numbers), and which channels it has (128 numbers).

A file is described by ten bags of tokens (`embedding.tokens`, `embedding.attributes`). Each bag becomes a block of the vector: a
token that most files have has a place of its own (`embedding.seats`), any other is hashed to three. A block's length is the root
of its weight. The cosine distance of two files is therefore a sum over blocks, and `explain_distance` reads it back. Same
payload, same bits, on every machine and Python version: accumulators are integers, and the only floating-point steps are
divisions, products and `math.sqrt`, which IEEE 754 rounds correctly, and a final rounding to float32.

`EMBEDDING_VERSION` is part of every hash, and stored beside the vectors so that queries compare like with like. Any change to a
list, pattern, energy, weight or layout needs a new one. VECTOR_SPECIFICATION.md beside it defines the vectors without this code.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import Any

from exr_inspector.embedding import attributes, tokens
from exr_inspector.embedding.cache import MB, bounded_cache, size_of
from exr_inspector.embedding.facts import ChannelFacts, PartFacts, read_attributes, read_channels, read_parts
from exr_inspector.embedding.seats import SEATS
from exr_inspector.embedding.text import EMBEDDING_VERSION, EMPTY, UNIT, hash_prefix
from exr_inspector.errors import VectorEmbeddingError

__all__ = [
    "BLOCKS",
    "DEFAULT_CHANNEL_FINGERPRINT_DIM",
    "DEFAULT_METADATA_EMBEDDING_DIM",
    "EMBEDDING_VERSION",
    "MINIMUM_DIM",
    "Block",
    "BlockDistance",
    "VectorEmbeddingError",
    "block_slices",
    "compute_channel_fingerprint",
    "compute_metadata_embedding",
    "explain_distance",
]

DEFAULT_METADATA_EMBEDDING_DIM = 384
DEFAULT_CHANNEL_FINGERPRINT_DIM = 128
MINIMUM_DIM = 32
HASHED_PLACES = 3
KNOWN_TOKEN = 96
KNOWN_TOKENS = 2048
_THREE_WORDS = struct.Struct(">3I")
CANCEL = b"\0cancel"


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One block: its name in hashes, its share of the dimensions (of 384), its weight per mille, and what it means."""

    name: str
    dims: int
    weight: int
    label: str


BLOCKS = (
    Block("names", 96, 125, "layer and channel names"),
    Block("types", 32, 62, "pixel types, sampling and number of channels"),
    Block("compression", 23, 75, "compression"),
    Block("format", 50, 140, "resolution and aspect"),
    Block("window", 20, 28, "overscan or crop"),
    Block("storage", 20, 110, "deep or flat, tiles, line order, number of parts"),
    Block("parts", 26, 45, "views and parts"),
    Block("source", 36, 160, "colour space and software"),
    Block("attrs", 52, 200, "attributes present"),
    Block("values", 29, 55, "attribute values"),
)
FINGERPRINT_BLOCKS = BLOCKS[:2]


@dataclass(frozen=True, slots=True)
class BlockDistance:
    """What one block adds to the cosine distance of two vectors; all of them add up to it."""

    block: str
    label: str
    distance: float


def compute_metadata_embedding(payload: dict[str, Any], embedding_dim: int = DEFAULT_METADATA_EMBEDDING_DIM) -> list[float]:
    """How this file was made, as a unit vector of `embedding_dim` floats, each exactly representable in float32.

    Identity takes no part: path, size, times and frame number do not move the vector. A payload without channels and parts gets
    the uniform vector (in doubles), because a zero vector has no direction. Raises VectorEmbeddingError for a payload that is
    not a dict, for `channels` or `parts` that are not lists, and for a dimension below 32; any other odd value counts as absent.
    """
    dim = _check_dim(embedding_dim, "embedding_dim")
    if not isinstance(payload, dict):
        raise VectorEmbeddingError("payload", "a dict", _printable(payload))
    channel_entries = _check_list(payload.get("channels"), "channels")
    part_entries = _check_list(payload.get("parts"), "parts")
    if not channel_entries and not part_entries:
        return _uniform(dim)
    channels, parts = read_channels(channel_entries), read_parts(part_entries)
    lists = read_attributes(payload.get("attributes"))
    named, valued = attributes.setup_attributes(lists)
    return [
        *_channel_blocks(BLOCKS, dim, channels),
        *_part_blocks(dim, parts, channels),
        *_attribute_block(dim, named, len(lists)),
        *_value_block(dim, valued, len(lists)),
    ]


def compute_channel_fingerprint(
    channels: list[dict[str, Any]], embedding_dim: int = DEFAULT_CHANNEL_FINGERPRINT_DIM
) -> list[float]:
    """Which channels these are, as a unit vector of `embedding_dim` floats: the first two blocks of the embedding, rescaled.

    An empty list gives the uniform vector (in doubles). Raises VectorEmbeddingError for anything but a list and for a dimension
    below 32.
    """
    dim = _check_dim(embedding_dim, "embedding_dim")
    entries = _check_list(channels, "channels")
    if not entries:
        return _uniform(dim)
    return list(_channel_blocks(FINGERPRINT_BLOCKS, dim, read_channels(entries)))


def explain_distance(a: list[float], b: list[float], dim: int | None = None) -> list[BlockDistance]:
    """The cosine distance of two vectors, block by block in the order of the vector.

    The length says which vectors they are: 128 a channel fingerprint, any other a metadata embedding. A block adds half the
    squared distance of its slices, which is its weight minus their inner product; identical blocks add exactly 0. Raises
    VectorEmbeddingError when the lengths differ from each other or from `dim`.
    """
    size = _check_dim(len(a) if dim is None else dim, "dim")
    for field, vector in (("a", a), ("b", b)):
        if len(vector) != size:
            raise VectorEmbeddingError(field, f"a vector of {size} numbers", len(vector), words=f"{len(vector)} numbers")
    blocks = FINGERPRINT_BLOCKS if size == DEFAULT_CHANNEL_FINGERPRINT_DIM else BLOCKS
    return [
        BlockDistance(block.name, block.label, math.fsum((x - y) * (x - y) for x, y in zip(a[at], b[at], strict=True)) / 2)
        for block, at in zip(blocks, block_slices(blocks, size), strict=True)
    ]


@lru_cache(maxsize=64)
def block_slices(blocks: tuple[Block, ...], dim: int) -> tuple[slice, ...]:
    """Where each block lies in a vector of `dim` numbers: shares rounded down, then one more each by largest remainder."""
    total = sum(block.dims for block in blocks)
    sizes = [block.dims * dim // total for block in blocks]
    remainders = [block.dims * dim % total for block in blocks]
    # Sorting is stable also in reverse: of equal remainders, the one of the lower block comes first.
    by_remainder = sorted(range(len(blocks)), key=remainders.__getitem__, reverse=True)
    for at in by_remainder[: dim - sum(sizes)]:
        sizes[at] += 1
    edges = [sum(sizes[:at]) for at in range(len(sizes) + 1)]
    return tuple(slice(start, stop) for start, stop in pairwise(edges))


def _blocks_bytes(arguments: tuple[Any, ...], result: tuple[float, ...]) -> int:
    """At least what channels, parts and the blocks made of them take: channels count by their names, the rest is measured."""
    *_, channels = arguments
    rest = size_of(tuple([argument for argument in arguments if argument is not channels]))
    return rest + 40 * len(result) + sum([400 + len(channel.layer) + len(channel.component) for channel in channels])


# Frames of a sequence share their channels, parts and attribute names: their blocks are cached, and a frame costs little more
# than being read. The same channels come twice, for the embedding and for the fingerprint.
@bounded_cache(10 * MB, size=_blocks_bytes)
def _channel_blocks(blocks: tuple[Block, ...], dim: int, channels: tuple[ChannelFacts, ...]) -> tuple[float, ...]:
    bags = (tokens.names(channels), tokens.types(channels))
    return _hash_blocks(blocks, dim, 0, bags)


@bounded_cache(6 * MB, size=_blocks_bytes)
def _part_blocks(dim: int, parts: tuple[PartFacts, ...], channels: tuple[ChannelFacts, ...]) -> tuple[float, ...]:
    bags = (
        tokens.compression(parts),
        tokens.resolution(parts),
        tokens.window(parts),
        tokens.storage(parts),
        tokens.arrangement(parts, channels),
        tokens.source(parts),
    )
    return _hash_blocks(BLOCKS, dim, 2, bags)


@bounded_cache(MB)
def _attribute_block(dim: int, named: tuple[attributes.Tokens, ...], lists: int) -> tuple[float, ...]:
    return _hash_blocks(BLOCKS, dim, 8, (attributes.attrs(named, lists),))


@bounded_cache(MB)
def _value_block(dim: int, valued: tuple[attributes.Tokens, ...], lists: int) -> tuple[float, ...]:
    return _hash_blocks(BLOCKS, dim, 9, (attributes.values(valued, lists),))


def _hash_blocks(blocks: tuple[Block, ...], dim: int, first: int, bags: tuple[tokens.Bag, ...]) -> tuple[float, ...]:
    """The blocks from `first` on, one per bag, each of length root(weight), rounded to float32."""
    total = sum(block.weight for block in blocks)
    chosen = slice(first, first + len(bags))
    vector: list[float] = []
    for block, bag, at in zip(blocks[chosen], bags, block_slices(blocks, dim)[chosen], strict=True):
        sums = _accumulate(block, at.stop - at.start, bag)
        scale = math.sqrt(block.weight / total) / math.sqrt(sum([value * value for value in sums]))
        vector += [value * scale for value in sums]
    layout = f"<{len(vector)}f"
    return struct.unpack(layout, struct.pack(layout, *vector))


@dataclass(frozen=True, slots=True)
class Hashing:
    """How a block of one size is hashed into: what precedes its tokens, and (start, width) of three segments of signed places.

    Places are counted twice, first to add to and then to subtract from. `known` holds the places of tokens of at most
    `KNOWN_TOKEN` bytes: they are too many to measure each, and `KNOWN_TOKENS` of them take at most 700 KB.
    """

    prefix: bytes
    segments: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    known: dict[bytes, tuple[int, int, int]]


def _accumulate(block: Block, size: int, bag: tokens.Bag) -> list[int]:
    """The bag as `size` integers: a token adds the root of its energy, signed, at its own place or at three hashed ones."""
    seats, hashing = _hashing(block, size)
    known = hashing.known
    sums = [0] * (2 * size + 2)
    for token, energy in (bag or {EMPTY: UNIT}).items():
        seat = seats.get(token)
        if seat is not None:
            sums[seat] += math.isqrt(HASHED_PLACES * energy << 16)
            continue
        amplitude = math.isqrt(energy << 16)
        first, second, third = known.get(token) or _draw_places(hashing, token)
        sums[first] += amplitude
        sums[second] += amplitude
        sums[third] += amplitude
    total = _subtract(sums)
    if any(total):
        return total
    for place in _draw_places(hashing, CANCEL):  # every token cancelled another
        sums[place] += 1
    return _subtract(sums)


def _subtract(sums: list[int]) -> list[int]:
    """What was added at each place minus what was subtracted there; the last pair is nowhere."""
    return [plus - minus for plus, minus in zip(sums[:-2:2], sums[1:-2:2], strict=True)]


def _draw_places(hashing: Hashing, token: bytes) -> tuple[int, int, int]:
    """One signed place per segment: even ones are added to, odd ones subtracted from."""
    first, second, third = _THREE_WORDS.unpack_from(sha256(hashing.prefix + token).digest())
    (start, width), (start2, width2), (start3, width3) = hashing.segments
    places = start + (first * width >> 32), start2 + (second * width2 >> 32), start3 + (third * width3 >> 32)
    if len(token) <= KNOWN_TOKEN:
        if len(hashing.known) >= KNOWN_TOKENS:
            hashing.known.clear()
        hashing.known[token] = places
    return places


@lru_cache(maxsize=32)
def _hashing(block: Block, size: int) -> tuple[dict[bytes, int], Hashing]:
    """The seats of a block, if it is as large as at 384 dimensions, and how the rest of it is hashed into."""
    seats = SEATS[block.name] if size >= block.dims else {}
    free = size - len(seats)
    count = min(HASHED_PLACES, free)
    edges = [2 * (len(seats) + at * free // count) for at in range(count + 1)]
    segments = [(low, high - low) for low, high in pairwise(edges)]
    first, second, third = segments + [(2 * size, 0)] * (HASHED_PLACES - count)
    return seats, Hashing(hash_prefix(block.name), (first, second, third), {})


def _uniform(dim: int) -> list[float]:
    return [1 / math.sqrt(dim)] * dim


def _check_dim(dim: Any, field: str) -> int:
    if isinstance(dim, bool) or not isinstance(dim, int) or dim < MINIMUM_DIM:
        raise VectorEmbeddingError(field, f"an integer of at least {MINIMUM_DIM}", _printable(dim))
    return dim


def _check_list(value: Any, field: str) -> list[Any]:
    if not isinstance(value, list):
        raise VectorEmbeddingError(field, "a list", _printable(value))
    return value


def _printable(value: Any) -> Any:
    """The value where printing it is short and safe, else its type: a huge integer or a deep nest cannot be printed."""
    if value is None or isinstance(value, (bool, str)) or (isinstance(value, int) and abs(value) < 1 << 64):
        return value
    return type(value)
