"""The secret key reaches no log, no result and no exception text, whatever fails."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from dataclasses import replace

import pytest

import vast_db_persistence as persistence
from databases import BUCKET, Database, prepared
from exr_inspector.database import upsert
from exr_inspector.errors import InspectorError
from exr_inspector.settings import Settings
from sample_payloads import payload
from vast_schemas import schema_for, wire_schema

SECRET = "Zx9-very-secret-key-0815"
FAULTS = ["400", "403", "409", "502", "lost"]
PLACES = ["version", "begin", "query", "insert", "commit", "list"]


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    """An endpoint whose secret can be searched for."""
    with prepared(secret_key=SECRET, idle_seconds=1) as running, pytest.MonkeyPatch.context() as patch:
        patch.setattr(upsert, "ATTEMPTS", 2)
        yield running


def outcome(settings: Settings, document: object) -> str:
    """All that a caller can get to see: the result, or the error with its chain and traceback."""
    try:
        store = persistence.open_store(settings)
        results = [persistence.persist_to_vast_database(document, session=store), repr(store), repr(settings)]
        return json.dumps(results, default=str)
    except InspectorError as error:
        return "".join(traceback.format_exception(error)) + repr(error) + json.dumps(error.as_dict(), default=str)


def assert_silent(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the text nor any log record, at any level and of any library, has the secret."""
    assert SECRET not in text
    assert SECRET not in caplog.text
    assert all(SECRET not in repr(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("place", PLACES)
def test_no_answer_of_the_server_brings_it_out(db: Database, caplog: pytest.LogCaptureFixture, place: str) -> None:
    """Refused, forbidden, in conflict, unknown, cut: at every kind of request, with all logging switched on."""
    caplog.set_level(logging.DEBUG)
    failed = 0
    for what in FAULTS:
        db.server.faults.add(f"{what}@{place}**")
        text = outcome(db.settings, payload(f"/{place}/{what}.exr"))
        db.server.faults.clear()
        failed += '"status": "stored"' not in text
        assert_silent(text, caplog)
        caplog.clear()
    assert failed > 3


def test_wrong_keys_and_endpoints_do_not_bring_it_out(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    """Refused signatures, nobody listening, something that is not VAST."""
    caplog.set_level(logging.DEBUG)
    for settings in (
        replace(db.settings, db_access_key="wrong"),
        replace(db.settings, db_endpoint="http://127.0.0.1:9"),
        replace(db.settings, db_access_key=None),
        replace(db.settings, db_bucket="elsewhere"),
    ):
        assert_silent(outcome(settings, payload()), caplog)


def test_refused_payloads_and_drifted_tables_do_not_bring_it_out(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    """What is returned as an error."""
    caplog.set_level(logging.DEBUG)
    with db.session().transaction() as tx:
        tx.bucket(BUCKET).create_schema("old").create_table("files", wire_schema(schema_for("files", "1.0.0")))
    assert "missing" in outcome(replace(db.settings, db_schema="old"), payload())
    assert_silent(outcome(db.settings, {"file": {"path": 5}}), caplog)


def test_the_secret_is_really_used(db: Database) -> None:
    """The search would find it: with another one the server refuses."""
    assert "403" in outcome(replace(db.settings, db_secret_key="another"), payload())
