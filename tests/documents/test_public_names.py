"""The names that others build on for years: none goes, and none changes its type, unnoticed."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from typing import Any

import vast_db_persistence
from exr_inspector.embedding import vectors
from exr_inspector.settings import Settings
from exr_inspector.validation import validate
from project import ROOT
from vast_schemas import TABLES, schema_for

GOLDEN = ROOT / "tests/golden/public_names.json"
MODULES = (vast_db_persistence, vectors, validate)


def public_names() -> dict[str, Any]:
    """Columns with their types, settings in each spelling, and what the public modules offer."""
    return {
        "columns": {f"{table}.{field.name}": str(field.type) for table in TABLES for field in schema_for(table)},
        "settings": sorted(name for item in fields(Settings) for name in item.metadata["names"]),
        "functions": {module.__name__: sorted(module.__all__) for module in MODULES},
    }


def test_what_is_public_is_what_was_promised() -> None:
    """docs/DEPRECATION_POLICY.md says how a name may go; UPDATE_GOLDEN=1 writes the file again."""
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(json.dumps(public_names(), indent=1) + "\n", encoding="utf-8")
    assert public_names() == json.loads(GOLDEN.read_text(encoding="utf-8"))
