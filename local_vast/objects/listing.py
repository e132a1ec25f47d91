"""Listings of a bucket: ListObjectsV2, ListObjects, and the form in which the `vastdb` SDK asks for snapshots.

All three read the same pages of at most 1,000 entries; they differ in how a page names its successor.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from .disk import BEYOND, Cursor, Disk, StoredObject
from .errors import S3Error
from .http import S3Request, S3Response
from .xml import document, element, iso, text

MAX_KEYS = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Objects and common prefixes in key order; `after` is where the next page starts, None after the last one."""

    objects: list[StoredObject]
    prefixes: list[str]
    after: bytes | None

    @property
    def count(self) -> int:
        """Entries of both kinds."""
        return len(self.objects) + len(self.prefixes)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a client asks to see."""

    prefix: str
    delimiter: str
    max_keys: int
    url_encoded: bool

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Listing:
        """The parameters of a request; the SDK's snapshot listing writes `max_keys`. Raises InvalidArgument."""
        max_keys = query.get("max-keys") or query.get("max_keys") or str(MAX_KEYS)
        if not max_keys.isascii() or not max_keys.isdigit():
            raise S3Error("InvalidArgument", f"max-keys {max_keys!r} is not a number from 0 to 2147483647")
        encoding = query.get("encoding-type")
        if encoding not in (None, "url"):
            raise S3Error("InvalidArgument", f"encoding-type {encoding!r} is not 'url'")
        return cls(query.get("prefix", ""), query.get("delimiter", ""), min(int(max_keys), MAX_KEYS), encoding == "url")

    def spell(self, value: str) -> str:
        """A key or prefix as the answer spells it."""
        return quote(value, safe="/") if self.url_encoded else value

    def group(self, key: str) -> str | None:
        """The common prefix that stands for this key, or None when the key is listed itself."""
        head, delimiter, _ = key[len(self.prefix) :].partition(self.delimiter) if self.delimiter else ("", "", "")
        return f"{self.prefix}{head}{delimiter}" if delimiter else None


def read_page(disk: Disk, bucket: str, listing: Listing, after: bytes) -> Page:
    """One page of keys above `after`."""
    cursor = Cursor(after)
    objects: list[StoredObject] = []
    prefixes: list[str] = []
    last = after
    for key in disk.scan(bucket, listing.prefix, cursor):
        if len(objects) + len(prefixes) == listing.max_keys:
            return Page(objects, prefixes, last if listing.max_keys else None)
        group = listing.group(key)
        if group is not None:
            prefixes.append(group)
            last = cursor.after = group.encode() + BEYOND
        elif stored := _stat_unless_gone(disk, bucket, key):
            objects.append(stored)
            last = key.encode()
    return Page(objects, prefixes, None)


def _stat_unless_gone(disk: Disk, bucket: str, key: str) -> StoredObject | None:
    try:
        return disk.stat(bucket, key)
    except S3Error:
        return None


def list_objects_v2(disk: Disk, request: S3Request) -> S3Response:
    """ListObjectsV2."""
    listing = Listing.of(request.query)
    token = request.query.get("continuation-token")
    start = request.query.get("start-after", "")
    page = read_page(disk, request.bucket, listing, start.encode() if token is None else _after(token))
    extra = [text("KeyCount", page.count), text("StartAfter", listing.spell(start)) if start else ""]
    if token is not None:
        extra.append(text("ContinuationToken", token))
    if page.after is not None:
        extra.append(text("NextContinuationToken", _token(page.after)))
    return _answer(request, listing, page, extra)


def list_objects(disk: Disk, request: S3Request) -> S3Response:
    """ListObjects, the first version, which goes on after a marker: a key or a common prefix."""
    listing = Listing.of(request.query)
    marker = request.query.get("marker", "")
    after = marker.encode()
    if marker and listing.group(marker) == marker:
        after += BEYOND
    page = read_page(disk, request.bucket, listing, after)
    extra = [text("Marker", listing.spell(marker))]
    if page.after is not None:
        extra.append(text("NextMarker", listing.spell(page.after.removesuffix(BEYOND).decode())))
    return _answer(request, listing, page, extra)


def list_snapshots(disk: Disk, request: S3Request) -> S3Response:
    """The SDK's `list_type=2` listing: `Marker` names the next page, and comes back as `continuation-token`."""
    listing = Listing.of(request.query)
    token = request.query.get("continuation-token")
    page = read_page(disk, request.bucket, listing, _after(token) if token else b"")
    return _answer(request, listing, page, [text("Marker", _token(page.after) if page.after is not None else "")])


def bucket_listing(query: Mapping[str, str]) -> Callable[[Disk, S3Request], S3Response]:
    """Which of the three a GET on a bucket asks for."""
    if query.get("list-type") == "2":
        return list_objects_v2
    return list_snapshots if query.get("list_type") == "2" else list_objects


def _answer(request: S3Request, listing: Listing, page: Page, extra: list[str]) -> S3Response:
    head = [
        text("Name", request.bucket),
        text("Prefix", listing.spell(listing.prefix)),
        text("MaxKeys", listing.max_keys),
        text("IsTruncated", "false" if page.after is None else "true"),
    ]
    if listing.delimiter:
        head.append(text("Delimiter", listing.spell(listing.delimiter)))
    if listing.url_encoded:
        head.append(text("EncodingType", "url"))
    objects = [_contents(stored, listing) for stored in page.objects]
    prefixes = [element("CommonPrefixes", text("Prefix", listing.spell(prefix))) for prefix in page.prefixes]
    return S3Response.xml(document("ListBucketResult", *head, *extra, *objects, *prefixes))


def _contents(stored: StoredObject, listing: Listing) -> str:
    return element(
        "Contents",
        text("Key", listing.spell(stored.key)),
        text("LastModified", iso(stored.mtime_ns)),
        text("ETag", f'"{stored.etag}"'),
        text("Size", stored.size),
        text("StorageClass", "STANDARD"),
    )


def _token(after: bytes) -> str:
    return base64.urlsafe_b64encode(after).decode()


def _after(token: str) -> bytes:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise S3Error("InvalidArgument", f"The continuation token {token!r} did not come from this endpoint") from None
