"""Hostile and damaged input: any bytes end in a payload or a named error, within bounds of memory and time."""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exr_bytes import (
    RGB,
    TILED,
    Chunk,
    MemoryReader,
    attribute,
    channel,
    chlist,
    header,
    image,
    named_part,
    part,
    scanline_chunks,
    text,
    tiledesc,
    with_chunks,
)
from exr_inspector.errors import BadHeader
from exr_inspector.exr import completeness
from exr_inspector.exr import header as exr_header
from exr_inspector.payload import document
from exr_inspector.payload import text as exr_text
from exr_inspector.payload.document import FileFacts
from project import ROOT

TILES = attribute("tiles", "tiledesc", tiledesc(32, 32, 1))
SEEDS = [
    image(text("comments", "x"), attribute("timeCode", "timecode", bytes(8)), attribute("blob", "acme", b"\1\2")),
    with_chunks(
        header(part(TILES, window=(0, 0, 63, 63)), flags=TILED),
        [*[Chunk((x, y, 0, 0)) for y in (0, 1) for x in (0, 1)], *[Chunk((0, 0, n, n)) for n in range(1, 7)]],
    ),
    with_chunks(
        header(named_part("a", "scanlineimage", 2), named_part("b", "scanlineimage", 2)),
        [*scanline_chunks(2, part=0), *scanline_chunks(2, part=1)],
    ),
]
RELAXED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def inspected(data: bytes, size: int = -1) -> dict[str, Any]:
    """The payload of a file of these bytes; any error but a BadHeader is a failure of the reader."""
    reader, facts = MemoryReader(data, size), FileFacts("/fuzz.exr")
    try:
        parsed = exr_header.read_header(reader, first_range=512)
        payload = document.describe(facts, parsed, completeness.assess(parsed, reader))
    except BadHeader as fault:
        payload = document.describe_unreadable(facts, fault)
    assert all(0 <= entry.get("offset", 0) <= reader.size for entry in payload["errors"] + payload["warnings"])
    json.dumps(payload, allow_nan=False, ensure_ascii=False).encode()
    assert "\n" not in exr_text.summary_line(payload)
    return payload


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_a_file_cut_at_any_byte_is_never_called_complete(seed: int) -> None:
    """Unreadable within the header, incomplete from there on, complete only as a whole."""
    data = SEEDS[seed]
    whole = inspected(data)
    assert whole["file"]["completeness"]["verdict"] == "complete"
    for cut in range(len(data)):
        file = inspected(data[:cut])["file"]
        assert file["status"] == ("unreadable" if cut < whole["file"]["header_bytes"] else "incomplete"), cut


@RELAXED
@given(st.sampled_from(SEEDS), st.data())
def test_flipped_bytes_end_in_a_payload_or_a_named_error(seed: bytes, data: st.DataObject) -> None:
    """Up to four bytes anywhere become anything."""
    changed = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(seed) - 1))] = data.draw(st.integers(0, 255))
    inspected(bytes(changed))


@RELAXED
@given(st.binary(min_size=0, max_size=600))
def test_any_bytes_after_the_magic_number_end_in_a_payload_or_a_named_error(tail: bytes) -> None:
    """Eight good bytes, then anything."""
    for flags in (0, TILED, 0x1000, 0x800):
        inspected(struct.pack("<II", 20000630, 2 | flags) + tail)


NUMBERS = st.sampled_from([0, 1, 2, 16, 255, 2**16, 2**30 - 1, 2**30, 2**31 - 1, -1, -2, -(2**31), -(2**30)])


@RELAXED
@given(window=st.tuples(*[NUMBERS] * 4), sides=st.tuples(NUMBERS, NUMBERS), mode=st.integers(0, 255), packed=st.integers(0, 255))
def test_windows_and_tiles_of_any_size_are_judged(
    window: tuple[int, int, int, int], sides: tuple[int, int], mode: int, packed: int
) -> None:
    """Extreme corners, sides and modes cost no more than sound ones."""
    raw = struct.pack("<IIB", sides[0] & 0xFFFF_FFFF, sides[1] & 0xFFFF_FFFF, mode)
    tiles = attribute("tiles", "tiledesc", raw)
    for flags in (0, TILED):
        inspected(header(part(tiles, window=window, compression=packed), flags=flags) + bytes(64))


def test_a_file_that_claims_to_be_huge_is_judged_within_bounds() -> None:
    """Terabytes of sparse file: the reads stay below three megabytes."""
    head = header(part(TILES, window=(0, 0, 2**22, 2**22)), flags=TILED)

    class Sparse(MemoryReader):
        def read(self, offset: int, length: int) -> bytes:
            self.reads.append((offset, length))
            return (self.data[offset : offset + length] + bytes(length))[:length]

    reader = Sparse(head, size=2**45)
    parsed = exr_header.read_header(reader)
    verdict = completeness.assess(parsed, reader)
    assert (verdict.verdict, verdict.exact) == ("incomplete", False)
    assert sum(length for _, length in reader.reads) < 3 * 2**20


def many(count: int) -> dict[str, bytes]:
    """Headers that are large in one respect each."""
    crypto = b"".join(text(f"cryptomatte/{n:07x}/name", f"l{n}") for n in range(count // 4))
    return {
        "attributes": header([attribute("a", "int", bytes(4))] * count),
        "names": header([attribute(f"a{n}", "acme", b"") for n in range(count)]),
        "channels": header(part(channels=chlist(*[channel(f"c{n:05}.R") for n in range(count)]))),
        "twins": header(part(channels=chlist(*[channel("c.R")] * count))),
        "parts": header(*[named_part(f"p{n}", "scanlineimage", 2) for n in range(count // 8)]),
        "strings": header(part(attribute("v", "stringvector", bytes(60_000)))),
        "cryptomattes": header([attribute("channels", "chlist", RGB), crypto]),
        "names of one value": header(part(*[text(f"a{n}/renderTime", "1" * 200) for n in range(count)])),
    }


@pytest.mark.parametrize("kind", sorted(many(8)))
def test_large_headers_take_memory_in_proportion(kind: str) -> None:
    """A quarter of the bounds that the reader sets takes below 16 MB, so the bounds keep it below 64."""
    data = many(4_000)[kind]
    tracemalloc.start()
    try:
        inspected(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20


INSPECT_CODE = """
import json, resource, sys
sys.path[:0] = [{tests!r}, {root!r}]
from exr_inspector.exr import completeness as exr_chunks, header as exr_header
from exr_inspector.payload import document as exr_payload
from exr_bytes import FileReader
from pathlib import Path
reader = FileReader(Path({path!r}))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
header = exr_header.read_header(reader)
payload = exr_payload.describe(exr_payload.FileFacts("/a.exr"), header, exr_chunks.assess(header, reader))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([len(reader.reads), (after - before) * 1024, payload["parts"][0]["cryptomatte"], len(json.dumps(payload))]))
"""


def test_a_manifest_of_fifty_megabytes_is_counted_in_bounded_memory(tmp_path: Path) -> None:
    """Two reads for the header, one each for table and last leader; memory stays below 150 MB above the bytes."""
    entry, count = ',"/world/set/instances/rock_%07d/geo":"%08x"', 1_100_000
    manifest = b"{" + "".join(entry % (n, n) for n in range(count)).encode()[1:] + b"}"
    assert len(manifest) > 50 * 2**20
    path = tmp_path / "crypto.exr"
    root = "cryptomatte/3ae39a5"
    path.write_bytes(image(text(f"{root}/name", "CryptoObject"), attribute(f"{root}/manifest", "string", manifest)))
    code = INSPECT_CODE.format(tests=str(ROOT / "tests/support"), root=str(ROOT), path=str(path))
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    reads, grown, (layer,), size = json.loads(answer.stdout)
    assert (layer["manifest_size"], layer["manifest_entries"]) == (len(manifest), count)
    assert layer["manifest_sha256"] == hashlib.sha256(manifest).hexdigest()
    assert reads <= 4
    assert size < 20_000
    assert grown < len(manifest) + 150 * 2**20
