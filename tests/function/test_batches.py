"""A list of events: as many answers, one transaction, one log line for each; what has to come again is raised in the end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import main
from contexts import Context, element
from databases import BUCKET, Database
from exr_inspector.errors import Retry, VASTDatabaseError
from exr_inspector.exr import completeness
from exr_inspector.function.events import Request
from exr_inspector.function.job import Job
from exr_inspector.operations.samples import SAMPLES
from exr_inspector.settings import Settings
from local_vast import LocalVast
from object_store import ScriptedStore, object_store

BEAUTY = next(name for name in SAMPLES if name.endswith("beauty_v003.1001.exr"))
KEYS = [f"renders/shows/{n}.exr" for n in range(5)]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedStore]:
    """An object store with five renders, and settings that point to it."""
    for name in (name for item in fields(Settings) for name in item.metadata["names"]):
        monkeypatch.delenv(name, raising=False)
    SAMPLES[BEAUTY](tmp_path / "beauty.exr")
    with object_store() as store:
        store.objects |= dict.fromkeys(KEYS, (tmp_path / "beauty.exr").read_bytes())
        for name, value in {"S3_ENDPOINT": store.url, "S3_ACCESS_KEY": "AKEY", "S3_SECRET_KEY": "hush-s3"}.items():
            monkeypatch.setenv(name, value)
        yield store


@pytest.fixture
def database(store: ScriptedStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database, and settings that point to it."""
    with LocalVast(buckets=(BUCKET,)) as server:
        use(monkeypatch, server.url)
        settings = Settings(db_endpoint=server.url, db_access_key="local", db_secret_key="local-secret", db_bucket=BUCKET)
        yield Database(server, settings)


def use(patch: pytest.MonkeyPatch, url: str) -> None:
    """Settings for a database."""
    names = {"ENDPOINT": url, "ACCESS_KEY": "local", "SECRET_KEY": "local-secret", "BUCKET": BUCKET}
    for name, value in names.items():
        patch.setenv(f"VAST_DB_{name}", value)


def test_a_list_is_stored_together_and_answered_one_by_one(database: Database, store: ScriptedStore) -> None:
    """One transaction and its reading back, one GET for each object, one log line for each event."""
    context = Context()
    main.handler(context, element(KEYS[0]))  # makes the tables
    database.server.clear_requests()
    store.seen.clear()
    answers = main.handler(context, [element(key) for key in KEYS[1:]])
    assert [(one["status"], one["inserted"], one["path"]) for one in answers] == [("ok", True, f"s3://{key}") for key in KEYS[1:]]
    assert database.commands().count("POST transaction") == 2
    assert sorted((seen.method, seen.key) for seen in store.seen) == [("GET", key) for key in KEYS[1:]]
    assert [entry["location"] for entry in context.entries()[1:]] == [f"s3://{key}" for key in KEYS[1:]]
    assert len({one["file_id"] for one in answers}) == 4


def test_each_event_has_the_answer_that_it_would_have_alone(database: Database, store: ScriptedStore) -> None:
    """Not ours, hopeless, unreadable, removed, twice the same: in the order of the list."""
    store.objects["renders/text.exr"] = b"no picture"
    events = [
        element("renders/notes.txt"),
        {"data": {"path": "/not/allowed.exr"}},
        element("renders/text.exr"),
        element(KEYS[0]),
        element(KEYS[0]),
        element("renders/gone.exr", "ElementDeleted"),
    ]
    answers = main.handler(Context(), events)
    assert [one["status"] for one in answers] == ["skipped", "rejected", "unreadable", "ok", "ok", "removed"]
    assert [answers[at]["persistence"]["inspection_count"] for at in (3, 4)] == [1, 2]


def test_one_object_that_takes_too_much_keeps_no_other_back(
    database: Database, store: ScriptedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two records of one event, the other is stored."""
    describe = Job.describe

    def describe_or_fail(job: Job, request: Request, opened: Any) -> dict[str, Any]:
        if request.location.endswith("0.exr"):
            raise MemoryError
        return describe(job, request, opened)

    monkeypatch.setattr(Job, "describe", describe_or_fail)
    records = [{"s3": {"bucket": {"name": "renders"}, "object": {"key": key.partition("/")[2]}}} for key in KEYS[:2]]
    (answer,) = main.handler(Context(), [{"data": {"Records": records}}])
    assert [one["status"] for one in answer["results"]] == ["rejected", "ok"]
    assert [row["object_key"] for row in database.at("exr_inspector").rows("files")] == [KEYS[1].partition("/")[2]]


def test_an_empty_list_has_an_empty_answer(store: ScriptedStore) -> None:
    """As long as the list."""
    assert main.handler(Context(), []) == []


def test_what_has_to_come_again_is_raised_when_all_are_done(store: ScriptedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away: each event says so in its line, and the batch is delivered again."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        use(monkeypatch, f"http://127.0.0.1:{closed.getsockname()[1]}")
        context = Context()
        with pytest.raises(VASTDatabaseError, match="connection was refused"):
            main.handler(context, [element(KEYS[0]), element("renders/notes.txt"), element(KEYS[1])])
    assert [entry["verdict"] for entry in context.entries()] == ["retry", "skip", "retry"]


def test_an_error_that_nobody_foresaw_is_one_line_and_comes_again(
    database: Database, store: ScriptedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others of the batch are stored, and have theirs."""
    assess = completeness.assess

    def break_once(header: Any, opened: Any, **more: Any) -> Any:
        if opened.object_key == KEYS[1].partition("/")[2]:
            raise LookupError("odd")
        return assess(header, opened, **more)

    monkeypatch.setattr("exr_inspector.exr.completeness.assess", break_once)
    context = Context()
    with pytest.raises(Retry, match="LookupError: odd"):
        main.handler(context, [element(key) for key in KEYS[:3]])
    assert sorted(entry["verdict"] for entry in context.entries()) == ["done", "done", "retry"]
    (faulty,) = (entry for entry in context.entries() if entry["verdict"] == "retry")
    assert (faulty["location"], "in break_once" in faulty["traceback"]) == (f"s3://{KEYS[1]}", True)
    assert [labels["code"] for _, labels in context.measured_as("events")].count("internal_error") == 1


def test_a_batch_is_measured_as_its_events_and_its_transaction(database: Database, store: ScriptedStore) -> None:
    """Five events, and one transaction with five changes."""
    context = Context()
    main.handler(context, [element(key) for key in KEYS])
    assert len(context.measured_as("events")) == 5
    assert [value for value, _ in context.measured_as("database_group_files")] == [5]
    assert sum(value for value, _ in context.measured_as("database_attempts")) == 1
    assert sum(value for value, _ in context.measured_as("events_in_progress")) == 0


def test_one_unreachable_object_lets_the_others_be_stored(database: Database, store: ScriptedStore) -> None:
    """The store answers that it is busy for one key, as often as it is asked."""
    store.busy.add(KEYS[2])
    with pytest.raises(Retry):
        main.handler(Context(), [element(key) for key in KEYS])
    assert {row["object_key"] for row in database.at("exr_inspector").rows("files")} == {
        key.partition("/")[2] for key in KEYS if key != KEYS[2]
    }


def test_an_object_that_is_replaced_while_the_others_are_read_is_inspected_again(
    database: Database, store: ScriptedStore
) -> None:
    """Where rows were there before, its ETag is looked at after the commit."""
    main.handler(Context(), element(KEYS[0]))
    replaced = store.objects[KEYS[0]] + b"more"

    def replace(count: int) -> None:
        if count >= 3:  # the HEAD after the GETs of this test
            store.objects[KEYS[0]] = replaced

    store.before = replace
    answers: list[dict[str, Any]] = main.handler(Context(), [element(KEYS[0]), element(KEYS[1])])
    assert [one["status"] for one in answers] == ["ok", "ok"]
    sizes = {row["object_key"]: row["size_bytes"] for row in database.at("exr_inspector").rows("files") if row["is_current"]}
    assert sizes[KEYS[0].partition("/")[2]] == len(replaced)
