"""Which object an event is about, what happened to it, and what was asked for.

Events come as objects of the platform's SDK (5.4 and 5.5 name its package differently, and it is not on the package index: duck
typing only), as CloudEvents in structured JSON, or as plain dictionaries. The payload stands under `data`; `vastde functions
invoke` sends the whole envelope once more below it. Element events name their object in the extension `elementpath`
(`bucket/key`), in `bucket` and `object_key`, or in `data.Records[].s3` with a percent-encoded key.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from exr_inspector.errors import BadEvent, NotAnExr
from exr_inspector.function.context import ask_platform, call_method

SUFFIX = ".exr"
MAX_RECORDS = 1_000
"""Objects that one event may name; a broker's batches are far smaller."""
MAX_LOCATION = 4_096
"""Characters of a path or a key: PATH_MAX, and more than the 1,024 bytes of a key in S3 take when percent-encoded."""
MAX_TEXT = 256
"""Characters of an id, a source or a type that are kept: they are repeated in answers and log lines."""
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_DIRECTORY_BUCKET = "--x-s3"
_PROPERTIES = ("bucket", "object_key", "id", "type", "subtype")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})
_LOCATION_REMEDY = (
    "Give data.path or data.file_path, data.s3_bucket and data.s3_key, or an element event with elementpath or data.Records"
)


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """What the sender asked for. `stats` is False, True or "sampled"; `policy_path` implies `validate`."""

    meta: bool = True
    stats: bool | str = False
    deep_stats: bool = False
    validate: bool = False
    policy_path: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One object to inspect, or to record as removed. Either `path` is set, or `bucket` and `keys`.

    `keys` holds the spellings under which the object may be found, the likeliest first: the raw key, then the decoded one.
    """

    removed: bool = False
    path: str | None = None
    bucket: str | None = None
    keys: tuple[str, ...] = ()
    event_id: str | None = None
    event_time: datetime | None = None
    source: str | None = None
    options: RequestOptions = field(default_factory=RequestOptions)
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def location(self) -> str:
        """The object's address for people: a path, or `s3://bucket/key` with the likeliest key."""
        return self.path if self.path is not None else f"s3://{self.bucket}/{self.keys[0]}"


def is_batch(event: Any) -> bool:
    """Whether the platform delivers several events at once: a list, or what its SDK calls `VastEventList`."""
    counted = hasattr(event, "__len__") and hasattr(event, "__iter__")
    return counted and not isinstance(event, str | bytes | bytearray | Mapping)


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event in one shape: CloudEvents attributes (extensions included) and the payload."""

    attributes: Mapping[str, Any]
    data: Mapping[str, Any]

    @property
    def event_id(self) -> str | None:
        """The id of the event, None where it has none."""
        return _short_text(self.attributes.get("id"))

    @property
    def kind(self) -> str:
        """`Element`, `Schedule`, `Function`, or empty for a plain dictionary."""
        return self._type()[0]

    @property
    def subtype(self) -> str:
        """What happened, as the event spells it: `ElementCreated`, `ObjectCreated`, ..."""
        return self._type()[1]

    def _type(self) -> tuple[str, str]:
        full = (_short_text(self.attributes.get("type")) or "").rpartition(":")[2]
        kind, _, subtype = full.partition(".")
        return kind, subtype or _short_text(self.attributes.get("subtype")) or ""


def check_bucket(name: str) -> str:
    """The name itself, when it can be that of a bucket at the configured endpoint. Raises BadEvent.

    S3's clients resolve some names by themselves, ARNs and those of directory buckets, and then send a signed request elsewhere.
    """
    if _BUCKET.fullmatch(name) is None or name.endswith(_DIRECTORY_BUCKET):
        remedy = f"A bucket is named by 2 to 255 letters, digits, '.', '_' and '-', without {_DIRECTORY_BUCKET!r} at the end"
        raise BadEvent(f"{name[:80]!r} is not the name of a bucket", remedy=remedy)
    return name


def read_requests(envelope: Envelope) -> tuple[Request, ...]:
    """The requests of one event, in its order; more than one only where `data.Records` holds several.

    Raises NotAnExr for what is not about an EXR (another suffix, a tag, a schedule, ...) and BadEvent for an event that should
    name an object and does not. An event of several records leaves out those that are not ours, unless none is left.
    """
    _skip_other_kinds(envelope)
    options = _options(envelope.data)
    records = _records(envelope.data) or [{}]
    skipped: list[NotAnExr] = []
    requests: list[Request] = []
    for record in records:
        try:
            requests.append(_request(envelope, record, options, single=len(records) == 1))
        except NotAnExr as reason:
            skipped.append(reason)
    if not requests:
        raise skipped[0]
    return tuple(requests)


def read_envelope(event: Any) -> Envelope:
    """Any of the known event shapes as attributes and data. Raises BadEvent for what is not an event."""
    if isinstance(event, Mapping):
        attributes, data = _mapping_event(event)
    else:
        attributes, data = _object_event(event)
    data = _parse_data(data)
    if "specversion" in data and "type" in data:
        # `vastde functions invoke`: the payload of the envelope is the envelope.
        attributes = {**attributes, **{key: value for key, value in data.items() if key != "data"}}
        data = _parse_data(data.get("data"))
    return Envelope(attributes, data)


def _mapping_event(event: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    nested = event.get("attributes")
    attributes = {key: value for key, value in event.items() if key not in ("data", "attributes")}
    if isinstance(nested, Mapping):
        attributes.update(nested)
    return attributes, event.get("data", event)


def _object_event(event: Any) -> tuple[dict[str, Any], Any]:
    """The event objects of the SDK: every property may be absent, None, or raise."""
    attributes: dict[str, Any] = ask_platform(_copy_extensions, event, default={})
    attributes.update(ask_platform(_copy_attributes, event, default={}))
    for name in _PROPERTIES:
        value = ask_platform(getattr, event, name)
        if isinstance(value, str) and value:
            attributes.setdefault(name, value)
    data = next((data for data in _payloads(event) if isinstance(data, Mapping | str | bytes | bytearray)), None)
    if data is None and not attributes:
        raise BadEvent(f"the event is of type {type(event).__name__}", remedy="Send a CloudEvent or a JSON object")
    return attributes, data


def _copy_extensions(event: Any) -> dict[str, Any]:
    return dict(event.extensions)


def _copy_attributes(event: Any) -> dict[str, Any]:
    return dict(event.get_attributes())


def _payloads(event: Any) -> Iterator[Any]:
    yield ask_platform(call_method, event, "get_data")
    yield ask_platform(getattr, event, "data")


def _parse_data(data: Any) -> Mapping[str, Any]:
    """The payload as a mapping; JSON text is parsed, no payload is an empty mapping."""
    if isinstance(data, bytes | bytearray | str):
        try:
            data = json.loads(data) if data else {}
        except (ValueError, RecursionError) as error:  # the latter where it is nested too deeply
            raise BadEvent(f"event field data: not JSON ({type(error).__name__})", field="data") from None
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise BadEvent(f"event field data: expected an object, got {type(data).__name__}", field="data")
    return data


def _skip_other_kinds(envelope: Envelope) -> None:
    if envelope.kind in ("Schedule", "Function"):
        raise NotAnExr(f"a {envelope.kind.lower()} event names no object")
    if (_short_text(envelope.data.get("Event")) or "").endswith("TestEvent"):
        raise NotAnExr("the object store's test event names no object")


def _records(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    records = data.get("Records")
    if not isinstance(records, list):
        return []
    if len(records) > MAX_RECORDS:
        got = f"event field data.Records: {len(records):,} records, over {MAX_RECORDS:,}"
        raise BadEvent(got, remedy="Send them in several events", field="data.Records")
    return [record for record in records if isinstance(record, Mapping)]


def _request(envelope: Envelope, record: Mapping[str, Any], options: RequestOptions, *, single: bool) -> Request:
    removed = _removal(envelope.subtype, _short_text(record.get("eventName")) or "")
    attributes, data = envelope.attributes, envelope.data
    common: dict[str, Any] = {
        "removed": removed,
        "event_id": envelope.event_id,
        "event_time": _time(record.get("eventTime") or attributes.get("time")),
        "source": _short_text(attributes.get("source")),
        "options": options,
        "data": data,
    }
    path = _local_path(data)
    if path is not None:
        return Request(path=path, **common)
    bucket, keys = _object(attributes, data, record, single=single)
    return Request(bucket=bucket, keys=keys, **common)


def _removal(*spellings: str) -> bool:
    """Whether the object is gone. Tag events are skipped; every other spelling means that there is something to read."""
    if any("Tag" in spelling for spelling in spellings):
        raise NotAnExr("the event is about tags, which are not inspected")
    return any("Removed" in spelling or "Deleted" in spelling for spelling in spellings)


def _local_path(data: Mapping[str, Any]) -> str | None:
    for name in ("path", "file_path"):
        value = data.get(name)
        if value is None or (isinstance(value, str) and value.startswith("s3://")):
            continue
        if not isinstance(value, str) or not _is_path(value):
            raise BadEvent(f"event field data.{name}: expected the path of a file", field=f"data.{name}")
        # Somebody asked for this very path: a folder, or a file without a suffix, gets its answer when it is opened.
        if not value.lower().endswith(SUFFIX) and PurePosixPath(value).suffix:
            _require_suffix(value.rstrip("/"))
        return value
    return None


def _is_path(text: str) -> bool:
    """Whether the system could have a file of this path; names that are not UTF-8 come with surrogate escapes (PEP 383)."""
    try:
        return bool(os.fsencode(text)) and len(text) <= MAX_LOCATION and "\0" not in text
    except UnicodeEncodeError:
        return False


def _object(
    attributes: Mapping[str, Any], data: Mapping[str, Any], record: Mapping[str, Any], *, single: bool
) -> tuple[str, tuple[str, ...]]:
    """Bucket and candidate keys. The envelope's own location goes for the only record, not for one of several."""
    locations = list(_record_location(record))
    if single:
        locations = [*_envelope_location(attributes, data), *locations]
    if not locations:
        raise BadEvent("the event names no object", remedy=_LOCATION_REMEDY)
    bucket = locations[0][0]
    raw = [key for name, key in locations if name == bucket]
    keys = tuple(dict.fromkeys((*raw, *(unquote(key) for key in raw))))
    # With two candidates the second is the decoded one, and the suffix may be encoded too (`%2Eexr`).
    _require_suffix(keys[-1])
    for key in raw:
        _check_key(key)
    return check_bucket(bucket), keys


def _check_key(key: str) -> None:
    """Raises BadEvent for a key that no object can have: keys are UTF-8."""
    if len(key) > MAX_LOCATION:
        raise BadEvent(f"the event names a key of {len(key):,} characters, over {MAX_LOCATION:,}")
    try:
        key.encode()
    except UnicodeEncodeError:
        message = f"the event names the key {key[-200:]!r}, which is not Unicode"
        raise BadEvent(message, remedy="Send the key as UTF-8") from None


def _envelope_location(attributes: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path in (attributes.get("elementpath"), *(_s3_url(data.get(name)) for name in ("path", "file_path"))):
        bucket, _, key = path.partition("/") if isinstance(path, str) else ("", "", "")
        if bucket and key:
            yield bucket, key
    names = (("bucket", "object_key"), ("s3_bucket", "s3_key"))
    for name, item in ((where.get(b), where.get(k)) for where in (attributes, data) for b, k in names):
        if isinstance(name, str) and name and isinstance(item, str) and item:
            yield name, item


def _s3_url(value: Any) -> str | None:
    return value.removeprefix("s3://") if isinstance(value, str) and value.startswith("s3://") else None


def _record_location(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    bucket, key = _look_up(record, "s3", "bucket", "name"), _look_up(record, "s3", "object", "key")
    if isinstance(bucket, str) and bucket and isinstance(key, str) and key:
        yield bucket, key


def _look_up(value: Any, *keys: str) -> Any:
    """What stands below these keys; None where a level is not an object, or lacks its key."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _require_suffix(path: str) -> None:
    if path.endswith("/"):
        raise NotAnExr(f"{path[-200:]!r} is a directory marker")
    if not path.lower().endswith(SUFFIX):
        raise NotAnExr(f"{path[-200:]!r} has the suffix {PurePosixPath(path).suffix[:80]!r}, not {SUFFIX!r}")


def _options(data: Mapping[str, Any]) -> RequestOptions:
    policy = data.get("policy_path")
    if policy is not None and not (isinstance(policy, str) and _is_path(policy)):
        raise BadEvent("event field data.policy_path: expected the path of a policy file", field="data.policy_path")
    stats = data.get("stats")
    return RequestOptions(
        meta=_read_flag(data, "meta", default=True),
        stats="sampled" if stats == "sampled" else _read_flag(data, "stats"),
        deep_stats=_read_flag(data, "deep_stats"),
        validate=_read_flag(data, "validate") or _read_flag(data, "enable_validate") or policy is not None,
        policy_path=policy,
    )


def _read_flag(data: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    value = data.get(name)
    if value is None:
        return default
    text = (_short_text(value) or "").lower() if isinstance(value, bool | int | str) else None
    if text is None or text not in _TRUE | _FALSE:
        described = type(value).__name__ if text is None else repr(text[:80])
        got = f"event field data.{name}: expected true or false, got {described}"
        raise BadEvent(got, remedy="Write true or false, or leave it out", field=f"data.{name}")
    return text in _TRUE


def _time(value: Any) -> datetime | None:
    """An ISO 8601 time in UTC; None where there is none, or one that cannot be read."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):  # the last at the calendar's edge: in UTC it is another year, 0 or 10,000
        return None


def _short_text(value: Any) -> str | None:
    """A plain value as text, cut to MAX_TEXT; None for anything else, and for a number of too many digits."""
    if not isinstance(value, str | int | float):
        return None
    try:
        return str(value)[:MAX_TEXT]
    except ValueError:
        return None
