"""Many requests for one model, decoded together into columns.

`schemas.oip` reads any legal request, one at a time. Most requests are alike, though: one input, flat numeric
data, the model's own datatype and row shape. Those are recognised here with a few look-ups and converted in one
numpy call for the whole lot; whatever differs takes the general way, so both give the same answers.
"""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import orjson

from penstock.core.binding import BoundRequest, bind, check_rows
from penstock.core.model import Array, Signature, TensorSpec
from penstock.schemas import strict_json
from penstock.schemas.datatypes import DTYPES
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.limits import Limits
from penstock.schemas.oip import read_id, read_request
from penstock.schemas.tensors import tensor_from_raw

# Small enough that the decoded lists of one step stay in the processor's cache (measured: 512 takes 2.7 us a
# request of 30 numbers, 2,000 takes 3.5 us).
STEP: Final = 512


class Decoded:
    """A request that took the general way; exactly one of `bound` and `error` is set.

    Attributes:
        id: the body's id.
        bound: its arrays.
        error: why it cannot run.
    """

    __slots__ = ("bound", "error", "id")

    def __init__(self, request_id: str | None, outcome: BoundRequest | RequestError) -> None:
        self.id = request_id
        self.bound = outcome if isinstance(outcome, BoundRequest) else None
        self.error = outcome if isinstance(outcome, RequestError) else None

    def __repr__(self) -> str:
        return f"<Decoded id={self.id!r} {self.error or self.bound!r}>"


class DecodedStep:
    """What became of up to `STEP` values.

    Attributes:
        ids: the body's id of each request of the common shape, in order; meaningless at the places of `odd`.
        odd: place -> what the general way made of the request there.
        block: the rows of all the others, one each, in order; None when there are none.
    """

    __slots__ = ("block", "ids", "odd")

    def __init__(self) -> None:
        self.ids: list[str | None] = []
        self.odd: dict[int, Decoded] = {}
        self.block: Array | None = None


class RequestDecoder:
    """Decodes requests for one signature.

    Args:
        signature: the model's.
        limits: bounds on each request.
    """

    def __init__(self, signature: Signature, limits: Limits) -> None:
        self._signature = signature
        self._limits = limits
        self._spec = _columnar_input(signature, limits)
        self._row_shape = self._spec.shape if self._spec else ()
        self._shape = [1, *self._row_shape]
        self._datatype = self._spec.datatype if self._spec else "BYTES"
        self._dtype = DTYPES[self._datatype]
        # What stands between name and numbers where the members come in the protocol's own order.
        self._lead = b'","shape":%s,"datatype":"%s","data":' % (orjson.dumps(self._shape), self._datatype.encode())

    def decode(self, values: Sequence[bytes | None]) -> DecodedStep:
        """Decode up to `STEP` JSON requests."""
        step = DecodedStep()
        if self._spec is None:
            step.ids = [None] * len(values)
            step.odd = {place: self._general(value) for place, value in enumerate(values)}
            return step
        data = self._read_common(values, step)
        if data:
            step.block = self._block(data)
            if step.block is None:
                self._set_odd_ones_apart(values, step, data)
        return step

    def _read_common(self, values: Sequence[bytes | None], step: DecodedStep) -> list[list[float]]:
        """Read the requests of the common shape and return their numbers; the others take the general way."""
        spec = self._spec
        if spec is None:
            return []
        names, size, max_bytes = (spec.name, ""), math.prod(spec.shape), self._limits.max_bytes
        lead, before = self._lead, len(self._lead)
        loads, ids, odd = orjson.loads, step.ids, step.odd
        data: list[list[float]] = []
        for each in values:
            value = each or b""
            try:
                document: Any = loads(value) if len(value) <= max_bytes else None
                request_id = document.get("id")
                (tensor,) = document["inputs"]
                numbers, given = tensor["data"], tensor["name"]
                if (
                    given in names
                    and type(numbers) is list
                    and len(numbers) == size
                    and (request_id is None or type(request_id) is str)
                ):
                    # numpy takes a boolean for 1, null for NaN and "1" for 1, so the text has to show that there is
                    # none. Where id, name and lead account for each byte before the last bracket, that bracket
                    # opens the data; true, false and exponents have an e, null has a u, strings have quotes, and
                    # what is left is {}.
                    start = value.rfind(b"[")
                    if (
                        value[start - before : start] == lead
                        and value[-4:] == b"]}]}"
                        and start - before == len(given) + (20 if request_id is None else 28 + len(request_id))
                        and value.find(b"e", start) < 0
                        and value.find(b"u", start) < 0
                        and value.find(b'"', start) < 0
                        and value.find(b"{", start) < 0
                    ) or self._is_common_after_all(document, tensor, value):
                        ids.append(request_id)
                        data.append(numbers)
                        continue
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
                pass
            odd[len(ids)] = self._general(value)
            ids.append(None)
        return data

    def _is_common_after_all(self, document: dict[str, Any], tensor: dict[str, Any], value: bytes) -> bool:
        """Look closer at a request that is spelt unusually or has members that do not matter."""
        shape = tensor["shape"]
        return (
            shape == self._shape
            and {int}.issuperset(map(type, shape))  # 1.0 and true equal 1
            and tensor["datatype"] == self._datatype
            and "outputs" not in document
            and "parameters" not in tensor
            and value.count(b"[") + value.count(b"{") <= self._limits.max_depth
            and {int, float}.issuperset(map(type, tensor["data"]))
        )

    def _set_odd_ones_apart(self, values: Sequence[bytes | None], step: DecodedStep, data: list[list[float]]) -> None:
        """Send the requests whose data made the block fail the general way, which says why; keep the others."""
        places = [place for place in range(len(values)) if place not in step.odd]
        kept: list[list[float]] = []
        suspects: list[int] = []
        for place, numbers in zip(places, data, strict=True):
            if self._block([numbers]) is None:
                step.odd[place] = self._general(values[place])
            else:
                kept.append(numbers)
                suspects.append(place)
        step.block = self._block(kept) if kept else None
        if step.block is None:  # each is right alone, but together numpy finds no common type for them
            for place in suspects:
                step.odd[place] = self._general(values[place])

    def _block(self, data: list[list[float]]) -> Array | None:
        block = self._floats(data) if self._dtype.kind == "f" else self._integers(data)
        return None if block is None else block.reshape(-1, *self._row_shape)

    def _floats(self, data: list[list[float]]) -> Array | None:
        # By way of doubles always: the rows beside it must not change a row's rounding.
        found = np.fromiter(chain.from_iterable(data), np.float64, len(data) * len(data[0]))
        with np.errstate(over="ignore"):
            block = found.astype(self._dtype, copy=False)
        return block if np.isfinite(block).all() else None

    def _integers(self, data: list[list[float]]) -> Array | None:
        try:
            found = np.array(data)
        except (ValueError, OverflowError):
            return None
        if found.ndim != 2 or found.dtype.kind not in "iu":
            return None
        block = found.astype(self._dtype, copy=False)
        return block if np.array_equal(block, found) else None

    def _general(self, value: bytes | None) -> Decoded:
        request_id: str | None = None
        try:
            document = strict_json.loads(value, self._limits)
            request_id = read_id(document)
            return Decoded(request_id, bind(read_request(document, self._limits), self._signature))
        except RequestError as error:
            return Decoded(request_id, error)

    def decode_raw(self, value: bytes | None) -> Decoded:
        """Decode a raw tensor."""
        try:
            return Decoded(None, self._bind_raw(value))
        except RequestError as error:
            return Decoded(None, error)

    def _bind_raw(self, value: bytes | None) -> BoundRequest:
        if not value:
            raise RequestError(ErrorCode.BAD_REQUEST, "the record has no value")
        if len(value) > self._limits.max_bytes:
            raise RequestError(ErrorCode.TOO_LARGE, f"{len(value)} bytes; at most {self._limits.max_bytes} are read")
        if len(self._signature.inputs) != 1:
            raise RequestError(ErrorCode.UNSUPPORTED, "a raw tensor needs a model with one input; send JSON")
        (spec,) = self._signature.inputs
        array = tensor_from_raw(spec.datatype, spec.shape, value)
        if array.size > self._limits.max_elements:
            raise RequestError(ErrorCode.TOO_LARGE, f"{array.size} elements; at most {self._limits.max_elements}")
        if not self._signature.batched:
            if len(array) != 1:
                raise RequestError(ErrorCode.BAD_SHAPE, "this model takes one tensor a request")
            array = array[0]
        else:
            check_rows(len(array), self._signature)
        return BoundRequest({spec.name: array}, array.shape[0] if self._signature.batched else 1, None)


def _columnar_input(signature: Signature, limits: Limits) -> TensorSpec | None:
    """Return the one numeric input of fixed row shape whose rows can be converted together, if there is one."""
    if len(signature.inputs) != 1 or not signature.batched:
        return None
    (spec,) = signature.inputs
    fixed = all(dim > 0 for dim in spec.shape) and math.prod(spec.shape) <= limits.max_elements
    return spec if fixed and spec.datatype not in ("BYTES", "BOOL") else None
