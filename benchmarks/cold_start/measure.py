"""How long the function takes to be ready: import of `main`, `init`, and the first event, each in fresh interpreters.

    scripts/python -m benchmarks.cold_start.measure [--runs 15] [--check]

`init` runs against a local endpoint for the database and an object store on loopback, with byte code cached by a first run. The
profile lists the modules that the import spends its time in. CPU time is that of the function's process alone; where it is far
below the wall clock, other processes had the machine. With --check the exit status is 1 when the best import takes 150 ms or
more, or that of `init` 3 s or more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from exr_inspector.operations.samples import SAMPLES, write_samples
from local_vast import LocalVast

ROOT = Path(__file__).resolve().parent.parent.parent
IMPORT_BUDGET_MS = 150.0
INIT_BUDGET_MS = 3000.0
PROBE = """
import json, sys, time
marks = []
def mark(): marks.append((time.perf_counter() * 1000, time.process_time() * 1000))
mark()
import main
mark()
class Context: pass
context = Context()
main.init(context)
mark()
for _ in range(2):
    main.handler(context, {"data": {"path": sys.argv[1]}})
    mark()
print(json.dumps([[wall - before[0], cpu - before[1]] for before, (wall, cpu) in zip(marks, marks[1:])]))
"""
STEPS = ("import", "init", "first event", "second event")


def measure(runs: int, sample: Path, environment: Mapping[str, str]) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of each step on the wall and of CPU, one pair a run; the first run fills caches and is left out."""
    command = [sys.executable, "-c", PROBE, str(sample)]
    outputs = [
        subprocess.run(command, cwd=ROOT, env=dict(environment), capture_output=True, text=True, check=True).stdout
        for _ in range(runs + 1)
    ]
    by_run = [json.loads(output) for output in outputs[1:]]
    return {name: [tuple(run[index]) for run in by_run] for index, name in enumerate(STEPS)}


def profile(top: int) -> list[tuple[float, str]]:
    """The modules whose own import takes longest: (milliseconds, name)."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import main"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows = re.findall(r"^import time:\s+(\d+) \|\s+\d+ \| +(\S+)$", done.stderr, re.MULTILINE)
    return sorted(((int(own) / 1000, name) for own, name in rows), reverse=True)[:top]


def main() -> int:
    """Measure, print a table and a profile, and judge where asked."""
    parser = argparse.ArgumentParser(description="Time from a fresh interpreter to the first event.")
    parser.add_argument("--runs", type=int, default=15, help="interpreters to start (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a budget is exceeded")
    asked = parser.parse_args()
    with LocalVast(buckets=("renders",)) as server, tempfile.TemporaryDirectory() as folder:
        write_samples(Path(folder))
        environment = {
            **{key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
            "VAST_DB_ENDPOINT": server.url,
            "VAST_DB_ACCESS_KEY": server.access_key,
            "VAST_DB_SECRET_KEY": server.secret_key,
            "VAST_DB_BUCKET": "renders",
            "S3_ENDPOINT": server.url,
            "S3_ACCESS_KEY": server.access_key,
            "S3_SECRET_KEY": server.secret_key,
            "EXR_LOCAL_ROOTS": folder,
        }
        figures = measure(asked.runs, Path(folder) / next(iter(SAMPLES)), environment)
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {asked.runs} fresh interpreters, milliseconds")
    for name, pairs in figures.items():
        wall, cpu = zip(*pairs, strict=True)
        print(f"  {name:13} median {median(wall):8.1f}   best {min(wall):8.1f}   worst {max(wall):8.1f}   CPU {median(cpu):8.1f}")
    print("The import, by module:")
    for milliseconds, name in profile(10):
        print(f"  {milliseconds:8.1f}  {name}")
    exceeded = min(figures["import"])[0] >= IMPORT_BUDGET_MS or min(figures["init"])[0] >= INIT_BUDGET_MS
    return int(asked.check and exceeded)


if __name__ == "__main__":
    sys.exit(main())
