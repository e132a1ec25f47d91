"""What local_vast takes for operations on large tables: 1 M rows, and exact vector search over 100,000 x 384.

    python benchmarks/local_vast/measure.py [--rows N] [--vectors N] [--runs N]

Everything goes through the unmodified SDK (and the ADBC driver for the search) against a server in another process, with its data
in a directory. Prints a Markdown table of medians.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import vastdb
from vastdb._internal import VectorIndexSpec
from vastdb.session import Session
from vastdb.table import Table

ROOT = Path(__file__).parents[2]
DIMENSION = 384
SLICE = 2_500
COLUMNS = pa.schema(
    [("id", pa.int64()), ("path", pa.string()), ("size", pa.int64()), ("score", pa.float64()), ("at", pa.timestamp("us"))]
)
VECTORS = pa.schema([("id", pa.int64()), ("v", pa.list_(pa.field("item", pa.float32(), nullable=False), DIMENSION))])


@contextmanager
def endpoint() -> Iterator[Session]:
    """A session on a local_vast in a process of its own."""
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "local_vast", "--data", data]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
            assert server.stdout is not None
            url = server.stdout.readline().strip().partition("=")[2]
            yield vastdb.connect(endpoint=url, access="local", secret="local-secret")
            server.terminate()


def table(session: Session, name: str, then: Callable[[Table], object]) -> float:
    """Seconds that `then` takes on a table, inside an open transaction."""
    with session.transaction() as tx:
        stored = tx.bucket("exr").schema("bench").table(name)
        assert stored is not None
        started = time.perf_counter()
        then(stored)
        return time.perf_counter() - started


def create(session: Session, name: str, columns: pa.Schema, **options: object) -> None:
    """An empty table."""
    with session.transaction() as tx:
        tx.bucket("exr").create_schema("bench", fail_if_exists=False).create_table(name, columns, **options)


def rows(count: int) -> pa.Table:
    """Rows as an inspection has them: a path, a size, a number, a time."""
    numbers = np.arange(count)
    values = [
        numbers,
        [f"/shows/one/shot_{number // 100:05d}/beauty.{number % 100:04d}.exr" for number in range(count)],
        numbers * 1000 % 99_991,
        numbers / 7,
        numbers * 1_000_000,
    ]
    return pa.table([pa.array(value, field.type) for value, field in zip(values, COLUMNS, strict=True)], schema=COLUMNS)


def insert_vectors(target: Table, count: int) -> None:
    """Unit vectors, in slices that fit into a request."""
    generator = np.random.default_rng(1)
    for start in range(0, count, SLICE):
        size = min(SLICE, count - start)
        block = generator.normal(size=(size, DIMENSION)).astype("f4")
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), type=VECTORS.field("v").type)
        target.insert(pa.record_batch([pa.array(range(start, start + size)), vectors], schema=VECTORS))


def check(result: pa.Table, expected: int) -> None:
    """A figure counts only for the right answer."""
    assert result.num_rows == expected, (result.num_rows, expected)


def measure(session: Session, row_count: int, vector_count: int, runs: int) -> Iterator[tuple[str, list[float]]]:
    """Each operation with its times in seconds."""
    data = rows(row_count)
    create(session, "rows", COLUMNS)
    yield f"insert {row_count:,} rows x {len(COLUMNS)} columns", [table(session, "rows", lambda target: target.insert(data))]
    wanted = row_count * 3 // 4
    many = [int(number) for number in np.linspace(0, row_count - 1, 10_000)]
    queries: dict[str, Callable[[Table], object]] = {
        "point select by id": lambda target: check(target.select(predicate=target["id"] == wanted).read_all(), 1),
        "select all": lambda target: check(target.select().read_all(), row_count),
        "`isin` of 10,000": lambda target: check(target.select(predicate=target["id"].isin(many)).read_all(), 10_000),
    }
    for name, query in queries.items():
        yield name, [table(session, "rows", query) for _ in range(runs)]
    create(session, "vectors", VECTORS, vector_index=VectorIndexSpec("v", "l2sq"))
    insert = [table(session, "vectors", lambda target: insert_vectors(target, vector_count))]
    yield f"insert {vector_count:,} vectors of {DIMENSION}", insert
    query_vector = (np.ones(DIMENSION) / np.sqrt(DIMENSION)).tolist()
    search = [
        table(session, "vectors", lambda target: check(target.vector_search(query_vector, ["id"], 10).read_all(), 10))
        for _ in range(runs)
    ]
    yield f"vector search, 10 of {vector_count:,} x {DIMENSION}, exact", search


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, {time.strftime('%Y-%m-%d')}\n")
    print("| operation | median | fastest | runs |\n|---|---|---|---|")
    with endpoint() as session:
        for name, seconds in measure(session, options.rows, options.vectors, options.runs):
            median, fastest = statistics.median(seconds) * 1000, min(seconds) * 1000
            print(f"| {name} | {median:,.0f} ms | {fastest:,.0f} ms | {len(seconds)} |", flush=True)


if __name__ == "__main__":
    main()
