"""The staging procedure, step by step, on a sample of a real schema: what works here works in production.

    %(prog)s [--sample-size N]

Reads from the schema and writes only into SCHEMA_rehearsal, which is dropped at the end. Without an endpoint it runs on a local
one that holds what schema 1.0.0 wrote. Stops at the first step that fails, with its exit status. --dry-run lists the commands.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exr_inspector.cli import common
from exr_inspector.cli.names import SUBCOMMANDS
from exr_inspector.cli.subcommand import subcommand

if TYPE_CHECKING:
    from exr_inspector.database.session import Store

FIXTURES = Path(__file__).resolve().parents[1] / "operations/schema_1_0_0"
BUCKET, SCHEMA = "renders", "exr"
MODULES = {name: module for name, (module, _) in SUBCOMMANDS.items()} | {
    "insert_test_stats": "exr_inspector.cli.insert_test_stats"
}


@dataclass(frozen=True, slots=True)
class Stage:
    """One command of the procedure."""

    command: str
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.command, *self.arguments))


def procedure(source: str, target: str, size: int, folder: Path) -> list[Stage]:
    """The commands, in order."""
    sample = ("--source-schema", source, "--target-schema", target, "--sample-size", str(size))
    backup = str(folder / "backup.tar.gz")
    return [
        Stage("schema copy", sample),
        Stage("schema init", ("--version", "1.0.0")),
        Stage("schema verify", ("--version", "1.0.0")),
        Stage("schema backup", ("--backup-path", backup)),
        Stage("schema migrate", ("--dry-run",)),
        Stage("schema migrate", ("--backfill",)),
        Stage("schema verify", ("--version", "1.1.0")),
        Stage("schema recompute"),
        Stage("insert_test_stats", ("--file-count", str(size))),
        Stage("schema check"),
        Stage("schema rollback", ("--archive-tables", str(folder / "archive"))),
        Stage("schema verify", ("--version", "1.0.0")),
        Stage("schema check"),
        Stage("schema migrate", ("--backfill",)),
        Stage("schema verify", ("--version", "1.1.0")),
        Stage("schema check"),
    ]


@subcommand(__doc__)
def main(
    sample_size: Annotated[int, typer.Option(parser=common.positive, metavar="N", help="paths")] = 100,
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(rehearse, locals())


def rehearse(options: common.Options) -> common.Answer:
    """Run the procedure; the answer names each command with its exit status."""
    if options.dry_run:
        settings = common.settings_of(options)
        place = f"{settings.db_bucket or BUCKET}/{settings.db_schema}"
        commands = [str(stage) for stage in procedure(place, f"{place}_rehearsal", options.sample_size, Path("FOLDER"))]
        return {"dry_run": True, "stages": commands, "lines": [f"would run {command}" for command in commands]}
    with contextlib.ExitStack() as stack:
        if not options.endpoint and not os.environ.get("VAST_DB_ENDPOINT"):
            stack.enter_context(_local(options))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = common.settings_of(options)
        source, target = (f"{settings.db_bucket}/{settings.db_schema}{tail}" for tail in ("", "_rehearsal"))
        options_of_all = ["--schema", target]
        if options.endpoint:
            options_of_all += ["--endpoint", options.endpoint]
        stack.callback(_drop, common.store_of(options, target))
        _drop(common.store_of(options, target))
        done = list(_until_failure(procedure(source, target, options.sample_size, folder), options_of_all))
    lines = [f"{'ok    ' if one['status'] == 0 else 'FAILED'} {one['command']}" for one in done]
    failed = next((one for one in done if one["status"]), None)
    if failed:
        lines.append(str(failed["answer"]))
    return {"ok": failed is None, "stages": done, "lines": lines}


def _until_failure(stages: Sequence[Stage], place: Sequence[str]) -> Iterator[dict[str, Any]]:
    for stage in stages:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = importlib.import_module(MODULES[stage.command]).main([*stage.arguments, "--json", *place])
        yield {"command": str(stage), "status": status, "answer": json.loads(out.getvalue() or "{}")}
        if status:
            return


def _drop(store: Store) -> None:
    """Drop every table of the rehearsal's schema."""
    from exr_inspector.database.session import Ledger

    with store.transaction(Ledger()) as work:
        for name in work.names():
            work.drop(name)


@contextmanager
def _local(options: common.Options) -> Iterator[None]:
    """A local endpoint that holds what schema 1.0.0 wrote; the options and the environment name it."""
    from local_vast import LocalVast

    with LocalVast(buckets=(BUCKET,)) as server:
        keys = {"VAST_DB_ACCESS_KEY": server.access_key, "VAST_DB_SECRET_KEY": server.secret_key}
        before = {name: os.environ.get(name) for name in keys}
        os.environ.update(keys)
        options.endpoint, options.schema = server.url, f"{BUCKET}/{SCHEMA}"
        try:
            _load(common.store_of(options))
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def _load(store: Store) -> None:
    """Make the tables of 1.0.0 with the rows of the fixtures."""
    import pyarrow as pa

    from exr_inspector.database.session import Ledger
    from exr_inspector.operations import parquet_files
    from vast_schemas import TABLES, schema_for, tables_at, wire_schema

    loaded: dict[str, Any] = {}
    names = [table.name for table in tables_at("1.0.0")]
    with store.transaction(Ledger(), loaded) as work:
        work.create({name: (schema_for(name, "1.0.0"), TABLES[name].vector_index) for name in names})
        loaded.update({name: work.load(name) for name in names})
        for name in names:
            schema = wire_schema(schema_for(name, "1.0.0"))
            rows = parquet_files.read(FIXTURES / f"{name}.parquet", schema)
            work.insert({name: pa.Table.from_batches(rows, schema=schema)})
