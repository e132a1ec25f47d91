"""What storing costs, in database requests, counted by the server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import vast_db_persistence as persistence
from databases import Database, prepared
from exr_inspector.database.session import Ledger
from exr_inspector.database.tables import ensure_tables
from sample_payloads import channel, payload


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    """One endpoint, with its tables made."""
    with prepared() as running:
        yield running


@pytest.fixture(scope="module")
def store(db: Database) -> persistence.Store:
    """A warm store: its tables are loaded."""
    return db.warm()


def test_a_new_file_costs_seven_requests(db: Database, store: persistence.Store) -> None:
    """Begin, one select, an insert per table that has rows, commit."""
    db.server.clear_requests()
    result = persistence.persist_to_vast_database(payload("/new.exr"), session=store, read_back=False)
    commands = db.commands()
    assert commands[:2] == ["POST transaction", "GET data files"]
    assert sorted(commands[2:6]) == [f"POST rows {table}" for table in ("attributes", "channels", "files", "parts")]
    assert commands[6:] == ["PUT transaction"]
    assert result["requests"] == 7


def test_a_repeated_inspection_costs_four(db: Database, store: persistence.Store) -> None:
    """Begin, select, update, commit."""
    persistence.persist_to_vast_database(payload("/again.exr"), session=store, read_back=False)
    db.server.clear_requests()
    result = persistence.persist_to_vast_database(payload("/again.exr"), session=store, read_back=False)
    assert db.commands() == ["POST transaction", "GET data files", "PUT rows files", "PUT transaction"]
    assert result["requests"] == 4


def test_going_back_to_an_earlier_version_costs_seven(db: Database, store: persistence.Store) -> None:
    """Two updates, because only one row has new values of what was observed, and two selects that look for measurements."""
    for header, day in (("v1", 1), ("v2", 2)):
        version = payload("/back.exr", header=header, mtime=f"2026-02-0{day}T00:00:00Z")
        persistence.persist_to_vast_database(version, session=store)
    db.server.clear_requests()
    version = payload("/back.exr", header="v1", mtime="2026-02-03T00:00:00Z")
    result = persistence.persist_to_vast_database(version, session=store, read_back=False)
    assert len(db.server.requests) == result["requests"] == 4 + 1 + 2


STATS = {"channels": [{"part_index": 0, "channel_name": "R", "pixel_count": 4}]}
VALIDATION = {"policy_id": "p", "results": [{"policy_id": "p", "rule_id": "r", "status": "PASS"}]}


def test_the_same_bytes_without_measurements_cost_four(db: Database, store: persistence.Store) -> None:
    """Statistics and findings that are stored stay, and are not looked for."""
    measured = payload("/measured.exr") | {"stats": STATS, "validation": VALIDATION}
    persistence.persist_to_vast_database(measured, session=store)
    db.server.clear_requests()
    persistence.persist_to_vast_database(payload("/measured.exr"), session=store, read_back=False)
    assert db.commands() == ["POST transaction", "GET data files", "PUT rows files", "PUT transaction"]


def test_an_older_delivery_costs_four_whatever_it_measured(db: Database, store: persistence.Store) -> None:
    """It is counted, and changes nothing else."""
    persistence.persist_to_vast_database(payload("/older.exr"), session=store)
    older = payload("/older.exr", mtime="2026-01-01T00:00:00Z") | {"stats": STATS, "validation": VALIDATION}
    db.server.clear_requests()
    result = persistence.persist_to_vast_database(older, session=store, read_back=False)
    assert len(db.server.requests) == result["requests"] == 4


def test_measuring_again_costs_three_more_for_each_table(db: Database, store: persistence.Store) -> None:
    """Select, delete, insert."""
    persistence.persist_to_vast_database(payload("/anew.exr") | {"stats": STATS}, session=store)
    db.server.clear_requests()
    persistence.persist_to_vast_database(payload("/anew.exr") | {"stats": STATS}, session=store, read_back=False)
    commands = db.commands()
    assert [command for command in commands if command.endswith("pixel_stats")] == [
        "GET data pixel_stats", "DELETE rows pixel_stats", "POST rows pixel_stats",
    ]  # fmt: skip
    assert len(commands) == 4 + 3


def test_other_bytes_cost_two_selects_more(db: Database, store: persistence.Store) -> None:
    """Nobody knows without looking whether there is something that describes the earlier ones."""
    persistence.persist_to_vast_database(payload("/rendered.exr"), session=store)
    db.server.clear_requests()
    persistence.persist_to_vast_database(payload("/rendered.exr", etag="other"), session=store, read_back=False)
    assert db.commands()[2:4] == ["GET data pixel_stats", "GET data validation_results"]
    assert len(db.server.requests) == 4 + 2


def test_reading_back_costs_three_more(db: Database, store: persistence.Store) -> None:
    """Begin, one select, commit."""
    db.server.clear_requests()
    result = persistence.persist_to_vast_database(payload("/read-back.exr"), session=store)
    assert db.commands()[7:] == ["POST transaction", "GET data files", "PUT transaction"]
    assert len(db.server.requests) == result["requests"] == 10


def test_five_hundred_files_cost_at_most_twenty(db: Database, store: persistence.Store) -> None:
    """One select and one insert per table, cut where the size of a request demands it; read-back included."""
    db.server.clear_requests()
    batch = [payload(f"/batch/{i}.exr") | {"channels": [channel(f"layer{c}.R") for c in range(20)]} for i in range(500)]
    results = persistence.persist_batch(batch, session=store)
    assert [result["status"] for result in results] == ["stored"] * 500
    assert len(db.server.requests) <= 20
    assert {result["requests"] for result in results} == {len(db.server.requests)}


def test_five_hundred_repetitions_cost_seven(db: Database, store: persistence.Store) -> None:
    """One update for all of them."""
    batch = [payload(f"/again/{i}.exr") for i in range(500)]
    persistence.persist_batch(batch, session=store)
    db.server.clear_requests()
    results = persistence.persist_batch(batch, session=store)
    assert {result["inspection_count"] for result in results} == {2}
    assert len(db.server.requests) <= 8


def test_tables_are_loaded_once_per_session(db: Database) -> None:
    """The second file of a process makes no look-up."""
    cold = db.store()
    persistence.persist_to_vast_database(payload("/cold.exr"), session=cold)
    db.server.clear_requests()
    persistence.persist_to_vast_database(payload("/cold2.exr"), session=cold)
    assert not [command for command in db.commands() if "column" in command or "stats" in command or "table" in command]


def test_the_first_file_of_a_process_reports_its_look_ups(db: Database) -> None:
    """`requests` of a cold call covers loading the tables."""
    cold = db.store()
    db.server.clear_requests()
    result = persistence.persist_to_vast_database(payload("/counted.exr"), session=cold)
    assert result["requests"] == len(db.server.requests) == 10 + 2 + 1 + 12


def test_a_warm_store_opens_no_connection(db: Database, store: persistence.Store) -> None:
    """Every request comes by a connection that is there: begin, select and commit by one, inserts by one each."""
    persistence.persist_to_vast_database(payload("/connected.exr"), session=store)
    db.server.clear_requests()
    for _ in range(3):
        persistence.persist_to_vast_database(payload("/connected.exr"), session=store)
    assert len(db.server.requests) == 3 * (4 + 3)
    assert len({request.client_port for request in db.server.requests}) <= 4


def test_threads_side_by_side_keep_their_connections(db: Database, store: persistence.Store) -> None:
    """Of the 140 requests of a further round, next to none needs a new connection."""
    paths = [f"/side/{number}.exr" for number in range(20)]

    def store_all() -> set[int]:
        db.server.clear_requests()
        with ThreadPoolExecutor(len(paths)) as threads:
            list(threads.map(lambda path: persistence.persist_to_vast_database(payload(path), session=store), paths))
        return {request.client_port for request in db.server.requests}

    known = store_all() | store_all()
    assert len(store_all() - known) < len(paths) // 2


def test_the_first_file_of_a_schema_makes_what_is_missing_in_one_transaction(db: Database) -> None:
    """Begin, a look at the schema and its bucket, the schema, six tables, what the index of `files` is, commit; then the file."""
    store = db.at("first_file").store()
    db.server.clear_requests()
    result = persistence.persist_to_vast_database(payload("/first.exr"), session=store)
    assert result["requests"] == len(db.server.requests) == 1 + 2 + 1 + 6 + 2 + 1 + 10


def test_what_is_known_of_new_tables_is_what_the_server_says(db: Database) -> None:
    """Columns, types and the kind of row ids, as another process loads them."""
    new, later = db.at("as_made"), db.at("as_made")
    made = ensure_tables(new.store(), Ledger())
    loaded = ensure_tables(later.store(), Ledger())
    assert len(made) == 6
    assert set(made) == set(loaded)
    for name, metadata in loaded.items():
        assert [(field.name, field.type) for field in made[name].arrow_schema] == [
            (field.name, field.type) for field in metadata.arrow_schema
        ]
        assert made[name].table_type == metadata.table_type
        assert made[name].non_updatable_column_names() == metadata.non_updatable_column_names()
