"""Backup and restore: what comes back is what went in, and what is damaged does not come back at all."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import vast_db_persistence as persistence
from databases import BUCKET, Database, database
from exr_inspector.database.session import Ledger
from exr_inspector.operations import backup_files, backups
from exr_inspector.operations.migrations import RECORDS
from old_schema import interrupted_at, migrated_database, old_database, read_1_0_0, run, state
from sample_payloads import payload
from vast_schemas import TABLES


@pytest.fixture(scope="module")
def full() -> Iterator[Database]:
    """A migrated schema with a file of 1.1.0; the tests of this module only read it."""
    with migrated_database() as running:
        persistence.persist_to_vast_database(payload("/new.exr"), session=running.store())
        yield running


@pytest.fixture
def taken(full: Database, tmp_path: Path) -> Path:
    """A backup of it in a folder."""
    assert run(full, "backup", "--backup-path", str(tmp_path / "backup"))[0] == 0
    return tmp_path / "backup"


def content(running: Database) -> dict[str, list[str]]:
    """All rows of all tables; `float.hex` tells vectors apart that differ in the last bit."""
    return {name: sorted(repr(bitwise(row)) for row in rows) for name, rows in running.contents().items()}


def bitwise(row: dict) -> dict:
    return {key: [x.hex() for x in value] if isinstance(value, list) else value for key, value in row.items()}


@pytest.mark.parametrize("form", ["{}/folder", "{}/one.tar.gz", "s3://renders/backups/one"])
def test_a_backup_restores_to_identical_content(
    full: Database, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every cell of every table, vectors bit for bit, in a folder, a file and a bucket; the restored schema verifies."""
    for name, value in {
        "S3_ENDPOINT": full.server.url,
        "S3_ACCESS_KEY": full.server.access_key,
        "S3_SECRET_KEY": full.server.secret_key,
    }.items():
        monkeypatch.setenv(name, value)
    path = form.format(tmp_path)
    status, taken = run(full, "backup", "--backup-path", path)
    assert (status, taken["rows"]["files"]) == (0, 14)
    other = full.at(f"other_{len(path)}")
    assert run(other, "restore", "--backup-path", path, "--dry-run")[0] == 0
    assert state(other).tables == {}
    assert run(other, "restore", "--backup-path", path)[0] == 0
    assert content(other) == content(full)
    assert run(other, "verify")[0] == 0
    assert run(full, "backup", "--backup-path", path)[1]["error"]["code"] == "bad_backup"


def test_a_schema_is_dropped_and_restored_in_its_place(tmp_path: Path) -> None:
    """backup, drop, restore, verify: the same schema of 1.0.0 as before."""
    with old_database() as running:
        before = read_1_0_0(running)
        run(running, "backup", "--backup-path", str(tmp_path / "b.tgz"))
        with running.store().transaction(Ledger()) as work:
            for name in work.names():
                work.drop(name)
        assert run(running, "restore", "--backup-path", str(tmp_path / "b.tgz"))[0] == 0
        assert read_1_0_0(running) == before
        assert state(running).version == "1.0.0"
        assert state(running).tables["files"].index == ("metadata_embedding", "l2sq")


def test_a_restore_fills_tables_that_init_made(taken: Path) -> None:
    """Empty tables are no obstacle, and the records are those of the backup."""
    with database() as running:
        run(running, "init")
        assert run(running, "restore", "--backup-path", str(taken))[0] == 0
        names = [record.name for record in state(running).records]
        assert len(names) == len(set(names))
        assert "1.1.0/fill" in names


def test_rows_are_never_overwritten(full: Database, taken: Path) -> None:
    """A table that holds rows is named, and nothing is written."""
    before = content(full)
    status, answer = run(full, "restore", "--backup-path", str(taken))
    assert (status, answer["error"]["code"]) == (2, "not_empty")
    assert "--schema" in answer["error"]["remedy"]
    assert content(full) == before


def damage(folder: Path, how: str) -> None:
    file, manifest = folder / "channels.parquet", folder / backup_files.MANIFEST
    document = json.loads(manifest.read_text(encoding="utf-8"))
    if how == "a changed byte":
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif how == "a short file":
        file.write_bytes(file.read_bytes()[:-9])
    elif how == "a missing file":
        file.unlink()
    elif how == "another count":
        document["tables"]["channels"]["rows"] += 1
    elif how == "another format":
        document["format"] = 99
    elif how == "a file outside":
        document["tables"]["channels"]["file"] = "../channels.parquet"
    manifest.write_text("{" if how == "no JSON" else json.dumps(document), encoding="utf-8")
    if how == "no manifest":
        manifest.unlink()


@pytest.mark.parametrize(
    "how",
    [
        "a changed byte", "a short file", "a missing file", "another count", "another format", "a file outside", "no JSON",
        "no manifest",
    ],
)  # fmt: skip
def test_a_damaged_backup_is_refused_before_anything_is_written(full: Database, taken: Path, how: str) -> None:
    """Whatever is wrong with it, the schema stays as empty as it was."""
    damage(taken, how)
    other = full.at("untouched")
    other.server.requests.clear()
    status, answer = run(other, "restore", "--backup-path", str(taken))
    assert (status, answer["error"]["code"]) == (2, "bad_backup")
    assert answer["error"]["remedy"]
    assert [command for command in other.commands() if not command.startswith("GET")] == []


def test_a_truncated_archive_is_refused(full: Database, tmp_path: Path) -> None:
    """A .tar.gz that a full disk cut short, and one that does not exist."""
    path = tmp_path / "b.tar.gz"
    run(full, "backup", "--backup-path", str(path))
    path.write_bytes(path.read_bytes()[:-100])
    assert run(full.at("untouched"), "restore", "--backup-path", str(path))[1]["error"]["code"] == "bad_backup"
    missing = run(full.at("untouched"), "restore", "--backup-path", str(tmp_path / "none.tar.gz"))[1]
    assert "does not exist" in missing["error"]["message"]


def test_an_archive_cannot_write_outside_of_its_folder(full: Database, tmp_path: Path) -> None:
    """A name that climbs out is refused by the unpacking."""
    path, evil = tmp_path / "evil.tar.gz", tmp_path / "evil"
    evil.write_text("x", encoding="utf-8")
    with tarfile.open(path, "w:gz") as archive:
        archive.add(evil, "../../climbed")
    assert run(full.at("untouched"), "restore", "--backup-path", str(path))[0] == 2
    assert not list(tmp_path.parent.glob("climbed"))


def test_an_interrupted_restore_leaves_nothing_and_is_begun_again(taken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tables come in one transaction."""
    with database() as running:
        with monkeypatch.context() as patch:
            patch.setattr(backups, "_fill", interrupted_at(3, backups._fill))
            with pytest.raises(ValueError, match="Expecting value"):
                run(running, "restore", "--backup-path", str(taken))
        assert state(running).tables == {}
        assert run(running, "restore", "--backup-path", str(taken))[0] == 0
        assert len(running.rows("files")) == 14


@pytest.mark.parametrize("fault", ["409@commit", "lost@commit", "409@insert+2", "503@insert"])
def test_a_restore_outlives_passing_conditions(taken: Path, fault: str) -> None:
    """A conflict begins again, a lost answer is settled by counting; no row comes twice."""
    with database() as running:
        running.server.faults.add(fault)
        assert run(running, "restore", "--backup-path", str(taken))[0] == 0
        assert {name: len(rows) for name, rows in running.contents().items()} == {
            name: entry.rows for name, entry in backup_files.verify(taken).tables.items() if name in TABLES
        }


def test_an_interrupted_backup_has_no_manifest_and_is_taken_again(full: Database, tmp_path: Path) -> None:
    """The manifest comes last, so a folder without it is no backup, and may be written into."""
    folder = tmp_path / "half"
    folder.mkdir()
    (folder / "files.parquet").write_bytes(b"half")
    assert run(full.at("untouched"), "restore", "--backup-path", str(folder))[0] == 2
    assert run(full, "backup", "--backup-path", str(folder))[0] == 0
    assert backup_files.verify(folder).tables["files"].rows == 14


def test_a_dry_run_of_a_backup_writes_no_file(full: Database, tmp_path: Path) -> None:
    """It counts the rows of every table."""
    status, answer = run(full, "backup", "--backup-path", str(tmp_path / "b"), "--dry-run")
    assert (status, answer["rows"]["files"], list(tmp_path.iterdir())) == (0, 14, [])


def test_tables_of_others_are_backed_up_as_well(tmp_path: Path) -> None:
    """The schema is restored as it was, with what somebody keeps beside ours."""
    with database() as running:
        run(running, "init")
        with running.store().transaction(Ledger()) as work:
            work.create({"notes": (pa.schema([("note", pa.utf8())]), None)})
        answer = run(running, "backup", "--backup-path", str(tmp_path / "b"))[1]
        assert {"notes", RECORDS} <= set(answer["rows"])
        assert run(running.at("copy"), "restore", "--backup-path", str(tmp_path / "b"))[0] == 0
        assert "notes" in state(running.at("copy")).tables


def test_a_prefix_must_be_named(full: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup over a whole bucket is a slip of the pen; without an object store the setting is named."""
    monkeypatch.setenv("S3_ENDPOINT", full.server.url)
    monkeypatch.setenv("S3_ACCESS_KEY", "local")
    monkeypatch.setenv("S3_SECRET_KEY", "local-secret")
    assert "s3://BUCKET/PREFIX" in run(full, "backup", "--backup-path", f"s3://{BUCKET}")[1]["error"]["message"]
    assert run(full, "backup", "--backup-path", "s3://nobody/has/this")[0] == 2
