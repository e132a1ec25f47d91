"""In which facts two payloads differ, as a block of the vector sees them: what explains a distance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from exr_inspector.catalogue.units import quantity
from exr_inspector.embedding.attributes import setup_attributes
from exr_inspector.embedding.facts import read_attributes, read_parts

_PART_FIELDS = {
    "compression": ("compression",),
    "format": ("display_width", "display_height", "pixel_aspect_ratio"),
    "window": ("width", "height", "data_x_offset", "data_y_offset"),
    "storage": ("type", "tile_width", "tile_height", "line_order"),
    "parts": ("name", "view"),
}


def differences(block: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What a block of the vector sees in `one` payload alone, and in the `other` alone, in words."""
    mine, theirs = dict(_facts(block, one)), dict(_facts(block, other))
    texts = _without(mine, theirs), _without(theirs, mine)
    return (_name_alone(texts[0], other), _name_alone(texts[1], one)) if block == "values" else texts


def _name_alone(texts: Iterable[str], absent_from: Mapping[str, Any]) -> list[str]:
    """An attribute that the other payload lacks by its name: its value is not what differs."""
    entries = (entry for part in (absent_from.get("attributes") or {}).get("parts", []) for entry in part)
    there = {entry["name"] for entry in entries}
    return [text if (name := text.partition(" = ")[0]) in there else name for text in texts]


def _without(facts: Mapping[Any, str], others: Mapping[Any, str]) -> list[str]:
    return sorted({text for key, text in facts.items() if key not in others})


def _facts(block: str, payload: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """(key, text) of each fact: facts that the block does not tell apart have the same key, however the file spells them."""
    if block in ("attrs", "values"):
        yield from _attribute_facts(block, payload)
        return
    if block == "source":
        yield from _source_facts(payload)
        return
    for text in _texts(block, payload):
        yield text, text


def _attribute_facts(block: str, payload: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    for entries in (payload.get("attributes") or {}).get("parts", []):
        for entry in entries:
            named, valued = setup_attributes(read_attributes([[entry]]))
            if block == "attrs":
                yield from ((tokens, entry["name"]) for tokens in named)
            else:
                yield from ((tokens, f"{entry['name']} = {_value(entry)}"[:80]) for tokens in valued)


def _value(entry: Mapping[str, Any]) -> Any:
    return '""' if entry.get("value") == "" else entry.get("value")


def _source_facts(payload: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    entries = payload.get("parts") or []
    for entry, part in zip(entries, read_parts(list(entries)), strict=True):
        if part.color_space:
            yield ("color_space", part.color_space), f"color_space {entry.get('color_space')}"
        if part.product:
            written = b" ".join(filter(None, (part.product, part.version))).decode("utf-8", "replace")
            yield ("render_product", part.product, part.version), f"render_product {written}"


def _texts(block: str, payload: Mapping[str, Any]) -> Iterator[str]:
    if block in ("names", "types"):
        for channel in payload.get("channels") or []:
            yield channel["name"] if block == "names" else f"{channel['name']} {channel['type']}"
    else:
        if block == "storage":
            yield quantity(len(payload.get("parts") or []), "part")
        for part in payload.get("parts") or []:
            yield from (f"{field} {part.get(field)}" for field in _PART_FIELDS[block] if part.get(field) is not None)
