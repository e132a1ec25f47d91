"""Arnold: `driver_exr` of Arnold 5 and later writes names that begin with `arnold/`; earlier versions wrote one text."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.houdini import by_husk
from exr_inspector.payload.writers.table import Kind, Mark, Name, Writer

# Sources: headers of Arnold 5.0 to 7.5 (Cryptomatte's sample images, OpenImageIO's and Gaffer's test images), of Arnold 4.2
# (Lumiverse, `output.exr`) and of 3.4 (OpenImageIO, `oiiotool-deep`). `stats/memory` is in MB, `stats/time` in seconds;
# `CameraFov` is horizontal, in degrees. CameraFilmAperture... and CameraFocalLength have no unit: the width is 1 in every header.
ARNOLD = Writer(
    product="Arnold",
    kind=Kind.RENDERER,
    marks=(Mark("arnold/*"), Mark("arnold"), Mark("rendererinfo", "arnold"), *by_husk("HdArnold")),
    programs=("arnold", "mtoa", "htoa", "c4dtoa", "kick"),
    names=(
        Name("arnold/version", "version", values.text),
        Name("rendererinfo", "version", values.text),
        Name("arnold", "version", values.text),
        Name("arnold/stats/time/render", "seconds", values.positive),
        Name("arnold/stats/memory/peak", "memory", values.positive),
        Name("arnold/host/name", "host", values.text),
        Name("arnold/host/hw", "processor", values.text),
        Name("arnold/AA_samples", "samples", values.integer),
        Name("arnold/frame", "frame", values.frame),
        Name("arnold/fps", "fps", values.rate),
        Name("arnold/color_space", "color_space", values.text),
        Name("camerainfo", "camera.name", values.text),
        Name("CameraFov", "camera.field_of_view", values.positive),
        Name("arnold/camera/near_clip", "camera.near_clip", values.distance),
        Name("arnold/camera/far_clip", "camera.far_clip", values.distance),
    ),
)
WRITERS = (ARNOLD,)
