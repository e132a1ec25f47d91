"""The way back to an older schema version: which steps to undo, and where the rows that go are kept."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from exr_inspector.operations import migrations, parquet_files
from exr_inspector.operations.migrations import State, Step
from vast_schemas import VERSIONS


def steps_back(state: State, younger: str, older: str) -> list[Step]:
    """The steps from `older` to `younger` of which anything is there, the last one first."""
    steps = [step for step in migrations.steps(younger) if VERSIONS.index(step.version) > VERSIONS.index(older)]
    return [step for step in reversed(steps) if _is_there(state, step)]


def _is_there(state: State, step: Step) -> bool:
    """Whether any of a step is there: also what an interrupted run left of it."""
    stored = state.tables.get(step.table)
    present = stored is not None and (step.kind == "create" or set(step.schema.names) & set(stored.schema.names))
    return bool(present) or state.is_recorded(step)


class ArchiveFolder:
    """Writes what a step takes back into a folder; `written` gets the paths."""

    def __init__(self, folder: Path, written: list[str]) -> None:
        self._folder = folder
        self._written = written

    def __call__(self, step: Step, rows: pa.RecordBatchReader) -> None:
        """Stream the rows into a file of their own, which gets its name when it is complete."""
        path = self._unused_path(step.table)
        parquet_files.write(path, rows)
        self._written.append(str(path))

    def _unused_path(self, table: str) -> Path:
        """The first name that is not taken."""
        path, number = self._folder / f"{table}.parquet", 1
        while path.exists():
            number += 1
            path = self._folder / f"{table}-{number}.parquet"
        return path
