"""Commands that are imported when they are called, so that none waits for what the others import."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, ClassVar, Final, NamedTuple

import typer
from typer.core import TyperCommand

from penstock.cli.help import HelpfulGroup


class Home(NamedTuple):
    """Where a command is, and what is said of it before it is imported.

    Attributes:
        place: `module:name` of its function, or of the typer app that has its subcommands.
        purpose: the first line of its own help.
    """

    place: str
    purpose: str

    def command(self, name: str) -> Any:
        """Import the command; `name` is what it is called by."""
        module, _, attribute = self.place.partition(":")
        found = getattr(import_module(module), attribute)
        around = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            around.add_typer(found, name=name)
        else:
            around.command(name)(found)
        return typer.main.get_group(around).commands[name]


class LazyGroup(HelpfulGroup):
    """A command whose subcommands are imported when they are called.

    Its help, completion and suggestions need their names and purposes alone. `commands` has them whole: each is
    imported when it is asked for. Where the context has an `obj`, it is called before a subcommand runs.

    Attributes:
        homes: of the subcommands, by name.
    """

    homes: ClassVar[Mapping[str, Home]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = _Imported(self.homes)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, and import nothing."""
        del ctx
        return list(self.homes)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return what stands for a command until it is called."""
        del ctx
        return _Uncalled(self.commands, cmd_name, self.homes[cmd_name].purpose) if cmd_name in self.homes else None


class _Imported(Mapping[str, Any]):
    """The commands themselves; to list their names imports none."""

    def __init__(self, homes: Mapping[str, Home]) -> None:
        self._homes: Final = homes
        self._known: Final[dict[str, Any]] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = self._homes[name].command(name)
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._homes

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)


class _Uncalled(TyperCommand):
    """A command's name and purpose; the command takes its place when there are arguments for it."""

    def __init__(self, commands: Mapping[str, Any], name: str, purpose: str) -> None:
        super().__init__(name, help=purpose)
        self._commands: Final = commands

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Read the arguments as the command itself does."""
        context = self._commands[str(self.name)].make_context(info_name, args, parent, **extra)
        if callable(context.obj):  # inherited from the root's
            context.obj()
        return context
