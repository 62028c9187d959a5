"""CSV input, a row at a time.

Columns of numbers are one tensor. Columns of text are one tensor of strings. Where a file has both, or where it is
asked for, each column is an input of its own, by its header, as models made from data frames want it.
"""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import IO, Any, Final

import orjson

from penstock.cli.predict.choice import CsvChoice
from penstock.cli.predict.rows import Block, InputError, Source

# What stands for a missing number in files that others wrote; float() takes some of these.
_MISSING: Final = frozenset({"", "na", "n/a", "nan", "null", "none", "inf", "-inf", "+inf", "infinity", "-infinity"})
_DELIMITERS: Final = ",;\t"
_MOST_NAMED: Final = 12  # columns in a message


def read_csv(source: Source, stream: IO[bytes], choice: CsvChoice) -> Iterator[Block]:
    """Read rows; fills in `source.columns` and `source.by_column`.

    Raises:
        InputError: a number is none, a row has too many or too few columns, a column is not there.
    """
    lines = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        yield from _Reader(source, lines, choice).blocks()
    except csv.Error as error:
        raise source.fault(f"not CSV: {error}") from None
    except UnicodeDecodeError:
        raise source.fault("not text in UTF-8") from None


class _Reader:
    def __init__(self, source: Source, lines: Iterable[str], choice: CsvChoice) -> None:
        start = next(iter(lines), "")
        self._source = source
        self._choice = choice
        self._rows = csv.reader(chain([start], lines), delimiter=max(_DELIMITERS, key=start.count))
        self._width = 0
        self._picked: list[int] = []
        self._whole = True  # every column is picked, in order
        self._texts: list[bool] = []
        self._line = 0  # where the row at hand ends

    def blocks(self) -> Iterator[Block]:
        rows = self._full_rows()
        first = next(rows, None)
        if first is None:
            raise self._source.fault("no rows, it is empty")
        line, ahead = self._line, list[list[str]]()
        headed = self._choice.header
        if headed is None:
            ahead = [] if numbers_of(first) is not None else list(islice(rows, 1))
            headed = numbers_of(first) is None and is_header(first, ahead[0] if ahead else None)
        self._width = len(first)
        numbered = [str(place) for place in range(1, len(first) + 1)]
        self._pick(
            [name.strip() or place for name, place in zip(first, numbered, strict=True)] if headed else numbered, headed
        )
        if headed:
            ahead = ahead or list(islice(rows, 1))
            if not ahead:
                raise self._source.fault("no rows after the header")
            if self._source.total is not None:
                self._source.total -= 1
            self._decide(ahead[0], headed)
        else:
            after, self._line = self._line, line
            self._decide(first, headed)
            yield self._block(first)
            self._line = after
        for each in chain(ahead, rows):
            yield self._block(each)

    def _full_rows(self) -> Iterator[list[str]]:
        for row in self._rows:
            if row:
                self._line = self._rows.line_num
                yield row

    def _pick(self, names: Sequence[str], headed: bool) -> None:
        picked = [self._find(name, names, headed) for name in self._choice.columns] or list(range(len(names)))
        left_out = {self._find(name, names, headed) for name in self._choice.skip}
        self._picked = [place for place in picked if place not in left_out]
        if not self._picked:
            raise self._source.fault("no column is left")
        self._whole = self._picked == list(range(len(names)))
        self._source.columns = [names[place] for place in self._picked]

    def _find(self, name: str, names: Sequence[str], headed: bool) -> int:
        if name in names:
            return names.index(name)
        if name.isascii() and name.isdigit() and 1 <= int(name) <= len(names):
            return int(name) - 1
        known = ", ".join(names[:_MOST_NAMED]) + (" ..." if len(names) > _MOST_NAMED else "")
        there = f"it has {known}" if headed else f"it has no header, so name columns by number, 1 to {len(names)}"
        raise self._source.fault(f"no column {name!r}; {there}")

    def _decide(self, row: list[str], headed: bool) -> None:
        """Decide by the first row which columns hold text, and whether the columns are inputs of their own."""
        cells = self._cells(row)
        self._texts = [cell.strip().lower() not in _MISSING and number_of(cell) is None for cell in cells]
        mixed = any(self._texts) and not all(self._texts)
        self._source.by_column = self._choice.by_column or mixed
        if self._source.by_column and not headed:
            column = self._source.columns[self._texts.index(True) if mixed else 0]
            what = f"{cells[self._texts.index(True)]!r} is not a number; " if mixed else ""
            hint = f"; --skip-column {column} leaves it out" if mixed else ""
            place = f"line {self._line}, column {column}"
            raise self._source.fault(f"{what}columns without a header cannot be inputs of their own{hint}", place)

    def _cells(self, row: list[str]) -> list[str]:
        if len(row) != self._width:
            message = f"{len(row)} columns, where the first line has {self._width}"
            raise self._source.fault(message, f"line {self._line}")
        return row if self._whole else [row[place] for place in self._picked]

    def _block(self, row: list[str]) -> Block:
        cells = self._cells(row)
        values = cells if all(self._texts) else self._values(cells)
        places = [self._line]
        if self._source.by_column:
            inputs: dict[str, Any] = {name: [[value]] for name, value in zip(self._source.columns, values, strict=True)}
            return Block(inputs, "line", places)
        return Block({"": [values]}, "line", places)

    def _values(self, cells: list[str]) -> list[Any]:
        if not any(self._texts):
            numbers = numbers_of(cells)
            if numbers is not None:
                return numbers
        return [
            cell if text else self._number(cell, column)
            for cell, text, column in zip(cells, self._texts, self._source.columns, strict=True)
        ]

    def _number(self, cell: str, column: str) -> int | float:
        number = number_of(cell)
        if number is None:
            raise self._fault(cell, column)
        return number

    def _fault(self, cell: str, column: str) -> InputError:
        missing = cell.strip().lower() in _MISSING
        what = "a number is missing" if not cell.strip() else f"{cell[:40]!r} is not a number"
        hint = "; JSON, which carries it, can say only finite numbers" if missing else ""
        return self._source.fault(f"{what}{hint}", f"line {self._line}, column {column}")


def is_header(first: Sequence[str], second: Sequence[str] | None) -> bool:
    """Tell whether a first line that is not all numbers names the columns.

    It does, unless it has text and numbers in the very columns in which the second has them, as data without a
    header does, and the numbers do not just count the columns.
    """
    kinds = [number_of(cell) is None for cell in first]
    if all(kinds) or second is None or kinds != [number_of(cell) is None for cell in second]:
        return True
    counted = [
        (place, number_of(cell)) for place, (cell, text) in enumerate(zip(first, kinds, strict=True)) if not text
    ]
    return any(all(number == place + start for place, number in counted) for start in (0, 1))


def numbers_of(cells: list[str]) -> list[int | float] | None:
    """Return a row of finite numbers; None when one of them is none. Whole numbers stay whole."""
    try:
        # What JSON takes for a number is one here too, and orjson reads thirty of them in a microsecond.
        values: list[Any] = orjson.loads(f"[{','.join(cells)}]")
    except orjson.JSONDecodeError:
        values = [number_of(cell) for cell in cells]
    if len(values) != len(cells) or not {int, float}.issuperset(map(type, values)):
        return None
    return values


def number_of(cell: str) -> int | float | None:
    """Return a finite number as people write it, `+1`, `.5` and ` 01` among them; None for what is none."""
    if "_" in cell:  # Python takes 1_000
        return None
    try:
        return int(cell)
    except ValueError:
        pass
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
