"""What people read fits a terminal of 80 columns; paths, addresses and what is copied may be longer."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from exr_bytes import image
from exr_inspector.cli import command, progress
from exr_inspector.cli.names import PLAIN, SUBCOMMANDS
from exr_inspector.operations.pulse import Beat
from exr_inspector.terminal import fit_lines
from local_vast import LocalVast
from project import ROOT

COLUMNS = 80
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(folder: Path, *words: str) -> list[str]:
    """What a subcommand shows on a terminal of 80 columns, line by line."""
    ours, theirs = pty.openpty()
    given = {"PYTHONPATH": str(ROOT), "COLUMNS": str(COLUMNS), "TERM": "xterm"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VAST_DB_", "S3_"))} | given
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with subprocess.Popen([sys.executable, "-m", "exr_inspector", *words], cwd=folder, env=environment, **streams):
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += (more := os.read(ours, 65536))
            except OSError:  # the other end is closed
                break
            if not more:
                break
    os.close(ours)
    return re.split(r"[\r\n]+", ESCAPES.sub("", shown.decode()))


@pytest.mark.parametrize("name", ["", "schema", *(name for name in SUBCOMMANDS if name not in PLAIN)])
def test_help_and_mistakes_fit(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Examples too: what they do stands below them, and a long command goes on after a backslash."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    command.main([*name.split(), "-h"])
    command.main([*name.split(), "--no-such-option-at-all", "x"])
    shown = capsys.readouterr()
    assert shown.out
    assert shown.err
    assert [line for line in (shown.out + shown.err).splitlines() if len(line) > COLUMNS] == []


def test_an_example_in_pieces_can_be_copied(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A shell joins what a backslash parts; an option stays with its value, and what a command does stands apart."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    command.main(["compare", "-h"])
    assert "\n    exr-inspector compare apollo/sq010/sh010 apollo/sq010/sh020\n" in capsys.readouterr().out
    command.main(["validate", "-h"])
    joined = re.sub(r" \\\n +", " ", capsys.readouterr().out)
    assert '\n    exr-inspector validate "plates/**/*.exr" --policy aces_container --except timecode --format junit' in joined


def test_notices_and_refusals_fit(tmp_path: Path) -> None:
    """Also those of a command that found its endpoint by itself."""
    with LocalVast(data=tmp_path / ".local_vast/database", buckets=("renders",)):
        pass
    (tmp_path / "a.1001.exr").write_bytes(image())
    for typed in ("backfill . --workers 1", "validate", "ask missing_frames --show nope", "similar x"):
        lines = on_terminal(tmp_path, *typed.split())
        assert len(lines) > 1
        assert [line for line in lines if len(line) > COLUMNS and " " in line.strip()] == []
        assert typed == "validate" or "no endpoint is configured" in lines[0]


def test_advice_is_wrapped_and_a_command_is_not(tmp_path: Path) -> None:
    """What a person copies stays in one piece."""
    (tmp_path / "a.1001.exr").write_bytes(image())
    (tmp_path / "b.1001.exr").write_bytes(image()[:-1])
    (tmp_path / "house.toml").write_text(
        'id = "h"\nversion = "1"\n[[rule]]\nid = "none"\nkind = "compression"\nseverity = "FAIL"\nforbidden = ["zip"]\n'
        'suggested_fix = "oiiotool --native --wildcardoff --evaloff --create-dir -a {path} --compression none -o {output}"\n'
        '[[rule]]\nid = "whole"\nkind = "status"\nseverity = "FAIL"\nallowed = ["ok"]\n'
        'suggested_fix = "Copy it again from where it was made; render or export it again where it is cut short there as well"\n',
        encoding="utf-8",
    )
    lines = on_terminal(tmp_path, "validate", ".", "--policy", "house.toml")
    assert [line.lstrip()[:13] for line in lines if len(line) > COLUMNS] == ["fix: oiiotool"]
    assert any(line.startswith("      fix: Copy it again") for line in lines)


def test_without_a_database_the_way_to_one_is_said(tmp_path: Path) -> None:
    """One that a laptop can make, first; the command can be copied."""
    lines = on_terminal(tmp_path, "ask", "broken_frames")
    assert max(map(len, lines)) <= COLUMNS
    assert "`exr-inspector local backfill RENDERS`" in " ".join(" ".join(lines).split())


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_bar_shrinks_before_its_words_do(columns: int) -> None:
    """First the folder loses its beginning, then it goes; numbers stay whole."""
    shown = StringIO()
    console = Console(file=shown, width=columns, force_terminal=True)
    beat = Beat(1234, 5 * 1024**3, "/mnt/shows/apollo/sequences/sq010/sh020/beauty/v003")
    watch = progress.Watch("backfill", lambda: beat, console)
    with watch.watching():
        pass
    last = [line for line in re.split(r"[\r\n]+", ESCAPES.sub("", shown.getvalue())) if "backfill" in line][-1]
    assert len(last) <= columns
    assert re.search(r"backfill: 1,234 files, [\d,.]+/s, 5\.37 GB", last)
    assert ("in " in last, last.count("━") >= 4) == (columns > 60, True)


def test_a_bar_counts_from_when_the_run_began() -> None:
    """As the summary does, which has the rate in the same words."""
    watch = progress.Watch("backfill", lambda: Beat(1000, 0, ""), Console(file=StringIO()), time.monotonic() - 10_000)
    assert watch.line() == "backfill: 1,000 files, 0.1/s, 0 B"
    assert progress.rate_of(1000, 10_000.0) == "0.1/s"


def test_what_programs_read_stays_in_one_line() -> None:
    """A log is searched for whole messages."""
    text = "a message " * 20
    assert fit_lines(text, StringIO()) == text


def test_a_payload_and_its_summary_fit(tmp_path: Path) -> None:
    """A text of JSON stays whole, and so does a path."""
    (tmp_path / "a.1001.exr").write_bytes(image())
    laid_out = on_terminal(tmp_path, "inspect", "a.1001.exr", "--pretty")
    assert len(laid_out) > 100
    assert [line for line in laid_out if len(line) > COLUMNS and not re.fullmatch(r' *"\w+": "[^"]+",?', line)] == []
    assert max(map(len, on_terminal(tmp_path, "inspect", "a.1001.exr", "--stats"))) <= COLUMNS
