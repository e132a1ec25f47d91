"""The object store: ranges, ETags, times, keys. Tried below BUCKET/PREFIX, where objects are written and removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from exr_inspector.errors import InspectorError, ObjectChanged, ObjectGone
from exr_inspector.function import objects
from exr_inspector.operations.assumptions.bench import INFERRED, SAID, Bench, Untried, area, expect, refusal_of

TRIALS, assumption = area("Objects")
FIRST, PART = 1024, 5 * 1024 * 1024
BODY = bytes(range(256)) * 16
KEYS = ("plain.exr", "with space.exr", "plus+sign.exr", "per%20cent.exr", "größe-日本語.exr", "a=b&c.exr")


@contextmanager
def an_object(bench: Bench, name: str = "object.exr", body: bytes = BODY) -> Iterator[tuple[Any, str, str]]:
    """The client, bucket and key of an object that is there for the block. Raises Untried where none may be written."""
    if not bench.objects_at:
        raise Untried("no place for objects is named: --objects BUCKET/PREFIX.")
    bucket, _, prefix = bench.objects_at.partition("/")
    key = f"{prefix.rstrip('/')}/{bench.settings.db_schema}/{name}".lstrip("/")
    client = objects.s3_client(bench.settings)
    try:
        client.put_object(Bucket=bucket, Key=key, Body=body)
    except (BotoCoreError, ClientError) as error:
        raise Untried(f"{bucket}/{key} cannot be written: {error}") from error
    try:
        yield client, bucket, key
    finally:
        client.delete_object(Bucket=bucket, Key=key)


def open_object(client: Any, bucket: str, key: str) -> objects.S3Object:
    """The object, as the function reads it."""
    return objects.S3Object(client, bucket, [key], FIRST)


@assumption("S3; VAST's list of supported calls", SAID, "Every inspection would transfer the object from its start.")
def ranges_are_answered(bench: Bench) -> str:
    """A ranged GET returns only these bytes, with the object's whole size, its ETag and its time."""
    with an_object(bench) as (client, bucket, key):
        one = open_object(client, bucket, key)
        answer = client.get_object(Bucket=bucket, Key=key, Range="bytes=2000-2099")
        whole, data = answer.get("ContentRange"), answer["Body"].read()
    expect(whole == f"bytes 2000-2099/{len(BODY)}" and data == BODY[2000:2100], f"Content-Range {whole}, {len(data)} bytes.")
    expect(one.size == len(BODY) and bool(one.etag), f"size {one.size}, ETag {one.etag}.")
    return f"size {one.size}, ETag {one.etag}, {one.mtime:%Y-%m-%d %H:%M:%S}."


@assumption("S3", INFERRED, "A header could be assembled from two renders.")
def if_match_guards_a_range(bench: Bench) -> str:
    """A ranged GET with If-Match is refused with 412 once the object was overwritten."""
    with an_object(bench) as (client, bucket, key):
        one = open_object(client, bucket, key)
        client.put_object(Bucket=bucket, Key=key, Body=BODY[::-1])
        refused = refusal_of(one.read, 2000, 100)
    expect(isinstance(refused, ObjectChanged), f"seen instead: {refused}")
    return "412."


@assumption("S3", INFERRED, "Which bytes a file's row describes.")
def overwriting_changes_the_etag(bench: Bench) -> str:
    """New content has a new ETag at once, and the same content the same one."""
    with an_object(bench) as (client, bucket, key):
        etags = [objects.current_etag(client, bucket, key)]
        for body in (BODY[::-1], BODY):
            client.put_object(Bucket=bucket, Key=key, Body=body)
            etags.append(objects.current_etag(client, bucket, key))
    expect(etags[0] == etags[2] != etags[1], f"{etags}.")
    return f"{etags[0]}, {etags[1]}, {etags[2]}."


@assumption("S3: a digest of digests, with the count of parts", SAID, "Nothing: an ETag is compared, never computed.")
def multipart_uploads_have_an_etag(bench: Bench) -> str:
    """An object that was uploaded in parts has an ETag, the same in the upload's answer and in a HEAD."""
    with an_object(bench, "parts.exr") as (client, bucket, key):
        upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        bodies = [b"a" * PART, b"b"]
        parts = [
            {
                "PartNumber": number,
                "ETag": client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)["ETag"],
            }
            for number, body in enumerate(bodies, start=1)
        ]
        done = client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
        seen = objects.current_etag(client, bucket, key)
    expect(bool(seen) and str(done["ETag"]).strip('"') == seen, f"{done['ETag']} and {seen}.")
    return f"{seen}."


@assumption("S3", INFERRED, "Removals: a file would count as gone, or as there.")
def a_removed_object_is_not_found(bench: Bench) -> str:
    """After a DELETE, HEAD and GET answer 404 at once, not 403."""
    with an_object(bench) as (client, bucket, key):
        client.delete_object(Bucket=bucket, Key=key)
        etag, refused = objects.current_etag(client, bucket, key), refusal_of(open_object, client, bucket, key)
    expect(etag is None and isinstance(refused, ObjectGone), f"HEAD gave {etag}, GET {refused}")
    return "404 for both."


@assumption("S3", INFERRED, "Files with such names would never be read.")
def keys_of_any_kind_work(bench: Bench) -> str:
    """Keys with spaces, plus and per cent signs, ampersands and letters of any script name what was put there."""
    wrong = []
    for number, name in enumerate(KEYS):
        body = BODY + bytes([number])
        with an_object(bench, name, body) as place:
            try:
                right = open_object(*place).size == len(body)
            except InspectorError:
                right = False
        if not right:
            wrong.append(name)
    expect(not wrong, f"not found: {wrong}.")
    return f"{len(KEYS)} keys."


@assumption("S3", INFERRED, "An empty file would be delivered again and again instead of being stored as unreadable.")
def an_empty_object_can_be_opened(bench: Bench) -> str:
    """A ranged GET of an empty object is recognized as such."""
    with an_object(bench, "empty.exr", b"") as place:
        one = open_object(*place)
    expect(one.size == 0, f"size {one.size}.")
    return "0 bytes."
