"""Every file of the public corpora that names its writer has its product, and the facts that its writer wrote."""

from __future__ import annotations

import base64
import json
import lzma
import os
from collections import Counter
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from exr_bytes import MemoryReader
from exr_inspector.errors import BadHeader
from exr_inspector.exr.header import Header, read_header
from exr_inspector.payload import production

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared/corpus"
GOLDEN = ROOT / "tests/golden/writers.json"
SIGNS = (
    "arnold",
    "vrayinfo",
    "cycles.",
    "blender",
    "nuke/",
    "generatedby",
    "husk",
    "rs/",
    "unreal/",
    "software",
    "krita",
    "com.arri",
)
"""Beginnings of attribute names that only somebody's product writes."""
COUNTED = (
    "render_software_version",
    "render_seconds",
    "peak_memory_mb",
    "host",
    "render_samples",
    "scene_file",
    "artist",
    "header_frame",
)

HEADERS = ROOT.parent / "shared/vectors/corpus.jsonl.xz"

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpora are not at ../shared/corpus")


@cache
def headers() -> list[tuple[str, Header]]:
    """Every header that can be read, each once however many files have it."""
    paths = [path for path in sorted(CORPUS.rglob("*")) if path.suffix in (".exr", ".sxr", ".mxr")]
    stored = [(str(path.relative_to(CORPUS)), path.read_bytes()) for path in paths]
    if HEADERS.is_file():
        with lzma.open(HEADERS, "rt") as records:
            stored += [(record["path"][0], base64.b64decode(record["head"])) for record in map(json.loads, records)]
    read: dict[str, tuple[str, Header]] = {}
    for path, data in stored:
        with suppress(BadHeader):
            header = read_header(MemoryReader(data))
            read.setdefault(header.header_hash, (path, header))
    return list(read.values())


def facts_of(header: Header) -> list[dict[str, Any]]:
    """The facts of each part."""
    return [production.fields(part) for part in header.parts]


def test_products_of_the_corpora_are_the_golden_ones() -> None:
    """How many distinct headers each product wrote, and in how many of them each fact is known."""
    counts: dict[str, Counter[str]] = {}
    for _, header in headers():
        first = next((facts for facts in facts_of(header) if facts["render_product"]), None)
        if first is not None:
            known = ["files", *(field for field in COUNTED if first[field] is not None)]
            counts.setdefault(first["render_product"], Counter()).update(known)
    answer = {
        product: dict(sorted(counted.items())) for product, counted in sorted(counts.items(), key=lambda entry: entry[0].lower())
    }
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
    assert answer == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_no_file_with_a_writers_own_names_is_without_product() -> None:
    """A name that begins with a product's word tells the product."""
    without = [
        path
        for path, header in headers()
        for part, facts in zip(header.parts, facts_of(header), strict=True)
        if facts["render_product"] is None
        and any(name.lower().startswith(SIGNS) and attribute.value for name, attribute in part.first.items())
    ]
    assert without == []
