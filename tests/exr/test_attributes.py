"""Attribute values: every standard type, and bytes that contradict their type."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import exr_bytes
from exr_inspector.exr import attributes
from exr_inspector.exr.attributes import DECODERS, DecodeError, decode

M33, M44 = [float(n) for n in range(9)], [n / 2 for n in range(16)]
TIMECODE = 0x01_02_03_04


def f32(value: float) -> float:
    """The nearest float32."""
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


VALUES: list[tuple[str, bytes, Any]] = [
    ("box2i", struct.pack("<4i", -5, 0, 1919, 1079), {"min": {"x": -5, "y": 0}, "max": {"x": 1919, "y": 1079}}),
    ("box2f", struct.pack("<4f", -0.5, 0, 1, 2), {"min": {"x": -0.5, "y": 0.0}, "max": {"x": 1.0, "y": 2.0}}),
    ("bytes", struct.pack("<i", 3) + b"u16\x01\x02", {"type_hint": "u16", "size": 2, "data_base64": "AQI="}),
    ("bytes", struct.pack("<i", 0), {"type_hint": "", "size": 0, "data_base64": ""}),
    (
        "chromaticities",
        struct.pack("<8f", 0.5, 0.25, 0.5, 0.75, 0.125, 0.0625, 0.25, 0.5),
        {"red": [0.5, 0.25], "green": [0.5, 0.75], "blue": [0.125, 0.0625], "white": [0.25, 0.5]},
    ),
    ("compression", b"\x03", "zip"),
    ("compression", b"\x0d", "zstd"),
    ("compression", b"\x63", "unknown(99)"),
    ("deepImageState", b"\x03", "tidy"),
    ("double", struct.pack("<d", 0.1), 0.1),
    ("double", struct.pack("<d", float("-inf")), "-Infinity"),
    ("envmap", b"\x01", "cube"),
    ("float", struct.pack("<f", 0.1), f32(0.1)),
    ("float", struct.pack("<f", float("nan")), "NaN"),
    ("float", struct.pack("<f", float("inf")), "Infinity"),
    ("floatvector", struct.pack("<3f", 1, 2, float("nan")), [1.0, 2.0, "NaN"]),
    ("floatvector", b"", []),
    ("int", struct.pack("<i", -7), -7),
    (
        "keycode",
        struct.pack("<7i", 1, 2, 3, 4, 5, 6, 120),
        {
            "film_mfc_code": 1, "film_type": 2, "prefix": 3, "count": 4,
            "perf_offset": 5, "perfs_per_frame": 6, "perfs_per_count": 120,
        },
    ),
    ("lineOrder", b"\x01", "decreasing_y"),
    ("lineOrder", b"\x07", "unknown(7)"),
    ("m33f", struct.pack("<9f", *M33), M33),
    ("m33d", struct.pack("<9d", *M33), M33),
    ("m44f", struct.pack("<16f", *M44), M44),
    ("m44d", struct.pack("<16d", *M44), M44),
    ("rational", struct.pack("<iI", -24000, 1001), {"numerator": -24000, "denominator": 1001}),
    ("rational", struct.pack("<iI", 25, 0), {"numerator": 25, "denominator": 0}),
    ("string", b"", ""),
    ("string", "Ärmel".encode(), "Ärmel"),
    ("string", b"a\0b", "a\0b"),
    ("stringvector", b"", []),
    ("stringvector", struct.pack("<i", 1) + b"a" + struct.pack("<i", 0), ["a", ""]),
    (
        "tiledesc",
        struct.pack("<IIB", 64, 32, 0x12),
        {"x_size": 64, "y_size": 32, "level_mode": "ripmap_levels", "rounding_mode": "round_up"},
    ),
    ("v2i", struct.pack("<2i", 1, -2), [1, -2]),
    ("v2f", struct.pack("<2f", 1, -2), [1.0, -2.0]),
    ("v2d", struct.pack("<2d", 0.1, -2), [0.1, -2.0]),
    ("v3i", struct.pack("<3i", 1, -2, 3), [1, -2, 3]),
    ("v3f", struct.pack("<3f", 1, -2, 3), [1.0, -2.0, 3.0]),
    ("v3d", struct.pack("<3d", 0.1, -2, 3), [0.1, -2.0, 3.0]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "raw", "expected"), VALUES)
def test_a_value_of_every_standard_type_decodes(kind: str, raw: bytes, expected: Any) -> None:
    """The payload's vocabulary, and nothing that JSON cannot carry."""
    value = decode(kind, raw)
    assert value == expected
    json.dumps(value, allow_nan=False)


def test_every_standard_type_has_an_example_here() -> None:
    """Types with tests of their own are named."""
    own_tests = {"chlist", "idmanifest", "preview", "timecode"}
    assert {kind for kind, _, _ in VALUES} | own_tests == set(DECODERS)


@pytest.mark.parametrize("kind", sorted(set(DECODERS) - {"string", "stringvector", "floatvector", "bytes"}))
@pytest.mark.parametrize("raw", [b"", b"\1\2\3", bytes(500)])
def test_a_value_of_the_wrong_size_is_refused_by_name(kind: str, raw: bytes) -> None:
    """Never another exception, never a value made up from too few bytes."""
    with pytest.raises(DecodeError) as fault:
        decode(kind, raw)
    assert fault.value.code in {"attribute_wrong_size", "channel_list_damaged", "id_manifest_damaged"}


def test_an_unknown_type_is_not_decoded() -> None:
    """The caller keeps its bytes."""
    with pytest.raises(KeyError):
        decode("acmeBlob", b"\1")


def test_a_timecode_has_fields_and_text() -> None:
    """SMPTE 12M digits are binary-coded decimal; the flags sit in the spare bits."""
    packed = 0x23 << 24 | 0x59 << 16 | 0x58 << 8 | 0x22 | 1 << 6 | 1 << 15 | 1 << 31
    value = decode("timecode", struct.pack("<II", packed, 0xDEADBEEF))
    assert value["text"] == "23:59:58:22"
    assert (value["hours"], value["minutes"], value["seconds"], value["frame"]) == (23, 59, 58, 22)
    assert (value["drop_frame"], value["color_frame"], value["field_phase"]) == (True, False, True)
    assert (value["bgf0"], value["bgf1"], value["bgf2"]) == (False, False, True)
    assert (value["time_and_flags"], value["user_data"]) == (packed, 0xDEADBEEF)


def test_text_that_is_not_utf8_is_shown_without_lone_surrogates() -> None:
    """The display text has replacement characters; the fault says where the text stops being UTF-8."""
    with pytest.raises(DecodeError, match="from its byte 4") as fault:
        decode("string", b"Andr\xe9")
    assert (fault.value.code, fault.value.value) == ("text_not_utf8", "Andr\ufffd")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (struct.pack("<i", 5) + b"abc", "attribute_wrong_size"),
        (struct.pack("<i", -1), "attribute_wrong_size"),
        (b"\1\0", "attribute_wrong_size"),
        (struct.pack("<i", 2) + b"\xff\xfe", "text_not_utf8"),
    ],
)
def test_a_damaged_stringvector_is_refused(raw: bytes, code: str) -> None:
    """Lengths beyond the value, negative lengths, a cut length, and items that are not UTF-8."""
    with pytest.raises(DecodeError) as fault:
        decode("stringvector", raw)
    assert fault.value.code == code


@pytest.mark.parametrize("raw", [b"", b"\1\0\0", struct.pack("<i", 9) + b"hint", struct.pack("<i", -1)])
def test_bytes_with_a_false_hint_length_are_refused(raw: bytes) -> None:
    """The hint must lie within the value."""
    with pytest.raises(DecodeError):
        decode("bytes", raw)


def test_a_preview_is_described_by_size_and_digest() -> None:
    """Its pixels do not enter the payload."""
    pixels = bytes(range(24))
    value = decode("preview", struct.pack("<II", 3, 2) + pixels)
    assert value == {"width": 3, "height": 2, "size": 24, "sha256": hashlib.sha256(pixels).hexdigest()}
    with pytest.raises(DecodeError) as fault:
        decode("preview", struct.pack("<II", 3, 3) + pixels)
    assert fault.value.value["height"] == 3


def test_channels_keep_file_order_type_sampling_and_linearity() -> None:
    """As listed, sorted or not."""
    raw = exr_bytes.chlist(
        exr_bytes.channel("Z", exr_bytes.FLOAT), exr_bytes.channel("A", exr_bytes.UINT, 2, 4, 1), exr_bytes.channel("é", 7)
    )
    channels_read = attributes.channels(raw)
    assert [(c.name, c.type, c.x_sampling, c.y_sampling, c.p_linear) for c in channels_read] == [
        ("Z", "FLOAT", 1, 1, False), ("A", "UINT", 2, 4, True), ("é", "unknown(7)", 1, 1, False),
    ]  # fmt: skip


def test_a_channel_name_that_is_not_utf8_keeps_its_bytes() -> None:
    """Text for display, bytes in base64."""
    (channels_read,) = attributes.channels(exr_bytes.chlist(exr_bytes.channel(b"R\xff")))
    assert channels_read.name == "R\ufffd"
    assert attributes.channel_value(channels_read)["name_base64"] == base64.b64encode(b"R\xff").decode()


@pytest.mark.parametrize("cut", range(1, len(exr_bytes.RGB)))
def test_a_cut_channel_list_keeps_the_channels_before_the_cut(cut: int) -> None:
    """Each whole entry of 18 bytes survives."""
    with pytest.raises(DecodeError) as fault:
        attributes.channels(exr_bytes.RGB[:cut])
    assert [c.name for c in fault.value.value] == ["B", "G", "R"][: cut // 18]


def test_a_damaged_channel_list_shows_what_was_read_as_any_other_does() -> None:
    """Under any attribute name, in the payload's vocabulary."""
    raw = exr_bytes.chlist(exr_bytes.channel("R"), exr_bytes.channel(b"\xff"))[:-5]
    with pytest.raises(DecodeError) as fault:
        decode("chlist", raw)
    assert fault.value.value == decode("chlist", exr_bytes.chlist(exr_bytes.channel("R")))


def test_a_channel_list_that_ends_early_is_damaged() -> None:
    """Bytes after the final NUL are reported, not guessed at."""
    with pytest.raises(DecodeError, match="3 bytes left over"):
        attributes.channels(exr_bytes.RGB + b"xyz")


def test_the_number_of_channels_is_bounded() -> None:
    """Beyond the limit the list is cut, and the fault says so."""
    raw = exr_bytes.chlist(*[exr_bytes.channel(f"c{n}") for n in range(20)])
    with pytest.raises(DecodeError) as fault:
        attributes.channels(raw, limit=10)
    assert (fault.value.code, len(fault.value.value)) == ("too_many_channels", 10)


def id_manifest(body: bytes, declared: int | None = None) -> bytes:
    """The value of an idmanifest around its unpacked bytes."""
    return struct.pack("<Q", len(body) if declared is None else declared) + zlib.compress(body)


def strings(*items: bytes) -> bytes:
    """A list of short strings: count, lengths, text."""
    return struct.pack("<I", len(items)) + bytes(len(item) for item in items) + b"".join(items)


def pascal(item: bytes) -> bytes:
    """A string with a length of four bytes."""
    return struct.pack("<I", len(item)) + item


def group(storage: int = 2, entries: bytes = b"\x05\x00\x01\x02\x01", count: int = 2, width: int = 1) -> bytes:
    """A channel group with `count` entries; ids are differences."""
    components = [b"model", b"material"][:width]
    return (
        strings(b"id")
        + strings(*components)
        + b"\2"
        + pascal(b"none")
        + pascal(b"id")
        + bytes([storage])
        + (struct.pack("<I", count) + entries)
    )


# Three strings with shared prefixes; the mapping puts string 1 first.
TABLE = struct.pack("<I", 0) + strings(b"hero", b"\x02ad", b"\x04er") + struct.pack("<I4I", 2, 1, 1, 0, 2)


def test_an_id_manifest_lists_groups_entries_and_their_strings() -> None:
    """Prefix-compressed strings, the order of use, ids as differences."""
    body = TABLE + struct.pack("<I", 1) + group(entries=b"\x05\x00\x01" + b"\x02\x02")
    value = decode("idmanifest", id_manifest(body))
    assert value["unpacked_size"] == len(body)
    (groups,) = value["groups"]
    assert (groups["channels"], groups["components"], groups["lifetime"]) == (["id"], ["model"], "stable")
    assert (groups["hash_scheme"], groups["encoding_scheme"], groups["entry_count"]) == ("none", "id", 2)
    assert groups["entries"] == [{"id": 5, "strings": ["head"]}, {"id": 6, "strings": ["header"]}]


@pytest.mark.parametrize(("storage", "ids"), [(0, struct.pack("<Q", 2**40)), (1, struct.pack("<I", 7)), (2, b"\x87\x01")])
def test_ids_of_every_storage_scheme_are_read(storage: int, ids: bytes) -> None:
    """Eight bytes, four bytes, and seven bits a byte."""
    body = TABLE + struct.pack("<I", 1) + group(storage, ids + b"\0", count=1)
    (entry,) = decode("idmanifest", id_manifest(body))["groups"][0]["entries"]
    assert entry["id"] == {0: 2**40, 1: 7, 2: 135}[storage]


def test_a_long_id_manifest_is_counted_and_its_first_entries_listed() -> None:
    """256 entries are carried, all are counted."""
    body = TABLE + struct.pack("<I", 1) + group(entries=b"\x01\x00" * 1000, count=1000)
    (groups,) = decode("idmanifest", id_manifest(body))["groups"]
    assert (groups["entry_count"], len(groups["entries"])) == (1000, 256)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        struct.pack("<I", 9),
        struct.pack("<II", 0, 2**31),
        struct.pack("<I", 0) + strings(b"hero", b"\x09x"),
        struct.pack("<I", 0) + strings(b"hero", b""),
        struct.pack("<I", 0) + strings(b"hero") + struct.pack("<I2I", 1, 0, 7),
        struct.pack("<I", 0) + strings(b"hero") + struct.pack("<I2I", 1, 1, 0),
        TABLE,
        TABLE + struct.pack("<I", 1) + group(entries=b"\x05\x09", count=1),
        TABLE + struct.pack("<I", 1) + group(entries=b"\xff" * 12, count=1),
        TABLE + struct.pack("<I", 1) + group(count=10**6),
    ],
)
def test_a_damaged_id_manifest_is_refused_by_name(body: bytes) -> None:
    """False counts, prefixes, references, over-long integers and cuts end in a named fault."""
    with pytest.raises(DecodeError) as fault:
        decode("idmanifest", id_manifest(body))
    assert fault.value.code == "id_manifest_damaged"


def test_an_id_manifest_that_unpacks_to_too_much_is_not_unpacked() -> None:
    """A small value that claims gigabytes, or that unpacks to more than it claims, costs nothing."""
    with pytest.raises(DecodeError, match="beyond"):
        decode("idmanifest", id_manifest(b"", declared=2**33))
    with pytest.raises(DecodeError, match="where it declares"):
        decode("idmanifest", id_manifest(bytes(10**6), declared=100))
    with pytest.raises(DecodeError, match="does not unpack"):
        decode("idmanifest", struct.pack("<Q", 4) + b"not zlib")


def test_an_id_manifest_with_a_million_references_is_bounded() -> None:
    """Walking entries stops before it takes seconds."""
    body = TABLE + struct.pack("<I", 1) + group(entries=b"\x01\x00" * 500_000, count=500_000)
    with pytest.raises(DecodeError) as fault:
        decode("idmanifest", id_manifest(body))
    assert fault.value.code == "id_manifest_too_large"


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(DECODERS)), st.binary(max_size=200))
def test_any_bytes_of_any_type_decode_or_are_refused_by_name(kind: str, raw: bytes) -> None:
    """A value that JSON can carry, or a DecodeError; no other exception, no lone surrogate."""
    try:
        value = decode(kind, raw)
    except DecodeError as fault:
        value = fault.value
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
