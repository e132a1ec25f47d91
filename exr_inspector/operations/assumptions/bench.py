"""What trials work with: two sessions as two containers have them, a schema of their own, and its tables."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from exr_inspector.database.persist import open_store
from exr_inspector.database.rulings import as_inspector_error
from exr_inspector.database.session import ROW_ID, Ledger, Store, Work, translate_errors
from exr_inspector.errors import InspectorError, VASTDatabaseError
from exr_inspector.settings import Settings
from vast_schemas import VectorIndex

TESTED = "asserted by the vendor's code or tests"
SEEN = "seen on a cluster, according to public notes"
SAID = "stated by the vendor's documents or staff"
INFERRED = "inferred from what is public"
UNKNOWN = "nothing public found"

IDLE_SECONDS = 2.0
PLAIN, OTHER, INDEXED = "plain", "other", "indexed"
WIDTH = 4
VECTOR = pa.list_(pa.field("item", pa.float32(), nullable=False), WIDTH)
COLUMNS = pa.schema(
    [
        pa.field("id", pa.utf8()),
        pa.field("number", pa.int64()),
        pa.field("real", pa.float64()),
        pa.field("flag", pa.bool_()),
        pa.field("at", pa.timestamp("us")),
        pa.field("vector", VECTOR),
    ]
)
Row = dict[str, Any]


class Broken(Exception):
    """An assumption does not hold; the message is what was seen."""


class Untried(Exception):
    """An assumption cannot be tried here; the message says why, and how it can be."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """`statement` is what is assumed, `source` where it is known from and `sure` how well, `depends` what needs it."""

    name: str
    area: str
    statement: str
    source: str
    sure: str
    depends: str
    trial: Callable[[Bench], str]


Trial = Callable[["Bench"], str]


def area(name: str) -> tuple[list[Assumption], Callable[..., Callable[[Trial], Trial]]]:
    """A list of trials, and the decorator that adds one; what is assumed is the trial's docstring."""
    trials: list[Assumption] = []

    def assumption(source: str, sure: str, depends: str) -> Callable[[Trial], Trial]:
        def add(trial: Trial) -> Trial:
            statement = " ".join((trial.__doc__ or "").split())
            called = trial.__name__.replace("_", "-")
            trials.append(Assumption(called, name, statement, source, sure, depends, trial))
            return trial

        return add

    return trials, assumption


def expect(condition: bool, seen: str) -> None:
    """Raise Broken with what was seen, unless the condition is true."""
    if not condition:
        raise Broken(seen)


@dataclass(slots=True)
class Transaction:
    """An open transaction that a trial ends when it wants to."""

    work: Work
    txid: int
    ended: bool = False

    def commit(self) -> None:
        """End it with a commit."""
        self.ended = True
        self.work.__exit__(None, None, None)

    def roll_back(self) -> None:
        """End it without, also where it has ended already."""
        self.ended = True
        self.work.store.roll_back(self.txid)


@dataclass
class Bench:
    """Two stores on one schema; `objects_at`, `event` and `idle` as `try_all` has them."""

    settings: Settings
    store: Store
    other: Store
    objects_at: str | None = None
    event: Path | None = None
    idle: float = IDLE_SECONDS
    loaded: dict[str, Any] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def version(self) -> tuple[int, ...]:
        """The server's."""
        version: tuple[int, ...] = self.store.session.features.vast_version
        return version

    def key(self) -> str:
        """An id that no other trial uses."""
        return f"row-{next(self.numbers)}"

    @contextmanager
    def transaction(self, *, second: bool = False) -> Iterator[Transaction]:
        """A transaction of the one session or of the other; rolled back at the end of the block where it is still open."""
        work = (self.other if second else self.store).transaction(Ledger(), self.loaded)
        work.__enter__()
        opened = Transaction(work, work.txid)
        try:
            with translate_errors(work.store.translate):
                yield opened
        finally:
            if not opened.ended:
                with suppress(InspectorError):
                    opened.roll_back()

    def put(self, *rows: Row, table: str = PLAIN) -> None:
        """Insert rows and commit."""
        with self.transaction() as one:
            insert(one.work, *rows, table=table)
            one.commit()

    def get(self, *ids: str, table: str = PLAIN, second: bool = False) -> list[Row]:
        """The rows with these ids, with their `$row_id`, as a new transaction sees them."""
        with self.transaction(second=second) as one:
            return read(one.work, *ids, table=table)


def insert(work: Work, *rows: Row, table: str = PLAIN) -> None:
    """Insert rows, of which what is not given is NULL."""
    work.insert({table: pa.Table.from_pylist(list(rows), schema=COLUMNS)})


def read(work: Work, *ids: str, table: str = PLAIN) -> list[Row]:
    """The rows with these ids, by `$row_id`."""
    rows: list[Row] = work.select(table, COLUMNS.names, "id", list(ids)).to_pylist()
    return sorted(rows, key=lambda row: int(row[ROW_ID]))


def numbers(rows: Sequence[Row]) -> list[int | None]:
    """The column `number`."""
    return [row["number"] for row in rows]


def set_number(work: Work, row: Row, number: int) -> None:
    """Update one row by its `$row_id`."""
    work.update(PLAIN, [row[ROW_ID]], pa.table({"number": pa.array([number], pa.int64())}))


def refusal_of(action: Callable[..., object], *arguments: Any, **options: Any) -> InspectorError | None:
    """The error that the action ends in; None where it does not."""
    try:
        with translate_errors(partial(as_inspector_error, place="the endpoint")):
            action(*arguments, **options)
    except InspectorError as error:
        return error
    return None


@contextmanager
def open_bench(
    settings: Settings, objects_at: str | None = None, event: Path | None = None, idle: float = IDLE_SECONDS
) -> Iterator[Bench]:
    """A bench with a schema of its own, which goes at the end with all that is in it."""
    own = replace(settings, db_schema=f"assumptions_{secrets.token_hex(4)}")
    bench = Bench(own, open_store(own), open_store(own), objects_at, event, idle)
    try:
        _make_tables(bench)
        yield bench
    finally:
        _remove(bench)


def _make_tables(bench: Bench) -> None:
    index = VectorIndex("vector", "l2sq")
    with bench.store.transaction(Ledger()) as work:
        work.create({PLAIN: (COLUMNS, None), OTHER: (COLUMNS, None), INDEXED: (COLUMNS, index)})
    with bench.store.transaction(Ledger()) as work:
        bench.loaded.update(work.load_all((PLAIN, OTHER, INDEXED)))


def _remove(bench: Bench) -> None:
    with suppress(VASTDatabaseError), bench.store.transaction(Ledger()) as work:
        work.drop_schema()
