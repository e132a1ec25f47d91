"""Listings: order, prefix, delimiter, pages; against a model and through boto3."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from local_vast.objects import ObjectStore
from local_vast.objects.disk import Cursor, Description, Disk
from local_vast.objects.listing import Listing, read_page
from objects_support import s3_client, serve

KEYS = ["a", "a.exr", "a/1.exr", "a/2/x.exr", "a/2/y.exr", "a0", "b//c", "b/", "sp ace+%#&<.exr", "z/é/1", "z/\U0001f3ac"]
alphabet = st.text(alphabet="ab/.é", min_size=1, max_size=6)


def fill(disk: Disk, keys: list[str]) -> Disk:
    disk.create_bucket("renders")
    for key in keys:
        with disk.receive() as incoming:
            disk.commit("renders", key, incoming, Description({}))
    return disk


def model(keys: list[str], prefix: str, delimiter: str) -> list[str]:
    """What S3 documents: keys under the prefix, those with the delimiter after it rolled up, in the order of their bytes."""
    result = set()
    for key in keys:
        if key.startswith(prefix):
            head, cut, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key[len(prefix) :], "", "")
            result.add(prefix + head + cut)
    return sorted(result, key=str.encode)


@given(
    keys=st.lists(alphabet, max_size=12, unique=True),
    prefix=st.text(alphabet="ab/.", max_size=3),
    delimiter=st.sampled_from(["", "/", "a", "é", "b/"]),
    size=st.integers(1, 4),
)
def test_pages_add_up_to_the_model(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str], prefix: str, delimiter: str, size: int
) -> None:
    """Whatever the keys, the pages together show each entry once, in byte order, and no page is longer than asked."""
    disk = fill(Disk(tmp_path_factory.mktemp("root")), keys)
    seen: list[str] = []
    after: bytes | None = b""
    while after is not None:
        page = read_page(disk, "renders", Listing(prefix, delimiter, size, url_encoded=False), after)
        assert page.count <= size
        seen += sorted([*(stored.key for stored in page.objects), *page.prefixes], key=str.encode)
        after = page.after
    assert seen == model(keys, prefix, delimiter)


def test_a_listing_reads_no_folder_that_it_does_not_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those beside the prefix, nor those before the cursor, nor the rest of a rolled-up one."""
    disk = fill(Disk(tmp_path), ["a/1/x", "a/2/x", "a/3/deep/x", "b/1/x", "c/1/x"])
    opened: list[str] = []
    real = os.scandir
    monkeypatch.setattr("os.scandir", lambda path: (opened.append(str(Path(path).relative_to(tmp_path))), real(path))[1])
    assert list(disk.scan("renders", "a/", Cursor(b"a/2/\xff"))) == ["a/3/deep/x"]
    assert [path for path in opened if path.startswith("renders")] == ["renders", "renders/a", "renders/a/3", "renders/a/3/deep"]


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Any]:
    store = ObjectStore(tmp_path)
    fill(store.disk, KEYS)
    with serve(store) as url:
        yield s3_client(url)


def list_keys(s3: Any, call: str = "list_objects_v2", **more: Any) -> tuple[list[str], list[str]]:
    answer = getattr(s3, call)(Bucket="renders", **more)
    return [item["Key"] for item in answer.get("Contents", [])], [item["Prefix"] for item in answer.get("CommonPrefixes", [])]


@pytest.mark.parametrize("call", ["list_objects", "list_objects_v2"])
class TestBothVersions:
    def test_everything_in_byte_order(self, s3: Any, call: str) -> None:
        """Keys come back exactly as they were written, whatever they hold."""
        assert list_keys(s3, call) == (sorted(KEYS, key=str.encode), [])

    def test_folders_are_common_prefixes(self, s3: Any, call: str) -> None:
        """With a delimiter a level is shown like a folder."""
        assert list_keys(s3, call, Delimiter="/") == (["a", "a.exr", "a0", "sp ace+%#&<.exr"], ["a/", "b/", "z/"])
        assert list_keys(s3, call, Delimiter="/", Prefix="a/") == (["a/1.exr"], ["a/2/"])
        assert list_keys(s3, call, Delimiter="/", Prefix="b/") == (["b/"], ["b//"])

    def test_a_prefix_need_not_end_at_a_slash(self, s3: Any, call: str) -> None:
        """It is a string, no folder."""
        assert list_keys(s3, call, Prefix="a/2/x") == (["a/2/x.exr"], [])
        assert list_keys(s3, call, Prefix="sp ace+") == (["sp ace+%#&<.exr"], [])
        assert list_keys(s3, call, Prefix="nothing") == ([], [])

    @pytest.mark.parametrize("size", [1, 2, 3, 5])
    def test_a_paginator_sees_all(self, s3: Any, call: str, size: int) -> None:
        """Also where a page ends at a common prefix or at a key with odd letters."""
        pages = s3.get_paginator(call).paginate(Bucket="renders", Delimiter="/", PaginationConfig={"PageSize": size})
        seen = [item.get("Key") or item.get("Prefix") for page in pages for item in entries(page)]
        assert sorted(seen, key=str.encode) == ["a", "a.exr", "a/", "a0", "b/", "sp ace+%#&<.exr", "z/"]

    def test_facts_of_an_entry(self, s3: Any, call: str) -> None:
        """Size, ETag and time are those that HEAD tells."""
        (entry,) = getattr(s3, call)(Bucket="renders", Prefix="a.exr")["Contents"]
        head = s3.head_object(Bucket="renders", Key="a.exr")
        assert (entry["Size"], entry["ETag"]) == (head["ContentLength"], head["ETag"])
        assert entry["LastModified"] == head["LastModified"]

    def test_no_keys_are_asked_for(self, s3: Any, call: str) -> None:
        """max-keys 0 is an empty page that is not truncated."""
        answer = getattr(s3, call)(Bucket="renders", MaxKeys=0)
        assert (answer.get("Contents"), answer["IsTruncated"]) == (None, False)


def entries(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [*page.get("Contents", []), *page.get("CommonPrefixes", [])]


def test_start_after(s3: Any) -> None:
    """Keys above it, whether or not it exists."""
    assert list_keys(s3, StartAfter="a/1.exr", MaxKeys=2)[0] == ["a/2/x.exr", "a/2/y.exr"]
    assert list_keys(s3, StartAfter="sp", MaxKeys=1)[0] == ["sp ace+%#&<.exr"]


def test_the_count_is_told(s3: Any) -> None:
    """KeyCount is what the page holds, prefixes included."""
    assert s3.list_objects_v2(Bucket="renders", Delimiter="/")["KeyCount"] == 7


@pytest.mark.parametrize("wrong", [{"ContinuationToken": "not ours!"}, {"EncodingType": "base64"}], ids=["token", "encoding"])
def test_nonsense_is_refused(s3: Any, wrong: dict[str, str]) -> None:
    """A token or an encoding that this endpoint does not know is an InvalidArgument."""
    with pytest.raises(ClientError, match="InvalidArgument"):
        s3.list_objects_v2(Bucket="renders", **wrong)


def test_an_empty_folder_is_no_prefix(tmp_path: Path) -> None:
    """A folder without objects below it does not exist for S3."""
    store = ObjectStore(tmp_path)
    (tmp_path / "renders" / "empty" / "deeper").mkdir(parents=True)
    with serve(store) as url:
        assert list_keys(s3_client(url), Delimiter="/") == ([], [])


def fetch(url: str) -> ET.Element:
    with urlopen(url) as answer:  # noqa: S310  (loopback)
        root = ET.fromstring(answer.read())  # noqa: S314  (our own answer)
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    return root


class TestRaw:
    """Requests that boto3 does not make."""

    @pytest.fixture
    def ask(self, tmp_path: Path) -> Iterator[Callable[[str], ET.Element]]:
        store = ObjectStore(tmp_path)
        fill(store.disk, [".snapshot/daily/a", ".snapshot/weekly/a", "tab\tkey & <co>", "x"])
        with serve(store) as url:
            yield lambda query: fetch(f"{url}/renders?{query}")

    def test_snapshots_as_the_sdk_lists_them(self, ask: Callable[[str], ET.Element]) -> None:
        """`list_type` with an underscore: `Marker` is always there, and comes back as the continuation token."""
        query = "list&delimiter=%2F&list_type=2&max_keys=1&prefix=.snapshot%2F"
        first = ask(query)
        assert [node.text for node in first.iter("Prefix")][1:] == [".snapshot/daily/"]
        assert first.findtext("IsTruncated") == "true"
        second = ask(f"{query}&continuation-token={first.findtext('Marker')}")
        assert [node.text for node in second.iter("Prefix")][1:] == [".snapshot/weekly/"]
        assert (second.findtext("IsTruncated"), second.findtext("Marker")) == ("false", "")

    def test_keys_are_plain_without_encoding_type(self, ask: Callable[[str], ET.Element]) -> None:
        """Escaped for XML only."""
        assert [node.text for node in ask("list-type=2&prefix=tab").iter("Key")] == ["tab\tkey & <co>"]

    def test_a_token_is_echoed(self, ask: Callable[[str], ET.Element]) -> None:
        """The page names the token that it began with."""
        token = ask("list-type=2&max-keys=1").findtext("NextContinuationToken")
        assert ask(f"list-type=2&continuation-token={token}").findtext("ContinuationToken") == token
