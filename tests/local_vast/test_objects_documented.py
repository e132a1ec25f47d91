"""docs/LOCAL_OBJECTS.md says what is there: operations, options, and an example that runs."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from local_vast.objects.operations import ROUTES
from project import ROOT

PAGE = (ROOT / "docs/LOCAL_OBJECTS.md").read_text(encoding="utf-8")


def test_every_operation_is_listed_and_no_other() -> None:
    """The table of operations is the table of routes."""
    table = PAGE.split("| on | operations |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", table)) == {handler.__name__.removeprefix("_") for handler in ROUTES.values()}


@pytest.mark.parametrize(
    ("command", "heading"), [("-m local_vast", "## Objects"), ("-m exr_inspector.function.host", "## The function host")]
)
def test_options_that_are_named_exist(command: str, heading: str) -> None:
    """Each flag of the section is in the command's help."""
    section = PAGE.split(heading)[1].split("\n## ")[0]
    usage = subprocess.run([sys.executable, *command.split(), "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    named = set(re.findall(r"--[a-z][\w-]*", section))
    assert named
    assert named <= set(re.findall(r"--[a-z][\w-]*", usage.stdout))


@pytest.mark.parametrize("block", re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
def test_the_examples_run(block: str) -> None:
    """As they stand."""
    subprocess.run([sys.executable, "-c", block], cwd=ROOT, check=True)
