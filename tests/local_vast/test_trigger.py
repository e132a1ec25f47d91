"""The element trigger against a real HTTP receiver: the shape of events, retries, dead letters, faults."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.http import CloudEvent, from_http

from local_vast.objects import ObjectChange, ObjectStore
from local_vast.trigger import ElementTrigger, TriggerCounts, TriggerFaults
from local_vast.trigger.element import WAITS
from local_vast.trigger.journal import Journal
from objects_support import s3_client, serve

PUT = ObjectChange(
    event_name="ObjectCreated:Put",
    bucket="renders",
    key="sq010/a b#c+d%é.exr",
    size=1784,
    etag="d5b693e7178ba45711af2700ca3b901a",
    sequencer="004100000000000f4241",
    time=datetime(2026, 5, 7, 16, 2, 44, 219831, UTC),
    request_id="0x6041000df9f2",
    source_ip="172.200.12.148",
    principal="workshop",
)
REMOVED = replace(PUT, event_name="ObjectRemoved:Delete", sequencer="004100000000000f4242")


class Receiver:
    """A function's endpoint: keeps what it gets and answers with the next of `statuses`, then 204."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
        with self._lock:
            self.requests.append(({**headers, "content-type": environ["CONTENT_TYPE"]}, body))
            status = self.statuses.pop(0) if self.statuses else 204
        answer = b"" if status == 204 else b"function says no"
        start_response(f"{status} Said", [("Content-Length", str(len(answer)))] if answer else [])
        return [answer]

    @property
    def events(self) -> list[CloudEvent]:
        return [from_http(headers, body) for headers, body in self.requests]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def url(receiver: Receiver) -> Iterator[str]:
    with serve(receiver) as url:
        yield url


@pytest.fixture
def make(url: str, tmp_path: Path) -> Iterator[Callable[..., ElementTrigger]]:
    """Triggers that wait for nothing between attempts, closed at the end."""
    made: list[ElementTrigger] = []

    def make(**more: Any) -> ElementTrigger:
        made.append(ElementTrigger(**{"url": url, "dead_letter": tmp_path / "dead.jsonl", "waits": (0, 0, 0), **more}))
        return made[-1]

    yield make
    for trigger in made:
        trigger.close()


def letters(tmp_path: Path) -> list[dict[str, Any]]:
    path = tmp_path / "dead.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


class TestShape:
    def test_a_creation_looks_as_on_a_cluster(self, make: Callable[..., ElementTrigger], receiver: Receiver) -> None:
        """Attributes and record carry the names, prefixes and encodings of an event taken from a real cluster."""
        trigger = make(source="exr-trigger", broker="vast-broker", topic="main")
        trigger(PUT)
        assert trigger.drain(10)
        (event,) = receiver.events
        attributes = event.get_attributes()
        assert attributes["type"] == "vastdata.com:Element.ElementCreated"
        assert attributes["source"].startswith("vastdata.com:exr-trigger.")
        assert attributes["subject"] == "vast-broker.main"
        assert attributes["id"].isdecimal()
        assert attributes["time"] == "2026-05-07T16:02:44.219831+00:00"
        assert attributes["elementpath"] == "renders/sq010/a b#c+d%é.exr"
        assert (attributes["elementsourcetype"], attributes["elementhandle"].isdecimal()) == ("vast:s3", True)
        assert event.get_data() == {"Records": [self.record(attributes["source"].removeprefix("vastdata.com:"))]}

    def record(self, trigger_id: str) -> dict[str, Any]:
        return {
            "eventVersion": "2.2",
            "eventSource": "vast:s3",
            "awsRegion": "local-vast",
            "eventTime": "2026-05-07T16:02:44.219831Z",
            "eventName": "ObjectCreated:Put",
            "userIdentity": {"principalId": "workshop"},
            "requestParameters": {"sourceIPAddress": "172.200.12.148"},
            "responseElements": {"x-amz-request-id": "0x6041000df9f2", "x-amz-id-2": "0x6041000df9f2"},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": trigger_id,
                "bucket": {"name": "renders", "ownerIdentity": {"principalId": "workshop"}, "arn": "arn:aws:s3:::renders"},
                "object": {
                    "key": "sq010/a%20b%23c%2Bd%25%C3%A9.exr",
                    "size": 1784,
                    "eTag": "d5b693e7178ba45711af2700ca3b901a",
                    "sequencer": "004100000000000f4241",
                },
            },
        }

    def test_a_removal_has_no_content(self, make: Callable[..., ElementTrigger], receiver: Receiver) -> None:
        """Its own type, and a record without size and ETag; the handle is that of the created element."""
        trigger = make(workers=1)
        trigger(PUT)
        trigger(REMOVED)
        assert trigger.drain(10)
        created, removed = receiver.events
        assert removed["type"] == "vastdata.com:Element.ElementDeleted"
        assert removed.get_data()["Records"][0]["s3"]["object"].keys() == {"key", "sequencer"}
        assert removed["elementhandle"] == created["elementhandle"]
        assert removed["id"] != created["id"]

    def test_binary_mode_says_the_same(self, make: Callable[..., ElementTrigger], receiver: Receiver) -> None:
        """Attributes travel as headers, percent-encoded where a header cannot hold them; the data is the body."""
        trigger = make(binary=True)
        trigger(PUT)
        assert trigger.drain(10)
        ((headers, body),) = receiver.requests
        assert headers["content-type"] == "application/json"
        assert headers["ce-elementpath"] == "renders/sq010/a%20b#c+d%25%C3%A9.exr"
        assert json.loads(body)["Records"][0]["s3"]["object"]["size"] == 1784

    def test_the_source_survives_a_restart(self, make: Callable[..., ElementTrigger], receiver: Receiver) -> None:
        """The id of a trigger follows from its name."""
        for _ in range(2):
            trigger = make()
            trigger(PUT)
            assert trigger.drain(10)
        first, second = receiver.events
        assert first["source"] == second["source"]


class TestFilter:
    @pytest.mark.parametrize(
        ("change", "passes"),
        [
            ({}, True),
            ({"key": "shots/a.exr"}, True),
            ({"key": "shots/a.EXR"}, False),
            ({"key": "shots/a.exr.tmp"}, False),
            ({"key": "plates/a.exr"}, False),
            ({"bucket": "other"}, False),
        ],
    )
    def test_one_bucket_prefix_and_suffix(
        self, make: Callable[..., ElementTrigger], receiver: Receiver, change: dict[str, str], passes: bool
    ) -> None:
        """A trigger has one of each, and only what meets all three fires it."""
        trigger = make(bucket="renders", prefix="sh", suffix=".exr")
        trigger(replace(PUT, **{"key": "shots/b.exr", **change}))
        assert trigger.drain(10)
        assert len(receiver.requests) == passes
        assert trigger.counts.events == passes


class TestRetries:
    def test_a_failure_is_tried_again_with_the_same_id(
        self, make: Callable[..., ElementTrigger], receiver: Receiver, tmp_path: Path
    ) -> None:
        """Three failures and a success: four posts of one event, and no dead letter."""
        receiver.statuses = [500, 503, 404]
        trigger = make()
        trigger(PUT)
        assert trigger.drain(10)
        assert len({event["id"] for event in receiver.events}) == 1
        assert trigger.counts == TriggerCounts(events=1, attempts=4, delivered=1)
        assert letters(tmp_path) == []

    def test_the_fourth_failure_makes_a_dead_letter(
        self, make: Callable[..., ElementTrigger], receiver: Receiver, tmp_path: Path
    ) -> None:
        """The line holds the event as it was sent, the number of attempts, and the last error with the answer's text."""
        receiver.statuses = [500] * 4
        trigger = make()
        trigger(PUT)
        assert trigger.drain(10)
        (letter,) = letters(tmp_path)
        assert letter["attempts"] == 4
        assert letter["error"] == "HTTP 500: function says no"
        assert letter["event"]["elementpath"] == "renders/sq010/a b#c+d%é.exr"
        assert letter["event"]["id"] == receiver.events[0]["id"]
        assert trigger.counts == TriggerCounts(events=1, attempts=4, dead=1)

    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    def test_any_2xx_settles(self, make: Callable[..., ElementTrigger], receiver: Receiver, status: int) -> None:
        """One post is enough."""
        receiver.statuses = [status]
        trigger = make()
        trigger(PUT)
        assert trigger.drain(10)
        assert trigger.counts == TriggerCounts(events=1, attempts=1, delivered=1)

    def test_a_redirect_is_a_failure(self, make: Callable[..., ElementTrigger], receiver: Receiver) -> None:
        """An event is not followed elsewhere."""
        receiver.statuses = [302]
        trigger = make()
        trigger(PUT)
        assert trigger.drain(10)
        assert trigger.counts.attempts == 2

    def test_no_connection_is_a_failure(self, make: Callable[..., ElementTrigger], tmp_path: Path) -> None:
        """The dead letter says that nobody answered."""
        trigger = make(url="http://127.0.0.1:9")
        trigger(PUT)
        assert trigger.drain(10)
        assert "refused" in letters(tmp_path)[0]["error"]

    def test_the_waits_double(self, make: Callable[..., ElementTrigger], receiver: Receiver) -> None:
        """In a time of its own: 2, 4 and 8 seconds pass between the four attempts."""
        time = OwnTime()
        receiver.statuses = [500] * 3
        trigger = make(waits=WAITS, clock=time.clock, wait=time.wait, workers=1)
        trigger(PUT)
        assert trigger.drain(10)
        assert time.waits == [2, 4, 8]
        assert len(receiver.requests) == 4

    def test_a_closed_trigger_leaves_a_letter_for_what_it_did_not_deliver(
        self, make: Callable[..., ElementTrigger], receiver: Receiver, tmp_path: Path
    ) -> None:
        """Nothing vanishes silently, and nothing new is accepted."""
        receiver.statuses = [500] * 10
        trigger = make(waits=(3600,))
        trigger(PUT)
        assert not trigger.drain(0)
        trigger.close()
        assert "closed" in letters(tmp_path)[0]["error"]
        with pytest.raises(RuntimeError, match="closed"):
            trigger(PUT)

    def test_a_letter_that_cannot_be_written_is_logged(
        self, make: Callable[..., ElementTrigger], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The trigger goes on; the event stands in the log."""
        (tmp_path / "file").write_bytes(b"")
        trigger = make(url="http://127.0.0.1:9", dead_letter=tmp_path / "file" / "dead.jsonl")
        trigger(PUT)
        assert trigger.drain(10)
        assert "cannot be written" in caplog.text


class TestJournal:
    def test_what_was_open_at_the_end_is_delivered_by_the_next(
        self, make: Callable[..., ElementTrigger], receiver: Receiver, tmp_path: Path
    ) -> None:
        """With the same id, and without a dead letter; what was settled is not sent again."""
        journal = tmp_path / "open.jsonl"
        trigger = make(journal=journal, workers=1)
        trigger(PUT)
        assert trigger.drain(10)
        receiver.statuses = [500]
        trigger.waits = (3600,)
        trigger(REMOVED)
        assert not trigger.drain(0)
        trigger.close()
        later = make(journal=journal)
        assert later.drain(10)
        created, *removed = [event["id"] for event in receiver.events]
        assert set(removed) == {receiver.events[-1]["id"]} != {created}
        assert receiver.events[-1]["type"].endswith("ElementDeleted")
        assert letters(tmp_path) == []
        assert journal.read_bytes() == b""

    def test_a_kill_loses_no_event(self, make: Callable[..., ElementTrigger], receiver: Receiver, tmp_path: Path) -> None:
        """A process that dies with undelivered events: the next one delivers them all."""
        journal = tmp_path / "open.jsonl"
        command = [sys.executable, "-c", ACCEPT_AND_DIE, str(journal), str(tmp_path / "objects")]
        died = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
        assert died.returncode == -signal.SIGKILL
        assert make(journal=journal).drain(10)
        keys = sorted(event["elementpath"] for event in receiver.events)
        assert keys == [f"renders/{number}.exr" for number in range(5)]

    def test_a_line_that_a_kill_cut_short_is_passed_over(self, tmp_path: Path) -> None:
        """The event was not accepted yet; all lines before it count."""
        path = tmp_path / "open.jsonl"
        first = Journal(path)
        for name in ("a", "b", "c"):
            first.accept(name, f"event {name}")
        first.settle("b")
        first.settle("unknown")
        first.close()
        with path.open("a", encoding="utf-8") as file:
            file.write('{"settled": "a')
        for _ in range(2):
            again = Journal(path)
            again.close()
            assert again.open_events == {"a": "event a", "c": "event c"}


ACCEPT_AND_DIE = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from local_vast.objects import ObjectChange
from local_vast.trigger import ElementTrigger
trigger = ElementTrigger("http://127.0.0.1:9", dead_letter=Path(sys.argv[1]).with_suffix(".dead"), journal=Path(sys.argv[1]))
trigger.waits = (3600,)
for number in range(5):
    now = datetime.now(UTC)
    trigger(ObjectChange("ObjectCreated:Put", "renders", f"{number}.exr", 1, "e", "0", now, "0x1", "127.0.0.1", "me"))
os.kill(os.getpid(), signal.SIGKILL)
"""


class OwnTime:
    """A time that passes only by waiting, and then at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def clock(self) -> float:
        return self.now

    def wait(self, condition: threading.Condition, seconds: float | None) -> None:
        if seconds is None:
            condition.wait()
        else:
            self.waits.append(seconds)
            self.now += seconds


class TestFaults:
    def test_duplicates(self, make: Callable[..., ElementTrigger], receiver: Receiver) -> None:
        """With probability 1 every event comes twice, with one id."""
        trigger = make(faults=TriggerFaults(duplicate=1.0))
        trigger(PUT)
        assert trigger.drain(10)
        first, second = receiver.events
        assert first["id"] == second["id"]
        assert trigger.counts == TriggerCounts(events=1, attempts=2, delivered=2)

    def test_a_refused_attempt_never_arrives(
        self, make: Callable[..., ElementTrigger], receiver: Receiver, tmp_path: Path
    ) -> None:
        """Four refusals are a dead letter, and the function saw nothing."""
        trigger = make(faults=TriggerFaults(refuse=1.0))
        trigger(PUT)
        assert trigger.drain(10)
        assert receiver.requests == []
        assert "refused" in letters(tmp_path)[0]["error"]

    def test_a_lost_answer_repeats_a_success(
        self, make: Callable[..., ElementTrigger], receiver: Receiver, tmp_path: Path
    ) -> None:
        """The function did its work four times, and the trigger believes in none."""
        trigger = make(faults=TriggerFaults(lose_answer=1.0))
        trigger(PUT)
        assert trigger.drain(10)
        assert len({event["id"] for event in receiver.events}) == 1
        assert len(receiver.requests) == 4
        assert "lost" in letters(tmp_path)[0]["error"]

    def test_faults_are_drawn_from_the_seed(self, make: Callable[..., ElementTrigger]) -> None:
        """The same seed makes the same run; every event is settled all the same."""
        runs = []
        for _ in range(2):
            trigger = make(faults=TriggerFaults(duplicate=0.3, refuse=0.3), seed=7, workers=1)
            for _ in range(20):
                trigger(PUT)
            assert trigger.drain(10)
            runs.append(trigger.counts)
        assert runs[0].events == 20
        assert runs[0].delivered + runs[0].dead > 20

    def test_faults_can_be_switched_off(self, make: Callable[..., ElementTrigger], receiver: Receiver) -> None:
        """At run time, for the attempts that follow."""
        trigger = make(faults=TriggerFaults(duplicate=1.0))
        trigger.faults = TriggerFaults()
        trigger(PUT)
        assert trigger.drain(10)
        assert len(receiver.requests) == 1


class TestWithTheStore:
    def test_each_object_fires_once(self, make: Callable[..., ElementTrigger], receiver: Receiver, tmp_path: Path) -> None:
        """PUT, copy, a multipart upload of 30 MB, removal, batch removal: one event each, with size and ETag of the object."""
        trigger = make(workers=1)
        frame = tmp_path / "frame.exr"
        frame.write_bytes(bytes(range(256)) * 120_000)
        with serve(ObjectStore(tmp_path / "objects", trigger)) as url:
            s3 = s3_client(url)
            s3.create_bucket(Bucket="renders")
            s3.put_object(Bucket="renders", Key="put.exr", Body=b"1")
            s3.copy_object(Bucket="renders", Key="copy.exr", CopySource="renders/put.exr")
            s3.upload_file(str(frame), "renders", "large.exr")
            head = s3.head_object(Bucket="renders", Key="large.exr")
            s3.put_object(Bucket="renders", Key="notes.txt", Body=b"1")
            s3.delete_object(Bucket="renders", Key="put.exr")
            s3.delete_objects(Bucket="renders", Delete={"Objects": [{"Key": "copy.exr"}, {"Key": "never.exr"}]})
        assert trigger.drain(10)
        records = [event.get_data()["Records"][0] for event in receiver.events]
        assert [(record["eventName"], record["s3"]["object"]["key"]) for record in records] == [
            ("ObjectCreated:Put", "put.exr"),
            ("ObjectCreated:Copy", "copy.exr"),
            ("ObjectCreated:CompleteMultipartUpload", "large.exr"),
            ("ObjectRemoved:Delete", "put.exr"),
            ("ObjectRemoved:Delete", "copy.exr"),
        ]
        large = records[2]["s3"]["object"]
        assert (large["size"], f'"{large["eTag"]}"') == (head["ContentLength"], head["ETag"])
