"""Payload -> Arrow tables, one function per table; the columns come from `vast_schemas`.

A payload with a value of the wrong type is refused before anything is built: BadPayload names the field, what was expected and
what came. Absent values stay null. An empty input keeps the schema.
"""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

import vast_schemas
from exr_embeddings import EMBEDDING_VERSION, compute_channel_fingerprint, compute_metadata_embedding
from exr_errors import BadPayload, VectorEmbeddingError
from exr_payload import normalize_path
from exr_roles import aov_role, place_of
from vast_schemas import MAX_CELL_BYTES, TABLES, Column

Row = dict[str, Any]

_NOT_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_CHANNEL_BITS = {"HALF": 16, "FLOAT": 32, "UINT": 32}
_HEAD_CHARACTERS = 200
# Parts of a payload that differ between two inspections of the same bytes.
_VOLATILE = ("persistence", "timings_ms")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the upsert decides about a row: the inspection that wrote it, when (UTC, naive), and its standing on its path."""

    inspection_id: str
    now: datetime
    is_current: bool = True
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FileRows:
    """The checked rows of one payload, by table, without the columns that a `Stamp` decides."""

    file_id: str
    path: str
    header_hash: str | None
    mtime: datetime | None
    tables: Mapping[str, Sequence[Row]]

    @property
    def file(self) -> Row:
        """The row of `files`."""
        return self.tables["files"][0]


def new_stamp() -> Stamp:
    """A stamp with a fresh inspection_id and the present time."""
    return Stamp(str(uuid.uuid4()), utc_now())


def utc_now() -> datetime:
    """The present time in UTC, without zone, as the tables store times."""
    return datetime.now(UTC).replace(tzinfo=None)


def file_id_of(path_normalized: str, header_hash: str | None) -> str:
    """The identity of a file version: SHA-256, in hex, of the normalized path, a zero byte and the header's hash."""
    return hashlib.sha256(f"{path_normalized}\0{header_hash or ''}".encode("utf-8", "backslashreplace")).hexdigest()


def rows_of(payload: Any, embedding: Sequence[float] | None = None) -> FileRows:
    """Check a payload and build its rows for every table.

    `embedding` is the file's metadata embedding (384 floats), computed when it is None. Raises BadPayload, and
    VectorEmbeddingError for vectors.
    """
    document = _mapping(payload, "payload")
    tables = {name: build(document) for name, build in _BUILDERS.items()}
    row = tables["files"][0]
    row["metadata_embedding"] = _vector(
        compute_metadata_embedding(dict(document)) if embedding is None else embedding, "metadata_embedding"
    )
    for entry in (entry for entries in tables.values() for entry in entries):
        entry["file_id"] = row["file_id"]
    return FileRows(row["file_id"], row["file_path_normalized"], row["header_hash"], row["mtime"], tables)


def to_tables(files: Iterable[tuple[FileRows, Stamp]]) -> dict[str, pa.Table]:
    """The Arrow tables of many files, by table name, each with exactly its schema, empty ones included."""
    collected: dict[str, list[Row]] = {name: [] for name in TABLES}
    for rows, stamp in files:
        for name, entries in rows.tables.items():
            collected[name] += [_stamped(name, entry, stamp) for entry in entries]
    return {name: _to_table(name, entries) for name, entries in collected.items()}


def payload_to_files_row(payload: Any, embedding: Sequence[float] | None = None, *, stamp: Stamp | None = None) -> pa.Table:
    """One row with FILES_SCHEMA. `embedding`: 384 floats; `stamp` defaults to a new inspection, now, current."""
    return _to_table("files", [_stamped("files", rows_of(payload, embedding).file, stamp or new_stamp())])


def payload_to_parts_rows(payload: Any, *, stamp: Stamp | None = None) -> pa.Table:
    """One row per part, with PARTS_SCHEMA."""
    return _one_table("parts", payload, stamp)


def payload_to_channels_rows(payload: Any, *, stamp: Stamp | None = None) -> pa.Table:
    """One row per channel, with CHANNELS_SCHEMA; the part's fingerprint (128 floats) stands on the part's first channel."""
    return _one_table("channels", payload, stamp)


def payload_to_attributes_rows(payload: Any, *, stamp: Stamp | None = None) -> pa.Table:
    """One row per attribute, in the header's order, duplicates kept, with ATTRIBUTES_SCHEMA."""
    return _one_table("attributes", payload, stamp)


def payload_to_pixel_stats_rows(payload: Any, *, stamp: Stamp | None = None) -> pa.Table:
    """One row per entry of `stats.channels`, with PIXEL_STATS_SCHEMA."""
    return _one_table("pixel_stats", payload, stamp)


def payload_to_validation_rows(payload: Any, *, stamp: Stamp | None = None) -> pa.Table:
    """One row per entry of `validation.results`, with VALIDATION_RESULTS_SCHEMA."""
    return _one_table("validation_results", payload, stamp)


def _one_table(name: str, payload: Any, stamp: Stamp | None) -> pa.Table:
    document = _mapping(payload, "payload")
    file_id = file_id_of(*_identity(document))
    entries = [entry | {"file_id": file_id} for entry in _BUILDERS[name](document)]
    return _to_table(name, [_stamped(name, entry, stamp or new_stamp()) for entry in entries])


def _to_table(name: str, entries: list[Row]) -> pa.Table:
    schema = vast_schemas.schema_for(name)
    arrays = [pa.array([entry.get(field.name) for entry in entries], type=field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _stamped(name: str, entry: Row, stamp: Stamp) -> Row:
    if name != "files":
        return {**entry, "inspection_id": stamp.inspection_id}
    return {
        **entry,
        "inspection_id": stamp.inspection_id,
        "last_inspection_id": stamp.inspection_id,
        "is_current": stamp.is_current,
        "deleted_at": stamp.deleted_at,
        "first_seen": stamp.now,
        "last_inspected": stamp.now,
        "inspection_count": 1,
        "schema_version": vast_schemas.CURRENT_VERSION,
        "embedding_version": EMBEDDING_VERSION,
    }


def _identity(document: Mapping[str, Any]) -> tuple[str, str | None]:
    """The key of a file version: its normalized path and the hash of its header."""
    row = _taken("files", _mapping(document.get("file"), "file"), "file")
    return row["file_path_normalized"] or normalize_path(row["file_path"]), row["header_hash"]


def _file_rows(document: Mapping[str, Any]) -> list[Row]:
    file = _mapping(document.get("file"), "file")
    channels = _channels(document)
    path, header_hash = _identity(document)
    computed = {
        "file_path_normalized": path,
        "file_id": file_id_of(path, header_hash),
        "channel_count": len(channels),
        "channel_fingerprint": _vector(compute_channel_fingerprint(channels), "channel_fingerprint"),
        "inspector_version": _text(document.get("inspector_version"), "inspector_version"),
        "raw_output": raw_output(document),
        "bit_depth": max((_CHANNEL_BITS.get(str(channel.get("type")).upper(), 0) for channel in channels), default=0) or None,
        "colorspace": next((part["color_space"] for part in _part_rows(document) if part["color_space"]), None),
    }
    return [_taken("files", file, "file") | computed | _completeness(file) | _first_error(document) | _place(path)]


def _channels(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(entry) for entry in _entries(document.get("channels"), "channels")]


def _part_rows(document: Mapping[str, Any]) -> list[Row]:
    return _simple_rows("parts", _entries(document.get("parts"), "parts"), "parts")


def _completeness(file: Mapping[str, Any]) -> Row:
    found = _mapping(file.get("completeness") or {}, "file.completeness")
    counts = {
        name: _integer(found.get(name), f"file.completeness.{name}")
        for name in ("chunks_expected", "chunks_present", "bytes_missing")
    }
    return {"completeness": _text(found.get("verdict"), "file.completeness.verdict"), **counts}


def _first_error(document: Mapping[str, Any]) -> Row:
    first: Mapping[str, Any] = next(iter(_entries(document.get("errors") or [], "errors")), {})
    return {
        "error_code": _text(first.get("code"), "errors[0].code"),
        "error_message": _text(first.get("message"), "errors[0].message"),
    }


def _place(path: str) -> Row:
    place = place_of(path)
    return {"show_name": place.show, "sequence_name": place.sequence, "shot_name": place.shot}


def _channel_rows(document: Mapping[str, Any]) -> list[Row]:
    channels = _channels(document)
    rows = _simple_rows("channels", channels, "channels")
    members: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        row["channel_index"] = index
        row["aov_role"] = aov_role(row["layer_name"] or "", row["component_name"] or row["channel_name"])
        members.setdefault(row["part_index"], []).append(index)
    for indexes in members.values():
        of_part = compute_channel_fingerprint([channels[index] for index in indexes])
        rows[indexes[0]]["channel_fingerprint"] = _vector(of_part, "channel_fingerprint")
    return rows


def _attribute_rows(document: Mapping[str, Any]) -> list[Row]:
    attributes = _mapping(document.get("attributes") or {}, "attributes")
    rows = []
    for part, entries in enumerate(_list(attributes.get("parts") or [], "attributes.parts")):
        place = f"attributes.parts[{part}]"
        for index, entry in enumerate(_entries(entries, place)):
            row = _taken("attributes", entry, f"{place}[{index}]")
            rows.append(row | {"part_index": part, "attr_index": index} | _typed(entry.get("value"), row["attr_type"]))
    return rows


def _typed(value: Any, attr_type: str) -> Row:
    """The value in the column of its kind, so that SQL can compare it without parsing JSON."""
    if isinstance(value, str):
        if attr_type in ("float", "double") and value in _NOT_NUMBERS:
            return {"value_float": _NOT_NUMBERS[value]}
        return {"value_text": _cell(value)}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {}
    if isinstance(value, int):
        return {"value_int": value if -(2**63) <= value < 2**63 else None, "value_float": float(value)}
    return {"value_float": value}


def _stats_rows(document: Mapping[str, Any]) -> list[Row]:
    return _section_rows("pixel_stats", document, "stats", "channels")


def _validation_rows(document: Mapping[str, Any]) -> list[Row]:
    return _section_rows("validation_results", document, "validation", "results")


def _section_rows(table: str, document: Mapping[str, Any], section: str, key: str) -> list[Row]:
    found = _mapping(document.get(section) or {}, section)
    return _simple_rows(table, _entries(found.get(key) or [], f"{section}.{key}"), f"{section}.{key}")


_BUILDERS: dict[str, Callable[[Mapping[str, Any]], list[Row]]] = {
    "files": _file_rows,
    "parts": _part_rows,
    "channels": _channel_rows,
    "attributes": _attribute_rows,
    "pixel_stats": _stats_rows,
    "validation_results": _validation_rows,
}


def _simple_rows(table: str, entries: Sequence[Mapping[str, Any]], place: str) -> list[Row]:
    return [_taken(table, entry, f"{place}[{index}]") for index, entry in enumerate(entries)]


def _taken(table: str, entry: Mapping[str, Any], place: str) -> Row:
    """The columns that are taken from a payload entry as they are, each checked."""
    return {
        column.name: _convert(column, entry.get(column.source), f"{place}.{column.source}")
        for column in TABLES[table].columns
        if column.source is not None
    }


def _convert(column: Column, value: Any, field: str) -> Any:
    if column.required and (value is None or value == ""):
        raise BadPayload(field, _EXPECTED[column.type], value)
    if column.json:
        return None if value is None else _cell(json_text(value, field))
    converted = _CONVERTERS[column.type](value, field)
    if column.type == vast_schemas.SMALL and converted is not None and not -(2**31) <= converted < 2**31:
        raise BadPayload(field, "an integer of 32 bits", value)
    return converted


def _text(value: Any, field: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadPayload(field, "a text", value)
    return _cell(value)


def _integer(value: Any, field: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadPayload(field, "an integer", value)
    if not -(2**63) <= value < 2**63:
        raise BadPayload(field, "an integer of 64 bits", value)
    return value


def _flag(value: Any, field: str) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise BadPayload(field, "true or false", value)
    return value


def _real(value: Any, field: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, str) and value in _NOT_NUMBERS:
        return _NOT_NUMBERS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadPayload(field, "a number", value)
    return float(value)


def _time(value: Any, field: str) -> datetime | None:
    """An ISO 8601 time as naive UTC, which is how the tables store it; a time without zone is taken as UTC."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise BadPayload(field, "an ISO 8601 time", value) from None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


_CONVERTERS: dict[pa.DataType, Callable[[Any, str], Any]] = {
    vast_schemas.TEXT: _text,
    vast_schemas.INT: _integer,
    vast_schemas.SMALL: _integer,
    vast_schemas.FLAG: _flag,
    vast_schemas.REAL: _real,
    vast_schemas.TIME: _time,
}
_EXPECTED = {vast_schemas.TEXT: "a text", vast_schemas.SMALL: "an integer"}


def _vector(values: Any, name: str) -> list[float]:
    """A vector of exactly the column's dimension; both numbers are named when it is not."""
    wanted = vast_schemas.FILES_SCHEMA.field(name).type.list_size
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise VectorEmbeddingError(name, f"{wanted} numbers", values)
    vector = [float(value) for value in values]
    if len(vector) != wanted:
        raise VectorEmbeddingError(
            name, f"{wanted} numbers, the dimension of the column", f"{len(vector)} numbers", remedy=_VECTOR_REMEDY
        )
    if not all(map(math.isfinite, vector)):
        raise VectorEmbeddingError(name, "finite numbers", "NaN or Infinity")
    return vector


_VECTOR_REMEDY = "Compute the vector with the dimension of the table's column"


def _cell(text: str) -> str:
    """A text that fits into a cell: encodable as UTF-8, and the digest of itself where it is too long."""
    data = text.encode("utf-8", "backslashreplace")  # lone surrogates stand for bytes of a file name that are not UTF-8
    if len(data) <= MAX_CELL_BYTES:
        return data.decode("utf-8")
    return json.dumps(digest_of(data, text[:_HEAD_CHARACTERS]), separators=(",", ":"))


def digest_of(data: bytes, head: str) -> dict[str, Any]:
    """What stands for a value that is too large to store: its size, its SHA-256 and how it begins."""
    return {"omitted": True, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "head": head}


def json_text(value: Any, field: str) -> str:
    """Compact JSON. Raises BadPayload for what JSON cannot carry."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadPayload(field, "a JSON value", value) from error


def raw_output(payload: Mapping[str, Any]) -> str:
    """The payload as JSON text for one cell, without what differs between inspections of the same bytes.

    Where it is too long, the largest attribute values are replaced by their digests, then whole sections, until it fits.
    """
    document = {key: value for key, value in payload.items() if key not in _VOLATILE}
    text = json_text(document, "payload")
    for shrink in (_shrink_attributes, _shrink_sections):
        size = _size(text)
        if size <= MAX_CELL_BYTES:
            break
        document = shrink(document, size - MAX_CELL_BYTES)
        text = json_text(document, "payload")
    return _cell(text)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace"))


def _digested(value: Any) -> dict[str, Any]:
    text = json_text(value, "payload")
    return digest_of(text.encode("utf-8", "backslashreplace"), text[:_HEAD_CHARACTERS])


def _shrink_attributes(document: dict[str, Any], excess: int) -> dict[str, Any]:
    """Digest attribute values, the largest first, until `excess` bytes are saved."""
    parts = [[dict(entry) for entry in part] for part in document.get("attributes", {}).get("parts", [])]
    heavy = sorted(
        ((_size(json_text(entry[key], key)), part, index, key) for part, entries in enumerate(parts)
         for index, entry in enumerate(entries) for key in ("value", "raw_base64") if entry.get(key) is not None),
        reverse=True,
    )  # fmt: skip
    for size, part, index, key in heavy:
        replacement = _digested(parts[part][index][key])
        saved = size - _size(json_text(replacement, key))
        if excess <= 0 or saved <= 0:
            break
        parts[part][index][key] = replacement
        excess -= saved
    return {**document, "attributes": {**document.get("attributes", {}), "parts": parts}}


def _shrink_sections(document: dict[str, Any], excess: int) -> dict[str, Any]:
    """Digest whole sections, the largest first, until `excess` bytes are saved. `file` stays."""
    sizes = {key: _size(json_text(value, key)) for key, value in document.items() if key != "file"}
    for key in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        if excess <= 0:
            break
        replacement = _digested(document[key])
        document = {**document, key: replacement}
        excess -= sizes[key] - _size(json_text(replacement, key))
    return document


def _mapping(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadPayload(field, "an object", value)
    return value


def _list(value: Any, field: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise BadPayload(field, "a list", value)
    return list(value)


def _entries(value: Any, field: str) -> list[Mapping[str, Any]]:
    return [_mapping(entry, f"{field}[{index}]") for index, entry in enumerate(_list(value, field))]
