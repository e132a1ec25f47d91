"""A payload for people: JSON laid out to be read, and one line per file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from exr_inspector.payload.aov_words import DATA_ROLES
from exr_inspector.terminal import escape_controls, on_one_line

WIDTH = 150
SHOWN_FAULTS = 4
"""Counts of bad samples that a line has; a broken AOV can have them in all of its channels."""


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
    """One line about a file: status, path, picture, channels, origin, size, what its pixels hold, and what is wrong with it.

    An answer that is not a payload (`skipped`, `rejected`) has its status and its first error.
    """
    if "file" not in payload:
        errors = payload.get("errors") or [{}]
        return "  ".join(on_one_line(str(word)) for word in (payload.get("status"), errors[0].get("message")) if word)
    file = payload["file"]
    words = [file["status"], file["path"], *_pictures(payload), *_origin(payload), *_size(file)]
    words += [*_pixels(payload), *_faults(payload)]
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


def _pixels(payload: dict[str, Any]) -> Iterator[str]:
    """What statistics found: chunks that do not decode, a black or constant picture, bad samples by channel.

    Where pixels were read and nothing is wrong, that is said as well; where none were read, nothing is.
    """
    if not (stats := payload["stats"]):
        return
    damaged, chunks = (sum(part[key] for part in stats["parts"]) for key in ("chunks_damaged", "chunks"))
    if damaged:
        yield f"{damaged:,} of {chunks:,} chunks {'does' if damaged == 1 else 'do'} not decode"
    if any("skipped" in part for part in stats["parts"]):
        yield "deep pixels not read"
    measured = [row for row in stats["channels"] if row["pixel_count"]]
    if not measured:
        return
    yield from _flat_pictures(payload["channels"], measured)
    faults = list(_bad_samples(payload["channels"], measured, several=len(stats["parts"]) > 1))
    yield from faults[:SHOWN_FAULTS]
    if len(faults) > SHOWN_FAULTS:
        yield f"(+{len(faults) - SHOWN_FAULTS})"
    if not faults:
        is_whole = not (stats["is_sampled"] or stats["is_partial"])
        yield "no NaN, Infinity or negative colour" + ("" if is_whole else " in the pixels that were read")


def _bad_samples(channels: list[dict[str, Any]], rows: list[dict[str, Any]], *, several: bool) -> Iterator[str]:
    """`8 NaN in R, first at x 4, y 3` for each channel that has some; with its part where there are several."""
    roles = {(channel["part_index"], channel["name"]): channel["role"] for channel in channels}
    for row in rows:
        place = f"{row['channel_name']} of part {row['part_index']}" if several else row["channel_name"]
        if row["nan_count"]:
            at = "" if row["first_nan_x"] is None else f", first at x {row['first_nan_x']}, y {row['first_nan_y']}"
            yield f"{row['nan_count']:,} NaN in {place}{at}"
        if infinite := row["pos_inf_count"] + row["neg_inf_count"]:
            yield f"{infinite:,} Infinity in {place}"
        role = roles.get((row["part_index"], row["channel_name"]))
        if row["negative_count"] and role not in (None, "spectral", *DATA_ROLES):
            yield f"{row['negative_count']:,} negative in {place}"


def _flat_pictures(channels: list[dict[str, Any]], rows: list[dict[str, Any]]) -> Iterator[str]:
    """`black` or `constant`, for each layer of the beauty; where a file has no beauty, for all of its channels together.

    A light that is off leaves its own layer black in every frame, so other layers are not told.
    """
    figures = {(row["part_index"], row["channel_name"]): row for row in rows}
    layers: dict[tuple[int, str], list[dict[str, Any] | None]] = {}
    beauty = [channel for channel in channels if channel["role"] == "beauty"]
    for channel in beauty or channels:
        layer = (channel["part_index"], channel["layer_name"] or "") if beauty else (0, "")
        layers.setdefault(layer, []).append(figures.get((channel["part_index"], channel["name"])))
    for (_, name), of_layer in layers.items():
        if all(row and row["is_constant"] and row["finite_count"] for row in of_layer):
            kind = "black" if all(row and row["min_value"] == row["max_value"] == 0 for row in of_layer) else "constant"
            yield f"{kind} picture" + (f" in {name}" if name else "")
