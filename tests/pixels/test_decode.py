"""What becomes of a file, and of all others, when decoding it ends the process that decodes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from exr_inspector.pixels import decode, statistics
from exr_inspector.pixels.bands import DamagedChunk, LargeChunk
from exr_inspector.pixels.decode import Decoders
from pixel_files import one, stats
from project import ROOT

FRAGILE = """
import os, signal, sys
here = os.path.dirname(__file__)
sys.path.remove(here)
del sys.modules[__name__]
import OpenEXR
with open(os.path.join(here, "starts"), "a") as starts:
    starts.write("x")
whole = OpenEXR.File
def fragile(stream, **options):
    data = stream.getvalue()
    if b"SEGFAULT" in data:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"ABORTED!" in data:
        os.write(2, b"a warning\\nfree(): invalid size\\n")
        os.abort()
    if b"NOMEMORY" in data:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"TOO MUCH" in data:
        bytearray(2**36)
    return whole(stream, **options)
OpenEXR.File = fragile
"""
"""An OpenEXR that crashes on chunks with a word in them, and starts that are counted in a file beside it."""

SCRIPT = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
from exr_inspector.pixels import decode as exr_pixel_decode
from pixel_files import one, planes, stats
first = stats(one(planes()))
(process, *_) = exr_pixel_decode.DECODERS._idle
"""


@pytest.fixture
def decoders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Decoders]:
    """Processes whose OpenEXR is fragile; statistics are computed with them."""
    (tmp_path / "OpenEXR.py").write_text(FRAGILE, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    made = Decoders(2)
    monkeypatch.setattr(statistics, "decode", made.decode)
    yield made
    made.close()


def image(*words: str, lines: int = 16) -> bytes:
    """A file of uncompressed lines, a chunk each, whose last lines say the words."""
    plane = np.ones((lines, 8), "f4")
    for number, word in enumerate(words):
        plane[lines - 1 - number, :2] = np.frombuffer(word.encode(), "f4")
    return one({"Z": plane}, "none")


def starts(folder: Path) -> int:
    """How many processes were started."""
    return len((folder / "starts").read_text())


@pytest.mark.parametrize(("word", "name"), [("SEGFAULT", "SIGSEGV"), ("ABORTED!", "SIGABRT")])
@pytest.mark.usefixtures("decoders")
def test_a_chunk_that_ends_the_decoder_is_one_finding(word: str, name: str) -> None:
    """It has part, chunk, lines and the signal; all other chunks have their figures, and so has the next file."""
    found = stats(image(word))
    (finding,) = found["findings"]
    assert (finding["code"], finding["part"]) == ("decoder_crashed", 0)
    assert "chunk 15 of lines 15 to 15" in finding["message"]
    assert f"the process that decoded it was ended by {name}" in finding["message"]
    assert (found["parts"][0]["chunks_read"], found["parts"][0]["chunks_damaged"]) == (15, 1)
    assert (found["channels"][0]["pixel_count"], found["channels"][0]["is_partial"]) == (15 * 8, True)
    assert stats(image())["findings"] == []


@pytest.mark.usefixtures("decoders")
def test_the_last_that_a_crashed_decoder_said_stands_in_the_finding(capfd: pytest.CaptureFixture[str]) -> None:
    """And nowhere else."""
    (finding,) = stats(image("ABORTED!"))["findings"]
    assert finding["message"].endswith("was ended by SIGABRT: free(): invalid size")
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("decoders")
def test_a_decoder_that_the_system_ends_for_its_memory_says_nothing_of_damage() -> None:
    """Nor of the chunks that are not tried any more after it."""
    found = stats(image(*["NOMEMORY"] * 8, lines=16), threads=0)
    assert {finding["code"] for finding in found["findings"]} == {"chunk_too_large"}
    assert found["parts"][0]["chunks_damaged"] == 8


@pytest.mark.usefixtures("decoders")
def test_a_part_that_crashes_again_and_again_is_given_up(tmp_path: Path) -> None:
    """Each crash costs starts of processes; after a few the rest of the part is counted as damaged, whatever its length."""
    found = stats(image(*["SEGFAULT"] * 200, lines=200), threads=0)
    assert found["parts"][0]["chunks_damaged"] == 200
    assert {finding["code"] for finding in found["findings"]} == {"decoder_crashed"}
    assert "crashes came before it" in found["findings"][-1]["message"]
    assert starts(tmp_path) <= 2 * statistics.MAX_CRASHES


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of a process's memory is Linux's")
@pytest.mark.usefixtures("decoders")
def test_a_chunk_that_needs_more_memory_than_there_is_costs_its_own_pixels(tmp_path: Path) -> None:
    """The process that decodes has a limit, gets no more, and goes on."""
    found = stats(image("TOO MUCH"), threads=0)
    (finding,) = found["findings"]
    assert finding["code"] == "chunk_too_large"
    assert "more memory" in finding["message"]
    assert (found["parts"][0]["chunks_read"], starts(tmp_path)) == (15, 1)


def test_what_the_library_cannot_allocate_is_not_damage() -> None:
    """It says so on its standard error, and answers as for bytes that do not decode."""
    answer = {"fault": "damaged", "message": "OpenEXR does not decode it"}
    with pytest.raises(LargeChunk, match="it: Unable to allocate 8 bytes"):
        decode._raise_fault(answer, ["Unable to allocate 8 bytes"])
    with pytest.raises(DamagedChunk, match=r"does not decode it$") as caught:
        decode._raise_fault(answer, [])
    assert caught.value.code == "chunk_not_decodable"


def test_a_decoder_that_died_meanwhile_is_replaced(decoders: Decoders) -> None:
    """The system takes an idle one; the next file is decoded by another, and nothing is said."""
    expected = stats(image(), threads=0)
    (process,) = decoders._idle
    process._process.kill()
    process._process.wait()
    assert stats(image(), threads=0) == expected
    assert [one.answered for one in decoders._idle] == [1]


def test_a_decoder_is_used_again(decoders: Decoders, tmp_path: Path) -> None:
    """Ten files, one start."""
    for _ in range(10):
        stats(image(), threads=0)
    assert (starts(tmp_path), len(decoders._idle)) == (1, 1)


def test_the_keys_of_the_function_are_not_in_the_decoders_environment(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk that takes the decoder over finds none."""
    monkeypatch.setenv("VAST_DB_SECRET_KEY", "do-not-tell")
    stats(image(), threads=0)
    place = Path(f"/proc/{decoders._idle[0]._process.pid}/environ")
    if not place.exists():
        pytest.skip("no /proc")
    assert b"do-not-tell" not in place.read_bytes()


def run(code: str) -> subprocess.CompletedProcess[str]:
    """A Python of its own that has computed statistics once and goes on with `code`."""
    start = SCRIPT.format(root=str(ROOT), tests=str(ROOT / "tests/support"))
    return subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_decoders_end_with_the_process_that_asks() -> None:
    """However it ended: here it is killed."""
    done = run("import os, signal; print(process._process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert is_gone(int(done.stdout))


def is_gone(process: int) -> bool:
    """Whether a process ends within a while; a zombie has ended."""
    for _ in range(600):
        try:
            os.kill(process, 0)
            if "Z" in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]:
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_copy_has_decoders_of_its_own() -> None:
    """Both go on, and get each their own answers."""
    done = run("""
import os, warnings
warnings.simplefilter("ignore")
copy = os.fork()
again = stats(one(planes(seed=3 if copy else 4)))
if not copy:
    os._exit(again != stats(one(planes(seed=4))) or process in exr_pixel_decode.DECODERS._idle)
assert os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) == 0
assert again == stats(one(planes(seed=3)))
print("both")
""")
    assert done.stdout == "both\n", done.stderr


def test_a_machine_without_room_for_a_process_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no fault of the file: the event is delivered again."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    monkeypatch.setattr(statistics, "decode", Decoders(1).decode)
    with pytest.raises(decode.Retry, match="no process that decodes pixels starts") as caught:
        stats(image(), threads=0)
    assert caught.value.code == "no_decoder"


def test_the_end_of_a_process_is_told_in_words() -> None:
    """Signals by name, with what SIGKILL mostly means; a status by number."""
    assert decode._end(-signal.SIGSEGV) == "was ended by SIGSEGV"
    assert "memory" in decode._end(-signal.SIGKILL)
    assert decode._end(3) == "ended with status 3"
