"""`exr-inspector local` runs a command beside the endpoint of the demo."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from exr_bytes import image
from exr_inspector.cli import local
from local_vast import LocalVast
from project import ROOT

ASK = """
import os, sys, urllib.request
urllib.request.urlopen(os.environ["LOCAL_VAST_URL"] + "/_local_vast/requests").close()
sys.exit(7)
"""


def test_the_command_finds_the_endpoint_and_gives_its_status(tmp_path: Path) -> None:
    """While it runs, the endpoint answers; its exit status is the script's."""
    with LocalVast(data=tmp_path / "database", buckets=("renders",)):
        pass
    assert local.main(["--data", str(tmp_path), sys.executable, "-c", ASK]) == 7


def test_without_data_there_is_nothing_to_answer_from_and_the_remedy_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is made in passing: an answer from an empty place would look like a good one."""
    assert local.main(["--data", str(tmp_path), "ask", "broken_frames"]) == 2
    assert "backfill RENDERS` makes it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_backfill_begins_with_no_data(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever installed the command alone has their own renders stored, and asks about them next."""
    (renders := tmp_path / "renders").mkdir()
    (renders / "a.0001.exr").write_bytes(image())
    given = ["--data", str(tmp_path / "kept")]
    assert local.main([*given, "backfill", str(renders), "--workers", "1"]) == 0
    assert local.main([*given, "sql", "SELECT status FROM files", "--format", "csv"]) == 0
    assert "ok" in capfd.readouterr().out.split()


@pytest.mark.parametrize(
    "typed", ["backfill nope", "backfill empty", "backfill -h", "schema -h", "schema restore --backup-path nope", "schema verify"]
)
def test_a_command_that_stores_nothing_leaves_nothing(tmp_path: Path, typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder for data, which the next command would take for one that holds some."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "empty").mkdir()
    assert local.main(["--data", "a/kept", *typed.split()]) == (0 if "-h" in typed else 2)
    assert [one.name for one in tmp_path.iterdir()] == ["empty"]


def test_data_that_another_process_has_are_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that says so, and how several commands share them."""
    holding = "import sys; from local_vast import LocalVast; kept = LocalVast(data=sys.argv[1]); print(flush=True); input()"
    command = [sys.executable, "-c", holding, str(tmp_path / "database")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        assert process.stdout.readline() == b"\n"
        status = local.main(["--data", str(tmp_path), "true"])
        process.kill()
    assert (status, "is in use by another command" in capsys.readouterr().err) == (2, True)


def test_a_command_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the status that shells give."""
    (tmp_path / "database").mkdir()
    assert local.main(["--data", str(tmp_path), "./no-such-command"]) == 127
    assert "./no-such-command" in capsys.readouterr().err
