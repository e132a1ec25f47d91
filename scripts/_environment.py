"""Makes `scripts/NAME.py` runnable as typed, with whatever Python 3 comes first on PATH.

`ensure()` comes before a script's other imports. It puts the project's folder on the import path and, where a
package that the scripts need is missing, runs the script again with the project's own Python, which scripts/setup makes.
Any Python 3 can parse this file, also one that is too old for the project.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ("vastdb", "pyarrow", "duckdb", "sqlglot", "rich", "typer")
OLDEST = (3, 11)
MARK = "EXR_INSPECTOR_ENVIRONMENT"


def missing():
    """The packages of NEEDED that this interpreter lacks; all of them where it is older than the project supports."""
    if sys.version_info < OLDEST:
        return list(NEEDED)
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def ensure():
    """Put the project on the import path; start over in the project's environment where this one lacks something."""
    folder = str(Path(__file__).resolve().parent)
    sys.path[:] = [entry for entry in sys.path if entry != folder]  # no module of the standard library is called like a script
    sys.path.insert(0, str(ROOT))
    absent = missing()
    if not absent:
        return
    if os.environ.get(MARK):
        sys.exit("The project's environment lacks {}. Remove it and run scripts/setup.".format(", ".join(absent)))
    finished = subprocess.run([str(ROOT / "scripts/setup"), "run"], check=False)
    if finished.returncode:
        sys.exit(finished.returncode)
    python = ROOT / (os.environ.get("VENV") or ".venv") / "bin/python"
    os.environ[MARK] = "1"
    os.execv(str(python), [str(python), *sys.argv])  # noqa: S606 - the project's own interpreter
