"""The CloudEvent that an element trigger sends, in the shape seen on real clusters."""

from __future__ import annotations

import hashlib
import itertools
import time
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import quote

from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent

from ..objects import ObjectChange

CREATED = "vastdata.com:Element.ElementCreated"
DELETED = "vastdata.com:Element.ElementDeleted"
# Printable ASCII without the space, the quotation mark and the percent sign: CloudEvents HTTP binding 1.0.2, 3.1.3.2.
_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


def _count_from_now() -> itertools.count[int]:
    return itertools.count(time.time_ns() // 1000)


@dataclass(slots=True)
class EventMaker:
    """Makes the events of one trigger: `subject` is `<broker>.<topic>`, `source` is `vastdata.com:<trigger>.<its id>`.

    Ids are decimal, as on clusters, and grow; no two events of a process share one.
    """

    trigger: str = "local-trigger"
    broker: str = "local-broker"
    topic: str = "main"
    region: str = "local-vast"
    _ids: itertools.count[int] = field(default_factory=_count_from_now)
    _offsets: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def trigger_id(self) -> str:
        """`<trigger>.<its id>`; the id follows from the name, so a restart does not change it."""
        return f"{self.trigger}.{_uuid_of(self.trigger)}"

    def event(self, change: ObjectChange) -> CloudEvent:
        """The event about one change."""
        path = f"{change.bucket}/{change.key}"
        attributes = {
            "specversion": "1.0",
            "id": str(next(self._ids)),
            "source": f"vastdata.com:{self.trigger_id}",
            "type": DELETED if is_removal(change) else CREATED,
            "subject": f"{self.broker}.{self.topic}",
            "time": change.time.isoformat(timespec="microseconds"),
            "datacontenttype": "application/json",
            "elementpath": path,
            "elementhandle": str(int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") >> 3),
            "elementsourcetype": "vast:s3",
            "knativekafkaoffset": str(next(self._offsets)),
            "knativekafkapartition": "0",
        }
        return CloudEvent(attributes, {"Records": [self._record(change)]})

    def _record(self, change: ObjectChange) -> dict[str, Any]:
        content = {} if is_removal(change) else {"size": change.size, "eTag": change.etag}
        return {
            "eventVersion": "2.2",
            "eventSource": "vast:s3",
            "awsRegion": self.region,
            "eventTime": change.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "eventName": change.event_name,
            "userIdentity": {"principalId": change.principal},
            "requestParameters": {"sourceIPAddress": change.source_ip},
            "responseElements": {"x-amz-request-id": change.request_id, "x-amz-id-2": change.request_id},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": self.trigger_id,
                "bucket": {
                    "name": change.bucket,
                    "ownerIdentity": {"principalId": change.principal},
                    "arn": f"arn:aws:s3:::{change.bucket}",
                },
                "object": {"key": quote(change.key, safe="/"), **content, "sequencer": change.sequencer},
            },
        }


@cache
def _uuid_of(trigger: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"vastdata.com:{trigger}")


def is_removal(change: ObjectChange) -> bool:
    """Whether the object is gone."""
    return change.event_name.startswith("ObjectRemoved:")


def encode_event(event: CloudEvent, binary: bool) -> tuple[dict[str, str], bytes]:
    """Headers and body of the POST: the whole event as JSON, or (`binary`) the data alone with the attributes as headers.

    The `cloudevents` package leaves header values as they are; the HTTP binding wants them percent-encoded.
    """
    headers, body = to_binary(event) if binary else to_structured(event)
    attributes = {name: quote(str(value), safe=_PLAIN) for name, value in headers.items() if name.startswith("ce-")}
    return {**headers, **attributes}, bytes(body)
