"""Events of the platform, tried on one that was captured: `exr-inspector doctor --assumptions EVENT.json`.

What no single event shows stands in docs/ASSUMPTIONS.md: deliveries repeat, overtake each other, and come to 20 threads.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from exr_inspector.function import objects
from exr_inspector.function.events import Request, read_envelope, read_requests
from exr_inspector.operations.assumptions.bench import INFERRED, SEEN, UNKNOWN, Bench, Untried, area, expect

TRIALS, assumption = area("Events")


def capture_event(bench: Bench) -> dict[str, Any]:
    """The event. Raises Untried where none is given."""
    if bench.event is None:
        raise Untried("no event is given: doctor --assumptions EVENT.json, with one from the function's log.")
    event: dict[str, Any] = json.loads(bench.event.read_text(encoding="utf-8"))
    return event


def requests_of(bench: Bench) -> tuple[Request, ...]:
    """The objects that the event is about."""
    return read_requests(read_envelope(capture_event(bench)))


@assumption("Two events from clusters in public repositories", SEEN, "The event would be rejected and its file never stored.")
def an_event_names_its_object(bench: Bench) -> str:
    """An element event names a bucket and a key."""
    requests = requests_of(bench)
    expect(bool(requests) and bool(requests[0].bucket) and bool(requests[0].keys), f"{requests}.")
    return f"{requests[0].location}."


@assumption("Not public; the function tries both spellings", UNKNOWN, "Nothing: such keys cost one more request.")
def the_path_of_an_event_is_not_encoded(bench: Bench) -> str:
    """`elementpath` has the key as it is, and `Records` has it with per cent signs."""
    event = capture_event(bench)
    path = event.get("elementpath")
    records = (event.get("data") or {}).get("Records") or []
    if not path or not records:
        raise Untried("the event lacks elementpath or Records.")
    key = str(path).partition("/")[2]
    quoted = str(records[0]["s3"]["object"]["key"])
    if key == quoted:
        raise Untried("the key has no character that would be encoded; capture the event of one with a space.")
    expect(key == unquote(quoted), f"elementpath {key!r}, Records {quoted!r}.")
    return f"elementpath {key!r}, Records {quoted!r}."


@assumption("Two events from clusters", INFERRED, "Nothing: what is in the bucket decides.")
def an_event_tells_the_etag_of_its_object(bench: Bench) -> str:
    """The ETag in an event is that of the object, unless it was overwritten since."""
    request = requests_of(bench)[0]
    records = (capture_event(bench).get("data") or {}).get("Records") or []
    if not records or not bench.settings.s3_endpoint:
        raise Untried("the event has no Records, or no S3_ENDPOINT is set.")
    told = str(records[0]["s3"]["object"].get("eTag", "")).strip('"')
    seen = objects.current_etag(objects.s3_client(bench.settings), str(request.bucket), request.keys[0])
    expect(told == seen, f"the event says {told}, the object has {seen}.")
    return f"{told} in both."
