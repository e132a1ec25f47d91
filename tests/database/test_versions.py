"""The plan of an upsert, on plain rows: order, repetition, races and repair, without a database."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector.database import versions
from exr_inspector.database.versions import Inspection, Plan, Review, Section, Standing, StoredMeasurement, Version

START = datetime(2026, 1, 1)  # noqa: DTZ001 - stored times are UTC without zone


def at(second: int) -> datetime:
    """A moment, in seconds from the start."""
    return START + timedelta(seconds=second)


STATS: Section = ("pixel_stats", None)
STRICT: Section = ("validation_results", "strict")
LENIENT: Section = ("validation_results", "lenient")


def rows_come_of(section: Section, etag: str | None) -> bool:
    """Whether a measurement of these bytes comes to rows: a policy that reports no passes is silent about every other render."""
    return section != STRICT or int(str(etag)) % 2 == 0


@dataclass
class Table:
    """The rows of one path and what was measured of them, and the plans applied to them as a database would."""

    rows: list[Version] = field(default_factory=list)
    measured: dict[int, StoredMeasurement] = field(default_factory=dict)
    bytes_of: dict[int, str | None] = field(default_factory=dict)
    claims: dict[str, frozenset[Section]] = field(default_factory=dict)
    ids: int = 0

    def apply(self, plan: Plan, seen: Inspection | None = None) -> Plan:
        """Write what the plan says."""
        for review in plan.reviews:
            self.settle(review)
        changed = {row.row_id: row for row in plan.changes}
        gone = {merge.loser.row_id for merge in plan.merges}
        self.rows = [changed.get(row.row_id, row) for row in self.rows if row.row_id not in gone]
        if seen is not None and plan.existing is None:
            self.insert(seen, plan.is_current, plan.deleted_at)
        elif seen is not None and plan.existing is not None and plan.refresh:
            self.measure(seen, plan.existing.inspection_id)
        return plan

    def insert(self, seen: Inspection, is_current: bool = True, deleted_at: datetime | None = None) -> None:
        """A row of files, with what was measured."""
        row = version(self.ids, seen.file_id, seen.mtime, is_current, deleted_at, seen)
        error = {"error_code": seen.error_code, "error_message": seen.error_message}
        self.rows.append(replace(row, etag=seen.etag, status=seen.status, **error))
        self.ids += 1
        self.measure(seen, seen.inspection_id)

    def measure(self, seen: Inspection, owner: str) -> None:
        """Insert the rows of an inspection."""
        self.claims[owner] = seen.measured
        for section in seen.measured:
            if rows_come_of(section, seen.etag):
                number = len(self.bytes_of)
                self.measured[number] = StoredMeasurement(number, section, seen.file_id, owner)
                self.bytes_of[number] = seen.etag

    def settle(self, review: Review) -> None:
        """Delete and hand over what the review says of the file's measurements."""
        rows = [row for row in self.measured.values() if row.file_id == review.file_id and review.concerns(row.section[0])]
        settlement = review.settle(rows, self.claims)
        for row in settlement.gone:
            del self.measured[row.row_id]
        for row in settlement.adopted:
            self.measured[row.row_id] = replace(row, inspection_id=review.owner)

    def see(self, file_id: str, mtime: int | None, now: int = 0, measured: frozenset[Section] = frozenset()) -> Plan:
        """An inspection found this version; every time of modification stands for other bytes."""
        return self.inspect(sighting(file_id, mtime, now, measured))

    def inspect(self, seen: Inspection) -> Plan:
        """Plan an inspection, and apply it."""
        return self.apply(versions.inspect(self.rows, seen), seen)

    def remove(self, moment: int) -> Plan:
        """The object was removed."""
        return self.apply(versions.remove(self.rows, at(moment)))

    def state(self) -> set[tuple]:
        """What does not depend on the order of deliveries."""
        return {(row.file_id, row.mtime, row.is_current, row.deleted_at, row.inspection_count) for row in self.rows}

    def known(self) -> set[tuple]:
        """What is measured, and of which bytes; every row belongs to a row of files, and describes its bytes."""
        owners = {(row.file_id, row.inspection_id): row.etag for row in self.rows}
        for row in self.measured.values():
            assert owners[row.file_id, row.inspection_id] == self.bytes_of[row.row_id]
        sections = [(row.file_id, row.section, self.bytes_of[row.row_id]) for row in self.measured.values()]
        assert len(sections) == len(set(sections))
        return set(sections)

    def current(self) -> Version:
        """The one current row."""
        (row,) = (row for row in self.rows if row.is_current)
        return row


def standings(table: Table) -> list[Standing]:
    """How the rows stand."""
    return [Standing(row.file_id, row.is_current, row.deleted_at) for row in table.rows]


def sighting(file_id: str, mtime: int | None, now: int = 0, measured: frozenset[Section] = frozenset()) -> Inspection:
    """An inspection of bytes that the time of modification tells apart."""
    moment = None if mtime is None else at(mtime)
    return Inspection(file_id, moment, f"i{now}", at(1000 + now), None if mtime is None else str(mtime), None, measured)


def version(
    row_id: int, file_id: str, mtime: datetime | None, is_current: bool, deleted_at: datetime | None, seen: Inspection
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
    table.apply(versions.remove(table.rows, moment))
    assert table.current().deleted_at == moment
    table.see("a", 5)
    assert table.current().deleted_at is None


def test_a_removal_of_nothing_writes_nothing():
    """There is no row to mark."""
    assert versions.remove([], at(1)) == Plan()


measurements = st.frozensets(st.sampled_from([STATS, STRICT, LENIENT]))
events = st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.lists(measurements, min_size=1, max_size=3)), max_size=8)


@given(events, st.randoms(use_true_random=False))
def test_deliveries_in_any_order_end_in_the_same_state(steps, random):
    """Every event delivered several times, shuffled: the same versions, current one, counts and measurements.

    A step is a render of a version (None: a removal), and what each of its deliveries measures.
    """
    deliveries = [(name, 10 * (i + 1), sections) for i, (name, runs) in enumerate(steps) for sections in runs]
    shuffled = random.sample(deliveries, len(deliveries))
    tables = []
    for order in (deliveries, shuffled):
        table = Table()
        for number, (name, moment, sections) in enumerate([("a", 0, frozenset()), *order]):
            if name is None:
                table.remove(moment)
            else:
                table.see(name, moment, number, sections)
        tables.append(table)
    assert tables[0].state() == tables[1].state()
    assert tables[0].known() == tables[1].known()
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
    """One row per version in the lowest row, one current, all inspections counted; healing again changes nothing.

    Whether there is anything to heal is told by three columns.
    """
    table = Table(list(stored))
    assert versions.is_sound(standings(table)) == (versions.heal(table.rows) == Plan())
    table.apply(versions.heal(table.rows))
    assert versions.is_sound(standings(table))
    assert len({row.file_id for row in table.rows}) == len(table.rows)
    assert sum(bool(row.is_current) for row in table.rows) == bool(stored)
    assert sum(row.inspection_count for row in table.rows) == sum(row.inspection_count for row in stored)
    for row in table.rows:
        assert row.row_id == min(other.row_id for other in stored if other.file_id == row.file_id)
    assert versions.heal(table.rows) == Plan()


@given(st.lists(rows, min_size=1, max_size=6, unique_by=lambda row: row.row_id), st.sampled_from("abcd"), st.integers(0, 6))
def test_an_inspection_mends_what_it_finds(stored, file_id, mtime):
    """A leftover does not wait for a repair of its own."""
    table = Table(list(stored), ids=10**7)
    table.see(file_id, mtime)
    assert versions.heal(table.rows) == Plan()


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), measurements), min_size=2, max_size=5),
    st.randoms(use_true_random=False),
)
def test_processes_that_did_not_see_each_other_end_as_if_they_had(inspections, random):
    """Each plans on an empty table; the read-back of the last one leaves what a serial run leaves, measurements included."""
    raced, serial = Table(), Table()
    ordered = [sighting(name, mtime, number, sections) for number, (name, mtime, sections)
               in enumerate(sorted(inspections, key=lambda inspection: inspection[1]))]  # fmt: skip
    for seen in ordered:
        serial.inspect(seen)
    for seen in random.sample(ordered, len(ordered)):
        raced.insert(seen)
    raced.apply(versions.heal(raced.rows))
    assert raced.state() == serial.state()
    assert raced.known() == serial.known()


def test_an_inspection_after_a_race_replaces_what_both_measured():
    """It mends the rows and stores its own measurements in one plan."""
    table = Table()
    for number, mtime in enumerate((1, 2)):
        table.insert(sighting("a", mtime, number, frozenset({STATS, STRICT, LENIENT})))
    table.see("a", 3, 5, frozenset({LENIENT}))
    assert table.known() == {("a", LENIENT, "3")}


@pytest.mark.parametrize("measured", [frozenset(), frozenset({STRICT})])
def test_other_bytes_remove_what_is_not_measured_again(measured):
    """The strict policy has nothing to say about the new bytes, or was not asked."""
    table = Table()
    table.see("a", 2, 0, frozenset({STATS, STRICT}))
    assert table.known() == {("a", STATS, "2"), ("a", STRICT, "2")}
    table.see("a", 3, 1, measured)
    assert table.known() == set()


def test_the_same_bytes_keep_what_is_not_measured_again():
    """And their rows need not be looked at."""
    table = Table()
    table.see("a", 2, 0, frozenset({STATS, STRICT}))
    assert table.see("a", 2, 1).reviews == ()
    table.see("a", 2, 2, frozenset({LENIENT}))
    assert table.known() == {("a", STATS, "2"), ("a", STRICT, "2"), ("a", LENIENT, "2")}


def test_older_bytes_change_no_measurement():
    """Whatever was measured of them describes nothing that is stored."""
    table = Table()
    table.see("a", 4, 0, frozenset({STATS}))
    assert table.see("a", 2, 1, frozenset({STATS, STRICT})).reviews == ()
    assert table.known() == {("a", STATS, "4")}


def test_of_raced_measurements_of_the_same_bytes_the_latest_counts_even_without_rows():
    """A policy that was changed in between finds nothing any more."""
    table = Table()
    for number in (0, 1):
        table.insert(sighting("a", 2, number, frozenset({STRICT})))
    table.claims["i1"], table.measured = frozenset({STRICT}), {0: table.measured[0]}
    table.apply(versions.heal(table.rows))
    assert table.known() == set()


def test_a_row_of_an_inspection_that_the_plan_did_not_see_is_left_alone():
    """Its row of files may have been committed by another process after this one read."""
    review = Review("a", "mine", sources=(), others=("mine",))
    settlement = review.settle([StoredMeasurement(n, STATS, "a", owner) for n, owner in enumerate(("mine", "unseen"))], {})
    assert [row.inspection_id for row in settlement.gone] == ["mine"]
    assert settlement.adopted == ()


ETAGS, TIMES, SIZES = ("x", "x"), (1, 1), (9, 9)


@pytest.mark.parametrize(
    ("etags", "times", "sizes", "same"),
    [
        (ETAGS, TIMES, SIZES, True),
        (("x", "y"), TIMES, SIZES, False),
        (ETAGS, (1, 2), SIZES, False),
        (ETAGS, TIMES, (9, 8), False),
        ((None, None), TIMES, SIZES, True),
        (ETAGS, (None, 1), SIZES, True),
        (ETAGS, TIMES, (None, 9), True),
        ((None, "x"), (1, None), SIZES, False),
        ((None, None), (None, None), SIZES, False),
    ],
)
def test_bytes_are_the_same_where_an_etag_or_a_time_says_so_and_nothing_contradicts(etags, times, sizes, same):
    """A render of the same size is as likely another one: then the statistics are not known."""
    first, second = (
        Inspection("a", None if time is None else at(time), f"i{n}", at(n), etag, size)
        for n, (etag, time, size) in enumerate(zip(etags, times, sizes, strict=True))
    )
    row = replace(version(0, "a", first.mtime, True, None, first), etag=first.etag, size_bytes=first.size_bytes)
    assert (versions.inspect([row], second).reviews == ()) is same


def test_the_keeper_adopts_what_was_observed_last():
    """The lower row stays although the higher one saw the newer file."""
    older, newer = (replace(version(i, "a", at(i), True, None, Inspection("a", at(i), f"i{i}", at(9))), row_id=i) for i in (1, 2))
    (merge,) = versions.heal([newer, older]).merges
    assert (merge.keeper, merge.loser, merge.adopt) == (older, newer, True)


SIGHTINGS = {
    "damaged": {"status": "damaged", "error_code": "chunk_not_decodable", "error_message": "chunk 1 gives no pixels"},
    "not read": {"status": "ok"},
    "read in part": {"status": "ok", "measured": frozenset({STATS})},
    "read whole": {"status": "ok", "measured": frozenset({STATS}), "every_chunk_read": True},
    "cut": {"status": "incomplete", "error_code": "chunks_truncated", "error_message": "the file ends early"},
}


def looked_at(name: str, now: int, mtime: int = 1) -> Inspection:
    """An inspection of the bytes of this time of modification that came to one of `SIGHTINGS`."""
    return replace(sighting("a", mtime, now), **SIGHTINGS[name])


@given(st.lists(st.sampled_from(["damaged", "not read", "read in part", "read whole"]), min_size=1, max_size=6))
def test_damage_stays_until_every_chunk_of_the_same_bytes_was_read(names):
    """Whatever order inspections come in: one that reads no pixel, or some of them, knows nothing better."""
    table = Table()
    for number, name in enumerate(names):
        table.inspect(looked_at(name, number))
    telling = [name for name in names if name in ("damaged", "read whole")]
    row, is_damaged = table.current(), telling[-1:] == ["damaged"]
    assert (row.status, row.error_code) == (("damaged", "chunk_not_decodable") if is_damaged else ("ok", None))
    said = "chunk 1 gives no pixels" + (versions.OTHERS_DAMAGE if names[-1] != "damaged" else "")
    assert row.error_message == (said if is_damaged else None)


@pytest.mark.parametrize("order", [("damaged", "not read"), ("not read", "damaged"), ("read in part", "damaged", "not read")])
def test_damage_that_one_of_racing_inspections_found_stays(order):
    """Each inserted a row; the one that stays is damaged, whichever that is."""
    table = Table()
    for number, name in enumerate(order):
        table.insert(looked_at(name, number))
    table.apply(versions.heal(table.rows))
    (row,) = table.rows
    assert (row.status, row.error_code) == ("damaged", "chunk_not_decodable")
    assert row.error_message == "chunk 1 gives no pixels" + (versions.OTHERS_DAMAGE if order[-1] != "damaged" else "")


def test_damage_of_other_bytes_is_forgotten():
    """They were rendered again, or are older than those that were found damaged."""
    table = Table()
    table.inspect(looked_at("damaged", 0, mtime=2))
    table.inspect(looked_at("not read", 1, mtime=1))
    assert table.current().status == "damaged"
    table.inspect(looked_at("not read", 2, mtime=3))
    assert (table.current().status, table.current().error_message) == ("ok", None)


def test_what_is_worse_than_damage_is_said():
    """A cut that only a later inspection saw."""
    table = Table()
    table.inspect(looked_at("damaged", 0))
    table.inspect(looked_at("cut", 1))
    assert (table.current().status, table.current().error_code) == ("incomplete", "chunks_truncated")
