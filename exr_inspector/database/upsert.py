"""The upsert: files in one transaction, tried again where that can help, and read back so that races between processes end well.

A transaction reads the paths' rows, plans (`versions`), inserts, updates. In one process a lock per path serialises. Processes
race, because the database offers neither unique keys nor locks: after the commit the paths are read back, and whichever commits
last sees what the others wrote and mends it. A commit without a clear answer is settled by reading which inspections are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import pyarrow as pa

from exr_inspector.database.rows import FileRows, Row, Stamp, new_stamp, sections_of_stored, to_batches
from exr_inspector.database.rulings import CommitLost, Transient
from exr_inspector.database.session import ROW_ID, HeldPaths, Ledger, Store, Work
from exr_inspector.database.tables import ensure_tables
from exr_inspector.database.versions import (
    COLUMNS,
    Inspection,
    Merge,
    Plan,
    Review,
    Section,
    Settlement,
    Standing,
    StoredMeasurement,
    Version,
    heal,
    inspect,
    is_sound,
    remove,
)
from exr_inspector.errors import CommitUnknown, InspectorError, VASTDatabaseError
from exr_inspector.retry import repeat
from vast_schemas import CHILD_TABLES, FILES, FILES_SCHEMA, TABLES, Role, schema_for

ATTEMPTS = 8
_LONGEST_WAIT = 2.0
_JOINS = 2
# A database that lets every request run into its timeout does not keep a handler thread longer than this and one attempt.
_LONGEST_TIME = 60.0
_PATH = "file_path_normalized"
_READ = (_PATH, *COLUMNS)
_AUDITED = tuple(name for name in COLUMNS if name not in ("file_id", "inspection_id"))
OBSERVED = tuple(column.name for column in FILES.columns if column.role is Role.OBSERVED and column.name not in _AUDITED)
MEASURED = tuple(table for table in TABLES.values() if table.replaced)
_DESCRIBED = tuple(name for name in CHILD_TABLES if name not in {table.name for table in MEASURED})

_NOTHING: Mapping[Any, Row] = MappingProxyType({})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What became of one file: whether it was inserted, how many versions it superseded, and how often it has been inspected."""

    file_id: str
    inserted: bool
    superseded: int
    inspection_count: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class Removal:
    """That the object at `path` was removed at `removed_at` (naive UTC)."""

    path: str
    removed_at: datetime


@dataclass(frozen=True, slots=True)
class MarkedRemoval:
    """The version that is marked as removed; None where nothing is stored of the path, or it was modified after the removal."""

    file_id: str | None


Change = FileRows | Removal
Outcome = StoredFile | MarkedRemoval


@dataclass(frozen=True, slots=True)
class _Step:
    """One file on its way: its rows, the stamp of this attempt, and the plan that follows from what is stored."""

    rows: FileRows
    stamp: Stamp
    plan: Plan

    @property
    def outcome(self) -> StoredFile:
        current = self.plan.is_current
        inserted = self.plan.existing is None
        return StoredFile(self.rows.file_id, inserted, self.plan.superseded, self.plan.inspection_count, current)


class Turns:
    """What others do at the turns of a transaction that holds their changes as well: nothing, where there are none."""

    def join(self, held: HeldPaths) -> list[Change]:
        """More changes for it, now that it is begun and nothing is written, each of another path, which is `held` then."""
        return []

    def reads_back(self) -> bool:
        """Whether one of those who joined wants the paths to be read back."""
        return False

    def hand_over(self) -> None:
        """The next transaction can begin: all is written and about to be committed, or something went wrong that takes time."""

    def answer(self, outcomes: Sequence[Outcome], ledger: Ledger) -> None:
        """What became of the changes is settled; what is left to do is to end a transaction that has only read."""


ALONE = Turns()


def store_changes(
    store: Store, changes: list[Change], ledger: Ledger, *, read_back: bool = True, turns: Turns = ALONE
) -> list[Outcome]:
    """Store inspected files and removals, each of another path, in one transaction. Outcomes stand in the order of the changes.

    Changes that join are appended to `changes`. Raises Transient or CommitUnknown when every attempt failed, VASTDatabaseError
    for what an operator has to mend, SchemaDrift, and Reject for what the server refuses.
    """
    with store.paths.hold([change.path for change in changes]) as held:
        outcomes = _repeat(_write, store, changes, ledger, held, turns)
        paths = [change.path for change, outcome in zip(changes, outcomes, strict=True) if outcome.file_id is not None]
        if paths and (read_back or turns.reads_back()):
            _repeat(_mend, store, paths, ledger, partial(turns.answer, outcomes, ledger))
    return outcomes


def mend(store: Store, paths: Sequence[str], ledger: Ledger) -> None:
    """Repair what racing processes or manual edits left behind in `files`: duplicates, several current versions, or none."""
    with store.paths.hold(paths):
        _repeat(_mend, store, paths, ledger, _tell_nobody)


def _tell_nobody() -> None:
    """Where nobody waits for what became of the paths but the caller."""


def _repeat(action: Callable[..., T], *arguments: object) -> T:
    """Run until it meets no passing condition."""
    passing = (Transient, CommitLost)
    return repeat(action, *arguments, errors=passing, attempts=ATTEMPTS, longest_wait=_LONGEST_WAIT, longest_time=_LONGEST_TIME)


def _write(store: Store, changes: list[Change], ledger: Ledger, held: HeldPaths, turns: Turns) -> list[Outcome]:
    ledger.attempts += 1
    tables = ensure_tables(store, ledger)
    steps: list[_Step] = []
    try:
        with store.transaction(ledger, tables) as work:
            by_path = _read_joined(work, changes, held, turns)
            steps += [_plan_step(change, by_path[change.path]) for change in changes if isinstance(change, FileRows)]
            marks = {
                change.path: remove(by_path[change.path], change.removed_at) for change in changes if isinstance(change, Removal)
            }
            _apply_steps(work, steps, list(marks.values()))
            turns.hand_over()
    except CommitLost as lost:
        _resolve_commit(store, steps, ledger, lost)
    finally:
        turns.hand_over()
    outcomes: dict[str, Outcome] = {step.rows.path: step.outcome for step in steps}
    for path, plan in marks.items():
        outcomes[path] = MarkedRemoval(plan.existing.file_id if plan.existing else None)
    return [outcomes[change.path] for change in changes]


def _read_joined(work: Work, changes: list[Change], held: HeldPaths, turns: Turns) -> dict[str, list[Version]]:
    """What is stored of the paths, with those of the changes that join: now, and once more what arrived while that was read.

    Whoever joins late costs the others one statement, and saves itself a transaction of its own.
    """
    by_path: dict[str, list[Version]] = {}
    for _ in range(_JOINS):
        changes += turns.join(held)
        unread = [change.path for change in changes if change.path not in by_path]
        by_path |= _versions(work, unread) if unread else {}
    return by_path


def _plan_step(file: FileRows, stored: list[Version]) -> _Step:
    row, stamp = file.file, new_stamp()
    seen = Inspection(
        file.file_id, file.mtime, stamp.inspection_id, stamp.now, row["etag"], row["size_bytes"], file.measured,
        row["status"], row["error_code"], row["error_message"], file.every_chunk_read,
    )  # fmt: skip
    plan = inspect(stored, seen)
    return _Step(file, replace(stamp, is_current=plan.is_current, deleted_at=plan.deleted_at), plan)


def _resolve_commit(store: Store, steps: Sequence[_Step], ledger: Ledger, lost: CommitLost) -> None:
    """Find out whether a transaction took effect: it did when any row names one of its inspections.

    Raises Transient where it did not, also where it held removals alone, which can be repeated; CommitUnknown where the tables
    cannot be read.
    """
    try:
        by_path = _repeat(_read, store, [step.rows.path for step in steps], ledger) if steps else {}
    except VASTDatabaseError as error:
        raise CommitUnknown(f"{lost.message}; and reading back failed: {error.message}") from error
    ours = {step.stamp.inspection_id for step in steps}
    rows = [row for versions in by_path.values() for row in versions]
    if ours.isdisjoint(name for row in rows for name in (row.inspection_id, row.last_inspection_id)):
        raise Transient(f"{lost.message}; it did not take effect", code="commit_lost") from lost


def _read(store: Store, paths: Sequence[str], ledger: Ledger) -> dict[str, list[Version]]:
    with store.transaction(ledger, ensure_tables(store, ledger)) as work:
        return _versions(work, paths)


def _mend(store: Store, paths: Sequence[str], ledger: Ledger, answer: Callable[[], None]) -> None:
    """Read the paths back, and mend what racing processes left; `answer` as soon as it is known that they left nothing.

    How a transaction ends that has read, and has nothing to write, changes nothing about what was read.
    """
    is_settled = False
    try:
        with store.transaction(ledger, ensure_tables(store, ledger)) as work:
            raced = [path for path, standings in _standings(work, paths).items() if not is_sound(standings)]
            if raced:
                _apply(work, [heal(versions) for versions in _versions(work, raced).values()])
            else:
                is_settled = True
                answer()
    except InspectorError:
        if not is_settled:
            raise


def _versions(work: Work, paths: Sequence[str]) -> dict[str, list[Version]]:
    """The stored versions of each path, one statement for all."""
    by_path: dict[str, list[Version]] = {path: [] for path in paths}
    rows = work.select("files", _READ, _PATH, paths)
    for row in rows.to_pylist() if rows.num_rows else ():
        by_path[row.pop(_PATH)].append(Version(row_id=row.pop(ROW_ID), **row))
    return by_path


def _standings(work: Work, paths: Sequence[str]) -> dict[str, list[Standing]]:
    """How the stored versions of each path stand, in few columns: each costs the client time, and nearly all paths are sound."""
    by_path: dict[str, list[Standing]] = {path: [] for path in paths}
    rows = work.select("files", (_PATH, *Standing._fields), _PATH, paths)
    for path, *standing in zip(*(rows[name].to_pylist() for name in (_PATH, *Standing._fields)), strict=True):
        by_path[path].append(Standing(*standing))
    return by_path


def _apply_steps(work: Work, steps: Sequence[_Step], marks: Sequence[Plan]) -> None:
    """Insert new versions into every table; refresh, replace and settle the others; mark what was removed."""
    new = [(step.rows, step.stamp) for step in steps if step.plan.existing is None]
    if new:
        work.insert_batches(to_batches(new))
    refreshed = [(step, step.plan.existing) for step in steps if step.plan.refresh]
    _apply(work, [*(step.plan for step in steps), *marks], {row.row_id: step.rows.file for step, row in refreshed if row})
    measured = [(step.rows, replace(step.stamp, inspection_id=row.inspection_id)) for step, row in refreshed if row]
    if any(rows.measured for rows, _ in measured):
        work.insert_batches(to_batches(measured, [table.name for table in MEASURED]))


def _settle_measurements(work: Work, reviews: Sequence[Review]) -> None:
    """Delete statistics and findings that are not of the bytes that `files` describes from now on; hand over what stays."""
    if not reviews:
        return
    claims = _claims(work, reviews)
    for table in MEASURED:
        concerned = [review for review in reviews if review.concerns(table.name)]
        rows = _measurements(work, table.name, table.replaced_by, [review.file_id for review in concerned])
        settled = [review.settle(rows[review.file_id], claims) for review in concerned]
        work.delete(table.name, [row.row_id for settlement in settled for row in settlement.gone])
        _hand_over(work, table.name, list(zip(concerned, settled, strict=True)))


def _measurements(work: Work, table: str, policy: str | None, file_ids: Sequence[str]) -> dict[str, list[StoredMeasurement]]:
    """The stored rows of a table, by file_id."""
    by_file: dict[str, list[StoredMeasurement]] = {file_id: [] for file_id in file_ids}
    columns = ("file_id", "inspection_id", *((policy,) if policy else ()))
    for row in work.select(table, columns, "file_id", file_ids).to_pylist() if file_ids else ():
        section = (table, row[policy] if policy else None)
        by_file[row["file_id"]].append(StoredMeasurement(row[ROW_ID], section, row["file_id"], row["inspection_id"]))
    return by_file


def _claims(work: Work, reviews: Sequence[Review]) -> dict[str, frozenset[Section]]:
    """What inspections of the same bytes measured, as their rows of `files` say, where several of them raced."""
    raced = [source for review in reviews if len(review.sources) > 1 for source in review.sources]
    if not raced:
        return {}
    rows = work.select("files", ("inspection_id", "raw_output"), "inspection_id", raced).to_pylist()
    return {row["inspection_id"]: sections_of_stored(row["raw_output"]) for row in rows}


def _hand_over(work: Work, table: str, settled: Sequence[tuple[Review, Settlement]]) -> None:
    """Let measurements of merged rows carry the inspection of the row that stays."""
    adopted = [(row.row_id, review.owner) for review, settlement in settled for row in settlement.adopted]
    if adopted:
        schema = pa.schema([schema_for(table).field("inspection_id")])
        work.update(table, [row_id for row_id, _ in adopted], pa.table([[owner for _, owner in adopted]], schema=schema))


def _apply(work: Work, plans: Sequence[Plan], observed: Mapping[Any, Row] = _NOTHING) -> None:
    """Settle measurements, merge duplicates, then set the audit columns of changed rows; with what was `observed`, by row."""
    _settle_measurements(work, [review for plan in plans for review in plan.reviews])
    merges = [merge for plan in plans for merge in plan.merges]
    if merges:
        _merge(work, merges)
    changes = [change for plan in plans for change in plan.changes]
    _update(work, [(row, observed[row.row_id]) for row in changes if row.row_id in observed], (*OBSERVED, *_AUDITED))
    _update(work, [(row, {}) for row in changes if row.row_id not in observed], _AUDITED)


def _update(work: Work, rows: Sequence[tuple[Version, Mapping[str, Any]]], columns: Sequence[str]) -> None:
    """Set these columns: audit columns from the version, the others from what goes with it."""
    if not rows:
        return
    schema = pa.schema([FILES_SCHEMA.field(name) for name in columns])
    values = [[getattr(row, name) if name in _AUDITED else observed.get(name) for row, observed in rows] for name in columns]
    arrays = [pa.array(column, type=field.type) for column, field in zip(values, schema, strict=True)]
    work.update("files", [row.row_id for row, _ in rows], pa.Table.from_arrays(arrays, schema=schema))


def _merge(work: Work, merges: Sequence[Merge]) -> None:
    """Remove the losing rows of files and the rows that describe them; let the keepers adopt what was observed last."""
    adopted = {merge.loser.row_id: merge.keeper for merge in merges if merge.adopt}
    if adopted:
        inspections = [merge.loser.inspection_id for merge in merges if merge.adopt]
        newest = work.select("files", OBSERVED, "inspection_id", inspections).to_pylist()
        rows = [(adopted[row[ROW_ID]], row) for row in newest if row[ROW_ID] in adopted]
        _update(work, rows, OBSERVED)
    work.delete("files", [merge.loser.row_id for merge in merges])
    # Rows that carry the keeper's own inspection_id cannot be told apart, and stay.
    lost = [merge.loser.inspection_id for merge in merges if merge.loser.inspection_id != merge.keeper.inspection_id]
    for table in _DESCRIBED if lost else ():
        work.delete(table, work.select(table, ("file_id",), "inspection_id", lost)[ROW_ID].to_pylist())
