"""What `init` spends its processor time and its memory on, import by import, in one fresh interpreter.

    scripts/python -m benchmarks.cold_start.steps

Each step loads what it names and what that needs, so the order counts: it is the one in which `init` comes to them.
"""

from __future__ import annotations

import importlib
import resource
import sys
import time

STEPS = (
    ("main", "the function's own modules"),
    ("pyarrow", "Arrow"),
    ("requests", "HTTP for the database"),
    ("ibis", "predicates of the client"),
    ("pyiceberg.transforms", "partitions of the client"),
    ("vastdb", "the rest of the client"),
    ("exr_inspector.database.persist", "rows and the upsert"),
    ("boto3", "the object store's client"),
)


def main() -> None:
    """Print one line for each step."""
    spent = time.process_time()
    for name, about in STEPS:
        importlib.import_module(name)
        now, held = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{name:32} {1000 * (now - spent):6.0f} ms of the processor, {held:5.0f} MiB held  ({about})")
        spent = time.process_time()


if __name__ == "__main__":
    sys.exit(main())
