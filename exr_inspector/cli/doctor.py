"""Try each step from the settings to a stored row by itself, and say what is wrong with the first that fails.

    %(prog)s [EVENT.json|FILE.exr]

Steps: settings, dns, endpoint, tls, credentials, bucket, schema, tables, payload, vectors, rows, write. Nothing stays behind: the
write is rolled back, and looked for afterwards; --dry-run leaves it out. Without an argument the payload is that of a file that
cannot be read.
Exit status: 0 all is well; 3 a step failed; others as in docs/OPERATIONS.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exr_inspector.cli import common
from exr_inspector.cli.subcommand import subcommand

_MARKS = {"ok": "ok     ", "failed": "FAILED ", "not tried": "-      "}


@subcommand(__doc__)
def main(
    input: Annotated[Path | None, typer.Argument(metavar="EVENT.json|FILE.exr", help="what to inspect")] = None,
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(examine, locals())


def examine(options: common.Options) -> common.Answer:
    """Every step that can be tried."""
    from exr_inspector.operations import doctor

    common.silence_client()
    patient = doctor.Patient(options.endpoint, options.schema, options.input)
    verdicts = doctor.examine(patient, leave_out=("write",) if options.dry_run else ())
    lines = [f"{_MARKS[one['verdict']]} {name}: {one['detail']}" for name, one in verdicts.items()]
    failed = next((name for name, one in verdicts.items() if one["verdict"] == "failed"), None)
    return {"ok": failed is None, "failed": failed, "steps": verdicts, "lines": lines}
