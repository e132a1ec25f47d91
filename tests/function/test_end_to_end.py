"""From a bucket upload to a row: boto3 uploads into a local endpoint, its trigger posts events to a function host, rows appear.

Everything runs on loopback: the object store and the database of `local_vast`, the host that runs `main`, and the S3 client.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest

from exr_inspector.cli.cloud import BUCKET, Cloud, local_cloud
from exr_inspector.cli.uploads import copy, multipart
from exr_inspector.operations.samples import SAMPLES
from exr_inspector.settings import Settings
from local_vast.trigger import TriggerFaults
from project import ROOT

BEAUTY = [name for name in SAMPLES if "beauty/v003" in name]
STEREO = next(name for name in SAMPLES if "stereo" in name)
NOTES = next(name for name in SAMPLES if name.endswith("notes.exr"))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The samples that these tests use, as bytes."""
    directory = tmp_path_factory.mktemp("samples")
    contents = {}
    for name in (*BEAUTY, STEREO, NOTES):
        path = directory / Path(name).name
        SAMPLES[name](path)
        contents[name] = path.read_bytes()
    return contents


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """One endpoint and one function for the module; each test has keys of its own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (name for item in fields(Settings) for name in item.metadata["names"]):
            patch.delenv(name, raising=False)
        with local_cloud() as cloud:
            yield cloud


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
    copy(cloud, "copy/a.exr", "copy/b.exr")
    (one,), (other,) = cloud.of("copy/a.exr"), cloud.of("copy/b.exr")
    assert one["header_hash"] == other["header_hash"]
    assert one["file_id"] != other["file_id"]


def test_a_multipart_upload_is_one_row(cloud: Cloud, samples: dict[str, bytes]) -> None:
    """One event, when the last part is there."""
    data = samples[BEAUTY[0]] + bytes(6 * 1024**2)
    before = cloud.trigger.counts.events
    multipart(cloud, "multi/a.exr", data)
    assert cloud.trigger.counts.events == before + 1
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


def test_the_demonstration_shows_what_becomes_of_each_step() -> None:
    """`scripts/upload_demo` does the same for people."""
    done = subprocess.run(
        [sys.executable, "-m", "exr_inspector.cli.uploads"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for line in ("ok, 2, current", "ok, 2, older version", "unreadable, 1, current", "ok, 1, removed", "0 dead letters"):
        assert line in done.stdout
