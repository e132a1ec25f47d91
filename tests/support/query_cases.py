"""One way of asking each question of the seeded catalogue, and the golden rows that are the answer.

scripts/python tests/support/query_cases.py        writes tests/golden/queries again, one file for each question
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

import seeded_catalogue
from exr_inspector.catalogue import engine, output, questions

GOLDEN = Path(__file__).resolve().parents[1] / "golden/queries"
DIGITS = 9
"""Digits of a float that are compared: engines may add up in another order."""


def file_id(path: str) -> str:
    """The id of the current version of a file of the seeded catalogue."""
    files = seeded_catalogue.tables()["files"].select(["file_id", "file_path", "is_current"])
    versions = files.filter(pc.and_(pc.equal(files["file_path"], path), files["is_current"]))
    return str(versions["file_id"][0].as_py())


REFERENCE = "s3://renders/shows/borealis/sq010/sh010/beauty/v001/sq010_sh010_beauty_v001.1001.exr"


def parameters(name: str) -> dict[str, str]:
    """The parameters with which a question is asked here, beside its defaults."""
    asked: dict[str, dict[str, str]] = {
        "aov_inventory": {"show": "caldera", "sequence": "sq030", "shot": "sh030"},
        "channel_composition": {"channel": "N", "and_channel": "Z", "and_also": "P.X"},
        "multi_layer_renders": {"least": "4", "show": "apollo", "limit": "40"},
        "render_trends": {"since": "2026-03-01T00:00:00", "until": "2026-04-01T00:00:00"},
        "inspection_coverage": {"before": "2026-02-01T00:00:00"},
        "stale_inspections": {"before": "2026-02-01T00:00:00"},
        "files_without_attribute": {"show": "borealis"},
        "frame_coverage": {"only_gaps": "1"},
        "storage_what_if": {"limit": "40"},
        "mended_frames": {"since": "2026-03-01T00:00:00"},
        "new_files": {"since": seeded_catalogue.LATEST.isoformat()},
        "versions": {"show": "caldera", "shot": "sh010"},
    }
    if name == "similar_renders":
        return {"file_id": file_id(REFERENCE), "limit": "30"}
    return asked.get(name, {})


def statement(name: str) -> exp.Query:
    """The question, asked so."""
    return questions.load(name).bind(parameters(name))


def comparable(answer: pa.Table) -> list[dict[str, Any]]:
    """The rows with floats rounded to DIGITS significant digits."""
    return [{key: _rounded(value) for key, value in row.items()} for row in output.rows_of(answer)]


def _rounded(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def golden(name: str) -> list[dict[str, Any]]:
    """The rows that the question must give."""
    rows: list[dict[str, Any]] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return rows


def over(tables: dict[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with these tables by name."""
    sql = duckdb.connect()
    for name, table in tables.items():
        sql.register(name, table)
    return sql


def write_golden() -> None:
    """Write what DuckDB answers over the seeded tables; to be read by a person before it is committed."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    with over(seeded_catalogue.tables()) as sql:
        for name in questions.names():
            rows = comparable(engine.run(sql, statement(name)))
            lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
            (GOLDEN / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
            print(f"{len(rows):>6}  {name}")


if __name__ == "__main__":
    write_golden()
