"""Batches: one transaction for many files, requests of bounded size, and a result for every file whatever happens to others."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vast_db_persistence as persistence
from databases import Database, assert_sound, measurements, prepared
from exr_inspector.database import rows as vast_rows
from exr_inspector.database.persist import BATCH_FILES, _chunks
from exr_inspector.database.session import MAX_INSERT_BYTES, batches, cut
from exr_inspector.errors import BadPayload
from sample_payloads import channel, complete_payload, measured, payload


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    """One endpoint, with its tables made."""
    with prepared() as running:
        yield running


@pytest.fixture(scope="module")
def store(db: Database) -> persistence.Store:
    """A warm store."""
    return db.warm()


def statuses(results: list[dict[str, Any]]) -> list[str]:
    """What became of each file."""
    return [result["status"] for result in results]


def test_rows_wider_than_a_request_are_cut_into_several(db: Database, store: persistence.Store) -> None:
    """Forty files of 100 KB each: every insert stays within what one request may carry, and all rows arrive."""
    documents = [payload(f"/wide/{n}.exr") for n in range(60)]
    for document in documents:
        document["attributes"]["parts"][0][0]["value"] = "x" * 100_000
    db.server.clear_requests()
    results = persistence.persist_batch(documents, session=store)
    assert set(statuses(results)) == {"stored"}
    inserts = [command for command in db.commands() if command.startswith("POST rows")]
    # Each value stands in raw_output and twice in attributes: six megabytes of files, twelve of attributes.
    assert inserts.count("POST rows files") == 2
    assert 3 <= inserts.count("POST rows attributes") <= 4
    assert sum(row["file_path"].startswith("/wide/") for row in db.rows("files")) == 60


def test_a_file_that_the_server_refuses_is_found_by_halving(db: Database, store: persistence.Store) -> None:
    """The refusal strikes three times: the whole, then the halves that hold the file; the others are stored."""
    db.server.faults.add("400@commit*3")
    results = persistence.persist_batch([payload(f"/halved/{n}.exr") for n in range(4)], session=store)
    assert statuses(results) == ["error", "stored", "stored", "stored"]
    assert results[0]["error"]["code"] == "database_refused"
    assert_sound(db.contents())


def test_a_batch_that_stays_in_conflict_is_reported_for_the_next_delivery(db: Database, store: persistence.Store) -> None:
    """Nothing of it is stored, nothing is raised, and the bad payload has its own report."""
    db.server.faults.add("409@commit**")
    results = persistence.persist_batch([payload("/busy/1.exr"), {"file": {}}, payload("/busy/2.exr")], session=store)
    db.server.faults.clear()
    assert statuses(results) == ["retry", "error", "retry"]
    assert results[0]["error"]["code"] == "database_conflict"
    assert not [row for row in db.rows("files") if row["file_path"].startswith("/busy/")]


def test_a_lost_commit_of_a_batch_is_settled_for_all_its_files(db: Database, store: persistence.Store) -> None:
    """One file of it that is there means that all are."""
    db.server.faults.add("lost@commit")
    results = persistence.persist_batch([payload(f"/lost/{n}.exr") for n in range(5)], session=store)
    assert {(result["status"], result["attempts"], result["inserted"]) for result in results} == {("stored", 1, True)}
    assert sum(row["file_path"].startswith("/lost/") for row in db.rows("files")) == 5


def test_versions_of_one_path_in_a_batch_are_stored_in_their_order(db: Database, store: persistence.Store) -> None:
    """Each in a transaction after the other's."""
    documents = [payload("/same.exr", header=f"v{n}", mtime=f"2026-02-0{n}T00:00:00Z") for n in (1, 2, 3)]
    results = persistence.persist_batch(documents, session=store)
    assert [result["superseded"] for result in results] == [0, 1, 1]
    assert db.current("/same.exr")["etag"] == "etag-v3"


def test_new_and_known_and_changed_files_share_a_batch(db: Database, store: persistence.Store) -> None:
    """Inserts and both kinds of update in one transaction."""
    known, changed, fresh = payload("/mix/known.exr"), payload("/mix/changed.exr"), payload("/mix/new.exr")
    persistence.persist_batch([known, changed], session=store)
    newer = payload("/mix/changed.exr", header="v2", mtime="2026-02-02T00:00:00Z")
    db.server.clear_requests()
    results = persistence.persist_batch([known, newer, fresh], session=store, read_back=False)
    outcomes = [(result["inserted"], result["superseded"], result["inspection_count"]) for result in results]
    assert outcomes == [(False, 0, 2), (True, 1, 1), (True, 0, 1)]
    assert len(db.server.requests) == 1 + 1 + 4 + 2 + 1
    assert_sound(db.contents())


def test_measurements_of_a_batch_are_settled_file_by_file(db: Database, store: persistence.Store) -> None:
    """Other bytes, the same bytes, older bytes and a repeated measurement share a transaction."""
    paths = {name: f"/settled/{name}.exr" for name in ("other", "same", "older", "anew", "new")}
    persistence.persist_batch(
        [measured(payload(path, size_bytes=7)) for name, path in paths.items() if name != "new"], session=store
    )
    newer, older = "2026-02-02T00:00:00Z", "2026-01-01T00:00:00Z"
    documents = [
        measured(payload(paths["other"], mtime=newer, size_bytes=8), stats=False),
        measured(payload(paths["same"], size_bytes=7), stats=False, policy="lenient"),
        measured(payload(paths["older"], mtime=older, size_bytes=9), policy="lenient"),
        measured(payload(paths["anew"], size_bytes=7)),
        measured(payload(paths["new"], size_bytes=7), policy=None),
    ]
    results = persistence.persist_batch(documents, session=store)
    assert [result["inspection_count"] for result in results] == [2, 2, 2, 2, 1]
    contents = db.contents()
    kept = {name: {policy or table for table, policy, _ in measurements(contents, path)} for name, path in paths.items()}
    both = {"pixel_stats", "strict"}
    assert kept == {"other": set(), "same": both | {"lenient"}, "older": both, "anew": both, "new": {"pixel_stats"}}
    assert_sound(contents)


def test_a_batch_without_an_endpoint_is_skipped_file_by_file() -> None:
    """Each result names the setting that is missing."""
    from exr_inspector.settings import Settings

    results = persistence.persist_batch([payload(), payload()], settings=Settings())
    assert [result["missing_setting"] for result in results] == ["VAST_DB_ENDPOINT"] * 2


def test_many_channels_of_many_files_are_one_insert(db: Database, store: persistence.Store) -> None:
    """4,000 rows fit into one request."""
    documents = [payload(f"/many/{n}.exr") | {"channels": [channel(f"l{c}.R") for c in range(40)]} for n in range(100)]
    db.server.clear_requests()
    persistence.persist_batch(documents, session=store)
    assert db.commands().count("POST rows channels") == 1


def nested(depth: int) -> list[Any]:
    """A list in a list in a list."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def endless() -> list[Any]:
    """A list that holds itself."""
    value: list[Any] = []
    value.append(value)
    return value


ODD_VALUES: dict[str, Any] = {
    "not a number": math.nan,
    "infinity": -math.inf,
    "integer of 65 bits": 2**64,
    "integer of 400 digits": 10**400,
    "integer that Python does not print": -(10**5000),
    "lone surrogate": "\ud800",
    "long text": "x" * 200_000,
    "time at the edge of the calendar": "0001-01-01T00:00:00+14:00",
    "text": "text",
    "bytes": b"bytes",
    "set": {1},
    "flag": True,
    "object": object(),
    "list": [1],
    "dict": {"a": 1},
    "keys that are not texts": {(1, 2): 3},
    "nested beyond the recursion limit": nested(100_000),
    "endless": endless(),
    "nothing": None,
}


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a document can be replaced: at every key and index, at every depth, and as a whole."""
    yield at
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, held in entries:
        yield from places(held, (*at, key))


def replaced(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy of a document with another value at this place."""
    if not place:
        return value
    changed = copy.deepcopy(document)
    target = changed
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    return changed


@pytest.mark.parametrize("what", list(ODD_VALUES))
def test_an_odd_value_anywhere_in_a_payload_has_rows_or_is_a_bad_payload(what: str) -> None:
    """Whatever stands wherever: either every table takes it, or it is refused by that error and no other."""
    document = complete_payload("/odd.exr")
    for place in places(document):
        with suppress(BadPayload):
            rows = vast_rows.rows_of(replaced(document, place, ODD_VALUES[what]))
            vast_rows.to_tables([(rows, vast_rows.new_stamp())])


def test_a_payload_that_cannot_become_rows_fails_alone(db: Database, store: persistence.Store) -> None:
    """Each odd value in an attribute and in the file's size, between payloads that are stored."""
    bad = []
    for value in ODD_VALUES.values():
        bad.append(replaced(payload(f"/alone/odd{len(bad)}.exr"), ("attributes", "parts", 0, 2, "value"), value))
        bad.append(replaced(payload(f"/alone/odd{len(bad)}.exr"), ("file", "size_bytes"), value))
    results = persistence.persist_batch([payload("/alone/first.exr"), *bad, payload("/alone/last.exr")], session=store)
    assert (results[0]["status"], results[-1]["status"]) == ("stored", "stored")
    assert {result["error"]["code"] for result in results if result["status"] != "stored"} == {"bad_payload"}
    assert statuses(results).count("error") > len(ODD_VALUES)
    assert_sound(db.contents())


def test_what_json_cannot_carry_is_named_where_it_stands() -> None:
    """A value deep within a part of the payload that no column takes."""
    document = payload("/where.exr") | {"notes": {"takes": [1.0, {"length": math.nan}]}}
    with pytest.raises(BadPayload, match=r"'notes\.takes\[1\]\.length': expected a JSON value, got float nan"):
        vast_rows.rows_of(document)


def test_an_integer_beyond_every_column_is_stored_as_its_text(db: Database, store: persistence.Store) -> None:
    """Neither 64 bits nor a float hold it, JSON does."""
    persistence.persist_to_vast_database(
        replaced(payload("/huge.exr"), ("attributes", "parts", 0, 2, "value"), 10**400), session=store
    )
    owner = db.current("/huge.exr")["file_id"]
    (row,) = (row for row in db.rows("attributes") if row["file_id"] == owner and row["attr_name"] == "samples")
    assert (row["value_int"], row["value_float"], row["value_json"]) == (None, None, str(10**400))


def test_a_batch_is_cut_in_linear_time() -> None:
    """40,000 files, of which some paths come many times, in 5 seconds of processor time: it takes 0.1, and quadratic took 46."""
    rows = vast_rows.rows_of(payload("/one.exr"))
    files = {index: vast_rows.FileRows("", f"/{index}.exr" if index % 2 else "/same.exr", None, None, rows.tables)
             for index in range(40_000)}  # fmt: skip
    started = time.process_time()
    chunks = list(_chunks(files))
    assert time.process_time() - started < 5
    assert sum(map(len, chunks)) == len(files)
    assert all(len({file.path for file in chunk.values()}) == len(chunk) <= BATCH_FILES for chunk in chunks)


@given(st.lists(st.integers(0, 3_000_000), min_size=0, max_size=12))
@settings(max_examples=30, deadline=None)
def test_cutting_keeps_every_row_in_order_and_every_piece_small(sizes: list[int]) -> None:
    """A piece is larger than a request only when it is a single row."""
    table = pa.table({"n": pa.array(range(len(sizes)), pa.int64()), "text": pa.array(["x" * size for size in sizes], pa.utf8())})
    pieces = [piece for batch in batches(table) for piece in cut(batch)]
    assert [n for piece in pieces for n in piece.column("n").to_pylist()] == list(range(len(sizes)))
    for piece in pieces:
        assert piece.num_rows == 1 or pa.ipc.get_record_batch_size(piece) <= MAX_INSERT_BYTES
