"""Every message that the code can give, read from the code: where an error or a finding is made, with which code and remedy.

A *site* is a call that makes one. Where the call's message comes from the caller (`self._bad(code, message)`), the callers are
the sites. Values that are only known when the program runs are shown as `<name>`.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from exr_attributes import DecodeError
from exr_bands import DamagedChunk, TableUnreadable
from exr_errors import BadPayload, InspectorError
from exr_header import Finding
from exr_layout import NoLayout
from scripts import integrity
from scripts.generated import ROOT
from vast_settings import environment_name

Scope = dict[str, list[ast.expr]]
FORWARDED = frozenset({"code", "message", "what", "kind"})
"""Parameters by which a function takes the text or the code of what it makes from its caller."""
PLAIN = (ValueError, ImportError, TimeoutError, FileNotFoundError, KeyError, TypeError)
"""Errors of Python whose text a command line or a host passes on."""
NAMED = re.compile(r"\S+: ")
"""How a line on standard error begins that is more than news of what is under way: with the command's name."""
WHOLE = re.compile(r"[a-z][a-z0-9_]*")
MARK = "\0"
CODE_OF_PLAIN = "command line"
NO_PIXELS = "part <number>: the chunk of <place> gives no pixels: {}"
UNCOUNTABLE = "part <number> has {}, so the chunks of the file cannot be counted"
PAYLOAD_FIELD = "payload field '<field>': expected {}, got <value>"


@dataclass(frozen=True, slots=True)
class Site:
    """One message: its code, its text, its remedy, what follows from it, and the module that gives it."""

    code: str
    message: str
    remedy: str
    verdict: str
    where: str

    def changed(self, change: Callable[[str], str]) -> Site:
        """The site with all its texts but the module's name changed."""
        return Site(change(self.code), change(self.message), change(self.remedy), change(self.verdict), self.where)

    def takes(self, parameter: str) -> bool:
        """Whether any text comes from this parameter."""
        return any(f"{MARK}{parameter}{MARK}" in text for text in (self.code, self.message, self.remedy, self.verdict))


@dataclass(frozen=True, slots=True)
class Shape:
    """Which arguments of a constructor are message, code and verdict; a verdict in words is fixed.

    `text` goes around the message. A position below zero counts from the end.
    """

    message: int
    code: int | None = None
    verdict: int | str = "error"
    fixed_code: str | None = None
    text: str = "{}"


OF_CHANNELS = frozenset({"channel_list_damaged", "too_many_channels"})
"""Codes of attributes that are errors where the attribute is the part's list of channels."""
NOT_MET = frozenset({("bad_header", "a trial"), ("unwell", "there is no session")})
"""What nobody is told: the doctor's trial payload, and a step without the one that it needs."""
SHAPES: dict[type, Shape] = {
    Finding: Shape(message=2, code=1, verdict=0),
    integrity.Finding: Shape(message=-1, code=0, verdict="finding"),
    DecodeError: Shape(message=1, code=0, verdict="warning", text="attribute '<name>' of type '<type>' {}"),
    TableUnreadable: Shape(message=1, code=0),
    NoLayout: Shape(message=1, fixed_code="chunks_uncountable", text=UNCOUNTABLE),
    DamagedChunk: Shape(message=0, fixed_code="chunk_not_decodable", text=NO_PIXELS),
}
"""What a constructor that is no error of `exr_errors` is called with."""


@dataclass(slots=True)
class Source:
    """A module as text and, where it can be imported, as an object; `makers` are its functions that make what callers say."""

    name: str
    tree: ast.Module
    module: Any
    makers: dict[str, tuple[ast.FunctionDef, list[Site]]] = field(default_factory=dict)


FOR_DOCUMENTS = frozenset({"deprecations", "document_outputs", "generated", "message_sites", "public_surface"})
"""Scripts that make or check documents, beside those that import `scripts.generated`: only who changes the project meets them."""


def modules() -> Iterator[Path]:
    """The runtime modules, the host, and the scripts that are Python."""
    yield ROOT / "main.py"
    for pattern in ("exr_*.py", "vast_*.py", "function_host*.py"):
        yield from sorted(ROOT.glob(pattern))
    for path in sorted((ROOT / "scripts").iterdir()):
        if path.is_file() and _is_python(path) and not _is_for_documents(path):
            yield path


def _is_python(path: Path) -> bool:
    return path.suffix == ".py" or (not path.suffix and path.read_bytes().startswith(b"#!/usr/bin/env python3"))


def _is_for_documents(path: Path) -> bool:
    return path.stem in FOR_DOCUMENTS or "from scripts.generated import" in path.read_text(encoding="utf-8")


def sites() -> list[Site]:
    """Every site of the project, sorted by code and text; of equal ones in several modules one names them all."""
    found: dict[tuple[str, str], list[Site]] = {}
    for path in modules():
        for site in read(path):
            found.setdefault((site.code, site.message), []).append(site)
    merged = [_merged(same) for same in found.values()]
    return sorted(merged, key=lambda site: (site.code, site.message))


def _merged(same: list[Site]) -> Site:
    remedies = dict.fromkeys(site.remedy for site in same if site.remedy)
    places = dict.fromkeys(site.where for site in same)
    verdicts = dict.fromkeys(site.verdict for site in same)
    return replace(same[0], remedy=" / ".join(remedies), where=", ".join(places), verdict=", ".join(verdicts))


def read(path: Path) -> list[Site]:
    """The sites of one module."""
    name = str(path.relative_to(ROOT))
    module = importlib.import_module(name.removesuffix(".py").replace("/", ".")) if path.suffix else None
    return found_in(Source(name, ast.parse(path.read_text(encoding="utf-8")), module))


def found_in(source: Source) -> list[Site]:
    """The sites of a module: of each function that does not make what its callers say, and of what stands outside of any."""
    whole = ast.FunctionDef("<module>", ast.arguments([], [], None, [], [], None, []), source.tree.body)
    functions = [whole, *(node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))]
    for _ in range(3):  # a maker may call a maker
        for function in functions:
            _note_maker(source, function)
    own = [function for function in functions if function.name not in source.makers or not _is_called(source, function.name)]
    return [site for function in own for site in _final(_sites_in(source, function))]


def _note_maker(source: Source, function: Any) -> None:
    parameters = {argument.arg for argument in _parameters(function)} & FORWARDED
    made = [site for site in _sites_in(source, function) if any(map(site.takes, parameters))]
    if made and not function.name.startswith("__"):
        source.makers[function.name] = (function, made)


def _is_called(source: Source, name: str) -> bool:
    return any(isinstance(node, ast.Call) and _last(node.func) == name for node in ast.walk(source.tree))


def _final(found: Iterator[Site]) -> Iterator[Site]:
    """Sites with a text of their own, parameters shown as what they are."""
    for site in found:
        shown = site.changed(_shown)
        named = shown.code == CODE_OF_PLAIN or WHOLE.fullmatch(shown.code)
        if shown.code in OF_CHANNELS:
            shown = replace(shown, verdict="error, warning")
        told = (shown.code, shown.message) not in NOT_MET and shown.message != "<message>"
        if named and told and (shown.remedy or _says_something(shown.message)):
            yield shown


def _says_something(message: str) -> bool:
    """Whether there are words beside values, and beside the name of a script before an error of its own."""
    return bool(re.sub(r"<[^>]*>|\W", "", message)) and not re.fullmatch(r"[\w.]+: <error>", message)


def _shown(text: str) -> str:
    return re.sub(f"{MARK}(.*?){MARK}", r"<\1>", text)


# From a function to its sites


def _sites_in(source: Source, function: Any) -> Iterator[Site]:
    scope: Scope = {argument.arg: [ast.Name(f"{MARK}{argument.arg}{MARK}")] for argument in _parameters(function)}
    for node, known in _visited(function.body, scope):
        if isinstance(node, ast.Call):
            yield from _call(source, node, known)
        elif isinstance(node, ast.Dict):
            yield from _entry(source, node, known)
        elif isinstance(node, ast.Tuple) and source.name in PAIRS:
            yield from _pair(source, node, known)


def _visited(block: Sequence[ast.stmt], scope: Scope) -> Generator[tuple[ast.AST, Scope], None, Scope]:
    """The expressions of a block in their order, each with what the names were assigned before it; returns what they are then."""
    for statement in block:
        for node in _expressions(statement):
            yield node, scope
        name, value = _assignment(statement)
        if name is not None and value is not None:
            scope = {**scope, name: [value]}
        branches = []
        for inner in _blocks(statement):
            branches.append((yield from _visited(inner, scope)))
        scope = _joined(scope, branches)
    return scope


def _joined(before: Scope, branches: Sequence[Scope]) -> Scope:
    """What names are after branches: what any made of them; after a single one, which may be passed by, also what they were."""
    after = dict(before)
    for name in {name for branch in branches for name in branch if branch[name] is not before.get(name)}:
        made = [value for branch in branches if branch.get(name) is not before.get(name) for value in branch[name]]
        after[name] = [*before.get(name, []), *made] if len(branches) == 1 else made
    return after


def _assignment(statement: ast.stmt) -> tuple[str | None, ast.expr | None]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, statement.value
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value
    return None, None


def _blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    """The blocks of a compound statement; functions and classes are looked at by themselves."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return []
    blocks = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    return [block for block in (*blocks, *(handler.body for handler in getattr(statement, "handlers", []))) if block]


def _expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement but for those of the statements in it."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop(0)
        yield node
        todo += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt | ast.ExceptHandler)]


def _call(source: Source, node: ast.Call, scope: Scope) -> Iterator[Site]:
    made = _resolved(node.func, source)
    if isinstance(made, type) and issubclass(made, InspectorError):
        yield from _error(source, node, scope, made)
    elif isinstance(made, type) and (shape := next((s for kind, s in SHAPES.items() if issubclass(made, kind)), None)):
        yield from _shaped(source, node, scope, shape)
    elif _last(node.func) in source.makers:
        yield from _through(source, node, scope)
    elif _is_spoken(made, node):
        verdict = "warning" if made is warnings.warn else "refused"
        for text in _texts(node.args[0], source, scope):
            if _last(node.func) != "print" or NAMED.match(text):
                yield Site(CODE_OF_PLAIN, text, "", verdict, source.name)
    elif _last(node.func) == "_Unfit":
        for text in _texts(node.args[0], source, scope):
            yield Site(BadPayload.code, PAYLOAD_FIELD.format(text), "", BadPayload.verdict.value, source.name)
    elif _last(node.func) == "_result" and ast.unparse(node.args[0]) == "'skipped'":
        yield from _made(source, scope, node.args[0], _keyword(node, "message"), None, "skip")


def _is_spoken(made: Any, node: ast.Call) -> bool:
    """Whether a call says something to whoever typed a command: an error or a warning of Python's, an exit, a line on stderr."""
    if not node.args or made is warnings.warn:
        return bool(node.args)
    if isinstance(made, type) and issubclass(made, Exception):
        return made in PLAIN or made.__name__ in ("ArgumentTypeError", "NoCloudEvent", "SecretNotFound")
    name = _last(node.func)
    if name == "print":
        return any(word.arg == "file" and "stderr" in ast.unparse(word.value) for word in node.keywords)
    return name == "exit" and not isinstance(node.args[0], ast.Call | ast.Attribute)


def _error(source: Source, node: ast.Call, scope: Scope, kind: type[InspectorError]) -> Iterator[Site]:
    verdict = kind.verdict.value
    remedy, code = _keyword(node, "remedy"), _keyword(node, "code")
    codes = _texts(code, source, scope) if code is not None else [kind.code]
    remedies = _texts(remedy, source, scope) if remedy is not None else [""]
    if issubclass(kind, BadPayload):
        messages = [PAYLOAD_FIELD.format(text) for text in _texts(node.args[1], source, scope)]
    else:
        messages = _texts(node.args[0], source, scope)
    for message, one in product(messages, codes):
        yield Site(one, message, " / ".join(remedies), verdict, source.name)


def _shaped(source: Source, node: ast.Call, scope: Scope, shape: Shape) -> Iterator[Site]:
    message = _argument(node, shape.message)
    if message is None:
        return
    code: Any = ast.Constant(shape.fixed_code) if shape.fixed_code else _argument(node, shape.code)
    verdict = _argument(node, shape.verdict) if isinstance(shape.verdict, int) else ast.Constant(shape.verdict)
    for one in _made(source, scope, code, message, verdict, "error"):
        remedy = integrity.REMEDIES.get(one.code, "") if one.verdict == "finding" else ""
        yield replace(one, message=shape.text.format(one.message), remedy=remedy)


def _made(source: Source, scope: Scope, code: Any, message: Any, verdict: Any, otherwise: str) -> Iterator[Site]:
    verdicts = _texts(verdict, source, scope) if verdict is not None else [otherwise]
    for one, text, said in product(_texts(code, source, scope), _texts(message, source, scope), verdicts):
        yield Site(one, text, "", said, source.name)


def _entry(source: Source, node: ast.Dict, scope: Scope) -> Iterator[Site]:
    """Entries of a payload, results and differences that are written as dicts."""
    given = {key.value: value for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant)}
    message, code = given.get("message", given.get("what")), given.get("code", given.get("kind", given.get("status")))
    if message is None or code is None:
        return
    verdict = "skip" if "status" in given else "finding" if "what" in given else "warning"
    remedies = _texts(given["remedy"], source, scope) if "remedy" in given else [""]
    for site in _made(source, scope, code, message, None, verdict):
        yield replace(site, remedy=" / ".join(remedies))


PAIRS = {"exr_cryptomatte.py": ("", "warning"), "vast_settings.py": ("bad_settings", "reject")}
"""Modules that pass (code, message) or (field, message) on as pairs -> the code, where it is not the first, and the verdict."""


def _pair(source: Source, node: ast.Tuple, scope: Scope) -> Iterator[Site]:
    if len(node.elts) != 2 or not isinstance(node.elts[1], ast.JoinedStr):
        return
    fixed, verdict = PAIRS[source.name]
    code = ast.Constant(fixed) if fixed else node.elts[0]
    yield from _made(source, scope, code, node.elts[1], ast.Constant(verdict), verdict)


def _through(source: Source, node: ast.Call, scope: Scope) -> Iterator[Site]:
    """A call of a maker: what it makes, with the caller's texts in the place of its parameters."""
    function, made = source.makers[str(_last(node.func))]
    given = _bound(function, node)
    for site in made:
        used = [name for name in given if site.takes(name)]
        for texts in product(*(_texts(given[name], source, scope) for name in used)):
            yield site.changed(_filled(dict(zip(used, texts, strict=True))))


def _filled(texts: Mapping[str, str]) -> Callable[[str], str]:
    """A function that puts texts into the place of parameters; parameters without one stay."""
    return lambda text: re.sub(f"{MARK}(.*?){MARK}", lambda match: texts.get(match[1], match[0]), text)


def _bound(function: Any, node: ast.Call) -> dict[str, ast.expr]:
    """Parameter -> argument, defaults included."""
    names = [argument.arg for argument in _parameters(function) if argument.arg != "self"]
    defaults = function.args.defaults
    given: dict[str, ast.expr] = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True)) if defaults else {}
    given |= dict(zip(names, node.args, strict=False))
    return given | {word.arg: word.value for word in node.keywords if word.arg}


def _parameters(function: Any) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((word.value for word in node.keywords if word.arg == name), None)


def _argument(node: ast.Call, where: int | None) -> ast.expr | None:
    return node.args[where] if where is not None and -len(node.args) <= where < len(node.args) else None


# From an expression to its texts


def _texts(node: ast.expr | None, source: Source, scope: Mapping[str, list[ast.expr]]) -> list[str]:
    """Every text that an expression can be, as far as the code tells; what it does not tell is `<name>`."""
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return [""]
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(parts) for parts in product(*(_piece(value, source, scope) for value in node.values))]
    if isinstance(node, ast.IfExp):
        both = [*_texts(node.body, source, scope), *_texts(node.orelse, source, scope)]
        return [text for text in both if text] or [""]
    if isinstance(node, ast.BoolOp):
        return [text for value in node.values for text in _texts(value, source, scope) if text] or [""]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and _is_text(node):
        return ["".join(pair) for pair in product(_texts(node.left, source, scope), _texts(node.right, source, scope))]
    if isinstance(node, ast.Call) and _last(node.func) == "join" and isinstance(node.args[0], ast.GeneratorExp):
        listed = [text for text in _texts(node.args[0].elt, source, scope) if _says_something(_shown(text))]
        return listed or _named(node, source, scope)
    return _named(node, source, scope)


def _is_text(node: ast.expr) -> bool:
    """Whether an expression is made of text."""
    return any(isinstance(part, ast.JoinedStr) or _is_literal(part) for part in ast.walk(node))


def _is_literal(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _piece(node: ast.expr, source: Source, scope: Mapping[str, list[ast.expr]]) -> list[str]:
    if not isinstance(node, ast.FormattedValue):
        return _texts(node, source, scope)
    texts = _texts(node.value, source, scope)
    return [f"'{text}'" for text in texts] if node.conversion == ord("r") else texts


def _named(node: ast.expr, source: Source, scope: Mapping[str, list[ast.expr]]) -> list[str]:
    """A name's text: what it was assigned, a constant of its module, or `<name>`."""
    if isinstance(node, ast.Name) and node.id.startswith(MARK):
        return [node.id]
    if isinstance(node, ast.Name) and node.id in scope and all(map(_tells, scope[node.id])):
        rest = {name: values for name, values in scope.items() if name != node.id}
        return list(dict.fromkeys(text for value in scope[node.id] for text in _texts(value, source, rest)))
    if isinstance(node, ast.Call) and _last(node.func) == environment_name.__name__ and isinstance(node.args[0], ast.Constant):
        return [environment_name(str(node.args[0].value))]
    constant = _resolved(node, source) if isinstance(node, ast.Name | ast.Attribute) else None
    if isinstance(constant, str | int) and not isinstance(constant, bool):
        return [str(constant)]
    return [f"<{_word(node)}>"]


def _tells(node: ast.expr) -> bool:
    """Whether an assigned value says more than the name it was given."""
    if isinstance(node, ast.Call):
        return _last(node.func) == environment_name.__name__
    return isinstance(node, ast.JoinedStr | ast.IfExp | ast.Name) or _is_literal(node)


def _word(node: ast.expr) -> str:
    """What to call a value that is only known when the program runs."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return "class" if node.attr == "__name__" else node.attr
    if isinstance(node, ast.Subscript):
        return str(node.slice.value) if isinstance(node.slice, ast.Constant) and _is_literal(node.slice) else _word(node.value)
    if isinstance(node, ast.Call):
        return _word_of_call(node)
    return "number" if isinstance(node, ast.BinOp) else "value"


def _word_of_call(node: ast.Call) -> str:
    name = _last(node.func)
    if name in ("len", "sum", "max", "min"):
        return "number"
    if name == "join":
        return "list"
    if name in ("str", "dict", "tuple", "repr") and node.args:
        return _word(node.args[0])
    return {"_spoken": "state", "describe": "error", "hide": "error", "hex": "bytes", "get": "field"}.get(str(name), str(name))


def _last(node: ast.expr) -> str | None:
    """The last name of a dotted one."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None


def _resolved(node: ast.expr, source: Source) -> Any:
    """The object that a dotted name of the module stands for; None where there is none."""
    if isinstance(node, ast.Name):
        return getattr(source.module, node.id, getattr(builtins, node.id, None))
    if isinstance(node, ast.Attribute):
        owner = _resolved(node.value, source)
        return getattr(owner, node.attr, None) if owner is not None else None
    return None
