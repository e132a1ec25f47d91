"""Literal payloads for the tests of rows and persistence: small, complete, and easy to vary."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from typing import Any

PATH = "s3://renders/shows/apollo/seq/ab/shots/ab_0010/beauty.1001.exr"
MTIME = "2026-01-31T12:00:00.000000Z"


def channel(name: str, kind: str = "HALF", part: int = 0) -> dict[str, Any]:
    """One entry of `channels`."""
    layer, _, component = name.rpartition(".")
    return {
        "part_index": part,
        "name": name,
        "layer_name": layer,
        "component_name": component,
        "type": kind,
        "x_sampling": 1,
        "y_sampling": 1,
        "p_linear": False,
    }


def window(width: int, height: int) -> dict[str, Any]:
    """A window that starts at the origin, inclusive."""
    return {"min": {"x": 0, "y": 0}, "max": {"x": width - 1, "y": height - 1}}


def part(index: int = 0, **changes: Any) -> dict[str, Any]:
    """One entry of `parts`."""
    return {
        "index": index,
        "name": None,
        "view": None,
        "type": "scanlineimage",
        "data_window": window(1920, 1080),
        "display_window": window(1920, 1080),
        "width": 1920,
        "height": 1080,
        "data_x_offset": 0,
        "data_y_offset": 0,
        "display_width": 1920,
        "display_height": 1080,
        "pixel_aspect_ratio": 1.0,
        "line_order": "increasing_y",
        "compression": "zip",
        "is_deep": False,
        "is_tiled": False,
        "tile_width": None,
        "tile_height": None,
        "tile_level_mode": None,
        "tile_rounding_mode": None,
        "chunk_count": 68,
        "color_space": "ACEScg",
        "chromaticities": None,
        "render_software": "Renderer 7.2.1",
    } | changes


ATTRIBUTES = [
    {"name": "owner", "type": "string", "size": 5, "value": "ayşe"},
    {"name": "renderTime", "type": "float", "size": 4, "value": 12.5},
    {"name": "samples", "type": "int", "size": 4, "value": 64},
    {"name": "exposure", "type": "float", "size": 4, "value": "NaN"},
    {"name": "worldToCamera", "type": "m33f", "size": 36, "value": [1, 0, 0, 0, 1, 0, 0, 0, 1]},
    {"name": "vendorBlob", "type": "acmeBlob", "size": 2, "value": None, "raw_base64": "AAE="},
    {"name": "owner", "type": "string", "size": 4, "value": "twin"},
]


def payload(path: str = PATH, *, header: str = "v1", mtime: str | None = MTIME, **file: Any) -> dict[str, Any]:
    """A payload of one part, seven channels and seven attributes; `header` names the version, `file` overrides `file` keys."""
    return {
        "schema_version": 1,
        "inspector_version": "1.0.0",
        "file": {
            "path": path,
            "bucket": None,
            "object_key": None,
            "path_normalized": path,
            "size_bytes": 1_000_000,
            "mtime": mtime,
            "etag": f"etag-{header}",
            "frame_number": 1001,
            "sequence_key": path.replace("1001", "####"),
            "header_bytes": 1234,
            "header_hash": hashlib.sha256(header.encode()).hexdigest(),
            "multipart_count": 1,
            "is_deep": False,
            "is_tiled": False,
            "status": "ok",
            "completeness": {"verdict": "complete", "chunks_expected": 68, "chunks_present": 68, "bytes_missing": 0},
        }
        | file,
        "parts": [part()],
        "channels": [channel(name) for name in ("R", "G", "B", "A", "diffuse.R", "N.X")] + [channel("Z", "FLOAT")],
        "attributes": {"parts": [copy.deepcopy(ATTRIBUTES)]},
        "stats": {},
        "validation": {},
        "errors": [],
        "persistence": {},
        "timings_ms": {"read": 1.5},
    }


def bytes_named(file: Mapping[str, Any]) -> str:
    """A name for the bytes that a payload's `file`, or a row of `files`, describes."""
    return f"{file['etag']} of {file['size_bytes']} bytes"


def measured(document: dict[str, Any], *, stats: bool = True, policy: str | None = "strict") -> dict[str, Any]:
    """The payload with statistics, and with findings of a policy, whose rows name the bytes that they describe.

    The policy `strict` reports no passes, and passes every render of an even number of bytes.
    """
    name = bytes_named(document["file"])
    rows = [{"part_index": 0, "channel_name": channel, "pixel_count": 4, "sample_hash": name} for channel in ("R", "Z")]
    fails = policy == "strict" and document["file"]["size_bytes"] % 2
    result = {"policy_id": policy, "rule_id": "rule", "status": "FAIL" if fails else "PASS", "message": name}
    results = [result] if fails or policy != "strict" else []
    return document | {
        "stats": {"mode": "full", "channels": rows} if stats else {},
        "validation": {"policy_id": policy, "status": result["status"], "results": results} if policy else {},
    }


def complete_payload(path: str) -> dict[str, Any]:
    """A payload with rows for every table."""
    return payload(path) | {
        "stats": {"channels": [{"part_index": 0, "channel_name": "R", "min": 0.0, "max": 1.0, "mean": 0.5}]},
        "validation": {"results": [{"rule_id": "naming", "severity": "error", "status": "PASS", "message": "as it should be"}]},
    }


def unreadable(path: str = PATH, **file: Any) -> dict[str, Any]:
    """The payload of a file that is no EXR."""
    return payload(path) | {
        "file": payload(path)["file"]
        | {"status": "unreadable", "header_hash": None, "header_bytes": None, "completeness": None, "multipart_count": 0}
        | file,
        "parts": [],
        "channels": [],
        "attributes": {"parts": []},
        "errors": [{"code": "not_exr", "message": "the magic number is missing", "offset": 0}],
    }
