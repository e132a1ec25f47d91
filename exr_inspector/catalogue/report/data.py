"""What the report shows, as plain data: aggregated in DuckDB, so that its size does not grow with the catalogue.

What needs attention comes from the questions, as everybody asks them; the rest is counted here. Lists are cut at the LIMITS, what
needs attention first; `omitted` says how much was left out of each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import duckdb

from exr_inspector.catalogue import engine
from exr_inspector.catalogue.connection import Target
from exr_inspector.catalogue.output import rows_of
from exr_inspector.catalogue.report import problems, trend
from exr_inspector.catalogue.report.alike import place_on_map
from exr_inspector.catalogue.report.answers import MOST_ROWS, Ask, Row, ask, over_shared, shared_scans
from exr_inspector.catalogue.report.kinds import GRAVITIES, KINDS
from exr_inspector.catalogue.report.problems import Gaps
from exr_inspector.catalogue.scans import CURRENT, Scan, stream
from exr_inspector.embedding.vectors import EMBEDDING_VERSION

LIMITS = {
    "problems": 2000, "versions": 3000, "strips": 250, "costs": 400, "savings": 200, "judged": 100, "compression": 200,
    "renderers": 40, "rules": 100, "mended": 200, "map": 2500,
}  # fmt: skip
RUNS = 100
"""Runs of a strip at most; of a sequence with more of them, runs that begin in the same hundredth of it are drawn as one."""
NO_SHOW = "(no show)"
COLOURS = 8
"""Shows that have a colour of their own, the largest first; the others share one."""
DAYS = 30
"""Days up to the latest file that the page shows one by one."""

COLUMNS = {
    "files": "file_id, file_path, size_bytes, status, embedding_version, frame_number, sequence_key, show_name, sequence_name, "
    "shot_name, layer_name, version_token, mtime, first_seen",
    "parts": "file_id, part_index, compression, logical_bytes, render_product, render_software, render_seconds, "
    "peak_memory_mb, host",
    "validation_results": "file_id, policy_id, rule_id, status",
}
"""The columns that the page counts, by table. Vectors are read of the few files that stand on the map."""
ASKED = (*problems.READERS, "missing_frames", "frame_coverage", "versions", "storage_what_if")
"""Questions that the page asks and that may share a reading of the tables."""


def collect(target: Target, previous: Row | None = None) -> Row:
    """All that the page shows, ready for JSON; `previous` is what an earlier page showed.

    Raises VASTDatabaseError where the database does not answer.
    """
    scans = report_scans()
    with engine.open_scans(target, scans) as sql:
        answer = over_shared(sql, scans, partial(engine.ask_client, target))
        return summarize(sql, target.place, partial(read_vectors, target), answer, previous)


def summarize(
    sql: duckdb.DuckDBPyConnection,
    place: str,
    vectors_of: Callable[[Sequence[str]], Mapping[str, list[float]]],
    answer: Ask,
    previous: Row | None = None,
) -> Row:
    """The same from tables that hold what `report_scans` asks for.

    `vectors_of` gives metadata_embedding by file_id, `answer` what a statement over the stored tables gives.
    """
    now = datetime.now(UTC)
    sql.execute(_PREPARE)
    since, until = _days_shown(sql, now)
    missing, extents = ask(answer, "missing_frames"), ask(answer, "frame_coverage")
    gaps = problems.all_gaps(missing, extents)
    listed = list_problems(sql, answer, missing, gaps)
    lists = {name: _rows(sql.sql(query)) for name, query in _QUERIES.items()} | _answers(answer, since, until)
    lists |= {"problems": listed, "mended": trend.repairs(listed, previous, answer, since)}
    shown = {name: rows[: LIMITS.get(name, len(rows))] for name, rows in lists.items()}
    return shown | {
        "problems": trend.with_states(shown["problems"], previous, now),
        "strips": [_strip(row, gaps) for row in shown["strips"]],
        "totals": shown["totals"][0],
        "counts": _counts(listed),
        "kinds": [_kind_row(name) for name in KINDS],
        "gravities": GRAVITIES,
        "map": place_on_map(shown["map"], vectors_of([row["file_id"] for row in shown["map"]])),
        "omitted": {name: len(rows) - len(shown[name]) for name, rows in lists.items() if len(rows) > len(shown[name])},
        "most_rows": MOST_ROWS,
        "colours": [row["show"] for row in shown["shows"] if row["show"] != NO_SHOW][:COLOURS],
        "previous": trend.summary_of(previous),
        "place": place,
        "generated": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def list_problems(sql: duckdb.DuckDBPyConnection, answer: Ask, missing: Sequence[Row], gaps: Mapping[str, Gaps]) -> list[Row]:
    """All problems, the gravest first."""
    faults = list(problems.gaps(missing, gaps))
    for name, read in problems.READERS.items():
        faults += read(ask(answer, name))
    faults = problems.without_rare_layers(sql, problems.without_repeats(faults))
    return problems.as_rows(sql, problems.merge(faults))


def _counts(listed: Sequence[Row]) -> Row:
    """kind -> how many problems there are, and of how many frames or files."""
    rows, frames = Counter(row["kind"] for row in listed), Counter[str]()
    for row in listed:
        frames[row["kind"]] += row["count"]
    return {kind: {"problems": count, "frames": frames[kind]} for kind, count in rows.items()}


def _kind_row(name: str) -> Row:
    kind = KINDS[name]
    return {"name": name, "label": kind.label, "gravity": kind.gravity, "question": kind.question}


def _answers(answer: Ask, since: str, until: str) -> dict[str, list[Row]]:
    """The questions whose rows the page shows as they are."""
    versions = [row for row in ask(answer, "versions") if not _is_stray_file(row)]
    for row in versions:
        row["layer"] = row.pop("layer_name") or problems.layer_of(row["layer_key"], row["sequence_name"], row["shot_name"])
    return {
        "versions": versions,
        "costs": ask(answer, "shot_cost"),
        "savings": ask(answer, "storage_what_if"),
        "measured": ask(answer, "measured_files"),
        "days": ask(answer, "render_trends", since=since, until=until),
    }


def _is_stray_file(version: Row) -> bool:
    """Whether a version is but a file without a frame that cannot be read, and so is known by its name alone."""
    return version["worst_status"] == "unreadable" and version["first_frame"] is None


def _days_shown(sql: duckdb.DuckDBPyConnection, now: datetime) -> tuple[str, str]:
    """The DAYS up to the latest file."""
    ((latest,),) = sql.sql("SELECT max(mtime) FROM present").fetchall()
    until = latest or now.replace(tzinfo=None)
    return (until - timedelta(days=DAYS)).isoformat(), until.isoformat()


def report_scans() -> list[Scan]:
    """What the report reads of each table."""
    own = [Scan(table, tuple(columns.split(", ")), CURRENT if table == "files" else ()) for table, columns in COLUMNS.items()]
    return shared_scans(own, ASKED)


def _rows(answer: duckdb.DuckDBPyRelation) -> list[Row]:
    return rows_of(answer.to_arrow_table())


_PREPARE = f"""
CREATE TABLE first_parts AS
    SELECT file_id, CASE WHEN min(compression) <> max(compression) THEN 'several' ELSE min(compression) END AS compression,
        arg_min(coalesce(render_product, render_software), part_index) AS software,
        max(render_seconds) AS seconds, max(peak_memory_mb) AS memory, arg_min(host, part_index) AS host,
        CASE WHEN count(*) = count(logical_bytes) THEN sum(logical_bytes)::BIGINT END AS logical
    FROM parts GROUP BY file_id;
CREATE TABLE present AS
    SELECT files.* REPLACE (coalesce(show_name, '{NO_SHOW}') AS show_name), compression, software, seconds, memory, logical, host
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
            count(DISTINCT sequence_key) AS sequences, count(*) FILTER (status = 'ok') AS ok, sum(seconds) / 3600 AS hours,
            (SELECT count(*) FROM validated JOIN files USING (file_id)) AS judged,
            (SELECT count(*) FROM validated JOIN files USING (file_id) WHERE failed) AS failed,
            max(mtime) AS latest
        FROM present""",  # noqa: S608 - constants of this file
    "shows": """
        SELECT show_name AS "show", count(*) AS files, sum(size_bytes)::BIGINT AS bytes
        FROM present GROUP BY show_name ORDER BY files DESC, show_name""",
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
    "sizes": """
        SELECT floor(2 * log2(size_bytes))::INTEGER AS step, count(*) AS files, sum(size_bytes)::BIGINT AS bytes
        FROM present WHERE size_bytes > 0 GROUP BY ALL ORDER BY step""",
    "judged": """
        SELECT show_name AS "show", count(*) AS files, count(validated.file_id) AS judged,
            count(*) FILTER (failed) AS failed, count(*) FILTER (warned AND NOT failed) AS warned
        FROM present LEFT JOIN validated USING (file_id) GROUP BY show_name ORDER BY files DESC, show_name""",
    "rules": """
        SELECT policy_id AS policy, rule_id AS rule, count(DISTINCT file_id) AS judged,
            count(DISTINCT file_id) FILTER (validation_results.status = 'FAIL') AS failed,
            count(DISTINCT file_id) FILTER (validation_results.status = 'WARN') AS warned
        FROM validation_results JOIN files USING (file_id) GROUP BY ALL ORDER BY failed DESC, warned DESC, policy, rule""",
    "renderers": """
        SELECT software, count(*) AS files, sum(seconds) / 3600 AS hours, quantile_cont(seconds, 0.1) AS low,
            median(seconds) AS middle, quantile_cont(seconds, 0.9) AS high, max(memory) AS memory
        FROM present WHERE software IS NOT NULL GROUP BY software ORDER BY files DESC, software""",
    # One file for each sequence, those with faults first, then the stills; only vectors of one version can be compared.
    "map": f"""
        WITH firsts AS (
            SELECT arg_min(file_id, (frame_number, file_path)) AS file_id, min(file_path) AS file_path,
                any_value(show_name) AS "show", any_value(sequence_name) AS sequence, any_value(shot_name) AS shot,
                any_value(software) AS software, any_value(layer_name) AS layer_name, any_value(version_token) AS version,
                sequence_key, count(*) AS files
            FROM present WHERE status <> 'unreadable' AND embedding_version = {EMBEDDING_VERSION} AND sequence_key IS NOT NULL
            GROUP BY sequence_key
            UNION ALL
            SELECT file_id, file_path, show_name, sequence_name, shot_name, software, layer_name, version_token, NULL, 1
            FROM present WHERE status <> 'unreadable' AND embedding_version = {EMBEDDING_VERSION} AND sequence_key IS NULL
        )
        SELECT firsts.*, coalesce(missing + broken + duplicates, 0) AS faults
        FROM firsts LEFT JOIN coverage USING (sequence_key)
        ORDER BY faults > 0 DESC, firsts.sequence_key IS NULL, hash(file_path)""",  # noqa: S608 - constants of this project
}


def _strip(row: Row, gaps: Mapping[str, Gaps]) -> Row:
    """The frames of a sequence as runs; between a stray frame and the others nothing is missing."""
    runs = json.loads(row["runs"])
    known = gaps.get(row["sequence_key"], Gaps(()))
    for run in runs:
        if (run["first"], run["last"]) in known.beside:
            run["kind"] = "gap"
    missing = row["missing"] - sum(last - first + 1 for first, last in known.beside)
    name = row["sequence_key"].rpartition("/")[2].removesuffix(".#.exr")
    listed = [[run["kind"], run["first"], run["last"]] for run in runs]
    return row | {"runs": listed, "missing": missing, "name": name, "stray": [list(run) for run in known.stray]}


def read_vectors(target: Target, file_ids: Sequence[str]) -> dict[str, list[float]]:
    """file_id -> metadata_embedding of these files."""
    scan = Scan("files", ("file_id", "metadata_embedding"))
    with target.reading() as transaction:
        rows = stream(target.tables(transaction).table("files"), scan, file_ids).read_all().to_pylist()
    return {row["file_id"]: row["metadata_embedding"] for row in rows if row["metadata_embedding"] is not None}
