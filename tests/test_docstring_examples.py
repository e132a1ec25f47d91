"""The examples in docstrings hold: rules are shown where they are stated."""

from __future__ import annotations

import doctest
import importlib

import pytest

from project import ROOT, tracked

MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in tracked("exr_inspector/*.py") + tracked("local_vast/*.py")
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_hold(module: str) -> None:
    """Each prints what stands below it."""
    assert doctest.testmod(importlib.import_module(module)).failed == 0
