"""Plates: what cameras and the converters of their makers write."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.table import Kind, Mark, Name, Writer

# Sources: a header of the ARRIRAW Converter 3.5 (OpenImageIO, `testsuite/rational`): `com.arri.camera.*`, and `comments`, which
# begins with the converter's version; RAWcooked, EXR.cpp (`arri.*`, `com.arri.*`); ingest tools that read `arriraw/*` (names as
# in ARRI's own metadata, with or without the set that they are in) and `arri/*` (Nuke). `com.arri.camera.ColorGamma` is the
# gamma of the recording, not of the picture.
ARRI = Writer(
    product="ARRI",
    kind=Kind.CAMERA,
    marks=(
        Mark("com.arri.*"), Mark("arri.*"), Mark("arriraw/*"), Mark("arri/camera/*"), Mark("cameraMake", "arri"),
        Mark("comments", "arriraw_sdk"),
    ),
    names=(
        Name("comments", "version", values.containing("arriraw_sdk")),
        Name("cameraModel", "camera.model", values.text),
        Name("arriraw/cameraModel", "camera.model", values.text),
        Name("arriraw/cameraDevice/cameraModel", "camera.model", values.text),
        Name("arri/camera/camera_model", "camera.model", values.text),
        Name("cameraSerialNumber", "camera.serial_number", values.text),
        Name("arriraw/cameraDevice/cameraSerialNumber", "camera.serial_number", values.text),
        Name("lensModel", "camera.lens", values.text),
        Name("arriraw/lensModel", "camera.lens", values.text),
        Name("arriraw/lensDevice/lensModel", "camera.lens", values.text),
        Name("arri/optic/lens_device/model", "camera.lens", values.text),
        Name("com.arri.camera.LensType", "camera.lens", values.text),
        Name("arriraw/lensSerialNumber", "camera.lens_serial_number", values.text),
        Name("arriraw/reelName", "camera.reel", values.text),
        Name("arriraw/timeCode", "timecode", values.timecode),
        Name("com.arri.camera.WbTintCc", "camera.tint", values.number),
    ),
)  # fmt: skip
# Sources: scripts for Nuke that read `r3d/absolute_time_code`; Nuke writes `nuke/r3d/*` into files that it makes of R3D clips.
RED = Writer(
    product="RED",
    kind=Kind.CAMERA,
    marks=(Mark("r3d/*"),),
    names=(
        Name("timeCode", "timecode", values.timecode),
        Name("r3d/absolute_time_code", "timecode", values.timecode),
    ),
)
WRITERS = (ARRI, RED)
