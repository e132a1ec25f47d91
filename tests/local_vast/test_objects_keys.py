"""Which file holds which key: every key has a place, no two share one, and none lies outside the root."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_vast.objects.disk import Cursor, Description, Disk
from local_vast.objects.keys import (
    MAX_NAME_BYTES,
    escaped_parts,
    is_new_bucket_name,
    is_served_folder,
    key_of_escaped,
    natural_parts,
)

# Letters that mean something to a file system, a URL or XML, and some that need several bytes.
keys = st.text(alphabet=st.sampled_from("ab./%+# &<\\~\0\n\u00e9\u0301\U0001f3ac"), min_size=1, max_size=12) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300
)


@given(keys)
def test_an_escaped_place_gives_the_key_back(key: str) -> None:
    """So no two keys share one, and each segment is a name that every file system takes."""
    parts = escaped_parts(key)
    assert key_of_escaped(parts) == key
    assert all(0 < len(part) <= MAX_NAME_BYTES and part.isascii() and "/" not in part for part in parts)
    assert not {".", ".."} & set(parts)


@given(keys, keys)
def test_no_escaped_place_is_a_folder_of_another(first: str, second: str) -> None:
    """A file for one key never stands where another key needs a folder."""
    one, other = escaped_parts(first), escaped_parts(second)
    assert first == second or one != other[: len(one)]


@given(keys)
def test_a_natural_place_spells_the_key(key: str) -> None:
    """And exists only where the spelling is a path below the bucket."""
    parts = natural_parts(key)
    if parts is not None:
        assert "/".join(parts) == key
        assert not {"", ".", ".."} & set(parts)


@pytest.mark.parametrize("key", ["a//b", "/a", "a/", "../a", "a/./b", "a/..", "a\0b", "é" * 128])
def test_keys_that_are_no_paths(key: str) -> None:
    """Empty and dot segments, NUL, and names over 255 bytes are escaped."""
    assert natural_parts(key) is None


@pytest.mark.parametrize("name", ["", ".", "..", ".local_vast", "a/b", "a\0b"])
def test_folders_that_are_no_buckets(name: str) -> None:
    """Hidden ones, the store's own among them, and what is no name at all."""
    assert not is_served_folder(name)


@pytest.mark.parametrize(
    ("name", "good"), [("exr", True), ("a.b-c", True), ("a" * 63, True), ("a" * 64, False), ("1.2.3.4", False)]
)
def test_new_bucket_names(name: str, good: bool) -> None:
    """S3's rule."""
    assert is_new_bucket_name(name) is good


def store(disk: Disk, key: str, body: bytes = b"x") -> None:
    with disk.receive() as incoming:
        incoming.write(body)
        disk.commit("renders", key, incoming, Description({}))


def read(disk: Disk, key: str) -> bytes:
    file, _ = disk.open("renders", key)
    with file:
        return file.read()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    disk = Disk(tmp_path / "root")
    disk.create_bucket("renders")
    return disk


def list_keys(disk: Disk, prefix: str = "") -> list[str]:
    return list(disk.scan("renders", prefix, Cursor()))


@pytest.mark.parametrize("order", [["a", "a/b", "a/b/c"], ["a/b/c", "a/b", "a"], ["a/b", "a", "a/b/c"]])
def test_a_key_and_its_children_live_together(disk: Disk, order: list[str]) -> None:
    """S3 knows no folders, so `a` and `a/b` are two objects, whichever came first, and each goes alone."""
    for key in order:
        store(disk, key, key.encode())
    assert list_keys(disk) == ["a", "a/b", "a/b/c"]
    assert [read(disk, key) for key in order] == [key.encode() for key in order]
    for key in order:
        store(disk, key, b"again")
    assert [read(disk, key) for key in order] == [b"again"] * 3
    disk.delete("renders", order[0])
    assert list_keys(disk) == sorted(order[1:])


@given(st.lists(keys, max_size=8, unique=True))
def test_any_keys_are_kept_apart_and_inside(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    """Whatever the keys: each holds its own content, all are listed in byte order, and nothing appears beside the root."""
    above = tmp_path_factory.mktemp("above")
    disk = Disk(above / "root")
    disk.create_bucket("renders")
    for number, key in enumerate(names):
        store(disk, key, b"%d" % number)
    assert list_keys(disk) == sorted(names, key=str.encode)
    assert [read(disk, key) for key in names] == [b"%d" % number for number in range(len(names))]
    assert [path.name for path in above.iterdir()] == ["root"]
    for key in names:
        disk.delete("renders", key)
    assert list_keys(disk) == []
    disk.delete_bucket("renders")


def test_the_natural_place_is_the_relative_path(disk: Disk) -> None:
    """What is written through S3 is an ordinary file where one looks for it."""
    store(disk, "sq010/a b#1%é.exr", b"pixels")
    assert (disk.root / "renders" / "sq010" / "a b#1%é.exr").read_bytes() == b"pixels"


def test_a_body_is_written_as_it_comes(disk: Disk) -> None:
    """A body is written through as it comes, and its size and MD5 are those of all blocks."""
    with disk.receive() as incoming:
        for block in (b"abc", b"", b"def"):
            incoming.write(block)
        assert incoming.path.read_bytes() == b"abcdef"
        assert (incoming.size, incoming.md5) == (6, "e80b5017098950fc58aad83c8c14978e")
    assert not incoming.path.exists()
