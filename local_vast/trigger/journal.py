"""Events that are not settled yet, on disk, so that a killed endpoint delivers them when it starts again.

One JSON object per line: `{"id", "event"}` when an event is accepted, `{"settled": id}` when it is delivered or among the dead
letters. The file is emptied whenever nothing is open.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any


class Journal:
    """The journal at `path`; safe for use by many threads. `open_events` are those that an earlier process left unsettled."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self.open_events = _read_open_events(path)
        self._open = set(self.open_events)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        lines = (_line({"id": event_id, "event": event}) for event_id, event in self.open_events.items())
        fresh.write_text("".join(lines), encoding="utf-8")
        fresh.replace(path)
        self._file = path.open("ab", buffering=0)

    def accept(self, event_id: str, event: str) -> None:
        """Keep an event (structured JSON) until it is settled."""
        with self._lock:
            append_line(self._file, {"id": event_id, "event": event})
            self._open.add(event_id)

    def settle(self, event_id: str) -> None:
        """Forget an event; one that is unknown, or was settled before, is not an error."""
        with self._lock:
            if event_id not in self._open:
                return
            self._open.remove(event_id)
            if self._open:
                append_line(self._file, {"settled": event_id})
            else:
                self._file.truncate(0)

    def close(self) -> None:
        """Close the file; open events stay in it."""
        with self._lock:
            self._file.close()


def append_line(file: FileIO, entry: Mapping[str, Any]) -> None:
    """Add a line to a file that is open for appending; one that the disk takes only in part is taken back."""
    size = os.fstat(file.fileno()).st_size
    line = memoryview(_line(entry).encode())
    try:
        while line:
            line = line[file.write(line) :]
    except OSError:
        file.truncate(size)
        raise


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry) + "\n"


def _read_open_events(path: Path) -> dict[str, str]:
    """Open events by id, in the order of their acceptance. A last line that a kill cut short is dropped."""
    events: dict[str, str] = {}
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    for entry in map(json.loads, lines):
        if "settled" in entry:
            events.pop(entry["settled"], None)
        else:
            events[entry["id"]] = entry["event"]
    return events
