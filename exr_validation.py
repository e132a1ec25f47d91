"""A payload and a policy -> findings. Pure: the same two give the same findings, in the order of the policy.

A rule that does not apply (another path, no channel of its role, no statistics) has no result. What fails has the rule's severity
as its status; what passes is reported when asked for.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from exr_checks import CHECKS, Probe, Subject
from exr_policy import Policy, Rule, load_policy

__all__ = ["Policy", "Rule", "load_policy", "validate"]

PASS = "PASS"  # noqa: S105 - a status, no password
LISTED_VALUES = 16
ORDER = (PASS, "WARN", "FAIL")


def validate(payload: Mapping[str, Any], policy: Policy, *, passes: bool = True) -> dict[str, Any]:
    """The `validation` section of a payload: policy, verdict (`PASS`, `WARN` or `FAIL`), counts, and one result per rule.

    A result has policy_id, policy_version, rule_id, severity, status, status_code, part_index and channel_name (where one thing
    alone is wrong), expected, actual, message, suggested_fix. With `passes` false, only what fails is listed; the counts stay.
    """
    results = list(_results(payload, policy))
    counts = {status: sum(result["status"] == status for result in results) for status in ORDER}
    return {
        "policy_id": policy.id,
        "policy_version": policy.version,
        "status": max((result["status"] for result in results), key=ORDER.index, default=PASS),
        "counts": counts,
        "results": [result for result in results if passes or result["status"] != PASS],
    }


def _results(payload: Mapping[str, Any], policy: Policy) -> Iterator[dict[str, Any]]:
    for rule in policy.rules:
        subject = Subject(payload, policy, rule.roles)
        if rule.paths and not any(fnmatchcase(subject.path, glob) for glob in rule.paths):
            continue
        probes = list(CHECKS[rule.kind](subject, rule.options))
        if probes:
            yield _result(policy, rule, probes, subject.path)


def _result(policy: Policy, rule: Rule, probes: list[Probe], path: str) -> dict[str, Any]:
    wrong = [probe for probe in probes if not probe.fits]
    return {
        "policy_id": policy.id,
        "policy_version": policy.version,
        "rule_id": rule.id,
        "severity": rule.severity,
        "status": rule.severity if wrong else PASS,
        "status_code": wrong[0].code if wrong else "ok",
        "part_index": _only([probe.part for probe in wrong]),
        "channel_name": _only([probe.channel for probe in wrong]),
        "expected": dict(rule.options),
        "actual": _distinct([probe.value for probe in wrong or probes]),
        "message": _message(rule, wrong, len(probes)),
        "suggested_fix": rule.suggested_fix.replace("{path}", shlex.quote(path)) if wrong and rule.suggested_fix else None,
    }


def _only(values: list[Any]) -> Any:
    """The value when all are one, else None."""
    return values[0] if values and all(value == values[0] for value in values) else None


def _distinct(values: list[Any]) -> Any:
    """The values without repetition, in order, at most 16; a single one stands alone."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found[0] if len(found) == 1 else found[:LISTED_VALUES]


def _message(rule: Rule, wrong: list[Probe], probed: int) -> str:
    said = rule.message or rule.id
    if not wrong:
        return said
    first = wrong[0]
    places = [f"part {first.part}" if first.part is not None else "", f"channel {first.channel!r}" if first.channel else ""]
    where = ", ".join(place for place in places if place)
    count = f"{len(wrong)} of {probed}" if len(wrong) > 1 else ""
    detail = "; ".join(item for item in (where, count) if item)
    return f"{said}: {first.code.replace('_', ' ')}" + (f" ({detail})" if detail else "")
