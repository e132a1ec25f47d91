"""Every error that exr-inspector raises on purpose, and the verdict each one carries.

    InspectorError
    +-- Skip                     not ours: the result says `skipped`, nothing is stored
    |   +-- NotAnExr             other suffix, directory marker, an event that is about something else
    |   +-- ObjectGone           deleted between the event and the read
    +-- Reject                   ours, but hopeless: recorded and returned; the platform must not deliver it again
    |   +-- BadEvent             the event names no object
    |   +-- BadSettings          one or more settings are wrong or missing
    |   +-- BadPolicy            a policy file is missing, is not TOML, or has a rule that cannot be applied
    |   +-- BadHeader            the bytes are not an OpenEXR header, or a damaged one
    |   +-- ObjectUnavailable    the object is not there, is a directory, or may not be read
    |   +-- BadPayload           a payload has a field of the wrong type
    |   |   +-- VectorEmbeddingError
    |   +-- SchemaDrift          a table lacks a column or has it with another type
    +-- Retry                    S3 or the database is unreachable or busy: raised, so that the platform delivers again
        +-- ObjectChanged        the object kept changing while it was read
        +-- StorageUnavailable   S3 did not answer
        +-- VASTDatabaseError    the database did not answer, or every attempt was in conflict
            +-- CommitUnknown    the commit's answer was lost and the tables could not be read back

Every message names the thing, the place and the remedy. No message carries a secret. As text an error is fit for a terminal; as a
document it has what was found, for JSON to escape.
"""

from __future__ import annotations

import reprlib
from enum import StrEnum
from typing import Any, ClassVar

from exr_inspector.terminal import on_lines


class Verdict(StrEnum):
    """What the platform should do with an event that ended in an error."""

    SKIP = "skip"
    REJECT = "reject"
    RETRY = "retry"


class InspectorError(Exception):
    """Base class. `code` is stable and machine-readable; `place` says where (field, byte offset, setting)."""

    verdict: ClassVar[Verdict] = Verdict.REJECT
    code: str = "error"

    def __init__(self, message: str, *, code: str | None = None, remedy: str | None = None, **place: Any) -> None:
        super().__init__(on_lines(f"{message}. {remedy}" if remedy else message))  # names of files and servers' words are in it
        self.message = message
        self.remedy = remedy
        self.place: dict[str, Any] = {key: value for key, value in place.items() if value is not None}
        if code is not None:
            self.code = code

    def as_dict(self) -> dict[str, Any]:
        """The error as it stands in `payload["errors"]`: code, message, remedy when there is one, and the place."""
        entry: dict[str, Any] = {"code": self.code, "message": self.message, **self.place}
        if self.remedy:
            entry["remedy"] = self.remedy
        return entry


class Skip(InspectorError):
    """The event is not about an EXR that can be inspected."""

    verdict = Verdict.SKIP
    code = "skipped"


class NotAnExr(Skip):
    """Another suffix, a directory marker, or an event of another kind."""

    code = "not_an_exr"


class ObjectGone(Skip):
    """The object was deleted between the event and the read."""

    code = "object_gone"


class Reject(InspectorError):
    """The input is at fault; another delivery would not help."""

    verdict = Verdict.REJECT
    code = "rejected"


class BadEvent(Reject):
    """The event names no object, or contradicts itself."""

    code = "bad_event"


class BadSettings(Reject):
    """Settings that are wrong or missing; all of them at once, each with its remedy."""

    code = "bad_settings"


class BadPolicy(Reject):
    """A policy file that cannot be used; `path`, `line` (from 1) and `rule` (its id) say where, as far as they are known."""

    code = "bad_policy"

    def __init__(
        self, message: str, *, path: str, line: int | None = None, rule: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy, path=path, line=line, rule=rule)
        self.path = path
        self.line = line
        self.rule = rule


class BadHeader(Reject):
    """The bytes are not a readable OpenEXR header.

    `offset` is the byte position in the file at which reading stopped; `part` and `attribute` where they are known.
    """

    code = "bad_header"

    def __init__(
        self,
        message: str,
        *,
        offset: int,
        code: str | None = None,
        part: int | None = None,
        attribute: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, code=code, remedy=remedy, offset=offset, part=part, attribute=attribute)
        self.offset = offset
        self.part = part
        self.attribute = attribute
        self.header_hash: str | None = None
        """SHA-256 of the bytes that were read before reading stopped; set by whoever read them."""


class ObjectUnavailable(Reject):
    """The object does not exist, is a directory, or may not be read with these credentials."""

    code = "object_unavailable"


class BadPayload(Reject):
    """A payload field is missing or has the wrong type; `field`, `expected` and `got` say which and how, the last in `words`
    where its type and value do not tell.
    """

    code = "bad_payload"

    def __init__(
        self,
        field: str,
        expected: str,
        got: Any,
        *,
        words: str | None = None,
        code: str | None = None,
        remedy: str | None = None,
    ) -> None:
        described = words or _show(got)
        super().__init__(f"payload field {field!r}: expected {expected}, got {described}", code=code, remedy=remedy, field=field)
        self.field = field
        self.expected = expected
        self.got = got


_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 100


def _show(value: Any) -> str:
    """Type and value, however long or deep it is: Python refuses to print an integer of more than 4,300 digits."""
    if value is None:
        return "nothing"
    try:
        return f"{type(value).__name__} {_short.repr(value)}"[:120]
    except ValueError:
        return type(value).__name__


class VectorEmbeddingError(BadPayload):
    """A vector cannot be computed: the payload's shape or the dimension is wrong; `field` names the offending key."""

    code = "bad_vector_input"


class SchemaDrift(Reject):
    """A stored table differs from what this version writes; names table, column and the command that migrates it."""

    code = "schema_drift"


class Retry(InspectorError):
    """A passing condition; the platform should deliver the event again."""

    verdict = Verdict.RETRY
    code = "retry"


class ObjectChanged(Retry):
    """The object's ETag changed while it was being read, repeatedly."""

    code = "object_changed"


class StorageUnavailable(Retry):
    """The object store did not answer in time, or answered that it is busy."""

    code = "storage_unavailable"


class VASTDatabaseError(Retry):
    """The database did not answer, is busy, or every bounded attempt ended in a conflict."""

    code = "database_unavailable"


class CommitUnknown(VASTDatabaseError):
    """The commit's answer was lost, and reading back did not settle whether it took effect."""

    code = "commit_unknown"
