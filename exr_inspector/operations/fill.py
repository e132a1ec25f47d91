"""The values of columns that a younger schema version added, computed from what is stored: raw_output and paths.

    for filled in fill(store): ...        # a range of file_ids per transaction

No EXR is read, and no value that is there changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import pyarrow as pa

from exr_inspector.database.rows import rows_of
from exr_inspector.database.session import ROW_ID, Ledger, Store, Work
from exr_inspector.embedding.vectors import DEFAULT_METADATA_EMBEDDING_DIM
from exr_inspector.errors import BadPayload, SchemaDrift
from exr_inspector.operations import FILES_PER_TRANSACTION, migrations
from exr_inspector.operations.migrations import KEYS, fill_name
from exr_inspector.operations.transactions import retry
from exr_inspector.path_templates import Template
from exr_inspector.payload.names import parse_name
from vast_schemas import CURRENT_VERSION, TABLES, schema_for

_SOURCES = ("file_path", "file_path_normalized", "raw_output")
_NO_VECTOR = (0.0,) * DEFAULT_METADATA_EMBEDDING_DIM
_SPACE = 16**12
"""How many beginnings of file_ids there are, twelve digits each; the ids are hashes, so they are spread evenly."""

Row = dict[str, Any]
Computed = Mapping[tuple[str, str], Mapping[str, Sequence[Row]]]
"""(file_id, inspection_id) -> table -> the rows that today's code makes."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A finished range of `fill`: the share done so far (0 to 1), files read, rows changed, files without usable raw_output."""

    done: float
    files: int
    rows: int
    by_path_only: int


def new_columns(table: str) -> list[str]:
    """The columns of a table of the first version that later versions added."""
    return [column.name for column in TABLES[table].columns if column.since != TABLES[table].since]


def fill(store: Store, files_per_batch: int = FILES_PER_TRANSACTION) -> Iterator[Filled]:
    """Set the empty cells of new columns from `raw_output` and paths; values that are there stay. Yields after every commit.

    Goes on where an interrupted run stopped. A finished one starts over, which finds what writers of the older version have
    added since. Raises SchemaDrift where the columns are not there yet.
    """
    state = migrations.read_state(store)
    if state.version != CURRENT_VERSION:
        remedy = "Run `exr-inspector schema migrate`"
        raise SchemaDrift(f"{store.place}: the columns to fill are missing", remedy=remedy)
    start = next((record.progress or "" for record in state.records if record.name == fill_name()), "")
    for low, high in ranges(state.tables["files"].rows, files_per_batch, start):
        yield retry(_fill_range, store, low, high)


def ranges(rows: int, per_range: int, start: str = "") -> list[tuple[str, str | None]]:
    """Ranges of file_ids [low, high) from `start` on, each with about `per_range` of `rows` files; file_ids are hashes."""
    count = max(1, -(-rows // per_range))
    bounds = [f"{at * _SPACE // count:012x}" for at in range(1, count)]
    ahead = [bound for bound in bounds if bound > start]
    return list(zip([start, *ahead], [*ahead, None], strict=True))


def _fill_range(store: Store, low: str, high: str | None) -> Filled:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        loaded.update({name: work.load(name) for name in KEYS})
        computed, by_path_only = _compute_rows(work, low, high)
        changed = sum(_fill_table(work, table, computed, low, high) for table in KEYS)
        migrations.record(work, loaded, fill_name(), CURRENT_VERSION, progress=high)
    return Filled(int(high, 16) / _SPACE if high else 1.0, len(computed), changed, by_path_only)


def _compute_rows(work: Work, low: str, high: str | None) -> tuple[Computed, int]:
    """The rows that today's code makes of each stored file, by (file_id, inspection_id)."""
    columns = ("file_id", "inspection_id", *_SOURCES)
    computed, by_path_only = {}, 0
    for batch in work.scan("files", columns, low, high):
        for row in batch.to_pylist():
            tables, usable = recompute_rows(row, templates=work.store.templates)
            by_path_only += not usable
            computed[row["file_id"], row["inspection_id"]] = tables
    return computed, by_path_only


def recompute_rows(
    row: Mapping[str, Any], embedding: Sequence[float] | None = _NO_VECTOR, templates: tuple[Template, ...] = ()
) -> tuple[Mapping[str, Sequence[Row]], bool]:
    """The rows of all tables for a stored row of `files`, and whether they come from its raw_output, or from its path alone.

    Sections that were too large to store count as absent.
    """
    try:
        document = json.loads(row["raw_output"] or "null")
        file = document["file"]
        named = _from_path(file["path_normalized"] or row["file_path_normalized"])
        known = {key: value for key, value in document.items() if not _is_omitted(value)}
        whole = {"parts": [], "channels": [], "attributes": {}} | known | {"file": named | file}
        return rows_of(whole, embedding, templates).tables, True
    except (ValueError, KeyError, TypeError, BadPayload):
        path = row["file_path_normalized"]
        file = {"path": row["file_path"], "path_normalized": path} | _from_path(path)
        return rows_of({"file": file, "parts": [], "channels": []}, embedding, templates).tables, False


def _from_path(path: str) -> Row:
    """The fields of a file's section that follow from its path."""
    name = parse_name(path)
    return {"frame_number": name.frame_number, "sequence_key": name.sequence_key, "version_token": name.version_token}


def _is_omitted(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("omitted") is True


def _fill_table(work: Work, table: str, computed: Computed, low: str, high: str | None) -> int:
    """Set the empty cells of one table's new columns; returns the rows that changed."""
    keys, columns = KEYS[table], new_columns(table)
    wanted = {
        (*owner, *(row[key] for key in keys)): row for owner, tables in computed.items() for row in tables[table]
    }  # fmt: skip
    rows = work.scan(table, ("file_id", "inspection_id", *keys, *columns), low, high, row_ids=True).read_all().to_pylist()
    changes = []
    for row in rows:
        new = wanted.get((row["file_id"], row["inspection_id"], *(row[key] for key in keys)), {})
        values = {name: new.get(name) if row[name] is None else row[name] for name in columns}
        if any(values[name] != row[name] for name in columns):
            changes.append((row[ROW_ID], values))
    update(work, table, columns, changes)
    return len(changes)


def update(work: Work, table: str, columns: Sequence[str], changes: Iterable[tuple[Any, Mapping[str, Any]]]) -> None:
    """Set these columns of rows, given as (`$row_id`, values); none, no request."""
    rows = sorted(changes, key=itemgetter(0))
    if rows:
        fields = schema_for(table)
        schema = pa.schema([fields.field(name) for name in columns])
        arrays = [pa.array([values[field.name] for _, values in rows], field.type) for field in schema]
        work.update(table, [row_id for row_id, _ in rows], pa.Table.from_arrays(arrays, schema=schema))
