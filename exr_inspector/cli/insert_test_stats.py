"""Give files of a test schema pixel statistics and findings, so that what reads them can be tried without reading pixels.

    %(prog)s --file-count N [--dry-run]

The figures follow from file_ids, so that two runs agree; the policy is called `test`, and `details` says the same. Files that
have statistics already are left alone: a second run goes on. Exit status: `exr-inspector -h`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from exr_inspector.cli import common
from exr_inspector.cli.subcommand import subcommand


@subcommand(__doc__)
def main(
    file_count: Annotated[int, typer.Option(parser=common.positive, metavar="N", help="files that shall have statistics")],
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(insert, locals())


def insert(options: common.Options) -> common.Answer:
    """Rows for the first N current files by file_id."""
    from exr_inspector.operations import migrations, sample_statistics

    store = common.store_of(options)
    tables = migrations.read_state(store).tables
    missing = [name for name in ("files", *sample_statistics.TABLES) if name not in tables]
    if missing:
        remedy = "Run `exr-inspector schema migrate`"
        raise common.absent(store, f"{store.place}: table {missing[0]} is missing", remedy)
    chosen, todo = sample_statistics.choose_files(store, options.file_count)
    rows = 0 if options.dry_run else sample_statistics.insert(store, todo)
    word = "would get" if options.dry_run else "have"
    lines = [f"{len(todo)} files {word} statistics now, {chosen - len(todo)} had some"]
    return {"files": len(todo), "already": chosen - len(todo), "rows": rows, "lines": lines}
