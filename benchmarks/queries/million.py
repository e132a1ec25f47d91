"""Every question, and the exact nearest ten, over 1,000,000 files with 5,000,000 channel rows.

    scripts/python benchmarks/queries/million.py [--files N] [--markdown FILE]

Answers each question with DuckDB over tables in this process, as `exr-inspector ask --engine client` does once the columns are
here: `seconds` is the statement alone, the best of three, in processor time (that of all threads, in which what else the
machine does plays little part); `reading` is the copy of the columns that it needs from a stream of Arrow batches (here from a
file, so without network and server) into tables, and what tells which files' rows to read. On a cluster the query engine reads
them where they are. The nearest ten are found by the scan of exr_inspector/catalogue/similarity.py and, for comparison, by
DuckDB's own scan of the same vectors. Of the report, `seconds` is what exr-inspector report does with the columns, the page
included. Each measurement runs in a process of its own; its peak resident memory includes what it read.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import feather, ipc
from sqlglot import exp

import vast_schemas
from exr_inspector.catalogue import engine, questions, similarity
from exr_inspector.catalogue.report import page
from exr_inspector.catalogue.report.answers import over_shared
from exr_inspector.catalogue.report.data import report_scans, summarize
from exr_inspector.catalogue.scans import Scan
from exr_inspector.embedding.vectors import EMBEDDING_VERSION

FRAMES, CHANNELS, SHOWS, SHOTS, VERSIONS = 100, 5, 20, 25, 2
OF_A_SHOW = 20
SETUPS = SHOWS * OF_A_SHOW
SEED = 10
REPEATS = 3
CHUNK = 50_000
AIM = 5
RENDERERS = ("Arnold 7.3.4.1", "Blender 4.2.3 LTS", "Karma XPU 20.5.370", "RenderMan 26.1", "V-Ray 6.20.02")
COMPRESSIONS = ("zip", "piz", "dwaa", "zips", "none")
PARAMETERS: dict[str, dict[str, str]] = {
    "similar_renders": {"file_id": "f0000000"},
    "channel_composition": {"channel": "Z", "and_channel": "A"},
    "render_trends": {"since": "2026-01-01T00:00:00", "until": "2026-12-31T00:00:00"},
    "inspection_coverage": {"before": "2026-02-01T00:00:00"},
    "stale_inspections": {"before": "2026-02-01T00:00:00"},
    "new_files": {"since": "2026-03-31T00:00:00"},
}


@dataclass(frozen=True, slots=True)
class Measured:
    """The best processor time of a task in seconds, that of reading its columns, peak memory in MiB, the rows of its answer."""

    task: str
    seconds: float
    reading: float
    peak_mib: int
    rows: int


def texts(template: str, numbers: np.ndarray[Any, Any]) -> pa.Array:
    """`template` with each number; distinct numbers are written once."""
    distinct, where = np.unique(numbers, return_inverse=True)
    written = pa.array([template % number for number in distinct])
    return written.take(pa.array(where))


def write_tables(folder: Path, files: int) -> None:
    """Tables of `files` files, in chunks, with gaps, odd frames, truncated and deep files here and there."""
    random = np.random.default_rng(SEED)
    setups = random.normal(size=(SETUPS, 384)).astype("float32")
    setups /= np.linalg.norm(setups, axis=1, keepdims=True)
    writers: dict[str, Any] = {}
    for start in range(0, files, CHUNK):
        numbers = np.arange(start, min(files, start + CHUNK))
        for name, columns in _columns(numbers, setups, random).items():
            schema = pa.schema([field for field in vast_schemas.schema_for(name) if field.name in columns]).remove_metadata()
            batch = pa.table([_array(columns[field.name], field.type) for field in schema], schema=schema)
            if name not in writers:
                writers[name] = ipc.new_file(str(folder / f"{name}.arrow"), schema)
            writers[name].write_table(batch)
    for writer in writers.values():
        writer.close()


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)


def _columns(numbers: np.ndarray[Any, Any], setups: np.ndarray[Any, Any], random: Any) -> dict[str, dict[str, Any]]:
    sequences = numbers // FRAMES
    odd = numbers % 9973 == 17
    show = sequences // 4 // SHOTS % SHOWS
    own = show * OF_A_SHOW + sequences % OF_A_SHOW  # a show renders with a few setups of its own, and one sequence with another's
    setup = np.where(odd, (own + 7) % SETUPS, np.where(sequences % 2503 == 77, (own + 200) % SETUPS, own))
    ids = pa.array([f"f{number:07d}" for number in numbers.tolist()])
    days = np.datetime64("2026-03-01", "us") + (sequences % 60).astype("timedelta64[D]")
    days = days + (numbers % FRAMES).astype("timedelta64[m]")
    shot = sequences // 4 % SHOTS
    renderer = pa.array(RENDERERS).take(pa.array(setup % len(RENDERERS)))
    return {
        "files": _files(numbers, sequences, ids, days, (show, shot, setup), setups[setup], random),
        "parts": {
            "file_id": ids, "part_index": np.zeros(len(numbers), "int32"), "part_type": texts("scanlineimage%.0s", numbers * 0),
            "width": np.full(len(numbers), 1920), "height": np.full(len(numbers), 1080),
            "display_width": np.full(len(numbers), 1920), "display_height": np.where(setup % 50 == 3, 1000, 1080),
            "data_window": texts("[0,0,%d]", setup % 3), "display_window": texts("[0,0,%d]", setup % 3),
            "compression": pa.array(COMPRESSIONS).take(pa.array(np.where(setup % 97 == 0, 4, setup % 4))),
            "is_deep": setup % 40 == 5, "color_space": texts("ACEScg%.0s", numbers * 0), "render_software": renderer,
            "render_seconds": 600 + random.random(len(numbers)) * 60, "peak_memory_mb": np.full(len(numbers), 8192.0),
            "part_name": pa.nulls(len(numbers), pa.utf8()), "view_name": pa.nulls(len(numbers), pa.utf8()),
            "line_order": texts("increasing_y%.0s", numbers * 0), "pixel_aspect_ratio": np.ones(len(numbers)),
            "tile_width": pa.nulls(len(numbers), pa.int64()), "tile_height": pa.nulls(len(numbers), pa.int64()),
            "tile_level_mode": pa.nulls(len(numbers), pa.utf8()),
            "render_product": pa.array([name.split()[0] for name in RENDERERS]).take(pa.array(setup % len(RENDERERS))),
            "render_software_version": texts("%d.1", setup % len(RENDERERS)),
            "header_frame": 1001 + numbers % FRAMES + (numbers % 8009 == 5),
            "host": texts("farm-%04d", random.integers(0, 300, len(numbers))), "logical_bytes": np.full(len(numbers), 33_177_600),
        },
        "channels": _channels(ids, len(numbers), setup),
        "pixel_stats": _pixel_stats(numbers, ids, setup, random),
        "attributes": {
            "file_id": ids, "part_index": np.zeros(len(numbers), "int32"), "attr_name": texts("artist%.0s", numbers * 0),
            "attr_type": texts("string%.0s", numbers * 0), "value_json": texts('"artist%02d"', show),
            "raw_base64": pa.nulls(len(numbers), pa.utf8()),
            "value_text": texts("artist%02d", show), "value_float": pa.nulls(len(numbers), pa.float64()),
        },
        "validation_results": {
            "file_id": ids, "policy_id": texts("delivery%.0s", numbers * 0), "policy_version": texts("2%.0s", numbers * 0),
            "rule_id": texts("compression%.0s", numbers * 0), "severity": texts("FAIL%.0s", numbers * 0),
            "status": pa.array(["PASS", "FAIL"]).take(pa.array((setup % 97 == 0).astype("int64"))),
            "status_code": pa.array(["ok", "compression_not_allowed"]).take(pa.array((setup % 97 == 0).astype("int64"))),
            "message": texts("compression is %d", setup % 4),
            "suggested_fix": texts("write it with compression %d", setup % 3),
        },
    }  # fmt: skip


def _files(
    numbers: np.ndarray[Any, Any],
    sequences: np.ndarray[Any, Any],
    ids: pa.Array,
    days: Any,
    place: Any,
    vectors: Any,
    random: Any,
) -> dict[str, Any]:
    show, shot, _ = place
    frame = 1001 + numbers % FRAMES + (numbers % FRAMES > 50) * (sequences % 200 == 11)
    keys = texts("s3://renders/shows/seq%06d.#.exr", sequences)
    named = zip(sequences.tolist(), frame.tolist(), strict=True)
    paths = pa.array([f"s3://renders/shows/seq{sequence:06d}.{number:04d}.exr" for sequence, number in named])
    noisy = vectors + random.normal(scale=1e-4, size=vectors.shape).astype("float32")
    noisy /= np.linalg.norm(noisy, axis=1, keepdims=True)
    fingerprints = pa.array(np.ascontiguousarray(vectors[:, :128]).reshape(-1))
    broken = numbers % 20_011 == 5
    constant = numbers * 0
    return {
        "file_id": ids, "file_path": paths, "file_path_normalized": paths,
        "size_bytes": random.integers(9_000_000, 11_000_000, len(numbers)),
        "mtime": days, "status": pa.array(["ok", "incomplete"]).take(pa.array(broken.astype("int64"))),
        "completeness": pa.array(["complete", "truncated"]).take(pa.array(broken.astype("int64"))),
        "chunks_expected": constant + 68, "chunks_present": np.where(broken, 40, 68), "bytes_missing": broken * 1000,
        "error_code": pa.nulls(len(numbers), pa.utf8()),
        "finding_codes": pa.array(["chunk_missing", "cryptomatte_key_mismatch", None]).take(
            pa.array(np.where(broken, 0, np.where(sequences % 500 == 3, 1, 2)))
        ), "multipart_count": (constant + 1).astype("int32"),
        "channel_count": (constant + CHANNELS).astype("int32"), "is_deep": place[2] % 40 == 5,
        "metadata_embedding": pa.FixedSizeListArray.from_arrays(pa.array(noisy.reshape(-1)), type=vast_schemas.vector(384)),
        "channel_fingerprint": pa.FixedSizeListArray.from_arrays(fingerprints, type=vast_schemas.vector(128)),
        "embedding_version": (constant + EMBEDDING_VERSION).astype("int32"), "is_current": numbers >= 0,
        "deleted_at": pa.nulls(len(numbers), pa.timestamp("us")), "last_inspected": days, "first_seen": days,
        "schema_version": texts("1.1.0%.0s", constant), "inspector_version": texts("1.0.0%.0s", constant),
        "version_token": texts("v%03d", 1 + sequences % VERSIONS), "version_number": 1 + sequences % VERSIONS,
        "layer_key": texts("s3://renders/shows/layer%06d_v#.#.exr", sequences // VERSIONS),
        "layer_name": pa.nulls(len(numbers), pa.utf8()),
        "frame_number": frame, "sequence_key": keys, "show_name": texts("show%02d", show),
        "sequence_name": texts("sq%03d", shot // 5), "shot_name": texts("sh%03d", shot),
        "colorspace": texts("ACEScg%.0s", constant),
        "chunk_sizes_sha256": texts("d%d", np.where(numbers % 30_011 == 1, numbers - 1, numbers)),
    }  # fmt: skip


def _channels(ids: pa.Array, count: int, setup: np.ndarray[Any, Any]) -> dict[str, Any]:
    index = np.tile(np.arange(CHANNELS), count)
    kinds = np.where((index == 4) | np.repeat(setup % 60 == 2, CHANNELS), 1, 0)
    return {
        "file_id": ids.take(pa.array(np.repeat(np.arange(count), CHANNELS))), "part_index": np.zeros(len(index), "int32"),
        "channel_index": index.astype("int32"), "channel_name": pa.array(["R", "G", "B", "A", "Z"]).take(pa.array(index)),
        "layer_name": texts("%.0s", index * 0), "channel_type": pa.array(["HALF", "FLOAT"]).take(pa.array(kinds)),
        "x_sampling": np.ones(len(index), "int32"), "y_sampling": np.ones(len(index), "int32"),
        "aov_role": pa.array(["beauty", "beauty", "beauty", "alpha", "depth"]).take(pa.array(index)),
        "aov_category": pa.array(["beauty", "beauty", "beauty", "beauty", "depth"]).take(pa.array(index)),
        "view_name": pa.nulls(len(index), pa.utf8()), "light_group": pa.nulls(len(index), pa.utf8()),
    }  # fmt: skip


def _pixel_stats(numbers: np.ndarray[Any, Any], ids: pa.Array, setup: np.ndarray[Any, Any], random: Any) -> dict[str, Any]:
    """Means that drift and flash here and there; NaN, negatives, black frames, opaque alpha and repeated pictures as well."""
    count = len(numbers)
    file, channel = np.repeat(np.arange(count), CHANNELS), np.tile(np.arange(CHANNELS), count)
    number = numbers[file]
    colour = channel < 3
    black = colour & (number % 10_007 == 3)
    constant = black | ((channel == 3) & (setup[file] % 2 == 0))
    level = 0.2 + 0.1 * channel + 0.002 * (number % FRAMES)
    mean = level * (1 + 0.02 * random.random(len(number))) * np.where(number % 5_003 == 50, 4.0, 1.0)
    mean = np.where(black, 0.0, np.where(constant, 1.0, mean))
    negative = np.where((channel == 4) | (number % 9_001 == 7), 40, 0)
    nan = np.where((channel == 0) & (number % 7_001 == 9), 12, 0)
    place = np.where(nan > 0, 100, -1)
    where = pa.array(place, mask=nan == 0)
    repeated = np.where(number % 20_021 == 11, number - 1, number)
    low = np.where(constant, mean, mean / 2)
    hashes = np.where(constant, -1 - (mean > 0), repeated * CHANNELS + channel)
    figures = dict.fromkeys(("min_value", "p01"), low) | {"max_value": np.where(constant, mean, mean * 3), "mean_value": mean}
    return figures | {
        "file_id": ids.take(pa.array(file)), "part_index": np.zeros(len(number), "int32"),
        "channel_name": pa.array(["R", "G", "B", "A", "Z"]).take(pa.array(channel)),
        "nan_count": nan, "pos_inf_count": number * 0, "neg_inf_count": number * 0, "negative_count": negative,
        "first_nan_x": where, "first_nan_y": where, "is_constant": constant, "is_sampled": number < 0, "is_partial": number < 0,
        "sample_hash": texts("%064x", np.where(hashes < 0, 2**62 + hashes, hashes * 2_654_435_761 % 2**61)),
    }  # fmt: skip


def stream(folder: Path, scan: Scan, file_ids: Sequence[str] | None = None) -> pa.RecordBatchReader:
    """The columns of a scan, batch by batch, as the SDK would give them; of these files alone, if given."""
    file = pa.OSFile(str(folder / f"{scan.table}.arrow"))
    names = ipc.open_file(file).schema.names
    source = ipc.open_file(file, options=ipc.IpcReadOptions(included_fields=[names.index(column) for column in scan.columns]))
    batches = map(source.get_batch, range(source.num_record_batches))
    if file_ids is not None:
        wanted = pa.array(file_ids, pa.utf8())
        batches = (batch.filter(pc.is_in(batch["file_id"], wanted)) for batch in batches)
    return pa.RecordBatchReader.from_batches(source.schema, batches)


def ask(folder: Path, name: str) -> Measured:
    """One question: its columns are read, then it is asked three times."""
    statement = questions.load(name).bind(PARAMETERS.get(name, {}))
    with engine.open_engine() as sql:
        began = time.process_time()
        rest = engine.load_tables(sql, statement, partial(stream, folder))
        reading = time.process_time() - began
        answer, best = _best(engine.run, sql, rest)
    return Measured(name, best, reading, _peak(), answer.num_rows)


def make_report(folder: Path, _: str) -> Measured:
    """The page of exr-inspector report; the vectors on its map, those of first frames, are read before."""
    known, scans = _first_vectors(folder), report_scans()
    with engine.open_engine() as sql:
        began = time.process_time()
        for scan in scans:
            engine.copy_rows(sql, scan.table, stream(folder, scan))
        reading = time.process_time() - began
        began = time.process_time()
        data = summarize(sql, "benchmark", partial(_choose_vectors, known), over_shared(sql, scans, partial(_ask_apart, folder)))
        size = len(page.render(data).encode())
        seconds = time.process_time() - began
    return Measured(f"report.py, a page of {size / 1e6:.1f} MB", seconds, reading, _peak(), data["totals"]["files"])


def _ask_apart(folder: Path, statement: exp.Query) -> pa.Table:
    """The answer to a question that reads its own tables."""
    with engine.open_engine() as sql:
        return engine.run(sql, engine.load_tables(sql, statement, partial(stream, folder)))


def _choose_vectors(known: dict[str, list[float]], file_ids: Sequence[str]) -> dict[str, list[float]]:
    return {file_id: known[file_id] for file_id in file_ids}


def _first_vectors(folder: Path) -> dict[str, list[float]]:
    known: dict[str, list[float]] = {}
    for batch in stream(folder, Scan("files", ("file_id", "metadata_embedding"))):
        firsts = batch.take(pa.array(range(0, batch.num_rows, FRAMES)))  # a batch begins with a sequence
        known |= zip(firsts["file_id"].to_pylist(), firsts["metadata_embedding"].to_pylist(), strict=True)
    return known


def scan_here(folder: Path, _: str) -> Measured:
    """The nearest ten by exr_inspector/catalogue/similarity.py, over record batches as the SDK streams them."""
    table = feather.read_table(folder / "files.arrow", columns=[*similarity.KEYS, "metadata_embedding"], memory_map=True)
    file_ids, best = _best(_search_rows, table, similarity.Selection(_reference(table), 10, False))
    return Measured("exact top 10: exr_inspector/catalogue/similarity.py", best, 0.0, _peak(), len(file_ids))


def _search_rows(table: pa.Table, selection: similarity.Selection) -> list[str]:
    return similarity.search_rows(table.to_reader(131_072), "metadata_embedding", selection)


def scan_duckdb(folder: Path, _: str) -> Measured:
    """The nearest ten by DuckDB's scan of the same vectors, from its own table."""
    table = feather.read_table(folder / "files.arrow", columns=["file_id", "metadata_embedding"])
    wanted = _reference(table).vector
    with engine.open_engine() as sql:
        began = time.process_time()
        engine.copy_rows(sql, "files", table.to_reader())
        reading = time.process_time() - began
        query = f"SELECT file_id FROM files ORDER BY array_distance(metadata_embedding, {wanted}::FLOAT[384]) LIMIT 10"
        rows, best = _best(_fetch_rows, sql, query)
    return Measured("exact top 10: DuckDB", best, reading, _peak(), len(rows))


def _fetch_rows(sql: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    return sql.sql(query).fetchall()


def _reference(table: pa.Table) -> similarity.Reference:
    vector = table["metadata_embedding"][0].as_py()
    return similarity.Reference("f0000000", vector, {}, "f0000000", "s3://renders/shows/seq000000.#.exr")


def _best(task: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """The answer of the task, and the seconds of its quickest run."""
    times, answer = [], None
    for _ in range(REPEATS):
        began = time.process_time()
        answer = task(*arguments)
        times.append(time.process_time() - began)
    return answer, min(times)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(task: Callable[[Path, str], Measured], folder: Path, name: str) -> Measured:
    """The task in a process of its own, so that its peak memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(task, (folder, name))


def document(rows: list[Measured], files: int) -> str:
    """The measurements as a Markdown page, with what they mean and which of them miss the aim."""
    lines = [f"| {row.task} | {row.seconds:.2f} | {row.reading:.2f} | {row.peak_mib:,} | {row.rows:,} |" for row in rows]
    asked = [row for row in rows if row.task in questions.names()]
    slow = [row.task for row in asked if row.seconds > AIM]
    slow_from_scratch = [row.task for row in asked if row.seconds + row.reading > AIM]
    return "\n".join([
        "# Every question over a million files",
        "",
        "`scripts/python benchmarks/queries/million.py --markdown benchmarks/queries/RESULTS.md`",
        "",
        f"{files:,} files, {files * CHANNELS:,} channel rows; {date.today().isoformat()}, DuckDB {duckdb.__version__}, "  # noqa: DTZ011
        f"Python {platform.python_version()}, {multiprocessing.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end.",
        "",
        "`seconds` is the statement alone, the best of three, in processor time: that of all cores together, so a machine with",
        "nothing else to do answers sooner. `reading` is what the client-side engine does before: it copies the columns that the",
        "statement needs from a stream into tables, and finds which files' rows to read. Here the stream comes from a file; an",
        "endpoint and its network add to it, and a query engine on the server has no such step. The peak is that of the whole",
        "process. The report asks most of the questions, one after another, and its seconds are those of all, their reading",
        "included.",
        "",
        f"The aim is {AIM} seconds for a statement. Above it: {', '.join(slow) or 'none of the questions'}.",
        f"Above it together with the reading: {', '.join(slow_from_scratch) or 'none of the questions'}.",
        "",
        "| task | seconds | reading | peak MiB | rows |",
        "|---|---:|---:|---:|---:|",
        *lines,
    ]) + "\n"  # fmt: skip


def main() -> None:
    """Write the tables, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        # In a process of its own: a child's peak memory begins with that of the process that starts it.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.apply(write_tables, (folder, asked.files))
        rows = []
        for name in asked.only or questions.names():
            rows.append(measure(ask, folder, name))
            print(json.dumps(asdict(rows[-1])), flush=True)
        for task in (make_report, scan_here, scan_duckdb):
            rows.append(measure(task, folder, ""))
            print(json.dumps(asdict(rows[-1])), flush=True)
    text = document(rows, asked.files)
    print(text)
    if asked.markdown:
        asked.markdown.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
