"""Files per second and requests per file: singly, in batches of 1, 50 and 500, and the straightforward way, in one run.

    python benchmarks/ingest/run.py [--files N] [--latency 0 5 20] [--check]

Starts `python -m local_vast` as a process of its own and lets every request wait for the added latency. Prints a table; with
--check the exit status is 1 unless, at 5 ms, storing singly is at least 3 times and in batches of 500 at least 40 times as fast
as the straightforward way.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]
sys.modules["adbc_driver_vastdb"] = None  # type: ignore[assignment]  # as in the image

import vast_db_persistence as persistence  # noqa: E402
from benchmarks.ingest import straightforward  # noqa: E402
from exr_inspector.payload.aovs import describe_channels  # noqa: E402
from exr_inspector.settings import Settings  # noqa: E402
from sample_payloads import channel, payload  # noqa: E402

BATCHES = (1, 50, 500)
CHANNELS = 40
ROUNDS = 4
TARGETS = {"singly": 3.0, "batches of 500": 40.0}
CHECKED_LATENCY = 5
Store = Callable[[list[dict[str, Any]]], object]


@dataclass(frozen=True)
class IngestTime:
    """One way of storing at one latency."""

    way: str
    latency_ms: int
    files: int
    seconds: float
    requests: int

    @property
    def rate(self) -> float:
        return self.files / self.seconds


class Endpoint:
    """A local_vast process, steered through its control requests."""

    def __init__(self, url: str) -> None:
        self.url = url

    def control(self, method: str, what: str, body: object = None) -> Any:
        """One control request."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_local_vast/{what}", data=data, method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())

    def settings(self, schema: str) -> Settings:
        """Settings for one schema."""
        return Settings(
            db_endpoint=self.url, db_access_key="local", db_secret_key="local-secret", db_bucket="renders", db_schema=schema
        )


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """A fresh endpoint in another process."""
    command = [sys.executable, "-m", "local_vast", "--bucket", "renders", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        try:
            yield Endpoint(process.stdout.readline().strip().partition("=")[2])
        finally:
            process.terminate()


names = itertools.count()


def documents(count: int) -> list[dict[str, Any]]:
    """Payloads of new files: one part, forty channels that say what they are, as the reader has it, and seven attributes."""
    plain = payload() | {"channels": [channel(f"layer{n // 4}.{'RGBA'[n % 4]}") for n in range(CHANNELS)]}
    channels = describe_channels(plain)
    return [payload(f"/shows/demo/{next(names):06}.exr") | {"channels": channels} for _ in range(count)]


def measure(server: Endpoint, way: str, latency: int, files: int, store: Store) -> IngestTime:
    """Store new files one way; every request waits `latency` milliseconds."""
    batch = documents(files)
    server.control("DELETE", "requests")
    if latency:
        server.control("POST", "faults", [f"latency={latency}@any**"])
    started = time.perf_counter()
    store(batch)
    seconds = time.perf_counter() - started
    server.control("DELETE", "faults")
    return IngestTime(way, latency, files, seconds, len(server.control("GET", "requests")["requests"]))


def ways(server: Endpoint) -> dict[str, Store]:
    """The ways to compare; each has its tables made and loaded before it is measured."""
    warm = persistence.open_store(server.settings("ours"))
    plain = server.settings("plain")
    persistence.persist_to_vast_database(documents(1)[0], session=warm)
    persistence.persist_to_vast_database(documents(1)[0], settings=plain)

    def straightforwardly(batch: list[dict[str, Any]]) -> None:
        for document in batch:
            straightforward.persist(document, plain)

    def singly(batch: list[dict[str, Any]]) -> None:
        for document in batch:
            assert persistence.persist_to_vast_database(document, session=warm)["inserted"]

    def in_batches(size: int) -> Store:
        def store(batch: list[dict[str, Any]]) -> None:
            for start in range(0, len(batch), size):
                results = persistence.persist_batch(batch[start : start + size], session=warm)
                assert all(result["inserted"] for result in results)

        return store

    return {
        "straightforward": straightforwardly,
        "singly": singly,
        **{f"batches of {size}": in_batches(size) for size in BATCHES},
    }


def run(files: int, latencies: list[int]) -> list[IngestTime]:
    """Every way at every latency, in rounds that take turns, so that a busy machine slows all ways alike.

    `files` files one by one; in batches as many more as fill one batch in every round.
    """
    results = []
    with endpoint() as server:
        ready = ways(server)
        for latency in latencies:
            rounds = [
                [measure(server, way, latency, max(files // ROUNDS, batch_size(way)), store) for way, store in ready.items()]
                for _ in range(ROUNDS)
            ]
            results += [total(list(same)) for same in zip(*rounds, strict=True)]
    return results


def batch_size(way: str) -> int:
    """How many files this way stores at once."""
    return int(way.rpartition(" ")[2]) if way.startswith("batches") else 1


def total(rounds: list[IngestTime]) -> IngestTime:
    """All rounds of one way as one figure."""
    first = rounds[0]
    sums = [sum(getattr(one, name) for one in rounds) for name in ("files", "seconds", "requests")]
    return IngestTime(first.way, first.latency_ms, *sums)


def factor(results: list[IngestTime], result: IngestTime) -> float:
    """How many times as fast as the straightforward way at the same latency."""
    plain = next(one for one in results if one.latency_ms == result.latency_ms and one.way == "straightforward")
    return result.rate / plain.rate


def main() -> int:
    """Measure, print, check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=40, help="files stored one by one (default 40)")
    parser.add_argument("--latency", type=int, nargs="+", default=[0, 5, 20], help="added milliseconds per request")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a target at 5 ms is missed")
    options = parser.parse_args()
    results = run(options.files, options.latency)
    print("| added latency | way | files/s | requests/file | times straightforward |\n|---|---|---|---|---|")
    for one in results:
        print(
            f"| {one.latency_ms} ms | {one.way} | {one.rate:.1f} | {one.requests / one.files:.2f} | {factor(results, one):.1f} |"
        )
    missed = [
        f"{one.way}: {factor(results, one):.1f} times, wanted {TARGETS[one.way]:.0f}"
        for one in results
        if options.check and one.latency_ms == CHECKED_LATENCY and factor(results, one) < TARGETS.get(one.way, 0)
    ]
    print("\n".join(missed), file=sys.stderr, end="\n" if missed else "")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
