"""`exr-inspector SUBCOMMAND`: names, usage, completion, and what an installation without an extra is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exr_inspector.catalogue import library
from exr_inspector.cli import command, inspect
from project import ROOT

HEAVY = ("pyarrow", "vastdb", "duckdb", "sqlglot", "rich", "numpy", "local_vast")
TYPED = [name for name in command.SUBCOMMANDS if name not in command.PLAIN]


def helped(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command says of itself."""
    assert command.main([*words, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", TYPED)
def test_a_subcommand_shows_its_own_usage(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The name that was typed, in the usage and in the examples below it."""
    shown = helped(capsys, *name.split())
    assert f"Usage: exr-inspector {name} [OPTIONS]" in " ".join(shown.split())
    assert f"\n    exr-inspector {name}" in shown
    assert "%(prog)s" not in shown


@pytest.mark.parametrize("name", library.names())
def test_a_question_explains_its_parameters(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is an option with its meaning; -h is --help."""
    shown = helped(capsys, "ask", name)
    for parameter in library.load(name).parameters:
        assert f"  --{parameter.name.replace('_', '-')}" in shown
    assert command.main(["ask", name, "-h"]) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ask",
        "ask missing_frames",
        "validate",
        "similar",
        "compare",
        "sql",
        "report",
        "backfill",
        "doctor",
        "local",
        "schema",
        *(name for name in TYPED if name.startswith("schema ")),
    ],
)
def test_help_loads_nothing_that_only_work_needs(name: str) -> None:
    """Somebody who looks for an option does not wait for pyarrow."""
    code = (
        "import sys; from exr_inspector.cli import command; "
        f"command.main({[*name.split(), '-h']!r}); print('loaded', sorted({set(HEAVY)!r} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "loaded []"


@pytest.mark.parametrize(
    ("words", "package", "extra"),
    [
        ("ask missing_frames", "sqlglot", "cli"),
        ("ask missing_frames", "typer", "cli"),
        ("inspect x", "typer", "cli"),
        ("serve", "uvicorn", "host"),
    ],
)
def test_a_missing_optional_package_is_told_with_its_extra(words: str, package: str, extra: str) -> None:
    """`pip install exr-inspector` alone brings what the function needs; one sentence says what to add."""
    missing = f"import sys; sys.modules[{package!r}] = None"
    code = f"{missing}; from exr_inspector.cli.command import main; sys.exit(main({words.split()!r}))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 2, answer.stderr
    name = words.split()[0]
    assert answer.stderr == f"exr-inspector {name} needs the package {package}: pip install 'exr-inspector[{extra}]'\n"


def test_a_module_of_the_project_that_is_missing_is_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is a broken installation, and no package mends it."""
    monkeypatch.setitem(command.SUBCOMMANDS, "ask", ("exr_inspector.cli.nothing", ""))
    with pytest.raises(ModuleNotFoundError):
        command.main(["ask"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("bakfill", "there is no subcommand 'bakfill'; did you mean backfill?"),
        ("schema bakup", "there is no subcommand 'bakup'; did you mean backup?"),
        ("ask broken_frame", "there is no question 'broken_frame'; did you mean broken_frames"),
        ("ask missing_frames --shw apollo", "there is no option --shw; did you mean --show"),
        ("ask missing_frames --format jsn", "'jsn' is not one of 'table', 'csv', 'json', 'parquet'"),
        ("schema backup", "exr-inspector schema backup: missing option '--backup-path'"),
    ],
)
def test_a_name_that_is_not_there_gets_the_near_ones(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, and what was probably meant."""
    assert command.main(words.split()) == 2
    assert said in capsys.readouterr().err


def test_without_a_subcommand_everything_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """The command alone explains itself, and `schema` lists its own."""
    assert command.main([]) == 0
    shown = capsys.readouterr().out
    assert all(name.split()[0] in shown for name in command.SUBCOMMANDS if name not in command.PLAIN)
    assert command.main(["schema"]) == 2
    assert "rehearse" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("exr-inspector va", "validate"), ("exr-inspector ask missing", "missing_frames"), ("exr-inspector schema ba", "backup")],
)
def test_the_shell_completes_names(typed: str, expected: str) -> None:
    """Of subcommands and of questions, in the protocol of bash."""
    environment = os.environ | {
        "_EXR_INSPECTOR_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1),
    }  # fmt: skip
    answer = subprocess.run(
        [sys.executable, "-m", "exr_inspector"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert expected in answer.stdout.split()


def test_questions_of_a_studio_are_listed_and_asked_with_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the folder that EXR_QUERIES names; one without a group stands at the end."""
    text = "-- Question: Which files are ours?\n-- Asked by: us\n-- $studio text = null: whose\nSELECT file_path FROM files"
    (tmp_path / "our_files.sql").write_text(text, encoding="utf-8")
    monkeypatch.setenv("EXR_QUERIES", str(tmp_path))
    assert command.main(["ask"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["own", f"  {'our_files':<24} Which files are ours?"]
    assert "--studio TEXT" in helped(capsys, "ask", "our_files")
    assert command.main(["ask", "our_files", "--sql", "vast", "--schema", "b/s"]) == 0
    assert '"b/s"."files"' in capsys.readouterr().out
    monkeypatch.setenv("EXR_QUERIES", str(tmp_path / "none"))
    with pytest.raises(library.BadQuestion, match="is not a folder"):
        library.names()


def test_the_list_of_questions_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, uncut, below its group, in the order of the groups."""
    assert command.main(["ask"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line and not line.startswith(" ")] == [
        group for group in library.GROUPS if group in library.in_groups()
    ]
    assert not any("…" in line for line in lines)
    assert {one.group for found in library.in_groups().values() for one in found} <= set(library.GROUPS)


def test_a_summary_fits_its_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are told from this folder on, lines break between facts, and nothing is lost."""
    monkeypatch.chdir(tmp_path)
    facts = ["ok", "shots/sq010/beauty.1001.exr", "192x108", "34 half in 11 layers", "248,229 bytes"]
    told = "  ".join([facts[0], f"{tmp_path}/{facts[1]}", *facts[2:]])
    lines = inspect.fit_to_terminal(lambda _: told, 48)(None).splitlines()
    assert max(map(len, lines)) <= 48
    assert [fact for line in lines for fact in line.strip().split("  ")] == facts
