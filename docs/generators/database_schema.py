"""docs/DATABASE_SCHEMA.md, made from the tables in vast_schemas.py.

    scripts/generate database_schema [--check]

With --check nothing is written: exit status 1 says that the page is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from generators import ROOT
from vast_schemas import CURRENT_VERSION, MAX_CELL_BYTES, TABLES, VERSIONS, Column, Role, TableSpec

PAGE = ROOT / "docs/DATABASE_SCHEMA.md"

HEAD = f"""# Database schema

This page is generated from `vast_schemas.py` by `scripts/generate database_schema`. Current version: {CURRENT_VERSION}.

The tables live in one schema of one bucket (`VAST_DB_BUCKET`, `VAST_DB_SCHEMA`) and are made on first use. Every column is
nullable, because VAST DataBase treats it so; absent values are null. Times are UTC without zone. A cell holds at most
{MAX_CELL_BYTES:,} bytes; a larger value is replaced by JSON with its size, its SHA-256 and how it begins.

Questions over these tables are in [VAST_ANALYTICS_QUERIES.md](VAST_ANALYTICS_QUERIES.md), what the versions mean is in
[SCHEMA_EVOLUTION.md](SCHEMA_EVOLUTION.md), and the vectors are told in [VECTOR_STRATEGY.md](VECTOR_STRATEGY.md).

## Identity

A file version is a path and a header: `file_id` is the SHA-256 of `file_path_normalized`, a zero byte and `header_hash`. VAST
DataBase has no unique keys; exr-inspector keeps `file_id` unique in `files`, and exactly one row per path with `is_current`.

* **A repeated inspection** of a version counts: `inspection_count`, `last_inspected` and `last_inspection_id` change, and so do
  the columns marked *observed* unless the stored version was modified later.
* **Another header** is a new row in every table. The version with the newest `mtime` is current; among equals the one inspected
  last.
* **A removal** sets `deleted_at` on the current version, unless that one was modified later; a file that returns clears it. Files
  that exist are `WHERE is_current AND deleted_at IS NULL`.
* **Rows of other tables** carry the `file_id` and the `inspection_id` of their row in `files`.
* **Statistics and findings** describe the bytes that their row of `files` describes now. An inspection of the same bytes (by
  ETag, modification time and size) replaces what it measured, whether rows come of it or not, and leaves the rest; one of other
  bytes removes what it does not measure again; one of older bytes changes nothing.
* **Damage** (`status` damaged) is measured, too: an inspection of the same bytes that does not read all their chunks leaves
  `status`, `error_code` and `error_message`, and the message says so. The rest of the row, `raw_output` included, is of the
  latest inspection.
* `inspection_count` counts the transactions that took effect: at least every acknowledged delivery. One that failed after its
  commit is counted, and so is its repetition.

Who writes a column: *header* follows from path and header and never changes; *observed* is refreshed as above; *audit* is kept by
the upsert.
"""


def page() -> str:
    """The page's text."""
    return "\n".join([HEAD, *(line for table in TABLES.values() for line in _table(table)), *_versions()]) + "\n"


def _table(table: TableSpec) -> Iterator[str]:
    yield f"## {table.name}\n"
    since = "" if table.since == VERSIONS[0] else f" Since {table.since}."
    yield f"{table.description}{since}"
    if table.replaced:
        same = f" with the same `{table.replaced_by}`" if table.replaced_by else ""
        yield f"An inspection that measures them again replaces the file's earlier rows{same}; other bytes remove all of them."
    if table.vector_index:
        index = table.vector_index
        yield f"Where the server offers it (5.5 and later), `{index.column}` has a vector index with the metric `{index.metric}`."
    roles = table.name == "files"
    yield "\n| column | type | since | " + ("written | " if roles else "") + "meaning |"
    yield "|---|---|---|" + ("---|" if roles else "") + "---|"
    for column in table.columns:
        written = f"{Role(column.role).value} | " if roles else ""
        came = max(table.since, column.since, key=VERSIONS.index)
        yield f"| `{column.name}` | {type_name(column.type)} | {came} | {written}{_meaning(column)} |"
    yield ""


def type_name(data_type: pa.DataType) -> str:
    """A column's type as SQL names it."""
    if pa.types.is_fixed_size_list(data_type):
        return f"FLOAT[{data_type.list_size}]"
    names = {
        pa.utf8(): "VARCHAR", pa.int32(): "INTEGER", pa.int64(): "BIGINT", pa.bool_(): "BOOLEAN", pa.float64(): "DOUBLE",
        pa.timestamp("us"): "TIMESTAMP(6)",
    }  # fmt: skip
    return names[data_type]


def _meaning(column: Column) -> str:
    return f"{column.description} (JSON)" if column.json else column.description


def _versions() -> Iterator[str]:
    yield "## Versions\n"
    yield f"* {VERSIONS[0]}: " + ", ".join(f"`{table.name}`" for table in TABLES.values() if table.since == VERSIONS[0]) + "."
    for version in VERSIONS[1:]:
        tables = [f"table `{table.name}`" for table in TABLES.values() if table.since == version]
        columns = [
            f"`{table.name}.{column.name}`"
            for table in TABLES.values()
            for column in table.columns
            if table.since != version and column.since == version
        ]
        yield f"* {version}: adds " + ", ".join([*tables, *columns]) + "."
