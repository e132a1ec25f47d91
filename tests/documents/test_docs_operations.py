"""docs/SERVERLESS_INTEGRATION.md and deploy/MONITORING.md name the fields, spans and metrics that the code has."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import yaml

import main
from contexts import Context
from exr_bytes import image
from exr_inspector.errors import Verdict
from exr_inspector.function import job, metrics
from exr_inspector.function.host import FunctionHost
from project import ROOT

TEXT = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in ("docs/SERVERLESS_INTEGRATION.md", "deploy/MONITORING.md"))


def first_column(head: str) -> list[str]:
    """What stands in code type in the first column of the table with this head."""
    table = TEXT.partition(f"\n{head}\n")[2].partition("\n\n")[0]
    return [name for row in table.splitlines()[1:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def constants(function: Any, name: str) -> set[str]:
    """The texts that a function, or any method of a class, calls `name` with first."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(function))) if isinstance(node, ast.Call)]
    return {node.args[0].value for node in calls if ast.unparse(node.func) == name and isinstance(node.args[0], ast.Constant)}


def test_the_fields_of_the_log_line_are_documented() -> None:
    """Those that every line has, those that an answer brings, and the traceback of an error that nobody foresaw; in any order."""
    (entry,) = (node for node in ast.walk(ast.parse(inspect.getsource(job))) if getattr(node, "name", "") == "_log_entry")
    (returned,) = (node.value for node in ast.walk(entry) if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict))
    always = {key.value for key in returned.keys if isinstance(key, ast.Constant)}
    assert set(first_column("| field | meaning |")) == always | job.LOGGED.keys() | {"traceback"}


def test_a_line_has_only_documented_fields(tmp_path: Path) -> None:
    """Lines of a file, of something skipped and of several records, as they are written."""
    path = tmp_path / "a.exr"
    path.write_bytes(image())
    record = {"s3": {"bucket": {"name": "renders"}, "object": {"key": "a.txt"}}}
    context = Context()
    for event in ({"data": {"path": str(path), "validate": True}}, {"data": {"Records": [record]}}, {"type": "x.Schedule"}, {}):
        main.handler(context, event)  # type: ignore[no-untyped-call]
    documented = set(first_column("| field | meaning |"))
    assert [entry.keys() - documented for entry in context.entries()] == [set()] * 4


def test_the_spans_are_documented() -> None:
    """One for each step of a job."""
    assert set(first_column("| span | from to |")) == constants(job.Job, "self._step")


def test_the_metrics_are_documented() -> None:
    """Name, kind and labels of each instrument; of those that the host adds, the names."""
    rows = re.findall(r"^\| `(exr_inspector\.\w+)` \| (\w+) \| (.*?) ?\|", TEXT, re.MULTILINE)
    documented = [(name, kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows]
    assert documented == [(instrument.name, instrument.kind, instrument.labels) for instrument in metrics.INSTRUMENTS]
    with FunctionHost(main.handler) as function:
        shown = set(re.findall(r"^# TYPE (exr_\w+)", function.context.page.text(), re.MULTILINE))
    assert shown < set(first_column("| metric of the host | kind | labels | what |"))


def test_every_verdict_is_documented() -> None:
    """The three of an error, and the one of an event that had none."""
    head = "| verdict | when | the function | the platform | what you do |"
    assert first_column(head) == ["done", *(verdict.value for verdict in Verdict)]


def collector() -> dict[str, Any]:
    """The configuration that ships."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "deploy/collector.yaml").read_text(encoding="utf-8"))
    return loaded


def test_the_collector_uses_what_it_configures() -> None:
    """Every component of a pipeline is configured, and every configured one is used."""
    configuration = collector()
    pipelines = configuration["service"]["pipelines"]
    for part in ("receivers", "processors", "exporters"):
        assert {name for pipeline in pipelines.values() for name in pipeline[part]} == configuration[part].keys()
