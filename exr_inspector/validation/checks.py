"""What each kind of policy rule looks at: one function per kind, from a payload to probes.

A probe is one thing that was looked at, and whether it fits the rule. A check that yields none does not apply to the file: a rule
about statistics says nothing where no pixels were read. All checks are pure; `color_metadata` asks OpenEXR, without a file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from math import fsum
from typing import Any, NamedTuple

from exr_inspector.embedding.facts import read_box, relation
from exr_inspector.embedding.vectors import compute_metadata_embedding
from exr_inspector.payload.aovs import aov_role
from exr_inspector.payload.colour import CHROMATICITY_TOLERANCE, PRIMARIES, equal_chromaticities
from exr_inspector.validation.policy import Policy

Options = Mapping[str, Any]
Entry = Mapping[str, Any]

CORNERS = ("red", "green", "blue", "white")
LOSSLESS = frozenset({"none", "rle", "zips", "zip", "piz", "htj2k256", "htj2k32", "zstd"})
_FRAME_DIGITS = re.compile(r"(\d+)(?:\.[A-Za-z]\w*)+\Z", re.ASCII)
_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)[:;](\d\d)")
_MANIFEST = re.compile(r"cryptomatte/[^/]+/manifest")


class Probe(NamedTuple):
    """One thing that was looked at; `code` names what is wrong with it when it does not fit."""

    code: str
    fits: bool
    value: Any
    part: int | None = None
    channel: str | None = None


class Subject:
    """A payload as rules see it, narrowed to the channel roles that a rule is about."""

    def __init__(self, payload: Entry, policy: Policy, roles: tuple[str, ...] = ()) -> None:
        self.payload = payload
        self.policy = policy
        self.roles = roles

    @cached_property
    def file(self) -> Entry:
        """The `file` section."""
        return self.payload.get("file") or {}

    @cached_property
    def path(self) -> str:
        """The normalised path; empty where the payload has none."""
        return str(self.file.get("path_normalized") or self.file.get("path") or "")

    @cached_property
    def all_parts(self) -> list[Entry]:
        """Every part."""
        return list(self.payload.get("parts") or [])

    @cached_property
    def channels(self) -> list[Entry]:
        """The channels of the roles asked for."""
        found = self.payload.get("channels") or []
        return [channel for channel in found if not self.roles or _role(channel) in self.roles]

    @cached_property
    def parts(self) -> list[Entry]:
        """The parts that hold such a channel."""
        held = {channel.get("part_index", 0) for channel in self.channels}
        return [part for part in self.all_parts if not self.roles or part.get("index", 0) in held]

    def attributes(self, part: Entry) -> list[Entry]:
        """The attributes of one part, in file order."""
        lists = (self.payload.get("attributes") or {}).get("parts") or []
        index = part.get("index", 0)
        return list(lists[index]) if index < len(lists) else []

    def attribute(self, part: Entry, name: str) -> Any:
        """The first value under this name; None where the part has no such attribute."""
        return next((entry.get("value") for entry in self.attributes(part) if entry.get("name") == name), None)

    @cached_property
    def statistics(self) -> list[tuple[Entry, Entry]]:
        """(channel, statistics) of the channels asked for whose pixels were read."""
        rows = (self.payload.get("stats") or {}).get("channels") or []
        known = {(channel.get("part_index", 0), channel.get("name")): channel for channel in self.channels}
        found = ((known.get((row.get("part_index", 0), row.get("channel_name"))), row) for row in rows)
        return [(channel, row) for channel, row in found if channel is not None]


def _role(channel: Entry) -> str | None:
    return aov_role(channel.get("layer_name") or "", channel.get("component_name") or "")


def _at_least(options: Options, key: str, value: float) -> bool:
    return key not in options or value >= options[key]


def _at_most(options: Options, key: str, value: float) -> bool:
    return key not in options or value <= options[key]


def _number(value: Any) -> float | None:
    """A number; also those that JSON carries as text. None for everything else."""
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


# The file


def status(subject: Subject, options: Options) -> Iterator[Probe]:
    found = subject.file.get("status")
    if found is not None:
        yield Probe("status_not_allowed", found in options["allowed"], found)


def completeness(subject: Subject, options: Options) -> Iterator[Probe]:
    found = subject.file.get("completeness") or {}
    if found.get("verdict") is None:
        return
    yield Probe("file_not_complete", found["verdict"] in options["allowed"], found["verdict"])
    for key in ("bytes_missing", "trailing_bytes"):
        value = found.get(key)
        if value is not None and f"max_{key}" in options:
            yield Probe(f"too_many_{key}", value <= options[f"max_{key}"], value)


def header_size(subject: Subject, options: Options) -> Iterator[Probe]:
    size = subject.file.get("header_bytes")
    if size is not None:
        yield Probe("header_too_large", size <= options["max_bytes"], size)


def manifest_size(subject: Subject, options: Options) -> Iterator[Probe]:
    for part in subject.parts:
        for entry in subject.attributes(part):
            is_manifest = _MANIFEST.fullmatch(str(entry.get("name"))) or str(entry.get("type")).lower() == "idmanifest"
            if is_manifest and entry.get("size") is not None:
                yield Probe("manifest_too_large", entry["size"] <= options["max_bytes"], entry["size"], part.get("index"))


def path(subject: Subject, options: Options) -> Iterator[Probe]:
    if not subject.path:
        return
    name = subject.path.rpartition("/")[2]
    if "name" in options:
        yield Probe("name_not_allowed", re.fullmatch(options["name"], name) is not None, name)
    if "path" in options:
        yield Probe("path_not_allowed", re.fullmatch(options["path"], subject.path) is not None, subject.path)
    if "extension" in options:
        yield Probe("extension_not_allowed", name.endswith("." + options["extension"]), name)


def frame(subject: Subject, options: Options) -> Iterator[Probe]:
    number = subject.file.get("frame_number")
    if number is None:
        if options.get("required"):
            yield Probe("frame_number_missing", False, subject.path.rpartition("/")[2])
        return
    digits = _FRAME_DIGITS.search(subject.path)
    if "digits" in options and digits is not None:
        yield Probe("frame_padding_wrong", len(digits[1]) == options["digits"], digits[1])
    elif options.get("required"):
        yield Probe("frame_number_missing", True, number)


def timecode(subject: Subject, options: Options) -> Iterator[Probe]:
    number = subject.file.get("frame_number")
    for part in subject.parts:
        stated = part.get("timecode")
        match = _TIMECODE.fullmatch(stated) if isinstance(stated, str) else None
        if match is None:
            if options.get("required"):
                yield Probe("timecode_missing", False, stated, part.get("index"))
            continue
        if options.get("required"):
            yield Probe("timecode_missing", True, stated, part.get("index"))
        rate = options.get("fps") or part.get("fps")
        if rate and number is not None and options.get("in_step", True):
            hours, minutes, seconds, frames = map(int, match.groups())
            counted = ((hours * 60 + minutes) * 60 + seconds) * round(rate) + frames
            value = {"timecode": stated, "frame_number": number}
            yield Probe("timecode_out_of_step", counted == number + options.get("offset", 0), value, part.get("index"))


# Parts


def parts(subject: Subject, options: Options) -> Iterator[Probe]:
    found = subject.parts
    if not found:
        return
    if {"min_count", "max_count"} & options.keys():
        fits = _at_least(options, "min_count", len(found)) and _at_most(options, "max_count", len(found))
        yield Probe("part_count_not_allowed", fits, len(found))
    names = [part.get("name") for part in found]
    if "names" in options:
        for part in found:
            fits = re.fullmatch(options["names"], part.get("name") or "") is not None
            yield Probe("part_name_not_allowed", fits, part.get("name"), part.get("index"))
    if options.get("unique_names"):
        repeated = [name for name, count in Counter(names).items() if count > 1]
        yield Probe("part_name_repeated", not repeated, repeated)
    yield from _views(found, options)


def _views(found: list[Entry], options: Options) -> Iterator[Probe]:
    views = sorted({str(part["view"]) for part in found if part.get("view")})
    if "views" in options:
        yield Probe("view_missing", set(options["views"]) <= set(views), views)
    if "allowed_views" in options:
        yield Probe("view_not_allowed", set(views) <= set(options["allowed_views"]), views)


def resolution(subject: Subject, options: Options) -> Iterator[Probe]:
    across, down = ("width", "height") if options.get("of") == "data" else ("display_width", "display_height")
    for part in subject.parts:
        width, height = part.get(across), part.get(down)
        if width is None or height is None:
            continue
        size, index = [width, height], part.get("index")
        large = _at_least(options, "min_width", width) and _at_least(options, "min_height", height)
        small = _at_most(options, "max_width", width) and _at_most(options, "max_height", height)
        yield Probe("resolution_too_small", large, size, index)
        yield Probe("resolution_too_large", small, size, index)
        if "sizes" in options:
            yield Probe("resolution_not_allowed", size in options["sizes"], size, index)
        if options.get("multiple_of"):
            divided = width % options["multiple_of"] == 0 and height % options["multiple_of"] == 0
            yield Probe("resolution_not_a_multiple", divided, size, index)


def window(subject: Subject, options: Options) -> Iterator[Probe]:
    for part in subject.parts:
        data, display = read_box(part.get("data_window")), read_box(part.get("display_window"))
        if data is None or display is None:
            continue
        index = part.get("index")
        if "relations" in options:
            found = relation(data, display)
            yield Probe("window_not_allowed", found in options["relations"], found, index)
        if "origin" in options:
            origin = [display.left, display.top]
            yield Probe("display_origin_not_allowed", origin == options["origin"], origin, index)
        margins = [display.left - data.left, display.top - data.top, data.right - display.right, data.bottom - display.bottom]
        if "min_overscan" in options:
            yield Probe("overscan_too_small", min(margins) >= options["min_overscan"], margins, index)
        if "max_overscan" in options:
            yield Probe("overscan_too_large", max(margins) <= options["max_overscan"], margins, index)


def pixel_aspect(subject: Subject, options: Options) -> Iterator[Probe]:
    for part in subject.parts:
        found = _number(part.get("pixel_aspect_ratio"))
        if found is not None:
            fits = _at_least(options, "min", found) and _at_most(options, "max", found)
            yield Probe("pixel_aspect_not_allowed", fits, part["pixel_aspect_ratio"], part.get("index"))


def compression(subject: Subject, options: Options) -> Iterator[Probe]:
    for part in subject.parts:
        found = part.get("compression")
        if found is not None:
            fits = found in options.get("allowed", [found]) and found not in options.get("forbidden", [])
            yield Probe("compression_not_allowed", fits, found, part.get("index"))


def tiling(subject: Subject, options: Options) -> Iterator[Probe]:
    for part in subject.parts:
        index, tiled = part.get("index"), bool(part.get("is_tiled"))
        if "storage" in options:
            found = "tiled" if tiled else "scanline"
            yield Probe("storage_not_allowed", found in options["storage"], found, index)
        if tiled and "tile_sizes" in options:
            size = [part.get("tile_width"), part.get("tile_height")]
            yield Probe("tile_size_not_allowed", size in options["tile_sizes"], size, index)
        if tiled and "level_modes" in options:
            mode = part.get("tile_level_mode")
            yield Probe("level_mode_not_allowed", mode in options["level_modes"], mode, index)


def deep(subject: Subject, options: Options) -> Iterator[Probe]:
    for part in subject.parts:
        found = bool(part.get("is_deep"))
        yield Probe("deep_not_allowed", options["allowed"] or not found, found, part.get("index"))


def line_order(subject: Subject, options: Options) -> Iterator[Probe]:
    for part in subject.parts:
        found = part.get("line_order")
        if found is not None:
            yield Probe("line_order_not_allowed", found in options["allowed"], found, part.get("index"))


# Channels


def channels(subject: Subject, options: Options) -> Iterator[Probe]:
    if not subject.all_parts:
        return
    found = [str(channel.get("name")) for channel in subject.channels]
    for name in options.get("required", ()):
        yield Probe("channel_missing", name in found, sorted(set(found)), channel=name)
    if "one_of" in options:
        fits = any(set(found) == set(allowed) for allowed in options["one_of"])
        yield Probe("channel_set_not_allowed", fits, sorted(set(found)))
    for pattern in options.get("forbidden", ()):
        for channel in subject.channels:
            fits = re.fullmatch(pattern, str(channel.get("name"))) is None
            yield Probe("channel_forbidden", fits, channel.get("name"), channel.get("part_index"), channel.get("name"))
    if "max_count" in options:
        yield Probe("too_many_channels", len(found) <= options["max_count"], len(found))


def channel_types(subject: Subject, options: Options) -> Iterator[Probe]:
    for channel in subject.channels:
        found = channel.get("type")
        fits = str(found).upper() in options["allowed"]
        yield Probe("channel_type_not_allowed", fits, found, channel.get("part_index"), channel.get("name"))


def channel_names(subject: Subject, options: Options) -> Iterator[Probe]:
    for channel in subject.channels:
        name = str(channel.get("name"))
        fits = re.fullmatch(options["pattern"], name) is not None
        yield Probe("channel_name_not_allowed", fits, name, channel.get("part_index"), name)


def layers(subject: Subject, options: Options) -> Iterator[Probe]:
    if not subject.all_parts:
        return
    found = sorted({str(channel.get("layer_name") or "") for channel in subject.channels})
    for name in options.get("required", ()):
        yield Probe("layer_missing", name in found, found, channel=name)
    for layer in found:
        if layer and "allowed" in options:
            fits = any(re.fullmatch(pattern, layer) for pattern in options["allowed"])
            yield Probe("layer_not_allowed", fits, layer, channel=layer)


def sampling(subject: Subject, options: Options) -> Iterator[Probe]:
    for channel in subject.channels:
        found = [channel.get("x_sampling", 1), channel.get("y_sampling", 1)]
        fits = found in options["allowed"]
        yield Probe("sampling_not_allowed", fits, found, channel.get("part_index"), channel.get("name"))


def pixels(subject: Subject, options: Options) -> Iterator[Probe]:
    for channel, row in subject.statistics:
        infinite = (row.get("pos_inf_count") or 0) + (row.get("neg_inf_count") or 0)
        counts = {"nan": row.get("nan_count") or 0, "infinite": infinite, "negative": row.get("negative_count") or 0}
        place = (row.get("part_index"), channel.get("name"))
        for word, count in counts.items():
            if f"max_{word}" in options:
                yield Probe(f"pixels_{word}", count <= options[f"max_{word}"], count, *place)
        low, high = _number(row.get("min_value")), _number(row.get("max_value"))
        if low is not None and "min" in options:
            yield Probe("pixels_below_range", low >= options["min"], low, *place)
        if high is not None and "max" in options:
            yield Probe("pixels_above_range", high <= options["max"], high, *place)
        if "constant" in options and row.get("is_constant") is not None:
            yield Probe("pixels_constant", options["constant"] or not row["is_constant"], row["is_constant"], *place)


# Attributes and colour


def attribute(subject: Subject, options: Options) -> Iterator[Probe]:
    name = options["name"]
    found = [
        (part.get("index"), entry) for part in subject.parts for entry in subject.attributes(part) if entry.get("name") == name
    ]
    if not subject.parts:
        return
    if options.get("forbidden"):
        yield Probe("attribute_forbidden", not found, name)
        return
    if options.get("required", True):
        yield Probe("attribute_missing", bool(found), name if found else None)
    for index, entry in found:
        yield from _attribute_value(entry, options, index)


def _attribute_value(entry: Entry, options: Options, index: int | None) -> Iterator[Probe]:
    value = entry.get("value")
    if "type" in options:
        yield Probe("attribute_type_not_allowed", entry.get("type") == options["type"], entry.get("type"), index)
    if "equals" in options:
        yield Probe("attribute_value_not_allowed", value == options["equals"], value, index)
    if "one_of" in options:
        yield Probe("attribute_value_not_allowed", value in options["one_of"], value, index)
    if "pattern" in options:
        fits = isinstance(value, str) and re.fullmatch(options["pattern"], value) is not None
        yield Probe("attribute_value_not_allowed", fits, value, index)
    if {"min", "max"} & options.keys():
        given = _number(value)
        fits = given is not None and _at_least(options, "min", given) and _at_most(options, "max", given)
        yield Probe("attribute_out_of_range", fits, value, index)


def color_space(subject: Subject, options: Options) -> Iterator[Probe]:
    for part in subject.parts:
        yield from _optional("color_space", part.get("color_space"), options, part)


def color_interop_id(subject: Subject, options: Options) -> Iterator[Probe]:
    for part in subject.parts:
        yield from _optional("color_interop_id", subject.attribute(part, "colorInteropID"), options, part)


def _optional(what: str, value: Any, options: Options, part: Entry) -> Iterator[Probe]:
    """A value that may be absent unless it is required."""
    if value is None:
        if options.get("required"):
            yield Probe(f"{what}_missing", False, None, part.get("index"))
    else:
        yield Probe(f"{what}_not_allowed", value in options["allowed"], value, part.get("index"))


def chromaticities(subject: Subject, options: Options) -> Iterator[Probe]:
    wanted = options.get("values") or PRIMARIES[options["equal"]]
    tolerance = options.get("tolerance", CHROMATICITY_TOLERANCE)
    for part in subject.parts:
        found = _eight(part.get("chromaticities") or subject.attribute(part, "chromaticities"))
        if found is None:
            if options.get("required"):
                yield Probe("chromaticities_missing", False, None, part.get("index"))
            continue
        fits = equal_chromaticities(found, wanted, tolerance)
        yield Probe("chromaticities_differ", fits, [round(value, 6) for value in found], part.get("index"))


def _eight(value: Any) -> list[float] | None:
    """Red, green, blue and white as eight numbers; None for what is not that."""
    if not isinstance(value, Mapping) or not all(isinstance(value.get(corner), (list, tuple)) for corner in CORNERS):
        return None
    found = [_number(item) for corner in CORNERS for item in value[corner]]
    known = [item for item in found if item is not None]
    return known if len(known) == len(found) == 8 else None


def color_metadata(subject: Subject, options: Options) -> Iterator[Probe]:
    """OpenEXR's own rules on colour attributes that contradict each other; it has none for a file that claims nothing."""
    import OpenEXR

    first: dict[str, Any] | None = None
    for part in subject.all_parts:
        header = _color_header(subject, part)
        found = OpenEXR.checkColorMetadata(header, first) if first is not None else OpenEXR.checkColorMetadata(header)
        first = header if first is None else first
        flags = OpenEXR.ColorMetadataWarning.__members__
        names = [name for name, flag in flags.items() if int(flag) and int(found) & int(flag)]
        named = [name.lower() for name in names if name.lower() not in options.get("ignored", ())]
        if named or {"colorInteropID", "acesImageContainerFlag"} & header.keys():
            yield Probe("color_metadata_contradicts", not named, named or "consistent", part.get("index"))


def _color_header(subject: Subject, part: Entry) -> dict[str, Any]:
    """The attributes that OpenEXR's check reads, in the shapes that it reads."""
    shapes: dict[str, Callable[[Any], Any]] = {
        "colorInteropID": lambda value: value if isinstance(value, str) else None,
        "chromaticities": lambda value: tuple(_eight(value) or ()) or None,
        "whiteLuminance": _number,
        "adoptedNeutral": lambda value: tuple(value) if isinstance(value, list) and len(value) == 2 else None,
        "acesImageContainerFlag": lambda value: value if isinstance(value, int) else None,
    }
    read = {name: shape(subject.attribute(part, name)) for name, shape in shapes.items()}
    return {name: value for name, value in read.items() if value is not None}


def cryptomatte(subject: Subject, options: Options) -> Iterator[Probe]:
    for part in subject.all_parts:
        for layer in part.get("cryptomatte") or ():
            name, index = layer.get("name"), part.get("index")
            yield Probe("cryptomatte_key_wrong", layer.get("key_matches") is not False, layer.get("key"), index, name)
            damaged = layer.get("manifest_size") is not None and layer.get("manifest_entries") is None
            yield Probe("cryptomatte_manifest_damaged", not damaged, layer.get("manifest_size"), index, name)
            mismatches = layer.get("manifest_mismatches") or 0
            yield Probe("cryptomatte_ids_wrong", mismatches == 0, mismatches, index, name)
            ranks = layer.get("ranks") or 0
            yield Probe("cryptomatte_ranks_missing", ranks >= options.get("min_ranks", 1), ranks, index, name)
            lossless = part.get("compression") in LOSSLESS
            yield Probe("cryptomatte_compressed_with_loss", lossless, part.get("compression"), index, name)
            kinds = sorted({str(channel.get("type")) for channel in _matte_channels(subject, part, str(name))})
            yield Probe("cryptomatte_not_float", kinds in ([], ["FLOAT"]), kinds, index, name)


def _matte_channels(subject: Subject, part: Entry, name: str) -> Iterator[Entry]:
    numbered = re.compile(re.escape(name) + r"\d{2}\..+")
    for channel in subject.payload.get("channels") or ():
        if channel.get("part_index", 0) == part.get("index", 0) and numbered.fullmatch(str(channel.get("name"))):
            yield channel


def embedding(subject: Subject, options: Options) -> Iterator[Probe]:
    if not subject.all_parts:
        return
    reference = compute_metadata_embedding(dict(subject.policy.references[options["reference"]]))
    own = compute_metadata_embedding(dict(subject.payload))
    distance = round(1 - fsum(a * b for a, b in zip(own, reference, strict=True)), 6)
    yield Probe("too_far_from_reference", distance <= options["max_distance"], distance)


CHECKS: dict[str, Callable[[Subject, Options], Iterator[Probe]]] = {
    check.__name__: check
    for check in (
        *(status, completeness, header_size, manifest_size, path, frame, timecode),
        *(parts, resolution, window, pixel_aspect, compression, tiling, deep, line_order),
        *(channels, channel_types, channel_names, layers, sampling, pixels),
        *(attribute, color_space, color_interop_id, chromaticities, color_metadata, cryptomatte, embedding),
    )
}
"""Rule kind -> its check; the names of the functions are the names in policies."""
