"""Mutated OpenEXR files, many of them: each must end in rows that can be stored, within 2 s and 200 MB.

    python -m benchmarks.fuzz.mutate [--examples 200000] [--seeds FOLDER]

Hypothesis draws the number that a batch of mutations is made from, so a failing input is found again by its number. Seeds are the
sample renders and, with --seeds, every `.exr` below FOLDER; of each the first 8 KiB are mutated, where nearly all headers and
offset tables lie.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import struct
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import vast_schemas
from exr_inspector.database import rows
from exr_inspector.errors import BadHeader
from exr_inspector.exr import completeness
from exr_inspector.exr.header import read_header
from exr_inspector.exr.limits import MAX_PAYLOAD_CHARACTERS
from exr_inspector.operations.samples import write_samples
from exr_inspector.payload import document, text

HEAD = 8 * 1024
BATCH = 50
MAX_SECONDS, MAX_GROWTH_MB = 2, 200
NUMBERS = (0, 1, 2, 255, 256, 65535, 65536, 2**30, 2**31 - 1, 2**31, 2**32 - 1)


class Bytes:
    """A Reader over bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`; fewer at the end."""
        return self._data[offset : offset + length]


def mutate(seeds: list[bytes], number: int) -> bytes:
    """One to eight changes to a seed: bytes, 32-bit numbers, cuts, doublings, insertions, pieces of another seed."""
    rng = random.Random(number)
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 8)):
        # Half of the changes fall into the first kilobyte, where most attributes are.
        at = rng.randrange(min(len(data), rng.choice((1024, len(data)))) or 1)
        change(rng, data, at, rng.choice(seeds))
    return bytes(data[: rng.randrange(len(data))] if data and rng.random() < 0.05 else data)


def change(rng: random.Random, data: bytearray, at: int, other: bytes) -> None:
    """One change at a position."""
    begin = rng.randrange(len(other))
    replaced, replacement = rng.choice(
        (
            (1, rng.randbytes(1)),
            (4, struct.pack("<I", rng.choice(NUMBERS))),
            (rng.randint(1, 32), b""),
            (0, bytes(data[at : at + rng.randint(1, 200)]) * rng.randint(1, 20)),
            (0, rng.randbytes(rng.randint(1, 16))),
            (64, other[begin : begin + rng.randint(1, 512)]),
        )
    )
    data[at : at + replaced] = replacement


def describe(data: bytes) -> dict[str, Any]:
    """The payload of a file of these bytes."""
    facts, reader = document.FileFacts("/fuzz/frame.1001.exr"), Bytes(data)
    try:
        header = read_header(reader)
        return document.describe(facts, header, completeness.assess(header, reader))
    except BadHeader as fault:
        return document.describe_unreadable(facts, fault)


def check(payload: dict[str, Any]) -> None:
    """A payload must be JSON of bounded length, have a line for people, and rows with both vectors in the tables' schemas."""
    assert len(json.dumps(payload, allow_nan=False)) <= MAX_PAYLOAD_CHARACTERS
    json.dumps(payload, allow_nan=False, ensure_ascii=False).encode()
    text.summary_line(payload)
    tables = rows.to_tables([(rows.rows_of(payload), rows.new_stamp())])
    assert all(table.schema == vast_schemas.schema_for(name) for name, table in tables.items())
    (file,) = tables["files"].to_pylist()
    for column in ("metadata_embedding", "channel_fingerprint"):
        assert abs(sum(value * value for value in file[column]) - 1) < 1e-3, column


def inspect(data: bytes) -> str:
    """The status of the payload, or the code of the error; any exception is a finding."""
    payload = describe(data)
    check(payload)
    verdict = payload["file"]["completeness"]
    return verdict["verdict"] if verdict else payload["errors"][0]["code"]


def load_seeds(folder: Path | None) -> list[bytes]:
    """The first 8 KiB of every seed."""
    with tempfile.TemporaryDirectory() as directory:
        paths = [*write_samples(Path(directory)), *(sorted(folder.rglob("*.exr")) if folder else [])]
        return [path.read_bytes()[:HEAD] for path in paths]


def main() -> None:
    """Run, and print the outcomes with their numbers, the slowest input and the growth of memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--examples", type=int, default=200_000)
    parser.add_argument("--seeds", type=Path)
    options = parser.parse_args()
    seeds = load_seeds(options.seeds)
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @settings(
        max_examples=-(-options.examples // BATCH), deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.integers(0, 2**64 - 1))
    def run(number: int) -> None:
        nonlocal slowest
        for one in range(number, number + BATCH):
            data = mutate(seeds, one)
            start = time.process_time()
            outcomes[inspect(data)] += 1
            slowest = max(slowest, time.process_time() - start)
            assert slowest < MAX_SECONDS, f"input {one} took {slowest:.1f} s"

    run()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{sum(outcomes.values()):,} inputs from {len(seeds)} seeds")
    print(f"slowest {1000 * slowest:.0f} ms of processor time; memory grew by {grown:.0f} MB")
    for outcome, count in outcomes.most_common():
        print(f"{count:8,} {outcome}")
    assert grown < MAX_GROWTH_MB


if __name__ == "__main__":
    main()
