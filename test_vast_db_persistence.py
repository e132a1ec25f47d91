"""The contract of `vast_db_persistence`, readable as its manual.

Every test goes through the unmodified `vastdb` SDK to a `local_vast` endpoint on a free port. Run one by name:

    pytest test_vast_db_persistence.py::TestVectorEmbeddings::test_metadata_embedding_determinism
"""

from __future__ import annotations

import copy
import gc
import math
import sys
import weakref
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
import vastdb

import vast_db_persistence as persistence
import vast_schemas
from exr_inspector.database.rows import new_stamp
from exr_inspector.errors import BadPayload, VASTDatabaseError, VectorEmbeddingError
from exr_inspector.settings import Settings
from local_vast import LocalVast
from sample_payloads import PATH, channel, part, payload, unreadable

Row = dict[str, Any]
STAMP = new_stamp()


@pytest.fixture(scope="module")
def server() -> Iterator[LocalVast]:
    """One endpoint for all tests of this module; each test has a schema of its own."""
    with pytest.MonkeyPatch.context() as patch, LocalVast(buckets=("renders",)) as running:
        # The image does not contain the query engine's driver, which costs two requests a transaction.
        patch.setitem(sys.modules, "adbc_driver_vastdb", None)
        yield running


@pytest.fixture
def settings(server: LocalVast, request: pytest.FixtureRequest) -> Settings:
    """Settings for a schema that no other test uses."""
    return Settings(
        db_endpoint=server.url,
        db_access_key=server.access_key,
        db_secret_key=server.secret_key,
        db_bucket="renders",
        db_schema=request.node.name.lower()[:60].translate({ord("["): "_", ord("]"): "_"}),
    )


@pytest.fixture
def store(settings: Settings) -> persistence.Store:
    """What `init` makes once, for all threads of a container."""
    return persistence.open_store(settings)


def rows(settings: Settings, table: str) -> list[Row]:
    """All rows of a table, read by a plain session."""
    session = vastdb.connect(endpoint=settings.db_endpoint, access=settings.db_access_key, secret=settings.db_secret_key)
    with session.transaction() as tx:
        return tx.bucket(settings.db_bucket).schema(settings.db_schema).table(table).select().read_all().to_pylist()


def current(settings: Settings, path: str = PATH) -> Row:
    """The one current row of a path."""
    (row,) = (row for row in rows(settings, "files") if row["is_current"] and row["file_path_normalized"] == path)
    return row


class TestVectorEmbeddings:
    """Two unit vectors per file, the same on every machine."""

    def test_metadata_embedding_determinism(self) -> None:
        """The same payload gives the same floats; its path and time play no part."""
        first = persistence.compute_metadata_embedding(payload())
        assert persistence.compute_metadata_embedding(copy.deepcopy(payload())) == first
        assert persistence.compute_metadata_embedding(payload("/elsewhere.exr", mtime="2020-01-01T00:00:00Z")) == first

    def test_metadata_embedding_unit_norm(self) -> None:
        """384 finite numbers of length 1."""
        vector = persistence.compute_metadata_embedding(payload())
        assert len(vector) == persistence.DEFAULT_METADATA_EMBEDDING_DIM == 384
        assert math.isclose(math.fsum(x * x for x in vector), 1.0, rel_tol=1e-6)

    def test_channel_fingerprint_follows_the_channels_alone(self) -> None:
        """128 numbers, other for other channels."""
        fingerprint = persistence.compute_channel_fingerprint([channel("R"), channel("G")])
        assert len(fingerprint) == persistence.DEFAULT_CHANNEL_FINGERPRINT_DIM == 128
        assert fingerprint != persistence.compute_channel_fingerprint([channel("R"), channel("G", "FLOAT")])

    def test_a_wrong_dimension_is_refused_with_both_numbers(self) -> None:
        """The column holds 384 numbers."""
        with pytest.raises(VectorEmbeddingError, match=r"384.*100"):
            persistence.payload_to_files_row(payload(), [0.1] * 100)


class TestRows:
    """`payload_to_*`: Arrow tables with exactly the schemas of `vast_schemas`."""

    def test_payload_to_files_row_basic(self) -> None:
        """One row: identity, what was observed, and the vector that was given."""
        embedding = persistence.compute_metadata_embedding(payload())
        table = persistence.payload_to_files_row(payload(), embedding)
        assert table.schema.equals(vast_schemas.FILES_SCHEMA, check_metadata=True)
        (row,) = table.to_pylist()
        assert (row["file_path"], row["status"], row["size_bytes"]) == (PATH, "ok", 1_000_000)
        assert row["metadata_embedding"] == embedding

    @pytest.mark.parametrize("name", ["parts", "channels", "attributes"])
    def test_child_tables_have_their_schemas(self, name: str) -> None:
        """Rows of a file carry its file_id."""
        table = getattr(persistence, f"payload_to_{name}_rows")(payload())
        assert table.schema.equals(vast_schemas.schema_for(name), check_metadata=True)
        assert set(table["file_id"].to_pylist()) == set(persistence.payload_to_files_row(payload())["file_id"].to_pylist())

    def test_a_payload_of_the_first_documents_has_the_same_rows(self) -> None:
        """Types in lower case, parts with `part_index` or in their order alone, and channels of the only part."""
        sparse = payload()
        del sparse["parts"][0]["index"]
        for entry in sparse["channels"]:
            entry["type"] = entry["type"].lower()
            del entry["part_index"]
        for name in ("parts", "channels"):
            (mine, theirs) = (
                getattr(persistence, f"payload_to_{name}_rows")(given, stamp=STAMP) for given in (sparse, payload())
            )
            assert mine.equals(theirs), name
        assert persistence.payload_to_files_row(sparse)["bit_depth"].to_pylist() == [32]

    def test_parts_are_numbered_as_they_say_or_as_they_stand(self) -> None:
        """`index`, else `part_index`, else the position; with several parts a channel has to say which one it is of."""
        document = payload() | {"parts": [part(1), part() | {"index": None, "part_index": 0}, part()]}
        del document["parts"][2]["index"]
        assert persistence.payload_to_parts_rows(document)["part_index"].to_pylist() == [1, 0, 2]
        del document["channels"][0]["part_index"]
        with pytest.raises(BadPayload, match=r"channels\[0\]\.part_index"):
            persistence.payload_to_channels_rows(document)


class TestPersist:
    """`persist_to_vast_database`: one file, one transaction, one honest result."""

    def test_persist_new_file_success(self, store: persistence.Store, settings: Settings) -> None:
        """A new file: rows in four tables, found through the SDK."""
        result = persistence.persist_to_vast_database(payload(), session=store)
        assert (result["status"], result["inserted"], result["superseded"], result["inspection_count"]) == ("stored", True, 0, 1)
        assert result["error"] is None
        assert {name: len(rows(settings, name)) for name in vast_schemas.TABLES} == {
            "files": 1, "parts": 1, "channels": 7, "attributes": 7, "pixel_stats": 0, "validation_results": 0,
        }  # fmt: skip
        (row,) = rows(settings, "files")
        assert row["file_id"] == result["file_id"]
        assert row["metadata_embedding"] == persistence.compute_metadata_embedding(payload())

    def test_a_repeated_delivery_adds_no_row(self, store: persistence.Store, settings: Settings) -> None:
        """It is counted, and what was observed is refreshed."""
        persistence.persist_to_vast_database(payload(), session=store)
        result = persistence.persist_to_vast_database(payload(size_bytes=5, etag="new", status="incomplete"), session=store)
        assert (result["inserted"], result["inspection_count"]) == (False, 2)
        (row,) = rows(settings, "files")
        assert (row["inspection_count"], row["size_bytes"], row["etag"], row["status"]) == (2, 5, "new", "incomplete")
        assert row["last_inspected"] > row["first_seen"]
        assert len(rows(settings, "channels")) == 7

    def test_a_newer_version_becomes_current(self, store: persistence.Store, settings: Settings) -> None:
        """The older one stays, with `is_current` false."""
        persistence.persist_to_vast_database(payload(header="v1"), session=store)
        result = persistence.persist_to_vast_database(payload(header="v2", mtime="2026-02-01T00:00:00Z"), session=store)
        assert (result["inserted"], result["superseded"]) == (True, 1)
        assert [row["is_current"] for row in rows(settings, "files")] == [False, True]
        assert current(settings)["etag"] == "etag-v2"

    def test_an_older_version_that_arrives_late_does_not(self, store: persistence.Store, settings: Settings) -> None:
        """It is stored beside the newer one."""
        persistence.persist_to_vast_database(payload(header="v2", mtime="2026-02-01T00:00:00Z"), session=store)
        result = persistence.persist_to_vast_database(payload(header="v1", mtime="2026-01-01T00:00:00Z"), session=store)
        assert (result["inserted"], result["is_current"], result["superseded"]) == (True, False, 0)
        assert current(settings)["etag"] == "etag-v2"

    def test_going_back_to_an_earlier_version(self, store: persistence.Store, settings: Settings) -> None:
        """The version's own row becomes current again."""
        for header, day in (("v1", 1), ("v2", 2), ("v1", 3)):
            result = persistence.persist_to_vast_database(
                payload(header=header, mtime=f"2026-02-0{day}T00:00:00Z"), session=store
            )
        assert (result["inserted"], result["superseded"], result["inspection_count"]) == (False, 1, 2)
        assert len(rows(settings, "files")) == 2
        assert current(settings)["etag"] == "etag-v1"

    def test_a_removed_object_and_its_return(self, store: persistence.Store, settings: Settings) -> None:
        """`deleted_at` stands on the current row until the file is there again."""
        persistence.persist_to_vast_database(payload(mtime="2026-02-01T00:00:00Z"), session=store)
        removal = persistence.mark_removed(PATH, datetime.fromisoformat("2026-02-02T00:00:00+00:00"), session=store)
        assert removal["status"] == "stored"
        assert current(settings)["deleted_at"].isoformat() == "2026-02-02T00:00:00"
        persistence.persist_to_vast_database(payload(mtime="2026-02-03T00:00:00Z"), session=store)
        assert current(settings)["deleted_at"] is None

    def test_a_removal_that_arrives_late_changes_nothing(self, store: persistence.Store, settings: Settings) -> None:
        """The file was written after it."""
        persistence.persist_to_vast_database(payload(mtime="2026-02-03T00:00:00Z"), session=store)
        removal = persistence.mark_removed(PATH, datetime.fromisoformat("2026-02-02T00:00:00+00:00"), session=store)
        assert removal["status"] == "skipped"
        assert current(settings)["deleted_at"] is None

    def test_a_file_that_is_no_exr_is_stored(self, store: persistence.Store, settings: Settings) -> None:
        """It is a row with its reason, superseded when the file becomes readable."""
        persistence.persist_to_vast_database(unreadable(mtime="2026-02-01T00:00:00Z"), session=store)
        assert (current(settings)["status"], current(settings)["error_code"]) == ("unreadable", "not_exr")
        persistence.persist_to_vast_database(payload(mtime="2026-02-02T00:00:00Z"), session=store)
        assert current(settings)["status"] == "ok"

    def test_a_wrong_type_is_refused_before_anything_is_written(self, store: persistence.Store, settings: Settings) -> None:
        """The result names the field, what was expected and what came."""
        persistence.persist_to_vast_database(payload("/other.exr"), session=store)
        bad = payload()
        bad["channels"][2]["type"] = 5
        result = persistence.persist_to_vast_database(bad, session=store)
        assert (result["status"], result["inserted"], result["requests"]) == ("error", False, 0)
        assert result["error"]["field"] == "channels[2].type"
        assert "expected a text, got int 5" in result["message"]
        assert [row["file_path"] for row in rows(settings, "files")] == ["/other.exr"]

    def test_statistics_of_a_stored_version_replace_the_earlier_ones(self, store: persistence.Store, settings: Settings) -> None:
        """Findings are replaced per policy."""

        def findings(policy: str, status: str) -> Row:
            stats = {"channels": [{"part_index": 0, "channel_name": "R", "nan_count": len(status)}]}
            results = [{"policy_id": policy, "rule_id": "r", "status": status}]
            return payload() | {"stats": stats, "validation": {"results": results}}

        for policy, status in (("a", "PASS"), ("b", "WARN"), ("a", "FAIL")):
            persistence.persist_to_vast_database(findings(policy, status), session=store)
        stored = rows(settings, "validation_results")
        assert {(row["policy_id"], row["status"]) for row in stored} == {("a", "FAIL"), ("b", "WARN")}
        assert len(stored) == 2
        assert len(rows(settings, "pixel_stats")) == 1
        assert {row["inspection_id"] for row in stored} == {current(settings)["inspection_id"]}


class TestBatch:
    """`persist_batch`: many files, one transaction."""

    def test_a_bad_payload_does_not_keep_the_others_back(self, store: persistence.Store, settings: Settings) -> None:
        """Each file has its result, in order."""
        results = persistence.persist_batch(
            [payload("/a.exr"), {"file": {}}, payload("/b.exr"), payload("/a.exr")], session=store
        )
        assert [result["status"] for result in results] == ["stored", "error", "stored", "stored"]
        assert [result["inspection_count"] for result in results] == [1, None, 1, 2]
        assert sorted(row["file_path"] for row in rows(settings, "files")) == ["/a.exr", "/b.exr"]

    def test_an_empty_batch_is_no_work(self, store: persistence.Store) -> None:
        """Nothing in, nothing out."""
        assert persistence.persist_batch([], session=store) == []


class TestWithoutDatabase:
    """What happens where there is no endpoint, or none that answers."""

    def test_no_endpoint_is_skipped_with_the_name_of_the_setting(self) -> None:
        """The inspection still returns."""
        result = persistence.persist_to_vast_database(payload(), settings=Settings())
        assert (result["status"], result["missing_setting"]) == ("skipped", "VAST_DB_ENDPOINT")

    def test_an_unreachable_endpoint_is_raised(self) -> None:
        """The platform delivers the event again."""
        nobody = Settings(db_endpoint="http://127.0.0.1:9", db_access_key="a", db_secret_key="s3cr3t")
        with pytest.raises(VASTDatabaseError, match=r"127\.0\.0\.1:9") as caught:
            persistence.persist_to_vast_database(payload(), settings=nobody)
        assert "s3cr3t" not in str(caught.value)

    def test_settings_alone_are_enough(self, settings: Settings) -> None:
        """Without a store, one is opened and kept for these settings."""
        assert persistence.persist_to_vast_database(payload(), settings=settings)["inserted"] is True
        assert persistence.persist_to_vast_database(payload(), settings=settings)["inserted"] is False

    def test_a_plain_session_that_is_given_again_loads_the_tables_once(self, server: LocalVast, settings: Settings) -> None:
        """The second new file costs ten requests, as with a store; the session is let go when its owner lets it go."""
        session = persistence._create_vastdb_session(settings=settings)
        persistence.persist_to_vast_database(payload(), session=session, settings=settings)
        server.clear_requests()
        result = persistence.persist_to_vast_database(payload("/second.exr"), session=session, settings=settings)
        assert (result["requests"], len(server.requests)) == (10, 10)
        alive = weakref.ref(session)
        del session
        gc.collect()
        assert alive() is None

    def test_a_plain_session_serves_several_schemas(self, settings: Settings) -> None:
        """What is remembered of it goes by schema."""
        session = persistence._create_vastdb_session(settings=settings)
        other = replace(settings, db_schema=f"{settings.db_schema}_other")
        for place in (settings, other, settings):
            persistence.persist_to_vast_database(payload(), session=session, settings=place)
        assert [current(place)["inspection_count"] for place in (settings, other)] == [2, 1]

    def test_a_plain_session_is_accepted(self, settings: Settings) -> None:
        """`_create_vastdb_session` makes what the SDK's `connect` makes."""
        session = persistence._create_vastdb_session(settings=settings)
        assert persistence.persist_to_vast_database(payload(), session=session, settings=settings)["inserted"] is True


def test_the_documented_names_are_there() -> None:
    """`__all__` carries them, re-exported from where they live."""
    for name in persistence.__all__:
        assert hasattr(persistence, name), name
