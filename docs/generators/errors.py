"""docs/ERRORS.md: every code of an error, a warning or a finding, with the messages that stand beside it in the source.

    scripts/generate errors [--check]

With --check nothing is written: exit status 1 says that the page is out of date. The problems are those of
docs/TROUBLESHOOTING.md, each with the codes that it lists, or with those of a module (`FAMILIES`).
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator

from exr_inspector.database.rulings import DATABASE_RULINGS
from exr_inspector.errors import InspectorError
from exr_inspector.operations.integrity import REMEDIES
from generators import ROOT

PAGE = ROOT / "docs/ERRORS.md"
PROBLEMS = ROOT / "docs/TROUBLESHOOTING.md"
SOURCE = ROOT / "exr_inspector"
SEARCHED = ("exr", "payload", "pixels", "database", "function", "operations/verification.py", "settings.py")
FAMILIES = {
    "contradictions.py": "The header contradicts itself",
    "attributes.py": "An attribute does not decode, or something is left out",
    "header.py": "An attribute does not decode, or something is left out",
}
"""Module -> the problem of the codes that it gives and no problem lists."""
CODE = re.compile(r"[a-z][a-z0-9]*(_([a-z0-9]+|<word>))+")
DIFFERENCE = "_difference"
"""The function of the comparison of tables whose first argument is a code, also one of a single word."""
NO_CODES = frozenset({"exr_inspector", "lin_rec709_scene", "too_large", "vastdb_endpoint", "verify_message"})
"""Names beside a text that look like codes."""
BESIDE_NO_TEXT = {
    "chunk_not_decodable": "pixels of a chunk do not decode, or are not what the header announces",
    "database_certificate": "the certificate of the database is not trusted (retry)",
    "database_stale": "a table was replaced after its columns were loaded (retry)",
    "decoder_crashed": "the process that decodes pixels ended at a chunk",
    "event_credentials_ignored": "a warning: credentials in the event are not used",
    "exhausted": "the event takes too much memory, or is nested too deeply (reject)",
    "internal_error": "a fault of this program, with its traceback in the log (retry)",
    "storage_forbidden": "the object store refuses this deployment (retry)",
}
"""Codes whose text stands elsewhere in the source than the code itself."""
WINDOWS = ("data", "display")
"""What `<word>` stands for in a code."""
SHOWN = 2
"""Messages of a code."""

HEAD = """# Errors: every code and what it means

This page is generated from the code by `scripts/generate errors`. To look up one code on the command line:

```console
exr-inspector doctor --explain chunks_truncated
```

Codes are stable, the words of messages are not ([DEPRECATION_POLICY.md](DEPRECATION_POLICY.md)). `<name>` stands for a value.
The problem has cause, check and remedy. Errors have their [verdict](SERVERLESS_INTEGRATION.md#verdicts) at the end: skip,
reject or retry. The other codes are findings about a file, in `errors` and `warnings` of its payload, or about tables and rows.

| problem | codes |
|---|---|
"""


def page() -> str:
    """The whole page."""
    texts, family = meanings()
    rows = [
        (f"[{heading}](TROUBLESHOOTING.md#{anchor(heading)})", named | family.get(heading, set()))
        for heading, named in problems()
    ]
    placed = set[str]().union(*(codes for _, codes in rows))
    lines = [f"| {where} | {_cell(codes, texts)} |" for where, codes in [*rows, ("no problem", texts.keys() - placed)] if codes]
    return HEAD + "\n".join(lines) + "\n"


def _cell(codes: set[str], texts: dict[str, str]) -> str:
    return "<br>".join(f"`{code}`: {texts[code]}" for code in sorted(codes))


def problems() -> Iterator[tuple[str, set[str]]]:
    """Each problem of TROUBLESHOOTING.md with the codes that it lists."""
    for section in PROBLEMS.read_text(encoding="utf-8").split("\n### ")[1:]:
        heading, _, text = section.partition("\n* Cause:")[0].partition("\n")
        listed = re.search(r";\s+codes?\s+((?:`\w+`,?\s*)+)$", text)
        yield heading, set(re.findall(r"`(\w+)`", listed[1])) if listed else set()


def anchor(heading: str) -> str:
    """The anchor that a heading makes."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def meanings() -> tuple[dict[str, str], dict[str, set[str]]]:
    """Code -> what it says; problem -> the codes that are its by their module."""
    listed = set[str]().union(*(codes for _, codes in problems()))
    messages = _messages()
    family: dict[str, set[str]] = {}
    for code, (module, _) in messages.items():
        if module in FAMILIES and code not in listed:
            family.setdefault(FAMILIES[module], set()).add(code)
    texts = {code: said for code, (_, said) in messages.items()}
    return REMEDIES | texts | _rulings() | _classes() | BESIDE_NO_TEXT, family


def _classes() -> dict[str, str]:
    """Code -> meaning and verdict of the class of errors that has it."""
    for path in SOURCE.rglob("*.py"):
        if re.search(r'^    code = "', path.read_text(encoding="utf-8"), re.MULTILINE):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found: dict[str, str] = {}
    waiting = InspectorError.__subclasses__()
    while waiting:
        kind = waiting.pop(0)
        waiting += kind.__subclasses__()
        about = re.split(r"\n\n|\. |; `", kind.__doc__ or "")[0]
        found.setdefault(kind.code, f"{' '.join(about.split()).rstrip('.')} ({kind.verdict})")
    return found


def _rulings() -> dict[str, str]:
    """Code -> the errors of the database's client that it stands for, remedy and verdict."""
    found: dict[str, tuple[list[str], str]] = {}
    for name, ruling in DATABASE_RULINGS.items():
        after = f"{f'. {ruling.remedy}' if ruling.remedy else ''} ({ruling.error.verdict})"
        found.setdefault(ruling.code, ([], after))[0].append(name.rpartition(".")[2])
    return {code: f"the client's {', '.join(dict.fromkeys(kinds))}{after}" for code, (kinds, after) in found.items()}


def _messages() -> dict[str, tuple[str, str]]:
    """Code -> the module that gives it and the messages beside it in the source."""
    found: dict[str, tuple[str, list[str]]] = {}
    for path in (path for name in SEARCHED for path in sorted((SOURCE / name).rglob("*.py")) or [SOURCE / name]):
        for code, said in _pairs(ast.parse(path.read_bytes())):
            for one in [code.replace("<word>", window) for window in WINDOWS] if "<" in code else [code]:
                found.setdefault(one, (path.name, []))[1].append(f"`{said}`")
    given = {code: (module, list(dict.fromkeys(said))[:SHOWN]) for code, (module, said) in found.items()}
    return {code: (module, " or ".join(said)) for code, (module, said) in given.items() if code not in NO_CODES}


def _pairs(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Code and message of each call, tuple or dictionary that has both."""
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        nodes = [node for statement in function.body for node in ast.walk(statement)]
        assigned = [node for node in nodes if isinstance(node, ast.Assign)]
        for node in nodes:
            texts = [text for value in _values(node) if (text := _text(value, assigned))]
            short = isinstance(node, ast.Call) and ast.unparse(node.func) == DIFFERENCE
            codes = [text for text in texts if CODE.fullmatch(text) or short]
            said = [text for text in texts if " " in text]
            if codes and said:
                yield codes[0], said[0]


def _values(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Call):
        return [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg != "remedy")]
    return node.elts if isinstance(node, ast.Tuple) else node.values if isinstance(node, ast.Dict) else []


def _text(node: ast.expr, assigned: list[ast.Assign]) -> str | None:
    """A text with `<name>` for its values; a name stands for what was last assigned to it above."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_value(part) if isinstance(part, ast.FormattedValue) else _constant(part) for part in node.values)
    if isinstance(node, ast.Name):
        above = [one for one in assigned if one.lineno < node.lineno and ast.unparse(one.targets[0]) == node.id]
        return _text(above[-1].value, []) if above else None
    return None


def _constant(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else ""


def _value(part: ast.FormattedValue) -> str:
    names = re.findall(r"[a-z][a-z_]*[a-z]", ast.unparse(part.value))
    name = "number" if names[:1] == ["len"] else (names or ["value"])[-1].replace("_", " ")
    return f"'<{name}>'" if part.conversion == ord("r") else f"<{name}>"
