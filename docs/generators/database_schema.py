"""docs/DATABASE_SCHEMA.md, made from the tables in vast_schemas.py.

    scripts/generate database_schema [--check]

With --check nothing is written: exit status 1 says that the page is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pyarrow as pa

from generators import ROOT
from vast_schemas import CURRENT_VERSION, MAX_CELL_BYTES, TABLES, VERSIONS, Column, Role, TableSpec

PAGE = ROOT / "docs/DATABASE_SCHEMA.md"

HEAD = """# Tables and columns

Ask in SQL over these six tables; every other table joins `files` on `file_id`:

<!-- catalogue -->
```sql
SELECT files.show_name, channels.aov_role, count(*) AS channel_count
FROM files JOIN channels ON channels.file_id = files.file_id
WHERE files.is_current AND files.deleted_at IS NULL
GROUP BY files.show_name, channels.aov_role
```

| table | a row for |
|---|---|
| [files](#files) | each version of a file: path and header |
| [parts](#parts) | each part: windows, compression, renderer, times |
| [channels](#channels) | each channel: type, role, view |
| [attributes](#attributes) | each attribute of a header, under its own name |
| [pixel_stats](#pixel_stats) | each channel whose [pixels were read](PIXEL_STATISTICS.md) |
| [validation_results](#validation_results) | each rule of a [policy](VALIDATION.md) that was applied |

* Files that exist are `WHERE is_current AND deleted_at IS NULL`.
* Every column is nullable, because VAST DataBase treats it so; what is not known is null. Times are UTC without zone.
* A cell holds at most {cell:,} bytes; a larger value is replaced by JSON with its size, its SHA-256 and how it begins.
* The tables live in one schema of one bucket (`VAST_DB_BUCKET`, `VAST_DB_SCHEMA`) and are made on first use.
* In every table but `files`, `file_id` and `inspection_id` (VARCHAR) name the row of `files` that a row belongs to.

Ready-made questions are in [VAST_ANALYTICS_QUERIES.md](VAST_ANALYTICS_QUERIES.md). This page is generated from `vast_schemas.py`
by `scripts/generate database_schema`; its version is {version}.
"""

RULES = """## What the rows keep to

A version of a file is a path and a header: `file_id` is the SHA-256 of `file_path_normalized`, a zero byte and `header_hash`.
VAST DataBase has no unique keys; exr-inspector keeps `file_id` unique in `files`, and exactly one row per path with `is_current`.

* **A repeated inspection** of a version counts: `inspection_count`, `last_inspected` and `last_inspection_id` change, and so do
  the columns marked *observed*, unless the stored version was modified later.
* **Another header** is a new row in every table. The version with the newest `mtime` is current; among equals the one inspected
  last.
* **A removal** sets `deleted_at` on the current version, unless that was modified later; a file that returns clears it.
* **Statistics and findings** describe the bytes that the row of `files` describes now. An inspection of the same bytes (by ETag,
  modification time and size) replaces what it measured, whether rows come of it or not, and leaves the rest; one of other bytes
  removes what it does not measure again; one of older bytes changes nothing.
* **Damage** (`status` damaged) is measured, too: an inspection of the same bytes that does not read all their chunks leaves
  `status`, `error_code` and `error_message`, and the message says so. The rest of the row is of the latest inspection.
* `inspection_count` counts transactions that took effect: at least every acknowledged delivery. One that failed after its commit
  is counted, and so is its repetition.

"Written" says who writes a column: *header* follows from path and header and never changes; *observed* is refreshed as above;
*audit* is kept by the upsert.
"""


def page() -> str:
    """The page's text."""
    head = HEAD.format(cell=MAX_CELL_BYTES, version=CURRENT_VERSION)
    return "\n".join([head, *(line for table in TABLES.values() for line in _table(table)), RULES, *_versions()]) + "\n"


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
    yield "\n| columns | type | since |" + (" written |" if roles else "")
    yield "|---|---|---|" + ("---|" if roles else "")
    columns = [column for column in table.columns if roles or column.name not in ("file_id", "inspection_id")]
    for about, alike in groupby(columns, key=lambda column: _about(table, column, roles=roles)):
        yield f"| {'<br>'.join(f'`{column.name}`: {_meaning(column)}' for column in alike)} | {about} |"
    yield ""


def _about(table: TableSpec, column: Column, *, roles: bool) -> str:
    """Type, version and, of `files`, who writes it: what neighbours in one row share."""
    since = max(table.since, column.since, key=VERSIONS.index)
    written = f" | {Role(column.role).value}" if roles else ""
    return f"{type_name(column.type)} | {since}{written}"


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
