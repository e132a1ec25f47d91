"""Houdini, whose `husk` writes the files of all Hydra delegates, and Karma."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.table import Kind, Mark, Name, Writer


def by_husk(delegate: str) -> tuple[Mark, ...]:
    """The marks of a renderer that `husk` ran: the beginning of the delegate's name, as `husk --list-renderers` has it."""
    return Mark("husk:render_stats", f'"{delegate}'), Mark("husk:command", f" {delegate}")


# Sources: SideFX, "Render statistics" (husk stores them as metadata), and public programs that read Karma's files: a checker of
# frames (`__delegate`, `system_time.wallclock` in seconds, `system_memory.peak` in bytes, HostComputer "PC-01 - AMD Ryzen ..."),
# burn-ins from `oiiotool -info -v` (`frame`, `renderTime` in seconds, `renderTime_s`, `renderMemory_s` "1.50 GB").
HOUDINI = Writer(
    product="Houdini",
    kind=Kind.HOST,
    marks=(Mark("husk:*"),),
    programs=("houdini", "husk"),
    names=(
        Name("husk:render_stats", "seconds", values.in_json("system_time", "wallclock")),
        Name("renderTime", "seconds", values.elapsed),
        Name("renderTime_s", "seconds", values.elapsed),
        Name("husk:render_stats", "memory", values.in_json("system_memory", "peak", factor=2**-20)),
        Name("husk:usd_file", "scene_file", values.text),
        Name("frame", "frame", values.frame),
        Name("camera", "camera.name", values.text),
    ),
)
# For other delegates husk's `renderMemory_s` can be beyond all memory: OpenMoonRay's notes on Houdini 20.5 have "418.39 GB".
KARMA = Writer(
    product="Karma",
    kind=Kind.RENDERER,
    marks=by_husk("BRAY_HdKarma"),
    programs=("karma",),
    names=(
        Name("husk:render_stats", "memory", values.in_json("system_memory", "peak", factor=2**-20)),
        Name("renderMemory_s", "memory", values.memory),
    ),
)
WRITERS = (KARMA, HOUDINI)
