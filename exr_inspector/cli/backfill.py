"""Inspect renders that exist already, in parallel, and store them in batches.

    exr-inspector backfill ROOT|s3://BUCKET/PREFIX [--shard I/N] [--workers W] [--batch B] [--report FILE]
    exr-inspector backfill --from-list FILE | --from-catalog
    exr-inspector backfill ROOT|s3://BUCKET/PREFIX --cluster tcp://HOST:8786|local

Skips what is stored and unchanged: by ETag in a bucket, by time and size on disk (--force inspects all). A batch is one
transaction, so an interrupted run leaves whole batches behind, and the same command goes on; Ctrl-C and SIGTERM let the workers
finish the batches in hand, and workers end with the script, however it ends. --report writes the failures, one
JSON object a line, which --from-list takes back. --shard lets N machines share a tree without speaking to each other. --cluster
gives the batches to the workers of a Dask scheduler (the extra `cluster`), which see the files at the same paths.
Exit status: 0 all stored or skipped; 3 some failed; others as in exr_inspector/cli/common.py.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from exr_inspector.catalogue import connection, output
from exr_inspector.cli import common
from exr_inspector.database.session import Ledger, Store
from exr_inspector.database.tables import ensure_tables
from exr_inspector.errors import BadSettings
from exr_inspector.operations import backfill as backfilling
from exr_inspector.operations import clusters, migrations
from exr_inspector.operations.backfill import AHEAD, Batch, Item, Outcome, WorkersDied
from exr_inspector.settings import Settings

BATCH = 500
_PR_SET_PDEATHSIG = 1
"""Of prctl(2): which signal this process gets when its parent ends."""
RESTARTS = 3
"""How often workers that died are replaced before the run gives up."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("root", nargs="?", metavar="ROOT|s3://BUCKET/PREFIX", help="a folder, or a prefix in a bucket")
    source.add_argument("--from-list", type=Path, metavar="FILE", help="paths, one a line, or an earlier run's report")
    source.add_argument("--from-catalog", action="store_true", help="every current file that is stored")
    parser.add_argument("--shard", type=common.fraction, default=(1, 1), metavar="I/N", help="only this share of the files")
    parser.add_argument("--workers", type=common.positive, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    parser.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler, or `local`: --workers processes here")
    parser.add_argument("--batch", type=common.positive, default=BATCH, help="files per transaction (default: %(default)s)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the failures there")
    parser.add_argument("--force", action="store_true", help="inspect also what is stored and unchanged")
    return common.run(parser.parse_args(arguments), backfill)


def backfill(options: argparse.Namespace) -> common.Answer:
    """List, share out, count."""
    settings = connection.settings_of(options.endpoint, options.schema)
    missing = settings.missing_for_database()
    if missing:
        raise BadSettings(f"{missing} is not set, so there is nowhere to store", remedy="Set it, or give --endpoint")
    if options.from_catalog and (absent := connection.nothing_stored(common.store_of(options))):
        raise absent
    if options.dry_run:
        count = sum(1 for _ in _listed(options, settings))
        return {"dry_run": True, "files": count, "lines": [f"{count} files would be looked at"]}
    _prepare(common.store_of(options))
    started = time.monotonic()
    batches = backfilling.batched(_listed(options, settings), options.batch)
    with common.progress("backfilling (files)", None, quiet=options.json) as bar, _reported(options.report) as total:
        bar.expect_later(lambda: sum(1 for _ in _listed(options, settings, described=False)))
        with closing(_outcomes(options, settings, batches)) as outcomes:
            for outcome in outcomes:
                total.add(outcome)
                bar(outcome.files)
    return _answer(total, time.monotonic() - started)


def _outcomes(options: argparse.Namespace, settings: Settings, batches: Iterable[Batch]) -> Generator[Outcome, None, None]:
    if options.cluster:
        return clusters.run(options.cluster, settings, batches, options.workers, force=options.force)
    return run(settings, batches, options.workers, force=options.force)


@contextmanager
def _reported(path: Path | None) -> Generator[Outcome, None, None]:
    """What became of the files; its failures are written at the end, also of a run that is interrupted or gives up."""
    total = Outcome()
    if path:
        path.open("a", encoding="utf-8").close()  # said now, not after the work; an earlier report may be what is read
    try:
        yield total
    except KeyboardInterrupt:
        output.complain(f"so far {_counts(total)}")
        raise
    finally:
        if path:
            text = "".join(json.dumps(failure, ensure_ascii=True) + "\n" for failure in total.failures)
            path.write_text(text, encoding="utf-8")


def _prepare(store: Store) -> None:
    """Make the tables before workers race to do so; a wrong key or an old schema is said here, once."""
    migrations.repeated(lambda: ensure_tables(store, Ledger()))


def _listed(options: argparse.Namespace, settings: Settings, *, described: bool = True) -> Iterator[Item]:
    """The items of this shard; without `described` only their paths, which is cheaper for files on disk."""
    if options.from_list:
        items = backfilling.from_list(options.from_list, described=described)
    elif options.from_catalog:
        items = backfilling.from_catalogue(common.store_of(options), described=described)
    elif options.root.startswith("s3://"):
        items = backfilling.from_bucket(options.root, settings)
    else:
        items = backfilling.from_folder(Path(options.root), described=described)
    return backfilling.of_shard(items, options.shard)


def _counts(total: Outcome) -> str:
    return f"{total.stored} stored, {total.skipped} unchanged, {len(total.failures)} failed"


def _answer(total: Outcome, seconds: float) -> common.Answer:
    rate = total.files / seconds if seconds else 0.0
    lines = [f"{_counts(total)}; {rate:.1f} files/s"]
    lines += [f"  {one['path']}: {one['message']}" for one in total.failures[:20]]
    lines += ["  and more: --report FILE names all"] * (len(total.failures) > 20)
    return {
        "ok": not total.failures,
        "files": total.files,
        "stored": total.stored,
        "skipped": total.skipped,
        "failed": len(total.failures),
        "failures": total.failures,
        "requests": total.requests,
        "bytes_read": total.bytes_read,
        "database_requests": total.database_requests,
        "seconds": round(seconds, 3),
        "files_per_second": round(rate, 1),
        "lines": lines,
    }


def run(settings: Settings, batches: Iterable[Batch], workers: int, *, force: bool = False) -> Generator[Outcome, None, None]:
    """The outcomes of the batches, in the order in which they are done. One worker is this process itself.

    A worker that dies takes its batches with it; they are run again by new workers. Raises WorkersDied after RESTARTS.
    """
    if workers == 1:
        for batch in batches:
            yield backfilling.ingest(settings, batch, force)
        return
    source, lost = iter(batches), list[Batch]()
    for _ in range(RESTARTS + 1):
        again, lost = lost, []
        yield from _pool(settings, again, source, workers, force, lost)
        if not lost:
            return
    raise WorkersDied(f"workers died {RESTARTS + 1} times")


def _pool(
    settings: Settings, again: list[Batch], source: Iterator[Batch], workers: int, force: bool, lost: list[Batch]
) -> Generator[Outcome, None, None]:
    """Run batches until there are no more, or until a worker dies; `lost` gets the batches that were in hand then."""
    running: dict[Future[Outcome], Batch] = {}
    context = multiprocessing.get_context("spawn")  # a forked child would share the parent's connections
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(workers, mp_context=context, initializer=live_with_parent) as pool:
        try:
            while True:
                while len(running) < workers * AHEAD and (batch := again.pop() if again else next(source, None)):
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
            lost += [*running.values(), *again]
            for worker in set(multiprocessing.active_children()) - others:
                worker.kill()  # the pool terminates them, to which they are deaf
        finally:
            pool.shutdown(cancel_futures=True)


def _finish(running: Iterable[Future[Outcome]]) -> Generator[Outcome, None, None]:
    """Take back the batches that nobody has begun, and wait for the outcomes of the others."""
    for future in as_completed([future for future in running if not future.cancel()]):
        if future.exception() is None:
            yield future.result()


def live_with_parent() -> None:
    """Make this worker deaf to what is meant for its parent, and end it with its parent, however that ends.

    Ctrl-C reaches every process of a terminal, and SIGTERM often every process of a group or a service. A worker that either
    struck while it held the queue's lock would leave the others waiting for ever. Killed, a parent cannot take its workers along.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # also in the midst of a call that keeps the interpreter
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the end of the pipe whose other end the parent alone holds."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _submit(pool: ProcessPoolExecutor, settings: Settings, batch: Batch, force: bool, lost: list[Batch]) -> Any:
    try:
        return pool.submit(backfilling.ingest, settings, batch, force)
    except BrokenProcessPool:
        lost.append(batch)
        raise
