"""Reading objects and files: how much is read, what is refused, and which verdict each failure gets."""

from __future__ import annotations

import inspect
import os
import resource
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exr_inspector.errors import BadEvent, BadSettings, ObjectChanged, ObjectGone, ObjectUnavailable, StorageUnavailable, Verdict
from exr_inspector.function.objects import (
    KEPT_BYTES,
    LocalFile,
    S3Object,
    as_inspector_error,
    current_etag,
    local_exists,
    read_consistently,
    s3_client,
)
from exr_inspector.settings import Settings
from object_store import ScriptedStore, object_store

DATA = bytes(range(256)) * 1024
FIRST = 64 * 1024


@pytest.fixture
def store() -> Iterator[ScriptedStore]:
    """An object store with one object of 256 KiB."""
    with object_store() as store:
        store.objects["renders/a.exr"] = DATA
        yield store


@pytest.fixture
def client(store: ScriptedStore) -> Any:
    """A client as the function makes it, with one attempt: what is retried is botocore's business in all tests but one."""
    return s3_client(store.settings(s3_attempts=1, s3_read_timeout=5.0))


def opened(client: Any, *keys: str, first_range: int = FIRST) -> S3Object:
    """The object `renders/<key>`."""
    return S3Object(client, "renders", keys or ("a.exr",), first_range)


# One request for a typical file


def test_one_range_brings_the_bytes_and_all_that_is_known_of_the_object(store: ScriptedStore, client: Any) -> None:
    """Size, ETag and time come with the first range; nothing else is asked."""
    with opened(client) as reader:
        assert reader.read(0, FIRST) == DATA[:FIRST]
    assert (reader.size, reader.path, reader.bucket, reader.object_key) == (len(DATA), "s3://renders/a.exr", "renders", "a.exr")
    assert reader.mtime == datetime(2026, 5, 7, 16, 2, 44, tzinfo=UTC)
    assert reader.etag
    assert '"' not in reader.etag
    assert [(seen.method, seen.range) for seen in store.seen] == [("GET", "bytes=0-65535")]
    assert (reader.requests, reader.bytes_read) == (1, FIRST)


def test_a_longer_prefix_asks_only_for_what_is_missing(store: ScriptedStore, client: Any) -> None:
    """Reads that continue the prefix fetch its continuation, under the ETag of the first range."""
    with opened(client) as reader:
        assert reader.read(0, 100_000) == DATA[:100_000]
        assert reader.read(50_000, 50_000) == DATA[50_000:100_000]
    assert [seen.range for seen in store.seen] == ["bytes=0-65535", "bytes=65536-99999"]
    assert store.seen[1].if_match == f'"{reader.etag}"'


def test_a_read_further_on_asks_for_itself_alone(store: ScriptedStore, client: Any) -> None:
    """The leader of a last chunk costs its own bytes, not the file's."""
    with opened(client) as reader:
        assert reader.read(200_000, 8) == DATA[200_000:200_008]
    assert store.seen[-1].sent == 8


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reads=st.lists(st.tuples(st.integers(0, 300_000), st.integers(0, 100_000)), max_size=4))
def test_any_sequence_of_reads_gives_the_objects_bytes(client: Any, reads: list[tuple[int, int]]) -> None:
    """Whatever is cached, a read is the slice of the object that it names."""
    with opened(client, first_range=1024) as reader:
        for offset, length in reads:
            assert reader.read(offset, length) == DATA[offset : offset + length]


def test_of_a_long_read_only_the_beginning_is_kept(store: ScriptedStore, client: Any) -> None:
    """Who reads the pixels of a large file does not fill the memory; what is kept is not fetched again."""
    data = os.urandom(KEPT_BYTES + 500_000)
    store.objects["renders/long.exr"] = data
    with opened(client, "long.exr") as reader:
        step = 1_000_000
        assert b"".join(reader.read(offset, step) for offset in range(0, len(data), step)) == data
        before = len(store.seen)
        assert reader.read(KEPT_BYTES - 100, 100) == data[KEPT_BYTES - 100 : KEPT_BYTES]
        assert len(store.seen) == before
        assert reader.read(KEPT_BYTES - 100, 200) == data[KEPT_BYTES - 100 : KEPT_BYTES + 100]
        assert (len(store.seen), store.seen[-1].sent) == (before + 1, 100)


def test_an_empty_object_has_a_size_and_no_bytes(store: ScriptedStore, client: Any) -> None:
    """No range of an empty object can be satisfied, so it is asked about without one."""
    store.objects["renders/empty.exr"] = b""
    with opened(client, "empty.exr") as reader:
        assert (reader.size, reader.read(0, 10)) == (0, b"")
    assert [seen.method for seen in store.seen] == ["GET", "HEAD"]


def test_a_store_that_ignores_ranges_is_read_no_further_than_needed(store: ScriptedStore, client: Any) -> None:
    """Some gateways answer 200 with the whole object."""
    store.ignores_ranges = True
    with opened(client) as reader:
        assert reader.size == len(DATA)
        assert reader.read(70_000, 16) == DATA[70_000:70_016]
        assert reader.read(0, FIRST) == DATA[:FIRST]


# Keys


def test_the_raw_key_is_tried_first_and_the_decoded_one_on_404(store: ScriptedStore, client: Any) -> None:
    """Events spell keys percent-encoded or not; the object decides."""
    store.objects["renders/a b.exr"] = DATA
    with opened(client, "a%20b.exr", "a b.exr") as reader:
        assert reader.object_key == "a b.exr"
    store.objects["renders/a%20b.exr"] = DATA
    with opened(client, "a%20b.exr", "a b.exr") as reader:
        assert reader.object_key == "a%20b.exr"


@pytest.mark.parametrize("key", ["sp ace.exr", "ha#sh.exr", "pl+us.exr", "per%cent.exr", "ümlaut/日本.exr", "q?a=b&c.exr"])
def test_odd_keys_reach_the_store_as_they_are(store: ScriptedStore, client: Any, key: str) -> None:
    """Spaces, `#`, `+`, `%`, `?` and what is not ASCII."""
    store.objects[f"renders/{key}"] = DATA
    with opened(client, key) as reader:
        assert reader.read(0, 4) == DATA[:4]


def test_what_is_there_now_costs_one_head(store: ScriptedStore, client: Any) -> None:
    """For removals, which arrive late or twice, and for uploads that follow each other closely."""
    with opened(client) as reader:
        assert current_etag(client, "renders", "a.exr") == reader.etag
    assert current_etag(client, "renders", "b.exr") is None
    assert [seen.method for seen in store.seen] == ["GET", "HEAD", "HEAD"]


# What goes wrong


def test_an_object_that_is_gone_is_a_skip(client: Any) -> None:
    """Deleted between the event and the read."""
    with pytest.raises(ObjectGone, match=r"s3://renders/b\.exr"):
        opened(client, "b.exr")


def test_an_object_that_goes_while_it_is_read_is_a_skip(store: ScriptedStore, client: Any) -> None:
    """The same, between two ranges."""
    with opened(client) as reader:
        del store.objects["renders/a.exr"]
        with pytest.raises(ObjectGone):
            reader.read(100_000, 10)


def test_an_object_that_is_replaced_while_it_is_read_is_read_from_the_start(store: ScriptedStore, client: Any) -> None:
    """No header is put together from two files."""
    newer = bytes(reversed(DATA))

    def work() -> bytes:
        with opened(client) as reader:
            first = reader.read(0, FIRST)
            store.objects["renders/a.exr"] = newer
            return first + reader.read(FIRST, 10)

    assert read_consistently(work) == newer[: FIRST + 10]
    assert len(store.seen) == 4


def test_an_object_that_never_rests_is_tried_again_later(store: ScriptedStore, client: Any) -> None:
    """Three attempts; then the platform delivers the event again."""
    attempts: list[int] = []

    def work() -> bytes:
        with opened(client) as reader:
            attempts.append(1)
            store.objects["renders/a.exr"] = os.urandom(len(DATA))
            return reader.read(100_000, 10)

    with pytest.raises(ObjectChanged):
        read_consistently(work)
    assert len(attempts) == 3


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", ObjectUnavailable),
        (403, "InvalidObjectState", ObjectUnavailable),
        (404, "NoSuchBucket", ObjectUnavailable),
        (400, "InvalidRequest", ObjectUnavailable),
        (400, "RequestTimeout", StorageUnavailable),
        (429, "TooManyRequests", StorageUnavailable),
        (500, "InternalError", StorageUnavailable),
        (501, "NotImplemented", StorageUnavailable),
        (503, "SlowDown", StorageUnavailable),
        (507, "InsufficientStorage", StorageUnavailable),
    ],
)
def test_an_error_answer_gets_a_verdict_that_names_the_object_and_no_secret(
    store: ScriptedStore, client: Any, status: int, code: str, kind: type[Exception]
) -> None:
    """What may pass is delivered again, what cannot is rejected; the store's own text may quote the request, and is left out."""
    store.before = lambda count: (status, code)
    with pytest.raises(kind) as caught:
        opened(client)
    assert "s3://renders/a.exr" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


REFUSALS = [
    *((403, code) for code in ("SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed", "AccountProblem")),
    *((403, code) for code in ("AllAccessDisabled", "NotSignedUp", "ExpiredToken", "UserSuspended", "NewInNextYear")),
    *((400, code) for code in ("ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed", "TokenRefreshRequired")),
    *((400, code) for code in ("IllegalLocationConstraintException", "KMS.DisabledException")),
    *((301, "PermanentRedirect"), (307, "TemporaryRedirect"), (401, "Unauthorized")),
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_keys_that_are_refused_are_about_the_deployment(store: ScriptedStore, client: Any, method: str) -> None:
    """No event is lost to a key that was rotated: it is delivered again, also where the answer to HEAD has no code."""
    for status, code in REFUSALS:
        before = len(store.seen)
        store.before = lambda count, status=status, code=code: (status, code)  # type: ignore[misc]
        with pytest.raises(StorageUnavailable, match=f"refuses this deployment .HTTP {status}") as caught:
            opened(client) if method == "GET" else current_etag(client, "renders", "a.exr")
        assert caught.value.code == "storage_forbidden"
        assert code in str(caught.value) or (method == "HEAD" and status < 400)
        assert "S3_SECRET_KEY" in str(caught.value)
        assert "hush" not in str(caught.value)
        assert len(store.seen) - before <= 4  # botocore may ask for the bucket's region


def test_a_forbidden_object_is_rejected_by_a_head_too(store: ScriptedStore, client: Any) -> None:
    """The answer to a HEAD has no body, and so no code: a GET of one byte is asked for it, and only then."""
    store.before = lambda count: (403, "AccessDenied")
    with pytest.raises(ObjectUnavailable, match=r"may not be read \(HTTP 403 AccessDenied\)"):
        current_etag(client, "renders", "a.exr")
    assert [seen.method for seen in store.seen] == ["HEAD", "GET"]
    store.before = lambda count: None
    assert current_etag(client, "renders", "a.exr")
    assert current_etag(client, "renders", "absent.exr") is None
    assert [seen.method for seen in store.seen] == ["HEAD", "GET", "HEAD", "HEAD"]


@pytest.mark.parametrize("status", [302, 400, 401, 403, 405])
def test_a_refusal_in_other_words_is_not_about_the_object(status: int) -> None:
    """A page of a proxy's, or of another service at that address, has no code; botocore gives the status as one."""
    response: Any = {"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": str(status), "Message": "Forbidden"}}
    error = as_inspector_error(botocore.exceptions.ClientError(response, "GetObject"), "s3://renders/a.exr")
    assert (error.verdict, error.code) == (Verdict.RETRY, "storage_forbidden")
    assert f"(HTTP {status})" in str(error)


def test_no_request_is_made_for_what_is_not_a_bucket(store: ScriptedStore, client: Any) -> None:
    """Whoever calls the client, also for a list: an ARN would be resolved by the client itself, away from the endpoint."""
    for bucket in ("arn:aws:s3:us-east-1:123456789012:accesspoint/renders", "renders--usw2-az1--x-s3"):
        for call in (
            lambda bucket=bucket: S3Object(client, bucket, ["a.exr"], 64),
            lambda bucket=bucket: current_etag(client, bucket, "a.exr"),
            lambda bucket=bucket: list(client.get_paginator("list_objects_v2").paginate(Bucket=bucket)),
        ):
            with pytest.raises(BadEvent, match="is not the name of a bucket"):
                call()
    assert store.seen == []


def test_a_passing_error_is_retried_within_the_event(store: ScriptedStore) -> None:
    """botocore's own retries come before the platform's."""
    store.before = lambda count: (503, "SlowDown") if count == 0 else None
    with opened(s3_client(store.settings(s3_attempts=2))) as reader:
        assert reader.read(0, 4) == DATA[:4]
    assert len(store.seen) == 2


def test_a_store_that_does_not_answer_is_tried_again_later() -> None:
    """Nobody listens at that port."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        nowhere = Settings(s3_endpoint=address, s3_access_key="a", s3_secret_key="hush", s3_attempts=1)
        with pytest.raises(StorageUnavailable, match="S3_ENDPOINT") as caught:
            opened(s3_client(nowhere))
    assert "hush" not in str(caught.value)


def test_a_store_that_stays_silent_is_tried_again_later() -> None:
    """It takes the connection and says nothing; the timeout is a setting."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        mute = Settings(s3_endpoint=address, s3_access_key="a", s3_secret_key="b", s3_attempts=1, s3_read_timeout=0.1)
        with pytest.raises(StorageUnavailable, match="there was no answer in time"):
            opened(s3_client(mute))


def test_no_endpoint_is_a_setting_that_is_missing() -> None:
    """Named, with its remedy."""
    with pytest.raises(BadSettings, match="S3_ENDPOINT"):
        s3_client(Settings())


PASSING = {
    "ChecksumError", "ConnectTimeoutError", "ConnectionClosedError", "ConnectionError", "EndpointConnectionError",
    "FlexibleChecksumError", "HTTPClientError", "IncompleteReadError", "ProxyConnectionError", "ReadTimeoutError",
    "ResponseStreamingError", "SSLError",
    # About the settings:
    "CredentialRetrievalError", "InvalidRegionError", "NoAuthTokenError", "NoCredentialsError", "NoRegionError",
    "PartialCredentialsError", "TokenRetrievalError", "UnknownSignatureVersionError",
}  # fmt: skip
"""botocore's errors that may pass by themselves, or when the settings are right. All others are faults of requests."""


def botocore_errors() -> dict[str, type[Exception]]:
    """Every error class that botocore exports."""
    classes = inspect.getmembers(botocore.exceptions, inspect.isclass)
    bases = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)
    return {name: one for name, one in classes if issubclass(one, bases) and one.__module__ == "botocore.exceptions"}


@pytest.mark.parametrize("name", sorted(botocore_errors()))
def test_every_error_class_of_botocore_has_a_verdict(name: str) -> None:
    """A class that a newer botocore adds is rejected until somebody decides otherwise; none passes without a verdict."""
    kind = botocore_errors()[name]
    error = kind.__new__(kind)
    if isinstance(error, botocore.exceptions.ClientError):
        error.response = {"ResponseMetadata": {"HTTPStatusCode": 400}, "Error": {"Code": "Odd"}}
    verdict = as_inspector_error(error, "s3://renders/a.exr").verdict
    assert verdict is (Verdict.RETRY if name in PASSING else Verdict.REJECT)


def test_the_errors_that_may_pass_exist() -> None:
    """A name that botocore drops does not stay here unnoticed."""
    assert set(botocore_errors()) >= PASSING


# Threads


def test_twenty_threads_share_one_client(store: ScriptedStore) -> None:
    """Each thread reads its own object whole; the pool holds no more connections than it has threads."""
    for number in range(20):
        store.objects[f"renders/{number}.exr"] = bytes([number]) * 200_000
    client = s3_client(store.settings())

    def read(number: int) -> bytes:
        with opened(client, f"{number % 20}.exr") as reader:
            return reader.read(0, 200_000)

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(read, range(60)))
    assert [set(data) for data in results] == [{number % 20} for number in range(60)]
    assert len(store.connections) <= 20
    client.close()


# Local files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An allowed folder with one file, beside one that is not allowed."""
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "a.exr").write_bytes(DATA)
    (tmp_path / "outside.exr").write_bytes(b"secret")
    return allowed


def test_a_local_file_reads_like_an_object(root: Path) -> None:
    """The same interface: size, time, ranges, less only at the end."""
    with LocalFile(str(root / "a.exr"), [root]) as reader:
        assert (reader.size, reader.bucket, reader.etag) == (len(DATA), None, None)
        assert reader.path == str(root / "a.exr")
        assert reader.read(100, 50) == DATA[100:150]
        assert reader.read(len(DATA) - 3, 50) == DATA[-3:]
        assert reader.read(len(DATA) + 5, 50) == b""


def test_what_the_system_says_of_itself_is_tried_again(root: Path) -> None:
    """Too many open files is about the container; what is about the path is rejected."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(StorageUnavailable, match="too many open files"):
            LocalFile(str(root / "a.exr"), [root])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_whether_a_file_is_there(root: Path) -> None:
    """A path that no file can have, or that may not be looked at, is refused; it is not simply absent."""
    assert local_exists(str(root / "a.exr"), [root])
    assert not local_exists(str(root / "b.exr"), [root])
    assert not local_exists(str(root / "a.exr/b.exr"), [root])
    for odd in (f"{root}/{'a' * 256}.exr", f"{root}/{'a/' * 2100}b.exr", str(root.parent / "outside.exr"), "/renders/\ud800.exr"):
        with pytest.raises(ObjectUnavailable):
            local_exists(odd, [root])


def test_relative_paths_start_at_the_working_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the address of the file is absolute."""
    monkeypatch.chdir(root)
    with LocalFile("a.exr", [root]) as reader:
        assert reader.path == str(root / "a.exr")


def escape(root: Path, kind: str) -> str:
    """A path that looks as if it were below `root` and is not."""
    outside = root.parent / "outside.exr"
    if kind == "dots":
        return str(root / ".." / "outside.exr")
    if kind == "link":
        (root / "link.exr").symlink_to(outside)
        return str(root / "link.exr")
    if kind == "folder link":
        (root / "up").symlink_to(root.parent)
        return str(root / "up/outside.exr")
    if kind == "name prefix":
        beside = root.with_name("allowed-not")
        beside.mkdir()
        (beside / "a.exr").write_bytes(DATA)
        return str(beside / "a.exr")
    return str(outside)


@pytest.mark.parametrize("kind", ["dots", "link", "folder link", "name prefix", "plain"])
def test_nothing_outside_the_allowed_folders_is_read(root: Path, kind: str) -> None:
    """Neither `..` nor symbolic links escape; the remedy names the setting."""
    with pytest.raises(ObjectUnavailable, match="EXR_LOCAL_ROOTS"):
        LocalFile(escape(root, kind), [root])


def test_nothing_outside_tells_whether_it_exists(root: Path) -> None:
    """A path that is not allowed gives the same answer with and without a file."""
    texts = []
    for name in ("outside.exr", "missing.exr"):
        with pytest.raises(ObjectUnavailable) as caught:
            LocalFile(str(root.parent / name), [root])
        texts.append(str(caught.value).replace(name, ""))
    assert texts[0] == texts[1]


def test_a_link_within_the_allowed_folders_is_followed_and_keeps_its_name(root: Path) -> None:
    """People ask for a file by the path that they know."""
    (root / "latest.exr").symlink_to(root / "a.exr")
    with LocalFile(str(root / "latest.exr"), [root]) as reader:
        assert (reader.path, reader.size) == (str(root / "latest.exr"), len(DATA))


def test_a_root_may_be_a_link_itself(root: Path) -> None:
    """Mounts are often linked."""
    alias = root.with_name("alias")
    alias.symlink_to(root)
    with LocalFile(str(alias / "a.exr"), [alias]) as reader:
        assert reader.size == len(DATA)


def test_what_is_not_a_readable_file_is_refused_with_its_reason(root: Path) -> None:
    """A folder, a pipe (which must not hang), a loop of links, a missing file, a name that no file can have."""
    (root / "folder.exr").mkdir()
    os.mkfifo(root / "pipe.exr")
    (root / "loop.exr").symlink_to(root / "loop.exr")
    reasons = {
        "folder.exr": "is a directory",
        "pipe.exr": "not a regular file",
        "loop.exr": "symbolic links",
        "missing.exr": "no such file",
        "x" * 300 + ".exr": "too long",
        "nul\0.exr": "cannot be read",
    }
    for name, reason in reasons.items():
        with pytest.raises(ObjectUnavailable, match=reason):
            LocalFile(str(root / name), [root])


def test_a_file_that_is_written_to_while_it_is_read_is_read_from_the_start(root: Path) -> None:
    """As with objects: no header from two files."""
    with LocalFile(str(root / "a.exr"), [root]) as reader:
        (root / "a.exr").write_bytes(DATA * 2)
        with pytest.raises(ObjectChanged):
            reader.read(0, 10)


def descriptors() -> int:
    """How many files this process has open; 0 where the system does not tell."""
    listed = Path("/proc/self/fd")
    return len(list(listed.iterdir())) if listed.exists() else 0


def test_every_file_is_closed(root: Path) -> None:
    """No descriptor is left behind, whether the path is a file or something else."""
    (root / "folder.exr").mkdir()
    before = descriptors()
    for _ in range(5):
        with LocalFile(str(root / "a.exr"), [root]):
            pass
        with pytest.raises(ObjectUnavailable):
            LocalFile(str(root / "folder.exr"), [root])
    assert descriptors() == before
