"""The procedures as operators run them, one script after the other, from a schema that 1.0.0 left; and memory that stays flat."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from test_backup import content

import vast_db_persistence as persistence
from databases import BUCKET, Database, assert_sound, database
from exr_inspector.database.session import Ledger
from exr_inspector.operations import backup_files
from old_schema import interrupted_at, migrated_database, read_1_0_0, run, state
from project import ROOT
from sample_payloads import payload
from vast_schemas import schema_for, wire_schema

STATS = {"channels": [{"part_index": 0, "channel_name": "R", "pixel_count": 4}]}


@pytest.fixture
def migrated() -> Iterator[Database]:
    """What 1.0.0 wrote, migrated, with vectors of today and a file that 1.1.0 wrote."""
    with migrated_database() as running:
        assert run(running, "recompute")[0] == 0
        persistence.persist_batch([payload("/shots/new.1001.exr") | {"stats": STATS}], session=running.store())
        yield running


def drop_all(running: Database) -> None:
    with running.store().transaction(Ledger()) as work:
        for name in work.names():
            work.drop(name)


def test_a_schema_that_was_lost_comes_back_whole(migrated: Database, tmp_path: Path) -> None:
    """Backup, drop, restore, verify, check: every cell as it was, vectors bit for bit, and every script is content."""
    before = content(migrated)
    path = str(tmp_path / "backup.tar.gz")
    assert run(migrated, "backup", "--backup-path", path)[0] == 0
    drop_all(migrated)
    assert migrated.table_names() == []
    assert run(migrated, "verify")[0] == 3
    assert run(migrated, "restore", "--backup-path", path)[0] == 0
    assert content(migrated) == before
    assert run(migrated, "verify")[0] == 0
    assert run(migrated, "check")[0] == 0
    assert run(migrated, "recompute", "--dry-run")[1]["files"] == 0
    persistence.persist_to_vast_database(payload("/shots/new.1002.exr"), session=migrated.store())
    assert_sound(migrated.contents())


def row_of(running: Database, path: str) -> dict[str, Any]:
    return {name: repr(value) for name, value in running.current(path).items()}


def test_forward_back_and_forward_again(migrated: Database, tmp_path: Path) -> None:
    """With data of 1.1.0 in it: back, a reader of 1.0.0 sees all rows as they were; forward again, all is as it was migrated."""
    old_view, new_row = read_1_0_0(migrated), row_of(migrated, "/shots/new.1001.exr")
    assert len(migrated.rows("pixel_stats")) == 1
    assert run(migrated, "rollback", "--archive-tables", str(tmp_path / "archive"))[0] == 0
    assert read_1_0_0(migrated) == old_view
    assert (state(migrated).version, "pixel_stats" in migrated.table_names()) == ("1.0.0", False)
    assert run(migrated, "verify", "--version", "1.0.0")[0] == 0
    assert run(migrated, "migrate", "--backfill")[0] == 0
    assert run(migrated, "verify")[0] == 0
    assert run(migrated, "check")[0] == 0
    assert read_1_0_0(migrated) == old_view
    assert row_of(migrated, "/shots/new.1001.exr") == new_row
    assert migrated.rows("pixel_stats") == []
    assert (tmp_path / "archive/pixel_stats.parquet").exists()


@pytest.mark.parametrize("form", ["{}/folder", "{}/one.tar.gz", "s3://renders/backups/cut"])
def test_a_backup_that_is_interrupted_is_taken_again(
    migrated: Database, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of the tables: what is there is no backup, nothing restores from it, and the same command makes one."""
    server, path = migrated.server, form.format(tmp_path)
    for name, value in (("ENDPOINT", server.url), ("ACCESS_KEY", server.access_key), ("SECRET_KEY", server.secret_key)):
        monkeypatch.setenv(f"S3_{name}", value)
    with monkeypatch.context() as patch:
        patch.setattr(backup_files, "write_table", interrupted_at(3, backup_files.write_table))
        with pytest.raises(ValueError, match="Expecting value"):
            run(migrated, "backup", "--backup-path", path)
    other = migrated.at("other")
    assert run(other, "restore", "--backup-path", path)[1]["error"]["code"] == "bad_backup"
    assert state(other).tables == {}
    assert run(migrated, "backup", "--backup-path", path)[0] == 0
    assert run(other, "restore", "--backup-path", path)[0] == 0
    assert content(other) == content(migrated)


ROWS, CELL = 300, 60_000


def fill(running: Database, rows: int) -> None:
    """Rows of files whose raw_output does not compress."""
    schema = wire_schema(schema_for("files"))
    run(running, "init")
    loaded: dict[str, Any] = {}
    with running.store().transaction(Ledger(), loaded) as work:
        loaded["files"] = work.load("files")
        for _ in range(0, rows, 100):
            made = [dict.fromkeys(schema.names) | filled() for _ in range(100)]
            work.insert({"files": pa.Table.from_pylist(made, schema=schema)})


def filled() -> dict[str, Any]:
    key = uuid.uuid4().hex
    paths = {"file_path": f"/{key}", "file_path_normalized": f"/{key}"}
    return paths | {"file_id": key * 2, "raw_output": os.urandom(CELL // 2).hex()}


PROBE = """
import re, sys
from pathlib import Path
from exr_inspector.cli import backup, restore
status = {"backup": backup, "restore": restore}[sys.argv[1]].main(sys.argv[2:])
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
sys.exit(status)
"""


def peak(running: Database, script: str, folder: Path) -> int:
    """The largest memory of a process of its own that runs a script, in bytes."""
    given = running.settings
    keys = {"VAST_DB_ACCESS_KEY": str(given.db_access_key), "VAST_DB_SECRET_KEY": str(given.db_secret_key)}
    place = ["--endpoint", str(given.db_endpoint), "--schema", f"{BUCKET}/{given.db_schema}"]
    command = [sys.executable, "-c", PROBE, script, "--backup-path", str(folder), *place]
    said = subprocess.run(command, cwd=ROOT, env=os.environ | keys, stdout=subprocess.PIPE, text=True, check=True).stdout
    return int(said.split()[-1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
def test_backup_and_restore_need_no_more_memory_for_more_rows(tmp_path: Path) -> None:
    """Four times the rows: the process grows by less than the 54 MB more that go through; holding them takes four times that."""
    more, folders = 3 * ROWS * CELL, (tmp_path / "small", tmp_path / "large")
    with database() as running:
        for folder, rows in zip(folders, (ROWS, 4 * ROWS), strict=True):
            fill(running.at(folder.name), rows)
        taken = [peak(running.at(folder.name), "backup", folder) for folder in folders]
        back = [peak(running.at(f"{folder.name}_2"), "restore", folder) for folder in folders]
        assert state(running.at("large_2")).tables["files"].rows == 4 * ROWS
    assert taken[1] - taken[0] < more
    assert back[1] - back[0] < more
