"""Conflicts, lost answers, cut connections, expiry and death: nothing half-written is seen, nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import vast_db_persistence as persistence
from databases import Database, assert_sound, kill_at_request, measurements, prepared
from exr_inspector.database import upsert
from exr_inspector.errors import CommitUnknown, VASTDatabaseError
from sample_payloads import measured, payload
from waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
ONCE = ["409", "reset", "lost", "expire"]
NEW_VERSION_REQUESTS = 13
RENDER_REQUESTS = 13
COMMIT = 9


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    """One endpoint, with its tables made."""
    with prepared(idle_seconds=3) as running:
        yield running


@pytest.fixture(scope="module")
def store(db: Database) -> persistence.Store:
    """A warm store."""
    return db.warm()


@pytest.fixture(autouse=True)
def no_faults_remain(db: Database) -> Iterator[None]:
    """Each test starts and ends without faults."""
    db.server.faults.clear()
    yield
    db.server.faults.clear()


def versions(db: Database, path: str) -> list[tuple[str, bool, int]]:
    """What is stored of a path: (etag, is_current, inspection_count) per version."""
    return versions_in(db.rows("files", ["file_path", "etag", "is_current", "inspection_count"]), path)


def versions_in(files: Iterable[dict], path: str) -> list[tuple[str, bool, int]]:
    """The same of rows that were read before."""
    return sorted((row["etag"], row["is_current"], row["inspection_count"]) for row in files if row["file_path"] == path)


def first(path: str) -> dict:
    """A file, with statistics and a finding."""
    return measured(payload(path, size_bytes=7))


def second(path: str) -> dict:
    """The newer version of a file."""
    return measured(payload(path, header="v2", mtime="2026-02-02T00:00:00Z", size_bytes=9))


def again(path: str) -> dict:
    """Rendered again: other bytes under the same header, which the same policy finds fault with."""
    return measured(payload(path, mtime="2026-02-02T00:00:00Z", etag="again", size_bytes=9))


def known_in(contents: dict[str, list[dict]], path: str) -> set[str]:
    """The bytes that statistics and findings of a path describe."""
    return {name for *_, name in measurements(contents, path)}


def delivered(document: dict, store: persistence.Store) -> dict:
    """The result once the platform has delivered often enough; what a failed rollback left open stays locked for a while."""
    for _ in range(50):
        with contextlib.suppress(VASTDatabaseError):
            return persistence.persist_to_vast_database(document, session=store)
    raise AssertionError("fifty deliveries failed")


def store_all(paths: Sequence[str], store: persistence.Store) -> None:
    """The first version of every path, in one transaction."""
    assert {one["status"] for one in persistence.persist_batch([first(path) for path in paths], session=store)} == {"stored"}


@pytest.mark.parametrize("fault", ONCE)
def test_a_fault_at_any_request_is_survived(db: Database, store: persistence.Store, fault: str) -> None:
    """Whatever happens at the n-th request of storing a newer version, the call succeeds and the tables are those after it."""
    paths = [f"/survived/{fault}/{nth}.exr" for nth in range(NEW_VERSION_REQUESTS)]
    store_all(paths, store)
    for nth, path in enumerate(paths):
        db.server.faults.add(f"{fault}@any+{nth}")
        result = persistence.persist_to_vast_database(second(path), session=store)
        assert db.server.faults.specifications() == [], path
        assert (result["status"], result["inserted"], result["is_current"]) == ("stored", True, True), path
    contents = db.contents()
    for path in paths:
        assert [version[:2] for version in versions_in(contents["files"], path)] == [("etag-v1", False), ("etag-v2", True)], path
        assert known_in(contents, path) == {"etag-v1 of 7 bytes", "etag-v2 of 9 bytes"}, path


@pytest.mark.parametrize("fault", ONCE)
def test_a_fault_while_measurements_are_replaced_is_survived(db: Database, store: persistence.Store, fault: str) -> None:
    """Of the earlier render nothing is left, whichever request the fault strikes."""
    paths = [f"/replaced/{fault}/{nth}.exr" for nth in range(RENDER_REQUESTS)]
    store_all(paths, store)
    for nth, path in enumerate(paths):
        db.server.faults.add(f"{fault}@any+{nth}")
        result = persistence.persist_to_vast_database(again(path), session=store)
        assert db.server.faults.specifications() == [], path
        assert (result["status"], result["inserted"]) == ("stored", False), path
    contents = db.contents()
    assert [path for path in paths if known_in(contents, path) != {"again of 9 bytes"}] == []


def test_the_tables_are_sound_after_all_of_that(db: Database) -> None:
    """No fault left a duplicate, an orphan or a second current row."""
    assert_sound(db.contents())


@pytest.mark.parametrize("fault", ["409", "400"])
@pytest.mark.parametrize("nth", range(10))
def test_a_fault_that_stays_leaves_the_tables_as_before(db: Database, store: persistence.Store, fault: str, nth: int) -> None:
    """From the n-th request on everything fails, the commit included: a reader sees the old version alone."""
    path = f"/stays/{fault}/{nth}.exr"
    persistence.persist_to_vast_database(first(path), session=store)
    before = versions(db, path)
    db.server.faults.add(f"{fault}@any+{nth}**")
    try:
        refused = persistence.persist_to_vast_database(second(path), session=store)["status"] == "error"
    except VASTDatabaseError:
        refused = fault != "400"
    db.server.faults.clear()
    assert refused
    after = versions(db, path)
    assert after == before
    assert_sound(db.contents())
    assert delivered(second(path), store)["status"] == "stored"
    assert versions(db, path) == [("etag-v1", False, 1), ("etag-v2", True, 1)]


def test_conflicts_are_tried_again_and_counted(db: Database, store: persistence.Store) -> None:
    """Three conflicts at the commit, the fourth attempt succeeds."""
    db.server.faults.add("409@commit*3")
    result = persistence.persist_to_vast_database(payload("/conflict.exr"), session=store)
    assert (result["status"], result["attempts"]) == ("stored", 4)
    assert versions(db, "/conflict.exr") == [("etag-v1", True, 1)]


def test_attempts_are_bounded(db: Database, store: persistence.Store) -> None:
    """After the last one the retry verdict is raised, with the server's own words."""
    db.server.faults.add("409@insert**")
    db.server.clear_requests()
    with pytest.raises(VASTDatabaseError, match="injected conflict") as caught:
        persistence.persist_to_vast_database(payload("/bounded.exr"), session=store)
    assert caught.value.code == "database_conflict"
    assert db.commands().count("POST transaction") == upsert.ATTEMPTS
    assert versions(db, "/bounded.exr") == []


@pytest.mark.parametrize("again", [False, True])
def test_a_commit_whose_answer_is_lost_is_read_back(db: Database, store: persistence.Store, again: bool) -> None:
    """It took effect, so it is neither repeated nor reported as failed."""
    path = f"/lost/{again}.exr"
    if again:
        persistence.persist_to_vast_database(payload(path), session=store)
    db.server.faults.add("lost@commit")
    result = persistence.persist_to_vast_database(payload(path), session=store)
    assert (result["status"], result["attempts"], result["inserted"]) == ("stored", 1, not again)
    assert versions(db, path) == [("etag-v1", True, 1 + again)]


def test_a_commit_that_never_arrived_is_tried_again(db: Database, store: persistence.Store) -> None:
    """The connection was cut before: nothing of it is there, so it is done again."""
    db.server.faults.add("reset@commit")
    result = persistence.persist_to_vast_database(payload("/cut.exr"), session=store)
    assert (result["attempts"], result["inserted"]) == (2, True)
    assert versions(db, "/cut.exr") == [("etag-v1", True, 1)]


def test_a_commit_that_cannot_be_read_back_is_unknown(db: Database, store: persistence.Store) -> None:
    """The named error is raised; the repetition by the platform finds the row."""
    db.server.faults.add("lost@commit", "500@query+1**")
    with pytest.raises(CommitUnknown, match="reading back failed"):
        persistence.persist_to_vast_database(payload("/unknown.exr"), session=store)
    db.server.faults.clear()
    result = persistence.persist_to_vast_database(payload("/unknown.exr"), session=store)
    assert (result["inserted"], result["inspection_count"]) == (False, 2)


def test_a_failed_look_up_is_not_taken_for_a_new_file(db: Database, store: persistence.Store) -> None:
    """The select fails for good: nothing is inserted."""
    persistence.persist_to_vast_database(payload("/looked-up.exr"), session=store)
    db.server.faults.add("500@query**")
    with pytest.raises(VASTDatabaseError):
        persistence.persist_to_vast_database(payload("/looked-up.exr"), session=store)
    db.server.faults.clear()
    assert versions(db, "/looked-up.exr") == [("etag-v1", True, 1)]


def test_a_transaction_that_expired_is_begun_again(db: Database, store: persistence.Store) -> None:
    """The server forgot it between two statements."""
    db.server.faults.add("expire@insert+2")
    result = persistence.persist_to_vast_database(payload("/expired.exr"), session=store)
    assert (result["attempts"], result["inserted"]) == (2, True)
    assert versions(db, "/expired.exr") == [("etag-v1", True, 1)]


def test_wrong_credentials_are_raised_at_once(db: Database, store: persistence.Store) -> None:
    """Trying again cannot help within the call; the platform keeps the event."""
    db.server.faults.add("403@begin")
    db.server.clear_requests()
    with pytest.raises(VASTDatabaseError, match="identity policy") as caught:
        persistence.persist_to_vast_database(payload("/forbidden.exr"), session=store)
    assert caught.value.code == "database_forbidden"
    assert len(db.server.requests) == 1


def test_what_the_server_refuses_is_not_delivered_again(db: Database, store: persistence.Store) -> None:
    """The result says so."""
    db.server.faults.add("400@insert")
    result = persistence.persist_to_vast_database(payload("/refused.exr"), session=store)
    assert (result["status"], result["error"]["code"]) == ("error", "database_refused")
    assert versions(db, "/refused.exr") == []


def test_a_removal_survives_faults(db: Database, store: persistence.Store) -> None:
    """It is the same when done twice."""
    persistence.persist_to_vast_database(payload("/removed.exr"), session=store)
    db.server.faults.add("lost@commit", "409@update+1")
    assert persistence.mark_removed("/removed.exr", session=store)["status"] == "stored"
    assert db.current("/removed.exr")["deleted_at"] is not None


@pytest.mark.parametrize("nth", [2, 5, COMMIT])
def test_a_process_killed_at_any_request_leaves_nothing(db: Database, nth: int) -> None:
    """The server waits at the n-th request while the process is killed; what is seen is all or nothing, and a retry converges.

    The ninth is the commit. It is on its way when the process dies, so it takes effect, and the retry comes after that.
    """
    path = f"/killed/{nth}.exr"
    script = (
        "import sys; sys.modules['adbc_driver_vastdb'] = None; sys.path[:0] = ['tests/support', '.']\n"
        "import databases, vast_db_persistence as p; from sample_payloads import measured, payload\n"
        f"store = databases.Database(None, databases.settings_for({db.server.url!r}, 'local', 'local-secret')).store()\n"
        f"p.persist_to_vast_database(payload('/warm-up.exr'), session=store); print('warm', flush=True); sys.stdin.readline()\n"
        f"p.persist_to_vast_database(measured(payload({path!r}, size_bytes=7)), session=store)\n"
    )
    kill_at_request(db, script, nth)
    assert_sound(db.contents())
    wait_until(lambda: nth != COMMIT or versions(db, path))
    result = persistence.persist_to_vast_database(first(path), session=db.store())
    assert result["status"] == "stored"
    assert len(versions(db, path)) == 1
    assert known_in(db.contents(), path) == {"etag-v1 of 7 bytes"}
    assert_sound(db.contents())


def test_storing_needs_no_query_engine(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its driver installed and the engine down, a file is stored by ten requests, none of them the driver's."""
    store = db.warm()
    monkeypatch.delitem(sys.modules, "adbc_driver_vastdb")
    db.server.faults.add("501@engine**")
    db.server.clear_requests()
    result = persistence.persist_to_vast_database(payload("/engine.exr"), session=store)
    db.server.faults.clear()
    assert (result["status"], result["requests"], len(db.server.requests)) == ("stored", 10, 10)


def test_a_busy_server_is_waited_for(db: Database, store: persistence.Store) -> None:
    """The client itself repeats what was answered with SlowDown, so it is one attempt."""
    db.server.faults.add("503@insert*2", "503@commit")
    result = persistence.persist_to_vast_database(payload("/busy.exr"), session=store)
    assert (result["status"], result["attempts"]) == ("stored", 1)
    assert versions(db, "/busy.exr") == [("etag-v1", True, 1)]


def test_a_commit_that_outlasts_the_timeout_cannot_land_later(db: Database) -> None:
    """The client gives up while the server still has the commit; the rollback overtakes it, so only the repetition counts."""
    hasty = persistence.open_store(replace(db.settings, db_timeout=1.0))
    persistence.persist_to_vast_database(payload("/hasty.exr"), session=hasty)
    db.server.faults.add("latency=2500@commit")
    result = persistence.persist_to_vast_database(payload("/late.exr"), session=hasty)
    assert (result["status"], result["attempts"]) == ("stored", 2)
    assert versions(db, "/late.exr") == [("etag-v1", True, 1)]
    assert_sound(db.contents())


def test_a_busy_database_is_asked_again_soon() -> None:
    """The longest waits of the client, in seconds: a whole group waits for each."""
    with prepared() as running:
        waits = running.store().session.api.backoff_config.wait_gen(max_value=2.0)
        next(waits)
        assert [round(next(waits), 6) for _ in range(4)] == [0.1, 0.4, 1.6, 2.0]
