"""Whether the function's memory is flat over many events: one process, one container's worth of threads, repeated deliveries.

    scripts/python -m benchmarks.uploads.soak [--events 10000] [--files 200] [--threads 4]

The endpoint runs in a process of its own, so that its memory does not count. The resident memory is printed ten times; the first
tenth of the events fills caches and pools, and the growth is counted from there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from exr_inspector.operations.samples import beauty

REPORTS = 10


class Quiet:
    """A logger that drops what it is told."""

    def info(self, line: str) -> None:
        """Nothing."""

    warning = error = info


def resident_mib() -> float:
    """The resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def make_files(directory: Path, count: int) -> list[Path]:
    """One render under many names; frames of four shots."""
    beauty(directory / "one.exr")
    paths = [directory / f"sh{number % 4:03d}" / f"beauty.{1001 + number}.exr" for number in range(count)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(directory / "one.exr", path)
    return paths


def deliver(events: int, files: int, threads: int) -> None:
    """Deliver the events and print the memory as it goes."""
    sys.modules["adbc_driver_vastdb"] = None  # type: ignore[assignment]  # the function's image does not have it
    import main

    context = SimpleNamespace(logger=Quiet())
    main.init(context)
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(threads) as pool:
        paths = make_files(Path(directory), files)
        first, step, started = 0.0, events // REPORTS, time.perf_counter()
        for done in range(0, events, step):
            batch = [{"data": {"path": str(paths[number % files])}} for number in range(done, done + step)]
            answers = list(pool.map(partial(main.handler, context), batch))
            assert {answer["persistence"]["status"] for answer in answers} == {"stored"}
            memory = resident_mib()
            first = first or memory
            rate = (done + step) / (time.perf_counter() - started)
            print(f"{done + step:>7,} events  {memory:7.1f} MiB  {memory - first:+6.1f} MiB  {rate:6.1f} events/s", flush=True)


def main_() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Memory over many events.")
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--threads", type=int, default=4)
    args = parser.parse_args()
    command = [sys.executable, "-m", "local_vast", "--bucket", "renders", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip().removeprefix("LOCAL_VAST_URL=")
        names = {"ENDPOINT": url, "ACCESS_KEY": "local", "SECRET_KEY": "local-secret", "BUCKET": "renders"}
        os.environ.update({f"VAST_DB_{name}": value for name, value in names.items()})
        try:
            deliver(args.events, args.files, args.threads)
        finally:
            server.terminate()


if __name__ == "__main__":
    main_()
