"""Answers that are not 200: an HTTP status, a stable code and a message, as an XML document."""

from __future__ import annotations

from xml.sax.saxutils import escape


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


def not_implemented(what: str) -> VastError:
    """501: the operation is not part of local_vast; `what` names it."""
    return VastError(501, "NotImplemented", f"local_vast does not implement {what}")
