"""Nearest files by one of the two vectors: through the vector index where there is one, else by a scan that misses nothing.

Distances are cosine distances of unit vectors: 0 is alike, 1 unrelated. They are computed here from the stored vectors, so both
ways give the same numbers.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sqlglot import exp

from exr_inspector.catalogue.connection import Target
from exr_inspector.catalogue.questions import parse
from exr_inspector.catalogue.scans import CURRENT, predicate_of
from exr_inspector.embedding.vectors import (
    EMBEDDING_VERSION,
    BlockDistance,
    compute_channel_fingerprint,
    compute_metadata_embedding,
    explain_distance,
)
from exr_inspector.errors import Reject
from exr_inspector.exr import completeness
from exr_inspector.exr.header import read_header
from exr_inspector.function import objects
from exr_inspector.payload import document

VECTORS = {"metadata": "metadata_embedding", "channels": "channel_fingerprint"}
KEYS = ("file_id", "file_path", "sequence_key", "show_name", "shot_name")
# The index gives frames, of which many belong to one sequence; it is asked for more until there are enough sequences.
FIRST_FETCH, LARGEST_FETCH = 10, 10_000
DRIVER = "adbc_driver_vastdb"
ROWS_A_GROUP = 32
"""Rows of a batch that are looked at for each answer, before more are."""
_DISTANCE_AND_PATH = itemgetter("distance", "file_path")


class NoReference(Reject):
    """Neither a file on disk nor a stored file."""

    code = "no_reference"


@dataclass(frozen=True, slots=True)
class Reference:
    """What others are compared with: its vector, and its payload for explanations."""

    name: str
    vector: list[float]
    payload: Mapping[str, Any]
    file_id: str | None = None
    sequence_key: str | None = None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A file near the reference; `blocks` add up to `distance`."""

    file_id: str
    file_path: str
    show_name: str | None
    shot_name: str | None
    distance: float
    blocks: tuple[BlockDistance, ...]
    payload: Mapping[str, Any]


def vector_of(payload: dict[str, Any], by: str) -> list[float]:
    """The vector of a payload that is compared."""
    return compute_channel_fingerprint(payload["channels"]) if by == "channels" else compute_metadata_embedding(payload)


def inspect_file(path: Path) -> dict[str, Any]:
    """The payload of a file on disk. Raises BadHeader where it is not an EXR, ObjectUnavailable where it cannot be read."""
    resolved = path.resolve()
    with objects.LocalFile(str(resolved), [resolved.parent]) as file:
        header = read_header(file)
        return document.describe(document.FileFacts(str(resolved)), header, completeness.assess(header, file))


def reference(target: Target, text: str, by: str) -> Reference:
    """The file that `text` names: a path on disk, a file_id, or the path of a stored file. Raises NoReference for none."""
    if Path(text).is_file():
        payload = inspect_file(Path(text))
        return Reference(text, vector_of(payload, by), payload, None, payload["file"]["sequence_key"])
    with target.reading() as transaction:
        table = target.tables(transaction).table("files")
        path = document.normalize_path(text)
        for condition in (table["file_id"] == text, predicate_of(table, CURRENT) & (table["file_path_normalized"] == path)):
            rows = table.select([*KEYS, VECTORS[by], "raw_output"], condition).read_all().to_pylist()
            if rows:
                row = rows[0]
                payload = json.loads(row["raw_output"])
                return Reference(row["file_path"], row[VECTORS[by]], payload, row["file_id"], row["sequence_key"])
    raise NoReference(f"{text!r} is not a file on disk, and {target.place} has no such file", remedy="Give a path or a file_id")


def stored_file_id(ask: Callable[[exp.Query], pa.Table], path: str) -> str:
    """The file_id of the current file at a path. Raises NoReference where none is stored there."""
    for named in dict.fromkeys((document.normalize_path(path), document.normalize_path(str(Path(path).absolute())))):
        statement = parse("SELECT file_id FROM files WHERE is_current AND deleted_at IS NULL")
        rows = ask(statement.where(exp.column("file_path_normalized").eq(exp.Literal.string(named))))
        if rows.num_rows:
            return str(rows["file_id"][0].as_py())
    raise NoReference(f"{path!r} is not stored", remedy="exr-inspector similar takes a file that is on disk alone")


def nearest(
    target: Target,
    wanted: Reference,
    by: str,
    top: int,
    *,
    show: str | None = None,
    every_frame: bool = False,
    index: bool = True,
) -> list[Neighbour]:
    """The `top` files nearest to the reference, nearest first, its own sequence left out.

    One frame stands for its sequence unless `every_frame`. `show` restricts to a show. Without `index`, and without the driver
    of the query engine, which searches the index, the scan is used also where there is a vector index.
    """
    index = index and importlib.util.find_spec(DRIVER) is not None
    with target.reading(engine=index and by == "metadata") as transaction:
        table = target.tables(transaction).table("files")
        predicate = _comparable(table)
        if show is not None:
            predicate = predicate & (table["show_name"] == show)
        indexed = table.vector_index is not None and table.vector_index.column == VECTORS[by]
        selection = Selection(wanted, top, every_frame)
        file_ids = _search_index(table, predicate, selection) if index and indexed else None
        if file_ids is None:
            file_ids = search_rows(table.select([*KEYS, VECTORS[by]], predicate), VECTORS[by], selection)
        return _read_neighbours(table, file_ids, wanted, by)


def has_siblings(target: Target, wanted: Reference) -> bool:
    """Whether other frames of the reference's own sequence are stored, which `nearest` leaves out."""
    if wanted.sequence_key is None:
        return False
    with target.reading() as transaction:
        table = target.tables(transaction).table("files")
        own = _comparable(table) & (table["sequence_key"] == wanted.sequence_key)
        paths = table.select(["file_path_normalized"], own).read_all()["file_path_normalized"].to_pylist()
    return any(path != wanted.payload["file"]["path_normalized"] for path in paths)


def _comparable(table: Any) -> Any:
    """The condition on files that have a vector of this version."""
    return predicate_of(table, CURRENT) & (table["embedding_version"] == EMBEDDING_VERSION) & (table["status"] != "unreadable")


@dataclass(frozen=True, slots=True)
class Selection:
    """Keeps the `top` nearest rows, one for each sequence unless `every_frame`, without the reference's own."""

    wanted: Reference
    top: int
    every_frame: bool

    def group(self, row: Mapping[str, Any]) -> str:
        """What at most one row is kept of."""
        return str(row["file_id"] if self.every_frame else row["sequence_key"] or row["file_id"])

    def keep(self, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The rows to keep of `rows`, which come nearest first."""
        kept: dict[str, Mapping[str, Any]] = {}
        for row in rows:
            if len(kept) == self.top:
                break
            own = row["file_id"] == self.wanted.file_id
            beside = not self.every_frame and row["sequence_key"] is not None and row["sequence_key"] == self.wanted.sequence_key
            if not own and not beside:
                kept.setdefault(self.group(row), row)
        return list(kept.values())


def _search_index(table: Any, predicate: Any, selection: Selection) -> list[str] | None:
    """The file_ids of the nearest; None where LARGEST_FETCH rows still hold too few sequences."""
    size = FIRST_FETCH * selection.top
    while True:
        rows = table.vector_search(selection.wanted.vector, list(KEYS), size, predicate).read_all().to_pylist()
        kept = selection.keep(rows)
        if len(kept) >= selection.top or len(rows) < size:
            return [row["file_id"] for row in kept]
        if size >= LARGEST_FETCH:
            return None
        size = min(LARGEST_FETCH, 4 * size)


def search_rows(reader: pa.RecordBatchReader, column: str, selection: Selection) -> list[str]:
    """The file_ids of the nearest of all rows, batch by batch: memory does not grow with the table."""
    query = np.asarray(selection.wanted.vector, dtype="float32")
    best: list[Mapping[str, Any]] = []
    for batch in reader:
        candidates = [*best, *_nearest_in(batch, column, query, selection)]
        best = selection.keep(sorted(candidates, key=_DISTANCE_AND_PATH))
    return [row["file_id"] for row in best]


def _nearest_in(batch: pa.RecordBatch, column: str, query: np.ndarray[Any, Any], selection: Selection) -> list[dict[str, Any]]:
    """The rows of a batch that may be among the nearest: `top` groups and one more, which may be the reference's own."""
    if batch.column(column).null_count:
        batch = batch.filter(batch.column(column).is_valid())
    matrix = batch.column(column).flatten().to_numpy(zero_copy_only=False).reshape(batch.num_rows, len(query))
    distances = 1.0 - matrix @ query
    size = min(batch.num_rows, ROWS_A_GROUP * (selection.top + 1))
    while True:
        rows = _rows_at(batch, distances, _smallest(distances, size))
        kept = {selection.group(row): row for row in reversed(rows)}
        if size == batch.num_rows or len(kept) > selection.top:
            return list(kept.values())
        size = min(batch.num_rows, 4 * size)


def _smallest(values: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    """Where the `count` smallest values stand."""
    return np.arange(len(values)) if count == len(values) else np.argpartition(values, count)[:count]


def _rows_at(batch: pa.RecordBatch, distances: np.ndarray[Any, Any], places: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    rows = batch.select(list(KEYS)).take(pa.array(places)).to_pylist()
    measured = [row | {"distance": float(distance)} for row, distance in zip(rows, distances[places], strict=True)]
    return sorted(measured, key=_DISTANCE_AND_PATH)


def _read_neighbours(table: Any, file_ids: Sequence[str], wanted: Reference, by: str) -> list[Neighbour]:
    if not file_ids:
        return []
    columns = [*KEYS, VECTORS[by], "raw_output"]
    rows = table.select(columns, table["file_id"].isin(list(file_ids))).read_all().to_pylist()
    neighbours = [_neighbour(row, wanted, by) for row in {row["file_id"]: row for row in rows}.values()]
    return sorted(neighbours, key=attrgetter("distance", "file_path"))


def _neighbour(row: Mapping[str, Any], wanted: Reference, by: str) -> Neighbour:
    blocks = tuple(explain_distance(wanted.vector, row[VECTORS[by]]))
    payload = json.loads(row["raw_output"])
    distance = sum(block.distance for block in blocks)
    return Neighbour(row["file_id"], row["file_path"], row["show_name"], row["shot_name"], distance, blocks, payload)
