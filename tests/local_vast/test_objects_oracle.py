"""The object store beside moto's: the same calls of boto3 end the same way.

moto is an independent reading of S3's documentation. It keeps its buckets in memory and cannot serve a folder or survive a
restart, so it serves here as a second opinion only.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from local_vast.objects import ObjectStore
from objects_support import s3_client, serve

Call = tuple[Any, ...]
MANY = int(os.environ.get("ORACLE_EXAMPLES", "25"))
"""Sequences tried: always the same ones, unless ORACLE_EXAMPLES asks for a number of others."""
KEYS = ("a", "a/b", "a/b/c.exr", "a.b", "b//c", "z é#+%/x", "../up", "folder/")
FACTS = ("ETag", "ContentLength", "ContentRange", "ContentType", "Metadata", "KeyCount", "IsTruncated")
keys = st.sampled_from(KEYS)
bodies = st.binary(max_size=12)
ranges = st.sampled_from(["bytes=0-3", "bytes=2-", "bytes=-2", "bytes=50-60", "bytes=5-100"])
prefixes = st.sampled_from(["", "a", "a/", "b/", "z"])
calls = st.one_of(
    st.tuples(st.just("put"), keys, bodies, st.dictionaries(st.sampled_from(["k", "shot-name"]), st.just("v"))),
    st.tuples(st.just("get"), keys),
    st.tuples(st.just("get range"), keys, ranges),
    st.tuples(st.just("get matching"), keys, st.sampled_from(["IfMatch", "IfNoneMatch"]), bodies),
    st.tuples(st.just("head"), keys),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("delete many"), st.lists(keys, min_size=1, max_size=3, unique=True)),
    st.tuples(st.just("copy"), keys, keys),
    st.tuples(st.just("create only"), keys, bodies),
    # Not both: whether `a/` is shown after `a/b` is not documented, and implementations differ.
    st.tuples(st.just("list"), prefixes, st.sampled_from(["/", "b"]), st.integers(1, 4), st.just("")),
    st.tuples(st.just("list"), prefixes, st.just(""), st.integers(1, 4), st.sampled_from(["", "a.b", "a/b"])),
)


def etag_of(body: bytes) -> str:
    """The ETag that S3 gives a body that was put at once."""
    return f'"{hashlib.md5(body).hexdigest()}"'  # noqa: S324


def perform(s3: Any, call: Call) -> Any:
    """Make one call, and tell what a client sees of its end."""
    what, *given = call
    try:
        return told(OPERATIONS[what](s3, *given))
    except ClientError as error:
        answer = error.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def told(answer: dict[str, Any]) -> dict[str, Any]:
    """The facts of an answer that do not depend on who gave it."""
    facts = {name: answer[name] for name in FACTS if name in answer}
    if "Body" in answer:
        facts["Body"] = answer["Body"].read()
    facts["Contents"] = [(item["Key"], item["Size"], item["ETag"]) for item in answer.get("Contents", [])]
    facts["CommonPrefixes"] = [item["Prefix"] for item in answer.get("CommonPrefixes", [])]
    facts["Deleted"] = sorted(item["Key"] for item in answer.get("Deleted", []))
    facts["Copied"] = answer.get("CopyObjectResult", {}).get("ETag")
    return facts


def list_pages(s3: Any, prefix: str, delimiter: str, size: int, after: str) -> dict[str, Any]:
    """All pages as one answer, and how the first one ended."""
    common = {"Bucket": "renders", "Prefix": prefix, "Delimiter": delimiter, "MaxKeys": size, "StartAfter": after}
    first = s3.list_objects_v2(**common)
    pages, last = [first], first
    while last["IsTruncated"]:
        last = s3.list_objects_v2(**common, ContinuationToken=last["NextContinuationToken"])
        pages.append(last)
    together = {name: [item for page in pages for item in page.get(name, [])] for name in ("Contents", "CommonPrefixes")}
    return {**together, "KeyCount": first["KeyCount"], "IsTruncated": first["IsTruncated"]}


def delete_many(s3: Any, several: list[str]) -> dict[str, Any]:
    return s3.delete_objects(Delete={"Objects": [{"Key": key} for key in several]}, **BUCKET)


def copy(s3: Any, source: str, target: str) -> dict[str, Any]:
    return s3.copy_object(Key=target, CopySource={"Bucket": "renders", "Key": source}, **BUCKET)


def put(s3: Any, key: str, body: bytes, metadata: dict[str, str]) -> dict[str, Any]:
    return s3.put_object(Key=key, Body=body, Metadata=metadata, **BUCKET)


def create(s3: Any, key: str, body: bytes) -> dict[str, Any]:
    return s3.put_object(Key=key, Body=body, IfNoneMatch="*", **BUCKET)


def get(s3: Any, key: str) -> dict[str, Any]:
    return s3.get_object(Key=key, **BUCKET)


def get_range(s3: Any, key: str, wanted: str) -> dict[str, Any]:
    return s3.get_object(Key=key, Range=wanted, **BUCKET)


def get_matching(s3: Any, key: str, name: str, body: bytes) -> dict[str, Any]:
    return s3.get_object(Key=key, **{name: etag_of(body)}, **BUCKET)


def head(s3: Any, key: str) -> dict[str, Any]:
    return s3.head_object(Key=key, **BUCKET)


def delete(s3: Any, key: str) -> dict[str, Any]:
    return s3.delete_object(Key=key, **BUCKET)


BUCKET = {"Bucket": "renders"}
OPERATIONS: dict[str, Callable[..., dict[str, Any]]] = {
    "put": put,
    "get": get,
    "get range": get_range,
    "get matching": get_matching,
    "head": head,
    "delete": delete,
    "delete many": delete_many,
    "copy": copy,
    "create only": create,
    "list": list_pages,
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """A client of our store behind a real server, and one of moto's, each with a bucket."""
    passthrough = {"core": {"passthrough": {"urls": [r"http://127\.0\.0\.1.*"]}}}
    with serve(ObjectStore(tmp_path_factory.mktemp("root"))) as url, mock_aws(config=passthrough):
        moto = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        clients = s3_client(url), moto
        for s3 in clients:
            s3.create_bucket(Bucket="renders")
        yield clients


def empty(s3: Any) -> Any:
    """The client, with an empty bucket."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="renders"):
        for item in page.get("Contents", []):
            s3.delete_object(Bucket="renders", Key=item["Key"])
    return s3


@settings(max_examples=MANY, deadline=None, derandomize="ORACLE_EXAMPLES" not in os.environ)
@given(st.lists(calls, min_size=1, max_size=15))
def test_the_same_calls_end_the_same_way(both: tuple[Any, Any], sequence: list[Call]) -> None:
    """Bodies, sizes, ETags, metadata, listings, pages, statuses and error codes."""
    mine, theirs = (empty(s3) for s3 in both)
    for call in sequence:
        assert perform(mine, call) == perform(theirs, call), call
