"""Applications that run renderers and write pictures of their own: Gaffer, Cortex."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.table import Kind, Mark, Name, Writer

# Sources: headers of Gaffer 0.32 to 1.6; ImageWriter.cpp (`DocumentName` is the script) and RendererAlgo.cpp (`gaffer:*`, all
# variables of the context: `frame` and `framesPerSecond` always, others such as `shot` where a studio has them).
GAFFER = Writer(
    product="Gaffer",
    kind=Kind.HOST,
    marks=(Mark("gaffer:version"), Mark("gaffer:sourceScene"), Mark("DocumentName", ".gfr")),
    programs=("gaffer",),
    names=(
        Name("gaffer:version", "version", values.text),
        Name("DocumentName", "scene_file", values.text),
        Name("gaffer:context:frame", "frame", values.frame),
        Name("gaffer:context:framesPerSecond", "fps", values.rate),
        Name("gaffer:context:shot", "shot_name", values.text),
        Name("gaffer:context:sequence", "sequence_name", values.text),
    ),
)
# Source: Cortex, ImageWriter.cpp; its display driver leaves its own parameters in the header (Cortex's test images).
CORTEX = Writer(
    product="Cortex",
    kind=Kind.HOST,
    marks=(Mark("driverType", "imagedisplaydriver"),),
    programs=("cortex",),
)
WRITERS = (GAFFER, CORTEX)
