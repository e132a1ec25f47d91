"""What holds for every test."""

from __future__ import annotations

import pytest
from hypothesis import settings

# How long an example takes says something of the machine, not of the code; speed is measured in benchmarks/.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

LONGEST = (
    "test_docs_blocks", "test_upsert_races", "test_upsert_faults", "test_integrity", "test_chains",
    "test_backfill_cluster", "test_copy", "test_migrations", "test_schema_commands", "test_backfill",
    "test_backup", "test_handler_storage", "test_report", "test_secrets", "test_end_to_end",
    "test_docs_troubleshooting", "test_upsert_model", "test_backfill_processes",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest come first: a processor takes a file at a time, and would be alone with one of them at the end."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))
