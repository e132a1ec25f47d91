"""Katana, which writes pictures of its own and runs renderers."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.table import Kind, Mark, Name, Writer

# Source: headers of Katana 2.8 at Sony Pictures Imageworks (OpenImageIO, `oiiotool-composite`): "Katana 2.8.32".
KATANA = Writer(
    product="Katana",
    kind=Kind.HOST,
    marks=(Mark("spi:renderer", "katana"),),
    programs=("katana",),
    names=(Name("spi:renderer", "version", values.text),),
)
WRITERS = (KATANA,)
