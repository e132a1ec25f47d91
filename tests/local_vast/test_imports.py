"""Imports of Parquet objects, as the SDK asks for them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from vastdb import errors
from vastdb.config import ImportConfig
from vastdb.session import Session

from local_vast import LocalVast
from tabular_support import BUCKET, fill, read_committed, rows, table

Put = Callable[..., str]
KEYED = pa.schema([("vastdb_rowid", pa.int64()), ("id", pa.int64())])


@pytest.fixture
def put(server: LocalVast) -> Iterator[Put]:
    """`put(name, column=[...])` stores a Parquet object and returns its path."""
    client = boto3.client(
        "s3", endpoint_url=server.url, aws_access_key_id="local", aws_secret_access_key="local-secret", region_name="us-east-1"
    )

    def store(key: str, /, **columns: Any) -> str:
        body = io.BytesIO(b"no parquet")
        if columns:
            pq.write_table(pa.table(columns), body)
        client.put_object(Bucket=BUCKET, Key=key, Body=body.getvalue())
        return f"/{BUCKET}/{key}"

    yield store
    client.close()


def test_files_are_appended_and_recorded(session: Session, put: Put) -> None:
    """Columns that a file lacks are NULL; an object that was imported is not imported again."""
    fill(session, (0, "old"))
    paths = [put("a", id=[1, 2], name=["x", "y"]), put("b", id=[3])]
    for _ in range(2):
        with session.transaction() as tx:
            table(tx).import_files(paths)
    assert sorted(read_committed(session)) == [(0, "old"), (1, "x"), (2, "y"), (3, None)]
    with session.transaction() as tx:
        assert sorted(rows(table(tx).imports_table(), columns=["ObjectName"])) == [("a",), ("b",)]


def test_partition_values_become_columns(session: Session, put: Put) -> None:
    """The constants that come with a file stand in each of its rows."""
    fill(session)
    part = pa.record_batch([pa.array(["p"])], names=["name"])
    with session.transaction() as tx:
        table(tx).import_partitioned_files({put("a", id=[1, 2]): part})
    assert read_committed(session) == [(1, "p"), (2, "p")]


def test_an_import_belongs_to_its_transaction(session: Session, put: Put) -> None:
    """A rollback takes the rows and the record of the import back."""
    fill(session)
    path = put("a", id=[1])
    with pytest.raises(ZeroDivisionError), session.transaction() as tx:
        table(tx).import_files([path])
        raise ZeroDivisionError
    with session.transaction() as tx:
        table(tx).import_files([path])
    assert read_committed(session) == [(1, None)]


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"id": ["text"]}, "TabularMismatchColumnType"),
        ({"other": [1]}, "TabularMismatchColumnName"),
        (None, "NoSuchKey"),
    ],
)
def test_a_file_that_does_not_fit_is_named(session: Session, put: Put, columns: dict[str, Any] | None, code: str) -> None:
    """With a code for wrong types, unknown columns and missing objects; nothing is stored."""
    fill(session)
    path = put("bad", **columns) if columns else f"/{BUCKET}/missing"
    with pytest.raises(errors.ImportFilesError) as caught, session.transaction() as tx:
        table(tx).import_files([path])
    assert caught.value.error_dict["res"] == code
    assert read_committed(session) == []


def test_an_object_that_is_no_parquet_file_is_refused(session: Session, put: Put) -> None:
    """With its name."""
    fill(session)
    with pytest.raises(errors.ImportFilesError, match="'text' is not a Parquet file"), session.transaction() as tx:
        table(tx).import_files([put("text")])


def test_keys_join_a_file_to_the_rows(session: Session, put: Put) -> None:
    """Its other columns are added to the table and set on the rows with the same key, in whatever order they come."""
    fill(session, (10, 1), (11, 2), columns=KEYED)
    with session.transaction() as tx:
        paths = [put("one", id=[2, 1], f=["two", "one"]), put("two", id=[1, 2], g=[0.5, None])]
        table(tx).import_files(paths, config=ImportConfig(key_names=["id"]))
    # The SDK imports the two files at the same time, so either column may be the first.
    assert read_committed(session, columns=["vastdb_rowid", "id", "f", "g"]) == [(10, 1, "one", 0.5), (11, 2, "two", None)]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"f": [1]}, "Failed to verify import keys"),
        ({"id": [1, 3], "f": [1, 2]}, "Failed to get row_ids to update on table"),
        ({"id": [1], "f": [1]}, "Failed to get row_ids to update on table"),
        ({"id": ["1", "2"], "f": [1, 2]}, "TabularMismatchColumnType"),
    ],
)
def test_keys_have_to_match_one_to_one(session: Session, put: Put, columns: dict[str, Any], message: str) -> None:
    """A missing key column, a key that the table lacks, a row that the file lacks and another type are refused."""
    fill(session, (10, 1), (11, 2), columns=KEYED)
    with pytest.raises(errors.ImportFilesError) as caught, session.transaction() as tx:
        table(tx).import_files([put("file", **columns)], config=ImportConfig(key_names=["id"]))
    assert message in str(caught.value)
    assert read_committed(session) == [(10, 1), (11, 2)]
