"""A disk without room: 507 for what is written, everything that was acknowledged is there, and the endpoint goes on."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
import vastdb
from botocore.config import Config
from botocore.exceptions import ClientError
from vastdb import errors
from vastdb.config import BackoffConfig
from vastdb.session import Session

from local_vast import LocalVast, database
from local_vast.trigger.journal import Journal
from tabular_support import BUCKET, COLUMNS, batch, fill, table

ROOT = Path(__file__).parents[2]
LIMIT = 2_000_000
MANY = 60
Switch = Callable[[int], None]
"""Called with a process: fills its disk, or makes room again."""


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "6m") -> Iterator[Path]:
    """A file system of a few megabytes in the folder; skips the test where this user may not mount one."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(["mount", *options], check=False, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here (root may)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(params=["file size limit", "small file system"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Switch, Switch]]:
    """A folder for the endpoint's data, what leaves no room there, and what makes room again."""
    folder = tmp_path / "data"
    if request.param == "file size limit":
        yield folder, partial(limit_files, LIMIT), partial(limit_files, resource.RLIM_INFINITY)
        return
    with small_disk(folder):
        filler = folder / "filler"

        def fill_up(_: int) -> None:
            filler.write_bytes(bytes(6_000_000 - LIMIT))

        def make_room(_: int) -> None:
            filler.unlink()

        yield folder, fill_up, make_room


def limit_files(size: int, process: int) -> None:
    """The process may make no file longer."""
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextlib.contextmanager
def endpoint(data: Path) -> Iterator[tuple[int, str]]:
    """The endpoint as a process: its number and its URL."""
    command = [sys.executable, "-m", "local_vast", "--data", str(data), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        try:
            yield server.pid, server.stdout.readline().removeprefix("LOCAL_VAST_URL=").strip()
        finally:
            server.terminate()
            server.wait(20)


def session_of(url: str) -> Session:
    return vastdb.connect(endpoint=url, access="local", secret="local-secret", backoff_config=BackoffConfig(max_tries=1))


def s3_of(url: str) -> Any:
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local-secret"}
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1", config=config, **keys)


def wide(number: int) -> pa.RecordBatch:
    """Two rows that do not get smaller by compression: 200 KB."""
    return batch(*((number, base64.b64encode(os.urandom(75_000)).decode()) for _ in range(2)))


def large(number: int) -> pa.RecordBatch:
    """One row of 4 MB."""
    return batch((number, base64.b64encode(os.urandom(3_000_000)).decode()))


def long(number: int) -> pa.RecordBatch:
    """So many rows that DuckDB writes them before the commit."""
    count = 130_000
    ids = pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(os.urandom(8 * count))])
    return pa.record_batch([ids, pa.array([str(number)] * count)], schema=COLUMNS)


def count(session: Session) -> int:
    """The rows that a new transaction reads."""
    with session.transaction() as tx:
        return len(table(tx).select(columns=["id"]).read_all())


def insert_until_full(session: Session, make: Callable[[int], pa.RecordBatch]) -> int:
    """How many rows were acknowledged before the first refusal, which must be 507."""
    stored = 0
    for number in range(MANY):
        rows = make(number)
        try:
            with session.transaction() as tx:
                table(tx).insert(rows)
        except errors.InsufficientCapacity:
            return stored
        stored += len(rows)
    raise AssertionError(f"{MANY} inserts went onto a disk without room")


@pytest.mark.parametrize("make", [wide, long])
def test_table_writes_onto_a_full_disk_are_507(disk: tuple[Path, Switch, Switch], make: Callable[[int], pa.RecordBatch]) -> None:
    """Whether the statement or the commit finds no room; what was acknowledged is there, then, later and after a restart."""
    data, fill_up, make_room = disk
    with endpoint(data) as (process, url):
        session = session_of(url)
        fill(session, (0, "first"))
        fill_up(process)
        stored = 1
        for _ in range(3):
            stored += insert_until_full(session, make)
            assert count(session) == stored
        make_room(process)
        with session.transaction() as tx:
            table(tx).insert(batch((1, "after")))
        assert count(session) == stored + 1
    with endpoint(data) as (_, url):
        assert count(session_of(url)) == stored + 1


def test_uploads_onto_a_full_disk_are_507(disk: tuple[Path, Switch, Switch]) -> None:
    """Whole, in parts, copied and joined: nothing of them is left, what was there stays, and what fits is stored."""
    data, fill_up, make_room = disk
    big = os.urandom(3_000_000)
    with endpoint(data) as (process, url), contextlib.closing(s3_of(url)) as s3:
        s3.put_object(Bucket=BUCKET, Key="a.exr", Body=b"old")
        upload = {"Bucket": BUCKET, "Key": "b.exr"}
        upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
        fill_up(process)
        before = files(data)
        for attempt in (
            partial(s3.put_object, Bucket=BUCKET, Key="a.exr", Body=big),
            partial(s3.put_object, Bucket=BUCKET, Key="folder/new.exr", Body=big),
            partial(s3.upload_part, **upload, PartNumber=1, Body=big),
        ):
            with pytest.raises(ClientError) as refused:
                attempt()
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 507
            assert refused.value.response["Error"]["Code"] == "InsufficientCapacity"
        assert files(data) == before
        assert s3.get_object(Bucket=BUCKET, Key="a.exr")["Body"].read() == b"old"
        s3.put_object(Bucket=BUCKET, Key="small.exr", Body=b"fits")
        make_room(process)
        s3.put_object(Bucket=BUCKET, Key="a.exr", Body=big)
        assert s3.get_object(Bucket=BUCKET, Key="a.exr")["Body"].read() == big


def files(data: Path) -> list[str]:
    """Every file of the object store, incoming and private ones included."""
    return sorted(str(path.relative_to(data)) for path in (data / "objects").rglob("*") if path.is_file())


def test_nothing_of_an_upload_is_left_when_not_even_its_facts_fit(tmp_path: Path) -> None:
    """The JSON beside an object, and that of a multipart upload, are written whole or not at all; listings go on."""
    with endpoint(tmp_path) as (process, url), contextlib.closing(s3_of(url)) as s3:
        s3.put_object(Bucket=BUCKET, Key="there", Body=b"1")
        before = files(tmp_path)
        limit_files(10, process)
        for attempt in (
            partial(s3.put_object, Bucket=BUCKET, Key="folder/deep/new", Body=b"1"),
            partial(s3.create_multipart_upload, Bucket=BUCKET, Key="new"),
        ):
            with pytest.raises(ClientError, match="InsufficientCapacity"):
                attempt()
        assert files(tmp_path) == before
        assert not (tmp_path / "objects" / BUCKET / "folder").exists()
        assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)
        assert [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["there"]


def test_a_commit_for_which_there_is_room_succeeds_whatever_the_log_needs(tmp_path: Path) -> None:
    """The log is long enough to be folded in and the disk has no room for that: every commit's answer is true."""
    with small_disk(tmp_path / "data", "26m") as data, LocalVast(data=data, buckets=(BUCKET,)) as server:
        session = session_of(server.url)
        fill(session, (0, "first"))
        stored = 1 + insert_until_full(session, large)
        assert (data / "local_vast.duckdb.wal").stat().st_size > database.LOG_LIMIT
        assert count(session) == stored


def test_a_database_that_refuses_everything_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where folding the log in finds no room, against expectation, DuckDB gives up: the next transaction reads what was
    read_committed, and what was open is gone.
    """
    monkeypatch.setattr(database, "_ROOM", -1_000_000_000)
    monkeypatch.setattr(database, "LOG_LIMIT", 1_500_000)
    with small_disk(tmp_path / "data") as data, LocalVast(data=data, buckets=(BUCKET,)) as server:
        session = session_of(server.url)
        fill(session, (0, "first"))
        (data / "filler").write_bytes(bytes(3_500_000))
        lost = int(session.api.begin_transaction().headers["tabular-txid"])
        stored = 1 + insert_until_full(session, wide)
        assert count(session) == stored
        with pytest.raises(errors.NotFound):
            session.api.commit_transaction(lost)
        (data / "filler").unlink()
        with session.transaction() as tx:
            table(tx).insert(batch((1, "after")))
        assert count(session) == stored + 1


JOURNAL = """
import resource, sys
from pathlib import Path
from local_vast.trigger.journal import Journal
journal = Journal(Path(sys.argv[1]))
journal.accept("a", "fits")
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (60, unlimited[1]))
try:
    journal.accept("b", "x" * 100)
except OSError as error:
    print(error.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
journal.accept("c", "fits again")
journal.close()
"""


def test_the_journal_of_events_keeps_whole_lines(tmp_path: Path) -> None:
    """An event that the disk took only in part is refused and not in the way of the next."""
    path = tmp_path / "open.jsonl"
    command = [sys.executable, "-c", JOURNAL, str(path)]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert said.strip() == "File too large"
    assert [json.loads(line)["id"] for line in path.read_text(encoding="utf-8").splitlines()] == ["a", "c"]
    journal = Journal(path)
    journal.close()
    assert list(journal.open_events) == ["a", "c"]
