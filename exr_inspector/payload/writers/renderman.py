"""RenderMan, which writes names that the application hands it as `exrheader_...`."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.houdini import by_husk
from exr_inspector.payload.writers.table import Kind, Mark, Name, Writer

# Source: RenderMan for Blender, `export_metadata`: `dcc` is "Blender (3, 3, 0)\nRenderman for Blender 24.4", `samples` the
# smallest and the largest number, lengths are Blender's millimetres. The delegate is OpenUSD's HdPrmanLoaderRendererPlugin.
RENDERMAN = Writer(
    product="RenderMan",
    kind=Kind.RENDERER,
    marks=(Mark("dcc", "renderman"), *by_husk("HdPrman")),
    programs=("renderman", "prman"),
    names=(
        Name("dcc", "version", values.line(1)),
        Name("renderscene", "scene_file", values.text),
        Name("user", "artist", values.text),
        Name("samples", "samples", values.largest),
        Name("focal", "camera.focal_length", values.positive),
        Name("haperture", "camera.horizontal_aperture", values.positive),
        Name("vaperture", "camera.vertical_aperture", values.positive),
        Name("fstop", "camera.f_number", values.positive),
        Name("focaldistance", "camera.focus_distance", values.distance),
    ),
)
WRITERS = (RENDERMAN,)
