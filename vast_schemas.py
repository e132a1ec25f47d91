"""The tables, as data: every column once, with its type, its meaning, where its value comes from and since which version.

Arrow schemas of every schema version, DDL, row builders, drift checks and docs/DATABASE_SCHEMA.md are derived from `TABLES`.

Types keep to what every engine over VAST DataBase reads: signed integers, utf8, boolean, float64, timestamp(us) in UTC without
zone, and `fixed_size_list<float32 not null>[n]` for vectors. All columns are nullable, because the server treats them so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import pyarrow as pa

METADATA_EMBEDDING_DIM = 384
CHANNEL_FINGERPRINT_DIM = 128
"""Dimensions of the stored vectors; `embedding.vectors` computes them, and a test holds both equal."""


VERSIONS = ("1.0.0", "1.1.0")
CURRENT_VERSION = VERSIONS[-1]

# Clusters before 5.5 refuse cells above 126 KB; read as the smaller of the two kilobytes.
MAX_CELL_BYTES = 126_000

TEXT = pa.utf8()
INT = pa.int64()
SMALL = pa.int32()
FLAG = pa.bool_()
REAL = pa.float64()
TIME = pa.timestamp("us")


def vector(dimension: int) -> pa.DataType:
    """`fixed_size_list<float32 not null>[dimension]`: VAST refuses a vector whose elements are nullable."""
    return pa.list_(pa.field("item", pa.float32(), nullable=False), dimension)


class Role(StrEnum):
    """When the upsert writes a column of `files`.

    HEADER follows from path and header, so it never changes for a file_id. OBSERVED describes the object as last seen, and where
    the settings then placed it; it is refreshed by a re-inspection that is not older than the stored one. AUDIT is kept by the
    upsert itself.
    """

    HEADER = "header"
    OBSERVED = "observed"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `source` is the key in the payload entry that the row describes; None where the row builder computes it.

    `json` columns hold the compact JSON text of the source value. `required` values must be in the payload, not null and, unless
    `blank`, not empty.
    """

    name: str
    type: pa.DataType
    description: str
    source: str | None = None
    since: str = VERSIONS[0]
    role: Role = Role.HEADER
    json: bool = False
    required: bool = False
    blank: bool = False

    @property
    def field(self) -> pa.Field:
        """The Arrow field; its metadata carry `description` and, for vectors, `dimension`."""
        metadata = {"description": self.description}
        if pa.types.is_fixed_size_list(self.type):
            metadata["dimension"] = str(self.type.list_size)
        return pa.field(self.name, self.type, nullable=True, metadata=metadata)


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """The index that is asked for at creation where the server offers it; it cannot be added later."""

    column: str
    metric: str


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table: its meaning, one row per what, and its columns in stored order.

    `replaced`: rows of this table are measured, and describe the bytes that `files` describes now. An inspection that measures
    them again replaces the earlier ones (where `replaced_by` names a column, those with the same value); other bytes remove all.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    since: str = VERSIONS[0]
    vector_index: VectorIndex | None = None
    replaced: bool = False
    replaced_by: str | None = None

    def at(self, version: str) -> tuple[Column, ...]:
        """The columns that the table has in `version`."""
        return tuple(column for column in self.columns if not _newer(column.since, version))


def _newer(since: str, version: str) -> bool:
    return VERSIONS.index(since) > VERSIONS.index(version)


_IDS = (
    Column("file_id", TEXT, "SHA-256 of file_path_normalized and header_hash; the file version this row belongs to"),
    Column("inspection_id", TEXT, "The inspection that wrote this row; equals files.inspection_id"),
)

_PART_INDEX = Column("part_index", SMALL, "Number of the part, from 0", source="part_index", required=True)

FILES = TableSpec(
    "files",
    "One row per version of a file: per path and header. Exactly one row of a path has is_current.",
    (
        Column("file_id", TEXT, "SHA-256 of file_path_normalized and header_hash"),
        Column("file_path", TEXT, "The path as the event gave it, or s3://bucket/key", source="path", required=True),
        Column(
            "file_path_normalized",
            TEXT,
            "POSIX separators, no duplicate slashes or dot segments, Unicode NFC, case kept",
            source="path_normalized",
        ),
        Column("bucket", TEXT, "Bucket of the object", source="bucket"),
        Column("object_key", TEXT, "Key of the object", source="object_key"),
        Column("header_hash", TEXT, "SHA-256 of the raw header bytes; null where there was no header", source="header_hash"),
        Column("header_bytes", INT, "Length of the header in bytes", source="header_bytes"),
        Column("size_bytes", INT, "Size of the file in bytes", source="size_bytes", role=Role.OBSERVED),
        Column("mtime", TIME, "Last modification, UTC", source="mtime", role=Role.OBSERVED),
        Column("etag", TEXT, "ETag of the object", source="etag", role=Role.OBSERVED),
        Column("status", TEXT, "ok, incomplete, damaged or unreadable", source="status", role=Role.OBSERVED),
        Column("completeness", TEXT, "Verdict on the pixel data that the header promises", role=Role.OBSERVED),
        Column("chunks_expected", INT, "Chunks that the header promises", role=Role.OBSERVED),
        Column("chunks_present", INT, "Chunks that are within the file", role=Role.OBSERVED),
        Column("bytes_missing", INT, "Bytes missing at the end of the file", role=Role.OBSERVED),
        Column("error_code", TEXT, "Code of the first error of the inspection, or of earlier damage", role=Role.OBSERVED),
        Column("error_message", TEXT, "Message of that error", role=Role.OBSERVED),
        Column("multipart_count", SMALL, "Number of parts", source="multipart_count"),
        Column("channel_count", SMALL, "Number of channels over all parts"),
        Column("is_deep", FLAG, "Whether any part is deep", source="is_deep"),
        Column("is_tiled", FLAG, "Whether any part is tiled", source="is_tiled"),
        Column(
            "metadata_embedding",
            vector(METADATA_EMBEDDING_DIM),
            "Unit vector of how the file was made; near means made alike",
        ),
        Column("channel_fingerprint", vector(CHANNEL_FINGERPRINT_DIM), "Unit vector of the file's channels"),
        Column("embedding_version", SMALL, "Version of the algorithm that made both vectors; compare only equal versions"),
        Column("inspection_id", TEXT, "The inspection that wrote this row and its rows in the other tables", role=Role.AUDIT),
        Column("last_inspection_id", TEXT, "The latest inspection that found this version", role=Role.AUDIT),
        Column("is_current", FLAG, "Whether this is the newest version known of its path", role=Role.AUDIT),
        Column("deleted_at", TIME, "When the object was removed, UTC; only on the current version", role=Role.AUDIT),
        Column("first_seen", TIME, "First inspection of this version, UTC", role=Role.AUDIT),
        Column("last_inspected", TIME, "Latest inspection of this version, UTC", role=Role.AUDIT),
        Column("inspection_count", INT, "Inspections of this version, repeated deliveries included", role=Role.AUDIT),
        Column("schema_version", TEXT, "Version of these tables that the row was written for"),
        Column("inspector_version", TEXT, "Version of exr-inspector that made raw_output", role=Role.OBSERVED),
        Column("raw_output", TEXT, "The payload as JSON, large values replaced by their digests", role=Role.OBSERVED),
        Column("frame_number", INT, "Frame number from the file name", source="frame_number", since="1.1.0"),
        Column("sequence_key", TEXT, "The path with its frame number replaced", source="sequence_key", since="1.1.0"),
        Column("show_name", TEXT, "Show, where a path template or a known layout tells it", since="1.1.0", role=Role.OBSERVED),
        Column("sequence_name", TEXT, "Sequence within the show, where the path tells it", since="1.1.0", role=Role.OBSERVED),
        Column("shot_name", TEXT, "Shot, where the path tells it", since="1.1.0", role=Role.OBSERVED),
        Column(
            "task_name", TEXT, "Task or department below the shot, where the path tells it", since="1.1.0", role=Role.OBSERVED
        ),
        Column("layer_name", TEXT, "Render layer, where a path template tells it", since="1.1.0", role=Role.OBSERVED),
        Column("colorspace", TEXT, "Colour space of the first part that names one", since="1.1.0"),
        Column("bit_depth", SMALL, "Bits of the widest channel: 16 or 32", since="1.1.0"),
        Column(
            "version_token",
            TEXT,
            "Version in the path, such as v003, also where it is written V003 or ver003",
            source="version_token",
            since="1.1.0",
            role=Role.OBSERVED,
        ),
        Column("version_number", INT, "Number of the version, to order by", since="1.1.0", role=Role.OBSERVED),
        Column(
            "layer_key",
            TEXT,
            "sequence_key, or a still's path, with v# for the version: the same in all versions of a layer",
            since="1.1.0",
            role=Role.OBSERVED,
        ),
        Column(
            "chunk_sizes_sha256",
            TEXT,
            "Digest of the sizes of the first part's compressed chunks; equal in neighbouring frames it shows a frozen frame",
            since="1.1.0",
            role=Role.OBSERVED,
        ),
        Column(
            "finding_codes",
            TEXT,
            "Codes of all errors and warnings of the inspection, each once, with a blank between them",
            since="1.1.0",
            role=Role.OBSERVED,
        ),
        Column("path", TEXT, "bucket/key, which is file_path without s3://; null for local files", since="1.1.0"),
    ),
    vector_index=VectorIndex("metadata_embedding", "l2sq"),
)

PARTS = TableSpec(
    "parts",
    "One row per part of a file.",
    (
        *_IDS,
        Column("part_index", SMALL, "Number of the part, from 0", source="index", required=True),
        Column("part_name", TEXT, "Name of the part", source="name"),
        Column("view_name", TEXT, "View of the part, such as left", source="view"),
        Column("part_type", TEXT, "scanlineimage, tiledimage, deepscanline or deeptile", source="type"),
        Column("width", INT, "Width of the data window", source="width"),
        Column("height", INT, "Height of the data window", source="height"),
        Column("data_x_offset", INT, "Left edge of the data window minus that of the display window", source="data_x_offset"),
        Column("data_y_offset", INT, "Upper edge of the data window minus that of the display window", source="data_y_offset"),
        Column("display_width", INT, "Width of the display window", source="display_width"),
        Column("display_height", INT, "Height of the display window", source="display_height"),
        Column("data_window", TEXT, "Data window, inclusive", source="data_window", json=True),
        Column("display_window", TEXT, "Display window, inclusive", source="display_window", json=True),
        Column("pixel_aspect_ratio", REAL, "Width of a pixel divided by its height", source="pixel_aspect_ratio"),
        Column("line_order", TEXT, "Order of the lines in the file", source="line_order"),
        Column("compression", TEXT, "Compression, in lower case", source="compression"),
        Column("is_deep", FLAG, "Whether the part is deep", source="is_deep"),
        Column("is_tiled", FLAG, "Whether the part is tiled", source="is_tiled"),
        Column("tile_width", INT, "Width of a tile", source="tile_width"),
        Column("tile_height", INT, "Height of a tile", source="tile_height"),
        Column("tile_level_mode", TEXT, "Level mode of the tiles", source="tile_level_mode"),
        Column("tile_rounding_mode", TEXT, "Rounding of level sizes", source="tile_rounding_mode"),
        Column("chunk_count", INT, "Number of chunks", source="chunk_count"),
        Column("color_space", TEXT, "Colour space that the header names", source="color_space"),
        Column("chromaticities", TEXT, "Chromaticities of primaries and white", source="chromaticities", json=True),
        Column("render_software", TEXT, "Software that wrote the part", source="render_software"),
        Column("render_software_version", TEXT, "Version in render_software", source="render_software_version", since="1.1.0"),
        Column("render_product", TEXT, "Product that made the picture, to group by", source="render_product", since="1.1.0"),
        Column("converter", TEXT, "Converter that wrote the file after it, with version", source="converter", since="1.1.0"),
        Column("render_seconds", REAL, "Seconds of rendering, as the renderer wrote it", source="render_seconds", since="1.1.0"),
        Column("peak_memory_mb", REAL, "Mebibytes at the renderer's peak", source="peak_memory_mb", since="1.1.0"),
        Column("host", TEXT, "Machine that rendered the part", source="host", since="1.1.0"),
        Column("render_samples", INT, "Samples per pixel, as the artist set them", source="render_samples", since="1.1.0"),
        Column("scene_file", TEXT, "Scene that was rendered", source="scene_file", since="1.1.0"),
        Column("artist", TEXT, "Who rendered it", source="artist", since="1.1.0"),
        Column("header_frame", INT, "Frame number in the header", source="header_frame", since="1.1.0"),
        Column("timecode", TEXT, "Timecode in the header, hh:mm:ss:ff", source="timecode", since="1.1.0"),
        Column("clip_name", TEXT, "Clip of a plate, as the camera named it", since="1.1.0"),
        Column("reel", TEXT, "Reel of a plate", since="1.1.0"),
        Column("logical_bytes", INT, "Bytes of the samples uncompressed; null if deep", source="logical_bytes", since="1.1.0"),
    ),
)

CHANNELS = TableSpec(
    "channels",
    "One row per channel of a part.",
    (
        *_IDS,
        _PART_INDEX,
        Column("channel_index", SMALL, "Position within the payload's channels, from 0"),
        Column("channel_name", TEXT, "Full name", source="name", required=True),
        Column("layer_name", TEXT, "Name before the last dot; empty where there is none", source="layer_name"),
        Column("component_name", TEXT, "Name after the last dot", source="component_name"),
        Column("channel_type", TEXT, "HALF, FLOAT or UINT", source="type", required=True),
        Column("x_sampling", SMALL, "Horizontal sampling", source="x_sampling"),
        Column("y_sampling", SMALL, "Vertical sampling", source="y_sampling"),
        Column("p_linear", FLAG, "Whether the channel is perceptually linear", source="p_linear"),
        Column(
            "channel_fingerprint",
            vector(CHANNEL_FINGERPRINT_DIM),
            "Fingerprint of the part's channels, on the part's first channel; null on the others",
        ),
        Column(
            "aov_role",
            TEXT,
            "What the samples are, such as depth or normal, where a name tells it",
            source="role",
            since="1.1.0",
        ),
        Column("aov_category", TEXT, "The family of AOVs that it belongs to, such as lighting", source="category", since="1.1.0"),
        Column("view_name", TEXT, "The eye or camera that it belongs to", source="view", since="1.1.0"),
        Column("light_group", TEXT, "The lights whose contribution it holds alone", source="light_group", since="1.1.0"),
    ),
)

ATTRIBUTES = TableSpec(
    "attributes",
    "One row per attribute of a part's header, in the header's order.",
    (
        *_IDS,
        Column("part_index", SMALL, "Number of the part, from 0"),
        Column("attr_index", SMALL, "Position within the part's header, from 0"),
        Column("attr_name", TEXT, "Name of the attribute", source="name", required=True),
        # A damaged header can leave a type empty; it is stored as it is.
        Column("attr_type", TEXT, "Type of the attribute as OpenEXR names it", source="type", required=True, blank=True),
        Column("size_bytes", INT, "Size of the value in the header", source="size"),
        Column("value_json", TEXT, "The decoded value as JSON", source="value", json=True),
        Column("value_text", TEXT, "The value where it is a text"),
        Column("value_int", INT, "The value where it is a whole number"),
        Column("value_float", REAL, "The value where it is a number"),
        Column("raw_base64", TEXT, "The bytes, where the type is unknown or the value does not decode", source="raw_base64"),
    ),
)

PIXEL_STATS = TableSpec(
    "pixel_stats",
    "One row per channel whose pixels were read.",
    (
        *_IDS,
        _PART_INDEX,
        Column("channel_name", TEXT, "Full name of the channel", source="channel_name", required=True),
        Column("pixel_count", INT, "Samples that were read", source="pixel_count"),
        Column("finite_count", INT, "Samples that are finite", source="finite_count"),
        Column("nan_count", INT, "Samples that are NaN", source="nan_count"),
        Column("pos_inf_count", INT, "Samples that are +Infinity", source="pos_inf_count"),
        Column("neg_inf_count", INT, "Samples that are -Infinity", source="neg_inf_count"),
        Column("negative_count", INT, "Samples below zero", source="negative_count"),
        Column("zero_count", INT, "Samples that are zero", source="zero_count"),
        Column("min_value", REAL, "Smallest finite sample", source="min_value"),
        Column("max_value", REAL, "Largest finite sample", source="max_value"),
        Column("mean_value", REAL, "Mean of the finite samples", source="mean_value"),
        Column("stddev_value", REAL, "Standard deviation of the finite samples", source="stddev_value"),
        Column("p01", REAL, "1st percentile", source="p01"),
        Column("p50", REAL, "Median", source="p50"),
        Column("p99", REAL, "99th percentile", source="p99"),
        Column("first_nan_x", INT, "Column of the first NaN", source="first_nan_x"),
        Column("first_nan_y", INT, "Line of the first NaN", source="first_nan_y"),
        Column("is_constant", FLAG, "Whether all samples are equal", source="is_constant"),
        Column("is_sampled", FLAG, "Whether only a part of the pixels was read", source="is_sampled"),
        Column("is_partial", FLAG, "Whether pixels were missing in the file", source="is_partial"),
        Column("sample_hash", TEXT, "Hash of the samples", source="sample_hash"),
        Column("details", TEXT, "Further figures, such as samples per deep pixel", source="details", json=True),
    ),
    since="1.1.0",
    replaced=True,
)

VALIDATION_RESULTS = TableSpec(
    "validation_results",
    "One row per rule of a policy that was applied to a file.",
    (
        *_IDS,
        Column("policy_id", TEXT, "The policy", source="policy_id", required=True),
        Column("policy_version", TEXT, "Its version", source="policy_version"),
        Column("rule_id", TEXT, "The rule", source="rule_id", required=True),
        Column("severity", TEXT, "FAIL or WARN", source="severity"),
        Column("status", TEXT, "What came out: PASS, WARN or FAIL", source="status", required=True),
        Column("status_code", TEXT, "Stable code of the finding", source="status_code"),
        Column("part_index", SMALL, "The part it is about", source="part_index"),
        Column("channel_name", TEXT, "The channel it is about", source="channel_name"),
        Column("expected", TEXT, "What the policy expects", source="expected", json=True),
        Column("actual", TEXT, "What the file has", source="actual", json=True),
        Column("message", TEXT, "The finding for people", source="message"),
        Column("suggested_fix", TEXT, "How to mend it", source="suggested_fix"),
    ),
    since="1.1.0",
    replaced=True,
    replaced_by="policy_id",
)

TABLES: dict[str, TableSpec] = {
    table.name: table for table in (FILES, PARTS, CHANNELS, ATTRIBUTES, PIXEL_STATS, VALIDATION_RESULTS)
}
CHILD_TABLES = tuple(name for name in TABLES if name != FILES.name)


def tables_at(version: str = CURRENT_VERSION) -> tuple[TableSpec, ...]:
    """The tables of a schema version, `files` first."""
    return tuple(table for table in TABLES.values() if not _newer(table.since, version))


@cache
def schema_for(table: str, version: str = CURRENT_VERSION) -> pa.Schema:
    """A table's Arrow schema in a version, with descriptions in the metadata; KeyError where the version has no such table."""
    if TABLES[table] not in tables_at(version):
        raise KeyError(f"schema version {version} has no table {table!r}")
    return pa.schema([column.field for column in TABLES[table].at(version)], metadata={"description": TABLES[table].description})


def wire_schema(schema: pa.Schema) -> pa.Schema:
    """The same schema without metadata: what is sent to the server, which keeps metadata of its own on fields."""
    return pa.schema([field.remove_metadata() for field in schema])


FILES_SCHEMA = schema_for("files")
PARTS_SCHEMA = schema_for("parts")
CHANNELS_SCHEMA = schema_for("channels")
ATTRIBUTES_SCHEMA = schema_for("attributes")
PIXEL_STATS_SCHEMA = schema_for("pixel_stats")
VALIDATION_RESULTS_SCHEMA = schema_for("validation_results")
