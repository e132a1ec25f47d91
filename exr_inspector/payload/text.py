"""A payload for people: JSON laid out to be read, and one line per file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from exr_inspector.terminal import escape_controls, on_one_line

WIDTH = 150


def pretty(payload: Any, width: int = WIDTH) -> str:
    """JSON in which what fits on a line of `width` columns stands on one line, and longer lists of plain values fill lines.

    Control characters are escaped, whatever a file has in its texts.

    >>> print(pretty({"window": {"x": 0, "y": 0}, "names": ["a", "b"]}, 30))
    {
      "window": {"x": 0, "y": 0},
      "names": ["a", "b"]
    }
    """
    return escape_controls("".join(_lay_out(payload, 0, 0, width)))


def _lay_out(value: Any, indent: int, used: int, width: int) -> Iterator[str]:
    """The text of a value that begins `used` columns into its line, in an enclosing indentation of `indent`."""
    line = json.dumps(value, ensure_ascii=False)
    # One more column for the comma. The outermost object is always opened, so that its sections stand one below the other.
    if not isinstance(value, dict | list) or not value or (indent and used + len(line) < width):
        yield line
        return
    if isinstance(value, list) and not any(isinstance(entry, dict | list) for entry in value):
        yield _fill_lines([json.dumps(entry, ensure_ascii=False) for entry in value], indent, width)
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    pad = " " * (indent + 2)
    keys = [json.dumps(key, ensure_ascii=False) + ": " for key in value] if isinstance(value, dict) else [""] * len(value)
    yield opening + "\n"
    for number, (key, entry) in enumerate(zip(keys, value.values() if isinstance(value, dict) else value, strict=True)):
        yield (",\n" if number else "") + pad + key
        yield from _lay_out(entry, indent + 2, indent + 2 + len(key), width)
    yield "\n" + " " * indent + closing


def _fill_lines(entries: list[str], indent: int, width: int) -> str:
    """A list of plain values, as many on a line as fit."""
    pad = "\n" + " " * (indent + 2)
    lines, used = [""], 0
    for number, entry in enumerate(entries):
        entry += "," if number < len(entries) - 1 else ""
        if used and indent + 2 + used + 1 + len(entry) > width:
            lines.append("")
            used = 0
        lines[-1] += (" " if used else "") + entry
        used = len(lines[-1])
    return "[" + "".join(pad + line for line in lines) + "\n" + " " * indent + "]"


def summary_line(payload: dict[str, Any]) -> str:
    """One line about a file: status, path, picture, channels, origin, size, and what is wrong with it.

    An answer that is not a payload (`skipped`, `rejected`) has its status and its first error.
    """
    if "file" not in payload:
        errors = payload.get("errors") or [{}]
        return "  ".join(on_one_line(str(word)) for word in (payload.get("status"), errors[0].get("message")) if word)
    file = payload["file"]
    words = [file["status"], file["path"], *_pictures(payload), *_origin(payload), *_size(file), *_faults(payload)]
    return "  ".join(on_one_line(word) for word in words if word)


def _pictures(payload: dict[str, Any]) -> Iterator[str]:
    parts = payload["parts"]
    if not parts:
        return
    first = parts[0]
    yield f"{first['width']}x{first['height']}{_offset(first)}"
    if first["data_window"] != first["display_window"] and first["display_width"] is not None:
        yield f"of {first['display_width']}x{first['display_height']}"
    yield _join_distinct(part["compression"] or "no compression" for part in parts)
    yield _join_distinct(str(part["type"] or "untyped").removesuffix("image") for part in parts)
    if len(parts) > 1:
        yield f"{len(parts)} parts"
    channels = payload["channels"]
    layers = sum(len(part["layers"]) for part in parts)
    types = _join_distinct(channel["type"].lower() for channel in channels)
    yield f"{len(channels)} {types} in {layers} {'layer' if layers == 1 else 'layers'}"


def _offset(part: dict[str, Any]) -> str:
    x, y = part["data_x_offset"], part["data_y_offset"]
    return f"{x:+d}{y:+d}" if x or y else ""


def _join_distinct(words: Any) -> str:
    """The distinct words in order of appearance, at most four of them."""
    distinct = list(dict.fromkeys(words))
    return "/".join(distinct[:4]) + ("/..." if len(distinct) > 4 else "")


def _origin(payload: dict[str, Any]) -> Iterator[str]:
    for part in payload["parts"][:1]:
        yield part["color_space"] or ""
        yield " ".join(filter(None, (part["render_product"], part["render_software_version"]))) or part["render_software"] or ""
        if part["render_seconds"] is not None:
            yield f"{part['render_seconds']:.1f} s"
        yield part["timecode"] or ""


def _size(file: dict[str, Any]) -> Iterator[str]:
    if file["size_bytes"] is not None:
        yield f"{file['size_bytes']:,} bytes"


def _faults(payload: dict[str, Any]) -> Iterator[str]:
    completeness = payload["file"]["completeness"]
    if completeness and completeness["verdict"] != "complete":
        present, expected = (
            "?" if completeness[key] is None else completeness[key] for key in ("chunks_present", "chunks_expected")
        )
        yield f"{completeness['verdict']}: {present} of {expected} chunks"
    for kind in ("errors", "warnings"):
        if entries := payload[kind]:
            more = f" (+{len(entries) - 1})" if len(entries) > 1 else ""
            yield f"{kind[:-1]} {entries[0]['code']}{more}"
