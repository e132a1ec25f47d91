"""All writers that are known, in the order in which they are asked."""

from __future__ import annotations

import re

from exr_inspector.payload.writers import (
    arnold,
    blender,
    cameras,
    compositors,
    converters,
    corona,
    hosts,
    houdini,
    katana,
    moonray,
    nvidia,
    redshift,
    renderman,
    research,
    three_delight,
    unreal,
    vray,
)
from exr_inspector.payload.writers.standard import STANDARD
from exr_inspector.payload.writers.table import Index, Writer

WRITERS: tuple[Writer, ...] = (
    *compositors.WRITERS,
    *arnold.WRITERS,
    *vray.WRITERS,
    *redshift.WRITERS,
    *renderman.WRITERS,
    *houdini.WRITERS,
    *unreal.WRITERS,
    *moonray.WRITERS,
    *three_delight.WRITERS,
    *nvidia.WRITERS,
    *corona.WRITERS,
    *blender.WRITERS,
    *katana.WRITERS,
    *research.WRITERS,
    *cameras.WRITERS,
    *hosts.WRITERS,
    *converters.WRITERS,
)  # fmt: skip
RANKS = {writer: (writer.kind, order) for order, writer in enumerate((*WRITERS, STANDARD))}
"""Writer -> its place where several left their names: by kind, then as in WRITERS."""
INDEX = Index((*WRITERS, STANDARD))
_PROGRAMS = {word: writer for writer in WRITERS for word in writer.programs}
_PROGRAM = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(sorted(map(re.escape, _PROGRAMS), key=len, reverse=True))})(?![a-z])")


def writers_of(program: str) -> list[Writer]:
    """The writers that a program's text names, the first of RANKS first.

    >>> [writer.product for writer in writers_of("Arnold 7.3.4.1 for Maya")]
    ['Arnold']
    """
    return sorted({_PROGRAMS[word] for word in _PROGRAM.findall(program.lower())}, key=RANKS.__getitem__)
