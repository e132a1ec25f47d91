"""The errors of the object store: S3's codes, their HTTP status, and the XML they are told in."""

from __future__ import annotations

STATUS = {
    "AccessDenied": 403,
    "BadDigest": 400,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "IncompleteBody": 400,
    "InsufficientCapacity": 507,
    "InternalError": 500,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidDigest": 400,
    "InvalidPart": 400,
    "InvalidPartOrder": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "InvalidURI": 400,
    "KeyTooLongError": 400,
    "MalformedXML": 400,
    "MetadataTooLarge": 400,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "NotImplemented": 501,
    "PreconditionFailed": 412,
    "SlowDown": 503,
    "XAmzContentSHA256Mismatch": 400,
}


class S3Error(Exception):
    """An answer that is an error; `headers` go out with it."""

    def __init__(self, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = STATUS[code]
        self.headers = headers or {}


class NotModified(Exception):
    """The client's copy is current: an answer (304), not an error."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__("304")
        self.headers = headers


def no_such_key(key: str) -> S3Error:
    """The 404 of an object."""
    return S3Error("NoSuchKey", f"The bucket has no object with the key {key!r}")


def no_such_bucket(bucket: str) -> S3Error:
    """The 404 of a bucket."""
    return S3Error("NoSuchBucket", f"There is no bucket {bucket!r}")


def not_implemented(what: str) -> S3Error:
    """The 501 that names what this endpoint does not do."""
    return S3Error("NotImplemented", f"local_vast does not implement {what}")
