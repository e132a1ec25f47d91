"""A delivery policy: a TOML file of rules, read into frozen values and checked completely before any file is validated.

    id = "plates"
    version = "1"

    [[rule]]
    id = "lossless"
    kind = "compression"
    severity = "FAIL"                  # or WARN
    allowed = ["none", "zip", "piz"]   # options of the kind, as `validation.checks` declares them
    roles = ["beauty"]                 # optional: what the rule applies to
    paths = ["*/plates/*"]             # optional: globs over the path, `*` also crosses `/`
    message = "Plates are lossless"
    suggested_fix = "oiiotool -a {path} --compression zip -o {output}"

Every error is a BadPolicy that names the file, the line and the rule. Reading a policy takes longer than applying it, so it is
cached until its file, or the file of a reference, changes.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from exr_inspector.errors import BadPolicy
from exr_inspector.near_names import near_names
from exr_inspector.validation.checks import RULE_KINDS, RuleKind
from exr_inspector.validation.options import TEXT, TEXTS, is_text

MAX_POLICY = 1024 * 1024
MAX_REFERENCE = 16 * 1024 * 1024
"""Bytes of a policy, and of a payload that a rule compares with."""
CACHED_POLICIES = 16
CACHED_REFERENCES = 4
# A file that was written again within one tick of its file system's clock looks the same; so young a file is read again.
_SETTLED_NS = 2_000_000_000
SHIPPED = Path(__file__).resolve().parent / "policies"
SEVERITIES = ("FAIL", "WARN")
COMMON_OPTIONS = {"message": TEXT, "suggested_fix": TEXT, "roles": TEXTS, "paths": TEXTS}
COMMON_KEYS = frozenset({"id", "kind", "severity", *COMMON_OPTIONS})
_RULE_HEADER = re.compile(r"^[ \t]*\[\[\s*rule\s*\]\]", re.MULTILINE)
_TOML_LINE = re.compile(r"at line (\d+)")


Stamp = tuple[int, int, int, int, int, int]
"""What identifies the content of a file: device, inode, size, times of change of content and entry, and `once`."""


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
        policy = _load_policy(name, _stamp(name, MAX_POLICY))
    except OSError as error:
        raise BadPolicy(
            f"policy file {name!r} cannot be read ({error.strerror})",
            path=name,
            remedy=f"Give the path of a .toml file; the policies that ship are {', '.join(shipped_policies())}",
        ) from error
    except UnicodeDecodeError as error:
        raise BadPolicy(f"policy file {name!r} is not UTF-8 (byte {error.start})", path=name) from error
    return _add_references(policy, name)


def parse_policy(text: str, path: str) -> Policy:
    """The policy that `text` states; `path` names it in errors, and references are read relative to it."""
    return _add_references(_read_policy(text, path), path)


def _read_policy(text: str, path: str) -> Policy:
    """The policy without its references."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        line = _TOML_LINE.search(str(error))
        raise BadPolicy(f"policy {path} is not valid TOML: {error}", path=path, line=int(line[1]) if line else None) from error
    return _PolicyReader(path, text).policy(document)


@lru_cache(CACHED_POLICIES)
def _load_policy(path: str, stamp: Stamp) -> Policy:
    return _read_policy(_read(path, MAX_POLICY).decode("utf-8"), path)


@lru_cache(CACHED_REFERENCES)
def _load_payload(path: str, stamp: Stamp) -> dict[str, Any]:
    payload = json.loads(_read(path, MAX_REFERENCE))
    if not isinstance(payload, dict) or not all(isinstance(payload.get(key), list) for key in ("channels", "parts")):
        raise ValueError("it is not a payload with channels and parts")
    return payload


def _add_references(policy: Policy, path: str) -> Policy:
    """The policy with the payloads that its embedding rules name, each relative to the policy's folder."""
    rules = [rule for rule in policy.rules if rule.kind == "embedding"]
    references = {rule.options["reference"]: _reference(rule, path) for rule in rules}
    return replace(policy, references=references) if references else policy


def _reference(rule: Rule, path: str) -> dict[str, Any]:
    place = str(Path(path).parent / rule.options["reference"])
    try:
        return _load_payload(place, _stamp(place, MAX_REFERENCE))
    except (OSError, ValueError, RecursionError) as error:
        message = f"{path}:{rule.line}, rule {rule.id!r}: reference {place!r} cannot be used ({error})"
        raise BadPolicy(message, path=path, line=rule.line, rule=rule.id) from error


def _stamp(path: str, limit: int) -> Stamp:
    """The stamp of a regular file of at most `limit` bytes; a new one each time for a file that may still change unseen."""
    status = os.stat(path)  # noqa: PTH116 - for every event; a Path costs more than the call
    _check_file(status, limit)
    is_settled = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS
    once = 0 if is_settled else time.monotonic_ns()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, once


def _read(path: str, limit: int) -> bytes:
    """The bytes of a regular file. O_NONBLOCK: a pipe does not hang the thread."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        _check_file(os.fstat(file.fileno()), limit)
        return file.read(limit)


def _check_file(status: os.stat_result, limit: int) -> None:
    """Raises OSError, so that there is one kind of error for what cannot be read."""
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is a directory" if stat.S_ISDIR(status.st_mode) else "it is not a regular file")
    if status.st_size > limit:
        raise OSError(errno.EFBIG, f"it has {status.st_size:,} bytes, over {limit:,}")


class _PolicyReader:
    """Checks a TOML document piece by piece; knows the lines, which tomllib does not keep."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.headers = [text.count("\n", 0, match.start()) + 1 for match in _RULE_HEADER.finditer(text)]

    def policy(self, document: dict[str, Any]) -> Policy:
        self._check_keys(document, frozenset({"id", "version", "title", "source", "rule"}), 1, len(self.lines), None)
        for key, example in {"id": "plates", "version": "1"}.items():
            if key not in document:
                raise self._error(f'the policy has no {key!r}; write for example {key} = "{example}" above its rules', 1)
            if not is_text(document[key]):
                line = self._line_of(key, 1, len(self.lines))
                raise self._error(f'{key!r} must be a text in quotation marks, such as {key} = "{example}"', line)
        tables = document.get("rule")
        if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
            raise self._error("a policy has at least one [[rule]]", 1)
        rules = tuple(self._rule(table, at) for at, table in enumerate(tables))
        self._check_ids(rules)
        title = str(document.get("title", document["id"]))
        return Policy(document["id"], document["version"], title, document.get("source"), rules)

    def _rule(self, table: dict[str, Any], at: int) -> Rule:
        # Inline tables have no header of their own; the first line stands for them.
        line = self.headers[at] if at < len(self.headers) else 1
        last = self.headers[at + 1] - 1 if at + 1 < len(self.headers) else len(self.lines)
        # Before what is missing, which may be what a misspelt key was meant to be.
        name = table["id"] if is_text(table.get("id")) else None
        self._check_keys(table, self._rule_keys(table), line, last, name)
        if name is None:
            raise self._error("a rule needs an 'id', a text", self._line_of("id", line, last))
        kind = self._kind(table, (line, last), name)
        if table.get("severity") not in SEVERITIES:
            raise self._error("severity must be FAIL or WARN", self._line_of("severity", line, last), name)
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

    def _rule_keys(self, table: dict[str, Any]) -> frozenset[str]:
        """The keys that a rule may have: those of its kind, of any kind where it has none."""
        kind = RULE_KINDS.get(str(table.get("kind")))
        options = kind.options if kind else {key for one in RULE_KINDS.values() for key in one.options}
        return COMMON_KEYS.union(options)

    def _kind(self, table: dict[str, Any], span: tuple[int, int], name: str) -> RuleKind:
        stated = str(table.get("kind", ""))
        if stated in RULE_KINDS:
            return RULE_KINDS[stated]
        close = near_names(stated, RULE_KINDS)
        wrong = f"unknown kind {stated!r}; did you mean {close}?" if close else f"kind must be one of {', '.join(RULE_KINDS)}"
        raise self._error(wrong, self._line_of("kind", *span), name)

    def _check_options(self, table: dict[str, Any], kind: RuleKind, span: tuple[int, int], name: str) -> None:
        for key, option in {**COMMON_OPTIONS, **kind.options}.items():
            if key in table and not option.accepts(table[key]):
                raise self._error(f"{key!r} must be {option.described}", self._line_of(key, *span), name)
        for key, option in kind.required.items():
            if key not in table:
                raise self._error(f"{key!r} is missing ({option.described})", span[0], name)
        if kind.any_of and not kind.any_of.keys() & table.keys():
            raise self._error(f"at least one of {', '.join(kind.any_of)} is needed", span[0], name)

    def _check_keys(self, table: dict[str, Any], known: frozenset[str], first: int, last: int, rule: str | None) -> None:
        for key in table:
            if key not in known:
                close = near_names(key, sorted(known))
                meant = f"did you mean {close}? Known" if close else "known"
                message = f"unknown key {key!r}; {meant} are {', '.join(sorted(known))}"
                raise self._error(message, self._line_of(key, first, last), rule)

    def _check_ids(self, rules: tuple[Rule, ...]) -> None:
        seen: dict[str, int] = {}
        for rule in rules:
            if rule.id in seen:
                raise self._error(f"the rule of line {seen[rule.id]} has the same id", rule.line, rule.id)
            seen[rule.id] = rule.line

    def _line_of(self, key: str, first: int, last: int) -> int:
        """The line of `key = ...` or `[[key]]` between two lines, else the first of them."""
        assignment = re.compile(rf"\s*(\[\[?\s*)?[\"']?{re.escape(key)}[\"']?\s*[=\]]")
        return next((at for at in range(first, last + 1) if assignment.match(self.lines[at - 1])), first)

    def _error(self, message: str, line: int, rule: str | None = None) -> BadPolicy:
        where = f"{self.path}:{line}" + (f", rule {rule!r}" if rule else "")
        return BadPolicy(f"{where}: {message}", path=self.path, line=line, rule=rule)
