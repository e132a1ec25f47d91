"""Try each step from the settings to a stored row by itself, and say what is wrong with the first that fails.

    %(prog)s [EVENT.json|FILE.exr] [--endpoint URL] [--schema BUCKET/SCHEMA]

Steps: settings, dns, endpoint, tls, credentials, bucket, schema, tables, payload, vectors, rows, write. Nothing stays behind: the
write is rolled back, and looked for afterwards; --dry-run leaves it out. Without an argument the payload is that of a file that
cannot be read.
Exit status: 0 all is well; 3 a step failed; others as in docs/OPERATIONS.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from exr_inspector.cli import common

_MARKS = {"ok": "ok     ", "failed": "FAILED ", "not tried": "-      "}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.parser(__doc__)
    parser.add_argument("input", nargs="?", type=Path, metavar="EVENT.json|FILE.exr", help="what to inspect")
    return common.run(parser.parse_args(arguments), examine)


def examine(options: argparse.Namespace) -> common.Answer:
    """Every step that can be tried."""
    from exr_inspector.operations import doctor

    common.silence_client()
    patient = doctor.Patient(options.endpoint, options.schema, options.input)
    verdicts = doctor.examine(patient, leave_out=("write",) if options.dry_run else ())
    lines = [f"{_MARKS[one['verdict']]} {name}: {one['detail']}" for name, one in verdicts.items()]
    failed = next((name for name, one in verdicts.items() if one["verdict"] == "failed"), None)
    return {"ok": failed is None, "failed": failed, "steps": verdicts, "lines": lines}
