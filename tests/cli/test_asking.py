"""What people get who ask: empty answers that say what was looked at, SQL of their own, comparisons, and the local endpoint."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import query_cases
import seeded_catalogue
from exr_inspector.catalogue import questions
from exr_inspector.cli import command
from exr_inspector.operations.samples import SHOT, write_samples
from local_vast import LocalVast
from vast_schemas import FILES_SCHEMA


@pytest.fixture(scope="module")
def catalogue() -> Iterator[None]:
    """The seeded catalogue behind an endpoint that the environment names."""
    with LocalVast(buckets=("renders",)) as server, pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "adbc_driver_vastdb", raising=False)
        seeded_catalogue.load(server, "renders", "exr")
        for name, value in {
            "ENDPOINT": server.url, "ACCESS_KEY": server.access_key, "SECRET_KEY": server.secret_key,
            "BUCKET": "renders", "SCHEMA": "exr",
        }.items():  # fmt: skip
            patch.setenv(f"VAST_DB_{name}", value)
        patch.setenv("COLUMNS", "80")
        yield


@pytest.fixture
def ask(catalogue: None, capsys: pytest.CaptureFixture[str]) -> object:
    """Runs a command line; its status, and what it printed on both streams."""

    def run(*words: str) -> tuple[int, str, str]:
        status = command.main(words)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("many_channels --least 5000", "no file has 5000 channels or more among 9,999 current files of 3 shows"),
        ("broken_frames --show apollo --shot sh030", "no broken frames among 540 current files of show apollo shot sh030"),
        (
            "bad_pixels --show borealis",
            "0 of 3,241 current files of show borealis were measured, so nothing is known of bad pixels; "
            "`exr-inspector backfill FOLDER --stats` measures",
        ),
        (
            "bad_pixels --show caldera",
            "no bad pixels among the 183 of 3,334 current files of show caldera that were measured",
        ),
        (
            "failed_rules --policy none",
            "0 of 9,999 current files of 3 shows were judged by the policy 'none', so nothing is known of broken rules; "
            "`exr-inspector backfill FOLDER --policy NAME` judges",
        ),
    ],
)
def test_an_empty_answer_says_what_was_looked_at(ask, words: str, said: str) -> None:
    """In the words of the question, with the files and shows, below its title."""
    status, out, _ = ask("ask", *words.split())
    assert status == 0
    assert " ".join(out.split()).endswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--show", "appollo"), "there is no show 'appollo'. Did you mean apollo?"),
        (("--show", "zz"), "there is no show 'zz'. There are apollo, borealis, caldera"),
        (("--show", "apollo", "--shot", "sh100"), "there is no shot 'sh100' in apollo. Did you mean sh0"),
    ],
)
def test_a_name_that_nothing_is_called_gets_the_ones_there_are(ask, words: tuple[str, ...], said: str) -> None:
    """With status 2."""
    status, _, err = ask("ask", "broken_frames", *words)
    assert status == 2
    assert said in err


def test_an_empty_document_stays_one(ask) -> None:
    """What it means goes to standard error."""
    status, out, err = ask("ask", "many_channels", "--least", "5000", "--format", "json")
    assert (status, json.loads(out)) == (0, [])
    assert "no file has 5000 channels or more" in err


def test_the_path_of_a_stored_file_is_taken_for_its_id(ask) -> None:
    """Both give the same rows; a path that is not stored is said."""
    words = ("ask", "similar_renders", "--limit", "3", "--format", "json")
    by_path = ask(*words, "--file", query_cases.REFERENCE)
    by_id = ask(*words, "--file-id", query_cases.file_id(query_cases.REFERENCE))
    assert by_path[:2] == by_id[:2]
    assert len(json.loads(by_path[1])) == 3
    status, _, err = ask(*words, "--file", "s3://renders/nothing.exr")
    assert (status, "'s3://renders/nothing.exr' is not stored" in err) == (2, True)


def test_a_statement_is_answered_in_every_form(ask, tmp_path: Path) -> None:
    """Values in the place of parameters, as text or as numbers; from a file as well."""
    text = (
        "SELECT show_name, count(*) AS files FROM files"
        " WHERE is_current AND show_name = $show AND size_bytes > $size GROUP BY show_name"
    )
    values = ("--param", "show=apollo", "--param", "size=0", "--format", "json")
    assert json.loads(ask("sql", text, *values)[1]) == [{"show_name": "apollo", "files": 3237}]
    (tmp_path / "mine.sql").write_text(text, encoding="utf-8")
    assert json.loads(ask("sql", "--file", str(tmp_path / "mine.sql"), *values, "--engine", "client")[1])[0]["files"] == 3237
    assert ask("sql", text, *values[:2])[0] == 2


def test_a_printed_statement_has_no_condition_that_nobody_asked_for(ask) -> None:
    """What stands where a parameter may narrow the rows is left out with it."""
    for dialect in ("vast", "trino"):
        assert "TRUE" not in ask("ask", "missing_frames", "--sql", dialect)[1]
    narrowed = ask("ask", "missing_frames", "--show", "apollo", "--sql", "vast")[1]
    assert ("TRUE" in narrowed, "show_name = 'apollo'" in narrowed) == (False, True)
    nothing = {"a": questions.exp.null()}
    bound = questions.bind_literals(questions.parse("SELECT file_id FROM files WHERE ($a IS NULL OR file_id = $a)"), nothing)
    assert bound.sql() == "SELECT file_id FROM files"


def test_what_a_cluster_is_not_known_to_run_is_warned_of(ask) -> None:
    """And answered by the local endpoint all the same."""
    status, out, err = ask("sql", "SELECT DISTINCT show_name FROM files WHERE show_name = 'apollo'")
    assert status == 0
    assert "apollo" in out
    assert "not known to run on a cluster: SELECT DISTINCT" in err


def test_a_misspelt_column_gets_the_near_ones(ask) -> None:
    """Instead of the engine's words alone."""
    status, _, err = ask("sql", "SELECT fle_path FROM files")
    assert status == 2
    assert "Did you mean file_path" in err


def test_an_explanation_says_what_is_read_where(ask) -> None:
    """Columns and conditions of each table, without asking anybody."""
    out = ask(
        "sql",
        "--explain",
        "SELECT file_path FROM files WHERE is_current AND show_name = 'apollo'",
        "--endpoint",
        "http://127.0.0.1:1",
    )[1]
    assert f"files: 3 of {len(FILES_SCHEMA)} columns (file_path, is_current, show_name)" in out
    assert "rows: is_current and show_name = 'apollo'" in out


def test_no_rows_say_how_many_there_are(ask) -> None:
    """Of each table that was asked."""
    assert ask("sql", "SELECT file_path FROM files WHERE show_name = 'nobody'")[1] == "no rows; files has 10,045 rows\n"


def test_stored_versions_shots_and_files_are_compared(ask) -> None:
    """Named by folder, by shot, and by path; 3 where they differ, 0 where they do not."""
    same = ask("compare", "borealis/sq010/sh010/beauty", "borealis/sq010/sh030/beauty", "--format", "json")
    found = json.loads(same[1])
    varying = {"host", *(f"attribute {name}" for name in ("Hostname", "renderTime", "cameraName", "capDate"))}
    assert {one["what"] for one in found["differences"]} == {"size", "render time a frame", *varying}
    assert (same[0], found["files"]) == (3, {"a": 45, "b": 45, "compared": 45})
    status, out, _ = ask("compare", query_cases.REFERENCE, query_cases.REFERENCE)
    assert (status, "nothing differs in 1 pair of files" in out) == (0, True)
    status, _, err = ask("compare", query_cases.REFERENCE, "nowhere/at/all")
    assert (status, "'nowhere/at/all' is not on disk" in err) == (2, True)
    status, _, err = ask("compare", query_cases.REFERENCE, "borealis/sq010/sh010/beauty/v009")
    assert (status, err.rpartition(". ")[2]) == (2, "Versions that exist: v001\n")


def test_without_an_endpoint_the_local_one_serves_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where ./scripts/run has left its data; the environment is as before when the command ends."""
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "BUCKET", "SCHEMA"):
        monkeypatch.delenv(f"VAST_DB_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".local_vast/database").mkdir(parents=True)
    write_samples(tmp_path / "samples")
    assert command.main(["backfill", str(tmp_path / "samples" / SHOT / "beauty/v003"), "--workers", "1"]) == 0
    assert "no endpoint is configured; the local one of .local_vast answers, which is not VAST" in capsys.readouterr().err
    assert command.main(["ask", "broken_frames"]) == 0
    assert "no broken frames among 3 current files of 1 show" in capsys.readouterr().out
    assert command.main(["compare", "nowhere/v001", "nowhere/v002"]) == 2
    assert "and the local endpoint, renders/exr has no such files" in capsys.readouterr().err
    assert command.main(["backfill", str(tmp_path / "samples" / SHOT / "beauty/v002"), "--workers", "1"]) == 0
    assert command.main(["ask", "versions"]) == 0
    assert "frames 1001 to 1001-1003" in " ".join(capsys.readouterr().out.split())  # of one frame, not of a range


def test_a_reader_who_leaves_ends_the_command_quietly(tmp_path: Path) -> None:
    """As `| head` does."""
    import subprocess

    script = f"{sys.executable} -m exr_inspector ask | head -1"
    answer = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert answer.stdout == "broken\n"
    assert "Traceback" not in answer.stderr
