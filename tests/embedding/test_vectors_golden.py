"""The vectors of twenty fixed payloads, bit for bit, on this interpreter and on every other that is at hand."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from project import ROOT

GOLDEN = ROOT / "tests/golden/embeddings"
CHECK = ROOT / "scripts/check_vectors"


def load(path: Path):
    """A module that is no package member."""
    spec = importlib.util.spec_from_file_location("golden_" + path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def digest():
    """The script that other interpreters run."""
    return load(GOLDEN / "digest.py")


def other_pythons() -> list[str]:
    """Interpreters of other versions: on PATH, or kept by pyenv."""
    own = f"python3.{sys.version_info.minor}"
    names = [shutil.which(f"python3.{minor}") for minor in (11, 12, 13, 14) if f"python3.{minor}" != own]
    kept = [str(path) for path in Path.home().glob(".pyenv/versions/3.1[1-9].*/bin/python")]
    return sorted({path for path in [*filter(None, names), *kept] if runs(path)})


def runs(python: str) -> bool:
    """Whether this path starts a Python; a version manager's stand-in does not always."""
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def check_digests(*arguments: str) -> subprocess.CompletedProcess[str]:
    """scripts/check_vectors with these arguments."""
    return subprocess.run([sys.executable, str(CHECK), *arguments], capture_output=True, text=True, check=False)


def test_vectors_are_the_recorded_ones(digest):
    """Whoever changes the arithmetic raises EMBEDDING_VERSION and records again."""
    assert digest.golden()["embedding_version"] == digest.EMBEDDING_VERSION
    assert digest.report()["differing"] == []


def test_the_record_holds_24_payloads_at_three_dimensions(digest):
    """And the fingerprint of each."""
    names = set(digest.payloads())
    assert len(names) == 24
    assert digest.golden()["digests"].keys() == {f"{name} @ {what}" for name in names for what in (384, 512, 128, "channels")}


def test_a_record_is_not_overwritten_without_a_new_version(digest, tmp_path, monkeypatch):
    """Otherwise stored vectors would silently stop matching."""
    stale = tmp_path / "digests.json"
    stale.write_text(json.dumps({"embedding_version": digest.EMBEDDING_VERSION, "digests": {}}))
    monkeypatch.setattr(digest, "DIGESTS", stale)
    with pytest.raises(SystemExit, match="EMBEDDING_VERSION"):
        digest.write()


@pytest.mark.parametrize("python", other_pythons() or [None])
def test_another_interpreter_computes_the_same_bits(python):
    """Sums of floats changed in 3.12; nothing here may notice."""
    if python is None:
        pytest.skip("no other Python from 3.11 on is installed")
    done = check_digests(python, "--pyodide", "/nonexistent")
    assert (done.returncode, done.stdout.count("same    96 vectors")) == (0, 1), done.stdout


def test_pyodide_computes_the_same_bits():
    """CPython on WebAssembly has another libm and another processor."""
    built = ROOT / "build/pyodide"
    if not (built / "node_modules/pyodide/pyodide.mjs").is_file() or shutil.which("node") is None:
        pytest.skip("needs node, and `npm install --prefix build/pyodide pyodide`")
    done = check_digests(sys.executable, "--require", "2")
    assert (done.returncode, done.stdout.count("same    96 vectors")) == (0, 2), done.stdout


def test_an_interpreter_that_does_not_run_is_a_failure():
    """A check that ran nowhere must not pass."""
    done = check_digests("/nonexistent/python", "--pyodide", "/nonexistent")
    assert done.returncode == 1
    assert "no such program" in done.stdout
