"""What TDs look for, from what renderers write."""

from __future__ import annotations

import json
import struct
from typing import Any

import mmh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_bytes import FLOAT, attribute, channel, chlist, header, part, text
from exr_inspector.exr import cryptomatte
from exr_inspector.exr.cryptomatte import cryptomattes, murmur3, object_key
from exr_inspector.exr.header import Part, parse_header
from exr_inspector.payload import production
from exr_inspector.payload.writers import values


def with_attributes(*extra: bytes, **options: Any) -> Part:
    """The only part of a file with these attributes beside the required ones."""
    return parse_header(header(part(*extra, **options))).parts[0]


def facts(*extra: bytes) -> dict[str, Any]:
    """The normalised facts of such a part that are known."""
    return {key: value for key, value in production.fields(with_attributes(*extra)).items() if value is not None}


def number(name: str, value: float) -> bytes:
    """A float attribute."""
    return attribute(name, "float", struct.pack("<f", value))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("01:14.25", 74.25), ("1:02:03", 3723.0), ("83.5", 83.5), ("83.5s", 83.5), ("250 ms", 0.25),
        ("2 hours 5 minutes", 7500.0),
        ("1d 2h", 93600.0), ("soon", None), ("", None), ("-5", None), ("12:99:99:99", None), ("5 apples", None),
    ],
)  # fmt: skip
def test_durations_are_read_as_people_write_them(written: str, seconds: float | None) -> None:
    """Clock, units, bare seconds; None for anything else."""
    assert values.duration(written) == seconds


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_duration_or_none(written: str) -> None:
    """Never an error, never a negative time."""
    seconds = values.duration(written)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("written", ["1843", "lots", "12 parsecs", ""])
def test_memory_without_a_unit_is_unknown(written: str) -> None:
    """A bare number may be bytes or megabytes."""
    assert "peak_memory_mb" not in facts(text("peakMemory", written))


REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)


def primaries(values: tuple[float, ...]) -> bytes:
    """The attribute `chromaticities`."""
    return attribute("chromaticities", "chromaticities", struct.pack("<8f", *values))


@pytest.mark.parametrize(
    ("written", "space", "source"),
    [
        ((text("colorInteropID", "lin_ap1_scene"), text("oiio:ColorSpace", "x")), "lin_ap1_scene", "colorInteropID"),
        ((text("oiio:ColorSpace", "ACEScg"), primaries(REC709)), "ACEScg", "oiio:ColorSpace"),
        ((attribute("acesImageContainerFlag", "int", b"\1\0\0\0"), primaries(AP0)), "lin_ap0_scene", "acesImageContainerFlag"),
        ((primaries(REC709),), "lin_rec709_scene", "chromaticities"),
        ((text("oiio:ColorSpace", "linear"), primaries(REC709)), "lin_rec709_scene", "chromaticities"),
        ((text("oiio:ColorSpace", "linear"),), "linear", "oiio:ColorSpace"),
        ((primaries(AP0),), "lin_ap0_scene", "chromaticities"),
        ((primaries((0.1,) * 8),), None, None),
        ((primaries((float("nan"),) * 8),), None, None),
    ],
)
def test_the_colour_space_comes_with_its_source(written: tuple[bytes, ...], space: str | None, source: str | None) -> None:
    """Interop ID before named spaces before the ACES flag before chromaticities."""
    known = facts(*written)
    assert (known.get("color_space"), known.get("color_space_source")) == (space, source)


def test_timecodes_are_standard_or_text() -> None:
    """The attribute of the standard, or text of that form."""
    packed = 0x01 << 24 | 0x02 << 16 | 0x03 << 8 | 0x04
    assert facts(attribute("timeCode", "timecode", struct.pack("<II", packed, 0)))["timecode"] == "01:02:03:04"
    assert facts(text("timeCode", "10:20:30:12"))["timecode"] == "10:20:30:12"
    assert "timecode" not in facts(text("timecode", "about noon"))


def test_the_standard_camera_attributes_are_known() -> None:
    """Matrices, lens and exposure; `aperture` is the f-number there."""
    matrix = struct.pack("<16f", *range(16))
    found = facts(
        attribute("worldToCamera", "m44f", matrix), text("cameraModel", "ALEXA 35"), number("aperture", 4),
        number("isoSpeed", 800),
    )["camera"]  # fmt: skip
    assert found == {"model": "ALEXA 35", "iso": 800.0, "f_number": 4.0, "world_to_camera": [float(n) for n in range(16)]}


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_the_hash_is_murmur3(data: bytes) -> None:
    """As the reference implementation has it."""
    assert murmur3(data) == mmh3.hash(data, signed=False)


def matte(key: str, name: str, manifest: str | bytes, scheme: str = "MurmurHash3_32") -> list[bytes]:
    """The attributes of a cryptomatte layer."""
    root = f"cryptomatte/{key}"
    return [text(f"{root}/name", name), text(f"{root}/hash", scheme), text(f"{root}/conversion", "uint32_to_float32"),
            text(f"{root}/manifest", manifest)]  # fmt: skip


NAMES = [f"/world/rock_{n}" for n in range(10)] + ["/world/Ärmel"]
MANIFEST = json.dumps({name: cryptomatte.object_id(name) for name in NAMES}, ensure_ascii=False)
RANKS = chlist(*[channel(f"CryptoObject0{n}.{c}", FLOAT) for n in range(3) for c in "BGR"], channel("R"))


def test_a_cryptomatte_layer_is_described() -> None:
    """Name, hash, manifest size and entries, ranks; key and ids agree with the names."""
    own = with_attributes(*matte(object_key("CryptoObject"), "CryptoObject", MANIFEST), channels=RANKS)
    (layer,), findings = cryptomattes(own)
    assert findings == []
    assert (layer["key"], layer["name"], layer["hash"], layer["ranks"]) == ("3ae39a5", "CryptoObject", "MurmurHash3_32", 3)
    assert (layer["key_matches"], layer["manifest_entries"], layer["manifest_mismatches"]) == (True, 11, 0)
    assert layer["manifest_size"] == len(MANIFEST.encode())


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        (matte("0000000", "CryptoObject", MANIFEST), "cryptomatte_key_mismatch"),
        (matte("3ae39a5", "CryptoObject", MANIFEST.replace("rock_1", "pebble_1")), "cryptomatte_id_mismatch"),
        (matte("3ae39a5", "CryptoObject", "{not json"), "cryptomatte_manifest_damaged"),
        (matte("3ae39a5", "CryptoObject", "[" * 100_000), "cryptomatte_manifest_damaged"),
        (matte("3ae39a5", "CryptoObject", "[1]"), "cryptomatte_manifest_damaged"),
    ],
)
def test_a_cryptomatte_that_contradicts_itself_is_a_finding(attributes: list[bytes], code: str) -> None:
    """Keys, ids and manifests are checked."""
    _, findings = cryptomattes(with_attributes(*attributes))
    assert [finding.code for finding in findings] == [code]


def test_an_unknown_hash_is_not_judged() -> None:
    """Another scheme has other keys."""
    (layer,), findings = cryptomattes(with_attributes(*matte("custom1", "CryptoObject", MANIFEST, "acme")))
    assert (layer["key_matches"], layer["manifest_mismatches"], findings) == (None, 0, [])


def test_entries_of_a_long_manifest_are_counted() -> None:
    """With escaped quotes in names, with and without blanks after the colon."""
    for separators in ((",", ":"), (", ", ": ")):
        manifest = json.dumps({f'o"":"deadbeef{n}': f"{n:08x}" for n in range(20_000)}, separators=separators)
        (layer,), _ = cryptomattes(with_attributes(*matte("3ae39a5", "CryptoObject", manifest)))
        assert (layer["manifest_entries"], layer["manifest_mismatches"]) == (20_000, None)
