"""Request bodies as clients frame them on the wire, the digests that come along, and connections that go on afterwards."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_vast.objects import ObjectStore
from local_vast.objects.body import Body
from local_vast.objects.errors import S3Error
from objects_support import serve


def crc32(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def aws_chunked(chunks: list[bytes], trailers: Mapping[str, str] | None = None, signed: bool = False) -> bytes:
    """S3's framing: sizes in hexadecimal, a last chunk of no bytes, trailers, an empty line."""
    signature = ";chunk-signature=" + "0" * 64 if signed else ""
    framed = b"".join(f"{len(chunk):x}{signature}\r\n".encode() + chunk + b"\r\n" for chunk in chunks if chunk)
    lines = "".join(f"{name}:{value}\r\n" for name, value in (trailers or {}).items())
    return framed + f"0{signature}\r\n{lines}\r\n".encode()


def decode(raw: bytes, headers: Mapping[str, str]) -> tuple[bytes, Mapping[str, str]]:
    sink = io.BytesIO()
    checksums = Body(io.BytesIO(raw), len(raw), headers).copy_to(sink.write)
    return sink.getvalue(), checksums


STREAMING = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "content-encoding": "aws-chunked"}


class TestFraming:
    @given(chunks=st.lists(st.binary(max_size=300), max_size=6), signed=st.booleans())
    def test_aws_chunks_are_joined(self, chunks: list[bytes], signed: bool) -> None:
        """Whatever bytes the chunks hold, line ends included, with signatures or without."""
        body = b"".join(chunks)
        headers = {**STREAMING, "x-amz-decoded-content-length": str(len(body)), "x-amz-trailer": "x-amz-checksum-crc32"}
        raw = aws_chunked(chunks, {"x-amz-checksum-crc32": crc32(body)}, signed)
        assert decode(raw, headers) == (body, {"x-amz-checksum-crc32": crc32(body)})

    @given(st.binary(min_size=1, max_size=400), st.data())
    def test_a_cut_body_is_never_taken_for_whole(self, body: bytes, data: st.DataObject) -> None:
        """A client that goes away amid its upload leaves no object."""
        raw = aws_chunked([body])
        end = data.draw(st.integers(0, len(raw) - len(b"\r\n0\r\n\r\n") - 1))
        with pytest.raises(S3Error, match="IncompleteBody"):
            decode(raw[:end], {**STREAMING, "x-amz-decoded-content-length": str(len(body))})

    @pytest.mark.parametrize("raw", [b"", b"zz\r\nabc\r\n0\r\n\r\n", b"-1\r\n\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"f" * 9000])
    def test_broken_framing_is_refused(self, raw: bytes) -> None:
        """No size, a wrong size, an endless line: an error, and never a hang."""
        with pytest.raises(S3Error, match=r"IncompleteBody|InvalidRequest"):
            decode(raw, STREAMING)

    def test_a_plain_body_that_ends_early_is_incomplete(self) -> None:
        """The declared length counts."""
        with pytest.raises(S3Error, match="declares 10 bytes, 3 arrived"):
            Body(io.BytesIO(b"abc"), 10, {}).copy_to(io.BytesIO().write)

    def test_nothing_is_read_beyond_the_declared_length(self) -> None:
        """What follows on the connection belongs to the next request."""
        stream = io.BytesIO(b"bodyGET / HTTP/1.1")
        body = Body(stream, 4, {})
        sink = io.BytesIO()
        body.copy_to(sink.write)
        body.drain()
        assert (sink.getvalue(), stream.read()) == (b"body", b"GET / HTTP/1.1")

    def test_a_document_has_a_limit(self) -> None:
        """Only documents are held in memory."""
        with pytest.raises(S3Error, match="longer than 3 bytes"):
            Body(io.BytesIO(b"abcd"), 4, {}).read_all(3)


class TestDigests:
    @pytest.mark.parametrize(
        ("name", "digest"),
        [
            ("content-md5", hashlib.md5(b"body").digest()),  # noqa: S324
            ("x-amz-checksum-crc32", zlib.crc32(b"body").to_bytes(4, "big")),
            ("x-amz-checksum-sha1", hashlib.sha1(b"body").digest()),  # noqa: S324
            ("x-amz-checksum-sha256", hashlib.sha256(b"body").digest()),
            ("x-amz-checksum-sha512", hashlib.sha512(b"body").digest()),
        ],
    )
    def test_each_is_verified(self, name: str, digest: bytes) -> None:
        """The right one passes, a wrong one is BadDigest, and one of another length InvalidDigest."""
        value = base64.b64encode(digest).decode()
        assert decode(b"body", {name: value})[0] == b"body"
        with pytest.raises(S3Error, match="BadDigest"):
            decode(b"bodx", {name: value})
        with pytest.raises(S3Error, match="InvalidDigest"):
            decode(b"body", {name: value[4:]})
        with pytest.raises(S3Error, match="InvalidDigest"):
            decode(b"body", {name: "not base64!"})

    def test_the_signed_payload_hash_is_verified(self) -> None:
        """It is what the signature covers."""
        headers = {"x-amz-content-sha256": hashlib.sha256(b"body").hexdigest()}
        assert decode(b"body", headers)[0] == b"body"
        with pytest.raises(S3Error, match="XAmzContentSHA256Mismatch"):
            decode(b"bodx", headers)
        assert decode(b"body", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})[0] == b"body"

    def test_a_wrong_trailer_is_found(self) -> None:
        """Also one that was announced and did not come."""
        headers = {**STREAMING, "x-amz-trailer": "x-amz-checksum-crc32"}
        with pytest.raises(S3Error, match="BadDigest"):
            decode(aws_chunked([b"body"], {"x-amz-checksum-crc32": crc32(b"other")}), headers)
        with pytest.raises(S3Error, match="did not arrive"):
            decode(aws_chunked([b"body"]), headers)

    def test_checksums_of_other_kinds_are_kept(self) -> None:
        """CRC64NVME, the default of newer command line tools, is stored as it came."""
        headers = {"x-amz-checksum-crc64nvme": "AAAAAAAAAAA=", "x-amz-checksum-algorithm": "CRC64NVME"}
        assert decode(b"body", headers) == (b"body", {"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="})


class Wire:
    """One HTTP connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port)

    def ask(self, method: str, path: str, body: bytes | Iterator[bytes] | None = None, **headers: str) -> tuple[int, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, named, encode_chunked=not isinstance(body, bytes | None))
        answer = self.connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    store = ObjectStore(tmp_path)
    store.create_bucket("renders")
    with serve(store) as url:
        wire = Wire(url)
        yield wire
        wire.connection.close()


class TestOnTheWire:
    def test_boto3_over_tls_sends_chunks_within_chunks(self, wire: Wire) -> None:
        """Transfer-Encoding chunked around aws-chunked with a CRC32 trailer; the coding is not kept as the object's."""
        body = bytes(range(256)) * 8192
        raw = aws_chunked([body[:1_000_000], body[1_000_000:]], {"x-amz-checksum-crc32": crc32(body)})
        status, _ = wire.ask(
            "PUT",
            "/renders/a.exr",
            iter([raw[:70_000], raw[70_000:]]),
            Transfer_Encoding="chunked",
            Content_Encoding="gzip, aws-chunked",
            X_Amz_Content_Sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            X_Amz_Trailer="x-amz-checksum-crc32",
            X_Amz_Decoded_Content_Length=str(len(body)),
        )
        assert status == 200
        assert wire.ask("GET", "/renders/a.exr") == (200, body)
        wire.connection.request("HEAD", "/renders/a.exr", headers={"x-amz-checksum-mode": "ENABLED"})
        head = wire.connection.getresponse()
        head.read()
        assert (head.headers["Content-Encoding"], head.headers["x-amz-checksum-crc32"]) == ("gzip", crc32(body))

    @pytest.mark.parametrize("chunked", [False, True])
    def test_an_error_leaves_the_connection_usable(self, wire: Wire, chunked: bool) -> None:
        """The unread body of a refused upload is not taken for the next request."""
        body = b"GET /evil HTTP/1.1\r\n\r\n" * 50_000
        if chunked:
            status, _ = wire.ask("PUT", "/absent/a", iter([body]), Transfer_Encoding="chunked")
        else:
            status, _ = wire.ask("PUT", "/absent/a", body)
        assert status == 404
        assert wire.ask("GET", "/renders/none")[0] == 404
        assert wire.ask("PUT", "/renders/a", b"fine")[0] == 200
        assert wire.ask("GET", "/renders/a") == (200, b"fine")

    def test_an_upload_needs_a_length(self, wire: Wire) -> None:
        """411 without Content-Length and without a transfer coding."""
        wire.connection.putrequest("PUT", "/renders/a")
        wire.connection.endheaders()
        answer = wire.connection.getresponse()
        assert (answer.status, b"MissingContentLength" in answer.read()) == (411, True)

    @pytest.mark.parametrize(
        ("path", "status", "code"),
        [
            ("/renders/%ff", 400, b"InvalidURI"),
            ("/..%2frenders/a", 404, b"NoSuchBucket"),
            ("/.local_vast/meta", 404, b"NoSuchBucket"),
            ("/..", 404, b"NoSuchBucket"),
            ("/renders/../../etc/passwd", 404, b"NoSuchKey"),
            ("/renders/%2e%2e/%2e%2e/etc/passwd", 404, b"NoSuchKey"),
            ("/renders/%00", 404, b"NoSuchKey"),
        ],
    )
    def test_odd_paths_reach_nothing(self, wire: Wire, path: str, status: int, code: bytes) -> None:
        """Dot segments, encoded slashes, NUL and bytes that are no UTF-8 name no file."""
        answer = wire.ask("GET", path)
        assert (answer[0], code in answer[1]) == (status, True)

    def test_an_encoded_slash_is_a_slash_and_an_encoded_percent_is_not(self, wire: Wire) -> None:
        """`%2F` and `/` are one key, `%252F` is another: the path is decoded once, from the request line."""
        wire.ask("PUT", "/renders/a%2Fb", b"slash")
        wire.ask("PUT", "/renders/a%252Fb", b"percent")
        assert wire.ask("GET", "/renders/a/b")[1] == b"slash"
        assert wire.ask("GET", "/renders/a%252Fb")[1] == b"percent"

    @pytest.mark.parametrize("document", [b"", b"<Delete", b"<Other/>", b"<Delete></Delete>", b"<Delete><Object/></Delete>"])
    def test_broken_documents_are_named(self, wire: Wire, document: bytes) -> None:
        """A body that is not the document asked for is MalformedXML."""
        status, answer = wire.ask("POST", "/renders?delete", document)
        assert (status, b"MalformedXML" in answer) == (400, True)

    def test_entities_are_not_expanded_without_end(self, wire: Wire) -> None:
        """The XML parser refuses an expansion bomb."""
        lines = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
        bomb = f'<!DOCTYPE Delete [<!ENTITY e0 "ha">{lines}]><Delete><Object><Key>&e11;</Key></Object></Delete>'
        assert wire.ask("POST", "/renders?delete", bomb.encode())[0] == 400


class TestOtherServers:
    """What WSGI servers other than cheroot hand over."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        store = ObjectStore(tmp_path)
        store.create_bucket("renders")
        return store

    def ask(self, store: ObjectStore, method: str, body: bytes = b"", **environ: str) -> tuple[str, bytes]:
        said: list[str] = []
        common = {"REQUEST_METHOD": method, "CONTENT_LENGTH": str(len(body) or ""), "wsgi.input": io.BytesIO(body)}
        answer = store({**common, **environ}, lambda status, headers: said.append(status))
        content = b"".join(answer)
        getattr(answer, "close", lambda: None)()
        return said[0], content

    def test_a_decoded_path_serves_where_the_request_line_is_missing(self, store: ObjectStore) -> None:
        """PEP 3333 asks for PATH_INFO only: bytes as latin-1."""
        path = "/renders/a b/é%25.exr".encode().decode("latin-1")
        assert self.ask(store, "PUT", b"x", PATH_INFO=path)[0] == "200 OK"
        assert self.ask(store, "GET", PATH_INFO=path) == ("200 OK", b"x")
        assert (store.disk.root / "renders" / "a b" / "é%25.exr").exists()

    def test_the_absolute_form_names_the_same_object(self, store: ObjectStore) -> None:
        """As proxies send it (RFC 9112, 3.2.2)."""
        self.ask(store, "PUT", b"x", REQUEST_URI="/renders/a")
        assert self.ask(store, "GET", REQUEST_URI="http://proxy:80/renders/a") == ("200 OK", b"x")

    def test_an_empty_bucket_name_is_no_bucket(self, store: ObjectStore) -> None:
        """`//key` is not the list of buckets."""
        status, answer = self.ask(store, "GET", REQUEST_URI="//renders/a")
        assert (status, b"NoSuchBucket" in answer) == ("404 Not Found", True)
