"""V-Ray: `vrayInfo/` of the host application's plug-in, and `camera...` of the renderer itself."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.houdini import by_husk
from exr_inspector.payload.writers.table import Kind, Mark, Name, Writer

# Sources: headers of V-Ray 3.60 for Maya (Cryptomatte's sample images) and of V-Ray 4.20 standalone (Hypersim, which has
# `vraycore` alone); listings by ProEXR of V-Ray 3.25 for 3ds Max ("Internal V-Ray version Adv 3.40.01"), of 3.60 and 4.30 for
# Maya ("Version of V-Ray for Maya Next"), and of V-Ray for 3ds Max before `vrayInfo/`. A raw image has rendertime "0h 0m 0.0s".
# `cameraFov` is the horizontal one in degrees, lengths are in millimetres; `cameraTargetDistance` is not where the lens focuses.
VRAY = Writer(
    product="V-Ray",
    kind=Kind.RENDERER,
    marks=(Mark("vrayInfo/*"), Mark("cameraTargetDistance"), *by_husk("HdVRay")),
    programs=("v-ray", "vray"),
    names=(
        Name("vrayInfo/vrayversion", "version", values.text),
        Name("vrayInfo/vraycore", "version", values.text),
        Name("vrayInfo/rendertime", "seconds", values.elapsed),
        Name("vrayInfo/peakMemory", "memory", values.memory),
        Name("vrayInfo/computername", "host", values.text),
        Name("vrayInfo/cpu", "processor", values.text),
        Name("vrayInfo/filename", "scene_file", values.text),
        Name("vrayInfo/frame", "frame", values.frame),
        Name("vrayInfo/camera", "camera.name", values.text),
        Name("cameraFocalLength", "camera.focal_length", values.positive),
        Name("cameraFov", "camera.field_of_view", values.positive),
        Name("cameraAperture", "camera.horizontal_aperture", values.positive),
        Name("cameraFNumber", "camera.f_number", values.positive),
        # Chaos, "VRayOptionRE": an example of attributes that the artist adds.
        Name("cameraISO", "camera.iso", values.positive),
        Name("cameraNearClip", "camera.near_clip", values.distance),
        Name("cameraFarClip", "camera.far_clip", values.distance),
        Name("cameraTransform", "camera.transform", values.matrix),
    ),
)
WRITERS = (VRAY,)
