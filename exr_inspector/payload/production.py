"""What TDs look for in a header, normalised from what renderers write: software, time, memory, host, colour space, camera.

Renderers agree on little, so attributes are found by *key*: the name's last segment (after `/`, `.` or `:`), letters and digits
only, lower case. `vrayInfo/rendertime`, `cycles.ViewLayer.render_time` and `renderTime` have the same key. Absent stays None.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from exr_inspector.exr.attributes import Attribute
from exr_inspector.exr.header import Part
from exr_inspector.payload.colour import interop_id

COLOR_KEYS = ("colorspace", "colourspace", "interopid", "workingspace", "renderingspace")
SOFTWARE_KEYS = ("software", "rendersoftware", "renderer", "creator")
# Whole names, folded, that hold a version alone, and the product that writes them.
VERSION_NAMES = {
    "vrayinfovrayversion": "V-Ray",
    "arnoldversion": "Arnold",
    "nukeversion": "Nuke",
    "unrealversion": "Unreal Engine",
    "unrealengineversion": "Unreal Engine",
    "houdiniversion": "Houdini",
    "redshiftversion": "Redshift",
    "rsversion": "Redshift",
    "rmanversion": "RenderMan",
}
# Keys in order of preference.
TIME_KEYS = ("rendertime", "totalrendertime", "rendertimeseconds", "rendertimes", "elapsedtime", "totaltime")
TIME_NAMES = ("arnoldstatstime", "arnoldstatstimetotal", "arnoldstatsrendertime")
MEMORY_KEYS = ("peakmemory", "memorypeak", "peakmemorymb", "peakmemorybytes", "rendermemorys", "rendermemory", "memory", "mem")
MEMORY_NAMES = ("arnoldstatsmemorypeak",)
HOST_KEYS = ("hostname", "hostcomputer", "computername", "host", "machinename", "rendernode")
FPS_KEYS = ("framespersecond", "fps", "framerate")
# Fields of `camera` that are numbers, as the renderer wrote them: lengths in millimetres, angles in degrees, distances in the
# scene's unit.
CAMERA_NUMBERS = {
    "focal_length": ("camerafocallength", "focallength", "nominalfocallength", "effectivefocallength", "pinholefocallength"),
    "field_of_view": ("camerafov", "fov", "horizontalfov"),
    "horizontal_aperture": ("camerahorizontalaperture", "horizontalaperture", "camerafilmaperturehorizontal", "sensorwidth"),
    "f_number": ("camerafnumber", "fnumber", "camerafstop", "fstop"),
    "focus_distance": ("focusdistance", "focaldistance", "doffocusdistance", "focus"),
    "shutter_angle": ("shutterangle",),
    "exposure_time": ("exptime", "exposuretime"),
    "iso": ("isospeed", "cameraiso", "iso"),
    "near_clip": ("cameranearclip", "nearclip", "nearplane"),
    "far_clip": ("camerafarclip", "farclip", "farplane"),
}
CAMERA_TEXTS = {
    "name": ("cameraname", "camera"),
    "make": ("cameramake",),
    "model": ("cameramodel",),
    "serial_number": ("cameraserialnumber",),
    "lens": ("lensmodel", "lens"),
}
CAMERA_MATRICES = {
    "world_to_camera": ("worldtocamera",),
    "world_to_ndc": ("worldtondc",),
    "transform": ("cameratransform", "transform"),
}
NUMBER_TYPES = frozenset({"int", "float", "double"})

_NOT_ALNUM = re.compile(r"[^a-z0-9]+")
_PRODUCT_VERSION = re.compile(r"(?<![A-Za-z0-9.])v?(\d+(?:\.\w+)+|\d+(?:v\d+)?)", re.IGNORECASE)
_CLOCK = re.compile(r"(?:(\d{1,6}):)?(\d{1,6}):(\d{1,2}(?:\.\d{1,9})?)")
_UNITS = re.compile(
    r"(?:(\d{1,6}) *d[a-z]* *)?(?:(\d{1,6}) *h[a-z]* *)?(?:(\d{1,6}) *m(?!s)[a-z]* *)?(?:(\d{1,9}(?:\.\d{1,9})?) *s[a-z]*)?"
)
_PLAIN = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([a-z]*)", re.IGNORECASE)
_TIMECODE = re.compile(r"\d\d:\d\d:\d\d[:;]\d\d")
# A megabyte is 2^20 bytes here: renderers that write "MB" count so.
_MEGABYTES = {"b": 2**-20, "bytes": 2**-20, "k": 2**-10, "kb": 2**-10, "kib": 2**-10, "m": 1.0, "mb": 1.0, "mib": 1.0} | {
    "g": 2**10, "gb": 2**10, "gib": 2**10, "t": 2**20, "tb": 2**20, "tib": 2**20,
}  # fmt: skip


@lru_cache(maxsize=4096)
def fold_name(name: str) -> tuple[str, str]:
    """An attribute's whole name and its key: lower-case letters and digits of all of it, and of its last segment."""
    lower = name.lower()
    return _NOT_ALNUM.sub("", lower), _NOT_ALNUM.sub("", re.split(r"[/.:]", lower)[-1])


class Facts:
    """The attributes of one part by whole folded name and by key; of several, the one with the shortest name counts."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._by_name: dict[str, Attribute] = {}
        self._by_key: dict[str, Attribute] = {}
        for attribute in part.first.values():
            if attribute.value is not None and not attribute.shortened:
                name, key = fold_name(attribute.name)
                for index, entry in ((self._by_name, name), (self._by_key, key)):
                    if entry not in index or len(attribute.name) < len(index[entry].name):
                        index[entry] = attribute

    def find(self, keys: Iterable[str], names: Iterable[str] = ()) -> Iterable[Attribute]:
        """The attributes with these whole names, then those with these keys, in the order asked for."""
        yield from (self._by_name[name] for name in names if name in self._by_name)
        yield from (self._by_key[key] for key in keys if key in self._by_key)

    def text(self, keys: Iterable[str], names: Iterable[str] = ()) -> tuple[str, str] | None:
        """The first non-empty text, as (attribute name, text without surrounding blanks and NULs)."""
        for attribute in self.find(keys, names):
            if isinstance(attribute.value, str) and attribute.type == "string" and (value := attribute.value.strip("\0 \t\r\n")):
                return attribute.name, value
        return None

    def number(self, keys: Iterable[str]) -> float | int | None:
        """The first number, whether written as one or as text."""
        for attribute in self.find(keys):
            if attribute.type in NUMBER_TYPES and not isinstance(attribute.value, str):
                return float(attribute.value) if attribute.type != "int" else int(attribute.value)
            if attribute.type == "string" and (match := _PLAIN.fullmatch(attribute.value.strip("\0 "))) and not match[2]:
                return float(match[1])
        return None


def fields(part: Part) -> dict[str, Any]:
    """The normalised facts of a part, as they stand in `payload["parts"]`; all keys are always there, None where unknown."""
    facts = Facts(part)
    name, version = software(facts)
    space, source = color_space(facts)
    return {
        "color_space": space,
        "color_space_source": source,
        "chromaticities": part.value("chromaticities", "chromaticities"),
        "render_software": name,
        "render_software_version": version,
        "render_seconds": render_seconds(facts),
        "peak_memory_mb": peak_memory_mb(facts),
        "host": (facts.text(HOST_KEYS) or (None, None))[1],
        "fps": frames_per_second(facts),
        "timecode": timecode(facts),
        "camera": camera(facts),
    }


def software(facts: Facts) -> tuple[str | None, str | None]:
    """The software that wrote the part, as written, and its version.

    Where a renderer writes its version under a name of its own (`vrayInfo/vrayversion`), the product is put before it.
    """
    if attribute := facts.text((), VERSION_NAMES):
        product, text = VERSION_NAMES[fold_name(attribute[0])[0]], attribute[1]
        text = text if product.lower() in text.lower() else f"{product} {text}"
    elif attribute := facts.text(SOFTWARE_KEYS):
        text = attribute[1]
    else:
        return None, None
    version = _PRODUCT_VERSION.search(text)
    return text, version[1] if version else None


def color_space(facts: Facts) -> tuple[str | None, str | None]:
    """The part's colour space and where it was taken from.

    In order: `colorInteropID`, an attribute that names the space, the ACES container flag (SMPTE ST 2065-4), chromaticities of a
    known space.
    """
    if named := facts.text((), ("colorinteropid",)) or facts.text(COLOR_KEYS):
        return named[1], named[0]
    if facts.part.value("acesImageContainerFlag", "int") == 1:
        return "lin_ap0_scene", "acesImageContainerFlag"
    known = _by_chromaticities(facts.part.value("chromaticities", "chromaticities"))
    return (known, "chromaticities") if known else (None, None)


def _by_chromaticities(value: dict[str, list[Any]] | None) -> str | None:
    if value is None:
        return None
    numbers = [number for corner in ("red", "green", "blue", "white") for number in value[corner]]
    if any(isinstance(number, str) for number in numbers):
        return None
    return interop_id(numbers)


def render_seconds(facts: Facts) -> float | None:
    """Seconds of rendering: a number is seconds; text may be `1:02:03.4`, `02:03.4`, `1h 2m 3.4s`, `83.4` or `83.4 s`."""
    for attribute in facts.find(TIME_KEYS, TIME_NAMES):
        if attribute.type in NUMBER_TYPES and not isinstance(attribute.value, str) and attribute.value >= 0:
            return float(attribute.value)
        if attribute.type == "string" and (seconds := duration(attribute.value)) is not None:
            return seconds
    return None


def duration(text: str) -> float | None:
    """Seconds from text, or None.

    >>> duration("01:14.25"), duration(" 0h 28m 39.3s"), duration("83.5 s"), duration("soon")
    (74.25, 1719.3, 83.5, None)
    """
    text = text.strip("\0 \t").lower()
    if clock := _CLOCK.fullmatch(text):
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3])
    if text and (units := _UNITS.fullmatch(text)):
        days, hours, minutes = (int(units[index] or 0) for index in (1, 2, 3))
        return days * 86400 + hours * 3600 + minutes * 60 + float(units[4] or 0)
    plain = _PLAIN.fullmatch(text)
    if plain and plain[2] in ("", "ms"):
        return float(plain[1]) / (1000 if plain[2] else 1)
    return None


def peak_memory_mb(facts: Facts) -> float | None:
    """Mebibytes at the renderer's peak. Text needs a unit (`1843.22M`, `50399.55 MiB`); a bare number needs one in its name."""
    for attribute in facts.find(MEMORY_KEYS, MEMORY_NAMES):
        value = attribute.value
        if attribute.type == "string" and (match := _PLAIN.fullmatch(value.strip("\0 "))) and match[2].lower() in _MEGABYTES:
            return round(float(match[1]) * _MEGABYTES[match[2].lower()], 6)
        unit = next((unit for unit in ("mb", "gb", "kb", "bytes") if fold_name(attribute.name)[1].endswith(unit)), None)
        if attribute.type in NUMBER_TYPES and not isinstance(value, str) and unit:
            return round(float(value) * _MEGABYTES[unit], 6)
    return None


def frames_per_second(facts: Facts) -> float | None:
    """Frames per second, rounded to 6 digits; the standard attribute is the rational `framesPerSecond`."""
    for attribute in facts.find(FPS_KEYS):
        if attribute.type == "rational" and isinstance(attribute.value, dict) and attribute.value["denominator"]:
            return round(float(attribute.value["numerator"]) / float(attribute.value["denominator"]), 6)
    number = facts.number(FPS_KEYS)
    return None if number is None else round(float(number), 6)


def timecode(facts: Facts) -> str | None:
    """`hh:mm:ss:ff` of the attribute `timeCode`, or of text of that form under such a name."""
    value = facts.part.value("timeCode", "timecode")
    if value is not None:
        return str(value["text"])
    written = facts.text(("timecode",))
    return written[1] if written and _TIMECODE.fullmatch(written[1]) else None


def camera(facts: Facts) -> dict[str, Any] | None:
    """What is known of the camera, under the names of CAMERA_TEXTS, CAMERA_NUMBERS and CAMERA_MATRICES; None when nothing is."""
    known: dict[str, Any] = {}
    for field, keys in CAMERA_TEXTS.items():
        if text := facts.text(keys):
            known[field] = text[1]
    for field, keys in CAMERA_NUMBERS.items():
        if (number := facts.number(keys)) is not None:
            known[field] = number
    # The standard attribute `aperture` is the f-number; elsewhere (`rs/camera/aperture`) the word means the film back.
    if "f_number" not in known and (aperture := facts.part.value("aperture", "float")) is not None:
        known["f_number"] = aperture
    for field, keys in CAMERA_MATRICES.items():
        matrices = [one.value for one in facts.find(keys) if one.type in ("m44f", "m44d") and one.value is not None]
        if matrices:
            known[field] = matrices[0]
    return known or None
