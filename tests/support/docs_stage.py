"""Where the documents' blocks run: a copy of the project with the sample renders, and an endpoint that holds their rows.

Every document has a copy and an endpoint of its own, so that what one does is not seen by the next, and nothing is written into
the project. The seeded catalogue has one endpoint for all of them, which is made when the first asks for it.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import docs_python
import main
import seeded_catalogue
from docs_commands import Commands
from exr_inspector.cli import init
from exr_inspector.cli.demo import BUCKET
from exr_inspector.cli.nearby import variables
from exr_inspector.operations.samples import write_samples
from local_vast import LocalVast
from project import ROOT, tracked

HOME = "/home/td/exr-inspector"
"""How the copy's folder is written in outputs."""
ADDRESS = "http://127.0.0.1:8070"
"""How an endpoint's address is written in outputs."""
WIDTH = "80"
"""Columns of the terminal that outputs are made for."""
_WRITTEN = datetime(2026, 3, 14, 10, 0, tzinfo=UTC).timestamp()
"""When the samples were modified."""
_OURS = ("VAST", "EXR_", "S3_", "AWS_", "LOG_LEVEL", "DEBUG", "TLS_VERIFY", "PYTHON", "PYTEST", "COV_", "VENV")


@dataclass(frozen=True, slots=True)
class DocumentStage:
    """A copy of the project at `root`, and the environment that programs find there."""

    root: Path
    server: LocalVast
    environment: dict[str, str]

    def mask(self, text: str) -> str:
        """Output without what differs between two stages: the folder and the address of the endpoint; no spaces at line ends."""
        plain = text.replace(str(self.root), HOME).replace(self.environment["VAST_DB_ENDPOINT"], ADDRESS)
        return "".join(f"{line.rstrip()}\n" for line in plain.splitlines())


class Stages:
    """Makes stages below `folder`, and stops their endpoints at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self._made = 0

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def make(self) -> DocumentStage:
        """A stage as a fresh clone is, with the samples in `samples/`, and their rows at an endpoint of its own."""
        self._made += 1
        folder = self._folder / f"stage{self._made}"
        root = folder / "exr-inspector"
        _copy_project(root)
        _make_environment(root / ".venv", self._listening)
        shutil.copytree(self._template / "objects" / BUCKET, root / "samples")
        for part in ("objects", "database"):
            shutil.copytree(self._template / part, folder / part)
        server = self._stack.enter_context(_serve(folder))
        return DocumentStage(root, server, environment(server, root))

    def of_catalogue(self, stage: DocumentStage) -> DocumentStage:
        """The same copy, with the settings of the endpoint that holds the seeded catalogue."""
        return DocumentStage(stage.root, self._catalogue, environment(self._catalogue, stage.root))

    @cached_property
    def commands(self) -> Commands:
        """What programs and flags there are."""
        docs_python.write_client(self._folder / "python3", self._listening)
        return Commands(str(self._folder / "python3"))

    @cached_property
    def _listening(self) -> Path:
        """The socket of a Python with its packages loaded."""
        path = self._folder / "socket"
        self._stack.enter_context(docs_python.serving(path))
        return path

    @cached_property
    def _template(self) -> Path:
        """The samples as objects, and the data of an endpoint that has inspected them.

        Their paths, and so their ids, are the same wherever the stages are.
        """
        folder = self._folder / "template"
        bucket = folder / "objects" / BUCKET
        for number, path in enumerate(write_samples(bucket)):
            os.utime(path, (_WRITTEN + 60 * number,) * 2)
        with _serve(folder) as server:
            _inspect(server, sorted(str(path.relative_to(bucket)) for path in bucket.rglob("*.exr")))
        return folder

    @cached_property
    def _catalogue(self) -> LocalVast:
        return self._stack.enter_context(seeded_catalogue.served())


def environment(server: LocalVast, root: Path) -> dict[str, str]:
    """The environment of programs in a stage: this process's, without settings of the project, and with the endpoint's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    path = f"{root / '.venv/bin'}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return kept | variables(server) | {"PATH": path, "TZ": "UTC", "TERM": "dumb", "COLUMNS": WIDTH, "LC_ALL": "C.UTF-8"}


@contextlib.contextmanager
def within(root: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """This process in that folder, with that environment; both are put back at the end."""
    before = dict(os.environ)
    try:
        with contextlib.chdir(root):
            os.environ.clear()
            os.environ.update(variables)
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _serve(folder: Path) -> LocalVast:
    """An endpoint with the tables and the objects of a folder."""
    return LocalVast(data=folder / "database", objects=folder / "objects", buckets=(BUCKET,))


def _inspect(server: LocalVast, keys: Iterable[str]) -> None:
    """Make the tables as an operator does, then hand the function one event for each object."""
    silent = logging.Logger("samples")  # one of its own, which nobody listens to
    silent.addHandler(logging.NullHandler())
    # The SDK reports every table that is not there yet.
    logging.getLogger("vastdb").setLevel(logging.CRITICAL)
    with within(ROOT, environment(server, ROOT)):
        with contextlib.redirect_stdout(io.StringIO()):
            init.main([])
        context = SimpleNamespace(logger=silent)
        main.init(context)
        for key in keys:
            main.handler(context, {"bucket": BUCKET, "object_key": key})


def _copy_project(root: Path) -> None:
    """The project's own files."""
    for path in tracked("*"):
        copy = root / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)


def _make_environment(venv: Path, listening: Path) -> None:
    """An environment that is this interpreter's, and that scripts/setup takes for complete; see docs_python for `listening`."""
    (venv / "bin").mkdir(parents=True)
    real = Path(sys.prefix)
    for entry in [*(real / "bin").iterdir(), *(real / name for name in ("lib", "lib64", "include", "pyvenv.cfg"))]:
        link = venv / entry.relative_to(real)
        if link.name in ("python", "python3"):
            docs_python.write_client(link, listening)
        elif link.name == "exr-inspector":
            link.write_text(
                f'#!/bin/sh\nPYTHONPATH="{venv.parent}" exec "{venv}/bin/python" -m exr_inspector "$@"\n', encoding="utf-8"
            )
            link.chmod(0o755)
        elif entry.exists():
            link.symlink_to(entry)
    lists = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    digest = subprocess.run("cksum", input=b"".join(lists), stdout=subprocess.PIPE, check=True).stdout
    (venv / ".installed").write_bytes(b"dev " + digest)
