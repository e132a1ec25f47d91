"""The log of a function host: one object a line, each delivery of an event once, and a collector's operators that read it."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import boto3
import pytest
import yaml

from exr_bytes import image
from exr_inspector.function.host_log import JsonLines
from exr_inspector.settings import Settings
from local_vast import LocalVast
from local_vast.trigger import ElementTrigger
from project import ROOT
from waiting import wait_until


def variables(server: LocalVast) -> dict[str, str]:
    """The environment of a host whose objects and tables are on this endpoint."""
    names = {name for item in fields(Settings) for name in item.metadata["names"]} | {"K_SERVICE"}
    place = {"ENDPOINT": server.url, "ACCESS_KEY": server.access_key, "SECRET_KEY": server.secret_key}
    return {
        **{name: value for name, value in os.environ.items() if name not in names},
        **{f"{service}_{name}": value for service in ("S3", "VAST_DB") for name, value in place.items()},
        "VAST_DB_BUCKET": "renders",
    }


def is_ready(url: str) -> bool:
    """Whether `init` is done."""
    try:
        with urlopen(f"{url}/readiness"):  # noqa: S310  (loopback)
            return True
    except HTTPError as error:
        error.close()
        return False


@contextmanager
def trigger_of(server: LocalVast, url: str) -> Iterator[ElementTrigger]:
    """The endpoint's trigger, which delivers to this host, soon and again."""
    assert server.trigger is not None
    server.trigger.url, server.trigger.waits = url, (0.05, 0.1, 0.2)
    yield server.trigger
    assert server.trigger.drain(60)


@pytest.fixture(scope="module", params=["INFO", "DEBUG"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str], list[str]]:
    """Level, standard output and standard error of a host: an EXR, a text of that name, and one whose rows are refused once."""
    errors = tmp_path_factory.mktemp("log") / "errors"
    with LocalVast(buckets=("renders", "shows"), trigger_url="http://127.0.0.1:9/") as server, errors.open("w") as log:
        command = [sys.executable, "-m", "exr_inspector.function.host", "--port", "0", "--log-format", "json"]
        process = subprocess.Popen(
            [*command, "--log-level", request.param],
            cwd=ROOT, env=variables(server), stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        first = process.stdout.readline()
        url = json.loads(first)["message"].removeprefix("listening on ")
        wait_until(lambda: is_ready(url))
        s3 = boto3.client(
            "s3", endpoint_url=server.url, aws_access_key_id=server.access_key, aws_secret_access_key=server.secret_key,
            region_name="us-east-1",
        )  # fmt: skip
        with trigger_of(server, url) as trigger:
            for key, data in (("a.exr", image()), ("notes.exr", b"text")):
                s3.put_object(Bucket="shows", Key=key, Body=data)
                assert trigger.drain(60)
            server.faults.add("403@query")
            s3.put_object(Bucket="shows", Key="b.exr", Body=image())
        process.terminate()
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0
    return request.param, [first, *rest.splitlines()], errors.read_text(encoding="utf-8").splitlines()


class TestJson:
    def test_every_line_is_an_object(self, written: tuple[str, list[str], list[str]]) -> None:
        """On both outputs, with its time, its level, who says it, and what."""
        for line in (*written[1], *written[2]):
            assert {"time", "level", "logger", "message"} <= json.loads(line).keys()

    def test_each_delivery_is_one_line_of_the_function(self, written: tuple[str, list[str], list[str]]) -> None:
        """By the function's name, not that of a folder; at INFO there is nothing else: no answer, no traceback."""
        level, _, errors = written
        entries = [json.loads(line) for line in errors]
        events = [entry for entry in entries if entry["logger"] == "exr-inspector"]
        assert [(entry["level"], entry["verdict"], entry["location"]) for entry in events] == [
            ("INFO", "done", "s3://shows/a.exr"), ("WARNING", "reject", "s3://shows/notes.exr"),
            ("ERROR", "retry", "s3://shows/b.exr"), ("INFO", "done", "s3://shows/b.exr"),
        ]  # fmt: skip
        others = [entry["message"] for entry in entries if entry["logger"] != "exr-inspector"]
        if level == "INFO":
            assert others == ["stopping: no more events are taken"]
        else:
            assert sum("the function returned {" in message for message in others) == 3
            assert sum("the function raised after" in message for message in others) == 1

    def test_a_record_of_any_kind_is_a_line(self) -> None:
        """Text, an object, what only begins like one, a line break, and an exception with its traceback."""
        try:
            raise LookupError("lost\n")
        except LookupError:
            error = sys.exc_info()
        made = [
            json.loads(JsonLines().format(logging.LogRecord("a", logging.ERROR, "", 0, message, None, info)))
            for message, info in (("two\nlines", None), ('{"message":"m","n":1}', None), ("{odd", None), ("gone", error))
        ]
        assert [(entry["message"], entry.get("n")) for entry in made] == [
            ("two\nlines", None),
            ("m", 1),
            ("{odd", None),
            ("gone", None),
        ]
        assert "LookupError: lost" in made[3]["traceback"]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"]) for entry in made)


@dataclass(slots=True)
class Collected:
    """A log record of an OpenTelemetry collector."""

    body: str
    attributes: dict[str, Any] = field(default_factory=dict)
    time: datetime | None = None
    severity: str | None = None


SEVERITIES = {
    "debug": "debug",
    "info": "info",
    "warn": "warn",
    "warning": "warn",
    "error": "error",
    "err": "error",
    "fatal": "fatal",
}
"""What the collector knows by itself, besides numbers."""


def operators() -> list[dict[str, Any]]:
    """Those of the receiver in deploy/collector.yaml."""
    text = (ROOT / "deploy/collector.yaml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = yaml.safe_load(text)["receivers"]["file_log"]["operators"]
    return found


def unwrap(record: Collected, operator: dict[str, Any]) -> Collected:
    """The operator `container`: a line of a container's log as containerd and CRI-O write it."""
    assert operator == {"type": "container"}
    time, _stream, _whole, body = record.body.split(" ", 3)
    return Collected(body, time=datetime.fromisoformat(time))


def parse_json(record: Collected, operator: dict[str, Any]) -> Collected:
    """The operator `json_parser`: the body's fields become attributes, then time and severity are read of them."""
    assert operator.keys() == {"type", "on_error", "timestamp", "severity"}
    try:
        attributes = json.loads(record.body)
    except ValueError:
        assert operator["on_error"] == "send_quiet"
        return record
    stamp, level = operator["timestamp"], operator["severity"]
    assert stamp["location"] == "UTC"
    layout = stamp["layout"].replace("%L", "%f")  # milliseconds
    time = datetime.strptime(attributes[attribute(stamp["parse_from"])], layout).replace(tzinfo=UTC)
    known = SEVERITIES | {str(value).lower(): severity for severity, value in level["mapping"].items()}
    return Collected(record.body, attributes, time, known[attributes[attribute(level["parse_from"])].lower()])


def attribute(place: str) -> str:
    """The name of a field `attributes.NAME`."""
    assert place.startswith("attributes.")
    return place.removeprefix("attributes.")


def collect(line: str) -> Collected:
    """What becomes of a line of a container that went through the operators, as the collector's documentation describes them."""
    record = Collected(f"2026-11-27T18:14:08.468123456+00:00 stderr F {line}")
    for operator in operators():
        record = {"container": unwrap, "json_parser": parse_json}[operator["type"]](record, operator)
    return record


def test_a_collector_s_operators_read_every_line(written: tuple[str, list[str], list[str]]) -> None:
    """Time, severity and fields of each; what verdicts there are can be filtered by."""
    records = [collect(line) for line in written[2]]
    assert all(record.severity and record.time for record in records)
    events = [record for record in records if record.attributes["logger"] == "exr-inspector"]
    assert [(record.severity, record.attributes["verdict"]) for record in events] == [
        ("info", "done"), ("warn", "reject"), ("error", "retry"), ("info", "done"),
    ]  # fmt: skip


def test_a_collector_s_operators_pass_on_what_is_no_json() -> None:
    """An interpreter that cannot start says so in words; the most that the host logs is fatal."""
    assert collect("ImportError: no such module") == Collected(
        "ImportError: no such module", time=datetime.fromisoformat("2026-11-27T18:14:08.468123456+00:00")
    )
    critical = JsonLines().format(logging.LogRecord("a", logging.CRITICAL, "", 0, "the end", None, None))
    assert collect(critical).severity == "fatal"
