"""What was probably meant by a name that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LEAST = 3
"""Characters of a name that others are looked for to hold: one or two stand in many."""
SHOWN = 3


def near_names(name: str, names: Iterable[str]) -> str:
    """The names like this one, else those that hold it, as words: `compression or completeness`; empty where there are none.

    >>> near_names("knd", ["id", "kind", "severity"])
    'kind'
    """
    known = {one.lower(): one for one in names}
    asked = name.lower()
    holders = [one for one in known if asked in one] if len(asked) >= LEAST else []
    close = difflib.get_close_matches(asked, known, cutoff=0.5) or holders[:SHOWN]
    return " or ".join(known[one] for one in close)
