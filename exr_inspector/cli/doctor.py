"""Try each step from the settings to a stored row by itself, and say what is wrong with the first that fails.

    %(prog)s [EVENT.json|FILE.exr]

Steps: settings, dns, endpoint, tls, credentials, bucket, schema, tables, payload, place, vectors, rows, write, objects. Nothing
stays behind: the write is rolled back, and looked for afterwards; --dry-run leaves it out. Without an argument the payload is
that of a file that cannot be read. `--bundle FILE` writes versions, settings, steps and last errors as JSON; read it before you
send it. `--assumptions` tries instead what the product assumes of VAST, in a schema of its own that it removes;
docs/ASSUMPTIONS.md has the list.
Exit status: 0 all is well; 3 a step failed; others as in `exr-inspector -h`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exr_inspector.catalogue import output
from exr_inspector.cli import common, nearby
from exr_inspector.cli.subcommand import subcommand
from exr_inspector.terminal import json_text

if TYPE_CHECKING:
    from exr_inspector.operations.doctor import Patient

_MARKS = {"ok": "ok     ", "failed": "FAILED ", "not tried": "-      "}


@subcommand(__doc__)
def main(
    input: Annotated[Path | None, typer.Argument(metavar="EVENT.json|FILE.exr", help="what to inspect")] = None,
    bundle: Annotated[Path | None, typer.Option(metavar="FILE", help="write there what an issue needs, without secrets")] = None,
    explain: Annotated[str | None, typer.Option(metavar="CODE", help="say what the code of an error means")] = None,
    assumptions: Annotated[bool, typer.Option("--assumptions", help="try what is assumed of VAST, each by itself")] = False,
    objects: Annotated[
        str | None, typer.Option(metavar="BUCKET/PREFIX", help="with --assumptions: where objects may be written and removed")
    ] = None,
    idle: Annotated[float, typer.Option(metavar="SECONDS", help="with --assumptions: how long a transaction is left idle")] = 2.0,
    json: common.Json = False,
    dry_run: common.DryRun = False,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.run(assume if assumptions else examine, locals())


def assume(options: common.Options) -> common.Answer:
    """Every assumption that can be tried; with --dry-run, what would be."""
    from exr_inspector.operations import assumptions

    common.silence_client()
    if options.dry_run:
        return {"lines": [f"{one.name}: {one.statement}" for one in assumptions.ASSUMPTIONS]}
    tried = assumptions.try_all(common.settings_of(options), options.objects, options.input, options.idle)
    holds = all(one["verdict"] != "broken" for one in tried)
    return {"ok": holds, "assumptions": tried, "lines": list(assumptions.lines(tried))}


def examine(options: common.Options) -> common.Answer:
    """Every step that can be tried, or what a code means."""
    if options.explain:
        from exr_inspector.operations import codes

        text = list(codes.explain(options.explain))
        return {"code": options.explain, "text": "\n".join(text), "lines": output.wrap(text)}
    from exr_inspector.operations import doctor

    nearby.serve(options.endpoint)

    common.silence_client()
    patient = doctor.Patient(options.endpoint, options.schema, options.input)
    verdicts = doctor.examine(patient, leave_out=("write",) if options.dry_run else ())
    lines = [f"{_MARKS[one['verdict']]} {name}: {one['detail']}" for name, one in verdicts.items()]
    if options.bundle:
        lines.append(_write_bundle(options.bundle, verdicts, patient))
    failed = next((name for name, one in verdicts.items() if one["verdict"] == "failed"), None)
    return {"ok": failed is None, "failed": failed, "steps": verdicts, "lines": lines}


def _write_bundle(path: Path, steps: dict[str, Any], patient: Patient) -> str:
    from exr_inspector.operations import bundle

    document = json_text(bundle.collect(steps, patient.settings), indent=2)
    path.write_text(patient.settings.hide_secrets(document) + "\n", encoding="utf-8")
    return f"{path}: what an issue needs; it holds no keys, and no paths but those of settings and messages"
