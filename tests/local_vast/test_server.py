"""The endpoint as a library and as a command."""

from __future__ import annotations

import contextlib
import http.server
import json
import subprocess
import sys
import threading
from pathlib import Path

import boto3
import pytest
import requests
import vastdb

from local_vast import LocalVast
from local_vast.__main__ import main
from local_vast.routes import ROUTES
from tabular_support import BUCKET, connect, fill, make_table, raw, read_committed, table

ROOT = Path(__file__).parents[2]


def test_the_command_says_where_it_is_and_that_it_is_not_vast(tmp_path: Path) -> None:
    """The first line can be parsed; the second is plain; options reach the server."""
    options = ["--bucket", "one", "--bucket", "two", "--access-key", "k", "--secret-key", "z", "--fault", "409@commit"]
    command = [sys.executable, "-m", "local_vast", "--port", "0", "--data", str(tmp_path), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        name, _, url = process.stdout.readline().strip().partition("=")
        assert name == "LOCAL_VAST_URL"
        assert "It is not VAST" in process.stdout.readline()
        session = vastdb.connect(endpoint=url, access="k", secret="z")
        with pytest.raises(vastdb.errors.Conflict), session.transaction() as tx:
            tx.bucket("one").create_schema("s")
            tx.bucket("two").create_schema("s")
        process.terminate()
        assert process.wait(20) == 0
        assert "secret" not in process.stdout.read()


def test_wrong_options_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2 and a message; nothing is started."""
    assert main(["--fault", "x@y"]) == 2
    assert "fault 'x@y'" in capsys.readouterr().err
    assert main(["--version", "five"]) == 2
    assert "version 'five'" in capsys.readouterr().err


def test_requests_can_be_counted(server: LocalVast) -> None:
    """A transaction through the SDK is two requests, and two of the ADBC driver."""
    session = connect(server)
    server.clear_requests()
    with session.transaction():
        pass
    assert [(method, command) for method, _, command, _ in server.requests] == [
        ("POST", "transaction"), ("GET", "transaction"), ("GET", "query-engine-capabilities"), ("PUT", "transaction"),
    ]  # fmt: skip


def test_a_reset_leaves_nothing(server: LocalVast) -> None:
    """Tables, open transactions, objects, faults and counts are gone; the same session goes on."""
    session = connect(server)
    fill(session, (1, "a"))
    session.api.begin_transaction()
    server.faults.add("409@commit")
    with contextlib.closing(s3(server)) as client:
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
        server.reset()
        assert client.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    assert (len(server.store.transactions), server.store.physical_tables(), server.faults.specifications()) == (0, 0, [])
    fill(session, (2, "b"))
    assert read_committed(session) == [(2, "b")]


def s3(server: LocalVast) -> object:
    keys = {"aws_access_key_id": server.access_key, "aws_secret_access_key": server.secret_key}
    return boto3.client("s3", endpoint_url=server.url, region_name="us-east-1", **keys)


def test_a_reset_spares_objects_of_a_named_directory(tmp_path: Path) -> None:
    """A folder of the user's is served, and never emptied."""
    (tmp_path / "show").mkdir()
    (tmp_path / "show/a.exr").write_bytes(b"body")
    with LocalVast(objects=tmp_path, buckets=()) as server, contextlib.closing(s3(server)) as client:
        server.reset()
        assert client.get_object(Bucket="show", Key="a.exr")["Body"].read() == b"body"
        with connect(server).transaction() as tx:
            assert tx.bucket("show").schemas() == []


def test_buckets_are_those_of_s3_and_of_the_tables(server: LocalVast) -> None:
    """A bucket made through S3 takes schemas; one that is not there is missing to both."""
    with contextlib.closing(s3(server)) as client:
        client.create_bucket(Bucket="made")
    with connect(server).transaction() as tx:
        tx.bucket("made").create_schema("s")
        with pytest.raises(vastdb.errors.MissingBucket):
            tx.bucket("none")


def test_every_answer_names_the_version(server: LocalVast) -> None:
    """Tabular, S3 and error answers, in the form the SDK parses."""
    with raw(server) as call:
        for target in ("/?transaction", "/", "/none?schema", "/none/key"):
            assert call("GET", target).headers["Server"] == "vast 5.5.0.0"


def test_latency_is_for_every_request() -> None:
    """An option of the server; the SDK's requests still succeed."""
    with LocalVast(latency_ms=1) as slow, connect(slow).transaction() as tx:
        make_table(tx)
        assert table(tx).get_stats().num_rows == 0


FOREIGN = [
    {"Origin": "https://example.com"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:3000"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Host": "rebound.example.com"},
    {"Host": "["},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_web_page_cannot_control_the_endpoint(server: LocalVast, headers: dict[str, str]) -> None:
    """Requests as a browser sends them for a page, simple posts included, change nothing and learn nothing."""
    fill(connect(server), (1, "a"))
    for method, path in (("POST", "reset"), ("POST", "faults"), ("DELETE", "requests"), ("GET", "requests")):
        sent = {"Content-Type": "text/plain", **headers}
        answer = requests.request(method, f"{server.url}/_local_vast/{path}", headers=sent, data=b'["409@commit**"]', timeout=20)
        assert answer.status_code in (400, 403)
        assert set(answer.json()) == {"error"}
    assert server.faults.specifications() == []
    assert read_committed(connect(server)) == [(1, "a")]


@pytest.mark.parametrize("headers", [{}, {"Host": "localhost:80"}, {"Sec-Fetch-Site": "none"}], ids=str)
def test_tools_control_the_endpoint(server: LocalVast, headers: dict[str, str]) -> None:
    """Without those headers, under each name of the loopback interface, or from a browser's address line."""
    answer = requests.post(f"{server.url}/_local_vast/faults", headers=headers, data=b'["409@commit"]', timeout=20)
    assert (answer.status_code, answer.json()["faults"]) == (200, ["409@commit"])


@pytest.mark.parametrize("body", [b"", b"\x00", bytes(4), b"\xff" * 40, b"\x0c\x00\x00\x00" + bytes(8)])
def test_a_body_that_cannot_be_decoded_is_refused(server: LocalVast, body: bytes) -> None:
    """With 400 in XML, or as if it were empty: never 500, and never a cut connection."""
    fill(connect(server), (1, "a"))
    with raw(server) as call:
        for method, command in ROUTES:
            if method in ("POST", "PUT") or command == "data":
                answer = call(method, f"/{BUCKET}/s/t?{command}=&name=p", {"tabular-txid": "0"}, body)
                assert answer.status_code < 500 or answer.status_code == 501, (method, command)
                assert answer.status_code < 400 or "<Code>" in answer.text
        for target in ("/?transaction", f"/{BUCKET}/key"):
            assert call("PUT", target, {"Content-Length": "-5"}).status_code == 400


class _Function(http.server.BaseHTTPRequestHandler):
    """Takes the element trigger's events."""

    events: list[dict[str, object]]
    arrived: threading.Event

    def do_POST(self) -> None:
        self.events.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.arrived.set()

    def log_message(self, *_: object) -> None:
        pass


def test_an_upload_in_parts_fires_the_trigger_once() -> None:
    """30 MB through boto3's multipart upload: ranges read back equal, and one event arrives; another suffix makes none."""
    handler = type("Handler", (_Function,), {"events": [], "arrived": threading.Event()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as function:
        thread = threading.Thread(target=function.serve_forever, daemon=True)
        thread.start()
        body = bytes(range(256)) * (30 * 4096)
        url = f"http://127.0.0.1:{function.server_port}/"
        with LocalVast(trigger_url=url) as server, contextlib.closing(s3(server)) as client:
            client.put_object(Bucket=BUCKET, Key="notes.txt", Body=b"no event")
            _upload(client, body)
            assert handler.arrived.wait(30)
            assert server.trigger is not None
            assert server.trigger.drain(30)
            for first, last in ((0, 99), (5_000_000, 5_300_000), (len(body) - 1, len(body) - 1)):
                answer = client.get_object(Bucket=BUCKET, Key="beauty.exr", Range=f"bytes={first}-{last}")
                assert answer["Body"].read() == body[first : last + 1]
        function.shutdown()
        thread.join()
    assert len(handler.events) == 1
    assert "beauty.exr" in json.dumps(handler.events[0])


def _upload(client: object, body: bytes) -> None:
    upload = client.create_multipart_upload(Bucket=BUCKET, Key="beauty.exr")["UploadId"]  # type: ignore[attr-defined]
    size = 8 * 1024 * 1024
    parts = []
    for number, start in enumerate(range(0, len(body), size), 1):
        part = {"Bucket": BUCKET, "Key": "beauty.exr", "UploadId": upload, "PartNumber": number}
        answer = client.upload_part(**part, Body=body[start : start + size])  # type: ignore[attr-defined]
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    finished = {"Bucket": BUCKET, "Key": "beauty.exr", "UploadId": upload}
    client.complete_multipart_upload(**finished, MultipartUpload={"Parts": parts})  # type: ignore[attr-defined]
