"""Cryptomatte layers of a part: what the header declares, and whether it agrees with itself.

Cryptomatte specification 1.2: attributes `cryptomatte/KEY/{name,hash,conversion,manifest,manif_file}`, where KEY is the first
seven hexadecimal digits of the layer name's MurmurHash3 (32 bit), and the manifest is JSON that maps names to eight digits.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from exr_inspector.exr.attributes import Attribute, Bytes
from exr_inspector.exr.channel_names import split_name, view_of_part
from exr_inspector.exr.header import Finding, Header, Part, quote
from exr_inspector.exr.limits import CHECKED_ENTRIES, MAX_CRYPTOMATTES, PARSED_MANIFEST, CryptomatteBudget

_NAME = re.compile(r"cryptomatte/([^/]{1,64})/(name|hash|conversion|manifest|manif_file)")
_RANK = re.compile(r"[0-9]{2}\Z")
# Bounded blanks keep the count linear; a name cannot contain the pattern, because quotes inside names are escaped.
_ENTRY = re.compile(rb'"[ \t\r\n]{0,8}:[ \t\r\n]{0,8}"[0-9a-fA-F]{8}"')
_MASK = 0xFFFF_FFFF

Ranks = Mapping[str, Mapping[str, int]]
"""Name of a cryptomatte layer -> two digits of a rank -> the part that holds it."""
NO_RANKS: Ranks = {}


def murmur3(data: bytes) -> int:
    """MurmurHash3, x86, 32 bit, seed 0.

    >>> f"{murmur3(b'CryptoObject'):08x}"
    '3ae39a58'
    """
    state = 0
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        state ^= _scramble(int.from_bytes(data[start : start + 4], "little"))
        state = (_rotate(state, 13) * 5 + 0xE654_6B64) & _MASK
    state ^= _scramble(int.from_bytes(data[whole:], "little")) if len(data) > whole else 0
    state ^= len(data)
    state = (state ^ state >> 16) * 0x85EB_CA6B & _MASK
    state = (state ^ state >> 13) * 0xC2B2_AE35 & _MASK
    return state ^ state >> 16


def _scramble(block: int) -> int:
    return _rotate(block * 0xCC9E_2D51 & _MASK, 15) * 0x1B87_3593 & _MASK


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (32 - bits)) & _MASK


def object_id(name: str) -> str:
    """The eight digits of a name: its hash, kept away from the exponents that would make the float a NaN or denormal."""
    bits = murmur3(name.encode("utf-8", "surrogatepass"))
    if bits >> 23 & 0xFF in (0, 255):
        bits ^= 1 << 23
    return f"{bits:08x}"


def cryptomattes(
    part: Part, budget: CryptomatteBudget | None = None, elsewhere: Ranks = NO_RANKS
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """The cryptomatte layers in file order, as in `payload["parts"][i]["cryptomatte"]`, and what contradicts itself in them.

    `budget` is what the parts before left for this one. `elsewhere` has the ranks of the whole file, for layers whose ranks lie
    in other parts than their metadata.
    """
    budget = budget or CryptomatteBudget()
    declared = _declarations(part)
    listed = list(declared.items())[: budget.layers]
    budget.layers -= len(listed)
    ranks = {**elsewhere, **ranks_of([part])} if listed else NO_RANKS
    layers: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for key, fields in listed:
        layer = _layer(ranks, key, fields, budget)
        anchor = next(iter(fields.values()))
        layers.append(layer)
        for code, message in _contradictions(layer):
            findings.append(Finding("warning", code, message, part.index, anchor.name, anchor.offset))
    if more := len(declared) - len(listed):
        message = f"part {part.index}: {more} more cryptomatte layers are not listed; of a file {MAX_CRYPTOMATTES} are"
        findings.append(Finding("warning", "cryptomattes_omitted", message, part.index, offset=part.offset))
    return layers, findings


def _contradictions(layer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    name = "without a name" if layer["name"] is None else quote(layer["name"])
    if layer["key_matches"] is False:
        yield "cryptomatte_key_mismatch", f"cryptomatte layer {name} has the key {layer['key']!r}, which is not its hash"
    if count := layer["manifest_mismatches"]:
        yield "cryptomatte_id_mismatch", f"{count} names in the manifest of {name} have ids that are not their hash"
    if layer["manifest_size"] is not None and layer["manifest_entries"] is None:
        yield "cryptomatte_manifest_damaged", f"the manifest of cryptomatte layer {name} is not JSON of names and ids"


def _declarations(part: Part) -> dict[str, dict[str, Attribute]]:
    declared: dict[str, dict[str, Attribute]] = {}
    for attribute in part.attributes:
        if match := _NAME.fullmatch(attribute.name):
            declared.setdefault(match[1], {}).setdefault(match[2], attribute)
    return declared


def _layer(ranks: Ranks, key: str, fields: dict[str, Attribute], budget: CryptomatteBudget) -> dict[str, Any]:
    texts = {field: attribute.value if isinstance(attribute.value, str) else None for field, attribute in fields.items()}
    name, scheme = texts.get("name"), texts.get("hash")
    hashed = scheme in (None, "MurmurHash3_32")
    manifest = fields["manifest"].raw if "manifest" in fields else None
    entries, mismatches = _manifest(manifest, hashed, budget) if manifest is not None else (None, None)
    places = ranks.get(name, {}) if name else {}
    return {
        "key": key,
        "name": name,
        "hash": scheme,
        "conversion": texts.get("conversion"),
        "key_matches": object_key(name) == key[:7] if name is not None and hashed and _affords([name], budget) else None,
        "ranks": len(places),
        "parts": sorted(set(places.values())),
        "manifest_size": None if manifest is None else len(manifest),
        "manifest_sha256": None if manifest is None else hashlib.sha256(manifest).hexdigest(),
        "manifest_entries": entries,
        "manifest_mismatches": mismatches,
        "manifest_file": texts.get("manif_file"),
    }


def object_key(name: str) -> str:
    """The seven digits that stand for a layer's name in its attributes' names."""
    return f"{murmur3(name.encode('utf-8', 'surrogatepass')):08x}"[:7]


def ranks_of_file(header: Header) -> Ranks:
    """Where the ranks of cryptomatte layers lie, for a file of several parts that declares any."""
    if not header.is_multipart or not any(_NAME.fullmatch(name) for part in header.parts for name in part.first):
        return NO_RANKS
    return ranks_of(header.parts)


def ranks_of(parts: Sequence[Part]) -> dict[str, dict[str, int]]:
    """The numbered layers (`name00`, `name01`, ...) of parts; the name of a part is that of its channels without a layer."""
    ranks: dict[str, dict[str, int]] = {}
    for part in parts:
        for layer in dict.fromkeys([split_name(channel.name)[0] for channel in part.channels]):
            name = layer or _name_without_view(part)
            if _RANK.search(name):
                ranks.setdefault(name[:-2], {}).setdefault(name[-2:], part.index)
    return ranks


def _name_without_view(part: Part) -> str:
    return view_of_part(part.stated["name"] or "", part.stated["view"], ())[1]


def _manifest(raw: Bytes, hashed: bool, budget: CryptomatteBudget) -> tuple[int | None, int | None]:
    """The number of entries, and how many of the first 64 have an id that is not the hash of their name.

    Both are None for text that is not such JSON; of long and of many manifests entries are counted, not checked.
    """
    if len(raw) > min(PARSED_MANIFEST, budget.parsed_bytes):
        return sum(1 for _ in _ENTRY.finditer(raw)), None
    budget.parsed_bytes -= len(raw)
    try:
        entries = json.loads(bytes(raw).rstrip(b"\0"))
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(entries, dict):
        return None, None
    checked = list(entries.items())[:CHECKED_ENTRIES] if hashed else []
    if not _affords([name for name, _ in checked], budget):
        return len(entries), None
    return len(entries), sum(object_id(name) != value for name, value in checked)


def _affords(names: list[str], budget: CryptomatteBudget) -> bool:
    """Whether these names are hashed; the budget pays for them."""
    length = sum(map(len, names))
    if length > budget.hashed_bytes:
        return False
    budget.hashed_bytes -= length
    return True
