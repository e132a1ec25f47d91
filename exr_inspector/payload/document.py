"""Facts -> the published JSON payload. Its vocabulary is defined here and in docs/payload.schema.json.

Words: a *part* is one image of a file; a *view* is the eye or camera that a part or layer belongs to; a *channel* is one plane
of samples; a *layer* is the channels that share the text before the last dot of their names; a *chunk* is what the offset table
counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from exr_inspector import __version__
from exr_inspector.errors import BadHeader, InspectorError
from exr_inspector.exr.attributes import Attribute, base64_text, channel_value
from exr_inspector.exr.completeness import Completeness, Profile
from exr_inspector.exr.contradictions import contradictions
from exr_inspector.exr.cryptomatte import cryptomattes, ranks_of_file
from exr_inspector.exr.header import Finding, Findings, Header, Part, Severity, quote
from exr_inspector.exr.layout import Layout, Window
from exr_inspector.exr.limits import LARGE_VALUE, LARGEST_INTEGER, CryptomatteBudget
from exr_inspector.payload import aovs, names, production

SCHEMA_VERSION = 1
INSPECTOR_VERSION = __version__

STATUS_OF = {
    "complete": "ok", "incomplete": "incomplete", "truncated": "incomplete", "damaged": "incomplete", "unknown": "unreadable",
}  # fmt: skip
# Findings after which other readers refuse the file, although its chunks can be counted.
HEADER_DAMAGE = frozenset({"attribute_size_impossible", "channel_list_damaged"})
PIXEL_DAMAGE = frozenset({"chunk_not_decodable", "decoder_crashed"})
"""Findings of pixel statistics after which other readers show a chunk wrong, or not at all."""
# Names of layers that one message lists.
SHOWN_LAYERS = 4
EMPTY_HASH = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of the object from outside: its address, size in bytes, modification time (with a zone) and ETag."""

    path: str
    bucket: str | None = None
    object_key: str | None = None
    size_bytes: int | None = None
    mtime: datetime | None = None
    etag: str | None = None


def normalize_path(path: str) -> str:
    """POSIX separators, no duplicate slashes or dot segments, Unicode NFC, case kept; idempotent."""
    return names.normalize_path(path)


def describe(facts: FileFacts, header: Header, completeness: Completeness) -> dict[str, Any]:
    """The payload of a file whose header was read; `stats`, `validation` and `persistence` are empty."""
    findings = Findings()
    findings.add_kept(header.all_findings)
    findings.add_all(contradictions(header))
    findings.add_all(completeness.findings)
    mattes = _cryptomattes(header, findings)
    words = _read_names(header, mattes, findings)
    parts = _parts(header, completeness, mattes, words, findings)
    payload = _frame(facts, parts)
    payload["file"] |= {
        "header_bytes": header.header_bytes,
        "header_hash": header.header_hash,
        "multipart_count": len(parts),
        "is_deep": any(part["is_deep"] for part in parts),
        "is_tiled": any(part["is_tiled"] for part in parts),
        "status": "unreadable" if HEADER_DAMAGE & findings.codes else STATUS_OF[completeness.verdict],
        "completeness": completeness.as_dict(),
    }
    large = _drop_large_numbers([payload["file"]["completeness"]], "the file's ", None, header.header_bytes)
    findings.add_all([*large, *_compare_frames(payload["file"]["frame_number"], parts)])
    payload["parts"] = parts
    payload["channels"] = [
        entry for part, own in zip(header.parts, words, strict=True) for entry in aovs.channel_entries(part, own.channels)
    ]
    payload["attributes"] = {"parts": [[_attribute(one, part) for one in part.attributes] for part in header.parts]}
    payload["errors"] = _entries(findings, "error")
    payload["warnings"] = _entries(findings, "warning")
    return payload


def describe_unreadable(facts: FileFacts, error: InspectorError) -> dict[str, Any]:
    """The payload of a file whose header cannot be read: status `unreadable`, the reason in `errors`.

    `header_hash` is the SHA-256 of the bytes that could be read, or of none.
    """
    payload = _frame(facts, [])
    digest = error.header_hash if isinstance(error, BadHeader) else None
    payload["file"] |= {"header_hash": digest or EMPTY_HASH, "status": "unreadable"}
    payload["errors"] = [error.as_dict()]
    return payload


def add_statistics(payload: dict[str, Any], stats: dict[str, Any]) -> None:
    """Put pixel statistics into a payload. Chunks that do not decode are errors, and a file that was `ok` is `damaged`.

    Then they come first: the first error of a file is why it has its status.
    """
    payload["stats"] = stats
    damage = [finding for finding in stats.get("findings", []) if finding["code"] in PIXEL_DAMAGE]
    if damage and payload["file"]["status"] == "ok":
        payload["file"]["status"] = "damaged"
        payload["errors"] = [*damage, *payload["errors"]]
    else:
        payload["errors"] = [*payload["errors"], *damage]


def _frame(facts: FileFacts, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """All keys of a payload, filled with what is known without the header."""
    path = normalize_path(facts.path)
    is_texture = any(part["tile_level_mode"] in ("mipmap_levels", "ripmap_levels") for part in parts)
    name = names.parse_name(path, is_texture=is_texture)
    return {
        "schema_version": SCHEMA_VERSION,
        "inspector_version": INSPECTOR_VERSION,
        "file": {
            "path": names.displayable(facts.path),
            "bucket": facts.bucket and names.displayable(facts.bucket),
            "object_key": facts.object_key and names.displayable(facts.object_key),
            "path_normalized": path,
            "size_bytes": facts.size_bytes,
            "mtime": _timestamp(facts.mtime),
            "etag": facts.etag,
            "frame_number": name.frame_number,
            "sequence_key": name.sequence_key,
            "version_token": name.version_token,
            "udim": name.udim,
            "header_bytes": 0,
            "header_hash": EMPTY_HASH,
            "multipart_count": 0,
            "is_deep": False,
            "is_tiled": False,
            "status": "unreadable",
            "completeness": None,
        },
        "parts": [],
        "channels": [],
        "attributes": {"parts": []},
        "stats": {},
        "validation": {},
        "errors": [],
        "warnings": [],
        "persistence": {},
        "timings_ms": {},
    }


def _timestamp(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with microseconds."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Cryptomattes = Sequence[Sequence[dict[str, Any]]]


def _cryptomattes(header: Header, findings: Findings) -> Cryptomattes:
    """What each part declares of cryptomattes."""
    budget, elsewhere = CryptomatteBudget(), ranks_of_file(header)
    declared = []
    for part in header.parts:
        entries, faults = cryptomattes(part, budget, elsewhere)
        findings.add_all(faults)
        declared.append(entries)
    return declared


def _read_names(header: Header, mattes: Cryptomattes, findings: Findings) -> Sequence[aovs.PartWords]:
    """What the names of channels say; a finding for cryptomatte layers that nothing can be selected from."""
    names = frozenset([entry["name"] for entries in mattes for entry in entries if entry["name"]])
    attributes = (name for part in header.parts for name in part.first)
    words = aovs.read_parts(aovs.names_of(header), names, attributes)
    for part, own in zip(header.parts, words, strict=True):
        if undeclared := aovs.undeclared_cryptomattes(own.layers, names):
            shown = ", ".join(map(quote, undeclared[:SHOWN_LAYERS])) + (", ..." if len(undeclared) > SHOWN_LAYERS else "")
            message = f"part {part.index}: no metadata for the cryptomatte layers {shown}, from which nothing can be selected"
            findings.add(Finding("warning", "cryptomatte_without_metadata", message, part.index, offset=part.offset))
    return words


def _parts(
    header: Header,
    completeness: Completeness,
    mattes: Cryptomattes,
    words: Sequence[aovs.PartWords],
    findings: Findings,
) -> list[dict[str, Any]]:
    """The entries of `parts`; what is found on the way is added to `findings`."""
    profiles = {profile.part: profile for profile in completeness.profiles}
    parts = []
    for part, cryptomatte, own in zip(header.parts, mattes, words, strict=True):
        entry = _part(part, profiles.get(part.index), cryptomatte, aovs.layer_entries(part, own.layers))
        numbers = [entry, *(layer for layer in entry["layers"] if (layer["logical_bytes"] or 0) > LARGEST_INTEGER)]
        findings.add_all(_drop_large_numbers(numbers, f"part {part.index}: ", part.index, part.offset))
        parts.append(entry)
    return parts


def _compare_frames(named: int | None, parts: list[dict[str, Any]]) -> list[Finding]:
    """A warning for the first part whose header counts another frame than the file name says."""
    other = next((part for part in parts if named is not None and part["header_frame"] not in (None, named)), None)
    if other is None:
        return []
    message = f"part {other['index']}: the header says frame {other['header_frame']}, the file name {named}"
    return [Finding("warning", "frame_number_contradicts_name", message, other["index"])]


def _drop_large_numbers(entries: list[dict[str, Any]], place: str, part: int | None, offset: int) -> list[Finding]:
    """Replace integers that no column holds by null; a finding for each."""
    findings = []
    for entry in entries:
        large = [item for item in entry.items() if type(item[1]) is int and not -LARGEST_INTEGER <= item[1] <= LARGEST_INTEGER]
        for key, value in large:
            entry[key] = None
            message = f"{place}{key} is {value}, more than 63 bits hold, and is left out"
            findings.append(Finding("warning", "number_too_large", message, part, offset=offset))
    return findings


def _part(
    part: Part, profile: Profile | None, cryptomatte: Sequence[dict[str, Any]], layers: list[dict[str, Any]]
) -> dict[str, Any]:
    """One entry of `parts`."""
    stated = part.stated
    tiles = stated["tiles"] or {}
    sizes = [layer["logical_bytes"] for layer in layers]
    return {
        "index": part.index,
        "name": stated["name"],
        "view": stated["view"],
        "type": part.kind or None,
        **_windows(part.data_window, part.display_window),
        "pixel_aspect_ratio": stated["pixelAspectRatio"],
        "line_order": stated["lineOrder"],
        "compression": stated["compression"],
        "is_deep": part.is_deep,
        "is_tiled": part.is_tiled,
        "tile_width": tiles.get("x_size"),
        "tile_height": tiles.get("y_size"),
        "tile_level_mode": tiles.get("level_mode"),
        "tile_rounding_mode": tiles.get("rounding_mode"),
        "chunk_count": _chunk_count(part, stated["chunkCount"]),
        **production.fields(part),
        "cryptomatte": list(cryptomatte),
        "layers": layers,
        "logical_bytes": None if None in sizes else sum(sizes),
        "chunk_profile": profile.as_dict() if profile else None,
    }


def _chunk_count(part: Part, stated: int | None) -> int | None:
    """What `chunkCount` says; single parts need not have it, and theirs follows from windows, compression and tiles."""
    if stated is not None:
        return stated
    return part.layout.chunks if isinstance(part.layout, Layout) else None


def _windows(data: Window | None, display: Window | None) -> dict[str, Any]:
    """The windows and the integers derived from them; offsets are those of the data window's corner from the display window's."""
    both = data is not None and display is not None
    return {
        "data_window": data.as_dict() if data else None,
        "display_window": display.as_dict() if display else None,
        "width": data.width if data else None,
        "height": data.height if data else None,
        "data_x_offset": data.x_min - display.x_min if both and data and display else None,
        "data_y_offset": data.y_min - display.y_min if both and data and display else None,
        "display_width": display.width if display else None,
        "display_height": display.height if display else None,
    }


def _attribute(attribute: Attribute, part: Part) -> dict[str, Any]:
    name, kind, size, _, value, _, faithful, raw_name, _ = attribute
    entry: dict[str, Any] = {"name": name, "type": kind, "size": size, "value": value}
    if faithful and raw_name is None and kind != "chlist":
        return entry
    if attribute.type == "chlist" and attribute is part.first.get("channels") and attribute.size <= LARGE_VALUE:
        entry["value"] = [channel_value(channel) for channel in part.channels]
    if not attribute.faithful and not attribute.shortened and attribute.size <= LARGE_VALUE:
        entry["raw_base64"] = base64_text(attribute.raw)
    if attribute.raw_name is not None:
        entry["name_base64"], entry["type_base64"] = map(base64_text, attribute.raw_name)
    return entry


def _entries(findings: Findings, severity: Severity) -> list[dict[str, Any]]:
    """The findings of one severity that are kept, and then one that says how many more there are."""
    if not findings.count[severity]:
        return []
    entries = [finding.as_dict() for finding in findings.of(severity)]
    if more := findings.count[severity] - len(entries):
        message = f"{more} more {severity}s are not listed"
        entries.append({"code": "entries_omitted", "message": message, "omitted": more})
    return entries
