"""What the report shows, as plain data: aggregated in DuckDB, so that its size does not grow with the catalogue.

Lists are cut at the LIMITS, what needs attention first; `omitted` says how much was left out of each.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import duckdb
import numpy as np

from exr_inspector.catalogue import engine
from exr_inspector.catalogue.connection import Target
from exr_inspector.catalogue.output import rows_of
from exr_inspector.catalogue.scans import CURRENT, Scan, stream
from exr_inspector.embedding.vectors import EMBEDDING_VERSION

LIMITS = {"shows": 40, "shots": 400, "strips": 250, "compression": 400, "renderers": 40, "rules": 60, "map": 2500}
RUNS = 100
"""Runs of a strip at most; of a sequence with more of them, runs that begin in the same hundredth of it are drawn as one."""
NO_SHOW = "(no show)"
OTHER_SHOWS = "(other shows)"
COLOURS = 8
"""Shows that have a colour of their own, the largest first; the others share one."""
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
Row = dict[str, Any]

COLUMNS = {
    "files": "file_id, file_path, size_bytes, status, embedding_version, frame_number, sequence_key, show_name, sequence_name, "
    "shot_name",
    "parts": "file_id, part_index, compression, logical_bytes, render_product, render_software, render_seconds, peak_memory_mb",
    "validation_results": "file_id, policy_id, rule_id, status",
}
"""The columns that are read, by table. Vectors are read of the few files that stand on the map."""


def collect(target: Target) -> Row:
    """All that the page shows, ready for JSON. Raises VASTDatabaseError where the database does not answer."""
    with engine.open_scans(target, report_scans()) as sql:
        return summarize(sql, target.place, partial(read_vectors, target))


def summarize(
    sql: duckdb.DuckDBPyConnection, place: str, vectors_of: Callable[[Sequence[str]], Mapping[str, list[float]]]
) -> Row:
    """The same from tables that hold what `report_scans` asks for; `vectors_of` gives metadata_embedding by file_id."""
    sql.execute(_PREPARE)
    answers = {name: sql.sql(query) for name, query in _QUERIES.items()}
    shown = {name: _rows(answer.limit(LIMITS[name]) if name in LIMITS else answer) for name, answer in answers.items()}
    cut = [name for name, limit in LIMITS.items() if len(shown[name]) == limit]
    return shown | {
        "strips": [_strip(row) for row in shown["strips"]],
        "totals": shown["totals"][0],
        "map": _place_on_map(shown["map"], vectors_of([row["file_id"] for row in shown["map"]])),
        "omitted": {name: _scalar(answers[name].aggregate("count(*)")) - LIMITS[name] if name in cut else 0 for name in LIMITS},
        "colours": [row["show"] for row in shown["shows"][:COLOURS]],
        "place": place,
        "generated": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def report_scans() -> list[Scan]:
    """What the report reads of each table."""
    return [Scan(table, tuple(columns.split(", ")), CURRENT if table == "files" else ()) for table, columns in COLUMNS.items()]


def _rows(answer: duckdb.DuckDBPyRelation) -> list[Row]:
    return rows_of(answer.to_arrow_table())


def _scalar(answer: duckdb.DuckDBPyRelation) -> int:
    ((value,),) = answer.fetchall()
    return int(value)


_PREPARE = f"""
CREATE TABLE first_parts AS
    SELECT file_id, arg_min(compression, part_index) AS compression,
        arg_min(coalesce(render_product, render_software), part_index) AS software,
        max(render_seconds) AS seconds, max(peak_memory_mb) AS memory,
        CASE WHEN count(*) = count(logical_bytes) THEN sum(logical_bytes)::BIGINT END AS logical
    FROM parts GROUP BY file_id;
CREATE TABLE present AS
    SELECT files.* REPLACE (coalesce(show_name, '{NO_SHOW}') AS show_name), compression, software, seconds, memory, logical
    FROM files LEFT JOIN first_parts USING (file_id);
CREATE TABLE frames AS
    SELECT show_name, sequence_name, shot_name, sequence_key, frame_number, count(*) AS copies,
        CASE WHEN bool_or(status <> 'ok') THEN 'broken' WHEN count(*) > 1 THEN 'duplicate' ELSE 'present' END AS kind
    FROM present WHERE sequence_key IS NOT NULL AND frame_number IS NOT NULL GROUP BY ALL;
CREATE TABLE stretches AS
    WITH numbered AS (
        SELECT *, frame_number - row_number() OVER (PARTITION BY sequence_key, kind ORDER BY frame_number) AS stretch FROM frames
    )
    SELECT sequence_key, kind, min(frame_number) AS first, max(frame_number) AS last
    FROM numbered GROUP BY sequence_key, kind, stretch
    UNION ALL
    SELECT sequence_key, 'missing', frame_number + 1, following - 1 FROM (
        SELECT sequence_key, frame_number, lead(frame_number) OVER (PARTITION BY sequence_key ORDER BY frame_number) AS following
        FROM frames
    ) WHERE following > frame_number + 1;
CREATE TABLE runs AS
    WITH extents AS (
        SELECT sequence_key, count(*) AS stretches, min("first") AS start, max("last") + 1 - min("first") AS length
        FROM stretches GROUP BY sequence_key
    )
    SELECT sequence_key, CASE WHEN min(kind) = max(kind) THEN min(kind) ELSE 'mixed' END AS kind,
        min("first") AS first, max("last") AS last
    FROM stretches JOIN extents USING (sequence_key)
    GROUP BY sequence_key, CASE WHEN stretches > {RUNS} THEN ("first" - start) * {RUNS} // length ELSE "first" END;
CREATE TABLE coverage AS
    SELECT any_value(show_name) AS "show", any_value(sequence_name) AS sequence, any_value(shot_name) AS shot, sequence_key,
        min(frame_number) AS first, max(frame_number) AS last, count(*) AS present,
        max(frame_number) - min(frame_number) + 1 - count(*) AS missing,
        count(*) FILTER (kind = 'broken') AS broken, (sum(copies) - count(*))::BIGINT AS duplicates
    FROM frames GROUP BY sequence_key;
CREATE TABLE validated AS
    SELECT file_id, bool_or(status = 'FAIL') AS failed, bool_or(status = 'WARN') AS warned
    FROM validation_results GROUP BY file_id;
"""  # noqa: S608 - constants of this file

_QUERIES = {
    "totals": f"""
        SELECT count(*) AS files, sum(size_bytes)::BIGINT AS bytes,
            count(DISTINCT show_name) FILTER (show_name <> '{NO_SHOW}') AS shows,
            count(DISTINCT (show_name, sequence_name, shot_name)) FILTER (shot_name IS NOT NULL) AS shots,
            count(DISTINCT sequence_key) AS sequences, count(*) FILTER (status = 'ok') AS ok,
            count(*) FILTER (status = 'incomplete') AS incomplete, count(*) FILTER (status = 'damaged') AS damaged,
            count(*) FILTER (status = 'unreadable') AS unreadable,
            (SELECT coalesce(sum(missing), 0)::BIGINT FROM coverage) AS missing,
            (SELECT coalesce(sum(duplicates), 0)::BIGINT FROM coverage) AS duplicates,
            (SELECT count(*) FROM validated JOIN files USING (file_id) WHERE failed) AS failed
        FROM present""",  # noqa: S608 - constants of this file
    "shows": """
        SELECT show_name AS "show", count(*) AS files, count(*) FILTER (status = 'ok') AS ok,
            count(*) FILTER (status = 'incomplete') AS incomplete, count(*) FILTER (status = 'damaged') AS damaged,
            count(*) FILTER (status = 'unreadable') AS unreadable,
            sum(size_bytes)::BIGINT AS bytes
        FROM present GROUP BY show_name ORDER BY files DESC, show_name""",
    "shots": """
        WITH gaps AS (
            SELECT "show", sequence, shot, sum(missing)::BIGINT AS missing, sum(duplicates)::BIGINT AS duplicates
            FROM coverage GROUP BY ALL
        ),
        counted AS (
            SELECT show_name AS "show", sequence_name AS sequence, shot_name AS shot, count(*) AS files,
                count(*) FILTER (status = 'ok') AS ok, count(*) FILTER (status = 'incomplete') AS incomplete,
                count(*) FILTER (status = 'damaged') AS damaged, count(*) FILTER (status = 'unreadable') AS unreadable,
                count(*) FILTER (validated.failed) AS failed, count(*) FILTER (validated.warned) AS warned,
                sum(size_bytes)::BIGINT AS bytes
            FROM present LEFT JOIN validated USING (file_id) WHERE shot_name IS NOT NULL GROUP BY ALL
        )
        SELECT counted.*, coalesce(missing, 0) AS missing, coalesce(duplicates, 0) AS duplicates
        FROM counted LEFT JOIN gaps ON gaps."show" = counted."show" AND gaps.shot = counted.shot
            AND gaps.sequence IS NOT DISTINCT FROM counted.sequence
        ORDER BY incomplete + damaged + unreadable + coalesce(missing, 0) + failed DESC,
            counted."show", counted.sequence, counted.shot""",
    "strips": """
        WITH listed AS (
            SELECT sequence_key, to_json(list({kind: kind, first: "first", last: "last"} ORDER BY "first"))::VARCHAR AS runs
            FROM runs GROUP BY sequence_key
        )
        SELECT coverage.*, listed.runs FROM coverage JOIN listed USING (sequence_key)
        ORDER BY missing + broken + duplicates > 0 DESC, "show", sequence, shot, sequence_key""",
    "compression": """
        SELECT show_name AS "show", coalesce(compression, 'unknown') AS compression, count(*) AS files,
            sum(size_bytes)::BIGINT AS stored, sum(logical)::BIGINT AS logical
        FROM present GROUP BY ALL ORDER BY stored DESC, "show", compression""",
    "compressions": """
        SELECT coalesce(compression, 'unknown') AS compression, sum(size_bytes)::BIGINT AS stored, sum(logical)::BIGINT AS logical
        FROM present GROUP BY ALL ORDER BY stored DESC, compression""",
    "sizes": f"""
        WITH largest AS (SELECT show_name FROM present GROUP BY show_name ORDER BY count(*) DESC, show_name LIMIT {COLOURS})
        SELECT coalesce(largest.show_name, '{OTHER_SHOWS}') AS "show", floor(2 * log2(size_bytes))::INTEGER AS step,
            count(*) AS files
        FROM present LEFT JOIN largest USING (show_name)
        WHERE size_bytes > 0 GROUP BY ALL ORDER BY "show", step""",  # noqa: S608 - constants of this file
    "rules": """
        SELECT policy_id AS policy, rule_id AS rule, count(*) FILTER (validation_results.status = 'FAIL') AS failed,
            count(*) FILTER (validation_results.status = 'WARN') AS warned,
            count(*) FILTER (validation_results.status = 'PASS') AS passed
        FROM validation_results JOIN files USING (file_id) GROUP BY ALL ORDER BY failed DESC, warned DESC, policy, rule""",
    "renderers": """
        SELECT software, count(*) AS files, quantile_cont(seconds, 0.1) AS low, median(seconds) AS middle,
            quantile_cont(seconds, 0.9) AS high, max(memory) AS memory
        FROM present WHERE software IS NOT NULL GROUP BY software ORDER BY files DESC, software""",
    # One file for each sequence, those with faults first, then the stills; only vectors of one version can be compared.
    "map": f"""
        WITH firsts AS (
            SELECT arg_min(file_id, (frame_number, file_path)) AS file_id, min(file_path) AS file_path,
                any_value(show_name) AS "show",
                any_value(sequence_name) AS sequence, any_value(shot_name) AS shot, sequence_key, count(*) AS files
            FROM present WHERE status <> 'unreadable' AND embedding_version = {EMBEDDING_VERSION} AND sequence_key IS NOT NULL
            GROUP BY sequence_key
            UNION ALL
            SELECT file_id, file_path, show_name, sequence_name, shot_name, NULL, 1
            FROM present WHERE status <> 'unreadable' AND embedding_version = {EMBEDDING_VERSION} AND sequence_key IS NULL
        )
        SELECT firsts.*, coalesce(missing + broken + duplicates, 0) AS faults
        FROM firsts LEFT JOIN coverage USING (sequence_key)
        ORDER BY faults > 0 DESC, firsts.sequence_key IS NULL, hash(file_path)""",  # noqa: S608 - constants of this project
}


def _strip(row: Row) -> Row:
    return row | {"runs": json.loads(row["runs"]), "label": label_of(row)}


def label_of(row: Mapping[str, Any]) -> str:
    """A sequence of frames in a few words: where it stands, and the name before the frame number."""
    name = str(row["sequence_key"] or row["file_path"]).rpartition("/")[2].removesuffix(".#.exr")
    place = " ".join(str(row[key]) for key in ("show", "sequence", "shot") if row[key] and row[key] != NO_SHOW)
    return f"{place} · {name}" if place else name


def read_vectors(target: Target, file_ids: Sequence[str]) -> dict[str, list[float]]:
    """file_id -> metadata_embedding of these files."""
    scan = Scan("files", ("file_id", "metadata_embedding"))
    with target.reading() as transaction:
        rows = stream(target.tables(transaction).table("files"), scan, file_ids).read_all().to_pylist()
    return {row["file_id"]: row["metadata_embedding"] for row in rows if row["metadata_embedding"] is not None}


def _place_on_map(points: Sequence[Row], known: Mapping[str, list[float]]) -> list[Row]:
    """The points with `x` and `y`, from the two directions in which the vectors differ most."""
    shown = [point | {"label": label_of(point)} for point in points if point["file_id"] in known]
    if not shown:
        return []
    places = project(np.asarray([known[point["file_id"]] for point in shown]))
    return [
        {key: point[key] for key in ("label", "show", "file_path", "file_id", "sequence_key", "files", "faults")}
        | {"x": round(float(x), 5), "y": round(float(y), 5)}
        for point, (x, y) in zip(shown, places, strict=True)
    ]


def project(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Rows of vectors -> two coordinates each, by principal components; equal rows are spread in a small spiral."""
    centred = matrix - matrix.mean(axis=0)
    # The eigenvectors of the two largest eigenvalues, which come last; with few columns and many rows quicker than an SVD.
    axes = np.linalg.eigh(centred.T @ centred)[1][:, :-3:-1].T
    signs = np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])
    places: np.ndarray = centred @ (axes * np.where(signs == 0, 1, signs)[:, None]).T
    _, group = np.unique(places.round(3), axis=0, return_inverse=True)
    seen: dict[int, int] = {}
    for at, number in enumerate(group.reshape(-1).tolist()):
        turn = seen[number] = seen.get(number, -1) + 1
        places[at] += 0.004 * math.sqrt(turn) * np.array([math.cos(turn * GOLDEN_ANGLE), math.sin(turn * GOLDEN_ANGLE)])
    return places
