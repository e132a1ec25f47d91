"""Where a key lives below the root: the rule that makes a plain folder of files a bucket.

The natural place of a key is the path that it spells: `shots/010/beauty.exr` in bucket `renders` is the file
`ROOT/renders/shots/010/beauty.exr`. Keys that a file system cannot hold as a path (an empty, `.` or `..` segment, a NUL, a
segment over 255 bytes) live below `ROOT/.local_vast/escaped/BUCKET/` under their percent-encoded name; so does a key whose
natural place is taken (`a` while `a/b` exists: one of the two would have to be a file and a folder at once).
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

PRIVATE = ".local_vast"
MAX_KEY_BYTES = 1024
MAX_NAME_BYTES = 255
# An encoded key may be three times as long as the key; names are cut well below the 255 bytes that file systems allow.
CHUNK = 200
# "+" never comes out of percent-encoding, so a folder of a long key cannot be taken for the end of a shorter one.
CONTINUED = "+"
_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def is_new_bucket_name(name: str) -> bool:
    """Whether a bucket of that name may be created: 3 to 63 of a-z, 0-9, dot and hyphen, not like an IPv4 address."""
    return _BUCKET.fullmatch(name) is not None


def is_served_folder(name: str) -> bool:
    """Whether a first-level folder counts as a bucket: every one that is not hidden, whatever its letters."""
    return name not in ("", ".", "..") and not name.startswith(".") and "/" not in name and "\0" not in name


def natural_parts(key: str) -> tuple[str, ...] | None:
    """The path segments that the key spells, or None when no file can have that path."""
    parts = tuple(key.split("/"))
    return parts if all(_is_name(part) for part in parts) else None


def _is_name(part: str) -> bool:
    return part not in ("", ".", "..") and "\0" not in part and len(part.encode()) <= MAX_NAME_BYTES


def escaped_parts(key: str) -> tuple[str, ...]:
    """The path segments of the key's escaped place; every key has one, and no two keys share it.

    >>> escaped_parts("../a b")
    ('%2E%2E%2Fa%20b',)
    """
    name = quote(key, safe="").replace(".", "%2E")
    chunks = [name[start : start + CHUNK] for start in range(0, len(name), CHUNK)]
    return (*(chunk + CONTINUED for chunk in chunks[:-1]), chunks[-1])


def key_of_escaped(parts: tuple[str, ...]) -> str:
    """The key whose escaped place is `parts`.

    >>> key_of_escaped(("%2E%2E%2Fa%20b",))
    '../a b'
    """
    return unquote("".join(part.removesuffix(CONTINUED) for part in parts))
