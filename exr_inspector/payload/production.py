"""What TDs look for in a header, in one vocabulary: who made the picture, at what cost, in which colour space, by which camera.

Each writer's own names stand in its table (`writers/`). Absent stays None.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from exr_inspector.exr.attributes import Attribute
from exr_inspector.exr.header import Part
from exr_inspector.payload.colour import interop_id
from exr_inspector.payload.writers.programs import read_program, read_version, without_command
from exr_inspector.payload.writers.registry import INDEX, RANKS, writers_of
from exr_inspector.payload.writers.standard import STANDARD
from exr_inspector.payload.writers.table import CAMERA_FIELDS, Kind, Statement, Writer

FIELDS = {
    "render_seconds": "seconds",
    "peak_memory_mb": "memory",
    "host": "host",
    "processor": "processor",
    "render_samples": "samples",
    "scene_file": "scene_file",
    "artist": "artist",
    "header_frame": "frame",
    "shot_name": "shot_name",
    "sequence_name": "sequence_name",
    "fps": "fps",
    "timecode": "timecode",
}
"""Field of a part -> the fact of the writers' tables that stands in it."""
_FIELD_OF = {fact: field for field, fact in FIELDS.items()}
_NO_FACTS = dict.fromkeys(FIELDS)
# What a compositor carries over from the renders that it reads, and what is not its own.
_OF_INPUTS = frozenset({"seconds", "memory", "host", "processor", "samples", "scene_file", "artist", "frame"})
# Words for a working space, whichever that is, among them OpenColorIO's roles: they name no primaries.
_VAGUE_SPACES = frozenset(
    {
        "linear", "scene_linear", "scene-linear", "scene linear", "scenelinear", "lin", "raw", "data", "default", "auto",
        "reference", "rendering", "compositing_linear",
    }
)  # fmt: skip
# A film back that is 1 wide has no unit: lengths are ratios of its width (V-Ray standalone, Arnold).
_LENGTHS = frozenset({"focal_length", "horizontal_aperture", "vertical_aperture"})
_UNIT_TOLERANCE = 1e-3
_LONGEST_KEPT = 255


class Claim(NamedTuple):
    """That a program made the picture. `writer` is None for a program that has no table, `text` is what the header says of it."""

    writer: Writer | None
    product: str
    version: str | None
    text: str | None

    @property
    def rank(self) -> tuple[int, bool, int]:
        """The claim of the lowest rank counts: by kind; then one that names a version; then by the order of the tables.

        A program without a table may be a renderer, so it comes before converters.
        """
        kind, order = RANKS[self.writer] if self.writer else (Kind.HOST, len(RANKS))
        return kind, self.version is None, order


class Evidence:
    """What the attributes of one part say, each read as the tables of those writers say whose marks the header has."""

    def __init__(self, part: Part) -> None:
        attributes = [one for one in part.first.values() if one.value is not None]
        known = [(one, meaning) for one in attributes if (meaning := INDEX.meaning(one.name)) is not None]
        meanings = [(one, meaning) for one, meaning in known if not one.shortened]
        writers = {
            writer for one, meaning in known for writer, text in meaning.marks if not text or text in str(one.value).lower()
        }
        software = [
            (one, statement) for one, meaning in known for statement in meaning.statements if statement.name.fact == "software"
        ]
        claims = [claim for one, statement in software for claim in _claims(statement.name.read(_beginning(one)))]
        shown = {STANDARD, *writers, *(claim.writer for claim in claims)}
        facts: dict[str, list[tuple[Attribute, Statement]]] = {}
        for one, meaning in meanings:
            for statement in meaning.statements:
                if statement.writer in shown:
                    facts.setdefault(statement.name.fact, []).append((one, statement))
        claims += [Claim(writer, writer.product, None, None) for writer in writers]
        claims += [
            Claim(statement.writer, statement.writer.product, read_version(text), text)
            for one, statement in sorted(facts.get("version", ()), key=lambda entry: entry[1].order)
            if (text := statement.name.read(one)) is not None
        ]
        self.claims = sorted(claims, key=lambda claim: claim.rank)
        self.maker = self.claims[0].writer if claims else None
        self._facts = {fact: self._own(entries) for fact, entries in facts.items()}

    def _own(self, entries: list[tuple[Attribute, Statement]]) -> list[tuple[Attribute, Statement]]:
        """What tells a fact of this picture: the maker's first, then by rank, by table and as in the file."""
        own = [entry for entry in entries if not self._is_of_input(entry[1])]
        return sorted(own, key=self._place) if len(own) > 1 else own

    def values(self, fact: str) -> list[tuple[str, Any]]:
        """The names of the attributes that tell a fact, with the fact, in the order in which they count."""
        told = [(attribute.name, statement.name.read(attribute)) for attribute, statement in self._facts.get(fact, ())]
        return [(name, value) for name, value in told if value is not None]

    def facts(self) -> dict[str, Any]:
        """Every fact that is told, of several attributes what the first says that says anything; None where none does."""
        return {
            fact: next((value for one, statement in own if (value := statement.name.read(one)) is not None), None)
            for fact, own in self._facts.items()
        }

    def _place(self, entry: tuple[Attribute, Statement]) -> tuple[bool, tuple[int, int], tuple[int, int], int]:
        writer = entry[1].writer
        return writer is not self.maker, RANKS[writer], entry[1].order, entry[0].offset

    def _is_of_input(self, statement: Statement) -> bool:
        if self.maker is None or self.maker.kind is not Kind.COMPOSITOR or statement.writer is self.maker:
            return False
        # A compositor converts what it reads to a space of its own.
        carried = statement.writer is not STANDARD or statement.is_carried
        return statement.name.fact in _OF_INPUTS or (statement.name.fact == "color_space" and carried)


def _beginning(attribute: Attribute) -> Attribute:
    """The attribute, or where a digest stands for a long text (a command line) the beginning of that."""
    if not attribute.shortened or attribute.type != "string":
        return attribute
    return attribute._replace(value=bytes(attribute.raw[:_LONGEST_KEPT]).decode("utf-8", "replace"))


def _claims(text: str | None) -> tuple[Claim, ...]:
    """What a text such as `Software` says of the programs behind the picture."""
    if text is None:
        return ()
    return _claims_kept(text) if len(text) <= _LONGEST_KEPT else _claims_read(text)


def _claims_read(text: str) -> tuple[Claim, ...]:
    program = read_program(text)
    if writers := writers_of(without_command(text)):
        return tuple(Claim(writer, writer.product, program.version or read_version(text), text) for writer in writers)
    return () if program.name is None else (Claim(None, program.name, program.version, text),)


# Frames of a sequence share the text; what is kept is bounded in bytes.
_claims_kept = lru_cache(maxsize=1024)(_claims_read)


def fields(part: Part) -> dict[str, Any]:
    """The normalised facts of a part, as they stand in `payload["parts"]`; all keys are always there, None where unknown."""
    evidence = Evidence(part)
    facts = evidence.facts()
    space, source = color_space(part, evidence)
    return {
        "color_space": space,
        "color_space_source": source,
        "chromaticities": part.stated["chromaticities"],
        **maker(evidence),
        **_NO_FACTS,
        **{_FIELD_OF[fact]: value for fact, value in facts.items() if fact in _FIELD_OF},
        "camera": camera(facts),
    }


def maker(evidence: Evidence) -> dict[str, str | None]:
    """The product that made the picture, its text as written and its version, and the converter that wrote the file after it."""
    claims = evidence.claims
    if not claims:
        return dict.fromkeys(("render_product", "render_software", "render_software_version", "converter"))
    first = claims[0]
    # A mark may rank before the text that names the same product.
    same = [claim for claim in claims if claim.product == first.product]
    converter = next((claim for claim in claims if _is_converter(claim) and claim.product != first.product), None)
    return {
        "render_product": first.product,
        "render_software": next((claim.text for claim in same if claim.text), None),
        "render_software_version": next((claim.version for claim in same if claim.version), None),
        "converter": converter and " ".join(filter(None, (converter.product, converter.version))),
    }


def _is_converter(claim: Claim) -> bool:
    return claim.writer is not None and claim.writer.kind >= Kind.EDITOR


def color_space(part: Part, evidence: Evidence) -> tuple[str | None, str | None]:
    """The part's colour space and the attribute that tells it.

    In order: `colorInteropID` (colour interop forum), an attribute that names a space, the flag of an ACES container (SMPTE ST
    2065-4), chromaticities of a known space, and last a name that says no more than that the space is linear.
    """
    interop = next(((value, name) for name, value in evidence.values("color_interop_id")), None)
    named = [(str(value), name) for name, value in evidence.values("color_space")]
    exact = next((entry for entry in named if entry[0].lower() not in _VAGUE_SPACES), None)
    if interop or exact:
        return interop or exact or (None, None)
    if part.stated["acesImageContainerFlag"] == 1:
        return "lin_ap0_scene", "acesImageContainerFlag"
    if known := _by_chromaticities(part.stated["chromaticities"]):
        return known, "chromaticities"
    return named[0] if named else (None, None)


def _by_chromaticities(value: dict[str, list[Any]] | None) -> str | None:
    if value is None:
        return None
    numbers = [number for corner in ("red", "green", "blue", "white") for number in value[corner]]
    if any(isinstance(number, str) for number in numbers):
        return None
    return interop_id(numbers)


def camera(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is known of the camera, by the `camera.` facts of the tables; None when nothing is."""
    told = {fact.removeprefix("camera."): value for fact, value in facts.items() if fact.startswith("camera.")}
    if abs((told.get("horizontal_aperture") or 0) - 1) < _UNIT_TOLERANCE:
        told = {field: value for field, value in told.items() if field not in _LENGTHS}
    return {field: told[field] for field in CAMERA_FIELDS if told.get(field) is not None} or None
