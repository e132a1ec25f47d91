"""What each error of the database's client means: try again now, have it delivered again later, or refuse for good.

What a payload causes is refused; what the surroundings cause (network, load, credentials, a missing bucket) is retried: an event
that is acknowledged is gone, whereas one that keeps failing ends in the dead-letter topic and can be replayed.

Classes are named by text, so that this module imports no client. `tests/test_vast_errors.py` holds that the map is total.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from exr_errors import InspectorError, Reject, VASTDatabaseError


class Then(StrEnum):
    """AGAIN: this call tries the transaction again. LATER: the platform delivers again. REFUSE: trying again cannot help."""

    AGAIN = "again"
    LATER = "later"
    REFUSE = "refuse"


class Transient(VASTDatabaseError):
    """A condition that may pass within this call; when every attempt met one, the last is raised."""

    code = "database_busy"


class CommitLost(VASTDatabaseError):
    """The commit was sent and no clear answer came, so whether it took effect has to be read back."""

    code = "commit_lost"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What follows from an error, its stable code, and what a person can do about it."""

    then: Then
    code: str
    remedy: str | None = None


_CREDENTIALS = "Check the access key, the secret key and the identity policy of the database user"
_ENDPOINT = "Check that VAST_DB_ENDPOINT is a data VIP of a VAST DataBase that this client supports"
_BUCKET = "Create the bucket as a view with the protocols S3 and DATABASE, or set VAST_DB_BUCKET"
_REPORT = "The server does not accept what was sent; report it with the payload"
_CAPACITY = "Free capacity or raise the quota"

DATABASE_RULINGS: dict[str, Ruling] = {
    "vastdb.errors.Conflict": Ruling(Then.AGAIN, "database_conflict"),
    "vastdb.errors.Slowdown": Ruling(Then.AGAIN, "database_slow_down"),
    "vastdb.errors.ServiceUnavailable": Ruling(Then.AGAIN, "database_busy"),
    "vastdb.errors.RequestTimeout": Ruling(Then.AGAIN, "database_timeout"),
    "vastdb.errors.InternalServerError": Ruling(Then.AGAIN, "database_error"),
    "vastdb.errors.UnexpectedError": Ruling(Then.AGAIN, "database_error"),
    "vastdb.errors.HttpError": Ruling(Then.AGAIN, "database_error"),
    "vastdb.errors.ConnectionError": Ruling(Then.AGAIN, "database_unreachable"),
    "vastdb.errors.ApiResponseError": Ruling(Then.AGAIN, "database_answer"),
    # A transaction that expired, or a table that was replaced since its metadata were loaded.
    "vastdb.errors.NotFound": Ruling(Then.AGAIN, "database_not_found"),
    "vastdb.errors.Missing": Ruling(Then.AGAIN, "database_not_found"),
    "vastdb.errors.MissingTransaction": Ruling(Then.AGAIN, "database_not_found"),
    "vastdb.errors.MissingSchema": Ruling(Then.AGAIN, "database_not_found"),
    "vastdb.errors.MissingTable": Ruling(Then.AGAIN, "database_not_found"),
    # Another container was quicker with the same table or schema.
    "vastdb.errors.Exists": Ruling(Then.AGAIN, "database_exists"),
    "vastdb.errors.SchemaExists": Ruling(Then.AGAIN, "database_exists"),
    "vastdb.errors.TableExists": Ruling(Then.AGAIN, "database_exists"),
    "vastdb.errors.Forbidden": Ruling(Then.LATER, "database_forbidden", _CREDENTIALS),
    "vastdb.errors.MissingBucket": Ruling(Then.LATER, "database_bucket_missing", _BUCKET),
    "vastdb.errors.InsufficientCapacity": Ruling(Then.LATER, "database_full", _CAPACITY),
    "vastdb.errors.MethodNotAllowed": Ruling(Then.LATER, "database_endpoint", _ENDPOINT),
    "vastdb.errors.NotImplemented": Ruling(Then.LATER, "database_endpoint", _ENDPOINT),
    "vastdb.errors.NotSupported": Ruling(Then.LATER, "database_version", _ENDPOINT),
    "vastdb.errors.NotSupportedVersion": Ruling(Then.LATER, "database_version", _ENDPOINT),
    "vastdb.errors.BadRequest": Ruling(Then.REFUSE, "database_refused", _REPORT),
    "vastdb.errors.InvalidArgument": Ruling(Then.REFUSE, "database_refused", _REPORT),
    "vastdb.errors.TooLargeRequest": Ruling(Then.REFUSE, "database_refused", _REPORT),
    "vastdb.errors.TooWideRow": Ruling(Then.REFUSE, "database_refused", _REPORT),
    "vastdb.errors.NotSupportedSchema": Ruling(Then.REFUSE, "database_refused", _REPORT),
    "vastdb.errors.NotSupportedCommand": Ruling(Then.REFUSE, "database_refused", _REPORT),
    "vastdb.errors.MissingRowIdColumn": Ruling(Then.REFUSE, "database_refused", _REPORT),
    "vastdb.errors.MissingSnapshot": Ruling(Then.REFUSE, "database_refused", _REPORT),
    "vastdb.errors.MissingProjection": Ruling(Then.REFUSE, "database_refused", _REPORT),
    "vastdb.errors.MissingBlobExpansion": Ruling(Then.REFUSE, "database_refused", _REPORT),
    "vastdb.errors.ImportFilesError": Ruling(Then.REFUSE, "database_refused", _REPORT),
    "vastdb.transaction.TransactionNotActiveError": Ruling(Then.AGAIN, "database_not_found"),
    "vastdb._internal.UnsupportedServer": Ruling(Then.LATER, "database_endpoint", _ENDPOINT),
    "requests.exceptions.RequestException": Ruling(Then.AGAIN, "database_unreachable"),
    "urllib3.exceptions.HTTPError": Ruling(Then.AGAIN, "database_unreachable"),
    "adbc_driver_manager.Error": Ruling(Then.AGAIN, "database_query_engine"),
    "builtins.OSError": Ruling(Then.AGAIN, "database_unreachable"),
    "builtins.EOFError": Ruling(Then.AGAIN, "database_answer"),
    # The client raises these two for a Server header of another kind, and for a status that it does not know, such as 502.
    "builtins.NotImplementedError": Ruling(Then.LATER, "database_endpoint", _ENDPOINT),
    "builtins.ValueError": Ruling(Then.AGAIN, "database_answer"),
}
"""Error class, or a base class of it -> ruling; the nearest class in the method resolution order decides."""

_ABSENT = {
    "MissingBucket": "there is no bucket {bucket!r}",
    "MissingSchema": "there is no schema {schema!r} in the bucket {bucket!r}",
    "MissingTable": "there is no table {table!r} in the schema {schema!r} of the bucket {bucket!r}",
}
"""What the client found missing by itself, in words; it gives no status."""
# The table changed since its metadata were loaded: they are loaded again, and a drift is then reported by name.
_STALE_CODES = frozenset({"TabularMismatchColumnType", "TabularMismatchColumnName"})


def ruling_of(error: BaseException) -> Ruling | None:
    """The ruling on a client's error; None for an error that is no client's, which is left to pass."""
    for kind in type(error).__mro__:
        ruling = DATABASE_RULINGS.get(f"{kind.__module__}.{kind.__qualname__}")
        if ruling is not None:
            return Ruling(Then.AGAIN, "database_stale") if _is_stale(error) else ruling
    return None


def _is_stale(error: BaseException) -> bool:
    return getattr(error, "code", None) in _STALE_CODES


def as_inspector_error(error: BaseException, ruling: Ruling, place: str) -> InspectorError:
    """The error to raise instead. It names the place and the server's code, and quotes neither headers nor credentials."""
    message = f"{place}: {describe(error)}"
    kinds = {Then.AGAIN: Transient, Then.LATER: VASTDatabaseError, Then.REFUSE: Reject}
    return kinds[ruling.then](message, code=ruling.code, remedy=ruling.remedy)


def describe(error: BaseException) -> str:
    """An error in a few words: its class, and the status, code and message that the server gave."""
    name = type(error).__name__
    if name in _ABSENT:
        return _ABSENT[name].format(**vars(error))
    status = getattr(error, "status", None)
    if status is not None:
        words = [str(status), *(str(text) for text in (getattr(error, "code", None), getattr(error, "message", None)) if text)]
        return f"{name} ({' '.join(words)})"
    cause = getattr(error, "cause", None)
    return f"{name} ({type(cause).__name__})" if cause is not None else name
