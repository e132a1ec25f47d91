"""The event that a function host hands to a handler: attributes and methods of the platform's VastEvent, and its strictness.

A CloudEvent becomes an ElementTriggerVastEvent, a ScheduleVastEvent or a FunctionVastEvent. What the platform's runtime refuses
is refused with its messages: an `id` that is neither a UUID nor hexadecimal (decimal digits are), a `subject` of element
and schedule events that is not `<broker>.<topic>`, a `source` that is not `vastdata.com:<name>[.<id>]`, a `type` that is not
`vastdata.com:<Kind>[.<Subtype>]`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import unquote_to_bytes

from cloudevents.exceptions import GenericException
from cloudevents.http import CloudEvent, from_http

CONTEXT = frozenset({"specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema"})
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
_TYPE = re.compile(r"vastdata\.com:(?P<kind>Element|Schedule|Function|Manual)(?:\.(?P<subtype>\w+))?")
_SOURCE = re.compile(r"vastdata\.com:(?P<name>[^.]+)(?:\.(?P<id>.+))?")
_SUBJECT = re.compile(r"(?P<broker>.+)\.(?P<topic>[^.]+)")


class NoCloudEvent(ValueError):
    """The request is not a CloudEvent at all; the message says why."""


class VastEvent:
    """One event. What it does not carry is None."""

    kind: str | None = None

    def __init__(self, event: CloudEvent) -> None:
        self._attributes: dict[str, Any] = dict(event.get_attributes())
        self.data: Any = event.get_data()
        self.id = _checked_id(str(self._attributes["id"]))
        kind = _match("type", _TYPE, self._attributes)
        self.type: str = kind["kind"]
        self.subtype: str | None = kind["subtype"]
        source = _match("source", _SOURCE, self._attributes)
        self.trigger: str | None = source["name"]
        self.trigger_id: str | None = source["id"]
        subject = _match("broker", _SUBJECT, self._attributes, name="subject") if self.type in ("Element", "Schedule") else None
        self.broker: str | None = subject["broker"] if subject else None
        self.topic: str | None = subject["topic"] if subject else None
        self.version = str(self._attributes["specversion"])
        self.timestamp: str | None = self._attributes.get("time")
        self.trigger_labels: dict[str, str] = {}

    @classmethod
    def parse(cls, headers: Mapping[str, str], body: bytes) -> VastEvent:
        """The event of a POST in structured or binary mode. Raises NoCloudEvent, or ValueError for what the platform refuses."""
        event = read_cloudevent(headers, body)
        kind = str(event.get_attributes()["type"]).removeprefix("vastdata.com:").partition(".")[0]
        return _KINDS.get(kind, VastEvent)(event)

    @property
    def extensions(self) -> dict[str, Any]:
        """The attributes that CloudEvents itself does not define."""
        return {name: value for name, value in self._attributes.items() if name not in CONTEXT}

    @property
    def bucket(self) -> str | None:
        """What stands before the first slash of `elementpath`."""
        return self._element(0)

    @property
    def object_key(self) -> str | None:
        """What stands after the first slash of `elementpath`."""
        return self._element(2)

    @property
    def partition_key(self) -> str | None:
        """The extension `partitionkey`."""
        return _optional_text(self.get("partitionkey"))

    def get_data(self) -> Any:
        """The payload: parsed where it is JSON."""
        return self.data

    def get_attributes(self) -> dict[str, Any]:
        """All attributes by their CloudEvents names: `type` is the full one here. A copy."""
        return dict(self._attributes)

    def get(self, name: str, default: Any = None) -> Any:
        """One attribute."""
        return self._attributes.get(name, default)

    def get_trace_id(self) -> str | None:
        """The trace id in the extension `traceparent` (W3C Trace Context)."""
        parts = str(self._attributes.get("traceparent", "")).split("-")
        return parts[1] if len(parts) == 4 else None

    def set_trigger_labels(self, labels: Mapping[str, str]) -> None:
        """Labels for conditional routing. Raises ValueError for none."""
        if not labels:
            raise ValueError("trigger labels must not be empty")
        self.trigger_labels = dict(labels)

    def as_element_event(self) -> ElementTriggerVastEvent:
        """Itself. Raises TypeError when it is of another kind."""
        return ElementTriggerVastEvent.of(self)

    def as_schedule_event(self) -> ScheduleVastEvent:
        """Itself. Raises TypeError when it is of another kind."""
        return ScheduleVastEvent.of(self)

    def as_function_event(self) -> FunctionVastEvent:
        """Itself. Raises TypeError when it is of another kind."""
        return FunctionVastEvent.of(self)

    def as_manual_event(self) -> ManualVastEvent:
        """Itself. Raises TypeError when it is of another kind."""
        return ManualVastEvent.of(self)

    @classmethod
    def of(cls, event: VastEvent) -> Self:
        """The event, when it is of this kind. Raises TypeError otherwise."""
        if not isinstance(event, cls):
            raise TypeError(f"the event is of type {event.type}, not {cls.kind}")
        return event

    def _element(self, index: int) -> str | None:
        path = self._attributes.get("elementpath")
        return str(path).partition("/")[index] if path else None

    def __repr__(self) -> str:
        return f"{{'attributes': {self._attributes!r}, 'data': {self.data!r}}}"


class ElementTriggerVastEvent(VastEvent):
    """An object was created, removed or tagged."""

    kind = "Element"


class ScheduleVastEvent(VastEvent):
    """A timer elapsed."""

    kind = "Schedule"

    @property
    def cron_schedule(self) -> str | None:
        """The extension `cronschedule`."""
        return _optional_text(self.get("cronschedule"))

    @property
    def timer_elapsed_timestamp(self) -> str | None:
        """The extension `timerelapsedtimestamp`."""
        return _optional_text(self.get("timerelapsedtimestamp"))


class FunctionVastEvent(VastEvent):
    """Another function's result."""

    kind = "Function"


class ManualVastEvent(VastEvent):
    """Somebody invoked the function by hand."""

    kind = "Manual"


_KINDS: dict[str, type[VastEvent]] = {
    "Element": ElementTriggerVastEvent,
    "Schedule": ScheduleVastEvent,
    "Function": FunctionVastEvent,
    "Manual": ManualVastEvent,
}


def parse_request(headers: Mapping[str, str], body: bytes) -> VastEvent | list[VastEvent]:
    """The event of a POST, or the events of one in the batched mode of CloudEvents' JSON format. Raises as `VastEvent.parse`."""
    content = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    if content.partition(";")[0].strip().lower() != BATCH:
        return VastEvent.parse(headers, body)
    try:
        entries = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NoCloudEvent(f"the request is not a batch of CloudEvents: {error}") from error
    if not isinstance(entries, list):
        raise NoCloudEvent("the request is not a batch of CloudEvents: it is not a list")
    return [VastEvent.parse({"content-type": STRUCTURED}, json.dumps(entry).encode()) for entry in entries]


def read_cloudevent(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    """The CloudEvent in a request. Raises NoCloudEvent.

    Header values of binary mode are percent-encoded UTF-8 (CloudEvents HTTP binding 1.0.2, 3.1.3.2); the `cloudevents` package
    leaves that to its caller.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    plain = {name: _plain(value) if name.startswith("ce-") else value for name, value in lower.items()}
    try:
        return from_http(plain, body)
    except (GenericException, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise NoCloudEvent(f"the request is not a CloudEvent: {str(error)[:500]}") from error


def _optional_text(value: Any) -> str | None:
    return None if value is None else str(value)


def _plain(value: str) -> str:
    return unquote_to_bytes(value.encode("latin-1", "replace")).decode("utf-8", "replace")


def _checked_id(text: str) -> str:
    """The id as it is. Raises ValueError unless it is a UUID or hexadecimal, which decimal ids are too."""
    try:
        uuid.UUID(text)
    except ValueError:
        int(text, 16)
    return text


def _match(what: str, pattern: re.Pattern[str], attributes: Mapping[str, Any], name: str | None = None) -> re.Match[str]:
    value = attributes.get(name or what)
    match = pattern.fullmatch(str(value or ""))
    if match is None:
        raise ValueError(f"malformed vast event: {what}")
    return match
