"""What SQL finds with the stored vectors: the same order by either distance, and a render's own sequence first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import vastdb

from benchmarks.vectors.shows import Show
from exr_inspector.embedding.vectors import EMBEDDING_VERSION, compute_channel_fingerprint, compute_metadata_embedding
from local_vast import LocalVast

Query = Callable[[str], list[tuple[Any, ...]]]
FRAMES = 12
FLOAT32_NOISE = 1e-6


def vectors(size: int) -> pa.DataType:
    """The type of a vector column."""
    return pa.list_(pa.field("item", pa.float32(), nullable=False), size)


SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("setup", pa.string()),
        ("embedding_version", pa.int32()),
        ("metadata_embedding", vectors(384)),
        ("channel_fingerprint", vectors(128)),
    ]
)


@pytest.fixture(scope="module")
def renders() -> list[dict[str, Any]]:
    """Rows of sequences of twelve frames: four renderers of a show, their passes, two shots."""
    show = Show(seed=11, number=0, shots=2)
    return [
        {
            "path": payload["file"]["path"],
            "setup": "/".join(map(str, setup.key)),
            "embedding_version": EMBEDDING_VERSION,
            "metadata_embedding": compute_metadata_embedding(payload),
            "channel_fingerprint": compute_channel_fingerprint(payload["channels"]),
            "recipe": setup.recipe,
        }
        for setup in show.setups()
        for payload in (show.frame(setup, 1001 + at) for at in range(FRAMES))
    ]


def table(renders: list[dict[str, Any]]) -> pa.Table:
    """The rows as they are stored."""
    return pa.Table.from_pylist([{name: row[name] for name in SCHEMA.names} for row in renders], SCHEMA)


@contextmanager
def in_process(stored: pa.Table) -> Iterator[Query]:
    """DuckDB over the Arrow table."""
    with duckdb.connect() as connection:
        connection.register("stored", stored)
        yield lambda sql: connection.execute(sql.format(table="stored")).fetchall()


@contextmanager
def through_the_endpoint(stored: pa.Table) -> Iterator[Query]:
    """The SDK's inserts and the query engine's driver, against the development endpoint."""
    with LocalVast(buckets=("renders",)) as server:
        session = vastdb.connect(endpoint=server.url, access=server.access_key, secret=server.secret_key)
        with session.transaction() as tx:
            tx.bucket("renders").create_schema("exr").create_table("files", SCHEMA).insert(stored)
        with session.transaction() as tx:

            def query(sql: str) -> list[tuple[Any, ...]]:
                tx.adbc_conn.cursor.execute(sql.format(table='"renders/exr".files'))
                return tx.adbc_conn.cursor.fetchall()

            yield query


@pytest.fixture(scope="module", params=[in_process, through_the_endpoint])
def query(request: pytest.FixtureRequest, renders: list[dict[str, Any]]) -> Iterator[Query]:
    """`query(sql)` with `{table}` for the stored rows."""
    with request.param(table(renders)) as run:
        yield run


def literal(vector: list[float]) -> str:
    return f"{vector}::FLOAT[{len(vector)}]"


def references(renders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One frame of every fourth sequence."""
    return renders[5 :: 4 * FRAMES]


@pytest.mark.parametrize("column", ["metadata_embedding", "channel_fingerprint"])
def test_both_distances_rank_alike(query, renders, column):
    """On unit vectors the squared distance is twice the cosine distance, so an `l2sq` index serves both."""
    for row in references(renders)[::3]:
        given, cast = literal(row[column]), f"{column}::FLOAT[{len(row[column])}]"
        distances = query(
            f"SELECT array_distance({cast}, {given}), array_cosine_distance({cast}, {given}) FROM {{table}} ORDER BY 1"
        )
        cosines = [cosine for _, cosine in distances]
        assert all(after - before > -FLOAT32_NOISE for before, after in pairwise(cosines))
        assert all(abs(distance**2 / 2 - cosine) < FLOAT32_NOISE for distance, cosine in distances)


@pytest.mark.parametrize("function", ["array_distance", "array_cosine_distance"])
def test_the_ten_nearest_of_a_render_are_its_own_sequence(query, renders, function):
    """Two shots that are made alike count as one."""
    for row in references(renders):
        made_alike = {other["setup"] for other in renders if other["recipe"] == row["recipe"]}
        distance = f"{function}(metadata_embedding::FLOAT[384], {literal(row['metadata_embedding'])})"
        where = f"WHERE embedding_version = {EMBEDDING_VERSION} AND path <> '{row['path']}'"
        nearest = query(f"SELECT setup FROM {{table}} {where} ORDER BY {distance}, path LIMIT 10")
        assert {setup for (setup,) in nearest} <= made_alike, row["setup"]


def test_no_stored_distance_is_nan(query, renders):
    """No vector is zero, also not that of a file without channels."""
    empty = literal(compute_metadata_embedding({"channels": [], "parts": []}))
    distance = f"array_cosine_distance(metadata_embedding::FLOAT[384], {empty})"
    assert query(f"SELECT count(*) FROM {{table}} WHERE isnan({distance})") == [(0,)]


def test_stored_vectors_are_the_returned_ones_bit_for_bit(query, renders):
    """Every element is exact in float32."""
    stored = dict(query("SELECT path, metadata_embedding FROM {table}"))
    assert all(list(stored[row["path"]]) == row["metadata_embedding"] for row in renders)
