"""Results of pure functions, kept up to a number of bytes.

Frames of a sequence share nearly everything that the vectors read, so what was computed is kept. A number of entries bounds
nothing: one of them may hold the 16,384 channels of a file. All caches of the vectors together keep some 50 MB at most.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from itertools import chain
from sys import getsizeof
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

MB = 1 << 20
# What the interpreter needs for an entry beside its arguments and its result: a place in a table, a key, a hash.
ENTRY_BYTES = 200

R = TypeVar("R")


def kept_within(limit: int, *, typed: bool = False) -> Callable[[Callable[..., R]], _lru_cache_wrapper[R]]:
    """Keep results until they and their arguments take `limit` bytes; then all are forgotten, and the next ones are kept.

    What is kept is found as fast as with `functools.cache`. `typed` as there: whether 1, 1.0 and True are told apart.
    """

    def decorate(function: Callable[..., R]) -> _lru_cache_wrapper[R]:
        guard = threading.Lock()
        held = 0

        @lru_cache(maxsize=None, typed=typed)
        def kept(*arguments: Any) -> R:
            nonlocal held
            result = function(*arguments)
            size = ENTRY_BYTES + size_of((arguments, result))
            with guard:
                held += size
                if held > limit:
                    kept.cache_clear()
                    held = size
            return result

        return kept

    return decorate


def size_of(value: tuple[Any, ...]) -> int:
    """Bytes of a tuple and of what the tuples in it hold, level by level; what they share is counted each time."""
    size, tuples = getsizeof(value), [value]
    while tuples:
        members = list(chain.from_iterable(tuples))
        size += sum(map(getsizeof, members))
        tuples = [member for member in members if isinstance(member, tuple)]
    return size
