"""Header bytes -> facts, losslessly: every attribute of every part in file order, with type, size, value and bytes.

Bytes in, facts out. `parse_header` is pure and knows three kinds of "no": invalid (BadHeader with the byte offset), unsupported
(BadHeader with the code `unsupported_version`), and needs more bytes (NeedMoreBytes, which `read_header` answers with another
ranged read). What contradicts itself but can be read becomes a Finding, never a guess.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from exr_inspector.errors import BadHeader
from exr_inspector.exr import attributes as exr_attributes
from exr_inspector.exr.attributes import Attribute, Bytes, Channel, DecodeError, read_stated
from exr_inspector.exr.layout import DEEP_TYPES, TILED_TYPES, Layout, NoLayout, Window, layout_or_reason, window
from exr_inspector.exr.limits import (
    LARGE_VALUE,
    MATRIX_WEIGHT,
    MAX_ATTRIBUTE_NAME_BYTES,
    MAX_ATTRIBUTES,
    MAX_CHANNEL_NAME_BYTES,
    MAX_CHANNELS,
    MAX_FINDINGS,
    MAX_LEVELS,
    MAX_PARTS,
    MAX_VALUE_BYTES,
    SHOWN_CHARACTERS,
    SMALL_VALUE,
    Budget,
)

MAGIC = b"\x76\x2f\x31\x01"
VERSION = 2
TILED, LONG_NAMES, NON_IMAGE, MULTI_PART = 0x200, 0x400, 0x800, 0x1000
KNOWN_FLAGS = TILED | LONG_NAMES | NON_IMAGE | MULTI_PART

FIRST_RANGE = 64 * 1024
HEADER_LIMIT = 64 * 2**20
MAX_NAME = 255
MAX_SHORT_NAME = 31

LONGEST_CHLIST = MAX_CHANNELS * (MAX_NAME + 18)

Severity = Literal["error", "warning"]


class Reader(Protocol):
    """Ranged access to one object; whoever implements it decides what to cache."""

    size: int
    """The object's true size in bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`; fewer only at the object's end."""


class NeedMoreBytes(Exception):
    """The header goes on beyond the bytes at hand; `needed` is the least length of a prefix that gets further."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"the header needs at least {needed} bytes")
        self.needed = needed


@dataclass(frozen=True, slots=True)
class Finding:
    """A contradiction in a file that can be read all the same; `offset` is a byte position in the file."""

    severity: Severity
    code: str
    message: str
    part: int | None = None
    attribute: str | None = None
    offset: int | None = None
    channel: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The finding as it stands in the payload's errors or warnings: code, message, and the place as far as it is known."""
        place = {"part": self.part, "attribute": self.attribute, "channel": self.channel, "offset": self.offset}
        return {"code": self.code, "message": self.message, **{key: value for key, value in place.items() if value is not None}}


class Findings:
    """The findings of a file, in the order in which they were made; of each severity the first are kept, the others counted.

    The first finding of a code is always kept, so that many of one kind do not hide another.
    """

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.codes: set[str] = set()
        """The codes of all findings, of those that are not kept as well."""
        self.count: dict[Severity, int] = {"error": 0, "warning": 0}

    def add(self, finding: Finding) -> None:
        """One more finding."""
        self.count[finding.severity] += 1
        if self.count[finding.severity] <= MAX_FINDINGS or finding.code not in self.codes:
            self.kept.append(finding)
        self.codes.add(finding.code)

    def add_all(self, findings: Iterable[Finding]) -> None:
        """Several findings, which are made one after the other where `findings` is a generator."""
        for finding in findings:
            self.add(finding)

    def add_kept(self, other: Findings) -> None:
        """What another collection kept and counted."""
        if not other.kept:
            return
        total = {severity: count + other.count[severity] for severity, count in self.count.items()}
        self.add_all(other.kept)
        self.count = total

    def of(self, severity: Severity) -> list[Finding]:
        """The findings of a severity that are kept."""
        return [finding for finding in self.kept if finding.severity == severity]


def quote(words: str) -> str:
    """A text of the file as it stands in a message: quoted, and cut where it is long."""
    return repr(words) if len(words) <= SHOWN_CHARACTERS else repr(words[:SHOWN_CHARACTERS]) + "..."


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its attributes and channels in file order. `offset` is where its header begins."""

    index: int
    offset: int
    attributes: tuple[Attribute, ...]
    channels: tuple[Channel, ...]
    first: dict[str, Attribute]
    """The first attribute of each name: where names repeat, the first one counts."""
    stated: dict[str, Any]
    """What the standard attributes say, by name, None where one says nothing; see `attributes.read_stated`."""

    kind: str
    """`scanlineimage`, `tiledimage`, `deepscanline` or `deeptile`, or whatever else `type` says; empty where nothing tells."""
    data_window: Window | None
    display_window: Window | None
    layout: Layout | NoLayout
    """Where its chunks lie in the image, or why that is not known."""
    is_deep: bool
    """Whether its pixels hold any number of samples."""
    is_tiled: bool
    """Whether its chunks are tiles."""


@dataclass(frozen=True, slots=True)
class Header:
    """All headers of a file. `header_bytes` counts from the magic number to the byte before the first chunk offset table."""

    version: int
    flags: int
    parts: tuple[Part, ...]
    header_bytes: int
    header_hash: str
    all_findings: Findings
    is_multipart: bool
    """Whether the version field announces several parts."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What contradicts itself in the header, in file order; at most 256 of each severity, and the first of each code."""
        return tuple(self.all_findings.kept)

    def layouts(self) -> tuple[Layout, ...]:
        """The layouts of all parts. Raises NoLayout for the first part that has none."""
        for part in self.parts:
            if isinstance(part.layout, NoLayout):
                raise NoLayout(part.index, part.layout.reason)
        return tuple(part.layout for part in self.parts if isinstance(part.layout, Layout))


def parse_header(data: bytes, *, size: int | None = None) -> Header:
    """The header at the start of `data`, a prefix of a file of `size` bytes (None: size unknown).

    Raises NeedMoreBytes when the prefix is too short, BadHeader when no longer prefix would help.
    """
    return HeaderParser(data, size).header()


def read_header(reader: Reader, *, first_range: int = FIRST_RANGE, limit: int = HEADER_LIMIT) -> Header:
    """The header of an object: one read of `first_range` bytes, then what is missing plus a look-ahead that doubles.

    Raises BadHeader when the header is damaged or longer than `limit` bytes.
    """
    size = reader.size
    parser = HeaderParser(reader.read(0, min(first_range, size)), size)
    ahead = first_range
    while True:
        try:
            return parser.header()
        except NeedMoreBytes as missing:
            parser.data = _extend(reader, parser.data, missing.needed, ahead, limit)
            ahead *= 2
        except BadHeader as fault:
            raise _with_hash(parser.data, fault) from None


def _extend(reader: Reader, data: bytes, needed: int, ahead: int, limit: int) -> bytes:
    if needed > limit:
        remedy = "Raise the header limit if the file is sound"
        message = f"the header needs {needed} bytes, beyond the limit of {limit}"
        raise _with_hash(data, BadHeader(message, offset=len(data), code="header_too_large", remedy=remedy))
    end = min(max(needed, len(data)) + ahead, reader.size, limit)
    more = reader.read(len(data), end - len(data))
    if len(data) + len(more) < needed:
        message = f"the object ends at {len(data) + len(more)} bytes although its size is given as {reader.size}"
        error = BadHeader(message, offset=len(data) + len(more), code="header_truncated", remedy="Upload the file again")
        raise _with_hash(data + more, error)
    return data + more


def _with_hash(data: bytes, error: BadHeader) -> BadHeader:
    error.header_hash = hashlib.sha256(data).hexdigest()
    return error


class HeaderParser:
    """One walk over the bytes; `position` is where the walk stands, so that every fault can name its offset.

    After NeedMoreBytes, `data` may be replaced by a longer prefix and `header` called again: the walk goes on where it stood.
    """

    def __init__(self, data: bytes, size: int | None) -> None:
        self.data = data
        self.size = size
        self.position = 0
        self.flags = 0
        self.long_names = False
        self.findings = Findings()
        self.budget = Budget()
        self.parts: list[Part] = []
        self.part_start = 8
        self.attributes: list[Attribute] = []
        self.channels: tuple[Channel, ...] | None = None
        self.attributes_left = MAX_ATTRIBUTES
        self.name_bytes_left = MAX_ATTRIBUTE_NAME_BYTES
        self.channels_left = MAX_CHANNELS
        self.channel_bytes_left = MAX_CHANNEL_NAME_BYTES
        self.levels_left = MAX_LEVELS

    @property
    def part(self) -> int:
        """The number of the part that the walk is in."""
        return len(self.parts)

    def header(self) -> Header:
        """The header. Raises NeedMoreBytes and BadHeader."""
        if self.position == 0:
            self.flags = self._flags()
            self.position = 8
        if self.flags & MULTI_PART:
            self._read_parts()
        else:
            self._read_part()
        end = self.position
        digest = hashlib.sha256(memoryview(self.data)[:end]).hexdigest()
        self.findings.kept.sort(key=_offset_of)
        is_multipart = bool(self.flags & MULTI_PART)
        return Header(VERSION, self.flags, tuple(self.parts), end, digest, self.findings, is_multipart)

    def _flags(self) -> int:
        data = self.data
        if data[:4] != MAGIC[: len(data)]:
            remedy = "Check that the file is an OpenEXR image"
            message = f"the file does not begin with OpenEXR's magic number but with {data[:4].hex(' ')}"
            raise BadHeader(message, offset=0, code="bad_magic", remedy=remedy)
        self._need(8)
        version, flags = data[4], int.from_bytes(data[4:8], "little") & ~0xFF
        if version != VERSION:
            message = f"the file has format version {version}; version {VERSION} is known"
            raise BadHeader(message, offset=4, code="unsupported_version")
        if flags & ~KNOWN_FLAGS:
            self._warn("unknown_version_flags", f"the version field has unknown flags 0x{flags & ~KNOWN_FLAGS:x}", offset=4)
        self.long_names = bool(flags & LONG_NAMES)
        return flags

    def _read_parts(self) -> None:
        while True:
            self._need(self.position + 1)
            if not self.attributes and self.data[self.position] == 0:
                self.position += 1
                break
            if len(self.parts) == MAX_PARTS:
                raise self._bad("too_many_parts", f"the file has more than {MAX_PARTS} parts", self.position)
            self._read_part()
        if not self.parts:
            raise self._bad("no_parts", "the file announces several parts and has none", self.position - 1)

    def _read_part(self) -> None:
        attributes = self.attributes
        while (last := self._ordinary_run(attributes)) is not None:
            attributes.append(last)
            if len(attributes) > self.attributes_left:
                raise self._bad("too_many_attributes", f"the header has more than {MAX_ATTRIBUTES} attributes", last.offset)
        self._end_part(attributes)
        self.attributes, self.channels, self.part_start = [], None, self.position

    def _end_part(self, attributes: list[Attribute]) -> None:
        self.attributes_left -= len(attributes)
        self.name_bytes_left -= sum([len(attribute.name) + len(attribute.type) for attribute in attributes])
        if self.name_bytes_left < 0:
            message = f"the names and types of the header's attributes take more than {MAX_ATTRIBUTE_NAME_BYTES} bytes"
            raise self._bad("too_many_attributes", message, self.part_start)
        first = {attribute.name: attribute for attribute in reversed(attributes)}
        if len(first) < len(attributes):
            self._report_duplicates(attributes, first)
        self.parts.append(self._part(tuple(attributes), first))

    def _part(self, attributes: tuple[Attribute, ...], first: dict[str, Attribute]) -> Part:
        index, channels, stated = len(self.parts), self.channels or (), read_stated(first)
        kind = self._kind(stated["type"])
        data, display = window(stated["dataWindow"]), window(stated["displayWindow"])
        layout = layout_or_reason(index, kind, data, channels, stated, self.levels_left)
        if isinstance(layout, Layout):
            self.levels_left -= len(layout.levels)
        is_deep, is_tiled = kind in DEEP_TYPES, kind in TILED_TYPES
        return Part(index, self.part_start, attributes, channels, first, stated, kind, data, display, layout, is_deep, is_tiled)

    def _kind(self, named: str | None) -> str:
        """A single-part file is read by its flags (its `type` came later and is optional), a multi-part file by `type` alone."""
        if self.flags & (MULTI_PART | NON_IMAGE):
            return named or ""
        return "tiledimage" if self.flags & TILED else "scanlineimage"

    def _report_duplicates(self, attributes: list[Attribute], first: dict[str, Attribute]) -> None:
        for attribute in attributes:
            kept = first[attribute.name]
            if kept is not attribute:
                message = f"attribute {attribute.name!r} occurs again; the first one, at byte {kept.offset}, counts"
                self._warn("duplicate_attribute", message, attribute.name, attribute.offset)

    def _ordinary_run(self, attributes: list[Attribute]) -> Attribute | None:
        """Adds the attributes from `position` on as long as nothing is odd about them; returns the next, or None at the end.

        One loop without a call of its own for each attribute: nearly all attributes pass here, and it decides the speed.
        """
        data, position, left = self.data, self.position, self.budget.value_bytes
        while (match := _ORDINARY(data, position)) is not None and len(attributes) < self.attributes_left:
            raw_name, raw_type, raw_size = match.groups()
            type_name, decoder = _KNOWN_TYPES.get(raw_type, _UNKNOWN_TYPE)
            start, size = match.end(), _SIZE(raw_size)[0]
            if decoder is None or not 0 <= size <= LARGE_VALUE:
                break
            if type_name == "chlist" and (raw_name != b"channels" or self.channels is not None):
                break
            end = start + size
            raw = data[start:end]
            if len(raw) < size:
                break
            try:
                value = decoder(raw)
            except DecodeError:
                break
            if type_name == "chlist":
                if not self._accept_channels(value):
                    break
                value = None
            elif size > SMALL_VALUE:
                cost = size * MATRIX_WEIGHT if type(value) is list else size
                if cost > left:
                    break
                left -= cost
            fields = (raw_name.decode(), type_name, size, position, value, raw, True, None, False)
            attributes.append(_new_tuple(Attribute, fields))
            position = end
        self.position, self.budget.value_bytes = position, left
        return self._attribute()

    def _accept_channels(self, channels: list[Channel]) -> bool:
        """Whether the part's channels are few enough."""
        named = sum([len(channel.name) for channel in channels])
        if len(channels) > self.channels_left or named > self.channel_bytes_left:
            return False
        self._keep_channels(channels, named)
        return True

    def _keep_channels(self, channels: list[Channel], named: int) -> None:
        self.channels = tuple(channels)
        self.channels_left -= len(channels)
        self.channel_bytes_left -= named

    def _attribute(self) -> Attribute | None:
        """The attribute at `position`, or None at the NUL that ends a part's header."""
        data, start = self.data, self.position
        end = data.find(b"\0", start, start + MAX_NAME + 1)
        if end == start:
            self.position = start + 1
            return None
        if end < 0:
            raise self._no_end("name", start)
        type_end = data.find(b"\0", end + 1, end + MAX_NAME + 2)
        if type_end < 0:
            raise self._no_end("type", end + 1)
        value_start = type_end + 5
        if value_start > len(data):
            self._need(value_start)
        name, type_name = data[start:end], data[end + 1 : type_end]
        size = int.from_bytes(data[type_end + 1 : value_start], "little", signed=True)
        if size < 0 or value_start + size > len(data):
            size = self._possible_size(name, type_name, start, size, value_start)
        self.position = value_start + size
        if not self.long_names and (end - start > MAX_SHORT_NAME or type_end - end > MAX_SHORT_NAME + 1):
            self._long_name(name, type_name, start)
        return self._decode(name, type_name, size, start)

    def _decode(self, raw_name: bytes, raw_type: bytes, size: int, start: int) -> Attribute:
        name, type_name = str(raw_name, "utf-8", "replace"), str(raw_type, "utf-8", "replace")
        raw: Bytes = self.data[self.position - size : self.position] if size <= LARGE_VALUE else self._view(size)
        if type_name == "chlist" and name == "channels" and self.channels is None:
            value, faithful = None, self._channels(bytes(raw[:LONGEST_CHLIST]), start)
            shortened = size > LARGE_VALUE
        else:
            value, faithful = self._value(name, type_name, raw, start)
            shortened = value is _LONG
        if shortened:
            value = exr_attributes.digest(raw)
        if not type_name:
            self._warn("attribute_without_type", f"attribute {name!r} has no type", name, start)
        odd = None
        if not (raw_name.isascii() and raw_type.isascii()):
            odd = self._odd_names(raw_name, raw_type, name, type_name, start)
        return Attribute(name, type_name, size, start, value, raw, faithful, odd, shortened)

    def _value(self, name: str, type_name: str, raw: Bytes, start: int) -> tuple[Any, bool]:
        """The value, or `_LONG` where a digest is to stand for it; and whether it says all that the bytes say."""
        decoder, summarised = exr_attributes.DECODERS.get(type_name), type_name in _SUMMARISED
        weight = MATRIX_WEIGHT if type_name in _MATRICES else 1
        if not summarised and not self._affords(name, len(raw), start, weight):
            return _LONG, decoder is not None
        if decoder is None:
            return None, False
        try:
            counted = exr_attributes.LIST_DECODERS.get(type_name)
            return decoder(raw) if counted is None else counted(raw, self.budget), True
        except DecodeError as fault:
            self._warn(fault.code, f"attribute {name!r} of type {type_name!r} {fault}", name, start)
            return self._faulty(name, raw, fault, start, summarised), False

    def _faulty(self, name: str, raw: Bytes, fault: DecodeError, start: int, summarised: bool) -> Any:
        """What is shown of a value that does not decode, or `_LONG`. Its bytes are carried too; a summary pays for them here."""
        if summarised and len(raw) <= LARGE_VALUE and not self._affords(name, len(raw), start):
            return _LONG
        if fault.value is None and (fault.code == "value_shortened" or len(raw) > LARGE_VALUE):
            return _LONG
        return fault.value

    def _affords(self, name: str, size: int, start: int, weight: int = 1) -> bool:
        """Whether a value of `size` bytes is carried; the budget pays for it, or a warning says that it does not."""
        if size <= SMALL_VALUE:
            return True
        if size > LARGE_VALUE:
            return False
        if size * weight > self.budget.value_bytes:
            message = f"attribute {name!r} is given by its digest: of a header's values {MAX_VALUE_BYTES} bytes are carried"
            self._warn("value_shortened", message, name, start)
            return False
        self.budget.value_bytes -= size * weight
        return True

    def _view(self, size: int) -> memoryview:
        """A long value is not copied: it stays a window on the bytes that were read."""
        return memoryview(self.data)[self.position - size : self.position]

    def _channels(self, raw: bytes, start: int) -> bool:
        """Reads the part's channels; whether all of them could be read."""
        try:
            channels, faithful = exr_attributes.channels(raw, self.channels_left, self.channel_bytes_left), True
        except DecodeError as fault:
            channels, faithful = fault.value, False
            message = f"attribute 'channels' of type 'chlist' {fault}"
            self.findings.add(Finding("error", fault.code, message, self.part, "channels", start))
        self._keep_channels(channels, sum(len(channel.name) for channel in channels))
        return faithful

    def _odd_names(self, raw_name: bytes, raw_type: bytes, name: str, type_name: str, start: int) -> tuple[bytes, bytes] | None:
        if name.encode() == raw_name and type_name.encode() == raw_type:
            return None
        self._warn("name_not_utf8", f"attribute {name!r} has a name or type that is not UTF-8", name, start)
        return raw_name, raw_type

    def _long_name(self, name: bytes, type_name: bytes, start: int) -> None:
        shown = exr_attributes.text(name)
        message = f"attribute {shown!r} has a name or type over {MAX_SHORT_NAME} bytes without the long-names flag"
        self._warn("long_name_without_flag", message, shown, start)

    def _need(self, length: int) -> None:
        """Makes sure that `length` bytes of the file are at hand; asks for them where the file has them."""
        if length <= len(self.data):
            return
        if self.size is None or length <= self.size:
            raise NeedMoreBytes(length)
        raise self._truncation(f"the file ends at byte {self.size}, inside the header, which needs {length} bytes", self.size)

    def _no_end(self, what: str, start: int) -> BadHeader:
        """No NUL ends the name or type that begins at `start`: too long, or cut off."""
        if len(self.data) - start <= MAX_NAME:
            self._need(len(self.data) + 1)
        shown = exr_attributes.text(self.data[start : start + 16])
        message = f"the attribute {what} that begins with {shown!r} has no end within {MAX_NAME} bytes"
        return self._bad("name_too_long", message, start)

    def _possible_size(self, raw_name: bytes, raw_type: bytes, start: int, size: int, value_start: int) -> int:
        """The size of a value that does not fit: more bytes are asked for, or the file contradicts itself.

        A negative size, or one beyond the object's end, is impossible. A value of a type that has one size, or that marks its own
        end, can be read all the same; any other ends the walk.
        """
        name, type_name = exr_attributes.text(raw_name), exr_attributes.text(raw_type)
        if size >= 0 and (self.size is None or value_start + size <= self.size):
            self._need(value_start + size)
            return size
        natural = exr_attributes.natural_size(type_name, self.data, value_start)
        if natural is None and type_name == "chlist":
            self._need(min(len(self.data) + 1, self.size or 0, value_start + LONGEST_CHLIST))
        if natural is None or (self.size is not None and value_start + natural > self.size):
            raise self._bad_size(name, size, start, value_start + size)
        self._need(value_start + natural)
        message = f"attribute {name!r} claims {size} bytes; read as the {natural} that its type {type_name!r} takes"
        self.findings.add(Finding("error", "attribute_size_impossible", message, self.part, name, start))
        return natural

    def _bad_size(self, name: str, size: int, start: int, end: int) -> BadHeader:
        if size < 0:
            return self._bad("bad_attribute_size", f"attribute {name!r} has a size of {size} bytes", start, name)
        message = f"attribute {name!r} claims {size} bytes and so ends at byte {end} of a file of {self.size}"
        return self._truncation(message, start, name)

    def _truncation(self, message: str, offset: int, attribute: str | None = None) -> BadHeader:
        remedy = "Upload the file again"
        return BadHeader(message, offset=offset, code="header_truncated", part=self.part, attribute=attribute, remedy=remedy)

    def _bad(self, code: str, message: str, offset: int, attribute: str | None = None) -> BadHeader:
        return BadHeader(message, offset=offset, code=code, part=self.part, attribute=attribute)

    def _warn(self, code: str, message: str, attribute: str | None = None, offset: int | None = None) -> None:
        part = None if attribute is None else self.part
        self.findings.add(Finding("warning", code, message, part, attribute, offset))


_ORDINARY = re.compile(rb"([\x01-\x7f]{1,31})\0([0-9A-Za-z]{1,31})\0(.{4})", re.DOTALL).match
_UNKNOWN_TYPE: tuple[str, Callable[..., Any] | None] = ("", None)
# Types whose value is a summary of bounded size however long the bytes are.
_SUMMARISED = frozenset({"idmanifest", "preview"})
_KNOWN_TYPES: dict[bytes, tuple[str, Callable[..., Any] | None]] = {
    name.encode(): (name, decoder)
    for name, decoder in exr_attributes.DECODERS.items()
    if name not in exr_attributes.LIST_DECODERS and name not in _SUMMARISED
} | {b"chlist": ("chlist", exr_attributes.channels)}
_MATRICES = frozenset({"m33d", "m33f", "m44d", "m44f"})
# Stands for a value that is too long to be carried.
_LONG = object()
# A named tuple's own constructor takes twice as long.
_new_tuple = tuple.__new__
_SIZE = struct.Struct("<i").unpack


def _offset_of(finding: Finding) -> int:
    return finding.offset or 0
