"""The commands that documents name, and whether they and their flags exist.

Of the project's own programs their `--help` knows the flags; of the platform's, which no test can ask, platform_commands.json.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exr_inspector.catalogue import library
from exr_inspector.cli.command import SUBCOMMANDS
from project import ROOT

PLATFORM: dict[str, Any] = json.loads((Path(__file__).parent / "platform_commands.json").read_text(encoding="utf-8"))["programs"]
SHELL = {
    "cat", "cd", "cp", "cut", "echo", "export", "grep", "head", "kill", "ls", "mkdir", "mv", "rm", "sed", "set", "sleep", "test",
    "true", "wait",
}  # fmt: skip
"""Commands of the shell and of every system, whose flags are not looked at."""
_FLAG = re.compile(r"--?[A-Za-z][\w-]*")
_RUNS_MODULE = re.compile(r'^exec "\$\(dirname .*/python" -m ([\w.]+) "\$@"$', re.MULTILINE)


def commands(script: str) -> Iterator[list[str]]:
    """The simple commands of a bash script as their words, without assignments before them."""
    plain = re.sub(r"(?m)(^|\s)#.*$", "", script.replace("\\\n", " "))
    words = shlex.shlex(plain, posix=True, punctuation_chars="();<>|&\n")
    words.whitespace = " \t"
    words.commenters = ""
    command: list[str] = []
    for word in [*words, "\n"]:
        if not set(word) - set("\n;&|()"):
            if command:
                yield command
            command = []
        elif command or not re.match(r"\w+=", word):
            command.append(word)


class Commands:
    """What programs and flags there are; `python` is the interpreter that is asked for the help of the project's own."""

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python
        self._flags: dict[tuple[str, ...], frozenset[str]] = {}

    def unknown(self, script: str) -> list[str]:
        """What a script names that does not exist, in words; an empty list when all of it does."""
        return [fault for command in commands(script) for fault in self._faults(command)]

    def flags_of(self, own: tuple[str, ...]) -> frozenset[str]:
        """The flags that the program's `--help` names; those of its text where it has no help."""
        if own not in self._flags:
            text = self._help(own) if _has_help(own) else _usage(own)
            self._flags[own] = frozenset(_FLAG.findall(text))
        return self._flags[own]

    def _help(self, own: tuple[str, ...]) -> str:
        command = [self._python, *own, "--help"]
        variables = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True, check=True).stdout

    def _faults(self, command: list[str]) -> Iterator[str]:
        program, words = command[0].removeprefix("./"), command[1:]
        flags = [match[0] for word in words if (match := _FLAG.match(word))]
        if own := own_program(program, words):
            yield from (f"{' '.join(own)} has no {flag}" for flag in flags if flag not in self.flags_of(own) and flag not in own)
        elif program.startswith("scripts/"):
            yield f"there is no {program}"
        elif program in PLATFORM:
            yield from _platform_faults(program, words, flags)
        elif program not in SHELL:
            yield f"the program {program!r} is not known"


def _platform_faults(program: str, words: list[str], flags: list[str]) -> Iterator[str]:
    known = PLATFORM[program]
    named = [word for word in words if not word.startswith("-")]
    command = next((" ".join(named[:n]) for n in range(3, -1, -1) if " ".join(named[:n]) in known["commands"]), None)
    if command is None:
        yield f"{program} has no command {' '.join(named[:2])!r}"
        return
    allowed = {*known["flags"], *known["commands"][command]["flags"], "--help"}
    yield from (f"{program} {command} has no {flag}" for flag in flags if flag not in allowed)
    # A command that is only mentioned stands without any flag.
    needed = known["commands"][command].get("required", []) if flags else []
    yield from (f"{program} {command} needs {flag}" for flag in needed if flag not in flags)


def own_program(program: str, words: list[str]) -> tuple[str, ...] | None:
    """How the project's program is run by Python or by the shell; None where it is not a program of the project."""
    if program == "exr-inspector":
        return subcommand(words)
    if program in ("scripts/python", "python") and words:
        if words[0] == "-m":
            return ("-m", words[1]) if len(words) > 1 and _module(words[1]) else None
        return own_program(words[0], words[1:])
    path = ROOT / program
    if not path.is_file() or not path.resolve().is_relative_to(ROOT):
        return None
    if path.suffix != ".py" and (module := _RUNS_MODULE.search(path.read_text(encoding="utf-8"))):
        return ("-m", module[1])
    return (program,) if path.suffix == ".py" or os.access(path, os.X_OK) else None


def subcommand(words: list[str]) -> tuple[str, ...] | None:
    """How a subcommand of `exr-inspector` is run; `local SUBCOMMAND` is that of the subcommand which it runs."""
    if words[:1] == ["local"] and words[1:]:
        return subcommand(words[1:]) or ("-m", "exr_inspector", "local")
    if words[:1] == ["ask"] and words[1:] and words[1] in library.names():
        return ("-m", "exr_inspector", "ask", words[1])
    names = (tuple(words[:length]) for length in (2, 1))
    named = next((name for name in names if " ".join(name) in SUBCOMMANDS), None)
    if named is None:
        return ("-m", "exr_inspector") if not words or words[0].startswith("-") else None
    return ("-m", "exr_inspector", *named)


def _has_help(own: tuple[str, ...]) -> bool:
    """Whether the program has a parser of its own: a subcommand, a script over one, or a module with argparse."""
    text = source_of(own).read_text(encoding="utf-8")
    return own[:2] == ("-m", "exr_inspector") or "_environment.ensure" in text or "argparse" in text


def source_of(own: tuple[str, ...]) -> Path:
    """The file that says what the program does."""
    return (_module(own[1]) if own[0] == "-m" else None) or ROOT / own[0]


def _module(name: str) -> Path | None:
    path = ROOT / name.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__main__.py") if file.is_file()), None)


def _usage(own: tuple[str, ...]) -> str:
    """What the program without `--help` says of itself: a shell script's whole text, a module's first docstring."""
    return source_of(own).read_text(encoding="utf-8")
