"""Give files of a test schema pixel statistics and findings, so that what reads them can be tried without reading pixels.

    scripts/insert_test_stats.py --file-count N [--dry-run] [--endpoint URL] [--schema BUCKET/SCHEMA]

The figures follow from file_ids, so that two runs agree; the policy is called `test`, and `details` says the same. Files that
have statistics already are left alone: a second run goes on. Exit status: docs/OPERATIONS.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from exr_inspector.catalogue import connection
from exr_inspector.cli import common
from exr_inspector.database.session import Ledger, Store, Work
from exr_inspector.errors import SchemaDrift
from exr_inspector.operations import migrations
from vast_schemas import schema_for

TARGETS = ("pixel_stats", "validation_results")
BATCH = 200
PIXELS = 1920 * 1080


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    parser.add_argument("--file-count", required=True, type=common.positive, metavar="N", help="files that shall have statistics")
    return common.run(parser.parse_args(arguments), insert)


def insert(options: argparse.Namespace) -> common.Answer:
    """Rows for the first N current files by file_id."""
    store = common.store_of(options)
    state = migrations.read_state(store)
    missing = [name for name in ("files", *TARGETS) if name not in state.tables]
    if missing:
        message = f"{store.place}: table {missing[0]} is missing"
        raise connection.nothing_stored(store) or SchemaDrift(message, remedy="Run `python scripts/migrate_v1_0_to_v1_1.py`")
    chosen, todo = migrations.repeated(lambda: _files(store, options.file_count))
    rows = 0
    if not options.dry_run:
        for start in range(0, len(todo), BATCH):
            batch = todo[start : start + BATCH]
            rows += migrations.repeated(lambda batch=batch: _write(store, batch))  # type: ignore[misc]
    word = "would get" if options.dry_run else "have"
    lines = [f"{len(todo)} files {word} statistics now, {chosen - len(todo)} had some"]
    return {"files": len(todo), "already": chosen - len(todo), "rows": rows, "lines": lines}


def _files(store: Store, count: int) -> tuple[int, list[str]]:
    """How many files were chosen, and those of them without statistics."""
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
        loaded.update({name: work.load(name) for name in ("files", "channels", *TARGETS)})
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
