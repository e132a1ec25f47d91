"""`exr-inspector local` runs a command beside the endpoint of the demo."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from exr_inspector.cli import local
from local_vast import LocalVast

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


def test_without_the_demos_data_the_remedy_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is made in passing."""
    assert local.main(["--data", str(tmp_path), "true"]) == 2
    assert "./scripts/run makes it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the status that shells give."""
    (tmp_path / "database").mkdir()
    assert local.main(["--data", str(tmp_path), "./no-such-command"]) == 127
    assert "./no-such-command" in capsys.readouterr().err
