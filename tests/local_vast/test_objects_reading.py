"""Ranges and conditions as rules, apart from any server."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_vast.objects.disk import StoredObject
from local_vast.objects.errors import NotModified, S3Error
from local_vast.objects.reading import ByteRange, FileBlocks, check_copy_source, check_read, http_date, parse_range, write_check

MODIFIED = datetime(2026, 5, 7, 16, 2, 44, 219831, UTC)
STORED = StoredObject("a.exr", 10, int(MODIFIED.timestamp()) * 10**9 + 219_831_000, "abc")
SECOND = timedelta(seconds=1)


def date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


@given(st.integers(0, 40), st.integers(0, 45), st.integers(0, 45))
def test_a_range_is_what_a_slice_is(size: int, first: int, last: int) -> None:
    """For every size: the bytes of `first-last`, `first-` and `-last`, and 416 exactly where the slice is empty."""
    body = bytes(range(size))
    asked: list[tuple[str, bytes]] = [
        (f"bytes={first}-", body[first:]),
        (f"bytes=-{last}", body[-last:] if last else b""),
        *([(f"bytes={first}-{last}", body[first : last + 1])] if first <= last else []),
    ]
    for header, expected in asked:
        if not expected:
            with pytest.raises(S3Error, match="InvalidRange"):
                parse_range(header, size)
        else:
            wanted = parse_range(header, size)
            assert wanted is not None
            assert body[wanted.start : wanted.stop] == expected
            assert wanted.length == len(expected)


@given(st.text(max_size=12))
def test_no_range_header_breaks_anything(header: str) -> None:
    """Whatever a client sends: a range inside the object, no range, or 416."""
    ranges: list[ByteRange | None] = []

    def parse() -> None:
        ranges.append(parse_range(header, 100))

    assert outcome_of(parse) in (None, 416)
    assert all(wanted is None or 0 <= wanted.start < wanted.stop <= 100 for wanted in ranges)


@given(st.binary(max_size=2000), st.data())
def test_blocks_are_the_bytes_of_the_range(body: bytes, data: st.DataObject) -> None:
    """Neither more nor less, and the file is closed by whoever was served."""
    start = data.draw(st.integers(0, len(body)))
    stop = data.draw(st.integers(start, len(body)))
    file = io.BytesIO(body)
    blocks = FileBlocks(file, ByteRange(start, stop))
    assert b"".join(blocks) == body[start:stop]
    blocks.close()
    assert file.closed


def test_a_file_cut_short_behind_the_store_ends_the_answer() -> None:
    """What is not there cannot be sent; the client sees a short body."""
    assert b"".join(FileBlocks(io.BytesIO(b"abc"), ByteRange(1, 100))) == b"bc"


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ({}, None),
        ({"if-match": '"abc"'}, None),
        ({"if-match": '"x", "abc"'}, None),
        ({"if-match": "abc"}, None),
        ({"if-match": "*"}, None),
        ({"if-match": '"x"'}, 412),
        ({"if-unmodified-since": date(MODIFIED)}, None),
        ({"if-unmodified-since": date(MODIFIED - SECOND)}, 412),
        ({"if-match": '"abc"', "if-unmodified-since": date(MODIFIED - SECOND)}, None),
        ({"if-none-match": '"x"'}, None),
        ({"if-none-match": '"abc"'}, 304),
        ({"if-none-match": 'W/"abc"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-modified-since": date(MODIFIED)}, 304),
        ({"if-modified-since": date(MODIFIED - SECOND)}, None),
        ({"if-none-match": '"x"', "if-modified-since": date(MODIFIED)}, None),
        ({"if-match": '"x"', "if-none-match": '"abc"'}, 412),
        ({"if-modified-since": "yesterday"}, None),
    ],
)
def test_conditions_of_a_read(headers: dict[str, str], outcome: int | None) -> None:
    """RFC 9110, 13.2.2: which conditions count, in which order, and that an unreadable date counts for nothing."""
    assert outcome_of(partial(check_read, headers, STORED)) == outcome


@pytest.mark.parametrize(
    ("condition", "value", "outcome"),
    [
        ("if-match", '"abc"', None),
        ("if-match", '"x"', 412),
        ("if-none-match", '"abc"', 412),
        ("if-none-match", '"x"', None),
        ("if-unmodified-since", date(MODIFIED - SECOND), 412),
        ("if-modified-since", date(MODIFIED), 412),
        ("if-modified-since", date(MODIFIED - SECOND), None),
    ],
)
def test_conditions_of_a_copy(condition: str, value: str, outcome: int | None) -> None:
    """The same four, on the source; a copy has no 304."""
    assert outcome_of(partial(check_copy_source, {f"x-amz-copy-source-{condition}": value}, STORED)) == outcome
    assert outcome_of(partial(check_copy_source, {condition: value}, STORED)) is None


@pytest.mark.parametrize(
    ("headers", "current", "outcome"),
    [
        ({}, STORED, None),
        ({}, None, None),
        ({"if-none-match": "*"}, None, None),
        ({"if-none-match": "*"}, STORED, 412),
        ({"if-match": '"abc"'}, STORED, None),
        ({"if-match": '"x"'}, STORED, 412),
        ({"if-match": '"abc"'}, None, 404),
    ],
)
def test_conditions_of_a_write(headers: dict[str, str], current: StoredObject | None, outcome: int | None) -> None:
    """Create only, and replace only what is known."""
    assert outcome_of(lambda: write_check(headers, "a.exr")(current)) == outcome


def test_a_write_knows_no_other_negative_condition() -> None:
    """S3 allows If-None-Match on writes with `*` only; anything else is named, not ignored."""
    assert outcome_of(partial(write_check, {"if-none-match": '"abc"'}, "a.exr")) == 501


def test_a_304_says_which_version_is_current() -> None:
    """RFC 9110, 15.4.5: the validators go with it."""
    with pytest.raises(NotModified) as caught:
        check_read({"if-none-match": "*"}, STORED)
    assert caught.value.headers == {"ETag": '"abc"', "Last-Modified": "Thu, 07 May 2026 16:02:44 GMT"}


def test_last_modified_has_whole_seconds() -> None:
    """As HTTP dates have."""
    assert http_date(STORED.mtime_ns) == "Thu, 07 May 2026 16:02:44 GMT"


def outcome_of(check: Callable[[], object]) -> int | None:
    """The status with which a check ends, or None when it lets the request through."""
    try:
        check()
    except NotModified:
        return 304
    except S3Error as error:
        return error.status
    return None
