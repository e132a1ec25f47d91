"""The handler with a database: what an answer says of the rows, what is stored when objects change underneath, and outages."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import vastdb

import main
from contexts import Context, element
from databases import Database, settings_for
from exr_inspector.errors import Retry, VASTDatabaseError
from exr_inspector.operations.samples import SAMPLES
from exr_inspector.settings import Settings
from local_vast import LocalVast
from object_store import ScriptedStore, object_store

BEAUTY = [name for name in SAMPLES if "beauty/v003" in name]
NOTES = next(name for name in SAMPLES if name.endswith("notes.exr"))
KEY = "shows/a.exr"
DATABASE = "renders"
Row = dict[str, Any]


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Three different renders and a text file."""
    directory = tmp_path_factory.mktemp("samples")
    tables = []
    for number, name in enumerate((*BEAUTY, NOTES)):
        path = directory / f"{number}.exr"
        SAMPLES[name](path)
        tables.append(path.read_bytes())
    return tables


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No setting of the machine's."""
    for name in (name for item in fields(Settings) for name in item.metadata["names"]):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def store(clean: pytest.MonkeyPatch, contents: list[bytes]) -> Iterator[ScriptedStore]:
    """An object store with one render, and settings that point to it."""
    with object_store() as store:
        store.objects[KEY] = contents[0]
        for name, value in {"S3_ENDPOINT": store.url, "S3_ACCESS_KEY": "AKEY", "S3_SECRET_KEY": "hush-s3"}.items():
            clean.setenv(name, value)
        yield store


def use(patch: pytest.MonkeyPatch, url: str, access: str, secret: str) -> None:
    """Settings for a database."""
    names = {"VAST_DB_ENDPOINT": url, "VAST_DB_ACCESS_KEY": access, "VAST_DB_SECRET_KEY": secret, "VAST_DB_BUCKET": DATABASE}
    for name, value in names.items():
        patch.setenv(name, value)


@pytest.fixture
def database(clean: pytest.MonkeyPatch, store: ScriptedStore) -> Iterator[LocalVast]:
    """A database, and settings that point to it."""
    with LocalVast(buckets=(DATABASE,)) as server:
        use(clean, server.url, server.access_key, server.secret_key)
        yield server


def table(server: LocalVast, name: str) -> list[Row]:
    """All rows of a table."""
    return Database(server, settings_for(server.url, server.access_key, server.secret_key, "exr_inspector")).rows(name)


def files(server: LocalVast) -> list[Row]:
    """All rows of `files`, the current ones first."""
    return sorted(table(server, "files"), key=lambda row: not row["is_current"])


def test_the_answer_says_what_was_stored(database: LocalVast, store: ScriptedStore) -> None:
    """The file's id, whether it is new, what its rows are."""
    context = Context()
    answer = main.handler(context, element(KEY))
    (row,) = files(database)
    assert (answer["status"], answer["inserted"], answer["file_id"]) == ("ok", True, row["file_id"])
    assert answer["persistence"]["status"] == "stored"
    assert context.spans == ["fetch", "inspect", "embed", "persist"]
    assert context.entries()[0]["file_id"] == row["file_id"]


def test_the_same_event_again_adds_no_row(database: LocalVast, store: ScriptedStore) -> None:
    """It is counted; the object is looked at once more, since a newer one could have come between."""
    context = Context()
    main.handler(context, element(KEY))
    first = len(store.seen)
    answer = main.handler(context, element(KEY))
    assert (answer["inserted"], answer["persistence"]["inspection_count"]) == (False, 2)
    assert [seen.method for seen in store.seen[first:]] == [seen.method for seen in store.seen[:first]] + ["HEAD"]
    assert len(files(database)) == 1


def test_reading_back_is_switched_off_by_a_setting(database: LocalVast, store: ScriptedStore, clean: pytest.MonkeyPatch) -> None:
    """It is on by default, and costs three requests of an insertion."""
    costs = []
    for switch in ("true", "false"):
        clean.setenv("VAST_DB_READ_BACK", switch)
        for name in (f"shows/first_{switch}.exr", f"shows/second_{switch}.exr"):  # the first one also loads the tables
            store.objects[name] = store.objects[KEY]
            answer = main.handler(Context(), element(name))
        costs.append(answer["persistence"]["requests"])
    assert costs == [10, 7]


def test_statistics_and_validation_are_rows_that_a_repetition_replaces(database: LocalVast, store: ScriptedStore) -> None:
    """Asked for later, they are added to a version that is stored already; asked for again, they are not doubled."""
    context = Context()
    main.handler(context, element(KEY))
    for _ in range(2):
        event = {"data": {"path": f"s3://{KEY}", "stats": True, "policy_path": "default"}}
        answer = main.handler(context, event)
        assert len(table(database, "pixel_stats")) == answer["counts"]["channels"]
        assert len(table(database, "validation_results")) == sum(answer["validation"]["counts"].values())
    assert len(files(database)) == 1


def test_an_unreadable_object_is_a_row_with_its_reason(database: LocalVast, store: ScriptedStore, contents: list[bytes]) -> None:
    """It is what people look for."""
    store.objects[KEY] = contents[-1]
    answer = main.handler(Context(), element(KEY))
    (row,) = files(database)
    assert (answer["status"], row["status"], row["error_code"]) == ("unreadable", "unreadable", "bad_magic")


def test_an_object_that_is_replaced_while_it_is_stored_is_stored_as_it_is_now(
    database: LocalVast, store: ScriptedStore, contents: list[bytes]
) -> None:
    """Two uploads within a second have the same time, so the bucket is asked which one it holds."""
    context = Context()
    main.handler(context, element(KEY))
    store.objects[KEY] = contents[1]

    def replace_once_it_is_stored(count: int) -> None:
        if len(files(database)) > 1:
            store.objects[KEY] = contents[2]

    store.before = replace_once_it_is_stored
    answer = main.handler(context, element(KEY))
    current, *old = files(database)
    assert current["size_bytes"] == len(contents[2])
    assert answer["file_id"] == current["file_id"]
    assert [row["is_current"] for row in old] == [False, False]


def test_a_removed_object_is_marked_and_its_late_removal_is_not_believed(
    database: LocalVast, store: ScriptedStore, contents: list[bytes]
) -> None:
    """What is in the bucket decides, whatever the order of events."""
    context = Context()
    main.handler(context, element(KEY))
    del store.objects[KEY]
    removal = element(KEY, "ElementDeleted") | {"time": "2030-01-01T00:00:00Z"}
    answer = main.handler(context, removal)
    assert (answer["status"], answer["persistence"]["status"]) == ("removed", "stored")
    assert files(database)[0]["deleted_at"] is not None
    store.objects[KEY] = contents[0]
    assert main.handler(context, removal)["status"] == "ok"


def test_the_removal_of_a_local_file_counts_below_the_allowed_folders_alone(
    database: LocalVast, clean: pytest.MonkeyPatch, tmp_path: Path, contents: list[bytes]
) -> None:
    """A container that does not see a folder cannot know that a file in it is gone."""
    path = tmp_path / "a.exr"
    path.write_bytes(contents[0])
    removal = {"type": "vastdata.com:Element.ElementDeleted", "time": "2030-01-01T00:00:00Z", "data": {"path": str(path)}}
    clean.setenv("EXR_LOCAL_ROOTS", str(tmp_path))
    main.handler(Context(), {"data": {"path": str(path)}})
    path.unlink()
    clean.setenv("EXR_LOCAL_ROOTS", "/elsewhere")
    assert main.handler(Context(), removal)["status"] == "rejected"
    assert files(database)[0]["deleted_at"] is None
    clean.setenv("EXR_LOCAL_ROOTS", str(tmp_path))
    assert main.handler(Context(), removal)["status"] == "removed"
    assert files(database)[0]["deleted_at"] is not None


def test_the_removal_of_an_object_that_was_never_stored_is_no_error(database: LocalVast, store: ScriptedStore) -> None:
    """Nothing is stored of it."""
    answer = main.handler(Context(), element("shows/never.exr", "ElementDeleted"))
    assert (answer["status"], answer["persistence"]["status"], answer["errors"]) == ("removed", "skipped", [])


def test_a_database_that_is_out_of_reach_at_the_start_is_found_later(clean: pytest.MonkeyPatch, store: ScriptedStore) -> None:
    """`init` warns and survives; events are raised until the database is there; then they are stored."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        use(clean, f"http://127.0.0.1:{port}", "local", "local-secret")
        context = Context()
        main.init(context)
        assert [level for level, _ in context.lines] == ["warning"]
        with pytest.raises(VASTDatabaseError):
            main.handler(context, element(KEY))
    with LocalVast(buckets=(DATABASE,), port=port):
        assert main.handler(context, element(KEY))["persistence"]["status"] == "stored"
    assert "local-secret" not in str(context.lines)


def test_a_database_that_refuses_the_rows_is_a_reject_that_says_why(database: LocalVast, store: ScriptedStore) -> None:
    """A table that lacks columns does not get them by delivering the event again."""
    session = vastdb.connect(endpoint=database.url, access=database.access_key, secret=database.secret_key)
    with session.transaction() as tx:
        tx.bucket(DATABASE).create_schema("exr_inspector").create_table("files", pa.schema([("file_id", pa.utf8())]))
    context = Context()
    answer = main.handler(context, element(KEY))
    assert (answer["status"], answer["persistence"]["status"]) == ("ok", "error")
    assert answer["persistence"]["error"]["code"] == "schema_drift"
    assert context.entries()[0]["verdict"] == "reject"


def test_credentials_of_an_event_are_used_where_they_are_allowed(
    database: LocalVast, store: ScriptedStore, clean: pytest.MonkeyPatch, tmp_path: Path, contents: list[bytes]
) -> None:
    """As a set, for that event alone."""
    path = tmp_path / "a.exr"
    path.write_bytes(contents[0])
    clean.setenv("EXR_LOCAL_ROOTS", str(tmp_path))
    clean.setenv("EXR_ALLOW_EVENT_CREDENTIALS", "true")
    for name in ("VAST_DB_ENDPOINT", "VAST_DB_ACCESS_KEY", "VAST_DB_SECRET_KEY"):
        clean.delenv(name)
    own = {"vastdb_endpoint": database.url, "vastdb_access_key": database.access_key, "vastdb_secret_key": database.secret_key}
    context = Context()
    assert main.handler(context, {"data": {"path": str(path), **own}})["persistence"]["status"] == "stored"
    assert [value for value, _ in context.measured_as("database_group_files")] == [1]
    assert main.handler(context, {"data": {"path": str(path)}})["persistence"]["status"] == "skipped"
    assert database.secret_key not in str(context.lines)


def test_many_deliveries_at_once_leave_one_current_row(database: LocalVast, store: ScriptedStore) -> None:
    """Up to 20 threads share a container."""
    context = Context()
    main.init(context)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: main.handler(context, element(KEY)), range(20)))
    (row,) = files(database)
    assert (row["is_current"], row["inspection_count"]) == (True, 20)
    assert sum(answer["inserted"] for answer in answers) == 1


@pytest.mark.parametrize("fault", ["reset@any**", "500@insert**"])
def test_no_secret_is_told_when_the_database_fails(database: LocalVast, store: ScriptedStore, fault: str) -> None:
    """Neither in the log nor in what is raised or returned."""
    context = Context()
    main.init(context)
    database.faults.add(fault)
    try:
        text = json.dumps(main.handler(context, element(KEY)))
    except Retry as error:
        text = f"{error} {error.as_dict()} {error.__cause__!r}"
    assert database.secret_key not in text + str(context.lines)
    assert "hush-s3" not in text + str(context.lines)
