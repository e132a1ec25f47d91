"""Just enough Protocol Buffers for the query engine's few messages: fields by number, in both directions."""

from __future__ import annotations

from collections.abc import Iterator

Value = int | bytes | str | bool
Fields = dict[int, int | bytes]


def encode(*fields: tuple[int, Value | None]) -> bytes:
    """A message of (number, value) pairs; None is left out, integers and booleans are varints, text is UTF-8."""
    return b"".join(_field(number, value) for number, value in fields if value is not None)


def _field(number: int, value: Value) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(int(value))
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode(message: bytes) -> Fields:
    """The fields of a message by number; of a repeated field the last. Raises `ValueError` where it is cut short."""
    return dict(_fields(message))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == 0:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        size = {1: 8, 5: 4}.get(wire_type)
        if size is None:
            size, at = _read_varint(message, at)
        if at + size > len(message):
            raise ValueError("the message is cut short")
        yield number, message[at : at + size]
        at += size


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message):
            raise ValueError("the message is cut short")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
