"""Give stored files the vectors of the current algorithm, from raw_output; no EXR is read.

    exr-inspector schema recompute [--dry-run] [--batch N] [--endpoint URL] [--schema BUCKET/SCHEMA]
    exr-inspector schema recompute --drop-previous

The vectors that go are kept in the table previous_vectors (file_id, inspection_id, embedding_version and both vectors), so that
the older version stays complete for searches: those of files with that embedding_version, and those of previous_vectors. When
nobody asks for it any more, --drop-previous drops that table. A file is done when it has the current embedding_version: an
interrupted run goes on, a second one finds nothing to do. Exit status: docs/OPERATIONS.md; 3 where raw_output said too little.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from exr_inspector.catalogue import connection
from exr_inspector.cli import common
from exr_inspector.database.session import Ledger, Store
from exr_inspector.embedding.vectors import EMBEDDING_VERSION
from exr_inspector.errors import SchemaDrift
from exr_inspector.operations import migrations
from exr_inspector.operations.migrations import PREVIOUS_VECTORS
from exr_inspector.operations.recompute import Replaced, replace

BATCH = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    parser.add_argument("--batch", type=common.positive, default=BATCH, help="files per transaction (default: %(default)s)")
    parser.add_argument("--drop-previous", action="store_true", help="only drop the table with the earlier vectors")
    return common.run(parser.parse_args(arguments), recompute)


def recompute(options: argparse.Namespace) -> common.Answer:
    """Replace the vectors of every file that has another version's."""
    store = common.store_of(options)
    state = migrations.read_state(store)
    if options.drop_previous:
        return _drop(store, state, dry_run=options.dry_run)
    if "files" not in state.tables:
        message = f"{store.place}: there is no table files"
        raise connection.nothing_stored(store) or SchemaDrift(message, remedy="Run `exr-inspector schema init`")
    done = 0
    unusable: list[Any] = []
    ranges = migrations.ranges(state.tables["files"].rows, options.batch)
    with common.progress("recomputing (ranges)", len(ranges), quiet=options.json) as forward:
        for low, high in ranges:
            found = migrations.repeated(lambda low=low, high=high: _range(store, low, high, dry_run=options.dry_run))  # type: ignore[misc]
            done += found.files
            unusable += found.unusable
            forward(1)
    words = "would get" if options.dry_run else "have"
    lines = [f"{store.place}: {done} files {words} vectors of version {EMBEDDING_VERSION}"]
    lines += [f"{path}: raw_output says too little; inspect it again with exr-inspector backfill" for path in unusable]
    return {"ok": not unusable, "version": EMBEDDING_VERSION, "files": done, "unusable": unusable, "lines": lines}


def _range(store: Store, low: str, high: str | None, *, dry_run: bool) -> Replaced:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        loaded["files"] = work.load("files")
        rows = work.scan("files", ("file_id", "embedding_version"), low, high).read_all().to_pylist()
        stale = sorted({row["file_id"] for row in rows if row["embedding_version"] != EMBEDDING_VERSION})
        if not stale or dry_run:
            return Replaced(len(stale), ())
        return replace(work, loaded, stale, keep_previous=True)


def _drop(store: Store, state: migrations.State, *, dry_run: bool) -> common.Answer:
    there = PREVIOUS_VECTORS in state.tables
    if there and not dry_run:
        migrations.repeated(lambda: _drop_table(store))
    word = "would be dropped" if dry_run else "dropped"
    return {"dropped": there and not dry_run, "lines": [f"{PREVIOUS_VECTORS}: {word if there else 'is not there'}"]}


def _drop_table(store: Store) -> None:
    with store.transaction(Ledger()) as work:
        if PREVIOUS_VECTORS in work.names():
            work.drop(PREVIOUS_VECTORS)
