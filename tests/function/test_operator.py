"""What an operator watches: numbers that agree with the log, a dashboard and alerts that name only what there is."""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import sqlglot
import yaml

import seeded_catalogue
from exr_inspector.catalogue import connection, engine
from exr_inspector.cli.cloud import BUCKET, Cloud, local_cloud
from exr_inspector.function.host_log import JsonLines
from exr_inspector.operations.samples import SAMPLES
from exr_inspector.settings import Settings
from local_vast.trigger import TriggerFaults
from project import ROOT
from scrapes import Scrape, scrape

ALERTS, DASHBOARD = ROOT / "deploy/alerts.yaml", ROOT / "deploy/grafana.json"
RENDERS = [name for name in SAMPLES if "beauty" in name or name.endswith("notes.exr")]
# Names of series, in PromQL as it is used here: neither a function, which a bracket follows, nor a label.
SERIES = re.compile(r"\b(?:exr_inspector|process)_\w+\b(?!:)")


@dataclass(frozen=True, slots=True)
class Storm:
    """What a host shows after a storm, the lines that its function wrote meanwhile, and what its trigger counted."""

    page: Scrape
    text: str
    entries: list[dict[str, Any]]
    attempts: int

    def sum(self, step: str) -> float:
        """Milliseconds of a step, by the log."""
        return sum(entry["timings_ms"].get(step, 0) for entry in self.entries)


class Lines(logging.Handler):
    """Keeps what a function's logger is told, as the host writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.entries.append(json.loads(JsonLines().format(record)))


@contextmanager
def lines_of(name: str) -> Iterator[list[dict[str, Any]]]:
    """The lines of a logger, from INFO on."""
    logger, handler = logging.getLogger(name), Lines()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.entries
    logger.removeHandler(handler)
    logger.setLevel(level)


def upload_all(cloud: Cloud, contents: list[bytes]) -> None:
    """Renders, overwrites, text, a removal; faults of the store, the database and the trigger; at last keys that are refused."""
    uploads = [(f"storm/{number % 20}.exr", contents[number % len(contents)]) for number in range(40)]
    uploads += [(f"storm/{number}.txt", b"text") for number in range(3)]
    cloud.server.faults.add("503@object*3", "409@commit*4", "lost@commit+9", "503@query+20*2")
    cloud.trigger.faults = TriggerFaults(duplicate=0.1, refuse=0.05, lose_answer=0.05)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda upload: cloud.s3.put_object(Bucket=BUCKET, Key=upload[0], Body=upload[1]), uploads))
        cloud.settle()
    cloud.trigger.faults = TriggerFaults()
    cloud.server.faults.clear()
    cloud.delete("storm/1.exr")
    cloud.server.faults.add("403@query**")
    cloud.put("storm/refused.exr", contents[0])
    cloud.server.faults.clear()


def bury(cloud: Cloud) -> None:
    """Post what ran out of deliveries to the host's dead-letter sink, as a Knative broker does."""
    for line in cloud.trigger.dead_letter.read_text(encoding="utf-8").splitlines():
        body = json.dumps(json.loads(line)["event"]).encode()
        request = Request(f"{cloud.host.url}/dead-letters", body, {"Content-Type": "application/cloudevents+json"})  # noqa: S310
        with urlopen(request) as answer:  # noqa: S310  (loopback)
            assert answer.status == 204


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """A storm over one endpoint and one host; the page is read when all is quiet."""
    contents = []
    for name in RENDERS:
        path = tmp_path_factory.mktemp("samples") / Path(name).name
        SAMPLES[name](path)
        contents.append(path.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        for name in (name for item in fields(Settings) for name in item.metadata["names"]):
            patch.delenv(name, raising=False)
        with lines_of("function") as entries, local_cloud() as cloud:
            upload_all(cloud, contents)
            attempts = cloud.trigger.counts.attempts
            bury(cloud)
            yield Storm(scrape(cloud.host.url), cloud.host.context.page.text(), entries, attempts)


class TestTheScrape:
    def test_events_are_those_of_the_log(self, storm: Storm) -> None:
        """By verdict, status and code: each delivery is one line and one count."""
        events = "exr_inspector_events_total"
        for field in ("verdict", "status"):
            assert storm.page.by(events, field) == Counter(entry[field] for entry in storm.entries)
        assert storm.page.by(events, "verdict").keys() == {"done", "reject", "retry", "skip"}
        assert storm.page.value(events, code="database_forbidden") == 4
        assert storm.page.value(events, code="not_an_exr") == storm.page.value(events, verdict="skip")
        assert storm.page.value("exr_inspector_events_in_progress") == 0

    def test_durations_and_bytes_are_those_of_the_log(self, storm: Storm) -> None:
        """Of the whole event and of each step; Prometheus counts seconds."""
        page = storm.page
        assert page.value("exr_inspector_duration_seconds_count") == len(storm.entries)
        assert page.value("exr_inspector_duration_seconds_sum") == pytest.approx(storm.sum("total") / 1000)
        for step in ("fetch", "inspect", "embed", "persist"):
            assert page.value("exr_inspector_step_seconds_sum", step=step) == pytest.approx(storm.sum(step) / 1000), step
        assert page.value("exr_inspector_bytes_read_sum") == sum(entry["bytes_read"] for entry in storm.entries)

    def test_each_transaction_is_counted_once(self, storm: Storm) -> None:
        """However many events it stored: groups of files add up to what was stored, and conflicts to the faults."""
        page = storm.page
        transactions = page.value("exr_inspector_database_group_files_count")
        stored = [entry for entry in storm.entries if entry["persistence"]["status"] == "stored"]
        refused = page.value("exr_inspector_events_total", code="database_forbidden")
        replaced = page.value("exr_inspector_database_group_files_sum") - len(stored) - refused
        assert replaced >= 0  # stored, found to be replaced meanwhile, and stored anew
        assert page.value("exr_inspector_database_conflicts_total") == 4
        assert page.value("exr_inspector_database_attempts_total") >= transactions + 4
        assert page.value("exr_inspector_database_requests_total") > 3 * transactions
        assert page.value("exr_inspector_database_waiting") == 0

    def test_deliveries_are_those_of_the_trigger(self, storm: Storm) -> None:
        """By the status of the answer: what the function raised is a 500, and the dead letter is one more."""
        deliveries = storm.page.by("exr_inspector_deliveries_total", "status")
        assert deliveries["500"] == storm.page.value("exr_inspector_events_total", verdict="retry")
        assert deliveries["204"] + deliveries["500"] == len(storm.entries) + 1
        assert storm.page.value("exr_inspector_dead_letters_total") == 1
        assert storm.page.value("exr_inspector_events_waiting") == 0


def rules() -> list[dict[str, Any]]:
    """All rules of the alerts."""
    return [rule for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """The dashboard."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def panels() -> list[dict[str, Any]]:
    """The panels that show something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def targets(plugin: str) -> list[dict[str, Any]]:
    """What the panels ask of data sources of a kind."""
    return [target for panel in panels() for target in panel["targets"] if target["datasource"]["type"] == plugin]


def expressions() -> list[str]:
    """All PromQL of the dashboard and of the alerts."""
    asked = [variable["definition"] for variable in dashboard()["templating"]["list"] if variable["type"] == "query"]
    return [*(target["expr"] for target in targets("prometheus")), *(rule["expr"] for rule in rules()), *asked]


class TestDashboardAndAlerts:
    def test_every_series_that_is_named_is_in_a_scrape(self, storm: Storm) -> None:
        """In both, in all expressions; and every metric of the page is on a panel."""
        named = {name for expression in expressions() for name in SERIES.findall(expression)}
        assert named - storm.page.names == set()
        shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
        measured = {re.sub(r"_(bucket|sum|count)$", "", name) for name in storm.page.names if name.startswith("exr_")}
        assert measured - shown == set()

    def test_every_label_that_is_named_is_one_of_its_series(self, storm: Storm) -> None:
        """Those that Prometheus adds, `job` and `instance`, apart."""
        known = {label for sample in storm.page.samples for label in sample.labels} | {"job", "instance"}
        for expression in expressions():
            braces = re.findall(r"\{([^}]*)\}", expression)
            groups = re.findall(r"\bby \(([^)]*)\)", expression)
            labels = re.findall(r"(\w+)\s*[=!]~?", " ".join(braces)) + re.findall(r"\w+", " ".join(groups))
            assert set(labels) <= known, expression

    def test_alerts_say_what_is_wrong_and_how_grave_it_is(self) -> None:
        """One for each thing that an operator wants to be told of."""
        alerts = {rule["alert"].removeprefix("ExrInspector"): rule for rule in rules() if "alert" in rule}
        assert alerts.keys() == {"NoEvents", "Retries", "Rejects", "DeadLetters", "NearTimeout", "NewestRowOld"}
        for alert in alerts.values():
            assert alert["labels"]["severity"] in ("warning", "critical")
            assert alert["annotations"].keys() == {"summary", "description"}

    def test_the_time_out_is_that_of_the_deployment(self) -> None:
        """Four fifths of it, in the alert and on the panel."""
        pipeline = yaml.safe_load((ROOT / "deploy/pipeline.yaml").read_text(encoding="utf-8"))
        (deployment,) = pipeline["manifest"]["function_deployments"]
        limit = deployment["resources"]["timeout"] * 4 // 5
        (alert,) = (rule for rule in rules() if rule.get("alert") == "ExrInspectorNearTimeout")
        assert alert["expr"].endswith(f"> {limit}")
        (panel,) = (panel for panel in panels() if panel["title"].startswith("99 %"))
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"] == limit

    def test_the_dashboard_can_be_imported(self) -> None:
        """No id, a schema of Grafana 11 or later, all that it needs declared, and data sources chosen at the import."""
        whole = dashboard()
        assert (whole["id"], whole["uid"], whole["schemaVersion"] >= 39) == (None, "exr-inspector", True)
        inputs = {f"${{{entry['name']}}}": entry for entry in whole["__inputs"]}
        sources = {(entry["pluginId"], name) for name, entry in inputs.items() if entry["type"] == "datasource"}
        used = {(target["datasource"]["type"], target["datasource"]["uid"]) for panel in panels() for target in panel["targets"]}
        assert used == sources
        assert set(re.findall(r"\$\{(?:DS|VAR)_\w+\}", json.dumps({**whole, "__inputs": []}))) == inputs.keys()
        plugins = {("datasource", plugin) for plugin, _ in sources} | {("panel", panel["type"]) for panel in panels()}
        assert {(entry["type"], entry["id"]) for entry in whole["__requires"]} == plugins | {("grafana", "grafana")}

    def test_panels_have_a_place_of_their_own(self) -> None:
        """Within 24 columns, none above another, each with a title and a description."""
        cells: Counter[tuple[int, int]] = Counter()
        for panel in dashboard()["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            cells.update(
                (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
            )
        assert cells.most_common(1)[0][1] == 1
        assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])
        assert all(panel["title"] and panel["description"].endswith(".") for panel in panels())


@pytest.fixture(scope="module")
def catalogue() -> Iterator[connection.Target]:
    """The seeded catalogue behind an endpoint that speaks VAST's protocols."""
    with seeded_catalogue.served() as server:
        sys.modules.pop("adbc_driver_vastdb", None)  # scripts that need no engine mark it as absent
        environ = {"VAST_DB_ACCESS_KEY": server.access_key, "VAST_DB_SECRET_KEY": server.secret_key}
        yield connection.open_target(connection.settings_of(server.url, "renders/exr", environ))


def statements() -> dict[str, str]:
    """The SQL of the panels, by their titles."""
    return {panel["title"]: panel["targets"][0]["rawSQL"] for panel in panels() if "rawSQL" in panel["targets"][0]}


def answer_of(catalogue: connection.Target, title: str) -> list[dict[str, Any]]:
    """The rows of a panel."""
    statement = sqlglot.parse_one(statements()[title].replace("${schema}.", ""), read="trino")
    assert isinstance(statement, sqlglot.exp.Query)
    return engine.ask_client(catalogue, statement).to_pylist()


@pytest.mark.parametrize("title", statements())
def test_a_panel_s_statement_gives_rows(catalogue: connection.Target, title: str) -> None:
    """It is SQL of Trino, over tables and columns that there are; what was planted in the catalogue comes out."""
    assert "${schema}.files" in statements()[title]
    rows = answer_of(catalogue, title)
    assert rows
    if title == "Coverage":
        (whole,) = answer_of(catalogue, "Files")
        assert sum(row["files"] for row in rows) == whole["files"]
        assert all(row["ok"] + row["incomplete"] + row["damaged"] + row["unreadable"] == row["files"] for row in rows)
    if title == "Failures by code":
        assert {row["status"] for row in rows} >= {"incomplete", "unreadable"}


UNIT_TESTS = """
rule_files: [alerts.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'exr_inspector_deliveries_total{status="500"}', values: '0+5x60'}
      - {series: 'exr_inspector_events_total{status="ok",verdict="done",code=""}', values: '100x60'}
      - {series: 'exr_inspector_events_total{status="retry",verdict="retry",code="database_forbidden"}', values: '7x60'}
      - {series: 'exr_inspector_events_total{status="unreadable",verdict="reject",code="bad_magic"}', values: '3x60'}
      - {series: 'exr_inspector_dead_letters_total', values: '0x60'}
      - {series: 'exr_inspector_last_success_timestamp_seconds', values: '0x3000'}
    alert_rule_test:
      - {eval_time: 10m, alertname: ExrInspectorNoEvents, exp_alerts: []}
      - eval_time: 40m
        alertname: ExrInspectorNoEvents
        exp_alerts: [{exp_labels: {severity: critical}}]
      - {eval_time: 40m, alertname: ExrInspectorRetries, exp_alerts: []}
      - {eval_time: 40m, alertname: ExrInspectorRejects, exp_alerts: []}
      - {eval_time: 40m, alertname: ExrInspectorDeadLetters, exp_alerts: []}
      - {eval_time: 40m, alertname: ExrInspectorNewestRowOld, exp_alerts: []}
      - eval_time: 25h
        alertname: ExrInspectorNewestRowOld
        exp_alerts: [{exp_labels: {severity: warning}}]
  - interval: 1m
    input_series:
      - {series: 'exr_inspector_deliveries_total{status="204"}', values: '0+9x60'}
      - {series: 'exr_inspector_events_total{status="ok",verdict="done",code=""}', values: '0+5x60'}
      - {series: 'exr_inspector_events_total{status="retry",verdict="retry",code="database_forbidden"}', values: '0+2x60'}
      - {series: 'exr_inspector_events_total{status="unreadable",verdict="reject",code="bad_magic"}', values: '0+2x60'}
      - {series: 'exr_inspector_dead_letters_total', values: '0x20 1x40'}
      - {series: 'exr_inspector_duration_seconds_bucket{status="ok",le="90"}', values: '0+90x60'}
      - {series: 'exr_inspector_duration_seconds_bucket{status="ok",le="120"}', values: '0+100x60'}
      - {series: 'exr_inspector_duration_seconds_bucket{status="ok",le="+Inf"}', values: '0+100x60'}
    alert_rule_test:
      - {eval_time: 40m, alertname: ExrInspectorNoEvents, exp_alerts: []}
      - eval_time: 20m
        alertname: ExrInspectorRetries
        exp_alerts: [{exp_labels: {severity: critical, code: database_forbidden}}]
      - eval_time: 20m
        alertname: ExrInspectorRejects
        exp_alerts: [{exp_labels: {severity: warning, code: bad_magic}}]
      - eval_time: 25m
        alertname: ExrInspectorDeadLetters
        exp_alerts: [{exp_labels: {severity: critical}}]
      - eval_time: 40m
        alertname: ExrInspectorNearTimeout
        exp_alerts: [{exp_labels: {severity: warning}}]
"""


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool, of Debian's package prometheus, is not installed")
class TestPromtool:
    def run(self, *arguments: str, text: str | None = None) -> str:
        """What promtool says; it has to be content."""
        done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def test_the_rules_are_valid(self) -> None:
        """All of them."""
        assert f"SUCCESS: {len(rules())} rules found" in self.run("check", "rules", str(ALERTS))

    def test_the_page_is_valid(self, storm: Storm) -> None:
        """And follows Prometheus' rules for names, units and help."""
        self.run("check", "metrics", text=storm.text)

    def test_alerts_fire_when_they_should_and_only_then(self, tmp_path: Path) -> None:
        """Over series that stand for a host that hangs, and for one that works while a service refuses its keys."""
        bare = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
        for rule in bare["groups"][0]["rules"]:
            rule.pop("annotations", None)
        (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(bare), encoding="utf-8")
        (tmp_path / "tests.yaml").write_text(UNIT_TESTS, encoding="utf-8")
        self.run("test", "rules", str(tmp_path / "tests.yaml"))

    def test_the_expressions_of_panels_are_promql(self, tmp_path: Path) -> None:
        """As rules, with Grafana's variables filled in."""
        filled = [
            re.sub(r"\$(job|instance)", ".*", target["expr"]).replace("$__rate_interval", "5m")
            for target in targets("prometheus")
        ]
        as_rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(filled)]
        path = tmp_path / "panels.yaml"
        path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": as_rules}]}), encoding="utf-8")
        assert f"SUCCESS: {len(filled)} rules found" in self.run("check", "rules", str(path))
