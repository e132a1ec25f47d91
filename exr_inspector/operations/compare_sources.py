"""What the two sides of a comparison are: files on disk, or stored ones, by whatever names them."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlglot import exp

from exr_inspector.catalogue import questions
from exr_inspector.catalogue.compare import VERSION, Side
from exr_inspector.catalogue.connection import Target
from exr_inspector.catalogue.similarity import NoReference
from exr_inspector.operations import validation
from exr_inspector.payload.document import normalize_path

Ask = Callable[[exp.Query], pa.Table]
PATTERN = re.compile(r"#+|@+|%0?\d*d")
"""How a sequence on disk is named: beauty.#.exr, beauty.####.exr, beauty.%04d.exr."""
FILES_A_REQUEST = 200


def on_disk(text: str) -> Side | None:
    """The file, folder or sequence of frames on disk; None where there is none."""
    path = Path(text)
    if path.is_file():
        return Side(text, (validation.describe(path),))
    if path.is_dir():
        return Side(text, tuple(map(validation.describe, validation.renders(path))))
    if PATTERN.search(path.name) and path.parent.is_dir():
        files = sorted(path.parent.glob(PATTERN.sub("*", path.name)))
        return Side(text, tuple(map(validation.describe, files))) if files else None
    return None


def read_stored(target: Target, ask: Ask, text: str) -> Side:
    """The stored files that a file_id, a path, a sequence_key, a folder or a shot names. Raises NoReference for none."""
    for condition, matches in _readings(text):
        query = questions.parse("SELECT file_id, file_path_normalized FROM files WHERE is_current AND deleted_at IS NULL")
        rows = ask(query.where(condition)).to_pylist()
        if file_ids := [row["file_id"] for row in rows if matches(row["file_path_normalized"])]:
            return Side(text, tuple(_payloads(target, file_ids)))
    remedy = "Name a file, a folder, a sequence such as beauty.#.exr, or stored ones by file_id, path, folder or shot"
    if versions := versions_beside(ask, text):
        remedy = f"Versions that exist: {', '.join(versions)}"
    raise NoReference(f"{text!r} is not on disk, and {target.place} has no such files", remedy=remedy)


def versions_beside(ask: Ask, text: str) -> list[str]:
    """The versions, on disk and stored, of what a text names in a version; none where it names none, or nothing there is."""
    places = (text[: named.start()] for named in reversed(list(VERSION.finditer(text))))
    return next((sorted(found, key=_by_number) for start in places if (found := _versions_from(ask, start))), [])


def _versions_from(ask: Ask, start: str) -> set[str]:
    folder, _, prefix = start.rpartition("/")
    found = {
        one[0] for path in Path(folder or ".").glob(f"{glob.escape(prefix)}*") if (one := VERSION.match(path.name, len(prefix)))
    }
    stored = start if Path(start).is_absolute() or "://" in start else f"/{start.removeprefix('./')}"
    query = questions.parse("SELECT file_path_normalized FROM files WHERE is_current AND deleted_at IS NULL")
    condition = exp.column("file_path_normalized").like(exp.Literal.string(f"%{stored}%"))
    for path in ask(query.where(condition))["file_path_normalized"].to_pylist():
        _, _, rest = path.partition(stored)
        if one := VERSION.match(rest):
            found.add(one[0])
    return found


def _by_number(version: str) -> tuple[int, str]:
    return int(version[1:]), version


def _readings(text: str) -> Iterator[tuple[exp.Expression, Callable[[str], bool]]]:
    """What a text may mean, in this order: a condition on `files`, and a test of the path, for LIKE takes `_` for any letter."""
    named = [normalize_path(text), normalize_path(str(Path(text).absolute()))]
    yield _is("file_id", text), _any_path
    for name in named:
        yield _is("file_path_normalized", name), _any_path
        yield _is("sequence_key", PATTERN.sub("#", name)), _any_path
    for folder in dict.fromkeys((*named, f"/{named[0].strip('/')}")):
        inside = f"{folder}/"
        anywhere = folder not in named or not Path(text).is_absolute()
        pattern = f"%{inside}%" if anywhere else f"{inside}%"
        yield exp.column("file_path_normalized").like(exp.Literal.string(pattern)), _contains(inside, anywhere)


def _is(column: str, value: str) -> exp.Expression:
    return exp.column(column).eq(exp.Literal.string(value))


def _any_path(path: str) -> bool:
    return True


def _contains(inside: str, anywhere: bool) -> Callable[[str], bool]:
    return lambda path: inside in path if anywhere else path.startswith(inside)


def _payloads(target: Target, file_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    with target.reading() as transaction:
        table = target.tables(transaction).table("files")
        for start in range(0, len(file_ids), FILES_A_REQUEST):
            chosen = table["file_id"].isin(list(file_ids[start : start + FILES_A_REQUEST]))
            for text in table.select(["raw_output"], chosen).read_all()["raw_output"].to_pylist():
                yield json.loads(text)
