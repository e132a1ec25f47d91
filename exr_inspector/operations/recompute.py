"""Replaces stored vectors by those that the current algorithm computes from raw_output.

A column with a vector index cannot be updated, so a row of `files` is inserted again and the old one deleted, in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from exr_inspector.database.session import ROW_ID, Ledger, Store, Work
from exr_inspector.embedding.vectors import EMBEDDING_VERSION
from exr_inspector.operations import FILES_PER_TRANSACTION, fill
from exr_inspector.operations.migrations import PREVIOUS_VECTORS
from exr_inspector.operations.progress import Progress, unseen
from exr_inspector.operations.transactions import retry
from vast_schemas import FILES, FILES_SCHEMA, wire_schema

PREVIOUS_SCHEMA = wire_schema(
    pa.schema(
        [
            FILES_SCHEMA.field(name)
            for name in ("file_id", "inspection_id", "embedding_version", "metadata_embedding", "channel_fingerprint")
        ]
    )
)


_SOURCES = ("file_id", "file_path", "file_path_normalized", "raw_output")


@dataclass(frozen=True, slots=True)
class Replaced:
    """How many files have new vectors, and the paths of those whose raw_output says too little to make any."""

    files: int
    unusable: tuple[str, ...]


def replace_stale(
    store: Store, rows: int, batch: int = FILES_PER_TRANSACTION, *, dry_run: bool = False, progress: Progress = unseen
) -> Replaced:
    """Give every file the vectors of the current algorithm that has another one's; `files` has about so many `rows`."""
    files, unusable = 0, list[str]()
    ranges = fill.ranges(rows, batch)
    with progress("recomputing (ranges)", len(ranges)) as advance:
        for low, high in ranges:
            replaced = retry(_replace_range, store, low, high, dry_run=dry_run)
            files += replaced.files
            unusable += replaced.unusable
            advance(1)
    return Replaced(files, tuple(unusable))


def _replace_range(store: Store, low: str, high: str | None, *, dry_run: bool) -> Replaced:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        loaded["files"] = work.load("files")
        rows = work.scan("files", ("file_id", "embedding_version"), low, high).read_all().to_pylist()
        stale = sorted({row["file_id"] for row in rows if row["embedding_version"] != EMBEDDING_VERSION})
        if not stale or dry_run:
            return Replaced(len(stale), ())
        return replace(work, loaded, stale, keep_previous=True)


def drop_previous(store: Store) -> None:
    """Drop the table with the vectors of earlier algorithms."""
    retry(_drop_previous, store)


def _drop_previous(store: Store) -> None:
    with store.transaction(Ledger()) as work:
        if PREVIOUS_VECTORS in work.names():
            work.drop(PREVIOUS_VECTORS)


def replace(work: Work, loaded: dict[str, Any], file_ids: Sequence[str], *, keep_previous: bool) -> Replaced:
    """Give these files the vectors of the current algorithm. `loaded` gets the metadata of the tables that are used."""
    for name in ("files", "channels"):
        loaded[name] = loaded.get(name) or work.load(name)
    rows = work.select("files", loaded["files"].arrow_schema.names, "file_id", file_ids)
    made, unusable, computed = [], [], {}
    for row in rows.select([*_SOURCES, "inspection_id"]).to_pylist():
        tables, usable = fill.recompute_rows(row, None)
        made.append(tables["files"][0] if usable else None)
        if usable:
            computed[row["file_id"], row["inspection_id"]] = tables["channels"]
        else:
            unusable.append(row["file_path"])
    kept = pa.array([one is not None for one in made])
    old = rows.filter(kept)
    if old.num_rows:
        if keep_previous:
            _keep(work, loaded, old)
        work.insert({"files": _renew_files(old, [one for one in made if one])})
        work.delete("files", old[ROW_ID].to_pylist())
        _renew_channels(work, computed, file_ids)
    return Replaced(old.num_rows, tuple(unusable))


def _renew_files(old: pa.Table, made: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The rows with new vectors; every other cell as it was."""
    fresh = {
        "metadata_embedding": [row["metadata_embedding"] for row in made],
        "channel_fingerprint": [row["channel_fingerprint"] for row in made],
        "embedding_version": [EMBEDDING_VERSION] * len(made),
    }
    schema = pa.schema([field for field in old.schema if field.name != ROW_ID])
    columns = [pa.array(fresh[field.name], field.type) if field.name in fresh else old[field.name] for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _keep(work: Work, loaded: dict[str, Any], old: pa.Table) -> None:
    """Copy the vectors that go into a table of their own, which is searched like `files`."""
    if PREVIOUS_VECTORS not in loaded:
        if work.load(PREVIOUS_VECTORS) is None:
            work.create({PREVIOUS_VECTORS: (PREVIOUS_SCHEMA, FILES.vector_index)})
        loaded[PREVIOUS_VECTORS] = work.load(PREVIOUS_VECTORS)
    kept = pa.Table.from_arrays([old[field.name].cast(field.type) for field in PREVIOUS_SCHEMA], schema=PREVIOUS_SCHEMA)
    work.insert({PREVIOUS_VECTORS: kept})


def _renew_channels(work: Work, computed: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]], file_ids: Sequence[str]) -> None:
    """The parts' fingerprints, which stand on the first channel of each part."""
    wanted = {
        (*owner, row["channel_index"]): row.get("channel_fingerprint") for owner, channels in computed.items() for row in channels
    }
    columns = ("file_id", "inspection_id", "channel_index")
    changes = []
    for row in work.select("channels", columns, "file_id", file_ids).to_pylist():
        fingerprint = wanted.get(tuple(row[name] for name in columns))
        if fingerprint is not None:
            changes.append((row[ROW_ID], {"channel_fingerprint": fingerprint}))
    fill.update(work, "channels", ["channel_fingerprint"], changes)
