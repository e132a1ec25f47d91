"""Headers: what is read, in which order, at what price, and how damage is named."""

from __future__ import annotations

import hashlib
import struct

import pytest

import exr_bytes
from exr_bytes import MemoryReader, attribute, box, channel, chlist, header, image, named_part, part, text
from exr_inspector.errors import BadHeader
from exr_inspector.exr import header as exr_header
from exr_inspector.exr.header import NeedMoreBytes, parse_header, read_header


def damage(data: bytes, size: int | None = -1) -> BadHeader:
    """The error that reading these bytes, a whole file by default, ends in."""
    with pytest.raises(BadHeader) as fault:
        parse_header(data, size=len(data) if size == -1 else size)
    return fault.value


def codes(data: bytes) -> list[str]:
    """The findings of a header that can be read."""
    return [finding.code for finding in parse_header(data, size=len(data)).findings]


def test_attributes_keep_order_type_size_value_and_place() -> None:
    """As in the file; offsets count from its first byte."""
    head = header(part(text("comments", ""), attribute("samples", "int", struct.pack("<i", 64))))
    parsed = parse_header(head).parts[0].attributes
    assert [one.name for one in parsed] == [
        "channels", "compression", "dataWindow", "displayWindow", "lineOrder", "pixelAspectRatio", "screenWindowCenter",
        "screenWindowWidth", "comments", "samples",
    ]  # fmt: skip
    assert (parsed[-1].type, parsed[-1].size, parsed[-1].value, bytes(parsed[-1].raw)) == ("int", 4, 64, b"\x40\0\0\0")
    assert (parsed[-2].size, parsed[-2].value) == (0, "")
    assert all(head[one.offset :].startswith(one.name.encode() + b"\0") for one in parsed)


def test_the_hash_is_that_of_the_raw_header_bytes() -> None:
    """From the magic number to the byte before the offset table, whatever follows."""
    head = header(part())
    parsed = parse_header(head + b"anything")
    assert (parsed.header_bytes, parsed.header_hash) == (len(head), hashlib.sha256(head).hexdigest())


def test_parts_of_a_multipart_file_are_read_until_the_empty_header() -> None:
    """Each with its own attributes, at its own offset."""
    head = header(named_part("left", "scanlineimage", 2), named_part("right", "scanlineimage", 2, text("view", "right")))
    parsed = parse_header(head)
    assert [one.stated["name"] for one in parsed.parts] == ["left", "right"]
    assert (parsed.is_multipart, parsed.header_bytes) == (True, len(head))
    assert head[parsed.parts[1].offset :].startswith(b"channels\0")


def test_duplicates_unknown_types_and_odd_text_survive() -> None:
    """Both copies, the raw bytes, the NULs; the first copy counts, and each oddity is a finding at its place."""
    head = header(part(text("owner", "a"), text("owner", "b"), attribute("blob", "acme", b"\0\1"), text("note", b"x\0y\xff")))
    parsed = parse_header(head)
    own = parsed.parts[0]
    assert [one.value for one in own.attributes if one.name == "owner"] == ["a", "b"]
    assert own.first["owner"].value == "a"
    blob, note = own.first["blob"], own.first["note"]
    assert (blob.type, blob.value, bytes(blob.raw), blob.faithful) == ("acme", None, b"\0\1", False)
    assert (note.value, bytes(note.raw), note.faithful) == ("x\0y\ufffd", b"x\0y\xff", False)
    assert [(one.code, one.attribute, one.offset) for one in parsed.findings] == [
        ("duplicate_attribute", "owner", own.attributes[-3].offset),
        ("text_not_utf8", "note", note.offset),
    ]


def test_a_value_of_the_wrong_size_is_kept_raw_and_the_walk_goes_on() -> None:
    """The declared size, not the type's, says where the next attribute begins."""
    head = header(part(attribute("worldToCamera", "m44f", b"\1" * 13), text("owner", "last")))
    parsed = parse_header(head)
    odd = parsed.parts[0].first["worldToCamera"]
    assert (odd.size, odd.value, bytes(odd.raw)) == (13, None, b"\1" * 13)
    assert parsed.parts[0].first["owner"].value == "last"
    assert [one.code for one in parsed.findings] == ["attribute_wrong_size"]


def test_a_damaged_channel_list_keeps_what_can_be_read() -> None:
    """An error that names part, attribute and offset."""
    head = header(part(channels=exr_bytes.RGB[:-3]))
    parsed = parse_header(head)
    assert [one.name for one in parsed.parts[0].channels] == ["B", "G"]
    (finding,) = parsed.findings
    assert (finding.severity, finding.code, finding.part, finding.attribute, finding.offset) == (
        "error", "channel_list_damaged", 0, "channels", 8,
    )  # fmt: skip


def test_names_that_are_not_utf8_keep_their_bytes() -> None:
    """Name and type, shown with replacement characters."""
    parsed = parse_header(header(part(attribute(b"caf\xe9", b"t\xff", b""))))
    odd = parsed.parts[0].attributes[-1]
    assert (odd.name, odd.type, odd.raw_name) == ("caf\ufffd", "t\ufffd", (b"caf\xe9", b"t\xff"))
    assert [one.code for one in parsed.findings] == ["name_not_utf8"]


def test_long_names_are_read_with_and_without_the_flag() -> None:
    """Without the flag they are a finding."""
    long = text("n" * 255, "value")
    assert codes(header(part(long), flags=exr_bytes.LONG_NAMES)) == []
    assert codes(header(part(long))) == ["long_name_without_flag"]
    assert codes(header(part(text("n" * 31, "value")))) == []


def test_unknown_version_flags_are_a_finding() -> None:
    """The rest of the header is read all the same."""
    assert codes(header(part(), flags=0x8000)) == ["unknown_version_flags"]


@pytest.mark.parametrize(
    ("data", "code", "offset"),
    [
        (b"", "header_truncated", 0),
        (b"v/1", "header_truncated", 3),
        (b"GIF89a.....", "bad_magic", 0),
        (struct.pack("<II", exr_bytes.MAGIC, 3), "unsupported_version", 4),
        (struct.pack("<II", exr_bytes.MAGIC, 2 | exr_bytes.MULTI_PART) + b"\0", "no_parts", 8),
        (header(part())[:-1], "header_truncated", len(header(part())) - 1),
        (header([b"x" * 300]), "name_too_long", 8),
        (header([b"x\0" + b"y" * 300]), "name_too_long", 10),
        (header([attribute("x", "string", b"", size=-1)]), "bad_attribute_size", 8),
        (header([attribute("x", "int", b"", size=2**31 - 1)]), "header_truncated", 8),
    ],
)
def test_damage_is_named_with_its_byte_offset(data: bytes, code: str, offset: int) -> None:
    """Each kind of damage has a stable code."""
    fault = damage(data)
    assert (fault.code, fault.offset) == (code, offset)


def test_a_prefix_asks_for_more_instead_of_failing() -> None:
    """With the size unknown or larger than the prefix, every cut is a request for bytes that the file has."""
    head = header(part(text("comments", "x" * 100)))
    for cut in range(len(head)):
        with pytest.raises(NeedMoreBytes) as request:
            parse_header(head[:cut])
        assert cut < request.value.needed <= len(head)


def test_a_cut_file_is_named_truncated_at_every_byte() -> None:
    """Wherever the header ends, with the place at which reading stopped."""
    head = header(part(text("comments", "x" * 100)))
    for cut in range(len(head)):
        fault = damage(head[:cut])
        assert fault.code == "header_truncated"
        assert fault.offset <= cut


def test_a_small_header_takes_one_read_of_the_first_range() -> None:
    """And never more bytes than the object has."""
    reader = MemoryReader(image(size=20_000))
    read_header(reader)
    assert reader.reads == [(0, 65536)]
    small = MemoryReader(image())
    read_header(small)
    assert small.reads == [(0, len(small.data))]


def test_a_large_header_takes_what_is_missing_and_a_growing_look_ahead() -> None:
    """No byte is read twice, and the number of reads grows with the logarithm of the size."""
    data = image(text("manifest", "m" * 300_000), *[text(f"a{n}", "b" * 4000) for n in range(100)])
    reader = MemoryReader(data + bytes(2**20))
    parsed = read_header(reader)
    assert len(parsed.parts[0].attributes) == 109
    assert len(reader.reads) <= 5
    assert all(start == previous[0] + previous[1] for previous, (start, _) in zip(reader.reads, reader.reads[1:], strict=False))
    assert sum(length for _, length in reader.reads) < 2 * parsed.header_bytes


def test_a_header_beyond_the_limit_is_refused_before_it_is_read() -> None:
    """The claim alone is enough."""
    reader = MemoryReader(header([attribute("x", "string", b"", size=2**30)]), size=2**31)
    with pytest.raises(BadHeader) as fault:
        read_header(reader, limit=2**20)
    assert fault.value.code == "header_too_large"
    assert sum(length for _, length in reader.reads) <= 65536


def test_an_object_shorter_than_its_size_is_named() -> None:
    """A reader that runs dry does not loop."""
    reader = MemoryReader(header(part())[:-5], size=10_000)
    with pytest.raises(BadHeader) as fault:
        read_header(reader)
    assert fault.value.code == "header_truncated"


def test_an_unreadable_file_has_the_hash_of_what_was_read() -> None:
    """So that two broken versions of one path differ."""
    for data in (b"GIF89a", b"", header(part())[:-9]):
        with pytest.raises(BadHeader) as fault:
            read_header(MemoryReader(data))
        assert fault.value.header_hash == hashlib.sha256(data).hexdigest()


def test_long_values_are_windows_on_the_bytes_with_a_digest_for_a_value() -> None:
    """Beyond 64 KiB nothing is copied or decoded."""
    manifest = b"m" * 70_000
    parsed = parse_header(header(part(text("manifest", manifest))))
    one = parsed.parts[0].first["manifest"]
    assert isinstance(one.raw, memoryview)
    assert one.value["size"] == 70_000
    assert one.value["sha256"] == hashlib.sha256(manifest).hexdigest()


def test_parts_attributes_and_channels_are_bounded() -> None:
    """A hostile header ends in a named error, or in a list cut short with a finding."""
    tiny = [attribute("a", "int", b"")]
    assert damage(header(*[tiny] * (exr_header.MAX_PARTS + 1))).code == "too_many_parts"
    assert damage(header(tiny * (exr_header.MAX_ATTRIBUTES + 1))).code == "too_many_attributes"
    many = attribute("channels", "chlist", chlist(*[channel(f"c{n}") for n in range(9000)]))
    parsed = parse_header(header([many], [many]))
    assert [len(one.channels) for one in parsed.parts] == [9000, 16_384 - 9000]
    assert [finding.code for finding in parsed.findings] == ["too_many_channels"]


def test_find_wants_name_and_type() -> None:
    """A dataWindow that is text is no window."""
    parsed = parse_header(header(part(text("dataWindow", "wide"), without=("dataWindow",))))
    assert parsed.parts[0].stated["dataWindow"] is None
    assert parse_header(header(part())).parts[0].stated["dataWindow"] == {
        "min": {"x": 0, "y": 0}, "max": {"x": 63, "y": 31},
    }  # fmt: skip
    assert box(0, 0, 63, 31) == bytes(parsed.parts[0].first["displayWindow"].raw)


def test_an_impossible_size_of_a_value_that_delimits_itself_is_overruled_by_its_type() -> None:
    """One size, or a NUL at the end, stands where the declared size is negative or beyond the file; other types end the walk."""
    odd = [
        attribute("channels", "chlist", exr_bytes.RGB, size=2**30),
        attribute("dataWindow", "box2i", box(0, 0, 9, 9), size=-4080),
        text("owner", "me"),
    ]
    data = header(odd) + bytes(500)
    parsed = read_header(MemoryReader(data), first_range=5)
    own = parsed.parts[0]
    assert ([one.name for one in own.channels], own.first["owner"].value) == (["B", "G", "R"], "me")
    assert own.stated["dataWindow"]["max"] == {"x": 9, "y": 9}
    assert [(one.severity, one.code, one.attribute) for one in parsed.findings] == [
        ("error", "attribute_size_impossible", "channels"), ("error", "attribute_size_impossible", "dataWindow"),
    ]  # fmt: skip
    assert damage(header([text("owner", b"me"), attribute("m", "m44f", b"", size=-1)])).code == "bad_attribute_size"
