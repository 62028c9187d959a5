"""How predictions are printed, a row at a time: JSON for programs, and for people what they sum up to."""

from array import array
from collections.abc import Callable
from typing import Any, Final, Protocol, TextIO

import orjson

from penstock.cli.predict.answers import Row

_OPTIONS: Final = orjson.OPT_SERIALIZE_NUMPY


class Printer(Protocol):
    """Prints rows as they come."""

    def add(self, row: Row) -> None:
        """Print a row, at once or together with later ones."""
        ...

    def end(self) -> None:
        """Print what is still held."""
        ...


class JsonLines:
    """A JSON document for each row, on a line of its own.

    Args:
        out: gets it.
        before: called before something is printed.
        live: whoever reads may be waiting for each row.
    """

    def __init__(self, out: TextIO, before: Callable[[], None], *, live: bool) -> None:
        self._out = out
        self._before = before
        self._live = live

    def add(self, row: Row) -> None:
        """Print a row."""
        self._before()
        self._out.write(f"{_dumped(row)}\n")
        if self._live:
            self._out.flush()

    def end(self) -> None:
        """Print what is still held."""
        self._out.flush()


class JsonList:
    """One JSON document: the list of the rows.

    Args:
        out: gets it.
        before: called before something is printed.
    """

    def __init__(self, out: TextIO, before: Callable[[], None]) -> None:
        self._out = out
        self._before = before
        self._joint = "[\n"

    def add(self, row: Row) -> None:
        """Print a row."""
        self._before()
        self._out.write(self._joint + _dumped(row))
        self._joint = ",\n"

    def end(self) -> None:
        """End the list, if one was begun: without a single row something has failed, which is said elsewhere."""
        self._out.write("\n]\n" if self._joint == ",\n" else "")
        self._out.flush()


class Summary:
    """How many rows were answered, and how long the requests took."""

    def __init__(self) -> None:
        self.answered = 0
        self.failed = 0
        self._took_s = array("d")

    def add(self, row: Row) -> None:
        """Count a row."""
        if row.failure is None:
            self.answered += row.rows
        else:
            self.failed += row.rows

    def took(self, seconds: float) -> None:
        """Take in how long a request took."""
        self._took_s.append(seconds)

    def __str__(self) -> str:
        line = f"{self.answered} answered, {self.failed} failed"
        if self._took_s:
            ordered = sorted(self._took_s)
            line += f"; {ordered[len(ordered) // 2] * 1000:.1f} ms p50, {ordered[-1] * 1000:.1f} ms max"
        return line


def _dumped(row: Row) -> str:
    document: dict[str, Any] = row.document()
    return orjson.dumps(document, option=_OPTIONS).decode()
