"""Predictions as a table for people, printed while they come."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from penstock.cli.predict.answers import Row, cells_of
from penstock.cli.predict.output import Printer
from penstock.cli.terminal import printable
from penstock.producer.prediction import Prediction

_HELD: Final = 1000  # rows that a table's columns are fitted to


class RowTable:
    """A table whose columns are fitted to the first thousand rows. A row that failed has its message in its place.

    Args:
        out: gets it.
        before: called before something is printed.
    """

    def __init__(self, out: TextIO, before: Callable[[], None]) -> None:
        self._before = before
        self._out = out
        self._console = Console(file=out, highlight=False, soft_wrap=True)
        self._held: list[list[str] | str] = []
        self._headings: list[str] = []
        self._widths: list[int] = []
        self._printed = False

    def add(self, row: Row) -> None:
        """Hold a row, or print those that are held."""
        name = str(row.number) if row.rows == 1 else f"{row.number}-{row.number + row.rows - 1}"
        prediction = row.answer.outcome
        if isinstance(prediction, Prediction):
            cells = cells_of(row)
            headings = ["row", *map(printable, cells), "model"]
            if self._headings and headings != self._headings:  # another version may have other outputs
                self._print()
                self._printed = False
            self._headings = headings
            shown = (*cells.values(), f"{prediction.model}@{prediction.version}")
            self._held.append([name, *map(printable, shown)])
        else:
            self._held.append(f"{name}  {printable(' '.join(str(row.failure).splitlines()))}")
        if len(self._held) == _HELD:
            self._print()

    def end(self) -> None:
        """Print the rows that are held."""
        self._print()

    def _print(self) -> None:
        self._before()
        rows = [row for row in self._held if isinstance(row, list)]
        if rows and not self._printed:
            self._widths = [max(map(len, column)) for column in zip(self._headings, *rows, strict=True)]
            self._line(self._headings, style="bold")
            self._printed = True
        for row in self._held:
            self._line(row) if isinstance(row, list) else self._failed(row)
        self._held.clear()
        self._out.flush()

    def _line(self, cells: list[str], style: str = "") -> None:
        aligned = [
            cell.rjust(width) if heading in {"row", "value"} else cell.ljust(width)
            for cell, width, heading in zip(cells, self._widths, self._headings, strict=True)
        ]
        line = "  ".join(aligned).rstrip()
        if style:
            self._console.print(Text(line, style=style))
        else:
            self._out.write(f"{line}\n")  # rich takes a hundred times as long for a line

    def _failed(self, text: str) -> None:
        number, _, message = text.partition("  ")
        self._console.print(Text(f"{number.rjust(self._widths[0] if self._widths else 3)}  {message}", style="red"))


class OnceIfAlike:
    """Holds failures back as long as there is nothing else and all are the same one.

    Whoever prints them then can say it once, instead of once for each row.
    """

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._first: Row | None = None
        self._held = 0

    def add(self, row: Row) -> None:
        """Print a row, or hold it."""
        if self._first is None:
            self._first = row
        if self._held == row.number - 1 and row.failure is not None and row.failure == self._first.failure:
            self._held += 1  # rows that failed are counted from 1, so that their number is all there is to keep
            return
        for number in range(1, self._held + 1):
            self._printer.add(replace(self._first, number=number))
        self._held = -1
        self._printer.add(row)

    def end(self) -> None:
        """Print what is still held, but for failures that are all the same."""
        self._printer.end()
