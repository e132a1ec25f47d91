"""The tables as data: what every derived description relies on."""

from __future__ import annotations

import pyarrow as pa
import pytest

import vast_schemas
from generators import database_schema
from vast_schemas import CHILD_TABLES, TABLES, VERSIONS, Role, schema_for, tables_at, wire_schema

ALLOWED = {pa.utf8(), pa.int32(), pa.int64(), pa.bool_(), pa.float64(), pa.timestamp("us")}


def every_column():
    return [(table, column) for table in TABLES.values() for column in table.columns]


def test_types_are_those_that_every_engine_over_vast_reads():
    """Signed integers, utf8, timestamps without zone, and vectors whose elements are not null."""
    for table, column in every_column():
        if pa.types.is_fixed_size_list(column.type):
            assert column.type.value_field == pa.field("item", pa.float32(), nullable=False), (table.name, column.name)
        else:
            assert column.type in ALLOWED, (table.name, column.name)


def test_names_are_lower_case_and_unique_in_their_table():
    """Trino folds identifiers to lower case, so two names may not differ by case alone."""
    for table in TABLES.values():
        names = [column.name for column in table.columns]
        assert names == [name.lower() for name in names]
        assert len(names) == len(set(names))


def test_every_column_is_described_and_nullable():
    """The server treats every column as nullable, and a column without a meaning is not shipped."""
    for name in TABLES:
        for field in schema_for(name):
            assert field.nullable, field.name
            assert len(field.metadata[b"description"]) > 5, field.name


@pytest.mark.parametrize(("name", "size"), [("metadata_embedding", b"384"), ("channel_fingerprint", b"128")])
def test_vector_fields_state_their_dimension(name, size):
    """The metadata of a vector field carry its dimension."""
    field = vast_schemas.FILES_SCHEMA.field(name)
    assert field.metadata[b"dimension"] == size
    assert str(field.type.list_size).encode() == size


def test_the_first_version_has_four_tables_and_the_current_one_six():
    """1.1.0 adds two tables and nullable columns, and takes nothing away."""
    assert [table.name for table in tables_at("1.0.0")] == ["files", "parts", "channels", "attributes"]
    assert [table.name for table in tables_at()] == list(TABLES)
    for table in tables_at("1.0.0"):
        old, new = schema_for(table.name, "1.0.0"), schema_for(table.name)
        assert [field for field in new if field.name in old.names] == list(old)


def test_the_columns_of_1_1_0_are_absent_from_1_0_0():
    """A version is read off the `since` of each column."""
    added = set(schema_for("files").names) - set(schema_for("files", "1.0.0").names)
    assert added == {
        "frame_number", "sequence_key", "show_name", "sequence_name", "shot_name", "task_name", "layer_name",
        "colorspace", "bit_depth", "version_token", "version_number", "layer_key", "chunk_sizes_sha256",
        "finding_codes", "path",
    }  # fmt: skip
    assert set(schema_for("parts").names) - set(schema_for("parts", "1.0.0").names) == {
        "render_software_version", "render_product", "converter", "render_seconds", "peak_memory_mb", "host", "render_samples",
        "scene_file", "artist", "header_frame", "timecode", "clip_name", "reel", "logical_bytes",
    }  # fmt: skip
    assert set(schema_for("channels").names) - set(schema_for("channels", "1.0.0").names) == {
        "aov_role", "aov_category", "view_name", "light_group",
    }  # fmt: skip


def test_a_table_that_a_version_does_not_have_is_refused():
    """Asking for it names version and table."""
    with pytest.raises(KeyError, match=r"1\.0\.0 has no table 'pixel_stats'"):
        schema_for("pixel_stats", "1.0.0")


def test_the_documented_names_are_the_current_schemas():
    """The module-level schemas are the derived ones."""
    for name in TABLES:
        assert getattr(vast_schemas, f"{name.upper()}_SCHEMA") == schema_for(name, VERSIONS[-1])


def test_child_rows_carry_the_file_and_the_inspection():
    """A file's rows in other tables are found by file_id, and those of one inspection by inspection_id."""
    for name in CHILD_TABLES:
        assert schema_for(name).names[:2] == ["file_id", "inspection_id"]


def test_what_is_sent_has_no_metadata_and_is_otherwise_equal():
    """The server keeps field metadata of its own."""
    wire = wire_schema(vast_schemas.FILES_SCHEMA)
    assert wire.equals(vast_schemas.FILES_SCHEMA, check_metadata=False)
    assert all(field.metadata is None for field in wire)


def test_the_vector_index_column_is_never_refreshed():
    """An indexed column cannot be updated, so it may only follow from path and header."""
    index = TABLES["files"].vector_index
    (column,) = (column for column in TABLES["files"].columns if column.name == index.column)
    assert column.role is Role.HEADER
    assert index.metric == "l2sq"


def test_columns_taken_from_the_payload_are_not_kept_by_the_upsert():
    """AUDIT columns have no source in the payload."""
    assert not [column.name for column in TABLES["files"].columns if column.role is Role.AUDIT and column.source]


def test_every_column_is_on_the_page():
    """Each in the row of its type as SQL names it, with what it means."""
    rows = [line for line in database_schema.page().splitlines() if line.startswith("| `")]
    for _, column in every_column():
        said, kind = f"`{column.name}`: ", f" | {database_schema.type_name(column.type)} | "
        assert any(said in row and kind in row for row in rows), column.name
