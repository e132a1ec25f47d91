"""What each error of the database's client means: try again now, have it delivered again later, or refuse for good.

What a payload causes is refused; what the surroundings cause (network, load, credentials, a missing bucket) is retried: an event
that is acknowledged is gone, whereas one that keeps failing ends in the dead-letter topic and can be replayed.

Classes are named by text, so that this module imports no client. `tests/database/test_rulings.py` holds that the map is total.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

from exr_inspector.errors import InspectorError, Reject, VASTDatabaseError


class Transient(VASTDatabaseError):
    """A condition that may pass within this call; when every attempt met one, the last is raised."""

    code = "database_busy"


class CommitLost(VASTDatabaseError):
    """The commit was sent and no clear answer came, so whether it took effect has to be read back."""

    code = "commit_lost"


@dataclass(frozen=True, slots=True)
class Ruling:
    """The error to raise instead of the client's, its stable code, and what a person can do about it.

    `Transient`: this call tries the transaction again. `VASTDatabaseError`: the platform delivers again. `Reject`: neither helps.
    """

    error: type[InspectorError]
    code: str
    remedy: str | None = None


_CREDENTIALS = "Check the access key, the secret key and the identity policy of the database user"
_ENDPOINT = "Check that VAST_DB_ENDPOINT is a data VIP of a VAST DataBase that this client supports"
_BUCKET = "Create the bucket as a view with the protocols S3 and DATABASE, or set VAST_DB_BUCKET"
_REPORT = "The server does not accept what was sent; report it with the payload"
_CAPACITY = "Free capacity or raise the quota"
_NETWORK = "Check VAST_DB_ENDPOINT, and the network between here and it"
_CERTIFICATE = "Name the PEM file of the certificate authority that signed it in VAST_CA_BUNDLE"
_BUNDLE = "Correct the variable or unset it; VAST_CA_BUNDLE goes before it"
# Driver 0.0.33 verifies by itself, whatever the client was told.
_ENGINE_CERTIFICATE = (
    "The query engine's driver knows no VAST_CA_BUNDLE: name the authority's PEM file in SSL_CERT_FILE, or use --engine client"
)

DATABASE_RULINGS: dict[str, Ruling] = {
    "vastdb.errors.Conflict": Ruling(Transient, "database_conflict"),
    "vastdb.errors.Slowdown": Ruling(Transient, "database_slow_down"),
    "vastdb.errors.ServiceUnavailable": Ruling(Transient, "database_busy"),
    "vastdb.errors.RequestTimeout": Ruling(Transient, "database_timeout"),
    "vastdb.errors.InternalServerError": Ruling(Transient, "database_error"),
    "vastdb.errors.UnexpectedError": Ruling(Transient, "database_error"),
    "vastdb.errors.HttpError": Ruling(Transient, "database_error"),
    "vastdb.errors.ConnectionError": Ruling(Transient, "database_unreachable", _NETWORK),
    "vastdb.errors.ApiResponseError": Ruling(Transient, "database_answer"),
    # A transaction that expired, or a table that was replaced since its metadata were loaded.
    "vastdb.errors.NotFound": Ruling(Transient, "database_not_found"),
    "vastdb.errors.Missing": Ruling(Transient, "database_not_found"),
    "vastdb.errors.MissingTransaction": Ruling(Transient, "database_not_found"),
    "vastdb.errors.MissingSchema": Ruling(Transient, "database_not_found"),
    "vastdb.errors.MissingTable": Ruling(Transient, "database_not_found"),
    # Another container was quicker with the same table or schema.
    "vastdb.errors.Exists": Ruling(Transient, "database_exists"),
    "vastdb.errors.SchemaExists": Ruling(Transient, "database_exists"),
    "vastdb.errors.TableExists": Ruling(Transient, "database_exists"),
    "vastdb.errors.Forbidden": Ruling(VASTDatabaseError, "database_forbidden", _CREDENTIALS),
    "vastdb.errors.MissingBucket": Ruling(VASTDatabaseError, "database_bucket_missing", _BUCKET),
    "vastdb.errors.InsufficientCapacity": Ruling(VASTDatabaseError, "database_full", _CAPACITY),
    "vastdb.errors.MethodNotAllowed": Ruling(VASTDatabaseError, "database_endpoint", _ENDPOINT),
    "vastdb.errors.NotImplemented": Ruling(VASTDatabaseError, "database_endpoint", _ENDPOINT),
    "vastdb.errors.NotSupported": Ruling(VASTDatabaseError, "database_version", _ENDPOINT),
    "vastdb.errors.NotSupportedVersion": Ruling(VASTDatabaseError, "database_version", _ENDPOINT),
    "vastdb.errors.BadRequest": Ruling(Reject, "database_refused", _REPORT),
    "vastdb.errors.InvalidArgument": Ruling(Reject, "database_refused", _REPORT),
    "vastdb.errors.TooLargeRequest": Ruling(Reject, "database_refused", _REPORT),
    "vastdb.errors.TooWideRow": Ruling(Reject, "database_refused", _REPORT),
    "vastdb.errors.NotSupportedSchema": Ruling(Reject, "database_refused", _REPORT),
    "vastdb.errors.NotSupportedCommand": Ruling(Reject, "database_refused", _REPORT),
    "vastdb.errors.MissingRowIdColumn": Ruling(Reject, "database_refused", _REPORT),
    "vastdb.errors.MissingSnapshot": Ruling(Reject, "database_refused", _REPORT),
    "vastdb.errors.MissingProjection": Ruling(Reject, "database_refused", _REPORT),
    "vastdb.errors.MissingBlobExpansion": Ruling(Reject, "database_refused", _REPORT),
    "vastdb.errors.ImportFilesError": Ruling(Reject, "database_refused", _REPORT),
    "vastdb.transaction.TransactionNotActiveError": Ruling(Transient, "database_not_found"),
    "vastdb._internal.UnsupportedServer": Ruling(VASTDatabaseError, "database_endpoint", _ENDPOINT),
    "requests.exceptions.RequestException": Ruling(Transient, "database_unreachable", _NETWORK),
    "urllib3.exceptions.HTTPError": Ruling(Transient, "database_unreachable", _NETWORK),
    "adbc_driver_manager.Error": Ruling(Transient, "database_query_engine"),
    "builtins.OSError": Ruling(Transient, "database_unreachable", _NETWORK),
    "builtins.EOFError": Ruling(Transient, "database_answer"),
    # The client raises these two for a Server header of another kind, and for a status that it does not know, such as 502.
    "builtins.NotImplementedError": Ruling(VASTDatabaseError, "database_endpoint", _ENDPOINT),
    "builtins.ValueError": Ruling(Transient, "database_answer"),
}
"""Error class, or a base class of it -> ruling; the nearest class in the method resolution order decides."""

_NO_ANSWER = "there was no answer in time"
_CLOSED = "the connection was closed before an answer came"
_NETWORK_CAUSES = {
    "ssl.SSLCertVerificationError": "the certificate is not trusted",
    "ssl.SSLError": "the TLS handshake failed",
    "socket.gaierror": "the name of the host was not found",
    "builtins.ConnectionRefusedError": "the connection was refused",
    "builtins.ConnectionResetError": _CLOSED,
    "builtins.BrokenPipeError": _CLOSED,
    "http.client.RemoteDisconnected": _CLOSED,
    "builtins.TimeoutError": _NO_ANSWER,
    "urllib3.exceptions.TimeoutError": _NO_ANSWER,
    "requests.exceptions.Timeout": _NO_ANSWER,
    "botocore.exceptions.ConnectTimeoutError": _NO_ANSWER,
    "botocore.exceptions.ReadTimeoutError": _NO_ANSWER,
}
"""Error class, or a base class of it, of the layers below the clients -> what happened."""

_LONGEST_CHAIN = 16
_UNTRUSTED = _NETWORK_CAUSES["ssl.SSLCertVerificationError"]
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH})
# What `ssl` says of a server that answers a handshake in plain text.
_PLAIN_TEXT = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
# The query engine's driver tells only in its text.
_DRIVER_UNTRUSTED = "invalid peer certificate"
# What `requests` says of a file that one of both variables names; botocore's error has a FileNotFoundError below it.
_NO_BUNDLE = "Could not find a suitable TLS CA certificate bundle"
_BUNDLE_MISSING = "the file with certificate authorities that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names is not there"

# The table changed since its metadata were loaded: they are loaded again, and a drift is then reported by name.
_STALE_CODES = frozenset({"TabularMismatchColumnType", "TabularMismatchColumnName"})


def ruling_of(error: BaseException) -> Ruling | None:
    """The ruling on a client's error; None for an error that is not a client's, which is left to pass."""
    for kind in type(error).__mro__:
        ruling = DATABASE_RULINGS.get(f"{kind.__module__}.{kind.__qualname__}")
        if ruling is not None:
            return _refine(error, ruling)
    return None


def _refine(error: BaseException, ruling: Ruling) -> Ruling:
    """The ruling on this error of a class: a certificate that is not trusted now will not be at the next attempt."""
    if _is_stale(error):
        return Ruling(Transient, "database_stale")
    remedy = certificate_remedy(network_cause(error) or "") if ruling.error is Transient else None
    if remedy:
        engine = ruling.code == "database_query_engine"
        return Ruling(VASTDatabaseError, "database_certificate", _ENGINE_CERTIFICATE if engine else remedy)
    return ruling


def _is_stale(error: BaseException) -> bool:
    return getattr(error, "code", None) in _STALE_CODES


def as_inspector_error(error: BaseException, ruling: Ruling, place: str) -> InspectorError:
    """The error to raise instead. It names the place and the server's code, and quotes neither headers nor credentials."""
    message = f"{place}: {summarize(error)}"
    return ruling.error(message, code=ruling.code, remedy=ruling.remedy)


def summarize(error: BaseException) -> str:
    """An error in a few words: its class, and the status, code and message that the server gave."""
    name = type(error).__name__
    status = getattr(error, "status", None)
    if status is not None:
        words = [str(status), *(str(text) for text in (getattr(error, "code", None), getattr(error, "message", None)) if text)]
        return f"{name} ({' '.join(words)})"
    missing = _name_missing(error)
    if missing:
        return missing
    cause = getattr(error, "cause", None)
    return network_cause(error) or (f"{name} ({type(cause).__name__})" if cause is not None else name)


def _name_missing(error: BaseException) -> str | None:
    """What an error of the client says that there is not, by its name and place."""
    places = [getattr(error, name, None) for name in ("table", "schema", "bucket")]
    table, schema, bucket = (place if isinstance(place, str) else None for place in places)
    if not type(error).__name__.startswith("Missing") or bucket is None:
        return None
    if table is not None:
        return f"there is no table {table} in {bucket}/{schema}"
    return f"there is no bucket {bucket}" if schema is None else f"there is no schema {schema} in the bucket {bucket}"


def network_cause(error: BaseException) -> str | None:
    """What kept a request from being answered, in words; None where the error and those that led to it do not tell.

    It quotes no text of theirs but what `ssl` says of a certificate: they may hold headers.
    """
    chain = [error]
    while len(chain) < _LONGEST_CHAIN:
        last = chain[-1]
        cause = last.__cause__ or last.__context__ or _inner_error(last)
        if cause is None:
            break
        chain.append(cause)
    # The innermost tells most: a refused connection is an error of connecting, and of having tried too often.
    words = next(filter(None, map(_words_of_cause, reversed(chain))), None)
    proxied = any(type(one).__name__.startswith("Proxy") for one in chain)
    return f"{words}, by the proxy that the environment names" if words and proxied else words


def certificate_remedy(cause: str) -> str | None:
    """What can be done about a `network_cause` where it is a certificate."""
    if cause == _BUNDLE_MISSING:
        return _BUNDLE
    return _CERTIFICATE if cause.startswith(_UNTRUSTED) else None


def _inner_error(error: BaseException) -> BaseException | None:
    """The error that another one was made of, where it was not raised from it."""
    parts = (getattr(error, "cause", None), getattr(error, "reason", None), *error.args)
    return next((one for one in parts if isinstance(one, BaseException)), None)


def _words_of_cause(error: BaseException) -> str | None:
    if getattr(error, "errno", None) in _NO_ROUTE:
        return "there is no route to the host"
    text = str(error)
    if _DRIVER_UNTRUSTED in text and type(error).__module__.startswith("adbc"):
        return _UNTRUSTED
    if text.startswith(_NO_BUNDLE) or isinstance(error, FileNotFoundError):
        return _BUNDLE_MISSING
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    words = next((_NETWORK_CAUSES[name] for name in names if name in _NETWORK_CAUSES), None)
    if words == _UNTRUSTED:
        return f"{words}: {getattr(error, 'verify_message', 'it cannot be verified')}"
    if words == _NETWORK_CAUSES["ssl.SSLError"] and getattr(error, "reason", None) in _PLAIN_TEXT:
        return f"{words}: the endpoint does not speak TLS"
    return words
