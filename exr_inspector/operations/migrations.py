"""Named, recorded steps between schema versions; `fill` then computes the values of new columns.

The steps follow from `vast_schemas`: a table of a younger version is created, a table that grew is extended. Every step is one
transaction that also writes its record into the table `schema_migrations`, so that an interruption leaves whole steps behind and
a second run goes on. Columns are only added and nullable: writers of the older version keep working meanwhile.

    state = read_state(store)
    for step in pending(state):           # reads nothing, writes nothing
        apply(store, step)
    revert(store, step, archive)          # the way back
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from exr_inspector.database.rows import utc_now
from exr_inspector.database.session import ROW_ID, Ledger, Store, Work
from exr_inspector.database.tables import same_type
from exr_inspector.errors import SchemaDrift
from exr_inspector.operations.transactions import retry
from exr_inspector.payload.document import INSPECTOR_VERSION
from vast_schemas import CURRENT_VERSION, TABLES, TEXT, TIME, VERSIONS, TableSpec, tables_at

RECORDS = "schema_migrations"
RECORDS_SCHEMA = pa.schema(
    [("name", TEXT), ("version", TEXT), ("applied_at", TIME), ("progress", TEXT), ("inspector_version", TEXT)]
)
"""One row per step that was carried out; `progress` says how far an unfinished one got: the file_id below which all is done."""

PREVIOUS_VECTORS = "previous_vectors"
"""The vectors of earlier algorithms, kept by exr-inspector schema recompute; not part of any schema version."""

KEYS: dict[str, tuple[str, ...]] = {"files": (), "parts": ("part_index",), "channels": ("channel_index",)}
"""Table of the first version that grew -> what identifies a row within its inspection."""

KeepRows = Callable[["Step", pa.RecordBatchReader], None]
"""Gets the rows that a step back takes away, before they go."""


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
class StoredTable:
    """A table as it stands on the server: `index` is (column, metric) where it has a vector index."""

    schema: pa.Schema
    rows: int
    index: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class State:
    """A schema as one transaction saw it: its tables by name (that of the records apart) and what is recorded."""

    tables: Mapping[str, StoredTable]
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


def _newest(holds: Callable[[Step], bool]) -> str | None:
    newest = None
    for version in VERSIONS:
        if not all(holds(step) for step in _steps_of(version)):
            break
        newest = version
    return newest


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
    return retry(_read_state, store)


def _read_state(store: Store) -> State:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        for name in work.names():
            loaded[name] = work.load(name)
        records = _records(work) if loaded.get(RECORDS) is not None else ()
    tables = {name: _describe_stored(metadata) for name, metadata in loaded.items() if metadata is not None and name != RECORDS}
    return State(tables, records)


def _describe_stored(metadata: Any) -> StoredTable:
    index = metadata.stats.vector_index if metadata.stats else None
    rows = metadata.stats.num_rows if metadata.stats else 0
    return StoredTable(metadata.arrow_schema, rows, (index.column, index.distance_metric) if index else None)


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
    return retry(_apply, store, step)


def _apply(store: Store, step: Step) -> bool:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        metadata = work.load(step.table)
        changed = _create(work, step) if step.kind == "create" and metadata is None else False
        if step.kind == "extend":
            loaded[step.table] = _require_table(store, step, metadata)
            stored = loaded[step.table].arrow_schema.names
            missing = [field for field in step.schema if field.name not in stored]
            changed = bool(missing)
            if missing:
                work.add_columns(step.table, pa.schema(missing))
        return record(work, loaded, step.name, step.version) or changed


def _create(work: Work, step: Step) -> bool:
    work.create({step.table: (step.schema, TABLES[step.table].vector_index)})
    return True


def _require_table(store: Store, step: Step, metadata: Any) -> Any:
    if metadata is None:
        raise SchemaDrift(
            f"{store.place}: table {step.table} is missing, so it cannot be extended",
            remedy="Run `exr-inspector schema init`, which creates what is missing",
            table=step.table,
        )
    return metadata


def record(work: Work, loaded: dict[str, Any], name: str, version: str, progress: str | None = None) -> bool:
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


def revert(store: Store, step: Step, archive: KeepRows | None = None) -> bool:
    """Undo a step and remove its record, in one transaction; False where there is nothing to undo.

    `archive` receives the rows that go, with the keys that tell where they belong, before they go. What it raises is raised, and
    nothing is dropped.
    """
    return retry(_revert, store, step, archive)


def _revert(store: Store, step: Step, archive: KeepRows | None) -> bool:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        metadata = work.load(step.table)
        gone = [name for name in step.schema.names if metadata is not None and name in metadata.arrow_schema.names]
        if gone:
            loaded[step.table] = metadata
            if archive is not None:
                keys = () if step.kind == "create" else ("file_id", "inspection_id", *KEYS.get(step.table, ()))
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
