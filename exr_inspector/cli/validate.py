"""Judge files on disk by a delivery policy, for people and for CI.

    exr-inspector validate PATH|GLOB|FOLDER ... --policy POLICY [--json] [--all]

POLICY is a TOML file, or the name of a shipped policy such as `aces_container`. Exit status: 0 nothing fails, 1 something fails,
2 the policy or the arguments are wrong.
"""

from __future__ import annotations

import argparse
import glob
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exr_inspector.arguments import Parser
from exr_inspector.catalogue import output
from exr_inspector.errors import BadHeader, BadPolicy
from exr_inspector.exr import completeness
from exr_inspector.exr.header import read_header
from exr_inspector.payload import document
from exr_inspector.terminal import json_text, on_one_line
from exr_inspector.validation.policy import SHIPPED
from exr_inspector.validation.validate import Policy, load_policy, validate


class FileReader:
    """A file on disk, read by ranges."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")
        self.size = path.stat().st_size

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on, fewer at the end."""
        self._stream.seek(offset)
        return self._stream.read(length)

    def close(self) -> None:
        """Give the file back."""
        self._stream.close()


def describe(path: Path) -> dict[str, Any]:
    """The payload of a file on disk; one that is no readable EXR says so."""
    stat = path.stat()
    facts = document.FileFacts(str(path.absolute()), size_bytes=stat.st_size, mtime=datetime.fromtimestamp(stat.st_mtime, UTC))
    reader = FileReader(path)
    try:
        header = read_header(reader)
        return document.describe(facts, header, completeness.assess(header, reader))
    except BadHeader as error:
        return document.describe_unreadable(facts, error)
    finally:
        reader.close()


def find(patterns: Sequence[str]) -> Iterator[Path]:
    """The files that the arguments name: as they are, by glob (`**` for folders), or all `.exr` files below a folder."""
    for pattern in patterns:
        place = Path(pattern)
        if place.is_dir():
            yield from sorted(place.rglob("*.exr"))
        elif place.exists():
            yield place
        else:
            found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
            if not found:
                raise FileNotFoundError(f"{pattern}: no such file, and no file matches it")
            yield from map(Path, found)


def policy_named(name: str) -> Policy:
    """The policy in a file, or a shipped one by its name."""
    shipped = SHIPPED / f"{name}.toml"
    return load_policy(shipped if shipped.is_file() and not Path(name).exists() else name)


def lines(path: Path, section: dict[str, Any]) -> Iterator[str]:
    """One line per file, one per result that is listed, and how to mend it."""
    yield f"{section['status']:<4} {path}"
    for result in section["results"]:
        yield f"     {result['status']:<4} {result['rule_id']}: {result['message']}; found {json.dumps(result['actual'])}"
        if result["suggested_fix"]:
            yield f"          fix: {result['suggested_fix']}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", metavar="PATH")
    parser.add_argument("--policy", required=True, metavar="POLICY")
    parser.add_argument("--json", action="store_true", help="one JSON object per file")
    parser.add_argument("--all", action="store_true", help="list what passes, too")
    asked = parser.parse_args(arguments)
    failed = False
    try:
        policy = policy_named(asked.policy)
        for path in find(asked.paths):
            section = validate(describe(path), policy, passes=asked.all)
            failed |= section["status"] == "FAIL"
            shown = [json_text({"path": str(path), **section})] if asked.json else map(on_one_line, lines(path, section))
            print(*shown, sep="\n")
    except (BadPolicy, OSError) as error:
        output.complain(f"validate: {error}")
        return 2
    return 1 if failed else 0
