"""A burst of events in one container: 20 threads that store new files, each in its own transaction and grouped, in one run.

    python -m benchmarks.ingest.burst [--files N] [--latency 0 5 20] [--threads 20] [--check]

Starts `python -m local_vast` as a process of its own and lets every request wait for the added latency. Prints a table, the
first column of times being that of a single event without company; with --check the exit status is 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import vast_db_persistence as persistence
from benchmarks.ingest.run import Endpoint, documents, endpoint

WAYS = {"one transaction a file": 1, "grouped": 100}
ROUNDS = 3
ALONE = 8
"""Events that are stored one after the other, in each round."""
TARGETS = {0: 4.0, 5: 6.0, 20: 8.0}
"""Added milliseconds -> how many times as many files a second are wanted."""


@dataclass
class Burst:
    """What one way took at one latency, over all rounds."""

    seconds: float = 0.0
    requests: int = 0
    files: int = 0

    def __post_init__(self) -> None:
        self.times: list[float] = []
        self.alone: list[float] = []

    @property
    def rate(self) -> float:
        return self.files / self.seconds


def timed_store(document: dict[str, Any], store: persistence.Store) -> float:
    """Seconds that one event waits for its rows."""
    started = time.perf_counter()
    assert persistence.persist_to_vast_database(document, session=store)["inserted"]
    return time.perf_counter() - started


def measure(server: Endpoint, store: persistence.Store, burst: Burst, files: int, threads: int) -> None:
    """One round: events without company, then a burst."""
    burst.alone += [timed_store(document, store) for document in documents(ALONE)]
    batch = documents(files)
    server.control("DELETE", "requests")
    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        burst.times += pool.map(timed_store, batch, [store] * files)
    burst.seconds += time.perf_counter() - started
    burst.files += files
    burst.requests += len(server.control("GET", "requests")["requests"])


def run(files: int, latencies: list[int], threads: int) -> dict[tuple[int, str], Burst]:
    """Both ways at every latency, in rounds that take turns, so that a busy machine slows both alike."""
    from dataclasses import replace

    results: dict[tuple[int, str], Burst] = {}
    with endpoint() as server:
        stores = {way: persistence.open_store(replace(server.settings("burst"), db_group=size)) for way, size in WAYS.items()}
        for store in stores.values():
            persistence.persist_to_vast_database(documents(1)[0], session=store)
        for latency in latencies:
            if latency:
                server.control("POST", "faults", [f"latency={latency}@any**"])
            for _ in range(ROUNDS):
                for way, store in stores.items():
                    measure(server, store, results.setdefault((latency, way), Burst()), files, threads)
            server.control("DELETE", "faults")
    return results


def main() -> int:
    """Measure, print, check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=200, help="files in a burst (default 200)")
    parser.add_argument("--threads", type=int, default=20, help="events at a time (default 20)")
    parser.add_argument("--latency", type=int, nargs="+", default=[0, 5, 20], help="added milliseconds per request")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a target is missed")
    options = parser.parse_args()
    results = run(options.files, options.latency, options.threads)
    print("| added latency | way | files/s | times | requests/file | event, 50 % | event, 99 % | single event |")
    print("|---|---|---|---|---|---|---|---|")
    missed = []
    for (latency, way), burst in results.items():
        plain = results[latency, "one transaction a file"]
        times = burst.rate / plain.rate
        middle, late, alone = median(burst.times), quantiles(burst.times, n=100)[-1], median(burst.alone)
        print(
            f"| {latency} ms | {way} | {burst.rate:.1f} | {times:.1f} | {burst.requests / burst.files:.2f} "
            f"| {middle * 1000:.0f} ms | {late * 1000:.0f} ms | {alone * 1000:.0f} ms |"
        )
        if way == "grouped" and times < TARGETS.get(latency, 0):
            missed.append(f"{latency} ms: {times:.1f} times, wanted {TARGETS[latency]:.0f}")
    print("\n".join(missed), file=sys.stderr, end="\n" if missed else "")
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
