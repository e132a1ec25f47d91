"""The folder that `scripts/stage` makes for `vastde functions build`: exactly what ships, and it works by itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from exr_inspector.operations.samples import SAMPLES, write_samples
from local_vast import LocalVast
from project import ROOT, shipped

BEAUTY = next(name for name in SAMPLES if name.endswith("beauty_v003.1001.exr"))

GUARDED = """
import sys
hidden = set(sys.argv[1].split(","))
class Guard:
    def find_spec(self, name, path=None, target=None):
        if path is None and name in hidden:
            raise ModuleNotFoundError(f"{name} is installed for development only", name=name)
sys.meta_path.insert(0, Guard())
sys.path.insert(0, sys.argv[2])
import json, main
class Context: pass
context = Context()
main.init(context)
print(json.dumps(main.handler(context, {"data": {"path": sys.argv[3]}})))
"""
"""Runs the handler where the named packages cannot be imported, although they are installed."""

NO_INDEX = re.compile("NewConnectionError|Name or service not known|Temporary failure in name resolution|Max retries exceeded")
"""What pip says where the index is out of reach."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh stage folder."""
    directory = tmp_path_factory.mktemp("stage") / "function"
    subprocess.run([ROOT / "scripts/stage", directory], check=True, capture_output=True)
    return directory


def requirements() -> Iterator[str]:
    """The distributions in requirements.txt and all that they need."""
    names = re.findall(r"^([\w.-]+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    seen: set[str] = set()
    while names:
        name = re.sub(r"[-_.]+", "-", names.pop()).lower()
        if name in seen or name not in installed():
            continue
        seen.add(name)
        yield name
        names += [re.match(r"[\w.-]+", need)[0] for need in metadata.requires(name) or [] if "extra ==" not in need]  # type: ignore[index]


def installed() -> set[str]:
    """What this environment has."""
    return {re.sub(r"[-_.]+", "-", item.name).lower() for item in metadata.distributions()}


def development_only() -> set[str]:
    """The names of packages that are installed here and that no requirement brings."""
    needed = {"exr-inspector", *requirements()}
    by_package = metadata.packages_distributions()
    return {name for name, owners in by_package.items() if not {re.sub(r"[-_.]+", "-", one).lower() for one in owners} & needed}


def test_the_stage_holds_exactly_what_ships(stage: Path) -> None:
    """Runtime modules, requirements and policies; no tests, no development endpoint, no documents."""
    modules = {path.relative_to(ROOT).as_posix() for path in shipped()}
    policies = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("exr_inspector/validation/policies/*.toml")}
    assert len(policies) >= 5
    names = {path.relative_to(stage).as_posix() for path in stage.rglob("*") if path.is_file()}
    assert names == modules | policies | {"requirements.txt"}


def test_a_stage_is_renewed_and_another_folder_is_left_alone(stage: Path, tmp_path: Path) -> None:
    """What is no longer shipped goes; what is somebody else's stays, and so does the project."""
    (stage / "exr_inspector/exr/gone.py").write_text("")
    subprocess.run([ROOT / "scripts/stage", stage], check=True, capture_output=True)
    assert not (stage / "exr_inspector/exr/gone.py").exists()
    (tmp_path / "letter.txt").write_text("dear")
    for directory in (tmp_path, ROOT):
        refused = subprocess.run([ROOT / "scripts/stage", directory], capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert "name another folder" in refused.stderr
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_no_requirement_pins_the_platforms_own_telemetry() -> None:
    """The application's layer comes first on the platform's path, so a pin would break its runtime."""
    assert "opentelemetry" not in "".join(requirements())


def test_the_function_works_from_the_stage_with_its_requirements_alone(stage: Path, tmp_path: Path) -> None:
    """Whatever else is installed here cannot be imported; reading, the vectors and the database still work."""
    hidden = development_only()
    assert {"duckdb", "moto", "pytest"} <= hidden
    assert answer_of(sys.executable, hidden, stage, tmp_path) == ("ok", "stored", True)


def test_the_function_works_in_an_environment_made_of_its_requirements(stage: Path, tmp_path: Path) -> None:
    """As the platform's builder makes one: a new environment, the newest versions that requirements.txt allows, nothing else."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "fresh"], check=True)
    python = tmp_path / "fresh/bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "-r", stage / "requirements.txt"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if NO_INDEX.search(done.stderr):
        pytest.skip("no package index can be reached from here")
    assert done.returncode == 0, done.stderr[-600:]
    assert answer_of(str(python), set(), stage, tmp_path) == ("ok", "stored", True)


def answer_of(python: str, hidden: set[str], stage: Path, folder: Path) -> tuple[str, str, bool]:
    """What becomes of one render: its status, that of its rows, and whether they are new."""
    write_samples(folder / "renders")
    command = [python, "-I", "-c", GUARDED, ",".join(hidden), str(stage), str(folder / "renders" / BEAUTY)]
    with LocalVast(buckets=("renders",)) as server:
        settings = {
            "VAST_DB_ENDPOINT": server.url,
            "VAST_DB_ACCESS_KEY": server.access_key,
            "VAST_DB_SECRET_KEY": server.secret_key,
            "VAST_DB_BUCKET": "renders",
        }
        done = subprocess.run(command, cwd=folder, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-600:]
    answer = json.loads(done.stdout)
    return answer["status"], answer["persistence"]["status"], answer["inserted"]
