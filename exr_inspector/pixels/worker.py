"""What runs in the process that decodes pixels: a request on standard input, an answer on standard output, until the input ends.

A request is `REQUEST` (bytes of the file, bytes of memory that the process may hold) and the file. An answer is `ANSWER` (bytes
of the JSON object) and the object; the samples lie in a file that both processes map, because a pipe copies them twice.
pixels.decode is the other end. This module imports nothing of the project: what decodes the bytes of strangers holds no
settings and no keys.
"""

from __future__ import annotations

import contextlib
import io
import json
import mmap
import os
import signal
import struct
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

REQUEST = struct.Struct("<QQ")
ANSWER = struct.Struct("<I")
ALIGNMENT = 8
# Processor time, not that of the clock: a band takes a second or two, the largest chunk that memory allows less than a minute.
MOST_SECONDS = 300
# What the binding raises for input that it cannot make sense of; UnicodeDecodeError is a ValueError.
LIBRARY_ERRORS = (RuntimeError, ValueError, TypeError, OverflowError)

Blocks = deque[Any]


def main() -> None:
    """Answer requests until there are no more, or until nobody listens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks, whose end is the end of the input
    _offer_to_the_kernel()
    shared = _Shared(int(sys.argv[-1]))
    with _streams() as (requests, answers), contextlib.suppress(BrokenPipeError):
        while len(head := requests.read(REQUEST.size)) == REQUEST.size:
            length, memory = REQUEST.unpack(head)
            data = requests.read(length)
            _bound(memory)
            description, blocks = answer(data)
            description["bytes"] = shared.hold(blocks)
            text = json.dumps(description).encode()
            answers.write(ANSWER.pack(len(text)) + text)
            answers.flush()


class _Shared:
    """The file in which the samples of an answer lie; it grows and does not shrink."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._bytes: Any = b""

    def hold(self, blocks: Blocks) -> int:
        """Put the blocks there, one by one, letting go of each; the size of the file."""
        needed = sum(map(_padded_size, blocks))
        if needed > len(self._bytes):
            os.ftruncate(self._file, needed)
            self._bytes = mmap.mmap(self._file, needed)
        held, at = memoryview(self._bytes), 0
        while blocks:
            size = _padded_size(blocks[0])
            block = blocks.popleft()
            held[at : at + block.nbytes] = block
            at += size
        return len(self._bytes)


def _padded_size(block: Any) -> int:
    """The bytes of a block, up to where the next one may begin."""
    return -(-int(block.nbytes) // ALIGNMENT) * ALIGNMENT


@contextlib.contextmanager
def _streams() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Standard input and output, and nothing in their place: OpenEXR's binding prints warnings (measured on 3.5.3)."""
    with os.fdopen(os.dup(0), "rb") as requests, os.fdopen(os.dup(1), "wb") as answers, Path(os.devnull).open("r+b") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(nothing.fileno(), 1)
        yield requests, answers


def _offer_to_the_kernel() -> None:
    """Where memory runs out, this process is the one to end (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _bound(memory: int) -> None:
    """Limits of this process for one request, where the platform has them: beyond them it gets a MemoryError, or ends."""
    try:
        import resource
    except ImportError:
        return
    most = int(time.process_time()) + MOST_SECONDS
    for limit, value in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_CPU, most)):
        _, hard = resource.getrlimit(limit)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def answer(data: bytes) -> tuple[dict[str, Any], Blocks]:
    """The pixels of a single-part OpenEXR file: its channels, with type, shape and place of their blocks; or `fault`, `message`.

    HALF, FLOAT and UINT are float16, float32 and uint32. A deep channel has two blocks: samples per pixel, and the samples.
    """
    try:
        return _decode(data)
    except ImportError as error:
        fault, message = "unavailable", str(error)
    except MemoryError:
        fault, message = "too_large", "OpenEXR needs more memory for it than the limit allows"
    except LIBRARY_ERRORS as error:
        fault, message = "refused", f"OpenEXR refuses it: {error}"
    return {"fault": fault, "message": message}, deque()


def _decode(data: bytes) -> tuple[dict[str, Any], Blocks]:
    import OpenEXR

    blocks: Blocks = deque()
    parts = OpenEXR.File(io.BytesIO(data), separate_channels=True, num_threads=0).parts
    if len(parts) != 1:
        return {"fault": "damaged", "message": "OpenEXR does not decode it"}, blocks
    channels: list[dict[str, Any]] = []
    at = 0
    for name, channel in parts[0].channels.items():
        channels.append({"name": name, "blocks": []})
        for block in _arrays(channel.pixels):
            channels[-1]["blocks"].append([block.dtype.str, block.shape, at])
            blocks.append(block.reshape(-1).view("u1"))
            at += _padded_size(block)
    return {"channels": channels}, blocks


def _arrays(pixels: Any) -> list[Any]:
    """A flat channel as it is; of a deep one the samples per pixel, and all samples in a row."""
    import numpy as np

    if pixels.dtype != object:
        return [np.ascontiguousarray(pixels)]
    cells = pixels.reshape(-1).tolist()
    held = [cell for cell in cells if cell is not None]
    counts = np.fromiter((0 if cell is None else cell.size for cell in cells), "u4", len(cells))
    return [counts.reshape(pixels.shape), np.concatenate(held) if held else np.empty(0, "f4")]
