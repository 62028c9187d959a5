"""Elements of many requests, read from one JSON list that has a mark after each line of them.

A line is what must have a length that is known: the data of one request, or the innermost list where data are nested.
Its mark is an element that tells itself from data, and says what ended. Where every mark is found at the place that
the declared shapes give it, and none elsewhere, every line has the right number of elements.
"""

import math
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import orjson

from penstock.core.decoding.number_parser import Kind, NumberParser
from penstock.core.model import Array
from penstock.schemas.datatypes import DTYPES, Datatype

_LEVELS: Final = 32  # more than the dimensions of any tensor that is taken
_BEFORE, _AFTER = 2, 1  # elements of the text that belong to nobody: see `Elements.frame`

# At the far end of what each kind can say. A request that says so too is read by the general way.
_NUMBER_MARKS: Final[dict[Kind, list[bytes]]] = {
    "d": [b"7e%d" % (270 + level) for level in range(_LEVELS)],
    "i": [b"%d" % (level - 2**63) for level in range(_LEVELS)],
    "u": [b"%d" % (2**64 - _LEVELS + level) for level in range(_LEVELS)],
}


class Lines(NamedTuple):
    """How the elements of some requests are cut into lines.

    Attributes:
        number: of lines.
        width: the length of every line, its mark included; 0 when they differ.
        ends: the place of each line's mark among elements and marks, where widths differ.
        levels: which mark it is, for each line: 0 ends a request, n a list that is the n-th around its elements;
            None when it is 0 for all.
    """

    number: int
    width: int
    ends: Array | None = None
    levels: Array | None = None

    def size(self) -> int:
        """Return how many elements and marks there are."""
        return self.number * self.width if self.ends is None else int(self.ends[-1]) + 1

    def marks(self, elements: Array) -> Array:
        """Return what stands in the places of the marks."""
        return elements.reshape(-1, self.width)[:, -1] if self.ends is None else elements[self.ends]

    def strip(self, elements: Array) -> Array:
        """Return the elements without the marks, in their order but in any shape."""
        return elements.reshape(-1, self.width)[:, :-1] if self.ends is None else np.delete(elements, self.ends)


class Elements(Protocol):
    """How the elements of a datatype are told from others, and from marks."""

    def mark(self, level: int) -> bytes:
        """Return a mark with its commas, to be put between two lines."""
        ...

    def read(self, text: bytearray, lines: Lines) -> Array | None:
        """Read `[0`, a mark, the lines each with its mark, and `0]`.

        Returns:
            A new array of the datatype's dtype, in row-major order but of any shape; None when an element is none
            of the datatype, or a line has another length.
        """
        ...


class NumericElements:
    """Numbers.

    Args:
        datatype: any of the protocol's but BOOL and BYTES.
        parser: reads the numbers.
    """

    def __init__(self, datatype: Datatype, parser: NumberParser) -> None:
        self._parser = parser
        self._dtype = DTYPES[datatype]
        # By way of doubles always: the rows beside it must not change a row's rounding.
        self._kind: Kind = "d" if self._dtype.kind == "f" else "u" if datatype == "UINT64" else "i"
        convert: Any = float if self._kind == "d" else int
        self._marks = np.array(list(map(convert, _NUMBER_MARKS[self._kind])), dtype=f"{self._kind.replace('d', 'f')}8")

    def mark(self, level: int) -> bytes:
        """Return a mark with its commas."""
        return b",%s," % _NUMBER_MARKS[self._kind][level]

    def read(self, text: bytearray, lines: Lines) -> Array | None:
        """Read lines; see `Elements`."""
        if text.find(b"[", 1) >= 0:  # simdjson would take the elements of a list for its own
            return None
        try:
            found = self._parser.parse(text, self._kind)[_BEFORE:-_AFTER]
        except ValueError:
            return None
        if found.size != lines.size():
            return None
        expected = self._marks[0] if lines.levels is None else self._marks[lines.levels]
        like_marks = found <= self._marks[-1] if self._kind == "i" else found >= self._marks[0]
        if (
            np.count_nonzero(lines.marks(found) == expected) != lines.number
            or np.count_nonzero(like_marks) != lines.number
        ):
            return None
        return self._cast(lines.strip(found))

    def _cast(self, elements: Array) -> Array | None:
        if self._kind != "d":
            made = elements.astype(self._dtype)
            return made if np.array_equal(made, elements) else None
        with np.errstate(over="ignore"):
            made = elements.astype(self._dtype)
        # JSON has no infinity, so an infinite element is one that overflowed.
        return made if np.isfinite(made).all() else None


class WordElements:
    """Strings or booleans, by way of Python's: 15 to 40 ns each.

    Args:
        datatype: BOOL or BYTES, the strings not in base64.
    """

    def __init__(self, datatype: Datatype) -> None:
        self._dtype = DTYPES[datatype]
        self._type = bool if datatype == "BOOL" else str

    def mark(self, level: int) -> bytes:
        """Return a mark with its commas; its line feeds end no string, so that none reaches across a mark."""
        return b",\n%d\n," % level

    def read(self, text: bytearray, lines: Lines) -> Array | None:
        """Read lines; see `Elements`."""
        try:
            found = orjson.loads(text)[_BEFORE:-_AFTER]
        except orjson.JSONDecodeError:
            return None
        if len(found) != lines.size() or not {int, self._type}.issuperset(map(type, found)):
            return None
        elements = np.empty(len(found), dtype=object)
        elements[:] = found
        marks, data = lines.marks(elements).tolist(), lines.strip(elements)
        levels = [0] * lines.number if lines.levels is None else lines.levels.tolist()
        if {int} != set(map(type, marks)) or marks != levels:
            return None
        return data.astype(self._dtype) if {self._type} == set(map(type, data.reshape(-1).tolist())) else None


def elements_of(datatype: Datatype, parser: NumberParser) -> Elements:
    """Return what reads the elements of a datatype."""
    return WordElements(datatype) if datatype in ("BOOL", "BYTES") else NumericElements(datatype, parser)


def flat_lines(rows: list[int], size: int) -> Lines:
    """Cut flat data: each request is one line.

    Args:
        rows: rows of each request.
        size: elements of a row.
    """
    if rows.count(rows[0]) == len(rows):
        return Lines(len(rows), rows[0] * size + 1)
    return Lines(len(rows), 0, (np.array(rows) * size + 1).cumsum() - 1)


def nested_lines(rows: list[int], row_shape: tuple[int, ...]) -> Lines:
    """Cut data that are nested as their shape says: each innermost list is one line.

    Args:
        rows: rows of each request.
        row_shape: of one row; at least one dimension.
    """
    width, per_row = row_shape[-1] + 1, math.prod(row_shape[:-1])
    total = sum(rows)
    if total == len(rows) and per_row == 1:
        return Lines(total, width)
    levels = np.ones(per_row, np.intp)
    lists = 1
    for level, dim in enumerate(reversed(row_shape[:-1]), start=2):
        lists *= dim
        levels[lists - 1 :: lists] = level
    levels = np.tile(levels, total)
    levels[np.cumsum(rows) * per_row - 1] = 0
    return Lines(levels.size, width, None, levels)
