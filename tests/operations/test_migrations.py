"""Steps between schema versions: whole or not at all, recorded with what they do, and without loss on the way back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

import vast_db_persistence as persistence
from databases import Database
from exr_inspector.database.session import Ledger
from exr_inspector.errors import Reject, SchemaDrift, VASTDatabaseError
from exr_inspector.operations import fill, migrations, transactions
from old_schema import fixture, old_database, read_1_0_0, state
from sample_payloads import payload
from vast_schemas import CURRENT_VERSION, TABLES, VERSIONS, schema_for, tables_at


@pytest.fixture
def old() -> Iterator[Database]:
    """An endpoint with the tables of 1.0.0."""
    with old_database() as running:
        yield running


def migrate(running: Database) -> None:
    store = running.store()
    for step in migrations.pending(migrations.read_state(store)):
        migrations.apply(store, step)


def test_the_steps_of_all_versions_lead_to_the_current_tables() -> None:
    """What the steps add, in their order, is what vast_schemas says of the newest version."""
    columns: dict[str, list[str]] = {}
    for step in migrations.steps():
        columns.setdefault(step.table, []).extend(step.schema.names)
    assert columns == {table.name: schema_for(table.name).names for table in tables_at()}


def test_a_version_that_does_not_exist_has_no_steps() -> None:
    """The message names those that there are."""
    with pytest.raises(KeyError, match=r"0\.9\.0.*1\.0\.0, 1\.1\.0"):
        migrations.steps("0.9.0")


def test_the_fixture_is_what_1_0_0_wrote(old: Database) -> None:
    """Tables without records are recognised by their columns; nothing is recorded yet."""
    current = state(old)
    assert (current.version, current.recorded_version) == ("1.0.0", None)
    assert current.tables["files"].rows == fixture("files").num_rows == 13


def test_pending_writes_nothing(old: Database) -> None:
    """Asking what is to do leaves no request behind but reads."""
    current = state(old)
    old.server.requests.clear()
    todo = migrations.pending(current)
    assert [step.name for step in todo if step.version == "1.1.0"] == [
        "1.1.0/extend-files",
        "1.1.0/extend-parts",
        "1.1.0/extend-channels",
        "1.1.0/create-pixel_stats",
        "1.1.0/create-validation_results",
    ]
    assert old.server.requests == []
    assert migrations.RECORDS not in old.table_names()


def test_a_migrated_schema_takes_what_the_function_writes(old: Database) -> None:
    """Before, the function refuses and names the script; afterwards it stores."""
    refused = persistence.persist_to_vast_database(payload("/new.exr"), session=old.store())
    assert refused["error"]["code"] == "schema_drift"
    assert "exr-inspector schema migrate" in refused["error"]["remedy"]
    migrate(old)
    assert persistence.persist_to_vast_database(payload("/new.exr"), session=old.store())["inserted"]


def test_a_migration_leaves_what_1_0_0_reads_as_it_was(old: Database) -> None:
    """Columns are added, and every old cell stays; also when the new ones are filled."""
    before = read_1_0_0(old)
    migrate(old)
    assert list(fill.fill(old.store()))
    assert read_1_0_0(old) == before


def test_an_applied_step_is_not_applied_again(old: Database) -> None:
    """A second run finds nothing to do, and a step that is applied all the same changes nothing."""
    migrate(old)
    current = state(old)
    assert migrations.pending(current) == []
    assert current.version == current.recorded_version == CURRENT_VERSION
    assert [migrations.apply(old.store(), step) for step in migrations.steps()] == [False] * len(migrations.steps())
    assert len(state(old).records) == len(migrations.steps())


@pytest.mark.parametrize("fault", ["409@commit+2*99", "409@alter*99", "409@create+1*99", "409@insert+1*99"])
def test_a_step_and_its_record_come_together_or_not_at_all(fault: str) -> None:
    """Wherever a run breaks off, what is recorded is what is there, and a second run does the rest."""
    with old_database() as running, pytest.MonkeyPatch.context() as patch:
        patch.setattr(transactions, "_LONGEST_WAIT", 0.001)
        patch.setattr(transactions, "ATTEMPTS", 2)
        running.server.faults.add(fault)
        try:
            migrate(running)
        except VASTDatabaseError:
            broke = True
        else:
            broke = False
        running.server.faults.clear()
        current = state(running)
        assert [step for step in migrations.steps() if current.is_recorded(step) and not current.has(step)] == []
        assert broke == (current.recorded_version != CURRENT_VERSION)
        migrate(running)
        assert state(running).recorded_version == CURRENT_VERSION


def test_a_conflict_is_tried_again(old: Database) -> None:
    """Another operator's change at the same moment costs an attempt, not the run."""
    old.server.faults.add("409@commit")
    old.server.faults.add("lost@commit+3")
    migrate(old)
    assert state(old).recorded_version == CURRENT_VERSION
    assert len({record.name for record in state(old).records}) == len(state(old).records)


def test_a_column_of_another_type_stops_a_migration_before_it_writes(old: Database) -> None:
    """No step mends it, so the message names the column and nothing changes."""
    store = old.store()
    loaded = {}
    with store.transaction(Ledger(), loaded) as work:
        loaded["parts"] = work.load("parts")
        work.add_columns("parts", schema_for("channels").empty_table().select(["aov_role"]).rename_columns(["host"]).schema)
        work.drop_columns("parts", schema_for("parts").empty_table().select(["width"]).schema)
        wrong = schema_for("parts").empty_table().select(["part_name"]).rename_columns(["width"]).schema
        work.add_columns("parts", wrong)
    with pytest.raises(SchemaDrift, match="column width of table parts is string, expected int64"):
        migrations.pending(state(old))


def test_filling_finds_what_the_current_code_would_have_written(old: Database) -> None:
    """Values that come from raw_output and paths equal those of a fresh inspection of the same payload."""
    migrate(old)
    done = list(fill.fill(old.store()))
    assert sum(one.files for one in done) == 13
    assert sum(one.by_path_only for one in done) == 0
    frame = old.current("s3://renders/shows/apollo/seq/ab/shots/ab_0010/beauty_v003.1004.exr")
    place = (frame["frame_number"], frame["show_name"], frame["sequence_name"], frame["shot_name"])
    assert place == (1004, "apollo", "ab", "ab_0010")
    assert (frame["bit_depth"], frame["colorspace"], frame["version_token"]) == (32, "ACEScg", "v003")
    assert frame["chunk_sizes_sha256"] == "c0ffee"
    assert frame["path"] == "renders/shows/apollo/seq/ab/shots/ab_0010/beauty_v003.1004.exr"
    (part,) = (row for row in old.rows("parts") if row["file_id"] == frame["file_id"])
    assert (part["render_software_version"], part["render_seconds"], part["host"]) == ("7.2.1", 12.5, "farm-07")
    roles = {row["channel_name"]: row["aov_role"] for row in old.rows("channels") if row["file_id"] == frame["file_id"]}
    assert roles["Z"] == "depth"


def test_filling_goes_on_where_it_was_interrupted(old: Database) -> None:
    """The range that was in hand is lost, those before it are not done again, and the outcome is the same."""
    migrate(old)
    for count, _ in enumerate(fill.fill(old.store(), 2), start=1):
        if count == 3:
            break
    (progress,) = (record.progress for record in state(old).records if record.name == migrations.fill_name())
    assert progress
    rest = list(fill.fill(old.store(), 2))
    assert len(rest) == 4
    assert all(row["sequence_key"] for row in old.rows("files"))
    (progress,) = (record.progress for record in state(old).records if record.name == migrations.fill_name())
    assert progress is None


def test_filling_again_finds_what_an_old_writer_added(old: Database) -> None:
    """Writers of 1.0.0 may go on meanwhile; their rows are found by the next run, and nobody else's are touched."""
    migrate(old)
    list(fill.fill(old.store()))
    late = fixture("files").slice(0, 1).to_pylist()[0] | {"file_id": "f" * 64, "inspection_id": "late"}
    store = old.store()
    loaded = {}
    with store.transaction(Ledger(), loaded) as work:
        loaded["files"] = work.load("files")
        work.insert({"files": fixture("files").schema.empty_table().from_pylist([late], schema=fixture("files").schema)})
    assert sum(one.rows for one in fill.fill(store)) == 1


def test_a_raw_output_that_was_cut_is_filled_as_far_as_it_reaches() -> None:
    """Sections that were too large to store count as absent, and without any raw_output the path speaks."""
    row = {"file_path": "/s/a.1001.exr", "file_path_normalized": "/s/a.1001.exr"}
    cut = '{"file": {"path": "/s/a.1001.exr", "path_normalized": "/s/a.1001.exr"}, "channels": {"omitted": true, "bytes": 1}}'
    for text, usable in ((cut, True), (None, False), ('{"omitted": true}', False), ("not JSON", False)):
        tables, was_usable = fill.recompute_rows(row | {"raw_output": text})
        assert was_usable is usable
        assert (tables["files"][0]["frame_number"], tables["files"][0]["sequence_key"]) == (1001, "/s/a.#.exr")


def test_going_back_leaves_1_0_0_byte_for_byte_and_forward_again_works(old: Database) -> None:
    """migrate, fill, revert: what the old reader sees is what it saw; and a second migration ends like the first."""
    before = read_1_0_0(old)
    migrate(old)
    list(fill.fill(old.store()))
    for step in reversed([step for step in migrations.steps() if step.version == "1.1.0"]):
        assert migrations.revert(old.store(), step)
        assert not migrations.revert(old.store(), step)
    current = state(old)
    assert (current.version, current.recorded_version) == ("1.0.0", "1.0.0")
    assert read_1_0_0(old) == before
    migrate(old)
    assert state(old).version == CURRENT_VERSION


def test_what_an_archive_refuses_is_not_dropped(old: Database) -> None:
    """The archive is complete before anything goes."""
    migrate(old)
    step = migrations.Step("1.1.0", "create", "pixel_stats")

    def full_disk(_: object, __: object) -> None:
        raise Reject("No space left on device")

    with pytest.raises(Reject, match="No space"):
        migrations.revert(old.store(), step, full_disk)
    assert state(old).has(step)
    assert state(old).is_recorded(step)


def test_ranges_cover_every_file_id_once() -> None:
    """Neighbours meet, the first begins at the start, the last is open."""
    for rows, size, start in ((0, 10, ""), (7, 3, ""), (100_000, 200, ""), (100, 7, "8")):
        ranges = fill.ranges(rows, size, start)
        assert ranges[0][0] == start
        assert ranges[-1][1] is None
        assert [high for _, high in ranges[:-1]] == [low for low, _ in ranges[1:]]
        assert all(high is None or low < high for low, high in ranges)


def test_every_version_after_the_first_only_adds() -> None:
    """A migration can be additive, because no younger version leaves a table or a column out."""
    for older, newer in pairwise(VERSIONS):
        for table in tables_at(older):
            assert {column.name for column in table.at(older)} <= {column.name for column in TABLES[table.name].at(newer)}
