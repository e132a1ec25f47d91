"""The S3 object store of `local_vast`: a WSGI application over a folder, for boto3 and the AWS CLI with path addressing.

`ObjectStore(root, on_change)` serves `root`: its first-level folders are buckets, the files below them objects, whether they came
through S3 or lay there before (`keys` has the rule, `disk` the layout). Bodies stream from and to the disk.
Who may call is decided before the request comes here.

What it does: buckets (create, head, list, delete), objects (put, get, head, copy, delete one or many), listings of both versions,
multipart uploads, Range, the If-* conditions, user metadata, checksums. Everything else answers 501 and says what was asked.
"""

from __future__ import annotations

import errno
import http
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import is_disk_full
from .disk import Disk, StoredObject
from .errors import NotModified, S3Error
from .http import Environ, S3Request, S3Response
from .multipart import Uploads
from .operations import route
from .xml import error_document

_MAY_NOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS)

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """Something that happened to an object, after it happened; `size` and `etag` are those of the object before a removal.

    `event_name` is S3's: ObjectCreated:Put, ObjectCreated:Copy, ObjectCreated:CompleteMultipartUpload, ObjectRemoved:Delete.
    `sequencer` orders the changes of one key: 20 hexadecimal digits that grow. `principal` is the access key of the request.
    """

    event_name: str
    bucket: str
    key: str
    size: int
    etag: str
    sequencer: str
    time: datetime
    request_id: str
    source_ip: str
    principal: str


class ObjectStore:
    """The application. `on_change` is called once per change, after it is on the disk and before the client is answered."""

    def __init__(self, root: Path, on_change: Callable[[ObjectChange], None] | None = None) -> None:
        self.disk = Disk(root)
        self.uploads = Uploads(self.disk)
        self._on_change = on_change

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        request = S3Request(environ)
        response = self.answer(request)
        request.body.drain()
        status = f"{response.status} {http.HTTPStatus(response.status).phrase}"
        ids = {"x-amz-request-id": request.request_id, "x-amz-id-2": request.request_id}
        # Without a length the server could only mark the end of an empty answer by closing the connection.
        length = {} if response.body or response.status in (204, 304) else {"Content-Length": "0"}
        headers = {**ids, **length, **response.headers}
        start_response(status, list(headers.items()))
        return response.body

    def answer(self, request: S3Request) -> S3Response:
        """The answer, errors included."""
        try:
            request.check_names()
            return route(request)(self, request)
        except NotModified as current:
            return S3Response(304, current.headers)
        except S3Error as error:
            return _error_response(request, error)
        except OSError as error:
            return _error_response(request, _disk_error(error))

    def has_bucket(self, bucket: str) -> bool:
        """Whether S3 requests on that bucket find it."""
        return self.disk.has_bucket(bucket)

    def create_bucket(self, bucket: str) -> None:
        """Make a bucket unless it is there. Raises S3Error InvalidBucketName."""
        if not self.disk.has_bucket(bucket):
            self.disk.create_bucket(bucket)

    def announce(self, event_name: str, request: S3Request, stored: StoredObject) -> None:
        """Tell `on_change` of something that is on the disk already; `stored.mtime_ns` is when it happened."""
        if self._on_change is None:
            return
        self._on_change(
            ObjectChange(
                event_name,
                bucket=request.bucket,
                key=stored.key,
                size=stored.size,
                etag=stored.etag,
                sequencer=f"{stored.mtime_ns:020x}",
                time=datetime.fromtimestamp(stored.mtime_ns / 1e9, UTC),
                request_id=request.request_id,
                source_ip=request.source_ip,
                principal=request.principal,
            )
        )


def _disk_error(error: OSError) -> S3Error:
    if error.errno in _MAY_NOT_WRITE:
        return S3Error("AccessDenied", "The folder behind this endpoint may not be written")
    code = "InsufficientCapacity" if is_disk_full(error) else "InternalError"
    return S3Error(code, f"The disk refused: {error.strerror}")


def _error_response(request: S3Request, error: S3Error) -> S3Response:
    if request.method == "HEAD":
        return S3Response(error.status, error.headers)
    content = error_document(error.code, error.message, request.resource, request.request_id)
    return S3Response.xml(content, error.status, error.headers)
