"""Every block of every document does what it says; docs_blocks has the conventions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

import docs_names
from docs_blocks import BadBlock, DocumentBlock, block_of, read
from docs_run import Failed, Running
from docs_stage import Stages
from project import ROOT, tracked

DOCUMENTS = tracked("*.md")


def blocks() -> Iterator[DocumentBlock]:
    """Those of all documents that can be read."""
    for path in DOCUMENTS:
        try:
            yield from map(block_of, read(path))
        except BadBlock:  # reported below
            continue


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """Copies of the project and endpoints, for as long as the module runs."""
    with Stages(tmp_path_factory.mktemp("docs")) as made:
        yield made


@pytest.fixture(scope="module")
def running(stages: Stages) -> Callable[[Path], Running]:
    """A document by its path, as far as it was run."""
    return cache(lambda path: Running(path, stages))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_blocks_of_a_document_have_known_languages_and_directives(path: Path) -> None:
    """A block that no convention knows would not be checked at all."""
    read(path)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_in_code_type_exists(path: Path, stages: Stages) -> None:
    """With its flags; what is named in a sentence is typed as readily as what stands in a block."""
    spans = docs_names.code_spans(path.read_text(encoding="utf-8"))
    # `exr-inspector event` is the message of the log line; a colon follows the name in messages.
    subcommand = r"exr-inspector (?!event\b|\w+ <\w+>:)\w+(?!:)\b"
    named = [span for span in spans if re.match(rf"(\./)?(scripts/\w\S* \S|{subcommand}|(main\.py|vastde|docker) \S)", span)]
    assert [fault for span in named for fault in stages.commands.unknown(span)] == []


@pytest.mark.parametrize("block", list(blocks()), ids=lambda block: f"{block.place}-{block.language}")
def test_a_block_does_what_it_says(block: DocumentBlock, running: Callable[[Path], Running]) -> None:
    """It runs, answers, parses, or shows what its command prints."""
    try:
        running(block.path).check(block.line)
    except Failed as failure:
        pytest.fail(str(failure), pytrace=False)
