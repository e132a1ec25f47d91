"""Changes that wait side by side are stored together, and each has what it would have had alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest

import vast_db_persistence as persistence
from databases import Database, assert_sound, kill_at_request, prepared
from exr_inspector.database import upsert
from exr_inspector.database.persist import group_of
from exr_inspector.errors import Retry, VASTDatabaseError
from sample_payloads import measured, payload
from waiting import wait_until

BARRIER = "/barrier.exr"
ALONE, GROUPED = 10, 10
"""Requests of a transaction that inserts files, with three to read them back, whatever their number."""


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    """One endpoint, with its tables made."""
    with prepared(idle_seconds=3) as running:
        yield running


@pytest.fixture
def store(db: Database) -> Iterator[persistence.Store]:
    """A warm store, and no fault before or after a test."""
    db.server.faults.clear()
    yield db.warm()
    db.server.faults.clear()


def side_by_side(
    store: persistence.Store, calls: Sequence[Callable[[], Any]], before: Callable[[], Any] = list
) -> list[Future[Any]]:
    """Run the calls while another one is about to begin a transaction, so that all of them join it; `before` that begins."""
    group = group_of(store)
    with ThreadPoolExecutor(len(calls) + 1) as pool, ExitStack() as barrier:
        barrier.enter_context(store.paths.hold([BARRIER]))
        pool.submit(persistence.mark_removed, BARRIER, session=store)
        wait_until(lambda: group.is_led and not group.waiting)
        futures = []
        for call in calls:
            futures.append(pool.submit(call))
            wait_until(lambda: group.waiting == len(futures))
        before()
        barrier.close()
    return futures


def storing(document: dict[str, Any], store: persistence.Store) -> Callable[[], Any]:
    """A call that stores a document."""
    return lambda: persistence.persist_to_vast_database(document, session=store)


def results(futures: Sequence[Future[Any]]) -> list[Any]:
    """What the calls returned."""
    return [future.result() for future in futures]


def stored(db: Database, folder: str) -> dict[str, int]:
    """Inspections of each current row below a folder."""
    return {
        row["file_path"]: row["inspection_count"]
        for row in db.rows("files")
        if row["is_current"] and row["file_path"].startswith(folder)
    }


def test_what_waits_is_stored_in_one_transaction(db: Database, store: persistence.Store) -> None:
    """Six files cost as many requests as one, and each has an answer of its own."""
    calls = [storing(payload(f"/together/{n}.exr"), store) for n in range(6)]
    answers = results(side_by_side(store, calls, db.server.clear_requests))
    assert len(db.server.requests) == GROUPED
    assert {(one["status"], one["inserted"], one["requests"], one["attempts"]) for one in answers} == {
        ("stored", True, GROUPED, 1)
    }
    assert len({one["file_id"] for one in answers}) == 6
    assert stored(db, "/together") == {f"/together/{n}.exr": 1 for n in range(6)}


def test_who_arrives_while_the_paths_are_read_joins_too(
    db: Database, store: persistence.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their paths are read by one statement more, and by that one alone: whoever arrives then has the next transaction."""
    read, late = upsert._versions, [payload("/late/first.exr"), payload("/late/second.exr")]
    futures: list[Future[Any]] = []
    with ThreadPoolExecutor(2) as pool:

        def read_while_one_arrives(work: Any, paths: Sequence[str]) -> Any:
            stored = read(work, paths)
            if late:
                futures.append(pool.submit(storing(late.pop(0), store)))
                wait_until(lambda: group_of(store).waiting == 1)
            return stored

        monkeypatch.setattr(upsert, "_versions", read_while_one_arrives)
        db.server.clear_requests()
        answers = [storing(payload("/late/leads.exr"), store)(), *results(futures)]
    assert [one["requests"] for one in answers] == [GROUPED + 1, GROUPED + 1, ALONE]
    assert stored(db, "/late") == {f"/late/{name}.exr": 1 for name in ("leads", "first", "second")}


def test_a_transaction_leaves_one_ledger_whatever_it_stored(db: Database, store: persistence.Store) -> None:
    """Of a group; of one that the server refuses, and of its halves; of one that conflicts, with its attempts."""
    calls = [storing(payload(f"/ledgers/{n}.exr"), store) for n in range(3)]
    store.ledgers.clear()
    side_by_side(store, calls, store.ledgers.clear)
    assert spent(store) == [(4, GROUPED, 1, 0)]  # with the one that held them up
    side_by_side(store, calls, lambda: (store.ledgers.clear(), db.server.faults.add("400@commit")))
    assert [(files, attempts) for files, _, attempts, _ in spent(store)] == [(2, 1), (2, 1), (4, 1)]
    side_by_side(store, calls, lambda: (store.ledgers.clear(), db.server.faults.add("409@commit*2")))
    assert [(files, attempts, conflicts) for files, _, attempts, conflicts in spent(store)] == [(4, 3, 2)]


def spent(store: persistence.Store) -> list[tuple[int, int, int, int]]:
    """Changes, requests, attempts and conflicts of the store's transactions, in the order of their ends."""
    return [(ledger.files, ledger.requests, ledger.attempts, ledger.conflicts) for ledger in store.ledgers]


def test_one_that_comes_alone_costs_what_it_costs_without_groups(db: Database, store: persistence.Store) -> None:
    """No timer, nobody waits for company: seven requests, and three to read back."""
    db.server.clear_requests()
    assert storing(payload("/alone.exr"), store)()["requests"] == ALONE == len(db.server.requests)


def test_versions_of_one_path_follow_one_another_in_the_order_of_arrival(db: Database, store: persistence.Store) -> None:
    """Times of modification are equal, so that the one that arrived last is current; a removal has its place, too."""
    path = "/order.exr"
    calls = [storing(payload(path, header=f"v{n}"), store) for n in (1, 2, 3)]
    moment = datetime(2027, 1, 1)  # noqa: DTZ001 - stored times are UTC without zone
    calls.append(lambda: persistence.mark_removed(path, moment, session=store))
    calls.append(storing(payload("/beside.exr"), store))
    answers = results(side_by_side(store, calls))
    assert [one["superseded"] for one in answers[:3]] == [0, 1, 1]
    current = db.current(path)
    assert (current["etag"], current["deleted_at"]) == ("etag-v3", moment)
    assert answers[3]["file_id"] == current["file_id"]
    assert_sound(db.contents())


def test_what_was_in_another_call_meanwhile_does_not_join(store: persistence.Store) -> None:
    """A transaction may have begun before that other call committed; what nobody has held since joins, and nothing is kept."""
    locks = store.paths
    with locks.hold(["/own.exr"]) as held:
        with locks.hold(["/others.exr"]):
            assert not held.add("/others.exr")
        assert [held.add(path) for path in ("/own.exr", "/others.exr", "/free.exr", "/free.exr")] == [False, False, True, False]
    with locks.hold(["/later.exr"]) as held:
        assert all(map(held.add, ("/own.exr", "/others.exr", "/free.exr")))


@pytest.mark.parametrize("fault", ["409", "500", "lost"])
def test_how_a_transaction_ends_that_has_only_read_changes_no_answer(db: Database, store: persistence.Store, fault: str) -> None:
    """The second commit ends the reading back, which is not repeated for it."""
    calls = [storing(payload(f"/read/{fault}/{n}.exr"), store) for n in range(3)]
    answers = results(side_by_side(store, calls, lambda: (db.server.clear_requests(), db.server.faults.add(f"{fault}@commit+1"))))
    assert {(one["status"], one["inserted"], one["attempts"]) for one in answers} == {("stored", True, 1)}
    assert db.commands().count("POST transaction") == 2


def test_removals_share_a_transaction_with_files(db: Database, store: persistence.Store) -> None:
    """One that nothing is stored of is skipped, whatever goes on beside it."""
    persistence.persist_to_vast_database(payload("/removed.exr"), session=store)
    calls = [lambda path=path: persistence.mark_removed(path, session=store) for path in ("/removed.exr", "/never.exr")]
    answers = results(side_by_side(store, [*calls, storing(payload("/new.exr"), store)]))
    assert [one["status"] for one in answers] == ["stored", "skipped", "stored"]
    assert len({one["requests"] for one in answers}) == 1
    assert db.current("/removed.exr")["deleted_at"] is not None


def test_a_group_is_bounded(db: Database) -> None:
    """Seven that wait go into three transactions of three at most."""
    store = db.warm(db_group=3)
    calls = [storing(payload(f"/bounded/{n}.exr"), store) for n in range(7)]
    results(side_by_side(store, calls, db.server.clear_requests))
    assert db.commands().count("POST transaction") == 2 * 3  # each is read back in a transaction of its own
    assert len(stored(db, "/bounded")) == 7


def test_large_payloads_are_not_grouped_without_bounds(
    db: Database, store: persistence.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their bytes, two of these fit into one transaction."""
    (text,) = persistence.payload_to_files_row(payload("/large/0.exr"))["raw_output"].to_pylist()
    monkeypatch.setattr("exr_inspector.database.group.MAX_BYTES", int(2.5 * len(text)))
    calls = [storing(payload(f"/large/{n}.exr"), store) for n in range(4)]
    results(side_by_side(store, calls, db.server.clear_requests))
    assert db.commands().count("POST transaction") == 2 * 2


def test_with_a_group_of_one_each_has_its_own_transaction(db: Database) -> None:
    """The switch: nothing waits for a turn, and nothing is shared."""
    store = db.warm(db_group=1)
    db.server.clear_requests()
    with ThreadPoolExecutor(4) as pool:
        answers = results([pool.submit(storing(payload(f"/single/{n}.exr"), store)) for n in range(4)])
    assert {one["requests"] for one in answers} == {ALONE}
    assert len(db.server.requests) == 4 * ALONE


def test_what_the_server_refuses_fails_alone(db: Database, store: persistence.Store) -> None:
    """The refusal strikes the group, and after the first half and its reading back the second half and the file by itself."""
    calls = [storing(payload(f"/refused/{n}.exr"), store) for n in range(3)]
    answers = results(side_by_side(store, calls, lambda: db.server.faults.add("400@commit", "400@commit+3*2")))
    assert [one["status"] for one in answers] == ["stored", "error", "stored"]
    assert answers[1]["error"]["code"] == "database_refused"
    assert_sound(db.contents())


def test_what_the_surroundings_cause_is_raised_by_each(db: Database, store: persistence.Store) -> None:
    """Nothing of the group is there, and the next delivery stores it."""
    calls = [storing(payload(f"/conflict/{n}.exr"), store) for n in range(3)]
    for future in side_by_side(store, calls, lambda: db.server.faults.add("409@commit**")):
        with pytest.raises(VASTDatabaseError, match="injected conflict"):
            future.result()
    db.server.faults.clear()
    assert stored(db, "/conflict") == {}
    assert {one["status"] for one in results(side_by_side(store, calls))} == {"stored"}


@pytest.mark.parametrize("fault", ["409", "reset", "lost", "expire"])
@pytest.mark.parametrize("nth", range(12))
def test_a_fault_at_any_request_of_a_group_is_survived_by_each(
    db: Database, store: persistence.Store, fault: str, nth: int
) -> None:
    """A new file, a newer version and a removal, each with what it would have had alone."""
    folder = f"/survived/{fault}/{nth}"
    persistence.persist_batch([payload(f"{folder}/old.exr"), payload(f"{folder}/gone.exr")], session=store)
    newer = measured(payload(f"{folder}/old.exr", header="v2", mtime="2026-02-02T00:00:00Z"))
    calls = [
        storing(payload(f"{folder}/new.exr"), store),
        storing(newer, store),
        lambda: persistence.mark_removed(f"{folder}/gone.exr", session=store),
    ]
    answers = results(side_by_side(store, calls, lambda: db.server.faults.add(f"{fault}@any+{nth}")))
    assert [one["status"] for one in answers] == ["stored"] * 3
    assert [one["inserted"] for one in answers] == [True, True, False]
    assert stored(db, folder) == {f"{folder}/{name}.exr": 1 for name in ("new", "old", "gone")}
    assert db.current(f"{folder}/gone.exr")["deleted_at"] is not None


def test_the_tables_are_sound_after_all_of_that(db: Database) -> None:
    """No fault left a duplicate, an orphan or a second current row."""
    assert_sound(db.contents())


def test_a_commit_whose_answer_is_lost_is_settled_for_each(db: Database, store: persistence.Store) -> None:
    """It took effect: no file is counted twice."""
    calls = [storing(payload(f"/lost/{n}.exr"), store) for n in range(3)]
    answers = results(side_by_side(store, calls, lambda: db.server.faults.add("lost@commit")))
    assert {(one["status"], one["attempts"], one["inserted"]) for one in answers} == {("stored", 1, True)}
    assert stored(db, "/lost") == {f"/lost/{n}.exr": 1 for n in range(3)}


def test_a_fault_of_the_program_lets_nobody_wait_for_ever(store: persistence.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that leads raises it, the others are to be delivered again, and the next group is stored."""

    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        calls = [storing(payload(f"/fault/{n}.exr"), store) for n in range(3)]
        futures = side_by_side(store, calls, lambda: patch.setattr("exr_inspector.database.upsert._apply_steps", fail))
        raised = [type(future.exception()) for future in futures]
    assert raised == [Retry] * 3  # the barrier's thread leads
    assert storing(payload("/fault/after.exr"), store)()["status"] == "stored"


def test_stores_of_other_credentials_or_schemas_share_nothing(db: Database) -> None:
    """Each store has a group of its own."""
    other = db.at("elsewhere")
    assert group_of(db.store()) is not group_of(other.store())


@pytest.mark.parametrize("nth", [2, 5, 8])
def test_a_process_killed_while_a_group_is_written_leaves_all_or_nothing(db: Database, nth: int) -> None:
    """The server waits at the n-th request of the second transaction while the process is killed."""
    folder = f"/killed/{nth}"
    script = (
        "import sys; sys.modules['adbc_driver_vastdb'] = None; sys.path[:0] = ['tests/support', 'tests/database', '.']\n"
        "import databases, test_group as t; from sample_payloads import payload\n"
        f"store = databases.Database(None, databases.settings_for({db.server.url!r}, 'local', 'local-secret')).warm()\n"
        f"calls = [t.storing(payload(f'{folder}/{{n}}.exr'), store) for n in range(3)]\n"
        "t.side_by_side(store, calls, lambda: (print('led', flush=True), sys.stdin.readline()))\n"
    )
    kill_at_request(db, script, nth)
    assert_sound(db.contents())
    assert len(stored(db, folder)) in (0, 3)
    calls = [storing(payload(f"{folder}/{n}.exr"), db.store()) for n in range(3)]
    assert {call()["status"] for call in calls} == {"stored"}
    assert_sound(db.contents())
