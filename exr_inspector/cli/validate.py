"""Check files against a delivery policy, for people and for pipelines: on disk, or with --stored what is stored already.

    %(prog)s shots/sh010 --policy netflix_vfx
    %(prog)s "plates/**/*.exr" --policy aces_container --except timecode --format junit --output report.xml
    %(prog)s --stored --policy netflix_vfx --days 7 --path "*/sq010/*"

A policy is a TOML file, or the name of one that ships; without --policy it is that of the settings. What is found stands by rule
and sequence, with ranges of frames. --stored reads no file: it judges the payloads of current files, in which values that were
too large to store count by their digest. Nothing is stored: for `ask failed_rules` and the report, `exr-inspector backfill` with
--policy stores what it finds.

Exit status: 0 nothing fails; 3 something fails; 2 wrong use; 1 the database did not answer.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from exr_inspector.catalogue import output
from exr_inspector.catalogue.output import Destination
from exr_inspector.cli import common
from exr_inspector.cli.subcommand import program, subcommand, suggest
from exr_inspector.terminal import json_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exr_inspector.validation.validate import Policy

LONGEST = 100_000
"""Days that can be asked for; nothing was stored before."""
Entry = dict[str, Any]


def days(text: str) -> float:
    """A number of days from 0 to LONGEST."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= LONGEST:
        raise typer.BadParameter(f"{text!r} is not a number of days from 0 to {LONGEST}")
    return number


@subcommand(__doc__)
def main(
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH...", help="files, folders or globs")] = None,
    policy: Annotated[str | None, typer.Option(metavar="POLICY", help="a TOML file, or a policy that ships")] = None,
    except_: Annotated[
        list[str] | None, typer.Option("--except", metavar="RULE", help="leave this rule out; once for each")
    ] = None,
    form: Annotated[
        Literal["table", "csv", "json", "parquet", "junit", "sarif"], typer.Option("--format", help="of what is found")
    ] = "table",
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="write it there")] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON object for each file")] = False,
    all_: Annotated[bool, typer.Option("--all", help="list what passes, too")] = False,
    stored: Annotated[bool, typer.Option("--stored", help="what is stored, without reading a file")] = False,
    days: Annotated[float | None, typer.Option(parser=days, metavar="N", help="stored in the last N days alone")] = None,
    path: Annotated[str | None, typer.Option(metavar="GLOB", help="stored paths that match alone; * also crosses /")] = None,
    endpoint: common.Endpoint = None,
    schema: common.Schema = None,
) -> int:
    """The command line; returns the exit status."""
    return common.attempt(validate, locals())


def validate(options: common.Options) -> int:
    """Judge every file, and say what was found."""
    from exr_inspector.operations import findings, validation

    if bool(options.paths) == options.stored:
        raise common.BadUse("name files or folders, or --stored", remedy=f"{program()} -h shows how")
    policy = chosen_policy(options.policy, options.except_ or ())
    passes = options.all_ or options.form == "junit"
    options.unopened = []
    entries, counts = validation.validate_all(_payloads(options), policy, passes=passes)
    if options.unopened and not entries:
        return common.REFUSED
    listed = entries if passes or not options.stored else [one for one in entries if one["results"]]
    if options.json:
        print("\n".join(json_text(one) for one in listed), end="\n" if listed else "")
    elif options.form == "table" and not options.output:
        output.say_lines(findings.lines(entries, counts, policy), whole=findings.COMMAND)
    else:
        _write(listed, counts, policy, options)
    return common.FOUND if counts["FAIL"] or options.unopened else common.DONE


def chosen_policy(name: str | None, left_out: Iterable[str]) -> Policy:
    """The policy without these rules. Raises BadPolicy, and BadUse for a rule that it has not."""
    from dataclasses import replace

    from exr_inspector.operations import validation
    from exr_inspector.settings import load

    policy = validation.find_policy(name or load().policy)
    rules = [rule.id for rule in policy.rules]
    for rule in left_out:
        if rule not in rules:
            raise common.BadUse(f"{policy.id} has no rule {rule!r}", remedy=suggest(rule, rules, f"the file of {policy.id}"))
    return replace(policy, rules=tuple(rule for rule in policy.rules if rule.id not in left_out))


def _payloads(options: common.Options) -> Iterable[dict[str, Any]]:
    from exr_inspector.operations import validation

    if options.stored:
        return validation.stored_payloads(common.target_of(options), options.days, options.path)
    return _describe_all(options)


def _describe_all(options: common.Options) -> Iterator[dict[str, Any]]:
    """The payloads of the files that are named; what cannot be opened is said and counted, and the others go on."""
    from exr_inspector.errors import ObjectUnavailable
    from exr_inspector.operations import validation

    for path in validation.find_files(options.paths):
        try:
            yield validation.describe(path)
        except ObjectUnavailable as error:
            options.unopened.append(path)
            output.complain(f"{program()}: {error}")


def _write(entries: list[Entry], counts: Counter[str], policy: Policy, options: common.Options) -> None:
    import pyarrow as pa

    from exr_inspector.operations import findings

    if options.form in ("csv", "parquet"):
        output.write(pa.Table.from_pylist(findings.rows(entries)), Destination(options.form, options.output))
        return
    text = {
        "table": lambda: "\n".join(findings.lines(entries, counts, policy)),
        "json": lambda: json_text(entries, indent=2),
        "junit": lambda: findings.junit(entries, policy),
        "sarif": lambda: json_text(findings.sarif(entries, policy), indent=2),
    }[options.form]()
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)
