"""Where the processor time of an event goes in a warm container: which calls of the client, which of ours.

    scripts/python -m benchmarks.calls.processor [--events 400]

Every event names a beauty frame with 34 channels that is stored anew, in a `local_vast` of its own process. The process is
interrupted after each millisecond of processor time that it has used, and the interruption is counted for the step that it met,
told from the stack. Inserts run one after the other in the thread of the event, so that they are met as well.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

from benchmarks.calls.measure import SHIPPED
from benchmarks.ingest.run import endpoint
from exr_inspector.function import job
from exr_inspector.operations.samples import SAMPLES

INTERVAL = 0.001
WARM = 20
OURS, CLIENT = "ours", "the client"
STEPS = {
    "Job.read": "open the file",
    "Job.describe": "header, chunks, payload",
    "compute_metadata_embedding": "the vector",
    "rows_of": "rows, checked",
    "to_batches": "Arrow batches",
    "Work.__enter__": "begin, twice",
    "Work.__exit__": "commit, twice",
    "Work.select": "select, twice",
    "Work.insert_batches": "four inserts",
    "Job.finish": "answer, metrics, log",
}
"""Function -> what it does; of nested ones the outermost counts."""


class Inline(Executor):
    """Runs what it is given at once."""

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """The result, as a future that is done."""
        future: Future[Any] = Future()
        future.set_result(call(*arguments, **named))
        return future


class Quiet:
    """A logger that drops what it is told."""

    def info(self, line: str) -> None:
        """Nothing."""

    warning = error = info


def step_of(frame: FrameType | None) -> tuple[str, str]:
    """Who works, this project or the client with what it needs, and on which step."""
    owner, step = "", "the rest"
    while frame is not None:
        file = frame.f_code.co_filename
        owner = owner or (CLIENT if "/site-packages/" in file else OURS if file.startswith(SHIPPED) else "")
        step = STEPS.get(frame.f_code.co_qualname, step)
        frame = frame.f_back
    return owner or OURS, step


def sample(work: Callable[[], None]) -> tuple[Counter[tuple[str, str]], float]:
    """The steps that interruptions met while `work` was done, and the seconds of processor time that it took."""
    met: Counter[tuple[str, str]] = Counter()
    signal.signal(signal.SIGPROF, lambda _, frame: met.update([step_of(frame)]))
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    started = time.process_time()
    try:
        work()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return met, time.process_time() - started


def new_events(folder: Path) -> Iterator[dict[str, Any]]:
    """Events of files that nobody has stored."""
    frame = folder / "frame.exr"
    SAMPLES[next(iter(SAMPLES))](frame)
    number = 0
    while True:
        number += 1
        path = folder / f"beauty.{number:05}.exr"
        shutil.copyfile(frame, path)
        yield {"data": {"path": str(path)}}


def measure(events: int) -> tuple[Counter[tuple[str, str]], float]:
    """The steps met, and the seconds taken, by so many events of a warm container."""
    import main as function

    with endpoint() as server, tempfile.TemporaryDirectory() as folder:
        context = SimpleNamespace(logger=Quiet())
        named = vars_of(server.settings("calls"))
        context.exr_inspector = job.make_runtime(context, **named)
        context.exr_inspector.clients.store().inserters = Inline()
        source = new_events(Path(folder))

        def deliver(batch: list[dict[str, Any]]) -> None:
            for event in batch:
                assert function.handler(context, event)["inserted"]

        deliver([next(source) for _ in range(WARM)])
        batch = [next(source) for _ in range(events)]
        return sample(lambda: deliver(batch))


def vars_of(settings: Any) -> dict[str, Any]:
    """The settings that name the database."""
    return {name: getattr(settings, name) for name in settings.__dataclass_fields__ if name.startswith("db_")}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Where the processor time of an event goes in a warm container.")
    parser.add_argument("--events", type=int, default=400)
    options = parser.parse_args()
    met, seconds = measure(options.events)
    each = 1000 * seconds / options.events
    print(f"Python {platform.python_version()}, {each:.1f} ms of processor time for each of {options.events} events\n")
    print("| who | step | ms | share |\n|---|---|---|---|")
    for (owner, step), count in sorted(met.items(), key=lambda entry: (entry[0][0] == CLIENT, -entry[1])):
        share = count / met.total()
        print(f"| {owner} | {step} | {share * each:.2f} | {share:.0%} |")
    for owner in (OURS, CLIENT):
        share = sum(count for (name, _), count in met.items() if name == owner) / met.total()
        print(f"| **{owner}** | all | {share * each:.2f} | {share:.0%} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
