"""A cache of the results of pure functions that is bounded in bytes.

Frames of a sequence share nearly everything that the vectors read, so results are cached. A number of entries would bound
nothing: one of them may hold the 16,384 channels of a file. All caches of the vectors together take some 50 MB at most.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from sys import getsizeof
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

MB = 1 << 20
# What the interpreter needs for an entry beside its arguments and its result: a place in a table, a key, a hash.
ENTRY_BYTES = 200

R = TypeVar("R")


def bounded_cache(
    limit: int, *, typed: bool = False, size: Callable[[tuple[Any, ...], Any], int] | None = None
) -> Callable[[Callable[..., R]], _lru_cache_wrapper[R]]:
    """Cache results until they and their arguments take more than `limit` bytes; then start again with an empty cache.

    A lookup is as fast as with `functools.cache`. `typed` as there: whether 1, 1.0 and True are different arguments. `size` is
    given the arguments and the result, and answers with no less than the bytes of both, where measuring them takes too long.
    """

    def decorate(function: Callable[..., R]) -> _lru_cache_wrapper[R]:
        guard = threading.Lock()
        used = 0

        @lru_cache(maxsize=None, typed=typed)
        def cached(*arguments: Any) -> R:
            nonlocal used
            result = function(*arguments)
            taken = ENTRY_BYTES + (size(arguments, result) if size else size_of((arguments, result)))
            with guard:
                used += taken
                if used > limit:
                    cached.cache_clear()
                    used = taken
            return result

        return cached

    return decorate


def size_of(value: tuple[Any, ...]) -> int:
    """Bytes of a tuple and of what the tuples in it hold; shared values are counted each time."""
    size = getsizeof(value)
    for member in value:
        size += size_of(member) if isinstance(member, tuple) else getsizeof(member)
    return size
