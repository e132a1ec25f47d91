"""The path to a version that cannot be reached by adding columns: a parallel schema, reads from both, cut-over, copy.

A template for the day that there is a 2.0. Its order is what keeps it right: writers move first, so that the new schema is never
behind the old one; readers prefer the new one and fall back on the old; then the copy brings over what only the old one has.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import vast_db_persistence as persistence
from databases import BUCKET, Database, assert_sound
from old_schema import fixture, migrated_database, read_1_0_0, run, state
from sample_payloads import payload

FRAME = "s3://renders/shows/apollo/seq/ab/shots/ab_0010/beauty_v003.1004.exr"
NEW = "s3://renders/shows/apollo/seq/ab/shots/ab_0010/beauty_v003.1020.exr"


@pytest.fixture
def old() -> Iterator[Database]:
    """A schema of an older version, migrated as far as adding goes."""
    with migrated_database() as running:
        yield running


def read_both(old: Database, new: Database) -> dict[str, dict]:
    """The current row of each path: the new schema's where it has the path, else the old one's."""
    rows = {}
    for running in (old, new):
        rows |= {row["file_path_normalized"]: row for row in running.rows("files") if row["is_current"]}
    return rows


def cut_over(old: Database) -> Database:
    """The parallel schema, made empty; from here on writers use it."""
    new = old.at("exr_v2")
    assert run(new, "init")[0] == 0
    return new


def copy_rest(old: Database) -> tuple[int, dict]:
    """Copy the paths that the new schema has not."""
    arguments = ("--source-schema", f"{BUCKET}/exr", "--target-schema", f"{BUCKET}/exr_v2", "--sample-size", "1000000")
    return run(old, "copy", *arguments)


def test_readers_miss_nothing_at_any_moment(old: Database) -> None:
    """Before the cut-over, after it, and after the copy: every path once, and what was written last."""
    paths = {row["file_path_normalized"] for row in fixture("files").to_pylist()}
    new = cut_over(old)
    assert set(read_both(old, new)) == paths
    newest = payload(FRAME, header="v9", mtime="2026-03-01T00:00:00Z", etag="newest")
    persistence.persist_batch([payload(NEW), newest], session=new.store())
    seen = read_both(old, new)
    assert set(seen) == paths | {NEW}
    assert seen[FRAME]["etag"] == "newest"
    assert copy_rest(old)[0] == 0
    assert {row["file_path_normalized"] for row in new.rows("files") if row["is_current"]} == paths | {NEW}
    assert new.current(FRAME)["etag"] == "newest"
    assert read_both(old, new) == {row["file_path_normalized"]: row for row in new.rows("files") if row["is_current"]}
    assert_sound(new.contents())


def test_the_old_schema_stays_as_it_was_until_it_is_dropped(old: Database) -> None:
    """The way back is to point the writers at it again; a second copy has nothing to do, and both schemas are sound."""
    before = read_1_0_0(old)
    new = cut_over(old)
    copy_rest(old)
    assert copy_rest(old)[1]["paths"] == []
    assert read_1_0_0(old) == before
    for running in (old, new):
        assert run(running, "verify")[0] == 0
        assert run(running, "recompute")[0] == 0
        assert run(running, "check")[0] == 0


def test_the_two_schemas_do_not_know_each_other(old: Database) -> None:
    """Tables, records and versions are each one's own."""
    new = cut_over(old)
    assert new.table_names() == old.table_names()
    assert all(stored.rows == 0 for stored in state(new).tables.values())
    assert state(old).tables["files"].rows == 13
