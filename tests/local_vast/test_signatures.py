"""Signatures: the secret is checked, for every client and every spelling in use."""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import quote

import adbc_driver_vastdb
import boto3
import pytest
import requests
import vastdb
from adbc_driver_manager import dbapi
from aws_requests_auth.aws_auth import AWSRequestsAuth
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from vastdb import errors

from local_vast import LocalVast
from local_vast.auth import SignedRequest, check
from local_vast.errors import VastError
from tabular_support import BUCKET, connect, raw


def s3(server: LocalVast, secret: str | None = None, key: str = "local", region: str = "us-east-1") -> Any:
    config = Config(signature_version="s3v4", retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": key, "aws_secret_access_key": secret or server.secret_key}
    return boto3.client("s3", endpoint_url=server.url, region_name=region, config=config, **keys)


@pytest.mark.parametrize("credentials", [{"secret": "wrong"}, {"access": "somebody"}, {"access": "somebody", "secret": "wrong"}])
def test_the_sdk_is_refused_with_a_wrong_key_or_secret(server: LocalVast, credentials: dict[str, str]) -> None:
    """403 on the version probe, so that `connect` fails."""
    with pytest.raises(errors.Forbidden):
        vastdb.connect(**{"endpoint": server.url, "access": "local", "secret": "local-secret", **credentials})


def test_unsigned_requests_are_refused(server: LocalVast) -> None:
    """On the tabular, the query engine's and the S3 side."""
    for target in ("/?transaction", "/?query-engine-capabilities=", "/", "/exr", "/exr/key"):
        answer = requests.get(server.url + target, timeout=10)
        assert (answer.status_code, "AccessDenied" in answer.text) == (403, True), target


def test_the_adbc_driver_is_refused_with_a_wrong_secret(server: LocalVast) -> None:
    """Its region is another and it signs another set of headers."""
    options = {"vast.db.endpoint": server.url, "vast.db.access_key": "local", "vast.db.secret_key": "wrong"}
    with pytest.raises(dbapi.Error, match=r"(?i)signature|403|denied"):
        dbapi.connect(driver=adbc_driver_vastdb.get_driver_path(), db_kwargs=options, autocommit=True)


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
@pytest.mark.parametrize("key", ["plain", "a b/ü+~x=&.exr", "per%20cent", "//double"])
def test_boto3_is_let_in_with_any_key_and_region(server: LocalVast, region: str, key: str) -> None:
    """The same object comes back that was put; a presigned URL works as well."""
    with contextlib.closing(s3(server, region=region)) as client:
        client.put_object(Bucket=BUCKET, Key=key, Body=b"body")
        assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"body"
        url = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})
        assert requests.get(url, timeout=10).content == b"body"
        assert requests.get(url.replace("X-Amz-Signature=", "X-Amz-Signature=0"), timeout=10).status_code == 403


def test_boto3_is_refused_with_a_wrong_secret(server: LocalVast) -> None:
    """With the code that says so; an unknown key has another."""
    for credentials, code in (({"secret": "wrong"}, "SignatureDoesNotMatch"), ({"key": "somebody"}, "InvalidAccessKeyId")):
        with contextlib.closing(s3(server, **credentials)) as client, pytest.raises(ClientError) as caught:
            client.list_buckets()
        assert caught.value.response["Error"]["Code"] == code


def test_a_body_that_was_not_signed_is_refused(server: LocalVast) -> None:
    """A changed body answers 400 even when the headers carry a valid signature."""
    auth = AWSRequestsAuth("local", "local-secret", server.url.removeprefix("http://"), "", "s3")
    prepared = requests.Request("POST", server.url + "/exr/s?schema", headers={"tabular-txid": "0"}, auth=auth).prepare()
    prepared.body = b"other"
    prepared.headers["Content-Length"] = "5"
    with requests.Session() as http:
        answer = http.send(prepared, timeout=10)
    assert (answer.status_code, "XAmzContentSHA256Mismatch" in answer.text) == (400, True)


def test_a_signature_is_for_one_request(server: LocalVast) -> None:
    """Another method, path or query with the same headers is refused."""
    auth = AWSRequestsAuth("local", "local-secret", server.url.removeprefix("http://"), "", "s3")
    with requests.Session() as http:
        for method, target in (("PUT", "/exr/a?schema"), ("GET", "/exr/b?schema"), ("GET", "/exr/a?table")):
            prepared = requests.Request("GET", server.url + "/exr/a?schema", auth=auth).prepare()
            prepared.method, prepared.url = method, server.url + target
            assert http.send(prepared, timeout=10).status_code == 403


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@given(text=NAMES, secret=st.text("abc/+=", min_size=1, max_size=8))
def test_names_of_all_characters_are_verified(text: str, secret: str) -> None:
    """What the SDK signs for a name, encoded as `requests` sends it, is accepted with its secret and with no other."""
    url = f"http://h/exr/{quote(text)}?schema&tabular-new-schema-name={quote(text, safe='')}"
    prepared = requests.Request("PUT", url, auth=AWSRequestsAuth("k", secret, "h", "", "s3")).prepare()
    path, _, query = prepared.path_url.partition("?")
    headers = {name.lower(): value for name, value in prepared.headers.items()} | {"host": "h"}
    check(SignedRequest("PUT", path, query, headers), "k", secret, None)
    with pytest.raises(VastError, match="SignatureDoesNotMatch"):
        check(SignedRequest("PUT", path, query, headers), "k", secret + "x", None)


@pytest.mark.parametrize(
    "header",
    ["", "Basic abc", "AWS4-HMAC-SHA256 Credential=k, SignedHeaders=host, Signature=" + "0" * 64, "AWS4-HMAC-SHA256 nonsense"],
)
def test_malformed_authorizations_are_refused(header: str) -> None:
    """Without a failure of the server."""
    with pytest.raises(VastError) as caught:
        check(SignedRequest("GET", "/", "", {"authorization": header}), "k", "s", None)
    assert caught.value.status == 403


def test_no_answer_carries_the_secret(server: LocalVast) -> None:
    """Neither in a header nor in a body, for right and wrong signatures."""
    for secret in ("local-secret", "wrong"):
        with raw(server, secret) as call:
            answer = call("GET", "/exr?schema", {"tabular-txid": "1"})
            assert "local-secret" not in answer.text + str(answer.headers)
    assert connect(server).secret == "local-secret"
