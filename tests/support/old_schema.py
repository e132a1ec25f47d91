"""Endpoints that hold what schema 1.0.0 wrote, and scripts run against them."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from databases import BUCKET, Database, filled
from exr_inspector.database.session import Ledger
from exr_inspector.operations import migrations, parquet_files
from vast_schemas import TABLES, schema_for, tables_at, wire_schema

FIXTURES = Path(__file__).resolve().parents[2] / "exr_inspector/operations/schema_1_0_0"


def fixture(name: str) -> pa.Table:
    """A table as 1.0.0 wrote it."""
    schema = wire_schema(schema_for(name, "1.0.0"))
    return pa.Table.from_batches(parquet_files.read(FIXTURES / f"{name}.parquet", schema), schema=schema)


@contextmanager
def old_database(**options: Any) -> Iterator[Database]:
    """A fresh endpoint with the fixture's tables, as an installation of 1.0.0 left them."""
    with filled(fill_old, **options) as running:
        yield running


def fill_old(running: Database) -> None:
    """Make the tables of 1.0.0 and insert the fixture's rows."""
    store = running.store()
    loaded: dict[str, Any] = {}
    names = [table.name for table in tables_at("1.0.0")]
    with store.transaction(Ledger(), loaded) as work:
        work.create({name: (schema_for(name, "1.0.0"), TABLES[name].vector_index) for name in names})
        loaded.update({name: work.load(name) for name in names})
        work.insert({name: fixture(name) for name in names})


@contextmanager
def migrated_database() -> Iterator[Database]:
    """The same after the migration to the current version, with older rows filled in."""
    with filled(_migrate_old) as running:
        yield running


def _migrate_old(running: Database) -> None:
    fill_old(running)
    assert run(running, "migrate", "--backfill")[0] == 0


def run(running: Database, script: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a script's command line with `--json` against the endpoint; its exit status and its answer."""
    module = importlib.import_module(f"exr_inspector.cli.{script}")
    given = running.settings
    environ = {"VAST_DB_ACCESS_KEY": given.db_access_key, "VAST_DB_SECRET_KEY": given.db_secret_key}
    place = ["--endpoint", str(given.db_endpoint), "--schema", f"{BUCKET}/{given.db_schema}"]
    out = io.StringIO()
    with patch.dict("os.environ", {key: str(value) for key, value in environ.items()}), contextlib.redirect_stdout(out):
        status = module.main([*arguments, "--json", *place])
    return status, json.loads(out.getvalue())


def interrupted_at(nth: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose n-th call is Ctrl-C instead, the others are its own."""
    calls = count(1)

    def call(*arguments: Any, **options: Any) -> Any:
        if next(calls) == nth:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    return call


def read_1_0_0(running: Database) -> dict[str, list[str]]:
    """Everything that a reader of 1.0.0 sees, in an order of its own; as text, because NaN does not equal itself."""
    names = [table.name for table in tables_at("1.0.0")]
    return {name: sorted(map(repr, running.rows(name, schema_for(name, "1.0.0").names))) for name in names}


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The rows of a Parquet file."""
    return list(pq.read_table(path, columns=columns).to_pylist())


def state(running: Database) -> migrations.State:
    """The schema's state."""
    return migrations.read_state(running.store())
