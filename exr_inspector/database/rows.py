"""Payload -> Arrow rows, one function per table; the columns come from `vast_schemas`.

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
from functools import cache, cached_property
from typing import Any

import pyarrow as pa

import vast_schemas
from exr_inspector.database.cells import checked_text, columns_from, columns_of, computed_columns, raw_output, typed_values
from exr_inspector.database.versions import Section
from exr_inspector.embedding.vectors import EMBEDDING_VERSION, compute_channel_fingerprint, compute_metadata_embedding
from exr_inspector.errors import BadPayload, VectorEmbeddingError
from exr_inspector.path_templates import Template
from exr_inspector.payload.aovs import describe_channels
from exr_inspector.payload.document import normalize_path
from exr_inspector.payload.names import layer_key, version_number
from exr_inspector.payload.places import place_of
from vast_schemas import FILES, PIXEL_STATS, TABLES, VALIDATION_RESULTS

Row = dict[str, Any]

TOLD_PLACE = ("sequence_name", "shot_name")
"""Columns of `files` that a header may tell where the path does not."""
_SCHEME = "s3://"
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
    every_chunk_read: bool = False
    """Whether the statistics are of all pixels of all parts, none of which was missing or did not decode."""

    @property
    def file(self) -> Row:
        """The row of `files`."""
        return self.tables["files"][0]


class Document:
    """A payload, section by section: each is checked when something first asks for it, and once."""

    def __init__(self, payload: Any, templates: tuple[Template, ...] = ()) -> None:
        """`templates` say where the file belongs."""
        self.payload = as_mapping(payload, "payload")
        self.templates = templates

    @cached_property
    def file(self) -> Mapping[str, Any]:
        """The section `file`."""
        return as_mapping(self.payload.get("file"), "file")

    @cached_property
    def file_columns(self) -> Row:
        """The columns of `files` that stand in that section as they are."""
        return columns_of("files", self.file, "file")

    @cached_property
    def identity(self) -> tuple[str, str | None]:
        """The key of a file version: its normalized path and the hash of its header."""
        row = self.file_columns
        return row["file_path_normalized"] or normalize_path(row["file_path"]), row["header_hash"]

    @cached_property
    def parts(self) -> list[Mapping[str, Any]]:
        """The parts, each with its index: the one that it states, as `index` or as `part_index`, else its position."""
        return [_number_part(part, position) for position, part in enumerate(as_objects(self.payload.get("parts"), "parts"))]

    @cached_property
    def part_rows(self) -> list[Row]:
        """The rows of `parts`."""
        rows = columns_from("parts", self.parts, "parts")
        return [row | _plate_of(part, f"parts[{at}].camera") for at, (row, part) in enumerate(zip(rows, self.parts, strict=True))]

    @cached_property
    def channels(self) -> list[dict[str, Any]]:
        """The channels, each with its type in upper case; in a file of one part none needs to say which part it is of."""
        several = len(as_list(self.payload.get("parts"), "parts")) > 1
        channels = [dict(entry) for entry in as_objects(self.payload.get("channels"), "channels")]
        for channel in channels:
            if channel.get("part_index") is None and not several:
                channel["part_index"] = 0
            if isinstance(channel.get("type"), str):
                channel["type"] = channel["type"].upper()
        return channels

    @cached_property
    def attributes(self) -> list[list[Mapping[str, Any]]]:
        """The attributes of each part."""
        attributes = as_mapping(self.payload.get("attributes") or {}, "attributes")
        listings = as_list(attributes.get("parts") or [], "attributes.parts")
        return [as_objects(listing, f"attributes.parts[{part}]") for part, listing in enumerate(listings)]

    @cached_property
    def fingerprint(self) -> list[float]:
        """The fingerprint of all channels."""
        return _vector(compute_channel_fingerprint(self.channels), "channel_fingerprint")


def _number_part(part: Mapping[str, Any], position: int) -> Mapping[str, Any]:
    stated = part.get("part_index") if part.get("index") is None else part["index"]
    return {**part, "index": position if stated is None else stated}


def _plate_of(part: Mapping[str, Any], place: str) -> Row:
    """What the camera of a plate says of it."""
    camera = part.get("camera")
    if camera is None:
        return {"clip_name": None, "reel": None}
    known = as_mapping(camera, place)
    return computed_columns("parts", {name: (known.get(name), f"{place}.{name}") for name in ("clip_name", "reel")})


def new_stamp() -> Stamp:
    """A stamp with a fresh inspection_id and the present time."""
    return Stamp(str(uuid.uuid4()), utc_now())


def utc_now() -> datetime:
    """The present time in UTC, without zone, as the tables store times."""
    return datetime.now(UTC).replace(tzinfo=None)


def file_id_of(path_normalized: str, header_hash: str | None) -> str:
    """The identity of a file version: SHA-256, in hex, of the normalized path, a zero byte and the header's hash."""
    return hashlib.sha256(f"{path_normalized}\0{header_hash or ''}".encode("utf-8", "backslashreplace")).hexdigest()


def rows_of(payload: Any, embedding: Sequence[float] | None = None, templates: tuple[Template, ...] = ()) -> FileRows:
    """Check a payload and build its rows for every table.

    `embedding` is the file's metadata embedding (384 floats), computed when it is None; `templates` say where the file belongs.
    Raises BadPayload, and VectorEmbeddingError for vectors.
    """
    document = Document(payload, templates)
    tables = {name: build(document) for name, build in _BUILDERS.items()}
    row = tables["files"][0]
    vector = compute_metadata_embedding(dict(document.payload)) if embedding is None else embedding
    row["metadata_embedding"] = _vector(vector, "metadata_embedding")
    for entries in tables.values():
        for entry in entries:
            entry["file_id"] = row["file_id"]
    measured, read = measured_sections(document.payload), _every_chunk_read(document.payload)
    return FileRows(row["file_id"], row["file_path_normalized"], row["header_hash"], row["mtime"], tables, measured, read)


def measured_sections(document: Mapping[str, Any]) -> frozenset[Section]:
    """What an inspection measured, whether rows came of it or not: statistics, and the policies that were applied."""
    validation = as_mapping(document.get("validation") or {}, "validation")
    results = as_objects(validation.get("results") or [], "validation.results")
    policies = [entry["policy_id"] for entry in (validation, *results) if entry.get("policy_id") is not None]
    sections: set[Section] = {(VALIDATION_RESULTS.name, checked_text(policy, "validation.policy_id")) for policy in policies}
    if document.get("stats"):
        sections.add((PIXEL_STATS.name, None))
    return frozenset(sections)


def _every_chunk_read(document: Mapping[str, Any]) -> bool:
    """Whether every chunk of every part gave its pixels, as the statistics say; levels below the first of tiled parts apart."""
    stats = as_mapping(document.get("stats") or {}, "stats")
    parts = as_objects(stats.get("parts") or [], "stats.parts")
    return bool(parts) and all(part.get("chunks_read") == part.get("chunks") is not None for part in parts)


def sections_of_stored(text: str | None) -> frozenset[Section]:
    """What a stored `raw_output` says was measured. A section that was too large to store tells less; its rows are there."""
    try:
        return measured_sections(as_mapping(json.loads(text or "{}"), "raw_output"))
    except (ValueError, BadPayload):
        return frozenset()


def to_batches(files: Iterable[tuple[FileRows, Stamp]], names: Iterable[str] = tuple(TABLES)) -> dict[str, list[pa.RecordBatch]]:
    """The rows of many files as they are sent, by table name; no batch of a table without rows."""
    stamped = list(files)
    return {
        name: _to_batches(name, [_stamp(name, entry, stamp) for rows, stamp in stamped for entry in rows.tables[name]])
        for name in names
    }


def to_tables(files: Iterable[tuple[FileRows, Stamp]]) -> dict[str, pa.Table]:
    """The Arrow tables of many files, by table name, each with exactly its schema, empty ones included."""
    return {name: pa.Table.from_batches(rows, vast_schemas.schema_for(name)) for name, rows in to_batches(files).items()}


def payload_to_files_row(payload: Any, embedding: Sequence[float] | None = None, *, stamp: Stamp | None = None) -> pa.Table:
    """One row with FILES_SCHEMA. `embedding`: 384 floats; `stamp` defaults to a new inspection, now, current."""
    row = _stamp("files", rows_of(payload, embedding).file, stamp or new_stamp())
    return pa.Table.from_batches(_to_batches("files", [row]), vast_schemas.FILES_SCHEMA)


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
    document = Document(payload)
    file_id = file_id_of(*document.identity)
    entries = [entry | {"file_id": file_id} for entry in _BUILDERS[name](document)]
    batches = _to_batches(name, [_stamp(name, entry, stamp or new_stamp()) for entry in entries])
    return pa.Table.from_batches(batches, vast_schemas.schema_for(name))


def _to_batches(name: str, entries: list[Row]) -> list[pa.RecordBatch]:
    if not entries:
        return []
    # One array of structs: an array for each column costs pyarrow twice as much, and a table of them a third time.
    rows = pa.array(entries, type=_struct_of(name))
    # Of texts of more than 2 GiB pyarrow makes several.
    pieces = rows.chunks if isinstance(rows, pa.ChunkedArray) else [rows]
    return [pa.RecordBatch.from_struct_array(piece) for piece in pieces]


@cache
def _struct_of(name: str) -> pa.StructType:
    return pa.struct(list(vast_schemas.wire_schema(vast_schemas.schema_for(name))))


def _stamp(name: str, entry: Row, stamp: Stamp) -> Row:
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


def _file_rows(document: Document) -> list[Row]:
    channels = document.channels
    path, header_hash = document.identity
    derived = {
        "file_path_normalized": path,
        "file_id": file_id_of(path, header_hash),
        "finding_codes": _finding_codes(document.payload),
        "path": _path_without_scheme(document.file_columns["file_path"]),
        "channel_count": len(channels),
        "channel_fingerprint": document.fingerprint,
        "bit_depth": max((_CHANNEL_BITS.get(str(channel.get("type")), 0) for channel in channels), default=0) or None,
        "colorspace": next((part["color_space"] for part in document.part_rows if part["color_space"]), None),
    }
    computed = computed_columns("files", _file_values(document) | _place_of_header(document))
    place = place_columns(path, document.templates)
    told = {name: computed[name] for name in TOLD_PLACE if place[name] is None}
    row = document.file_columns | derived | computed | {"raw_output": raw_output(document.payload)} | place | told
    return [row | _version_columns(row)]


def _finding_codes(payload: Mapping[str, Any]) -> str | None:
    """The codes of errors and warnings in their order; None where there is neither."""
    codes: dict[str | None, None] = {}
    for name in ("errors", "warnings"):
        entries = as_objects(payload.get(name) or [], name)
        codes |= dict.fromkeys(checked_text(entry.get("code"), f"{name}[{at}].code") for at, entry in enumerate(entries))
    return " ".join(filter(None, codes)) or None


def _path_without_scheme(path: str) -> str | None:
    """An object's bucket and key, which SpaceHarbor and frame-metadata-extractor know a file by; None for a local file."""
    return path.removeprefix(_SCHEME) if path.startswith(_SCHEME) else None


def _version_columns(row: Row) -> Row:
    """The columns that make versions of a layer comparable."""
    version = row["version_token"]
    key = layer_key(row["sequence_key"] or row["file_path_normalized"], version)
    return {"version_number": version_number(version), "layer_key": key}


def _place_of_header(document: Document) -> dict[str, tuple[Any, str]]:
    """Sequence and shot as the renderer names them in the header, for paths that do not tell."""
    part = next((part for part in document.parts if part.get("shot_name") or part.get("sequence_name")), {})
    return {name: (part.get(name), f"parts.{name}") for name in TOLD_PLACE}


def _file_values(document: Document) -> dict[str, tuple[Any, str]]:
    """What other columns of `files` hold, each with the field of the payload that it comes from."""
    profile = as_mapping(next(iter(document.parts), {}).get("chunk_profile") or {}, "parts[0].chunk_profile")
    chunks = as_mapping(document.file.get("completeness") or {}, "file.completeness")
    first_error: Mapping[str, Any] = next(iter(as_objects(document.payload.get("errors") or [], "errors")), {})
    return {
        "inspector_version": (document.payload.get("inspector_version"), "inspector_version"),
        "chunk_sizes_sha256": (profile.get("sizes_sha256"), "parts[0].chunk_profile.sizes_sha256"),
        "completeness": (chunks.get("verdict"), "file.completeness.verdict"),
        "chunks_expected": (chunks.get("chunks_expected"), "file.completeness.chunks_expected"),
        "chunks_present": (chunks.get("chunks_present"), "file.completeness.chunks_present"),
        "bytes_missing": (chunks.get("bytes_missing"), "file.completeness.bytes_missing"),
        "error_code": (first_error.get("code"), "errors[0].code"),
        "error_message": (first_error.get("message"), "errors[0].message"),
    }


def place_columns(path: str, templates: tuple[Template, ...]) -> Row:
    """The columns of `files` that say where a normalized path belongs; its version only where a template tells it."""
    place = place_of(path, templates)
    names = {"show_name": place.show, "sequence_name": place.sequence, "shot_name": place.shot}
    version = {"version_token": place.version} if place.version else {}
    return names | {"task_name": place.task, "layer_name": place.layer} | version


def _part_rows(document: Document) -> list[Row]:
    return document.part_rows


def _channel_rows(document: Document) -> list[Row]:
    channels = document.channels
    rows = columns_from("channels", channels, "channels")
    # Payloads that do not say what their channels are get it from the names; the first reading has checked these.
    if any("role" not in channel for channel in channels):
        checked = {"parts": document.parts, "channels": channels, "attributes": {"parts": document.attributes}}
        rows = columns_from("channels", describe_channels(checked), "channels")
    members: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        row["channel_index"] = index
        members.setdefault(row["part_index"], []).append(index)
    for indexes in members.values():
        rows[indexes[0]]["channel_fingerprint"] = _part_fingerprint(document, indexes)
    return rows


def _part_fingerprint(document: Document, indexes: list[int]) -> list[float]:
    """The fingerprint of these channels, which in a file of one part are all of them."""
    if len(indexes) == len(document.channels):
        return document.fingerprint
    return _vector(compute_channel_fingerprint([document.channels[index] for index in indexes]), "channel_fingerprint")


def _attribute_rows(document: Document) -> list[Row]:
    rows: list[Row] = []
    for part, entries in enumerate(document.attributes):
        columns = columns_from("attributes", entries, f"attributes.parts[{part}]")
        values = typed_values((entry.get("value"), row["attr_type"]) for entry, row in zip(entries, columns, strict=True))
        for index, (row, value) in enumerate(zip(columns, values, strict=True)):
            row.update(value, part_index=part, attr_index=index)
        rows += columns
    return rows


def _stats_rows(document: Document) -> list[Row]:
    return _section_rows("pixel_stats", document, "stats", "channels")


def _validation_rows(document: Document) -> list[Row]:
    return _section_rows("validation_results", document, "validation", "results")


def _section_rows(table: str, document: Document, section: str, key: str) -> list[Row]:
    entries = as_objects(as_mapping(document.payload.get(section) or {}, section).get(key) or [], f"{section}.{key}")
    return columns_from(table, entries, f"{section}.{key}") if entries else []


# `files` last: its `raw_output` takes the shape of the rest as given, and a refusal of the others names the field.
_BUILDERS: dict[str, Callable[[Document], list[Row]]] = {
    "parts": _part_rows,
    "channels": _channel_rows,
    "attributes": _attribute_rows,
    "pixel_stats": _stats_rows,
    "validation_results": _validation_rows,
    "files": _file_rows,
}


def _vector(values: Any, name: str) -> list[float]:
    """A vector of exactly the column's dimension; both numbers are named when it is not."""
    wanted = _DIMENSIONS[name]
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise VectorEmbeddingError(name, f"{wanted} numbers", values)
    try:
        vector = list(map(float, values))
    except (TypeError, ValueError, OverflowError):
        raise VectorEmbeddingError(name, "finite numbers", values) from None
    if len(vector) != wanted:
        expected, got = f"{wanted} numbers, the dimension of the column", f"{len(vector)} numbers"
        raise VectorEmbeddingError(name, expected, len(vector), words=got, remedy=_VECTOR_REMEDY)
    # Where one of them is not finite, neither is their sum.
    unfit = None if math.isfinite(sum(vector)) else next((number for number in vector if not math.isfinite(number)), None)
    if unfit is not None:
        raise VectorEmbeddingError(name, "finite numbers", unfit, words=f"{unfit}")
    return vector


_DIMENSIONS = {column.name: column.type.list_size for column in FILES.columns if isinstance(column.type, pa.FixedSizeListType)}
_VECTOR_REMEDY = "Compute the vector with the dimension of the table's column"


def as_mapping(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadPayload(field, "an object", value)
    return value


def as_list(value: Any, field: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise BadPayload(field, "a list", value)
    return list(value)


def as_objects(value: Any, field: str) -> list[Mapping[str, Any]]:
    entries = as_list(value, field)
    if set(map(type, entries)) <= {dict}:
        return entries
    return [as_mapping(entry, f"{field}[{index}]") for index, entry in enumerate(entries)]
