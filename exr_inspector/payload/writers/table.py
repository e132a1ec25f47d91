"""The form of a writer's table: by which attributes it is recognised, and which of them say what.

A family's module holds nothing but such tables, with the source of each name beside it. Attribute names are compared without
case; one `*` in a name stands for any text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

from exr_inspector.exr.attributes import Attribute

CAMERA_FIELDS = (
    "name", "make", "model", "serial_number", "lens", "lens_serial_number", "clip_name", "reel", "focal_length", "field_of_view",
    "horizontal_aperture", "vertical_aperture", "f_number", "t_stop", "focus_distance", "shutter_angle", "exposure_time", "iso",
    "white_balance", "tint", "near_clip", "far_clip", "world_to_camera", "world_to_ndc", "transform",
)  # fmt: skip
"""Fields of a part's `camera`: lengths in millimetres, angles in degrees (`field_of_view` is the horizontal one), distances in
units of the scene, times in seconds, white balance in kelvin; matrices as 16 numbers, row by row."""
FACTS = frozenset(
    {
        "software", "version", "seconds", "memory", "host", "processor", "samples", "scene_file", "artist", "frame", "shot_name",
        "sequence_name", "color_interop_id", "color_space", "fps", "timecode", *(f"camera.{field}" for field in CAMERA_FIELDS),
    }
)  # fmt: skip
"""What a name can say. `software` is a text that names a program and perhaps its version, `version` one that may leave out the
program; `seconds` of rendering, `memory` in MiB at the peak, `samples` as the artist set them, `frame` as the scene counts it."""

Reader = Callable[[Attribute], Any]
"""Attribute -> the value of the fact, or None where the attribute does not tell; see `values`."""


class Kind(IntEnum):
    """What a writer does with pictures. Where several left their names in a header, the lowest made the picture.

    A compositor's picture is its own, whatever it read: the times and hosts that it carries over are those of its inputs. A host
    application runs a renderer. An editor of single pictures and a converter pass on what others made.
    """

    COMPOSITOR = 0
    RENDERER = 1
    CAMERA = 2
    HOST = 3
    EDITOR = 4
    CONVERTER = 5


class Name(NamedTuple):
    """An attribute, one of the `FACTS`, and how the fact is read from the attribute."""

    attribute: str
    fact: str
    read: Reader


class Mark(NamedTuple):
    """An attribute that tells the writer: by its name alone, or by a text that its value contains (compared without case)."""

    attribute: str
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Writer:
    """A product, how it is recognised, and what its attributes say. Its names count only in headers that it is recognised in."""

    product: str
    """The name to group by."""
    kind: Kind
    marks: tuple[Mark, ...] = ()
    programs: tuple[str, ...] = ()
    """Words, in lower case, by which `Software` and the like name it; the more specific come first."""
    names: tuple[Name, ...] = ()
    """Of several names for one fact, the first that tells counts."""


class Statement(NamedTuple):
    """A name of a writer's table. `order`: how many prefixes were taken off the attribute's name, and the place in the table."""

    writer: Writer
    order: tuple[int, int]
    name: Name

    @property
    def is_carried(self) -> bool:
        """Whether the attribute was carried over from an input."""
        return self.order[0] > 0


class Meaning(NamedTuple):
    """What an attribute of this name may say, and the writers that it tells, with the text that its value has to contain."""

    statements: tuple[Statement, ...]
    marks: tuple[tuple[Writer, str], ...]


_LONGEST_KEPT = 255
# Nuke puts these before the names that it carries over from its inputs.
_CARRIED = ("nuke/", "exr/", "input/")


class Index:
    """The names of several writers, for quick look-up."""

    def __init__(self, writers: tuple[Writer, ...]) -> None:
        self._statements: dict[str, list[Statement]] = {}
        self._marks: dict[str, list[tuple[Writer, str]]] = {}
        for writer in writers:
            for order, name in enumerate(writer.names):
                self._statements.setdefault(name.attribute.lower(), []).append(Statement(writer, (0, order), name))
            for mark in writer.marks:
                self._marks.setdefault(mark.attribute.lower(), []).append((writer, mark.text.lower()))
        self._patterns = [tuple(key.split("*")) for key in {**self._statements, **self._marks} if "*" in key]
        self._kept = lru_cache(maxsize=4096)(self._look_up)

    def meaning(self, name: str) -> Meaning | None:
        """What an attribute of this name may say; None where no writer is known to use it."""
        # What is kept is bounded in bytes: a file can have long names.
        return self._kept(name) if len(name) <= _LONGEST_KEPT else self._look_up(name)

    def _look_up(self, name: str) -> Meaning | None:
        spellings = [name.lower()]
        while prefix := next((prefix for prefix in _CARRIED if spellings[-1].startswith(prefix)), None):
            spellings.append(spellings[-1].removeprefix(prefix))
        keys = [(taken_off, key) for taken_off, one in enumerate(spellings) for key in (one, *self._matching(one))]
        statements = [
            Statement(writer, (taken_off, order), entry)
            for taken_off, key in keys
            for writer, (_, order), entry in self._statements.get(key, ())
        ]
        marks = [mark for _, key in keys for mark in self._marks.get(key, ())]
        return Meaning(tuple(statements), tuple(marks)) if statements or marks else None

    def _matching(self, name: str) -> list[str]:
        return [
            f"{head}*{tail}"
            for head, tail in self._patterns
            if len(name) >= len(head) + len(tail) and name.startswith(head) and name.endswith(tail)
        ]
