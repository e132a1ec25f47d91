"""Inspect renders that exist already, in parallel, and store them in batches.

    %(prog)s ROOT|s3://BUCKET/PREFIX [--shard I/N] [--workers W] [--batch B] [--report FILE]
    %(prog)s --from-list FILE | --from-catalog
    %(prog)s ROOT|s3://BUCKET/PREFIX --cluster tcp://HOST:8786|local

Skips what is stored and unchanged: by ETag in a bucket, by time and size on disk (--force inspects all). With --stats or
--policy, a file that lacks statistics or results of the policy is not skipped. Hidden and temporary files are left out, and said.

A batch is one transaction, so an interrupted run leaves whole batches behind, and the same command goes on. Ctrl-C and SIGTERM
let the workers finish the batches in hand, and workers end with the command, however it ends. --report writes the failures, one
JSON object a line, which --from-list takes back. --shard lets N machines share a tree without talking to each other. --cluster
gives the batches to the workers of a Dask scheduler (the extra `cluster`), which see the files at the same paths.

Exit status: 0 all stored or skipped, also where a shard or a list is empty; 3 some failed; others as in `exr-inspector -h`.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from exr_inspector.catalogue import output
from exr_inspector.cli import common
from exr_inspector.cli.subcommand import program, subcommand

if TYPE_CHECKING:
    from exr_inspector.operations.backfill import Batch, Item, Outcome, Placeless
    from exr_inspector.operations.pulse import Beat
    from exr_inspector.settings import Settings

BATCH = 500
SHOWN = 20
"""Failures that are listed."""


@subcommand(__doc__, optional={"--stats": ("full", ("sampled", "full").__contains__)})
def main(
    root: Annotated[str | None, typer.Argument(metavar="ROOT|s3://BUCKET/PREFIX", help="a folder or a prefix")] = None,
    from_list: Annotated[Path | None, typer.Option(metavar="FILE", help="paths, one a line, or an earlier run's report")] = None,
    from_catalog: Annotated[bool, typer.Option("--from-catalog", help="every current file that is stored")] = False,
    shard: Annotated[Any, typer.Option(parser=common.fraction, metavar="I/N", help="only this share of the files")] = "1/1",
    workers: Annotated[int, typer.Option(parser=common.positive, metavar="W", help="processes")] = os.cpu_count() or 1,
    cluster: Annotated[str | None, typer.Option(metavar="ADDRESS", help="a Dask scheduler, or `local`: --workers here")] = None,
    batch: Annotated[int, typer.Option(parser=common.positive, metavar="B", help="files per transaction")] = BATCH,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="write the failures there")] = None,
    stats: Annotated[Literal["sampled", "full"] | None, typer.Option("--stats", help="read pixels, too; default: full")] = None,
    deep_stats: Annotated[bool, typer.Option("--deep-stats", help="also those of deep parts")] = False,
    policy: Annotated[str | None, typer.Option(metavar="NAME", help="judge by this policy, and store what it finds")] = None,
    force: Annotated[bool, typer.Option("--force", help="inspect also what is stored and unchanged")] = False,
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(backfill, locals())


def backfill(options: common.Options) -> common.Answer:
    """List, share out, count."""
    from exr_inspector.cli.progress import watch
    from exr_inspector.operations.backfill import batches_of, first_of, make_tables

    if sum(map(bool, (options.root, options.from_list, options.from_catalog))) != 1:
        raise common.BadUse("name a folder, a prefix, --from-list or --from-catalog", remedy=f"{program()} -h shows how")
    settings = _settings(options)
    if options.dry_run:
        return _foresee(options, settings)
    started = time.monotonic()
    options.left_out = Counter()
    items = first_of(_items(options, settings, options.left_out))
    make_tables(common.store_of(options))  # before workers race to do so; a wrong key or an old schema is said once
    batches = batches_of(items, options.batch)
    counting = partial(_count, options, settings, described=False)
    with _report_failures(options.report) as total:
        seen = watch("backfill", partial(_beat, options, total), counting, started, quiet=options.json)
        with seen, closing(_outcomes(options, settings, batches)) as outcomes:
            for outcome in outcomes:
                total.add(outcome)
    return _answer(total, time.monotonic() - started, sum(options.left_out.values()))


def _beat(options: common.Options, total: Outcome) -> Beat:
    """Where the run stands: file by file on this machine, batch by batch on a cluster."""
    from exr_inspector.operations import backfill
    from exr_inspector.operations.pulse import Beat

    return Beat(total.files, total.bytes_read, "") if options.cluster else backfill.pulse.read()


def _foresee(options: common.Options, settings: Settings) -> common.Answer:
    """The files that would be looked at, and of how many the paths tell no shot."""
    from exr_inspector.operations.backfill import Placeless

    count, without_shot = 0, Placeless()
    for item in _items(options, settings, described=False):
        count += 1
        without_shot.look_at(item.path, settings.path_templates)
    lines = [f"{count} files would be looked at", *_name_placeless(without_shot, count)]
    return {"dry_run": True, "files": count, "without_shot": without_shot.files, "lines": lines}


def _name_placeless(without_shot: Placeless, files: int) -> list[str]:
    """How many files have no shot, and what to do where they belong to one."""
    if not without_shot.files:
        return []
    return [
        f"{without_shot.files} of {files} files have no shot, such as {without_shot.example}",
        "  where they belong to one, set EXR_PATH_TEMPLATE (docs/PATHS.md); the same command then finds it",
    ]


def _settings(options: common.Options) -> Settings:
    """The settings, once there is somewhere to store, and something to list where the catalogue is the list."""
    from exr_inspector.catalogue import connection
    from exr_inspector.errors import BadSettings

    settings = _with_extras(common.settings_of(options), options)
    missing = settings.missing_for_database()
    if missing:
        raise BadSettings(
            f"{missing} is not set, so there is nowhere to store",
            remedy="Set it, give --endpoint, or store on this machine with `exr-inspector local backfill`",
        )
    if options.from_catalog and (absent := connection.nothing_stored(common.store_of(options))):
        raise absent
    return settings


def _with_extras(settings: Settings, options: common.Options) -> Settings:
    """The settings with the statistics and the policy that the options ask for. Raises BadPolicy."""
    from dataclasses import replace

    from exr_inspector.function.job import policy_of

    if options.stats or options.deep_stats:
        settings = replace(settings, stats=options.stats or settings.stats, deep_stats=options.deep_stats or settings.deep_stats)
    if options.policy:
        settings = replace(settings, validate=True, policy=options.policy)
        policy_of(None, settings)
    return settings


def _items(
    options: common.Options, settings: Settings, left_out: Counter[str] | None = None, *, described: bool = True
) -> Iterator[Item]:
    """The items of this shard; without `described` only their paths, which is cheaper for files on disk."""
    from exr_inspector.operations import backfill

    if options.from_list:
        items = backfill.from_list(options.from_list, described=described)
    elif options.from_catalog:
        items = backfill.from_catalogue(common.store_of(options), described=described)
    elif options.root.startswith("s3://"):
        items = backfill.from_bucket(options.root, settings, left_out)
    else:
        items = backfill.from_folder(Path(options.root), described=described, left_out=left_out)
    return backfill.of_shard(items, options.shard)


def _count(options: common.Options, settings: Settings, *, described: bool = True) -> int:
    return sum(1 for _ in _items(options, settings, described=described))


def _outcomes(options: common.Options, settings: Settings, batches: Iterable[Batch]) -> Generator[Outcome, None, None]:
    from exr_inspector.operations import clusters, processes

    if options.cluster:
        return clusters.run(options.cluster, settings, batches, options.workers, force=options.force)
    return processes.run(settings, batches, options.workers, force=options.force)


@contextmanager
def _report_failures(path: Path | None) -> Generator[Outcome, None, None]:
    """What became of the files; its failures are written at the end, also of a run that is interrupted or gives up."""
    from exr_inspector.operations.backfill import Outcome

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


def _counts(total: Outcome) -> str:
    from exr_inspector.operations.backfill import STATUSES

    broken = [f"{count} {status}" for status in STATUSES if (count := getattr(total, status))]
    told = f"{total.stored:,} stored" + (f", of which {', '.join(broken)}" if broken else "")
    unchanged = f"{total.skipped:,} unchanged; " if total.skipped else ""
    return f"{told}; {unchanged}{len(total.failures)} failed"


def _answer(total: Outcome, seconds: float, left_out: int) -> common.Answer:
    from exr_inspector.cli.progress import rate_of

    lines = [
        f"{_counts(total)}; {total.files:,} files in {seconds:.1f} s, {rate_of(total.files, seconds)}",
        *_name_placeless(total.without_shot, total.files),
    ]
    if not total.files:
        lines.append("there is nothing to do")
    if left_out:
        lines.append(f"{left_out} hidden or temporary files were left out")
    lines += [f"  {one['path']}: {one['message']}" for one in total.failures[:SHOWN]]
    if len(total.failures) > SHOWN:
        lines.append("  and more: --report FILE names all")
    return {
        "ok": not total.failures,
        "files": total.files,
        "stored": total.stored,
        "incomplete": total.incomplete,
        "damaged": total.damaged,
        "unreadable": total.unreadable,
        "left_out": left_out,
        "skipped": total.skipped,
        "failed": len(total.failures),
        "without_shot": total.without_shot.files,
        "failures": total.failures,
        "requests": total.requests,
        "bytes_read": total.bytes_read,
        "database_requests": total.database_requests,
        "seconds": round(seconds, 3),
        "files_per_second": round(total.files / seconds, 1) if seconds else 0.0,
        "lines": lines,
    }
