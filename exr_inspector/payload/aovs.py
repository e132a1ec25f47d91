"""AOVs: what the samples of channels are (their role), of which family that is (its category), of which view and light group.

Everything is told from names. A view is taken off first, then the prefixes of view layers; what is left is read by the words of
`aov_words`. A name without a known word has no role, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from exr_inspector.exr.channel_names import split_name, stokes_component, view_of_part, views_of_layers
from exr_inspector.exr.header import Header, Part
from exr_inspector.exr.layout import Window, unpacked_sizes
from exr_inspector.payload.aov_words import DATA_ROLES, read_words
from exr_inspector.payload.light_groups import LightGroup, light_group_of, writers_of

_ALPHA = frozenset({"a", "alpha", "ar", "ag", "ab"})
_COLOUR = frozenset({"r", "g", "b", "red", "green", "blue", "y", "ry", "by"})
_RANK = re.compile(r"\d{2}\Z")
# What is remembered is bounded in bytes: this many layers of this many characters at most.
_LONGEST_KEPT = 512
_KEPT_LAYERS = 2048
# What is remembered of whole headers: this many, each of so many channels with so many characters at most.
_KEPT_PARTS = 64
_KEPT_CHANNELS = 256
_KEPT_CHARACTERS = 16_384
# A view stands in the entry of each channel, and is looked for in the name of each part: longer ones, and more, are not.
LONGEST_VIEW = 64
MOST_VIEWS = 64


class Reading(NamedTuple):
    """What the names of a layer and of its components say: of the layer, and of each component in order."""

    role: str | None
    category: str
    group: LightGroup | None
    components: tuple[tuple[str | None, str], ...]


class PartNames(NamedTuple):
    """The names that a part is read by. `name` is empty in files of one part, where it tells nothing."""

    name: str
    view: str | None
    multi_view: tuple[str, ...]
    is_deep: bool
    channels: tuple[str, ...]


class Layer(NamedTuple):
    """A layer of a part, the channels that share what stands before the last dot, and what is said of it.

    `label` is the name that it is read by: without the view, and that of its part where it has none. `members` are the positions
    of its channels in the part, `answers` the role and category of each. A tuple because a header makes dozens of them.
    """

    name: str
    label: str
    view: str | None
    role: str | None
    category: str
    light_group: str | None
    members: tuple[int, ...]
    components: tuple[str, ...]
    answers: tuple[tuple[str | None, str], ...]


def read_layer(label: str, components: tuple[str, ...]) -> Reading:
    """What a layer of a flat part and its components are, by its name without a view; by its components where it has none.

    Of several sections that dots join, the last one is the name of the AOV: Blender writes the view layer before it.

    >>> read_layer("", ("A", "B", "G", "R", "Z"))[:2], read_layer("ViewLayer.Combined_key", ("R", "G", "B"))[:3]
    (('beauty', 'beauty'), ('beauty', 'light_group', LightGroup(name='key', writer=None)))
    >>> read_layer("crypto_object00", ("R", "A")).components, read_layer("diffuse_direct", ("R", "A")).components
    ((('cryptomatte', 'cryptomatte'), ('cryptomatte', 'cryptomatte')), (('diffuse', 'lighting'), ('alpha', 'lighting')))
    >>> read_layer("myPass", ("x",))
    Reading(role=None, category='data', group=None, components=((None, 'data'),))
    """
    if len(label) + sum(map(len, components)) <= _LONGEST_KEPT:
        return _read_short_layer(label, components)
    return _read_layer(label, components)


def _read_layer(label: str, components: tuple[str, ...]) -> Reading:
    aov = label if label.startswith("lpe:") else label.rpartition(".")[2]
    if spectral := _read_spectral(aov, components):
        return spectral
    named = read_words(aov)
    group = light_group_of(aov)
    role, category = named.role, named.category
    if group is not None and group.writer is None:
        # Of a light group that is not split by what reflects, the samples are a picture.
        role, category = "beauty" if role in (None, "light") else role, "light_group"
    if category is None:
        return _read_components(components, is_nameless=not label)
    return Reading(role, category, group, tuple([_component(component, role, category) for component in components]))


def _component(component: str, role: str | None, category: str) -> tuple[str | None, str]:
    """Role and category of one component of a layer whose own are known."""
    if role in DATA_ROLES:
        return role, category
    lower = component.lower()
    if lower in _ALPHA:
        return "alpha", category
    if role != "beauty" or lower in _COLOUR:
        return role, category
    # What stands beside the colours of a picture is something else.
    return _read_alone(component, is_vector=False)


def _read_alone(component: str, *, is_vector: bool) -> tuple[str | None, str]:
    """What a component says by itself. X, Y and Z of one layer are a vector, not a depth."""
    if is_vector and len(component) == 1:
        return None, "data"
    if stokes_component("", component):
        return "spectral", "beauty"
    words = read_words(component)
    return words.role, words.category or "data"


def _read_components(components: tuple[str, ...], *, is_nameless: bool) -> Reading:
    """A layer whose name says nothing, by its components; only without a name R, G and B are the picture."""
    lower = [component.lower() for component in components]
    is_vector = "x" in lower and not {"y", "z"}.isdisjoint(lower)
    has_colour = is_nameless and not is_vector and not _COLOUR.isdisjoint(lower)
    alpha_of = "beauty" if has_colour else "matte" if is_nameless else "data"
    answers: list[tuple[str | None, str]] = []
    for component, low in zip(components, lower, strict=True):
        if low in _ALPHA:
            answers.append(("alpha", alpha_of))
        elif has_colour and low in _COLOUR:
            answers.append(("beauty", "beauty"))
        elif low in _COLOUR:
            answers.append((None, "data"))
        else:
            answers.append(_read_alone(component, is_vector=is_vector))
    role, category = _common_answer(answers, has_colour)
    return Reading(role, category, None, tuple(answers))


def _common_answer(answers: list[tuple[str | None, str]], has_colour: bool) -> tuple[str | None, str]:
    """What a layer is by its components: the picture, or what all of them but the alpha are."""
    if has_colour:
        return "beauty", "beauty"
    kinds = {answer for answer in answers if answer[0] != "alpha"} or set(answers)
    return kinds.pop() if len(kinds) == 1 else (None, "data")


def _read_spectral(aov: str, components: tuple[str, ...]) -> Reading | None:
    """A layer of wavelengths. The radiance is the picture; the other Stokes components and reflectances are data."""
    stokes = [stokes_component(aov, component) for component in components]
    if not stokes or None in stokes:
        return None
    category = "beauty" if stokes[0] == "S0" else "data"
    return Reading("spectral", category, None, (("spectral", category),) * len(components))


_read_short_layer = lru_cache(maxsize=_KEPT_LAYERS)(_read_layer)


class ChannelWords(NamedTuple):
    """What the names of a channel say."""

    layer_name: str
    component_name: str
    role: str | None
    category: str
    view: str | None
    light_group: str | None


class PartWords(NamedTuple):
    """What the names of a part's channels say: of its layers, in the order of their first channels, and of each channel."""

    layers: tuple[Layer, ...]
    channels: tuple[ChannelWords, ...]


def read_parts(parts: Sequence[PartNames], cryptomattes: frozenset[str], attributes: Iterable[str]) -> tuple[PartWords, ...]:
    """What the names of channels say, part by part.

    `cryptomattes`: the names that the file's cryptomatte metadata declare. `attributes`: the names of the file's attributes.
    """
    writers = writers_of(attributes)
    channels = [name for part in parts for name in part.channels]
    few = len(channels) <= _KEPT_CHANNELS and sum(map(len, channels)) + sum(map(len, cryptomattes)) <= _KEPT_CHARACTERS
    return (_read_parts_kept if few else _read_parts)(tuple(parts), cryptomattes, writers)


def _read_parts(parts: Sequence[PartNames], cryptomattes: frozenset[str], writers: frozenset[str]) -> tuple[PartWords, ...]:
    views = list(dict.fromkeys([part.view for part in parts if part.view]))[:MOST_VIEWS]
    named = [_name_layers(part, views, cryptomattes) for part in parts]
    readings = [[_read_or_declared(one.label, one.components, cryptomattes) for one in layers] for layers in named]
    readings = _settle_groups(readings, writers)
    return tuple(
        [
            _words_of([_layer(part.is_deep, one, reading) for one, reading in zip(layers, own, strict=True)])
            for part, layers, own in zip(parts, named, readings, strict=True)
        ]
    )


# Frames of a sequence have the same names.
_read_parts_kept = lru_cache(maxsize=_KEPT_PARTS)(_read_parts)


def _words_of(layers: list[Layer]) -> PartWords:
    words: dict[int, ChannelWords] = {}
    for layer in layers:
        for position, component, (role, category) in zip(layer.members, layer.components, layer.answers, strict=True):
            words[position] = ChannelWords(layer.name, component, role, category, layer.view, layer.light_group)
    return PartWords(tuple(layers), tuple([words[position] for position in range(len(words))]))


class _NamedLayer(NamedTuple):
    """A layer before it is read: `label` is its name without the view, or that of its part where it has none."""

    name: str
    label: str
    view: str | None
    members: tuple[int, ...]
    components: tuple[str, ...]


def _name_layers(part: PartNames, views: Sequence[str], cryptomattes: frozenset[str]) -> list[_NamedLayer]:
    grouped: dict[str, tuple[list[int], list[str]]] = {}
    for position, name in enumerate(part.channels):
        layer, component = split_name(name)
        if layer not in grouped:
            grouped[layer] = [], []
        members, components = grouped[layer]
        members.append(position)
        components.append(component)
    labels = _labels(part, list(grouped), views, cryptomattes)
    return [
        _NamedLayer(layer, label, view, tuple(members), tuple(components))
        for (layer, (members, components)), (view, label) in zip(grouped.items(), labels, strict=True)
    ]


def _labels(
    part: PartNames, layers: list[str], views: Sequence[str], cryptomattes: frozenset[str]
) -> list[tuple[str | None, str]]:
    """The view of each layer, and the name that it is read by."""
    view, own_name = view_of_part(part.name, part.view, views) if part.name else (part.view, "")
    # A part has to have a name. One that no view is joined to and that says nothing, `subimage00` or `bg`, hides no picture.
    if own_name and own_name == part.name and not _says_something(own_name, cryptomattes):
        own_name = ""
    if view is None and part.multi_view:
        return [(seen, label or own_name) for seen, label in views_of_layers(layers, part.multi_view)]
    if view is None:
        return [(None, layer or own_name) for layer in layers]
    return [(view, (view_of_part(layer, view, ())[1] if layer else "") or own_name) for layer in layers]


def _says_something(name: str, cryptomattes: frozenset[str]) -> bool:
    return read_words(name).category is not None or light_group_of(name) is not None or _is_declared(name, cryptomattes)


def _is_declared(name: str, cryptomattes: frozenset[str]) -> bool:
    """Whether cryptomatte metadata name this layer; its ranks have two digits more."""
    return name in cryptomattes or (_RANK.search(name) is not None and name[:-2] in cryptomattes)


def _read_or_declared(label: str, components: tuple[str, ...], cryptomattes: frozenset[str]) -> Reading:
    """A layer that cryptomatte metadata name is a cryptomatte, whatever its name says."""
    if cryptomattes and _is_declared(label, cryptomattes):
        return Reading("cryptomatte", "cryptomatte", None, (("cryptomatte", "cryptomatte"),) * len(components))
    return read_layer(label, components)


def _settle_groups(readings: list[list[Reading]], writers: frozenset[str]) -> list[list[Reading]]:
    """Of the layers that may be of a light group: those of a renderer that names them so, and of groups that others are of."""
    groups = [reading.group for own in readings for reading in own if reading.group is not None]
    if all(group.writer is None for group in groups):
        return readings
    known = {group.name for group in groups if group.writer is None or group.writer in writers}
    return [[_settle(reading, known) for reading in own] for own in readings]


def _settle(reading: Reading, known: set[str | None]) -> Reading:
    if reading.group is None or reading.group.writer is None:
        return reading
    if reading.group.name not in known:
        return reading._replace(group=None)
    components = tuple([(role, "light_group") for role, _ in reading.components])
    return reading._replace(category="light_group", components=components)


def _layer(is_deep: bool, named: _NamedLayer, reading: Reading) -> Layer:
    category, answers = reading.category, reading.components
    if is_deep:
        category, answers = "deep", tuple([(role, "deep") for role, _ in answers])
    group = reading.group.name if reading.group else None
    name, label, view, members, components = named
    return Layer(name, label, view, reading.role, category, group, members, components, answers)


def names_of(header: Header) -> list[PartNames]:
    """What the parts of a header are read by."""
    return [_names_of_part(part, header.is_multipart) for part in header.parts]


def _names_of_part(part: Part, is_multipart: bool) -> PartNames:
    name = str(part.stated["name"] or "") if is_multipart else ""
    views = _view_name(part.stated["view"]), _view_names(part.stated["multiView"])
    return PartNames(name, *views, part.is_deep, tuple([channel.name for channel in part.channels]))


def _view_name(view: Any) -> str | None:
    """A view as a part states it; None for what is not a name."""
    return view if isinstance(view, str) and 0 < len(view) <= LONGEST_VIEW else None


def _view_names(views: Any) -> tuple[str, ...]:
    """The views that `multiView` lists."""
    return tuple([view for view in views if _view_name(view)]) if isinstance(views, list) else ()


def undeclared_cryptomattes(layers: Sequence[Layer], declared: frozenset[str]) -> list[str]:
    """The names of cryptomatte layers without their ranks that no metadata name, each once."""
    names = dict.fromkeys([_RANK.sub("", layer.label) for layer in layers if layer.role == "cryptomatte"])
    return [name for name in names if name not in declared]


def layer_entries(part: Part, layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """The entries of a part's `layers` in the payload.

    `logical_bytes` is what the layer's samples take uncompressed; None for deep parts, and where type or sampling is unknown.
    """
    measure = _measure_kept if len(part.channels) <= _KEPT_CHANNELS else _measure
    kinds = tuple([(channel.type, channel.x_sampling, channel.y_sampling) for channel in part.channels])
    measured = measure(kinds, tuple([layer.members for layer in layers]), None if part.is_deep else part.data_window)
    return [
        {
            "name": layer.name,
            "role": layer.role,
            "category": layer.category,
            "view": layer.view,
            "light_group": layer.light_group,
            "components": list(layer.components),
            "types": list(types),
            "logical_bytes": size,
        }
        for layer, (types, size) in zip(layers, measured, strict=True)
    ]


def _measure(
    kinds: Sequence[tuple[str, int, int]], groups: Sequence[Sequence[int]], area: Window | None
) -> list[tuple[tuple[str, ...], int | None]]:
    """The types of each group of channels, and its bytes. `kinds`: type and sampling of each channel."""
    members = [[kinds[position] for position in group] for group in groups]
    types = [tuple(sorted({kind for kind, _, _ in group})) for group in members]
    return list(zip(types, unpacked_sizes(area, members), strict=True))


_measure_kept = lru_cache(maxsize=_KEPT_PARTS)(_measure)


def channel_entries(part: Part, words: Sequence[ChannelWords]) -> list[dict[str, Any]]:
    """The entries of a part's channels in the payload, in file order."""
    index = part.index
    return [
        {
            "part_index": index,
            "name": name,
            "layer_name": layer,
            "component_name": component,
            "type": kind,
            "x_sampling": x_sampling,
            "y_sampling": y_sampling,
            "p_linear": p_linear,
            "role": role,
            "category": category,
            "view": view,
            "light_group": group,
        }
        for (name, kind, p_linear, x_sampling, y_sampling, _), (layer, component, role, category, view, group) in zip(
            part.channels, words, strict=True
        )
    ]


def describe_channels(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The channels of a payload, with what is said of them; payloads of older versions, and of other hands, do not say it."""
    channels: list[Mapping[str, Any]] = list(payload.get("channels") or [])
    if all("role" in channel for channel in channels):
        return channels
    return [{**said, **channel} for channel, said in zip(channels, _read_again(payload, channels), strict=True)]


def _read_again(payload: Mapping[str, Any], channels: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    parts = {part.get("index", position): part for position, part in enumerate(payload.get("parts") or [])}
    attributes = (payload.get("attributes") or {}).get("parts") or []
    positions: dict[int, list[int]] = {}
    for position, channel in enumerate(channels):
        positions.setdefault(channel.get("part_index") or 0, []).append(position)
    names = [
        _names_again(parts.get(index, {}), len(parts) > 1, attributes[index : index + 1], [channels[one] for one in own])
        for index, own in positions.items()
    ]
    declared = frozenset([_text(entry.get("name")) for part in parts.values() for entry in part.get("cryptomatte") or ()])
    attribute_names = (_text(entry.get("name")) for listed in attributes for entry in listed)
    said: list[dict[str, Any]] = [{} for _ in channels]
    for own, words in zip(positions.values(), read_parts(names, declared, attribute_names), strict=True):
        for position, one in zip(own, words.channels, strict=True):
            said[position] = {"role": one.role, "category": one.category, "view": one.view, "light_group": one.light_group}
    return said


def _names_again(
    part: Mapping[str, Any], is_multipart: bool, attributes: Sequence[Any], channels: Sequence[Mapping[str, Any]]
) -> PartNames:
    """What a part of a payload is read by."""
    listed = [entry.get("value") for own in attributes for entry in own if entry.get("name") == "multiView"]
    multi_view = _view_names(listed[0]) if listed else ()
    name = _text(part.get("name")) if is_multipart else ""
    names = tuple([_text(channel.get("name")) for channel in channels])
    return PartNames(name, _view_name(part.get("view")), multi_view, bool(part.get("is_deep")), names)


def _text(value: Any) -> str:
    """A name in a payload that others made; anything but a text says nothing."""
    return value if isinstance(value, str) else ""
