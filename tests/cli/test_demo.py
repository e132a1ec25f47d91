"""`./scripts/run` does the main job and shows it, and doing it again adds nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from exr_inspector.cli.command import SUBCOMMANDS
from exr_inspector.operations.samples import SAMPLES
from project import ROOT


def demonstrate(data: Path) -> str:
    """What one run prints."""
    command = [sys.executable, "-m", "exr_inspector.cli.demo", "--data", str(data)]
    variables = os.environ | {"COLUMNS": "80"}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two runs over the same data."""
    data = tmp_path_factory.mktemp("demo")
    return demonstrate(data), demonstrate(data)


def test_the_first_run_inserts_every_sample(runs: tuple[str, str]) -> None:
    """What was found in each file comes first, and the last lines count all."""
    said, rows = runs[0].split("\nfiles: ")
    assert len(re.findall(r"^(?:ok|incomplete|unreadable)  \S+\.exr$", said, re.MULTILINE)) == len(SAMPLES)
    assert "\n    192x108  zip  scanline  34 half in 11 layers  lin_rec709_scene\n    Blender 4.2.3  " in said
    assert rows.splitlines()[1].startswith("inspections 1,")
    assert f"{len(SAMPLES)} events, {len(SAMPLES)} rows inserted into files" in runs[0]


def test_the_second_run_adds_nothing(runs: tuple[str, str]) -> None:
    """The same files again: known, counted twice, and the tables have as many rows as before."""
    assert "\ninspections 2," in runs[1]
    assert f"{len(SAMPLES)} events, 0 rows inserted into files" in runs[1]
    counts = [re.findall(r"^(files|parts|channels|attributes): (\d+) rows", run, re.MULTILINE) for run in runs]
    assert len(counts[0]) == 4
    assert counts[0] == counts[1]


def test_a_run_ends_with_ten_lines_for_a_newcomer(runs: tuple[str, str]) -> None:
    """What was found, where the page is, and three commands to try next, each of which there is."""
    end = runs[1].rstrip().splitlines()[-9:]
    assert end[0] == f"{len(SAMPLES)} events, 0 rows inserted into files; found among them:"
    assert set(end[1:3]) == {
        "  a frame that was cut short: sq010_sh020_beauty_v002.1001.exr", "  a file that is no EXR: notes.exr",
    }  # fmt: skip
    page = Path(urlsplit(end[4].removeprefix("The report: ")).path).read_text(encoding="utf-8")
    assert "sq010_sh020_beauty_v003.#.exr" in page
    for line in end[-3:]:
        program, subcommand, *_ = line.split()
        assert (program, subcommand in SUBCOMMANDS) == ("exr-inspector", True)


def test_no_table_is_wider_than_the_terminal(runs: tuple[str, str]) -> None:
    """From the first row to the last: every column has room in 80."""
    shown = runs[1][runs[1].index("\nfiles: ") : runs[1].index(" events, ")]
    assert "not shown" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_the_neighbours_of_a_frame_are_its_own_sequence(runs: tuple[str, str]) -> None:
    """The other two frames come first, and a frame of another build of the renderer is farther away."""
    rows = re.findall(r"^(\S+\.exr) +([\d.]+)$", runs[0].split("Nearest to")[1], re.MULTILINE)
    names, distances = [name for name, _ in rows], [float(distance) for _, distance in rows]
    assert {*names[:2]} == {f"sq010_sh020_beauty_v003.{frame}.exr" for frame in (1002, 1003)}
    assert len(rows) == 3
    assert distances == sorted(distances)
    assert distances[2] > distances[1]
    assert distances[2] == pytest.approx(0.0189, abs=1e-4)  # as `exr-inspector similar` says it: the cosine distance
