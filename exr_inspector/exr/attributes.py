"""The value of one header attribute: bytes in, a value of the payload's vocabulary out.

The layouts are those of the OpenEXR file format ("OpenEXR File Layout", attribute types of OpenEXR 3.5). Every value is
JSON-ready: boxes are {"min": {"x", "y"}, "max": {"x", "y"}}, vectors and matrices are flat lists (matrices row by row),
enumerations are words (a byte outside the enumeration stays visible as `unknown(99)`), and numbers that JSON lacks are the
strings "NaN", "Infinity" and "-Infinity". Text never holds lone surrogates.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from exr_inspector.exr.limits import (
    FIRST_BYTES,
    LISTED_MANIFEST_ENTRIES,
    LISTED_MANIFEST_GROUPS,
    MAX_CHANNEL_NAME_BYTES,
    MAX_CHANNELS,
    MAX_MANIFEST_BYTES,
    MAX_MANIFEST_STRINGS,
    Budget,
)

MAX_NAME_BYTES = 255

COMPRESSIONS = (
    "none", "rle", "zips", "zip", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab", "htj2k256", "htj2k32", "lj2k", "zstd",
)  # fmt: skip
LINE_ORDERS = ("increasing_y", "decreasing_y", "random_y")
PIXEL_TYPES = ("UINT", "HALF", "FLOAT")
LEVEL_MODES = ("one_level", "mipmap_levels", "ripmap_levels")
ROUNDING_MODES = ("round_down", "round_up")
ENVMAPS = ("latlong", "cube")
DEEP_IMAGE_STATES = ("messy", "sorted", "non_overlapping", "tidy")
ID_LIFETIMES = ("frame", "shot", "stable")

TYPE_OF = {
    "acesImageContainerFlag": "int",
    "channels": "chlist",
    "chromaticities": "chromaticities",
    "chunkCount": "int",
    "compression": "compression",
    "dataWindow": "box2i",
    "displayWindow": "box2i",
    "lineOrder": "lineOrder",
    "multiView": "stringvector",
    "name": "string",
    "pixelAspectRatio": "float",
    "screenWindowCenter": "v2f",
    "screenWindowWidth": "float",
    "tiles": "tiledesc",
    "timeCode": "timecode",
    "type": "string",
    "view": "string",
}
"""Attribute that is read by its name -> the type that the name implies ("Standard Optional Attributes", "OpenEXR File Layout";
`acesImageContainerFlag`: SMPTE ST 2065-4)."""
_NOTHING_STATED = dict.fromkeys(TYPE_OF)

Bytes = bytes | memoryview


class DecodeError(ValueError):
    """The bytes contradict the declared type; `code` names the finding, `value` is what can be shown all the same."""

    def __init__(self, code: str, message: str, value: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.value = value


class Channel(NamedTuple):
    """One channel in file order; a tuple because a header makes hundreds of them."""

    name: str
    type: str
    p_linear: bool
    x_sampling: int
    y_sampling: int
    raw_name: bytes | None
    """The name's bytes where they are not UTF-8, else None."""


class Attribute(NamedTuple):
    """One attribute as the file has it; a tuple because a header makes dozens of them and each costs time."""

    name: str
    type: str
    size: int
    offset: int
    """Where the attribute's name begins in the file."""
    value: Any
    """The decoded value in the payload's vocabulary; a digest where the bytes exceed 64 KiB; None where nothing can be shown,
    and for `channels`, which the part has as its own."""
    raw: Bytes
    """The value's bytes."""
    faithful: bool
    """Whether `value` carries all that `raw` says; False for unknown types and for bytes that contradict their type."""
    raw_name: tuple[bytes, bytes] | None = None
    """The bytes of name and type where one of them is not UTF-8."""
    shortened: bool = False
    """Whether `value` is a digest, because the bytes are long or the header's values are many."""


def read_stated(attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    """The values of the attributes whose names imply a type (`TYPE_OF`), by name, from the first attribute of each name.

    None where the attribute is absent, has another type, or has no value that can be carried whole.
    """
    stated = _NOTHING_STATED.copy()
    for name, attribute in attributes.items():
        if attribute.type == TYPE_OF.get(name) and not attribute.shortened:
            stated[name] = attribute.value
    return stated


def decode(type_name: str, raw: Bytes) -> Any:
    """The value of an attribute of a standard type; KeyError for a type unknown here, DecodeError for bytes that do not fit."""
    return DECODERS[type_name](raw)


def number(value: float) -> float | str:
    """A float as JSON can carry it."""
    if value - value == 0.0:
        return value
    if value != value:
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def text(raw: Bytes) -> str:
    """Bytes as text for display: UTF-8, with U+FFFD where they are not."""
    return str(raw, "utf-8", "replace")


def base64_text(raw: Bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(raw).decode("ascii")


def digest(raw: Bytes) -> dict[str, Any]:
    """A value too long to carry: its size in bytes, its SHA-256 in hexadecimal, its first 256 bytes in base64."""
    return {"size": len(raw), "sha256": hashlib.sha256(raw).hexdigest(), "first_base64": base64_text(raw[:FIRST_BYTES])}


def word(words: tuple[str, ...], code: int) -> str:
    """The enumeration's word, or `unknown(code)`."""
    return words[code] if 0 <= code < len(words) else f"unknown({code})"


def natural_size(type_name: str, data: bytes, start: int) -> int | None:
    """The size that a value of a self-delimiting type takes at `start`, whatever the file declares; None where nothing tells.

    Types of one size have that; a chlist ends with its NUL.
    """
    if type_name != "chlist":
        return FIXED_SIZES.get(type_name)
    position = start
    for _ in range(MAX_CHANNELS + 1):
        end = data.find(b"\0", position, position + MAX_NAME_BYTES + 1)
        if end <= position:
            return end + 1 - start if end == position else None
        position = end + 17
    return None


def _fixed_size_decoder(layout: str, shape: Callable[..., Any]) -> Callable[[Bytes], Any]:
    unpacker = struct.Struct(layout)
    unpack, size = unpacker.unpack, unpacker.size

    def decoder(raw: Bytes) -> Any:
        if len(raw) != size:
            raise DecodeError("attribute_wrong_size", f"holds {len(raw)} bytes where its type has {size}")
        return shape(*unpack(raw))

    decoder.__dict__["size"] = size
    return decoder


def _enum(words: tuple[str, ...]) -> Callable[[Bytes], str]:
    table = {bytes([code]): word(words, code) for code in range(256)}

    def decoder(raw: Bytes) -> str:
        if len(raw) != 1:
            raise DecodeError("attribute_wrong_size", f"holds {len(raw)} bytes where its type has 1")
        return table[bytes(raw)]

    decoder.__dict__["size"] = 1
    return decoder


def _identity(value: int) -> int:
    return value


def _integers(*values: int) -> list[int]:
    return list(values)


def _numbers(*values: float) -> list[float | str]:
    return [value if value - value == 0.0 else number(value) for value in values]


def _box(x0: Any, y0: Any, x1: Any, y1: Any) -> dict[str, Any]:
    return {"min": {"x": x0, "y": y0}, "max": {"x": x1, "y": y1}}


def _float_box(*corners: float) -> dict[str, Any]:
    return _box(*_numbers(*corners))


def _chromaticities(*xy: float) -> dict[str, Any]:
    values = _numbers(*xy)
    return {"red": values[0:2], "green": values[2:4], "blue": values[4:6], "white": values[6:8]}


def _rational(numerator: int, denominator: int) -> dict[str, int]:
    return {"numerator": numerator, "denominator": denominator}


def _keycode(*fields: int) -> dict[str, int]:
    names = ("film_mfc_code", "film_type", "prefix", "count", "perf_offset", "perfs_per_frame", "perfs_per_count")
    return dict(zip(names, fields, strict=True))


def _tiles(x_size: int, y_size: int, mode: int) -> dict[str, Any]:
    return {
        "x_size": x_size,
        "y_size": y_size,
        "level_mode": word(LEVEL_MODES, mode & 0x0F),
        "rounding_mode": word(ROUNDING_MODES, mode >> 4),
    }


def _bcd(word_: int, shift: int, tens_mask: int) -> int:
    return (word_ >> shift & 0x0F) + 10 * (word_ >> (shift + 4) & tens_mask)


def _timecode(packed: int, user_data: int) -> dict[str, Any]:
    """SMPTE 12M time code in TV60 packing: binary-coded decimal digits with the flags in the spare bits."""
    frame, seconds = _bcd(packed, 0, 3), _bcd(packed, 8, 7)
    minutes, hours = _bcd(packed, 16, 7), _bcd(packed, 24, 3)
    return {
        "text": f"{hours:02d}:{minutes:02d}:{seconds:02d}:{frame:02d}",
        "hours": hours,
        "minutes": minutes,
        "seconds": seconds,
        "frame": frame,
        "drop_frame": bool(packed >> 6 & 1),
        "color_frame": bool(packed >> 7 & 1),
        "field_phase": bool(packed >> 15 & 1),
        "bgf0": bool(packed >> 23 & 1),
        "bgf1": bool(packed >> 30 & 1),
        "bgf2": bool(packed >> 31 & 1),
        "time_and_flags": packed,
        "user_data": user_data,
    }


def _string(raw: Bytes) -> str:
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError as error:
        raise DecodeError("text_not_utf8", f"is not UTF-8 from its byte {error.start} on", text(raw)) from None


def _too_many_entries(limit: int) -> DecodeError:
    return DecodeError("value_shortened", f"has more entries than the {limit} that are left for the lists of a header")


def _string_vector(raw: Bytes, budget: Budget | None = None) -> list[str]:
    items: list[str] = []
    budget = budget or Budget()
    clean, position, size = True, 0, len(raw)
    while position < size:
        if position + 4 > size:
            raise DecodeError("attribute_wrong_size", f"ends inside the length of item {len(items)}")
        length = int.from_bytes(raw[position : position + 4], "little", signed=True)
        position += 4
        if length < 0 or position + length > size:
            raise DecodeError("attribute_wrong_size", f"item {len(items)} claims {length} bytes of {size - position} left")
        if len(items) == budget.list_entries:
            raise _too_many_entries(budget.list_entries)
        item = raw[position : position + length]
        items.append(text(item))
        clean = clean and (items[-1].isascii() or items[-1].encode() == item)
        position += length
    budget.list_entries -= len(items)
    if not clean:
        raise DecodeError("text_not_utf8", "holds items that are not UTF-8", items)
    return items


def _float_vector(raw: Bytes, budget: Budget | None = None) -> list[float | str]:
    budget = budget or Budget()
    if len(raw) % 4:
        raise DecodeError("attribute_wrong_size", f"holds {len(raw)} bytes, not a multiple of 4")
    if len(raw) // 4 > budget.list_entries:
        raise _too_many_entries(budget.list_entries)
    budget.list_entries -= len(raw) // 4
    return _numbers(*struct.unpack(f"<{len(raw) // 4}f", raw))


def _bytes(raw: Bytes) -> dict[str, Any]:
    """OpenEXR 3.5: int32 length of a type hint, the hint, the data."""
    length = int.from_bytes(raw[:4], "little", signed=True) if len(raw) >= 4 else -1
    if not 0 <= length <= len(raw) - 4:
        raise DecodeError("attribute_wrong_size", f"claims a type hint of {length} bytes in a value of {len(raw)}")
    data = raw[4 + length :]
    return {"type_hint": text(raw[4 : 4 + length]), "size": len(data), "data_base64": base64_text(data)}


def _preview(raw: Bytes) -> dict[str, Any]:
    """Width and height in pixels, then 4 bytes (RGBA) per pixel in rows; the pixels are described by size and digest."""
    if len(raw) < 8:
        raise DecodeError("attribute_wrong_size", f"holds {len(raw)} bytes, fewer than a preview's 8 for width and height")
    width, height = struct.unpack_from("<II", raw)
    pixels = raw[8:]
    value = {"width": width, "height": height, "size": len(pixels), "sha256": hashlib.sha256(pixels).hexdigest()}
    if 4 * width * height != len(pixels):
        raise DecodeError("attribute_wrong_size", f"is {width} x {height} pixels with {len(pixels)} bytes of them", value)
    return value


def _channel_list(raw: Bytes, budget: Budget | None = None) -> list[dict[str, Any]]:
    """The value of a chlist that is not the part's `channels`."""
    budget = budget or Budget()
    if len(raw) > (MAX_NAME_BYTES + 17) * budget.list_entries + 1:
        raise _too_many_entries(budget.list_entries)
    fault: DecodeError | None = None
    try:
        read = channels(bytes(raw), min(MAX_CHANNELS, budget.list_entries))
    except DecodeError as error:
        fault, read = error, error.value
    budget.list_entries -= len(read)
    values = [channel_value(channel) for channel in read]
    if fault is not None:
        raise DecodeError(fault.code, str(fault), values)
    return values


def channel_value(channel: Channel) -> dict[str, Any]:
    """A channel as it stands in the value of the attribute `channels`."""
    value: dict[str, Any] = {
        "name": channel.name,
        "type": channel.type,
        "x_sampling": channel.x_sampling,
        "y_sampling": channel.y_sampling,
        "p_linear": channel.p_linear,
    }
    if channel.raw_name is not None:
        value["name_base64"] = base64_text(channel.raw_name)
    return value


_CHANNEL = struct.Struct("<iB3xii")
_CHANNEL_ENTRIES = re.compile(rb"([^\0]{1,255})\0(.{16})", re.DOTALL).findall
# A named tuple's own constructor takes twice as long.
_new_tuple = tuple.__new__


@lru_cache(maxsize=256)
def _channel_fields(raw: bytes) -> tuple[str, bool, int, int]:
    """Pixel type, pLinear, x and y sampling; the 16 bytes are the same for nearly all channels."""
    kind, linear, x_sampling, y_sampling = _CHANNEL.unpack(raw)
    return word(PIXEL_TYPES, kind), linear != 0, x_sampling, y_sampling


def channels(raw: bytes, limit: int = MAX_CHANNELS, name_bytes: int = MAX_CHANNEL_NAME_BYTES) -> list[Channel]:
    """A chlist: per channel its name, NUL, pixel type, pLinear, three reserved bytes, x and y sampling; one NUL at the end.

    DecodeError carries the channels read up to the fault in `value`, at most `limit`, with names of at most `name_bytes` in all.
    """
    entries = _CHANNEL_ENTRIES(raw)
    named = sum([len(name) for name, _ in entries])
    # Entries that follow each other without a gap up to the final NUL: the list is sound.
    if named + 17 * len(entries) + 1 != len(raw) or raw[-1] != 0:
        return _damaged_channels(raw, limit, name_bytes)
    if len(entries) > limit or named > name_bytes:
        raise _too_many_channels(len(entries), [_channel(*entry) for entry in _within(entries, limit, name_bytes)])
    if raw.isascii():
        return [_new_tuple(Channel, (name.decode(), *_channel_fields(fields), None)) for name, fields in entries]
    return [_channel(name, fields) for name, fields in entries]


def _within(entries: list[tuple[bytes, bytes]], limit: int, name_bytes: int) -> list[tuple[bytes, bytes]]:
    """The first entries, at most `limit`, whose names take at most `name_bytes` together."""
    ends = accumulate(len(name) for name, _ in entries[:limit])
    return entries[: sum(1 for end in ends if end <= name_bytes)]


def _too_many_channels(count: int, read: list[Channel]) -> DecodeError:
    return DecodeError("too_many_channels", f"lists {count} channels or more; {len(read)} of them are read", read)


def _channel(name: bytes, fields: bytes) -> Channel:
    shown = str(name, "utf-8", "replace")
    odd = None if name.isascii() or shown.encode() == name else name
    return _new_tuple(Channel, (shown, *_channel_fields(fields), odd))


def _damaged_channels(raw: bytes, limit: int, name_bytes: int) -> list[Channel]:
    """Finds the fault of a list, one entry after the other."""
    read: list[Channel] = []
    position, size = 0, len(raw)
    while True:
        end = raw.find(b"\0", position, position + MAX_NAME_BYTES + 1)
        if end <= position or end + 17 > size:
            raise _channel_fault(end, position, size, read)
        name_bytes -= end - position
        if len(read) == limit or name_bytes < 0:
            raise _too_many_channels(len(read) + 1, read)
        read.append(_channel(raw[position:end], raw[end + 1 : end + 17]))
        position = end + 17


def _channel_fault(end: int, position: int, size: int, read: list[Channel]) -> DecodeError:
    if end == position:
        left = size - end - 1
        return DecodeError("channel_list_damaged", f"ends after {len(read)} channels with {left} bytes left over", read)
    return DecodeError("channel_list_damaged", f"ends inside channel {len(read)}, at its byte {position}", read)


def _id_manifest(raw: Bytes, budget: Budget | None = None) -> dict[str, Any]:
    """idmanifest: uint64 size of the unpacked data, then zlib data. What is listed of it is bounded, the rest is counted."""
    budget = budget or Budget()
    if len(raw) < 8:
        raise DecodeError("attribute_wrong_size", f"holds {len(raw)} bytes, fewer than the 8 of its unpacked size")
    declared, limit = int.from_bytes(raw[:8], "little"), min(MAX_MANIFEST_BYTES, budget.manifest_bytes)
    value: dict[str, Any] = {"unpacked_size": declared, "groups": None}
    if declared > limit:
        raise DecodeError("id_manifest_too_large", f"unpacks to {declared} bytes, beyond {limit}", value)
    budget.manifest_bytes -= declared
    try:
        unpacked = zlib.decompressobj().decompress(raw[8:], declared + 1)
    except zlib.error as error:
        raise DecodeError("id_manifest_damaged", f"does not unpack: {error}") from None
    if len(unpacked) != declared:
        raise DecodeError("id_manifest_damaged", f"unpacks to {len(unpacked)} bytes where it declares {declared}")
    reader = _ManifestReader(unpacked, budget)
    value["groups"] = reader.groups()
    if reader.omission:
        raise DecodeError("value_shortened", reader.omission, value)
    return value


class _ManifestReader:
    """Walks an unpacked ID manifest (version 0): prefix-compressed strings, then groups of channels with id -> strings."""

    def __init__(self, data: bytes, budget: Budget) -> None:
        self._data = data
        self._position = 0
        self._budget = budget
        self._groups_omitted = 0
        self._entries_omitted = 0
        """Of the last group that is listed."""

    @property
    def omission(self) -> str:
        """What was left out because its text is long; empty when nothing was."""
        if not self._groups_omitted and not self._entries_omitted:
            return ""
        return f"is long: {self._entries_omitted} entries and then {self._groups_omitted} groups are not listed"

    def _spend(self, steps: int) -> None:
        self._budget.manifest_steps -= steps
        if self._budget.manifest_steps < 0:
            raise DecodeError("id_manifest_too_large", "has more groups, strings and references than are read of a header")

    def _take(self, length: int) -> bytes:
        start, self._position = self._position, self._position + length
        if self._position > len(self._data):
            raise DecodeError("id_manifest_damaged", f"ends inside {length} bytes at unpacked byte {start}")
        return self._data[start : self._position]

    def _integer(self, size: int = 4) -> int:
        return int.from_bytes(self._take(size), "little")

    def _count(self, least: int) -> int:
        """A count of items of at least `least` bytes each, so that a false one cannot ask for more than the data holds."""
        count = self._integer()
        if count * least > len(self._data) - self._position:
            raise DecodeError("id_manifest_damaged", f"claims {count} items at unpacked byte {self._position - 4}")
        return count

    def _variable(self) -> int:
        value = shift = 0
        while True:
            byte = self._integer(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise DecodeError("id_manifest_damaged", f"has an over-long integer at unpacked byte {self._position}")

    def _strings(self) -> list[bytes]:
        count = self._count(1)
        if count > MAX_MANIFEST_STRINGS:
            raise DecodeError("id_manifest_too_large", f"has {count} strings, beyond {MAX_MANIFEST_STRINGS}")
        self._spend(count)
        return [self._take(length) for length in [self._variable() for _ in range(count)]]

    def _table(self) -> list[bytes]:
        """Each string begins with the length it shares with its predecessor: one byte, or two when that one exceeds 255 bytes."""
        strings = self._strings()
        for index in range(1, len(strings)):
            before, packed = strings[index - 1], strings[index]
            width = 2 if len(before) > 255 else 1
            shared = int.from_bytes(packed[:width], "big")
            if len(packed) < width or shared > len(before):
                raise DecodeError("id_manifest_damaged", f"string {index} shares {shared} bytes with one of {len(before)}")
            strings[index] = before[:shared] + packed[width:]
            self._budget.manifest_bytes -= len(strings[index])
            if self._budget.manifest_bytes < 0:
                raise DecodeError("id_manifest_too_large", f"its strings unpack to more than {MAX_MANIFEST_BYTES} bytes")
        return strings

    def _mapping(self, size: int) -> list[int]:
        """Ranges of string numbers in order of use; a number already seen in an earlier range is skipped."""
        order: dict[int, None] = {}
        budget = 8 * MAX_MANIFEST_STRINGS
        for _ in range(self._count(8)):
            first, last = self._integer(), self._integer()
            budget -= last - first + 1
            if first > last or last >= size or budget < 0:
                raise DecodeError("id_manifest_damaged", f"maps strings {first} to {last} of {size}")
            # Numbers of a range take a sixteenth of the time of a number that is read.
            self._spend(1 + (last - first) // 16)
            order.update(dict.fromkeys(range(first, last + 1)))
        return list(order)

    def groups(self) -> list[dict[str, Any]]:
        """The first channel groups: channels, components, lifetime, schemes, number of entries and the first of them."""
        if version := self._integer():
            raise DecodeError("id_manifest_damaged", f"has version {version} where 0 is known")
        table = self._table()
        order = self._mapping(len(table))
        strings = [text(table[index]) for index in order]
        groups: list[dict[str, Any]] = []
        count = self._count(22)
        while len(groups) < min(count, LISTED_MANIFEST_GROUPS) and not self._entries_omitted:
            group = self._group(strings)
            if group is None:
                break
            groups.append(group)
        self._groups_omitted = count - len(groups)
        return groups

    def _group(self, strings: list[str]) -> dict[str, Any] | None:
        """One group; None where its text is too long to be listed."""
        channel_names, components = ([text(name) for name in self._strings()] for _ in range(2))
        lifetime = word(ID_LIFETIMES, self._integer(1))
        hash_scheme, encoding = (text(self._take(self._integer())) for _ in range(2))
        storage, count = self._integer(1), self._count(1)
        if not self._has_room([*channel_names, *components, hash_scheme, encoding]):
            return None
        return {
            "channels": channel_names,
            "components": components,
            "lifetime": lifetime,
            "hash_scheme": hash_scheme,
            "encoding_scheme": encoding,
            "entry_count": count,
            "entries": self._entries(count, storage, len(components), strings),
        }

    def _has_room(self, texts: list[str]) -> bool:
        """Whether these texts may be listed; they are then paid for, with the quotes and commas around them."""
        length = sum(map(len, texts)) + 4 * len(texts)
        if length > self._budget.manifest_text:
            return False
        self._budget.manifest_text -= length
        return True

    def _entries(self, count: int, storage: int, width: int, strings: list[str]) -> list[dict[str, Any]]:
        """Ids are stored as differences, of 8 bytes (scheme 0), 4 bytes (1) or variable length; then one string per component.

        The walk ends with the first entry that has no room; what follows it is not looked at.
        """
        self._spend(count * (width + 1))
        entries: list[dict[str, Any]] = []
        identity = 0
        for position in range(count):
            step = self._variable() if storage > 1 else self._integer(8 if storage == 0 else 4)
            identity = (identity + step) & 0xFFFF_FFFF_FFFF_FFFF
            names = [self._string_of(strings, self._variable()) for _ in range(width)]
            if position < LISTED_MANIFEST_ENTRIES:
                if not self._has_room([str(identity), *names]):
                    self._entries_omitted = count - position
                    break
                entries.append({"id": identity, "strings": names})
        return entries

    @staticmethod
    def _string_of(strings: list[str], index: int) -> str:
        if index >= len(strings):
            raise DecodeError("id_manifest_damaged", f"refers to string {index} of {len(strings)}")
        return strings[index]


DECODERS: dict[str, Callable[[Bytes], Any]] = {
    "box2f": _fixed_size_decoder("<4f", _float_box),
    "box2i": _fixed_size_decoder("<4i", _box),
    "bytes": _bytes,
    "chlist": _channel_list,
    "chromaticities": _fixed_size_decoder("<8f", _chromaticities),
    "compression": _enum(COMPRESSIONS),
    "deepImageState": _enum(DEEP_IMAGE_STATES),
    "double": _fixed_size_decoder("<d", number),
    "envmap": _enum(ENVMAPS),
    "float": _fixed_size_decoder("<f", number),
    "floatvector": _float_vector,
    "idmanifest": _id_manifest,
    "int": _fixed_size_decoder("<i", _identity),
    "keycode": _fixed_size_decoder("<7i", _keycode),
    "lineOrder": _enum(LINE_ORDERS),
    "m33d": _fixed_size_decoder("<9d", _numbers),
    "m33f": _fixed_size_decoder("<9f", _numbers),
    "m44d": _fixed_size_decoder("<16d", _numbers),
    "m44f": _fixed_size_decoder("<16f", _numbers),
    "preview": _preview,
    "rational": _fixed_size_decoder("<iI", _rational),
    "string": _string,
    "stringvector": _string_vector,
    "tiledesc": _fixed_size_decoder("<IIB", _tiles),
    "timecode": _fixed_size_decoder("<II", _timecode),
    "v2d": _fixed_size_decoder("<2d", _numbers),
    "v2f": _fixed_size_decoder("<2f", _numbers),
    "v2i": _fixed_size_decoder("<2i", _integers),
    "v3d": _fixed_size_decoder("<3d", _numbers),
    "v3f": _fixed_size_decoder("<3f", _numbers),
    "v3i": _fixed_size_decoder("<3i", _integers),
}
FIXED_SIZES: dict[str, int] = {name: decoder.__dict__["size"] for name, decoder in DECODERS.items() if "size" in decoder.__dict__}
# Types whose values are lists, which share the budget of their header.
LIST_DECODERS: dict[str, Callable[[Bytes, Budget | None], Any]] = {
    "chlist": _channel_list,
    "floatvector": _float_vector,
    "idmanifest": _id_manifest,
    "stringvector": _string_vector,
}
