"""A Python that has its packages loaded already: most of the time of a short command is the import of pandas, ibis and pyarrow.

A server process imports them once. Where `python` of a stage is asked for a script, a module or a text, it hands its arguments,
folder, environment and standard streams to the server, which forks and runs the same there; so every command has a fresh process,
with its own copy of the project's modules. Everything else goes to the real interpreter.

    python docs_python.py SOCKET        is the server; it serves until its standard input ends
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

PACKAGES = (
    "adbc_driver_manager", "boto3", "cheroot.wsgi", "cloudevents", "duckdb", "fileseq", "ibis.backends.sql", "jsonschema",
    "numpy", "OpenEXR", "pandas", "pyarrow.compute", "pyarrow.feather", "pyarrow.parquet", "requests", "rich.console",
    "rich.progress", "rich.table", "sqlglot.dialects.duckdb", "sqlglot.dialects.trino", "sqlglot.optimizer", "tenacity", "vastdb",
)  # fmt: skip
"""What the project's commands import."""

CLIENT = """#!{real} -IS
import array, json, os, socket, sys
arguments = sys.argv[1:]
if not arguments or arguments[0].startswith("-") and arguments[0] not in ("-m", "-c"):
    os.execv({real!r}, [{venv!r}, *arguments])
with socket.socket(socket.AF_UNIX) as server:
    server.connect({socket!r})
    request = json.dumps([{venv!r}, arguments, os.getcwd(), dict(os.environ)]).encode()
    streams = array.array("i", [0, 1, 2])
    server.sendmsg([len(request).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    server.sendall(request)
    status = server.recv(4)
    sys.exit(int.from_bytes(status, "big") if status else 143)
"""
"""The program that stands for `python`: it ends with the status that the server sends."""


@contextlib.contextmanager
def serving(path: Path) -> Iterator[None]:
    """The server, listening at a socket; it ends with the block."""
    command = [sys.executable, __file__, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/") as server:
        assert server.stdin
        assert server.stdout
        assert server.stdout.readline() == b"ready\n"
        yield
        server.stdin.close()


def write_client(path: Path, listening: Path) -> None:
    """Write the program that stands for `python` of the environment that `path` lies in."""
    real = str(Path(sys.executable).absolute())
    path.write_text(CLIENT.format(real=real, venv=str(path), socket=str(listening)), encoding="utf-8")
    path.chmod(0o755)


def _serve(path: str) -> NoReturn:
    for name in PACKAGES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        os.write(1, b"ready\n")
        while listener in select.select([listener, 0], [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _answer(connection)
            connection.close()
    os._exit(0)


def _answer(connection: socket.socket) -> NoReturn:
    """Run one request in a process group of its own, which ends when its client does, and send the exit status."""
    head, control, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(12))
    request = json.loads(connection.makefile("rb").read(int.from_bytes(head, "big")))
    os.setpgid(0, 0)
    for standard, given in enumerate(array.array("i", control[0][2])):
        os.dup2(given, standard)
        os.close(given)
    threading.Thread(target=_end_with_client, args=[connection], daemon=True).start()
    status = _status(*request)
    # As the interpreter ends, but for taking apart its modules: extension modules complain of that after a fork.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(status.to_bytes(4, "big"))
    os._exit(0)


def _end_with_client(connection: socket.socket) -> None:
    connection.recv(1)
    os.killpg(0, signal.SIGTERM)


def _status(*request: Any) -> int:
    """Run a request; the exit status that the interpreter would end with."""
    try:
        _run(*request)
    except SystemExit as left:
        if left.code is None or isinstance(left.code, int):
            return (left.code or 0) & 255
        print(left.code, file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        return 1
    return 0


def _run(executable: str, arguments: list[str], folder: str, variables: dict[str, str]) -> None:
    """What the interpreter does with such a command line."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    sys.executable = executable
    sys.path[:1] = [entry for entry in variables.get("PYTHONPATH", "").split(os.pathsep) if entry]
    what, *rest = arguments
    if what == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.path.insert(0, "")
        namespace = {"__name__": "__main__"}
        exec(rest[0], namespace)  # noqa: S102 - that is what -c means
    elif what == "-m":
        sys.argv = rest
        sys.path.insert(0, folder)
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path.insert(0, str(Path(what).resolve().parent))
        runpy.run_path(what, run_name="__main__")


if __name__ == "__main__":
    _serve(sys.argv[1])
