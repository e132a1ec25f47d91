"""What is new, mended or still there: against an earlier page, or by what the tables hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from exr_inspector.catalogue.report.answers import Ask, Row, ask

NEW = timedelta(days=1)
"""Without an earlier page, a problem whose files were written within this time is new."""
_KEPT = ("id", "kind", "show", "sequence", "shot", "layer", "version", "frames", "why")


def with_states(listed: Sequence[Row], previous: Row | None, now: datetime) -> list[Row]:
    """The problems with `state`: new, or still there."""
    if previous is None:
        since = (now - NEW).strftime("%Y-%m-%dT%H:%M:%SZ")
        return [row | {"state": "new" if (row["since"] or "") >= since else "still"} for row in listed]
    known = {row["id"] for row in previous["problems"]}
    return [row | {"state": "still" if row["id"] in known else "new"} for row in listed]


def repairs(listed: Sequence[Row], previous: Row | None, answer: Ask, since: str) -> list[Row]:
    """What the earlier page lists and this one does not; without one, the broken files that were written again since then."""
    if previous is None:
        return [_written_again(row) for row in ask(answer, "mended_frames", since=since)]
    there = {row["id"] for row in listed}
    return [{name: row.get(name) for name in _KEPT} for row in previous["problems"] if row["id"] not in there]


def _written_again(row: Row) -> Row:
    number = row["frame_number"]
    return {
        "id": row["file_path"], "kind": row["status_before"], "show": row["show_name"], "sequence": row["sequence_name"],
        "shot": row["shot_name"], "layer": None, "version": None, "frames": [] if number is None else [[number, number]],
        "why": f"Written again {row['written_again'][:16].replace('T', ' ')}",
    }  # fmt: skip


def summary_of(previous: Row | None) -> Row | None:
    """Of an earlier page: when it was made, where from, and its figures."""
    if previous is None:
        return None
    return {name: previous[name] for name in ("generated", "place", "totals", "counts")}
