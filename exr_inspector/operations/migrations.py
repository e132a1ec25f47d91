"""Named, recorded steps between schema versions, and the values of new columns computed from what is stored.

The steps follow from `vast_schemas`: a table of a younger version is created, a table that grew is extended. Every step is one
transaction that also writes its record into the table `schema_migrations`, so that an interruption leaves whole steps behind and
a second run goes on. Columns are only added and nullable: writers of the older version keep working meanwhile.

    state = read_state(store)
    for step in pending(state):           # reads nothing, writes nothing
        apply(store, step)
    for filled in fill(store): ...        # new columns from raw_output and paths, a range of file_ids per transaction
    revert(store, step, archive)          # the way back
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import pyarrow as pa

from exr_inspector.database.rows import rows_of, utc_now
from exr_inspector.database.rulings import CommitLost, Transient
from exr_inspector.database.session import ROW_ID, Ledger, Store, Work
from exr_inspector.database.tables import same_type
from exr_inspector.embedding.vectors import DEFAULT_METADATA_EMBEDDING_DIM
from exr_inspector.errors import BadPayload, SchemaDrift
from exr_inspector.payload.document import INSPECTOR_VERSION
from exr_inspector.payload.names import parse_name
from exr_inspector.retry import repeat
from vast_schemas import CURRENT_VERSION, TABLES, TEXT, TIME, VERSIONS, TableSpec, schema_for, tables_at

RECORDS = "schema_migrations"
RECORDS_SCHEMA = pa.schema(
    [("name", TEXT), ("version", TEXT), ("applied_at", TIME), ("progress", TEXT), ("inspector_version", TEXT)]
)
"""One row per step that was carried out; `progress` says how far an unfinished one got: the file_id below which all is done."""

PREVIOUS_VECTORS = "previous_vectors"
"""The vectors of earlier algorithms, kept by exr-inspector schema recompute; not part of any schema version."""

FILL_FILES = 200
"""Files per transaction of `fill`: their raw_output is at most 25 MB."""

ATTEMPTS = 8
_LONGEST_WAIT = 2.0
_KEYS = {"files": (), "parts": ("part_index",), "channels": ("channel_index",)}
_SOURCES = ("file_path", "file_path_normalized", "raw_output")
_NO_VECTOR = (0.0,) * DEFAULT_METADATA_EMBEDDING_DIM
_SPACE = 16**12

Row = dict[str, Any]
T = TypeVar("T")
Archive = Callable[["Step", pa.RecordBatchReader], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one table: `kind` is `create` or `extend`."""

    version: str
    kind: str
    table: str

    @property
    def name(self) -> str:
        """How the step is recorded, such as `1.1.0/extend-files`."""
        return f"{self.version}/{self.kind}-{self.table}"

    @property
    def schema(self) -> pa.Schema:
        """The columns that the step adds."""
        columns = TABLES[self.table].at(self.version)
        added = [column for column in columns if self.kind == "create" or column.since == self.version]
        return pa.schema([column.field for column in added])


@dataclass(frozen=True, slots=True)
class Record:
    """A row of `schema_migrations`."""

    row_id: Any
    name: str
    version: str
    applied_at: datetime | None
    progress: str | None


@dataclass(frozen=True, slots=True)
class Stored:
    """A table as it stands on the server: `index` is (column, metric) where it has a vector index."""

    schema: pa.Schema
    rows: int
    index: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class State:
    """A schema as one transaction saw it: its tables by name (that of the records apart) and what is recorded."""

    tables: Mapping[str, Stored]
    records: tuple[Record, ...]

    def has(self, step: Step) -> bool:
        """Whether the tables are as the step makes them."""
        stored = self.tables.get(step.table)
        return stored is not None and (step.kind == "create" or set(step.schema.names) <= set(stored.schema.names))

    def is_recorded(self, step: Step) -> bool:
        """Whether the step stands in `schema_migrations`."""
        return any(record.name == step.name for record in self.records)

    @property
    def version(self) -> str | None:
        """The newest version whose tables and columns are all there; None where even the first one's are not."""
        return _newest(self.has)

    @property
    def recorded_version(self) -> str | None:
        """The newest version all of whose steps are recorded."""
        return _newest(self.is_recorded)


@dataclass(frozen=True, slots=True)
class Filled:
    """A finished range of `fill`: the share done so far (0 to 1), files read, rows changed, files without usable raw_output."""

    done: float
    files: int
    rows: int
    by_path_only: int


def _newest(holds: Callable[[Step], bool]) -> str | None:
    found = None
    for version in VERSIONS:
        if not all(holds(step) for step in steps(version) if step.version == version):
            break
        found = version
    return found


def steps(version: str = CURRENT_VERSION) -> list[Step]:
    """The steps from nothing to `version`, in order. Raises KeyError for a version that does not exist."""
    if version not in VERSIONS:
        raise KeyError(f"there is no schema version {version!r}; there are {', '.join(VERSIONS)}")
    return [step for known in VERSIONS[: VERSIONS.index(version) + 1] for step in _steps_of(known)]


def _steps_of(version: str) -> Iterator[Step]:
    for table in tables_at(version):
        if table.since == version:
            yield Step(version, "create", table.name)
        elif any(column.since == version for column in table.columns):
            yield Step(version, "extend", table.name)


def fill_name(version: str = CURRENT_VERSION) -> str:
    """How the filling of a version's new columns is recorded."""
    return f"{version}/fill"


def read_state(store: Store) -> State:
    """The tables and the records. Writes nothing; a schema that does not exist has neither."""
    return repeated(lambda: _read_state(store))


def _read_state(store: Store) -> State:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        for name in work.names():
            loaded[name] = work.load(name)
        records = _records(work) if loaded.get(RECORDS) is not None else ()
    tables = {name: _stored(metadata) for name, metadata in loaded.items() if metadata is not None and name != RECORDS}
    return State(tables, records)


def _stored(metadata: Any) -> Stored:
    index = metadata.stats.vector_index if metadata.stats else None
    rows = metadata.stats.num_rows if metadata.stats else 0
    return Stored(metadata.arrow_schema, rows, (index.column, index.distance_metric) if index else None)


def _records(work: Work) -> tuple[Record, ...]:
    rows = work.scan(RECORDS, ("name", "version", "applied_at", "progress"), row_ids=True).read_all().to_pylist()
    return tuple(Record(row_id=row.pop(ROW_ID), **row) for row in rows)


def pending(state: State, version: str = CURRENT_VERSION) -> list[Step]:
    """The steps to `version` that are missing from the tables or from the records. A pure function.

    Raises SchemaDrift where a stored column has another type than its version says: no step mends that.
    """
    for name, stored in state.tables.items():
        if name in TABLES:
            check_types(TABLES[name], stored.schema)
    return [step for step in steps(version) if not (state.has(step) and state.is_recorded(step))]


def check_types(table: TableSpec, stored: pa.Schema) -> None:
    """Raise SchemaDrift where a known column is stored with another type."""
    for column in table.columns:
        position = stored.get_field_index(column.name)
        if position >= 0 and not same_type(column.type, stored.field(position).type):
            raise SchemaDrift(
                f"column {column.name} of table {table.name} is {stored.field(position).type}, expected {column.type}",
                remedy="Set VAST_DB_SCHEMA to another schema, or move this table away",
                table=table.name,
                column=column.name,
            )


def apply(store: Store, step: Step) -> bool:
    """Carry a step out and record it, in one transaction. False where another run had done both meanwhile."""
    return repeated(lambda: _apply(store, step))


def _apply(store: Store, step: Step) -> bool:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        metadata = work.load(step.table)
        changed = _create(work, step) if step.kind == "create" and metadata is None else False
        if step.kind == "extend":
            loaded[step.table] = _present(store, step, metadata)
            stored = loaded[step.table].arrow_schema.names
            missing = [field for field in step.schema if field.name not in stored]
            changed = bool(missing)
            if missing:
                work.add_columns(step.table, pa.schema(missing))
        return _record(work, loaded, step.name, step.version) or changed


def _create(work: Work, step: Step) -> bool:
    work.create({step.table: (step.schema, TABLES[step.table].vector_index)})
    return True


def _present(store: Store, step: Step, metadata: Any) -> Any:
    if metadata is None:
        raise SchemaDrift(
            f"{store.place}: table {step.table} is missing, so it cannot be extended",
            remedy="Run `exr-inspector schema init`, which creates what is missing",
            table=step.table,
        )
    return metadata


def _record(work: Work, loaded: dict[str, Any], name: str, version: str, progress: str | None = None) -> bool:
    """Write a step's record, or how far it got. True where something was written."""
    if work.load(RECORDS) is None:
        work.create({RECORDS: (RECORDS_SCHEMA, None)})
    loaded[RECORDS] = work.load(RECORDS)
    known = [record for record in _records(work) if record.name == name]
    if known and known[0].progress == progress:
        return False
    if known:
        values = pa.table([pa.array([progress], TEXT), pa.array([utc_now()], TIME)], names=["progress", "applied_at"])
        work.update(RECORDS, [known[0].row_id], values)
        return True
    row = {"name": name, "version": version, "applied_at": utc_now(), "progress": progress}
    row["inspector_version"] = INSPECTOR_VERSION
    work.insert({RECORDS: pa.Table.from_pylist([row], schema=RECORDS_SCHEMA)})
    return True


def revert(store: Store, step: Step, archive: Archive | None = None) -> bool:
    """Undo a step and remove its record, in one transaction; False where there is nothing to undo.

    `archive` receives the rows that go, with the keys that tell where they belong, before they go. What it raises is raised, and
    nothing is dropped.
    """
    return repeated(lambda: _revert(store, step, archive))


def _revert(store: Store, step: Step, archive: Archive | None) -> bool:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        metadata = work.load(step.table)
        gone = [name for name in step.schema.names if metadata is not None and name in metadata.arrow_schema.names]
        if gone:
            loaded[step.table] = metadata
            if archive is not None:
                keys = () if step.kind == "create" else ("file_id", "inspection_id", *_KEYS.get(step.table, ()))
                archive(step, work.scan(step.table, (*keys, *gone)))
            _drop(work, step, gone)
        return _forget(work, loaded, step) or bool(gone)


def _drop(work: Work, step: Step, columns: Sequence[str]) -> None:
    if step.kind == "create":
        work.drop(step.table)
    else:
        work.drop_columns(step.table, pa.schema([step.schema.field(name) for name in columns]))


def _forget(work: Work, loaded: dict[str, Any], step: Step) -> bool:
    metadata = work.load(RECORDS)
    if metadata is None:
        return False
    loaded[RECORDS] = metadata
    gone = [record.row_id for record in _records(work) if record.name in (step.name, fill_name(step.version))]
    work.delete(RECORDS, gone)
    return bool(gone)


def new_columns(table: str) -> list[str]:
    """The columns of a table of the first version that later versions added."""
    return [column.name for column in TABLES[table].columns if column.since != TABLES[table].since]


def fill(store: Store, files_per_batch: int = FILL_FILES) -> Iterator[Filled]:
    """Set the empty cells of new columns from `raw_output` and paths; values that are there stay. Yields after every commit.

    Goes on where an interrupted run stopped. A finished one starts over, which finds what writers of the older version have
    added since. Raises SchemaDrift where the columns are not there yet.
    """
    state = read_state(store)
    if state.version != CURRENT_VERSION:
        remedy = "Run `python scripts/migrate_v1_0_to_v1_1.py`"
        raise SchemaDrift(f"{store.place}: the columns to fill are missing", remedy=remedy)
    start = next((record.progress or "" for record in state.records if record.name == fill_name()), "")
    for low, high in ranges(state.tables["files"].rows, files_per_batch, start):
        yield repeated(lambda low=low, high=high: _fill_range(store, low, high))  # type: ignore[misc]


def ranges(rows: int, per_range: int, start: str = "") -> list[tuple[str, str | None]]:
    """Ranges of file_ids [low, high) from `start` on, each with about `per_range` of `rows` files; file_ids are hashes."""
    count = max(1, -(-rows // per_range))
    bounds = [f"{at * _SPACE // count:012x}" for at in range(1, count)]
    ahead = [bound for bound in bounds if bound > start]
    return list(zip([start, *ahead], [*ahead, None], strict=True))


def _fill_range(store: Store, low: str, high: str | None) -> Filled:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        loaded.update({name: work.load(name) for name in _KEYS})
        computed, by_path_only = _computed(work, low, high)
        changed = sum(_fill_table(work, table, computed, low, high) for table in _KEYS)
        _record(work, loaded, fill_name(), CURRENT_VERSION, progress=high)
    return Filled(int(high, 16) / _SPACE if high else 1.0, len(computed), changed, by_path_only)


def _computed(work: Work, low: str, high: str | None) -> tuple[dict[tuple[str, str], Mapping[str, Sequence[Row]]], int]:
    """The rows that today's code makes of each stored file, by (file_id, inspection_id)."""
    columns = ("file_id", "inspection_id", *_SOURCES)
    found, by_path_only = {}, 0
    for batch in work.scan("files", columns, low, high):
        for row in batch.to_pylist():
            tables, usable = recomputed(row)
            by_path_only += not usable
            found[row["file_id"], row["inspection_id"]] = tables
    return found, by_path_only


def recomputed(
    row: Mapping[str, Any], embedding: Sequence[float] | None = _NO_VECTOR
) -> tuple[Mapping[str, Sequence[Row]], bool]:
    """The rows of all tables for a stored row of `files`, from its raw_output; False: from its path alone.

    Sections that were too large to store count as absent.
    """
    try:
        document = json.loads(row["raw_output"] or "null")
        file = document["file"]
        name = parse_name(file["path_normalized"] or row["file_path_normalized"])
        spoken = {"frame_number": name.frame_number, "sequence_key": name.sequence_key, "version_token": name.version_token}
        known = {key: value for key, value in document.items() if not _is_omitted(value)}
        whole = {"parts": [], "channels": [], "attributes": {}} | known | {"file": spoken | file}
        return rows_of(whole, embedding).tables, True
    except (ValueError, KeyError, TypeError, BadPayload):
        path = row["file_path_normalized"]
        name = parse_name(path)
        file = {"path": row["file_path"], "path_normalized": path, "frame_number": name.frame_number}
        file |= {"sequence_key": name.sequence_key, "version_token": name.version_token}
        return rows_of({"file": file, "parts": [], "channels": []}, embedding).tables, False


def _is_omitted(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("omitted") is True


def _fill_table(
    work: Work, table: str, computed: Mapping[tuple[str, str], Mapping[str, Sequence[Row]]], low: str, high: str | None
) -> int:
    """Set the empty cells of one table's new columns; returns the rows that changed."""
    keys, columns = _KEYS[table], new_columns(table)
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
    rows = sorted(changes, key=lambda change: change[0])
    if rows:
        fields = schema_for(table)
        schema = pa.schema([fields.field(name) for name in columns])
        arrays = [pa.array([values[field.name] for _, values in rows], field.type) for field in schema]
        work.update(table, [row_id for row_id, _ in rows], pa.Table.from_arrays(arrays, schema=schema))


def repeated(action: Callable[[], T]) -> T:
    """Run until it meets no passing condition; for actions that read anew what there is to do: a lost commit is no harm."""
    return repeat(action, errors=(Transient, CommitLost), attempts=ATTEMPTS, longest_wait=_LONGEST_WAIT)
