"""Just enough FlatBuffers: reading a table by slot number, and building one from a list of fields.

The generated classes in `vastdb` would do, but importing them imports pandas and ibis, and decoding a predicate of 10,000
values through them takes seconds. The slot numbers stand beside each use.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers  # type: ignore[import-untyped]

_U16 = struct.Struct("<H")
_I32 = struct.Struct("<i")
_U32 = struct.Struct("<I")


class FlatTable:
    """A table inside a buffer: `at` is its byte position. A plain class, because queries make tens of thousands of them."""

    __slots__ = ("at", "buffer")

    def __init__(self, buffer: bytes, at: int) -> None:
        self.buffer = buffer
        self.at = at

    @classmethod
    def root(cls, buffer: bytes) -> FlatTable:
        """The root table of a finished buffer."""
        return cls(buffer, _U32.unpack_from(buffer, 0)[0])

    def position(self, slot: int) -> int:
        """The byte position of a field, or 0 where it is absent."""
        vtable = self.at - _I32.unpack_from(self.buffer, self.at)[0]
        entry = 4 + 2 * slot
        if entry >= _U16.unpack_from(self.buffer, vtable)[0]:
            return 0
        offset = _U16.unpack_from(self.buffer, vtable + entry)[0]
        return self.at + offset if offset else 0

    def scalar(self, slot: int, form: str, default: Any = 0) -> Any:
        """A scalar field; `form` is its `struct` code (`<i`, `<d`, ...)."""
        at = self.position(slot)
        return struct.unpack_from(form, self.buffer, at)[0] if at else default

    def table(self, slot: int) -> FlatTable | None:
        """A nested table, or None."""
        at = self.position(slot)
        return FlatTable(self.buffer, at + _U32.unpack_from(self.buffer, at)[0]) if at else None

    def blob(self, slot: int) -> bytes | None:
        """A string or byte vector as bytes, or None."""
        at = self.position(slot)
        if not at:
            return None
        at += _U32.unpack_from(self.buffer, at)[0]
        return self.buffer[at + 4 : at + 4 + _U32.unpack_from(self.buffer, at)[0]]

    def text(self, slot: int) -> str:
        """A string field, empty where it is absent."""
        return (self.blob(slot) or b"").decode()

    def tables(self, slot: int) -> Iterator[FlatTable]:
        """The tables of a vector of tables."""
        at = self.position(slot)
        if not at:
            return
        at += _U32.unpack_from(self.buffer, at)[0]
        for entry in range(at + 4, at + 4 + 4 * _U32.unpack_from(self.buffer, at)[0], 4):
            yield FlatTable(self.buffer, entry + _U32.unpack_from(self.buffer, entry)[0])


@dataclass(frozen=True, slots=True)
class FlatRecord:
    """A table to build: one entry per slot; None is absent. Values are str, bool, int (i64), a record, or a list of records."""

    fields: Sequence[Any]


def build(record: FlatRecord) -> bytes:
    """The finished buffer with `record` as its root table."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(_add(builder, record))
    return bytes(builder.Output())


def _add(builder: flatbuffers.Builder, record: FlatRecord) -> int:
    offsets = {slot: _reference(builder, value) for slot, value in enumerate(record.fields) if _is_reference(value)}
    builder.StartObject(len(record.fields))
    for slot, value in enumerate(record.fields):
        if slot in offsets:
            builder.PrependUOffsetTRelativeSlot(slot, offsets[slot], 0)
        elif isinstance(value, bool):
            builder.PrependBoolSlot(slot, value, False)
        elif isinstance(value, int):
            builder.PrependInt64Slot(slot, value, 0)
    return int(builder.EndObject())


def _is_reference(value: Any) -> bool:
    return isinstance(value, (str, FlatRecord, list))


def _reference(builder: flatbuffers.Builder, value: Any) -> int:
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, FlatRecord):
        return _add(builder, value)
    items = [_add(builder, item) for item in value]
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return int(builder.EndVector())
