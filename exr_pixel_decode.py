"""A band's file -> its pixels, through OpenEXR, which is imported when the first band is decoded."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from exr_bands import DamagedChunk

# What the binding raises for input that it cannot make sense of; UnicodeDecodeError is a ValueError.
LIBRARY_ERRORS = (RuntimeError, ValueError, TypeError, OverflowError, MemoryError)


class RefusedFile(DamagedChunk):
    """OpenEXR refuses the band's header, so it would refuse those of the band's units as well."""


class _Filter:
    """Stands for `sys.stdout` while any thread decodes: passes on what all other threads write."""

    lock: ClassVar[threading.Lock] = threading.Lock()
    muted: ClassVar[set[int]] = set()

    def __init__(self, target: Any) -> None:
        self.target = target

    def write(self, text: str) -> int:
        """As a text stream's: `text` goes on unless this thread is decoding."""
        if threading.get_ident() in self.muted or self.target is None:
            return len(text)
        return int(self.target.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing that this thread prints reaches `sys.stdout`; other threads are not affected.

    OpenEXR's binding prints a warning through `sys.stdout` where pixels do not decode, and drops the part (measured on 3.5.3).
    `contextlib.redirect_stdout` would silence or misdirect the other threads of the container.
    """
    thread = threading.get_ident()
    with _Filter.lock:
        _Filter.muted.add(thread)
        if not isinstance(sys.stdout, _Filter):
            sys.stdout = _Filter(sys.stdout)
    try:
        yield
    finally:
        with _Filter.lock:
            _Filter.muted.discard(thread)
            if not _Filter.muted and isinstance(sys.stdout, _Filter):
                sys.stdout = sys.stdout.target


def decode(data: bytes) -> dict[str, Any]:
    """The pixels of a single-part OpenEXR file: channel name -> array of (lines, columns).

    HALF, FLOAT and UINT are float16, float32 and uint32; a deep channel's array holds one array per pixel, or None. The decoding
    runs in the calling thread, without the interpreter's lock. Raises RefusedFile when the library does not open the file,
    DamagedChunk when it does not decode it all.
    """
    import OpenEXR

    try:
        with quiet():
            parts = OpenEXR.File(io.BytesIO(data), separate_channels=True, num_threads=0).parts
    except LIBRARY_ERRORS as error:
        raise RefusedFile(f"OpenEXR refuses it: {error}") from None
    if len(parts) != 1:
        raise DamagedChunk("OpenEXR does not decode it")
    return {name: channel.pixels for name, channel in parts[0].channels.items()}
