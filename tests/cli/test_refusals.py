"""What people are told who ask for what cannot be: the thing, the place and the remedy, without a driver's internals."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from databases import BUCKET, Database, database
from exr_bytes import image
from exr_inspector.cli import validate
from exr_inspector.database.session import Ledger
from exr_inspector.database.tables import ensure_tables
from exr_inspector.validation.policy import shipped_policies
from old_schema import run, state
from vast_schemas import FILES_SCHEMA

INTERNALS = ("Missing", "StartQueryRequest", "INTERNAL", "Traceback", "Errno", "SELECT", "_positive", "None")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A bucket with one schema, which holds two files, behind an endpoint that the environment names."""
    folder = tmp_path_factory.mktemp("files")
    for at in range(2):
        (folder / f"a.{1001 + at}.exr").write_bytes(image())
    with database() as running, pytest.MonkeyPatch.context() as patch:
        for name in ("db_endpoint", "db_bucket", "db_schema", "db_access_key", "db_secret_key"):
            patch.setenv(f"VAST_{name.upper()}", str(getattr(running.settings, name)))
        assert run(running, "backfill", str(folder), "--workers", "1")[0] == 0
        yield running


@pytest.fixture(autouse=True)
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts that need no query engine mark its driver as absent, for the whole process."""
    monkeypatch.delitem(sys.modules, "adbc_driver_vastdb", raising=False)


def said(script: str, *arguments: str) -> tuple[object, str]:
    """The exit status of a command line, and all that it prints."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        try:
            status: object = importlib.import_module(f"exr_inspector.cli.{script}").main(list(arguments))
        except SystemExit as ended:
            status = ended.code
    return status, shown.getvalue()


@pytest.fixture
def frame(tmp_path: Path) -> str:
    (tmp_path / "a.exr").write_bytes(image())
    return str(tmp_path / "a.exr")


ASKING: dict[str, tuple[str, ...]] = {
    "ask": ("missing_frames",),
    "ask from here": ("missing_frames", "--engine", "client"),
    "ask on the server": ("missing_frames", "--engine", "server"),
    "similar": ("{frame}",),
    "similar exactly": ("{frame}", "--exact"),
    "report": ("--out", "{frame}.html"),
    "validate": ("--stored", "--policy", "default"),
    "sql": ("SELECT file_path FROM files",),
    "compare": ("a/stored/file.exr", "{frame}"),
    "backfill": ("--from-catalog", "--workers", "1"),
    "backup": ("--backup-path", "{frame}.backup"),
    "recompute": (),
    "rollback": (),
    "migrate": (),
    "insert_test_stats": ("--file-count", "1"),
}


@pytest.mark.parametrize("asked", ASKING)
@pytest.mark.parametrize(("place", "missing"), [(f"{BUCKET}/misspelt", "misspelt"), ("nobody/exr", "nobody")])
def test_a_misspelt_schema_or_bucket_is_named(stored: Database, frame: str, asked: str, place: str, missing: str) -> None:
    """With the schemas that there are; nothing is made in the place of the misspelt one."""
    status, text = asks(asked, frame, "--schema", place)
    assert status == 2
    assert re.search(rf"there is no (bucket|schema) '?{missing}\b", text)
    assert missing == "nobody" or "has the schemas exr" in text
    assert [word for word in INTERNALS if word in text] == [], text
    assert state(stored.at("misspelt")).tables == {}


def asks(asked: str, frame: str, *place: str) -> tuple[object, str]:
    """What one of ASKING says, asked of a place."""
    return said(asked.partition(" ")[0], *(argument.format(frame=frame) for argument in ASKING[asked]), *place)


@pytest.mark.parametrize("asked", ["ask", "ask from here", "similar", "report"])
def test_asking_before_anything_is_stored_says_so(stored: Database, frame: str, asked: str) -> None:
    """A bucket without a schema; and a schema that has other tables alone."""
    with database() as empty:
        assert "nothing was stored yet" in asks(asked, frame, "--endpoint", empty.server.url)[1]
    with stored.at("other").store().transaction(Ledger()) as work:
        work.create({"notes": (pa.schema([("a", pa.utf8())]), None)})
    assert "there is no table 'files' in the schema 'other'" in asks(asked, frame, "--schema", f"{BUCKET}/other")[1]


def test_an_engine_that_refuses_is_quoted_in_its_own_words(stored: Database) -> None:
    """Without the driver's request around them."""
    from exr_inspector.catalogue import connection, engine, questions

    target = connection.open_target(connection.settings_of(None, None))
    with pytest.raises(engine.QueryFailed) as caught:
        engine.ask_server(target, questions.parse("SELECT nothing_of_this_name FROM files"))
    assert "nothing_of_this_name" in str(caught.value)
    assert [word for word in INTERNALS if word in str(caught.value)] == []


@pytest.mark.parametrize(
    ("script", "arguments", "words"),
    [
        ("similar", ("x", "--top", "0"), "'0' is not a whole number from 1 to 1000"),
        ("similar", ("x", "--top", "x"), "'x' is not a whole number from 1 to 1000"),
        ("backfill", ("x", "--batch", "²"), "'²' is not a whole number, 1 or more"),
        ("validate", ("--stored", "--policy", "default", "--days", "nan"), "'nan' is not a number of days"),
        ("validate", ("--stored", "--policy", "default", "--days", "1e300"), "'1e300' is not a number of days"),
        ("validate", ("--stored", "--policy", "netflicks"), ", ".join(shipped_policies())),
        ("validate", ("{frame}", "--policy", "netflicks"), ", ".join(shipped_policies())),
        ("ask", ("missing_frames", "--format", "csv", "--output", "/nobody/x.csv"), "/nobody/x.csv: no such file or directory"),
        ("ask", ("missing_frames", "--param", "limit=x"), "'x' is not an integer"),
        ("ask", ("missing_frames", "--limit", "x"), "'x' is not an integer"),
        ("ask", ("missing_frames", "--columns", "show_nme"), "no column 'show_nme'. There are show_name"),
        ("sql", ("SELECT 1", "--file", "x.sql"), "give one statement, or --file"),
        ("sql", ("DROP TABLE files",), "the SQL is not one query"),
        ("validate", ("{frame}", "--policy", "netflix_vfx", "--except", "readble"), "Did you mean readable"),
        ("report", ("--out", "/proc/nobody/x.html"), "/proc/nobody: no such file or directory"),
        ("backup", ("--backup-path", "{frame}"), "a.exr: file exists"),
        ("backup", ("--backup-path", "/proc/nobody/x"), "no such file or directory"),
        ("backup", ("--backup-path", "s3://renders/x"), "S3_ENDPOINT is missing, so no object can be reached"),
        ("restore", ("--backup-path", "{frame}"), "a.exr: there is no backup"),
        ("rollback", ("--archive-tables", "/proc/nobody"), "/proc/nobody: no such file or directory"),
        ("backfill", ("{folder}", "--workers", "1", "--report", "/nobody/x"), "/nobody/x: no such file or directory"),
        ("backfill", ("{frame}", "--workers", "1"), "is not a folder"),
    ],
)
def test_what_cannot_be_is_said_in_words(
    stored: Database, frame: str, script: str, arguments: tuple[str, ...], words: str
) -> None:
    """With status 2, and before any work is done."""
    places = {"frame": frame, "folder": str(Path(frame).parent)}
    status, text = said(script, *(argument.format(**places) for argument in arguments))
    assert words in text
    assert status == 2
    assert [word for word in INTERNALS if word in text] == [], text
    assert len(stored.rows("files")) == 2


def test_tables_that_were_not_named_are_ours_all_the_same(stored: Database) -> None:
    """Whoever leaves out tables of a later version is told that they belong to it."""
    status, answer = run(stored, "verify", "--expected-tables", "files,parts,channels,attributes")
    assert status == 3
    assert {one["table"] for one in answer["differences"]} == {"pixel_stats", "validation_results"}
    assert all("one of exr-inspector's, since 1.1.0" in one["remedy"] for one in answer["differences"])


def test_the_doctor_says_what_is_stored_and_what_would_be(stored: Database) -> None:
    """Rows of the tables, apart from those of the payload at hand; a version that nobody recorded."""
    steps = run(stored, "doctor")[1]["steps"]
    assert "files 2" in steps["tables"]["detail"]
    assert "of this one payload would be stored: files 1" in steps["rows"]["detail"]
    assert "which is not recorded" in steps["schema"]["detail"]
    assert "version 5.5" in steps["credentials"]["detail"]
    assert f"has the schemas {stored.settings.db_schema}" in run(stored.at("misspelt"), "doctor")[1]["steps"]["schema"]["detail"]


def test_a_table_of_another_kind_is_told_in_a_few_words(stored: Database) -> None:
    """Five of its differences, and how many more there are; the doctor likewise."""
    foreign = stored.at("foreign")
    names = {name: (pa.schema([("file_id", pa.utf8())]), None) for name in ("files",)}
    with foreign.store().transaction(Ledger()) as work:
        work.create(names)
    with pytest.raises(Exception, match=f"and {len(FILES_SCHEMA) - 6} more") as caught:
        ensure_tables(foreign.store(), Ledger())
    assert str(caught.value).count("column ") == 5
    detail = run(foreign, "doctor")[1]["steps"]["tables"]["detail"]
    assert detail.count("column ") + detail.count("table ") <= 12
    assert "more, which exr-inspector schema verify lists" in detail


def test_validation_goes_on_after_a_file_that_cannot_be_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named, the others are judged, and all is not well."""
    (tmp_path / "a.1001.exr").symlink_to(tmp_path / "gone.exr")
    (tmp_path / "b.1001.exr").write_bytes(image())
    assert validate.main([str(tmp_path), "--policy", "default"]) == 3
    said = capsys.readouterr()
    assert "a.1001.exr' cannot be read" in said.err
    assert said.out.splitlines()[-1].startswith("1 file by default")


def test_files_to_which_no_rule_applies_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They pass, and nobody looked at them."""
    (tmp_path / "a.1001.exr").write_bytes(image())
    policy = tmp_path / "plates.toml"
    rule = 'id = "r"\nkind = "compression"\nseverity = "FAIL"\nallowed = ["none"]\npaths = ["*/plates/*"]\nmessage = "m"\n'
    policy.write_text(f'id = "plates"\nversion = "1"\ntitle = "t"\nsource = "s"\n\n[[rule]]\n{rule}')
    assert validate.main([str(tmp_path), "--policy", str(policy)]) == 0
    assert "; no rule applies to 1 of them" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("script", "arguments", "expected"),
    [
        ("inspect", ("{folder}/nope",), 2),
        ("inspect", ("{empty}",), 2),
        ("inspect", ("{frame}", "{broken}"), 3),
        ("inspect", ("{frame}",), 0),
        ("inspect", ("{frame}", "{cut}"), 3),
        ("validate", ("{folder}/nope",), 2),
        ("validate", ("{folder}/nope*",), 2),
        ("validate", ("{empty}",), 2),
        ("validate", ("{frame}", "{broken}"), 3),
        ("validate", ("{frame}",), 0),
        ("validate", ("--stored", "--path", "*/nope/*"), 2),
        ("validate", ("--stored", "--days", "0"), 0),
        ("backfill", ("{folder}/nope",), 2),
        ("backfill", ("{empty}",), 2),
        ("backfill", ("{empty}", "--dry-run"), 2),
        ("backfill", ("--from-list", "{folder}/nope"), 2),
        ("backfill", ("--from-list", "{nothing}"), 0),
        ("backfill", ("--from-list", "{gone}"), 3),
        ("compare", ("{frame}", "{folder}/nope"), 2),
        ("similar", ("{folder}/nope",), 2),
        ("similar", ("{broken}",), 2),
        ("similar", ("{frame}", "--show", "nope"), 0),
        ("report", ("--out", "{folder}/a.html", "--since-report", "{folder}/nope"), 2),
        ("report", ("--out", "{folder}/a.html"), 0),
    ],
)
def test_an_exit_status_means_the_same_of_every_command(
    stored: Database, tmp_path: Path, script: str, arguments: tuple[str, ...], expected: int
) -> None:
    """2 where something is not there, or there is nothing in it; 3 where some files failed; 0 where nothing is left to do."""
    places = {name: tmp_path / name for name in ("empty", "nothing", "gone", "frame.exr", "broken.exr", "cut.exr")}
    places["empty"].mkdir()
    places["nothing"].write_text("", encoding="utf-8")
    places["gone"].write_text(f"{tmp_path}/nope.exr\n", encoding="utf-8")
    places["frame.exr"].write_bytes(image())
    places["broken.exr"].write_bytes(b"no EXR")
    places["cut.exr"].write_bytes(image()[:-150])
    named = {name.partition(".")[0]: path for name, path in places.items()} | {"folder": tmp_path}
    given = [argument.format(**named) for argument in arguments]
    given += ["--workers", "1"] if script == "backfill" else []
    given += ["--policy", "default"] if script == "validate" else []
    assert said(script, *given)[0] == expected


def test_a_backfill_of_nothing_makes_no_tables(stored: Database, tmp_path: Path) -> None:
    """What is named is looked for first; hidden files are told from none."""
    (tmp_path / ".a.exr").write_bytes(image())
    elsewhere = stored.at("unmade")
    status, answer = run(elsewhere, "backfill", str(tmp_path), "--workers", "1")
    assert (status, answer["error"]["code"]) == (2, "nothing_to_read")
    assert answer["error"]["message"].endswith("holds no EXR, only 1 hidden or temporary file")
    assert state(elsewhere).tables == {}
