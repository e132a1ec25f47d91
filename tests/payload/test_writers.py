"""Which of several writers made the picture, and how programs and values are read."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_bytes import attribute, header, part, text
from exr_inspector.exr.header import parse_header
from exr_inspector.payload import production
from exr_inspector.payload.writers import registry, table
from exr_inspector.payload.writers.standard import STANDARD

ARNOLD = (
    text("arnold/version", "Arnold 7.3.4.1 [abc] linux"),
    attribute("arnold/stats/time/render", "float", struct.pack("<f", 45)),
)


def maker(*written: bytes) -> tuple[str | None, ...]:
    """Product, text, version and converter of a part with these attributes."""
    facts = production.fields(parse_header(header(part(*written))).parts[0])
    return tuple(facts[key] for key in ("render_product", "render_software", "render_software_version", "converter"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ((), (None, None, None, None)),
        (ARNOLD, ("Arnold", "Arnold 7.3.4.1 [abc] linux", "7.3.4.1", None)),
        ((text("Software", "Frobnicator 2.1 (beta)"),), ("Frobnicator", "Frobnicator 2.1 (beta)", "2.1", None)),
        ((text("Software", "/usr/local/bin/render -s 4 scene.xml"),), (None, None, None, None)),
        ((text("Software", "unknown"),), (None, None, None, None)),
        ((text("Software", ""),), (None, None, None, None)),
    ],
)
def test_the_product_is_what_the_header_tells(written: tuple[bytes, ...], expected: tuple[str | None, ...]) -> None:
    """A renderer by its own names, a program without a table by its name; nothing by a command line or by "unknown"."""
    assert maker(*written) == expected


def test_every_table_names_known_facts_and_each_product_stands_once() -> None:
    """A fact that nobody reads would be lost without a word."""
    assert {name.fact for writer in (*registry.WRITERS, STANDARD) for name in writer.names} <= table.FACTS
    products = [writer.product for writer in registry.WRITERS]
    assert len(products) == len(set(products))
    words = [word for writer in registry.WRITERS for word in writer.programs]
    assert len(words) == len(set(words))


@settings(deadline=None)
@given(name=st.text(max_size=60), words=st.text(max_size=300))
def test_any_text_under_any_name_is_read_or_passed_over(name: str, words: str) -> None:
    """Never an error, whatever a header has."""
    known = [entry.attribute.replace("*", "x") for writer in (*registry.WRITERS, STANDARD) for entry in writer.names]
    for attribute_name in (name.replace("\0", "") or "x", *known):
        written = text(attribute_name.encode("utf-8", "replace").decode()[:30], words.encode("utf-8", "replace"))
        production.fields(parse_header(header(part(written))).parts[0])
