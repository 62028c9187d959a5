"""How help is laid out: plain text that reads well at 80 columns, commands in the order one needs them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from typer.core import TyperGroup


class HelpfulGroup(TyperGroup):
    """A command with subcommands: without one it prints its help, and it can list them under headings.

    Attributes:
        sections: heading -> names of commands; empty lists them all under one.
    """

    sections: ClassVar[Mapping[str, Sequence[str]]] = {}

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Print the help where no command is named."""
        if not args and not ctx.resilient_parsing:
            print(ctx.get_help())
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under their headings."""
        if not self.sections:
            super().format_commands(ctx, formatter)
            return
        width = max(len(name) for names in self.sections.values() for name in names)
        limit = formatter.width - width - 6
        for heading, names in self.sections.items():
            known = [(name, command) for name in names if (command := self.get_command(ctx, name)) is not None]
            rows = [(name.ljust(width), command.get_short_help_str(limit)) for name, command in known]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
