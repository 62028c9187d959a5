"""A layout: how one sender spells its requests, as the bytes that never change and the holes between them.

Where a value is the literals of a layout with something in each hole, and what is in the holes is of the right kind,
the value is what the layout was learnt from with other ids, rows and elements: a hole is a whole token, or a whole
list's inside, and nothing else of the document can have changed. So nobody need read the rest again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final, Literal, NamedTuple

from penstock.core.decoding.elements import Elements, flat_lines, nested_lines
from penstock.core.decoding.hole_text import Texts, cut_long, cut_short, ids_in, join_lists, rows_in
from penstock.core.model import Array, Signature, TensorSpec
from penstock.schemas.oip import Wanted

_LONG: Final = 4096  # bytes; a view of so much is made sooner than a copy


class Block(NamedTuple):
    """The requests of one layout, read.

    Attributes:
        ids: the JSON text of each request's id, or None.
        rows: of each request.
        columns: input name -> the rows of all of them.
        outputs: names of the outputs that each request wants; None where all want all.
    """

    ids: list[bytes | None]
    rows: list[int]
    columns: dict[str, Array]
    outputs: list[Wanted] | None = None


@dataclass(frozen=True, slots=True)
class Hole:
    """What differs from request to request.

    Attributes:
        kind: an id without its quotes, a number of rows, or the elements of an input.
        spec: the input, where it is one's elements.
        elements: what reads them.
        nested: whether the elements are nested as the shape says; the outermost and the first and last innermost
            brackets are not in the hole.
        breaks: how the brackets between two lists are spelt, those of the most levels first: (level, spelling).
    """

    kind: Literal["id", "rows", "data"]
    spec: TensorSpec | None = None
    elements: Elements | None = None
    nested: bool = False
    breaks: tuple[tuple[int, bytes], ...] = ()

    def read(self, texts: Texts, after: bytes, rows: list[int]) -> Array | None:
        """Read the elements of many requests into one column; None when one of them is not right.

        Args:
            texts: the hole's of each request, with what stands after it.
            after: what stands after it; empty when it is cut off already.
            rows: of each request.
        """
        spec, elements = self.spec, self.elements
        if spec is None or elements is None:
            return None
        text = join_lists(texts, after, elements.mark(0))
        # An element takes a byte at least: what is declared and not there must take no memory.
        if text is None or sum(rows) * math.prod(spec.shape) > len(text):
            return None
        for level, spelling in self.breaks:
            text = text.replace(spelling, elements.mark(level))
        lines = nested_lines(rows, spec.shape) if self.nested else flat_lines(rows, math.prod(spec.shape))
        column = elements.read(text, lines)
        return None if column is None else column.reshape(-1, *spec.shape)


class Layout:
    """How requests are spelt.

    Args:
        literals: the bytes before, between and after the holes.
        holes: one less than the literals.
        signature: of the model.
        max_elements: of one tensor.
        wanted: names of the outputs that the literals ask for.
    """

    def __init__(
        self,
        literals: Sequence[bytes],
        holes: Sequence[Hole],
        signature: Signature,
        max_elements: int,
        wanted: Wanted = None,
    ) -> None:
        self.literals = tuple(literals)
        self.holes = tuple(holes)
        self._wanted = wanted
        self._signature = signature
        # What stands before the elements of the first input.
        self._lead = next(
            literal for literal, hole in zip(self.literals, self.holes, strict=False) if hole.kind == "data"
        )
        largest = max((math.prod(spec.shape) for spec in signature.inputs), default=1)
        bound = max_elements // largest
        self._max_rows = bound if signature.max_rows is None else min(bound, signature.max_rows)

    def same_as(self, other: "Layout") -> bool:
        """Tell whether another layout is spelt the same."""
        return (self.literals, self.holes) == (other.literals, other.holes)

    def fits(self, values: Sequence[bytes]) -> list[bool]:
        """Tell of each value whether it looks as if it were of this layout; only `read` can tell whether it is."""
        first, last, lead = self.literals[0], self.literals[-1], self._lead
        width = len(lead)
        return [
            value.startswith(first)
            and value.endswith(last)
            and (found := value.find(lead)) >= 0
            and value[found + width : found + width + 1] != b"["  # data nested deeper
            for value in values
        ]

    def read(self, values: Sequence[bytes]) -> Block | None:
        """Read requests, one value or more; None unless every one is of this layout, and right."""
        texts = self._cut(values)
        if texts is None:
            return None
        rows = self._rows(texts)
        if rows is None:
            return None
        ids: list[bytes | None] | None = [None] * len(values)
        columns: dict[str, Array] = {}
        for hole, (before, inside, after) in zip(self.holes, texts, strict=True):
            if hole.kind == "id":
                ids = ids_in(inside, before, after)
                if ids is None:
                    return None
            elif hole.spec is not None:
                column = hole.read(inside, after, rows)
                if column is None:
                    return None
                columns[hole.spec.name] = column
        if ids is None:
            return None
        outputs: list[Wanted] | None = None if self._wanted is None else [self._wanted] * len(values)
        return Block(ids, rows, {spec.name: columns[spec.name] for spec in self._signature.inputs}, outputs)

    def _cut(self, values: Sequence[bytes]) -> list[tuple[bytes, Texts, bytes]] | None:
        """Return what is in each hole: what still stands before each text, the texts, what still stands after."""
        first, *middle, last = self.literals
        before = first
        if self.holes[0].kind == "data":  # its text is long, and is joined as it is
            if not all(map(bytes.startswith, values, repeat(first))):
                return None
            before, middle = b"", [first, *middle]
        inside = (cut_short if len(values[0]) < _LONG else cut_long)(values, middle)
        if inside is None:
            return None
        inside = inside if before else inside[1:]
        befores = [before] + [b""] * (len(inside) - 1)
        return list(zip(befores, inside, [*[b""] * (len(inside) - 1), last], strict=True))

    def _rows(self, texts: list[tuple[bytes, Texts, bytes]]) -> list[int] | None:
        """Return how many rows each request declares; None when inputs differ, or a bound is passed."""
        rows: list[int] | None = None
        for hole, (before, inside, after) in zip(self.holes, texts, strict=True):
            if hole.kind == "rows":
                found = rows_in(inside, before, after)
                if found is None or rows not in (None, found):
                    return None
                rows = found
        if rows is None:
            return [1] * len(texts[0][1])  # the shapes are in the literals
        return rows if max(rows) <= self._max_rows else None
