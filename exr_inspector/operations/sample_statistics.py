"""Pixel statistics and findings that nobody measured, for trying what reads them. They follow from file_ids alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from exr_inspector.database.session import Ledger, Store, Work
from exr_inspector.operations import FILES_PER_TRANSACTION
from exr_inspector.operations.transactions import retry
from vast_schemas import schema_for

TABLES = ("pixel_stats", "validation_results")
PIXELS = 1920 * 1080


def choose_files(store: Store, count: int) -> tuple[int, list[str]]:
    """How many of the first `count` current files by file_id there are, and those of them without statistics."""
    return retry(_files, store, count)


def insert(store: Store, file_ids: Sequence[str]) -> int:
    """Insert rows for these files; returns how many."""
    starts = range(0, len(file_ids), FILES_PER_TRANSACTION)
    return sum(retry(_write, store, file_ids[start : start + FILES_PER_TRANSACTION]) for start in starts)


def _files(store: Store, count: int) -> tuple[int, list[str]]:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        loaded.update({name: work.load(name) for name in ("files", "pixel_stats")})
        rows = work.scan("files", ["file_id", "is_current", "channel_count"]).read_all().to_pylist()
        known = set(work.scan("pixel_stats", ["file_id"]).read_all()["file_id"].to_pylist())
    chosen = sorted(row["file_id"] for row in rows if row["is_current"] and row["channel_count"])[:count]
    return len(chosen), [file_id for file_id in chosen if file_id not in known]


def _write(store: Store, file_ids: Sequence[str]) -> int:
    loaded: dict[str, Any] = {}
    with store.transaction(Ledger(), loaded) as work:
        loaded.update({name: work.load(name) for name in ("files", "channels", *TABLES)})
        file_ids = _without(work, file_ids)
        if not file_ids:
            return 0
        columns = ("file_id", "inspection_id", "part_index", "channel_name")
        channels = work.select("channels", columns, "file_id", file_ids).to_pylist()
        owners = work.select("files", ("file_id", "inspection_id"), "file_id", file_ids).to_pylist()
        rows = {"pixel_stats": [_stats(row) for row in channels], "validation_results": [_finding(row) for row in owners]}
        work.insert({name: pa.Table.from_pylist(entries, schema=schema_for(name)) for name, entries in rows.items()})
    return sum(map(len, rows.values()))


def _without(work: Work, file_ids: Sequence[str]) -> list[str]:
    """Those that have no statistics in this transaction either: an attempt whose answer was lost may have written them."""
    known = set(work.select("pixel_stats", ["file_id"], "file_id", file_ids)["file_id"].to_pylist())
    return [file_id for file_id in file_ids if file_id not in known]


def _stats(row: dict[str, Any]) -> dict[str, Any]:
    seed = int(row["file_id"][:8], 16) / 0xFFFFFFFF
    figures = {"min_value": 0.0, "max_value": 1.0 + seed, "mean_value": seed / 2, "stddev_value": seed / 4}
    percentiles = {"p01": 0.0, "p50": seed / 2, "p99": 1.0}
    counts = {"pixel_count": PIXELS, "finite_count": PIXELS, "nan_count": 0, "pos_inf_count": 0, "neg_inf_count": 0}
    flags = {"is_constant": False, "is_sampled": False, "is_partial": False, "details": '{"test":true}'}
    place = {name: row[name] for name in ("file_id", "inspection_id", "part_index", "channel_name")}
    return place | counts | {"negative_count": 0, "zero_count": 0} | figures | percentiles | flags


def _finding(row: dict[str, Any]) -> dict[str, Any]:
    passed = int(row["file_id"][:2], 16) % 4 != 0
    outcome = {"severity": "FAIL", "status": "PASS" if passed else "FAIL", "status_code": "test"}
    rule = {"policy_id": "test", "policy_version": "1", "rule_id": "test"} | outcome
    return {"file_id": row["file_id"], "inspection_id": row["inspection_id"], **rule, "message": "a finding to try things on"}
