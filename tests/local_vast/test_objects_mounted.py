"""One endpoint: objects, tables and the trigger behind a single port, with signatures checked and faults switched."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pyarrow as pa
import pytest
import vastdb
from botocore.config import Config
from botocore.exceptions import ClientError
from cloudevents.http import CloudEvent, from_http

from local_vast import LocalVast
from objects_support import serve

COLUMNS = pa.schema([("id", pa.int64()), ("name", pa.utf8())])


class Function:
    """A function's endpoint that keeps what it gets."""

    def __init__(self) -> None:
        self.events: list[CloudEvent] = []
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        with self._lock:
            self.events.append(from_http({"content-type": environ["CONTENT_TYPE"]}, body))
        start_response("204 No Content", [])
        return []

    def seen(self) -> list[tuple[str, str]]:
        return [(event["type"].rpartition(".")[2], event["elementpath"]) for event in self.events]


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
def vast(function: Function, tmp_path: Path) -> Iterator[LocalVast]:
    (tmp_path / "objects" / "renders").mkdir(parents=True)
    (tmp_path / "objects" / "renders" / "found.exr").write_bytes(b"was here")
    with serve(function) as url, LocalVast(buckets=("tables",), objects=tmp_path / "objects", trigger_url=url) as vast:
        yield vast


def s3_of(vast: LocalVast, secret: str | None = None, attempts: int = 1) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=vast.url,
        region_name="us-east-1",
        aws_access_key_id=vast.access_key,
        aws_secret_access_key=secret or vast.secret_key,
        config=Config(
            s3={"addressing_style": "path"},
            signature_version="s3v4",
            retries={"mode": "standard", "total_max_attempts": attempts},
        ),
    )


def drain(vast: LocalVast) -> LocalVast:
    assert vast.trigger is not None
    assert vast.trigger.drain(20)
    return vast


def test_objects_tables_and_events_share_one_port(vast: LocalVast, function: Function) -> None:
    """A bucket of tables, a bucket of objects and the events about them need one URL and one pair of keys."""
    s3 = s3_of(vast)
    s3.put_object(Bucket="renders", Key="sq010/a.exr", Body=b"pixels")
    session = vastdb.connect(endpoint=vast.url, access=vast.access_key, secret=vast.secret_key)
    with session.transaction() as tx:
        table = tx.bucket("tables").create_schema("exr").create_table("files", COLUMNS)
        table.insert(pa.table({"id": [1], "name": ["sq010/a.exr"]}, schema=COLUMNS))
    with session.transaction() as tx:
        rows = tx.bucket("tables").schema("exr").table("files").select().read_all().to_pylist()
    assert rows == [{"id": 1, "name": "sq010/a.exr"}]
    assert s3.get_object(Bucket="renders", Key="sq010/a.exr", Range="bytes=0-3")["Body"].read() == b"pixe"
    drain(vast)
    assert function.seen() == [("ElementCreated", "renders/sq010/a.exr")]


def test_a_served_folder_is_there_and_fires_nothing(vast: LocalVast, function: Function) -> None:
    """Files that lay there before are objects; only S3 operations make events, as on a cluster."""
    assert s3_of(vast).get_object(Bucket="renders", Key="found.exr")["Body"].read() == b"was here"
    drain(vast)
    assert function.events == []


def test_a_large_upload_fires_once(vast: LocalVast, function: Function, tmp_path: Path) -> None:
    """30 MB in parts: the bytes are on the disk under their key, and one event says so."""
    body = bytes(range(251)) * 120_000
    (tmp_path / "frame.exr").write_bytes(body)
    s3_of(vast).upload_file(str(tmp_path / "frame.exr"), "renders", "sq010/frame.exr")
    assert (tmp_path / "objects" / "renders" / "sq010" / "frame.exr").read_bytes() == body
    drain(vast)
    (event,) = function.events
    (record,) = event.get_data()["Records"]
    assert (record["eventName"], record["s3"]["object"]["size"]) == ("ObjectCreated:CompleteMultipartUpload", len(body))
    assert record["userIdentity"]["principalId"] == vast.access_key


@pytest.mark.parametrize("call", ["put_object", "get_object", "delete_object"])
def test_a_wrong_secret_reaches_no_object(vast: LocalVast, function: Function, call: str) -> None:
    """403 before anything is read, written or told."""
    body = {"Body": b"evil"} if call == "put_object" else {}
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        getattr(s3_of(vast, secret="guessed"), call)(Bucket="renders", Key="found.exr", **body)
    assert s3_of(vast).get_object(Bucket="renders", Key="found.exr")["Body"].read() == b"was here"
    drain(vast)
    assert function.events == []


def test_metadata_names_may_have_underscores(vast: LocalVast) -> None:
    """They are signed and stored as they are, and are other names than those with hyphens."""
    metadata = {"file_id": "1", "file-id": "2"}
    s3_of(vast).put_object(Bucket="renders", Key="a.exr", Body=b"x", Metadata=metadata)
    assert s3_of(vast).head_object(Bucket="renders", Key="a.exr")["Metadata"] == metadata


@pytest.mark.parametrize("chunked", [False, True])
def test_a_refused_upload_leaves_the_connection_usable(vast: LocalVast, chunked: bool) -> None:
    """Whether the signature or a fault refuses it: what was sent of the body is not taken for the next request."""
    host = vast.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host)
    body = b"GET /evil HTTP/1.1\r\n\r\n" * 50_000
    for fault in ((), ("503@object",)):
        vast.faults.add(*fault)
        if chunked:
            connection.request("PUT", "/renders/a", iter([body]), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        else:
            connection.request("PUT", "/renders/a", body)
        answer = connection.getresponse()
        assert (answer.status, b"<Error>" in answer.read()) == (503 if fault else 403, True)
    connection.close()


@pytest.mark.parametrize(
    "key", ["a b#c+d%e.exr", "é/\u4e2d\U0001f3ac.exr", "a//b.exr", "../up.exr", "a%2Fb.exr", "it's (1)*~!.exr"]
)
def test_signatures_hold_for_odd_keys(vast: LocalVast, function: Function, key: str) -> None:
    """Client and endpoint agree on the canonical path; the event carries the key plain and encoded."""
    s3 = s3_of(vast)
    s3.put_object(Bucket="renders", Key=key, Body=b"x", Metadata={"k": "v  w"})
    assert s3.get_object(Bucket="renders", Key=key)["Body"].read() == b"x"
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="renders", Prefix=key)["Contents"]] == [key]
    drain(vast)
    assert function.seen() == [("ElementCreated", f"renders/{key}")]


def test_presigned_urls_work(vast: LocalVast) -> None:
    """Anyone with the URL may read that object, and nothing but that object."""
    url = s3_of(vast).generate_presigned_url("get_object", {"Bucket": "renders", "Key": "found.exr"})
    with urlopen(url) as answer:  # noqa: S310  (loopback)
        assert answer.read() == b"was here"
    with pytest.raises(HTTPError, match="403") as caught:
        urlopen(Request(url.replace("found.exr", "other.exr")))  # noqa: S310
    caught.value.close()


def test_a_busy_endpoint_is_tried_again(vast: LocalVast, function: Function) -> None:
    """503 SlowDown stops nothing: boto3 repeats the upload, and one object makes one event."""
    vast.faults.add("503@object*1")
    s3_of(vast, attempts=3).put_object(Bucket="renders", Key="a.exr", Body=b"x" * 100_000)
    drain(vast)
    assert function.seen() == [("ElementCreated", "renders/a.exr")]


def test_an_event_survives_a_restart(function: Function, tmp_path: Path) -> None:
    """With a data folder, what could not be delivered before the end is delivered after the next start."""
    data = {"data": tmp_path / "data", "buckets": ("renders",)}
    with LocalVast(**data, trigger_url="http://127.0.0.1:9/") as vast:
        s3_of(vast).put_object(Bucket="renders", Key="a.exr", Body=b"x")
    with serve(function) as url, LocalVast(**data, trigger_url=url) as vast:
        drain(vast)
    assert function.seen() == [("ElementCreated", "renders/a.exr")]


def test_objects_survive_a_restart_beside_the_tables(tmp_path: Path) -> None:
    """With a data folder only, objects lie in it."""
    with LocalVast(data=tmp_path / "data", buckets=("renders",)) as vast:
        etag = s3_of(vast).put_object(Bucket="renders", Key="a.exr", Body=b"x")["ETag"]
    with LocalVast(data=tmp_path / "data", buckets=("renders",)) as vast:
        assert s3_of(vast).head_object(Bucket="renders", Key="a.exr")["ETag"] == etag
