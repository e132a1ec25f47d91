"""Control characters of files, paths and arguments never reach a terminal, whichever command speaks of them."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import main as function
from databases import BUCKET, Database, database
from exr_bytes import channel, chlist, image, text
from exr_inspector.catalogue import output, questions
from exr_inspector.cli import backfill
from exr_inspector.errors import Reject
from exr_inspector.function.context import write_log
from exr_inspector.payload import text as exr_text
from exr_inspector.terminal import escape_controls, on_lines, on_one_line
from old_schema import run

ODD = [*map(chr, (*range(1, 32), *range(127, 160))), *"\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069"]
"""What a terminal obeys, or what makes text look like other text."""
HARMFUL = "\x1b[2J\x1b]0;owned\x07\x9b31m\x7f\u202etxt\u2066"
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
SHOT = "shows/apollo/sequences/sq010/sq010_0010"


def harmful_exr() -> bytes:
    """An EXR that has them in an attribute's name and value, in a channel's name and in the name of its part."""
    channels = chlist(channel("B"), channel(f"G{HARMFUL}"), channel("R"))
    words = (
        text("name", f"part {HARMFUL}"),
        text("owner", HARMFUL),
        text(f"note{HARMFUL}", "x"),
        text("Software", f"Nuke {HARMFUL}"),
    )
    return image(*words, channels=channels)


@dataclass
class Stored:
    """An endpoint, and the folder whose files were stored in it."""

    database: Database
    folder: Path
    path: Path


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    """Files whose names and headers hold control characters, behind an endpoint that the environment names."""
    folder = tmp_path_factory.mktemp("files") / f"odd {HARMFUL}" / SHOT
    folder.mkdir(parents=True)
    path = folder / f"beauty_{HARMFUL}.1001.exr"
    path.write_bytes(harmful_exr())
    (folder / f"broken{HARMFUL}.exr").write_bytes(b"no EXR")
    (folder / f"folder{HARMFUL}.exr").mkdir()
    (folder / f"event{HARMFUL}.json").write_text("{", encoding="utf-8")
    with database() as running, pytest.MonkeyPatch.context() as patch:
        for name in ("db_endpoint", "db_bucket", "db_schema", "db_access_key", "db_secret_key"):
            patch.setenv(f"VAST_{name.upper()}", str(getattr(running.settings, name)))
        assert run(running, "backfill", str(folder), "--workers", "1")[0] == 0
        yield Stored(running, folder, path)


def printed(call: Callable[[], object]) -> str:
    """What a command prints on both streams, its usage error included."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.suppress(SystemExit):
        call()
    return out.getvalue() + err.getvalue()


def assert_fit(shown: str) -> None:
    assert shown
    assert FORBIDDEN.findall(shown) == [], repr(shown[:2000])


COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "inspect": ("main", ("{path}",)),
    "inspect for people": ("main", ("--pretty", "{path}", "{broken}", "{missing}", "{folder}")),
    "inspect in a line": ("main", ("--summary", "{path}", "{broken}", "{missing}")),
    "inspect with its log": ("main", ("--verbose", "{path}")),
    "an event that is none": ("main", ("{event}",)),
    "validate": ("validate", ("{path}", "{broken}", "--policy", "comp_plate")),
    "validate as JSON": ("validate", ("{path}", "--policy", "comp_plate", "--json")),
    "validate nothing": ("validate", ("{missing}", "--policy", "comp_plate")),
    "no such policy": ("validate", ("{path}", "--policy", HARMFUL)),
    "policy over what is stored": ("validate", ("--stored", "--policy", "comp_plate")),
    "policy over what is stored as JSON": ("validate", ("--stored", "--policy", "comp_plate", "--json")),
    "validate as JUnit": ("validate", ("{root}", "--policy", "comp_plate", "--format", "junit")),
    "validate as SARIF": ("validate", ("{root}", "--policy", "comp_plate", "--format", "sarif")),
    "no such rule": ("validate", ("{path}", "--policy", "comp_plate", "--except", HARMFUL)),
    "inspect a folder": ("inspect", ("{root}", "--summary")),
    "compare": ("compare", ("{path}", "{broken}")),
    "compare as JSON": ("compare", ("{path}", "{broken}", "--format", "json")),
    "compare with nothing": ("compare", ("{path}", HARMFUL)),
    "sql": ("sql", ("SELECT file_path, raw_output FROM files",)),
    "no sql": ("sql", (f"SELECT '{HARMFUL}",)),
    "an empty answer": ("ask", ("broken_frames", "--show", HARMFUL)),
    "doctor": ("doctor", ("{path}",)),
    "doctor as JSON": ("doctor", ("{path}", "--json")),
    "doctor with an event that is none": ("doctor", ("{event}",)),
    "doctor with nothing": ("doctor", ("{missing}",)),
    "similar": ("similar", ("{path}", "--explain", "--exact")),
    "similar as JSON": ("similar", ("{path}", "--explain", "--exact", "--format", "json")),
    "similar to nothing": ("similar", (HARMFUL,)),
    "no such question": ("ask", (HARMFUL,)),
    "no such parameter": ("ask", ("inspection_coverage", "--param", f"{HARMFUL}=1")),
    "backfill": ("backfill", ("{root}", "--force", "--workers", "1")),
    "backfill as JSON": ("backfill", ("{root}", "--force", "--workers", "1", "--json")),
    "backfill of nothing": ("backfill", ("{missing}",)),
    "backfill of no list": ("backfill", ("--from-list", "{missing}")),
    "backup to where one is": ("restore", ("--backup-path", "{missing}")),
    "no archive": ("restore", ("--backup-path", "{missing}.tar.gz")),
    "another schema": ("verify", ("--schema", f"{BUCKET}/{HARMFUL}")),
    "other tables": ("verify", ("--expected-tables", HARMFUL)),
    "sample": ("copy", ("--source-schema", "exr", "--target-schema", "other", "--sample-size", "9", "--json")),
    "integrity": ("check", ()),
    "an endpoint that is none": ("verify", ("--endpoint", f"http://{HARMFUL}")),
    "a host that is none": ("test_function", ("--url", HARMFUL)),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_prints_a_control_character(stored: Stored, name: str) -> None:
    """Whatever stands in headers, paths and arguments, and also in refusals."""
    script, arguments = COMMANDS[name]
    places = {
        "path": stored.path,
        "root": stored.folder,
        "broken": stored.folder / f"broken{HARMFUL}.exr",
        "folder": stored.folder / f"folder{HARMFUL}.exr",
        "event": stored.folder / f"event{HARMFUL}.json",
        "missing": stored.folder / f"missing{HARMFUL}.exr",
    }
    given = [argument.format(**places) for argument in arguments]
    command = function.main if script == "main" else importlib.import_module(f"exr_inspector.cli.{script}").main
    assert_fit(printed(lambda: command(given)))


SCRIPTS = (
    "backfill", "backup", "copy", "check", "doctor", "similar", "init",
    "insert_test_stats", "migrate", "compare", "sql", "inspect", "ask", "recompute", "rehearse", "report",
    "restore", "rollback", "test_function", "validate", "verify", "local", "uploads",
)  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_usage_error_is_fit_for_a_terminal(script: str) -> None:
    """argparse repeats what it does not know."""
    command = importlib.import_module(f"exr_inspector.cli.{script}").main
    assert_fit(printed(lambda: command([f"--no-such{HARMFUL}", HARMFUL])))


@pytest.mark.parametrize("name", questions.names())
@pytest.mark.parametrize("form", ["table", "json"])
def test_no_answer_to_a_question_carries_a_control_character(stored: Stored, name: str, form: str) -> None:
    """Tables replace them, JSON escapes them."""
    from exr_inspector.cli import ask

    needed = [f"{one.name}={stored.path}" for one in questions.load(name).parameters if one.required]
    pairs = [argument for pair in needed for argument in ("--param", pair)]
    assert_fit(printed(lambda: ask.main([name, *pairs, "--format", form, "--engine", "client"])))


def test_json_loses_nothing(stored: Stored) -> None:
    """What is escaped comes back as it was."""
    for form in ("--pretty", "--verbose"):
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(io.StringIO()):
            function.main([str(stored.path), form])
        payload: dict[str, Any] = json.loads(shown.getvalue())
        assert payload["file"]["path"] == str(stored.path)
        assert f"G{HARMFUL}" in [one["name"] for one in payload["channels"]]


@pytest.mark.parametrize("letter", ODD)
def test_each_of_them_is_replaced_in_text_and_escaped_in_json(letter: str) -> None:
    """Line breaks and tabs stay where text has several lines."""
    assert on_one_line(f"a{letter}b") == "a\ufffdb"
    assert on_lines(f"a{letter}b") == (f"a{letter}b" if letter in "\n\t" else "a\ufffdb")
    if letter not in "\n\t":
        assert str(Reject(f"a{letter}b", remedy=letter)) == "a\ufffdb. \ufffd"
    document = json.dumps({"a": letter}, ensure_ascii=False)
    assert FORBIDDEN.search(escape_controls(document)) is None
    assert json.loads(escape_controls(document)) == {"a": letter}
    assert json.loads(exr_text.pretty({"a": letter})) == {"a": letter}


def test_ordinary_text_stays_as_it_is() -> None:
    """Letters of every script, and the joiners that some of them need."""
    for word in ("Überblendung", "影", "नमस्‍ते", "👩‍🚀", "a b", "c\u00a0d"):
        assert on_one_line(word) == word
        assert json.loads(escape_controls(json.dumps(word, ensure_ascii=False))) == word


def test_half_a_character_can_be_printed() -> None:
    """A path whose bytes are not UTF-8 has such halves, which no stream takes."""
    assert on_one_line(os.fsdecode(b"a\xff")).encode() == "a\ufffd".encode()


def test_a_log_line_carries_none(capsys: pytest.CaptureFixture[str]) -> None:
    """Logs are read on terminals, too."""

    class Logger:
        def info(self, line: str) -> None:
            print(line)

    context = type("Context", (), {"logger": Logger()})()
    write_log(context, "info", {"path": "".join(ODD)})
    shown = capsys.readouterr().out
    assert_fit(shown)
    assert json.loads(shown)["path"] == "".join(ODD)


class Terminal(io.StringIO):
    """A terminal, as far as a program can see."""

    def isatty(self) -> bool:
        return True


CELLS = pa.table(
    {"name": [HARMFUL, "=1+1", "+1", "-1", "@x", "\tx", "\rx", "plain"], "number": [-1.5, 2.0, None, 1.0, 1.0, 1.0, 1.0, 1.0]}
)


def csv_of(target: io.StringIO, **options: Any) -> str:
    with contextlib.redirect_stdout(target):
        output.write(CELLS, output.Destination("csv", **options))
    return target.getvalue()


def test_csv_is_complete_for_programs_and_fit_for_a_terminal(tmp_path: Path) -> None:
    """In a file and in a pipe every character stands as it was stored."""
    assert HARMFUL in csv_of(io.StringIO())
    assert_fit(csv_of(Terminal()))
    output.write(CELLS, output.Destination("csv", tmp_path / "a.csv"))
    assert HARMFUL in (tmp_path / "a.csv").read_text(encoding="utf-8")


def test_cells_that_a_spreadsheet_would_run_can_be_made_text() -> None:
    """An apostrophe stands before texts that begin like a formula; numbers are none."""
    lines = csv_of(io.StringIO(newline=""), safe_csv=True).split("\r\n")
    assert lines[2:6] == ["'=1+1,2.0", "'+1,", "'-1,1.0", "'@x,1.0"]
    assert lines[6] == "'\tx,1.0"
    assert '"\'\rx",1.0' in lines
    assert lines[1].endswith(",-1.5")
    assert "'=1+1" not in csv_of(io.StringIO())


def test_a_statement_is_complete_for_programs_and_fit_for_a_terminal() -> None:
    """A parameter's value stands in it."""
    for target, kept in ((io.StringIO(), True), (Terminal(), False)):
        with contextlib.redirect_stdout(target):
            output.say_exactly(f"SELECT '{HARMFUL}'")
        assert (HARMFUL in target.getvalue()) is kept


def test_a_list_may_hold_them(stored: Stored, tmp_path: Path) -> None:
    """A report of failures names such files so that --from-list finds them again, and is fit for a terminal."""
    report = tmp_path / "report.jsonl"
    missing = stored.folder / f"gone{HARMFUL}.exr"
    (tmp_path / "list.txt").write_text(f"{missing}\n", encoding="utf-8")
    given = ["--from-list", str(tmp_path / "list.txt"), "--report", str(report), "--workers", "1"]
    assert_fit(printed(lambda: backfill.main(given)))
    assert_fit(report.read_text(encoding="utf-8"))
    assert json.loads(report.read_text(encoding="utf-8"))["path"] == str(missing)
