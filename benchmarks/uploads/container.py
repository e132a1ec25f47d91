"""What a container of the function holds and computes: with one event at a time, and with 20.

    scripts/python -m benchmarks.uploads.container [--frames 20] [--width 4096] [--height 2160] [--channels 16]

The endpoint and the function host are processes of their own. For the largest of the samples without and with statistics of all
pixels, and for a frame of the size given with them, one event is delivered, then as many at a time as the platform hands to a
container; every one has to end in its rows. The memory is that of the host, with the libraries that it has loaded, and what the
processes that decode for it have of their own beside it, read from /proc again and again, so Linux alone has it. The processor
time is what all of them used, in seconds for one event.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.error import HTTPError, URLError

import OpenEXR
import vastdb

from benchmarks.pixel_stats.memory import band
from exr_inspector.function.host import THREADS
from exr_inspector.operations.samples import write_samples

ROOT = Path(__file__).resolve().parent.parent.parent
BUCKET, TABLES, SCHEMA = "renders", "exr", "exr_inspector"
CONNECTION = {"endpoint": "ENDPOINT", "access": "ACCESS_KEY", "secret": "SECRET_KEY"}
EVENT_SECONDS = 900
INTERVAL = 0.01
TICKS = os.sysconf("SC_CLK_TCK")


class Watch:
    """A process and those that it started: the most memory that they held together since `reset`, and their processor time."""

    def __init__(self, pid: int) -> None:
        self.pid, self.peak, self._ended = pid, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look_on)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._ended.wait(INTERVAL):
            self.peak = max(self.peak, self.held())

    def reset(self) -> None:
        """Forget the peak so far."""
        self.peak = self.held()

    def held(self) -> float:
        """The memory of all of them now, in MiB."""
        host, *others = self._all()
        return (_kib(host, "Rss") + sum(_kib(pid, "Private_Clean", "Private_Dirty") for pid in others)) / 1024

    def processor_seconds(self) -> float:
        """What they have used, those that ended and were waited for included."""
        return sum(_ticks(pid) for pid in self._all()) / TICKS

    def _all(self) -> Iterator[int]:
        waiting = [self.pid]
        while waiting:
            pid = waiting.pop()
            yield pid
            waiting += _children(pid)


def _read(path: str) -> str:
    """A file of /proc; empty where its process has ended."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _children(pid: int) -> list[int]:
    """The processes that any thread of a process started."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:
        return []
    return [int(child) for thread in threads for child in _read(f"{thread}/children").split()]


def _kib(pid: int, *names: str) -> int:
    """The sum of what a process has of these kinds of memory; 0 where it has ended."""
    lines = (line.split() for line in _read(f"/proc/{pid}/smaps_rollup").splitlines()[1:])
    return sum(int(line[1]) for line in lines if line[0].removesuffix(":") in names)


def _ticks(pid: int) -> int:
    """User and system time of a process and of its children that were waited for."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


@contextmanager
def endpoint(objects: Path) -> Iterator[dict[str, str]]:
    """The settings for an endpoint whose objects are the files below a folder."""
    command = [sys.executable, "-m", "local_vast", "--bucket", BUCKET, TABLES, "--objects", str(objects)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip().removeprefix("LOCAL_VAST_URL=")
        named = {"ENDPOINT": url, "ACCESS_KEY": "local", "SECRET_KEY": "local-secret"}
        try:
            yield {f"{service}_{key}": value for service in ("S3", "VAST_DB") for key, value in named.items()}
        finally:
            server.terminate()


@contextmanager
def function(settings: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Address and process id of a function host that is ready."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VAST", "S3_", "EXR_"))}
    environment |= {**settings, "VAST_DB_BUCKET": TABLES, "VAST_DB_SCHEMA": SCHEMA}
    command = [sys.executable, "-m", "exr_inspector.function.host", "--port", "0", "--log-level", "WARNING"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip().removeprefix("FUNCTION_HOST_URL=")
        try:
            while not ready(url):
                time.sleep(INTERVAL)
            yield url, process.pid
        finally:
            process.terminate()
            process.communicate()


def ready(url: str) -> bool:
    """Whether `init` is done."""
    try:
        with urllib.request.urlopen(f"{url}/readiness"):  # noqa: S310 - on loopback
            return True
    except (HTTPError, URLError) as error:
        if isinstance(error, HTTPError):
            error.close()
        return False


def deliver(url: str, key: str) -> None:
    """The event of an upload; it has to be answered."""
    headers = {
        "ce-specversion": "1.0", "ce-id": "7c1e2d3f00004000", "ce-type": "vastdata.com:Element.ElementCreated",
        "ce-source": "vastdata.com:exr-created.25d743ba-5c35-4524-a165-5a6566801b63", "ce-subject": "broker.topic",
        "ce-elementpath": f"{BUCKET}/{key}", "content-type": "application/json",
    }  # fmt: skip
    request = urllib.request.Request(url, b"{}", headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=EVENT_SECONDS) as answer:  # noqa: S310
        assert answer.status == 204


def count_rows(settings: Mapping[str, str]) -> int:
    """The files that are stored, with statistics where those are asked for."""
    table = "files" if settings["EXR_STATS"] == "off" else "pixel_stats"
    session = vastdb.connect(**{key: settings[f"VAST_DB_{name}"] for key, name in CONNECTION.items()})
    with session.transaction() as tx:
        rows = tx.bucket(TABLES).schema(SCHEMA).table(table).select(["file_id"]).read_all()
    return len(set(rows["file_id"].to_pylist()))


def write_frame(path: Path, width: int, height: int, channels: int) -> None:
    """A frame of half channels, ZIP, which hardly compresses."""
    OpenEXR.File(
        {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, band(width, height, channels, "f2")
    ).write(str(path))


def measure(name: str, source: Path, objects: Path, count: int, stats: str) -> None:
    """One file under `count` keys: one event, then all of them at a time; a line for each."""
    keys = [f"{name}.{number}.exr" for number in range(1001, 1001 + count)]
    for key in keys:
        (objects / BUCKET / key).unlink(missing_ok=True)
        os.link(source, objects / BUCKET / key)
    with endpoint(objects) as given:
        settings = {**given, "EXR_STATS": stats}
        with function(settings) as (url, pid), Watch(pid) as watch:
            print(f"{name} of {source.stat().st_size / 2**20:.1f} MiB, statistics {stats}: {watch.held():.0f} MiB when ready")
            for at_a_time in (1, count):
                spent = deliver_all(url, keys[:at_a_time], watch)
                assert count_rows(settings) == at_a_time
                print(f"  {at_a_time:2} at a time: {spent}", flush=True)


def deliver_all(url: str, keys: list[str], watch: Watch) -> str:
    """Deliver these events at a time; what it took."""
    watch.reset()
    began, used = time.monotonic(), watch.processor_seconds()
    with ThreadPoolExecutor(len(keys)) as pool:
        list(pool.map(partial(deliver, url), keys))
    spent, used = time.monotonic() - began, watch.processor_seconds() - used
    return f"{watch.peak:5.0f} MiB at most, {spent:6.1f} s for all, {used / len(keys):.2f} s of the processor for each"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=THREADS, help="events at a time (default: %(default)s)")
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--height", type=int, default=2160)
    parser.add_argument("--channels", type=int, default=16)
    asked = parser.parse_args()
    logging.getLogger("vastdb").setLevel(logging.ERROR)  # it says of every endpoint without VIPs that it has none
    with tempfile.TemporaryDirectory(prefix="container-") as folder:
        objects = Path(folder) / "objects"
        (objects / BUCKET).mkdir(parents=True)
        largest = max(write_samples(Path(folder) / "samples"), key=lambda path: path.stat().st_size)
        frame = Path(folder) / "frame.exr"
        for stats in ("off", "full"):
            measure("sample", largest, objects, asked.frames, stats)
        write_frame(frame, asked.width, asked.height, asked.channels)
        measure("frame", frame, objects, asked.frames, "full")


if __name__ == "__main__":
    main()
