"""Compositing and finishing: Nuke, After Effects and Premiere (ProEXR), FilmLight's Baselight."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.table import Kind, Mark, Name, Writer

# Sources: 197 headers of Nuke 9 to 13; the NDK's DDImage/MetaData.h (names under `nuke/` and `input/`, with their units). Behind
# further prefixes stand the names of the file that was read (`nuke/nuke/version`). Of its inputs, the rate and the timecode are
# those of the picture, too.
NUKE = Writer(
    product="Nuke",
    kind=Kind.COMPOSITOR,
    marks=(Mark("nuke/version"), Mark("nuke/node_hash"), Mark("nuke/full_layer_names"), Mark("input/filereader")),
    programs=("nuke",),
    names=(
        Name("nuke/version", "version", values.text),
        Name("framesPerSecond", "fps", values.rate),
        Name("input/frame_rate", "fps", values.rate),
        Name("timeCode", "timecode", values.timecode),
        Name("input/timecode", "timecode", values.timecode),
        Name("input/shutterangle", "camera.shutter_angle", values.positive),
        Name("input/fnumber", "camera.f_number", values.positive),
        Name("input/exposure_time", "camera.exposure_time", values.positive),
    ),
)
# Source: ProEXR (fnord), whose `writer` is "ProEXR for After Effects", "ProEXR Layers Export for After Effects" or "ProEXR for
# Premiere"; the same texts in descriptions of images on the web.
AFTER_EFFECTS = Writer(
    product="After Effects",
    kind=Kind.COMPOSITOR,
    marks=(Mark("writer", "after effects"),),
    programs=("after effects",),
    names=(Name("writer", "version", values.text),),
)
PREMIERE = Writer(
    product="Premiere",
    kind=Kind.COMPOSITOR,
    marks=(Mark("writer", "premiere"),),
    programs=("premiere",),
    names=(Name("writer", "version", values.text),),
)
# Source: an ingest tool for plates that reads `uk.ltd.filmlight.Clip` (a clip with its extension).
FILMLIGHT = Writer(
    product="FilmLight",
    kind=Kind.COMPOSITOR,
    marks=(Mark("uk.ltd.filmlight.*"),),
    programs=("baselight", "filmlight"),
    names=(Name("uk.ltd.filmlight.Clip", "camera.clip_name", values.stem),),
)
WRITERS = (NUKE, AFTER_EFFECTS, PREMIERE, FILMLIGHT)
