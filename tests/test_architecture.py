"""The structure that docs/ARCHITECTURE.md draws is the structure of the code: the folders are the layers."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from project import ROOT, shipped, tracked

LAYERS = ("exr", "payload", "pixels", "embedding", "validation", "database", "function", "catalogue", "operations", "cli")
"""Folders of the package, the lowest first; beneath them are `errors`, `settings` and `vast_schemas`."""
PACKAGE = ROOT / "exr_inspector"
ROOT_MODULES = {"main", "vast_schemas", "vast_db_persistence", "test_vast_db_persistence", "conftest"}
MODULES = sorted(PACKAGE.rglob("*.py"))
HOMES = {
    "pyarrow": {"database"},
    "vastdb": {"database/session.py"},
    "boto3": {"function/objects.py"},
    "botocore": {"function/objects.py"},
    "tenacity": {"retry.py"},
    "OpenEXR": {"pixels", "validation/checks.py"},
    "numpy": {"pixels"},
    "uvicorn": {"function/host.py"},
    "cloudevents": {"function"},
    "prometheus_client": {"function/host_metrics.py"},
}
"""Third-party package -> the folders or modules that ship and may import it. One that is not here may not be imported there."""
LATE = {"vastdb", "boto3", "botocore", "OpenEXR", "numpy"}
"""Imported where they are used, never when a shipped module loads: together they cost seconds."""


def name_of(path: Path) -> str:
    """How a module is shown: its path without the root."""
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    """The module at `path`, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """The dotted names that these nodes import; `from a import b` gives `a.b`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top_level(names: Iterator[str]) -> set[str]:
    """The packages that dotted names belong to."""
    return {name.partition(".")[0] for name in names}


def inside(path: Path) -> set[Path]:
    """The modules of the package that a module imports, late or not."""
    imported = set()
    for name in imports(ast.walk(tree(path))):
        parts = name.split(".")
        if parts[0] == "exr_inspector":
            places = (ROOT.joinpath(*parts[:end]).with_suffix(".py") for end in range(len(parts), 1, -1))
            imported |= {next((place for place in places if place.exists()), PACKAGE / "__init__.py")}
    return imported


def height(path: Path) -> int:
    """The layer of a module; -1 for what lies beneath all folders."""
    parts = path.relative_to(PACKAGE).parts
    return LAYERS.index(parts[0]) if len(parts) > 1 else -1


def load_time(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported: not those in functions, nor those for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        checkers_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not checkers_only:
            yield child
            yield from load_time(child)


def test_the_root_holds_what_users_were_told_of_and_nothing_more() -> None:
    """Everything else has a folder."""
    assert {path.stem for path in ROOT.glob("*.py")} == ROOT_MODULES


def test_every_folder_is_a_layer() -> None:
    """A new folder has to be given its place."""
    assert {path.parent.relative_to(PACKAGE).parts[0] for path in MODULES if path.parent != PACKAGE} == set(LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_its_own_folder_and_lower_ones(path: Path) -> None:
    """No arrow goes up. The command alone stands above everything."""
    own = height(path) if path.name != "__main__.py" else len(LAYERS)
    assert [name_of(other) for other in sorted(inside(path)) if height(other) > own] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Late imports count as well."""
    graph = {path: inside(path) - {PACKAGE / "__init__.py"} for path in MODULES}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) >= len(MODULES) - 1


def test_the_tables_are_a_leaf() -> None:
    """vast_schemas imports pyarrow, and nothing of the project."""
    names = top_level(imports(ast.walk(tree(ROOT / "vast_schemas.py"))))
    assert names - set(sys.stdlib_module_names) == {"pyarrow"}


def test_the_public_face_has_no_logic_and_nothing_inside_knows_it() -> None:
    """vast_db_persistence hands names on; what the package needs of them it takes from their homes."""
    face = tree(ROOT / "vast_db_persistence.py")
    assert not [node for node in face.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    for path in MODULES:
        assert "vast_db_persistence" not in top_level(imports(ast.walk(tree(path)))), path


@pytest.mark.parametrize("path", [path for path in MODULES if path in shipped()], ids=name_of)
def test_a_third_party_package_is_imported_only_at_its_home(path: Path) -> None:
    """Beside the standard library and the project, a module that ships imports only what has its home there."""
    ours = {"exr_inspector", *ROOT_MODULES}
    place = str(path.relative_to(PACKAGE))
    foreign = top_level(imports(ast.walk(tree(path)))) - set(sys.stdlib_module_names) - ours
    assert {name for name in foreign if not {place, place.partition("/")[0]} & HOMES.get(name, set())} == set()


@pytest.mark.parametrize("path", shipped(), ids=name_of)
def test_slow_packages_are_not_imported_when_a_shipped_module_loads(path: Path) -> None:
    """vastdb, boto3 and OpenEXR load where they are used."""
    assert top_level(imports(load_time(tree(path)))) & LATE == set()


def test_importing_main_loads_no_slow_package() -> None:
    """The same claim, from outside: a fresh interpreter that has imported `main`."""
    code = f"import sys, main; print(sorted({LATE | {'local_vast', 'duckdb'}!r} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_endpoint_for_development_and_what_ships_do_not_know_each_other() -> None:
    """local_vast imports nothing of the project, and what ships imports neither it nor a folder that does not ship."""
    for path in (ROOT / "local_vast").rglob("*.py"):
        assert top_level(imports(ast.walk(tree(path)))) & {"exr_inspector", *ROOT_MODULES} == set(), path
    for path in shipped():
        assert top_level(imports(ast.walk(tree(path)))) & {"local_vast", "scripts", "tests", "benchmarks"} == set(), path
        assert {other for other in inside(path) if other not in shipped()} == set(), path


def broad_handlers(node: ast.AST, function: str = "") -> Iterator[str]:
    """The functions that catch Exception, BaseException or everything."""
    for child in ast.iter_child_nodes(node):
        name = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        if isinstance(child, ast.ExceptHandler) and (
            child.type is None or re.search(r"\b(Base)?Exception\b", ast.unparse(child.type))
        ):
            yield name
        yield from broad_handlers(child, name)


EXPECTED_BROAD = {
    "main.py": {"handler"},
    "exr_inspector/function/batch.py": {"_try"},
    "exr_inspector/function/context.py": {"ask_platform"},
}
"""Where everything may be caught: the handler, of one event and of each in a batch, and calls of the platform's own objects."""


@pytest.mark.parametrize("path", shipped(), ids=name_of)
def test_broad_excepts_stand_where_they_are_allowed(path: Path) -> None:
    """An error that nobody foresaw is seen, not swallowed."""
    assert set(broad_handlers(tree(path))) <= EXPECTED_BROAD.get(name_of(path), set())


def test_no_function_is_longer_than_fifty_lines() -> None:
    """A function that outgrows a screen is split."""
    long = []
    for path in tracked("*.py"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body and (body[-1].end_lineno or 0) - body[0].lineno + 1 > 50:
                    long.append(f"{name_of(path)}:{node.lineno} {node.name}")
    assert long == []


def test_the_type_checker_sees_everything_that_ships() -> None:
    """mypy names the root's modules and the package."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert {"main.py", "vast_schemas.py", "vast_db_persistence.py", "exr_inspector"} <= set(settings["tool"]["mypy"]["files"])
