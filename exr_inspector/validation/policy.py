"""A delivery policy: a TOML file of rules, read into frozen values and checked completely before anything is judged by it.

    id = "plates"
    version = "1"

    [[rule]]
    id = "lossless"
    kind = "compression"
    severity = "FAIL"                  # or WARN
    allowed = ["none", "zip", "piz"]   # options of the kind, see KINDS
    roles = ["beauty"]                 # optional: what the rule applies to
    paths = ["*/plates/*"]             # optional: globs over the path, `*` also crosses `/`
    message = "Plates are lossless"
    suggested_fix = "oiiotool -a {path} --compression zip -o {output}"

Every error is a BadPolicy that names the file, the line and the rule. Reading and checking takes longer than judging by it, so a
policy is kept until its file, or the file of a reference, changes.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from exr_inspector.errors import BadPolicy
from exr_inspector.payload.colour import PRIMARIES

MAX_POLICY = 1024 * 1024
MAX_REFERENCE = 16 * 1024 * 1024
"""Bytes of a policy, and of a payload that a rule compares with."""
KEPT_POLICIES = 16
KEPT_REFERENCES = 4
# A file that was written again within one tick of its file system's clock looks the same; so young a file is read again.
_SETTLED_NS = 2_000_000_000
SHIPPED = Path(__file__).resolve().parent / "policies"
SEVERITIES = ("FAIL", "WARN")
COMMON_KEYS = frozenset({"id", "kind", "severity", "message", "suggested_fix", "roles", "paths"})
_RULE_HEADER = re.compile(r"^[ \t]*\[\[\s*rule\s*\]\]", re.MULTILINE)
_TOML_LINE = re.compile(r"at line (\d+)")


Stamp = tuple[int, int, int, int, int, int]
"""What tells one content of a file from another: device, file, size, when content and entry were changed, and `once`."""


@dataclass(frozen=True, slots=True)
class Option:
    """What an option's value must be: `accepts` decides, `described` says it to people."""

    described: str
    accepts: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_pattern(value: Any) -> bool:
    if not _is_text(value):
        return False
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(item) is int for item in value)


def _list_of(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(accepts(item) for item in value)


def _among(*words: str) -> Option:
    allowed = frozenset(words)
    return Option(f"a list of {', '.join(words)}", _list_of(lambda item: isinstance(item, str) and item in allowed))


NUMBER = Option("a number", _is_number)
INTEGER = Option("an integer", lambda value: type(value) is int)
COUNT = Option("an integer of at least 0", _is_count)
FLAG = Option("true or false", lambda value: isinstance(value, bool))
TEXT = Option("a text", _is_text)
TEXTS = Option("a list of texts", _list_of(_is_text))
PATTERN = Option("a regular expression", _is_pattern)
PATTERNS = Option("a list of regular expressions", _list_of(_is_pattern))
PAIR = Option("two integers", _is_pair)
PAIRS = Option("a list of pairs of integers", _list_of(_is_pair))
SETS = Option("a list of lists of texts", _list_of(_list_of(_is_text)))
KNOWN_PRIMARIES = Option(f"one of {', '.join(PRIMARIES)}", lambda value: isinstance(value, str) and value in PRIMARIES)
EIGHT_NUMBERS = Option("eight numbers", lambda value: _list_of(_is_number)(value) and len(value) == 8)
SCALAR = Option("a text, a number or a flag", lambda value: _is_text(value) or isinstance(value, bool) or _is_number(value))
SCALARS = Option("a list of texts or numbers", _list_of(lambda value: _is_text(value) or _is_number(value)))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of rule: its options, those of them that must be there, and those of which at least one must be."""

    options: Mapping[str, Option]
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {
    "status": Kind({"allowed": _among("ok", "incomplete", "unreadable")}, ("allowed",)),
    "completeness": Kind({"allowed": TEXTS, "max_bytes_missing": COUNT, "max_trailing_bytes": COUNT}, ("allowed",)),
    "resolution": Kind(
        {
            "of": Option("'display' or 'data'", lambda value: value in ("display", "data")),
            "min_width": COUNT,
            "max_width": COUNT,
            "min_height": COUNT,
            "max_height": COUNT,
            "multiple_of": COUNT,
            "sizes": PAIRS,
        },
        one_of=("min_width", "max_width", "min_height", "max_height", "multiple_of", "sizes"),
    ),
    "window": Kind(
        {"relations": _among("full", "over", "crop", "mixed"), "origin": PAIR, "min_overscan": COUNT, "max_overscan": COUNT},
        one_of=("relations", "origin", "min_overscan", "max_overscan"),
    ),
    "pixel_aspect": Kind({"min": NUMBER, "max": NUMBER}, one_of=("min", "max")),
    "compression": Kind({"allowed": TEXTS, "forbidden": TEXTS}, one_of=("allowed", "forbidden")),
    "channels": Kind(
        {"required": TEXTS, "one_of": SETS, "forbidden": PATTERNS, "max_count": COUNT},
        one_of=("required", "one_of", "forbidden", "max_count"),
    ),
    "channel_types": Kind({"allowed": _among("HALF", "FLOAT", "UINT")}, ("allowed",)),
    "channel_names": Kind({"pattern": PATTERN}, ("pattern",)),
    "layers": Kind({"required": TEXTS, "allowed": PATTERNS}, one_of=("required", "allowed")),
    "sampling": Kind({"allowed": PAIRS}, ("allowed",)),
    "parts": Kind(
        {"min_count": COUNT, "max_count": COUNT, "names": PATTERN, "unique_names": FLAG, "views": TEXTS, "allowed_views": TEXTS},
        one_of=("min_count", "max_count", "names", "unique_names", "views", "allowed_views"),
    ),
    "tiling": Kind(
        {"storage": _among("scanline", "tiled"), "tile_sizes": PAIRS, "level_modes": TEXTS},
        one_of=("storage", "tile_sizes", "level_modes"),
    ),
    "deep": Kind({"allowed": FLAG}, ("allowed",)),
    "line_order": Kind({"allowed": TEXTS}, ("allowed",)),
    "attribute": Kind(
        {
            "name": TEXT,
            "required": FLAG,
            "forbidden": FLAG,
            "type": TEXT,
            "equals": SCALAR,
            "one_of": SCALARS,
            "min": NUMBER,
            "max": NUMBER,
            "pattern": PATTERN,
        },
        ("name",),
    ),
    "color_space": Kind({"allowed": TEXTS, "required": FLAG}, ("allowed",)),
    "chromaticities": Kind(
        {"equal": KNOWN_PRIMARIES, "values": EIGHT_NUMBERS, "tolerance": NUMBER, "required": FLAG}, one_of=("equal", "values")
    ),
    "color_interop_id": Kind({"allowed": TEXTS, "required": FLAG}, ("allowed",)),
    "color_metadata": Kind({"ignored": TEXTS}),
    "header_size": Kind({"max_bytes": COUNT}, ("max_bytes",)),
    "manifest_size": Kind({"max_bytes": COUNT}, ("max_bytes",)),
    "cryptomatte": Kind({"min_ranks": COUNT}),
    "path": Kind({"name": PATTERN, "path": PATTERN, "extension": TEXT}, one_of=("name", "path", "extension")),
    "frame": Kind({"required": FLAG, "digits": COUNT}, one_of=("required", "digits")),
    "timecode": Kind({"offset": INTEGER, "fps": NUMBER, "required": FLAG, "in_step": FLAG}),
    "pixels": Kind(
        {
            "max_nan": COUNT,
            "max_infinite": COUNT,
            "max_negative": COUNT,
            "min": NUMBER,
            "max": NUMBER,
            "constant": FLAG,
        },
        one_of=("max_nan", "max_infinite", "max_negative", "min", "max", "constant"),
    ),
    "embedding": Kind({"reference": TEXT, "max_distance": NUMBER}, ("reference", "max_distance")),
}
"""Rule kind -> its options. `validation.validate.CHECKS` has a check for each."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `roles` and `paths` say what it applies to, empty for everything; `line` is that of its header."""

    id: str
    kind: str
    severity: str
    line: int
    message: str
    suggested_fix: str | None = None
    roles: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy: rules in the order of the file. `references` holds the payloads that embedding rules compare with."""

    id: str
    version: str
    title: str
    source: str | None
    rules: tuple[Rule, ...]
    references: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def shipped_policies() -> list[str]:
    """The names of the policies that come with this project."""
    return sorted(file.stem for file in SHIPPED.glob("*.toml"))


def load_policy(path: str | Path) -> Policy:
    """The policy in the file at `path`. Raises BadPolicy when it is missing, unreadable, or wrong in any way."""
    name = str(path)
    try:
        policy = _policy_in(name, _stamp(name, MAX_POLICY))
    except OSError as error:
        raise BadPolicy(
            f"policy file {name!r} cannot be read ({error.strerror})",
            path=name,
            remedy=f"Give the path of a .toml file; the policies that ship are {', '.join(shipped_policies())}",
        ) from error
    except UnicodeDecodeError as error:
        raise BadPolicy(f"policy file {name!r} is not UTF-8 (byte {error.start})", path=name) from error
    return _with_references(policy, name)


def parse_policy(text: str, path: str) -> Policy:
    """The policy that `text` states; `path` names it in errors, and references are read relative to it."""
    return _with_references(_checked(text, path), path)


def _checked(text: str, path: str) -> Policy:
    """The policy without its references."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        line = _TOML_LINE.search(str(error))
        raise BadPolicy(f"policy {path} is no TOML: {error}", path=path, line=int(line[1]) if line else None) from error
    return _Reader(path, text).policy(document)


@lru_cache(KEPT_POLICIES)
def _policy_in(path: str, stamp: Stamp) -> Policy:
    return _checked(_read(path, MAX_POLICY).decode("utf-8"), path)


@lru_cache(KEPT_REFERENCES)
def _payload_in(path: str, stamp: Stamp) -> dict[str, Any]:
    payload = json.loads(_read(path, MAX_REFERENCE))
    if not isinstance(payload, dict) or not all(isinstance(payload.get(key), list) for key in ("channels", "parts")):
        raise ValueError("it is not a payload with channels and parts")
    return payload


def _with_references(policy: Policy, path: str) -> Policy:
    """The policy with the payloads that its embedding rules name, each relative to the policy's folder."""
    compared = [rule for rule in policy.rules if rule.kind == "embedding"]
    references = {rule.options["reference"]: _reference(rule, path) for rule in compared}
    return replace(policy, references=references) if references else policy


def _reference(rule: Rule, path: str) -> dict[str, Any]:
    place = str(Path(path).parent / rule.options["reference"])
    try:
        return _payload_in(place, _stamp(place, MAX_REFERENCE))
    except (OSError, ValueError, RecursionError) as error:
        message = f"{path}:{rule.line}, rule {rule.id!r}: reference {place!r} cannot be used ({error})"
        raise BadPolicy(message, path=path, line=rule.line, rule=rule.id) from error


def _stamp(path: str, limit: int) -> Stamp:
    """The stamp of a regular file of at most `limit` bytes; one of its own for a file that may still change unseen."""
    found = os.stat(path)  # noqa: PTH116 - for every event; a Path costs more than the call
    _check_file(found, limit)
    settled = time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _SETTLED_NS
    once = 0 if settled else time.monotonic_ns()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, once


def _read(path: str, limit: int) -> bytes:
    """The bytes of a regular file. O_NONBLOCK: a pipe does not hang the thread."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        _check_file(os.fstat(file.fileno()), limit)
        return file.read(limit)


def _check_file(found: os.stat_result, limit: int) -> None:
    """Raises OSError, so that there is one kind of error for what cannot be read."""
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is a directory" if stat.S_ISDIR(found.st_mode) else "it is not a regular file")
    if found.st_size > limit:
        raise OSError(errno.EFBIG, f"it has {found.st_size:,} bytes, over {limit:,}")


class _Reader:
    """Checks a TOML document piece by piece; knows the lines, which tomllib does not keep."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.headers = [text.count("\n", 0, match.start()) + 1 for match in _RULE_HEADER.finditer(text)]

    def policy(self, document: dict[str, Any]) -> Policy:
        self._known_keys(document, frozenset({"id", "version", "title", "source", "rule"}), 1, len(self.lines), None)
        for key, example in {"id": "plates", "version": "1"}.items():
            if key not in document:
                raise self._error(f'the policy has no {key!r}; write for example {key} = "{example}" above its rules', 1)
            if not _is_text(document[key]):
                line = self._line_of(key, 1, len(self.lines))
                raise self._error(f'{key!r} must be a text in quotation marks, such as {key} = "{example}"', line)
        tables = document.get("rule")
        if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
            raise self._error("a policy has at least one [[rule]]", 1)
        rules = tuple(self._rule(table, at) for at, table in enumerate(tables))
        self._unique(rules)
        title = str(document.get("title", document["id"]))
        return Policy(document["id"], document["version"], title, document.get("source"), rules)

    def _rule(self, table: dict[str, Any], at: int) -> Rule:
        # Inline tables have no header of their own; the first line stands for them.
        line = self.headers[at] if at < len(self.headers) else 1
        last = self.headers[at + 1] - 1 if at + 1 < len(self.headers) else len(self.lines)
        if not _is_text(table.get("id")):
            raise self._error("a rule needs an 'id', a text", line)
        name: str = table["id"]
        kind = KINDS.get(str(table.get("kind")))
        if kind is None:
            wanted = f"kind must be one of {', '.join(KINDS)}"
            raise self._error(wanted, self._line_of("kind", line, last), name)
        if table.get("severity") not in SEVERITIES:
            raise self._error("severity must be FAIL or WARN", self._line_of("severity", line, last), name)
        self._known_keys(table, COMMON_KEYS | kind.options.keys(), line, last, name)
        self._check_options(table, kind, (line, last), name)
        return Rule(
            id=name,
            kind=table["kind"],
            severity=table["severity"],
            line=line,
            message=table.get("message", ""),
            suggested_fix=table.get("suggested_fix"),
            roles=tuple(table.get("roles", ())),
            paths=tuple(table.get("paths", ())),
            options={key: value for key, value in table.items() if key in kind.options and key not in COMMON_KEYS},
        )

    def _check_options(self, table: dict[str, Any], kind: Kind, span: tuple[int, int], name: str) -> None:
        shared = {"message": TEXT, "suggested_fix": TEXT, "roles": TEXTS, "paths": TEXTS}
        for key, option in {**shared, **kind.options}.items():
            if key in table and not option.accepts(table[key]):
                raise self._error(f"{key!r} must be {option.described}", self._line_of(key, *span), name)
        for key in kind.required:
            if key not in table:
                raise self._error(f"{key!r} is missing ({kind.options[key].described})", span[0], name)
        if kind.one_of and not any(key in table for key in kind.one_of):
            raise self._error(f"at least one of {', '.join(kind.one_of)} is needed", span[0], name)

    def _known_keys(self, table: dict[str, Any], known: frozenset[str], first: int, last: int, rule: str | None) -> None:
        for key in table:
            if key not in known:
                line = self._line_of(key, first, last)
                raise self._error(f"unknown key {key!r}; known are {', '.join(sorted(known))}", line, rule)

    def _unique(self, rules: tuple[Rule, ...]) -> None:
        seen: dict[str, int] = {}
        for rule in rules:
            if rule.id in seen:
                raise self._error(f"the rule of line {seen[rule.id]} has the same id", rule.line, rule.id)
            seen[rule.id] = rule.line

    def _line_of(self, key: str, first: int, last: int) -> int:
        """The line of `key = ...` between two lines, else the first of them."""
        assignment = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=")
        return next((at for at in range(first, last + 1) if assignment.match(self.lines[at - 1])), first)

    def _error(self, message: str, line: int, rule: str | None = None) -> BadPolicy:
        where = f"{self.path}:{line}" + (f", rule {rule!r}" if rule else "")
        return BadPolicy(f"{where}: {message}", path=self.path, line=line, rule=rule)
