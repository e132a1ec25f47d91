"""Samples, test statistics, and the whole staging procedure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

import vast_db_persistence as persistence
from databases import Database, assert_sound
from exr_inspector.cli import rehearse
from exr_inspector.operations import copies
from old_schema import interrupted_at, old_database, read_1_0_0, run, state
from sample_payloads import payload
from vast_schemas import CHILD_TABLES


@pytest.fixture(scope="module")
def old() -> Iterator[Database]:
    """A schema of 1.0.0 that the tests of this module only read."""
    with old_database() as running:
        yield running


def sample(running: Database, target: str, size: int, *more: str) -> tuple[int, dict]:
    arguments = ("--source-schema", running.settings.db_schema, "--target-schema", target, "--sample-size", str(size))
    return run(running, "copy", *arguments, *more)


def test_a_sample_has_whole_files(old: Database) -> None:
    """All versions of a path and all their rows, cell by cell; the tables are of the source's version."""
    assert sample(old, "all", 99)[0] == 0
    assert read_1_0_0(old.at("all")) == read_1_0_0(old)
    assert sample(old, "some", 4)[1]["rows"]["files"] >= 4
    assert state(old.at("some")).version == "1.0.0"
    assert state(old.at("some")).tables["files"].index == state(old).tables["files"].index
    rows = {name: old.at("some").rows(name) for name in ("files", "parts", "channels", "attributes")}
    kept = {row["file_id"] for row in rows["files"]}
    for name in ("parts", "channels", "attributes"):
        assert Counter(row["file_id"] for row in rows[name]) == Counter(
            row["file_id"] for row in old.rows(name) if row["file_id"] in kept
        )


def test_a_larger_sample_holds_the_smaller_one(old: Database) -> None:
    """The choice depends on paths alone, so it is the same wherever it is made."""
    small = sample(old, "one", 3, "--dry-run")[1]["paths"]
    large = sample(old, "two", 6, "--dry-run")[1]["paths"]
    assert large[:3] == small
    assert sample(old, "one", 3, "--dry-run")[1]["paths"] == small


def test_an_interrupted_copy_goes_on(old: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is not copied again, and no row comes twice."""
    monkeypatch.setattr(copies, "PATHS", 3)
    with monkeypatch.context() as patch:
        patch.setattr(copies, "_write", interrupted_at(3, copies._write))
        with pytest.raises(ValueError, match="Expecting value"):
            sample(old, "half", 99)
    assert len(sample(old, "half", 99)[1]["paths"]) == 12 - 6
    assert sample(old, "half", 99)[1]["paths"] == []
    assert read_1_0_0(old.at("half")) == read_1_0_0(old)


def test_a_lost_answer_copies_nothing_twice(old: Database) -> None:
    """The second attempt sees what the first one committed."""
    old.server.faults.add("lost@commit+5")
    assert sample(old, "lost", 99)[0] == 0
    old.server.faults.clear()
    assert read_1_0_0(old.at("lost")) == read_1_0_0(old)


def test_a_schema_is_not_copied_into_itself(old: Database) -> None:
    """And one that does not exist has nothing to copy."""
    assert sample(old, "exr", 1)[0] == 2
    assert run(old, "copy", "--source-schema", "none", "--target-schema", "b", "--sample-size", "1")[0] == 2


def test_test_statistics_go_to_as_many_files_as_asked_for() -> None:
    """Current files by file_id; a larger number goes on; the result is sound."""
    with old_database() as running:
        assert "migrate" in run(running, "insert_test_stats", "--file-count", "3")[1]["error"]["remedy"]
        run(running, "migrate")
        run(running, "recompute")
        assert run(running, "insert_test_stats", "--file-count", "3", "--dry-run")[1]["rows"] == 0
        first = run(running, "insert_test_stats", "--file-count", "3")[1]
        assert (first["files"], first["already"]) == (3, 0)
        assert first["rows"] == len(running.rows("pixel_stats")) + len(running.rows("validation_results"))
        again = run(running, "insert_test_stats", "--file-count", "5")[1]
        assert (again["files"], again["already"]) == (2, 3)
        assert {row["details"] for row in running.rows("pixel_stats")} == {'{"test":true}'}
        assert_sound(running.contents())
        assert run(running, "check")[0] == 0


def test_the_procedure_runs_from_copy_to_a_second_migration() -> None:
    """On a local endpoint with what 1.0.0 wrote; every command succeeds, and its own schema is gone at the end."""
    parser_options = ["--sample-size", "5", "--json"]
    assert rehearse.main(parser_options) == 0


def test_a_dry_run_of_the_rehearsal_lists_its_commands(old: Database) -> None:
    """Those that it would run, in order; no schema is made."""
    status, answer = run(old, "rehearse", "--dry-run", "--sample-size", "4")
    assert (status, answer["dry_run"]) == (0, True)
    assert answer["stages"][0].startswith("schema copy --source-schema renders/")
    assert answer["stages"][-1] == "schema check"
    assert state(old.at("exr_rehearsal")).tables == {}


def test_the_procedure_leaves_the_schema_that_it_reads_alone(old: Database) -> None:
    """It writes into a schema of its own, and drops that."""
    before = read_1_0_0(old)
    status, answer = run(old, "rehearse", "--sample-size", "4")
    assert (status, [stage["status"] for stage in answer["stages"]]) == (0, [0] * 16)
    assert read_1_0_0(old) == before
    assert state(old.at("exr_rehearsal")).tables == {}


def test_the_procedure_stops_at_the_first_failure() -> None:
    """A schema that is of 1.1.0 already cannot be rehearsed as one of 1.0.0; the answer names the command."""
    with old_database() as running:
        run(running, "migrate")
        persistence.persist_to_vast_database(payload("/new.exr"), session=running.store())
        status, answer = run(running, "rehearse")
        assert status == 3
        assert answer["stages"][-1]["command"].startswith("schema verify")
        assert len(answer["stages"]) == 3
        assert set(CHILD_TABLES) <= set(state(running).tables)
