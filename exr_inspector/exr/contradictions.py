"""Contradictions in a header that can be read: findings with stable codes, never guesses.

Errors are what the OpenEXR file format forbids; warnings are what it allows and what still deserves a look.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from exr_inspector.exr.attributes import TYPE_OF
from exr_inspector.exr.header import NON_IMAGE, TILED, Finding, Header, Part, Severity, quote
from exr_inspector.exr.layout import DEEP_TYPES, PART_TYPES, TILED_TYPES, Layout, Window

REQUIRED = (
    "channels",
    "compression",
    "dataWindow",
    "displayWindow",
    "lineOrder",
    "pixelAspectRatio",
    "screenWindowCenter",
    "screenWindowWidth",
)
REQUIRED_IF_MULTIPART = ("name", "type", "chunkCount")
REQUIRED_IF_DEEP = ("type", "chunkCount")
# Attributes that all parts of a file must agree on.
SHARED = ("displayWindow", "pixelAspectRatio", "timeCode", "chromaticities")
ENUMERATIONS = frozenset({"compression", "lineOrder", "envmap", "deepImageState"})
# OpenEXR refuses windows beyond this, so that sums of coordinates stay within 32 bits.
LARGEST_COORDINATE = 2**30 - 1
LARGE_SIDE = 2**17
ASPECT_RANGE = (1e-6, 1e6)
DEEP_COMPRESSIONS = frozenset({"none", "rle", "zips", "zstd"})


def contradictions(header: Header) -> Iterator[Finding]:
    """Every contradiction within and between the parts of a header, part by part."""
    for part in header.parts:
        for check in (_check_required, _type, _channels, _windows, _numbers, _enumerations, _tiles):
            yield from check(header, part)
        if isinstance(part.layout, Layout):
            yield from _chunk_count(part, part.layout)
    yield from _between_parts(header)


def _at(part: Part, name: str, code: str, message: str, severity: Severity = "error", channel: str | None = None) -> Finding:
    """A finding at an attribute of the part, or at the part's beginning when it lacks the attribute."""
    attribute = part.first.get(name)
    offset = part.offset if attribute is None else attribute.offset
    return Finding(severity, code, f"part {part.index}: {message}", part.index, name, offset, channel)


def _check_required(header: Header, part: Part) -> Iterator[Finding]:
    for name in _required_of(header.is_multipart, part.is_deep, part.is_tiled):
        attribute, type_name = part.first.get(name), TYPE_OF[name]
        if attribute is None:
            yield _at(part, name, "missing_required_attribute", f"the required attribute {name!r} is missing")
        elif attribute.type != type_name:
            message = f"attribute {name!r} has type {attribute.type!r} where the format requires {type_name!r}"
            yield _at(part, name, "attribute_wrong_type", message)
        elif name != "channels" and (attribute.value is None or attribute.shortened):
            yield _at(part, name, "required_attribute_undecodable", f"the required attribute {name!r} has no usable value")


@cache
def _required_of(is_multipart: bool, is_deep: bool, is_tiled: bool) -> tuple[str, ...]:
    """The names, once each, in the order of the rules."""
    conditions = {REQUIRED: True, REQUIRED_IF_MULTIPART: is_multipart, REQUIRED_IF_DEEP: is_deep, ("tiles",): is_tiled}
    return tuple(dict.fromkeys(name for names, applies in conditions.items() if applies for name in names))


def _type(header: Header, part: Part) -> Iterator[Finding]:
    named = part.stated["type"]
    if named is None:
        return
    if named not in PART_TYPES:
        yield _at(part, "type", "unknown_part_type", f"type {quote(named)} is none of {', '.join(sorted(PART_TYPES))}")
        return
    flags = header.flags
    deep, tiled = named in DEEP_TYPES, named in TILED_TYPES
    if deep != bool(flags & NON_IMAGE) and (deep or not header.is_multipart):
        state = "set" if flags & NON_IMAGE else "clear"
        yield _at(part, "type", "type_contradicts_flags", f"type {named!r} while the version flag for deep data is {state}")
    if header.is_multipart or flags & NON_IMAGE:
        if flags & TILED:
            message = "the version flag for single tiled images is set beside that for deep data or several parts"
            yield _at(part, "type", "type_contradicts_flags", message)
    elif tiled != bool(flags & TILED):
        state = "set" if flags & TILED else "clear"
        yield _at(part, "type", "type_contradicts_flags", f"type {named!r} while the version flag for tiles is {state}")


def _channels(header: Header, part: Part) -> Iterator[Finding]:
    if not part.channels and "channels" in part.first:
        yield _at(part, "channels", "no_channels", "the channel list is empty")
    names = [channel.raw_name or channel.name.encode() for channel in part.channels]
    for name, count in Counter(names).items() if len(set(names)) < len(names) else ():
        if count > 1:
            shown = name.decode("utf-8", "replace")
            yield _at(part, "channels", "duplicate_channel", f"channel {shown!r} is listed {count} times", channel=shown)
    # Byte order, as the format sorts names; a duplicate is reported above.
    if any(after < before for before, after in pairwise(names)):
        yield _at(part, "channels", "unsorted_channels", "the channels are not in alphabetical order", "warning")
    area, tiled_or_deep = part.data_window, part.is_tiled or part.is_deep
    for channel in part.channels:
        if channel.type.startswith("unknown"):
            message = f"channel {channel.name!r} has pixel type {channel.type}"
            yield _at(part, "channels", "unknown_pixel_type", message, channel=channel.name)
        if (channel.x_sampling, channel.y_sampling) != (1, 1):
            yield from _sampling(part, channel.name, (channel.x_sampling, channel.y_sampling), area, tiled_or_deep)


def _sampling(part: Part, name: str, steps: tuple[int, int], area: Window | None, unsampled: bool) -> Iterator[Finding]:
    if min(steps) < 1:
        message = f"channel {name!r} has a sampling of {steps[0]} x {steps[1]}"
        yield _at(part, "channels", "bad_sampling", message, channel=name)
    elif unsampled:
        message = f"channel {name!r} is subsampled, which tiled and deep parts do not allow"
        yield _at(part, "channels", "bad_sampling", message, channel=name)
    elif area is not None and (area.x_min % steps[0] or area.y_min % steps[1] or area.width % steps[0] or area.height % steps[1]):
        message = f"channel {name!r} is sampled {steps[0]} x {steps[1]}, which does not divide the data window"
        yield _at(part, "channels", "misaligned_sampling", message, channel=name)


def _windows(header: Header, part: Part) -> Iterator[Finding]:
    data, display = part.data_window, part.display_window
    for word, area in (("data", data), ("display", display)):
        if area is None:
            continue
        name = f"{word}Window"
        size = f"{name} spans {area.width} x {area.height} pixels"
        if area.width <= 0 or area.height <= 0:
            yield _at(part, name, f"inverted_{word}_window", f"{size}: its corners are the wrong way round")
        elif max(-area.x_min, -area.y_min, area.x_max, area.y_max) > LARGEST_COORDINATE:
            yield _at(part, name, f"huge_{word}_window", f"{size}, with coordinates beyond {LARGEST_COORDINATE}")
        elif max(area.width, area.height) > LARGE_SIDE:
            yield _at(part, name, f"huge_{word}_window", f"{size}, with a side above {LARGE_SIDE}", "warning")
    if data and display and not data.overlaps(display):
        yield _at(part, "dataWindow", "windows_disjoint", "the data window lies wholly outside the display window", "warning")


def _numbers(header: Header, part: Part) -> Iterator[Finding]:
    aspect = part.stated["pixelAspectRatio"]
    if aspect is not None and not (isinstance(aspect, float) and ASPECT_RANGE[0] <= aspect <= ASPECT_RANGE[1]):
        yield _at(part, "pixelAspectRatio", "bad_pixel_aspect_ratio", f"the pixel aspect ratio is {aspect}")
    width = part.stated["screenWindowWidth"]
    if width is not None and not (isinstance(width, float) and width >= 0):
        yield _at(part, "screenWindowWidth", "bad_screen_window_width", f"the screen window width is {width}")


def _enumerations(header: Header, part: Part) -> Iterator[Finding]:
    for attribute in part.attributes:
        if attribute.type in ENUMERATIONS and str(attribute.value).startswith("unknown"):
            severity: Severity = "error" if attribute.name in REQUIRED else "warning"
            message = f"attribute {attribute.name!r} has the value {attribute.value}"
            yield _at(part, attribute.name, "unknown_enum_value", message, severity)
    if part.stated["lineOrder"] == "random_y" and not part.is_tiled:
        yield _at(part, "lineOrder", "random_scanlines", "the line order random_y is for tiled parts")
    compression = part.stated["compression"]
    if part.is_deep and compression is not None and compression not in DEEP_COMPRESSIONS:
        yield _at(part, "compression", "bad_deep_compression", f"compression {compression} cannot hold deep data")


def _tiles(header: Header, part: Part) -> Iterator[Finding]:
    tiles = part.stated["tiles"]
    if tiles is None or not part.is_tiled:
        return
    if not 0 < tiles["x_size"] < 2**31 or not 0 < tiles["y_size"] < 2**31:
        yield _at(part, "tiles", "bad_tiles", f"tiles of {tiles['x_size']} x {tiles['y_size']} pixels")
    for mode in ("level_mode", "rounding_mode"):
        if tiles[mode].startswith("unknown"):
            yield _at(part, "tiles", "bad_tiles", f"the {mode.replace('_', ' ')} of the tiles is {tiles[mode]}")


def _chunk_count(part: Part, layout: Layout) -> Iterator[Finding]:
    declared = part.stated["chunkCount"]
    if declared is not None and declared != layout.chunks:
        message = f"chunkCount says {declared} chunks where window and compression make {layout.chunks}"
        yield _at(part, "chunkCount", "chunk_count_mismatch", message)


def _between_parts(header: Header) -> Iterator[Finding]:
    if len(header.parts) < 2:
        return
    names: dict[str, int] = {}
    for part in header.parts:
        name = part.stated["name"]
        if name is not None and names.setdefault(name, part.index) != part.index:
            yield _at(part, "name", "duplicate_part_name", f"the name {quote(name)} is also that of part {names[name]}")
    first = header.parts[0]
    for part in header.parts[1:]:
        for name in SHARED:
            if part.stated[name] != first.stated[name]:
                yield _at(part, name, "shared_attribute_differs", f"attribute {name!r} differs from that of part 0")
