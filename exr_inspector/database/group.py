"""Group commit: changes that arrive while a transaction of this process is under way are stored together in the next one.

The first to arrive leads: it stores what waits, itself included, and hands over to the first that arrived meanwhile as soon as
its own transaction has been committed, so that one group is read back while the next is written. Nobody waits for company: a
change that arrives alone is stored at once, as it would be without groups.

What a change can count on stays what it is without groups. Of one path a transaction holds one version, in the order of arrival.
What the server refuses is found by halving and fails alone; what the surroundings cause is raised by each change of the group.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import NamedTuple

from exr_inspector.database.rows import FileRows
from exr_inspector.database.session import Ledger, Store
from exr_inspector.database.upsert import Change, Outcome, do_nothing, store_changes
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
            self._lead(store)
        return waiting.settled.result()

    def _lead(self, store: Store) -> None:
        """Store the first that wait, and wake them; let the next lead as soon as these are committed."""
        members = self._take()
        with ExitStack() as at_end:
            at_end.callback(_settle, members, ())
            handing_over = at_end.enter_context(ExitStack())
            handing_over.callback(self._hand_over)
            read_back = any(member.read_back for member in members)
            changes = [member.change for member in members]
            _settle(members, store_apart(store, changes, read_back=read_back, committed=handing_over.close))

    def _take(self) -> list[_Waiting]:
        """The first that wait, each of another path, as many as fit; of one path, later ones stay."""
        members: dict[str, _Waiting] = {}
        left: deque[_Waiting] = deque()
        size = 0
        with self._guard:
            for waiting in self._queue:
                fits = not members or (len(members) < self._largest and size + waiting.size <= MAX_BYTES)
                if fits and waiting.change.path not in members:
                    members[waiting.change.path] = waiting
                    size += waiting.size
                else:
                    left.append(waiting)
            self._queue = left
        return list(members.values())

    def _hand_over(self) -> None:
        with self._guard:
            self.is_led = bool(self._queue)
            if self._queue:
                self._queue[0].woken.set()


def _settle(members: Sequence[_Waiting], settled: Sequence[Settled]) -> None:
    """Wake the members with what became of them. Whoever is left without an answer was broken off with the thread that led."""
    broken_off = Settled(Retry("the transaction that stored it with others was broken off", code="internal_error"), Ledger())
    for member, answer in zip(members, settled or [broken_off] * len(members), strict=True):
        if not member.settled.done():
            member.settled.set_result(answer)
            member.woken.set()


def store_apart(
    store: Store, changes: Sequence[Change], *, read_back: bool, committed: Callable[[], None] = do_nothing
) -> list[Settled]:
    """Store changes, each of another path, in one transaction; where the server refuses it, in halves, down to what it refuses.

    What the surroundings cause is the answer of each. `committed` is called after the commit of all.
    """
    ledger = Ledger(files=len(changes))
    try:
        outcomes = store_changes(store, changes, ledger, read_back=read_back, committed=committed)
    except InspectorError as error:
        if len(changes) == 1 or not isinstance(error, Reject) or error.code != "database_refused":
            return [Settled(error, ledger) for _ in changes]
        half = len(changes) // 2
        return [one for part in (changes[:half], changes[half:]) for one in store_apart(store, part, read_back=read_back)]
    finally:
        store.ledgers.append(ledger)
    return [Settled(outcome, ledger) for outcome in outcomes]
