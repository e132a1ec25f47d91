"""Runs a document from top to bottom: its python blocks in one namespace, its console blocks as bash scripts, in its own stage.

Evaluating a block first runs what stands before it in the document and was not run yet, so that any block can be asked for alone.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import tomllib
import traceback
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import IO

import yaml
from sybil import Example
from sybil.evaluators.python import PythonEvaluator

from docs_blocks import DocumentBlock, block_of, read
from docs_stage import DocumentStage, Stages, within
from exr_inspector.catalogue import connection, engine, questions, sql_check
from exr_inspector.cli.demo import SCHEMA

LONGEST = 120
"""Seconds that a console block may take."""
OUTPUT = (
    (r"\d\.\d{3,}", "a measured number"),
    (r"[│┃]|[━─]{5}|^ *[+|]-{3}", "a table that a program drew"),
    (r"^Traceback|^\w*Error\b", "an error"),
    (r'^[{\[].*"', "JSON"),
    (r"^\s*\$ ", "a prompt"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", "a time"),
    (r"^[\w/.-]+\.py: ", "a message"),
    (r"^(ok|same|skipped|passed|failed)\b", "a verdict"),
    (r"\b\d+(\.\d+)? (rows?|files?|passed|failed|ms|us|µs|s)\b", "a count"),
)
"""What a text block does not show unless a command made it."""


class Failed(AssertionError):
    """A block does not do what it says; the message names file and line."""


class Running:
    """A document, and how far it was run."""

    def __init__(self, path: Path, stages: Stages) -> None:
        self.examples = read(path)
        self._text = path.read_text(encoding="utf-8")
        self._stages = stages
        self._attempted: set[int] = set()
        self._printed = ""
        self._python = PythonEvaluator()

    @cached_property
    def stage(self) -> DocumentStage:
        """The stage, made when the first block needs one."""
        return self._stages.make()

    def check(self, line: int) -> None:
        """Evaluate the block whose fence is at this line. Raises Failed where it does not hold."""
        (example,) = (example for example in self.examples if example.line == line)
        self._before(example)
        block = block_of(example)
        if block.is_made and (made := self.made(block)) != block.body:
            raise Failed(f"{block.place}: the output is another; scripts/generate outputs writes it:\n{made}")
        if not block.is_made:
            self._attempt(example)

    def made(self, block: DocumentBlock) -> str:
        """The text that a made block must have, at the place of the document that was reached."""
        if "printed" in block.directives:
            return self.stage.mask(self._printed)
        stage, command = self._stage_of(block), block.directives["output"]
        typed = f"$ {command}\n" if block.language == "console" else ""
        return typed + stage.mask(run_script(stage, block, command))

    def rewritten(self) -> str:
        """The document with every made block as it must be."""
        text = self._text
        replaced = []
        for example in self.examples:
            block = block_of(example)
            if block.is_made:
                self._before(example)
                replaced.append((block.start, block.end, self.made(block)))
        for start, end, made in reversed(replaced):
            text = text[:start] + made + text[end:]
        return text

    def _before(self, example: Example) -> None:
        for earlier in self.examples:
            if earlier.start < example.start and block_of(earlier).is_run and earlier.start not in self._attempted:
                with contextlib.suppress(Failed):  # which is a failure of its own
                    self._attempt(earlier)

    def _attempt(self, example: Example) -> None:
        self._attempted.add(example.start)
        block = block_of(example)
        evaluate: dict[str, Callable[[Example, DocumentBlock], None]] = {
            "python": self._run_python, "console": self._run_console, "sql": self._ask,
        }  # fmt: skip
        evaluate.get(block.language, _parse)(example, block)

    def _stage_of(self, block: DocumentBlock) -> DocumentStage:
        return self._stages.of_catalogue(self.stage) if block.of_catalogue else self.stage

    def _run_python(self, example: Example, block: DocumentBlock) -> None:
        printed = io.StringIO()
        stage = self.stage
        try:
            with within(stage.root, stage.environment), contextlib.redirect_stdout(printed):
                self._python(example)
        except Exception as error:
            raise Failed(f"{block.place}: {''.join(traceback.format_exception(error))}") from error
        self._printed = printed.getvalue()

    def _run_console(self, example: Example, block: DocumentBlock) -> None:
        if block.is_run:
            self._printed = run_script(self._stage_of(block), block, block.body)
        elif faults := self._stages.commands.unknown(block.body):
            raise Failed(f"{block.place}: {'; '.join(faults)}")

    def _ask(self, example: Example, block: DocumentBlock) -> None:
        statement = questions.parse(block.body)
        if faults := sql_check.violations(statement):
            raise Failed(f"{block.place}: not known to run on VAST: {', '.join(faults)}")
        variables = self._stage_of(block).environment
        target = connection.open_target(connection.settings_of(None, f"{variables['VAST_DB_BUCKET']}/{SCHEMA}", variables))
        rows = engine.ask_client(target, statement).num_rows
        if block.directives.get("rows", "some") != ("some" if rows else "0"):
            raise Failed(f"{block.place}: {rows} rows")


def run_script(stage: DocumentStage, block: DocumentBlock, script: str) -> str:
    """Run a bash script in a stage; what it printed. Raises Failed where it ends otherwise than its block says."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
        bash = ["bash", "-euo", "pipefail", "-c", script]
        program = subprocess.Popen(bash, cwd=stage.root, env=stage.environment, start_new_session=True, **streams)
        try:
            status = _ended(program, output, block.directives.get("until"))
        except subprocess.TimeoutExpired:
            status = None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGTERM)
            program.wait()
        printed = _so_far(output)
    if status != block.status or "Traceback (most recent call last)" in printed:
        raise Failed(f"{block.place}: exit status {status}, expected {block.status}\n{script}\n{stage.mask(printed)[-4000:]}")
    return printed


def _ended(program: subprocess.Popen[bytes], output: IO[str], until: str | None) -> int | None:
    """The status of the program, or that of its block when it has printed the text it serves until; None without that text."""
    if until is None:
        return program.wait(LONGEST)
    deadline = time.monotonic() + LONGEST
    while until not in _so_far(output):
        if program.poll() is not None or time.monotonic() > deadline:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(0.05)
    return 0


def _so_far(output: IO[str]) -> str:
    """What was written to the file until now; its position stays where the program writes."""
    return os.pread(output.fileno(), 2**24, 0).decode("utf-8", "replace")


def _parse(example: Example, block: DocumentBlock) -> None:
    """Data parses; text is no output."""
    try:
        match block.language:
            case "json":
                json.loads(block.body)
            case "toml":
                tomllib.loads(block.body)
            case "yaml":
                list(yaml.safe_load_all(block.body))
            case "text":
                _is_no_output(block)
    except (ValueError, yaml.YAMLError) as error:
        raise Failed(f"{block.place}: {error}") from error


def _is_no_output(block: DocumentBlock) -> None:
    for pattern, what in OUTPUT:
        if match := re.search(pattern, block.body, re.MULTILINE):
            raise Failed(f"{block.place}: {match[0]!r} looks like {what}; name the command: <!-- output: COMMAND -->")
