"""What studios put into names: show, sequence and shot in a path, and the role of a channel.

Nothing in an EXR states these, so the rules are conventions. A name that does not follow one gives None, never a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_SHOW_FOLDERS: Final = frozenset({"shows", "show", "projects", "project", "proj", "prod", "productions", "jobs", "job"})
_GROUP_FOLDERS: Final = frozenset({"seq", "seqs", "sequence", "sequences", "shot", "shots", "scene", "scenes"})
# A shot code ends in digits after a separator or letters: sh010, 0010, abc_0010, ABC-010-0020, sq01_sh0030.
_SHOT: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9]*[_-])*[A-Za-z]{0,4}\d{2,5}[A-Za-z]?")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

# Of several known words the one in the upper row decides, so the more specific ones stand first.
_ROLE_WORDS: Final = (
    ("cryptomatte", {"crypto", "cryptomatte", "cryptoasset", "cryptomaterial", "cryptoobject"}),
    ("id", {"id", "ids", "objectid", "materialid", "matte", "mattes", "mask"}),
    ("depth", {"z", "zback", "depth", "zdepth"}),
    ("motion", {"motion", "motionvector", "motionvectors", "velocity", "mv", "forward", "backward"}),
    ("normal", {"n", "normal", "normals", "nn", "shadingnormal"}),
    ("position", {"p", "position", "pworld", "pref", "worldposition"}),
    ("uv", {"uv", "st", "texcoord"}),
    ("occlusion", {"ao", "occlusion"}),
    ("albedo", {"albedo"}),
    ("diffuse", {"diffuse", "diff"}),
    ("subsurface", {"sss", "subsurface"}),
    ("transmission", {"transmission", "refraction", "refract"}),
    ("specular", {"specular", "spec", "reflection", "reflect", "coat", "sheen"}),
    ("emission", {"emission", "emissive", "incandescence"}),
    ("volume", {"volume", "atmosphere", "fog"}),
    ("shadow", {"shadow", "shadows"}),
    ("light", {"light", "lightgroup", "lgt", "key", "fill", "rim"}),
    ("beauty", {"beauty", "rgba", "rgb", "combined"}),
)
_ROLE_OF_WORD: Final = {word: (rank, role) for rank, (role, words) in enumerate(_ROLE_WORDS) for word in words}
# Their samples are no colours: four of them are four values, none of which is a coverage of the others.
_DATA_ROLES: Final = frozenset({"cryptomatte", "id", "depth", "motion", "normal", "position", "uv"})
_COLOUR: Final = frozenset({"r", "g", "b", "red", "green", "blue", "y", "ry", "by"})
_ALPHA: Final = frozenset({"a", "alpha"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a production a path lies; None where the path does not tell."""

    show: str | None = None
    sequence: str | None = None
    shot: str | None = None


def place_of(path: str) -> Place:
    """Show, sequence and shot of a normalized path.

    The show is the folder below `shows`, `projects`, `prod`, `jobs` or the like. Below it, folders that only group (`seq`,
    `shots`) are passed over; the next two are sequence and shot when the second looks like a shot code, and a first one that
    looks like a shot code is a shot.

    >>> place_of("/mnt/shows/apollo/seq/ab/shots/ab_0010/render/beauty.1001.exr")
    Place(show='apollo', sequence='ab', shot='ab_0010')
    >>> place_of("s3://renders/projects/apollo/sh020/beauty.exr")
    Place(show='apollo', sequence=None, shot='sh020')
    >>> place_of("/tmp/beauty.exr")
    Place(show=None, sequence=None, shot=None)
    """
    folders = path.split("/")[:-1]
    start = next((i for i, name in enumerate(folders) if name.lower() in _SHOW_FOLDERS), len(folders))
    if start + 1 >= len(folders):
        return Place()
    below = [name for name in folders[start + 2 :] if name.lower() not in _GROUP_FOLDERS]
    return Place(folders[start + 1], *_sequence_and_shot(below))


def _sequence_and_shot(folders: list[str]) -> tuple[str | None, str | None]:
    if len(folders) > 1 and _SHOT.fullmatch(folders[1]):
        return folders[0], folders[1]
    if folders and _SHOT.fullmatch(folders[0]):
        return None, folders[0]
    return None, None


@lru_cache(maxsize=4096)
def aov_role(layer: str, component: str) -> str | None:
    """What a channel holds, from the words of its layer, else of its component; None where no word is known.

    The fourth component of a layer of data is data (of a Cryptomatte layer, the coverage of its second id), not alpha.

    >>> aov_role("", "R"), aov_role("", "A"), aov_role("", "Z"), aov_role("diffuse_direct", "G"), aov_role("myPass", "x")
    ('beauty', 'alpha', 'depth', 'diffuse', None)
    >>> aov_role("diffuse_direct", "A"), aov_role("crypto_object00", "A")
    ('alpha', 'cryptomatte')
    """
    of_layer = _role(layer) if layer else None
    if component.lower() in _ALPHA and of_layer not in _DATA_ROLES:
        return "alpha"
    if layer:
        return of_layer
    return "beauty" if component.lower() in _COLOUR else _role(component)


def _role(name: str) -> str | None:
    words = [word.lower() for word in _WORD.findall(name)]
    found = [_ROLE_OF_WORD[word] for word in (*words, "".join(words)) if word in _ROLE_OF_WORD]
    return min(found)[1] if found else None
