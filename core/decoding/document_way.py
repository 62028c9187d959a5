"""The way of a request that fits no layout, but is flat numbers for one input: read alone, converted with others.

orjson reads each document; the numbers of all of them become one array by `struct`, which rounds as numpy does, refuses
what does not fit, and takes half of numpy's time for it.
"""

import math
import struct
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from penstock.core.decoding.layout import Block
from penstock.core.model import Signature
from penstock.schemas.datatypes import DTYPES
from penstock.schemas.errors import RequestError
from penstock.schemas.limits import Limits
from penstock.schemas.oip import Wanted, read_outputs

# What `struct` calls each kind of number; numpy's letters mean other sizes on other machines.
_FORMATS: Final[dict[str, str]] = {
    "f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q",
    "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
}  # fmt: skip
_WHOLE: Final = frozenset({int})
_NUMBERS: Final = frozenset({int, float})


class FlatRequest(NamedTuple):
    """A request whose numbers are not converted yet.

    Attributes:
        place: in its step.
        value: as it came.
        id: the JSON text of its id, or None.
        rows: of its input.
        numbers: whole numbers and doubles, as many as the shape says.
        outputs: names of the outputs wanted.
    """

    place: int
    value: bytes
    id: bytes | None
    rows: int
    numbers: list[float]
    outputs: Wanted


class DocumentWay:
    """Reads flat requests for one signature.

    Args:
        signature: batched, every row's shape fixed.
        limits: bounds on each request.
    """

    def __init__(self, signature: Signature, limits: Limits) -> None:
        self._spec = signature.inputs[0] if len(signature.inputs) == 1 else None
        if self._spec is None or self._spec.datatype in ("BOOL", "BYTES") or min(self._spec.shape, default=1) < 1:
            self._spec = None
            return
        self._limits = limits
        self._names = (self._spec.name, "")
        self._outputs = {spec.name for spec in signature.outputs}
        self._size = math.prod(self._spec.shape)
        self._row_shape = list(self._spec.shape)
        self._dtype = DTYPES[self._spec.datatype]
        self._format = _FORMATS[self._dtype.str[1:]]
        most = limits.max_elements // self._size
        self._most_rows = most if signature.max_rows is None else min(most, signature.max_rows)

    def read(self, place: int, value: bytes) -> FlatRequest | None:
        """Read a request, not longer than the limits allow; None when it is not such a one, or not right."""
        # As many brackets as levels allowed cannot nest deeper.
        if self._spec is None or value.count(b"[") + value.count(b"{") > self._limits.max_depth:
            return None
        try:
            document: Any = orjson.loads(value)
            request_id = document.get("id")
            (tensor,) = document["inputs"]
            numbers, (rows, *row_shape) = tensor["data"], tensor["shape"]
            wanted = read_outputs(document.get("outputs"))
            if (
                tensor["name"] in self._names
                and tensor["datatype"] == self._spec.datatype
                and type(numbers) is list
                and _NUMBERS.issuperset(map(type, numbers))
                and _WHOLE.issuperset(map(type, tensor["shape"]))  # 1.0 and true equal 1
                and row_shape == self._row_shape
                and 0 < rows <= self._most_rows
                and len(numbers) == rows * self._size
                and (request_id is None or type(request_id) is str)
                and (wanted is None or self._outputs.issuperset(wanted))
                and "parameters" not in tensor
            ):
                return FlatRequest(place, value, _json(request_id), rows, numbers, wanted)
        except (KeyError, TypeError, ValueError, AttributeError, RequestError):
            pass
        return None

    def block(self, requests: Sequence[FlatRequest]) -> Block | None:
        """Convert the numbers of all; None when one does not fit the datatype."""
        if self._spec is None:
            return None
        numbers = requests[0].numbers
        if len(requests) > 1:
            numbers = list(chain.from_iterable([request.numbers for request in requests]))
        column = bytearray(len(numbers) * self._dtype.itemsize)  # and no bytes: a model may write into its input
        try:
            struct.pack_into(f"<{len(numbers)}{self._format}", column, 0, *numbers)
        except (struct.error, OverflowError):
            return None
        rows = [request.rows for request in requests]
        outputs = [request.outputs for request in requests]
        columns = {self._spec.name: np.frombuffer(column, self._dtype).reshape(-1, *self._spec.shape)}
        return Block([request.id for request in requests], rows, columns, outputs if any(outputs) else None)


def _json(request_id: str | None) -> bytes | None:
    return None if request_id is None else orjson.dumps(request_id)
