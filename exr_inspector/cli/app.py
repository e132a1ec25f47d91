"""The subcommands as one application; a subcommand's module is imported when the subcommand is run, completed or explained."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from exr_inspector import __version__
from exr_inspector.cli import names
from exr_inspector.cli.subcommand import CONTEXT, CommandGroup

ABOUT = "Describes OpenEXR renders from their headers, stores what it finds in VAST DataBase, and answers questions about it."
EXIT_STATUS = """Exit status of every command: 0 done, and all is well, also where an answer is empty or nothing is left to do;
1 the database or the object store could not be reached, a second run goes on; 2 the request cannot be carried out, and the
message says why, such as a file or folder that is not there, or a folder without an EXR; 3 something was found that is not as
it should be, or some files failed while the others were done; 130 interrupted (Ctrl-C), 143 terminated (SIGTERM)."""
SCHEMA = "The tables over the years: make, verify, migrate, back up, restore and check them."


class _Subcommands(CommandGroup):
    """The subcommands whose names begin with `prefix`."""

    prefix = ""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their first words."""
        below = [name.removeprefix(self.prefix) for name in names.SUBCOMMANDS if name.startswith(self.prefix)]
        return list(dict.fromkeys(name.partition(" ")[0] for name in below))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; None where there is none of that name."""
        name = self.prefix + cmd_name
        if name == "schema":
            return _schema()
        return None if name not in names.SUBCOMMANDS or name in names.PLAIN else names.load(name).command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Each with what it does, without loading one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._about(name)) for name in self.list_commands(ctx)])

    def _about(self, name: str) -> str:
        whole = self.prefix + name
        return "the tables over the years" if whole == "schema" else names.SUBCOMMANDS[whole][1]

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Names and what they do, without loading one."""
        from typer._click.shell_completion import CompletionItem

        return [CompletionItem(name, help=self._about(name)) for name in self.list_commands(ctx) if name.startswith(incomplete)]


class _SchemaCommands(_Subcommands):
    """`exr-inspector schema ...`."""

    prefix = "schema "


def app() -> Any:
    """The whole command."""
    made = typer.Typer(cls=_Subcommands, rich_markup_mode=None, epilog=EXIT_STATUS, context_settings=CONTEXT)

    @made.callback(invoke_without_command=True, help=ABOUT)
    def main(
        context: typer.Context,
        version: Annotated[bool, typer.Option("--version", "-V", help="print the version")] = False,
    ) -> int:
        if version:
            print(f"{names.NAME} {__version__}")
        elif context.invoked_subcommand is None:
            print(context.get_help())
        return 0

    return typer.main.get_command(made)


def _schema() -> Any:
    made = typer.Typer(cls=_SchemaCommands, rich_markup_mode=None, add_completion=False)
    made.callback(no_args_is_help=True, help=SCHEMA)(_nothing)
    return typer.main.get_command(made)


def _nothing() -> None:
    pass
