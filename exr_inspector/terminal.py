"""Text that is fit for a terminal, whatever a file, a path, an event or a server has in it."""

from __future__ import annotations

import json
import re
from typing import Any, TextIO

# C0, DEL and C1, which a terminal obeys; the marks that reorder text; the two separators that break lines; halves of a character.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_KEPT = "\n\t"
_COMMAND = re.compile(r"`[^`]*`")


def on_one_line(text: str) -> str:
    r"""Text from a file, a path or an event as a terminal may have it: each control character becomes U+FFFD.

    >>> on_one_line("a\x1b[2J\nb")
    'a\ufffd[2J\ufffdb'
    """
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def on_lines(text: str) -> str:
    """The same for text of several lines: line breaks and tabs stay."""
    return _CONTROL.sub(_keep_lines, text)


def fit_lines(text: str, file: TextIO) -> str:
    """Lines for people, wrapped between words where the file is a terminal; elsewhere programs may read them."""
    if not file.isatty():
        return on_lines(text)
    import shutil  # late: the function has no terminal

    width = shutil.get_terminal_size().columns
    return "\n".join(piece for line in on_lines(text).splitlines() for piece in wrap_line(line, width))


def wrap_line(line: str, width: int) -> list[str]:
    """A line in pieces of at most `width` columns, unless a word is longer; what goes on is indented as the line is.

    What stands in backticks is a command to copy and stays in one piece.

    >>> wrap_line("make it with `exr-inspector init`", 24)
    ['make it with', '  `exr-inspector init`']
    """
    import textwrap

    indent = " " * (len(line) - len(line.lstrip()) + 2)
    bound = _COMMAND.sub(_bind, line)
    pieces = textwrap.wrap(bound, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [piece.replace("\0", " ") for piece in pieces] or [""]


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON that people can read, in which every control character is escaped: nothing is lost, and a terminal obeys none."""
    return escape_controls(json.dumps(value, ensure_ascii=False, indent=indent, default=str))


def escape_controls(text: str) -> str:
    """JSON with the control characters of its texts as escapes; its own line breaks stay."""
    return _CONTROL.sub(_escape, text)


def _bind(command: re.Match[str]) -> str:
    """The command without blanks at which it could be broken; NUL stands in no line for people."""
    return command[0].replace(" ", "\0")


def _keep_lines(control: re.Match[str]) -> str:
    return control[0] if control[0] in _KEPT else "\N{REPLACEMENT CHARACTER}"


def _escape(control: re.Match[str]) -> str:
    return control[0] if control[0] == "\n" else f"\\u{ord(control[0]):04x}"
