"""docs/VECTOR_STRATEGY.md says what the code does."""

from __future__ import annotations

import re

from exr_inspector.embedding.vectors import BLOCKS, EMBEDDING_VERSION, FINGERPRINT_BLOCKS
from project import ROOT

DOCUMENT = (ROOT / "docs/VECTOR_STRATEGY.md").read_text(encoding="utf-8")


def test_the_table_of_blocks_is_that_of_the_code():
    """Names, dimensions, weights and their plain words, in the order of the vector."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \| (.+) \|$", DOCUMENT, re.MULTILINE)
    assert [(name, int(dims), int(weight), label) for name, dims, weight, label in rows] == [
        (block.name, block.dims, block.weight, block.label) for block in BLOCKS
    ]


def test_every_block_is_explained():
    """One paragraph each."""
    assert re.findall(r"^\* \*\*(\w+)\.\*\*", DOCUMENT, re.MULTILINE) == [block.name for block in BLOCKS]


def test_the_example_prints_what_the_document_says(capsys):
    """It runs as it stands."""
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    printed = re.findall(r"```text\n(.*?)```", DOCUMENT, re.DOTALL)
    exec(compile(example, "VECTOR_STRATEGY.md", "exec"), {})  # noqa: S102 - the project's own document
    assert capsys.readouterr().out == printed[0]


def test_the_slice_that_is_the_fingerprint_is_the_documented_one():
    """Its root is taken of the weights' share."""
    share = sum(block.weight for block in FINGERPRINT_BLOCKS) / sum(block.weight for block in BLOCKS)
    assert f"`metadata_embedding[1:{sum(block.dims for block in FINGERPRINT_BLOCKS)}]` divided by root({share})" in DOCUMENT
    assert EMBEDDING_VERSION == 2
