"""Editors of single pictures and converters: they pass on what others made."""

from __future__ import annotations

from exr_inspector.payload.writers import values
from exr_inspector.payload.writers.table import Kind, Mark, Name, Writer

# Sources: ProEXR (`writer` "ProEXR for Photoshop", "ProEXR EZ for Photoshop"); `Software` "Adobe Photoshop 27.0 (Windows)", which
# it also has as the `CreatorTool` of an XMP packet.
PHOTOSHOP = Writer(
    product="Photoshop",
    kind=Kind.EDITOR,
    marks=(Mark("writer", "photoshop"),),
    programs=("photoshop",),
    names=(Name("writer", "version", values.text),),
)
# Source: headers of Affinity Photo 1.10 (exrs' test images): the agent of each step in the history of an XMP packet.
AFFINITY = Writer(product="Affinity Photo", kind=Kind.EDITOR, programs=("affinity photo",))
# Source: Krita, exr_converter.cc; a header in tinyexr's tests.
KRITA = Writer(product="Krita", kind=Kind.EDITOR, marks=(Mark("krita_layers_info"),), programs=("krita",))
# Source: the comment that GIMP puts into new pictures; a header in OpenImageIO's test suite.
GIMP = Writer(product="GIMP", kind=Kind.EDITOR, marks=(Mark("comments", "created with gimp"),), programs=("gimp",))
# Source: darktable, imageio/format/exr.cc.
DARKTABLE = Writer(
    product="darktable",
    kind=Kind.EDITOR,
    marks=(Mark("comment", "developed using darktable"),),
    programs=("darktable",),
    names=(Name("comment", "version", values.text),),
)
# Sources: headers of OpenImageIO 1.1 to 3.2 (`Software`); FFmpeg, exrenc.c (`writer` "lavc").
OPENIMAGEIO = Writer(product="OpenImageIO", kind=Kind.CONVERTER, programs=("openimageio",))
FFMPEG = Writer(
    product="FFmpeg",
    kind=Kind.CONVERTER,
    marks=(Mark("writer", "lavc"),),
    programs=("ffmpeg",),
    names=(Name("writer", "version", values.text),),
)
WRITERS = (PHOTOSHOP, AFFINITY, KRITA, GIMP, DARKTABLE, OPENIMAGEIO, FFMPEG)
