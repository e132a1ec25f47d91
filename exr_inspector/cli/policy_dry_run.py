"""Which of the files that are stored would fail a policy, without reading one of them again.

    exr-inspector validate --stored --policy POLICY [--days N] [--path GLOB] [--json] [--endpoint URL] [--schema BUCKET/SCHEMA]

Judges the payloads in `files.raw_output` of current files: those inspected in the last N days whose path matches GLOB (`*` also
crosses `/`). Values that were too large to store count by their digest. Exit status: 0 nothing would fail, 1 something would,
2 the policy or the arguments are wrong, 3 the database did not answer.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from exr_inspector.arguments import Parser
from exr_inspector.catalogue import connection, output
from exr_inspector.cli.validate import policy_named
from exr_inspector.errors import InspectorError, Retry
from exr_inspector.terminal import json_text, on_one_line
from exr_inspector.validation.validate import Policy, validate

LONGEST = 100_000
"""Days that can be asked for; nothing was stored before."""
COLUMNS = ["file_path_normalized", "is_current", "deleted_at", "last_inspected", "raw_output"]


def stored(target: connection.Target, days: float | None, path: str | None) -> Iterator[dict[str, Any]]:
    """The payloads of current files, in the order of their paths."""
    # Time stamps are stored in UTC, without a zone.
    since = None if days is None else (datetime.now(UTC) - timedelta(days=days)).replace(tzinfo=None)
    with target.reading() as tx:
        table = tx.bucket(target.bucket).schema(target.schema).table("files")
        rows = table.select(columns=COLUMNS).read_all().to_pylist()
    for row in sorted(rows, key=lambda row: str(row["file_path_normalized"])):
        is_recent = since is None or row["last_inspected"] >= since
        is_asked = path is None or fnmatchcase(row["file_path_normalized"], path)
        if row["is_current"] and row["deleted_at"] is None and is_recent and is_asked and row["raw_output"]:
            yield json.loads(row["raw_output"])


def judge(payloads: Iterator[dict[str, Any]], policy: Policy) -> tuple[list[dict[str, Any]], Counter[str]]:
    """(one entry per file that does not pass, files by status)."""
    found, counts = [], Counter({"PASS": 0, "WARN": 0, "FAIL": 0})
    for payload in payloads:
        section = validate(payload, policy, passes=False)
        counts[section["status"]] += 1
        if section["results"]:
            found.append({"path": payload["file"]["path_normalized"], **section})
    return found, counts


def lines(found: list[dict[str, Any]], counts: Counter[str]) -> Iterator[str]:
    """The totals, the rules by how many files they concern, then the files that would fail."""
    yield ", ".join(f"{count} {status}" for status, count in counts.items())
    results = [result for entry in found for result in entry["results"]]
    rules = Counter((result["status"], result["rule_id"], result["status_code"]) for result in results)
    for (status, rule, code), count in rules.most_common():
        yield f"{count:>8}  {status:<4} {rule}: {code.replace('_', ' ')}"
    for entry in found:
        if entry["status"] == "FAIL":
            failing = [result["rule_id"] for result in entry["results"] if result["status"] == "FAIL"]
            yield f"FAIL {entry['path']}: {', '.join(failing)}"


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 <= days <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 0 to {LONGEST}")
    return days


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", required=True, metavar="POLICY", help="a TOML file, or the name of a shipped policy")
    parser.add_argument("--days", type=_days, metavar="N", help="files inspected in the last N days alone")
    parser.add_argument("--path", metavar="GLOB", help="files whose normalised path matches alone")
    parser.add_argument("--json", action="store_true", help="one JSON object per file that does not pass")
    connection.add_arguments(parser)
    asked = parser.parse_args(arguments)
    try:
        policy = policy_named(asked.policy)
        found, counts = judge(stored(connection.from_arguments(asked), asked.days, asked.path), policy)
    except InspectorError as error:
        output.complain(f"policy_dry_run: {error}")
        return 3 if isinstance(error, Retry) else 2
    for line in map(json_text, found) if asked.json else map(on_one_line, lines(found, counts)):
        print(line)
    return 1 if counts["FAIL"] else 0
