"""The templates in deploy/ fit the function and use only commands that the platform's command line has."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Iterator
from dataclasses import fields
from types import ModuleType
from typing import Any

import pytest
import yaml

from contexts import Context
from docs_commands import Commands
from exr_inspector.function.events import read_envelope, read_requests
from exr_inspector.settings import NAMES, Settings, load
from project import ROOT

DEPLOY = ROOT / "deploy"


def template(name: str) -> Any:
    """One template, parsed."""
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def known_names() -> set[str]:
    """Every environment name that the settings read."""
    return {name for item in fields(Settings) for name in item.metadata["names"]}


def written_commands() -> Iterator[tuple[str, str]]:
    """Every `vastde` command in the project's documents, templates and scripts, with the file that it stands in."""
    places = [*DEPLOY.iterdir(), ROOT / "README.md", ROOT / "scripts/stage", *ROOT.glob("docs/*.md")]
    for path in places:
        for match in re.findall(r"\bvastde ((?:[\w-]+ ?)+[^`\n]*)", path.read_text(encoding="utf-8")):
            yield path.name, match.rstrip(" .;,:")


def test_every_command_and_option_exists() -> None:
    """A command that is not in the table of the platform's commands is either wrong or has to be looked up first."""
    commands = list(written_commands())
    assert len(commands) > 20
    known = Commands()
    assert [(place, fault) for place, text in commands for fault in known.unknown(f"vastde {text}")] == []


@pytest.mark.parametrize("name", ["pipeline.yaml", "localrun.yaml"])
def test_the_templates_set_only_settings_that_exist(name: str) -> None:
    """And together with the secrets, nothing that the function needs is missing."""
    manifest = template(name)
    if name == "pipeline.yaml":
        variables = {entry["name"]: entry["value"] for entry in manifest["manifest"]["config"]["environment_variables"]}
        secrets = {entry["key"]: entry["value"] for entry in template("secret.yaml")["entries"]}
    else:
        variables, secrets = manifest["envs"], manifest["secrets"]["exr-inspector"]
    assert set(variables) | set(secrets) <= known_names()
    filled = {key: re.sub(r"<.*?>", "example", value) for key, value in variables.items()}
    settings = load(filled, secrets)
    assert settings.missing_for_database() is None
    assert settings.s3_endpoint


def test_the_secret_has_the_name_that_the_function_looks_for_first() -> None:
    """In the manifest, in the secret and in the settings' default."""
    (item,) = (item for item in fields(Settings) if item.metadata["kind"] is NAMES)
    assert template("secret.yaml")["name"] in item.default
    assert template("pipeline.yaml")["manifest"]["config"]["secrets"] == [template("secret.yaml")["name"]]


def test_the_manifest_hangs_together() -> None:
    """Links join triggers and functions that it declares, and the triggers are those that the page creates."""
    manifest = template("pipeline.yaml")["manifest"]
    triggers = {trigger["name"] for trigger in manifest["triggers"]}
    functions = {function["name"] for function in manifest["function_deployments"]}
    for link in manifest["links"]:
        assert set(link["source"]) <= triggers
        assert set(link["destination"]) <= functions
    created = re.findall(r"triggers create element -n (\S+)", (DEPLOY / "README.md").read_text(encoding="utf-8"))
    assert set(created) == triggers


def test_the_handler_file_for_batches_answers_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the decorator in its place, and `init` and `handler` in the file itself, where the builder looks for them."""
    decorated = []
    sdk = ModuleType("vast.dataengine.sdk")
    monkeypatch.setattr(sdk, "event_batching_handler", lambda handler: decorated.append(handler) or handler, raising=False)
    for name, module in {"vast": ModuleType("vast"), "vast.dataengine": ModuleType("vast.dataengine"), sdk.__name__: sdk}.items():
        monkeypatch.setitem(sys.modules, name, module)
    found = runpy.run_path(str(DEPLOY / "batches.py"))
    assert decorated == [found["handler"]]
    context = Context()
    found["init"](context)
    answers = found["handler"](context, [{"data": {"path": "notes.txt"}}] * 3)
    assert [answer["status"] for answer in answers] == ["skipped"] * 3


def test_resources_are_written_as_the_platform_writes_them() -> None:
    """Memory and processors as text, the least before the most; VAST's own manifests have all of them."""
    (function,) = template("pipeline.yaml")["manifest"]["function_deployments"]
    resources = function["resources"]
    assert {f"{bound}_{what}" for bound in ("min", "max") for what in ("cpu", "memory", "concurrency")} <= set(resources)
    assert re.fullmatch(r"\d+Mi", resources["min_memory"])
    assert re.fullmatch(r"\d+Gi", resources["max_memory"])


def test_resources_of_the_platform_are_named_by_name() -> None:
    """Numbers in VRNs were seen nowhere; what the page creates has the names that the manifest uses."""
    text = (DEPLOY / "pipeline.yaml").read_text(encoding="utf-8") + (DEPLOY / "secret.yaml").read_text(encoding="utf-8")
    assert "<number>" not in text
    page = (DEPLOY / "README.md").read_text(encoding="utf-8")
    for kind, command in (("triggers", "triggers create element -n"), ("functions", "functions create -n")):
        named = re.findall(rf"vast:dataengine:{kind}:([\w-]+)", text)
        assert named
        assert all(f"{command} {name}" in page for name in named)


def test_a_command_that_lacks_what_the_reference_requires_is_found() -> None:
    """`topics list` needs the database's name; a command that is only mentioned needs nothing."""
    known = Commands()
    assert known.unknown("vastde topics list -o json") == ["vastde topics list needs --database-name"]
    assert known.unknown("vastde topics list") == []


def test_the_event_by_hand_is_one_that_the_function_reads() -> None:
    """Its id is a UUID, its subject and source have the runtime's grammar, and it names an object."""
    event = template("event.yaml")
    assert re.fullmatch(r"[0-9a-f-]{36}", event["id"])
    assert re.fullmatch(r"[\w-]+\.[\w-]+", event["subject"])
    assert re.fullmatch(r"vastdata\.com:[\w-]+\.[0-9a-f-]{36}", event["source"])
    (request,) = read_requests(read_envelope(event))
    assert request.bucket == "BUCKET"
