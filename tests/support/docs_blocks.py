"""The blocks of the project's documents, and the directives that stand before them.

A directive is an HTML comment on a line of its own before a fence; several may stand there:

    <!-- exit: 2 -->             the console block, or the command of an output, ends with this status
    <!-- rows: 0 -->             the sql block gives no row
    <!-- until: TEXT -->         the console block serves until it is interrupted; it is ended once it has printed TEXT
    <!-- catalogue -->           the sql or console block is about the seeded catalogue, not about the sample renders
    <!-- cluster -->             the console block needs a cluster or Docker; its commands and flags are looked up, not run
    <!-- long -->                the console block takes minutes or a network; its commands and flags are looked up, not run
    <!-- output: COMMAND -->     the block is what COMMAND prints, and is written by scripts/generate outputs
    <!-- output(catalogue): COMMAND -->  the same, asked of the seeded catalogue
                                In a console block the command stands above its output, after a prompt.
    <!-- printed -->             the block is what the python or console block before it prints, written as well
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sybil import Document, Example, Region
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

from project import ROOT

LANGUAGES = ("python", "console", "sql", "json", "toml", "yaml", "mermaid", "text")
_FENCES = RawFencedCodeBlockLexer(re.compile(r"(?P<language>[^\n]*)\n"))
_COMMENTS = re.compile(r"(?:^<!--(?:(?!-->).)*-->[ \t]*\n\s*?)+\Z", re.MULTILINE)
_ALLOWED = {
    "exit": {"console", "text", "json"},
    "rows": {"sql"},
    "until": {"console"},
    "catalogue": {"sql", "console", "text", "json"},
    "cluster": {"console"},
    "long": {"console"},
    "output": {"text", "json", "console"},
    "printed": {"text", "json"},
}
_DIRECTIVE = re.compile(rf"^<!--[ ]*({'|'.join(_ALLOWED)})\b(\(catalogue\))?(?::[ ]*(.*?))?[ ]*-->", re.MULTILINE)


class BadBlock(ValueError):
    """A block or a directive that the documents' conventions do not know; the message names file and line."""


@dataclass(frozen=True, slots=True)
class DocumentBlock:
    """`line` of the fence, from 1; `start` and `end` of the body in the document's text; `directives` by name."""

    path: Path
    line: int
    language: str
    body: str
    start: int
    end: int
    directives: dict[str, str]

    @property
    def place(self) -> str:
        """How messages name it."""
        return f"{_relative(self.path)}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Whether it does something that later blocks of the document may build upon."""
        return self.language in ("python", "console") and not {"cluster", "long", "output"} & self.directives.keys()

    @property
    def is_made(self) -> bool:
        """Whether its text is made by a command or by the python block before it."""
        return bool({"output", "printed"} & self.directives.keys())

    @property
    def of_catalogue(self) -> bool:
        """Whether it is about the seeded catalogue."""
        return "catalogue" in self.directives

    @property
    def status(self) -> int:
        """The exit status that it ends with."""
        return int(self.directives.get("exit", "0"))


def parser(document: Document) -> Iterable[Region]:
    """Sybil's parser: every fenced block as a region whose `parsed` is its source and whose lexemes hold the Block."""
    for region in _FENCES(document):
        region.parsed = region.lexemes["source"]
        region.lexemes["block"] = _block(document, region)
        yield region


def read(path: Path) -> list[Example]:
    """The examples of a document, in order. Raises BadBlock for a block or a directive that no convention knows."""
    document = Document.parse(str(path), parser)
    examples = list(document)
    attached = sum(len(block_of(example).directives) for example in examples)
    written = list(_DIRECTIVE.finditer(_without_fences(document.text)))
    if attached != len(written) + sum(bool(directive[2]) for directive in written):
        raise BadBlock(
            f"{_relative(path)}: a directive stands before no block: {', '.join(directive[0] for directive in written)}"
        )
    return examples


def block_of(example: Example) -> DocumentBlock:
    """The Block of an example."""
    block = example.region.lexemes["block"]
    assert isinstance(block, DocumentBlock)
    return block


def _block(document: Document, region: Region) -> DocumentBlock:
    path = Path(document.path)
    line = document.text.count("\n", 0, region.start) + 1
    language = region.lexemes["language"].strip()
    start = region.start + region.lexemes["source"].offset
    end = start + document.text[start : region.end].rfind("```")
    block = DocumentBlock(path, line, language, str(region.parsed), start, end, dict(_directives(document.text[: region.start])))
    if language not in LANGUAGES:
        raise BadBlock(f"{block.place}: the language {language!r}; there are {', '.join(LANGUAGES)}")
    for name in block.directives:
        if language not in _ALLOWED[name]:
            raise BadBlock(f"{block.place}: the directive {name} does not go with {language}")
    return block


def _directives(before: str) -> Iterator[tuple[str, str]]:
    """Name and value of the directives at the end of a text."""
    comments = _COMMENTS.search(before)
    for name, catalogue, value in _DIRECTIVE.findall(comments[0] if comments else ""):
        yield name, value
        if catalogue:
            yield "catalogue", ""


def _without_fences(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
