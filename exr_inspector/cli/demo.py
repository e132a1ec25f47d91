"""The main job on a laptop: sample renders, the function, a local endpoint, and the rows that came of it.

    ./scripts/run [--data DIR] [--reference NAME]

Everything stays below DIR (default `.local_vast`): the endpoint's data and the sample renders. A second run inspects the same
files again, so it adds no rows.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pyarrow as pa
import vastdb
from rich.console import Console
from rich.progress import track

import main
from exr_inspector.arguments import Parser
from exr_inspector.catalogue import connection, tables
from exr_inspector.catalogue.report import page
from exr_inspector.cli.inspect import fit_to_terminal
from exr_inspector.cli.nearby import BUCKET, SCHEMA
from exr_inspector.operations.samples import write_samples
from exr_inspector.payload import text
from local_vast import LocalVast

REFERENCE = "sq010_sh020_beauty_v003.1001.exr"
ROWS_SHOWN = 10
SHOWN = {
    "files": "status, completeness, size_bytes, frame_number, inspection_count, is_current",
    "parts": "part_type, parts.compression, parts.render_product",
    "channels": "channel_name, channel_type, aov_role, aov_category",
    "attributes": "attr_name, attr_type, left(value_json, 30) AS value",
}
"""Table -> what is shown of its rows, in columns for which a narrow terminal has room."""
OF_ONE_FILE = ("channels", "attributes")
NEAREST = """
SELECT parse_filename(other.file_path) AS file,
       round(array_cosine_distance(other.metadata_embedding, one.metadata_embedding)::DOUBLE, 6) AS distance
FROM files AS one, files AS other
WHERE parse_filename(one.file_path) = ? AND one.is_current AND other.is_current
  AND other.file_id <> one.file_id AND other.status <> 'unreadable'
ORDER BY 2, 1 LIMIT 3
"""

FOUND = {"incomplete": "a frame that was cut short", "unreadable": "a file that is no EXR"}
NEXT = (
    "exr-inspector ask broken_frames",
    "exr-inspector compare sh020/beauty/v002 sh020/beauty/v003",
    "exr-inspector validate --stored --policy netflix_vfx",
)

console = Console(soft_wrap=False)


def inspect(server: LocalVast, paths: Sequence[Path], log: Path) -> dict[Path, dict[str, Any]]:
    """Hand the function one event for each path, as the platform would, and return its results; its log lines go to `log`."""
    os.environ.update(
        VAST_DB_ENDPOINT=server.url,
        VAST_DB_ACCESS_KEY=server.access_key,
        VAST_DB_SECRET_KEY=server.secret_key,
        VAST_DB_BUCKET=BUCKET,
        VAST_DB_SCHEMA=SCHEMA,
        EXR_FULL_PAYLOAD="true",
    )
    logger = logging.getLogger("exr_inspector.demo")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(logging.FileHandler(log, mode="w", encoding="utf-8"))
    context = SimpleNamespace(logger=logger)
    main.init(context)  # type: ignore[no-untyped-call]
    events = {path: {"data": {"path": str(path)}} for path in paths}
    inspecting = track(events.items(), "Inspecting", console=console)
    return {path: main.handler(context, event) for path, event in inspecting}  # type: ignore[no-untyped-call]


def read_tables(server: LocalVast) -> dict[str, pa.Table]:
    """The four tables, read back whole through the SDK."""
    session = vastdb.connect(endpoint=server.url, access=server.access_key, secret=server.secret_key)
    with session.transaction() as tx:
        schema = tx.bucket(BUCKET).schema(SCHEMA)
        return {name: schema.table(name).select().read_all() for name in SHOWN}


def show_results(results: Iterable[dict[str, Any]]) -> None:
    """What the function found in each file, as `exr-inspector inspect` says it."""
    form = fit_to_terminal(text.summary_line, console.width)
    console.print("\n".join(map(form, results)), highlight=False, markup=False, soft_wrap=True)


def show_tables(stored: dict[str, pa.Table], reference: str) -> None:
    """The first rows of each table, of those with many rows a file those of `reference`, with the number of all."""
    with duckdb.connect() as sql:
        for name, table in stored.items():
            sql.register(name, table)
        for name, columns in SHOWN.items():
            source = "files" if name == "files" else f"{name} JOIN files USING (file_id)"
            condition = f"file = ? OR {name not in OF_ONE_FILE}"
            statement = f"SELECT parse_filename(file_path) AS file, {columns} FROM {source} WHERE {condition} ORDER BY ALL"  # noqa: S608 - constants of this file
            print_table(f"{name}: {stored[name].num_rows} rows", sql.execute(f"{statement} LIMIT {ROWS_SHOWN}", [reference]))


def show_neighbours(files: pa.Table, reference: str) -> None:
    """The three renders nearest to `reference`, its own sequence included, by the measure of `exr-inspector similar`."""
    with duckdb.connect() as sql:
        sql.register("files", files)
        print_table(f"Nearest to {reference} by cosine distance", sql.execute(NEAREST, [reference]))


def print_table(title: str, answer: duckdb.DuckDBPyConnection) -> None:
    """One table for people."""
    names = [column[0] for column in answer.description or ()]
    print()
    tables.show([dict(zip(names, row, strict=True)) for row in answer.fetchall()], sys.stdout, title)


def show_end(results: dict[Path, dict[str, Any]], data: Path) -> None:
    """What was found, where the page is, and what to try next."""
    inserted = sum(result["persistence"]["inserted"] for result in results.values())
    lines = ["", f"{len(results)} events, {inserted} rows inserted into files; found among them:"]
    for path, result in results.items():
        if result["file"]["status"] != "ok":
            lines.append(f"  {FOUND.get(result['file']['status'], result['file']['status'])}: {path.name}")
    lines += [
        f"One log line for each event is in {data / 'function.log'}",
        f"The report: {(data / 'report.html').resolve().as_uri()}",
        "To try next, with .venv/bin on your path (. .venv/bin/activate):",
        *(f"  {command}" for command in NEXT),
    ]
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def arguments() -> argparse.Namespace:
    """The command line."""
    about = "Sample renders into a local endpoint, and the rows that came of them."
    parser = Parser(prog="scripts/run", description=about)
    parser.add_argument("--data", type=Path, default=Path(".local_vast"), help="where everything is kept (default: %(default)s)")
    parser.add_argument("--reference", default=REFERENCE, help="the render whose neighbours are shown (default: %(default)s)")
    return parser.parse_args()


def run() -> None:
    """Write, inspect, read back, show."""
    args = arguments()
    # The query driver warns at every connection that it has no transactions of its own; the function's are the SDK's.
    warnings.filterwarnings("ignore", message="Cannot disable autocommit")
    # The SDK says at every read that an endpoint names no others; this one is alone.
    logging.getLogger("vastdb").setLevel(logging.ERROR)
    paths = write_samples(args.data / "samples")
    with LocalVast(data=args.data / "database", buckets=(BUCKET,)) as server:
        console.print(f"local_vast, which is not VAST, listens on {server.url}")
        results = inspect(server, paths, args.data / "function.log")
        rows = read_tables(server)
        settings = connection.settings_of(server.url, f"{BUCKET}/{SCHEMA}")
        page.write(connection.open_target(settings, is_local=True), args.data / "report.html")
    show_results(results.values())
    show_tables(rows, args.reference)
    show_neighbours(rows["files"], args.reference)
    show_end(results, args.data)


if __name__ == "__main__":
    run()
