"""A function as a subcommand: its parameters, annotated for typer, are the options; its module's docstring is the help.

What typer would print of a mistake repeats what was typed, so it is said here instead, fit for a terminal, with the near names.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from exr_inspector.near_names import near_names
from exr_inspector.terminal import fit_lines

CONTEXT = {"help_option_names": ["-h", "--help"]}
Optional = Mapping[str, tuple[str, Callable[[str], bool]]]
"""Option whose value may be left out -> the value that it then has, and whether a following word is its value."""


def program() -> str:
    """The name that was typed: `exr-inspector schema backup`, or a script's such as `backup_schema.py`."""
    return _typed[-1] if _typed else Path(sys.argv[0]).name


_typed: list[str] = []
"""The names of the subcommands that run, the innermost last: one may run others."""


INDENT = 4 * " "
"""Before what an example does, and before what a long one goes on with."""
at_end = ExitStack()
"""What is to be stopped when the command ends."""


class Command(TyperCommand):
    """A subcommand: help with examples as they stand, options whose value may be left out, near names."""

    optional: Optional = MappingProxyType({})

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See `TyperCommand.parse_args`."""
        return super().parse_args(ctx, list(_fill_in(args, self.optional)))

    def invoke(self, ctx: Any) -> Any:
        """See `TyperCommand.invoke`; meanwhile `program` is this subcommand's name."""
        _typed.append(ctx.command_path)
        try:
            return super().invoke(ctx)
        finally:
            _typed.pop()

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """See `TyperCommand.collect_usage_pieces`."""
        return ["[OPTIONS]", *(_in_usage(param) for param in self.get_params(ctx) if param.param_type_name == "argument")]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """The paragraphs wrapped, indented ones as they stand."""
        write_help(self.help or "", ctx.command_path, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments and options, each with its help."""
        shown: list[Any] = [param for param in self.get_params(ctx) if not getattr(param, "hidden", False)]
        arguments = [param for param in shown if param.param_type_name == "argument"]
        named = [(param.metavar or param.name, param.help) for param in arguments if param.help]
        options = [param.get_help_record(ctx) for param in shown if param not in arguments]
        for title, records in (("Arguments", named), ("Options", options)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _in_usage(param: Any) -> str:
    name = param.metavar or param.name.upper()
    return name if param.required else f"[{name}]"


def _fill_in(args: Sequence[str], optional: Optional) -> Iterable[str]:
    """The arguments, in which every option has its value."""
    for at, word in enumerate(args):
        if word not in optional:
            yield word
            continue
        default, is_value = optional[word]
        following = args[at + 1] if at + 1 < len(args) else "-"
        yield word
        if following.startswith("-") or not is_value(following):
            yield default


def write_help(text: str, name: str, formatter: Any) -> None:
    """A docstring's paragraphs at the formatter's width; what is indented is examples, `%(prog)s` becomes the name."""
    for paragraph in inspect.cleandoc(text).replace("%(prog)s", name).split("\n\n"):
        formatter.write_paragraph()
        if paragraph.startswith(" "):
            formatter.write("\n".join(fit_examples(paragraph.splitlines(), formatter.width)) + "\n")
        else:
            formatter.write_text(" ".join(paragraph.split("\n")))


def fit_examples(lines: Sequence[str], width: int) -> Iterator[str]:
    """Commands with what they do behind them, or below where a terminal has no room; a long one goes on after a backslash.

    >>> list(fit_examples(["  show beauty --json    as JSON", "  show"], 24))
    ['  show beauty --json', '      as JSON', '  show']
    """
    if max(map(len, lines)) <= width:
        yield from lines
        return
    for line in lines:
        command, *meaning = re.split(r"(?<=\S) {2,}", line, maxsplit=1)
        indent = INDENT + " " * (len(line) - len(line.lstrip()))
        bound = re.sub(r"(--[\w-]+) (?!-)", "\\1\0", command)  # an option stays with its value
        pieces = textwrap.wrap(bound, width - 2, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        yield from " \\\n".join(pieces).replace("\0", " ").splitlines()
        yield from (indent + text for text in meaning)


class CommandGroup(TyperGroup):
    """Subcommands that are made when they are asked for; a name that is not there gets the near ones."""

    noun = "subcommand"

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See `TyperGroup.resolve_command`."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing and not args[0].startswith("-"):
            ctx.fail(f"there is no {self.noun} {args[0]!r}; {near(args[0], self.list_commands(ctx), f'{ctx.command_path} -h')}")
        return super().resolve_command(ctx, args)

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """See `Command.format_help_text`."""
        write_help(self.help or "", ctx.command_path, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """What there is to run first, then the options."""
        self.format_commands(ctx, formatter)
        with formatter.section("Options"):
            formatter.write_dl([record for param in self.get_params(ctx) if (record := param.get_help_record(ctx))])


def near(name: str, names: Sequence[str], listing: str) -> str:
    """The names that were probably meant, else the command that lists them."""
    close = near_names(name, names)
    return f"did you mean {close}?" if close else f"{listing} lists them"


def suggest(name: str, names: Sequence[str], listing: str) -> str:
    """The same as a remedy, a sentence of its own; names keep their spelling."""
    return near(name, names, listing).replace("did you mean", "Did you mean", 1)


class Subcommand:
    """A function with typer's annotations as a program: called with arguments it returns the exit status."""

    def __init__(self, function: Callable[..., int], about: str | None, optional: Optional, settings: Mapping[str, Any]) -> None:
        self._function = function
        self._about = about
        self._optional = optional
        self._settings = CONTEXT | dict(settings)

    def __call__(self, arguments: Sequence[str] | None = None) -> int:
        """Run the command line `arguments`, or that of this process."""
        return run(self.command, arguments, program())

    @cached_property
    def command(self) -> Any:
        """The command for a group."""
        app = typer.Typer(rich_markup_mode=None, add_completion=False)
        app.command(cls=Command, help=self._about, context_settings=self._settings)(self._function)
        made = typer.main.get_command(app)
        made.optional = self._optional  # type: ignore[attr-defined]
        return made


def subcommand(
    about: str | None, *, optional: Optional | None = None, **settings: Any
) -> Callable[[Callable[..., int]], Subcommand]:
    """Make a function a Subcommand; `about` is its help, `settings` are those of typer's context."""

    def make(function: Callable[..., int]) -> Subcommand:
        return Subcommand(function, about, optional or {}, settings)

    return make


def run(command: Any, arguments: Sequence[str] | None, name: str) -> int:
    """Run a command line; a mistake in it is said on standard error, with status 2."""
    with nullcontext() if _typed else at_end:
        return _run(command, arguments, name)


def _run(command: Any, arguments: Sequence[str] | None, name: str) -> int:
    try:
        status = command.main(arguments, prog_name=name, standalone_mode=False)
    except typer.TyperException as error:
        print(fit_lines(complaint(error, name), sys.stderr), file=sys.stderr)
        return error.exit_code
    except typer.Abort:
        return 130
    return int(status or 0)


def complaint(error: typer.TyperException, name: str) -> str:
    """What is wrong with the command line, and where to look."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else name
    option = getattr(error, "option_name", None)
    if option is not None and type(error).__name__ == "NoSuchOption":
        options = [text for param in context.command.get_params(context) for text in param.opts] if context else []
        return f"{path}: there is no option {option}; {near(option, options, f'{path} -h')}"
    message = error.format_message().replace("Value error, ", "").rstrip(".")
    if message.startswith("Usage: "):
        return message
    return f"{path}: {message[:1].lower()}{message[1:]}" + ("" if "-h lists them" in message else f"\n{path} -h says more")
