"""Group commit: changes that arrive while a transaction of this process is under way are stored together in the next one.

The first to arrive leads: it begins a transaction and stores in it what waits by then, itself included, and what arrives while
the database is asked what it has of those. As soon as all is written it hands over to the first that arrived meanwhile, so that
the next transaction begins while this one is committed and read back, or tries again what did not succeed.
Nobody waits for company: a change that arrives alone is stored at once, as it would be without groups.

What a change can count on stays what it is without groups. Of one path a transaction holds one version, in the order of arrival.
What the server refuses is found by halving and fails alone; what the surroundings cause is raised by each change of the group.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

from exr_inspector.database.rows import FileRows
from exr_inspector.database.session import HeldPaths, Ledger, Store
from exr_inspector.database.upsert import ALONE, Change, Outcome, Turns, store_changes
from exr_inspector.errors import InspectorError, Reject, Retry

MAX_BYTES = 16_000_000
"""Bytes of payloads in one group: rows of a group stand in memory several times over."""


class Settled(NamedTuple):
    """What became of a change, or why it was not stored, and what the transaction that held it has cost."""

    outcome: Outcome | InspectorError
    ledger: Ledger


@dataclass(eq=False, slots=True)
class _Waiting:
    """A change, what becomes of it, and the sign that this is known or that it is its turn to lead."""

    change: Change
    read_back: bool
    settled: Future[Settled] = field(default_factory=Future)
    woken: threading.Event = field(default_factory=threading.Event)

    @property
    def size(self) -> int:
        return len(self.change.file["raw_output"] or "") if isinstance(self.change, FileRows) else 0


class Group:
    """The changes that wait for a transaction of one store; at most `largest` go into one. With 1, nothing is grouped."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._guard = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self.is_led = False
        """Whether somebody stores what waits."""

    @property
    def waiting(self) -> int:
        """How many changes wait for a transaction."""
        return len(self._queue)

    def store(self, store: Store, change: Change, *, read_back: bool) -> Settled:
        """Store one change, alone or with others."""
        if self._largest == 1:
            return store_apart(store, [change], read_back=read_back)[0]
        waiting = _Waiting(change, read_back)
        with self._guard:
            self._queue.append(waiting)
            leads, self.is_led = not self.is_led, True
        if not leads:
            waiting.woken.wait()
        if not waiting.settled.done():
            with _Lead(self) as lead:
                lead.store(store)
        return waiting.settled.result()

    def take(self, members: list[_Waiting], hold: Callable[[str], bool]) -> list[_Waiting]:
        """The first that wait, as many as fit beside `members`, each of another path; of one path, later ones stay."""
        taken: list[_Waiting] = []
        left: deque[_Waiting] = deque()
        seen = {member.change.path for member in members}
        with self._guard:
            for waiting in self._queue:
                path = waiting.change.path
                if path not in seen and self._fits([*members, *taken], waiting) and hold(path):
                    taken.append(waiting)
                else:
                    left.append(waiting)
                seen.add(path)
            self._queue = left
        return taken

    def _fits(self, members: Sequence[_Waiting], waiting: _Waiting) -> bool:
        size = sum(member.size for member in members)
        return not members or (len(members) < self._largest and size + waiting.size <= MAX_BYTES)

    def hand_over(self) -> None:
        """Let the first that waits lead."""
        with self._guard:
            self.is_led = bool(self._queue)
            if self._queue:
                self._queue[0].woken.set()


def _hold_later(_: str) -> bool:
    """Paths that are to be held before the transaction begins, however long that takes."""
    return True


class _Lead(Turns):
    """One transaction of a group: who is in it, and whether the next one may begin."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._members = group.take([], _hold_later)
        self._leads = True

    def __enter__(self) -> _Lead:
        return self

    def __exit__(self, *_: object) -> None:
        """Whoever is left without an answer was broken off with the thread that led."""
        self.hand_over()
        if not all(member.settled.done() for member in self._members):
            broken_off = Retry("the transaction that stored it with others was broken off", code="internal_error")
            self._settle([Settled(broken_off, Ledger()) for _ in self._members])

    def store(self, store: Store) -> None:
        """Store what the members bring."""
        changes = [member.change for member in self._members]
        self._settle(store_apart(store, changes, read_back=self.reads_back(), turns=self))

    def join(self, held: HeldPaths) -> list[Change]:
        """What has arrived so far; nothing more once another thread leads."""
        joining = self._group.take(self._members, held.add) if self._leads else []
        self._members += joining
        return [member.change for member in joining]

    def reads_back(self) -> bool:
        """Whether one of the members wants it."""
        return any(member.read_back for member in self._members)

    def hand_over(self) -> None:
        """Once."""
        if self._leads:
            self._leads = False
            self._group.hand_over()

    def answer(self, outcomes: Sequence[Outcome], ledger: Ledger) -> None:
        """Nobody waits for the end of a transaction that has only read but the thread that leads."""
        self._settle([Settled(outcome, ledger) for outcome in outcomes])

    def _settle(self, answers: Sequence[Settled]) -> None:
        for member, answer in zip(self._members, answers, strict=True):
            if not member.settled.done():
                member.settled.set_result(answer)
                member.woken.set()


def store_apart(store: Store, changes: list[Change], *, read_back: bool, turns: Turns = ALONE) -> list[Settled]:
    """Store changes, each of another path, in one transaction; where the server refuses it, in halves, down to what it refuses.

    What the surroundings cause is the answer of each. Changes that join are appended to `changes`.
    """
    ledger = Ledger()
    try:
        outcomes = store_changes(store, changes, ledger, read_back=read_back, turns=turns)
    except InspectorError as error:
        if len(changes) == 1 or not isinstance(error, Reject) or error.code != "database_refused":
            return [Settled(error, ledger) for _ in changes]
        half, read_back = len(changes) // 2, read_back or turns.reads_back()
        return [one for part in (changes[:half], changes[half:]) for one in store_apart(store, part, read_back=read_back)]
    finally:
        ledger.files = len(changes)
        store.ledgers.append(ledger)
    return [Settled(outcome, ledger) for outcome in outcomes]
