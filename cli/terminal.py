"""What commands print: results to standard output, everything else to standard error.

Tables and text are for people; with `--json` a command prints one JSON document and nothing else. Colours and
progress bars appear on terminals alone, and colours not where NO_COLOR is set.
"""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_DRAWN: Final = "✓█▏²"


def out() -> "Console":
    """Return the console of standard output, as it is now: a test may have replaced it."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, soft_wrap=False)


def err() -> "Console":
    """Return the console of standard error."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False, soft_wrap=False)


def printable(text: str) -> str:
    """Return one line of text from outside without what a terminal would take for an order."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "?" for each in text)


def printable_lines(text: str) -> str:
    """Return text of several lines likewise."""
    return "\n".join(map(printable, text.expandtabs().split("\n")))


def ascii_only(encoding: str | None) -> bool:
    """Tell whether a stream of an encoding takes no other characters than ASCII's: it lacks one that we draw with."""
    try:
        _DRAWN.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def say(text: str) -> None:
    """Tell a person something beside the result."""
    with contextlib.suppress(OSError):  # standard error is full: there is nobody to tell
        print(printable_lines(text), file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print one JSON document, indented; numpy's arrays and numbers are taken as they are."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    sys.stdout.write(orjson.dumps(value, default=str, option=options).decode())
    sys.stdout.flush()


def table_of(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> "Table":
    """Return a table without lines, which reads well and can be cut and pasted.

    Args:
        columns: their headings.
        rows: a cell for each column; neither markup nor orders to the terminal are followed.
        right: headings of the columns that are aligned to the right, as numbers are.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        # Names and numbers are never cut: a row that is too wide is folded.
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_escaped(cell) for cell in row))
    return table


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """Print what `table_of` makes of its arguments."""
    console = out()
    if not console.is_terminal:  # a pipe has no width, and whoever reads it wants whole lines
        console.width = 10_000
    console.print(table_of(columns, rows, right=right))


def _escaped(cell: object) -> str:
    return printable_lines(str(cell)).replace("[", "\\[")


@contextmanager
def progress(what: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
    """Show how far something is, on a terminal only, and leave nothing behind.

    Args:
        what: is being done.
        total: how much there is to do; None shows that something turns.

    Yields:
        Called with how much more has been done.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False)]
    columns += [BarColumn(), MofNCompleteColumn()] if total is not None else []
    console = err()
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)
