"""Random sequences of events against a model that knows nothing of rows, transactions or order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, repeat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vast_db_persistence as persistence
from databases import Database, assert_sound, measurements, prepared
from sample_payloads import measured, payload

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    """One endpoint; every example uses paths of its own."""
    with prepared() as running:
        yield running


@dataclass(frozen=True)
class Event:
    """A file had this content (`version`), or was removed (`version` None), at `second`; no two events share a second."""

    path: str
    version: str | None
    second: int

    @property
    def time(self) -> datetime:
        return START + timedelta(seconds=self.second)


@dataclass
class Model:
    """What should be known of a path, from the set of events alone: order and repetition play no part."""

    sightings: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    removed: int = -1

    def take(self, event: Event) -> None:
        if event.version is not None:
            self.sightings[event.version].append(event.second)
        elif self.sightings:
            self.removed = max(self.removed, event.second)

    def expected(self) -> set[tuple]:
        """(version, size, is_current, deleted second, count) for every row."""
        newest = max((max(seconds) for seconds in self.sightings.values()), default=0)
        gone = self.removed if self.removed > newest else None
        return {
            (version, max(seconds), max(seconds) == newest, gone if max(seconds) == newest else None, len(seconds))
            for version, seconds in self.sightings.items()
        }

    def measured(self) -> set[tuple]:
        """(table, policy, bytes) of what is known of the latest render of every version."""
        sections = set()
        for version, seconds in self.sightings.items():
            second = max(seconds)
            stats, policy = measuring(second)
            name = f"etag-{version} of {second} bytes"
            sections |= {("pixel_stats", None, name)} if stats else set()
            sections |= {("validation_results", policy, name)} if policy == "lenient" or (policy and second % 2) else set()
        return sections


def measuring(second: int) -> tuple[bool, str | None]:
    """Whether the event of this second asks for statistics, and for which policy."""
    return second % 4 < 2, (None, "strict", "lenient")[second % 3]


def observed(db: Database, path: str) -> set[tuple]:
    """The same of what is stored."""
    zero = START.replace(tzinfo=None)
    return {
        (
            row["etag"].removeprefix("etag-"),
            row["size_bytes"],
            row["is_current"],
            None if row["deleted_at"] is None else round((row["deleted_at"] - zero).total_seconds()),
            row["inspection_count"],
        )
        for row in db.rows("files")
        if row["file_path"] == path
    }


def document(event: Event) -> dict:
    """The payload of an event; its size tells when it was seen."""
    rendered = payload(event.path, header=str(event.version), mtime=event.time.isoformat(), size_bytes=event.second)
    stats, policy = measuring(event.second)
    return measured(rendered, stats=stats, policy=policy)


versions = st.one_of(st.none(), st.sampled_from("abc"))
steps = st.lists(st.tuples(st.sampled_from("xy"), versions, st.integers(1, 2)), min_size=1, max_size=7)
examples = count()


@given(
    steps=steps,
    random=st.randoms(use_true_random=False),
    way=st.sampled_from(["singly", "batched", "side by side"]),
    fault=st.booleans(),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_of_events_ends_as_the_model_says(db: Database, steps, random, way: str, fault: bool) -> None:
    """Created, repeated, modified, reverted, removed, re-created, out of order, one by one or together, by two containers."""
    folder = f"/model/{next(examples)}"
    events = [Event(f"{folder}/{name}.exr", version, number) for number, (name, version, _) in enumerate(steps)]
    deliveries = [event for event, (*_, repeats) in zip(events, steps, strict=True) for _ in range(repeats)]
    random.shuffle(deliveries)
    stores = [db.store(), db.store()]
    models: dict[str, Model] = defaultdict(Model)
    while deliveries:
        event = deliveries.pop()
        if fault:
            db.server.faults.add(random.choice(["409@commit", "reset@commit", "lost@commit", "409@update", "reset@any"]))
        group = [event]
        while way != "singly" and deliveries and (way == "side by side" or may_share_a_batch(event, deliveries[-1])):
            group.append(deliveries.pop())
        deliver(group, random.choice(stores), way)
        for one in group:
            models[one.path].take(one)
        db.server.faults.clear()
    for path, model in models.items():
        assert observed(db, path) == model.expected(), path
        assert measurements(db.contents(), path) == model.measured(), path


def may_share_a_batch(*events: Event) -> bool:
    """Batches hold files alone."""
    return all(event.version is not None for event in events)


def deliver(group: list[Event], store: persistence.Store, way: str) -> None:
    """One event, or several in a batch, or each in a thread of its own."""
    if way == "batched" and may_share_a_batch(*group):
        results = persistence.persist_batch([document(event) for event in group], session=store)
        assert {result["status"] for result in results} == {"stored"}
    elif way == "side by side":
        with ThreadPoolExecutor(len(group)) as pool:
            list(pool.map(deliver_one, group, repeat(store)))
    else:
        for event in group:
            deliver_one(event, store)


def deliver_one(event: Event, store: persistence.Store) -> None:
    """An event by itself."""
    if event.version is None:
        persistence.mark_removed(event.path, event.time, session=store)
    else:
        assert persistence.persist_to_vast_database(document(event), session=store)["status"] == "stored"


def test_the_tables_are_sound_after_all_examples(db: Database) -> None:
    """Children of every version, no leftovers."""
    persistence.persist_to_vast_database(payload(), session=db.store())
    assert_sound(db.contents())
