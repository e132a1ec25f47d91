"""Paths as people read them in a table: what they share is said once, and a file's name says only what its folders do not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from urllib.parse import quote

from exr_inspector.payload.names import parse_name

_WORDS = re.compile(r"[^._]+")
_LONGEST_WORDS = 200
_VERSION = re.compile(r"[vV](\d+|#)")


@dataclass(frozen=True, slots=True)
class File:
    """A path in its parts: `folder`; `rest`, the words of the name that the folders do not have; `frame`, if it has one."""

    folder: str
    rest: str
    frame: int | None

    def below(self, common: str) -> str:
        """The path relative to a folder that it lies in."""
        folder = self.folder[len(common) :].lstrip("/")
        return "/".join(filter(None, (folder, self.rest))) or "."


def is_path(value: object) -> bool:
    """Whether a cell is the path of a file or of a sequence of frames.

    >>> is_path("s3://renders/a/b.1001.exr"), is_path("/a/b.#.exr"), is_path("and/or")
    (True, True, False)
    """
    return isinstance(value, str) and "/" in value and (value.startswith("/") or "://" in value) and " and " not in value


def is_version(name: str) -> bool:
    """Whether a name is a version's and nothing else, as folders have it and the key of a layer.

    >>> is_version("v003"), is_version("v#"), is_version("beauty/v003")
    (True, True, False)
    """
    return _VERSION.fullmatch(name) is not None


@lru_cache(maxsize=10_000)
def file(path: str) -> File:
    """The parts of a path.

    >>> file("/shows/apollo/sq010/sh020/beauty/v003/sq010_sh020_beauty_v003.1001.exr")
    File(folder='/shows/apollo/sq010/sh020/beauty/v003', rest='', frame=1001)
    >>> file("/shows/apollo/sq010/notes.exr")
    File(folder='/shows/apollo/sq010', rest='notes.exr', frame=None)
    """
    name = parse_name(path)
    folder, _, last = (name.sequence_key or path).rpartition("/")
    stem = last.removesuffix(".exr")
    known = {word.lower() for word in _WORDS.findall(folder.replace("/", ".")[-_LONGEST_WORDS:])}
    words = [word for word in _WORDS.findall(stem) if word != "#"]
    is_said = bool(words) and all(word.lower() in known for word in words) and stem != last
    rest = "" if is_said else last.replace(".#.exr", "")
    return File(folder, rest, name.frame_number)


def common_folder(paths: Iterable[str]) -> str:
    """The deepest folder that all paths lie in, without a slash at its end; "" where they share none.

    >>> common_folder(["s3://renders/a/x/1.exr", "s3://renders/a/y/1.exr"])
    's3://renders/a'
    """
    folders = [file(path).folder.split("/") for path in paths]
    shared = takewhile(lambda names: len(set(names)) == 1, zip(*folders, strict=False))
    common = "/".join(names[0] for names in shared)
    return "" if common.endswith(":/") else common


def from_here(folder: str) -> str:
    """A folder as one would type it: relative to the working folder where it lies in that.

    >>> from_here("s3://renders/shows")
    's3://renders/shows'
    """
    here = f"{Path.cwd().as_posix()}/"
    return folder.removeprefix(here)


def said_by(paths: Collection[str], values: Collection[object]) -> bool:
    """Whether every value is a folder of the path beside it, so that a column of them would say nothing more."""
    pairs = zip(paths, values, strict=True)
    return all(value is None or str(value) in file(path).folder.split("/") for path, value in pairs)


def shorten(path: str, width: int) -> str:
    """The last folders of a path, as many as fit; `…` stands for the others.

    >>> shorten("apollo/sq010/sh020/beauty/v003", 20)
    '…/sh020/beauty/v003'
    """
    if len(path) <= width:
        return path
    kept: list[str] = []
    for folder in reversed(path.split("/")):
        if kept and len("/".join(["…", folder, *kept])) > width:
            break
        kept.insert(0, folder)
    return "/".join(["…", *kept])


def uri(path: str) -> str:
    """A path as a URI reference (RFC 3986).

    >>> uri("/a/b c.exr"), uri("s3://renders/a#1.exr")
    ('/a/b%20c.exr', 's3://renders/a%231.exr')
    """
    return quote(path, safe="/:")
