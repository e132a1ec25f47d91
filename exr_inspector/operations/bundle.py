"""What an issue needs, as one document: versions, settings without secrets, the doctor's steps with their times, last errors."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from dataclasses import fields
from typing import Any

from exr_inspector import __version__
from exr_inspector.catalogue import connection, engine, questions
from exr_inspector.errors import InspectorError
from exr_inspector.settings import Settings, environment_name

PACKAGES = (
    "vastdb", "pyarrow", "numpy", "OpenEXR", "boto3", "tenacity", "adbc-driver-vastdb", "duckdb", "sqlglot", "typer", "rich",
    "fileseq", "uvicorn", "cloudevents", "distributed",
)  # fmt: skip
"""Those whose versions matter."""
LAST_ERRORS = """
SELECT last_inspected, status, error_code, error_message
FROM files
WHERE is_current AND deleted_at IS NULL AND error_code IS NOT NULL
ORDER BY last_inspected DESC
LIMIT 20
"""
"""Codes and messages of the files that were inspected last; their paths are the studio's business."""


def collect(steps: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The document; `steps` are the doctor's."""
    return {
        "exr_inspector": __version__,
        "python": sys.version,
        "platform": platform.platform(),
        "packages": dict(_packages()),
        "settings": list_settings(settings),
        "steps": steps,
        "last_errors": _last_errors(settings),
    }


def _packages() -> list[tuple[str, str | None]]:
    versions: list[tuple[str, str | None]] = []
    for name in PACKAGES:
        try:
            versions.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            versions.append((name, None))
    return versions


def list_settings(settings: Settings) -> dict[str, Any]:
    """Every setting that is not a secret; of a secret, whether it is set."""
    shown: dict[str, Any] = {}
    for item in fields(Settings):
        value = getattr(settings, item.name)
        shown[environment_name(item.name)] = ("set" if value else "not set") if item.metadata["secret"] else _plain(value)
    return shown


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _last_errors(settings: Settings) -> list[dict[str, Any]] | str:
    """The last errors of files that are stored, or why there are none to show."""
    try:
        rows = engine.ask_client(connection.open_target(settings), questions.parse(LAST_ERRORS)).to_pylist()
    except InspectorError as error:
        return settings.hide_secrets(str(error))
    return [{name: _plain(value) for name, value in row.items()} for row in rows]
