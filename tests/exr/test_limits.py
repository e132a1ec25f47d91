"""A list is bounded by what it becomes: small files of each kind that could ask for gigabytes, and what is said of the rest."""

from __future__ import annotations

import json
import resource
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_attributes import TABLE, group, id_manifest

from benchmarks.fuzz.mutate import check, describe
from exr_bytes import MemoryReader, attribute, channel, chlist, header, named_part, part, text, tiledesc
from exr_inspector.exr import completeness as exr_chunks
from exr_inspector.exr import header as exr_header
from exr_inspector.exr.layout import Layout, NoLayout
from exr_inspector.exr.limits import (
    LARGE_VALUE,
    LISTED_MANIFEST_ENTRIES,
    LISTED_MANIFEST_GROUPS,
    LISTED_MANIFEST_TEXT,
    MAX_ATTRIBUTES,
    MAX_CHANNELS,
    MAX_CRYPTOMATTES,
    MAX_FINDINGS,
    MAX_LEVELS,
    MAX_LIST_ENTRIES,
    MAX_PARTS,
    MAX_PAYLOAD_CHARACTERS,
    MAX_VALUE_BYTES,
)
from exr_inspector.payload import aov_words, aovs, document
from project import ROOT

WINDOW = (0, 0, 2**30 - 1, 2**30 - 1)
RIP = attribute("tiles", "tiledesc", tiledesc(1, 1, 2))
# A control character takes six characters of JSON.
CONTROL = "\1"


def several(count: int, kind: str, value: bytes, name: str = "a{}") -> bytes:
    """A header with many attributes of one type and value."""
    return header(part(*[attribute(name.format(n), kind, value) for n in range(count)]))


def manifest_of(entries: int, groups: int, word: bytes = b"hero", storage: int = 2) -> bytes:
    """An idmanifest in which every entry of every group refers to one word."""
    table = struct.pack("<I", 0) + struct.pack("<I", 1) + variable(len(word)) + word + struct.pack("<3I", 1, 0, 0)
    one = group(storage, b"\x01\x00" * entries, count=entries)
    return id_manifest(table + struct.pack("<I", groups) + one * groups)


def variable(number: int) -> bytes:
    """An integer of seven bits a byte."""
    return (bytes([number & 127 | 128]) + variable(number >> 7)) if number > 127 else bytes([number])


def many_strings() -> bytes:
    """An idmanifest of 60,000 strings that all share their beginning with the one before."""
    count = 60_000
    table = struct.pack("<II", 0, count) + bytes([1]) + bytes([2]) * (count - 1) + b"a" + b"\1b" * (count - 1)
    return id_manifest(table + struct.pack("<3I", 1, 0, count - 1) + struct.pack("<I", 1) + group())


def tiled_parts(level: int, count: int = MAX_PARTS) -> bytes:
    """Tiled parts, as many as a file can have, with the levels of the largest window."""
    tiles = attribute("tiles", "tiledesc", tiledesc(1, 1, level))
    return header(*[named_part(f"p{n}", "tiledimage", 2, tiles, window=WINDOW) for n in range(count)])


# Name -> (a file, the code that says what was left out).
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "floats": (lambda: several(200, "floatvector", struct.pack("<f", 1e-38) * 16_384), "value_shortened"),
    "texts": (lambda: several(200, "string", CONTROL.encode() * 65_000, "a{}/renderTime"), "value_shortened"),
    "names of parts": (
        lambda: header(*[named_part(CONTROL * 30_000, "x" * 30_000, 2) for _ in range(100)]), "value_shortened",
    ),
    "matrices": (lambda: several(6_000, "m44d", struct.pack("<d", 5e-309) * 16), "value_shortened"),
    "lists of texts": (lambda: several(100, "stringvector", (struct.pack("<i", 2) + b"\1a") * 10_000), "value_shortened"),
    "lists of channels": (lambda: several(100, "chlist", chlist(*[channel("\1a")] * 3_000)), "value_shortened"),
    "unknown types": (lambda: several(200, "acme", bytes(65_000)), "value_shortened"),
    "previews": (lambda: several(200, "preview", struct.pack("<II", 5, 5) + bytes(60_000)), "value_shortened"),
    "names of attributes": (
        lambda: header(part(*[attribute(CONTROL * 240 + str(n), "x", b"") for n in range(20_000)])), "too_many_attributes",
    ),
    "channels": (
        lambda: header(part(channels=chlist(*[channel(CONTROL * 240 + f"{n:05}.R") for n in range(9_000)]))), "too_many_channels",
    ),
    "findings": (
        lambda: header(part(channels=chlist(*[channel(f"c{n:05}", kind=9, x=0) for n in range(9_000)]))), "entries_omitted",
    ),
    "cryptomattes": (
        lambda: header(part(*[text(f"cryptomatte/{n:07x}/name", "l" * 30) for n in range(9_000)])), "cryptomattes_omitted",
    ),
    "groups of a manifest": (lambda: several(1, "idmanifest", manifest_of(0, 100_000)), "value_shortened"),
    "references to a long word": (lambda: several(1, "idmanifest", manifest_of(200, 200, b"w" * 40_000)), "value_shortened"),
    "many manifests": (lambda: several(200, "idmanifest", manifest_of(250, 200)), "value_shortened"),
    "manifests of many strings": (lambda: several(200, "idmanifest", many_strings()), "id_manifest_too_large"),
    "manifests of zeros": (lambda: several(200, "idmanifest", id_manifest(bytes(8 * 2**20))), "id_manifest_too_large"),
    "rip maps": (lambda: tiled_parts(2, 100), "chunks_uncountable"),
}  # fmt: skip


def counted(payload: dict[str, Any]) -> dict[str, int]:
    """How many entries the lists of a payload have."""
    attributes = [one for entries in payload["attributes"]["parts"] for one in entries]
    kinds = ("floatvector", "stringvector", "chlist")
    listed = [one for one in attributes if one["type"] in kinds and one["name"] != "channels"]
    lists = [one["value"] for one in listed if isinstance(one["value"], list)]
    groups = [found for one in attributes if one["type"] == "idmanifest" for found in (one["value"] or {}).get("groups") or []]
    return {
        "attributes": len(attributes),
        "channels": len(payload["channels"]),
        "list entries": sum(map(len, lists)),
        "carried bytes": sum(one["size"] for one in attributes if one["type"] == "string" and isinstance(one["value"], str)),
        "cryptomattes": sum(len(one["cryptomatte"]) for one in payload["parts"]),
        "manifest groups": len(groups),
        "manifest text": len(json.dumps(groups, ensure_ascii=False)) if groups else 0,
        "findings": max(len(payload["errors"]), len(payload["warnings"])),
    }


BOUNDS = {
    "attributes": MAX_ATTRIBUTES,
    "channels": MAX_CHANNELS,
    "list entries": MAX_LIST_ENTRIES,
    "carried bytes": MAX_VALUE_BYTES + 32 * MAX_ATTRIBUTES,
    "cryptomattes": MAX_CRYPTOMATTES,
    "manifest groups": 200 * LISTED_MANIFEST_GROUPS,
    # Keys and punctuation of a listed group take up to 200 characters more.
    "manifest text": 5 * LISTED_MANIFEST_TEXT + 200 * LISTED_MANIFEST_GROUPS,
    # One of each code beyond the first findings, and the one that counts the others.
    "findings": MAX_FINDINGS + 10,
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_what_a_header_becomes_is_bounded_and_what_is_left_out_is_said(kind: str) -> None:
    """Entries and characters stay within the bounds, a finding names the cut, and the file has its rows."""
    build, code = HOSTILE[kind]
    payload = describe(build() + bytes(64))
    found = counted(payload)
    assert {name: count for name, count in found.items() if count > BOUNDS[name]} == {}
    assert code in {entry["code"] for entry in payload["errors"] + payload["warnings"]}
    check(payload)


def test_a_small_manifest_makes_a_small_payload() -> None:
    """Some hundred bytes that refer to one long word 40,000 times, and 60,000 groups: kilobytes, not gigabytes."""
    for raw in (manifest_of(200, 200, b"w" * 40_000), manifest_of(0, 60_000)):
        assert len(raw) < 10_000
        payload = describe(several(1, "idmanifest", raw) + bytes(64))
        assert len(json.dumps(payload)) < 2 * LARGE_VALUE
        (warning,) = (one for one in payload["warnings"] if one["code"] == "value_shortened")
        assert "groups are not listed" in warning["message"]


def test_an_ordinary_manifest_is_listed_as_before() -> None:
    """The first 256 entries of a group, all of them counted, and no warning."""
    body = TABLE + struct.pack("<I", 1) + group(entries=b"\x01\x00" * 1000, count=1000)
    payload = describe(several(1, "idmanifest", id_manifest(body)) + bytes(64))
    (found,) = payload["attributes"]["parts"][0][-1]["value"]["groups"]
    assert (found["entry_count"], len(found["entries"])) == (1000, LISTED_MANIFEST_ENTRIES)
    assert payload["warnings"] == []


def test_levels_are_counted_for_the_whole_file() -> None:
    """Mip maps fit for as many parts as there can be; a part whose rip maps would exceed the bound has no layout and no level."""
    for level in (1, 2):
        found = [one.layout for one in exr_header.parse_header(tiled_parts(level)).parts]
        known = [one for one in found if isinstance(one, Layout)]
        assert sum(len(one.levels) for one in known) <= MAX_LEVELS
        assert (len(known) == MAX_PARTS) is (level == 1)
    assert "resolution levels" in str(found[-1])


def test_the_layout_of_a_part_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Completeness, contradictions and the payload share it."""
    made: list[int] = []
    original = exr_header.layout_or_reason

    def counting(part: int, *rest: Any) -> Layout | NoLayout:
        made.append(part)
        return original(part, *rest)

    monkeypatch.setattr(exr_header, "layout_or_reason", counting)
    reader = MemoryReader(header(*[named_part(f"p{n}", "tiledimage", 2, RIP) for n in range(5)]))
    found = exr_header.read_header(reader)
    document.describe(document.FileFacts("/a.exr"), found, exr_chunks.assess(found, reader))
    assert made == [0, 1, 2, 3, 4]


def test_runs_of_missing_tiles_are_cut_at_the_bound() -> None:
    """One run through a thousand levels makes 256 ranges, and the others are counted."""
    data = header(part(RIP, window=WINDOW), flags=0x200)
    completeness = describe(data)["file"]["completeness"]
    levels = 31 * 31
    assert len(completeness["missing"]) == exr_chunks.MAX_RANGES
    assert completeness["missing_ranges_omitted"] == levels - exr_chunks.MAX_RANGES


def test_a_header_read_in_pieces_decodes_each_value_once() -> None:
    """The budget of a header of a megabyte is spent once, however many ranges it takes to read it."""
    data = several(20, "string", b"x" * 60_000)
    reader = MemoryReader(data)
    found = exr_header.read_header(reader, first_range=1024)
    assert len(reader.reads) > 5
    assert found.parts == exr_header.parse_header(data).parts
    assert found.findings == ()


CODE = """
import resource, sys
sys.path[:0] = [{tests!r}, {root!r}, {root!r} + '/tests/support']
from test_limits import HOSTILE, tiled_parts
from benchmarks.fuzz.mutate import check, describe
data = {make}
before = resource.getrusage(resource.RUSAGE_SELF)
check(describe(data))
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_utime - before.ru_utime, (after.ru_maxrss - before.ru_maxrss) / 1024)
"""


@pytest.mark.parametrize("make", ["HOSTILE['many manifests'][0]()", "HOSTILE['lists of channels'][0]()", "tiled_parts(2)"])
def test_a_hostile_file_takes_seconds_and_megabytes_at_most(make: str) -> None:
    """Generous bounds: 10 s of processor time for payload, JSON and rows, and 200 MB above what the file takes."""
    code = CODE.format(tests=str(Path(__file__).parent), root=str(ROOT), make=make)
    limit = (60, 60)
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, limit),
    )  # fmt: skip
    seconds, megabytes = map(float, answer.stdout.split())
    assert seconds < 10
    assert megabytes < 200


LONG = "v" * 30_000


@pytest.mark.parametrize("name", [f"RGBA_{LONG}", LONG, f"rgba.{LONG}", "lpe:" + "<L.'a" * 6_000])
def test_long_views_and_light_groups_are_not_repeated_for_each_channel(name: str) -> None:
    """What the name and the view of a part say of its channels is bounded; both stand in the payload once."""
    listed = chlist(*[channel(f"c{n:04}.R") for n in range(2_000)], *[channel(f"c{n:04}") for n in range(2_000)])
    views = attribute("multiView", "stringvector", struct.pack("<i", len(LONG)) + LONG.encode())
    data = header(*[named_part(name, "scanlineimage", 2, text("view", LONG), views, channels=listed)] * 2)
    payload = describe(data + bytes(64))
    assert len(json.dumps(payload)) < MAX_PAYLOAD_CHARACTERS / 8
    assert {entry["view"] for entry in payload["channels"]} == {None}


def test_many_views_are_looked_for_in_the_names_of_some_parts_alone() -> None:
    """A file of two thousand parts, each with a view of its own or with none, is read in a second."""
    named = [named_part(f"a.v{n}", "scanlineimage", 2, *([text("view", f"v{n}")] if n % 2 else [])) for n in range(MAX_PARTS)]
    payload = describe(header(*named) + bytes(64))
    assert payload["parts"][1]["layers"][0]["view"] == "v1"
    assert payload["parts"][2]["layers"][0]["view"] is None


def test_the_bound_on_payloads_is_above_what_real_files_take() -> None:
    """The largest payload of other people's files has 280,000 characters."""
    assert MAX_PAYLOAD_CHARACTERS > 100 * 280_000


def test_long_names_are_not_remembered() -> None:
    """A layer of thousands of components is read each time; what stays in memory is bounded in bytes."""
    components = tuple(f"c{n}" for n in range(5_000))
    before = aovs._read_short_layer.cache_info().currsize, aov_words._read_short_name.cache_info().currsize
    assert aovs.read_layer("diffuse", components)[:2] == ("diffuse", "lighting")
    assert aovs.read_layer("x" * 60_000, ("R",))[:2] == (None, "data")
    after = aovs._read_short_layer.cache_info().currsize, aov_words._read_short_name.cache_info().currsize
    assert after <= (before[0], before[1] + 1)
