"""From a bucket upload to a row: boto3 uploads into a local endpoint, its trigger posts events to a function host, rows appear.

Everything runs on loopback: the object store and the database of `local_vast`, the host that runs `main`, and the S3 client.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import boto3
import pytest
import vastdb
from botocore.config import Config

import main
from exr_payload import normalize_path
from function_host import FunctionHost
from local_vast import LocalVast
from local_vast.trigger import ElementTrigger, TriggerFaults
from scripts.samples import SAMPLES
from vast_settings import Settings

BUCKET, DATABASE, SCHEMA = "shows", "renders", "exr"
BEAUTY = [name for name in SAMPLES if "beauty/v003" in name]
STEREO = next(name for name in SAMPLES if "stereo" in name)
NOTES = next(name for name in SAMPLES if name.endswith("notes.exr"))
SECONDS = 60
Row = dict[str, Any]


@dataclass
class Cloud:
    """A small VAST on loopback: the endpoint, its trigger, the function, and a client of the object store."""

    server: LocalVast
    trigger: ElementTrigger
    host: FunctionHost
    s3: Any

    def settle(self) -> None:
        """Wait until every event is delivered or dead."""
        assert self.trigger.drain(SECONDS)

    def put(self, key: str, data: bytes) -> None:
        """Upload an object and wait for what comes of it."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=data)
        self.settle()

    def delete(self, key: str) -> None:
        """Delete an object and wait for what comes of it."""
        self.s3.delete_object(Bucket=BUCKET, Key=key)
        self.settle()

    def rows(self, table: str = "files") -> list[Row]:
        """All rows of a table, through the SDK."""
        session = vastdb.connect(endpoint=self.server.url, access=self.server.access_key, secret=self.server.secret_key)
        with session.transaction() as tx:
            found: list[Row] = tx.bucket(DATABASE).schema(SCHEMA).table(table).select().read_all().to_pylist()
        return found

    def of(self, key: str) -> list[Row]:
        """The rows of one object in `files`, the current one first."""
        path = normalize_path(f"s3://{BUCKET}/{key}")
        return sorted((row for row in self.rows() if row["file_path_normalized"] == path), key=lambda row: not row["is_current"])


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The samples that these tests use, as bytes."""
    directory = tmp_path_factory.mktemp("samples")
    found = {}
    for name in (*BEAUTY, STEREO, NOTES):
        path = directory / Path(name).name
        SAMPLES[name](path)
        found[name] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """One endpoint and one function for the module; each test has keys of its own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (name for item in fields(Settings) for name in item.metadata["names"]):
            patch.delenv(name, raising=False)
        with LocalVast(buckets=(BUCKET, DATABASE), trigger_url="http://127.0.0.1/", trigger_suffix="") as server:
            trigger = server.trigger
            assert trigger is not None
            secret = {
                "s3endpoint": server.url, "s3accesskey": server.access_key, "s3secretkey": server.secret_key,
                "vdbendpoint": server.url, "vdbaccesskey": server.access_key, "vdbsecretkey": server.secret_key,
                "vdbbucket": DATABASE, "vdbschema": SCHEMA,
            }  # fmt: skip
            with FunctionHost(main.handler, main.init, secrets={"exr-inspector": secret}) as host:
                trigger.url, trigger.waits = host.url, (0.05, 0.1, 0.2)
                host.wait_until_ready(SECONDS)
                yield Cloud(server, trigger, host, client(server))


@contextmanager
def faults(cloud: Cloud, chance: random.Random) -> Iterator[None]:
    """One in twenty: of the trigger's attempts, of the store's requests, and of the database's transactions."""
    plan = {"503@object": (5, 100), "reset@object": (2, 100), "409@commit": (3, 50), "lost@commit": (2, 50), "503@query": (3, 60)}
    for spec, (times, requests) in plan.items():
        cloud.server.faults.add(*(f"{spec}+{chance.randrange(requests)}" for _ in range(times)))
    cloud.trigger.faults = TriggerFaults(duplicate=0.05, refuse=0.05, lose_answer=0.05)
    yield
    cloud.trigger.faults = TriggerFaults()
    cloud.server.faults.clear()


def client(server: LocalVast) -> Any:
    """An S3 client such as a render farm has."""
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=16),
    )


def test_an_uploaded_exr_is_a_row(cloud: Cloud, samples: dict[str, bytes]) -> None:
    """With its parts, channels and attributes, under its address."""
    cloud.put("up/a.exr", samples[BEAUTY[0]])
    (row,) = cloud.of("up/a.exr")
    assert (row["file_path"], row["status"], row["is_current"]) == (f"s3://{BUCKET}/up/a.exr", "ok", True)
    assert row["size_bytes"] == len(samples[BEAUTY[0]])
    for table in ("parts", "channels", "attributes"):
        assert any(child["file_id"] == row["file_id"] for child in cloud.rows(table))


def test_an_overwritten_object_has_a_new_current_row(cloud: Cloud, samples: dict[str, bytes]) -> None:
    """The older version stays, and is no longer current."""
    cloud.put("over/a.exr", samples[BEAUTY[0]])
    cloud.put("over/a.exr", samples[STEREO])
    current, old = cloud.of("over/a.exr")
    assert (current["is_current"], current["multipart_count"]) > (True, 1)
    assert (old["is_current"], old["multipart_count"]) == (False, 1)


def test_the_same_object_uploaded_again_adds_no_row(cloud: Cloud, samples: dict[str, bytes]) -> None:
    """It was inspected twice."""
    for _ in range(2):
        cloud.put("same/a.exr", samples[BEAUTY[0]])
    (row,) = cloud.of("same/a.exr")
    assert row["inspection_count"] == 2


def test_a_copy_is_a_row_of_its_own(cloud: Cloud, samples: dict[str, bytes]) -> None:
    """With the same header at another address."""
    cloud.put("copy/a.exr", samples[BEAUTY[0]])
    cloud.s3.copy_object(Bucket=BUCKET, Key="copy/b.exr", CopySource={"Bucket": BUCKET, "Key": "copy/a.exr"})
    cloud.settle()
    (one,), (other,) = cloud.of("copy/a.exr"), cloud.of("copy/b.exr")
    assert one["header_hash"] == other["header_hash"]
    assert one["file_id"] != other["file_id"]


def test_a_multipart_upload_is_one_row(cloud: Cloud, samples: dict[str, bytes]) -> None:
    """It counts when it is completed, and not before."""
    data = samples[BEAUTY[0]] + bytes(6 * 1024**2)
    upload = cloud.s3.create_multipart_upload(Bucket=BUCKET, Key="multi/a.exr")["UploadId"]
    parts = []
    for number, start in enumerate(range(0, len(data), 5 * 1024**2), 1):
        body = data[start : start + 5 * 1024**2]
        answer = cloud.s3.upload_part(Bucket=BUCKET, Key="multi/a.exr", UploadId=upload, PartNumber=number, Body=body)
        parts.append({"ETag": answer["ETag"], "PartNumber": number})
    cloud.settle()
    assert cloud.of("multi/a.exr") == []
    done = {"Bucket": BUCKET, "Key": "multi/a.exr", "UploadId": upload, "MultipartUpload": {"Parts": parts}}
    cloud.s3.complete_multipart_upload(**done)
    cloud.settle()
    (row,) = cloud.of("multi/a.exr")
    assert row["size_bytes"] == len(data)


def test_a_deleted_object_is_marked_and_comes_back(cloud: Cloud, samples: dict[str, bytes]) -> None:
    """The row stays with the time of its removal; the same bytes uploaded again make it live."""
    cloud.put("gone/a.exr", samples[BEAUTY[0]])
    cloud.delete("gone/a.exr")
    (row,) = cloud.of("gone/a.exr")
    assert row["deleted_at"] is not None
    cloud.put("gone/a.exr", samples[BEAUTY[0]])
    (row,) = cloud.of("gone/a.exr")
    assert (row["deleted_at"], row["is_current"]) == (None, True)


def test_what_is_no_exr_is_no_row_and_what_only_claims_to_be_one_is_unreadable(cloud: Cloud, samples: dict[str, bytes]) -> None:
    """A text file is not ours; a text file named .exr is what people look for; so is an empty one."""
    cloud.put("odd/readme.md", b"# Read me")
    cloud.put("odd/notes.exr", samples[NOTES])
    cloud.put("odd/empty.exr", b"")
    cloud.put("odd/cut.exr", samples[BEAUTY[0]][:100_000])
    assert cloud.of("odd/readme.md") == []
    assert [cloud.of(f"odd/{name}.exr")[0]["status"] for name in ("notes", "empty", "cut")] == [
        "unreadable", "unreadable", "incomplete",
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["a b.exr", "a#b.exr", "a+b.exr", "a%b.exr", "a%20b.exr", "über/日本 #1+2%.exr", "q?a=b&c.exr"])
def test_odd_keys_are_rows_under_their_own_names(cloud: Cloud, samples: dict[str, bytes], key: str) -> None:
    """Upload and removal both find them."""
    cloud.put(f"keys/{key}", samples[BEAUTY[0]])
    (row,) = cloud.of(f"keys/{key}")
    assert row["deleted_at"] is None
    cloud.delete(f"keys/{key}")
    (row,) = cloud.of(f"keys/{key}")
    assert row["deleted_at"] is not None


def test_many_uploads_under_faults_end_with_one_current_row_each(cloud: Cloud, samples: dict[str, bytes]) -> None:
    """16 threads, mixed files, overwrites; deliveries doubled or lost, a busy store, conflicts and lost answers."""
    chance = random.Random(7)
    contents = list(samples.values())
    uploads = [(f"load/{number % 25}.exr", chance.choice(contents)) for number in range(40)]
    before = cloud.trigger.counts
    with faults(cloud, chance), ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda upload: cloud.s3.put_object(Bucket=BUCKET, Key=upload[0], Body=upload[1]), uploads))
        cloud.settle()
    rows = [row for row in cloud.rows() if "/load/" in row["file_path"]]
    assert Counter(row["file_path"] for row in rows if row["is_current"]) == {
        f"s3://{BUCKET}/{key}": 1 for key in {key for key, _ in uploads}
    }
    assert cloud.trigger.counts.dead == before.dead
    stored = {key: cloud.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in {key for key, _ in uploads}}
    for key, data in stored.items():
        (current,) = (row for row in cloud.of(key) if row["is_current"])
        assert current["size_bytes"] == len(data), key
