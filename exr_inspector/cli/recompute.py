"""Give stored files the vectors of the current algorithm, from raw_output; no EXR is read.

    %(prog)s [--dry-run] [--batch N]
    %(prog)s --drop-previous

The vectors that go are kept in the table previous_vectors (file_id, inspection_id, embedding_version and both vectors), so that
the older version stays complete for searches: those of files with that embedding_version, and those of previous_vectors. When
nobody asks for it any more, --drop-previous drops that table. A file is done when it has the current embedding_version: an
interrupted run goes on, a second one finds nothing to do. Exit status: `exr-inspector -h`; 3 where raw_output said too little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from exr_inspector.cli import common
from exr_inspector.cli.subcommand import subcommand
from exr_inspector.operations import FILES_PER_TRANSACTION

if TYPE_CHECKING:
    from exr_inspector.database.session import Store
    from exr_inspector.operations.migrations import State


@subcommand(__doc__)
def main(
    batch: Annotated[
        int, typer.Option(parser=common.positive, metavar="N", help="files per transaction")
    ] = FILES_PER_TRANSACTION,
    drop_previous: Annotated[bool, typer.Option("--drop-previous", help="only drop the table with the earlier vectors")] = False,
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(recompute, locals())


def recompute(options: common.Options) -> common.Answer:
    """Replace the vectors of every file that has another version's."""
    from exr_inspector.cli.progress import bars
    from exr_inspector.embedding.vectors import EMBEDDING_VERSION
    from exr_inspector.operations import migrations
    from exr_inspector.operations.recompute import replace_stale

    store = common.store_of(options)
    state = migrations.read_state(store)
    if options.drop_previous:
        return _drop_previous(store, state, dry_run=options.dry_run)
    if "files" not in state.tables:
        raise common.absent(store, f"{store.place}: there is no table files", "Run `exr-inspector schema init`")
    rows, progress = state.tables["files"].rows, bars(quiet=options.json)
    replaced = replace_stale(store, rows, options.batch, dry_run=options.dry_run, progress=progress)
    words = "would get" if options.dry_run else "have"
    lines = [f"{store.place}: {replaced.files} files {words} vectors of version {EMBEDDING_VERSION}"]
    lines += [f"{path}: raw_output says too little; inspect it again with exr-inspector backfill" for path in replaced.unusable]
    unusable = list(replaced.unusable)
    return {"ok": not unusable, "version": EMBEDDING_VERSION, "files": replaced.files, "unusable": unusable, "lines": lines}


def _drop_previous(store: Store, state: State, *, dry_run: bool) -> common.Answer:
    from exr_inspector.operations import migrations, recompute

    table = migrations.PREVIOUS_VECTORS
    if table not in state.tables:
        return {"dropped": False, "lines": [f"{table}: is not there"]}
    if dry_run:
        return {"dropped": False, "lines": [f"{table}: would be dropped"]}
    recompute.drop_previous(store)
    return {"dropped": True, "lines": [f"{table}: dropped"]}
