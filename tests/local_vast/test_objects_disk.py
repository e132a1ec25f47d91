"""The folder behind the store: served as it is, replaced in one step, kept over restarts and kills, never left."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_vast.objects import ObjectStore
from local_vast.objects.disk import Cursor, Description, Disk
from local_vast.objects.errors import S3Error
from objects_support import s3_client, serve


@contextmanager
def client(root: Path) -> Iterator[Any]:
    with serve(ObjectStore(root)) as url:
        yield s3_client(url)


def keys(s3: Any, bucket: str = "renders") -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


class TestAFolderAsItIs:
    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        for name, body in {"renders/sq010/a.exr": b"one", "renders/b c.exr": b"two", "Plates_v2/p.exr": b"three"}.items():
            path = tmp_path / "tree" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        return tmp_path / "tree"

    def test_folders_are_buckets_and_files_are_objects(self, tree: Path) -> None:
        """Nothing needs to be imported; names of folders need not follow the rule for new buckets."""
        with client(tree) as s3:
            assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["Plates_v2", "renders"]
            assert keys(s3) == ["b c.exr", "sq010/a.exr"]
            answer = s3.get_object(Bucket="Plates_v2", Key="p.exr")
            assert (answer["Body"].read(), answer["ContentType"]) == (b"three", "binary/octet-stream")

    def test_reading_writes_nothing(self, tree: Path) -> None:
        """A served folder that is only read stays as it was."""
        before = sorted(tree.rglob("*"))
        with client(tree) as s3:
            s3.get_object(Bucket="renders", Key="b c.exr")["Body"].close()
            keys(s3)
        assert sorted(tree.rglob("*")) == before

    def test_the_etag_of_a_found_file_follows_its_content(self, tree: Path) -> None:
        """It has the form of a multipart ETag, so no client takes it for an MD5; a change by other means changes it."""
        path = tree / "renders" / "b c.exr"
        with client(tree) as s3:
            first = s3.head_object(Bucket="renders", Key="b c.exr")["ETag"]
            assert first.endswith('-1"')
            assert s3.head_object(Bucket="renders", Key="b c.exr")["ETag"] == first
            path.write_bytes(b"longer now")
            assert s3.head_object(Bucket="renders", Key="b c.exr")["ETag"] != first
            assert s3.get_object(Bucket="renders", Key="b c.exr", Range="bytes=0-5")["Body"].read() == b"longer"

    def test_a_file_changed_behind_the_store_loses_its_old_facts(self, tree: Path) -> None:
        """An MD5 or metadata of other content is never answered."""
        with client(tree) as s3:
            s3.put_object(Bucket="renders", Key="new.exr", Body=b"stored", Metadata={"k": "v"})
            (tree / "renders" / "new.exr").write_bytes(b"edited")
            head = s3.head_object(Bucket="renders", Key="new.exr")
            assert (head["ETag"].endswith('-1"'), head["Metadata"]) == (True, {})

    def test_found_files_can_be_replaced_and_removed(self, tree: Path) -> None:
        """Through S3 they are objects like all others."""
        with client(tree) as s3:
            s3.put_object(Bucket="renders", Key="sq010/a.exr", Body=b"new")
            assert (tree / "renders" / "sq010" / "a.exr").read_bytes() == b"new"
            s3.delete_object(Bucket="renders", Key="sq010/a.exr")
            assert not (tree / "renders" / "sq010").exists()

    def test_a_copied_tree_keeps_its_facts(self, tree: Path, tmp_path: Path) -> None:
        """Time stamp and size are all that ties a file to its description, and backups keep both."""
        with client(tree) as s3:
            etag = s3.put_object(Bucket="renders", Key="new.exr", Body=b"x", Metadata={"k": "v"})["ETag"]
        subprocess.run(["cp", "-a", str(tree), str(tmp_path / "copy")], check=True)
        with client(tmp_path / "copy") as s3:
            head = s3.head_object(Bucket="renders", Key="new.exr")
            assert (head["ETag"], head["Metadata"]) == (etag, {"k": "v"})

    def test_a_folder_that_may_not_be_written_says_so(self, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """403, not a server error: what a read-only mount answers is no fault of the endpoint."""
        store = ObjectStore(tree)

        def read_only(folder: Path | None = None) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr(store.disk, "receive", read_only)
        with serve(store) as url, pytest.raises(ClientError, match="AccessDenied"):
            s3_client(url).put_object(Bucket="renders", Key="x", Body=b"x")


def test_a_disk_that_refuses_says_so(tmp_path: Path) -> None:
    """What the operating system answers becomes an S3 error with its words, and reading goes on."""
    (tmp_path / "renders").mkdir()
    (tmp_path / "renders" / "a.exr").write_bytes(b"x")
    (tmp_path / ".local_vast").write_bytes(b"in the way")
    with client(tmp_path) as s3:
        with pytest.raises(ClientError, match=r"InternalError.*The disk refused"):
            s3.put_object(Bucket="renders", Key="b.exr", Body=b"x")
        assert s3.get_object(Bucket="renders", Key="a.exr")["Body"].read() == b"x"


class TestStayingInside:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "secret.exr").write_bytes(b"secret")
        (tmp_path / "root" / "renders").mkdir(parents=True)
        return tmp_path / "root"

    def test_symbolic_links_are_not_there(self, root: Path) -> None:
        """Neither a linked file, nor a linked folder, nor a linked bucket is listed or read."""
        (root / "renders" / "file.exr").symlink_to(root.parent / "outside" / "secret.exr")
        (root / "renders" / "folder").symlink_to(root.parent / "outside")
        (root / "linked").symlink_to(root.parent / "outside")
        with client(root) as s3:
            assert keys(s3) == []
            assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["renders"]
            for bucket, key in (("renders", "file.exr"), ("renders", "folder/secret.exr"), ("linked", "secret.exr")):
                with pytest.raises(ClientError, match="NoSuch"):
                    s3.get_object(Bucket=bucket, Key=key)

    def test_writing_follows_no_link(self, root: Path) -> None:
        """The object is stored beside the link, and what the link points to stays as it was."""
        (root / "renders" / "file.exr").symlink_to(root.parent / "outside" / "secret.exr")
        (root / "renders" / "folder").symlink_to(root.parent / "outside")
        with client(root) as s3:
            for key in ("file.exr", "folder/secret.exr", "folder/new.exr"):
                s3.put_object(Bucket="renders", Key=key, Body=b"mine")
                assert s3.get_object(Bucket="renders", Key=key)["Body"].read() == b"mine"
            assert keys(s3) == ["file.exr", "folder/new.exr", "folder/secret.exr"]
        assert [path.name for path in (root.parent / "outside").iterdir()] == ["secret.exr"]
        assert (root.parent / "outside" / "secret.exr").read_bytes() == b"secret"

    def test_what_is_no_regular_file_is_no_object(self, root: Path) -> None:
        """Opening a named pipe would block for ever."""
        os.mkfifo(root / "renders" / "pipe.exr")
        with client(root) as s3:
            assert keys(s3) == []
            with pytest.raises(ClientError, match="NoSuchKey"):
                s3.get_object(Bucket="renders", Key="pipe.exr")

    def test_names_that_are_no_text_are_passed_over(self, root: Path) -> None:
        """A file name that is not UTF-8 can be no key; its neighbours are listed all the same."""
        try:
            Path(os.fsdecode(os.fsencode(root / "renders") + b"/\xff.exr")).write_bytes(b"x")
        except OSError:
            pytest.skip("this file system takes UTF-8 names only")
        (root / "renders" / "good.exr").write_bytes(b"x")
        with client(root) as s3:
            assert keys(s3) == ["good.exr"]


class TestReplacing:
    def test_a_reader_gets_the_version_that_it_began(self, tmp_path: Path) -> None:
        """An open object stays whole while it is replaced and removed."""
        disk = Disk(tmp_path)
        disk.create_bucket("renders")
        write(disk, b"first")
        file, stored = disk.open("renders", "a")
        write(disk, b"second!")
        disk.delete("renders", "a")
        with file:
            assert (file.read(), stored.size) == (b"first", 5)

    def test_facts_and_content_always_belong_together(self, tmp_path: Path) -> None:
        """Under 4 writers and 4 readers of one key, every ETag is the MD5 of the bytes that came with it."""
        disk = Disk(tmp_path)
        disk.create_bucket("renders")
        write(disk, b"0")
        stop = threading.Event()

        def writer(number: int) -> None:
            for turn in range(60):
                write(disk, f"{number} {turn}".encode())

        def reader() -> int:
            reads = 0
            while not stop.is_set():
                file, stored = disk.open("renders", "a")
                with file:
                    assert hashlib.md5(file.read()).hexdigest() == stored.etag  # noqa: S324
                reads += 1
            return reads

        with ThreadPoolExecutor(8) as pool:
            readers = [pool.submit(reader) for _ in range(4)]
            list(pool.map(writer, range(4)))
            stop.set()
            assert all(task.result() > 0 for task in readers)
        assert len(list((tmp_path / ".local_vast" / "meta" / "renders").iterdir())) == 1

    def test_time_stamps_of_one_store_never_repeat(self, tmp_path: Path) -> None:
        """Two versions of one size written at once would otherwise share their description."""
        disk = Disk(tmp_path)
        disk.create_bucket("renders")
        stamps = [write(disk, b"same").mtime_ns for _ in range(50)]
        assert stamps == sorted(set(stamps))

    def test_folders_come_and_go_under_load(self, tmp_path: Path) -> None:
        """Removing the last object of a folder while another arrives there loses neither."""
        disk = Disk(tmp_path)
        disk.create_bucket("renders")

        def churn(number: int) -> None:
            for _ in range(40):
                write(disk, b"x", f"deep/er/{number}")
                disk.delete("renders", f"deep/er/{number}")
            write(disk, b"x", f"deep/er/{number}")

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(churn, range(6)))
        assert list(disk.scan("renders", "", Cursor())) == [f"deep/er/{number}" for number in range(6)]

    def test_a_refused_body_leaves_nothing(self, tmp_path: Path) -> None:
        """The check is asked last, under the lock; what it refuses is off the disk again."""
        disk = Disk(tmp_path)
        disk.create_bucket("renders")

        def never(current: object) -> None:
            raise S3Error("PreconditionFailed", "no")

        with disk.receive() as incoming, pytest.raises(S3Error, match="PreconditionFailed"):
            disk.commit("renders", "a", incoming, Description({}), never)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def write(disk: Disk, body: bytes, key: str = "a") -> Any:
    with disk.receive() as incoming:
        incoming.write(body)
        return disk.commit("renders", key, incoming, Description({"Content-Type": "x/y"}))


class Endless:
    """A body of one letter, made as it is read."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        count = min(size, self.left)
        self.left -= count
        return b"x" * count


def test_memory_does_not_grow_with_the_object(tmp_path: Path) -> None:
    """64 MiB go in and come out again through less than 4 MiB."""
    store, size = ObjectStore(tmp_path), 64 * 1024**2
    store.create_bucket("renders")
    request = {"REQUEST_URI": "/renders/large.exr", "wsgi.input": io.BytesIO()}
    tracemalloc.start()
    try:
        put = {**request, "REQUEST_METHOD": "PUT", "CONTENT_LENGTH": str(size), "wsgi.input": Endless(size)}
        assert list(store(put, lambda status, headers: None)) == []
        answer = store({**request, "REQUEST_METHOD": "GET"}, lambda status, headers: None)
        assert sum(len(block) for block in answer) == size
        answer.close()  # type: ignore[attr-defined]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024**2


def test_many_clients_at_once(tmp_path: Path) -> None:
    """200 small objects from 16 threads, some of them on one key: each is whole, and every change is told once."""
    changes: list[str] = []
    with serve(ObjectStore(tmp_path, lambda change: changes.append(change.key))) as url:
        s3 = s3_client(url)
        s3.create_bucket(Bucket="renders")
        names = [f"frame.{number % 150:04}.exr" for number in range(200)]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda name: s3.put_object(Bucket="renders", Key=name, Body=name.encode()), names))
        assert sorted(changes) == sorted(names)
        assert keys(s3) == sorted(set(names))
        assert {s3.get_object(Bucket="renders", Key=name)["Body"].read().decode() for name in set(names)} == set(names)


class TestRestarts:
    def test_objects_survive(self, tmp_path: Path) -> None:
        """Content, ETag and metadata, also of keys that are no paths."""
        facts = {}
        with client(tmp_path) as s3:
            s3.create_bucket(Bucket="renders")
            for key in ("a/b.exr", "a//b.exr", "../x"):
                facts[key] = s3.put_object(Bucket="renders", Key=key, Body=key.encode(), Metadata={"k": "v"})["ETag"]
        with client(tmp_path) as s3:
            assert keys(s3) == sorted(facts)
            for key, etag in facts.items():
                answer = s3.get_object(Bucket="renders", Key=key)
                assert (answer["Body"].read(), answer["ETag"], answer["Metadata"]) == (key.encode(), etag, {"k": "v"})

    def test_a_kill_leaves_whole_objects_only(self, tmp_path: Path) -> None:
        """A process that dies amid many writes: each object that is there matches its ETag, and no half body is served."""
        child = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        assert child.stdout is not None
        for _ in range(30):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        disk = Disk(tmp_path)
        assert not (tmp_path / ".local_vast" / "incoming").exists()
        result = list(disk.scan("renders", "", Cursor()))
        assert len(result) >= 3
        for key in result:
            file, stored = disk.open("renders", key)
            with file:
                assert hashlib.md5(file.read()).hexdigest() == stored.etag  # noqa: S324


WRITE_FOR_EVER = """
import itertools, pathlib, sys
from local_vast.objects.disk import Description, Disk
disk = Disk(pathlib.Path(sys.argv[1]))
disk.create_bucket("renders")
for turn in itertools.count():
    with disk.receive() as incoming:
        for block in range(turn % 40):
            incoming.write(str(turn).encode() * 5000)
        disk.commit("renders", f"key {turn % 3}", incoming, Description({}))
    print(turn, flush=True)
"""
