"""Any interleaving of transactions behaves as a model of snapshot isolation with first-writer-wins conflicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from local_vast.catalogue import ROW_ID, TableEntry
from local_vast.errors import VastError
from local_vast.store import TableStore
from local_vast.transactions import OpenTransaction

COLUMNS = pa.schema([("a", pa.int64()), ("b", pa.int64())])
MOST = 3
Row = tuple[int, int]


@dataclass(eq=False)
class Open:
    """A transaction beside its model: what it sees, saw at first, wrote and inserted, and how many commits it began after.

    It may have written to a row that it does not see: that blocks others, and changes nothing.
    """

    tx: OpenTransaction
    table: TableEntry
    rows: dict[int, Row]
    known: set[int]
    started: int
    written: set[int] = field(default_factory=set)
    inserted: set[int] = field(default_factory=set)


def may_begin(model: Interleavings) -> bool:
    return len(model.open) < MOST


def has_open(model: Interleavings) -> bool:
    return bool(model.open)


class Interleavings(RuleBasedStateMachine):
    """Up to three open transactions on one table."""

    store: ClassVar[TableStore]

    @initialize()
    def empty(self) -> None:
        """A table without rows."""
        self.store.clear()
        with self.store.transaction(0) as tx:
            schema = self.store.catalogue.create_schema(tx, "b", "s", "")
            self.store.catalogue.create_table(tx, schema, "t", COLUMNS)
        self.committed: dict[int, Row] = {}
        self.history: list[set[int]] = []
        self.open: list[Open] = []
        self.next_id = 0

    def some(self, number: int) -> Open:
        return self.open[number % len(self.open)]

    @precondition(may_begin)
    @rule()
    def begin(self) -> None:
        tx = self.store.transactions.begin()
        table = self.store.catalogue.table(tx, "b", "s", "t")
        self.open.append(Open(tx, table, dict(self.committed), set(self.committed), len(self.history)))

    @precondition(has_open)
    @rule(number=st.integers(0, 5), value=st.integers(-9, 9))
    def insert(self, number: int, value: int) -> None:
        """Never conflicts; the id is the next one, whatever became of the earlier ones."""
        one = self.some(number)
        ids = self.store.rows.insert(one.tx, one.table, pa.record_batch([[value], [value]], schema=COLUMNS))
        assert ids.to_pylist() == [self.next_id]
        one.rows[self.next_id] = (value, value)
        one.inserted.add(self.next_id)
        self.next_id += 1

    @precondition(has_open)
    @rule(number=st.integers(0, 5), row=st.integers(0, 7), column=st.sampled_from("ab"), value=st.integers(10, 99))
    def update(self, number: int, row: int, column: str, value: int) -> None:
        """Either column of a row."""
        one = self.some(number)
        batch = pa.record_batch([pa.array([row], pa.uint64()), pa.array([value])], names=[ROW_ID, column])
        if self.conflicts(one, row):
            with pytest.raises(VastError, match="concurrent transaction"):
                self.store.rows.update(one.tx, one.table, batch)
            return
        self.store.rows.update(one.tx, one.table, batch)
        if row in one.rows:
            a, b = one.rows[row]
            one.rows[row] = (value, b) if column == "a" else (a, value)

    @precondition(has_open)
    @rule(number=st.integers(0, 5), row=st.integers(0, 7))
    def delete(self, number: int, row: int) -> None:
        one = self.some(number)
        batch = pa.record_batch([pa.array([row], pa.uint64())], names=[ROW_ID])
        if self.conflicts(one, row):
            with pytest.raises(VastError, match="concurrent transaction"):
                self.store.rows.delete(one.tx, one.table, batch)
            return
        self.store.rows.delete(one.tx, one.table, batch)
        one.rows.pop(row, None)

    def conflicts(self, one: Open, row: int) -> bool:
        """Whether another transaction wrote the row; where none did, this one has it from now on. Its own rows are its own."""
        if row in one.inserted:
            return False
        others = [other.written for other in self.open if other is not one] + self.history[one.started :]
        if any(row in written for written in others):
            return True
        one.written.add(row)
        return False

    @precondition(has_open)
    @rule(number=st.integers(0, 5))
    def commit(self, number: int) -> None:
        """What it wrote and inserted takes the place of what is committed; the rest stays."""
        one = self.some(number)
        self.store.transactions.commit(one.tx.id)
        self.open.remove(one)
        for row in one.written & one.known | one.inserted:
            self.committed.pop(row, None)
            if row in one.rows:
                self.committed[row] = one.rows[row]
        self.history.append(one.written)

    @precondition(has_open)
    @rule(number=st.integers(0, 5))
    def roll_back(self, number: int) -> None:
        one = self.some(number)
        self.store.transactions.rollback(one.tx.id)
        self.open.remove(one)

    @invariant()
    def everybody_sees_their_own(self) -> None:
        """Each open transaction its own rows, and a new one what is committed."""
        if not hasattr(self, "open"):
            return
        for one in self.open:
            assert self.seen(one.tx, one.table) == one.rows
        with self.store.transaction(0) as tx:
            assert self.seen(tx, self.store.catalogue.table(tx, "b", "s", "t")) == self.committed

    @staticmethod
    def seen(tx: OpenTransaction, table: TableEntry) -> dict[int, Row]:
        return {row: (a, b) for row, a, b in tx.rows(f'SELECT "{ROW_ID}", c0, c1 FROM {table.physical}')}

    def teardown(self) -> None:
        for one in getattr(self, "open", []):
            self.store.transactions.rollback(one.tx.id)


def test_interleavings_behave_as_the_model() -> None:
    """What each transaction sees, which writes are refused, and what is there in the end."""
    store = TableStore(lambda _: True, cell_limit=1000)
    machine = type("Machine", (Interleavings,), {"store": store})
    machine.TestCase.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
    machine.TestCase("runTest").runTest()
    store.close()
