"""Deployments of other functions for EXR on VAST: their settings, secrets and tables, used with this function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
import vastdb

import main
from contexts import Context, element
from exr_inspector.cli import import_list
from exr_inspector.operations.samples import SAMPLES
from exr_inspector.settings import Settings
from local_vast import LocalVast

# `pytest.warns` passes on what it was not asked for, and then it no longer comes from the module that pyproject.toml names.
pytestmark = pytest.mark.filterwarnings(r"ignore:datetime\.datetime\.utcnow:DeprecationWarning")

BEAUTY = next(name for name in SAMPLES if name.endswith("beauty_v003.1001.exr"))
EXR_INSPECTOR = pa.schema([("file_id", pa.utf8()), ("file_path", pa.utf8()), ("metadata_embedding", pa.list_(pa.float32()))])
"""Some columns of their table `files`, as both declare them."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalVast]:
    """An endpoint with one render, and no setting of this machine's."""
    for name in (name for item in fields(Settings) for name in item.metadata["names"]):
        monkeypatch.delenv(name, raising=False)
    SAMPLES[BEAUTY](tmp_path / "a.exr")
    with LocalVast(buckets=("renders", "exr-data")) as running:
        keys = {"aws_access_key_id": running.access_key, "aws_secret_access_key": running.secret_key}
        client = boto3.client("s3", endpoint_url=running.url, region_name="us-east-1", **keys)
        client.put_object(Bucket="renders", Key="sq010/a.exr", Body=(tmp_path / "a.exr").read_bytes())
        yield running


def objects_of(server: LocalVast) -> dict[str, str]:
    """What all of them need for the objects."""
    return {"S3_ENDPOINT": server.url, "S3_ACCESS_KEY": server.access_key, "S3_SECRET_KEY": server.secret_key}


def paths(server: LocalVast, schema: str) -> list[str]:
    """The stored paths."""
    session = vastdb.connect(endpoint=server.url, access=server.access_key, secret=server.secret_key)
    with session.transaction() as tx:
        files = tx.bucket("exr-data").schema(schema).table("files")
        found: list[str] = files.select(columns=["file_path"]).read_all()["file_path"].to_pylist()
    return found


def inspect(context: Context) -> dict[str, Any]:
    """The answer to the event of the render."""
    main.init(context)
    answer: dict[str, Any] = main.handler(context, element("renders/sq010/a.exr"))
    return answer


def test_an_environment_of_exr_inspector_stores(server: LocalVast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Database settings fall back to those of the objects, which is said."""
    for name, value in {**objects_of(server), "VAST_DB_BUCKET": "exr-data", "VAST_DB_SCHEMA": "exr_again"}.items():
        monkeypatch.setenv(name, value)
    with pytest.warns(
        UserWarning, match="VAST_DB_ENDPOINT, VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY: not set although VAST_DB_BUCKET"
    ):
        answer = inspect(Context())
    assert (answer["status"], answer["persistence"]["status"]) == ("ok", "stored")
    assert paths(server, "exr_again") == ["s3://renders/sq010/a.exr"]


@pytest.mark.parametrize("name", ["vast-db", "studio-db"])
def test_the_secret_of_frame_metadata_extractor_stores(name: str, server: LocalVast, monkeypatch: pytest.MonkeyPatch) -> None:
    """`vast-db` has endpoint, access_key and secret_key; VAST_DB_SECRET_NAME names another one."""
    monkeypatch.setenv("VAST_DB_SECRET_NAME", name)
    for key, value in {**objects_of(server), "VAST_DB_BUCKET": "exr-data", "VAST_DB_SCHEMA": "frames_again"}.items():
        monkeypatch.setenv(key, value)
    secret = {"endpoint": server.url, "access_key": server.access_key, "secret_key": server.secret_key}
    answer = inspect(Context(secrets={name: secret, "other-function": {"endpoint": "http://elsewhere"}}))
    assert answer["persistence"]["status"] == "stored"
    assert paths(server, "frames_again") == ["s3://renders/sq010/a.exr"]


def test_their_tables_are_refused_and_left_alone(server: LocalVast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the old schema is still named, the event is an error that names another schema as the way out."""
    make_their_files(server, "exr_metadata", [])
    for name, value in {**objects_of(server), "VAST_DB_BUCKET": "exr-data", "VAST_DB_SCHEMA": "exr_metadata"}.items():
        monkeypatch.setenv(name, value)
    with pytest.warns(UserWarning, match="VAST_DB_BUCKET"):
        answer = inspect(Context())
    assert answer["persistence"]["error"]["code"] == "schema_drift"
    assert "VAST_DB_SCHEMA" in answer["persistence"]["error"]["remedy"]


def test_a_function_that_will_store_nothing_logs_an_error_at_its_start(
    server: LocalVast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the setting that is missing, and where other functions' names for it are explained."""
    for name, value in objects_of(server).items():
        monkeypatch.setenv(name, value)
    context = Context()
    assert inspect(context)["persistence"]["status"] == "skipped"
    level, entry = context.lines[0][0], context.entries()[0]
    assert (level, entry["message"]) == ("error", "nothing will be stored")
    assert entry["error"]["message"] == "VAST_DB_ENDPOINT is not set"
    assert "docs/COMING_FROM.md" in entry["error"]["remedy"]


def make_their_files(server: LocalVast, schema: str, stored: list[str]) -> None:
    """Their table `files`."""
    session = vastdb.connect(endpoint=server.url, access=server.access_key, secret=server.secret_key)
    with session.transaction() as tx:
        table = tx.bucket("exr-data").create_schema(schema).create_table("files", EXR_INSPECTOR)
        if stored:
            rows = [{"file_id": str(number), "file_path": path} for number, path in enumerate(stored)]
            table.insert(pa.Table.from_pylist(rows, schema=EXR_INSPECTOR))


@pytest.mark.parametrize(
    ("stored", "options", "listed"),
    [
        (["renders/sq010/a.exr", "renders/b.dpx", "renders/sq010/a.exr"], [], ["s3://renders/sq010/a.exr"]),
        (["sq010/a.exr", "s3://other/b.EXR"], ["--bucket", "renders"], ["s3://other/b.EXR", "s3://renders/sq010/a.exr"]),
    ],
)
def test_their_files_become_a_list_for_backfill(
    stored: list[str], options: list[str], listed: list[str], server: LocalVast, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each EXR once; keys without a bucket get the one that is named; other formats are counted."""
    make_their_files(server, "frame_metadata", stored)
    for name, value in {"ENDPOINT": server.url, "ACCESS_KEY": server.access_key, "SECRET_KEY": server.secret_key}.items():
        monkeypatch.setenv(f"VAST_DB_{name}", value)
    monkeypatch.setenv("VAST_DB_BUCKET", "exr-data")
    assert import_list.main(["--from", "frame_metadata", "--output", str(tmp_path / "list"), *options]) == 0
    assert (tmp_path / "list").read_text().split() == listed


def test_a_schema_without_their_table_is_named(server: LocalVast, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit status 2; the list is not written."""
    for name, value in {"ENDPOINT": server.url, "ACCESS_KEY": server.access_key, "SECRET_KEY": server.secret_key}.items():
        monkeypatch.setenv(f"VAST_DB_{name}", value)
    assert import_list.main(["--from", "exr-data/nothing", "--output", str(tmp_path / "list")]) == 2
    assert not (tmp_path / "list").exists()


def look_up(server: LocalVast, schema: str, asked: str) -> tuple[str, list[dict[str, Any]]]:
    """What SpaceHarbor's service finds for a path: the column that it compares with, and the rows."""
    session = vastdb.connect(endpoint=server.url, access=server.access_key, secret=server.secret_key)
    with session.transaction() as tx:
        rows = tx.bucket("exr-data").schema(schema).table("files").select().read_all()[:10_000].to_pylist()
    compared = ("source_uri", "s3_key", "path", "file_path", "uri")
    column = next(name for wanted in compared for name in rows[0] if name.lower() == wanted)
    key = asked.removeprefix("s3://")
    found = [row for row in rows if row[column] == key]
    return column, found or [row for row in rows if row[column] == key.partition("/")[2]]


@pytest.mark.parametrize("asked", ["s3://renders/sq010/a.exr", "renders/sq010/a.exr"])
def test_a_look_up_of_space_harbor_finds_its_row(asked: str, server: LocalVast, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks without the scheme, and compares with the first column of a name that it knows."""
    for name, value in {**objects_of(server), "VAST_DB_BUCKET": "exr-data", "VAST_DB_SCHEMA": "exr_again"}.items():
        monkeypatch.setenv(name, value)
    with pytest.warns(UserWarning, match="VAST_DB_BUCKET"):
        inspect(Context())
    column, found = look_up(server, "exr_again", asked)
    assert column == "path"
    assert [(row["file_path"], row["status"]) for row in found] == [("s3://renders/sq010/a.exr", "ok")]
    assert look_up(server, "exr_again", "s3://renders/sq010/b.exr") == ("path", [])
