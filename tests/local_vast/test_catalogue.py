"""Schemas, tables, columns and projections: names, listings, changes."""

from __future__ import annotations

from functools import partial

import pyarrow as pa
import pytest
from vastdb import errors
from vastdb._internal import VectorIndexSpec
from vastdb.session import Session
from vastdb.table_metadata import TableMetadata, TableRef
from vastdb.util import serialize_record_batch

from local_vast import LocalVast
from tabular_support import BUCKET, COLUMNS, batch, connect, fill, make_table, raw, read_committed, rows, table, vector


def test_schemas_nest(session: Session) -> None:
    """Listings show direct children with relative names; a rename takes the children along."""
    with session.transaction() as tx:
        bucket = tx.bucket(BUCKET)
        outer = bucket.create_schema("a")
        inner = outer.create_schema("b")
        inner.create_schema("c")
        bucket.create_schema("ab")
        make_table(tx)
        assert [schema.name for schema in bucket.schemas()] == ["a", "ab", "s"]
        assert [schema.name for schema in outer.schemas()] == ["a/b"]
        tx._rpc.api.alter_schema(BUCKET, "a", txid=tx.active_txid, new_name="z")
        assert [schema.name for schema in bucket.schema("z").schema("b").schemas()] == ["z/b/c"]
        with pytest.raises(errors.MissingSchema):
            bucket.schema("a")


def test_a_schema_with_content_cannot_be_dropped(session: Session) -> None:
    """Neither with tables nor with schemas in it; without it can."""
    with session.transaction() as tx:
        made = make_table(tx)
        schema = tx.bucket(BUCKET).schema("s")
        for remove in (made.drop, schema.create_schema("inner").drop):
            with pytest.raises(errors.Conflict, match="TabularSchemaNotEmpty"):
                schema.drop()
            remove()
        schema.drop()
        assert tx.bucket(BUCKET).schemas() == []


def test_names_are_taken_once(session: Session) -> None:
    """The second creation of a schema, table, column or projection is a conflict."""
    with session.transaction() as tx:
        api, txid = tx._rpc.api, tx.active_txid
        made = make_table(tx)
        made.create_projection("p", ["id"], ["name"])
        for again in (
            partial(api.create_schema, BUCKET, "s", txid=txid),
            partial(api.create_table, BUCKET, "s", "t", COLUMNS, txid=txid),
            partial(made.add_column, pa.schema([("id", pa.int64())])),
            partial(made.create_projection, "p", ["id"], ["name"]),
        ):
            with pytest.raises((errors.Conflict, Exception), match="409"):
                again()


def test_missing_things_are_named(server: LocalVast, session: Session) -> None:
    """A missing bucket, schema, table, column or projection answers 404 or 400 with its name."""
    fill(session)
    expected = {
        "/none?schema": (404, "NoSuchBucket"),
        f"/{BUCKET}/none?table": (404, "NoSuchKey"),
        f"/{BUCKET}/s/none?stats": (404, "NoSuchKey"),
        f"/{BUCKET}/s/t?projection-stats&name=none": (404, "NoSuchKey"),
        f"/{BUCKET}/s?column": (400, "InvalidArgument"),
    }
    with raw(server) as call:
        for target, (status, code) in expected.items():
            answer = call("GET", target, {"tabular-txid": "0"})
            assert (answer.status_code, code in answer.text) == (status, True), answer.text


def test_what_is_not_supported_says_so(server: LocalVast) -> None:
    """501 with the name of the operation."""
    with raw(server) as call:
        for method, target in (("DELETE", "/exr/s/t?partitions"), ("GET", "/exr/s/t?blob-expansion"), ("POST", "/exr/s/t?stats")):
            answer = call(method, target, {"tabular-txid": "0"})
            assert answer.status_code == 501
            assert target.partition("?")[2] in answer.text


def test_listings_come_in_pages(server: LocalVast, session: Session) -> None:
    """Every page but the last is truncated; a prefix and a count can be asked for."""
    with session.transaction() as tx:
        schema = tx.bucket(BUCKET).create_schema("s")
        names = [f"t{number}" for number in range(5)]
        for name in names:
            schema.create_table(name, COLUMNS)
        assert schema.tablenames(page_size=2) == names
        api = tx._rpc.api
        _, _, listed, next_key, truncated, _ = api.list_tables(BUCKET, "s", txid=tx.active_txid, max_keys=3)
        assert ([info.name for info in listed], next_key, truncated) == (names[:3], 3, True)
        assert api.list_tables(BUCKET, "s", txid=tx.active_txid, count_only=True)[-1] == 5
        assert api.list_tables(BUCKET, "s", txid=tx.active_txid, name_prefix="t4")[-1] == 1


def test_columns_can_be_added_renamed_and_dropped(session: Session) -> None:
    """Existing rows have NULL in a new column; a dropped name can come back, empty."""
    fill(session, (1, "a"))
    with session.transaction() as tx:
        stored = table(tx)
        stored.add_column(pa.schema([("extra", vector(2))]))
        stored.rename_column("name", "title")
        assert rows(stored) == [(1, "a", None)]
        stored.drop_column(pa.schema([("title", pa.string())]))
        stored.add_column(pa.schema([("title", pa.int8())]))
        stored.insert(pa.record_batch([pa.array([7], pa.int8())], names=["title"]))
    assert read_committed(session) == [(1, None, None), (None, None, 7)]


def test_column_changes_are_seen_after_the_commit(session: Session) -> None:
    """Another transaction keeps the old columns and can write by them while they change."""
    fill(session, (1, "a"))
    with session.transaction() as other:
        with session.transaction() as tx:
            table(tx).rename_column("name", "title")
        stored = table(other)
        assert stored.arrow_schema.names == ["id", "name"]
        stored.insert(batch((2, "b")))
    with session.transaction() as tx:
        assert table(tx).select().read_all().to_pydict() == {"id": [1, 2], "title": ["a", "b"]}


def test_look_ups_are_shared_until_the_catalogue_changes(server: LocalVast, session: Session) -> None:
    """Rows that are inserted, and a rename that is rolled back, change nothing; a rename that is committed does."""
    fill(session, (1, "a"))
    transactions, catalogue = server.store.transactions, server.store.catalogue
    first = transactions.begin()
    entry = catalogue.table(first, BUCKET, "s", "t")
    with session.transaction() as tx:
        table(tx).insert(batch((2, "b")))
    undone = transactions.begin()
    catalogue.rename_table(undone, catalogue.table(undone, BUCKET, "s", "t"), entry.schema, "u")
    transactions.rollback(undone.id)
    assert catalogue.table(transactions.begin(), BUCKET, "s", "t") is entry
    with session.transaction() as tx:
        table(tx).rename("u")
    assert catalogue.table(transactions.begin(), BUCKET, "s", "u") is not entry
    assert catalogue.table(first, BUCKET, "s", "t") is entry


def test_inserts_beside_a_new_column_conflict(session: Session) -> None:
    """Whoever comes second has 409, at the statement or at the commit, and can try again; nothing stays open."""
    fill(session, (1, "a"))
    extra = pa.schema([("extra", pa.int8())])
    with pytest.raises(errors.Conflict), session.transaction() as inserting:
        table(inserting).insert(batch((2, "b")))
        with session.transaction() as adding:
            table(adding).add_column(extra)
    with pytest.raises(errors.Conflict), session.transaction() as late:
        with session.transaction() as adding:
            table(adding).add_column(pa.schema([("more", pa.int8())]))
        table(late).insert(batch((3, "c")))
    with session.transaction() as again:
        table(again).insert(batch((4, "d")))
    assert read_committed(session, columns=["id"]) == [(1,), (4,)]


def test_a_renamed_table_keeps_rows_and_row_ids(session: Session) -> None:
    """Its old name is free."""
    fill(session, (1, "a"))
    with session.transaction() as tx:
        table(tx).rename("u")
        make_table(tx)
        assert table(tx, "u").insert(batch((2, "b"))).to_pylist() == [1]
    assert (read_committed(session), read_committed(session, "u")) == ([], [(1, "a"), (2, "b")])


UNSUPPORTED = [pa.null(), pa.large_string(), pa.decimal256(50, 2), pa.date64(), pa.dictionary(pa.int8(), pa.string())]
LISTS = {
    "TabularUnsupportedColumnType": [
        pa.list_(pa.float32(), 4),
        pa.list_(pa.field("item", pa.string(), nullable=False), 4),
        pa.list_(pa.field("item", pa.float32(), nullable=False), 10**6),
    ],
    "TabularInvalidColumnTypeParam": [vector(0)],
}


def test_column_types_that_vast_refuses(session: Session) -> None:
    """On creation and on `add_columns`, with the code that the SDK knows."""
    fill(session)
    cases = [("TabularUnsupportedColumnType", kind) for kind in UNSUPPORTED]
    cases += [(code, kind) for code, kinds in LISTS.items() for kind in kinds]
    with session.transaction() as tx:
        api = tx._rpc.api
        for code, kind in cases:
            columns = pa.schema([("x", kind)])
            for call in (api.create_table, api.add_columns):
                name = "new" if call == api.create_table else "t"
                with pytest.raises((errors.BadRequest, errors.NotSupportedSchema), match=code):
                    call(BUCKET, "s", name, columns, txid=tx.active_txid)


def test_a_table_needs_columns_with_distinct_names(session: Session) -> None:
    """No columns, two of one name and the reserved name are refused."""
    fill(session)
    reserved = pa.schema([("$row_id", pa.int64())])
    with session.transaction() as tx:
        for columns in (pa.schema([]), pa.schema([("a", pa.int8()), ("a", pa.int16())]), reserved):
            with pytest.raises(errors.BadRequest):
                tx._rpc.api.create_table(BUCKET, "s", "new", columns, txid=tx.active_txid)


def test_vector_indexes_are_metadata_with_rules(session: Session) -> None:
    """Column, metric and quantization are checked; the statistics carry the SQL function."""
    columns = pa.schema([("id", pa.int64()), ("v", vector(4))])
    with session.transaction() as tx:
        for spec in (
            VectorIndexSpec("id", "l2sq"),
            VectorIndexSpec("v", "cosine"),
            VectorIndexSpec("v", "ip", "scalar_8bit", "none"),
        ):
            with pytest.raises(errors.BadRequest, match="invalid vector index"):
                make_table(tx, columns, vector_index=spec)
        index = make_table(tx, columns, vector_index=VectorIndexSpec("v", "l2sq", "none")).vector_index
    quantization = (index.cluster_quantization, index.search_quantization)
    assert (index.sql_distance_function, quantization) == ("array_distance", ("none", "scalar_8bit"))


def test_sorted_tables_say_so(session: Session) -> None:
    """In the columns' metadata, in the statistics, and once: a second key is refused, as is a key column's drop."""
    with session.transaction() as tx:
        made = make_table(tx, sorting_key=["name", "id"])
        metadata = TableMetadata(TableRef(BUCKET, "s", "t"))
        metadata.load(tx)
        assert [field.name for field in metadata.sorted_columns] == ["name", "id"]
        assert made.get_stats().sorting_key_enabled
        assert made.sorting_done()
        with pytest.raises(errors.BadRequest, match="sorted already"):
            made.add_sorting_key(["id"])
        with pytest.raises(errors.BadRequest, match="cannot be dropped"):
            made.drop_column(pa.schema([("id", pa.int64())]))


def test_statistics_count_what_the_transaction_sees(session: Session) -> None:
    """Rows of others are not in them before their commit."""
    fill(session, (1, "a"))
    with session.transaction() as writer, session.transaction() as reader:
        table(writer).insert(batch((2, "b"), (3, "c")))
        assert table(writer).get_stats().num_rows == 3
        assert table(reader).get_stats().num_rows == 1
        assert table(reader).get_stats().size_in_bytes > 0


def test_properties_of_schemas_are_kept(server: LocalVast, session: Session) -> None:
    """What was given at creation or changed later is listed."""
    with session.transaction() as tx:
        api, txid = tx._rpc.api, tx.active_txid
        api.create_schema(BUCKET, "s", txid=txid, schema_properties="one")
        assert api.list_schemas(BUCKET, txid=txid)[1] == [("s", "one")]
        api.alter_schema(BUCKET, "s", txid=txid, schema_properties="two")
        assert api.list_schemas(BUCKET, txid=txid)[1] == [("s", "two")]


def test_projections_are_listed_renamed_and_dropped(session: Session) -> None:
    """Their columns say which are sort keys."""
    with session.transaction() as tx:
        made = make_table(tx)
        made.create_projection("p", ["id"], ["name"])
        made.projection("p").rename("q")
        columns, *_ = tx._rpc.api.list_projection_columns(BUCKET, "s", "t", "q", txid=tx.active_txid)
        kinds = {field.name: field.metadata[b"VAST:sort_type"] for field in columns}
        assert kinds == {"id": b"Sorted", "name": b"Unsorted"}
        made.projection("q").drop()
        assert made.projections() == []


def test_a_bucket_has_no_snapshots(session: Session) -> None:
    """The listing is empty, and a snapshot's path holds no schema."""
    with session.transaction() as tx:
        assert tx.bucket(BUCKET).snapshots() == []


def test_versions_before_5_5_send_no_field_metadata() -> None:
    """The SDK then asks for the sorted columns, and finds the same."""
    with LocalVast(version="5.4.0.0") as old, connect(old).transaction() as tx:
        made = make_table(tx, sorting_key=["name"])
        assert [field.metadata for field in made.arrow_schema] == [None, None]
        assert [field.name for field in made._metadata.sorted_columns] == ["name"]
        assert ("GET", "/exr/s/t", "sorted-columns") in [served[:3] for served in old.requests]
        assert rows(make_table(tx, name="u")) == []


def test_versions_before_5_4_drop_time_zones() -> None:
    """The column is declared without; values with one are taken.

    The ADBC driver refuses such a version, so the SDK opens no transaction here.
    """
    columns = pa.schema([("id", pa.int64()), ("at", pa.timestamp("us", tz="UTC"))])
    with LocalVast(version="5.3.1.0") as old:
        api = connect(old).api
        api.create_schema(BUCKET, "s")
        api.create_table(BUCKET, "s", "t", columns)
        assert api.list_all_columns(BUCKET, "s", "t", sorted_columns=False).field("at").type == pa.timestamp("us")
        api.insert_rows(BUCKET, "s", "t", serialize_record_batch(batch((1, None), columns=columns)))
        assert api.get_table_stats(BUCKET, "s", "t").num_rows == 1
