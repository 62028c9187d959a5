"""The text of docs/cli.md: the help of every command, as a terminal of 80 columns shows it."""

from collections.abc import Iterator
from typing import Any, Final

import typer.main

from penstock.cli.main import app

_WIDTH: Final = 78  # what is left of 80 columns, as the commands themselves have it
_LEAD: Final = """\
# Commands

What `--help` says of each command. Every command takes its settings from the same places:
[options, variables and a file](configuration.md).

This page is written by `make reference` from the commands themselves.
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join([_LEAD, *_commands("penstock", root())]).rstrip() + "\n"


def root() -> Any:
    """Return the `penstock` command with all its subcommands, as the library below typer has it."""
    return typer.main.get_command(app)


def context_of(command: Any, name: str) -> Any:
    """Return a context in which the command is called by its whole name."""
    return command.context_class(command, info_name=name, terminal_width=_WIDTH)


def subcommands(command: Any) -> dict[str, Any]:
    """Return the subcommands that help shows, in the order in which one needs them; none for a single command."""
    known = {name: each for name, each in getattr(command, "commands", {}).items() if not each.hidden}
    ordered = [name for names in getattr(command, "sections", {}).values() for name in names if name in known]
    return {name: known[name] for name in [*ordered, *(name for name in known if name not in ordered)]}


def _commands(name: str, command: Any) -> Iterator[str]:
    yield f"## {name}\n\n```text\n{command.get_help(context_of(command, name)).rstrip()}\n```\n"
    for word, each in subcommands(command).items():
        yield from _commands(f"{name} {word}", each)
