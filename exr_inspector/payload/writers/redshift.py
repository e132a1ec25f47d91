"""Redshift."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.houdini import by_husk
from exr_inspector.payload.writers.table import Kind, Mark, Name, Writer

# Sources: Maxon, "EXR Metadata" (names since 2.5.64 and 2.6.04; `fov` in radians), and scripts that make cameras for Nuke from
# them (DOFFocusDistance, FStop, transform), which do not agree on the unit of `aperture`.
REDSHIFT = Writer(
    product="Redshift",
    kind=Kind.RENDERER,
    marks=(Mark("rs/version"), Mark("rs/hostname"), Mark("rs/camera/*"), *by_husk("HdRedshift")),
    programs=("redshift",),
    names=(
        Name("rs/version", "version", values.text),
        Name("rs/hostname", "host", values.text),
        Name("rs/camera/fov", "camera.field_of_view", values.degrees),
        Name("rs/camera/FStop", "camera.f_number", values.positive),
        Name("rs/camera/DOFFocusDistance", "camera.focus_distance", values.distance),
        Name("rs/camera/nearPlane", "camera.near_clip", values.distance),
        Name("rs/camera/farPlane", "camera.far_clip", values.distance),
        Name("rs/camera/transform", "camera.transform", values.matrix),
    ),
)
WRITERS = (REDSHIFT,)
