"""Every payload that the reader makes can be stored, whatever the bytes: schema, vectors, rows, tables."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vast_db_persistence as persistence
from benchmarks.fuzz.mutate import check, describe, mutate
from databases import Database, assert_sound, prepared
from exr_bytes import (
    MULTI_PART,
    NON_IMAGE,
    TILED,
    attribute,
    channel,
    chlist,
    header,
    image,
    named_part,
    part,
    text,
    tiledesc,
)
from exr_inspector.operations.samples import write_samples
from project import ROOT

VALIDATOR = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/payload.schema.json").read_text(encoding="utf-8")))
CORPUS = ROOT.parent / "shared"
EXTREME = (-(2**31) + 2, -(2**31) + 2, 2**31 - 1, 2**31 - 1)
FLOATS = chlist(*[channel(name, kind=2) for name in "ABGRZ"])
LONG = b"9" * 70_000
TEXTS = ("name", "view", "type", "fps", "renderTime", "Software", "memory")

TINY = attribute("tiles", "tiledesc", tiledesc(1, 1))
NUMBERS = {
    "scanlines": header(part(window=EXTREME, channels=FLOATS)),
    "tiles of one pixel": header(part(TINY, window=EXTREME), flags=TILED),
    "mip maps": header(part(attribute("tiles", "tiledesc", tiledesc(1, 1, 1)), window=EXTREME), flags=TILED),
    "many parts": header(*[named_part(f"p{n}", "tiledimage", 2**31 - 1, TINY, window=EXTREME) for n in (0, 1)]),
    "deep": header(
        part(text("type", "deepscanline"), attribute("chunkCount", "int", struct.pack("<i", -1)), window=EXTREME), flags=NON_IMAGE
    ),
}
ODD = {
    "no type": header(part(attribute("x", "", b"\1\2"))),
    "no type, no value": header(part(attribute("x", "", b""))),
    "nothing": b"",
    "no parts": header(flags=MULTI_PART),
    "long texts": header(part(*[text(name, LONG) for name in TEXTS])),
    "long numbers": header(part(attribute("chunkCount", "int", LONG), attribute("timeCode", "timecode", LONG))),
    "long required": header(
        part(*[attribute(name, kind, LONG) for name, kind in (("compression", "compression"), ("dataWindow", "box2i"))],
             without=("compression", "dataWindow"))
    ),
    "long enumeration": header(part(attribute("lineOrder", "lineOrder", LONG), without=("lineOrder",))),
    "bad windows": header(part(window=(5, 5, 4, 4), display=EXTREME)),
}  # fmt: skip


def check_whole(data: bytes) -> dict[str, Any]:
    """The payload of these bytes, once it is known to be valid and to have rows."""
    payload = json.loads(json.dumps(describe(data)))
    VALIDATOR.validate(payload)
    check(payload)
    return payload


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The beginnings of the demo's files, and of files that no library would write."""
    paths = write_samples(tmp_path_factory.mktemp("samples"))
    return [path.read_bytes()[:8192] for path in paths] + [*NUMBERS.values(), *(data[:8192] for data in ODD.values() if data)]


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """One endpoint with tables."""
    with prepared() as endpoint:
        yield endpoint


@pytest.mark.parametrize("kind", sorted(NUMBERS | ODD))
def test_a_file_of_any_kind_is_stored(kind: str, database: Database) -> None:
    """One row of its own in the tables, and nothing that contradicts it."""
    payload = check_whole((NUMBERS | ODD)[kind])
    payload["file"]["path"] = payload["file"]["path_normalized"] = f"/{kind}.exr"
    assert persistence.persist_to_vast_database(payload, session=database.store())["status"] == "stored"
    assert database.current(f"/{kind}.exr")["status"] == payload["file"]["status"]
    assert_sound(database.contents())


@pytest.mark.parametrize("kind", sorted(set(NUMBERS) - {"deep", "many parts"}))
def test_a_number_beyond_63_bits_is_left_out_and_reported(kind: str) -> None:
    """Null in the payload, and a warning with the number."""
    payload = check_whole(NUMBERS[kind])
    assert payload["parts"][0]["logical_bytes"] is None or payload["parts"][0]["chunk_count"] is None
    assert "number_too_large" in {entry["code"] for entry in payload["warnings"]}
    messages = "\n".join(entry["message"] for entry in payload["warnings"])
    numbers = [int(number) for number in re.findall(r" is ([0-9]+), more than", messages)]
    assert numbers
    assert min(numbers) >= 2**63


@pytest.mark.parametrize("kind", ["no type", "no type, no value"])
def test_an_attribute_without_a_type_is_kept_and_reported(kind: str) -> None:
    """The type stays empty, as the file has it, and a warning names attribute and byte."""
    payload = check_whole(ODD[kind])
    assert payload["attributes"]["parts"][0][-1]["type"] == ""
    (warning,) = payload["warnings"]
    assert (warning["code"], warning["attribute"], warning["part"]) == ("attribute_without_type", "x", 0)
    assert ODD[kind][warning["offset"] :].startswith(b"x\0\0")


def test_a_long_value_of_a_known_attribute_counts_as_unknown() -> None:
    """A name or a time of 70,000 bytes is a digest among the attributes, and null among the facts."""
    payload = check_whole(ODD["long texts"])
    (entry,) = payload["parts"]
    assert [entry[key] for key in ("name", "view", "fps", "render_seconds", "render_software", "peak_memory_mb")] == [None] * 6
    assert {one["name"]: one["value"] for one in payload["attributes"]["parts"][0]}["fps"]["size"] == len(LONG)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, 2**64 - 1))
def test_mutated_files_have_payloads_that_can_be_stored(seeds: list[bytes], number: int) -> None:
    """Bytes changed, cut, doubled and mixed with other files."""
    check_whole(mutate(seeds, number))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no ../shared")
def test_every_file_of_the_corpus_has_rows_and_every_twentieth_is_stored(database: Database) -> None:
    """Files of other people, and those that were answered wrongly once."""
    payloads = []
    for path in sorted([*(CORPUS / "corpus").rglob("*.exr"), *(CORPUS / "faults").glob("*.exr")]):
        payload = check_whole(path.read_bytes())
        payload["file"]["path"] = payload["file"]["path_normalized"] = Path("/", path.relative_to(CORPUS)).as_posix()
        payloads.append(payload)
    outcome = persistence.persist_batch(payloads[::20], session=database.at("corpus").store())
    assert {one["status"] for one in outcome} == {"stored"}


def test_one_file_of_the_demo_is_stored_as_it_is(database: Database) -> None:
    """The ordinary case through the same checks."""
    payload = check_whole(image())
    assert (payload["warnings"], payload["errors"]) == ([], [])
