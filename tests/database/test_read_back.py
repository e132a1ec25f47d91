"""What is stored is what was found: every sample render, from its event to rows read back through the SDK."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import vastdb

import main
from exr_inspector.embedding.vectors import compute_channel_fingerprint, compute_metadata_embedding
from exr_inspector.operations.samples import SAMPLES, write_samples
from local_vast import LocalVast

TABLES = ("files", "parts", "channels", "attributes")
Row = dict[str, Any]


@dataclass
class Chain:
    """A function joined to an endpoint, and what both say of the samples."""

    results: dict[str, Row]
    again: dict[str, Row]
    rows: dict[str, list[Row]]

    def of(self, table: str, relative: str) -> list[Row]:
        """The rows of one sample in one table."""
        file_id = self.results[relative]["persistence"]["file_id"]
        return [row for row in self.rows[table] if row["file_id"] == file_id]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Every sample delivered twice."""
    directory = tmp_path_factory.mktemp("samples")
    write_samples(directory)
    with LocalVast(buckets=("renders",)) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "VAST_DB_ENDPOINT": server.url,
            "VAST_DB_ACCESS_KEY": server.access_key,
            "VAST_DB_SECRET_KEY": server.secret_key,
            "VAST_DB_BUCKET": "renders",
            "VAST_DB_SCHEMA": "exr",
            "EXR_FULL_PAYLOAD": "true",
            "EXR_LOCAL_ROOTS": str(directory),
        }.items():
            patch.setenv(name, value)
        context = SimpleNamespace()
        main.init(context)
        events = {relative: {"data": {"path": str(directory / relative)}} for relative in SAMPLES}
        rounds = [{relative: main.handler(context, event) for relative, event in events.items()} for _ in range(2)]
        yield Chain(*rounds, rows=read_tables(server))


def read_tables(server: LocalVast) -> dict[str, list[Row]]:
    """All rows of the four tables."""
    session = vastdb.connect(endpoint=server.url, access=server.access_key, secret=server.secret_key)
    with session.transaction() as tx:
        schema = tx.bucket("renders").schema("exr")
        return {name: schema.table(name).select().read_all().to_pylist() for name in TABLES}


def bits(vector: list[float]) -> bytes:
    """A vector as the bytes of its float32 elements."""
    return struct.pack(f"<{len(vector)}f", *vector)


def test_a_second_delivery_adds_no_row(chain: Chain) -> None:
    """The first round inserts every file, the second none; the counts say two inspections."""
    assert all(result["persistence"]["inserted"] for result in chain.results.values())
    assert not any(result["persistence"]["inserted"] for result in chain.again.values())
    assert len(chain.rows["files"]) == len(SAMPLES)
    assert {row["inspection_count"] for row in chain.rows["files"]} == {2}


@pytest.mark.parametrize("relative", SAMPLES)
def test_the_files_row_equals_the_payload(chain: Chain, relative: str) -> None:
    """Path, sizes, times, status and completeness; one current row."""
    file, (row,) = chain.results[relative]["file"], chain.of("files", relative)
    same = {"path": "file_path", "path_normalized": "file_path_normalized", "status": "status"} | {
        key: key
        for key in ("header_hash", "header_bytes", "size_bytes", "etag", "multipart_count", "is_deep", "is_tiled", "frame_number")
    }
    assert {key: row[column] for key, column in same.items()} == {key: file[key] for key in same}
    assert row["mtime"].replace(tzinfo=UTC) == datetime.fromisoformat(file["mtime"])
    assert row["is_current"] is True
    assert row["deleted_at"] is None
    completeness = file["completeness"] or {}
    assert row["completeness"] == completeness.get("verdict")
    assert row["chunks_present"] == completeness.get("chunks_present")


@pytest.mark.parametrize("relative", SAMPLES)
def test_both_vectors_are_stored_bit_for_bit(chain: Chain, relative: str) -> None:
    """The FLOAT32 columns hold exactly the returned lists."""
    payload, (row,) = chain.results[relative], chain.of("files", relative)
    assert bits(row["metadata_embedding"]) == bits(compute_metadata_embedding(payload))
    assert bits(row["channel_fingerprint"]) == bits(compute_channel_fingerprint(payload["channels"]))
    assert row["embedding_version"] == 2


@pytest.mark.parametrize("relative", SAMPLES)
def test_the_parts_rows_equal_the_payload(chain: Chain, relative: str) -> None:
    """One row per part, in order, with its windows and format."""
    parts, rows = chain.results[relative]["parts"], chain.of("parts", relative)
    names = {"index": "part_index", "name": "part_name", "view": "view_name", "type": "part_type"} | {
        key: key
        for key in (
            "width", "height", "data_x_offset", "data_y_offset", "display_width", "display_height", "pixel_aspect_ratio",
            "line_order", "compression", "is_deep", "is_tiled", "tile_width", "tile_height", "chunk_count", "render_software",
        )
    }  # fmt: skip
    stored = [{key: row[column] for key, column in names.items()} for row in rows]
    assert stored == [{key: part[key] for key in names} for part in parts]
    assert [json.loads(row["data_window"]) for row in rows] == [part["data_window"] for part in parts]


@pytest.mark.parametrize("relative", SAMPLES)
def test_the_channels_rows_equal_the_payload(chain: Chain, relative: str) -> None:
    """One row per channel, in order; the part's fingerprint on its first row alone."""
    channels, rows = chain.results[relative]["channels"], chain.of("channels", relative)
    names = {"name": "channel_name", "type": "channel_type"} | {
        key: key for key in ("part_index", "layer_name", "component_name", "x_sampling", "y_sampling", "p_linear")
    }
    stored = [{key: row[column] for key, column in names.items()} for row in rows]
    assert stored == [{key: channel[key] for key in names} for channel in channels]
    for part in {channel["part_index"] for channel in channels}:
        first, *others = (row["channel_fingerprint"] for row in rows if row["part_index"] == part)
        own = [channel for channel in channels if channel["part_index"] == part]
        assert bits(first) == bits(compute_channel_fingerprint(own))
        assert set(others) <= {None}


@pytest.mark.parametrize("relative", SAMPLES)
def test_the_attributes_rows_equal_the_payload(chain: Chain, relative: str) -> None:
    """One row per attribute of each part, in the header's order, with its EXR type and value."""
    rows = chain.of("attributes", relative)
    columns = ("part_index", "attr_index", "attr_name", "attr_type", "size_bytes")
    stored = [(*(row[column] for column in columns), json.loads(row["value_json"])) for row in rows]
    assert stored == [
        (part, index, entry["name"], entry["type"], entry["size"], entry["value"])
        for part, entries in enumerate(chain.results[relative]["attributes"]["parts"])
        for index, entry in enumerate(entries)
    ]


def test_the_faults_are_rows_that_say_so(chain: Chain) -> None:
    """The frame cut short and the text file are stored, each with its status and reason."""
    by_name = {Path(row["file_path"]).name: row for row in chain.rows["files"]}
    assert by_name["sq010_sh020_beauty_v002.1001.exr"]["status"] == "incomplete"
    assert by_name["sq010_sh020_beauty_v002.1001.exr"]["completeness"] == "truncated"
    assert by_name["notes.exr"]["status"] == "unreadable"
    assert by_name["notes.exr"]["error_code"]
    assert sum(row["status"] == "ok" for row in by_name.values()) == len(SAMPLES) - 2


def test_nothing_else_is_stored(chain: Chain) -> None:
    """Every child row belongs to a file, and the tables hold no more than the payloads list."""
    for table, key in (("parts", "parts"), ("channels", "channels")):
        assert len(chain.rows[table]) == sum(len(result[key]) for result in chain.results.values())
