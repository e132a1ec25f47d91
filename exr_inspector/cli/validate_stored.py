"""Which of the files that are stored would fail a policy, without reading one of them again.

    %(prog)s --policy POLICY [--days N] [--path GLOB] [--json] [--endpoint URL] [--schema BUCKET/SCHEMA]

Judges the payloads in `files.raw_output` of current files: those inspected in the last N days whose path matches GLOB (`*` also
crosses `/`). Values that were too large to store count by their digest. Exit status: 0 nothing would fail, 1 something would,
2 the policy or the arguments are wrong, 3 the database did not answer.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from exr_inspector.catalogue import output
from exr_inspector.cli import common
from exr_inspector.errors import InspectorError, Retry
from exr_inspector.terminal import json_text, on_one_line

LONGEST = 100_000
"""Days that can be asked for; nothing was stored before."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    from exr_inspector.operations import validation

    try:
        policy = validation.policy_named(options.policy)
        payloads = validation.stored_payloads(common.target_of(options), options.days, options.path)
        entries, counts = validation.validate_all(payloads, policy)
    except InspectorError as error:
        output.complain(f"{common.program()}: {error}")
        return 3 if isinstance(error, Retry) else 2
    for line in map(json_text, entries) if options.json else map(on_one_line, lines(entries, counts)):
        print(line)
    return 1 if counts["FAIL"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = common.plain_parser(__doc__)
    parser.add_argument("--policy", required=True, metavar="POLICY", help="a TOML file, or the name of a shipped policy")
    parser.add_argument("--days", type=_days, metavar="N", help="files inspected in the last N days alone")
    parser.add_argument("--path", metavar="GLOB", help="files whose normalised path matches alone")
    parser.add_argument("--json", action="store_true", help="one JSON object per file that does not pass")
    common.add_database(parser)
    return parser


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 <= days <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 0 to {LONGEST}")
    return days


def lines(entries: Sequence[dict[str, Any]], counts: Counter[str]) -> Iterator[str]:
    """The totals, the rules by how many files they concern, then the files that would fail."""
    yield ", ".join(f"{count} {status}" for status, count in counts.items())
    results = [result for entry in entries for result in entry["results"]]
    rules = Counter((result["status"], result["rule_id"], result["status_code"]) for result in results)
    for (status, rule, code), count in rules.most_common():
        yield f"{count:>8}  {status:<4} {rule}: {code.replace('_', ' ')}"
    for entry in entries:
        if entry["status"] == "FAIL":
            failing = [result["rule_id"] for result in entry["results"] if result["status"] == "FAIL"]
            yield f"FAIL {entry['path']}: {', '.join(failing)}"
