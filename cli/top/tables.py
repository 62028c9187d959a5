"""Lines and tables of exactly the width they are given: nothing wraps, and columns stay where they are. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from penstock.cli.top.figures import cut

GAP: Final = 2
LEAST: Final = 2  # lines of a table: its heading, and a row or how many there are
GOOD: Final = "green"
LOOK: Final = "yellow"
ACT: Final = "bold red"
TITLE: Final = "bold"
QUIET: Final = "dim"

Cell = str | tuple[str, str]  # text, or text and its style


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: its heading.
        width: in characters; of a column that grows, the least.
        cells: one for each row.
        right: aligned to the right, as numbers are.
        grows: takes the room that the others leave.
        rank: where there is no room for all columns, those of the highest rank are left out first; 0 never is.
    """

    title: str
    width: int
    cells: Sequence[Cell]
    right: bool = True
    grows: bool = False
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the page, which may have to do with fewer lines than it has rows.

    Attributes:
        columns: of the table.
        weights: of the rows; where there is no room for all, the heaviest stay.
    """

    columns: Sequence[Column]
    weights: Sequence[float]

    @property
    def height(self) -> int:
        """Lines with all rows."""
        return len(self.weights) + 1 if self.weights else 0

    def lines(self, width: int, height: int) -> list[Text]:
        """Return the table in a number of lines; none where it has no rows."""
        if not self.weights or height < 1:
            return []
        columns = fitted(self.columns, width)
        shown, left_out = self._chosen(height - 1)
        lines = [_line(columns, [(column.title, TITLE) for column in columns])]
        lines += [_line(columns, [column.cells[row] for column in columns]) for row in shown]
        if left_out and height > 1:
            lines.append(line(width, (f"... {left_out} more", QUIET)))
        return lines

    def _chosen(self, room: int) -> tuple[list[int], int]:
        every = range(len(self.weights))
        if len(every) <= room:
            return list(every), 0
        kept = sorted(every, key=lambda row: -self.weights[row])[: max(0, room - 1)]
        return sorted(kept), len(every) - len(kept)


def fitted(columns: Sequence[Column], width: int) -> list[Column]:
    """Leave out the columns that there is no room for, and give what room is left to the one that grows."""
    kept = list(columns)
    while _width(kept) > width and any(column.rank for column in kept):
        kept.remove(max(kept, key=lambda column: column.rank))
    room = width - _width(kept)
    return [
        Column(each.title, max(1, each.width + room), each.cells, each.right) if each.grows else each for each in kept
    ]


def line(width: int, *cells: Cell) -> Text:
    """Put texts side by side on one line, which is cut where it is too long."""
    text = Text(no_wrap=True, overflow="crop")
    for cell in cells:
        words, style = (cell, "") if isinstance(cell, str) else cell
        text.append(words, style)
    text.truncate(width, overflow="crop")
    return text


def shares(wanted: Sequence[int], room: int, least: int = LEAST) -> list[int]:
    """Divide lines among those who want them: whoever has most gives first, and none is left with less than `least`."""
    given = list(wanted)
    while sum(given) > room and max(given, default=0) > least:
        given[given.index(max(given))] -= 1
    return given


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def _line(columns: Sequence[Column], cells: Sequence[Cell]) -> Text:
    text = Text(no_wrap=True, overflow="crop")
    for number, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        words, style = (cell, "") if isinstance(cell, str) else cell
        words = cut(words, column.width)
        text.append(" " * GAP if number else "")
        text.append(" " * (column.width - len(words)) if column.right else "")
        text.append(words, style)
        text.append("" if column.right else " " * (column.width - len(words)))
    return text
