"""What may be wrong with stored rows, each kind of finding with the SQL or the arithmetic that finds it.

Every table is streamed once, a few columns of it, into DuckDB in this process, which groups them on disk where memory is short.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from exr_inspector.database.cells import columns_of
from exr_inspector.database.rows import as_objects, measured_sections
from exr_inspector.database.session import Ledger, Store, Work
from exr_inspector.embedding.vectors import EMBEDDING_VERSION
from exr_inspector.errors import BadPayload
from exr_inspector.operations.transactions import retry
from vast_schemas import schema_for

UNIT_TOLERANCE = 1e-3
"""How far a vector's length may be from 1: float32 sums of 384 squares stay below 1e-5."""

POSITION = {
    "parts": ("part_index",),
    "channels": ("channel_index",),
    "attributes": ("part_index", "attr_index"),
    "pixel_stats": ("part_index", "channel_name"),
    "validation_results": ("policy_id", "rule_id", "part_index", "channel_name", "message"),
}
"""Child table -> what tells the rows of one inspection apart."""
_COUNTED = {"parts": "multipart_count", "channels": "channel_count"}
_OBSERVED = ("size_bytes", "etag", "header_hash")
_SECTIONS = {"pixel_stats": ("stats", "channels"), "validation_results": ("validation", "results")}
_COMPARED = {
    "pixel_stats": ("part_index", "channel_name", "pixel_count", "nan_count", "sample_hash"),
    "validation_results": ("policy_id", "rule_id", "status", "status_code"),
}
"""Table of measurements -> its section of the payload, and the columns that tell whether its rows are those of raw_output."""
_QUOTED = {"status_not_allowed": "status", "file_not_complete": "completeness"}
"""Code of a finding -> the column of files whose value the finding quotes as `actual`."""

REMEDIES = {
    "orphan": "--repair deletes them",
    "duplicate_file": "--repair merges them, as the function does after a race",
    "several_current": "--repair keeps the newest current",
    "no_current": "--repair makes the newest current",
    "duplicate_row": "--repair keeps the first",
    "count": "--repair writes the rows again from raw_output",
    "contradiction": "--repair deletes them and writes those that raw_output tells; inspect the file again for the others",
    "vector": "--repair computes them again from raw_output",
    "old_embedding": "run exr-inspector schema recompute",
    "stale_raw_output": "inspect the file again: exr-inspector backfill --from-list",
}
"""Kind of finding -> what mends it."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """`subject` is a path for findings about versions of a path, and a file_id for the others.

    `policy_id` is that of contradicting rows of validation_results.
    """

    kind: str
    table: str
    subject: str
    inspection_id: str | None
    detail: str
    policy_id: str | None = None


def check(store: Store) -> list[Discrepancy]:
    """All findings, as one transaction sees the tables."""
    return retry(_check, store)


def _check(store: Store) -> list[Discrepancy]:
    with _gather(store) as (sql, vectors):
        return [*_orphans(sql), *_versions(sql), *_duplicates(sql), *_counts(sql), *_contradictions(sql), *vectors]


@contextmanager
def _gather(store: Store) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[Discrepancy]]]:
    loaded: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect(config={"temp_directory": scratch}) as sql:
        with store.transaction(Ledger(), loaded) as work:
            for name in ("files", *POSITION):
                loaded[name] = work.load(name)
            files = ("file_id", "inspection_id", "file_path_normalized", "is_current", *_COUNTED.values(), *_QUOTED.values())
            _fill(sql, "files", work.scan("files", files))
            for name, position in POSITION.items():
                if loaded[name] is not None:
                    columns = dict.fromkeys(("file_id", "inspection_id", *position, *_COMPARED.get(name, ())))
                    quoted = ("actual",) if name == "validation_results" else ()
                    _fill(sql, name, work.scan(name, (*columns, *quoted)))
            contents = list(_read_contents(sql, work))
        yield sql, contents


def _read_contents(sql: duckdb.DuckDBPyConnection, work: Work) -> Iterator[Discrepancy]:
    """Findings about the rows of files by themselves; what their raw_output says was measured goes to tables `said_*`."""
    for table in ("claims", *_COMPARED):
        said = _said_schema(table)
        _fill(sql, f"said_{table}", pa.RecordBatchReader.from_batches(said, []))
    columns = ("file_id", "inspection_id", *_VECTORS, "embedding_version", *_OBSERVED, "raw_output")
    for batch in work.scan("files", columns):
        said_here: dict[str, list[dict[str, Any]]] = {table: [] for table in ("claims", *_COMPARED)}
        for row, findings in _contents(batch):
            yield from findings
            for table, entry in _read_measured(row):
                said_here[table].append(entry | {"file_id": row["file_id"], "inspection_id": row["inspection_id"]})
        for table, entries in said_here.items():
            sql.register("incoming", pa.Table.from_pylist(entries, schema=_said_schema(table)))
            sql.execute(f"INSERT INTO said_{table} SELECT * FROM incoming")  # noqa: S608 - names of vast_schemas
            sql.unregister("incoming")


def _said_schema(table: str) -> pa.Schema:
    ids = [pa.field(name, pa.utf8()) for name in ("file_id", "inspection_id")]
    if table == "claims":
        return pa.schema([*ids, pa.field("said_of", pa.utf8()), pa.field("said_policy", pa.utf8())])
    return pa.schema([*ids, *(pa.field(name, schema_for(table).field(name).type) for name in _COMPARED[table])])


def _read_measured(row: Mapping[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    """What raw_output says was measured: (`claims`, section), and (table, row). Sections that were too large count as absent."""
    try:
        document = json.loads(row["raw_output"] or "{}")
        whole = {key: value for key, value in document.items() if not (isinstance(value, dict) and value.get("omitted"))}
        claims = [("claims", {"said_of": name, "said_policy": policy}) for name, policy in measured_sections(whole)]
        entries = {
            table: as_objects((whole.get(section) or {}).get(key) or [], section) for table, (section, key) in _SECTIONS.items()
        }
        said = [(table, columns_of(table, entry, table)) for table, listed in entries.items() for entry in listed]
    except (ValueError, AttributeError, BadPayload):
        return []  # reported as no payload
    return [*claims, *((table, {name: entry[name] for name in _COMPARED[table]}) for table, entry in said)]


_VECTORS = ("metadata_embedding", "channel_fingerprint")


def _fill(sql: duckdb.DuckDBPyConnection, name: str, rows: pa.RecordBatchReader) -> None:
    sql.register("incoming", rows)
    sql.execute(f'CREATE TABLE "{name}" AS SELECT * FROM incoming')  # noqa: S608 - names of vast_schemas
    sql.unregister("incoming")


def _there(sql: duckdb.DuckDBPyConnection) -> list[str]:
    present = {row[0] for row in sql.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    return [name for name in POSITION if name in present]


def _orphans(sql: duckdb.DuckDBPyConnection) -> Iterator[Discrepancy]:
    """Rows of an inspection that no row of files names."""
    for name in _there(sql):
        query = (
            f"SELECT file_id, inspection_id, count(*) FROM {name} ANTI JOIN files USING (file_id, inspection_id)"  # noqa: S608
            " GROUP BY ALL ORDER BY ALL"
        )
        for file_id, inspection, count in sql.execute(query).fetchall():
            yield Discrepancy("orphan", name, file_id, inspection, f"{count} rows without a row in files")


def _versions(sql: duckdb.DuckDBPyConnection) -> Iterator[Discrepancy]:
    """Paths with two rows of one version, with several current versions, or with none."""
    query = """
        SELECT file_path_normalized, count(*) - count(DISTINCT file_id) AS twins,
               count(DISTINCT file_id) FILTER (is_current) AS current
        FROM files GROUP BY ALL HAVING twins > 0 OR current <> 1 ORDER BY ALL
    """
    for path, twins, current in sql.execute(query).fetchall():
        if twins:
            yield Discrepancy("duplicate_file", "files", path, None, f"{twins} rows too many with the same file_id")
        if current > 1:
            yield Discrepancy("several_current", "files", path, None, f"{current} current versions")
        if current == 0:
            yield Discrepancy("no_current", "files", path, None, "no current version")


def _duplicates(sql: duckdb.DuckDBPyConnection) -> Iterator[Discrepancy]:
    """Rows of one inspection that say the same place twice."""
    for name in _there(sql):
        key = ", ".join(("file_id", "inspection_id", *POSITION[name]))
        query = (
            f"SELECT file_id, inspection_id, sum(n - 1) FROM (SELECT {key}, count(*) AS n FROM {name} GROUP BY ALL) "  # noqa: S608
            "WHERE n > 1 GROUP BY ALL ORDER BY ALL"
        )
        for file_id, inspection, count in sql.execute(query).fetchall():
            yield Discrepancy("duplicate_row", name, file_id, inspection, f"{count} rows too many")


def _counts(sql: duckdb.DuckDBPyConnection) -> Iterator[Discrepancy]:
    """Files that name another number of parts or channels than there are."""
    for name, column in _COUNTED.items():
        position = POSITION[name][0]
        query = f"""
            SELECT file_id, inspection_id, files.{column}, count(DISTINCT {name}.{position}) AS stored
            FROM files LEFT JOIN {name} USING (file_id, inspection_id)
            WHERE files.{column} IS NOT NULL GROUP BY ALL HAVING stored <> files.{column} ORDER BY ALL
        """  # noqa: S608 - names of vast_schemas
        for file_id, inspection, wanted, stored in sql.execute(query).fetchall():
            yield Discrepancy("count", name, file_id, inspection, f"{column} is {wanted}, and {stored} are stored")


def _contradictions(sql: duckdb.DuckDBPyConnection) -> Iterator[Discrepancy]:
    """Statistics and findings that are not those that raw_output tells, or that quote what files does not say.

    Rows that are missing say nothing that is wrong: a schema that went back to 1.0.0 in between has none.
    """
    for name in set(_COMPARED) & set(_there(sql)):
        columns = ", ".join(("file_id", "inspection_id", *_COMPARED[name]))
        policy = "policy_id" if "policy_id" in _COMPARED[name] else "NULL"
        query = f"""
            WITH stored AS (
                SELECT {columns} FROM {name} JOIN said_claims USING (file_id, inspection_id)
                WHERE said_of = '{name}' AND said_policy IS NOT DISTINCT FROM {policy}
            )
            SELECT file_id, inspection_id, {policy} AS policy_id, count(*)
            FROM (SELECT * FROM stored EXCEPT SELECT {columns} FROM said_{name}) GROUP BY ALL ORDER BY ALL
        """  # noqa: S608 - names of vast_schemas
        for file_id, inspection, which, count in sql.execute(query).fetchall():
            detail = f"{count} rows are not those that raw_output tells"
            yield Discrepancy("contradiction", name, file_id, inspection, detail, policy_id=which)
    if "validation_results" in _there(sql):
        yield from _misquotes(sql)


def _misquotes(sql: duckdb.DuckDBPyConnection) -> Iterator[Discrepancy]:
    for code, column in _QUOTED.items():
        query = f"""
            SELECT file_id, inspection_id, policy_id, files.{column}
            FROM validation_results JOIN files USING (file_id, inspection_id)
            WHERE status_code = '{code}' AND NOT contains(actual, '"' || coalesce(files.{column}, '') || '"')
            GROUP BY ALL ORDER BY ALL
        """  # noqa: S608 - names of vast_schemas
        for file_id, inspection, policy, value in sql.execute(query).fetchall():
            detail = f"{code} is found, and {column} is {value}"
            yield Discrepancy("contradiction", "validation_results", file_id, inspection, detail, policy_id=policy)


def _contents(batch: pa.RecordBatch) -> Iterator[tuple[Mapping[str, Any], list[Discrepancy]]]:
    """Each row, with findings about its vectors, their version, and raw_output."""
    lengths = {name: _lengths(batch.column(name)) for name in _VECTORS}
    rest = batch.select([name for name in batch.schema.names if name not in _VECTORS]).to_pylist()
    for at, row in enumerate(rest):
        yield row, list(_of_row(row, {name: lengths[name][at] for name in _VECTORS}))


def _of_row(row: Mapping[str, Any], lengths: Mapping[str, float | None]) -> Iterator[Discrepancy]:
    owner = (row["file_id"], row["inspection_id"])
    for name, length in lengths.items():
        if length is None or not abs(length - 1) <= UNIT_TOLERANCE:
            yield Discrepancy("vector", "files", *owner, f"{name} {_format_length(length)}")
    if row["embedding_version"] != EMBEDDING_VERSION:
        detail = f"embedding_version is {row['embedding_version']}, the current one {EMBEDDING_VERSION}"
        yield Discrepancy("old_embedding", "files", *owner, detail)
    if stale := _stale(row):
        yield Discrepancy("stale_raw_output", "files", *owner, stale)


def _lengths(column: pa.FixedSizeListArray) -> list[float | None]:
    """The length of each vector; NaN where an element is not finite, None where there is no vector."""
    wide = column.type.list_size
    valid = column.is_valid().to_pylist()
    values = column.drop_null().flatten().to_numpy(zero_copy_only=False).astype(np.float64).reshape(-1, wide)
    with np.errstate(all="ignore"):
        lengths = iter(np.sqrt((values * values).sum(axis=1)).tolist())
    return [next(lengths) if there else None for there in valid]


def _format_length(length: float | None) -> str:
    if length is None:
        return "is missing"
    return f"has the length {length:.6g}" if math.isfinite(length) else "is not finite"


def _stale(row: Mapping[str, Any]) -> str | None:
    """How raw_output differs from the columns that were written with it; None where it does not."""
    try:
        file = json.loads(row["raw_output"])["file"]
        differing = [name for name in _OBSERVED if file.get(name) != row[name]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "raw_output is not a payload"
    return f"raw_output has another {', '.join(differing)}" if differing else None
