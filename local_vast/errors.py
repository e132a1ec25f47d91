"""Answers that are not 200: an HTTP status, a stable code and a message, as an XML document."""

from __future__ import annotations

import errno
import os
from xml.sax.saxutils import escape

import duckdb

# The disk, the quota, or the size that a file may have.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_TEXTS = tuple(os.strerror(number) for number in _FULL)


class VastError(Exception):
    """An error answer. `status` is the HTTP status, `code` what clients switch on, `message` names thing, place and remedy."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    def body(self, resource: str, request_id: str) -> bytes:
        """The XML document. The ADBC driver refuses an error without `RequestId`."""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message>"
            f"<Resource>{escape(resource)}</Resource><RequestId>{request_id}</RequestId></Error>"
        ).encode()


def bad_request(message: str, code: str = "InvalidArgument") -> VastError:
    """400: the request cannot be carried out as it stands."""
    return VastError(400, code, message)


def unsupported_type(message: str) -> VastError:
    """400 with the code that the SDK turns into `NotSupportedSchema`."""
    return VastError(400, "TabularUnsupportedColumnType", message)


def mismatched_type(message: str) -> VastError:
    """400: a column was sent with another type than the table declares."""
    return VastError(400, "TabularMismatchColumnType", message)


def mismatched_name(message: str) -> VastError:
    """400: a column was sent that the table does not have."""
    return VastError(400, "TabularMismatchColumnName", message)


def forbidden(message: str, code: str = "AccessDenied") -> VastError:
    """403: no signature, an unknown key or a wrong secret."""
    return VastError(403, code, message)


def not_found(kind: str, name: str) -> VastError:
    """404: a bucket, schema, table, projection, transaction or query of that name is not visible in this transaction.

    The code is `NoSuchKey`, which the ADBC driver knows, except for buckets and transactions.
    """
    code = f"NoSuch{kind}" if kind in ("Bucket", "Transaction") else "NoSuchKey"
    return VastError(404, code, f"{kind} {name!r} does not exist in this transaction")


def conflict(message: str, code: str = "TabularConflict") -> VastError:
    """409: another transaction, or the state of the tables, is in the way."""
    return VastError(409, code, message)


def slow_down(message: str = "Please reduce your request rate") -> VastError:
    """503 `SlowDown`: the one answer that the SDK retries by itself."""
    return VastError(503, "SlowDown", message)


def is_disk_full(error: Exception) -> bool:
    """True where there was no room to write. DuckDB hands on the system's text alone."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    of_the_disk = isinstance(error, (duckdb.IOException, duckdb.TransactionException, duckdb.FatalException))
    return of_the_disk and any(text in str(error) for text in _FULL_TEXTS)


def disk_full(message: str) -> VastError:
    """507: there is no room on the disk, or the quota is used up."""
    return VastError(507, "InsufficientCapacity", message)


def not_implemented(what: str) -> VastError:
    """501: the operation is not part of local_vast; `what` names it."""
    return VastError(501, "NotImplemented", f"local_vast does not implement {what}")


def first_line(error: Exception) -> str:
    """The first line of an error's text; what DuckDB says beyond it is about its own syntax."""
    return str(error).splitlines()[0]
