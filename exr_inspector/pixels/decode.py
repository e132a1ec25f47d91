"""A band's file -> its pixels, decoded by OpenEXR in processes of their own.

OpenEXR is C++, and the bytes are a stranger's: what ends the process that decodes them (a signal, an abort, no memory left) is
the fault of one chunk, and the function goes on with its other events. The processes are used again, for any file, until one
crashes; they end with the process that asks. pixels.worker is what runs in them.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import mmap
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from exr_inspector.errors import Retry
from exr_inspector.pixels import worker
from exr_inspector.pixels.bands import DamagedChunk, LargeChunk
from exr_inspector.pixels.worker import ANSWER, REQUEST
from exr_inspector.terminal import on_one_line

MOST_PROCESSES = 8
# Names of the environment that Python and its libraries need; the function's keys are not among them.
_PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")
# No threads that nobody needs; and large blocks go back to the system as soon as they are free (glibc).
_FRUGAL = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": str(2**20), "MALLOC_TRIM_THRESHOLD_": str(2**22)}
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); import {0}; {0}.main()"
# A process that shares more than this with us is not kept: a band is 16 MiB, a single chunk may be more.
_MOST_SHARED = 32 * 2**20
# Of what the library writes to standard error while it decodes, in characters, after the name of the file, which is a buffer, and
# the name of the error, which misleads: bytes that unpack to more than the pixels need are EXR_ERR_OUT_OF_MEMORY (3.5.3).
_MOST_SAID = 200
_ERROR_NAME = re.compile(r"^<\w+>: (\(EXR_ERR_\w+\) )?")
_NO_MEMORY = "Unable to allocate"


class RefusedFile(DamagedChunk):
    """OpenEXR refuses the band's header, so it would refuse those of the band's units as well."""


class DecoderCrashed(DamagedChunk):
    """The process that decoded it came to an end, by itself or because memory ran out."""

    def __init__(self, message: str, code: str = "decoder_crashed") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class DeepPixels:
    """A deep channel: samples per pixel, of (lines, columns), and the samples of all pixels in a row."""

    counts: Any
    samples: Any

    def __getitem__(self, places: tuple[slice, slice]) -> DeepPixels:
        """The pixels of some lines and columns."""
        import numpy as np

        chosen = np.zeros(self.counts.shape, dtype=bool)
        chosen[places] = True
        held = np.repeat(chosen.reshape(-1), self.counts.reshape(-1))
        return DeepPixels(self.counts[places], self.samples[held])


class _Process:
    """A process that decodes, one request at a time."""

    def __init__(self) -> None:
        self.answered = 0
        self.is_busy = False
        self._shared = _nameless_file()
        self._said = _nameless_file()
        self._bytes: Any = b""
        start = _START.format(worker.__name__)
        command = [sys.executable, "-c", start, json.dumps(sys.path), str(self._shared)]
        kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and code of this project
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, bufsize=0,
                env={**kept, **_FRUGAL}, pass_fds=[self._shared],
            )  # fmt: skip
        except OSError as error:
            os.close(self._shared)
            os.close(self._said)
            remedy = "Allow the container more processes or more memory, or switch statistics off"
            raise Retry(f"no process that decodes pixels starts: {error}", code="no_decoder", remedy=remedy) from error
        # Unbuffered, so both are FileIO.
        self._requests: Any = self._process.stdin
        self._answers: Any = self._process.stdout

    def ask(self, data: bytes, memory: int) -> dict[str, Any]:
        """The channels of a file, by name, until the next one is asked for.

        Raises DamagedChunk, RefusedFile, or DecoderCrashed, after which the process is of no use.
        """
        self.is_busy = True
        self._forget_said()
        try:
            self._send(REQUEST.pack(len(data), memory))
            self._send(data)
            (length,) = ANSWER.unpack(self._receive(bytearray(ANSWER.size)))
            answer = json.loads(self._receive(bytearray(length)))
        except (BrokenPipeError, EOFError):
            raise self._crash(self._process.wait()) from None
        self.is_busy = False
        self.answered += 1
        _raise_fault(answer, self._last_words()[:1])
        if len(self._bytes) != answer["bytes"]:
            self._bytes = mmap.mmap(self._shared, answer["bytes"])
        return {one["name"]: self._pixels(one["blocks"]) for one in answer["channels"]}

    def _crash(self, status: int) -> DecoderCrashed:
        """How the process ended, and the last that it said."""
        words = ": ".join([f"the process that decoded it {_end(status)}", *self._last_words()[-1:]])
        return DecoderCrashed(words, LargeChunk.code) if status == -signal.SIGKILL else DecoderCrashed(words)

    def _forget_said(self) -> None:
        """What it writes to its standard error from now on is about one file. Both processes share the place in that file."""
        os.ftruncate(self._said, 0)
        os.lseek(self._said, 0, os.SEEK_SET)

    def _last_words(self) -> list[str]:
        """The lines that it wrote to its standard error, as they may stand in a message."""
        size = os.fstat(self._said).st_size
        kept = [os.pread(self._said, 8 * _MOST_SAID, at) for at in (0, max(0, size - 8 * _MOST_SAID))]
        lines = [line for text in kept for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
        return [on_one_line(_ERROR_NAME.sub("", line))[:_MOST_SAID] for line in lines]

    @property
    def is_of_use(self) -> bool:
        """Whether it can be asked again, and does not hold much memory meanwhile."""
        return not self.is_busy and len(self._bytes) <= _MOST_SHARED

    def _send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._requests.write(left) :]

    def _receive(self, buffer: Any) -> Any:
        """The buffer, filled. Raises EOFError where the process ends before that."""
        left = memoryview(buffer)
        while left:
            received = self._answers.readinto(left)
            if not received:
                raise EOFError
            left = left[received:]
        return buffer

    def _pixels(self, blocks: list[tuple[str, list[int], int]]) -> Any:
        import numpy as np

        arrays = [np.ndarray(shape, dtype, self._bytes, at) for dtype, shape, at in blocks]
        for array in arrays:
            array.flags.writeable = False
        return arrays[0] if len(arrays) == 1 else DeepPixels(*arrays)

    def end(self) -> None:
        """End the process, whatever it does, and let go of it."""
        self._process.kill()
        self._process.wait()
        self._close()

    def disown(self) -> None:
        """In a copy of this process, made by fork: the other one goes on asking."""
        self._process.returncode = 0  # not ours to wait for
        self._close()

    def _close(self) -> None:
        self._requests.close()
        self._answers.close()
        os.close(self._shared)
        os.close(self._said)


def _nameless_file() -> int:
    """A file in memory where the platform has them, else a temporary one; it is gone with its last user."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("pixels")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _end(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"ended with status {status}"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
    return f"was ended by {name}" + (", which the system sends where memory runs out" if name == "SIGKILL" else "")


def _raise_fault(answer: dict[str, Any], said: list[str]) -> None:
    """Raises what an answer says instead of giving pixels, with the first that the library `said` of it."""
    fault = answer.get("fault")
    if fault == "unavailable":
        raise ImportError(answer["message"])
    if fault and any(_NO_MEMORY in line for line in said):
        fault = "too_large"
    if fault:
        raise _FAULTS[fault](": ".join([answer["message"], *said]))


_FAULTS = {"refused": RefusedFile, "too_large": LargeChunk, "damaged": DamagedChunk}


class Decoders:
    """At most `most` processes that decode, shared by all threads; made when first needed, and used again."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._room = threading.BoundedSemaphore(most)
        self._idle: list[_Process] = []

    @contextlib.contextmanager
    def decode(self, data: bytes, memory: int) -> Iterator[dict[str, Any]]:
        """The pixels of a single-part OpenEXR file: channel name -> array of (lines, columns), or DeepPixels.

        They lie in memory of the process that decoded them, and are gone when the block ends: what is to stay is copied. A
        process that decodes may hold `memory` bytes. Raises RefusedFile when the library does not open the file, DamagedChunk
        when it does not decode it all, DecoderCrashed when that ended the process. What an earlier file may have spoiled is
        not this one's fault: it is tried again in a new process.
        """
        with self._room, contextlib.ExitStack() as stack:
            process = stack.enter_context(self._process())
            try:
                channels = process.ask(data, memory)
            except DecoderCrashed:
                if not process.answered:
                    raise
                channels = stack.enter_context(self._process(new=True)).ask(data, memory)
            yield channels

    @contextlib.contextmanager
    def _process(self, *, new: bool = False) -> Iterator[_Process]:
        """A process for one request. Where it is of no use after that, it is ended."""
        process = self._idle.pop() if self._idle and not new else _Process()
        try:
            yield process
        finally:
            if process.is_of_use:
                self._idle.append(process)
            else:
                process.end()

    def close(self) -> None:
        """End the processes that are idle."""
        while self._idle:
            self._idle.pop().end()

    def forget(self) -> None:
        """In a copy of this process, made by fork: have processes of its own."""
        foreign, self._idle = self._idle, []
        self._room = threading.BoundedSemaphore(self._most)  # some of the old one went to threads that the copy does not have
        for process in foreign:
            process.disown()


DECODERS = Decoders(min(MOST_PROCESSES, os.cpu_count() or 1))
decode = DECODERS.decode
atexit.register(DECODERS.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=DECODERS.forget)
