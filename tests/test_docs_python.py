"""The Python that has its packages loaded already behaves as the interpreter does."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import docs_python

pytestmark = pytest.mark.skipif(not docs_python.is_possible(), reason="needs pidfd_open")


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The program that stands for `python`."""
    folder = tmp_path_factory.mktemp("warm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(docs_python, "PACKAGES", ())
        with docs_python.serving(folder / "socket"):
            docs_python.write_client(folder / "python", folder / "socket")
            yield str(folder / "python")


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "import sys; print(sys.argv, sys.path[0], __name__)", "a", "b c"],
        ["-c", "import os; print(os.getcwd(), os.environ['MARK'], os.environ.get('HOME'))"],
        ["-c", "import sys; print(sys.stdin.read(), end=''); print('aside', file=sys.stderr)"],
        ["-c", "import sys; sys.exit(7)"],
        ["-c", "import sys; sys.exit('a reason')"],
        ["-c", "import atexit; atexit.register(print, 'the end'); print('before')"],
        ["-c", "import threading, time; threading.Thread(target=lambda: (time.sleep(0.05), print('last'))).start()"],
        ["script.py", "--flag"],
        ["-m", "package.module", "x"],
        ["-I", "-c", "print('isolated')"],
        ["--version"],
    ],
    ids=lambda arguments: arguments[0] + arguments[-1][:30],
)
def test_a_command_prints_and_ends_as_with_the_interpreter(warm: str, tmp_path: Path, arguments: list[str]) -> None:
    """Arguments, folder, environment, all three streams, and the exit status."""
    (tmp_path / "script.py").write_text("import sys\nimport beside\nprint(sys.argv, __name__, beside.WORD)\n", encoding="utf-8")
    (tmp_path / "beside.py").write_text("WORD = 'beside'\n", encoding="utf-8")
    (tmp_path / "package").mkdir()
    (tmp_path / "package/module.py").write_text("import sys\nprint(sys.argv[1:], __name__, sys.path[0])\n", encoding="utf-8")

    def told(python: str) -> tuple[int, str, str]:
        ended = subprocess.run(
            [python, *arguments], cwd=tmp_path, env={"MARK": "here"}, input="given\n", capture_output=True, text=True, check=False
        )
        return ended.returncode, ended.stdout, ended.stderr

    assert told(warm) == told(sys.executable)


def test_an_error_is_a_traceback_and_status_1(warm: str) -> None:
    """With the error's own words at its end."""
    ended = subprocess.run([warm, "-c", "raise ValueError('planted')"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback (most recent call last)")
    assert ended.stderr.endswith("ValueError: planted\n")


def test_what_is_ended_ends_what_runs_for_it(warm: str, tmp_path: Path) -> None:
    """A server that a document starts is gone when its block is."""
    script = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(3)); print('ready', flush=True); signal.pause()"
    )
    with subprocess.Popen([warm, "-c", script], stdout=subprocess.PIPE) as program:
        assert program.stdout
        assert program.stdout.readline() == b"ready\n"
        program.send_signal(signal.SIGKILL)
        assert program.stdout.read() == b""  # the last of those who could write has ended


def test_commands_share_nothing(warm: str) -> None:
    """What one does to its modules and its environment, the next does not see."""
    first = "import os, json; os.environ['LEFT'] = '1'; json.planted = 1"
    second = "import os, json; print(os.environ.get('LEFT'), hasattr(json, 'planted'))"
    subprocess.run([warm, "-c", first], check=True)
    assert subprocess.run([warm, "-c", second], capture_output=True, text=True, check=True).stdout == "None False\n"
