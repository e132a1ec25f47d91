"""What S3 requests do: one function per operation, and the table that picks it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Protocol
from urllib.parse import unquote

from .disk import Description, Disk, StoredObject
from .errors import S3Error, no_such_bucket, not_implemented
from .http import S3Request, S3Response
from .listing import bucket_listing
from .multipart import MAX_PARTS, Upload, Uploads
from .reading import ByteRange, FileBlocks, check_copy_source, check_read, parse_range, validators, write_check
from .xml import document, element, iso, read_complete, read_delete, text

MAX_DOCUMENT = 4 * 1024**2
_UNSUPPORTED_HEADERS = (
    "x-amz-tagging",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-legal-hold",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-website-redirect-location",
)
# Parameters that say what a request is about. Those that no route knows are answered with 501.
_SUBRESOURCES = (
    *("uploadId", "uploads", "delete", "location", "partNumber", "versionId", "acl", "tagging", "versioning", "versions"),
    *("policy", "lifecycle", "cors", "notification", "encryption", "object-lock", "replication", "website", "logging"),
    *("accelerate", "requestPayment", "ownershipControls", "publicAccessBlock", "policyStatus", "analytics", "inventory"),
    *("metrics", "intelligent-tiering", "attributes", "legal-hold", "retention", "restore", "select", "torrent", "session"),
)


class Backend(Protocol):
    """What the operations work on."""

    disk: Disk
    uploads: Uploads

    def announce(self, event_name: str, request: S3Request, stored: StoredObject) -> None:
        """Tell whoever listens that the object was created or removed."""


# Buckets


def _list_buckets(store: Backend, request: S3Request) -> S3Response:
    buckets = (element("Bucket", text("Name", name), text("CreationDate", iso(mtime))) for name, mtime in store.disk.buckets())
    owner = element("Owner", text("ID", "local_vast"), text("DisplayName", "local_vast"))
    return S3Response.xml(document("ListAllMyBucketsResult", owner, element("Buckets", *buckets)))


def _create_bucket(store: Backend, request: S3Request) -> S3Response:
    store.disk.create_bucket(request.bucket)
    return S3Response(200, {"Location": f"/{request.bucket}"})


def _head_bucket(store: Backend, request: S3Request) -> S3Response:
    store.disk.folder(request.bucket)
    return S3Response(200, {"x-amz-bucket-region": "us-east-1"})


def _delete_bucket(store: Backend, request: S3Request) -> S3Response:
    store.disk.delete_bucket(request.bucket)
    return S3Response(204)


def _get_location(store: Backend, request: S3Request) -> S3Response:
    store.disk.folder(request.bucket)
    return S3Response.xml(document("LocationConstraint"))


def _list_bucket(store: Backend, request: S3Request) -> S3Response:
    return bucket_listing(request.query)(store.disk, request)


def _delete_objects(store: Backend, request: S3Request) -> S3Response:
    store.disk.folder(request.bucket)
    keys, quiet = read_delete(request.body.read_all(MAX_DOCUMENT))
    for key in keys:
        _remove(store, request, key)
    deleted = () if quiet else (element("Deleted", text("Key", key)) for key in keys)
    return S3Response.xml(document("DeleteResult", *deleted))


# Objects


def _get_object(store: Backend, request: S3Request) -> S3Response:
    file, stored = store.disk.open(request.bucket, request.key)
    with ExitStack() as on_error:
        on_error.callback(file.close)
        check_read(request.headers, stored)
        status, headers, wanted = _span(request, stored)
        on_error.pop_all()
    return S3Response(status, headers, FileBlocks(file, wanted))


def _head_object(store: Backend, request: S3Request) -> S3Response:
    stored = store.disk.stat(request.bucket, request.key)
    check_read(request.headers, stored)
    status, headers, _ = _span(request, stored)
    return S3Response(status, headers)


def _span(request: S3Request, stored: StoredObject) -> tuple[int, dict[str, str], ByteRange]:
    """Status, headers and bytes of a GET or HEAD."""
    wanted = parse_range(request.headers.get("range"), stored.size)
    overrides = {
        name.removeprefix("response-").title(): value for name, value in request.query.items() if name.startswith("response-")
    }
    headers = {**stored.headers, **overrides, **validators(stored), "Accept-Ranges": "bytes"}
    if wanted is None:
        if request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
            headers |= stored.checksums
        return 200, {**headers, "Content-Length": str(stored.size)}, ByteRange(0, stored.size)
    headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{stored.size}"
    return 206, {**headers, "Content-Length": str(wanted.length)}, wanted


def _put_object(store: Backend, request: S3Request) -> S3Response:
    _check_writable(store, request)
    headers = request.kept_headers()
    with store.disk.receive() as incoming:
        checksums = request.body.copy_to(incoming.write)
        check = write_check(request.headers, request.key)
        stored = store.disk.commit(request.bucket, request.key, incoming, Description(headers, checksums), check)
    store.announce("ObjectCreated:Put", request, stored)
    return S3Response(200, {"ETag": f'"{stored.etag}"', **checksums})


def _copy_object(store: Backend, request: S3Request) -> S3Response:
    store.disk.folder(request.bucket)
    bucket, key = _copy_source(request)
    replace = request.headers.get("x-amz-metadata-directive", "COPY").upper() == "REPLACE"
    file, source = store.disk.open(bucket, key)
    with file, store.disk.receive() as incoming:
        if (bucket, key) == (request.bucket, request.key) and not replace:
            raise S3Error("InvalidRequest", "A copy onto itself must replace the metadata (x-amz-metadata-directive: REPLACE)")
        check_copy_source(request.headers, source)
        for block in FileBlocks(file, ByteRange(0, source.size)):
            incoming.write(block)
        about = Description(request.kept_headers() if replace else source.headers, source.checksums)
        stored = store.disk.commit(request.bucket, request.key, incoming, about, write_check(request.headers, request.key))
    store.announce("ObjectCreated:Copy", request, stored)
    return S3Response.xml(document("CopyObjectResult", *_version(stored.etag, stored.mtime_ns)))


def _version(etag: str, mtime_ns: int) -> tuple[str, str]:
    return text("LastModified", iso(mtime_ns)), text("ETag", f'"{etag}"')


def _delete_object(store: Backend, request: S3Request) -> S3Response:
    _remove(store, request, request.key)
    return S3Response(204)


def _remove(store: Backend, request: S3Request, key: str) -> None:
    removed = store.disk.delete(request.bucket, key, write_check(request.headers, key))
    if removed is not None:
        store.announce("ObjectRemoved:Delete", request, removed)


def _check_writable(store: Backend, request: S3Request) -> None:
    """What must hold before a body is read. Raises NoSuchBucket or MissingContentLength."""
    store.disk.folder(request.bucket)
    if not request.has_length:
        raise S3Error("MissingContentLength", "An upload needs Content-Length or a chunked transfer coding")


def _copy_source(request: S3Request) -> tuple[str, str]:
    """Bucket and key of `x-amz-copy-source`, which is percent-encoded and may start with a slash."""
    path, _, version = request.headers["x-amz-copy-source"].partition("?")
    if version and version != "versionId=null":
        raise not_implemented("versionId in x-amz-copy-source")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    if not bucket or not key:
        raise S3Error("InvalidArgument", "x-amz-copy-source must be BUCKET/KEY")
    return bucket, key


# Multipart uploads


def _upload(store: Backend, request: S3Request) -> Upload:
    return store.uploads.find(request.bucket, request.key, request.query["uploadId"])


def _create_upload(store: Backend, request: S3Request) -> S3Response:
    upload = store.uploads.create(request.bucket, request.key, request.kept_headers())
    return S3Response.xml(document("InitiateMultipartUploadResult", *_upload_names(upload)))


def _upload_names(upload: Upload) -> tuple[str, ...]:
    return text("Bucket", upload.bucket), text("Key", upload.key), text("UploadId", upload.upload_id)


def _part_number(request: S3Request) -> int:
    given = request.query.get("partNumber", "")
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= MAX_PARTS):
        raise S3Error("InvalidArgument", f"partNumber {given!r} is not a number from 1 to {MAX_PARTS}")
    return int(given)


def _upload_part(store: Backend, request: S3Request) -> S3Response:
    _check_writable(store, request)
    number, upload = _part_number(request), _upload(store, request)
    with store.uploads.receive(upload) as incoming:
        checksums = request.body.copy_to(incoming.write)
        etag = store.uploads.keep_part(upload, number, incoming)
    return S3Response(200, {"ETag": f'"{etag}"', **checksums})


def _upload_part_copy(store: Backend, request: S3Request) -> S3Response:
    number, upload = _part_number(request), _upload(store, request)
    file, source = store.disk.open(*_copy_source(request))
    with file, store.uploads.receive(upload) as incoming:
        check_copy_source(request.headers, source)
        wanted = parse_range(request.headers.get("x-amz-copy-source-range"), source.size) or ByteRange(0, source.size)
        for block in FileBlocks(file, wanted):
            incoming.write(block)
        modified = incoming.path.stat().st_mtime_ns
        etag = store.uploads.keep_part(upload, number, incoming)
    return S3Response.xml(document("CopyPartResult", *_version(etag, modified)))


def _complete_upload(store: Backend, request: S3Request) -> S3Response:
    upload = _upload(store, request)
    parts = read_complete(request.body.read_all(MAX_DOCUMENT))
    stored = store.uploads.complete(upload, parts, write_check(request.headers, request.key))
    store.announce("ObjectCreated:CompleteMultipartUpload", request, stored)
    names = (text("Location", request.resource), text("Bucket", request.bucket), text("Key", request.key))
    return S3Response.xml(document("CompleteMultipartUploadResult", *names, text("ETag", f'"{stored.etag}"')))


def _abort_upload(store: Backend, request: S3Request) -> S3Response:
    store.uploads.abort(_upload(store, request))
    return S3Response(204)


def _list_parts(store: Backend, request: S3Request) -> S3Response:
    upload = _upload(store, request)
    after = request.query.get("part-number-marker", "0")
    limit = request.query.get("max-parts", "1000")
    if not (after.isdigit() and limit.isdigit()):
        raise S3Error("InvalidArgument", "part-number-marker and max-parts are numbers")
    parts = [part for part in store.uploads.parts(upload) if part.number > int(after)]
    shown = parts[: min(int(limit), 1000)]
    listed = (
        element(
            "Part",
            text("PartNumber", part.number),
            *_version(part.etag, part.mtime_ns),
            text("Size", part.size),
        )
        for part in shown
    )
    more = text("IsTruncated", "true" if len(parts) > len(shown) else "false")
    following = text("NextPartNumberMarker", shown[-1].number) if shown else ""
    return S3Response.xml(document("ListPartsResult", *_upload_names(upload), more, following, *listed))


def _list_uploads(store: Backend, request: S3Request) -> S3Response:
    prefix = request.query.get("prefix", "")
    uploads = [upload for upload in store.uploads.list_uploads(request.bucket) if upload.key.startswith(prefix)]
    listed = (
        element("Upload", text("Key", item.key), text("UploadId", item.upload_id), text("Initiated", iso(item.started_ns)))
        for item in uploads
    )
    head = (text("Bucket", request.bucket), text("Prefix", prefix), text("IsTruncated", "false"))
    return S3Response.xml(document("ListMultipartUploadsResult", *head, *listed))


# Routes: (level, method, what the parameters or headers make of it)

Handler = Callable[[Backend, S3Request], S3Response]
ROUTES: dict[tuple[str, str, str], Handler] = {
    ("service", "GET", ""): _list_buckets,
    ("bucket", "PUT", ""): _create_bucket,
    ("bucket", "HEAD", ""): _head_bucket,
    ("bucket", "DELETE", ""): _delete_bucket,
    ("bucket", "GET", ""): _list_bucket,
    ("bucket", "GET", "location"): _get_location,
    ("bucket", "GET", "uploads"): _list_uploads,
    ("bucket", "POST", "delete"): _delete_objects,
    ("object", "GET", ""): _get_object,
    ("object", "HEAD", ""): _head_object,
    ("object", "PUT", ""): _put_object,
    ("object", "PUT", "copy"): _copy_object,
    ("object", "DELETE", ""): _delete_object,
    ("object", "POST", "uploads"): _create_upload,
    ("object", "PUT", "uploadId"): _upload_part,
    ("object", "PUT", "uploadId copy"): _upload_part_copy,
    ("object", "GET", "uploadId"): _list_parts,
    ("object", "POST", "uploadId"): _complete_upload,
    ("object", "DELETE", "uploadId"): _abort_upload,
}


def route(request: S3Request) -> Handler:
    """The function that answers the request. Raises NotImplemented with the name of what was asked for, or NoSuchBucket."""
    level = "object" if request.key else "bucket" if request.bucket else "service"
    if level == "service" and request.resource.startswith("//"):
        raise no_such_bucket("")
    for header in _UNSUPPORTED_HEADERS:
        if header in request.headers:
            raise not_implemented(f"the header {header}")
    about = next((name for name in _SUBRESOURCES if name in request.query), "")
    if request.method == "PUT" and "x-amz-copy-source" in request.headers:
        about = f"{about} copy".strip()
    handler = ROUTES.get((level, request.method, about))
    if handler is None:
        raise not_implemented(f"{request.method} of {'?' if about else ''}{about or 'nothing'} on the {level}")
    return handler
