"""Which program a text names (`Software` and the like), and its version."""

from __future__ import annotations

import re
from typing import NamedTuple

# OpenImageIO writes its command line, or a hash of it, behind " : "; Houdini the renderer that it ran.
_SEPARATOR = " : "
_VERSION = re.compile(
    r"(?<![A-Za-z0-9.])[vr]?(\d{1,9}(?:\.[^\W_]{1,20}){1,8}|\d{1,9}(?:v\d{1,9})?(?![A-Za-z0-9]))", re.IGNORECASE
)
_WORD = re.compile(r"[A-Za-z0-9][\w.+-]*")
_LETTER = re.compile(r"[^\W\d_]")
_LONGEST = 200
_COMMAND = re.compile(r"""[\\/"'=<>|]|(?:^| )-\w|\.(?:exe|py|sh)\b""")


class Program(NamedTuple):
    """A program's name, as it is written, and its version; None where the text does not tell."""

    name: str | None
    version: str | None


def read_program(text: str) -> Program:
    """The program and version that a text begins with. A command line names no program.

    >>> read_program("OpenImageIO 2.3.14 : oiiotool in.exr -o out.exr")
    Program(name='OpenImageIO', version='2.3.14')
    >>> read_program("Adobe Photoshop 27.0 (Windows)"), read_program('3Delight 9.0.8 linux64 (Jan 14 2010) "Antonioni"')
    (Program(name='Adobe Photoshop', version='27.0'), Program(name='3Delight', version='9.0.8'))
    >>> read_program("/usr/bin/convert in.exr -depth 16 out.exr")
    Program(name=None, version=None)
    """
    own = text[:_LONGEST].partition(_SEPARATOR)[0].strip()
    match = _VERSION.search(own)
    name = own[: match.start()] if match else own
    name = re.sub(r"[\s,:(_-]+(?:version|ver\.?)?[\s.:]*$", "", name, flags=re.IGNORECASE).strip()
    if not _LETTER.search(name) or _COMMAND.search(name) or len(_WORD.findall(name)) > 5:
        return Program(None, None)
    return Program(name, match[1] if match else None)


def without_command(text: str) -> str:
    """The part of a text that names programs: paths of a command line are nobody's name.

    >>> without_command("OpenImageIO 2.2.1 : d:/arnold/oiiotool in.exr -o out.exr"), without_command("Houdini 20.5 : Karma XPU")
    ('OpenImageIO 2.2.1', 'Houdini 20.5 : Karma XPU')
    """
    own, _, behind = text.partition(_SEPARATOR)
    if _COMMAND.search(behind) or own.startswith("OpenImageIO"):
        text = own
    return "" if read_program(own).name is None and _COMMAND.search(own) else text


def read_version(text: str) -> str | None:
    """The first version number in a text that is known to hold one: `Version of V-Ray for Maya 5.20.02`, `Arnold 7.3.4.1 [...]`.

    >>> read_version("Version of V-Ray for Maya 5.20.02"), read_version("13.2v4"), read_version("unknown")
    ('5.20.02', '13.2v4', None)
    """
    match = _VERSION.search(text[:_LONGEST])
    return match[1] if match else None
