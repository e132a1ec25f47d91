"""What a file's name says by the conventions of the field: normal form, frame, sequence, version and UDIM tile.

The frame is the run of digits directly before the extension (or before extension-like words: `beauty.1001.left.exr`), which is
how fileseq reads files on disk. Three departures, because each is a known source of false sequences: digits of a version token
(`comp_v003.exr`, `comp_ver003.exr`) are not frames; a hyphen is a sign only after a separator (`shot-0001.exr` is frame 1); UDIM
tiles are not frames.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_SCHEME = re.compile(r"\A([A-Za-z][A-Za-z0-9+.-]+)://")
_FRAME = re.compile(
    r"(?P<base>.*?)(?P<frame>(?:(?<![A-Za-z0-9\-])-)?(?<!\d)\d+)(?P<tail>(?:\.[A-Za-z]\w*)+)\Z", re.DOTALL | re.ASCII
)
_VERSION = re.compile(r"(?<![A-Za-z0-9])(?:[vV]|[vV]er(?:sion)?[_-]?)(\d+)(?![A-Za-z0-9])")
_BEFORE_VERSION = re.compile(r"(?<![A-Za-z0-9])(?:[vV]|[vV]er(?:sion)?[_-]?)\Z")
_UDIM_UV = re.compile(r"(?<![A-Za-z0-9])[uU]\d+_[vV]\d+(?=\.)")
_UDIM_WORD = re.compile(r"(?<![a-z])(?:udims?|tex|textures?|sourceimages|maps)(?![a-z])")
# S3 allows keys of 1024 bytes, file systems names of 255; nothing longer is a name.
_MAX_NAME = 1024
# Longer runs of digits are dates or identifiers.
_MAX_DIGITS = 9
# What 63 bits hold, whatever the digits are.
_MAX_VERSION_DIGITS = 18


@dataclass(frozen=True, slots=True)
class FileName:
    """What a file name says. `sequence_key` is the path with `#` for the frame or `<UDIM>` for the tile; None for a still."""

    frame_number: int | None = None
    sequence_key: str | None = None
    version_token: str | None = None
    udim: str | None = None


def normalize_path(path: str) -> str:
    """POSIX separators, no duplicate slashes or dot segments, Unicode NFC, case kept, no lone surrogates; idempotent.

    >>> normalize_path("//proj/./show//sh010/../sh020/beauty.1001.exr")
    '/proj/show/sh020/beauty.1001.exr'
    >>> normalize_path("s3://renders/../a//b.exr")
    's3://renders/a/b.exr'
    """
    clean = unicodedata.normalize("NFC", displayable(path)).replace("\\", "/")
    scheme = _SCHEME.match(clean)
    root = scheme[0] if scheme else "/" if clean.startswith("/") else ""
    segments = [segment for segment in clean[len(root) :].split("/") if segment not in ("", ".")]
    # A bucket is the root of its keys: nothing climbs out of it.
    fixed = 1 if scheme and segments else 0
    kept = segments[:fixed]
    for segment in segments[fixed:]:
        if segment != "..":
            kept.append(segment)
        elif len(kept) > fixed and kept[-1] != "..":
            kept.pop()
        elif not root:
            kept.append(segment)
    return root + "/".join(kept)


def displayable(path: str) -> str:
    """A path without lone surrogates: bytes of a file name that are not UTF-8 become U+FFFD."""
    return path.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def parse_name(path: str, *, is_texture: bool = False) -> FileName:
    """What the normalised path `path` says; `is_texture` (a mip- or rip-mapped file) makes 1001 to 1999 a UDIM tile.

    >>> parse_name("/s/beauty_v003.1001.exr")
    FileName(frame_number=1001, sequence_key='/s/beauty_v003.#.exr', version_token='v003', udim=None)
    >>> parse_name("/s/comp_v003.exr").sequence_key is None
    True
    >>> parse_name("/s/textures/skin.1012.exr").udim
    '1012'
    """
    directory, slash, name = path.rpartition("/")
    if len(name) > _MAX_NAME:
        return FileName()
    version = _version(directory, name)
    if mark := _UDIM_UV.search(name):
        return FileName(None, f"{directory}{slash}{name[: mark.start()]}<UDIM>{name[mark.end() :]}", version, mark[0])
    match = _FRAME.match(name)
    if match is None or len(match["frame"].lstrip("-")) > _MAX_DIGITS or _ends_in_version(match):
        return FileName(version_token=version)
    base, frame, tail = match["base"], match["frame"], match["tail"]
    if _is_udim(frame, is_texture or _UDIM_WORD.search(path.lower()) is not None):
        return FileName(None, f"{directory}{slash}{base}<UDIM>{tail}", version, frame)
    return FileName(int(frame), f"{directory}{slash}{base}#{tail}", version)


def version_number(version: str | None) -> int | None:
    """The number of a version token; None without one, and of digits that are a date or an identifier rather than a number.

    >>> version_number("v003"), version_number("final"), version_number(None)
    (3, None, None)
    """
    digits = version.lstrip("v") if version else ""
    return int(digits) if digits.isdecimal() and len(digits) <= _MAX_VERSION_DIGITS else None


def layer_key(key: str, version: str | None) -> str:
    """A sequence_key, or the path of a still, with `v#` wherever its version stands: the same in all versions of a layer.

    >>> layer_key("/s/tool_v001/sh010/v003/beauty_V3.#.exr", "v003")
    '/s/tool_v001/sh010/v#/beauty_v#.#.exr'
    """
    if version is None:
        return key
    digits = version.lstrip("v0") or "0"
    token = rf"(?<![A-Za-z0-9])v(?:er(?:sion)?)?[._-]?0*{digits}(?![A-Za-z0-9])"
    return re.sub(token, "v#", key, flags=re.ASCII | re.IGNORECASE)


def _is_udim(frame: str, context: bool) -> bool:
    return context and len(frame) == 4 and "1001" <= frame <= "1999"


def _ends_in_version(match: re.Match[str]) -> bool:
    """Whether the digits belong to a token such as `v003`."""
    return _BEFORE_VERSION.search(match["base"]) is not None


def _version(directory: str, name: str) -> str | None:
    """The last version token of the file name, else of the deepest directory that has one; V003 and ver003 are v003."""
    name = _UDIM_UV.sub("", name)
    for place in (name, *reversed(directory.split("/"))):
        if tokens := _VERSION.findall(place):
            return f"v{tokens[-1]}"
    return None
