"""The root command: a Typer group that knows its commands by name and imports one only to call or complete it."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from coreops.cli._commands import COMMANDS, exit_codes_epilog
from coreops.cli._plain import convert_plainly

HELP = "Push-based provisioning and orchestration over SSH for CoreOS-style clusters."


def _set_debug(value: bool) -> None:
    if value:
        os.environ["COREOPS_DEBUG"] = "1"


def _set_no_color(value: bool) -> None:
    if value:
        os.environ["NO_COLOR"] = "1"


def _print_version(value: bool) -> None:
    if value:
        from coreops import __version__

        typer.echo(f"coreops {__version__}")
        raise typer.Exit


def _shared(
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", callback=_set_debug, expose_value=False, is_eager=True, help="Show the traceback of a bug."
        ),
    ] = False,
    no_color: Annotated[
        bool,
        typer.Option(
            "--no-color",
            callback=_set_no_color,
            expose_value=False,
            is_eager=True,
            help="No colours (also: NO_COLOR=1).",
        ),
    ] = False,
) -> None:
    """Options that every command takes."""


@cache
def _shared_options() -> tuple[Any, ...]:
    donor = typer.Typer(add_completion=False)
    donor.command()(_shared)
    return tuple(typer.main.get_command(donor).params)


def _finish(command: Any) -> Any:
    """Give a command, and all below it, the shared options and the exit codes in its help."""
    command.epilog = "\n\n".join(part for part in (command.epilog, exit_codes_epilog()) if part)
    command.rich_markup_mode = None
    if isinstance(command, TyperGroup):
        for child in command.commands.values():
            _finish(child)
    else:
        command.params.extend(_shared_options())
    convert_plainly(command)
    return command


@cache
def load(name: str) -> Any:
    """Import a command's module and return its finished command, always the same one."""
    module = import_module(f"coreops.cli.{name.replace('-', '_')}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False)
        function = getattr(module, name, None) or getattr(module, f"{name}_")
        app.command(name)(function)
    app._add_completion = False
    command = typer.main.get_command(app)
    command.name = name
    command.help = command.help or COMMANDS[name]
    return _finish(command)


class LazyGroup(TyperGroup):
    """Lists commands from the table; imports the one that is called or completed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.commands = {name: TyperCommand(name, help=text, short_help=text) for name, text in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Replace the placeholder by the real command."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest


@cache
def root() -> Any:
    """Build the ``coreops`` command."""
    app = typer.Typer(
        cls=LazyGroup,
        help=HELP,
        epilog=exit_codes_epilog(),
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def coreops(
        version: Annotated[
            bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
        ] = False,
    ) -> None:
        pass

    command = typer.main.get_command(app)
    command.params[1:1] = _shared_options()
    convert_plainly(command)
    return command
