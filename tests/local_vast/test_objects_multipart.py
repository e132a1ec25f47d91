"""Multipart uploads through boto3: a large render lands, and nothing half done is ever an object."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from local_vast.objects import ObjectChange, ObjectStore
from objects_support import s3_client, serve

MIB = 1024 * 1024
LARGE = bytes(range(256)) * (6 * MIB // 256) + b"the last part is short"


class MultipartShop:
    """A served store with an empty bucket."""

    def __init__(self, root: Path, url: str, changes: list[ObjectChange]) -> None:
        self.root = root
        self.changes = changes
        self.s3: Any = s3_client(url)
        self.s3.create_bucket(Bucket="renders")

    def begin(self, key: str = "large.exr", **more: Any) -> str:
        return self.s3.create_multipart_upload(Bucket="renders", Key=key, **more)["UploadId"]

    def part(self, upload: str, number: int, body: bytes, key: str = "large.exr") -> dict[str, Any]:
        answer = self.s3.upload_part(Bucket="renders", Key=key, UploadId=upload, PartNumber=number, Body=body)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def complete(self, upload: str, parts: list[dict[str, Any]], key: str = "large.exr", **more: Any) -> dict[str, Any]:
        document = {"Parts": parts}
        return self.s3.complete_multipart_upload(Bucket="renders", Key=key, UploadId=upload, MultipartUpload=document, **more)

    def get(self, key: str = "large.exr", **more: Any) -> bytes:
        return self.s3.get_object(Bucket="renders", Key=key, **more)["Body"].read()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[MultipartShop]:
    changes: list[ObjectChange] = []
    with serve(ObjectStore(tmp_path / "objects", changes.append)) as url:
        yield MultipartShop(tmp_path / "objects", url, changes)


def expect_error(code: str) -> Any:
    return pytest.raises(ClientError, check=lambda error: error.response["Error"]["Code"] == code)


class TestManaged:
    """What boto3's transfer manager makes of a large file."""

    def test_a_30_mb_upload_lands_whole(self, shop: MultipartShop, tmp_path: Path) -> None:
        """Ranges read back equal, the ETag is that of the parts, the change is told once, and no upload stays behind."""
        frame = tmp_path / "frame.exr"
        block = hashlib.sha256(b"noise").digest()
        frame.write_bytes(b"".join(hashlib.sha256(block + i.to_bytes(4, "big")).digest() for i in range(30_000_000 // 32)))
        body = frame.read_bytes()
        shop.s3.upload_file(str(frame), "renders", "frame.exr", ExtraArgs={"Metadata": {"shot": "sq010"}})
        for start, stop in ((0, 65536), (8 * MIB - 5, 8 * MIB + 5), (len(body) - 10, len(body))):
            assert shop.get("frame.exr", Range=f"bytes={start}-{stop - 1}") == body[start:stop]
        head = shop.s3.head_object(Bucket="renders", Key="frame.exr")
        digests = b"".join(hashlib.md5(body[at : at + 8 * MIB]).digest() for at in range(0, len(body), 8 * MIB))  # noqa: S324
        assert head["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-4"'  # noqa: S324
        assert (head["ContentLength"], head["Metadata"]) == (len(body), {"shot": "sq010"})
        assert [(change.event_name, change.key) for change in shop.changes] == [
            ("ObjectCreated:CompleteMultipartUpload", "frame.exr")
        ]
        assert "Uploads" not in shop.s3.list_multipart_uploads(Bucket="renders")

    def test_a_large_copy_goes_by_parts(self, shop: MultipartShop) -> None:
        """boto3 copies large objects with UploadPartCopy; content and number of parts are as it asked."""
        shop.s3.put_object(Bucket="renders", Key="large.exr", Body=LARGE)
        config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
        shop.s3.copy({"Bucket": "renders", "Key": "large.exr"}, "renders", "copy.exr", Config=config)
        assert shop.get("copy.exr") == LARGE
        assert shop.s3.head_object(Bucket="renders", Key="copy.exr")["ETag"].endswith('-2"')
        assert len(shop.changes) == 2

    def test_downloads_by_ranges(self, shop: MultipartShop, tmp_path: Path) -> None:
        """boto3 reads large objects with several ranged GETs at once."""
        shop.s3.put_object(Bucket="renders", Key="large.exr", Body=LARGE)
        config = TransferConfig(multipart_threshold=MIB, multipart_chunksize=MIB)
        shop.s3.download_file("renders", "large.exr", str(tmp_path / "copy"), Config=config)
        assert (tmp_path / "copy").read_bytes() == LARGE


class TestParts:
    def test_parts_may_come_in_any_order_and_again(self, shop: MultipartShop) -> None:
        """The object is joined by number from the last version of each part."""
        upload = shop.begin(ContentType="image/x-exr")
        last = shop.part(upload, 7, b"tail")
        shop.part(upload, 2, b"wrong")
        first = shop.part(upload, 2, LARGE)
        shop.complete(upload, [first, last])
        assert shop.get() == LARGE + b"tail"
        assert shop.s3.head_object(Bucket="renders", Key="large.exr")["ContentType"] == "image/x-exr"

    def test_only_the_listed_parts_count(self, shop: MultipartShop) -> None:
        """A part that the completion does not name is dropped."""
        upload = shop.begin()
        only = shop.part(upload, 1, b"used")
        shop.part(upload, 2, b"unused")
        shop.complete(upload, [only])
        assert shop.get() == b"used"

    def test_parts_are_listed(self, shop: MultipartShop) -> None:
        """By number, in pages."""
        upload = shop.begin()
        sizes = {number: number * 10 for number in (1, 3, 5)}
        for number, size in sizes.items():
            shop.part(upload, number, b"x" * size)
        pages = shop.s3.get_paginator("list_parts").paginate(
            Bucket="renders", Key="large.exr", UploadId=upload, PaginationConfig={"PageSize": 2}
        )
        assert {part["PartNumber"]: part["Size"] for page in pages for part in page["Parts"]} == sizes

    def test_uploads_in_progress_are_listed(self, shop: MultipartShop) -> None:
        """By key."""
        shop.begin("b.exr")
        shop.begin("a/x.exr")
        answer = shop.s3.list_multipart_uploads(Bucket="renders")
        assert [upload["Key"] for upload in answer["Uploads"]] == ["a/x.exr", "b.exr"]
        answer = shop.s3.list_multipart_uploads(Bucket="renders", Prefix="a/")
        assert [upload["Key"] for upload in answer["Uploads"]] == ["a/x.exr"]

    def test_nothing_is_an_object_before_completion(self, shop: MultipartShop) -> None:
        """Neither listed nor readable, and no change is told."""
        shop.part(shop.begin(), 1, b"x")
        assert "Contents" not in shop.s3.list_objects_v2(Bucket="renders")
        with expect_error("NoSuchKey"):
            shop.get()
        assert shop.changes == []

    def test_abort_throws_all_away(self, shop: MultipartShop) -> None:
        """The upload is unknown afterwards, and its bytes are off the disk."""
        upload = shop.begin()
        shop.part(upload, 1, b"x")
        shop.s3.abort_multipart_upload(Bucket="renders", Key="large.exr", UploadId=upload)
        with expect_error("NoSuchUpload"):
            shop.part(upload, 2, b"x")
        assert [path for path in (shop.root / ".local_vast").rglob("*") if path.is_file()] == []

    def test_an_upload_survives_a_restart(self, shop: MultipartShop) -> None:
        """Another process can take it up where it was."""
        upload = shop.begin()
        first = shop.part(upload, 1, LARGE)
        with serve(ObjectStore(shop.root)) as url:
            other = MultipartShop.__new__(MultipartShop)
            other.s3 = s3_client(url)
            other.complete(upload, [first, other.part(upload, 2, b"tail")])
        assert shop.get() == LARGE + b"tail"


class TestMultipartRefusals:
    def test_what_was_not_uploaded_cannot_be_joined(self, shop: MultipartShop) -> None:
        """Neither a missing part nor another version of it; the upload stays usable."""
        upload = shop.begin()
        part = shop.part(upload, 1, b"x")
        for parts in ([{"PartNumber": 2, "ETag": part["ETag"]}], [{"PartNumber": 1, "ETag": '"0"'}]):
            with expect_error("InvalidPart"):
                shop.complete(upload, parts)
        shop.complete(upload, [part])

    def test_order_and_size_rules(self, shop: MultipartShop) -> None:
        """Ascending numbers, and 5 MiB for all parts but the last."""
        upload = shop.begin()
        parts = [shop.part(upload, number, b"small") for number in (1, 2)]
        with expect_error("InvalidPartOrder"):
            shop.complete(upload, parts[::-1])
        with expect_error("EntityTooSmall"):
            shop.complete(upload, parts)

    def test_an_upload_belongs_to_its_key(self, shop: MultipartShop) -> None:
        """The id alone is not enough, nor is any string an id."""
        upload = shop.begin("a.exr")
        with expect_error("NoSuchUpload"):
            shop.part(upload, 1, b"x", key="b.exr")
        with expect_error("NoSuchUpload"):
            shop.part("../../escape", 1, b"x", key="a.exr")

    @pytest.mark.parametrize("number", [0, 10_001])
    def test_part_numbers_have_limits(self, shop: MultipartShop, number: int) -> None:
        """1 to 10,000."""
        with expect_error("InvalidArgument"):
            shop.part(shop.begin(), number, b"x")

    def test_conditions_hold_at_completion(self, shop: MultipartShop) -> None:
        """If-None-Match: * refuses to replace, and leaves the upload as it was."""
        shop.s3.put_object(Bucket="renders", Key="large.exr", Body=b"there")
        upload = shop.begin()
        part = shop.part(upload, 1, b"x")
        with expect_error("PreconditionFailed"):
            shop.complete(upload, [part], IfNoneMatch="*")
        assert shop.get() == b"there"
        shop.complete(upload, [part])
        assert shop.get() == b"x"

    def test_a_range_beyond_the_source_is_refused(self, shop: MultipartShop) -> None:
        """A part cannot be copied from bytes that are not there."""
        shop.s3.put_object(Bucket="renders", Key="source", Body=b"0123456789")
        upload = shop.begin()
        place = {"Bucket": "renders", "Key": "large.exr", "UploadId": upload, "PartNumber": 1, "CopySource": "renders/source"}
        with expect_error("InvalidRange"):
            shop.s3.upload_part_copy(**place, CopySourceRange="bytes=10-20")
        answer = shop.s3.upload_part_copy(**place, CopySourceRange="bytes=2-4")
        shop.complete(upload, [{"PartNumber": 1, "ETag": answer["CopyPartResult"]["ETag"]}])
        assert shop.get() == b"234"


def test_a_completion_that_comes_twice_fires_once(shop: MultipartShop) -> None:
    """Clients repeat a completion whose answer they lost: one succeeds, the others find no upload."""
    upload = shop.begin()
    part = shop.part(upload, 1, LARGE)
    gate = threading.Barrier(4)

    def attempt() -> str:
        gate.wait()
        try:
            return shop.complete(upload, [part])["ETag"]
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(4) as pool:
        answers = [task.result() for task in [pool.submit(attempt) for _ in range(4)]]
    assert sorted(answers)[1:] == ["NoSuchUpload"] * 3
    assert len(shop.changes) == 1
    assert shop.get() == LARGE


def test_a_stray_folder_is_no_upload(shop: MultipartShop) -> None:
    """What a kill left between folder and description is passed over."""
    stray = shop.root / ".local_vast" / "uploads" / "renders" / ("0" * 32)
    stray.mkdir(parents=True)
    assert "Uploads" not in shop.s3.list_multipart_uploads(Bucket="renders")
    upload = shop.begin()
    facts = json.loads((stray.parent / upload / "upload.json").read_text(encoding="utf-8"))
    assert facts["key"] == "large.exr"
