"""Corona, whose CXR files are EXR files."""

from __future__ import annotations

from exr_inspector.payload.writers.table import Kind, Mark, Writer

# Source: Chaos, "Corona EXR format (CXR)": all its attributes begin with `corona`; none of those that it lists is a fact of ours.
CORONA = Writer(product="Corona", kind=Kind.RENDERER, marks=(Mark("corona.*"),), programs=("corona",))
WRITERS = (CORONA,)
