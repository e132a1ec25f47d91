"""Rows that contradict each other are found, named and mended; a sound schema is left as it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

import vast_db_persistence as persistence
from databases import Database, assert_sound, filled
from exr_inspector.database import upsert
from exr_inspector.database.session import ROW_ID, Ledger, Work
from exr_inspector.embedding.vectors import EMBEDDING_VERSION
from exr_inspector.operations import recompute, repair
from exr_inspector.operations.migrations import PREVIOUS_VECTORS
from old_schema import interrupted_at, run, state
from sample_payloads import part, payload, unreadable
from vast_schemas import TABLES, schema_for, wire_schema

PATHS = tuple(f"/shots/beauty.{frame}.exr" for frame in range(1001, 1007))
STATS = {"channels": [{"part_index": 0, "channel_name": "R", "pixel_count": 4}]}
SILENT = {"policy_id": "silent", "status": "PASS", "results": []}
SPOKEN = {"policy_id": "spoken", "results": [{"policy_id": "spoken", "rule_id": "r", "status": "PASS", "status_code": "ok"}]}


@pytest.fixture
def stored() -> Iterator[Database]:
    """A schema with several files, one of them unreadable, one of two versions."""
    with filled(fill) as running:
        yield running


def fill(running: Database) -> None:
    documents = [payload(path) | {"stats": STATS, "validation": SILENT} for path in PATHS]
    documents += [payload(PATHS[0]) | {"validation": SPOKEN}]
    documents += [payload(PATHS[0], header="v2", mtime="2026-02-01T12:00:00Z"), unreadable("/shots/broken.exr")]
    persistence.persist_batch(documents, session=running.store())


class Hand:
    """What a careless hand does to the tables."""

    def __init__(self, running: Database, work: Work, loaded: dict[str, Any]) -> None:
        self.running, self.work, self.loaded = running, work, loaded

    def rows(self, table: str, path: str) -> list[dict[str, Any]]:
        """The rows of a path's current version, with `$row_id`."""
        file_id = self.running.current(path)["file_id"]
        names = schema_for(table).names
        return self.work.select(table, names, "file_id", [file_id]).to_pylist()

    def insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Insert rows as they are."""
        plain = [{name: value for name, value in row.items() if name != ROW_ID} for row in rows]
        self.work.insert({table: pa.Table.from_pylist(plain, schema=wire_schema(schema_for(table)))})

    def set(self, row: dict[str, Any], **values: Any) -> None:
        """Change a row of files, also where its vectors cannot be updated."""
        self.work.delete("files", [row[ROW_ID]])
        self.insert("files", [row | values])


def harm(running: Database, kind: str) -> None:
    """Bring about one kind of finding."""
    loaded: dict[str, Any] = {}
    with running.store().transaction(Ledger(), loaded) as work:
        loaded.update({name: work.load(name) for name in TABLES})
        hand = Hand(running, work, loaded)
        file = hand.rows("files", PATHS[1])[0]
        if kind == "orphan":
            hand.insert("channels", [row | {"inspection_id": "nobody"} for row in hand.rows("channels", PATHS[1])])
            work.delete("files", [hand.rows("files", PATHS[2])[0][ROW_ID]])
        elif kind == "duplicate_file":
            hand.insert("files", [file])
        elif kind == "several_current":
            later = file["mtime"] + timedelta(days=1)
            other = {"file_id": "e" * 64, "inspection_id": "other", "channel_count": None, "multipart_count": None}
            hand.insert("files", [file | other | {"mtime": later}])
            hand.insert(
                "pixel_stats",
                [row | {"file_id": "e" * 64, "inspection_id": "other"} for row in hand.rows("pixel_stats", PATHS[1])],
            )
        elif kind == "no_current":
            hand.set(file, is_current=False)
        elif kind == "duplicate_row":
            hand.insert("attributes", hand.rows("attributes", PATHS[1])[:2])
        elif kind == "count":
            work.delete("channels", [row[ROW_ID] for row in hand.rows("channels", PATHS[1])[2:]])
            work.delete("parts", [row[ROW_ID] for row in hand.rows("parts", PATHS[3])])
        elif kind == "contradiction":
            stats = hand.rows("pixel_stats", PATHS[1])
            work.delete("pixel_stats", [stats[0][ROW_ID]])
            hand.insert("pixel_stats", [stats[0] | {"pixel_count": 5}])
            owner = {name: file[name] for name in ("file_id", "inspection_id")}
            finding = owner | {
                "rule_id": "complete",
                "status": "FAIL",
                "status_code": "file_not_complete",
                "actual": '"truncated"',
            }
            hand.insert("validation_results", [finding | {"policy_id": policy} for policy in ("silent", "unasked")])
        elif kind == "vector":
            hand.set(file, metadata_embedding=[float("nan"), *([0.0] * 383)])
            hand.set(hand.rows("files", PATHS[3])[0], channel_fingerprint=[1.0] * 128)
            hand.set(hand.rows("files", PATHS[4])[0], metadata_embedding=None)


MENDED = ("orphan", "duplicate_file", "several_current", "no_current", "duplicate_row", "count", "contradiction", "vector")


def test_a_sound_schema_has_no_findings(stored: Database) -> None:
    """What the function wrote is sound: versions, unreadable files and statistics included. Reading is all that is done."""
    stored.server.requests.clear()
    status, answer = run(stored, "check")
    assert (status, answer["findings"]) == (0, [])
    assert not [command for command in stored.commands() if " rows" in command and not command.startswith("GET")]


@pytest.mark.parametrize("kind", MENDED)
def test_what_is_wrong_is_found_and_mended(stored: Database, kind: str) -> None:
    """Each kind by itself: found, mended, and then gone; what was sound before is the same."""
    harm(stored, kind)
    status, before = run(stored, "check")
    assert (status, set(before["counts"])) == (3, {kind})
    assert all(one["remedy"] for one in before["findings"])
    status, answer = run(stored, "check", "--repair")
    assert (status, answer["findings"]) == (0, [])
    assert answer["repaired"] == before["counts"]
    assert_sound(stored.contents())


def test_a_dry_run_repairs_nothing(stored: Database) -> None:
    """It answers what checking alone answers, and writes no row."""
    harm(stored, "count")
    findings, before = run(stored, "check")[1]["findings"], repr(stored.contents())
    assert run(stored, "check", "--repair", "--dry-run")[1]["findings"] == findings
    assert repr(stored.contents()) == before


def test_a_contradiction_names_the_section_that_is_wrong(stored: Database) -> None:
    """A finding of the policy that raw_output calls silent is wrong twice; one that quotes what files does not say is wrong."""
    harm(stored, "contradiction")
    findings = run(stored, "check")[1]["findings"]
    assert sorted((one["table"], one["policy_id"] or "", one["detail"]) for one in findings) == [
        ("pixel_stats", "", "1 rows are not those that raw_output tells"),
        ("validation_results", "silent", "1 rows are not those that raw_output tells"),
        ("validation_results", "silent", "file_not_complete is found, and completeness is complete"),
        ("validation_results", "unasked", "file_not_complete is found, and completeness is complete"),
    ]


def test_repaired_rows_are_those_that_were_lost(stored: Database) -> None:
    """Rows that raw_output tells come back cell by cell, vectors bit for bit."""
    before = {name: sorted(map(repr, rows)) for name, rows in stored.contents().items()}
    for kind in ("count", "contradiction", "vector"):
        harm(stored, kind)
    assert run(stored, "check", "--repair")[0] == 0
    assert {name: sorted(map(repr, rows)) for name, rows in stored.contents().items()} == before


def test_several_harms_are_mended_in_one_run(stored: Database) -> None:
    """Their order is the script's business."""
    for kind in ("count", "duplicate_row", "orphan", "duplicate_file"):
        harm(stored, kind)
    status, answer = run(stored, "check", "--repair")
    assert (status, answer["findings"]) == (0, [])


def test_an_interrupted_repair_is_finished_by_the_next(stored: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole repairs stay, and the rest is found again."""
    harm(stored, "orphan")
    harm(stored, "count")
    real = repair.repair

    def interrupted(store: Any, kind: str, findings: list[Any]) -> None:
        if kind == "count":
            raise KeyboardInterrupt
        real(store, kind, findings)

    with monkeypatch.context() as patch:
        patch.setattr(repair, "repair", interrupted)
        with pytest.raises(ValueError, match="Expecting value"):
            run(stored, "check", "--repair")
    assert set(run(stored, "check")[1]["counts"]) == {"count"}
    assert run(stored, "check", "--repair")[0] == 0


@pytest.mark.parametrize("column", ["etag", "raw_output"])
def test_a_stale_raw_output_is_reported_and_not_mended(stored: Database, column: str) -> None:
    """Nothing stored tells which of the two is right, so the file is inspected again."""
    row_ids = [row[ROW_ID] for row in stored.rows("files", [ROW_ID, "file_path"]) if row["file_path"] == PATHS[1]]
    loaded: dict[str, Any] = {}
    with stored.store().transaction(Ledger(), loaded) as work:
        loaded["files"] = work.load("files")
        work.update("files", row_ids, pa.table({column: pa.array(["else"] * len(row_ids))}))
    status, answer = run(stored, "check", "--repair")
    assert status == 3
    assert answer["counts"]["stale_raw_output"] == len(row_ids)
    assert "exr-inspector backfill" in answer["findings"][0]["remedy"]


def age(running: Database, paths: tuple[str, ...] = PATHS) -> None:
    """Give rows the vectors of an older algorithm."""
    loaded: dict[str, Any] = {}
    with running.store().transaction(Ledger(), loaded) as work:
        loaded.update({name: work.load(name) for name in TABLES})
        hand = Hand(running, work, loaded)
        for path in paths:
            row = hand.rows("files", path)[0]
            hand.set(row, metadata_embedding=row["metadata_embedding"][::-1], embedding_version=0)
            first = hand.rows("channels", path)[0]
            kind = schema_for("channels").field("channel_fingerprint").type
            work.update("channels", [first[ROW_ID]], pa.table({"channel_fingerprint": pa.array([[1.0] + [0.0] * 127], kind)}))


def test_vectors_are_recomputed_and_the_old_ones_stay_searchable(stored: Database) -> None:
    """Afterwards every vector is the current algorithm's; the earlier ones stand in a table of their own."""
    before = {name: sorted(map(repr, rows)) for name, rows in stored.contents().items()}
    age(stored)
    old = {row["file_id"]: row["metadata_embedding"] for row in stored.rows("files") if row["embedding_version"] == 0}
    assert run(stored, "check")[1]["counts"] == {"old_embedding": len(old)}
    assert run(stored, "recompute", "--dry-run")[1]["files"] == len(old) == 6
    status, answer = run(stored, "recompute", "--batch", "2")
    assert (status, answer["files"]) == (0, 6)
    assert {name: sorted(map(repr, rows)) for name, rows in stored.contents().items()} == before
    assert {row["file_id"]: row["metadata_embedding"] for row in stored.rows(PREVIOUS_VECTORS)} == old
    run(stored, "init")
    assert run(stored, "verify")[0] == 0
    assert run(stored, "recompute")[1]["files"] == 0
    assert run(stored, "recompute", "--drop-previous", "--dry-run")[1]["dropped"] is False
    assert run(stored, "recompute", "--drop-previous")[1]["dropped"] is True
    assert PREVIOUS_VECTORS not in state(stored).tables


def test_recomputing_goes_on_after_an_interruption(stored: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every moment each file has one version's vectors in files, and every old vector is somewhere."""
    age(stored)
    with monkeypatch.context() as patch:
        patch.setattr(recompute, "_replace_range", interrupted_at(3, recompute._replace_range))
        with pytest.raises(ValueError, match="Expecting value"):
            run(stored, "recompute", "--batch", "1")
    versions = [row["embedding_version"] for row in stored.rows("files")]
    kept = len(stored.rows(PREVIOUS_VECTORS)) if PREVIOUS_VECTORS in state(stored).tables else 0
    assert versions.count(0) + kept == 6
    assert run(stored, "recompute", "--batch", "1")[1]["files"] == versions.count(0)
    assert {row["embedding_version"] for row in stored.rows("files")} == {EMBEDDING_VERSION}
    assert len(stored.rows(PREVIOUS_VECTORS)) == 6
    assert_sound(stored.contents())


def test_a_raw_output_that_says_too_little_is_named(stored: Database) -> None:
    """Its vectors stay what they were, and the answer says which file has to be inspected again."""
    age(stored, PATHS[:1])
    row_ids = [row[ROW_ID] for row in stored.rows("files", [ROW_ID, "embedding_version"]) if row["embedding_version"] == 0]
    loaded: dict[str, Any] = {}
    with stored.store().transaction(Ledger(), loaded) as work:
        loaded["files"] = work.load("files")
        work.update("files", row_ids, pa.table({"raw_output": pa.array(['{"omitted": true}'])}))
    status, answer = run(stored, "recompute")
    assert (status, answer["unusable"]) == (3, [PATHS[0]])


def test_a_multi_part_file_gets_a_fingerprint_for_each_part(stored: Database) -> None:
    """They stand on the first channel of each part, and only there."""
    document = payload("/two.exr", multipart_count=2)
    document["parts"] = [part(0), part(1)]
    document["channels"] = document["channels"] + [one | {"part_index": 1} for one in document["channels"]]
    persistence.persist_to_vast_database(document, session=stored.store())
    before = sorted(map(repr, stored.rows("channels")))
    age(stored, ("/two.exr",))
    assert run(stored, "recompute")[0] == 0
    assert sorted(map(repr, stored.rows("channels"))) == before


def test_mending_a_path_is_a_function_of_its_own(stored: Database) -> None:
    """`database.upsert.mend` settles which version is current, and leaves a sound path alone."""
    before = stored.rows("files")
    upsert.mend(stored.store(), [PATHS[0], "/unknown.exr"], Ledger())
    assert sorted(map(repr, stored.rows("files"))) == sorted(map(repr, before))
