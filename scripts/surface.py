"""What of the project is public: everything that other people's code, queries, settings and scripts can depend upon, by name.

Each name has a shape, in words: what may not change without notice. All of it is read from the code, so nothing is public by
having been written down here. `docs/DEPRECATION_POLICY.md` says what the families are and why nothing else is one.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.machinery
import importlib.util
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import exr_payload
import vast_settings
from scripts import message_sites, messages, questions, upkeep
from scripts.database_schema import type_name
from scripts.generated import ROOT
from vast_schemas import CURRENT_VERSION, TABLES
from vast_settings import Settings

SCHEMA = ROOT / "docs/payload.schema.json"
MARK = "Deprecated"
"""How the description of something deprecated begins; a function has the attribute `__deprecated__` (PEP 702)."""

FOR_DEVELOPERS = frozenset({"check_vectors", "public_surface.py", "python", "setup", "test", "vendor_tests"})
"""Scripts for those who change the code, beside those that write pages (`generate_`)."""

Found = Iterator[tuple[str, "Entry"]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One public name: `shape` is what may not change; `demanded` if users must give it.

    `deprecated`: whether the code says so; None where it has no place to, as for a code, a parameter or a column of an answer.
    """

    shape: str
    demanded: bool = False
    deprecated: bool | None = None


def _entry(shape: str, description: str | None, demanded: bool = False) -> Entry:
    return Entry(shape, demanded, (description or "").startswith(MARK))


def collect() -> dict[str, dict[str, Entry]]:
    """Every public name by family, sorted. Imports every module and script that has one."""
    return {family: dict(sorted(read())) for family, read in FAMILIES.items()}


def versions() -> dict[str, str]:
    """The version of each family: that of the payload, of the tables, and for the rest that of the project."""
    own = {"payload": f"{exr_payload.SCHEMA_VERSION}.0.0", "tables": CURRENT_VERSION}
    return dict.fromkeys(FAMILIES, exr_payload.INSPECTOR_VERSION) | own


# The payload


def payload(schema: Mapping[str, Any] | None = None) -> Found:
    """Fields of the payload, from its JSON Schema: `file.completeness.verdict`, `parts[].name`."""
    whole = json.loads(SCHEMA.read_text(encoding="utf-8")) if schema is None else schema
    yield from _members(whole, whole, "")


def _members(whole: Mapping[str, Any], node: Mapping[str, Any], prefix: str) -> Found:
    for name, inner in node.get("properties", {}).items():
        known = _resolved(whole, inner)
        always = "always" if name in node.get("required", ()) else "at times"
        marked = bool(inner.get("deprecated") or any(one.get("deprecated") for one in known))
        yield f"{prefix}{name}", Entry(f"{_json_type(known)}, {always}", deprecated=marked)
        for one in known:
            yield from _inside(whole, one, f"{prefix}{name}")


def _inside(whole: Mapping[str, Any], node: Mapping[str, Any], name: str) -> Found:
    yield from _members(whole, node, f"{name}.")
    for one in _resolved(whole, node["items"]) if "items" in node else ():
        yield from _inside(whole, one, f"{name}[]")


def _resolved(whole: Mapping[str, Any], node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The alternatives of a node, references followed."""
    if "$ref" in node:
        return _resolved(whole, whole["$defs"][node["$ref"].rpartition("/")[2]])
    if "anyOf" in node:
        return [found for one in node["anyOf"] for found in _resolved(whole, one)]
    return [node]


def _json_type(alternatives: Iterable[Mapping[str, Any]]) -> str:
    """The JSON types; which words an enumeration has is not part of it: readers meet new ones (`unknown(99)`)."""
    types: set[str] = set()
    for one in alternatives:
        named = one.get("type", [_json_name(value) for value in one["enum"]] if "enum" in one else [])
        types |= {named} if isinstance(named, str) else set(named)
        types |= {f"{one['const']!r}"} if "const" in one else set()
    return " or ".join(sorted(types)) or "any"


def _json_name(value: Any) -> str:
    return "null" if value is None else "string"


# Tables, settings, codes, questions


def tables() -> Found:
    """Tables and columns, with their types."""
    for table in TABLES.values():
        yield table.name, _entry("table", table.description)
        for column in table.columns:
            yield f"{table.name}.{column.name}", _entry(type_name(column.type), column.description)


def settings(declared: type[Any] = Settings) -> Found:
    """Every spelling of every setting, and its further keys in secrets, with its kind and default."""
    kinds = {id(value): name for name, value in vars(vast_settings).items() if isinstance(value, vast_settings.Kind)}
    for item in fields(declared):
        described = item.metadata
        value = "of its own" if item.default is MISSING else repr(item.default)
        shape = f"{kinds[id(described['kind'])]}, default {value}"
        for name in (*described["names"], *(f"{key} in secrets" for key in described["keys"])):
            yield name, Entry(shape, deprecated=name in described["deprecated"])


def codes() -> Found:
    """Codes of errors, warnings and findings, with what follows from them."""
    found: dict[str, set[str]] = {}
    for site in messages.every_site():
        if site.code != message_sites.CODE_OF_PLAIN:
            found.setdefault(site.code, set()).update(site.verdict.split(", "))
    yield from ((code, Entry(" or ".join(sorted(verdicts)))) for code, verdicts in found.items())


def asked() -> Found:
    """The questions of docs/queries, their parameters, and the columns of their answers."""
    for question in map(questions.load, questions.names()):
        yield question.name, _entry("question", question.note)
        for parameter in question.parameters:
            shape = parameter.kind if parameter.required else f"{parameter.kind}, default {parameter.default}"
            yield f"{question.name} ${parameter.name}", _entry(shape, parameter.meaning, parameter.required)
        for column in questions.parse(question.sql).named_selects:
            yield f"{question.name}.{column}", Entry("column of the answer")


# Functions


def functions() -> Found:
    """What the modules with `__all__` offer, and the two functions that the platform calls."""
    import main

    yield from exported(main, ("init", "handler"))
    for path in sorted(ROOT.glob("[ev]*_*.py")):
        if "__all__" in path.read_text(encoding="utf-8"):
            module = importlib.import_module(path.stem)
            yield from exported(module, module.__all__)


def exported(module: ModuleType, names: Sequence[str]) -> Found:
    """These names of a module, with the parameters of functions and the fields of dataclasses."""
    for name in names:
        value = getattr(module, name)
        marked = hasattr(value, "__deprecated__")
        if not callable(value):
            yield f"{module.__name__}.{name}", Entry(type(value).__name__)
        elif isinstance(value, type):
            yield f"{module.__name__}.{name}", Entry("class", deprecated=marked)
            yield from _fields(f"{module.__name__}.{name}", value)
        else:
            returned = inspect.signature(value).return_annotation
            shape = "function" if returned is inspect.Signature.empty else f"function -> {returned}"
            yield f"{module.__name__}.{name}", Entry(shape, deprecated=marked)
            yield from _parameters(f"{module.__name__}.{name}", value)


def _parameters(name: str, function: Callable[..., Any]) -> Found:
    for position, parameter in enumerate(inspect.signature(function).parameters.values(), start=1):
        placed = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        kind = f"{parameter.kind.description} {position}" if placed else parameter.kind.description
        several = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        required = parameter.default is parameter.empty and not several
        annotated = "" if parameter.annotation is parameter.empty else f", {parameter.annotation}"
        default = "" if parameter.default is parameter.empty else f", default {parameter.default!r}"
        yield f"{name}({parameter.name})", Entry(f"{kind}{annotated}{default}", required)


def _fields(name: str, kind: type[Any]) -> Found:
    """Of values; a dataclass that is not frozen is a handle, and its insides are nobody's business."""
    frozen = is_dataclass(kind) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    for item in fields(kind) if frozen else ():
        if not item.name.startswith("_"):
            yield f"{name}.{item.name}", Entry(item.type if isinstance(item.type, str) else item.type.__name__)


# Commands


class Parsed(Exception):
    """The parser that a command line has built."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__(parser.prog)
        self.parser = parser


def commands() -> Found:
    """`main.py` and the scripts with their options, and what the exit statuses mean."""
    yield from options("main.py", ROOT / "main.py")
    for path in sorted((ROOT / "scripts").iterdir()):
        if path.is_file() and path.read_bytes()[:2] == b"#!" and path.name not in FOR_DEVELOPERS and "generate_" not in path.name:
            yield from options(f"scripts/{path.name}", path)
    for name in ("DONE", "UNREACHABLE", "REFUSED", "FOUND", "INTERRUPTED"):
        yield f"exit status {getattr(upkeep, name)}", Entry(name.lower())


def options(name: str, path: Path) -> Found:
    """A command with its options, its places for arguments and its choices; one without a command line has its name alone."""
    yield name, Entry("command")
    parser = parser_of(_behind(path))
    for action in parser._actions if parser else ():  # argparse has no public way to ask
        if isinstance(action, argparse._HelpAction):
            continue
        placed = action.metavar if isinstance(action.metavar, str) else action.dest
        for spelling in action.option_strings or [placed]:
            demanded = action.required if action.option_strings else action.nargs not in ("?", "*")
            yield f"{name} {spelling}", _entry(_option_shape(action), action.help, demanded)
            yield from ((f"{name} {spelling} {choice}", Entry("choice")) for choice in action.choices or ())


def _option_shape(action: argparse.Action) -> str:
    """How many values it takes. Defaults are left out: some follow from the machine, such as its processors."""
    return "flag" if action.nargs == 0 else f"value, {action.nargs} times" if action.nargs else "value"


def _behind(path: Path) -> Path:
    """The Python file that a command runs: itself, or the module that its shell text starts."""
    text = path.read_text(encoding="utf-8")
    _, started, module = text.partition("-m scripts.")
    return ROOT / "scripts" / f"{module.split()[0]}.py" if started and "python" not in text.splitlines()[0] else path


def parser_of(path: Path) -> argparse.ArgumentParser | None:
    """The parser of a Python command line, taken from it at the moment that it would read its arguments; None without one."""
    name = _reading_function(path)
    if name is None:
        return None
    entry = getattr(_module(path), name)

    def parse_args(parser: argparse.ArgumentParser, *_: Any) -> None:
        raise Parsed(parser)

    with patch.object(argparse.ArgumentParser, "parse_args", parse_args):
        try:
            entry([]) if inspect.signature(entry).parameters else entry()
        except Parsed as parsed:
            return parsed.parser
    return None


def _reading_function(path: Path) -> str | None:
    """The function of a file that reads the command line, where the file is Python and has one."""
    text = path.read_text(encoding="utf-8")
    for node in ast.parse(text).body if "parse_args" in text else ():
        called = (inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute))
        if isinstance(node, ast.FunctionDef) and "parse_args" in called:
            return node.name
    return None


def _module(path: Path) -> ModuleType:
    """The module of a file, also of one without a suffix."""
    if path.suffix:
        return importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    loader = importlib.machinery.SourceFileLoader(f"scripts_{path.name}", str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    if spec is None:
        raise ImportError(f"{path} cannot be imported", path=str(path))
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


FAMILIES: dict[str, Callable[[], Found]] = {
    "payload": payload,
    "tables": tables,
    "settings": settings,
    "functions": functions,
    "commands": commands,
    "codes": codes,
    "questions": asked,
}
