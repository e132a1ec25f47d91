"""Backfill of generated EXRs from disk and from S3, against one event at a time; and a run that is killed and gone on with.

    python benchmarks/backfill/run.py [--files 20000] [--singly 30] [--latency 5] [--workers 2] [--killed 1000]
                                       [--place disk|S3|both] [--check]

Starts `python -m local_vast` as a process of its own, in which every request, of the database and of the object store, waits for
the added latency. One event at a time is measured before and after each backfill, from the same place, and the mean taken: other
work on the machine then strikes both. With --check the exit status is 1 unless backfilling is at least 25 times as fast.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]
sys.modules["adbc_driver_vastdb"] = None  # type: ignore[assignment]  # as in the image

from exr_bytes import channel, chlist, image, text  # noqa: E402

BUCKET, WANTED = "renders", 25.0
PER_FOLDER = 500


@dataclass(frozen=True)
class BackfillTime:
    """One way."""

    way: str
    files: int
    seconds: float
    answer: dict[str, Any]
    peak_mb: float
    baseline: BackfillTime | None = None

    @property
    def rate(self) -> float:
        return self.files / self.seconds

    @property
    def times(self) -> float:
        """How many times as fast as one event at a time."""
        return self.rate / self.baseline.rate if self.baseline else 1.0


def write_files(folder: Path, count: int) -> None:
    """Frames of forty channels, each with a header of its own."""
    channels = chlist(*sorted(channel(f"layer{n // 4}.{'RGBA'[n % 4]}") for n in range(40)))
    for at in range(count):
        path = folder / f"sh{at // PER_FOLDER:04}/beauty_v001.{1001 + at % PER_FOLDER}.exr"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image(text("owner", f"artist {at}"), text("comments", "rendered for a benchmark"), channels=channels))


@contextmanager
def endpoint(objects: Path, latency: int) -> Iterator[str]:
    """An endpoint in another process, with objects that are there already."""
    command = [sys.executable, "-m", "local_vast", "--bucket", BUCKET, "--objects", str(objects), "--latency-ms", str(latency)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip().partition("=")[2]
        finally:
            process.terminate()


def environment(url: str, schema: str) -> dict[str, str]:
    """What the function and the command read."""
    keys = {"VAST_DB_ACCESS_KEY": "local", "VAST_DB_SECRET_KEY": "local-secret", "VAST_DB_ENDPOINT": url}
    objects = {"S3_ENDPOINT": url, "S3_ACCESS_KEY": "local", "S3_SECRET_KEY": "local-secret"}
    return os.environ | keys | objects | {"VAST_DB_BUCKET": BUCKET, "VAST_DB_SCHEMA": schema}


def start_backfill(url: str, schema: str, *arguments: str) -> subprocess.Popen[str]:
    """A backfill on its way."""
    command = [sys.executable, "-m", "exr_inspector", "backfill", *arguments, "--json"]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment(url, schema), stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def backfill(way: str, url: str, schema: str, *arguments: str) -> BackfillTime:
    """Run the backfill to its end."""
    started = time.perf_counter()
    process = start_backfill(url, schema, *arguments)
    assert process.stdout
    answer = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, answer
    return BackfillTime(way, answer["files"], time.perf_counter() - started, answer, usage.ru_maxrss / 1024)


def function(url: str) -> Callable[[dict[str, str]], Any]:
    """The handler, as a container with one thread."""
    os.environ.update(environment(url, "singly") | {"EXR_LOCAL_ROOTS": "/"})
    import main

    ctx = SimpleNamespace(logger=SimpleNamespace(info=len, warning=len, error=len))
    main.init(ctx)

    def handle(data: dict[str, str]) -> Any:
        return main.handler(ctx, {"data": data})

    return handle


def singly(handle: Callable[[dict[str, str]], Any], events: Iterator[dict[str, str]], count: int) -> BackfillTime:
    """One event after the other; the first one, for which connections are made, does not count."""
    assert handle(next(events))["inserted"]
    started = time.perf_counter()
    for _ in range(count):
        assert handle(next(events))["inserted"]
    return BackfillTime("one event at a time", count, time.perf_counter() - started, {}, 0.0)


Handle = Callable[[dict[str, str]], Any]


def against(way: str, handle: Handle, events: Iterator[dict[str, str]], count: int, *given: Any) -> list[BackfillTime]:
    """One event at a time before and after a backfill of the same place, and the backfill."""
    before = singly(handle, events, count)
    measured = backfill(f"backfill {way}", *given)
    after = singly(handle, events, count)
    both = BackfillTime(f"one event at a time {way}", 2 * count, before.seconds + after.seconds, {}, 0.0)
    report([both, replace(measured, baseline=both)])
    return [both, replace(measured, baseline=both)]


def kill_and_resume(url: str, folder: Path, workers: int) -> bool:
    """Whether a run that is killed and gone on with ends in the tables of one that was left alone."""
    arguments = (str(folder), "--workers", str(workers), "--batch", "100")
    process = start_backfill(url, "killed", *arguments)
    while not count(url, "killed") and process.poll() is None:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = count(url, "killed")
    backfill("resumed", url, "killed", *arguments)
    backfill("whole", url, "whole", *arguments)
    print(f"killed with {before} files stored, then gone on with", file=sys.stderr)
    return contents(url, "killed") == contents(url, "whole")


def contents(url: str, schema: str) -> dict[str, list[str]]:
    """All rows but for the ids and times of inspections."""
    from databases import Database, settings_for, without_audit

    return without_audit(Database(None, settings_for(url, "local", "local-secret", schema)).contents())  # type: ignore[arg-type]


def count(url: str, schema: str) -> int:
    """Rows of files; none while there is no table."""
    from databases import Database, settings_for
    from exr_inspector.operations import migrations

    stored = migrations.read_state(Database(None, settings_for(url, "local", "local-secret", schema)).store()).tables  # type: ignore[arg-type]
    return stored["files"].rows if "files" in stored else 0


def report(measurements: list[BackfillTime]) -> None:
    """A table for the README."""
    print("| way | files | files/s | reads/file | bytes/file | database requests/file | peak memory of a process, MB | times |")
    print("|---|---|---|---|---|---|---|---|")
    for one in measurements:
        answer, files = one.answer, one.files
        figures = [answer.get(name, 0) / files for name in ("requests", "bytes_read", "database_requests")]
        shown = " | ".join((f"{figures[0]:.2f}", f"{figures[1]:.0f}", f"{figures[2]:.3f}", f"{one.peak_mb:.0f}"))
        print(f"| {one.way} | {files} | {one.rate:.1f} | {shown if answer else '| | |'} | {one.times:.1f} |", flush=True)


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("files", 20_000), ("singly", 30), ("latency", 5), ("workers", 2), ("killed", 1000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--place", choices=("disk", "S3", "both"), default="both")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        objects = Path(scratch) / "objects"
        folder = objects / BUCKET / "show"
        write_files(folder, options.files)
        write_files(Path(scratch) / "killed", options.killed)
        with endpoint(objects, options.latency) as url:
            handle, count, workers = function(url), options.singly, ("--workers", str(options.workers))
            paths = sorted(folder.rglob("*.exr"))
            files = iter([{"path": str(path)} for path in paths])
            keys = iter([{"s3_bucket": BUCKET, "s3_key": str(path.relative_to(objects / BUCKET))} for path in paths])
            measurements = []
            if options.place in ("disk", "both"):
                measurements += against("from disk", handle, files, count, url, "disk", str(folder), *workers)
            if options.place in ("S3", "both"):
                measurements += against("from S3", handle, keys, count, url, "objects", f"s3://{BUCKET}/show/", *workers)
            same = kill_and_resume(url, Path(scratch) / "killed", options.workers)
            report(measurements)
            print("killed and resumed: " + ("the same tables" if same else "OTHER TABLES"))
    slow = [one.way for one in measurements if one.baseline and one.times < WANTED]
    return 1 if options.check and (slow or not same) else 0


if __name__ == "__main__":
    sys.exit(main())
