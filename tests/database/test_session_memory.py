"""What a container keeps of the events that it has seen: nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

import vast_db_persistence as persistence
from databases import Database, prepared
from sample_payloads import payload

ROUNDS = 40


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    """One endpoint, with its tables made."""
    with prepared() as running:
        yield running


def objects() -> int:
    """How many containers the garbage collector tracks."""
    gc.collect()
    return len(gc.get_objects())


def test_nothing_is_kept_of_a_delivery(db: Database) -> None:
    """Repeated deliveries leave less than one object in two behind; the client by itself keeps four of every SELECT."""
    store = db.warm()
    inspected = payload("/again.exr")

    def deliver(times: int) -> int:
        for _ in range(times):
            persistence.persist_to_vast_database(inspected, session=store)
        store.ledgers.clear()  # as the function does, which tells its metrics of each
        db.server.clear_requests()
        return objects()

    before = deliver(10)
    assert deliver(ROUNDS) - before < ROUNDS / 2


def test_the_client_still_tries_again_what_was_too_busy(db: Database) -> None:
    """Each of two SELECTs of one session is asked three times, and counts as one attempt."""
    store = db.warm()
    for path in ("/busy.exr", "/busy_too.exr"):
        db.server.clear_requests()
        db.server.faults.add("503@query*2")
        result = persistence.persist_to_vast_database(payload(path), session=store, read_back=False)
        assert result["attempts"] == 1
        assert db.commands().count("GET data files") == 3
