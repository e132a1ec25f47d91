"""The structure that docs/ARCHITECTURE.md states is the structure of the code."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from project import ROOT, shipped, tracked

HOMES = {
    "pyarrow": r"vast_schemas|vast_rows|vast_db_\w+|vast_session|vast_upsert|vast_provision|vast_migrations",
    "vastdb": r"vast_session",
    "boto3": r"vast_objects",
    "botocore": r"vast_objects",
    "tenacity": r"vast_\w+",
    "OpenEXR": r"exr_pixel_worker|exr_checks",
    "numpy": r"exr_pixel_(tally|decode|worker)",
}
"""Third-party package -> the modules that may import it. A package that is not here may not be imported at all."""

LATE = {"vastdb", "boto3", "botocore", "OpenEXR", "numpy"}
"""Imported where they are used, never when a module loads: together they cost seconds."""


@cache
def layers() -> dict[str, int]:
    """Module -> layer, read from the table in docs/ARCHITECTURE.md."""
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", (ROOT / "docs/ARCHITECTURE.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {name: int(layer) for layer, names in rows for name in re.findall(r"`(\w+)`", names)}


@cache
def tree(path: Path) -> ast.Module:
    """The module at `path`, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """The top-level names that these nodes import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def load_time(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported: not those in functions, nor those for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        checkers_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not checkers_only:
            yield child
            yield from load_time(child)


def test_every_runtime_module_has_a_layer_and_every_layer_a_module() -> None:
    """The table in the architecture page lists exactly the modules that ship."""
    assert shipped() == sorted(layers())


@pytest.mark.parametrize("module", shipped())
def test_a_module_imports_only_lower_layers(module: str) -> None:
    """No module knows of one beside it or above it."""
    own = set(imports(ast.walk(tree(ROOT / f"{module}.py")))) & set(shipped())
    assert {name for name in own if layers()[name] >= layers()[module]} == set()


@pytest.mark.parametrize("module", shipped())
def test_a_third_party_package_is_imported_only_at_its_home(module: str) -> None:
    """Beside the standard library and the project, a module imports only what has its home there."""
    foreign = set(imports(ast.walk(tree(ROOT / f"{module}.py")))) - set(sys.stdlib_module_names) - set(shipped())
    assert {name for name in foreign if not re.fullmatch(HOMES.get(name, "(?!)"), module)} == set()


@pytest.mark.parametrize("module", shipped())
def test_slow_packages_are_not_imported_when_a_module_loads(module: str) -> None:
    """vastdb, boto3 and OpenEXR load where they are used."""
    assert set(imports(load_time(tree(ROOT / f"{module}.py")))) & LATE == set()


def test_importing_main_loads_no_slow_package() -> None:
    """The same claim, from outside: a fresh interpreter that has imported `main`."""
    code = f"import sys, main; print(sorted({LATE | {'local_vast', 'duckdb'}!r} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_endpoint_for_development_and_the_runtime_do_not_know_each_other() -> None:
    """local_vast imports no runtime module, and no runtime module imports anything that does not ship."""
    for path in (ROOT / "local_vast").rglob("*.py"):
        assert set(imports(ast.walk(tree(path)))) & set(shipped()) == set(), path
    for module in shipped():
        assert set(imports(ast.walk(tree(ROOT / f"{module}.py")))) & {"local_vast", "scripts", "tests", "benchmarks"} == set()


def broad_handlers(node: ast.AST, function: str = "") -> Iterator[str]:
    """The functions that catch Exception, BaseException or everything."""
    for child in ast.iter_child_nodes(node):
        name = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        if isinstance(child, ast.ExceptHandler) and (
            child.type is None or re.search(r"\b(Base)?Exception\b", ast.unparse(child.type))
        ):
            yield name
        yield from broad_handlers(child, name)


EXPECTED_BROAD = {"main": {"handler"}, "vast_context": {"offered"}}
"""Where everything may be caught: the handler, and calls of the platform's own objects, which may raise anything."""


@pytest.mark.parametrize("module", shipped())
def test_broad_excepts_stand_where_they_are_allowed(module: str) -> None:
    """An error that nobody foresaw is seen, not swallowed."""
    assert set(broad_handlers(tree(ROOT / f"{module}.py"))) <= EXPECTED_BROAD.get(module, set())


def test_no_function_is_longer_than_fifty_lines() -> None:
    """A function that outgrows a screen is split."""
    long = []
    for path in tracked("*.py"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body and (body[-1].end_lineno or 0) - body[0].lineno + 1 > 50:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert long == []


def copied_by(name: str) -> set[str]:
    """The modules that the Dockerfile copies into the image."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    words = [word for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE) for word in line.split()]
    return {Path(word).stem for word in words if word.endswith(".py")}


HOST = {"function_host", "function_host_events"}
"""What stands in for the platform's runtime in the image."""


def test_the_image_ships_exactly_the_runtime_modules_and_their_host() -> None:
    """Nothing that has no prefix, apart from main and the host, is in the image, and nothing that is needed is missing."""
    assert copied_by("Dockerfile") == set(shipped()) | HOST


def test_the_type_checker_sees_every_runtime_module() -> None:
    """mypy's list of files is the list of modules that ship."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert sorted(Path(name).stem for name in settings["tool"]["mypy"]["files"]) == shipped()
