"""The staging procedure, step by step, on a sample of a real schema: what works here works in production.

    scripts/rehearsal [--sample-size N] [--endpoint URL] [--schema BUCKET/SCHEMA]

Reads from the schema and writes only into SCHEMA_rehearsal, which is dropped at the end. Without an endpoint it runs on a local
one that holds what schema 1.0.0 wrote. Stops at the first step that fails, with its exit status. --dry-run lists the commands.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from local_vast import LocalVast
from scripts import connection, parquet_files, upkeep
from vast_schemas import TABLES, schema_for, tables_at, wire_schema
from vast_session import Ledger, Store

FIXTURES = Path(__file__).resolve().parent.parent / "tests/fixtures/schema_1_0_0"
BUCKET, SCHEMA = "renders", "exr"


@dataclass(frozen=True, slots=True)
class Stage:
    """One command of the procedure."""

    script: str
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((f"{self.script}.py", *self.arguments))


def procedure(source: str, target: str, size: int, folder: Path) -> list[Stage]:
    """The commands, in order."""
    sample = ("--source-schema", source, "--target-schema", target, "--sample-size", str(size))
    backup = str(folder / "backup.tar.gz")
    return [
        Stage("copy_sample_data", sample),
        Stage("init_schema", ("--version", "1.0.0")),
        Stage("verify_schema", ("--version", "1.0.0")),
        Stage("backup_schema", ("--backup-path", backup)),
        Stage("migrate_v1_0_to_v1_1", ("--dry-run",)),
        Stage("migrate_v1_0_to_v1_1", ("--backfill",)),
        Stage("verify_schema", ("--version", "1.1.0")),
        Stage("recompute_embeddings"),
        Stage("insert_test_stats", ("--file-count", str(size))),
        Stage("data_integrity_check"),
        Stage("rollback_v1_1", ("--archive-tables", str(folder / "archive"))),
        Stage("verify_schema", ("--version", "1.0.0")),
        Stage("data_integrity_check"),
        Stage("migrate_v1_0_to_v1_1", ("--backfill",)),
        Stage("verify_schema", ("--version", "1.1.0")),
        Stage("data_integrity_check"),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = upkeep.parser("rehearsal", __doc__)
    parser.add_argument("--sample-size", type=upkeep.positive, default=100, help="paths (default: %(default)s)")
    return upkeep.run("rehearsal", parser.parse_args(arguments), rehearse)


def rehearse(options: argparse.Namespace) -> upkeep.Answer:
    """Run the procedure; the answer names each command with its exit status."""
    if options.dry_run:
        source = connection.settings_of(options.endpoint, options.schema)
        place = f"{source.db_bucket or BUCKET}/{source.db_schema}"
        commands = [str(stage) for stage in procedure(place, f"{place}_rehearsal", options.sample_size, Path("FOLDER"))]
        return {"dry_run": True, "stages": commands, "lines": [f"would run {command}" for command in commands]}
    with contextlib.ExitStack() as stack:
        if not options.endpoint and not os.environ.get("VAST_DB_ENDPOINT"):
            stack.enter_context(_local(options))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = connection.settings_of(options.endpoint, options.schema)
        source, target = (f"{settings.db_bucket}/{settings.db_schema}{tail}" for tail in ("", "_rehearsal"))
        place = [*(("--endpoint", options.endpoint) if options.endpoint else ()), "--schema", target]
        stack.callback(_drop, upkeep.store_of(options, target))
        _drop(upkeep.store_of(options, target))
        done = list(_until_failure(procedure(source, target, options.sample_size, folder), place))
    lines = [f"{'ok    ' if one['status'] == 0 else 'FAILED'} {one['command']}" for one in done]
    failed = next((one for one in done if one["status"]), None)
    lines += [str(failed["answer"])] if failed else []
    return {"ok": failed is None, "stages": done, "lines": lines}


def _until_failure(stages: Sequence[Stage], place: Sequence[str]) -> Iterator[dict[str, Any]]:
    for stage in stages:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = importlib.import_module(f"scripts.{stage.script}").main([*stage.arguments, "--json", *place])
        yield {"command": str(stage), "status": status, "answer": json.loads(out.getvalue() or "{}")}
        if status:
            return


def _drop(store: Store) -> None:
    """Drop every table of the rehearsal's schema."""
    with store.transaction(Ledger()) as work:
        for name in work.names():
            work.drop(name)


@contextmanager
def _local(options: argparse.Namespace) -> Iterator[None]:
    """A local endpoint that holds what schema 1.0.0 wrote; the options and the environment name it."""
    with LocalVast(buckets=(BUCKET,)) as server:
        keys = {"VAST_DB_ACCESS_KEY": server.access_key, "VAST_DB_SECRET_KEY": server.secret_key}
        before = {name: os.environ.get(name) for name in keys}
        os.environ.update(keys)
        options.endpoint, options.schema = server.url, f"{BUCKET}/{SCHEMA}"
        try:
            _load(upkeep.store_of(options))
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def _load(store: Store) -> None:
    loaded: dict[str, Any] = {}
    names = [table.name for table in tables_at("1.0.0")]
    with store.transaction(Ledger(), loaded) as work:
        work.create({name: (schema_for(name, "1.0.0"), TABLES[name].vector_index) for name in names})
        loaded.update({name: work.load(name) for name in names})
        for name in names:
            schema = wire_schema(schema_for(name, "1.0.0"))
            rows = parquet_files.read(FIXTURES / f"{name}.parquet", schema)
            work.insert({name: pa.Table.from_batches(rows, schema=schema)})


if __name__ == "__main__":
    sys.exit(main())
