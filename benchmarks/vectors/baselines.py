"""Two cheap vectors to compare with: hash bytes read as floats, and plain feature hashing of every leaf."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from hashlib import sha256
from typing import Any


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


def _leaves(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(f"{key}/{name}", inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(key, inner)
    else:
        yield f"{key}={value}"
