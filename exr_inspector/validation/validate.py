"""A payload and a policy -> findings. Pure: the same two give the same findings, in the order of the policy.

A rule that does not apply (another path, no channel of its role, no statistics) has no result. What fails has the rule's severity
as its status; what passes is reported when asked for.

A fix that writes `{output}` never harms: where the command would lose something of this file, the advice is to render it again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from exr_inspector.payload.aov_words import COLOUR_ROLES
from exr_inspector.validation.checks import LOSSLESS, RULE_KINDS
from exr_inspector.validation.policy import Policy, Rule, load_policy
from exr_inspector.validation.subject import Probe, Subject

__all__ = ["Policy", "Rule", "load_policy", "validate"]

PASS = "PASS"  # noqa: S105 - a status, not a password
LISTED_VALUES = 16
ORDER = (PASS, "WARN", "FAIL")
LARGEST_HALF = 65504.0
_WORD = re.compile(r"\{(path|output|half)\}")
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


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
        subject = Subject(payload, rule.roles, policy.references)
        if rule.paths and not any(fnmatchcase(subject.path, glob) for glob in rule.paths):
            continue
        probes = list(RULE_KINDS[rule.kind].check(subject, rule.options))
        if probes:
            yield _result(policy, rule, probes, Subject(payload))


def _result(policy: Policy, rule: Rule, probes: list[Probe], whole: Subject) -> dict[str, Any]:
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
        "suggested_fix": _suggested_fix(rule, wrong, whole),
    }


def _only(values: list[Any]) -> Any:
    """The value when all are one, else None."""
    return values[0] if values and all(value == values[0] for value in values) else None


def _distinct(values: list[Any]) -> Any:
    """The values without repetition, in order, at most 16; a single one stands alone."""
    distinct: list[Any] = []
    for value in values:
        if value not in distinct:
            distinct.append(value)
    return distinct[0] if len(distinct) == 1 else distinct[:LISTED_VALUES]


def _message(rule: Rule, wrong: list[Probe], probed: int) -> str:
    stated = rule.message or rule.id
    if not wrong:
        return stated
    first = wrong[0]
    places = [f"part {first.part}" if first.part is not None else "", f"channel {first.channel!r}" if first.channel else ""]
    where = ", ".join(place for place in places if place)
    count = f"{len(wrong)} of {probed}" if len(wrong) > 1 else ""
    detail = "; ".join(item for item in (where, count) if item)
    return f"{stated}: {first.code.replace('_', ' ')}" + (f" ({detail})" if detail else "")


# Fixes


def _suggested_fix(rule: Rule, wrong: list[Probe], whole: Subject) -> str | None:
    """The policy's command for this file; the advice to render it again where that would lose something."""
    if not wrong or not rule.suggested_fix:
        return None
    if "{output}" in rule.suggested_fix and (loss := next(_losses(rule.suggested_fix, wrong, whole), None)):
        return f"Render or export it again: {loss}"
    return _fill_template(rule, wrong, whole.path)


def _fill_template(rule: Rule, wrong: list[Probe], path: str) -> str:
    """The template with `{path}`, `{output}` and `{half}` in place; `{output}` is never the file itself."""
    template = rule.suggested_fix or ""
    remote = "{output}" in template and _REMOTE.match(path) is not None
    folder, slash, name = ("", "", path.rpartition("/")[2]) if remote else path.rpartition("/")
    output = f"{folder}{slash}fixed/{re.sub(r'[^A-Za-z0-9_-]', '_', rule.id)}/{name}"
    halves = " ".join(f"-d {shlex.quote(f'{channel}=half')}" for channel in _channel_names(wrong))
    words = {"path": _argument(f"{folder}{slash}{name}"), "output": _argument(output), "half": halves}
    # In one pass, because a path may hold a word in braces itself.
    command = "".join(words[piece] if at % 2 else piece for at, piece in enumerate(_WORD.split(template)))
    return f"On a local copy: {command}" if remote else command


def _argument(path: str) -> str:
    """A path as one word of a shell command that no program takes for an option."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


def _channel_names(wrong: list[Probe]) -> list[str]:
    """The names of the channels that failed, each once."""
    return list(dict.fromkeys(probe.channel for probe in wrong if probe.channel))


def _losses(template: str, wrong: list[Probe], whole: Subject) -> Iterator[str]:
    """What OpenImageIO's programs would lose of this file, or could not write, when they run this command."""
    if (whole.file.get("status") or "ok") != "ok":
        yield "pixels are missing or damaged, and a new file would hide that"
    for part in whole.all_parts:
        yield from _part_losses(part, template, whole)
    yield from _channel_losses(whole)
    if "{half}" in template:
        yield from _half_losses(wrong, whole)
    if "-otex" in template or "maketx" in template:
        yield from _texture_losses(whole)


def _part_losses(part: Mapping[str, Any], template: str, whole: Subject) -> Iterator[str]:
    compression = part.get("compression")
    if compression is not None and compression not in LOSSLESS:
        yield f"{compression} has dropped precision already, which another compression hides and does not bring back"
    if part.get("is_deep"):
        yield "its samples are deep"
    mode = part.get("tile_level_mode") or "one_level"
    if mode not in ("one_level", "mipmap_levels") or ("--scanline" in template and mode != "one_level"):
        yield f"its smaller levels ({mode}) would be lost"
    for entry in whole.attributes(part):
        # OpenImageIO drops what it has no type for, and gives a cube map another window.
        if entry.get("raw_base64") is not None or entry.get("name") == "envmap":
            yield f"the attribute {entry.get('name')!r} would be lost or changed"


def _channel_losses(whole: Subject) -> Iterator[str]:
    for channel in whole.channels:
        if str(channel.get("type")).upper() == "UINT":
            # OpenImageIO holds samples of mixed types as 32-bit floats.
            yield f"the whole numbers of channel {channel.get('name')!r} would be rounded"
        if (channel.get("x_sampling", 1), channel.get("y_sampling", 1)) != (1, 1):
            yield f"channel {channel.get('name')!r} is subsampled"


def _half_losses(wrong: list[Probe], whole: Subject) -> Iterator[str]:
    """Channels that do not fit into half floats, and such as the command could not tell from those that failed."""
    failed = {(probe.part or 0, probe.channel) for probe in wrong}
    names = {channel for _, channel in failed}
    for channel in whole.channels:
        place, name = (channel.get("part_index", 0), channel.get("name")), channel.get("name")
        if place in failed and channel["role"] not in COLOUR_ROLES:
            yield f"channel {name!r} may hold data that half floats cannot carry"
        if place not in failed and name in names and channel.get("type") != "HALF":
            yield f"channel {name!r} of part {place[0]} would become half as well"
    for channel, row in whole.statistics:
        extremes = [value for value in (row.get("min_value"), row.get("max_value")) if isinstance(value, int | float)]
        if channel.get("name") in names and any(abs(value) > LARGEST_HALF for value in extremes):
            yield f"channel {channel.get('name')!r} has values that become infinite as half floats"


def _texture_losses(whole: Subject) -> Iterator[str]:
    if len(whole.all_parts) > 1:
        yield "a texture has one part, the others would be lost"
    for part in whole.all_parts:
        if part.get("data_window") != part.get("display_window"):
            yield "its data window is not its display window"
