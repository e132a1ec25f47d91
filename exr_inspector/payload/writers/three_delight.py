"""3Delight."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.houdini import by_husk
from exr_inspector.payload.writers.table import Kind, Name, Writer

# Sources: headers of 3Delight 9.0.8 (Cortex's test images), and listings of 2.1.9 and 2.1.23 in issues 83 and 90
# of johannesvollmer/exrs: `software` '3Delight 2.1.23 darwin-x86_64 (Aug 17 2020, f7230f) "Re-Animator"', far 1e38 for no limit.
THREE_DELIGHT = Writer(
    product="3Delight",
    kind=Kind.RENDERER,
    marks=by_husk("Hd3Delight"),
    programs=("3delight",),
    names=(
        Name("fieldOfViewHorizontal", "camera.field_of_view", values.positive),
        Name("near", "camera.near_clip", values.distance),
        Name("far", "camera.far_clip", values.distance),
    ),
)
WRITERS = (THREE_DELIGHT,)
