"""Vectors to compare with: hash bytes read as floats, plain feature hashing of every leaf, and a projection that was learned."""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np

from benchmarks.vectors.shows import Show

TRAINING_SEED = 1_000
"""Shows of this seed teach the learned vector; the benchmark asks about others, as a studio's next show is another."""


def hash_vector(payload: dict[str, Any], dim: int = 384) -> list[float]:
    """SHA-256 of the payload's JSON, drawn out to `dim` floats: the bytes are the floats. Some are NaN."""
    seed = json.dumps(payload, sort_keys=True).encode()
    drawn = b"".join(sha256(seed + bytes([at])).digest() for at in range(dim // 8))
    values = struct.unpack(f"<{dim}f", drawn)
    length = math.sqrt(sum(value * value for value in values))
    return [value / length if length else value for value in values]


def naive_vector(payload: dict[str, Any], dim: int = 384) -> list[float]:
    """Every `key=value` leaf but the file's identity hashed to one signed place, unit length."""
    vector = [0.0] * dim
    for leaf in _leaves("", {key: value for key, value in payload.items() if key != "file"}):
        drawn = int.from_bytes(sha256(leaf.encode()).digest()[:8], "big")
        vector[(drawn >> 1) % dim] += 1.0 if drawn & 1 else -1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]


def learned_vector(payload: dict[str, Any], dim: int = 384) -> list[float]:
    """Latent semantic indexing: the leaves' logarithmic counts, weighted by how rare they are, on the `dim` strongest directions.

    Both are learned from other shows. What those did not have is not seen; a payload of nothing else has the uniform vector.
    """
    words, rarity, directions = _learn(dim)
    seen = np.zeros(len(words))
    for leaf, count in _count_leaves(payload).items():
        if leaf in words:
            seen[words[leaf]] = math.log1p(count)
    projected = directions @ (seen * rarity)
    length = float(np.linalg.norm(projected))
    return (projected / length if length else np.full(dim, dim**-0.5)).tolist()


@cache
def _learn(dim: int) -> tuple[dict[str, int], np.ndarray, np.ndarray]:
    """Leaf -> place, the weight of each place, and the directions, one a row."""
    shows = [Show(TRAINING_SEED, number) for number in range(4)]
    documents = [_count_leaves(show.frame(setup, 1001 + at)) for show in shows for setup in show.setups() for at in range(2)]
    documents_with = Counter(leaf for document in documents for leaf in document)
    words = {leaf: at for at, leaf in enumerate(leaf for leaf, count in documents_with.items() if count > 1)}
    rarity = np.array([math.log(len(documents) / documents_with[leaf]) for leaf in words])
    table = np.zeros((len(documents), len(words)))
    for row, document in zip(table, documents, strict=True):
        for leaf, count in document.items():
            if leaf in words:
                row[words[leaf]] = math.log1p(count)
    directions = np.linalg.svd(table * rarity, full_matrices=False)[2][:dim]
    return words, rarity, np.vstack([directions, np.zeros((dim - len(directions), len(words)))])


def _count_leaves(payload: dict[str, Any]) -> Counter[str]:
    return Counter(_leaves("", {key: value for key, value in payload.items() if key != "file"}))


def _leaves(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(f"{key}/{name}", inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(key, inner)
    else:
        yield f"{key}={value}"
