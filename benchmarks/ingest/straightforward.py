"""The plain way to store a payload with the same SDK and the same rows: for comparison, not for use.

For every file a new session, then schema and tables made where they are missing, which looks each of them up, then a select
through a table that was looked up, then inserts or an update. No read-back, no repetition, no lock.
"""

from __future__ import annotations

from typing import Any

import vastdb

from exr_inspector.database.rows import new_stamp, rows_of, to_tables
from exr_inspector.settings import Settings
from vast_schemas import TABLES, schema_for, wire_schema


def persist(payload: dict[str, Any], settings: Settings) -> bool:
    """Store one payload; True when it was new."""
    session = vastdb.connect(
        endpoint=settings.db_endpoint, access=settings.db_access_key, secret=settings.db_secret_key, timeout=settings.db_timeout
    )
    rows = rows_of(payload)
    with session.transaction() as tx:
        schema = tx.bucket(settings.db_bucket).create_schema(settings.db_schema, fail_if_exists=False)
        tables = {name: schema.create_table(name, wire_schema(schema_for(name)), fail_if_exists=False) for name in TABLES}
        files = tables["files"]
        wanted = files["file_id"] == rows.file_id
        earlier = files.select(["inspection_count"], wanted, internal_row_id=True).read_all()
        if earlier.num_rows:
            files.update(earlier.set_column(0, "inspection_count", [[earlier["inspection_count"][0].as_py() + 1]]))
            return False
        for name, table in to_tables([(rows, new_stamp())]).items():
            if table.num_rows:
                tables[name].insert(table)
        return True
