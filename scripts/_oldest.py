"""Prints constraints that make pip install the oldest versions that pyproject.toml allows of what runs.

What serves tests and checks alone keeps the versions of constraints.txt. Needs nothing but Python 3.11.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = ("host", "cli", "cluster")
"""Extras whose packages run at a user's."""


def name_of(requirement):
    """The name of the package, as pip compares names."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def oldest():
    """Package -> the lowest version that is allowed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in RUNS)]
    bounds = ((requirement, re.search(r"[>=]=([\d.]+)", requirement)) for requirements in lists for requirement in requirements)
    return {name_of(requirement): bound[1] for requirement, bound in bounds if bound}


def main():
    """The constraints, one a line."""
    lowest = oldest()
    for name, version in sorted(lowest.items()):
        print(f"{name}=={version}")
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        # These follow the versions of boto3 and distributed.
        if "==" in line and name_of(line) not in {*lowest, "botocore", "dask"}:
            print(line)


if __name__ == "__main__":
    main()
