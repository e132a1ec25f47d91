"""Policies are read completely before any file is validated, and every mistake names its line and rule."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from exr_inspector.errors import BadPolicy, Verdict
from exr_inspector.validation import policy as exr_policy
from exr_inspector.validation.checks import RULE_KINDS, RuleKind
from exr_inspector.validation.policy import load_policy, parse_policy
from project import ROOT

HEAD = 'id = "p"\nversion = "1"\n\n'
SHIPPED = sorted((ROOT / "exr_inspector/validation/policies").glob("*.toml"))


def rule(**keys: object) -> str:
    """A rule of kind `deep` with these keys changed; None removes a key."""
    given = {"id": "r", "kind": "deep", "severity": "FAIL", "allowed": False} | keys
    return "[[rule]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items() if value is not None)


def mistake_in(text: str) -> BadPolicy:
    """The error that this text raises."""
    with pytest.raises(BadPolicy) as caught:
        parse_policy(text, "p.toml")
    assert caught.value.verdict is Verdict.REJECT
    assert caught.value.path == "p.toml"
    return caught.value


def test_a_policy_keeps_its_rules_in_order():
    """With severity, roles, paths and options."""
    text = HEAD + rule(id="a", roles=["beauty"], paths=["*/x/*"], message="m", suggested_fix="f") + rule(id="b", severity="WARN")
    policy = parse_policy(text, "p.toml")
    first, second = policy.rules
    assert (policy.id, policy.version, policy.title) == ("p", "1", "p")
    assert (first.id, first.roles, first.paths, first.message, first.suggested_fix) == ("a", ("beauty",), ("*/x/*",), "m", "f")
    assert (second.severity, dict(second.options), second.line) == ("WARN", {"allowed": False}, 13)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("id = \n", 1, "not valid TOML"),
        ('id = "p"\n', 1, "the policy has no 'version'"),
        ('version = "1"\n', 1, "the policy has no 'id'"),
        ('id = "p"\nversion = 1\n', 2, "'version' must be a text in quotation marks"),
        (HEAD, 1, "at least one"),
        (HEAD + 'flavour = "x"\n' + rule(), 4, "unknown key 'flavour'"),
        (HEAD + rule(id=None), 4, "needs an 'id'"),
        ('identity = "p"\n' + HEAD + rule(), 1, "unknown key 'identity'; known are id, rule, source, title, version"),
        ('id = "p"\nversoin = "1"\n' + rule(), 2, "unknown key 'versoin'; did you mean version"),
        (HEAD + rule().replace("[[rule]]", "[[rules]]"), 4, "unknown key 'rules'; did you mean rule"),
        (HEAD + rule(kind=None, knd="deep"), 8, "unknown key 'knd'; did you mean kind?"),
        (HEAD + rule(id=None, idd="r"), 8, "unknown key 'idd'; did you mean id"),
        (HEAD + rule(id=None, x="r"), 8, "unknown key 'x'; known are"),
        (HEAD + rule(severity=None, severty="FAIL"), 8, "unknown key 'severty'; did you mean severity?"),
        (HEAD + rule(kind=None), 4, "kind must be one of"),
        (HEAD + rule(kind="dept"), 6, "unknown kind 'dept'; did you mean deep"),
        (HEAD + rule(kind="depth of field"), 6, "kind must be one of"),
        (HEAD + rule(kind=["x"]), 6, "kind must be one of"),
        (HEAD + rule(severity="fail"), 7, "severity must be FAIL or WARN"),
        (HEAD + rule(alowed=True), 9, "unknown key 'alowed'; did you mean allowed?"),
        (HEAD + rule(allowed="no"), 8, "'allowed' must be true or false"),
        (HEAD + rule(allowed=None), 4, "'allowed' is missing"),
        (HEAD + rule(roles="beauty"), 9, "'roles' must be a list of texts"),
        (HEAD + rule(kind="parts", allowed=None), 4, "at least one of"),
        (HEAD + rule(kind="channel_names", allowed=None, pattern="("), 8, "a regular expression"),
        (HEAD + rule(kind="sampling", allowed=[[1]]), 8, "pairs of integers"),
        (HEAD + rule(kind="chromaticities", allowed=None, equal="ap2"), 8, "one of ap0"),
        (HEAD + rule(kind="chromaticities", allowed=None, values=[1, 2]), 8, "eight numbers"),
        (HEAD + rule() + rule(), 9, "the rule of line 4 has the same id"),
    ],
)
def test_a_mistake_names_its_line(text, line, said):
    """A policy is written by hand, so its errors point into it."""
    error = mistake_in(text)
    assert error.line == line, str(error)
    assert said in str(error)


def test_a_mistake_names_its_rule():
    """The id stands in the message and in the error."""
    error = mistake_in(HEAD + rule(id="flat", allowed="no"))
    assert error.rule == "flat"
    assert "p.toml:8, rule 'flat'" in str(error)
    assert error.as_dict()["line"] == 8


def test_a_missing_policy_is_a_reject_with_its_path(tmp_path):
    """Never an empty result."""
    with pytest.raises(BadPolicy, match=r"missing\.toml") as caught:
        load_policy(tmp_path / "missing.toml")
    assert caught.value.verdict is Verdict.REJECT
    assert "the policies that ship are aces_container, comp_plate, default" in str(caught.value)


def test_a_policy_that_is_no_utf_8_is_a_reject(tmp_path):
    """The byte is named."""
    path = tmp_path / "latin.toml"
    path.write_bytes(b'id = "\xe9"')
    with pytest.raises(BadPolicy, match="byte 6"):
        load_policy(path)


def embedding_rule(reference: str) -> str:
    return HEAD + rule(kind="embedding", allowed=None, reference=reference, max_distance=0.1)


def test_a_reference_is_read_with_the_policy(tmp_path):
    """Relative to the policy's own folder, so that judging stays pure."""
    (tmp_path / "reference.json").write_text('{"channels": [], "parts": [{}]}')
    (tmp_path / "p.toml").write_text(embedding_rule("reference.json"))
    assert load_policy(tmp_path / "p.toml").references == {"reference.json": {"channels": [], "parts": [{}]}}


@pytest.mark.parametrize("content", [None, "{", "[]", '{"channels": []}'])
def test_a_reference_that_is_no_payload_is_a_mistake_of_the_rule(tmp_path, content):
    """Missing, no JSON, or no payload."""
    if content is not None:
        (tmp_path / "reference.json").write_text(content)
    (tmp_path / "p.toml").write_text(embedding_rule("reference.json"))
    with pytest.raises(BadPolicy, match=r"reference.*reference\.json") as caught:
        load_policy(tmp_path / "p.toml")
    assert caught.value.rule == "r"


def count_call(counted: list[ModuleType], module: ModuleType, loads: Callable[[Any], Any], text: Any) -> Any:
    counted.append(module)
    return loads(text)


@pytest.fixture
def parses(monkeypatch):
    """How often TOML is parsed and references are; files count as settled at once."""
    counted = []
    monkeypatch.setattr("exr_inspector.validation.policy._SETTLED_NS", -1)
    for module in (tomllib, json):
        monkeypatch.setattr(module, "loads", partial(count_call, counted, module, module.loads))
    return counted


def test_a_policy_is_read_once_and_again_when_its_file_changes(tmp_path, parses):
    """The same for the references of its rules; the content counts, not only the time."""
    reference, path = tmp_path / "reference.json", tmp_path / "p.toml"
    reference.write_text('{"channels": [], "parts": [{}]}')
    path.write_text(embedding_rule("reference.json"))
    first = [load_policy(path) for _ in range(5)]
    assert parses == [tomllib, json]
    assert first[0] == first[4]
    path.write_text(embedding_rule("reference.json").replace('"r"', '"s"'))
    assert load_policy(path).rules[0].id == "s"
    assert parses == [tomllib, json, tomllib]
    reference.write_text('{"channels": [], "parts": [[]]}')
    assert load_policy(path).references["reference.json"]["parts"] == [[]]
    assert parses == [tomllib, json, tomllib, json]
    path.unlink()
    with pytest.raises(BadPolicy, match="No such file"):
        load_policy(path)


def test_a_file_that_may_still_change_unseen_is_read_again(tmp_path, parses, monkeypatch):
    """Two writes within one tick of the file system's clock look the same."""
    monkeypatch.setattr("exr_inspector.validation.policy._SETTLED_NS", 10**18)
    path = tmp_path / "p.toml"
    path.write_text(HEAD + rule())
    for _ in range(3):
        load_policy(path)
    assert parses == [tomllib] * 3


def test_only_a_few_policies_are_kept(tmp_path, parses):
    """An event may name any file below an allowed folder."""
    for at in range(40):
        (tmp_path / f"{at}.toml").write_text(HEAD + rule())
        load_policy(tmp_path / f"{at}.toml")
    assert exr_policy._load_policy.cache_info().currsize <= exr_policy.CACHED_POLICIES


def make_device_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_large_file(path: Path) -> None:
    path.touch()
    os.truncate(path, exr_policy.MAX_REFERENCE + 1)


@pytest.mark.parametrize("place", ["policy", "reference"])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "not a regular file"),
        (make_device_link, "not a regular file"),
        (os.mkdir, "a directory"),
        (make_large_file, "bytes, over"),
    ],
    ids=["fifo", "device", "directory", "large"],
)
def test_only_a_regular_file_of_bounded_size_is_read(tmp_path, place, make, said):
    """A pipe hangs nothing, and a device has no end; the reference of a rule is a file as well."""
    odd = tmp_path / "odd"
    make(odd)
    path = odd
    if place == "reference":
        path = tmp_path / "p.toml"
        path.write_text(embedding_rule("odd"))
    with pytest.raises(BadPolicy, match=said):
        load_policy(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 100_000, "not valid TOML"),
        ("a = " + "1" * 5000, "not valid TOML"),
        ("\0", "not valid TOML"),
        (HEAD + rule(kind="channel_names", allowed=None, pattern="a{99999999999999999999}"), "pattern"),
    ],
    ids=["nested", "digits", "nul", "pattern"],
)
def test_odd_text_is_a_mistake_of_the_policy(text, said):
    """Nested beyond the recursion limit, or with numbers that Python does not convert."""
    with pytest.raises(BadPolicy, match=said):
        parse_policy(text, "p.toml")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_policies_are_sound_and_state_their_source(path: Path):
    """Named as their file, with a message for every rule, and none lets an unreadable file pass."""
    policy = load_policy(path)
    assert policy.id == path.stem
    assert policy.source
    assert all(rule.message for rule in policy.rules)
    assert "status" in {rule.kind for rule in policy.rules}


def test_the_policies_that_the_documents_name_are_shipped():
    """Sanity, Netflix, ACES, textures, plates."""
    assert [path.stem for path in SHIPPED] == ["aces_container", "comp_plate", "default", "netflix_vfx", "texture_mipmap"]


DOCUMENT = (ROOT / "docs/VALIDATION.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "kind"), RULE_KINDS.items())
def test_the_document_lists_every_kind_as_it_is_declared(name: str, kind: RuleKind):
    """What it looks at, and its options; where the row is missing, the failure shows it."""
    options = ", ".join(f"`{option}`" for option in kind.options)
    assert f"| `{name}` | {kind.looks_at} | {options} |" in DOCUMENT.splitlines()


def test_the_document_lists_no_other_kinds():
    """A row without a declaration would promise what policies refuse."""
    table = DOCUMENT.partition("## Kinds of rules")[2].partition("\nRegular expressions")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == RULE_KINDS.keys()


def test_the_document_shows_a_policy_that_can_be_used():
    """Its example is read like any other."""
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    assert [rule.id for rule in parse_policy(example, "VALIDATION.md").rules] == ["lossless"]


def test_the_document_names_every_shipped_policy_with_its_source():
    """Who wants to know why a rule is there finds out where it is from."""
    for path in SHIPPED:
        policy = load_policy(path)
        assert f"| `{policy.id}` | {policy.title} | {policy.source} |" in DOCUMENT
