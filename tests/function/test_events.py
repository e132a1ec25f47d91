"""Every known shape of an event is a file under tests/fixtures/events; what each one means stands beside it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exr_inspector.errors import BadEvent, NotAnExr
from exr_inspector.function.events import (
    MAX_LOCATION,
    MAX_RECORDS,
    MAX_TEXT,
    Request,
    RequestOptions,
    check_bucket,
    read_envelope,
    read_requests,
)

FIXTURES = sorted((Path(__file__).resolve().parents[1] / "fixtures/events").glob("*.json"))


class SdkEvent:
    """An event object of the platform's SDK, as duck typing sees it: attributes, data, and properties that may raise."""

    def __init__(self, attributes: dict[str, Any], data: Any, properties: dict[str, Any]) -> None:
        self._attributes = attributes
        self._data = data
        self._properties = properties

    def __getattr__(self, name: str) -> Any:
        if name in self._properties:
            return self._properties[name]
        raise LookupError(f"malformed vast event: {name}")

    def get_attributes(self) -> dict[str, Any]:
        """The CloudEvents attributes, extensions included."""
        return self._attributes

    def get_data(self) -> Any:
        """The payload."""
        return self._data


def load(path: Path) -> tuple[Any, dict[str, Any]]:
    """The event of a fixture, as the handler gets it, and what is expected of it."""
    fixture = json.loads(path.read_text(encoding="utf-8"))
    event = fixture["event"]
    return SdkEvent(**event) if fixture["form"] == "object" else event, fixture["expect"]


def matches(request: Request, expected: dict[str, Any]) -> None:
    """Assert that a request says what the fixture says of it."""
    assert request.path == expected.get("path")
    assert request.bucket == expected.get("bucket")
    assert list(request.keys) == expected.get("keys", [])
    assert request.removed is expected.get("removed", False)
    if "event_id" in expected:
        assert request.event_id == expected["event_id"]
    assert asdict(request.options) == expected.get("options", asdict(RequestOptions()))


@pytest.mark.parametrize("path", FIXTURES, ids=[path.stem for path in FIXTURES])
def test_every_known_shape_means_what_its_file_says(path: Path) -> None:
    """Location, kind and options of each fixture; skips and rejects with a reason that names the cause."""
    event, expected = load(path)
    if "skip" in expected:
        with pytest.raises(NotAnExr, match=expected["skip"]):
            read_requests(read_envelope(event))
    elif "reject" in expected:
        with pytest.raises(BadEvent, match=expected["reject"]):
            read_requests(read_envelope(event))
    else:
        requests = read_requests(read_envelope(event))
        listed = expected.get("requests", [expected])
        assert len(requests) == len(listed)
        for request, one in zip(requests, listed, strict=True):
            matches(request, one)


def test_an_event_without_a_location_says_what_it_could_have_named() -> None:
    """The remedy lists the ways to name an object."""
    with pytest.raises(BadEvent) as caught:
        read_requests(read_envelope({"data": {}}))
    for way in ("data.path", "data.s3_bucket", "elementpath", "data.Records"):
        assert way in str(caught.value)


def test_an_sdk_object_whose_properties_are_all_missing_still_has_its_attributes() -> None:
    """Properties that raise, as they do when an extension is missing, are as good as absent."""
    event = SdkEvent({"type": "vastdata.com:Element.ElementCreated", "elementpath": "renders/k.exr", "id": "1"}, None, {})
    (request,) = read_requests(read_envelope(event))
    assert (request.bucket, request.keys, request.event_id) == ("renders", ("k.exr",), "1")


def test_an_object_with_bucket_and_object_key_alone_is_enough() -> None:
    """The least that an element event object offers."""
    (request,) = read_requests(read_envelope(SdkEvent({}, None, {"bucket": "renders", "object_key": "k.exr", "type": "Element"})))
    assert request.location == "s3://renders/k.exr"


def test_credentials_in_an_event_do_not_show_in_the_request() -> None:
    """A request may be logged; what the event carried may not."""
    (request,) = read_requests(read_envelope({"data": {"path": "/a.exr", "vastdb_secret_key": "hush"}}))
    assert "hush" not in repr(request)
    assert request.data["vastdb_secret_key"] == "hush"


def test_the_id_is_known_for_events_that_are_rejected_too() -> None:
    """The log line of a rejected event can be found by its id; what is no event has none."""
    assert read_envelope({"id": "abc", "data": {}}).event_id == "abc"
    assert read_envelope({"data": {}}).event_id is None


@example(stem="/")
@given(stem=st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_any_key_is_found_raw_or_encoded(stem: str) -> None:
    """Whatever a key holds, the key itself is among the candidates, whether the event spells it raw or percent-encoded."""
    key = f"{stem}.exr"
    for spelled in (key, quote(key)):
        (request,) = read_requests(
            read_envelope({"data": {"Records": [{"s3": {"bucket": {"name": "renders"}, "object": {"key": spelled}}}]}})
        )
        assert key in request.keys
        assert request.keys[0] == spelled
        assert len(request.keys) <= 2


FIELDS = [
    *("data", "Records", "s3", "bucket", "object", "object_key", "key", "name", "path", "file_path", "type", "subtype", "id"),
    *("time", "source", "elementpath", "specversion", "attributes", "Event", "eventName", "eventTime", "s3_bucket", "s3_key"),
    *("stats", "meta", "validate", "policy_path"),
]
ODD_TEXTS = [
    *("renders/a.exr", "a.exr", "/tmp/a.exr", "s3://renders/a.exr", "renders", "%ZZ.exr", "\0.exr", '{"Records": 1}'),
    *("arn:aws:s3:::renders", "arn:aws:s3:::renders/a.exr", "renders--x-s3", "\ud800.exr", "renders/\udfff.exr", "\udc80.exr"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-05-07T16:02:44Z", "1.0", "true"),
    *("vastdata.com:Element.ElementDeleted", "vastdata.com:Schedule", "ObjectRemoved:Delete", "s3:TestEvent"),
    *("k" * 5000 + ".exr", "/" * 5000, "[" * 100_000, "x" * 100_000),
]
TEXTS = st.text(st.characters(), max_size=8) | st.sampled_from(ODD_TEXTS)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=8)
ODD = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | st.integers(), inner, max_size=5),
    max_leaves=15,
)


def check_is_judged(event: Any) -> None:
    """Requests of bounded text, or a skip or a reject whose text is bounded too."""
    try:
        requests = read_requests(read_envelope(event))
    except (NotAnExr, BadEvent) as error:
        text = str(error)
        assert len(text) < 1000, text
        return
    assert requests
    for request in requests:
        assert len(request.location) < MAX_LOCATION + 300
        assert len(request.event_id or "") <= MAX_TEXT
        assert request.bucket is None or check_bucket(request.bucket)


@settings(max_examples=200)
@given(event=st.dictionaries(st.sampled_from(FIELDS), ODD, min_size=1, max_size=6) | ODD)
def test_no_event_raises_anything_but_a_verdict(event: Any) -> None:
    """Whatever arrives, it is understood, skipped or rejected: another delivery of it would end in the same way."""
    check_is_judged(event)


def nested(kind: type, depth: int = 3000) -> Any:
    """A list in a list in a list, or a dictionary in a dictionary."""
    made: Any = kind()
    for _ in range(depth):
        made = [made] if kind is list else {"data": made}
    return made


EXTREMES = {
    "lists": nested(list),
    "dictionaries": nested(dict),
    "json": b"[" * 100_000,
    "json_objects": '{"data":' * 100_000,
    "digits": 10**5000,
    "json_digits": "1" * 5000,
    "no_utf8": b"\xff",
}


@pytest.mark.parametrize("name", EXTREMES)
def test_no_extreme_value_raises_anything_but_a_verdict(name: str) -> None:
    """Nested beyond the recursion limit, more digits than Python converts: in any field, at any place."""
    value = EXTREMES[name]
    check_is_judged(value)
    located = {"s3": {"bucket": {"name": "renders"}, "object": {"key": "a.exr"}}}
    for item in FIELDS:
        check_is_judged({item: value, "elementpath": "renders/a.exr"})
        check_is_judged({"data": {item: value}})
        check_is_judged({"data": {"path": "/a.exr"} | {item: value}})
        check_is_judged({"data": {"Records": [{**located, item: value}]}})
        check_is_judged(SdkEvent({"elementpath": "renders/a.exr"} | {item: value}, {item: value}, {item: value}))


@pytest.mark.parametrize(
    "bucket",
    [
        "arn:aws:s3:us-east-1:123456789012:accesspoint",
        "arn:aws:s3:::renders",
        "renders--usw2-az1--x-s3",
        "renders--x-s3",
        "b",
        "b" * 256,
        "-renders",
        "ren ders",
        "renders\n",
        "r\u00e9nders",
        "..",
    ],
)
def test_what_cannot_be_a_bucket_is_refused_wherever_it_stands(bucket: str) -> None:
    """A client would resolve an ARN by itself, and send a signed request away from the endpoint."""
    record = {"s3": {"bucket": {"name": bucket}, "object": {"key": "a.exr"}}}
    places: list[dict[str, Any]] = [
        {"data": {"Records": [record]}},
        {"data": {"Records": [record, record]}},
        {"data": {"s3_bucket": bucket, "s3_key": "a.exr"}},
        {"data": {"path": f"s3://{bucket}/a.exr"}},
        {"type": "vastdata.com:Element.ElementCreated", "elementpath": f"{bucket}/a.exr", "data": {}},
        {"type": "vastdata.com:Element.ElementDeleted", "bucket": bucket, "object_key": "a.exr", "data": {}},
    ]
    for event in places:
        with pytest.raises(BadEvent, match="is not the name of a bucket"):
            read_requests(read_envelope(event))


@pytest.mark.parametrize("bucket", ["renders", "Renders_2026", "r2", "a.b-c", "b" * 255, "x--x-s3-archive"])
def test_names_of_buckets_are_left_alone(bucket: str) -> None:
    """VAST is more liberal than AWS."""
    assert check_bucket(bucket) == bucket


def test_an_event_names_at_most_a_thousand_objects() -> None:
    """One more, and none of them is read."""
    records = [{"s3": {"bucket": {"name": "renders"}, "object": {"key": f"{at}.exr"}}} for at in range(MAX_RECORDS + 1)]
    assert len(read_requests(read_envelope({"data": {"Records": records[1:]}}))) == MAX_RECORDS
    with pytest.raises(BadEvent, match=r"data.Records: 1,001 records"):
        read_requests(read_envelope({"data": {"Records": records}}))


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 17, [[]], "yesterday"])
def test_a_time_that_cannot_be_read_is_no_time(time: Any) -> None:
    """At the calendar's edge a time has no equal in UTC."""
    (request,) = read_requests(read_envelope({"time": time, "data": {"path": "/a.exr"}}))
    assert request.event_time is None


def test_a_file_whose_name_is_not_unicode_can_be_named() -> None:
    """As Python spells such names (PEP 383); a surrogate that stands for no byte is refused."""
    (request,) = read_requests(read_envelope({"data": {"path": "/renders/\udcff.exr"}}))
    assert request.path == "/renders/\udcff.exr"
    with pytest.raises(BadEvent, match=r"data\.path"):
        read_requests(read_envelope({"data": {"path": "/renders/\ud800.exr"}}))
