"""Every known shape of an event is a file under tests/fixtures/events; what each one means stands beside it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exr_errors import BadEvent, InspectorError, NotAnExr
from scripts import event_shapes
from vast_events import Options, Request, event_id, read_requests

FIXTURES = sorted((Path(__file__).parent / "fixtures/events").glob("*.json"))


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
    assert asdict(request.options) == expected.get("options", asdict(Options()))


@pytest.mark.parametrize("path", FIXTURES, ids=[path.stem for path in FIXTURES])
def test_every_known_shape_means_what_its_file_says(path: Path) -> None:
    """Location, kind and options of each fixture; skips and rejects with a reason that names the cause."""
    event, expected = load(path)
    if "skip" in expected:
        with pytest.raises(NotAnExr, match=expected["skip"]):
            read_requests(event)
    elif "reject" in expected:
        with pytest.raises(BadEvent, match=expected["reject"]):
            read_requests(event)
    else:
        requests = read_requests(event)
        listed = expected.get("requests", [expected])
        assert len(requests) == len(listed)
        for request, one in zip(requests, listed, strict=True):
            matches(request, one)


def test_an_event_without_a_location_says_what_it_could_have_named() -> None:
    """The remedy lists the ways to name an object."""
    with pytest.raises(BadEvent) as caught:
        read_requests({"data": {}})
    for way in ("data.path", "data.s3_bucket", "elementpath", "data.Records"):
        assert way in str(caught.value)


def test_an_sdk_object_whose_properties_are_all_missing_still_has_its_attributes() -> None:
    """Properties that raise, as they do when an extension is missing, are as good as absent."""
    event = SdkEvent({"type": "vastdata.com:Element.ElementCreated", "elementpath": "b/k.exr", "id": "1"}, None, {})
    (request,) = read_requests(event)
    assert (request.bucket, request.keys, request.event_id) == ("b", ("k.exr",), "1")


def test_an_object_with_bucket_and_object_key_alone_is_enough() -> None:
    """The least that an element event object offers."""
    (request,) = read_requests(SdkEvent({}, None, {"bucket": "b", "object_key": "k.exr", "type": "Element"}))
    assert request.location == "s3://b/k.exr"


def test_credentials_in_an_event_do_not_show_in_the_request() -> None:
    """A request may be logged; what the event carried may not."""
    (request,) = read_requests({"data": {"path": "/a.exr", "vastdb_secret_key": "hush"}})
    assert "hush" not in repr(request)
    assert request.data["vastdb_secret_key"] == "hush"


def test_the_id_is_known_for_events_that_are_rejected_too() -> None:
    """The log line of a rejected event can be found by its id; what is no event has none."""
    assert event_id({"id": "abc", "data": {}}) == "abc"
    assert event_id(17) is None


@example(stem="/")
@given(stem=st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_any_key_is_found_raw_or_encoded(stem: str) -> None:
    """Whatever a key holds, the key itself is among the candidates, whether the event spells it raw or percent-encoded."""
    key = f"{stem}.exr"
    for spelled in (key, quote(key)):
        (request,) = read_requests({"data": {"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": spelled}}}]}})
        assert key in request.keys
        assert request.keys[0] == spelled
        assert len(request.keys) <= 2


FIELDS = ["data", "Records", "s3", "bucket", "object", "key", "name", "path", "type", "elementpath", "specversion", "stats"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


@given(event=JSON)
def test_no_event_raises_anything_but_a_verdict(event: Any) -> None:
    """Whatever JSON arrives, the answer is requests or a verdict."""
    with suppress(InspectorError):
        assert read_requests(event)


def test_the_page_of_events_is_what_the_fixtures_say() -> None:
    """docs/EVENTS.md is generated; a fixture that changes changes it."""
    assert event_shapes.PAGE.read_text(encoding="utf-8") == event_shapes.page()
