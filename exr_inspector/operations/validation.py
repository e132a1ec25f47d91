"""What delivery policies say of files on disk, and of files that are stored."""

from __future__ import annotations

import glob
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from operator import itemgetter
from pathlib import Path
from typing import Any

from exr_inspector.catalogue.connection import Target
from exr_inspector.errors import BadHeader
from exr_inspector.exr import completeness
from exr_inspector.exr.header import read_header
from exr_inspector.function.objects import LocalFile
from exr_inspector.operations import backfill
from exr_inspector.payload import document
from exr_inspector.validation.policy import SHIPPED
from exr_inspector.validation.validate import Policy, load_policy, validate

COLUMNS = ["file_path_normalized", "is_current", "deleted_at", "last_inspected", "status", "raw_output"]


def find_policy(name: str) -> Policy:
    """The policy in a file, or a shipped one by its name."""
    shipped = SHIPPED / f"{name}.toml"
    return load_policy(shipped if shipped.is_file() and not Path(name).exists() else name)


def describe(path: Path) -> dict[str, Any]:
    """The payload of a file on disk; one that is not a readable EXR says so. Raises ObjectUnavailable."""
    with LocalFile(str(path), [Path("/")]) as file:
        facts = document.FileFacts(file.path, size_bytes=file.size, mtime=file.mtime)
        try:
            header = read_header(file)
            return document.describe(facts, header, completeness.assess(header, file))
        except BadHeader as error:
            return document.describe_unreadable(facts, error)


def find_files(patterns: Sequence[str]) -> Iterator[Path]:
    """The files that the patterns name: as they are, by glob (`**` for folders), or all `.exr` files below a folder."""
    for pattern in patterns:
        place = Path(pattern)
        if place.is_dir():
            yield from renders(place)
        elif place.exists():
            yield place
        else:
            matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
            if not matches:
                raise FileNotFoundError(f"{pattern}: no such file, and no file matches it")
            yield from map(Path, matches)


def renders(folder: Path) -> list[Path]:
    """The EXRs below a folder, without hidden and temporary ones. Raises NothingToRead where there are none."""
    files = sorted(file for file in folder.rglob("*") if backfill.is_render(file.name))
    if not files:
        raise backfill.no_render_in(folder)
    return files


def stored_payloads(target: Target, days: float | None, path: str | None) -> Iterator[dict[str, Any]]:
    """The payloads of current files in the order of their paths, inspected in the last `days`, with a path that matches.

    Raises NothingToRead where no current file has such a path, as a misspelt one has not.
    """
    # Time stamps are stored in UTC, without a zone.
    since = None if days is None else (datetime.now(UTC) - timedelta(days=days)).replace(tzinfo=None)
    with target.reading() as tx:
        table = tx.bucket(target.bucket).schema(target.schema).table("files")
        rows = table.select(columns=COLUMNS).read_all().to_pylist()
    named = [
        row
        for row in sorted(rows, key=itemgetter("file_path_normalized"))
        if row["is_current"] and row["deleted_at"] is None and (path is None or fnmatchcase(row["file_path_normalized"], path))
    ]
    if path is not None and not named:
        raise backfill.NothingToRead(f"no stored file matches {path!r}", remedy="* also crosses /, and a path begins at its root")
    for row in named:
        if (since is None or row["last_inspected"] >= since) and row["raw_output"]:
            payload = json.loads(row["raw_output"])
            # Damage that an earlier inspection of the same bytes found stands in the row alone.
            payload["file"]["status"] = row["status"]
            yield payload


def validate_all(
    payloads: Iterable[dict[str, Any]], policy: Policy, *, passes: bool = False
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """(One entry per file with what it does not pass, or with all its results; files by status.)"""
    entries, counts = [], Counter({"PASS": 0, "WARN": 0, "FAIL": 0})
    for payload in payloads:
        section = validate(payload, policy, passes=passes)
        counts[section["status"]] += 1
        entries.append({"path": payload["file"]["path_normalized"], **section})
    return entries, counts
