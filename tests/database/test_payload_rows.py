"""Payload -> Arrow tables: exact schemas, exact values, and refusals that name the field."""

from __future__ import annotations

import contextlib
import copy
import json
import math
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_inspector.database import rows as vast_rows
from exr_inspector.embedding.vectors import compute_channel_fingerprint, compute_metadata_embedding
from exr_inspector.errors import BadPayload, VectorEmbeddingError
from exr_inspector.path_templates import parse_templates
from exr_inspector.payload.names import parse_name
from sample_payloads import PATH, channel, part, payload, unreadable
from vast_schemas import MAX_CELL_BYTES, TABLES, schema_for

BUILDERS = {
    "files": vast_rows.payload_to_files_row,
    "parts": vast_rows.payload_to_parts_rows,
    "channels": vast_rows.payload_to_channels_rows,
    "attributes": vast_rows.payload_to_attributes_rows,
    "pixel_stats": vast_rows.payload_to_pixel_stats_rows,
    "validation_results": vast_rows.payload_to_validation_rows,
}


def changed(path, value):
    """A payload with the value at `path` (keys and indexes) replaced."""
    document = copy.deepcopy(payload())
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return document


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_exactly_its_schema(table):
    """Column order, types, nullability and metadata, whether there are rows or not."""
    for document in (payload(), unreadable()):
        assert BUILDERS[table](document).schema.equals(schema_for(table), check_metadata=True)


def test_a_files_row_says_what_the_payload_says():
    """Values stand unchanged; times are UTC without zone; file_id follows from path and header."""
    document = payload(size_bytes=7, mtime="2026-01-31T13:00:00+01:00")
    row = vast_rows.payload_to_files_row(document).to_pylist()[0]
    file = document["file"]
    for name in ("etag", "header_hash", "header_bytes", "size_bytes", "status", "frame_number", "sequence_key", "is_deep"):
        assert row[name] == file[name]
    assert row["file_path"] == row["file_path_normalized"] == PATH
    assert row["mtime"].isoformat() == "2026-01-31T12:00:00"
    assert row["file_id"] == vast_rows.file_id_of(PATH, file["header_hash"])
    assert (row["completeness"], row["chunks_expected"], row["bytes_missing"]) == ("complete", 68, 0)
    assert (row["channel_count"], row["bit_depth"], row["colorspace"]) == (7, 32, "ACEScg")
    assert (row["show_name"], row["sequence_name"], row["shot_name"]) == ("apollo", "ab", "ab_0010")
    assert (row["is_current"], row["inspection_count"], row["deleted_at"]) == (True, 1, None)


@pytest.mark.parametrize(
    ("path", "template", "place"),
    [
        ("/shows/apollo/sq010/sh020/comp/x_v002.exr", "", ("apollo", "sq010", "sh020", "comp", None, "v002")),
        ("/shows/apollo/sq010/sh020/comp/x_v002.exr", "/shows/{show}/{shot}/*", (None, None, None, None, None, "v002")),
        ("/vol/NEB/10/V7/key/x_v002.exr", "/vol/{show}/{shot}/{version}/{layer}/*", ("NEB", None, "10", None, "key", "v7")),
        ("/vol/NEB/10/key/x_v002.exr", "/vol/{show}/{shot}/{layer}/*", ("NEB", None, "10", None, "key", "v002")),
    ],
)  # fmt: skip
def test_a_file_is_stored_where_it_belongs(path, template, place):
    """By conventions, or by a template, whose version wins over the one in the name."""
    templates = parse_templates(template) if template else ()
    document = payload(path)
    document["file"]["version_token"] = "v002"
    row = vast_rows.rows_of(document, templates=templates).file
    names = ("show_name", "sequence_name", "shot_name", "task_name", "layer_name", "version_token")
    assert tuple(row[name] for name in names) == place


@pytest.mark.parametrize(
    ("path", "template", "version", "key"),
    [
        ("/s/v010/beauty_v010.1001.exr", "", 10, "/s/v#/beauty_v#.#.exr"),
        ("/s/tool_v2/beauty_V010.1001.exr", "", 10, "/s/tool_v2/beauty_v#.#.exr"),
        ("/s/beauty_v003.exr", "", 3, "/s/beauty_v#.exr"),
        ("/s/10/VER.003/beauty.1001.exr", "/s/{shot}/{version}/*", 3, "/s/10/v#/beauty.#.exr"),
        ("/s/beauty.1001.exr", "", None, "/s/beauty.#.exr"),
        ("/s/v20260131123059000001/a.1001.exr", "", None, "/s/v#/a.#.exr"),
    ],
)  # fmt: skip
def test_versions_of_a_layer_share_a_key_and_have_numbers(path, template, version, key):
    """Written in any way, but not the version of something else in the path; without a version the key is the sequence's."""
    document = payload(path)
    document["file"] |= {name: getattr(parse_name(path), name) for name in ("sequence_key", "version_token", "frame_number")}
    row = vast_rows.rows_of(document, templates=parse_templates(template) if template else ()).file
    assert (row["version_number"], row["layer_key"]) == (version, key)


def test_vectors_are_the_computed_ones_bit_for_bit():
    """The stored float32 equal the returned floats."""
    document = payload()
    row = vast_rows.payload_to_files_row(document).to_pylist()[0]
    assert row["metadata_embedding"] == compute_metadata_embedding(document)
    assert row["channel_fingerprint"] == compute_channel_fingerprint(document["channels"])


def test_the_codes_of_what_was_found_stand_in_one_column():
    """Errors before warnings, each code once; null where there is neither."""
    found = {"errors": [{"code": "b"}, {"code": "a"}], "warnings": [{"code": "c"}, {"code": "a"}, {}]}
    rows = [vast_rows.payload_to_files_row(one).to_pylist()[0] for one in (payload() | found, payload())]
    assert [row["finding_codes"] for row in rows] == ["b a c", None]


def test_an_object_is_known_without_its_scheme_too():
    """Bucket and key, as others write an address; a local file has no such name."""
    named = [payload("s3://renders/sq010/a.exr"), payload("/mnt/renders/sq010/a.exr")]
    assert [vast_rows.payload_to_files_row(one)["path"][0].as_py() for one in named] == ["renders/sq010/a.exr", None]


def test_the_parts_fingerprint_stands_on_its_first_channel_alone():
    """Two parts, two fingerprints, null on the other channels."""
    channels = [channel("R"), channel("G"), channel("Z", "FLOAT", 1), channel("A", "HALF", 1)]
    document = payload() | {"parts": [part(0), part(1)], "channels": channels}
    rows = vast_rows.payload_to_channels_rows(document).to_pylist()
    assert rows[0]["channel_fingerprint"] == compute_channel_fingerprint(channels[:2])
    assert rows[2]["channel_fingerprint"] == compute_channel_fingerprint(channels[2:])
    assert rows[1]["channel_fingerprint"] is rows[3]["channel_fingerprint"] is None


def test_channels_keep_their_order_and_say_their_role():
    """channel_index is the position; what a payload does not say comes from the names."""
    rows = vast_rows.payload_to_channels_rows(payload()).to_pylist()
    assert [row["channel_index"] for row in rows] == list(range(7))
    assert [row["aov_role"] for row in rows] == ["beauty"] * 3 + ["alpha", "diffuse", "normal", "depth"]
    assert [row["aov_category"] for row in rows] == ["beauty"] * 4 + ["lighting", "utility", "depth"]


def test_channels_say_what_their_payload_says():
    """View, role, category and light group, as they stand there."""
    said = {"role": "diffuse", "category": "light_group", "view": "left", "light_group": "key"}
    (row,) = vast_rows.payload_to_channels_rows(payload() | {"channels": [channel("x") | said]}).to_pylist()
    columns = ("aov_role", "aov_category", "view_name", "light_group")
    assert [row[column] for column in columns] == list(said.values())


@pytest.mark.parametrize("field", ["name", "view", "attributes", "part_index", "channel"])
def test_a_payload_that_does_not_say_it_and_is_wrong_is_refused(field):
    """The names are read only after they were checked."""
    document = payload()
    if field == "attributes":
        document["attributes"] = {"parts": [3]}
    elif field in ("part_index", "channel"):
        document["channels"][0]["part_index" if field == "part_index" else "name"] = []
    else:
        document["parts"][0][field] = 7
    with pytest.raises(BadPayload):
        vast_rows.rows_of(document)


@pytest.mark.parametrize("value", [7, [1]])
def test_views_of_the_wrong_type_are_no_views(value):
    """An attribute may hold anything; names are read all the same."""
    document = payload()
    document["attributes"]["parts"][0].append({"name": "multiView", "type": "int", "size": 4, "value": value})
    rows = vast_rows.payload_to_channels_rows(document).to_pylist()
    assert [row["aov_role"] for row in rows] == ["beauty"] * 3 + ["alpha", "diffuse", "normal", "depth"]


def test_attributes_keep_order_duplicates_and_the_column_of_their_kind():
    """A text in value_text, numbers in value_int and value_float, everything decoded in value_json, the rest raw."""
    rows = vast_rows.payload_to_attributes_rows(payload()).to_pylist()
    assert [row["attr_name"] for row in rows] == [
        "owner", "renderTime", "samples", "exposure", "worldToCamera", "vendorBlob", "owner",
    ]  # fmt: skip
    typed = [(row["value_text"], row["value_int"], row["value_float"]) for row in rows]
    assert typed[:3] == [("ayşe", None, None), (None, None, 12.5), (None, 64, 64.0)]
    assert math.isnan(typed[3][2])
    assert json.loads(rows[4]["value_json"]) == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert (rows[5]["value_json"], rows[5]["raw_base64"]) == (None, "AAE=")


def test_a_file_that_is_no_exr_is_a_row_with_its_reason():
    """Status and reason stand in columns; other tables stay empty."""
    row = vast_rows.payload_to_files_row(unreadable()).to_pylist()[0]
    assert (row["status"], row["error_code"], row["error_message"]) == ("unreadable", "not_exr", "the magic number is missing")
    assert row["header_hash"] is None
    assert vast_rows.payload_to_channels_rows(unreadable()).num_rows == 0


def test_statistics_and_findings_become_rows():
    """`stats.channels` and `validation.results` are stored as they are; values that may be anything as JSON."""
    document = payload() | {
        "stats": {"channels": [{"part_index": 0, "channel_name": "R", "nan_count": 3, "max_value": "Infinity"}]},
        "validation": {"results": [{"policy_id": "p", "rule_id": "r", "status": "FAIL", "expected": {"max": 2}, "actual": [3]}]},
    }
    stats = vast_rows.payload_to_pixel_stats_rows(document).to_pylist()[0]
    finding = vast_rows.payload_to_validation_rows(document).to_pylist()[0]
    assert (stats["channel_name"], stats["nan_count"], stats["max_value"]) == ("R", 3, math.inf)
    assert (finding["rule_id"], finding["expected"], finding["actual"]) == ("r", '{"max":2}', "[3]")


def test_absent_values_stay_null():
    """Nothing that the payload lacks becomes 0 or an empty text."""
    document = {"file": {"path": "/a/b.exr"}, "parts": [{"index": 0}], "channels": []}
    row = vast_rows.payload_to_files_row(document).to_pylist()[0]
    assert [row[name] for name in ("size_bytes", "mtime", "etag", "status", "header_hash", "bit_depth")] == [None] * 6
    parts = vast_rows.payload_to_parts_rows(document).to_pylist()[0]
    assert {name for name, value in parts.items() if value is not None} == {"file_id", "inspection_id", "part_index"}


WRONG = [
    (("file", "path"), None, "file.path", "a text"),
    (("file", "path"), "", "file.path", "a text"),
    (("file", "size_bytes"), "12", "file.size_bytes", "an integer"),
    (("file", "size_bytes"), True, "file.size_bytes", "an integer"),
    (("file", "size_bytes"), 2**63, "file.size_bytes", "an integer of 64 bits"),
    (("file", "mtime"), "yesterday", "file.mtime", "an ISO 8601 time"),
    (("file", "mtime"), 1700000000, "file.mtime", "an ISO 8601 time"),
    (("file", "is_deep"), "no", "file.is_deep", "true or false"),
    (("file", "etag"), 5, "file.etag", "a text"),
    (("file",), [], "file", "an object"),
    (("file", "completeness"), 3, "file.completeness", "an object"),
    (("parts", 0, "chunk_count"), 1.5, "parts[0].chunk_count", "an integer"),
    (("parts", 0, "index"), "0", "parts[0].index", "an integer"),
    (("parts", 0, "index"), 2**40, "parts[0].index", "an integer of 32 bits"),
    (("parts", 0, "pixel_aspect_ratio"), "1:1", "parts[0].pixel_aspect_ratio", "a number"),
    (("parts",), None, "parts", "a list"),
    (("channels", 3, "type"), 5, "channels[3].type", "a text"),
    (("channels", 3, "type"), None, "channels[3].type", "a text"),
    (("channels", 1), "R", "channels[1]", "an object"),
    (("attributes", "parts", 0, 2, "name"), 7, "attributes.parts[0][2].name", "a text"),
    (("attributes", "parts", 0, 1, "value"), float("nan"), "attributes.parts[0][1].value", "a JSON value"),
    (("errors",), "none", "errors", "a list"),
]


@pytest.mark.parametrize(("path", "value", "field", "expected"), WRONG)
def test_a_wrong_type_is_refused_by_name(path, value, field, expected):
    """The error says which field, what was expected and what came."""
    with pytest.raises(BadPayload) as caught:
        vast_rows.rows_of(changed(path, value))
    assert (caught.value.field, caught.value.expected) == (field, expected)
    assert field in str(caught.value)


@pytest.mark.parametrize(
    ("table", "path", "field"),
    [
        ("files", ("file", "size_bytes"), "file.size_bytes"),
        ("parts", ("parts", 0, "width"), "parts[0].width"),
        ("channels", ("channels", 0, "x_sampling"), "channels[0].x_sampling"),
        ("attributes", ("attributes", "parts", 0, 0, "size"), "attributes.parts[0][0].size"),
    ],
)
def test_each_row_function_refuses_by_itself(table, path, field):
    """The same error comes from the function of one table."""
    with pytest.raises(BadPayload) as caught:
        BUILDERS[table](changed(path, "wide"))
    assert caught.value.field == field


@pytest.mark.parametrize("document", [None, [], "payload", {}, {"file": None}])
def test_what_is_no_payload_is_refused(document):
    """No traceback of another kind for any shape."""
    with pytest.raises(BadPayload):
        vast_rows.rows_of(document)


def test_a_vector_of_another_dimension_names_both_numbers():
    """384 is wanted, 512 came."""
    with pytest.raises(VectorEmbeddingError, match=r"384 numbers.*512 numbers"):
        vast_rows.payload_to_files_row(payload(), [0.0] * 512)


@pytest.mark.parametrize("embedding", [[float("nan")] * 384, "x" * 384, 5])
def test_a_vector_that_is_none_is_refused(embedding):
    """Not finite, a text, a number."""
    with pytest.raises(VectorEmbeddingError):
        vast_rows.payload_to_files_row(payload(), embedding)


def test_raw_output_is_the_payload_without_what_changes_by_itself():
    """Timings and persistence differ between two inspections of the same bytes."""
    document = payload()
    expected = {key: value for key, value in document.items() if key not in ("timings_ms", "persistence")}
    assert json.loads(vast_rows.raw_output(document)) == expected


def test_a_large_attribute_value_is_replaced_by_its_digest():
    """The largest go first; the others stay; the whole fits in a cell, and the payload itself is left alone."""
    document = payload()
    document["attributes"]["parts"][0][0]["value"] = "x" * 200_000
    text = vast_rows.raw_output(document)
    stored = json.loads(text)["attributes"]["parts"][0]
    assert len(text.encode()) <= MAX_CELL_BYTES
    assert (stored[0]["value"]["omitted"], stored[0]["value"]["bytes"]) == (True, 200_002)
    assert stored[1:] == document["attributes"]["parts"][0][1:]
    assert len(document["attributes"]["parts"][0][0]["value"]) == 200_000


def test_a_payload_of_many_channels_is_digested_by_section():
    """`file` stays readable whatever the size of the rest."""
    document = payload() | {"channels": [channel(f"layer{i}.R") for i in range(3000)]}
    text = vast_rows.raw_output(document)
    assert len(text.encode()) <= MAX_CELL_BYTES
    stored = json.loads(text)
    assert stored["channels"]["omitted"] is True
    assert stored["file"] == document["file"]


def test_no_cell_is_larger_than_the_server_takes():
    """A long attribute value is stored as its digest; bytes of a file name that are not UTF-8 are spelled out."""
    document = payload("/mnt/\udcff.exr")
    document["attributes"]["parts"][0][0]["value"] = "y" * 200_000
    row = vast_rows.payload_to_attributes_rows(document).to_pylist()[0]
    assert json.loads(row["value_text"])["bytes"] == 200_000
    assert vast_rows.payload_to_files_row(document).to_pylist()[0]["file_path"] == "/mnt/\\udcff.exr"


def test_many_files_become_one_table_each():
    """Rows stand in the order of the files, each with its own inspection."""
    stamps = [vast_rows.new_stamp(), vast_rows.new_stamp()]
    files = [vast_rows.rows_of(payload(f"/r/{name}.exr")) for name in "ab"]
    tables = vast_rows.to_tables(zip(files, stamps, strict=True))
    assert [row["inspection_id"] for row in tables["files"].to_pylist()] == [stamp.inspection_id for stamp in stamps]
    assert tables["channels"].num_rows == 14
    assert set(tables["channels"]["file_id"].to_pylist()) == {file.file_id for file in files}


@given(st.text(min_size=1, max_size=40), st.one_of(st.none(), st.text(max_size=8)))
@settings(max_examples=50)
def test_any_path_gives_a_file_id_and_encodable_rows(path, header_hash):
    """The identity is total over what a file system can hand out."""
    assert len(vast_rows.file_id_of(path, header_hash)) == 64
    assert vast_rows.file_id_of(path + "x", header_hash) != vast_rows.file_id_of(path, header_hash)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from([("file", "size_bytes"), ("parts", 0), ("channels", 0, "name"), ("attributes", "parts", 0), ("stats",)]),
)
@settings(max_examples=200, deadline=None)
def test_any_value_anywhere_gives_rows_or_a_named_refusal(value, path):
    """No other exception leaves the row builder."""
    with contextlib.suppress(BadPayload):
        tables = vast_rows.to_tables([(vast_rows.rows_of(changed(path, value)), vast_rows.new_stamp())])
        assert all(isinstance(table, pa.Table) for table in tables.values())


def test_times_are_stored_in_utc():
    """A stamp's time is the present."""
    before = datetime.now(UTC).replace(tzinfo=None)
    assert before <= vast_rows.new_stamp().now <= datetime.now(UTC).replace(tzinfo=None)


def test_sequence_and_shot_of_the_header_count_where_the_path_does_not_tell() -> None:
    """Unreal names them; a path that tells them is believed."""
    told = {"sequence_name": "SQ010", "shot_name": "sh020"}
    stray, placed = payload("/tmp/x.1001.exr"), payload()
    for document in (stray, placed):
        document["parts"][0] |= told
    answers = [vast_rows.payload_to_files_row(document).to_pylist()[0] for document in (stray, placed)]
    assert [(row["show_name"], row["sequence_name"], row["shot_name"]) for row in answers] == [
        (None, "SQ010", "sh020"), ("apollo", "ab", "ab_0010"),
    ]  # fmt: skip
