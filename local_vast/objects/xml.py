"""The little XML that S3 speaks: building answers, reading the two request documents."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import UTC, datetime

from .errors import S3Error

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_SPECIAL = re.compile('[&<>"\x00-\x1f\x7f\ufffe\uffff]')


def text(name: str, value: object) -> str:
    """One element with text. Control characters become references, as S3 sends them (clients avoid them by encoding-type=url)."""
    return f"<{name}>{_SPECIAL.sub(_reference, str(value))}</{name}>"


def _reference(special: re.Match[str]) -> str:
    return f"&#x{ord(special[0]):x};"


def element(name: str, *content: str) -> str:
    """One element around ready-made content."""
    return f"<{name}>{''.join(content)}</{name}>"


def document(root: str, *content: str) -> bytes:
    """A whole answer in S3's namespace."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">{"".join(content)}</{root}>'.encode()


def error_document(code: str, message: str, resource: str, request_id: str) -> bytes:
    """An error as S3 tells it (errors have no namespace). RequestId is needed by the ADBC driver, which shares the endpoint."""
    fields = (text("Code", code), text("Message", message), text("Resource", resource), text("RequestId", request_id))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{element("Error", *fields)}'.encode()


def iso(mtime_ns: int) -> str:
    """A time stamp as listings show it: whole seconds, like the Last-Modified header, so that the two compare equal."""
    return datetime.fromtimestamp(mtime_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@dataclass(frozen=True, slots=True)
class PartRef:
    """One line of a CompleteMultipartUpload document."""

    number: int
    etag: str


def read_delete(body: bytes) -> tuple[list[str], bool]:
    """Keys and the quiet flag of a Delete document. Raises MalformedXML; versions are not kept, so VersionId is refused."""
    root = _root(body, "Delete")
    keys = []
    for item in root.iter("Object"):
        if item.findtext("VersionId"):
            raise S3Error("NotImplemented", "local_vast does not implement VersionId in DeleteObjects")
        keys.append(_require(item, "Key"))
    if not 0 < len(keys) <= 1000:
        raise S3Error("MalformedXML", f"A Delete document names 1 to 1000 objects, this one names {len(keys)}")
    return keys, (root.findtext("Quiet") or "").strip().lower() == "true"


def read_complete(body: bytes) -> list[PartRef]:
    """The parts of a CompleteMultipartUpload document, in its order. Raises MalformedXML."""
    parts = []
    for item in _root(body, "CompleteMultipartUpload").iter("Part"):
        number = _require(item, "PartNumber").strip()
        if not number.isascii() or not number.isdigit():
            raise S3Error("MalformedXML", f"PartNumber {number!r} is not a number")
        parts.append(PartRef(int(number), _require(item, "ETag").strip().strip('"')))
    if not parts:
        raise S3Error("MalformedXML", "A CompleteMultipartUpload document names at least one part")
    return parts


def _root(body: bytes, name: str) -> ET.Element:
    try:
        root = ET.fromstring(body)  # noqa: S314  (expat limits entity expansion; the body is limited by the caller)
    except ET.ParseError as error:
        raise S3Error("MalformedXML", f"The body is not a {name} document: {error}") from error
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    if root.tag != name:
        raise S3Error("MalformedXML", f"Expected a {name} document, got {root.tag}")
    return root


def _require(item: ET.Element, name: str) -> str:
    value = item.findtext(name)
    if not value:
        raise S3Error("MalformedXML", f"{item.tag} without {name}")
    return value
