"""Unreal Engine: Movie Render Queue and Movie Render Graph."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.table import Kind, Mark, Name, Writer

# Source: Unreal Engine 4.26 to 5.7, plug-in MovieRenderPipeline: MoviePipelineUtils.cpp, MoviePipeline.cpp,
# MoviePipelineEXROutput.cpp, MovieGraphBlueprintLibrary.cpp. All values are text. A frame's duration is a time span
# (`+00:00:01.250`), a megabyte 2^20 bytes, lengths are millimetres, the field of view is horizontal, in degrees. Of a camera the
# queue writes `unreal/camera/FinalImage/fov`, the graph `unreal/layerData/rgba/fov`. None has the engine's version.
UNREAL = Writer(
    product="Unreal Engine",
    kind=Kind.RENDERER,
    marks=(Mark("unreal/*"),),
    programs=("unreal engine", "unreal"),
    names=(
        Name("unreal/frameRenderDuration", "seconds", values.elapsed),
        Name("unreal/stats/memory/peakUsedPhysicalMB", "memory", values.positive),
        Name("unreal/system/cpuBrand", "processor", values.text),
        Name("unreal/jobAuthor", "artist", values.text),
        Name("unreal/sequenceFrameNumber", "frame", values.frame),
        Name("unreal/shotName", "shot_name", values.unless("NoShot")),
        Name("unreal/sequenceName", "sequence_name", values.text),
        Name("unreal/frameRate", "fps", values.rate),
        Name("unreal/colorSpace/destination", "color_space", values.text),
        Name("unreal/cameraName", "camera.name", values.unless("NoCamera", "DummyCameraToken")),
        Name("unreal/*/focalLength", "camera.focal_length", values.positive),
        Name("unreal/*/fov", "camera.field_of_view", values.positive),
        Name("unreal/*/sensorWidth", "camera.horizontal_aperture", values.positive),
        Name("unreal/*/sensorHeight", "camera.vertical_aperture", values.positive),
        Name("unreal/*/fstop", "camera.f_number", values.positive),
        Name("unreal/*/focalDistance", "camera.focus_distance", values.distance),
    ),
)
WRITERS = (UNREAL,)
