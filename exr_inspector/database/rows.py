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
from exr_inspector.database.cells import (
    NOT_NUMBERS,
    cell,
    checked_integer,
    checked_text,
    listed,
    mapping,
    objects,
    raw_output,
    taken,
)
from exr_inspector.database.versions import Section
from exr_inspector.embedding.vectors import EMBEDDING_VERSION, compute_channel_fingerprint, compute_metadata_embedding
from exr_inspector.errors import BadPayload, VectorEmbeddingError
from exr_inspector.payload.aovs import aov_role
from exr_inspector.payload.document import normalize_path
from exr_inspector.payload.names import place_of
from vast_schemas import PIXEL_STATS, TABLES, VALIDATION_RESULTS

Row = dict[str, Any]

_CHANNEL_BITS = {"HALF": 16, "FLOAT": 32, "UINT": 32}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the upsert decides about a row: the inspection that wrote it, when (UTC, naive), and its standing on its path."""

    inspection_id: str
    now: datetime
    is_current: bool = True
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FileRows:
    """The checked rows of one payload, by table, without the columns that a `Stamp` decides, and what was measured for them."""

    file_id: str
    path: str
    header_hash: str | None
    mtime: datetime | None
    tables: Mapping[str, Sequence[Row]]
    measured: frozenset[Section] = frozenset()

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
    document = mapping(payload, "payload")
    tables = {name: build(document) for name, build in _BUILDERS.items()}
    row = tables["files"][0]
    row["metadata_embedding"] = _vector(
        compute_metadata_embedding(dict(document)) if embedding is None else embedding, "metadata_embedding"
    )
    for entry in (entry for entries in tables.values() for entry in entries):
        entry["file_id"] = row["file_id"]
    return FileRows(
        row["file_id"], row["file_path_normalized"], row["header_hash"], row["mtime"], tables, measured_sections(document)
    )


def measured_sections(document: Mapping[str, Any]) -> frozenset[Section]:
    """What an inspection measured, whether rows came of it or not: statistics, and the policies that were applied."""
    validation = mapping(document.get("validation") or {}, "validation")
    results = objects(validation.get("results") or [], "validation.results")
    policies = {checked_text(entry.get("policy_id"), "validation.policy_id") for entry in (validation, *results)}
    sections: set[Section] = {(VALIDATION_RESULTS.name, policy) for policy in policies if policy is not None}
    return frozenset(sections | ({(PIXEL_STATS.name, None)} if document.get("stats") else set()))


def sections_of_stored(text: str | None) -> frozenset[Section]:
    """What a stored `raw_output` says was measured. A section that was too large to store tells less; its rows are there."""
    try:
        return measured_sections(mapping(json.loads(text or "{}"), "raw_output"))
    except (ValueError, BadPayload):
        return frozenset()


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
    document = mapping(payload, "payload")
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
    row = taken("files", mapping(document.get("file"), "file"), "file")
    return row["file_path_normalized"] or normalize_path(row["file_path"]), row["header_hash"]


def _file_rows(document: Mapping[str, Any]) -> list[Row]:
    file = mapping(document.get("file"), "file")
    channels = _channels(document)
    path, header_hash = _identity(document)
    computed = {
        "file_path_normalized": path,
        "file_id": file_id_of(path, header_hash),
        "channel_count": len(channels),
        "channel_fingerprint": _vector(compute_channel_fingerprint(channels), "channel_fingerprint"),
        "inspector_version": checked_text(document.get("inspector_version"), "inspector_version"),
        "raw_output": raw_output(document),
        "bit_depth": max((_CHANNEL_BITS.get(str(channel.get("type")), 0) for channel in channels), default=0) or None,
        "colorspace": next((part["color_space"] for part in _part_rows(document) if part["color_space"]), None),
        "chunk_sizes_sha256": _chunk_digest(document),
    }
    return [taken("files", file, "file") | computed | _completeness(file) | _first_error(document) | _place(path)]


def _channels(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The channels, each with its type in upper case; in a file of one part none needs to say which part it is of."""
    several = len(listed(document.get("parts"), "parts")) > 1
    channels = [dict(entry) for entry in objects(document.get("channels"), "channels")]
    for channel in channels:
        if channel.get("part_index") is None and not several:
            channel["part_index"] = 0
        if isinstance(channel.get("type"), str):
            channel["type"] = channel["type"].upper()
    return channels


def _part_rows(document: Mapping[str, Any]) -> list[Row]:
    parts = [_indexed(entry, position) for position, entry in enumerate(objects(document.get("parts"), "parts"))]
    return _simple_rows("parts", parts, "parts")


def _indexed(part: Mapping[str, Any], position: int) -> Mapping[str, Any]:
    """A part with its index: the one that it states, as `index` or as `part_index`, else its position."""
    stated = part.get("part_index") if part.get("index") is None else part["index"]
    return {**part, "index": position if stated is None else stated}


def _chunk_digest(document: Mapping[str, Any]) -> str | None:
    first = next(iter(objects(document.get("parts"), "parts")), {})
    profile = mapping(first.get("chunk_profile") or {}, "parts[0].chunk_profile")
    return checked_text(profile.get("sizes_sha256"), "parts[0].chunk_profile.sizes_sha256")


def _completeness(file: Mapping[str, Any]) -> Row:
    found = mapping(file.get("completeness") or {}, "file.completeness")
    counts = {
        name: checked_integer(found.get(name), f"file.completeness.{name}")
        for name in ("chunks_expected", "chunks_present", "bytes_missing")
    }
    return {"completeness": checked_text(found.get("verdict"), "file.completeness.verdict"), **counts}


def _first_error(document: Mapping[str, Any]) -> Row:
    first: Mapping[str, Any] = next(iter(objects(document.get("errors") or [], "errors")), {})
    return {
        "error_code": checked_text(first.get("code"), "errors[0].code"),
        "error_message": checked_text(first.get("message"), "errors[0].message"),
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
    attributes = mapping(document.get("attributes") or {}, "attributes")
    rows = []
    for part, entries in enumerate(listed(attributes.get("parts") or [], "attributes.parts")):
        place = f"attributes.parts[{part}]"
        for index, entry in enumerate(objects(entries, place)):
            row = taken("attributes", entry, f"{place}[{index}]")
            rows.append(row | {"part_index": part, "attr_index": index} | _typed(entry.get("value"), row["attr_type"]))
    return rows


def _typed(value: Any, attr_type: str) -> Row:
    """The value in the column of its kind, so that SQL can compare it without parsing JSON."""
    if isinstance(value, str):
        if attr_type in ("float", "double") and value in NOT_NUMBERS:
            return {"value_float": NOT_NUMBERS[value]}
        return {"value_text": cell(value)}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {}
    if isinstance(value, int):
        fits = -(2**63) <= value < 2**63
        return {"value_int": value if fits else None, "value_float": _float_of(value)}
    return {"value_float": value}


def _float_of(value: int) -> float | None:
    """The nearest float; None beyond the largest one, of 309 digits."""
    try:
        return float(value)
    except OverflowError:
        return None


def _stats_rows(document: Mapping[str, Any]) -> list[Row]:
    return _section_rows("pixel_stats", document, "stats", "channels")


def _validation_rows(document: Mapping[str, Any]) -> list[Row]:
    return _section_rows("validation_results", document, "validation", "results")


def _section_rows(table: str, document: Mapping[str, Any], section: str, key: str) -> list[Row]:
    found = mapping(document.get(section) or {}, section)
    return _simple_rows(table, objects(found.get(key) or [], f"{section}.{key}"), f"{section}.{key}")


# `files` last: its `raw_output` takes the shape of the rest as given, and a refusal of the others names the field.
_BUILDERS: dict[str, Callable[[Mapping[str, Any]], list[Row]]] = {
    "parts": _part_rows,
    "channels": _channel_rows,
    "attributes": _attribute_rows,
    "pixel_stats": _stats_rows,
    "validation_results": _validation_rows,
    "files": _file_rows,
}


def _simple_rows(table: str, entries: Sequence[Mapping[str, Any]], place: str) -> list[Row]:
    return [taken(table, entry, f"{place}[{index}]") for index, entry in enumerate(entries)]


def _vector(values: Any, name: str) -> list[float]:
    """A vector of exactly the column's dimension; both numbers are named when it is not."""
    wanted = vast_schemas.FILES_SCHEMA.field(name).type.list_size
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise VectorEmbeddingError(name, f"{wanted} numbers", values)
    try:
        vector = [float(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        raise VectorEmbeddingError(name, "finite numbers", values) from None
    if len(vector) != wanted:
        expected, found = f"{wanted} numbers, the dimension of the column", f"{len(vector)} numbers"
        raise VectorEmbeddingError(name, expected, len(vector), words=found, remedy=_VECTOR_REMEDY)
    unfit = next((number for number in vector if not math.isfinite(number)), None)
    if unfit is not None:
        raise VectorEmbeddingError(name, "finite numbers", unfit, words=f"{unfit}")
    return vector


_VECTOR_REMEDY = "Compute the vector with the dimension of the table's column"
