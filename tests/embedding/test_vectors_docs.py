"""docs/VECTOR_STRATEGY.md and exr_inspector/embedding/VECTOR_SPECIFICATION.md say what the code does."""

from __future__ import annotations

import re

from exr_inspector.embedding import attributes, text
from exr_inspector.embedding import tokens as tokens_of
from exr_inspector.embedding.seats import SEATS
from exr_inspector.embedding.text import EMPTY
from exr_inspector.embedding.vectors import BLOCKS, EMBEDDING_VERSION, FINGERPRINT_BLOCKS
from project import ROOT

DOCUMENT = (ROOT / "docs/VECTOR_STRATEGY.md").read_text(encoding="utf-8")
SPECIFICATION = (ROOT / "exr_inspector/embedding/VECTOR_SPECIFICATION.md").read_text(encoding="utf-8")


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


def test_the_specification_lists_what_the_code_lists():
    """Blocks, seats, and every list of words."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \| (\d+) \|$", SPECIFICATION, re.MULTILINE)
    assert [(name, *map(int, numbers)) for name, *numbers in rows] == [
        (block.name, block.dims, block.weight, len(SEATS[block.name])) for block in BLOCKS
    ]
    assert f"exr-inspector/embedding/{EMBEDDING_VERSION}/" in SPECIFICATION
    seats = SPECIFICATION.partition("## Seats")[2]
    for block, tokens in SEATS.items():
        (line,) = re.findall(rf"^\* `{block}`: (.*(?:\n  .*)*)", seats, re.MULTILINE)
        listed = " ".join(re.findall(r"`([^`]*)`", line))
        missing = [token for token in tokens if token != EMPTY and token.decode().removeprefix("p:") not in listed]
        assert not missing, block
    plain = " ".join(SPECIFICATION.split())
    for words in (
        attributes.VOLATILE_WORDS,
        attributes.IDENTITY_WORDS,
        attributes.PART_ATTRIBUTES,
        text.GENERIC_WORDS,
        tokens_of.LOSSY,
    ):
        lists = [frozenset(listed.split()) for listed in re.findall(r"`([^`]*)`", plain)]
        assert {word.decode() for word in words} in lists


def test_the_specification_spells_patterns_as_the_code_does():
    """Those that cut and fold text."""
    spelled = "".join(SPECIFICATION.split())
    for module, names in (
        (text, ("_WORD", "_HEX_RUN", "_VERSION", "_OPTIONS", "_VERSION_SUFFIX")),
        (attributes, ("_NUMBER", "_CLOCK", "_COUNTER")),
    ):
        for name in names:
            assert "".join(getattr(module, name).pattern.decode().split()) in spelled, name
