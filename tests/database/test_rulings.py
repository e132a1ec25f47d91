"""Every error of the database's and the object store's client has a verdict."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import botocore.exceptions
import pytest
import requests
import urllib3
import vastdb.errors
from vastdb._internal import UnsupportedServer
from vastdb.transaction import NoAdbcConnectionError, TransactionNotActiveError

from exr_inspector.database import rulings
from exr_inspector.database.rulings import DATABASE_RULINGS, CommitLost, Transient
from exr_inspector.errors import InspectorError, Reject, Retry, VASTDatabaseError, Verdict
from exr_inspector.function import objects


def exceptions_of(module):
    """The exception classes that a module defines."""
    return sorted(
        (kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, Exception)),
        key=lambda kind: kind.__name__,
    )


def blank(kind):
    """An instance without arguments, whatever its constructor wants."""
    return kind.__new__(kind)


@pytest.mark.parametrize("kind", exceptions_of(vastdb.errors), ids=lambda kind: kind.__name__)
def test_every_error_of_the_database_client_is_ruled_by_name(kind):
    """A class that a newer client brings fails here until someone decides."""
    assert f"vastdb.errors.{kind.__name__}" in DATABASE_RULINGS
    assert rulings.ruling_of(blank(kind)) is not None


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.ReadTimeout(),
        requests.exceptions.ChunkedEncodingError(),
        urllib3.exceptions.ProtocolError(),
        ConnectionResetError(),
        TimeoutError(),
        EOFError(),
        ValueError("502 is not a valid HttpStatus"),
        TransactionNotActiveError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_client_lets_through_is_tried_again(error):
    """Errors of the layers below it, and a status that it does not know."""
    assert rulings.ruling_of(error).error is Transient


@pytest.mark.parametrize("error", [UnsupportedServer(), NotImplementedError()], ids=lambda error: type(error).__name__)
def test_an_endpoint_that_is_not_vast_is_not_tried_again(error):
    """It is raised at once, with the setting to look at."""
    ruling = rulings.ruling_of(error)
    assert ruling.error is VASTDatabaseError
    assert "VAST_DB_ENDPOINT" in ruling.remedy


@pytest.mark.parametrize("error", [KeyError("x"), AssertionError(), KeyboardInterrupt(), NoAdbcConnectionError(), SystemExit()])
def test_errors_that_are_not_the_clients_pass(error):
    """A fault of the program is neither retried nor renamed."""
    assert rulings.ruling_of(error) is None


@pytest.mark.parametrize("name", DATABASE_RULINGS)
def test_every_ruling_becomes_an_error_with_a_verdict(name):
    """What this call does not try again says what to do; only what is refused is not delivered again."""
    ruling = DATABASE_RULINGS[name]
    error = rulings.as_inspector_error(RuntimeError(), ruling, "here")
    assert type(error) is ruling.error
    assert error.verdict is (Verdict.REJECT if ruling.error is Reject else Verdict.RETRY)
    assert error.code == ruling.code
    assert error.remedy or ruling.error is Transient


def http(kind, status, code, message="why"):
    """An answer of the server as the client raises it; its headers are as secret as headers get."""
    return kind(code=code, message=message, method="PUT", url="http://h/x", status=status, headers={"authorization": "s3cr3t"})


def test_a_message_names_place_status_and_code_and_nothing_of_the_headers():
    """`str` of the client's own errors shows the headers; ours does not."""
    original = http(vastdb.errors.Conflict, 409, "Conflict", "row is locked")
    error = rulings.as_inspector_error(original, rulings.ruling_of(original), "VAST DataBase at http://h, b/s")
    assert str(error) == "VAST DataBase at http://h, b/s: Conflict (409 Conflict row is locked)"
    assert "s3cr3t" in str(original)


def test_a_mismatch_with_the_table_makes_it_be_loaded_again():
    """A refused insert may mean that the table was changed after its metadata were loaded."""
    stale = http(vastdb.errors.BadRequest, 400, "TabularMismatchColumnType")
    assert rulings.ruling_of(stale) == rulings.Ruling(Transient, "database_stale")
    assert rulings.ruling_of(http(vastdb.errors.BadRequest, 400, "InvalidArgument")).error is Reject


def test_a_connection_error_names_its_cause():
    """The cause's class, not its text, which may quote a request."""
    error = vastdb.errors.ConnectionError(cause=requests.exceptions.ConnectTimeout("s3cr3t"), may_retry=True)
    assert rulings.summarize(error) == "there was no answer in time"
    unknown = vastdb.errors.ConnectionError(cause=requests.exceptions.InvalidHeader("s3cr3t"), may_retry=True)
    assert rulings.summarize(unknown) == "ConnectionError (InvalidHeader)"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (vastdb.errors.MissingTable("renders", "exr", "files"), "there is no table files in renders/exr"),
        (vastdb.errors.MissingSchema("renders", "exr"), "there is no schema exr in the bucket renders"),
        (vastdb.errors.MissingBucket("renders"), "there is no bucket renders"),
        (vastdb.errors.MissingTransaction(), "MissingTransaction"),
    ],
)
def test_what_is_missing_is_named_with_its_place(error, words):
    """The client's own text is a dictionary."""
    assert rulings.summarize(error) == words


def test_a_lost_commit_is_an_error_of_its_own():
    """It is delivered again when reading back does not settle it."""
    assert issubclass(CommitLost, VASTDatabaseError)
    assert not issubclass(CommitLost, Transient)
    assert CommitLost.verdict is Verdict.RETRY


@pytest.mark.parametrize("kind", exceptions_of(botocore.exceptions), ids=lambda kind: kind.__name__)
def test_every_error_of_the_object_client_has_a_verdict(kind):
    """The map is total over botocore's classes."""
    error = blank(kind)
    error.__dict__.setdefault("response", {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}})
    translated = objects.as_inspector_error(error, "s3://renders/a.exr")
    assert isinstance(translated, InspectorError)
    assert "s3://renders/a.exr" in str(translated)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [(503, "SlowDown", Retry), (500, "InternalError", Retry), (403, "AccessDenied", Reject), (400, "InvalidRequest", Reject)],
)
def test_an_answer_of_the_object_store_is_judged_by_its_status(status, code, expected):
    """Busy is retried, forbidden is not."""
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = botocore.exceptions.ClientError(response, "GetObject")
    assert isinstance(objects.as_inspector_error(error, "s3://b/k"), expected)


def test_a_status_without_words_is_described_by_its_number():
    """HEAD answers have no body."""
    assert rulings.summarize(SimpleNamespace(status=403, code=None, message=None)) == "SimpleNamespace (403)"
