"""init, verify, migrate, roll back: the command lines that operators type, against a real stored schema of 1.0.0."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import vast_db_persistence as persistence
from databases import Database, database
from exr_inspector.cli import migrate
from exr_inspector.database.session import Ledger
from exr_inspector.database.tables import ensure_tables
from exr_inspector.operations import migrations
from old_schema import old_database, read_1_0_0, read_parquet, run, state
from project import ROOT
from sample_payloads import payload
from vast_schemas import CURRENT_VERSION, schema_for, vector

SCRIPTS = ("verify_schema", "migrate_v1_0_to_v1_1", "rollback_v1_1", "backup_schema", "restore_schema", "data_integrity_check")
STATS = {"channels": [{"part_index": 0, "channel_name": "R", "pixel_count": 4, "min_value": 0.5, "is_constant": True}]}


@pytest.fixture
def old() -> Iterator[Database]:
    """An endpoint with the tables of 1.0.0."""
    with old_database() as running:
        yield running


@pytest.fixture
def empty() -> Iterator[Database]:
    """An endpoint without any table."""
    with database() as running:
        yield running


def kinds(answer: dict) -> list[tuple[str, str, str | None]]:
    return [(one["kind"], one["table"], one["column"]) for one in answer["differences"]]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_explains_itself(script: str) -> None:
    """As it is typed, with any Python, without an endpoint."""
    command = [sys.executable, f"scripts/{script}.py", "--help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"Usage: {script}.py" in shown.stdout
    assert f"\n    {script}.py " in shown.stdout
    assert "--json" in shown.stdout


def test_init_makes_what_verify_expects(empty: Database) -> None:
    """From nothing; a second run has nothing to do, and the function stores into it."""
    assert run(empty, "verify")[0] == 3
    status, planned = run(empty, "init", "--dry-run")
    assert (status, table_names_or_none(empty)) == (0, None)
    status, made = run(empty, "init")
    assert (status, made["steps"]) == (0, planned["steps"])
    status, answer = run(empty, "verify")
    assert (status, answer["differences"], answer["recorded_version"]) == (0, [], CURRENT_VERSION)
    assert run(empty, "init")[1]["steps"] == []
    assert persistence.persist_to_vast_database(payload(), session=empty.store())["inserted"]


def table_names_or_none(running: Database) -> list[str] | None:
    names = state(running).tables
    return sorted(names) if names else None


def test_init_adopts_what_the_function_made(empty: Database) -> None:
    """Tables that were made on first use are as they should be, and lack only the record, which init writes; rows stay."""
    empty.warm()
    status, answer = run(empty, "verify")
    assert (status, answer["differences"], answer["recorded_version"]) == (0, [], None)
    assert run(empty, "init")[0] == 0
    status, answer = run(empty, "verify")
    assert (status, answer["recorded_version"]) == (0, CURRENT_VERSION)
    assert len(empty.rows("files")) == 1


def test_init_of_an_older_version_is_for_tests_of_migrations(empty: Database) -> None:
    """1.0.0 is four tables; verify takes its version from the records."""
    assert run(empty, "init", "--version", "1.0.0")[0] == 0
    status, answer = run(empty, "verify")
    assert (status, answer["version"]) == (0, "1.0.0")
    assert sorted(answer["rows"]) == ["attributes", "channels", "files", "parts"]


def test_init_does_not_migrate_in_passing(old: Database) -> None:
    """Rows of an older version are somebody's decision; the message names the script."""
    status, answer = run(old, "init")
    assert status == 2
    assert "exr-inspector schema migrate" in answer["error"]["remedy"]
    assert state(old).version == "1.0.0"


def test_verify_names_every_difference_with_its_remedy(empty: Database) -> None:
    """A missing column, a foreign table and column, a wrong type and a missing table, each found where it is."""
    run(empty, "init")
    loaded: dict = {}
    with empty.store().transaction(Ledger(), loaded) as work:
        text = schema_for("files").empty_table().select(["etag"])
        loaded.update({name: work.load(name) for name in ("parts", "channels", "attributes")})
        work.drop_columns("parts", schema_for("parts").empty_table().select(["host"]).schema)
        work.drop_columns("channels", schema_for("channels").empty_table().select(["x_sampling"]).schema)
        work.add_columns("channels", text.rename_columns(["x_sampling"]).schema)
        work.add_columns("channels", text.rename_columns(["mine"]).schema)
        work.drop("attributes")
        work.create({"notes": (text.schema, None)})
    status, answer = run(empty, "verify")
    assert status == 3
    assert sorted(kinds(answer), key=str) == [
        ("extra_column", "channels", "mine"),
        ("extra_table", "notes", None),
        ("missing_column", "parts", "host"),
        ("missing_table", "attributes", None),
        ("type", "channels", "x_sampling"),
    ]
    assert all(one["remedy"] for one in answer["differences"])


def test_verify_finds_vectors_of_another_dimension_and_a_missing_index(empty: Database) -> None:
    """A table that somebody made by hand, without the index and with short vectors."""
    run(empty, "init")
    short = pa.field("channel_fingerprint", vector(64))
    fields = [short if field.name == short.name else field for field in schema_for("files")]
    with empty.store().transaction(Ledger()) as work:
        work.drop("files")
        work.create({"files": (pa.schema(fields), None)})
    status, answer = run(empty, "verify")
    assert status == 3
    assert kinds(answer) == [("vector_dimension", "files", "channel_fingerprint"), ("index", "files", "metadata_embedding")]


def test_expected_tables_can_be_named(empty: Database) -> None:
    """Exactly those: others are too many, and theirs alone are compared."""
    run(empty, "init", "--version", "1.0.0")
    assert run(empty, "verify", "--expected-tables", "files,parts,channels,attributes")[0] == 0
    status, answer = run(empty, "verify", "--expected-tables", "files, parts")
    assert (status, kinds(answer)) == (3, [("extra_table", "attributes", None), ("extra_table", "channels", None)])


def test_a_server_before_5_5_has_no_index_to_miss() -> None:
    """The index is asked for where it is offered, and expected there alone."""
    with database(version="5.3.0.0") as running:
        run(running, "init")
        assert run(running, "verify")[0] == 0


def test_migrate_says_what_it_would_do_and_does_it(old: Database) -> None:
    """A dry run changes nothing; the run ends in a schema that verifies; another one has nothing to do."""
    before = read_1_0_0(old)
    status, planned = run(old, "migrate", "--dry-run", "--backfill")
    assert (status, state(old).records, read_1_0_0(old)) == (0, (), before)
    status, done = run(old, "migrate", "--backfill")
    assert (status, done["steps"]) == (0, planned["steps"])
    assert done["filled"]["files"] == 13
    assert run(old, "verify")[0] == 0
    status, again = run(old, "migrate", "--backfill")
    assert (status, again["steps"], again["filled"]["rows"]) == (0, [], 0)
    assert read_1_0_0(old) == before


def test_a_step_whose_columns_are_there_is_only_recorded(empty: Database) -> None:
    """The function made the tables as they are now; no step would add anything, and the plan says so."""
    ensure_tables(empty.store(), Ledger())
    there = state(empty)
    steps = migrations.pending(there, CURRENT_VERSION)
    assert len(steps) > 6
    assert {migrate._foresee(step, there) for step in steps} == {"there already, would be recorded"}


def test_migrate_goes_on_after_an_interruption(old: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of the steps: the status says so, and the same command does the rest."""
    real, applied = migrations.apply, []

    def interrupted(store: object, step: migrations.Step) -> bool:
        if len(applied) == 6:
            raise KeyboardInterrupt
        applied.append(step)
        return real(store, step)

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "apply", interrupted)
        with pytest.raises(ValueError, match="Expecting value"):
            run(old, "migrate")
    assert [state(old).is_recorded(step) for step in migrations.steps()].count(True) == 6
    assert run(old, "migrate")[1]["steps"] == [step.name for step in migrations.steps()[6:]]
    assert run(old, "verify")[0] == 0


def test_migrate_without_tables_names_init(empty: Database) -> None:
    """There is nothing to migrate in an empty schema."""
    status, answer = run(empty, "migrate")
    assert status == 2
    assert "exr-inspector schema init" in answer["error"]["remedy"]


def test_roll_back_archives_and_drops_and_the_old_reader_works(old: Database, tmp_path: Path) -> None:
    """migrate, write with 1.1.0, roll back, read as 1.0.0 does, migrate again."""
    before = read_1_0_0(old)
    run(old, "migrate", "--backfill")
    assert persistence.persist_to_vast_database(payload("/new.exr") | {"stats": STATS}, session=old.store())["inserted"]
    written = read_1_0_0(old)
    planned = run(old, "rollback", "--dry-run")[1]
    status, done = run(old, "rollback", "--archive-tables", str(tmp_path / "archive"))
    assert (status, done["steps"]) == (0, planned["steps"])
    assert read_1_0_0(old) == written
    assert all(set(before[table]) <= set(written[table]) for table in before)
    assert run(old, "verify", "--version", "1.0.0")[0] == 0
    (stats,) = read_parquet(tmp_path / "archive/pixel_stats.parquet")
    assert (stats["channel_name"], stats["min_value"]) == ("R", 0.5)
    frames = {row["frame_number"] for row in read_parquet(tmp_path / "archive/files.parquet")}
    assert {1001, 1010} <= frames
    assert run(old, "rollback")[1]["steps"] == []
    assert run(old, "migrate", "--backfill")[0] == 0
    assert run(old, "verify")[0] == 0


def test_an_archive_is_never_overwritten(old: Database, tmp_path: Path) -> None:
    """A second roll-back into the same folder takes other names."""
    for _ in range(2):
        run(old, "migrate")
        run(old, "rollback", "--archive-tables", str(tmp_path))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[:2] == ["channels-2.parquet", "channels.parquet"]
    assert len(names) == 10


def test_roll_back_goes_on_after_an_interruption(old: Database, tmp_path: Path) -> None:
    """What was taken back stays so; the second run takes back the rest, and the archive has each table once."""
    run(old, "migrate")
    old.server.faults.add("403@commit+3")
    status, answer = run(old, "rollback", "--archive-tables", str(tmp_path))
    assert status in (1, 2)
    assert not answer["ok"]
    old.server.faults.clear()
    left = run(old, "rollback", "--archive-tables", str(tmp_path))[1]["steps"]
    assert 0 < len(left) < 5
    assert run(old, "verify", "--version", "1.0.0")[0] == 0


def test_tables_are_named_without_records(old: Database) -> None:
    """The table of records is exr-inspector's own, and no difference."""
    run(old, "migrate")
    assert migrations.RECORDS in old.table_names()


def test_no_endpoint_is_said_with_the_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the setting, and the status is that of a request that cannot be carried out."""
    from exr_inspector.cli import verify

    monkeypatch.chdir(tmp_path)  # no local data there, which ./scripts/run leaves in the project's folder
    for name in ("VAST_DB_ENDPOINT", "VASTDB_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    assert verify.main([]) == 2
    assert "VAST_DB_ENDPOINT" in capsys.readouterr().err
