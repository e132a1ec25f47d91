"""The function host over real HTTP: what a handler gets, what the sender is answered, how it starts and how it ends."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from test_events import FIXTURES, matches

from exr_inspector.errors import BadEvent, NotAnExr
from exr_inspector.function.events import read_envelope, read_requests
from exr_inspector.function.host import FunctionHost, SecretNotFound, load, main, read_secrets
from exr_inspector.function.host_events import (
    ElementTriggerVastEvent,
    FunctionVastEvent,
    NoCloudEvent,
    ScheduleVastEvent,
    VastEvent,
)
from project import ROOT
from scrapes import scrape
from waiting import wait_until

ELEMENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "105849469009922",
    "source": "vastdata.com:exr-trigger.25d743ba-5c35-4524-a165-5a6566801b63",
    "type": "vastdata.com:Element.ElementCreated",
    "subject": "vast-broker.main",
    "time": "2026-05-07T16:02:44.219831+00:00",
    "datacontenttype": "application/json",
    "elementpath": "renders/sq010/a b#1%é.exr",
    "elementsourcetype": "vast:s3",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "data": {"Records": [{"s3": {"bucket": {"name": "renders"}, "object": {"key": "sq010/a%20b.exr", "size": 7}}}]},
}
SCHEDULE = {
    "specversion": "1.0",
    "id": "2d8ffd24-c69e-4ff6-8c29-6f4523991cbe",
    "source": "vastdata.com:schedule-5m-trigger.4d32fd72-7961-4b00-940b-e16383ee8a3f",
    "type": "vastdata.com:Schedule.TimerElapsed",
    "subject": "engine-broker.main",
    "cronschedule": "0 0/5 * ? * * *",
    "timerelapsedtimestamp": "2026-03-30T15:25:00.008211Z",
    "partitionkey": "2d8ffd24-c69e-4ff6-8c29-6f4523991cbe",
    "data": {"message": "Activating trigger by cron"},
}
FUNCTION = {"specversion": "1.0", "id": "ab12", "source": "vastdata.com:upstream", "type": "vastdata.com:Function", "data": {}}
STRUCTURED = {"Content-Type": "application/cloudevents+json"}
TEXT = dict[str, str]


def ask(url: str, method: str, path: str = "/", body: bytes = b"", headers: TEXT | None = None) -> tuple[int, str]:
    """Status and text of one request."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
    try:
        connection.request(method, path, body or None, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def ask_whole(url: str, body: str, headers: TEXT) -> tuple[int, str, http.client.HTTPMessage]:
    """Status, text and headers of a POST."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
    try:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers
    finally:
        connection.close()


def post(url: str, event: dict[str, Any]) -> tuple[int, str]:
    return ask(url, "POST", "/", json.dumps(event).encode(), STRUCTURED)


@contextmanager
def hosted(handler: Callable[[Any, Any], Any], init: Callable[[Any], Any] | None = None, **more: Any) -> Iterator[str]:
    with FunctionHost(handler, init, **more) as host:
        host.wait_until_ready(10)
        yield host.url


class Catcher:
    """A handler that keeps its events."""

    def __init__(self) -> None:
        self.events: list[VastEvent] = []

    def __call__(self, ctx: Any, event: VastEvent) -> dict[str, str]:
        self.events.append(event)
        return {"status": "ok"}


def parsed(event: dict[str, Any]) -> VastEvent:
    return VastEvent.parse(STRUCTURED, json.dumps(event).encode())


class TestTheEvent:
    def test_an_element_event_knows_its_object(self) -> None:
        """The properties of the platform's class, taken apart as the platform does."""
        event = parsed(ELEMENT)
        assert (event.type, event.subtype, event.id) == ("Element", "ElementCreated", "105849469009922")
        assert (event.bucket, event.object_key) == ("renders", "sq010/a b#1%é.exr")
        assert (event.broker, event.topic) == ("vast-broker", "main")
        assert (event.trigger, event.trigger_id) == ("exr-trigger", "25d743ba-5c35-4524-a165-5a6566801b63")
        assert event.get_data() == event.data == ELEMENT["data"]
        assert event.get_attributes()["type"] == "vastdata.com:Element.ElementCreated"
        assert event.extensions.keys() == {"elementpath", "elementsourcetype", "traceparent"}
        assert (event.get("subject"), event.get("absent", "else")) == ("vast-broker.main", "else")
        assert event.get_trace_id() == "0af7651916cd43dd8448eb211c80319c"
        assert (event.timestamp, event.version) == (ELEMENT["time"], "1.0")
        assert "elementpath" in repr(event)

    def test_an_element_event_without_a_path_has_no_object(self) -> None:
        """As those that the command line generates."""
        event = parsed({key: value for key, value in ELEMENT.items() if key not in ("elementpath", "traceparent")})
        assert (event.bucket, event.object_key, event.partition_key, event.get_trace_id()) == (None,) * 4

    def test_a_schedule_event_knows_its_timer(self) -> None:
        """Its schedule, the moment, and the partition key."""
        event = parsed(SCHEDULE).as_schedule_event()
        assert (event.cron_schedule, event.timer_elapsed_timestamp) == ("0 0/5 * ? * * *", "2026-03-30T15:25:00.008211Z")
        assert event.partition_key == SCHEDULE["partitionkey"]

    def test_a_function_event_needs_no_subject(self) -> None:
        """It comes from another function, not from a broker's topic."""
        event = parsed(FUNCTION)
        assert (event.type, event.subtype, event.trigger, event.broker) == ("Function", None, "upstream", None)

    @pytest.mark.parametrize(
        ("event", "method", "kind"),
        [
            (ELEMENT, "as_element_event", ElementTriggerVastEvent),
            (SCHEDULE, "as_schedule_event", ScheduleVastEvent),
            (FUNCTION, "as_function_event", FunctionVastEvent),
        ],
    )
    def test_an_event_is_of_one_kind(self, event: dict[str, Any], method: str, kind: type) -> None:
        """Its own conversion returns it, all others raise TypeError."""
        made = parsed(event)
        assert isinstance(getattr(made, method)(), kind)
        for other in {"as_element_event", "as_schedule_event", "as_function_event", "as_manual_event"} - {method}:
            with pytest.raises(TypeError, match=f"of type {made.type}"):
                getattr(made, other)()

    def test_labels_must_say_something(self) -> None:
        """No labels are a ValueError, as on the platform."""
        event = parsed(ELEMENT)
        event.set_trigger_labels({"lane": "fast"})
        assert event.trigger_labels == {"lane": "fast"}
        with pytest.raises(ValueError, match="empty"):
            event.set_trigger_labels({})

    @pytest.mark.parametrize("good", ["7c1e2d3f-0000-4000-8000-000000000007", "1004356627333135", "DEADbeef"])
    def test_ids_are_uuids_or_hexadecimal(self, good: str) -> None:
        """Decimal ids of real clusters are hexadecimal too."""
        assert parsed({**ELEMENT, "id": good}).id == good

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"id": "A234-1234-1234"}, "invalid literal for int.. with base 16: 'A234-1234-1234'"),
            ({"subject": "no-topic"}, "malformed vast event: broker"),
            ({"subject": None}, "malformed vast event: broker"),
            ({"source": "/mycontext"}, "malformed vast event: source"),
            ({"type": "com.example.thing"}, "malformed vast event: type"),
            ({"type": "vastdata.com:Elephant.Created"}, "malformed vast event: type"),
        ],
    )
    def test_what_the_platform_refuses_is_refused(self, change: dict[str, Any], message: str) -> None:
        """With the platform's words."""
        with pytest.raises(ValueError, match=message):
            parsed({key: value for key, value in {**ELEMENT, **change}.items() if value is not None})

    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            (STRUCTURED, b"{"),
            (STRUCTURED, b"[]"),
            (STRUCTURED, b'{"specversion": "1.0"}'),
            ({"Content-Type": "application/json"}, b"{}"),
            ({"Content-Type": "application/json", "ce-specversion": "9.9", "ce-id": "1"}, b"{}"),
            ({}, b""),
        ],
    )
    def test_what_is_no_cloudevent_is_named_so(self, headers: TEXT, body: bytes) -> None:
        """The error says that the request, not the event, is wrong."""
        with pytest.raises(NoCloudEvent, match="not a CloudEvent"):
            VastEvent.parse(headers, body)


def collected() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name, structured CloudEvent and meaning of every collected event that is a whole CloudEvent."""
    entries = []
    for path in FIXTURES:
        fixture = json.loads(path.read_text(encoding="utf-8"))
        event = fixture["event"]
        attributes = event.get("attributes", event) if isinstance(event, dict) else {}
        if "specversion" in attributes:
            plain = {key: value for key, value in attributes.items() if value is not None}
            entries.append((path.stem, {**plain, "data": event.get("data")}, fixture["expect"]))
    return entries


OLD = {"hello_world_5_4"}
"""Its source and id were never allowed by the runtime of 5.5."""


@pytest.mark.parametrize(("name", "event", "expected"), collected(), ids=[name for name, _, _ in collected()])
def test_collected_events_mean_the_same_through_the_host(name: str, event: dict[str, Any], expected: dict[str, Any]) -> None:
    """What the function reads from the host's event is what it reads from the platform's."""
    if name in OLD:
        with pytest.raises(ValueError, match="base 16"):
            parsed(event)
    elif refusal := expected.get("skip") or expected.get("reject"):
        with pytest.raises(NotAnExr if "skip" in expected else BadEvent, match=refusal):
            read_requests(read_envelope(parsed(event)))
    else:
        for request, one in zip(read_requests(read_envelope(parsed(event))), expected.get("requests", [expected]), strict=True):
            matches(request, one)


class TestRequests:
    def test_structured_and_binary_mode_are_one_event(self) -> None:
        """Attributes as JSON or as percent-encoded headers: the handler cannot tell."""
        catcher = Catcher()
        attributes = {key: value for key, value in ELEMENT.items() if key not in ("data", "datacontenttype")}
        headers = {f"ce-{key}": value for key, value in attributes.items()}
        headers["ce-elementpath"] = "renders/sq010/a%20b#1%25%C3%A9.exr"
        with hosted(catcher) as url:
            assert post(url, ELEMENT) == (204, "")
            body = json.dumps(ELEMENT["data"]).encode()
            assert ask(url, "POST", "/any/path", body, {**headers, "Content-Type": "application/json"}) == (204, "")
        structured, binary = catcher.events
        assert binary.get_attributes() == structured.get_attributes()
        assert binary.get_data() == structured.get_data()

    def test_an_exception_is_a_500_with_its_text(self) -> None:
        """So that the broker delivers again, and its log says why."""

        def handler(ctx: Any, event: VastEvent) -> None:
            raise RuntimeError(f"cannot read {event.object_key}")

        with hosted(handler) as url:
            assert post(url, ELEMENT) == (500, "cannot read sq010/a b#1%é.exr")
            assert post(url, {**ELEMENT, "id": "x"})[0] == 500

    def test_leaving_the_interpreter_is_an_exception_too(self) -> None:
        """A function cannot end its host."""

        def handler(ctx: Any, event: VastEvent) -> None:
            sys.exit(3)

        with hosted(handler) as url:
            assert post(url, ELEMENT) == (500, "3")
            assert ask(url, "GET", "/liveness")[0] == 200

    def test_refusals(self) -> None:
        """400 for what is not a CloudEvent, 405 and 404 for what is no delivery; the handler sees none of them."""
        catcher = Catcher()
        with hosted(catcher) as url:
            assert ask(url, "POST", "/", b"{}", {"Content-Type": "application/json"})[0] == 400
            assert ask(url, "PUT", "/", b"{}")[0] == 405
            assert ask(url, "GET", "/")[0] == 404
            assert post(url, {**ELEMENT, "subject": "x"}) == (500, "malformed vast event: broker")
        assert catcher.events == []

    def test_what_is_returned_is_no_answer(self) -> None:
        """204 and no body, whatever the function returns."""
        with hosted(lambda ctx, event: {"status": "rejected"}) as url:
            assert post(url, ELEMENT) == (204, "")

    @pytest.mark.parametrize(
        "prefer",
        [
            "return=representation", "respond-async, Return = representation; foo=bar", 'return="representation"',
            'note="a, return=minimal", return=representation', "return=representation, return=minimal",
        ],
    )  # fmt: skip
    def test_what_is_returned_is_an_answer_to_whom_prefers_it(self, prefer: str) -> None:
        """As JSON, with the preference that was applied (RFC 7240), for one event and for a batch."""
        with hosted(lambda ctx, event: {"status": "rejected", "path": Path("/a")}) as url:
            status, text, headers = ask_whole(url, json.dumps(ELEMENT), STRUCTURED | {"Prefer": prefer})
        assert (status, json.loads(text)) == (200, {"status": "rejected", "path": "/a"})
        assert headers["Preference-Applied"] == "return=representation"
        assert headers["Content-Type"] == "application/json"

    @pytest.mark.parametrize(
        "prefer", ["", "return=minimal", "return=minimal, return=representation", 'note="return=representation"']
    )
    def test_other_preferences_change_nothing(self, prefer: str) -> None:
        """Of several of one name the first counts; what stands in quotes is no preference."""
        with hosted(lambda ctx, event: {"status": "ok"}) as url:
            status, text, headers = ask_whole(url, json.dumps(ELEMENT), STRUCTURED | {"Prefer": prefer})
        assert (status, text, headers["Preference-Applied"]) == (204, "", None)

    def test_an_error_is_an_error_whatever_is_preferred(self) -> None:
        """No preference was applied; a function that returns nothing is represented by null."""

        def handler(ctx: Any, event: VastEvent) -> None:
            if event.subtype == "ElementDeleted":
                raise RuntimeError("no")

        with hosted(handler) as url:
            headers = STRUCTURED | {"Prefer": "return=representation"}
            removal = json.dumps({**ELEMENT, "type": "vastdata.com:Element.ElementDeleted"})
            status, text, answered = ask_whole(url, removal, headers)
            assert (status, text, answered["Preference-Applied"]) == (500, "no", None)
            assert ask_whole(url, json.dumps(ELEMENT), headers)[:2] == (200, "null")

    def test_a_dead_letter_is_counted_and_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        """With its object; the handler does not see it, and what is no event is none."""
        catcher = Catcher()
        with hosted(catcher) as url:
            assert ask(url, "POST", "/dead-letters", json.dumps(ELEMENT).encode(), STRUCTURED) == (204, "")
            assert ask(url, "POST", "/dead-letters", b"{}", STRUCTURED)[0] == 400
            page = scrape(url)
        assert catcher.events == []
        assert page.value("exr_inspector_dead_letters_total") == 1
        assert page.by("exr_inspector_deliveries_total", "status") == {"204": 1, "400": 1}
        (entry,) = (json.loads(record.message) for record in caplog.records if "dead letter" in record.message)
        assert entry == {
            "message": "dead letter", "event_id": ELEMENT["id"], "source": ELEMENT["source"], "location": ELEMENT["elementpath"],
        }  # fmt: skip

    def test_async_handlers_run_to_their_end(self) -> None:
        """The platform takes both kinds."""
        seen: list[str | None] = []

        async def handler(ctx: Any, event: VastEvent) -> None:
            seen.append(event.bucket)

        with hosted(handler) as url:
            assert post(url, ELEMENT)[0] == 204
        assert seen == ["renders"]


class TestThreads:
    def test_twenty_handlers_run_at_once_and_no_more(self) -> None:
        """40 events: twice 20 meet at a barrier, and never are more than 20 inside; probes are answered meanwhile."""
        meeting = threading.Barrier(20, timeout=20)
        lock = threading.Lock()
        inside: list[int] = [0, 0]

        def handler(ctx: Any, event: VastEvent) -> None:
            with lock:
                inside[0] += 1
                inside[1] = max(inside)
            meeting.wait()
            with lock:
                inside[0] -= 1

        with hosted(handler) as url, ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(lambda _: post(url, ELEMENT)[0], range(40)))
        assert answers == [204] * 40
        assert inside == [0, 20]

    def test_probes_are_answered_while_all_workers_are_busy(self) -> None:
        """A busy function is alive and ready."""
        busy, release = threading.Semaphore(0), threading.Event()

        def handler(ctx: Any, event: VastEvent) -> None:
            busy.release()
            release.wait(20)

        with hosted(handler, threads=2) as url, ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(post, url, ELEMENT) for _ in range(4)]
            for _ in range(2):
                assert busy.acquire(timeout=20)
            assert [ask(url, "GET", path)[0] for path in ("/liveness", "/readiness")] == [200, 200]
            wait_until(lambda: scrape(url).value("exr_inspector_events_waiting") == 2)
            release.set()
            assert [call.result()[0] for call in calls] == [204] * 4
            assert scrape(url).value("exr_inspector_events_waiting") == 0

    def test_probes_are_answered_whatever_waits_and_however_slowly_others_send(self) -> None:
        """100 events in work, 20 connections that stopped within their headers, and 20 within their body."""
        busy, release = threading.Semaphore(0), threading.Event()
        body = json.dumps(ELEMENT).encode()

        def handler(ctx: Any, event: VastEvent) -> None:
            busy.release()
            release.wait(20)

        with hosted(handler) as url, ThreadPoolExecutor(100) as pool, ExitStack() as slow:
            for begun in [HEAD[:30]] * 20 + [head(len(body)) + body[:9]] * 20:
                slow.enter_context(connected(url)).sendall(begun)
            calls = [pool.submit(post, url, ELEMENT) for _ in range(100)]
            for _ in range(20):
                assert busy.acquire(timeout=20)
            assert [ask(url, "GET", path)[0] for path in ("/liveness", "/readiness")] == [200, 200]
            release.set()
            assert [call.result()[0] for call in calls] == [204] * 100
            slow.close()

    def test_a_burst_is_not_reset(self) -> None:
        """More connections at once than a backlog of the usual length holds."""
        with hosted(Catcher()) as url, ThreadPoolExecutor(200) as pool:
            assert list(pool.map(lambda _: post(url, ELEMENT)[0], range(400))) == [204] * 400


HEAD = b"POST / HTTP/1.1\r\nHost: function\r\nContent-Type: application/cloudevents+json\r\n"
NESTED = b'{"specversion": "1.0", "data": ' + b"[" * 100_000


def head(length: int) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % length


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """A connection to send anything over."""
    parts = urlsplit(url)
    with socket.create_connection((str(parts.hostname), parts.port), timeout=20) as connection:
        yield connection


def chunks(*sizes: int) -> bytes:
    return b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%s\r\n" % (size, b"x" * size) for size in sizes)


class TestOddRequests:
    @pytest.mark.parametrize(
        ("request_bytes", "status"),
        [
            (HEAD + b"Content-Length: -5\r\n\r\n", 400),
            (HEAD + b"Content-Length: five\r\n\r\n", 400),
            (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
            (HEAD + chunks(600, 600, 0), 413),
            (HEAD + chunks(*[1000] * 9), 413),
            (head(1001) + b"x" * 1001, 413),
            (head(999) + b"x" * 999, 400),
            (b"nonsense\r\n\r\n", 400),
        ],
    )
    def test_each_has_its_status_and_no_traceback(
        self, request_bytes: bytes, status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Lengths below zero, chunks over the limit, no HTTP at all; the host goes on."""
        monkeypatch.setattr("exr_inspector.function.host.MAX_BODY", 1000)
        with hosted(Catcher()) as url:
            with connected(url) as connection:
                connection.sendall(request_bytes)
                assert connection.recv(64).startswith(b"HTTP/1.1 %d " % status)
            assert ask(url, "GET", "/readiness")[0] == 200
        assert [record for record in caplog.records if record.exc_info] == []

    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            (STRUCTURED, NESTED),
            (STRUCTURED, b"1" * 5000),
            (
                {"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "1", "ce-type": "t", "ce-source": "s"},
                NESTED,
            ),
        ],
    )
    def test_what_cannot_be_parsed_is_no_cloudevent(self, headers: TEXT, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
        """Nested beyond the recursion limit, more digits than Python converts."""
        with hosted(Catcher()) as url:
            status, text = ask(url, "POST", "/", body, headers)
        assert (status, len(text) < 1000) == (400, True)
        assert [record for record in caplog.records if record.exc_info] == []

    def test_a_body_has_to_arrive(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever sends a byte now and then is told so in the end."""
        monkeypatch.setattr("exr_inspector.function.host.BODY_SECONDS", 0.05)
        with hosted(Catcher()) as url, connected(url) as connection:
            connection.sendall(head(100) + b"{")
            assert connection.recv(64).startswith(b"HTTP/1.1 408 ")

    def test_who_hangs_up_within_a_body_is_not_delivered(self, caplog: pytest.LogCaptureFixture) -> None:
        """And leaves no traceback."""
        catcher = Catcher()
        with hosted(catcher) as url:
            with connected(url) as connection:
                connection.sendall(head(100) + b"{")
            assert post(url, ELEMENT)[0] == 204
        assert len(catcher.events) == 1
        assert [record for record in caplog.records if record.exc_info] == []

    def test_a_handler_that_ends_its_thread_is_a_500(self) -> None:
        """SystemExit, or StopIteration that asyncio does not carry: the host goes on."""

        def handler(ctx: Any, event: VastEvent) -> None:
            raise SystemExit("enough") if event.subtype == "ElementCreated" else StopIteration("enough")

        with hosted(handler) as url:
            for subtype in ("ElementCreated", "ElementDeleted"):
                assert post(url, {**ELEMENT, "type": f"vastdata.com:Element.{subtype}"}) == (500, "enough")
            assert ask(url, "GET", "/readiness")[0] == 200


class TestStart:
    def test_nothing_is_taken_before_init_is_done(self) -> None:
        """Readiness and deliveries are 503 until then; liveness is not."""
        release = threading.Event()
        with FunctionHost(Catcher(), lambda ctx: release.wait(20)) as host:
            assert ask(host.url, "GET", "/readiness") == (503, "init is still running")
            assert post(host.url, ELEMENT)[0] == 503
            assert ask(host.url, "GET", "/liveness")[0] == 200
            release.set()
            host.wait_until_ready(20)
            assert ask(host.url, "GET", "/readiness")[0] == 200
            assert post(host.url, ELEMENT)[0] == 204

    def test_a_failed_init_never_becomes_ready(self, caplog: pytest.LogCaptureFixture) -> None:
        """As on the platform: the probe and the log say why, and no event is lost to a function that cannot work."""

        def init(ctx: Any) -> None:
            raise ValueError("VAST_DB_ENDPOINT is not a URL")

        with FunctionHost(Catcher(), init) as host:
            with pytest.raises(ValueError, match="VAST_DB_ENDPOINT"):
                host.wait_until_ready(20)
            assert ask(host.url, "GET", "/readiness") == (503, "init failed: VAST_DB_ENDPOINT is not a URL")
            assert post(host.url, ELEMENT)[0] == 503
        assert "never becomes ready" in caplog.text

    def test_the_context_keeps_state(self) -> None:
        """Logger, secrets and name; what init assigns, the handler finds."""
        seen: list[Any] = []

        def init(ctx: Any) -> None:
            ctx.client = object()

        def handler(ctx: Any, event: VastEvent) -> None:
            seen.extend([ctx.client, ctx.secrets["db"]["key"], ctx.function_name])
            ctx.logger.info("hello")

        with hosted(handler, init, secrets={"db": {"key": "hush"}}, function_name="exr") as url:
            assert post(url, ELEMENT)[0] == 204
        assert seen[1:] == ["hush", "exr"]

    def test_functions_that_trace_and_measure_run(self) -> None:
        """As other functions of VAST's do in init; nothing is recorded, and an error passes through a span."""

        def init(ctx: Any) -> None:
            with ctx.tracer.start_as_current_span("init") as span:
                span.set_attribute("a", 1)
                span.set_attributes({"b": 2})
                span.add_event("connected")
                span.record_exception(ValueError())
            ctx.events = ctx.counter("events", unit="1")
            ctx.meter.create_histogram("seconds").record(0.5, {"a": "b"})
            ctx.gauge("depth").set(3)
            ctx.updowncounter("open").add(-1)

            @ctx.tracer.start_as_current_span("step")  # type: ignore[untyped-decorator]
            def step() -> int:
                return 1

            assert step() == 1

        def handler(ctx: Any, event: VastEvent) -> None:
            ctx.events.add(1, {"status": "ok"})
            with ctx.start_as_current_span("work"):
                raise LookupError("comes through")

        with hosted(handler, init) as url:
            assert post(url, ELEMENT) == (500, "comes through")

    def test_a_missing_secret_raises_what_no_one_expects(self) -> None:
        """Not a KeyError, also through `get`; and no repr shows a value."""
        with FunctionHost(Catcher(), secrets={"db": {"key": "hush"}}) as host:
            secrets = host.context.secrets
            for look in (lambda: secrets["absent"], lambda: secrets.get("absent", {})):
                with pytest.raises(SecretNotFound, match="Path not found"):
                    look()
            assert (list(secrets), len(secrets), "hush" in repr(secrets)) == (["db"], 1, False)


class TestStop:
    def test_a_running_event_is_finished(self) -> None:
        """The sender gets its answer, then the host ends; a second stop does nothing."""
        started, release = threading.Event(), threading.Event()

        def handler(ctx: Any, event: VastEvent) -> None:
            started.set()
            release.wait(20)

        host = FunctionHost(handler)
        host.wait_until_ready(10)
        with ThreadPoolExecutor(2) as pool:
            call = pool.submit(post, host.url, ELEMENT)
            assert started.wait(20)
            stop = pool.submit(host.stop)
            release.set()
            assert call.result(20) == (204, "")
            stop.result(20)
        host.stop()
        with pytest.raises(ConnectionRefusedError):
            ask(host.url, "GET", "/liveness")


MODULE = """
import pathlib, sys, threading

def init(ctx):
    ctx.folder = pathlib.Path(ctx.secrets["test"]["folder"])

def handler(ctx, event):
    (ctx.folder / "started").touch()
    print("STARTED", flush=True)
    if event.subtype == "ElementDeleted":
        threading.Event().wait()
    (ctx.folder / "done").write_text(event.object_key, encoding="utf-8")
"""


class Process:
    """The host as a process, with a module of the test's own."""

    def __init__(self, folder: Path, *options: str) -> None:
        (folder / "function_under_test.py").write_text(MODULE, encoding="utf-8")
        (folder / "secrets.json").write_text(json.dumps({"test": {"folder": str(folder)}}), encoding="utf-8")
        command = [sys.executable, "-m", "exr_inspector.function.host", "--port", "0", "--app-path", str(folder)]
        more = ["--handler", "function_under_test.py", "--secrets", str(folder / "secrets.json"), *options]
        self.process = subprocess.Popen([*command, *more], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = self.line().removeprefix("FUNCTION_HOST_URL=").strip()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def wait_until_ready(self) -> None:
        while ask(self.url, "GET", "/readiness")[0] != 200:
            assert self.process.poll() is None

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


class TestTheProcess:
    def test_it_serves_until_sigterm(self, tmp_path: Path) -> None:
        """The first line names the URL; an event is handled; SIGTERM is a clean end."""
        process = Process(tmp_path)
        process.wait_until_ready()
        assert post(process.url, ELEMENT) == (204, "")
        assert (tmp_path / "done").read_text(encoding="utf-8") == "sq010/a b#1%é.exr"
        code, errors = process.stop()
        assert (code, "Traceback" in errors) == (0, False)

    def test_a_handler_that_hangs_does_not_keep_it(self, tmp_path: Path) -> None:
        """After the grace period it ends all the same, says so, and its status tells."""
        process = Process(tmp_path, "--grace", "0.1")
        process.wait_until_ready()
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(post, process.url, {**ELEMENT, "type": "vastdata.com:Element.ElementDeleted"})
            assert process.line() == "STARTED\n"
            code, errors = process.stop()
            assert isinstance(call.exception(20), OSError | http.client.HTTPException)
        assert code == 1
        assert "still running" in errors

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("incomplete_function.py", "def handler(ctx, event): ...", "lacks init"),
            ("absent_function.py", None, "No module named"),
        ],
    )
    def test_what_cannot_be_loaded_is_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, text: str, said: str
    ) -> None:
        """Exit status 2, before anything listens."""
        monkeypatch.setattr(sys, "path", list(sys.path))
        if text is not None:
            (tmp_path / name).write_text(text, encoding="utf-8")
        assert main(["--app-path", str(tmp_path), "--handler", name, "--port", "0"]) == 2
        assert said in capsys.readouterr().err

    def test_a_port_in_use_is_one_sentence(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """Exit status 1, and no thread is left behind."""
        monkeypatch.setattr(sys, "path", list(sys.path))
        before = threading.active_count()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            assert main(["--app-path", str(ROOT), "--port", str(port)]) == 1
        assert capsys.readouterr().err == f"function_host: cannot listen on 127.0.0.1 port {port}: Address already in use\n"
        for wrong in ("70000", "-1", "http"):
            with pytest.raises(SystemExit, match="2"):
                main(["--port", wrong])
            assert "is not a port" in capsys.readouterr().err
        assert threading.active_count() == before

    def test_secrets_have_two_levels(self, tmp_path: Path) -> None:
        """A file of another shape is refused with the right one."""
        path = tmp_path / "secrets.json"
        path.write_text('{"key": "value"}', encoding="utf-8")
        with pytest.raises(ValueError, match="secret name"):
            read_secrets(path)
        assert read_secrets(None) == {}

    def test_the_project_s_own_function_loads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`main.py` is what the host runs when nothing else is named."""
        monkeypatch.setattr(sys, "path", list(sys.path))
        handler, init = load(ROOT, "main.py")
        assert (handler.__name__, init.__name__) == ("handler", "init")


def test_a_batch_of_events_reaches_the_handler_as_a_list() -> None:
    """In the batched mode of CloudEvents; the sender is answered for the whole, and a batch with one wrong event is refused."""
    batch = {"Content-Type": "application/cloudevents-batch+json; charset=utf-8"}
    seen: list[Any] = []
    with hosted(lambda context, event: seen.append(event)) as url:
        assert ask(url, "POST", body=json.dumps([ELEMENT, SCHEDULE]).encode(), headers=batch)[0] == 204
        assert [type(event) for event in seen[0]] == [ElementTriggerVastEvent, ScheduleVastEvent]
        for body in ("{}", "[1]", "no JSON", json.dumps([ELEMENT, {"id": "x"}])):
            assert ask(url, "POST", body=body.encode(), headers=batch)[0] == 400
    assert len(seen) == 1
