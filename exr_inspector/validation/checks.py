"""The kinds of rules: each is a function from a payload to probes, with its options declared above it.

The function's name is the kind's name in policies, and its docstring says what it looks at, as docs/VALIDATION.md does. All
checks are pure; `color_metadata` asks OpenEXR, without a file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import fsum
from typing import Any

from exr_inspector.embedding.facts import read_box, relation
from exr_inspector.embedding.vectors import compute_metadata_embedding
from exr_inspector.payload.colour import CHROMATICITY_TOLERANCE, PRIMARIES, equal_chromaticities
from exr_inspector.validation.options import (
    COUNT,
    EIGHT_NUMBERS,
    FLAG,
    INTEGER,
    NUMBER,
    PAIR,
    PAIRS,
    PATTERN,
    PATTERNS,
    SCALAR,
    SCALARS,
    SETS,
    TEXT,
    TEXTS,
    Option,
    one_word_of,
    words_of,
)
from exr_inspector.validation.subject import Entry, Probe, Subject

RuleOptions = Mapping[str, Any]
Check = Callable[[Subject, RuleOptions], Iterator[Probe]]

CORNERS = ("red", "green", "blue", "white")
LOSSLESS = frozenset({"none", "rle", "zips", "zip", "piz", "htj2k256", "htj2k32", "zstd"})
_FRAME_DIGITS = re.compile(r"(\d+)(?:\.[A-Za-z]\w*)+\Z", re.ASCII)
_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)[:;](\d\d)")
_MANIFEST = re.compile(r"cryptomatte/[^/]+/manifest")


@dataclass(frozen=True, slots=True)
class RuleKind:
    """A kind of rule. A rule needs all options of `required`, and at least one of `any_of`."""

    looks_at: str
    check: Check
    required: Mapping[str, Option]
    any_of: Mapping[str, Option]
    optional: Mapping[str, Option]

    @property
    def options(self) -> dict[str, Option]:
        """Every option, by name."""
        return {**self.required, **self.any_of, **self.optional}


RULE_KINDS: dict[str, RuleKind] = {}
"""Name in policies -> kind of rule."""
NO_OPTIONS: Mapping[str, Option] = {}


def kind(
    *,
    required: Mapping[str, Option] = NO_OPTIONS,
    any_of: Mapping[str, Option] = NO_OPTIONS,
    optional: Mapping[str, Option] = NO_OPTIONS,
) -> Callable[[Check], Check]:
    """Declare the function below as the check of a kind of rule with these options."""

    def declare(check: Check) -> Check:
        looks_at = (check.__doc__ or "").removesuffix(".")
        RULE_KINDS[check.__name__] = RuleKind(looks_at, check, required, any_of, optional)
        return check

    return declare


def _at_least(options: RuleOptions, key: str, value: float) -> bool:
    return key not in options or value >= options[key]


def _at_most(options: RuleOptions, key: str, value: float) -> bool:
    return key not in options or value <= options[key]


def _number(value: Any) -> float | None:
    """A number; also those that JSON carries as text. None for everything else."""
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


# The file


@kind(required={"allowed": words_of("ok", "incomplete", "damaged", "unreadable")})
def status(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """The file's status."""
    value = subject.file.get("status")
    if value is not None:
        yield Probe("status_not_allowed", value in options["allowed"], value)


@kind(required={"allowed": TEXTS}, optional={"max_bytes_missing": COUNT, "max_trailing_bytes": COUNT})
def completeness(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """The verdict of the offset table against the file's size, bytes missing and bytes too many."""
    section = subject.file.get("completeness") or {}
    if section.get("verdict") is None:
        return
    yield Probe("file_not_complete", section["verdict"] in options["allowed"], section["verdict"])
    for key in ("bytes_missing", "trailing_bytes"):
        value = section.get(key)
        if value is not None and f"max_{key}" in options:
            yield Probe(f"too_many_{key}", value <= options[f"max_{key}"], value)


@kind(required={"max_bytes": COUNT})
def header_size(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Bytes of the header."""
    size = subject.file.get("header_bytes")
    if size is not None:
        yield Probe("header_too_large", size <= options["max_bytes"], size)


@kind(required={"max_bytes": COUNT})
def manifest_size(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Bytes of a cryptomatte manifest or ID manifest."""
    for part in subject.parts:
        for entry in subject.attributes(part):
            is_manifest = _MANIFEST.fullmatch(str(entry.get("name"))) or str(entry.get("type")).lower() == "idmanifest"
            if is_manifest and entry.get("size") is not None:
                yield Probe("manifest_too_large", entry["size"] <= options["max_bytes"], entry["size"], part.get("index"))


@kind(any_of={"name": PATTERN, "path": PATTERN, "extension": TEXT})
def path(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """The form of the file's name, path and extension."""
    if not subject.path:
        return
    name = subject.path.rpartition("/")[2]
    if "name" in options:
        yield Probe("name_not_allowed", re.fullmatch(options["name"], name) is not None, name)
    if "path" in options:
        yield Probe("path_not_allowed", re.fullmatch(options["path"], subject.path) is not None, subject.path)
    if "extension" in options:
        yield Probe("extension_not_allowed", name.endswith("." + options["extension"]), name)


@kind(any_of={"required": FLAG, "digits": COUNT})
def frame(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Whether there is a frame number, and its padding."""
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


@kind(optional={"offset": INTEGER, "fps": NUMBER, "required": FLAG, "in_step": FLAG})
def timecode(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Whether there is a timecode, and whether it counts to the frame number."""
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


@kind(
    any_of={
        "min_count": COUNT,
        "max_count": COUNT,
        "names": PATTERN,
        "unique_names": FLAG,
        "views": TEXTS,
        "allowed_views": TEXTS,
    }
)
def parts(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Number of parts, their names and views."""
    chosen = subject.parts
    if not chosen:
        return
    if {"min_count", "max_count"} & options.keys():
        fits = _at_least(options, "min_count", len(chosen)) and _at_most(options, "max_count", len(chosen))
        yield Probe("part_count_not_allowed", fits, len(chosen))
    names = [part.get("name") for part in chosen]
    if "names" in options:
        for part in chosen:
            fits = re.fullmatch(options["names"], part.get("name") or "") is not None
            yield Probe("part_name_not_allowed", fits, part.get("name"), part.get("index"))
    if options.get("unique_names"):
        repeated = [name for name, count in Counter(names).items() if count > 1]
        yield Probe("part_name_repeated", not repeated, repeated)
    yield from _views(subject, options)


def _views(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Views of parts, and of channels that say theirs in their names."""
    views = sorted({str(entry["view"]) for entry in (*subject.parts, *subject.channels) if entry.get("view")})
    if "views" in options:
        yield Probe("view_missing", set(options["views"]) <= set(views), views)
    if "allowed_views" in options:
        yield Probe("view_not_allowed", set(views) <= set(options["allowed_views"]), views)


@kind(
    any_of={
        "min_width": COUNT,
        "max_width": COUNT,
        "min_height": COUNT,
        "max_height": COUNT,
        "multiple_of": COUNT,
        "sizes": PAIRS,
    },
    optional={"of": one_word_of("display", "data")},
)
def resolution(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Display size (or data size, `of = "data"`)."""
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


@kind(
    any_of={
        "relations": words_of("full", "over", "crop", "mixed"),
        "origin": PAIR,
        "min_overscan": COUNT,
        "max_overscan": COUNT,
    }
)
def window(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """How the data window lies in the display window, where that begins, overscan in pixels."""
    for part in subject.parts:
        data, display = read_box(part.get("data_window")), read_box(part.get("display_window"))
        if data is None or display is None:
            continue
        index = part.get("index")
        if "relations" in options:
            lies = relation(data, display)
            yield Probe("window_not_allowed", lies in options["relations"], lies, index)
        if "origin" in options:
            origin = [display.left, display.top]
            yield Probe("display_origin_not_allowed", origin == options["origin"], origin, index)
        margins = [display.left - data.left, display.top - data.top, data.right - display.right, data.bottom - display.bottom]
        if "min_overscan" in options:
            yield Probe("overscan_too_small", min(margins) >= options["min_overscan"], margins, index)
        if "max_overscan" in options:
            yield Probe("overscan_too_large", max(margins) <= options["max_overscan"], margins, index)


@kind(any_of={"min": NUMBER, "max": NUMBER})
def pixel_aspect(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Pixel aspect ratio."""
    for part in subject.parts:
        aspect = _number(part.get("pixel_aspect_ratio"))
        if aspect is not None:
            fits = _at_least(options, "min", aspect) and _at_most(options, "max", aspect)
            yield Probe("pixel_aspect_not_allowed", fits, part["pixel_aspect_ratio"], part.get("index"))


@kind(any_of={"allowed": TEXTS, "forbidden": TEXTS})
def compression(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """The compression of the parts that hold the roles."""
    for part in subject.parts:
        name = part.get("compression")
        if name is not None:
            fits = name in options.get("allowed", [name]) and name not in options.get("forbidden", [])
            yield Probe("compression_not_allowed", fits, name, part.get("index"))


@kind(any_of={"storage": words_of("scanline", "tiled"), "tile_sizes": PAIRS, "level_modes": TEXTS})
def tiling(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Scanlines or tiles, tile sizes, level modes."""
    for part in subject.parts:
        index, tiled = part.get("index"), bool(part.get("is_tiled"))
        if "storage" in options:
            storage = "tiled" if tiled else "scanline"
            yield Probe("storage_not_allowed", storage in options["storage"], storage, index)
        if tiled and "tile_sizes" in options:
            size = [part.get("tile_width"), part.get("tile_height")]
            yield Probe("tile_size_not_allowed", size in options["tile_sizes"], size, index)
        if tiled and "level_modes" in options:
            mode = part.get("tile_level_mode")
            yield Probe("level_mode_not_allowed", mode in options["level_modes"], mode, index)


@kind(required={"allowed": FLAG})
def deep(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Whether deep parts are allowed."""
    for part in subject.parts:
        is_deep = bool(part.get("is_deep"))
        yield Probe("deep_not_allowed", options["allowed"] or not is_deep, is_deep, part.get("index"))


@kind(required={"allowed": TEXTS})
def line_order(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """The order of lines."""
    for part in subject.parts:
        order = part.get("line_order")
        if order is not None:
            yield Probe("line_order_not_allowed", order in options["allowed"], order, part.get("index"))


# Channels


@kind(any_of={"required": TEXTS, "one_of": SETS, "forbidden": PATTERNS, "max_count": COUNT})
def channels(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Channels that must be there, exact sets, forbidden names, their number."""
    if not subject.all_parts:
        return
    names = [str(channel.get("name")) for channel in subject.channels]
    for name in options.get("required", ()):
        yield Probe("channel_missing", name in names, sorted(set(names)), channel=name)
    if "one_of" in options:
        fits = any(set(names) == set(allowed) for allowed in options["one_of"])
        yield Probe("channel_set_not_allowed", fits, sorted(set(names)))
    for pattern in options.get("forbidden", ()):
        for channel in subject.channels:
            fits = re.fullmatch(pattern, str(channel.get("name"))) is None
            yield Probe("channel_forbidden", fits, channel.get("name"), channel.get("part_index"), channel.get("name"))
    if "max_count" in options:
        yield Probe("too_many_channels", len(names) <= options["max_count"], len(names))


@kind(required={"allowed": words_of("HALF", "FLOAT", "UINT")})
def channel_types(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Pixel types of the channels of the roles."""
    for channel in subject.channels:
        pixel_type = channel.get("type")
        fits = str(pixel_type).upper() in options["allowed"]
        yield Probe("channel_type_not_allowed", fits, pixel_type, channel.get("part_index"), channel.get("name"))


@kind(required={"pattern": PATTERN})
def channel_names(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """The form of channel names."""
    for channel in subject.channels:
        name = str(channel.get("name"))
        fits = re.fullmatch(options["pattern"], name) is not None
        yield Probe("channel_name_not_allowed", fits, name, channel.get("part_index"), name)


@kind(any_of={"required": TEXTS, "allowed": PATTERNS})
def layers(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Layers that must be there, the form of layer names."""
    if not subject.all_parts:
        return
    names = sorted({str(channel.get("layer_name") or "") for channel in subject.channels})
    for name in options.get("required", ()):
        yield Probe("layer_missing", name in names, names, channel=name)
    for layer in names:
        if layer and "allowed" in options:
            fits = any(re.fullmatch(pattern, layer) for pattern in options["allowed"])
            yield Probe("layer_not_allowed", fits, layer, channel=layer)


@kind(required={"allowed": PAIRS})
def sampling(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """X and y sampling."""
    for channel in subject.channels:
        steps = [channel.get("x_sampling", 1), channel.get("y_sampling", 1)]
        fits = steps in options["allowed"]
        yield Probe("sampling_not_allowed", fits, steps, channel.get("part_index"), channel.get("name"))


@kind(
    any_of={
        "max_nan": COUNT,
        "max_infinite": COUNT,
        "max_negative": COUNT,
        "min": NUMBER,
        "max": NUMBER,
        "constant": FLAG,
    }
)
def pixels(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """NaN, Infinity, negative samples, range, constant channels; where statistics were computed."""
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


@kind(
    required={"name": TEXT},
    optional={
        "required": FLAG,
        "forbidden": FLAG,
        "type": TEXT,
        "equals": SCALAR,
        "one_of": SCALARS,
        "min": NUMBER,
        "max": NUMBER,
        "pattern": PATTERN,
    },
)
def attribute(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """An attribute: there or not, its type, value, range or form."""
    name = options["name"]
    entries = [
        (part.get("index"), entry) for part in subject.parts for entry in subject.attributes(part) if entry.get("name") == name
    ]
    if not subject.parts:
        return
    if options.get("forbidden"):
        yield Probe("attribute_forbidden", not entries, name)
        return
    if options.get("required", True):
        yield Probe("attribute_missing", bool(entries), name if entries else None)
    for index, entry in entries:
        yield from _attribute_value(entry, options, index)


def _attribute_value(entry: Entry, options: RuleOptions, index: int | None) -> Iterator[Probe]:
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


@kind(required={"allowed": TEXTS}, optional={"required": FLAG})
def color_space(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """The part's colour space."""
    for part in subject.parts:
        yield from _optional("color_space", part.get("color_space"), options, part)


@kind(required={"allowed": TEXTS}, optional={"required": FLAG})
def color_interop_id(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """The attribute `colorInteropID`."""
    for part in subject.parts:
        yield from _optional("color_interop_id", subject.attribute(part, "colorInteropID"), options, part)


def _optional(what: str, value: Any, options: RuleOptions, part: Entry) -> Iterator[Probe]:
    """A value that may be absent unless it is required."""
    if value is None:
        if options.get("required"):
            yield Probe(f"{what}_missing", False, None, part.get("index"))
    else:
        yield Probe(f"{what}_not_allowed", value in options["allowed"], value, part.get("index"))


@kind(any_of={"equal": one_word_of(*PRIMARIES), "values": EIGHT_NUMBERS}, optional={"tolerance": NUMBER, "required": FLAG})
def chromaticities(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Chromaticities of a known space, or eight numbers."""
    wanted = options.get("values") or PRIMARIES[options["equal"]]
    tolerance = options.get("tolerance", CHROMATICITY_TOLERANCE)
    for part in subject.parts:
        stated = _eight(part.get("chromaticities") or subject.attribute(part, "chromaticities"))
        if stated is None:
            if options.get("required"):
                yield Probe("chromaticities_missing", False, None, part.get("index"))
            continue
        fits = equal_chromaticities(stated, wanted, tolerance)
        yield Probe("chromaticities_differ", fits, [round(value, 6) for value in stated], part.get("index"))


def _eight(value: Any) -> list[float] | None:
    """Red, green, blue and white as eight numbers; None for what is not that."""
    if not isinstance(value, Mapping) or not all(isinstance(value.get(corner), (list, tuple)) for corner in CORNERS):
        return None
    numbers = [_number(item) for corner in CORNERS for item in value[corner]]
    known = [item for item in numbers if item is not None]
    return known if len(known) == len(numbers) == 8 else None


@kind(optional={"ignored": TEXTS})
def color_metadata(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """OpenEXR's `checkColorMetadata`, for files that claim a colour space."""
    import OpenEXR

    first: dict[str, Any] | None = None
    for part in subject.all_parts:
        header = _color_header(subject, part)
        contradictions = OpenEXR.checkColorMetadata(header, first) if first is not None else OpenEXR.checkColorMetadata(header)
        first = header if first is None else first
        flags = OpenEXR.ColorMetadataWarning.__members__
        names = [name for name, flag in flags.items() if int(flag) and int(contradictions) & int(flag)]
        named = [name.lower() for name in names if name.lower() not in options.get("ignored", ())]
        if named or {"colorInteropID", "acesImageContainerFlag"} & header.keys():
            yield Probe("color_metadata_contradicts", not named, named or "consistent", part.get("index"))


def _color_header(subject: Subject, part: Entry) -> dict[str, Any]:
    """The attributes that OpenEXR's check reads, in the shapes that it reads."""
    interop_id = subject.attribute(part, "colorInteropID")
    chromaticities = _eight(subject.attribute(part, "chromaticities"))
    neutral = subject.attribute(part, "adoptedNeutral")
    is_container = subject.attribute(part, "acesImageContainerFlag")
    header = {
        "colorInteropID": interop_id if isinstance(interop_id, str) else None,
        "chromaticities": tuple(chromaticities) if chromaticities else None,
        "whiteLuminance": _number(subject.attribute(part, "whiteLuminance")),
        "adoptedNeutral": tuple(neutral) if isinstance(neutral, list) and len(neutral) == 2 else None,
        "acesImageContainerFlag": is_container if isinstance(is_container, int) else None,
    }
    return {name: value for name, value in header.items() if value is not None}


@kind(optional={"min_ranks": COUNT})
def cryptomatte(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Key, ids, manifest, ranks, 32-bit floats, lossless compression."""
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
            yield from _cryptomatte_ranks(subject, str(name), layer.get("parts") or [index])


def _cryptomatte_ranks(subject: Subject, name: str, indices: list[int | None]) -> Iterator[Probe]:
    """How the parts that hold the ranks of a cryptomatte store them."""
    for part in subject.all_parts:
        if (index := part.get("index")) in indices:
            lossless = part.get("compression") in LOSSLESS
            yield Probe("cryptomatte_compressed_with_loss", lossless, part.get("compression"), index, name)
            kinds = sorted({str(channel.get("type")) for channel in _matte_channels(subject, part, name)})
            yield Probe("cryptomatte_not_float", kinds in ([], ["FLOAT"]), kinds, index, name)


def _matte_channels(subject: Subject, part: Entry, name: str) -> Iterator[Entry]:
    """The channels of the ranks that a part holds."""
    for channel in subject.all_channels:
        if channel.get("part_index", 0) == part.get("index", 0) and _is_of_cryptomatte(name, _layer_of(channel, part), r"\d\d"):
            yield channel


def _layer_of(channel: Entry, part: Entry) -> str:
    """The layer of a channel; of a channel without one, what its part is called."""
    return str(channel.get("layer_name") or part.get("name") or "")


def _is_of_cryptomatte(name: str, layer: str, rank: str) -> bool:
    """Whether a layer is that of a cryptomatte, with a view before or after its name."""
    return re.fullmatch(rf"(?:.+\.)?{re.escape(name)}{rank}(?:\..+)?", layer) is not None


@kind()
def cryptomatte_metadata(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Whether there is metadata for each cryptomatte layer, without which nothing can be selected from it."""
    declared = [str(layer.get("name")) for part in subject.all_parts for layer in part.get("cryptomatte") or ()]
    parts = {part.get("index", 0): part for part in subject.all_parts}
    layers = {
        (channel.get("part_index", 0), _layer_of(channel, parts.get(channel.get("part_index", 0), {})))
        for channel in subject.all_channels
        if channel["role"] == "cryptomatte"
    }
    for index, layer in sorted(layers):
        fits = any(_is_of_cryptomatte(name, layer, r"(?:\d\d)?") for name in declared)
        yield Probe("cryptomatte_metadata_missing", fits, layer, index)


@kind(required={"reference": TEXT, "max_distance": NUMBER})
def embedding(subject: Subject, options: RuleOptions) -> Iterator[Probe]:
    """Cosine distance of the metadata embedding to that of a reference payload."""
    if not subject.all_parts:
        return
    reference = compute_metadata_embedding(dict(subject.references[options["reference"]]))
    own = compute_metadata_embedding(dict(subject.payload))
    distance = round(1 - fsum(a * b for a, b in zip(own, reference, strict=True)), 6)
    yield Probe("too_far_from_reference", distance <= options["max_distance"], distance)
