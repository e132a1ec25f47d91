"""Just enough bytes of an object: ranged reads of S3 objects and of local files, behind one interface.

The first range of an S3 object also brings its size, ETag and time, so that a typical file costs one request. Later ranges carry
If-Match: a file that is replaced meanwhile gives ObjectChanged, and `read_consistently` starts again.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from exr_inspector.database.rulings import certificate_remedy, network_cause
from exr_inspector.errors import BadSettings, InspectorError, ObjectChanged, ObjectGone, ObjectUnavailable, StorageUnavailable
from exr_inspector.function import events
from exr_inspector.retry import repeat
from exr_inspector.settings import Settings, environment_bundle, environment_name

T = TypeVar("T")
REREADS = 3
_RETRY_STATUS = frozenset({408, 425, 429})
_RETRY_CODES = frozenset({"RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable", "Throttling"})
_OBJECT_CODES = frozenset({"AccessDenied", "InvalidObjectState"})
"""Codes of 401 and 403 that are about the one object; every other one is about the keys, the account or the clock."""
_DEPLOYMENT_CODES = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "AuthorizationQueryParametersError",
        "CredentialsNotSupported",
        "ExpiredToken",
        "IllegalLocationConstraintException",
        "IncompleteSignature",
        "IncorrectEndpoint",
        "InvalidSecurity",
        "InvalidToken",
        "MissingSecurityHeader",
        "RequestExpired",
        "TokenRefreshRequired",
    }
)
"""Codes of 400 that are about keys, region or endpoint, and so the same for every object."""
_DEPLOYMENT_ERRORS = (
    "CredentialRetrievalError",
    "InvalidRegionError",
    "NoAuthTokenError",
    "NoCredentialsError",
    "NoRegionError",
    "PartialCredentialsError",
    "TokenRetrievalError",
    "UnknownSignatureVersionError",
)
"""botocore's error classes (with their subclasses) that are about the settings, whatever the object."""
_RETRY_ERRORS = (
    "HTTPClientError",
    "ConnectionError",
    "IncompleteReadError",
    "ResponseStreamingError",
    "ChecksumError",
    "FlexibleChecksumError",
)
"""botocore's error classes (with their subclasses) that may pass by themselves."""
_RETRY_ERRNOS = frozenset(
    {
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EIO),
        *(errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH),
    }
)
"""What the system says of its own state, or of a file server's, not of the file."""


class OpenObject(Protocol):
    """An object that is being read. `size` is bytes; `mtime` is in UTC; `read` returns less only at the end of the object.

    `prefix_length` is how many bytes from its start can be read without another request.
    """

    path: str
    bucket: str | None
    object_key: str | None
    size: int
    mtime: datetime
    etag: str | None
    requests: int
    bytes_read: int

    @property
    def prefix_length(self) -> int:
        """Bytes from the start that cost no request."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """The bytes `[offset, offset + length)`, as far as the object goes."""
        ...

    def __enter__(self) -> OpenObject:
        """The object itself."""
        ...

    def __exit__(self, *_: object) -> None:
        """Let go of the object."""
        ...


KEPT_BYTES = 4 * 1024 * 1024
"""How much of an object's beginning is kept; who reads pixels reads on from there, and once."""


class LocalFile:
    """A regular file below one of the allowed roots; a context manager."""

    bucket: str | None = None
    object_key: str | None = None
    etag: str | None = None

    def __init__(self, path: str, roots: Sequence[Path]) -> None:
        """Open `path`, relative to the working folder. Raises ObjectUnavailable for whatever is not an allowed, readable file."""
        real = allowed_path(path, roots)
        self.path = local_address(path)
        self.requests = 0
        self.bytes_read = 0
        # O_NONBLOCK: a pipe that somebody named .exr does not hang the thread.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = _ask_system(path, os.open, real, flags)
        self._opened = os.fstat(self._descriptor)
        if not stat.S_ISREG(self._opened.st_mode):
            os.close(self._descriptor)
            kind = "a directory" if stat.S_ISDIR(self._opened.st_mode) else "not a regular file"
            raise ObjectUnavailable(f"{path!r} is {kind}", remedy="Name a file", path=path)
        self.size = self._opened.st_size
        self.mtime = datetime.fromtimestamp(self._opened.st_mtime, tz=UTC)

    @property
    def prefix_length(self) -> int:
        """See OpenObject.prefix_length: all of it."""
        return self.size

    def read(self, offset: int, length: int) -> bytes:
        """See OpenObject.read. Raises ObjectChanged when the file was written to since it was opened."""
        data = _ask_system(self.path, os.pread, self._descriptor, max(0, length), offset)
        now = os.fstat(self._descriptor)
        if (now.st_size, now.st_mtime_ns) != (self._opened.st_size, self._opened.st_mtime_ns):
            raise ObjectChanged(f"{self.path!r} changed while it was read", path=self.path)
        self.requests += 1
        self.bytes_read += len(data)
        return data

    def __enter__(self) -> LocalFile:
        """The file itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        os.close(self._descriptor)


def local_address(path: str) -> str:
    """The absolute path that a file is known by: the sender's, unless `..` behind a symbolic link makes it name another file."""
    named = os.path.abspath(path)  # noqa: PTH100 - Path.resolve follows links
    if ".." not in path:
        return named
    real = os.path.realpath(path)
    return named if os.path.realpath(named) == real else real


def allowed_path(path: str, roots: Sequence[Path]) -> str:
    """The real path, symbolic links followed, when it lies below a root. Raises ObjectUnavailable when it does not."""
    real: str = _ask_system(path, os.path.realpath, path)
    if not any(_is_below(real, os.path.realpath(root)) for root in roots):
        name = environment_name("local_roots")
        raise ObjectUnavailable(f"{path!r} is not below an allowed folder", remedy=f"{name} lists the allowed folders", path=path)
    return real


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))  # noqa: PTH118 - of text, five times as fast


def local_exists(path: str, roots: Sequence[Path]) -> bool:
    """Whether something is there. Raises ObjectUnavailable for a path that is not allowed, or that nothing can have."""
    real = allowed_path(path, roots)
    return _ask_system(path, _exists, real)


def _exists(path: str) -> bool:
    """As Path.exists, which answers False from Python 3.12 on where the path cannot be looked at."""
    try:
        os.stat(path)  # noqa: PTH116 - one call, no Path needed
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _ask_system(path: str, call: Callable[..., T], *arguments: Any) -> T:
    """What a call of the system returns. Raises ObjectUnavailable, or StorageUnavailable for what may pass by itself."""
    try:
        return call(*arguments)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        if getattr(error, "errno", None) in _RETRY_ERRNOS:
            raise StorageUnavailable(f"{path!r} cannot be read now: {reason}", remedy="Check the system", path=path) from None
        remedy = "Check the path and its permissions"
        raise ObjectUnavailable(f"{path!r} cannot be read: {reason}", remedy=remedy, path=path) from None


def s3_client(settings: Settings) -> Any:
    """A boto3 client for all threads of the process. Raises BadSettings when no object store is configured."""
    if not settings.s3_endpoint:
        name = environment_name("s3_endpoint")
        remedy = f"Set {name} and the S3 keys"
        raise BadSettings(f"{name} is missing, so no object can be reached", remedy=remedy, settings=[name])
    import boto3
    import botocore.session
    from botocore.config import Config

    session = botocore.session.get_session()
    # Of a ranged GET that takes the client 3 ms, its own date parser and the assembly of its name take one.
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_parse_time)
    config = Config(
        user_agent="exr-inspector",
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        connect_timeout=settings.s3_connect_timeout,
        read_timeout=settings.s3_read_timeout,
        max_pool_connections=settings.s3_connections,
        retries={"total_max_attempts": settings.s3_attempts, "mode": "standard"},
        # Ranges have no checksum of their own, and stores other than AWS do not know the newer defaults.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    client = boto3.session.Session(botocore_session=session).client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key,
        region_name=settings.s3_region,
        verify=_trust(settings),
        config=config,
    )
    # Before botocore makes a request of the parameters: it has ideas of its own about where an ARN leads.
    client.meta.events.register("provide-client-params.s3", _check_bucket)
    client.meta.events.register_last("before-parameter-build.s3", _redirect_once)
    return client


def _trust(settings: Settings) -> bool | str:
    """What the database's client trusts: the settings' authorities, else those of the environment. botocore takes no folder."""
    named, verify = environment_bundle(), settings.verify()
    return named if verify is True and named and not Path(named).is_dir() else verify


def _check_bucket(params: dict[str, Any], **_: Any) -> None:
    if "Bucket" in params:
        events.check_bucket(params["Bucket"])


def _redirect_once(model: Any, context: dict[str, Any], **_: Any) -> None:
    """After a redirect botocore asks HeadBucket for the region, and where that is redirected too, again, without an end."""
    if model.name == "HeadBucket":
        context.setdefault("s3_redirect", {})["redirected"] = True


def _parse_time(text: str) -> datetime:
    """A time as the object store writes it: ISO 8601 in documents, RFC 9110 in headers. Raises ValueError."""
    return datetime.fromisoformat(text) if text[:1].isdigit() else parsedate_to_datetime(text)


@dataclass(frozen=True, slots=True)
class _Range:
    """An answer to a ranged GET."""

    data: bytes
    size: int
    etag: str
    modified: datetime


class S3Object:
    """An object in a bucket. Its beginning is kept as far as it was read, up to KEPT_BYTES, and not fetched twice."""

    def __init__(self, client: Any, bucket: str, keys: Sequence[str], first_range: int) -> None:
        """Fetch the first range of the first of `keys` that exists.

        Raises ObjectGone (no key exists), ObjectUnavailable (not allowed, no such bucket) or StorageUnavailable.
        """
        self._client = client
        self.bucket: str | None = bucket
        self.requests = 0
        self.bytes_read = 0
        self._match: dict[str, str] = {}
        first = self._first(bucket, keys, first_range)
        self.path = f"s3://{bucket}/{self.object_key}"
        self.size, self.mtime = first.size, first.modified
        self.etag: str | None = first.etag.strip('"')
        self._match = {"IfMatch": first.etag}
        self._head = bytearray(first.data)

    def _first(self, bucket: str, keys: Sequence[str], first_range: int) -> _Range:
        for key in keys:
            self.object_key: str | None = key
            try:
                return self._get(0, first_range)
            except ObjectGone:
                continue
        raise ObjectGone(f"s3://{bucket}/{keys[0]} is not there", remedy="It was deleted after the event", object_key=keys[0])

    def read(self, offset: int, length: int) -> bytes:
        """See OpenObject.read. Raises ObjectChanged when the object was replaced since its first range."""
        end = min(offset + max(0, length), self.size)
        if offset >= end:
            return b""
        if offset > len(self._head):
            return self._get(offset, end - offset).data
        kept = len(self._head)
        if end <= kept:
            return bytes(self._head[offset:end])
        more = self._get(kept, end - kept).data
        data = bytes(self._head[offset:]) + more
        self._head += more[: max(0, KEPT_BYTES - kept)]
        return data

    @property
    def prefix_length(self) -> int:
        """See OpenObject.prefix_length: what is kept of the beginning."""
        return len(self._head)

    def _get(self, offset: int, length: int) -> _Range:
        self.requests += 1
        place = f"s3://{self.bucket}/{self.object_key}"
        answer = _ask_store(place, _fetch, self._client, self.bucket, self.object_key, offset, length, self._match)
        self.bytes_read += len(answer.data)
        return answer

    def __enter__(self) -> S3Object:
        """The object itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open: every range is read to its end."""


def _fetch(client: Any, bucket: str | None, key: str | None, offset: int, length: int, match: dict[str, str]) -> _Range:
    from botocore.exceptions import ClientError

    try:
        answer = client.get_object(Bucket=bucket, Key=key, Range=f"bytes={offset}-{offset + length - 1}", **match)
    except ClientError as error:
        if _status(error) != 416 or offset:
            raise
        # An empty object has no first byte, so a range of it cannot be satisfied.
        answer = client.head_object(Bucket=bucket, Key=key)
        return _Range(b"", int(answer["ContentLength"]), answer["ETag"], answer["LastModified"].astimezone(UTC))
    with answer["Body"] as body:
        if "ContentRange" in answer:
            size, data = int(answer["ContentRange"].rpartition("/")[2]), body.read()
        else:
            # The server ignores Range and sends everything, of which no more is read than needed.
            size, data = int(answer["ContentLength"]), body.read(offset + length)[offset:]
    return _Range(data, size, answer["ETag"], answer["LastModified"].astimezone(UTC))


def current_etag(client: Any, bucket: str, key: str) -> str | None:
    """The ETag of the object as it is now, None where there is none: one HEAD. Otherwise raises as reading does."""
    try:
        return _ask_store(f"s3://{bucket}/{key}", _etag, client, bucket, key).strip('"')
    except ObjectGone:
        return None


def _etag(client: Any, bucket: str, key: str) -> str:
    from botocore.exceptions import ClientError

    try:
        return str(client.head_object(Bucket=bucket, Key=key)["ETag"])
    except ClientError as error:
        if _status(error) not in (400, 401, 403):
            raise
    # An answer to HEAD has no body, and so no code, which alone tells wrong keys from a forbidden object. A GET has one.
    answer = client.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")
    with answer["Body"] as body:
        body.read()
    return str(answer["ETag"])


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _ask_store(place: str, call: Callable[..., T], *arguments: Any) -> T:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call(*arguments)
    except (BotoCoreError, ClientError) as error:
        raise as_inspector_error(error, place) from None


def as_inspector_error(error: Exception, place: str) -> InspectorError:
    """The verdict on an error of botocore's, for the object at `place`; total, so that none passes without one.

    The text names the place and the error's code. botocore's own message is left out: it may quote request headers.
    """
    import botocore.exceptions

    if isinstance(error, botocore.exceptions.ClientError):
        return _answer_error(_status(error), str(error.response.get("Error", {}).get("Code", "")), place)
    name = type(error).__name__
    if isinstance(error, _botocore_errors(_RETRY_ERRORS)):
        cause = network_cause(error) or name
        remedy = certificate_remedy(cause) or f"Check {environment_name('s3_endpoint')} and the network"
        return StorageUnavailable(f"{place}: the object store did not answer ({cause})", remedy=remedy)
    if isinstance(error, _botocore_errors(_DEPLOYMENT_ERRORS)):
        return _deployment_error(place, name)
    return ObjectUnavailable(f"{place}: the request cannot be made ({name})", remedy="Check the S3 settings and the key")


def _botocore_errors(names: Sequence[str]) -> tuple[type[Exception], ...]:
    import botocore.exceptions

    return tuple(getattr(botocore.exceptions, name) for name in names)


def _answer_error(status: int, code: str, place: str) -> InspectorError:
    """The verdict on an answer with an error status."""
    if code == "NoSuchBucket":
        return ObjectUnavailable(f"{place}: there is no such bucket", remedy="Check the event's bucket and the endpoint")
    if status == 404:
        return ObjectGone(f"{place} is not there")
    if status == 412:
        return ObjectChanged(f"{place} was replaced while it was read")
    said = " ".join(["HTTP", str(status), *([code] if _is_s3_code(code) else [])])
    if status >= 500 or status in _RETRY_STATUS or code in _RETRY_CODES:
        return StorageUnavailable(f"{place}: the object store is busy ({said})", remedy="Check the object store's load")
    if _is_about_deployment(status, code):
        return _deployment_error(place, said)
    if status in (401, 403):
        return ObjectUnavailable(f"{place} may not be read ({said})", remedy="Allow the S3 access key to read it")
    return ObjectUnavailable(f"{place} cannot be read ({said})", remedy="Check the key and the endpoint")


def _is_s3_code(code: str) -> bool:
    """Whether the answer had a code of S3's: where it has none, botocore gives the status as one."""
    return bool(code) and not code.isdigit()


def _is_about_deployment(status: int, code: str) -> bool:
    """Whether every other object would be refused as well: wrong keys, region, clock or account, or something that is not S3.

    A refusal in other words than S3's comes from a proxy or another service at that address. 416 is an answer about the object.
    """
    if status in (401, 403):
        return code not in _OBJECT_CODES
    return code in _DEPLOYMENT_CODES or code.startswith("KMS.") or status < 400 or not (_is_s3_code(code) or status == 416)


def _deployment_error(place: str, said: str) -> StorageUnavailable:
    """An event that is acknowledged is gone; one that keeps failing can be replayed when the keys are right."""
    names = ", ".join(environment_name(field) for field in ("s3_endpoint", "s3_access_key", "s3_secret_key"))
    return StorageUnavailable(
        f"{place}: the object store refuses this deployment ({said})",
        code="storage_forbidden",
        remedy=f"Check {names} and {environment_name('s3_region')}, the account, and the clock",
    )


def read_consistently(action: Callable[..., T], *arguments: object) -> T:
    """Run `action`, and again from its start while the object changes under it, up to three times in all."""
    return repeat(action, *arguments, errors=(ObjectChanged,), attempts=REREADS)
