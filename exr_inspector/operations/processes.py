"""Batches of a backfill in processes on this machine, which end with the one that started them, however that ends."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from typing import Any

from exr_inspector.catalogue import output
from exr_inspector.operations import backfill
from exr_inspector.operations.backfill import AHEAD, Batch, Outcome, WorkersDied
from exr_inspector.operations.pulse import Pulse
from exr_inspector.settings import Settings

_PR_SET_PDEATHSIG = 1
"""Of prctl(2): which signal this process gets when its parent ends."""
RESTARTS = 3
"""How often workers that died are replaced before the run gives up."""


def run(settings: Settings, batches: Iterable[Batch], workers: int, *, force: bool = False) -> Generator[Outcome, None, None]:
    """The outcomes of the batches, in the order in which they are done. One worker is this process itself.

    A worker that dies takes its batches with it; new workers run them again. Raises WorkersDied after RESTARTS.
    """
    if workers == 1:
        backfill.pulse = Pulse()
        for batch in batches:
            yield backfill.ingest(settings, batch, force)
        return
    source = iter(batches)
    backfill.pulse = Pulse(multiprocessing.get_context("spawn"))
    for _ in range(RESTARTS + 1):
        lost: list[Batch] = []
        yield from _run_pool(settings, source, workers, force, lost)
        if not lost:
            return
        source = chain(lost, source)
    raise WorkersDied(f"workers died {RESTARTS + 1} times")


def _run_pool(
    settings: Settings, source: Iterator[Batch], workers: int, force: bool, lost: list[Batch]
) -> Generator[Outcome, None, None]:
    """Run batches until there are no more, or until a worker dies; `lost` gets the batches that were in hand then."""
    running: dict[Future[Outcome], Batch] = {}
    context = multiprocessing.get_context("spawn")  # a forked child would share the parent's connections
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(workers, mp_context=context, initializer=begin_worker, initargs=(backfill.pulse,)) as pool:
        try:
            while True:
                while len(running) < workers * AHEAD and (batch := next(source, None)):
                    running[_submit(pool, settings, batch, force, lost)] = batch
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    outcome = future.result()
                    del running[future]
                    yield outcome
        except KeyboardInterrupt:
            output.complain("finishing the batches in hand")
            yield from _finish(running)
            raise
        except BrokenProcessPool:
            lost += running.values()
            for worker in set(multiprocessing.active_children()) - others:
                worker.kill()  # the pool terminates them, and they ignore SIGTERM
        finally:
            pool.shutdown(cancel_futures=True)


def _finish(running: Iterable[Future[Outcome]]) -> Generator[Outcome, None, None]:
    """Cancel the batches that nobody has begun, and wait for the outcomes of the others."""
    for future in as_completed([future for future in running if not future.cancel()]):
        if future.exception() is None:
            yield future.result()


def begin_worker(pulse: Pulse) -> None:
    """Count files in the pulse of the process that started this one, and end with it."""
    backfill.pulse = pulse
    live_with_parent()


def live_with_parent() -> None:
    """Let this worker ignore signals that are meant for its parent, and end with its parent, however that ends.

    Ctrl-C reaches every process of a terminal, and SIGTERM often every process of a group or a service. A worker that either
    hit while it held the queue's lock would leave the others waiting for ever. A parent that is killed cannot stop its workers.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # also during a call that holds the interpreter
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the end of the pipe whose other end only the parent has."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _submit(pool: ProcessPoolExecutor, settings: Settings, batch: Batch, force: bool, lost: list[Batch]) -> Any:
    try:
        return pool.submit(backfill.ingest, settings, batch, force)
    except BrokenProcessPool:
        lost.append(batch)
        raise
