"""A backfill's processes end together, whatever ends the script, and the same command goes on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from test_backfill import COUNT, counts, write_tree

from databases import BUCKET, Database, assert_sound, database
from exr_inspector.operations import processes
from old_schema import run
from project import ROOT
from waiting import wait_until

HEARING = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
"""Becomes the command after it, which hears SIGINT: what a shell starts in the background ignores it, as all its children do."""


@contextmanager
def started(running: Database, root: Path, *way: str) -> Iterator[subprocess.Popen[bytes]]:
    """The script in a group of its own, once a file is stored; the others wait for as long as inserts are slow."""
    running.server.faults.add("latency=1500@insert+8**")
    given = running.settings
    keys = {"VAST_DB_ACCESS_KEY": str(given.db_access_key), "VAST_DB_SECRET_KEY": str(given.db_secret_key)}
    place = ("--endpoint", str(given.db_endpoint), "--schema", f"{BUCKET}/{given.db_schema}")
    program = (sys.executable, "-m", "exr_inspector", "backfill")
    command = [sys.executable, "-c", HEARING, *program, str(root), "--batch", "1", *way, *place]
    options: dict[str, Any] = {"cwd": ROOT, "env": os.environ | keys, "start_new_session": True}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options) as process:
        wait_until(lambda: process.poll() is not None or is_file_stored(running))
        yield process


def assert_goes_on(running: Database, root: Path) -> None:
    """Whole batches are there, and another run does the rest."""
    running.server.faults.clear()
    assert_sound(running.contents())
    assert counts(run(running, "backfill", str(root), "--workers", "1")[1])[1] >= 1
    assert len(running.rows("files")) == COUNT + 1


POOL, CLUSTER = ("--workers", "2"), ("--workers", "2", "--cluster", "local")


@pytest.mark.parametrize(
    ("way", "send", "number", "status"),
    [
        (POOL, os.killpg, signal.SIGINT, 130),
        (CLUSTER, os.killpg, signal.SIGINT, 130),
        (CLUSTER, os.kill, signal.SIGTERM, 143),
    ],
)
def test_a_signal_ends_every_process_and_the_same_command_goes_on(
    tmp_path: Path, way: tuple[str, ...], send: Callable[[int, int], None], number: int, status: int
) -> None:
    """What a terminal or a service sends, to all or to the script alone: no traceback, whole batches, nobody left behind."""
    write_tree(root := tmp_path / "tree")
    with database() as running:
        with started(running, root, *way) as process:
            send(process.pid, number)
            running.server.faults.clear()
            said = process.communicate(timeout=60)[1].decode()
        assert (process.returncode, "Traceback" in said) == (status, False), said
        assert "the same command goes on" in said
        assert not left_behind(process.pid)
        assert_goes_on(running, root)


def test_a_terminated_run_reports_what_its_workers_finished(tmp_path: Path) -> None:
    """Of the batches in hand, what was stored is counted, and what failed stands in the report."""
    report = tmp_path / "report.jsonl"
    write_tree(root := tmp_path / "tree")
    with database() as running:
        with started(running, root, "--workers", "2", "--report", str(report)) as process:
            os.kill(process.pid, signal.SIGTERM)
            running.server.faults.clear()
            said = process.communicate(timeout=60)[1].decode()
        assert (process.returncode, report.read_text(encoding="utf-8")) == (143, "")
        assert not left_behind(process.pid)
        assert f"so far {len(running.rows('files'))} stored; 0 failed" in said


@pytest.mark.parametrize("way", [POOL, CLUSTER])
def test_workers_end_with_a_script_that_is_killed(tmp_path: Path, way: tuple[str, ...]) -> None:
    """SIGKILL gives it no time to say so; its pipe closes, and no process goes on by itself."""
    write_tree(root := tmp_path / "tree")
    with database() as running:
        with started(running, root, *way) as process:
            assert len(alive(process.pid)) > 1
            process.kill()
            assert not left_behind(process.pid)
            process.communicate(timeout=20)
        assert_goes_on(running, root)


def wait_for_parent(told: Any) -> None:
    """A worker without the help of the kernel."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "platform", "other")
        processes.live_with_parent()
    told.send(os.getpid())
    signal.pause()


def be_parent(told: Any) -> None:
    """A process that starts such a worker, and waits to be killed."""
    multiprocessing.get_context("spawn").Process(target=wait_for_parent, args=(told,)).start()
    signal.pause()


def test_a_worker_notices_the_end_of_its_parent_on_any_system() -> None:
    """By the pipe between them, where the kernel has no signal for it."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    parent = context.Process(target=be_parent, args=(theirs,))
    parent.start()
    assert mine.poll(60)
    worker = psutil.Process(mine.recv())
    parent.kill()
    parent.join()
    assert not psutil.wait_procs([worker], timeout=20)[1]


def left_behind(group: int) -> list[psutil.Process]:
    """The processes of a group that do not end."""
    return list(psutil.wait_procs(alive(group), timeout=20)[1])


def alive(group: int) -> list[psutil.Process]:
    """The processes of a group; those that nobody has waited for have ended."""
    running = [process for process in psutil.process_iter(["status"]) if process.info["status"] != psutil.STATUS_ZOMBIE]
    return [process for process in running if os.getpgid(process.pid) == group]


def is_file_stored(running: Database) -> bool:
    """Of the requests of a fresh schema, commits before the first row make tables."""
    commands = running.commands()
    first = next((number for number, command in enumerate(commands) if command == "POST rows files"), len(commands))
    return "PUT transaction" in commands[first:]
