"""List what another function for EXR has stored, so that backfill inspects it again.

    %(prog)s --from [BUCKET/]SCHEMA [--bucket BUCKET] --output FILE
    exr-inspector backfill --from-list FILE

For tables of ssotoa70/exr_inspector (usually exr_metadata) and of frame-metadata-extractor (frame_metadata). The first wrote keys
without their bucket: --bucket names it. Nothing of theirs is changed. docs/COMING_FROM.md has the whole way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exr_inspector.cli import common
from exr_inspector.cli.subcommand import subcommand


@subcommand(__doc__)
def main(
    origin: Annotated[str, typer.Option("--from", metavar="[BUCKET/]SCHEMA", help="where their tables are")],
    output: Annotated[Path, typer.Option(metavar="FILE", help="the list, one address a line")],
    bucket: Annotated[str | None, typer.Option(metavar="BUCKET", help="the bucket of paths that are keys alone")] = None,
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(write_list, locals())


def write_list(options: common.Options) -> common.Answer:
    """Read their paths, and write the list."""
    from exr_inspector.operations.other_functions import listing, stored_paths

    listed = listing(stored_paths(common.store_of(options, options.origin)), options.bucket)
    if not options.dry_run:
        options.output.write_text("".join(f"{address}\n" for address in listed.addresses), encoding="utf-8")
    others = f"; {listed.others} paths of other formats were left out" if listed.others else ""
    next_step = f"exr-inspector backfill --from-list {options.output}"
    lines = [f"{len(listed.addresses)} EXR files{others}", f"to inspect them: {next_step}"]
    return {"files": len(listed.addresses), "other_formats": listed.others, "lines": lines}
