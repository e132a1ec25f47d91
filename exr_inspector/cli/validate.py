"""Judge files on disk by a delivery policy, for people and for CI.

    %(prog)s PATH|GLOB|FOLDER ... --policy POLICY [--json] [--all]

POLICY is a TOML file, or the name of a shipped policy such as `aces_container`. Exit status: 0 nothing fails, 1 something fails,
2 the policy or the arguments are wrong.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from exr_inspector.catalogue import output
from exr_inspector.cli import common
from exr_inspector.errors import InspectorError
from exr_inspector.terminal import json_text, on_one_line


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    from exr_inspector.operations.validation import describe, find_files, policy_named
    from exr_inspector.validation.validate import validate

    failed = False
    try:
        policy = policy_named(options.policy)
        for path in find_files(options.paths):
            section = validate(describe(path), policy, passes=options.all)
            failed |= section["status"] == "FAIL"
            _show(path, section, as_json=options.json)
    except (InspectorError, OSError) as error:
        output.complain(f"{common.program()}: {error}")
        return 2
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = common.plain_parser(__doc__)
    parser.add_argument("paths", nargs="+", metavar="PATH")
    parser.add_argument("--policy", required=True, metavar="POLICY")
    parser.add_argument("--json", action="store_true", help="one JSON object per file")
    parser.add_argument("--all", action="store_true", help="list what passes, too")
    return parser


def _show(path: Path, section: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json_text({"path": str(path), **section}))
        return
    for line in lines(path, section):
        print(on_one_line(line))


def lines(path: Path, section: dict[str, Any]) -> Iterator[str]:
    """One line per file, one per result that is listed, and how to mend it."""
    yield f"{section['status']:<4} {path}"
    for result in section["results"]:
        yield f"     {result['status']:<4} {result['rule_id']}: {result['message']}; found {json.dumps(result['actual'])}"
        if result["suggested_fix"]:
            yield f"          fix: {result['suggested_fix']}"
