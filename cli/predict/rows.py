"""Rows on their way from a file into requests."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import typer


class InputError(typer.BadParameter):
    """Input that is no rows: what stands where, in one line."""

    def format_message(self) -> str:
        """Return the message alone: the place that it names is not an option."""
        return str(self.message)


@dataclass(slots=True)
class Block:
    """Rows that may go into one request.

    Attributes:
        inputs: name -> rows, either nested lists of numbers or of strings whose datatype is still open, or an array
            whose datatype is given. The name "" is the model's only input.
        unit: what `places` counts: "line" or "row".
        places: where each row stands, from 1.
        body: a whole request, sent as it is; `inputs` is empty then.
    """

    inputs: dict[str, Any]
    unit: str
    places: Sequence[int]
    body: bytes | None = None

    def __len__(self) -> int:
        return len(self.places)

    def place(self, row: int) -> str:
        """Return where a row stands, as in `line 7`."""
        return f"{self.unit} {self.places[row]}"

    @property
    def may_grow(self) -> bool:
        """Whether rows of other blocks may be added."""
        return self.body is None and not any(isinstance(rows, np.ndarray) for rows in self.inputs.values())

    def part(self, start: int, stop: int) -> "Block":
        """Return some of the rows."""
        inputs = {name: rows[start:stop] for name, rows in self.inputs.items()}
        return Block(inputs, self.unit, self.places[start:stop])


def grouped(blocks: Iterable[Block], rows: int) -> Iterator[Block]:
    """Cut and join blocks into ones of so many rows; whole requests stay as they are.

    Blocks of other inputs than those before them, and the end, leave a smaller one behind.
    """
    growing = _Growing(rows)
    for block in blocks:
        if not block.may_grow:
            yield from growing.taken()
        if block.body is not None:
            yield block
        elif not block.may_grow:
            yield from (block.part(start, start + rows) for start in range(0, len(block), rows))
        else:
            yield from growing.add(block)
    yield from growing.taken()


@dataclass(slots=True)
class _Growing:
    rows: int
    inputs: dict[str, list[Any]] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)
    unit: str = "row"

    def add(self, block: Block) -> Iterator[Block]:
        if self.places and block.inputs.keys() != self.inputs.keys():
            yield from self.taken()
        start = 0
        while start < len(block):
            part = block.part(start, start + self.rows - len(self.places))
            start += len(part)
            for name, rows in part.inputs.items():
                self.inputs.setdefault(name, []).extend(rows)
            self.places.extend(part.places)
            self.unit = block.unit
            if len(self.places) == self.rows:
                yield from self.taken()

    def taken(self) -> Iterator[Block]:
        if self.places:
            yield Block(dict(self.inputs), self.unit, self.places)
        self.inputs, self.places = {}, []


@dataclass(slots=True)
class Source:
    """An input that is read while its rows are sent.

    Attributes:
        name: the file's path, or "standard input".
        blocks: its rows, read as they are asked for. Raises `InputError`.
        columns: of CSV: the names of the columns that are sent.
        alike: every row has the same inputs and shape, so that what is wrong with one is wrong with all.
        live: comes from somewhere that may take its time, such as a pipe.
        total: how many rows there are, as far as that is cheap to know.
        by_column: of CSV: each column is an input of its own.
    """

    name: str
    blocks: Iterator[Block]
    columns: list[str] = field(default_factory=list)
    alike: bool = False
    live: bool = False
    total: int | None = None
    by_column: bool = False

    def fault(self, message: str, place: str = "") -> InputError:
        """Return an error that says where it is."""
        return InputError(f"{self.name}{f', {place}' if place else ''}: {message}")
