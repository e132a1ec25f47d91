"""Blender, whose stamp is text under one-word names, and Cycles where something else runs it."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.houdini import by_husk
from exr_inspector.payload.writers.table import Kind, Mark, Name, Writer

# Sources: Blender, image.cc (`BKE_render_result_stamp_info`: Memory "%.2fM" at the peak, Lens in millimetres, Time hh:mm:ss:ff of
# the scene) and its manual, "Metadata"; headers of Blender 2.8 to 3.0 (blender-dataset-generator, py-minexr, exrs, Poly Haven).
# `BlenderMultiChannel` is always "Blender V2.55.1 and newer"; Blender 5 writes `Software`. RenderTime is that of all layers.
BLENDER = Writer(
    product="Blender",
    kind=Kind.RENDERER,
    marks=(Mark("cycles.*"), Mark("BlenderMultiChannel"), Mark("File", ".blend"), Mark("File", "<untitled>")),
    programs=("blender",),
    names=(
        Name("RenderTime", "seconds", values.elapsed),
        Name("cycles.*.render_time", "seconds", values.elapsed),
        Name("Memory", "memory", values.memory),
        Name("Hostname", "host", values.text),
        Name("cycles.*.samples", "samples", values.integer),
        Name("File", "scene_file", values.text),
        Name("Frame", "frame", values.frame),
        Name("Time", "timecode", values.timecode),
        Name("Camera", "camera.name", values.text),
        Name("Lens", "camera.focal_length", values.positive),
    ),
)
CYCLES = Writer(product="Cycles", kind=Kind.RENDERER, marks=by_husk("HdCycles"), programs=("cycles",))
WRITERS = (BLENDER, CYCLES)
