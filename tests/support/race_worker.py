"""One container of the race test: eight threads that deliver events to a shared store until each delivery is acknowledged.

    python race_worker.py URL ACCESS SECRET SEED DELIVERIES.json

Containers of odd seeds store what waits side by side in one transaction, those of even seeds each file in its own.

Prints how often an inspection was acknowledged and how often one was attempted, per event.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.modules["adbc_driver_vastdb"] = None  # type: ignore[assignment]  # as in the image
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

import vast_db_persistence as persistence  # noqa: E402
from databases import settings_for  # noqa: E402
from exr_inspector.errors import VASTDatabaseError  # noqa: E402
from sample_payloads import measured, payload  # noqa: E402

THREADS = 8


def document(path: str, header: str, day: int, size: int) -> dict[str, Any]:
    """The payload of a render. Some are measured in full, some in part, some not at all; what, follows from their size."""
    rendered = payload(path, header=header, mtime=f"2026-02-0{day}T00:00:00Z", size_bytes=size)
    return measured(rendered, stats=size % 3 == 0, policy=("strict", "lenient", None)[size % 4 % 3])


def main() -> None:
    url, access, secret, seed, deliveries = sys.argv[1:]
    order = json.loads(deliveries)
    random.Random(int(seed)).shuffle(order)
    store = opened(settings_for(url, access, secret, db_group=100 if int(seed) % 2 else 1))
    calls: Counter[str] = Counter()

    def deliver(event: list[Any]) -> str:
        path, header, *_ = event
        while True:
            calls[f"{path} {header}"] += 1
            try:
                result = persistence.persist_to_vast_database(document(*event), session=store)
            except VASTDatabaseError:
                continue
            if result["status"] == "stored":
                return f"{path} {header}"

    with ThreadPoolExecutor(THREADS) as pool:
        acknowledged = Counter(pool.map(deliver, order))
    print(json.dumps({"acknowledged": acknowledged, "calls": calls}))


def opened(settings):
    """A store, however often the endpoint refuses the first request."""
    while True:
        try:
            return persistence.open_store(settings)
        except VASTDatabaseError:
            continue


if __name__ == "__main__":
    main()
