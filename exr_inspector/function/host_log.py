"""The log of a function host, for people or as one JSON object a line."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any

FORMATS = ("text", "json")
CLIENT = "vastdb"
"""Logs every answer with an error status, also of what is tried again or expected; what an event fails of is in its own line."""
TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JsonLines(logging.Formatter):
    """Each record as one line: `time` (RFC 3339, UTC), `level`, `logger`, then what it says.

    A message that is a JSON object gives its own fields, as the function's line of an event does; any other is `message`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        entry = {"time": time, "level": record.levelname, "logger": record.name, **_fields(record.getMessage())}
        if record.exc_info:
            entry["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(entry, separators=(",", ":"))


def _fields(message: str) -> dict[str, Any]:
    if message.startswith("{"):
        try:
            return dict(json.loads(message))
        except (ValueError, RecursionError):
            pass
    return {"message": message}


def configure(level: str, form: str) -> None:
    """Log to the standard error from `level` on; as JSON, with Python's own warnings. Raises ValueError for an unknown level."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.captureWarnings(form == "json")
    if level.upper() != "DEBUG":
        logging.getLogger(CLIENT).setLevel(logging.CRITICAL)


def address(url: str, form: str) -> str:
    """The line of the standard output that says where the host listens."""
    record = logging.makeLogRecord({"name": "exr_inspector.function.host", "levelname": "INFO", "msg": f"listening on {url}"})
    return JsonLines().format(record) if form == "json" else f"FUNCTION_HOST_URL={url}"
