"""Try the function end to end: sample renders go in as events, and the rows that come out are compared with what was sent.

    %(prog)s [--sample-files N] [--version V] [--url URL [--bucket B]]

Without --url the handler runs in this process. With --url the events are posted to a function host (`exr-inspector serve`, or the
platform's) as CloudEvents; --bucket names a bucket that both sides reach through S3_ENDPOINT, where the samples are put, else the
host must see this machine's files. --version is the inspector version that the rows must name (default: that of this checkout).
The samples' rows are marked as removed at the end. --dry-run connects and sends nothing. Exit status: 0 all as expected, 3 not
so; others as in `exr-inspector -h`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from exr_inspector import __version__
from exr_inspector.cli import common
from exr_inspector.cli.subcommand import subcommand

FILES = 3


@subcommand(__doc__)
def main(
    sample_files: Annotated[int, typer.Option(parser=common.positive, metavar="N", help="events to send")] = FILES,
    version: Annotated[str, typer.Option(metavar="V", help="that the rows must name")] = __version__,
    url: Annotated[str | None, typer.Option(metavar="URL", help="a function host")] = None,
    bucket: Annotated[str | None, typer.Option(metavar="BUCKET", help="put the samples into this bucket")] = None,
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(examine, locals())


def examine(options: common.Options) -> common.Answer:
    """Send, read back, compare, tidy up."""
    from exr_inspector.database.persist import mark_removed
    from exr_inspector.operations import function_trial
    from exr_inspector.payload.document import normalize_path

    store = common.store_of(options)
    settings = common.settings_of(options)
    if options.dry_run:
        place = f"{options.url or 'the handler in this process'}, and rows looked for in {store.place}"
        return {"dry_run": True, "sent": 0, "lines": [f"{options.sample_files} events would be sent to {place}"]}
    with function_trial.sample_events(options.sample_files, options.bucket, settings) as sent:
        send = function_trial.host_at(options.url) if options.url else function_trial.handler_here(settings)
        for sample in sent:
            send(sample.event)
        paths = [normalize_path(sample.path) for sample in sent]
        rows = function_trial.read_back(store, paths)
        for sample in sent:
            mark_removed(sample.path, session=store)
    problems = [problem for path in paths for problem in function_trial.problems(path, rows.get(path), options.version)]
    lines = [f"{len(sent)} events sent, {len(rows)} files stored", *problems]
    counts = {"sent": len(sent), "stored": len(rows)}
    return {"ok": not problems, "version": options.version, **counts, "problems": problems, "lines": lines}
