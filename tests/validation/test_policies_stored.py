"""Findings in the tables, and policies over what is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import vast_db_persistence as persistence
from databases import Database, database
from exr_inspector.cli.validate import main
from exr_inspector.validation.policy import parse_policy
from exr_inspector.validation.validate import validate
from sample_payloads import PATH, payload

POLICY = """
id = "house"
version = "{version}"
[[rule]]
id = "lossless"
kind = "compression"
severity = "FAIL"
allowed = ["{allowed}"]
suggested_fix = "oiiotool {{path}} --compression piz -o {{path}}"
[[rule]]
id = "flat"
kind = "deep"
severity = "WARN"
allowed = false
"""


def policy(version: str = "1", allowed: str = "piz"):
    return parse_policy(POLICY.format(version=version, allowed=allowed), "house.toml")


@pytest.fixture
def db() -> Iterator[Database]:
    """An endpoint with empty tables."""
    with database() as running:
        yield running


def persist(db: Database, document: dict, **changes) -> None:
    document["validation"] = validate(document, policy(**changes))
    persistence.persist_to_vast_database(document, session=db.store())


def results(db: Database) -> list[tuple[str, str, str, str]]:
    rows = db.rows("validation_results")
    return sorted((row["policy_version"], row["rule_id"], row["status"], row["status_code"]) for row in rows)


def test_findings_are_rows(db):
    """One per rule and file, with what was expected and found as JSON."""
    persist(db, payload())
    assert results(db) == [("1", "flat", "PASS", "ok"), ("1", "lossless", "FAIL", "compression_not_allowed")]
    (row,) = (row for row in db.rows("validation_results") if row["status"] == "FAIL")
    assert (row["policy_id"], row["severity"], row["part_index"]) == ("house", "FAIL", 0)
    assert (json.loads(row["expected"]), json.loads(row["actual"])) == ({"allowed": ["piz"]}, "zip")
    assert row["suggested_fix"] == f"oiiotool {PATH} --compression piz -o {PATH}"
    assert "compression not allowed" in row["message"]


def test_a_repeated_delivery_adds_no_findings(db):
    """Events are delivered at least once."""
    persist(db, payload())
    persist(db, payload())
    assert len(results(db)) == 2


def test_another_policy_version_replaces_the_findings(db):
    """A file that was fine yesterday may fail today's policy."""
    persist(db, payload())
    persist(db, payload(), version="2", allowed="zip")
    assert results(db) == [("2", "flat", "PASS", "ok"), ("2", "lossless", "PASS", "ok")]


def test_a_whole_copy_takes_back_what_was_found_of_the_cut_one(db):
    """Where passes are not reported, nothing is left to say about it."""
    complete = (
        'id = "house"\nversion = "1"\n[[rule]]\nid = "whole"\nkind = "completeness"\nseverity = "FAIL"\nallowed = ["complete"]\n'
    )
    cut = payload(status="incomplete", completeness={"verdict": "truncated"}, size_bytes=900_000)
    for document, statuses in ((cut, ["FAIL"]), (payload(mtime="2026-02-01T00:00:00Z"), [])):
        document["validation"] = validate(document, parse_policy(complete, "house.toml"), passes=False)
        persistence.persist_to_vast_database(document, session=db.store())
        assert [row["status"] for row in db.rows("validation_results")] == statuses


def test_a_policy_without_a_rule_that_applies_takes_its_findings_back(db):
    """The same file, validated by the same policy after its rules were narrowed."""
    persist(db, payload())
    elsewhere = POLICY.format(version="2", allowed="piz").replace("severity", 'paths = ["/elsewhere/*"]\nseverity')
    document = payload()
    document["validation"] = validate(document, parse_policy(elsewhere, "house.toml"))
    persistence.persist_to_vast_database(document, session=db.store())
    assert results(db) == []


@pytest.fixture
def dry_run(db, tmp_path, monkeypatch):
    """`dry_run(*arguments)` runs the command on the stored files."""
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", db.settings.db_access_key)
    monkeypatch.setenv("VAST_DB_SECRET_KEY", db.settings.db_secret_key)
    place = tmp_path / "house.toml"
    place.write_text(POLICY.format(version="1", allowed="piz"))
    schema = f"{db.settings.db_bucket}/{db.settings.db_schema}"
    fixed = ["--stored", "--policy", str(place), "--endpoint", db.settings.db_endpoint, "--schema", schema]

    def run(*arguments: str) -> int:
        return main([*fixed, *arguments])

    return run


def test_a_dry_run_tells_which_stored_files_would_fail(db, dry_run, capsys):
    """The rule, the files, and the totals."""
    fine, wrong = payload("/a/fine.1.exr"), payload("/a/wrong.1.exr")
    fine["parts"][0]["compression"] = "piz"
    for document in (fine, wrong):
        persistence.persist_to_vast_database(document, session=db.store())
    assert dry_run() == 3
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "in /a"
    assert shown[2].startswith("FAIL  lossless: ")
    assert shown[2].endswith("compression not allowed; 1 file")
    assert shown[3] == "      wrong  1"
    assert shown[-1] == "2 files by house 1: 1 pass, 0 with warnings, 1 fail"
    assert db.rows("validation_results") == []


def test_a_dry_run_looks_at_some_paths_and_days(db, dry_run, capsys):
    """A path that nothing has is misspelt; that nothing is new is well."""
    persistence.persist_to_vast_database(payload("/a/wrong.1.exr"), session=db.store())
    assert dry_run("--path", "/b/*") == 2
    assert dry_run("--days", "0") == 0
    assert dry_run("--path", "/a/*", "--days", "1", "--json") == 3
    entry = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (entry["path"], entry["status"], entry["policy_id"]) == ("/a/wrong.1.exr", "FAIL", "house")


def test_a_dry_run_is_about_current_versions_alone(db, dry_run, capsys):
    """What was replaced is not going to be delivered."""
    persistence.persist_to_vast_database(payload("/a/x.1.exr", header="old"), session=db.store())
    newer = payload("/a/x.1.exr", header="new", mtime="2026-03-01T00:00:00Z")
    newer["parts"][0]["compression"] = "piz"
    persistence.persist_to_vast_database(newer, session=db.store())
    assert dry_run() == 0
    assert capsys.readouterr().out == "1 file by house 1: 1 pass, 0 with warnings, 0 fail\n"


def test_a_dry_run_with_a_missing_policy_is_refused(capsys):
    """Exit status 2, and the path."""
    assert main(["--stored", "--policy", "/no/such.toml"]) == 2
    assert "/no/such.toml" in capsys.readouterr().err
