"""Threads and processes that store the same files at the same time end as a serial run does."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import vast_db_persistence as persistence
from databases import Database, assert_sound, database, measurements, prepared, without_audit
from exr_inspector.database.session import PathLocks
from race_worker import document
from sample_payloads import measured, payload
from vast_schemas import CHILD_TABLES, TABLES
from waiting import wait_until

PROCESSES = 4
FILES = 20
PATHS = 12
DELIVERIES = 5
WORKER = Path(__file__).resolve().parents[1] / "support/race_worker.py"


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    """One endpoint, with its tables made."""
    with prepared() as running:
        yield running


@contextmanager
def held_at_first_insert(db: Database, action: Callable[[], Any]) -> Iterator[list[Any]]:
    """Run the action in a thread, and the block while the action has read its rows and waits with its first insert."""
    results: list[Any] = []
    db.server.clear_requests()
    db.server.faults.add("latency=1500@insert")
    thread = threading.Thread(target=lambda: results.append(action()))
    thread.start()
    wait_until(lambda: any(request.command == "rows" for request in db.server.requests))
    yield results
    thread.join()


@pytest.mark.parametrize("group", [1, 100])
def test_twenty_threads_of_one_process_store_one_file_once(db: Database, group: int) -> None:
    """The lock per path serialises them: no conflict, every inspection counted."""
    store, path = db.warm(db_group=group), f"/threads/{group}.exr"
    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(persistence.persist_to_vast_database, payload(path), session=store) for _ in range(20)]
    results = [future.result() for future in futures]
    assert sorted(result["inspection_count"] for result in results) == list(range(1, 21))
    assert {result["attempts"] for result in results} == {1}
    assert db.current(path)["inspection_count"] == 20
    assert_sound(db.contents())


def test_two_processes_that_insert_the_same_file_leave_one_row(db: Database) -> None:
    """The second to commit sees both rows and removes its own, with its rows in other tables; both inspections are counted."""
    first, second = db.warm(), db.warm()
    with held_at_first_insert(db, lambda: persistence.persist_to_vast_database(payload("/same.exr"), session=first)) as late:
        newer = payload("/same.exr", mtime="2026-02-01T00:00:00Z", size_bytes=9)
        early = persistence.persist_to_vast_database(newer, session=second)
    assert (early["inserted"], late[0]["inserted"]) == (True, True)
    row = db.current("/same.exr")
    assert (row["inspection_count"], row["size_bytes"], row["mtime"].isoformat()) == (2, 9, "2026-02-01T00:00:00")
    assert_sound(db.contents())


def test_the_lower_row_adopts_what_was_observed_later(db: Database) -> None:
    """The row that stays is the older one although the other saw the newer file."""
    first, second = db.warm(), db.warm()
    newer = payload("/adopt.exr", mtime="2026-02-01T00:00:00Z", size_bytes=9)
    with held_at_first_insert(db, lambda: persistence.persist_to_vast_database(newer, session=first)):
        persistence.persist_to_vast_database(payload("/adopt.exr"), session=second)
    row = db.current("/adopt.exr")
    assert (row["size_bytes"], row["mtime"].isoformat(), row["inspection_count"]) == (9, "2026-02-01T00:00:00", 2)


NEWER = {"mtime": "2026-02-01T00:00:00Z", "etag": "newer", "size_bytes": 9}


@pytest.mark.parametrize("newer_is_late", [True, False])
@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, {("pixel_stats", None), ("validation_results", "strict")}),
        ({"policy": "lenient"}, {("pixel_stats", None), ("validation_results", "lenient")}),
        ({"stats": False, "policy": None}, set()),
    ],
)
def test_measurements_are_those_of_the_bytes_that_won(db: Database, newer_is_late: bool, options: dict, kept: set) -> None:
    """Whichever row stays, nothing of the older render is left, be it that nothing takes its place."""
    path = f"/won/{newer_is_late}/{len(kept)}{options.get('policy', '')}.exr"
    older, newer = measured(payload(path, size_bytes=7)), measured(payload(path, **NEWER), **options)
    late, early = (newer, older) if newer_is_late else (older, newer)
    first, second = db.warm(), db.warm()
    with held_at_first_insert(db, lambda: persistence.persist_to_vast_database(late, session=first)):
        persistence.persist_to_vast_database(early, session=second)
    assert measurements(db.contents(), path) == {(*section, "newer of 9 bytes") for section in kept}
    assert_sound(db.contents())


def test_two_functions_that_measure_the_same_upload_keep_both_results(db: Database) -> None:
    """One computes statistics, the other validates; neither knows of the other."""
    first, second = db.warm(), db.warm()
    path = "/two-functions.exr"
    with held_at_first_insert(
        db, lambda: persistence.persist_to_vast_database(measured(payload(path), policy=None), session=first)
    ):
        persistence.persist_to_vast_database(measured(payload(path), stats=False, policy="lenient"), session=second)
    sections = {section[:2] for section in measurements(db.contents(), path)}
    assert sections == {("pixel_stats", None), ("validation_results", "lenient")}
    assert_sound(db.contents())


def test_two_first_versions_at_the_same_time_leave_the_newer_current(db: Database) -> None:
    """Neither process saw the other's version; both are kept."""
    first, second = db.warm(), db.warm()
    newer = payload("/versions.exr", header="v2", mtime="2026-02-01T00:00:00Z")
    with held_at_first_insert(db, lambda: persistence.persist_to_vast_database(payload("/versions.exr"), session=first)):
        persistence.persist_to_vast_database(newer, session=second)
    assert db.current("/versions.exr")["etag"] == "etag-v2"
    assert_sound(db.contents())


def test_without_reading_back_the_next_inspection_mends(db: Database) -> None:
    """The switch is for those who have one writer per path; what slips through does not stay."""
    first, second = db.warm(), db.warm()

    def store_one(store: persistence.Store) -> Any:
        return persistence.persist_to_vast_database(payload("/off.exr"), session=store, read_back=False)

    with held_at_first_insert(db, lambda: store_one(first)):
        store_one(second)
    assert sum(row["file_path"] == "/off.exr" for row in db.rows("files")) == 2
    persistence.persist_to_vast_database(payload("/off.exr"), session=second)
    assert db.current("/off.exr")["inspection_count"] == 3
    assert_sound(db.contents())


def test_batches_that_overlap_leave_one_row_per_file(db: Database) -> None:
    """Two containers store overlapping batches at the same time."""
    first, second = db.warm(), db.warm()
    left = [payload(f"/overlap/{i}.exr") for i in range(6)]
    right = [payload(f"/overlap/{i}.exr") for i in range(3, 9)]
    with held_at_first_insert(db, lambda: persistence.persist_batch(left, session=first)):
        persistence.persist_batch(right, session=second)
    counts = {row["file_path"]: row["inspection_count"] for row in db.rows("files") if row["file_path"].startswith("/overlap")}
    assert counts == {f"/overlap/{i}.exr": 2 if 3 <= i < 6 else 1 for i in range(9)}
    assert_sound(db.contents())


def test_ten_containers_that_start_at_once_make_the_tables_once(db: Database) -> None:
    """All store their first file into a schema that is not there yet."""
    fresh = db.at("ten")
    with ThreadPoolExecutor(10) as pool:
        jobs = [
            pool.submit(lambda n=n: persistence.persist_to_vast_database(payload(f"/{n}.exr"), session=fresh.store()))
            for n in range(10)
        ]
    assert [job.result()["status"] for job in jobs] == ["stored"] * 10
    assert len(fresh.rows("files")) == 10
    with fresh.session().transaction() as tx:
        assert sorted(tx.bucket("renders").schema("ten").tablenames()) == sorted(TABLES)


def test_locks_of_many_paths_do_not_block_each_other() -> None:
    """Two callers take the same paths in opposite order; nothing is kept when they are done."""
    locks = PathLocks()
    paths = [f"/{i}" for i in range(20)]

    def hold(order: list[str]) -> None:
        for _ in range(200):
            with locks.hold(order):
                pass

    with ThreadPoolExecutor(4) as pool:
        for job in [pool.submit(hold, random.Random(seed).sample(paths, 20)) for seed in range(4)]:
            job.result()
    assert locks._locks == {}


def deliveries() -> list[list[Any]]:
    """Twenty file versions on twelve paths, and four of them rendered again under the same header: path, header, day, bytes."""
    events = [[f"/race/{n % PATHS}.exr", f"v{n // PATHS}", 1 + n // PATHS, 100 + n] for n in range(FILES)]
    events += [[f"/race/{n}.exr", "v0", 3, 201 + n] for n in range(FILES - PATHS, PATHS)]
    return [event for event in events for _ in range(DELIVERIES)]


def random_faults(random_: random.Random, requests: int, share: float) -> list[str]:
    """Faults at random requests, as large a share of them as asked for."""
    places = random_.sample(range(requests), int(requests * share))
    return [f"{random_.choice(['409', '409', '500', 'reset', 'lost', 'expire'])}@any+{place}" for place in places]


def test_four_processes_of_eight_threads_end_as_a_serial_run() -> None:
    """Twenty-four renders, each event five times in random order, faults at five in a hundred requests; two processes group.

    The tables equal those of a serial run, but for the audit: every acknowledged inspection is counted, and counts that exceed
    them come from calls that failed after their commit, or whose commit was overwritten before it was read back.
    """
    with database(idle_seconds=5) as db:
        events = deliveries()
        shares = [events[start::PROCESSES] for start in range(PROCESSES)]
        faults = random_faults(random.Random(6), 1000, 0.05)
        db.server.faults.add(*faults)
        arguments = [db.server.url, db.server.access_key, db.server.secret_key]
        workers = [
            subprocess.Popen([sys.executable, str(WORKER), *arguments, str(seed), json.dumps(share)], stdout=subprocess.PIPE)
            for seed, share in enumerate(shares)
        ]
        reports = [json.loads(worker.communicate()[0]) for worker in workers]
        assert [worker.returncode for worker in workers] == [0] * PROCESSES
        struck = len(faults) - len(db.server.faults.specifications())
        db.server.faults.clear()
        raced = db.contents()
        serial = db.at("serial")
        store = serial.store()
        for event in dict.fromkeys(map(tuple, events)):
            persistence.persist_to_vast_database(document(*event), session=store)
        assert struck > 20
        assert_sound(raced)
        assert without_audit(raced) == without_audit(serial.contents())
        assert {section[:2] for section in measurements(raced)} == {
            ("pixel_stats", None), ("validation_results", "strict"), ("validation_results", "lenient"),
        }  # fmt: skip
        assert_counts(raced["files"], reports, struck)


def assert_counts(files: list[dict[str, Any]], reports: list[dict[str, dict[str, int]]], struck: int) -> None:
    """Every acknowledged inspection is counted; no more than what was attempted and what was struck can be."""
    acknowledged, calls = (sum((Counter(report[key]) for report in reports), Counter()) for key in ("acknowledged", "calls"))
    counted = Counter({f"{row['file_path']} v{row['etag'][-1]}": row["inspection_count"] for row in files})
    assert acknowledged == Counter(f"{path} {header}" for path, header, *_ in deliveries())
    assert all(counted[event] >= acknowledged[event] for event in acknowledged)
    assert sum(counted.values()) <= sum(calls.values()) + struck


def test_child_tables_of_a_race_are_those_of_the_winner(db: Database) -> None:
    """No row of a losing inspection stays in any table."""
    winners = {row["inspection_id"] for row in db.rows("files")}
    for table in CHILD_TABLES:
        assert {row["inspection_id"] for row in db.rows(table)} <= winners
