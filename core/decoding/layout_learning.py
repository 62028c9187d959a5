"""Learning a layout from one request that the general way finds right.

The holes are looked for where a request usually has them, and then proved: values with other things in the holes are
read by the general way, and must mean just that. A member given twice, a name in a nested object, anything that makes
a hole stand for something else shows there; no layout is learnt then, and the sender's requests go on the general way.
"""

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import orjson

from penstock.core.decoding.elements import elements_of, nested_lines
from penstock.core.decoding.general_way import Decoded, GeneralWay
from penstock.core.decoding.layout import Hole, Layout
from penstock.core.decoding.number_parser import NumberParser
from penstock.core.model import Array, Signature, TensorSpec
from penstock.schemas.datatypes import DTYPES
from penstock.schemas.oip import Wanted

_MOST_LITERALS: Final = 4096  # bytes; a layout stays as long as the decoder
_ID: Final = re.compile(rb'"id"\s*:\s*"([^"\\]*)"')
_SHAPE: Final = re.compile(rb'"shape"\s*:\s*\[\s*([0-9]+)')
_DATA: Final = re.compile(rb'"data"\s*:\s*(?=\[)')
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BRACKET_OR_STRING: Final = re.compile(rb'[\[\]{}]|"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BREAK: Final = re.compile(rb"\][\]\s]*+,[\[\s]*\[")
_SPACE: Final = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    stop: int
    hole: Hole


class LayoutLearner:
    """Learns layouts for one signature.

    Args:
        signature: of the model; batched, every row's shape fixed.
        max_elements: of one tensor.
        general: what decides what a request means.
        parser: for the numbers of the layouts learnt.
    """

    def __init__(self, signature: Signature, max_elements: int, general: GeneralWay, parser: NumberParser) -> None:
        self._signature = signature
        self._max_elements = max_elements
        self._general = general
        self._specs = {spec.name: spec for spec in signature.inputs}
        self._elements = {spec.name: elements_of(spec.datatype, parser) for spec in signature.inputs}

    def learn(self, value: bytes) -> Layout | None:
        """Learn the layout of a request.

        Args:
            value: as it was sent.

        Returns:
            None when it has none, or none that is worth keeping.
        """
        decoded = self._general.read(value)
        if decoded.bound is None:
            return None
        wanted = decoded.bound.outputs
        spans = self._spans(value, decoded, decoded.bound.rows)
        if spans is None:
            return None
        edges = [0, *(edge for span in spans for edge in (span.start, span.stop)), len(value)]
        literals = [value[start:stop] for start, stop in zip(edges[::2], edges[1::2], strict=True)]
        holes = [span.hole for span in spans]
        if sum(map(len, literals)) > _MOST_LITERALS or not all(literals):
            return None
        several = any(hole.kind == "rows" for hole in holes)
        for rows in (1, 2) if several else (1,):
            if not all(self._means_what_is_filled_in(literals, holes, rows, shift, wanted) for shift in (0, 1)):
                return None
        return Layout(literals, holes, self._signature, self._max_elements, wanted)

    def _spans(self, value: bytes, decoded: Decoded, rows: int) -> list[_Span] | None:
        """Find the holes, in order; None where one is not to be found, or more than one might be it."""
        names = [tensor["name"] for tensor in orjson.loads(value)["inputs"]]
        specs = [self._specs.get(name) or self._signature.inputs[0] for name in names]
        data = [match.end() for match in _DATA.finditer(value)]
        ids = list(_ID.finditer(value)) if decoded.id is not None else []
        shapes = list(_SHAPE.finditer(value)) if rows > 1 else []
        if len(data) != len(specs) or (decoded.id is not None) != len(ids) or (rows > 1) * len(specs) != len(shapes):
            return None
        spans = [_Span(*match.span(1), Hole("id")) for match in ids]
        spans += [_Span(*match.span(1), Hole("rows")) for match in shapes]
        for start, spec in zip(data, specs, strict=True):
            span = self._data_span(value, start, spec)
            if span is None:
                return None
            spans.append(span)
        spans.sort(key=lambda span: span.start)
        return spans if all(one.stop < other.start for one, other in pairwise(spans)) else None

    def _data_span(self, value: bytes, start: int, spec: TensorSpec) -> _Span | None:
        """Find the elements in the list that begins at `start`: what is inside all the outer brackets."""
        text = value[start : _end_of_list(value, start)]
        opening = len(text) - len(text.lstrip(b"[" + _SPACE))
        inside = text[opening:].rstrip(b"]" + _SPACE)
        depth = text.count(b"[", 0, opening)
        if depth not in (1, 1 + len(spec.shape)):
            return None
        spelt: dict[int, set[bytes]] = {}
        for spelling in _BREAK.findall(_STRING.sub(b"0", inside)):
            spelt.setdefault(spelling.count(b"]"), set()).add(spelling)
        if any(len(spellings) > 1 for spellings in spelt.values()):
            return None
        breaks = tuple((level, spelt[level].pop()) for level in sorted(spelt, reverse=True))
        hole = Hole("data", spec, self._elements[spec.name], depth > 1, breaks)
        return _Span(start + opening, start + opening + len(inside), hole)

    def _means_what_is_filled_in(
        self, literals: list[bytes], holes: list[Hole], rows: int, shift: int, wanted: Wanted
    ) -> bool:
        """Fill the holes and tell whether the general way reads what was put into them."""
        value, has_id = literals[0], False
        expected: dict[str, Array] = {}
        for hole, literal in zip(holes, literals[1:], strict=True):
            if hole.spec is None:
                value += b"%d" % (rows if hole.kind == "rows" else shift)
                has_id = has_id or hole.kind == "id"
            else:
                elements = (np.arange(rows * math.prod(hole.spec.shape)) + shift + len(expected)) % 2
                value += _spell(elements, hole, rows)
                words = elements.astype(str).astype(object) if hole.spec.datatype == "BYTES" else elements
                made = words.astype(DTYPES[hole.spec.datatype])
                expected[hole.spec.name] = made.reshape(rows, *hole.spec.shape)
            value += literal
        found = self._general.read(value)
        return (
            found.bound is not None
            and found.bound.outputs == wanted
            and found.id == (b'"%d"' % shift if has_id else None)
            and all(np.array_equal(found.bound.inputs[name], array) for name, array in expected.items())
        )


def _end_of_list(value: bytes, start: int) -> int:
    """Return where the list that begins at `start` ends."""
    depth = 0
    for match in _BRACKET_OR_STRING.finditer(value, start):
        depth += {b"[": 1, b"]": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return len(value)


def _spell(elements: Array, hole: Hole, rows: int) -> bytes:
    """Spell zeros and ones as a hole has them."""
    if hole.spec is None:
        return b""
    words = {"BOOL": (b"false", b"true"), "BYTES": (b'"0"', b'"1"')}.get(hole.spec.datatype, (b"0", b"1"))
    texts = [words[element] for element in elements.tolist()]
    if not hole.nested:
        return b",".join(texts)
    lines, breaks = nested_lines([rows], hole.spec.shape), dict(hole.breaks)
    width, spelt = lines.width - 1, b""
    for line, level in enumerate([0] if lines.levels is None else lines.levels.tolist()):
        spelt += b",".join(texts[line * width : (line + 1) * width]) + breaks.get(level, b"")
    return spelt
