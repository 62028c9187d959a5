"""JSON input: rows, rows by input, whole requests, or lines of these."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO, Any

import orjson

from penstock.cli.predict.rows import Block, Source


def read_json(source: Source, stream: IO[bytes]) -> Iterator[Block]:
    """Read a document, or lines with a document each: which of the two, the first line tells.

    Raises:
        InputError: it is not JSON, or says no rows.
    """
    before, first = _first_line(stream)
    try:
        document = orjson.loads(first)
    except orjson.JSONDecodeError:
        yield from _blocks(source, _parsed(source, first + stream.read(), ""), "row", None)
        return
    if source.live:  # the second line may be long in coming
        yield from _line(source, document, before + 1)
    else:
        number, second = _first_line(stream)
        if not second:
            yield from _blocks(source, document, "row", None)
            return
        yield from _line(source, document, before + 1)
        stream = chain([second], stream)  # type: ignore[assignment]
        before += number
    yield from read_json_lines(source, stream, before + 2)


def read_json_lines(source: Source, lines: Iterable[bytes], number: int = 1) -> Iterator[Block]:
    """Read a document on each line; empty lines are passed over.

    Args:
        source: for messages.
        lines: the lines.
        number: of the first of them.

    Raises:
        InputError: a line is not JSON, or says no rows.
    """
    for place, line in enumerate(lines, start=number):
        if line.strip():
            yield from _line(source, _parsed(source, line, f"line {place}"), place)


def _first_line(stream: Iterable[bytes]) -> tuple[int, bytes]:
    """Return the first line that is not empty, and how many empty ones came before it."""
    empty = 0
    for line in stream:
        if line.strip():
            return empty, line.removeprefix(b"\xef\xbb\xbf")
        empty += 1
    return empty, b""


def _parsed(source: Source, text: bytes, place: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if not text.strip():
            raise source.fault("no rows, it is empty") from None
        raise source.fault(f"not JSON: {error}", place) from None


def _line(source: Source, document: Any, line: int) -> Iterator[Block]:
    yield from _blocks(source, document, "line", line)


def _blocks(source: Source, document: Any, unit: str, line: int | None) -> Iterator[Block]:
    place = f"line {line}" if line is not None else ""
    if isinstance(document, dict):
        yield _of_object(source, document, unit, line, place)
    elif not isinstance(document, list):
        raise source.fault("a row is a list of numbers or strings, or an object of them by input", place)
    elif not document:
        raise source.fault("an empty list has no rows", place)
    elif isinstance(document[0], dict):
        for number, each in enumerate(document, start=1):
            if not isinstance(each, dict):
                raise source.fault("not an object, as the first is", place or f"row {number}")
            yield _of_object(source, each, unit, line or number, place or f"row {number}")
    else:
        rows = document if isinstance(document[0], list) else [document]
        yield Block({"": rows}, unit, _places(len(rows), line))


def _of_object(source: Source, document: dict[str, Any], unit: str, line: int | None, place: str) -> Block:
    tensors = document.get("inputs")
    if isinstance(tensors, list) and tensors and all(isinstance(each, dict) and "data" in each for each in tensors):
        return Block({}, unit, _places(_rows_of(tensors[0]), line), body=orjson.dumps(document))
    if not document:
        raise source.fault("an empty object has no inputs", place)
    inputs = {name: _rows(value) for name, value in document.items()}
    counts = {name: len(rows) for name, rows in inputs.items()}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise source.fault(f"the inputs differ in their number of rows: {found}", place)
    count = next(iter(counts.values()))
    if not count:
        raise source.fault("an empty list has no rows", place)
    return Block(inputs, unit, _places(count, line))


def _rows(value: Any) -> list[Any]:
    """Return an input's rows: nested lists are rows, a flat one is one row, and what is no list its one element."""
    if not isinstance(value, list):
        return [[value]]
    return value if not value or isinstance(value[0], list) else [value]


def _rows_of(tensor: dict[str, Any]) -> int:
    """Return how many rows a tensor of a whole request has; the service judges a shape that is none."""
    shape = tensor.get("shape")
    rows = shape[0] if isinstance(shape, list) and shape else 1
    return rows if type(rows) is int and 1 <= rows <= 1_000_000 else 1


def _places(rows: int, line: int | None) -> Any:
    return range(1, rows + 1) if line is None else [line] * rows
