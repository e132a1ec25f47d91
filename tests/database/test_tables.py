"""Making the tables, older servers, and tables that differ from what is written."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa
import pytest
import vastdb

import vast_db_persistence as persistence
from databases import BUCKET, Database, database
from exr_inspector.database import tables
from exr_inspector.database.session import Ledger
from exr_inspector.errors import SchemaDrift, VASTDatabaseError
from sample_payloads import payload
from vast_schemas import FILES_SCHEMA, TABLES, schema_for, tables_at, wire_schema


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    """One endpoint; each test makes its own schema."""
    with database() as running:
        yield running


def make_tables(db: Database, version: str = "1.1.0", **replaced: pa.Schema) -> None:
    """The tables of a version, as another release or another hand made them."""
    with db.session().transaction() as tx:
        schema = tx.bucket(BUCKET).create_schema(db.settings.db_schema)
        for table in tables_at(version):
            schema.create_table(table.name, replaced.get(table.name, wire_schema(schema_for(table.name, version))))


def with_type(name: str, data_type: pa.DataType) -> pa.Schema:
    """The schema of `files` with one column of another type."""
    position = FILES_SCHEMA.get_field_index(name)
    return wire_schema(FILES_SCHEMA).set(position, pa.field(name, data_type))


@pytest.mark.parametrize(("version", "indexed"), [("5.3.0.0", False), ("5.4.0.0", False), ("5.5.0.0", True), ("5.6.0.0", True)])
def test_the_same_code_works_on_older_servers(version: str, indexed: bool) -> None:
    """The vector index is asked for where the server offers one; everything else is the same."""
    with database(version) as db:
        store = db.store()
        for header, inserted in (("v1", True), ("v1", False), ("v2", True)):
            result = persistence.persist_to_vast_database(payload(header=header), session=store)
            assert result["inserted"] is inserted
        assert [row["is_current"] for row in db.rows("files")] == [False, True]
        with db.session().transaction() as tx:
            table = tx.bucket(BUCKET).schema("exr").table("files")
            table.reload_schema()
            index = table.vector_index
        assert (index is not None) is indexed
        if indexed:
            assert (index.column, index.distance_metric) == ("metadata_embedding", "l2sq")


def test_a_server_before_5_1_is_refused_by_name() -> None:
    """Its version and the oldest that will do are in the message; nothing is sent that it would answer in another way."""
    with database("5.0.9.0") as db:
        with pytest.raises(VASTDatabaseError, match=r"is of version 5\.0\.9\.0; rows can be stored from 5\.1 on") as caught:
            db.store()
        assert (caught.value.code, [request.command for request in db.server.requests]) == ("database_version", ["transaction"])


def test_tables_without_an_index_are_used_as_they_are(db: Database) -> None:
    """An index cannot be added later, so its absence is no difference."""
    plain = db.at("no_index")
    make_tables(plain)
    assert persistence.persist_to_vast_database(payload(), session=plain.store())["inserted"] is True
    assert persistence.persist_to_vast_database(payload(), session=plain.store())["inspection_count"] == 2


def test_tables_of_the_first_version_are_reported_with_the_command_that_migrates_them(db: Database) -> None:
    """The first missing columns are named, the others counted, and nothing is written, not even a missing table."""
    old = db.at("first_version")
    make_tables(old, "1.0.0")
    result = persistence.persist_to_vast_database(payload(), session=old.store())
    assert (result["status"], result["error"]["code"]) == ("error", "schema_drift")
    assert "column frame_number of table files is missing" in result["message"]
    assert re.search(r"and \d+ more", result["message"])
    assert "exr-inspector schema migrate" in result["error"]["remedy"]
    assert old.rows("files") == []
    with old.session().transaction() as tx:
        assert len(tx.bucket(BUCKET).schema("first_version").tablenames()) == 4


@pytest.mark.parametrize(
    ("column", "stored", "message"),
    [
        ("size_bytes", pa.int32(), "column size_bytes of table files is int32, expected int64"),
        ("mtime", pa.timestamp("ns"), r"column mtime of table files is timestamp\[ns\], expected timestamp\[us\]"),
        (
            "metadata_embedding",
            pa.list_(pa.field("item", pa.float32(), nullable=False), 256),
            r"column metadata_embedding of table files is .*\[256\], expected .*\[384\]",
        ),
    ],
)
def test_a_column_of_another_type_is_reported_by_name(db: Database, column: str, stored: pa.DataType, message: str) -> None:
    """Both types are named; another schema is the way out, because no migration changes a type."""
    wrong = db.at(f"type_of_{column}")
    make_tables(wrong, files=with_type(column, stored))
    with pytest.raises(SchemaDrift, match=message) as caught:
        tables.ensure_tables(wrong.store(), Ledger())
    assert caught.value.place["column"] == column
    assert "VAST_DB_SCHEMA" in caught.value.remedy


def test_a_newer_table_with_more_columns_keeps_working(db: Database) -> None:
    """What a later version adds stays null."""
    newer = db.at("newer")
    make_tables(newer, files=wire_schema(FILES_SCHEMA).append(pa.field("render_farm", pa.utf8())))
    store = newer.store()
    persistence.persist_to_vast_database(payload(), session=store)
    result = persistence.persist_to_vast_database(payload(), session=store)
    assert (result["status"], result["inspection_count"]) == ("stored", 2)
    assert newer.rows("files")[0]["render_farm"] is None


def test_a_missing_table_is_made_beside_the_others(db: Database) -> None:
    """Someone dropped one table."""
    partial = db.at("partial")
    make_tables(partial)
    with partial.session().transaction() as tx:
        tx.bucket(BUCKET).schema("partial").table("pixel_stats").drop()
    assert persistence.persist_to_vast_database(payload(), session=partial.store())["status"] == "stored"
    assert set(partial.contents()) == set(TABLES)


def test_tables_that_are_replaced_under_a_running_process_are_loaded_again(db: Database) -> None:
    """Dropped and made anew: the next call notices, loads them again and stores."""
    replaced = db.at("replaced")
    store = replaced.store()
    persistence.persist_to_vast_database(payload(), session=store)
    with replaced.session().transaction() as tx:
        schema = tx.bucket(BUCKET).schema("replaced")
        for name in TABLES:
            schema.table(name).drop()
        schema.drop()
    assert persistence.persist_to_vast_database(payload(), session=store)["inserted"] is True
    assert len(replaced.rows("files")) == 1


def test_a_missing_bucket_is_named_with_its_remedy(db: Database) -> None:
    """The bucket is not ours to make; the platform keeps the event."""
    from dataclasses import replace

    nowhere = Database(db.server, replace(db.settings, db_bucket="elsewhere"))
    with pytest.raises(VASTDatabaseError, match="Create the bucket") as caught:
        persistence.persist_to_vast_database(payload(), session=nowhere.store())
    assert caught.value.code == "database_bucket_missing"
    assert "elsewhere" in str(caught.value)


def test_making_the_tables_warns_of_nothing_and_hides_nothing(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    """That there are no tables yet is no warning of the client's; that a bucket is missing, or that a look-up fails, is."""
    caplog.set_level("WARNING", logger="vastdb")  # commands of other tests in this process silence it
    first = db.at("silent")
    assert persistence.persist_to_vast_database(payload(), session=first.store())["status"] == "stored"
    assert caplog.messages == []
    db.server.faults.add("400@stats")
    assert persistence.persist_to_vast_database(payload(), session=first.store())["status"] == "error"
    assert [record.args["status"] for record in caplog.records if record.msg.startswith("RPC failed")] == [400]
    caplog.clear()
    with first.session().transaction() as tx, pytest.raises(vastdb.errors.MissingBucket):
        tx.bucket("elsewhere")
    assert [record.args["status"] for record in caplog.records if record.msg.startswith("RPC failed")] == [404]


def test_making_the_tables_is_done_once_per_store(db: Database) -> None:
    """The second call finds them loaded and asks nothing."""
    store = db.at("once").store()
    tables.ensure_tables(store, Ledger())
    db.server.clear_requests()
    ledger = Ledger()
    assert set(tables.ensure_tables(store, ledger)) == set(TABLES)
    assert (ledger.requests, db.server.requests) == (0, [])
