"""What a policy finds in many files, put together: by rule and sequence for people, as JUnit and SARIF for pipelines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from exr_inspector import __version__
from exr_inspector.catalogue import places, units
from exr_inspector.payload.names import parse_name
from exr_inspector.terminal import on_one_line
from exr_inspector.validation.policy import Policy
from exr_inspector.validation.validate import ORDER

Entry = dict[str, Any]
"""A file's path with the `validation` section of its payload."""
VALUES_SHOWN = 3
COMMAND = re.compile(r"\s*fix: .*\.exr\b", re.IGNORECASE)
"""A line whose fix is a command: unlike advice it names its file."""
SARIF_LEVELS = {"FAIL": "error", "WARN": "warning"}
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(slots=True)
class RuleFindings:
    """What one rule says in one way: of which sequences and frames, with what was found, and how to mend it."""

    status: str
    rule: str
    message: str
    fix: str | None
    files: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)

    def add(self, path: str, result: dict[str, Any]) -> None:
        """Count a file in."""
        self.files.append(path)
        value = _as_json(result["actual"])
        if value not in self.values:
            self.values.append(value)

    def places(self, common: str) -> Iterator[str]:
        """A line for each sequence or single file below the folder that all share, with the frames."""
        sequences: dict[str, list[int]] = {}
        for path in self.files:
            name = parse_name(path)
            numbers = sequences.setdefault(name.sequence_key or path, [])
            numbers += [] if name.frame_number is None else [name.frame_number]
        for key, numbers in sequences.items():
            where, frames = places.file(key).below(common), units.frames(numbers) if numbers else ""
            yield f"frames {frames}" if where == "." else f"{where}  {frames}".rstrip()


def group_findings(entries: Iterable[Entry]) -> list[RuleFindings]:
    """The results of all files by status, rule and what is wrong, the gravest and most frequent first."""
    groups: dict[tuple[str, str, str], RuleFindings] = {}
    for entry in entries:
        for result in entry["results"]:
            key = (result["status"], result["rule_id"], result["status_code"])
            group = groups.setdefault(key, RuleFindings(*key[:2], _message_of(result), result["suggested_fix"]))
            group.add(entry["path"], result)
    return sorted(groups.values(), key=lambda one: (-ORDER.index(one.status), -len(one.files), one.rule))


def _message_of(result: dict[str, Any]) -> str:
    """The message without the place in this one file."""
    return str(result["message"]).partition(" (")[0]


def lines(entries: Sequence[Entry], counts: dict[str, int], policy: Policy) -> Iterator[str]:
    """What fails and what is warned of, rule by rule, then a summary."""
    groups = group_findings(entries)
    common = places.common_folder(path for group in groups for path in group.files)
    if common:
        yield f"in {places.from_here(common)}"
        yield ""
    for group in groups:
        said = group.message if group.message.startswith(group.rule) else f"{group.rule}: {group.message}"
        yield f"{group.status}  {said}; {units.quantity(len(group.files), 'file')}"
        yield from (f"      {place}" for place in group.places(common))
        more = f" and {len(group.values) - VALUES_SHOWN} more" if len(group.values) > VALUES_SHOWN else ""
        if group.status != "PASS":
            yield f"      found {', '.join(group.values[:VALUES_SHOWN])}{more}"
        if group.fix:
            yield f"      fix: {group.fix}"
        yield ""
    yield summary(counts, policy, sum(not any(entry["counts"].values()) for entry in entries))


def summary(counts: dict[str, int], policy: Policy, untouched: int) -> str:
    """How many files pass, are warned of and fail; `untouched` are those to which no rule applies."""
    files = units.quantity(sum(counts.values()), "file")
    said = f"{counts['PASS']} pass, {counts['WARN']} with warnings, {counts['FAIL']} fail"
    return f"{files} by {policy.id} {policy.version}: {said}" + (f"; no rule applies to {untouched} of them" if untouched else "")


def rows(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """One row for each result, for CSV and Parquet."""
    kept = ("policy_id", "policy_version", "rule_id", "severity", "status", "status_code", "part_index", "channel_name")
    return [
        {"file_path": entry["path"]}
        | {name: result[name] for name in kept}
        | {
            "actual": json.dumps(result["actual"], ensure_ascii=False),
            "message": result["message"],
            "fix": result["suggested_fix"],
        }
        for entry in entries
        for result in entry["results"]
    ]


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def junit(entries: Sequence[Entry], policy: Policy) -> str:
    """A test case for each rule of each file, a failure where it fails; warnings are output."""
    suite = ElementTree.Element("testsuite", name=f"{policy.id} {policy.version}")
    failures = 0
    for entry in entries:
        for result in entry["results"]:
            case = ElementTree.SubElement(suite, "testcase", classname=on_one_line(entry["path"]), name=result["rule_id"])
            failures += result["status"] == "FAIL"
            _say_in(case, result)
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(failures))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode")


def _say_in(case: ElementTree.Element, result: dict[str, Any]) -> None:
    text = on_one_line(f"{result['message']}; found {_as_json(result['actual'])}")
    if result["status"] == "FAIL":
        ElementTree.SubElement(case, "failure", message=text).text = on_one_line(result["suggested_fix"] or "")
    elif result["status"] == "WARN":
        ElementTree.SubElement(case, "system-out").text = text


def sarif(entries: Sequence[Entry], policy: Policy) -> dict[str, Any]:
    """SARIF 2.1.0 (OASIS): a result for each rule that a file does not meet."""
    rules = [
        {
            "id": rule.id,
            "shortDescription": {"text": rule.message or rule.id},
            "defaultConfiguration": {"level": SARIF_LEVELS[rule.severity]},
        }
        for rule in policy.rules
    ]
    results = [
        _sarif_result(entry["path"], result) for entry in entries for result in entry["results"] if result["status"] != "PASS"
    ]
    driver = {"name": "exr-inspector", "version": __version__, "rules": rules}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _sarif_result(path: str, result: dict[str, Any]) -> dict[str, Any]:
    return {
        "ruleId": result["rule_id"],
        "level": SARIF_LEVELS[result["status"]],
        "message": {"text": result["message"]},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": places.uri(path)}}}],
    }
