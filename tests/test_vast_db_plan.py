"""The plan of an upsert, on plain rows: order, repetition, races and repair, without a database."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vast_plan
from vast_plan import Plan, Seen, Version

START = datetime(2026, 1, 1)  # noqa: DTZ001 - stored times are UTC without zone


def at(second: int) -> datetime:
    """A moment, in seconds from the start."""
    return START + timedelta(seconds=second)


@dataclass
class Table:
    """The rows of one path, and the plans applied to them as a database would."""

    rows: list[Version] = field(default_factory=list)
    ids: int = 0

    def apply(self, plan: Plan, seen: Seen | None = None) -> Plan:
        """Write what the plan says."""
        changed = {row.row_id: row for row in plan.changes}
        gone = {merge.loser.row_id for merge in plan.merges}
        self.rows = [changed.get(row.row_id, row) for row in self.rows if row.row_id not in gone]
        if seen is not None and plan.existing is None:
            self.rows.append(version(self.ids, seen.file_id, seen.mtime, plan.is_current, plan.deleted_at, seen))
            self.ids += 1
        return plan

    def see(self, file_id: str, mtime: int | None, now: int = 0) -> Plan:
        """An inspection found this version."""
        seen = Seen(file_id, None if mtime is None else at(mtime), f"i{now}", at(1000 + now))
        return self.apply(vast_plan.inspect(self.rows, seen), seen)

    def remove(self, moment: int) -> Plan:
        """The object was removed."""
        return self.apply(vast_plan.remove(self.rows, at(moment)))

    def state(self) -> set[tuple]:
        """What does not depend on the order of deliveries."""
        return {(row.file_id, row.mtime, row.is_current, row.deleted_at, row.inspection_count) for row in self.rows}

    def current(self) -> Version:
        """The one current row."""
        (row,) = (row for row in self.rows if row.is_current)
        return row


def version(
    row_id: int, file_id: str, mtime: datetime | None, is_current: bool, deleted_at: datetime | None, seen: Seen
) -> Version:
    """A freshly inserted row."""
    return Version(
        row_id, file_id, mtime, is_current, deleted_at, seen.now, seen.now, 1, seen.inspection_id, seen.inspection_id
    )  # fmt: skip


def test_a_first_inspection_inserts_the_current_version():
    """Nothing else changes."""
    table = Table()
    plan = table.see("a", 1)
    assert (plan.existing, plan.is_current, plan.superseded, plan.inspection_count, plan.changes) == (None, True, 0, 1, ())


def test_a_repetition_counts_and_refreshes():
    """The row stays, its times and its count move."""
    table = Table()
    table.see("a", 1)
    plan = table.see("a", 1, now=5)
    assert (plan.refresh, plan.inspection_count) == (True, 2)
    assert (table.current().last_inspected, table.current().first_seen) == (at(1005), at(1000))


def test_a_late_repetition_counts_without_refreshing():
    """What was observed later stays."""
    table = Table()
    table.see("a", 5)
    plan = table.see("a", 1)
    assert plan.refresh is False
    assert (table.current().mtime, table.current().inspection_count) == (at(5), 2)


@pytest.mark.parametrize(("first", "second", "winner"), [(1, 2, "b"), (2, 1, "a"), (1, 1, "b"), (None, 1, "b"), (1, None, "b")])
def test_the_newer_version_is_current_and_of_equals_the_later_delivery(first, second, winner):
    """With an unknown time the one that was just inspected is believed."""
    table = Table()
    table.see("a", first)
    table.see("b", second, now=1)
    assert table.current().file_id == winner


@pytest.mark.parametrize(("removed", "marked"), [(4, False), (5, True), (6, True)])
def test_a_removal_marks_what_is_not_newer(removed, marked):
    """A removal that arrives after the file was written again is not about that file."""
    table = Table()
    table.see("a", 5)
    table.remove(removed)
    assert (table.current().deleted_at is not None) is marked


@pytest.mark.parametrize(("mtime", "live"), [(4, False), (5, True), (6, True), (None, True)])
def test_a_file_returns_when_it_is_not_older_than_its_removal(mtime, live):
    """Times of modification are whole seconds, so in the same second the later delivery is believed."""
    table = Table()
    table.see("a", 1)
    table.remove(5)
    table.see("b", mtime)
    assert (table.current().deleted_at is None) is live


def test_a_removal_within_the_second_of_the_upload_is_believed():
    """S3 cuts the time of modification to seconds, an event's time has milliseconds."""
    table = Table()
    table.see("a", 5)
    moment = at(5).replace(microsecond=700_000)
    table.apply(vast_plan.remove(table.rows, moment))
    assert table.current().deleted_at == moment
    table.see("a", 5)
    assert table.current().deleted_at is None


def test_a_removal_of_nothing_writes_nothing():
    """There is no row to mark."""
    assert vast_plan.remove([], at(1)) == Plan()


events = st.lists(
    st.one_of(st.tuples(st.just("see"), st.sampled_from("abc")), st.tuples(st.just("remove"), st.just(""))), max_size=8
)


@given(events, st.randoms(use_true_random=False), st.integers(1, 3))
def test_deliveries_in_any_order_end_in_the_same_state(steps, random, repeats):
    """Every event delivered several times, shuffled: the same versions, the same current one, the same counts."""
    numbered = [("see", "a", 0), *((kind, name, 10 * (i + 1)) for i, (kind, name) in enumerate(steps))]
    deliveries = [event for event in numbered[1:] for _ in range(repeats)]
    shuffled = random.sample(deliveries, len(deliveries))
    tables = []
    for order in (deliveries, shuffled):
        table = Table()
        for kind, name, moment in [numbered[0], *order]:
            if kind == "see":
                table.see(name, moment)
            else:
                table.remove(moment)
        tables.append(table)
    assert tables[0].state() == tables[1].state()
    assert tables[0].current()


rows = st.builds(
    Version,
    row_id=st.integers(0, 10**6),
    file_id=st.sampled_from("abc"),
    mtime=st.none() | st.integers(0, 5).map(at),
    is_current=st.booleans(),
    deleted_at=st.none() | st.integers(0, 5).map(at),
    first_seen=st.integers(0, 5).map(at),
    last_inspected=st.integers(0, 5).map(at),
    inspection_count=st.integers(1, 3),
    inspection_id=st.uuids().map(str),
    last_inspection_id=st.uuids().map(str),
)


@given(st.lists(rows, max_size=6, unique_by=lambda row: row.row_id))
def test_any_leftover_of_a_race_heals_at_once(stored):
    """One row per version in the lowest row, one current, all inspections counted; healing again changes nothing."""
    table = Table(list(stored))
    table.apply(vast_plan.heal(table.rows))
    assert len({row.file_id for row in table.rows}) == len(table.rows)
    assert sum(bool(row.is_current) for row in table.rows) == bool(stored)
    assert sum(row.inspection_count for row in table.rows) == sum(row.inspection_count for row in stored)
    for row in table.rows:
        assert row.row_id == min(other.row_id for other in stored if other.file_id == row.file_id)
    assert vast_plan.heal(table.rows) == Plan()


@given(st.lists(rows, min_size=1, max_size=6, unique_by=lambda row: row.row_id), st.sampled_from("abcd"), st.integers(0, 6))
def test_an_inspection_mends_what_it_finds(stored, file_id, mtime):
    """A leftover does not wait for a repair of its own."""
    table = Table(list(stored), ids=10**7)
    table.see(file_id, mtime)
    assert vast_plan.heal(table.rows) == Plan()


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), min_size=2, max_size=5))
def test_processes_that_did_not_see_each_other_end_as_if_they_had(inspections):
    """Each plans on an empty table; the read-back of the last one leaves what a serial run leaves, counts included."""
    raced, serial = Table(), Table()
    for number, (file_id, mtime) in enumerate(sorted(inspections, key=lambda pair: pair[1])):
        seen = Seen(file_id, at(mtime), f"i{number}", at(1000 + number))
        raced.rows.append(version(number, file_id, seen.mtime, True, None, seen))
        serial.see(file_id, mtime, number)
    raced.apply(vast_plan.heal(raced.rows))
    assert raced.state() == serial.state()


def test_the_keeper_adopts_what_was_observed_last():
    """The lower row stays although the higher one saw the newer file."""
    older, newer = (replace(version(i, "a", at(i), True, None, Seen("a", at(i), f"i{i}", at(9))), row_id=i) for i in (1, 2))
    (merge,) = vast_plan.heal([newer, older]).merges
    assert (merge.keeper, merge.loser, merge.adopt) == (older, newer, True)
