"""MoonRay, which tells of itself only in files that a render can be resumed from."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.houdini import by_husk
from exr_inspector.payload.writers.table import Kind, Mark, Name, Writer

# Source: OpenMoonRay, "EXR Header Metadata", with a listing of a file of two runs: each adds an entry to the JSON list
# `resumeHistory`; `mcrtSec` is its time of rendering without preparation.
MOONRAY = Writer(
    product="MoonRay",
    kind=Kind.RENDERER,
    marks=(Mark("resumeHistory"), Mark("progressCheckpointTileSamples"), Mark("adaptiveSamplingV1"), *by_husk("HdMoonray")),
    programs=("moonray",),
    names=(
        Name("resumeHistory", "seconds", values.in_json("history", "*", "timingSummary", "mcrtSec")),
        Name("resumeHistory", "host", values.text_in_json("history", "*", "execEnv", "hostname")),
        Name("resumeHistory", "samples", values.integer_in_json("history", "*", "sampling", "maxSamples")),
        Name("adaptiveSamplingV1", "samples", values.largest),
    ),
)
WRITERS = (MOONRAY,)
