"""A page of text on a terminal or in a pipe: headings stand out where colours are."""

from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text


def print_page(lines: Sequence[str], *, to: TextIO) -> None:
    """Print lines as they are. Those that begin at the left are headings, or the last word."""
    console = Console(file=to, highlight=False)
    for line in lines:
        console.print(Text(line, style=_style(line)), soft_wrap=True)
    to.flush()


def _style(line: str) -> str:
    if line.startswith("FAILED"):
        return "bold red"
    if line.startswith("Every answer"):
        return "bold green"
    return "" if line.startswith(" ") else "bold"
