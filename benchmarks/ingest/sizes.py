"""How many rows and bytes one frame puts into each table: a beauty frame with 34 channels, statistics and a policy's findings.

    scripts/python -m benchmarks.ingest.sizes [--frames 50]

Bytes are those of the Arrow data that goes to the server; what a cluster makes of them is its own affair.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from exr_inspector.database.rows import new_stamp, rows_of, to_tables
from exr_inspector.database.session import batches
from exr_inspector.function.events import Request
from exr_inspector.function.job import Job, make_runtime
from exr_inspector.operations.samples import SAMPLES

SCALES = (10**7, 10**8, 10**9)


def payloads(folder: Path, frames: int) -> list[dict[str, Any]]:
    """What the reader says of frames that differ in name alone."""
    first = folder / "beauty.0001.exr"
    SAMPLES[next(iter(SAMPLES))](first)
    job = Job(SimpleNamespace(), make_runtime(SimpleNamespace(), stats="full", validate=True))
    paths = [folder / f"beauty.{number:04}.exr" for number in range(1, frames + 1)]
    for path in paths[1:]:
        shutil.copyfile(first, path)
    return [job.prepare(Request(path=str(path))) for path in paths]


def sizes(table: pa.Table) -> int:
    """Bytes of a table as they are sent."""
    return sum(pa.ipc.get_record_batch_size(batch) for batch in batches(table))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Rows and bytes of one frame in each table.")
    parser.add_argument("--frames", type=int, default=50, help="frames stored at once, of which the mean is taken (default 50)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tables = to_tables([(rows_of(payload), new_stamp()) for payload in payloads(Path(folder), options.frames)])
    heads = " | ".join(f"{scale:,} files" for scale in SCALES)
    print(f"| table | rows a file | bytes a file | {heads} |\n|---|---|---|" + "---|" * len(SCALES))
    total = 0.0
    for name, table in tables.items():
        each = sizes(table) / options.frames
        total += each
        print_row(name, f"{table.num_rows / options.frames:g}", each)
    print_row("all", "", total)
    return 0


def print_row(name: str, rows: str, each: float) -> None:
    """One line of the table, sizes in GB."""
    print(f"| {name} | {rows} | {each:,.0f} | " + " | ".join(f"{each * scale / 1e9:,.0f} GB" for scale in SCALES) + " |")


if __name__ == "__main__":
    sys.exit(main())
