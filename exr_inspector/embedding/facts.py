"""What the vectors read from a payload, key by key.

A payload may be this project's own or a sparse reference written by hand, so the same fact is accepted under several
spellings. A wrong type inside counts as absent; nothing here raises on a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from exr_inspector.embedding import text as fold_text
from exr_inspector.embedding.cache import MB, bounded_cache, size_of
from exr_inspector.embedding.text import TEXT_LIMIT, encode, number, text, texts

TRUE_WORDS = frozenset({b"1", b"true", b"yes"})
EDGES = ("xmin", "ymin", "xmax", "ymax")
FULL_SAMPLING = b"1:1"
LEAVES_LIMIT = 8
STEPS_LIMIT = 64
CHANNEL_KEYS = ("part_index", "layer_name", "component_name", "name", "type", "x_sampling", "y_sampling")
_CHANNEL_VALUES = itemgetter(*CHANNEL_KEYS)
_ATTRIBUTE_VALUES = itemgetter("name", "type", "value")
_PART_TEXTS = (
    ("type",),
    ("render_product",),
    ("render_software_version",),
    ("name", "part_name"),
    ("view", "view_name"),
    ("color_space", "colorspace", "colour_space"),
)


class ChannelFacts(NamedTuple):
    """One channel: `layer` and `component` are the name before and after its last dot, case kept.

    `component_type` is `component:type`, the component as `text.component` spells it.
    """

    part: int
    layer: bytes
    component: bytes
    type: bytes
    component_type: bytes
    sampling: bytes


class Box(NamedTuple):
    """A pixel window, edges inclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns, at least 1 in a box that `_nonempty` accepted."""
        return self.right - self.left + 1

    @property
    def height(self) -> int:
        """Rows, at least 1 in a box that `_nonempty` accepted."""
        return self.bottom - self.top + 1

    def contains(self, other: Box) -> bool:
        """Whether `other` lies within this box, edges included."""
        return self.left <= other.left and self.top <= other.top and self.right >= other.right and self.bottom >= other.bottom


def relation(data: Box, display: Box) -> str:
    """How a data window lies in its display window: `full`, `over` (exceeds it on some side), `crop` or `mixed`."""
    if data == display:
        return "full"
    if data.contains(display):
        return "over"
    return "crop" if display.contains(data) else "mixed"


class PartFacts(NamedTuple):
    """One part. Empty bytes and None stand for what the payload does not say; `aspect` is in 1/1024."""

    name: bytes
    view: bytes
    display: Box | None
    data: Box | None
    aspect: int | None
    compression: bytes
    line_order: bytes
    deep: bool
    tiled: bool
    tile: bytes
    color_space: bytes
    product: bytes
    version: bytes


Attribute = tuple[Any, Any, Any]
"""Name, type and value of an attribute as the payload has them."""


def read_channels(entries: list[Any]) -> tuple[ChannelFacts, ...]:
    """One `ChannelFacts` per entry, in order; an entry that is not a dict counts as a channel without a name."""
    try:
        return tuple([_channel(*_CHANNEL_VALUES(entry)) for entry in entries])
    except (KeyError, TypeError):  # a key is missing, or a value is of a type that cannot be a cache key
        return tuple([_read_channel(_mapping(entry)) for entry in entries])


def _read_channel(entry: Mapping[str, Any]) -> ChannelFacts:
    return _make_channel(*[entry.get(key) for key in CHANNEL_KEYS])


def _make_channel(part: Any, layer: Any, component: Any, name: Any, kind: Any, xs: Any, ys: Any) -> ChannelFacts:
    before, after = text(layer), text(component)
    if not (before and after):
        named, _, last = encode(name).rpartition(b".")
        before, after = before or named[:TEXT_LIMIT], after or last[:TEXT_LIMIT]
    full = type(xs) is int and type(ys) is int and xs == ys == 1
    sampling = FULL_SAMPLING if full else b"%d:%d" % (1 if xs is None else number(xs), 1 if ys is None else number(ys))
    spelled = fold_text.pixel_type(kind)
    return ChannelFacts(number(part), before, after, spelled, fold_text.component(after) + b":" + spelled, sampling)


def _channel_bytes(arguments: tuple[Any, ...], channel: ChannelFacts) -> int:
    """At least what a channel takes: texts that come in, of up to four bytes a character, and those that are made of them."""
    _, layer, component, name, kind, _, _ = arguments
    try:
        return 700 + 5 * (len(layer) + len(component) + len(name) + len(kind))
    except TypeError:
        return size_of((arguments, channel))


# Typed, because True, 1 and 1.0 are one key otherwise and differ as numbers. It holds the 16,384 channels of one file, if their
# names are of ordinary length.
_channel = bounded_cache(24 * MB, typed=True, size=_channel_bytes)(_make_channel)


def read_parts(entries: list[Any]) -> tuple[PartFacts, ...]:
    """One `PartFacts` per entry, in order; an entry that is not a dict counts as a part that says nothing."""
    return tuple([_read_part(_mapping(entry)) for entry in entries])


def _read_part(entry: Mapping[str, Any]) -> PartFacts:
    kind, product, version, name, view, color_space = texts([_first(entry, *keys) for keys in _PART_TEXTS])
    compression, line_order = fold_text.compression(entry.get("compression")), fold_text.line_order(entry.get("line_order"))
    aspect = entry.get("pixel_aspect_ratio")
    tile = _tile_size(entry)
    kind = kind.lower()
    # A size alone makes a part tiled only where nothing says what it is: scanline parts may carry a stray `tiles` attribute.
    is_stated = bool(kind) or entry.get("is_tiled") is not None
    tiled = _flag(entry.get("is_tiled")) or b"tile" in kind or (not is_stated and tile != b"-")
    if not product:
        product, version = _cut_software(entry)
    return PartFacts(
        name=name,
        view=view,
        display=_window(entry, "display_window", "display_width", "display_height", None),
        data=_window(entry, "data_window", "width", "height", ("data_x_offset", "data_y_offset")),
        aspect=None if aspect is None else number(aspect, 1024),
        compression=compression,
        line_order=line_order,
        deep=_flag(entry.get("is_deep")) or b"deep" in kind,
        tiled=tiled,
        tile=tile if tiled else b"-",
        color_space=color_space,
        product=product,
        version=version,
    )


def _cut_software(entry: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Product and version of what wrote a part that does not name them, cut out of the software as written."""
    software = _first(entry, "render_software", "software")
    return (b"", b"") if software is None else fold_text.cut_software(text(software))


def _flag(value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return value is True
    return text(value).lower() in TRUE_WORDS


def _tile_size(entry: Mapping[str, Any]) -> bytes:
    """`WxH`, or `-` where no size is given."""
    width, height = entry.get("tile_width"), entry.get("tile_height")
    tiles = entry.get("tiles")
    if isinstance(tiles, dict):
        width = _first(tiles, "tile_width", "x_size", "xSize", "width")
        height = _first(tiles, "tile_height", "y_size", "ySize", "height")
    across, down = number(width), number(height)
    return b"%dx%d" % (across, down) if across > 0 and down > 0 else b"-"


def _window(entry: Mapping[str, Any], key: str, width: str, height: str, offsets: tuple[str, str] | None) -> Box | None:
    """The window under `key`, else one made of the integers derived from it, else None."""
    box = _nonempty(read_box(entry.get(key)))
    if box is not None:
        return box
    left, top = (number(entry.get(offsets[0])), number(entry.get(offsets[1]))) if offsets else (0, 0)
    return _nonempty(Box(left, top, left + number(entry.get(width)) - 1, top + number(entry.get(height)) - 1))


def _nonempty(box: Box | None) -> Box | None:
    return box if box is not None and box.right >= box.left and box.bottom >= box.top else None


def read_box(value: Any) -> Box | None:
    """A window written as min and max points, as four numbers, or as two pairs; None when it is none of these."""
    if isinstance(value, dict):
        edges = [value.get(edge) for edge in EDGES] if "xmin" in value else [*_point(value.get("min")), *_point(value.get("max"))]
    elif isinstance(value, (list, tuple)):
        edges = [edge for pair in value for edge in _point(pair)] if len(value) == 2 else list(value)
    else:
        return None
    return Box(*map(number, edges)) if len(edges) == 4 else None


def _point(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value.get("x"), value.get("y")]
    return list(value) if isinstance(value, (list, tuple)) and len(value) == 2 else []


def read_attributes(attributes: Any) -> list[list[Attribute]]:
    """The attributes of every part that has a list (or a dict of name to value) of them, the part's order kept."""
    lists = attributes.get("parts") if isinstance(attributes, Mapping) else attributes
    if isinstance(lists, Mapping):
        lists = list(lists.values())
    if not isinstance(lists, (list, tuple)):
        return []
    return [_read_attributes(entries) for entries in lists if isinstance(entries, (list, tuple, Mapping))]


def _read_attributes(entries: Any) -> list[Attribute]:
    if isinstance(entries, Mapping):
        entries = [
            {**value, "name": name} if isinstance(value, Mapping) and "value" in value else {"name": name, "value": value}
            for name, value in entries.items()
        ]
    try:
        return [_ATTRIBUTE_VALUES(entry) for entry in entries]
    except (KeyError, TypeError):  # as for channels
        return [(entry.get("name"), entry.get("type"), entry.get("value")) for entry in map(_mapping, entries)]


def numbers(value: Any) -> list[Any]:
    """The first scalars of a nested value: lists in order, dicts by key. Nine at most, to tell a short list from a long one."""
    scalars: list[Any] = []
    waiting = [value]
    for _ in range(STEPS_LIMIT):
        if not waiting or len(scalars) > LEAVES_LIMIT:
            break
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting.extend(item[key] for key in sorted((key for key in item if isinstance(key, str)), reverse=True))
        elif isinstance(item, (list, tuple)):
            waiting.extend(reversed(item))
        else:
            scalars.append(item)
    return scalars


def _first(entry: Mapping[str, Any], *keys: str) -> Any:
    for key in keys:
        value = entry.get(key)
        if value is not None:
            return value
    return None


def _mapping(entry: Any) -> Mapping[str, Any]:
    # The first test is for speed alone: a check against an abstract class costs more than the look-ups that follow.
    return entry if type(entry) is dict or isinstance(entry, Mapping) else {}
