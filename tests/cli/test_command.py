"""`exr-inspector SUBCOMMAND`: names, usage, and what an installation without an extra is told."""

from __future__ import annotations

import subprocess
import sys

import pytest

from exr_inspector.cli import command
from project import ROOT

HEAVY = ("pyarrow", "vastdb", "duckdb", "sqlglot", "rich", "plotly", "numpy", "local_vast")


@pytest.fixture(autouse=True)
def own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command writes its name into sys.argv, as long as it lasts."""
    monkeypatch.setattr(sys, "argv", ["exr-inspector"])


@pytest.mark.parametrize("name", [name for name in command.SUBCOMMANDS if name not in ("inspect", "serve")])
def test_a_subcommand_shows_its_own_usage(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The name that was typed, in the usage and in the examples below it."""
    with pytest.raises(SystemExit) as ended:
        command.main([*name.split(), "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"usage: exr-inspector {name} [-h]" in " ".join(shown.split())
    assert f"\n    exr-inspector {name} " in shown
    assert "%(prog)s" not in shown


@pytest.mark.parametrize("name", ["ask", "validate", "similar", "report", "backfill", "doctor", "local", "schema backup"])
def test_help_loads_nothing_that_only_work_needs(name: str) -> None:
    """Somebody who looks for an option does not wait for pyarrow."""
    code = (
        "import atexit, sys; from exr_inspector.cli import command; "
        f"atexit.register(lambda: print('loaded', sorted({set(HEAVY)!r} & set(sys.modules)))); "
        f"command.main({[*name.split(), '--help']!r})"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "loaded []"


@pytest.mark.parametrize(
    ("name", "package", "extra"), [("ask", "sqlglot", "cli"), ("ask", "rich", "cli"), ("serve", "uvicorn", "host")]
)
def test_a_missing_optional_package_is_told_with_its_extra(name: str, package: str, extra: str) -> None:
    """`pip install exr-inspector` alone brings what the function needs; one sentence says what to add."""
    code = f"import sys; sys.modules[{package!r}] = None; from exr_inspector.cli.command import main; sys.exit(main([{name!r}]))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 2, answer.stderr
    assert answer.stderr == f"exr-inspector {name} needs the package {package}: pip install 'exr-inspector[{extra}]'\n"


def test_a_module_of_the_project_that_is_missing_is_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is a broken installation, and no package mends it."""
    monkeypatch.setitem(command.SUBCOMMANDS, "ask", ("exr_inspector.cli.nothing", ""))
    with pytest.raises(ModuleNotFoundError):
        command.main(["ask"])


def test_a_name_that_is_not_there_gets_the_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, and what was probably meant."""
    assert command.main(["bakfill"]) == 2
    assert "did you mean backfill?" in capsys.readouterr().err
    assert command.main(["schema"]) == 2
    assert "schema init" in capsys.readouterr().err
