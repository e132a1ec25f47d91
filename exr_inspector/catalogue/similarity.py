"""Nearest files by one of the two vectors: through the vector index where there is one, else by a scan that misses nothing.

Distances are cosine distances of unit vectors: 0 is alike, 1 unrelated. They are computed here from the stored vectors, so both
ways give the same numbers.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from exr_inspector.catalogue.connection import Target
from exr_inspector.embedding import tokens
from exr_inspector.embedding.facts import read_attributes
from exr_inspector.embedding.text import fold
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


def described(path: Path) -> dict[str, Any]:
    """The payload of a file on disk. Raises BadHeader where it is no EXR, ObjectUnavailable where it cannot be read."""
    resolved = path.resolve()
    with objects.LocalFile(str(resolved), [resolved.parent]) as file:
        header = read_header(file)
        return document.describe(document.FileFacts(str(resolved)), header, completeness.assess(header, file))


def reference(target: Target, text: str, by: str) -> Reference:
    """The file that `text` names: a path on disk, a file_id, or the path of a stored file. Raises NoReference for none."""
    if Path(text).is_file():
        payload = described(Path(text))
        return Reference(text, vector_of(payload, by), payload, None, payload["file"]["sequence_key"])
    with target.reading() as transaction:
        table = _files(target, transaction)
        path = document.normalize_path(text)
        for condition in (table["file_id"] == text, _current(table) & (table["file_path_normalized"] == path)):
            rows = table.select([*KEYS, VECTORS[by], "raw_output"], condition).read_all().to_pylist()
            if rows:
                row = rows[0]
                payload = json.loads(row["raw_output"])
                return Reference(row["file_path"], row[VECTORS[by]], payload, row["file_id"], row["sequence_key"])
    raise NoReference(f"{text!r} is not a file on disk, and {target.place} has no such file", remedy="Give a path or a file_id")


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
        table = _files(target, transaction)
        predicate = _current(table) & (table["embedding_version"] == EMBEDDING_VERSION) & (table["status"] != "unreadable")
        if show is not None:
            predicate = predicate & (table["show_name"] == show)
        indexed = table.vector_index is not None and table.vector_index.column == VECTORS[by]
        choose = _Chooser(wanted, top, every_frame)
        found = _by_index(table, wanted, predicate, choose) if index and indexed else None
        if found is None:
            found = _by_scan(table.select([*KEYS, VECTORS[by]], predicate), VECTORS[by], wanted, choose)
        return _described(table, found, wanted, by)


@dataclass(frozen=True, slots=True)
class _Chooser:
    """Keeps the nearest rows, one for each sequence, without the reference's own."""

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


def _by_index(table: Any, wanted: Reference, predicate: Any, choose: _Chooser) -> list[str] | None:
    """None where as many rows as are asked for at most hold too few sequences."""
    size = FIRST_FETCH * choose.top
    while True:
        rows = table.vector_search(wanted.vector, list(KEYS), size, predicate).read_all().to_pylist()
        kept = choose.keep(rows)
        if len(kept) >= choose.top or len(rows) < size:
            return [row["file_id"] for row in kept]
        if size >= LARGEST_FETCH:
            return None
        size = min(LARGEST_FETCH, 4 * size)


def _by_scan(reader: pa.RecordBatchReader, column: str, wanted: Reference, choose: _Chooser) -> list[str]:
    """The nearest of all rows, batch by batch: memory does not grow with the table."""
    query = np.asarray(wanted.vector, dtype="float32")
    best: list[dict[str, Any]] = []
    for batch in reader:
        best = sorted([*best, *_best_of(batch, column, query, choose)], key=lambda row: (row["distance"], row["file_path"]))
        best = [dict(row) for row in choose.keep(best)]
    return [row["file_id"] for row in best]


def _best_of(batch: pa.RecordBatch, column: str, query: np.ndarray[Any, Any], choose: _Chooser) -> list[dict[str, Any]]:
    """The rows of a batch that may be among the nearest: `top` groups and one more, which may be the reference's own."""
    if batch.column(column).null_count:
        batch = batch.filter(batch.column(column).is_valid())
    matrix = batch.column(column).flatten().to_numpy(zero_copy_only=False).reshape(batch.num_rows, len(query))
    distances = 1.0 - matrix @ query
    size = min(batch.num_rows, ROWS_A_GROUP * (choose.top + 1))
    while True:
        rows = _rows_at(batch, distances, _smallest(distances, size))
        kept = {choose.group(row): row for row in reversed(rows)}
        if size == batch.num_rows or len(kept) > choose.top:
            return list(kept.values())
        size = min(batch.num_rows, 4 * size)


def _smallest(values: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    """Where the `count` smallest values stand."""
    return np.arange(len(values)) if count == len(values) else np.argpartition(values, count)[:count]


def _rows_at(batch: pa.RecordBatch, distances: np.ndarray[Any, Any], places: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    rows = batch.select(list(KEYS)).take(pa.array(places)).to_pylist()
    found = [row | {"distance": float(distance)} for row, distance in zip(rows, distances[places], strict=True)]
    return sorted(found, key=lambda row: (row["distance"], row["file_path"]))


def _described(table: Any, file_ids: Sequence[str], wanted: Reference, by: str) -> list[Neighbour]:
    if not file_ids:
        return []
    columns = [*KEYS, VECTORS[by], "raw_output"]
    rows = table.select(columns, table["file_id"].isin(list(file_ids))).read_all().to_pylist()
    neighbours = [_neighbour(row, wanted, by) for row in {row["file_id"]: row for row in rows}.values()]
    return sorted(neighbours, key=lambda one: (one.distance, one.file_path))


def _neighbour(row: Mapping[str, Any], wanted: Reference, by: str) -> Neighbour:
    blocks = tuple(explain_distance(wanted.vector, row[VECTORS[by]]))
    payload = json.loads(row["raw_output"])
    distance = sum(block.distance for block in blocks)
    return Neighbour(row["file_id"], row["file_path"], row["show_name"], row["shot_name"], distance, blocks, payload)


def _files(target: Target, transaction: Any) -> Any:
    return transaction.bucket(target.bucket).schema(target.schema).table("files")


def _current(table: Any) -> Any:
    return (table["is_current"] == True) & table["deleted_at"].isnull()  # noqa: E712 - builds an expression


def differences(block: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What a block of the vector sees in `one` payload alone, and in the `other` alone, in words."""
    mine, theirs = dict(_facts(block, one)), dict(_facts(block, other))
    return _without(mine, theirs), _without(theirs, mine)


def _without(facts: Mapping[Any, str], others: Mapping[Any, str]) -> list[str]:
    return sorted({text for key, text in facts.items() if key not in others})


def _facts(block: str, payload: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """What the block sees, and how to say it; what it sees alike is alike, however it is spelled in the file."""
    if block in ("attrs", "values"):
        yield from _attribute_facts(block, payload)
        return
    for text in _texts(block, payload):
        yield text, text


def _attribute_facts(block: str, payload: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    for entries in (payload.get("attributes") or {}).get("parts", []):
        for entry in entries:
            named, valued = tokens.setup_attributes(read_attributes([[entry]]))
            if block == "attrs":
                yield from ((fold(name) + kind, entry["name"]) for name, kind in named)
            else:
                yield from ((token, f"{entry['name']} = {entry.get('value')}"[:80]) for token in valued)


def _texts(block: str, payload: Mapping[str, Any]) -> Iterator[str]:
    if block in ("names", "types"):
        for channel in payload.get("channels") or []:
            yield channel["name"] if block == "names" else f"{channel['name']} {channel['type']}"
    else:
        for part in payload.get("parts") or []:
            yield from (f"{field} {part.get(field)}" for field in _PART_FIELDS[block] if part.get(field) is not None)


_PART_FIELDS = {
    "compression": ("compression",),
    "format": ("display_width", "display_height", "pixel_aspect_ratio"),
    "window": ("width", "height", "data_x_offset", "data_y_offset"),
    "storage": ("type", "tile_width", "tile_height", "line_order"),
    "parts": ("name", "view"),
    "source": ("color_space", "render_software"),
}
