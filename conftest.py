"""What holds for every test."""

from __future__ import annotations

import pytest
from hypothesis import settings

# How long an example takes says something of the machine, not of the code; speed is measured in benchmarks/.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

LONGEST = (
    "test_docs_blocks", "test_stage", "test_report", "test_backfill_processes", "test_terminal", "test_upsert_faults",
    "test_queries", "test_assumptions", "test_upsert_races", "test_demo", "test_vector_cache", "test_group", "test_limits",
    "test_refusals", "test_full_disk", "test_chains", "test_report_browser", "test_statistics_agreement", "test_engine",
    "test_handler_storage", "test_schema_commands", "test_backup", "test_tls", "test_migrations", "test_end_to_end",
    "test_backfill", "test_copy",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest come first: a processor takes a file at a time, and would be alone with one of them at the end."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))
