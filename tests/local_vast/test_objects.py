"""Buckets and objects as boto3 sees them, against a real server."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_vast.objects import ObjectChange, ObjectStore
from objects_support import s3_client, serve


class Shop:
    """A served store, a client for it, and what the store told about changes."""

    def __init__(self, root: Path, url: str, changes: list[ObjectChange]) -> None:
        self.root = root
        self.changes = changes
        self.s3: Any = s3_client(url)

    def put(self, key: str, body: bytes = b"content", **more: Any) -> str:
        return self.s3.put_object(Bucket="renders", Key=key, Body=body, **more)["ETag"]

    def get(self, key: str, **more: Any) -> bytes:
        return self.s3.get_object(Bucket="renders", Key=key, **more)["Body"].read()

    def events(self) -> list[tuple[str, str]]:
        return [(change.event_name, change.key) for change in self.changes]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    changes: list[ObjectChange] = []
    with serve(ObjectStore(tmp_path / "objects", changes.append)) as url:
        shop = Shop(tmp_path / "objects", url, changes)
        shop.s3.create_bucket(Bucket="renders")
        yield shop


def expect_error(code: str, status: int) -> Any:
    """The boto3 error of that code, with that HTTP status."""

    def check(error: ClientError) -> bool:
        answer = error.response
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
        return True

    return pytest.raises(ClientError, check=check)


class TestBuckets:
    def test_a_bucket_is_a_folder(self, shop: Shop) -> None:
        """Creating a bucket makes a first-level folder, and every such folder is listed, except hidden ones."""
        (shop.root / "Plates_2024").mkdir()
        (shop.root / ".trash").mkdir()
        assert [bucket["Name"] for bucket in shop.s3.list_buckets()["Buckets"]] == ["Plates_2024", "renders"]

    def test_head_tells_whether_a_bucket_is_there(self, shop: Shop) -> None:
        """The `vastdb` SDK asks for a bucket by HEAD and takes 404 for missing."""
        assert shop.s3.head_bucket(Bucket="renders")["ResponseMetadata"]["HTTPStatusCode"] == 200
        with expect_error("404", 404):
            shop.s3.head_bucket(Bucket="absent")

    def test_location_is_the_default_region(self, shop: Shop) -> None:
        """An empty LocationConstraint means us-east-1, which boto3 shows as None."""
        assert shop.s3.get_bucket_location(Bucket="renders")["LocationConstraint"] is None

    @pytest.mark.parametrize("name", ["ab", "UPPER", "a..b", "192.168.0.1", "under_score", "-dash"])
    def test_bad_names_are_refused(self, shop: Shop, name: str) -> None:
        """S3's naming rule holds for new buckets."""
        with expect_error("InvalidBucketName", 400):
            shop.s3.create_bucket(Bucket=name)

    def test_a_bucket_is_created_once(self, shop: Shop) -> None:
        """A second creation is a conflict."""
        with expect_error("BucketAlreadyOwnedByYou", 409):
            shop.s3.create_bucket(Bucket="renders")

    def test_only_an_empty_bucket_goes(self, shop: Shop) -> None:
        """A bucket with objects stays; an emptied one goes with its folder."""
        shop.put("a/b.exr")
        with expect_error("BucketNotEmpty", 409):
            shop.s3.delete_bucket(Bucket="renders")
        shop.s3.delete_object(Bucket="renders", Key="a/b.exr")
        shop.s3.delete_bucket(Bucket="renders")
        assert not (shop.root / "renders").exists()

    def test_a_folder_with_other_things_is_not_deleted(self, shop: Shop) -> None:
        """What no key reaches (here a symbolic link) is not thrown away with the bucket."""
        (shop.root / "renders" / "link").symlink_to(shop.root)
        with expect_error("BucketNotEmpty", 409):
            shop.s3.delete_bucket(Bucket="renders")

    @pytest.mark.parametrize("call", ["put_object", "get_object", "delete_object", "list_objects_v2", "create_multipart_upload"])
    def test_a_missing_bucket_is_named(self, shop: Shop, call: str) -> None:
        """Every operation in a bucket that is not there answers NoSuchBucket."""
        key = {} if call == "list_objects_v2" else {"Key": "k"}
        with expect_error("NoSuchBucket", 404):
            getattr(shop.s3, call)(Bucket="absent", **key)


class TestPutAndGet:
    def test_what_was_put_comes_back(self, shop: Shop) -> None:
        """Bytes, type, user metadata, content headers, MD5 as ETag, size and time."""
        before = datetime.now(UTC) - timedelta(seconds=1)
        shop.put("a.exr", b"pixels", ContentType="image/x-exr", Metadata={"shot-name": "sq010"}, CacheControl="no-cache")
        answer = shop.s3.get_object(Bucket="renders", Key="a.exr")
        assert answer["Body"].read() == b"pixels"
        assert answer["ETag"] == f'"{hashlib.md5(b"pixels").hexdigest()}"'  # noqa: S324
        assert (answer["ContentType"], answer["Metadata"], answer["CacheControl"]) == (
            "image/x-exr",
            {"shot-name": "sq010"},
            "no-cache",
        )
        assert answer["ContentLength"] == 6
        assert before <= answer["LastModified"] <= datetime.now(UTC)

    def test_head_equals_get_without_the_body(self, shop: Shop) -> None:
        """The headers of HEAD are those of GET."""
        shop.put("a.exr", b"pixels", Metadata={"k": "v"})
        head, get = (call(Bucket="renders", Key="a.exr") for call in (shop.s3.head_object, shop.s3.get_object))
        get["Body"].close()
        for field in ("ETag", "ContentLength", "ContentType", "LastModified", "Metadata", "AcceptRanges"):
            assert head[field] == get[field]

    def test_an_empty_object_is_an_object(self, shop: Shop) -> None:
        """No bytes, but a key and the MD5 of nothing."""
        assert shop.put("empty", b"") == '"d41d8cd98f00b204e9800998ecf8427e"'
        assert shop.get("empty") == b""

    def test_a_missing_key_is_named(self, shop: Shop) -> None:
        """GET answers NoSuchKey, HEAD a bare 404."""
        with expect_error("NoSuchKey", 404):
            shop.get("absent")
        with expect_error("404", 404):
            shop.s3.head_object(Bucket="renders", Key="absent")

    def test_a_folder_is_no_object(self, shop: Shop) -> None:
        """`a/b` does not make an object `a`."""
        shop.put("a/b")
        with expect_error("NoSuchKey", 404):
            shop.get("a")

    def test_a_put_replaces_all(self, shop: Shop) -> None:
        """Content, ETag and metadata are those of the last PUT; one version's facts never meet another's."""
        shop.put("a", b"first", Metadata={"take": "1"})
        second = shop.put("a", b"other")
        head = shop.s3.head_object(Bucket="renders", Key="a")
        assert (shop.get("a"), head["ETag"], head["Metadata"]) == (b"other", second, {})

    def test_checksums_are_kept_and_answered(self, shop: Shop) -> None:
        """boto3 verifies the CRC32 that it sent when it reads the object."""
        shop.put("a", b"pixels")
        head = shop.s3.head_object(Bucket="renders", Key="a", ChecksumMode="ENABLED")
        assert base64.b64decode(head["ChecksumCRC32"]) == zlib.crc32(b"pixels").to_bytes(4, "big")

    def test_too_much_metadata_is_refused(self, shop: Shop) -> None:
        """S3 allows two kilobytes."""
        with expect_error("MetadataTooLarge", 400):
            shop.put("a", Metadata={"k": "v" * 2100})

    def test_a_key_may_have_1024_bytes(self, shop: Shop) -> None:
        """One more is refused by name."""
        shop.put("k" * 1024)
        assert shop.get("k" * 1024) == b"content"
        with expect_error("KeyTooLongError", 400):
            shop.put("k" * 1025)

    def test_response_headers_can_be_asked_for(self, shop: Shop) -> None:
        """response-content-type and -disposition replace what was stored."""
        shop.put("a")
        answer = shop.s3.head_object(Bucket="renders", Key="a", ResponseContentDisposition="attachment")
        assert answer["ContentDisposition"] == "attachment"


class TestRanges:
    @pytest.mark.parametrize(
        ("asked", "wanted"),
        [
            *(("0-0", slice(0, 1)), ("2-4", slice(2, 5)), ("7-", slice(7, 10))),
            *(("-3", slice(7, 10)), ("0-99", slice(0, 10)), ("-99", slice(0, 10))),
        ],
    )
    def test_a_range_is_that_part_of_the_object(self, shop: Shop, asked: str, wanted: slice) -> None:
        """206 with exactly the bytes, and Content-Range says which of how many."""
        body = b"0123456789"
        shop.put("digits", body)
        answer = shop.s3.get_object(Bucket="renders", Key="digits", Range=f"bytes={asked}")
        assert answer["Body"].read() == body[wanted]
        start, stop, _ = wanted.indices(10)
        assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["ContentRange"]) == (206, f"bytes {start}-{stop - 1}/10")

    @pytest.mark.parametrize("asked", ["bytes=10-", "bytes=11-12", "bytes=-0"])
    def test_a_range_beyond_the_end_is_416(self, shop: Shop, asked: str) -> None:
        """And the answer says how long the object is."""
        shop.put("digits", b"0123456789")
        with expect_error("InvalidRange", 416) as caught:
            shop.get("digits", Range=asked)
        assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["content-range"] == "bytes */10"

    @pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=-", "lines=1-2", "bytes=0-1,4-5", "bytes=a-b"])
    def test_a_range_that_makes_no_sense_gets_the_whole_object(self, shop: Shop, asked: str) -> None:
        """RFC 9110: such a header counts for nothing; S3 treats several ranges the same way."""
        shop.put("digits", b"0123456789")
        assert shop.get("digits", Range=asked) == b"0123456789"

    def test_any_range_of_an_empty_object_is_416(self, shop: Shop) -> None:
        """There is no byte to answer with."""
        shop.put("empty", b"")
        with expect_error("InvalidRange", 416):
            shop.get("empty", Range="bytes=0-")


class TestConditions:
    def test_if_match_guards_a_read(self, shop: Shop) -> None:
        """The same version is served, another one is 412."""
        etag = shop.put("a", b"first")
        assert shop.get("a", IfMatch=etag, Range="bytes=0-1") == b"fi"
        shop.put("a", b"second")
        with expect_error("PreconditionFailed", 412):
            shop.get("a", IfMatch=etag, Range="bytes=0-1")

    def test_if_none_match_spares_a_read(self, shop: Shop) -> None:
        """304 while the version is the same, content when it changed."""
        etag = shop.put("a", b"first")
        with expect_error("304", 304):
            shop.get("a", IfNoneMatch=etag)
        shop.put("a", b"second")
        assert shop.get("a", IfNoneMatch=etag) == b"second"

    def test_dates_count_in_whole_seconds(self, shop: Shop) -> None:
        """An object is not modified since its own Last-Modified."""
        shop.put("a")
        modified = shop.s3.head_object(Bucket="renders", Key="a")["LastModified"]
        with expect_error("304", 304):
            shop.get("a", IfModifiedSince=modified)
        assert shop.get("a", IfModifiedSince=modified - timedelta(seconds=1)) == b"content"
        assert shop.get("a", IfUnmodifiedSince=modified) == b"content"
        with expect_error("PreconditionFailed", 412):
            shop.get("a", IfUnmodifiedSince=modified - timedelta(seconds=1))

    def test_the_etag_outweighs_the_date(self, shop: Shop) -> None:
        """RFC 9110: with If-Match, If-Unmodified-Since is not looked at; likewise the negative pair."""
        etag = shop.put("a")
        long_ago = datetime(2001, 1, 1, tzinfo=UTC)
        assert shop.get("a", IfMatch=etag, IfUnmodifiedSince=long_ago) == b"content"
        assert shop.get("a", IfNoneMatch='"other"', IfModifiedSince=datetime.now(UTC)) == b"content"

    def test_create_only(self, shop: Shop) -> None:
        """If-None-Match: * lets the first PUT through and no second."""
        shop.put("a", b"first", IfNoneMatch="*")
        with expect_error("PreconditionFailed", 412):
            shop.put("a", b"second", IfNoneMatch="*")
        assert shop.get("a") == b"first"

    def test_replace_only_the_known_version(self, shop: Shop) -> None:
        """If-Match on a PUT: 404 without an object, 412 with another version."""
        with expect_error("NoSuchKey", 404):
            shop.put("a", IfMatch='"x"')
        etag = shop.put("a", b"first")
        shop.put("a", b"second", IfMatch=etag)
        with expect_error("PreconditionFailed", 412):
            shop.put("a", b"third", IfMatch=etag)
        assert shop.events() == [("ObjectCreated:Put", "a")] * 2


class TestCopy:
    def test_a_copy_keeps_content_and_metadata(self, shop: Shop) -> None:
        """Also into another bucket; the key of the source may hold anything."""
        shop.s3.create_bucket(Bucket="archive")
        shop.put("a b#c+d%é.exr", b"pixels", Metadata={"k": "v"}, ContentType="image/x-exr")
        shop.s3.copy_object(Bucket="archive", Key="copy.exr", CopySource={"Bucket": "renders", "Key": "a b#c+d%é.exr"})
        copy = shop.s3.get_object(Bucket="archive", Key="copy.exr")
        assert (copy["Body"].read(), copy["Metadata"], copy["ContentType"]) == (b"pixels", {"k": "v"}, "image/x-exr")

    def test_metadata_can_be_replaced(self, shop: Shop) -> None:
        """In place too, which is how metadata is changed; without REPLACE a copy onto itself is refused."""
        shop.put("a", Metadata={"old": "1"})
        source = {"Bucket": "renders", "Key": "a"}
        with expect_error("InvalidRequest", 400):
            shop.s3.copy_object(Bucket="renders", Key="a", CopySource=source)
        shop.s3.copy_object(Bucket="renders", Key="a", CopySource=source, Metadata={"new": "2"}, MetadataDirective="REPLACE")
        assert shop.s3.head_object(Bucket="renders", Key="a")["Metadata"] == {"new": "2"}
        assert shop.get("a") == b"content"

    def test_conditions_on_the_source(self, shop: Shop) -> None:
        """Each that does not hold is 412, and nothing is copied."""
        etag = shop.put("a")
        source = {"Bucket": "renders", "Key": "a"}
        long_ago = datetime(2001, 1, 1, tzinfo=UTC)
        failing = [
            {"CopySourceIfMatch": '"x"'},
            {"CopySourceIfNoneMatch": etag},
            {"CopySourceIfUnmodifiedSince": long_ago},
            {"CopySourceIfModifiedSince": datetime.now(UTC)},
        ]
        for condition in failing:
            with expect_error("PreconditionFailed", 412):
                shop.s3.copy_object(Bucket="renders", Key="b", CopySource=source, **condition)
        shop.s3.copy_object(Bucket="renders", Key="b", CopySource=source, CopySourceIfMatch=etag)
        assert shop.events() == [("ObjectCreated:Put", "a"), ("ObjectCreated:Copy", "b")]

    def test_a_missing_source_is_named(self, shop: Shop) -> None:
        """NoSuchKey for the key, NoSuchBucket for the bucket, InvalidArgument for neither."""
        for source, code, status in (("renders/absent", "NoSuchKey", 404), ("absent/a", "NoSuchBucket", 404)):
            with expect_error(code, status):
                shop.s3.copy_object(Bucket="renders", Key="b", CopySource=source)
        with expect_error("InvalidArgument", 400):
            shop.s3.copy_object(Bucket="renders", Key="b", CopySource="renders")


class TestDelete:
    def test_deleting_removes_object_and_empty_folders(self, shop: Shop) -> None:
        """S3 has no folders: those that the object left empty go, others stay."""
        shop.put("a/b/c.exr")
        shop.put("a/d.exr")
        shop.s3.delete_object(Bucket="renders", Key="a/b/c.exr")
        assert sorted(path.name for path in (shop.root / "renders" / "a").iterdir()) == ["d.exr"]

    def test_deleting_nothing_succeeds_silently(self, shop: Shop) -> None:
        """204 and no event."""
        shop.s3.delete_object(Bucket="renders", Key="absent")
        assert shop.events() == []

    def test_many_at_once(self, shop: Shop) -> None:
        """Each key is answered; each object that was there fires once."""
        shop.put("a<&>\r.exr")
        shop.put("b.exr")
        keys = ["a<&>\r.exr", "b.exr", "absent"]
        answer = shop.s3.delete_objects(Bucket="renders", Delete={"Objects": [{"Key": key} for key in keys]})
        assert [item["Key"] for item in answer["Deleted"]] == keys
        assert shop.events()[2:] == [("ObjectRemoved:Delete", "a<&>\r.exr"), ("ObjectRemoved:Delete", "b.exr")]

    def test_quietly(self, shop: Shop) -> None:
        """Quiet mode names failures only."""
        shop.put("a")
        assert "Deleted" not in shop.s3.delete_objects(Bucket="renders", Delete={"Objects": [{"Key": "a"}], "Quiet": True})

    def test_only_the_known_version(self, shop: Shop) -> None:
        """If-Match guards a removal as it guards a write."""
        etag = shop.put("a")
        with expect_error("PreconditionFailed", 412):
            shop.s3.delete_object(Bucket="renders", Key="a", IfMatch='"x"')
        shop.s3.delete_object(Bucket="renders", Key="a", IfMatch=etag)
        assert shop.events()[-1] == ("ObjectRemoved:Delete", "a")


class TestChanges:
    def test_a_change_carries_what_an_event_needs(self, shop: Shop) -> None:
        """Name, place, size, ETag, who and from where; the sequencer grows from change to change of a key."""
        shop.put("a.exr", b"first!")
        shop.put("a.exr", b"second")
        shop.s3.delete_object(Bucket="renders", Key="a.exr")
        first, second, removed = shop.changes
        assert (first.bucket, first.key, first.size, first.etag) == ("renders", "a.exr", 6, hashlib.md5(b"first!").hexdigest())  # noqa: S324
        assert (first.source_ip, first.principal) == ("127.0.0.1", "artist")
        assert first.sequencer < second.sequencer < removed.sequencer
        assert [len(change.sequencer) for change in shop.changes] == [20] * 3
        assert (removed.event_name, removed.etag) == ("ObjectRemoved:Delete", second.etag)

    def test_a_refused_request_changes_nothing(self, shop: Shop) -> None:
        """No event without an effect."""
        with expect_error("InvalidDigest", 400):
            shop.put("a", ContentMD5="nonsense")
        assert shop.events() == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("call", "more", "named"),
        [
            ("get_object_acl", {}, "?acl"),
            ("get_object_tagging", {}, "?tagging"),
            ("put_object", {"Tagging": "a=b"}, "x-amz-tagging"),
            ("put_object", {"ServerSideEncryption": "AES256"}, "x-amz-server-side-encryption"),
            ("get_object", {"VersionId": "1"}, "?versionId"),
        ],
    )
    def test_what_is_not_there_answers_501_with_its_name(self, shop: Shop, call: str, more: dict[str, str], named: str) -> None:
        """Nothing is ignored that would change what the client relies on."""
        shop.put("a")
        with expect_error("NotImplemented", 501) as caught:
            getattr(shop.s3, call)(Bucket="renders", Key="a", **more)
        assert named in caught.value.response["Error"]["Message"]

    def test_an_error_is_complete(self, shop: Shop) -> None:
        """Code, message, resource and request id, the id also as header."""
        with expect_error("NoSuchKey", 404) as caught:
            shop.get("a/b c")
        answer = caught.value.response
        assert answer["Error"]["Resource"] == "/renders/a/b%20c"
        told = answer["ResponseMetadata"]
        assert told["RequestId"] == told["HTTPHeaders"]["x-amz-request-id"]
