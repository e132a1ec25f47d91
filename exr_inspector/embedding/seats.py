"""Tokens that most files have, block by block: each has a place of its own in the vector.

A hashed token shares its places with others, and what it shares is noise. What the file format enumerates (compressions, pixel
types, line orders), what a plain file is (one flat part of scanlines, R, G, B and A, square pixels, a full window), the products
that write most files, and what is missing need not be hashed. The rest of a block is hashed into.

The tokens of a block sit in the order of their hashes, with the sign that the hash says, so that vectors of two versions have as
little in common as if all was hashed. Nothing here was learned from files. A change needs a new `EMBEDDING_VERSION`.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from exr_inspector.embedding.text import COMPRESSIONS, EMPTY, LINE_ORDERS, hash_prefix

# As `tokens.writer_levels` folds them: a digit is #.
PRODUCTS = (
    *(
        b"arnold",
        b"v-ray",
        b"renderman",
        b"redshift",
        b"karma",
        b"mantra",
        b"cycles",
        b"blender",
        b"mitsuba",
        b"moonray",
        b"#delight",
    ),
    *(b"nuke", b"houdini", b"gaffer", b"unreal engine", b"openimageio"),
)
# Of those that OpenEXR itself names, the ones that any program may write, with their types.
STANDARD_ATTRIBUTES = (
    *(b"capdate:string", b"owner:string", b"comments:string", b"chromaticities:chromaticities", b"xdensity:float"),
    *(b"worldtocamera:m44f", b"worldtondc:m44f"),
)
_PLAIN_COMPONENTS = (b"r", b"g", b"b", b"a")
_PLAIN_PICTURES = (
    *(b"b:half,g:half,r:half", b"b:float,g:float,r:float"),
    *(b"a:half,b:half,g:half,r:half", b"a:float,b:float,g:float,r:float"),
)


def _with(prefix: bytes, members: Iterable[bytes | int]) -> list[bytes]:
    return [prefix + (member if isinstance(member, bytes) else b"%d" % member) for member in members]


_LISTS: dict[str, list[bytes]] = {
    "names": [b"b:", b"l:", *_with(b"r:.", (b"R", b"G", b"B", b"A", b"Z")), *_with(b"c:.", (*_PLAIN_COMPONENTS, b"z"))],
    "types": [
        *_with(b"t:", (b"half", b"float", b"uint")),
        *(b"c:" + component + b":" + kind for component in _PLAIN_COMPONENTS for kind in (b"half", b"float")),
        *(b"s:1:1", b"y:"),
        *_with(b"n~", range(6)),
    ],
    "compression": [
        *_with(b"x:", COMPRESSIONS),
        *_with(b"f:", (b"deflate", b"dwa", b"b44", b"htj2k")),
        *(b"l:lossless", b"l:lossy"),
    ],
    # Widths of 31 to 16383 columns, eighths of an octave, aspects of 1:1.4 to 2.8:1.
    "format": [b"p:1024", *_with(b"w~", range(5, 15)), *_with(b"w8~", range(8)), *_with(b"a~", range(62, 71))],
    "window": [*_with(b"", (b"l~16", b"t~16", b"r~16", b"b~16")), b"o:0,0,0,0"],
    "storage": [
        *(b"d:flat", b"d:deep", b"k:scan", b"k:tiled", b"z:-"),
        *_with(b"o:", LINE_ORDERS),
        *(b"m:single", b"m:multi"),
        *_with(b"n~", range(1, 6)),
    ],
    "parts": [b"v:", b"n:", b"v:left", b"v:right", *_with(b"p:", _PLAIN_PICTURES)],
    "source": [b"c:", b"p:", *_with(b"p:", PRODUCTS)],
    "attrs": [EMPTY, *_with(b"n:", STANDARD_ATTRIBUTES)],
    "values": [b"b:"],
}


def _seat(block: str, tokens: list[bytes]) -> dict[bytes, int]:
    """Token -> twice its place, and one more where it is subtracted."""
    drawn = sorted((sha256(hash_prefix(block) + token).digest(), token) for token in tokens)
    return {token: 2 * place + (digest[0] & 1) for place, (digest, token) in enumerate(drawn)}


SEATS = {block: _seat(block, tokens) for block, tokens in _LISTS.items()}
