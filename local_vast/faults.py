"""Faults that can be switched on: what goes wrong, where, how often.

A specification reads `WHAT@WHERE[+SKIP][*TIMES]`: `409@commit` (once), `503@insert*3`, `reset@any+6` (the seventh request),
`409@update**` (every time), `latency=20@query**`.

| WHAT | effect |
|---|---|
| a number, 400 to 599 | the request is not carried out and this status is the answer; 503 carries the code `SlowDown` |
| `lost` | the request is carried out, then the connection is cut without an answer |
| `reset` | the connection is cut before the request is carried out |
| `expire` | the request's transaction is rolled back and forgotten first, as after an idle timeout |
| `latency=N` | the request waits N milliseconds first |

WHERE is an operation (`begin`, `commit`, `rollback`, `insert`, `update`, `delete`, `query`, `stats`, `list`, `create`, `alter`,
`drop`, `import`, `version`, `object`), `statement` (any request inside a transaction except its commit and rollback), `engine`
(the query engine) or `any`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import VastError, conflict, slow_down

OPERATIONS = frozenset(
    {
        "begin", "commit", "rollback", "insert", "update", "delete", "query", "stats", "list", "create", "alter", "drop",
        "import", "version", "object", "engine",
    }
)  # fmt: skip
PLACES = OPERATIONS | {"statement", "any"}
_OUTSIDE_STATEMENTS = frozenset({"begin", "commit", "rollback", "version", "object", "engine"})
_SPEC = re.compile(r"(?P<what>[a-z]+|\d{3}|latency=\d+)@(?P<where>[a-z]+)(?:\+(?P<skip>\d+))?(?:\*(?P<times>\d+|\*))?")
FOREVER = -1


class BadFault(ValueError):
    """A specification that does not parse; the message says what would."""


@dataclass(slots=True)
class Fault:
    """A fault that is switched on. `skip` and `times` count down; `times` is -1 for ever."""

    what: str
    where: str
    skip: int = 0
    times: int = 1

    @classmethod
    def parse(cls, spec: str) -> Fault:
        """Parse a specification; raises `BadFault`."""
        parts = _SPEC.fullmatch(spec)
        if not parts:
            raise BadFault(f"fault {spec!r} is not WHAT@WHERE[+SKIP][*TIMES], such as 409@commit, reset@any+6 or 503@insert*3")
        what, where, skip, times = parts["what"], parts["where"], parts["skip"], parts["times"]
        if where not in PLACES:
            raise BadFault(f"fault {spec!r}: {where!r} is not a place; places are {', '.join(sorted(PLACES))}")
        is_status = what.isdigit() and 400 <= int(what) < 600
        if not (is_status or what in ("lost", "reset", "expire") or what.startswith("latency=")):
            raise BadFault(f"fault {spec!r}: {what!r} is neither a status from 400 to 599 nor lost, reset, expire or latency=N")
        return cls(what, where, int(skip or 0), FOREVER if times == "*" else int(times or 1))

    def matches(self, operation: str) -> bool:
        """True where this fault concerns the operation."""
        if self.where == "statement":
            return operation not in _OUTSIDE_STATEMENTS
        return self.where in ("any", operation)

    def error(self) -> VastError | None:
        """The error answer of a status fault."""
        if not self.what.isdigit():
            return None
        status = int(self.what)
        if status == 503:
            return slow_down("fault: Please reduce your request rate")
        if status == 409:
            return conflict("fault: injected conflict")
        return VastError(status, "InjectedFault", f"fault: injected status {status}")

    def __str__(self) -> str:
        skip = f"+{self.skip}" if self.skip else ""
        times = "**" if self.times == FOREVER else f"*{self.times}" if self.times != 1 else ""
        return f"{self.what}@{self.where}{skip}{times}"


class Faults:
    """The faults of one server; may be changed while it runs."""

    def __init__(self, specs: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.add(*specs)

    def add(self, *specs: str) -> None:
        """Switch faults on; all of them or, where one does not parse (`BadFault`), none."""
        parsed = [Fault.parse(spec) for spec in specs]
        with self._lock:
            self._faults.extend(parsed)

    def clear(self) -> None:
        """Switch every fault off."""
        with self._lock:
            self._faults.clear()

    def specifications(self) -> list[str]:
        """The specifications of what is still to happen."""
        with self._lock:
            return [str(fault) for fault in self._faults]

    def take_due(self, operation: str) -> list[Fault]:
        """The faults that strike this request; counts it against all that match."""
        with self._lock:
            struck = [fault for fault in self._faults if fault.matches(operation) and _count(fault)]
            self._faults = [fault for fault in self._faults if fault.times]
            return struck


def _count(fault: Fault) -> bool:
    if fault.skip:
        fault.skip -= 1
        return False
    if fault.times != FOREVER:
        fault.times -= 1
    return True
