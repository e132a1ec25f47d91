"""The documents speak of things that exist, of all of them, and each of them once."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import docs_names
from exr_inspector.catalogue import questions
from generators import assumptions, configuration, database_schema, errors, events, queries, reference, summary
from project import ROOT, tracked

DOCUMENTS = tracked("*.md")
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in DOCUMENTS}
GENERATED = [assumptions, queries, configuration, database_schema, errors, summary, events, reference]
OTHERS = frozenset({
    "ArrowInvalid",  # pyarrow
    "file_log", "otlp_http",  # components of the OpenTelemetry collector
    "invoke_duration", "reception_latency", "event_batching_handler",  # the platform
    "TestImages_WideFloatRange",  # a file of OpenEXR's own images
    "min_memory", "max_memory",  # resources in a pipeline's manifest
    "DiffuseDirect", "diffuseDirect", "diffuseDirect_v2", "_v002",  # ways of writing a layer
    "__deprecated__", "DeprecationWarning",  # Python's mark (PEP 702)
    "huge_display_window", "inverted_display_window",  # codes that are put together
})  # fmt: skip
"""Names of other programs, and examples, that documents have in code type."""


def relative(path: Path) -> str:
    """A document's name in a test's id."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_internal_link_resolves(document: Path) -> None:
    """Links lead to files of the project, and their anchors to headings."""
    assert docs_names.broken_links(TEXTS[relative(document)], document) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_file_that_is_named_exists(document: Path) -> None:
    """A file name in code type is a file of the project, from its root, beside the document, or by its last segment."""
    assert docs_names.missing_files(TEXTS[relative(document)], document) == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_name_in_code_type_stands_in_the_project(document: Path) -> None:
    """Functions, classes, fields, settings, columns and flags: what was renamed or removed stands nowhere."""
    assert docs_names.unknown_names(TEXTS[relative(document)], OTHERS) == set()
    assert docs_names.unknown_flags(TEXTS[relative(document)]) == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_a_measured_number_has_its_command_in_the_same_section(document: Path) -> None:
    """Times and throughputs; whoever doubts one can measure it. The page of a benchmark names it once."""
    name = relative(document)
    assert docs_names.uncommanded(TEXTS[name], whole=name.startswith("benchmarks/")) == []


@pytest.mark.parametrize("module", GENERATED, ids=lambda module: module.__name__)
def test_a_generated_page_is_what_its_generator_writes(module: Any) -> None:
    """Whoever changes the code writes the page again."""
    assert module.PAGE.read_text(encoding="utf-8") == module.page()


def test_every_document_is_on_the_map() -> None:
    """Those of users and of developers, each with what it answers and with a reader; the pages of benchmarks are linked."""
    own = {name for name in TEXTS if not name.startswith(("benchmarks/", "local_vast/"))} - {"docs/DOCUMENTATION_SUMMARY.md"}
    assert set(summary.DOCUMENTS) == own
    assert {name for names in summary.READERS.values() for name in names} == own


def commands() -> Iterator[str]:
    """The programs of scripts/."""
    yield from (f"scripts/{path.name}" for path in tracked("scripts/*") if os.access(path, os.X_OK))


@pytest.mark.parametrize("command", list(commands()))
def test_every_script_is_documented(command: str) -> None:
    """A user finds it in a document."""
    assert any(re.search(rf"{re.escape(command)}(?![\w.])", text) for text in TEXTS.values())


def properties(node: Any, name: str = "payload") -> Iterator[tuple[str, Any]]:
    """Every field that the payload's schema declares, with its place."""
    if isinstance(node, dict):
        for key, inner in node.get("properties", {}).items():
            if "required" in node or "additionalProperties" in node:
                yield f"{name}.{key}", inner
        for key, inner in node.items():
            yield from properties(inner, f"{name}.{key}")
    elif isinstance(node, list):
        for inner in node:
            yield from properties(inner, name)


def test_every_field_of_the_payload_is_described() -> None:
    """In the schema, of which the reference is made."""
    declared = list(properties(json.loads((ROOT / "docs/payload.schema.json").read_text(encoding="utf-8"))))
    assert len(declared) > 100
    assert [name for name, field in declared if not field.get("description")] == []


def test_every_question_is_asked_on_its_page() -> None:
    """In a block that runs; most have an answer there or in another document."""
    asked = set(re.findall(r"^(?:\$ )?exr-inspector ask (\w+)", TEXTS["docs/VAST_ANALYTICS_QUERIES.md"], re.MULTILINE))
    assert asked == set(questions.names())
    answered = {
        name for text in TEXTS.values() for name in re.findall(r"^<!-- output.*: exr-inspector ask (\w+)", text, re.MULTILINE)
    }
    assert len(answered & asked) > len(asked) / 2


def test_the_readme_is_short() -> None:
    """It starts with what the project does for its reader, and fits in 120 lines."""
    lines = TEXTS["README.md"].splitlines()
    assert len(lines) < 120
    assert re.search(r"\byou", " ".join(lines[1:6]))
