"""Batches of a backfill on a Dask cluster: an existing one, or one of processes on this machine.

Each batch is one call of `backfilling.ingest`, as in a process pool. The scheduler runs a batch again whose worker died. Tasks
are named by number, and nothing that Dask logs or shows of a task holds a secret. The task itself carries the keys, so a cluster
on a network that others use wants `tls://`.
"""

from __future__ import annotations

import importlib.util
import io
import logging
import pickle
import pkgutil
import uuid
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from exr_inspector.errors import BadSettings, Reject, Retry
from exr_inspector.operations import backfill
from exr_inspector.operations.backfill import AHEAD, Batch, Outcome, WorkersDied
from exr_inspector.payload import document
from exr_inspector.settings import Settings

if TYPE_CHECKING:
    from distributed import Client, Future

LOCAL = "local"
PACKAGE = "distributed"
DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
"""Ctrl-C reaches every process of a terminal; a worker's end is its cluster's business."""
SECONDS = 20
"""How long the scheduler may take to answer, and a first worker to be there."""


class NoEngine(Reject):
    """The distributed engine is not installed here, or the workers lack this project or have another version of it."""

    code = "no_engine"


class ClusterUnreachable(Retry):
    """The scheduler does not answer, went away, or has no workers."""

    code = "cluster_unreachable"


class Call:
    """A call that takes place where it is unpickled, and whose value is what unpickling gives."""

    def __init__(self, *parts: Any) -> None:
        """`parts` are the function and its arguments."""
        self._parts = parts

    def __reduce__(self) -> tuple[Any, ...]:
        """See `object.__reduce__`: the function that makes the object, and its arguments."""
        function, *arguments = self._parts
        return function, tuple(arguments)


def pack_call(*parts: Any) -> io.BytesIO:
    """A call for `pickle.load` on a worker. The scheduler, which unpickles tasks and logs them, sees a file in memory."""
    return io.BytesIO(pickle.dumps(Call(*parts)))


def run(
    address: str, settings: Settings, batches: Iterable[Batch], workers: int, *, force: bool = False
) -> Generator[Outcome, None, None]:
    """The outcomes of the batches, in the order in which they are done.

    `address` is a scheduler's, such as tcp://host:8786, or LOCAL for `workers` processes here. At most AHEAD batches per thread
    of the cluster are under way, so that listing never runs far ahead. Whoever stops iterating takes back what has not begun.
    Raises NoEngine, BadSettings, ClusterUnreachable, WorkersDied, and what `backfilling.ingest` raises.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        raise NoEngine(f"--cluster needs the package {PACKAGE}", remedy="Run `pip install 'exr-inspector[cluster]'`")
    with _translate_errors(address), _client(address, workers) as client:
        _check_workers(client)
        yield from _outcomes(client, settings, iter(batches), force)


@contextmanager
def _translate_errors(address: str) -> Iterator[None]:
    """Errors of the engine's as errors of ours."""
    from distributed.scheduler import KilledWorker

    try:
        yield
    except KilledWorker as error:
        raise WorkersDied(f"workers died of one batch ({error.task}), again and again") from None
    except (OSError, TimeoutError, CancelledError) as error:
        remedy = "Check --cluster, the scheduler and its workers; the same command goes on"
        raise ClusterUnreachable(f"the cluster {address} does not answer ({type(error).__name__})", remedy=remedy) from None


@contextmanager
def _client(address: str, workers: int) -> Iterator[Client]:
    from distributed import Client, LocalCluster

    for name in (PACKAGE, f"{PACKAGE}.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # they log what they try again
    with ExitStack() as stack:
        if address == LOCAL:
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL, preload=DEAF,
            )  # fmt: skip
            address = stack.enter_context(cluster).scheduler_address
        try:
            client = Client(address, timeout=SECONDS)
        except ValueError as error:
            raise BadSettings(f"--cluster {address!r}: {error}", remedy=f"Write it like tcp://host:8786, or {LOCAL}") from None
        yield stack.enter_context(client)


def _check_workers(client: Client) -> None:
    """Whether the workers have this project, in this version. Raises NoEngine with the address of one that has not."""
    client.wait_for_workers(1, timeout=SECONDS)
    versions = client.run(pkgutil.resolve_name, "exr_inspector.payload.document:INSPECTOR_VERSION", on_error="return")
    entry = client.run(pkgutil.resolve_name, f"{backfill.__name__}:SUFFIX", on_error="return")
    for worker, version in versions.items():
        if isinstance(version, Exception) or isinstance(entry.get(worker), Exception):
            remedy = "Start workers with the project's environment, and its folder in PYTHONPATH"
            raise NoEngine(f"worker {worker} cannot import this project", remedy=remedy)
        if version != document.INSPECTOR_VERSION:
            text = f"worker {worker} has version {version} of this project, here is {document.INSPECTOR_VERSION}"
            raise NoEngine(text, remedy="Give all the same")


def _outcomes(client: Client, settings: Settings, batches: Iterator[Batch], force: bool) -> Generator[Outcome, None, None]:
    from distributed import wait

    run_id, numbers = uuid.uuid4().hex[:8], count(1)
    running: set[Future] = set()
    try:
        while True:
            room = AHEAD * max(1, sum(client.nthreads().values()))
            while len(running) < room and (batch := next(batches, None)):
                key = f"backfill-{run_id}-{next(numbers)}"
                running.add(client.submit(pickle.load, pack_call(backfill.ingest, settings, batch, force), key=key))
            if not running:
                return
            done, running = wait(running, return_when="FIRST_COMPLETED")
            for future in done:
                yield future.result()
    finally:
        if running:
            client.cancel(list(running), force=True)
