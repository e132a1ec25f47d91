"""The payload: its schema, its determinism, and what the samples look like in it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from exr_bytes import (
    RGB,
    FileReader,
    MemoryReader,
    attribute,
    channel,
    chlist,
    header,
    image,
    named_part,
    part,
    scanline_chunks,
    set_offsets,
    text,
    with_chunks,
    without_chunks,
)
from exr_inspector.errors import BadHeader, ObjectUnavailable
from exr_inspector.exr import completeness
from exr_inspector.exr import header as exr_header
from exr_inspector.exr.header import Reader
from exr_inspector.operations.samples import SAMPLES, write_samples
from exr_inspector.payload import text as exr_text
from exr_inspector.payload.document import FileFacts, describe, describe_unreadable
from project import ROOT

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "payload"
SCHEMA = json.loads((ROOT / "docs/payload.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def payload_of(reader: Reader, path: str = "/renders/beauty.1001.exr") -> dict[str, Any]:
    """The payload of an object, checked against the schema and against JSON."""
    facts = FileFacts(path, size_bytes=reader.size)
    try:
        found = exr_header.read_header(reader)
        payload = describe(facts, found, completeness.assess(found, reader))
    except BadHeader as fault:
        payload = describe_unreadable(facts, fault)
    VALIDATOR.validate(payload)
    assert json.loads(json.dumps(payload, allow_nan=False, ensure_ascii=False).encode()) == payload
    return payload


def of(data: bytes, path: str = "/renders/beauty.1001.exr") -> dict[str, Any]:
    """The payload of a file of these bytes."""
    return payload_of(MemoryReader(data), path)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every sample render."""
    directory = tmp_path_factory.mktemp("samples")
    write_samples(directory)
    return directory


def test_the_schema_is_a_schema() -> None:
    """JSON Schema 2020-12."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("sample", SAMPLES)
def test_each_sample_has_its_golden_payload(sample: str, samples: Path) -> None:
    """UPDATE_GOLDEN=1 writes the files anew; the difference is then for people to judge."""
    text_now = exr_text.pretty(payload_of(FileReader(samples / sample), sample)) + "\n"
    golden = GOLDEN / (Path(sample).name + ".json")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text_now, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == text_now


def test_every_golden_payload_is_of_a_sample() -> None:
    """None is left over."""
    assert {path.name for path in GOLDEN.glob("*.json")} == {Path(sample).name + ".json" for sample in SAMPLES}


DIGEST_CODE = """
import hashlib, json, sys
sys.path[:0] = [{tests!r}, {root!r}]
from exr_inspector.exr import completeness as exr_chunks, header as exr_header
from exr_inspector.payload import document as exr_payload
from exr_bytes import FileReader
from pathlib import Path
total = hashlib.sha256()
for path in sorted(Path({samples!r}).rglob("*.exr")):
    reader, facts = FileReader(path), exr_payload.FileFacts(path.name)
    try:
        header = exr_header.read_header(reader)
        payload = exr_payload.describe(facts, header, exr_chunks.assess(header, reader))
    except exr_header.BadHeader as fault:
        payload = exr_payload.describe_unreadable(facts, fault)
    total.update(json.dumps(payload).encode())
print(total.hexdigest())
"""


def test_the_same_bytes_give_the_same_json_under_any_hash_seed(samples: Path) -> None:
    """Key order included."""
    code = DIGEST_CODE.format(tests=str(ROOT / "tests/support"), root=str(ROOT), samples=str(samples))
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(digests) == 1


def test_a_sound_file_is_described_completely() -> None:
    """File, part, channels and attributes say the same thing."""
    found = of(image(text("view", "left")))
    assert found["file"]["status"] == "ok"
    assert (found["file"]["frame_number"], found["file"]["sequence_key"]) == (1001, "/renders/beauty.#.exr")
    (own,) = found["parts"]
    assert (own["width"], own["height"], own["compression"], own["view"]) == (64, 128, "zip", "left")
    assert [one["name"] for one in found["channels"]] == ["B", "G", "R"]
    assert [one["name"] for one in found["attributes"]["parts"][0]][-1] == "view"
    assert (found["errors"], found["warnings"], found["stats"], found["validation"], found["persistence"]) == ([], [], {}, {}, {})


def test_offsets_are_those_of_the_data_window_from_the_display_window() -> None:
    """Overscan is negative, a crop positive."""
    (own,) = of(header(part(window=(-10, 5, 99, 59), display=(0, 10, 89, 49))))["parts"]
    assert (own["data_x_offset"], own["data_y_offset"]) == (-10, -5)
    assert (own["display_width"], own["display_height"], own["width"], own["height"]) == (90, 40, 110, 55)


def test_layers_are_what_stands_before_the_last_dot() -> None:
    """Views nest; an unnamed layer is empty text."""
    listed = chlist(channel("R"), channel("left.diffuse.R"), channel(".odd"))
    found = of(image(channels=listed))["channels"]
    assert [(one["layer_name"], one["component_name"]) for one in found] == [("", "R"), ("left.diffuse", "R"), ("", "odd")]


def test_what_does_not_decode_keeps_its_bytes() -> None:
    """Unknown types, non-UTF-8 text and wrong sizes have raw_base64; the rest does not."""
    odd = (attribute("blob", "acme", b"\0\1"), text("note", b"\xff"), attribute("m", "m44f", b"\2"), text("ok", "x\0y"))
    found = of(image(*odd))
    entries = {one["name"]: one for one in found["attributes"]["parts"][0]}
    assert entries["blob"] == {"name": "blob", "type": "acme", "size": 2, "value": None, "raw_base64": "AAE="}
    assert (entries["note"]["value"], entries["note"]["raw_base64"]) == ("\ufffd", "/w==")
    assert (entries["m"]["value"], entries["m"]["raw_base64"]) == (None, "Ag==")
    assert entries["ok"] == {"name": "ok", "type": "string", "size": 3, "value": "x\0y"}
    assert [one["code"] for one in found["warnings"]] == ["text_not_utf8", "attribute_wrong_size"]


def test_names_that_are_not_utf8_keep_their_bytes() -> None:
    """Beside the text for display."""
    (entry,) = [one for one in of(image(attribute(b"n\xff", "int", b"\0" * 4)))["attributes"]["parts"][0] if "name_base64" in one]
    assert (entry["name"], base64.b64decode(entry["name_base64"]), entry["type_base64"]) == ("n\ufffd", b"n\xff", "aW50")


def test_long_values_are_digests() -> None:
    """Size, SHA-256 and the first bytes; known or unknown type."""
    for kind in ("string", "acme", "floatvector"):
        value = bytes(range(256)) * 400
        (entry,) = [one for one in of(image(attribute("long", kind, value)))["attributes"]["parts"][0] if one["name"] == "long"]
        assert entry["value"]["sha256"] == hashlib.sha256(value).hexdigest()
        assert base64.b64decode(entry["value"]["first_base64"]) == value[:256]
        assert "raw_base64" not in entry


def test_numbers_that_json_cannot_carry_are_text() -> None:
    """NaN and infinities, in attributes and in parts."""
    data = header(part(attribute("pixelAspectRatio", "float", b"\0\0\xc0\x7f"), without=("pixelAspectRatio",)))
    assert of(data)["parts"][0]["pixel_aspect_ratio"] == "NaN"


@pytest.mark.parametrize(
    ("data", "status", "verdict"),
    [
        (image(), "ok", "complete"),
        (image()[:-1], "incomplete", "truncated"),
        (without_chunks(image(), len(header(part(window=(0, 0, 63, 127)))), 0), "incomplete", "incomplete"),
        (set_offsets(image(), header(part(window=(0, 0, 63, 127))), {0: 9}), "incomplete", "damaged"),
        (header(part(without=("dataWindow",))), "unreadable", "unknown"),
    ],
)
def test_the_status_follows_the_verdict(data: bytes, status: str, verdict: str) -> None:
    """Anything but a complete file has an error that says why."""
    found = of(data)
    assert (found["file"]["status"], found["file"]["completeness"]["verdict"]) == (status, verdict)
    assert bool(found["errors"]) == (verdict != "complete")


@pytest.mark.parametrize(
    "damaged", [attribute("channels", "chlist", RGB, size=2**30), attribute("channels", "chlist", RGB[:-1])], ids=["size", "list"]
)
def test_a_file_with_a_damaged_header_is_unreadable_whatever_its_chunks(damaged: bytes) -> None:
    """Other readers refuse it; what could be read is in the payload all the same."""
    sound = attribute("channels", "chlist", RGB)
    head = header(part(window=(0, 0, 63, 127)))
    found = of(with_chunks(head.replace(sound, damaged), scanline_chunks(8)))
    assert (found["file"]["status"], found["file"]["completeness"]["verdict"]) == ("unreadable", "complete")
    assert [one["name"] for one in found["channels"]] == ["B", "G", "R"]
    assert found["errors"]


def test_a_file_without_a_header_is_unreadable_with_its_reason() -> None:
    """All keys are there; the hash is that of the bytes that were read."""
    found = of(b"this is text")
    assert set(found) == set(of(image()))
    assert (found["file"]["status"], found["file"]["completeness"]) == ("unreadable", None)
    assert found["file"]["header_hash"] == hashlib.sha256(b"this is text").hexdigest()
    (error,) = found["errors"]
    assert (error["code"], error["offset"]) == ("bad_magic", 0)


def test_an_error_that_read_nothing_has_the_hash_of_nothing() -> None:
    """Other errors than those of a header can make a file unreadable."""
    found = describe_unreadable(FileFacts("/a.exr"), ObjectUnavailable("gone"))
    VALIDATOR.validate(found)
    assert found["file"]["header_hash"] == hashlib.sha256(b"").hexdigest()


def test_times_are_utc_with_microseconds() -> None:
    """Whatever the zone they come in."""
    moment = datetime(2026, 1, 31, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    found = describe_unreadable(FileFacts("/a.exr", mtime=moment), ObjectUnavailable("gone"))
    assert found["file"]["mtime"] == "2026-01-31T12:00:00.000000Z"
    exact = describe_unreadable(FileFacts("/a.exr", mtime=datetime(2026, 1, 1, tzinfo=UTC)), ObjectUnavailable("gone"))
    assert exact["file"]["mtime"] == "2026-01-01T00:00:00.000000Z"


def test_an_object_has_its_bucket_in_the_normal_path() -> None:
    """Bucket and key are kept as they came."""
    facts = FileFacts("s3://renders/a//b.1001.exr", bucket="renders", object_key="a//b.1001.exr")
    file = describe_unreadable(facts, ObjectUnavailable("gone"))["file"]
    assert (file["path"], file["path_normalized"]) == ("s3://renders/a//b.1001.exr", "s3://renders/a/b.1001.exr")
    assert (file["bucket"], file["object_key"]) == ("renders", "a//b.1001.exr")


def test_names_with_lone_surrogates_can_be_encoded() -> None:
    """Whatever an event or a folder calls the object."""
    facts = FileFacts("/a\udcff.exr", bucket="b\ud800", object_key="a\udcff.exr")
    json.dumps(describe_unreadable(facts, ObjectUnavailable("gone")), ensure_ascii=False).encode()


def test_a_mip_mapped_file_is_a_udim_tile_and_no_frame() -> None:
    """The header tells a texture from a frame of the same name."""
    tiles = attribute("tiles", "tiledesc", struct.pack("<IIB", 32, 32, 1))
    file = of(header(part(tiles), flags=0x200), "/renders/rock.1012.exr")["file"]
    assert (file["frame_number"], file["udim"], file["sequence_key"]) == (None, "1012", "/renders/rock.<UDIM>.exr")


def test_findings_are_listed_up_to_a_bound() -> None:
    """256 of each severity, and one that counts the rest."""
    found = of(image(*[text("twin", "x")] * 400))
    assert len(found["warnings"]) == 257
    assert (found["warnings"][-1]["code"], found["warnings"][-1]["omitted"]) == ("entries_omitted", 143)


def test_deep_and_multipart_files_say_so() -> None:
    """In the file and in each part."""
    head = header(named_part("a", "scanlineimage", 2), named_part("b", "deepscanline", 2))
    found = of(head)
    assert (found["file"]["multipart_count"], found["file"]["is_deep"]) == (2, True)
    assert [one["is_deep"] for one in found["parts"]] == [False, True]
    assert [one["name"] for one in found["parts"]] == ["a", "b"]


def test_pretty_is_json_that_fits_on_a_screen() -> None:
    """The same value, in lines of 150 columns wherever a value allows it."""
    found = of(image(text("comments", "é" * 50)))
    laid_out = exr_text.pretty(found)
    assert json.loads(laid_out) == found
    assert '"data_window": {"min": {"x": 0, "y": 0}, "max": {"x": 63, "y": 127}},' in laid_out
    assert max(map(len, laid_out.splitlines())) <= 150


def test_a_summary_is_one_line_that_names_what_is_wrong() -> None:
    """Status first, then the picture, then the faults; a path cannot fake a second line."""
    good = exr_text.summary_line(of(image(), "/r/a.exr"))
    assert good.startswith("ok  /r/a.exr  64x128  zip  scanline  3 half in 1 layer  ")
    cut = exr_text.summary_line(of(image()[:-150], "/r/a\nok.exr"))
    assert cut.startswith("incomplete  /r/a\ufffdok.exr")
    assert cut.endswith("truncated: 6 of 8 chunks  error chunks_truncated")
    assert exr_text.summary_line(of(b"text")).endswith("4 bytes  error bad_magic")
    refused = {"status": "rejected", "errors": [{"code": "object_unavailable", "message": "'/a.exr' is not there"}]}
    assert exr_text.summary_line(refused) == "rejected  '/a.exr' is not there"
    several = with_chunks(header(named_part("a", "scanlineimage", 2), named_part("b", "scanlineimage", 2)), [
        *scanline_chunks(2, part=0), *scanline_chunks(2, part=1),
    ])  # fmt: skip
    assert "  2 parts  6 half in 2 layers  " in exr_text.summary_line(of(several))
