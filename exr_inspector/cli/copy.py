"""Copy some files with all their versions and all their rows in other tables into another schema, to try things on.

    %(prog)s --source-schema [BUCKET/]A --target-schema [BUCKET/]B --sample-size N

Which files depends on their paths alone: the same N are the same files, and a larger sample holds the smaller one. The target's
tables are made as the source's are; what it holds already is not copied again, so that an interrupted run goes on.
Exit status: `exr-inspector -h`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from exr_inspector.cli import common
from exr_inspector.cli.subcommand import subcommand


@subcommand(__doc__)
def main(
    source_schema: Annotated[str, typer.Option(metavar="[BUCKET/]A", help="where the rows are")],
    target_schema: Annotated[str, typer.Option(metavar="[BUCKET/]B", help="where they go")],
    sample_size: Annotated[int, typer.Option(parser=common.positive, metavar="N", help="paths")],
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(copy, locals())


def copy(options: common.Options) -> common.Answer:
    """Choose, make the tables, copy what is not there."""
    from exr_inspector.cli.progress import bars
    from exr_inspector.errors import BadSettings
    from exr_inspector.operations import copies, migrations

    source = common.store_of(options, options.source_schema)
    target = common.store_of(options, options.target_schema)
    if source.place == target.place:
        raise BadSettings("source and target are the same schema", remedy="Name another --target-schema")
    state = migrations.read_state(source)
    if "files" not in state.tables:
        raise common.absent(source, f"{source.place}: there is no table files", "Check --source-schema")
    chosen = copies.choose_paths(source, options.sample_size)
    there = migrations.read_state(target)
    copied = copies.stored_paths(target) if "files" in there.tables else set()
    todo = [path for path in chosen if path not in copied]
    counts: dict[str, int] = {}
    if not options.dry_run:
        copies.make_tables(target, state, there)
        counts = copies.copy_paths(source, target, todo, bars(quiet=options.json))
    word = "would be copied" if options.dry_run else "copied"
    lines = [f"{len(todo)} paths {word} to {target.place}, {len(chosen) - len(todo)} were there"]
    lines += [f"{name}: {count} rows" for name, count in counts.items()]
    return {"paths": todo, "rows": counts, "lines": lines}
