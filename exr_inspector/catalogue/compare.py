"""What differs between two sets of files: two frames, two versions of a sequence, two shots. Payloads in, differences out.

Files are paired by layer and frame, parts of two files by name. A difference that is the same in many frames and layers is one
difference; what all pairs have in common is said once. Files that cannot be read are named, and not compared.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from exr_inspector.catalogue import places, units

Payload = Mapping[str, Any]
VERSION = re.compile(r"(?<![A-Za-z0-9])v\d+(?![A-Za-z0-9])", re.IGNORECASE)
PART_FACTS = {
    "type": "type", "compression": "compression", "color_space": "colour space", "render_software": "renderer",
    "pixel_aspect_ratio": "pixel aspect ratio", "line_order": "line order", "view": "view", "tile_width": "tile width",
    "tile_height": "tile height", "fps": "frames per second", "host": "host", "timecode": "timecode",
}  # fmt: skip
"""Field of a part -> what it is called."""
MEASURES = {"render_seconds": "render time", "peak_memory_mb": "peak memory"}
"""Field of a part that is added up, or averaged, over the pairs -> what it is called."""
STRUCTURAL = frozenset({
    "channels", "compression", "dataWindow", "displayWindow", "lineOrder", "pixelAspectRatio", "type", "tiles", "chunkCount",
    "name", "view", "version",
})  # fmt: skip
"""Attributes that the other facts say already."""
LONGEST_VALUE = 60
ABSENT = "none"
SEVERAL = 3
"""Pairs of values of one fact that are listed one by one."""
UNREADABLE = "unreadable"
OF_PART = " of part "


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two sets: what it was called, and its files."""

    name: str
    payloads: tuple[Payload, ...]


@dataclass(slots=True)
class Difference:
    """What differs, with the value of each side, in these frames of these layers; `""` is a file without a frame or a layer."""

    what: str
    a: str
    b: str
    frames: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    count: int = 0
    """Pairs of files in which it is so."""
    varies: bool = False
    """Whether the values are those of one pair among many that differ in their own ways."""


@dataclass(slots=True)
class Comparison:
    """What two sets have in common, and what not."""

    a: Side
    b: Side
    pairs: int
    frames: tuple[int, ...]
    """The frames of the pairs; none where a pair has none, or another one on each side."""
    common: dict[str, str]
    differences: list[Difference]
    unreadable: tuple[list[str], list[str]]
    """Files of either side that cannot be read, and so are not compared."""

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences and self.unreadable[0] == self.unreadable[1]


def compare(a: Side, b: Side) -> Comparison:
    """Pair the files of both sides and tell what differs."""
    layers_a, layers_b = _readable_layers(a), _readable_layers(b)
    if len(layers_a) == len(layers_b) == 1:
        layers_b = {next(iter(layers_a)): next(iter(layers_b.values()))}
    differences = list(_of_layers(layers_a, layers_b))
    pairs = [
        Pair(layer, frame, layers_a[layer][frame], layers_b[layer][other])
        for layer in layers_a
        if layer in layers_b
        for frame, other in _pair_frames(layers_a[layer], layers_b[layer])
        if not (_is_unreadable(layers_a[layer][frame]) or _is_unreadable(layers_b[layer][other]))
    ]
    common, of_facts = _of_facts(pairs)
    found = [*differences, *of_facts, *_of_measures(pairs)]
    return Comparison(a, b, len(pairs), _common_frames(pairs), common, found, (_unreadable_files(a), _unreadable_files(b)))


def _is_unreadable(payload: Payload) -> bool:
    return bool(payload["file"]["status"] == UNREADABLE)


def _readable_layers(side: Side) -> dict[str, dict[int | None, Payload]]:
    """The layers of which at least one file can be read: what merely ends in .exr is no layer."""
    layers = layers_of(side.payloads)
    return {layer: files for layer, files in layers.items() if not all(map(_is_unreadable, files.values()))}


def _unreadable_files(side: Side) -> list[str]:
    paths = sorted(payload["file"]["path_normalized"] for payload in side.payloads if _is_unreadable(payload))
    common = places.common_folder(payload["file"]["path_normalized"] for payload in side.payloads)
    return [path.removeprefix(common).lstrip("/") for path in paths]


def _common_frames(pairs: Sequence[Pair]) -> tuple[int, ...]:
    numbers = {(pair.one["file"]["frame_number"], pair.other["file"]["frame_number"]) for pair in pairs}
    if any(one is None or one != other for one, other in numbers):
        return ()
    return tuple(sorted(one for one, _ in numbers))


def layers_of(payloads: Sequence[Payload]) -> dict[str, dict[int | None, Payload]]:
    """The files by layer and frame; of a layer with several versions, the last version."""
    common = places.common_folder(payload["file"]["path_normalized"] for payload in payloads)
    layers: dict[str, dict[int | None, Payload]] = defaultdict(dict)
    versions: dict[str, str] = {}
    for payload in sorted(payloads, key=_version_and_path):
        path = payload["file"]["path_normalized"]
        version, layer = _version_and_path(payload)[0], _layer(path, common)
        if versions.setdefault(layer, version) != version:
            versions[layer] = version
            layers[layer] = {}
        layers[layer][payload["file"]["frame_number"]] = payload
    return dict(layers)


def _version_and_path(payload: Payload) -> tuple[str, str]:
    version = payload["file"]["version_token"] or ""
    return version.removeprefix("v").zfill(9) if version else "", payload["file"]["path_normalized"]


def _layer(path: str, common: str) -> str:
    """What a file is a frame of, without its version."""
    below = VERSION.sub("", places.file(path).below(common))
    return "/".join(word for word in (part.strip("._-") for part in below.split("/")) if word)


def _pair_frames(a: Mapping[int | None, Payload], b: Mapping[int | None, Payload]) -> list[tuple[int | None, int | None]]:
    """The frames to compare: the same in both, or the only one with the only one."""
    if len(a) == len(b) == 1:
        return [(next(iter(a)), next(iter(b)))]
    return [(frame, frame) for frame in a if frame in b]


def _of_layers(
    a: Mapping[str, Mapping[int | None, Payload]], b: Mapping[str, Mapping[int | None, Payload]]
) -> Iterator[Difference]:
    """Layers and frames that one side alone has."""
    only_a, only_b = ", ".join(layer for layer in a if layer not in b), ", ".join(layer for layer in b if layer not in a)
    if only_a or only_b:
        yield Difference("layers", only_a or ABSENT, only_b or ABSENT)
    ranges: dict[tuple[str, str], Difference] = {}
    for layer in (layer for layer in a if layer in b):
        mine, theirs = (units.frames(number for number in side[layer] if number is not None) for side in (a, b))
        if mine != theirs and max(len(a[layer]), len(b[layer])) > 1:
            ranges.setdefault((mine, theirs), Difference("frames", mine, theirs)).frames[layer] = []
    yield from ranges.values()


class Pair(NamedTuple):
    """Two files that are compared, with their layer and the frame of the first."""

    layer: str
    frame: int | None
    one: Payload
    other: Payload


def _of_facts(pairs: Sequence[Pair]) -> tuple[dict[str, str], list[Difference]]:
    """(What every pair has in common, the differences of the others)."""
    common: dict[str, set[str]] = defaultdict(set)
    differing: dict[str, dict[tuple[str, str], Difference]] = defaultdict(dict)
    for layer, frame, one, other in pairs:
        labels = _match_parts(one["parts"], other["parts"])
        mine, theirs = (dict(facts(payload, of)) for payload, of in zip((one, other), labels, strict=True))
        for what in {**mine, **theirs}:
            values = mine.get(what, ABSENT), theirs.get(what, ABSENT)
            if values[0] == values[1]:
                common[what].add(values[0])
                continue
            difference = differing[what].setdefault(values, Difference(what, *values))
            difference.count += 1
            difference.frames[layer] += [] if frame is None else [frame]
    shared = {what: next(iter(values)) for what, values in common.items() if len(values) == 1 and what not in differing}
    return shared, [one for what in differing for one in _summarise(list(differing[what].values()))]


def _summarise(differences: list[Difference]) -> list[Difference]:
    """The differences of one fact; of many that are each of its own frame, one."""
    if len(differences) <= SEVERAL:
        return differences
    first = differences[0]
    for other in differences[1:]:
        first.count += other.count
        for layer, numbers in other.frames.items():
            first.frames[layer] += numbers
    first.varies = True
    return [first]


def _match_parts(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> tuple[dict[int, str], dict[int, str]]:
    """What the facts of each part are marked with, by its place: parts of one name are the same part, else those in one place.

    Where the counts differ and no name is on both sides, the first parts are compared. Parts without a mark have no counterpart.
    """
    named = {part["name"]: at for at, part in enumerate(b) if part.get("name")}
    if pairs := [(at, named[part["name"]]) for at, part in enumerate(a) if part.get("name") in named]:
        labels = [f"{OF_PART}{b[at]['name']}" for _, at in pairs]
    else:
        pairs = [(at, at) for at in range(len(a) if len(a) == len(b) else min(1, len(a), len(b)))]
        labels = [f"{OF_PART}{at}" for at, _ in pairs]
    if max(len(a), len(b)) == 1:
        labels = [""] * len(pairs)
    mine, theirs = ({pair[side]: label for pair, label in zip(pairs, labels, strict=True)} for side in (0, 1))
    return mine, theirs


def facts(payload: Payload, labels: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    """What a file is, fact by fact, each with the label of its part; of a part without a label, that it is there."""
    yield "status", _status(payload["file"])
    yield "parts", str(len(payload["parts"]))
    for at, part in enumerate(payload["parts"]):
        if at not in labels:
            yield f"part {part.get('name') or at}", str(part.get("type"))
            continue
        for name, called in PART_FACTS.items():
            if part.get(name) is not None:
                yield f"{called}{labels[at]}", str(part[name])
        if part.get("name") and labels[at] != f"{OF_PART}{part['name']}":
            yield f"name{labels[at] or ' of the part'}", part["name"]
        for name in ("data_window", "display_window"):
            if part.get(name):
                yield f"{name.replace('_', ' ')}{labels[at]}", units.window(json.dumps(part[name]))
    yield from _channel_facts(payload, labels)
    yield from _attribute_facts(payload, labels)


def _status(file: Mapping[str, Any]) -> str:
    truncated = (file.get("completeness") or {}).get("verdict") == "truncated"
    return f"{file['status']}, cut short" if truncated else str(file["status"])


def _channel_facts(payload: Payload, labels: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    for channel in payload["channels"]:
        if channel["part_index"] in labels:
            yield f"channel {channel['name']}{labels[channel['part_index']]}", channel["type"].lower()


def _attribute_facts(payload: Payload, labels: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    for at, entries in enumerate(payload["attributes"]["parts"]):
        said = {str(value) for value in (payload["parts"][at].get("render_software"),)} if at < len(payload["parts"]) else set()
        for entry in entries if at in labels else ():
            value = entry.get("value")
            if entry["name"] not in STRUCTURAL and str(value) not in said:
                yield f"attribute {entry['name']}{labels[at]}", _brief(value)


def _brief(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _of_measures(pairs: Sequence[Pair]) -> Iterator[Difference]:
    """Size, time and memory, where all pairs have them."""
    count = len(pairs)
    sizes = _both(pairs, _size)
    if sizes and sizes[0] != sizes[1]:
        yield _difference_of("size", sum(sizes[0]), sum(sizes[1]), units.size, count)
    for name, called in MEASURES.items():
        values = _both(pairs, partial(_measure, name=name))
        if values and values[0] != values[1]:
            show = units.duration if name.endswith("seconds") else units.mebibytes
            yield _difference_of(called + " a frame" * (count > 1), sum(values[0]) / count, sum(values[1]) / count, show, count)


def _both(pairs: Sequence[Pair], read: Callable[[Payload], float | None]) -> tuple[list[float], list[float]] | None:
    """A number of every file of both sides; None where one of them has none."""
    sides = [read(pair.one) for pair in pairs], [read(pair.other) for pair in pairs]
    known = tuple([value for value in side if value is not None] for side in sides)
    return (known[0], known[1]) if pairs and len(known[0]) == len(known[1]) == len(pairs) else None


def _size(payload: Payload) -> float | None:
    size: int | None = payload["file"]["size_bytes"]
    return size


def _measure(payload: Payload, name: str) -> float | None:
    return next((part[name] for part in payload["parts"] if part.get(name) is not None), None)


def _difference_of(what: str, a: float, b: float, show: Callable[[float], str], count: int) -> Difference:
    change = f" ({100 * (b - a) / a:+.0f} %)" if a else ""
    return Difference(what, show(a), show(b) + change, count=count)


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data."""
    return {
        "a": comparison.a.name,
        "b": comparison.b.name,
        "same": comparison.same,
        "files": {"a": len(comparison.a.payloads), "b": len(comparison.b.payloads), "compared": comparison.pairs},
        "unreadable": {"a": comparison.unreadable[0], "b": comparison.unreadable[1]},
        "common": comparison.common,
        "differences": [
            {
                "what": one.what, "a": one.a, "b": one.b, "varies": one.varies, "files": one.count,
                "frames": {layer: units.frames(numbers) if numbers else "" for layer, numbers in one.frames.items()},
            }
            for one in comparison.differences
        ],
    }  # fmt: skip


def lines(comparison: Comparison) -> Iterator[str]:
    """The comparison in words: what differs, then what is common."""
    for letter, side, unreadable in zip("AB", (comparison.a, comparison.b), comparison.unreadable, strict=True):
        yield f"{letter}: {side.name}, {_extent(side, comparison)}"
        if unreadable:
            yield f"   cannot be read: {', '.join(unreadable)}"
    if not _is_whole(comparison) and comparison.pairs:
        yield f"compared: {_pairs_in_words(comparison)}"
    yield ""
    if comparison.same:
        yield f"nothing differs in {units.quantity(comparison.pairs, 'pair')} of files"
    elif not comparison.pairs:
        yield "no layer and frame is on both sides"
    others = [one for one in comparison.differences if not _is_of_names(one)]
    yield from (_line(one, comparison) for one in others if one.what == "parts")
    yield from _name_lines(comparison)
    yield from (_line(one, comparison) for one in others if one.what != "parts")
    yield from _common_lines(comparison)


def _line(one: Difference, comparison: Comparison) -> str:
    such = ", such as" if one.varies else ""
    return f"{one.what}{_where(one, comparison)}{such}: {one.a} -> {one.b}"


def _extent(side: Side, comparison: Comparison) -> str:
    """How many files; where not all are compared, their size too, which the difference of sizes does not tell then."""
    sizes = [size for size in map(_size, side.payloads) if size is not None]
    count = units.quantity(len(side.payloads), "file")
    return f"{count}, {units.size(sum(sizes))}" if len(sizes) == len(side.payloads) and not _is_whole(comparison) else count


def _is_whole(comparison: Comparison) -> bool:
    """Whether every file of both sides is compared."""
    return comparison.pairs == len(comparison.a.payloads) == len(comparison.b.payloads)


def _pairs_in_words(comparison: Comparison) -> str:
    """`1 common frame (1001)`; of several layers, or of files without frames, how many pairs."""
    if len(comparison.frames) == comparison.pairs:
        return f"{units.quantity(comparison.pairs, 'common frame')} ({units.frames(comparison.frames)})"
    return f"{units.quantity(comparison.pairs, 'pair')} of files"


def _is_of_names(one: Difference) -> bool:
    """Whether it is a channel, or a part or an attribute that one side has not: such are listed together."""
    return one.what.startswith("channel ") or (one.what.startswith(("attribute ", "part ")) and ABSENT in (one.a, one.b))


def _name_lines(comparison: Comparison) -> Iterator[str]:
    """Parts, channels and attributes by how they differ, all of a kind in one line."""
    kinds: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in filter(_is_of_names, comparison.differences):
        noun, _, rest = one.what.partition(" ")
        name, of, part = rest.partition(OF_PART)
        kind = "only in A" if one.b == ABSENT else "only in B" if one.a == ABSENT else f"{one.a} -> {one.b}"
        kinds[noun, kind, f"{of}{part}{_where(one, comparison)}"].append(name)
    for (noun, kind, where), names in kinds.items():
        listed = _by_layer(names) if noun == "channel" else names
        yield f"{noun}s{where} {kind}: {', '.join(listed)}"


def _by_layer(names: Sequence[str]) -> Iterator[str]:
    """Channels of one layer together: `albedo.(B G R)`."""
    layers: dict[str, list[str]] = defaultdict(list)
    for name in names:
        layer, _, component = name.rpartition(".")
        layers[layer].append(component)
    for layer, components in layers.items():
        joined = " ".join(components) if len(components) == 1 else f"({' '.join(components)})"
        yield f"{layer}.{joined}" if layer else " ".join(components)


def _where(one: Difference, comparison: Comparison) -> str:
    """In which layers and frames, unless it is so in all that there is; a frame that is cut short is always named."""
    if one.what == "size":
        return "" if _is_whole(comparison) else f" of {_subject(comparison)}"
    is_so_in_all = one.count == comparison.pairs and (one.what != "status" or _is_whole(comparison))
    if is_so_in_all or not one.frames:
        return ""
    told = [f"{layer} {units.frames(numbers) if numbers else ''}".strip() for layer, numbers in one.frames.items()]
    return f" in {', '.join(filter(None, told))}" if any(told) else ""


def _subject(comparison: Comparison) -> str:
    noun = "common frame" if len(comparison.frames) == comparison.pairs else "compared file"
    return f"the {noun}" if comparison.pairs == 1 else f"the {noun}s"


def _common_lines(comparison: Comparison) -> Iterator[str]:
    common = comparison.common
    if not common:
        return
    channels = [what for what in common if what.startswith("channel ")]
    attributes = [what for what in common if what.startswith("attribute ")]
    of_parts = [what for what in common if OF_PART in what and what not in {*channels, *attributes}]
    said = [f"{what} {value}" for what, value in common.items() if what not in {*channels, *attributes, *of_parts}]
    said += [f"{units.quantity(len(of_parts), 'fact')} of the parts"] if of_parts else []
    counts = [(len(channels), "channel"), (len(attributes), "attribute")]
    said += [units.quantity(count, noun) for count, noun in counts if count]
    yield ""
    yield f"in common: {', '.join(said)}"
