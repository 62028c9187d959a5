"""The general way: any legal request, one at a time, or what is wrong with it.

It decides what a request means. The faster ways of `core.decoding` must give the same answers.
"""

import orjson

from penstock.core.binding import BoundRequest, bind, check_rows
from penstock.core.model import Signature
from penstock.schemas import strict_json
from penstock.schemas.errors import ErrorCode, RequestError, without_frames
from penstock.schemas.files import File, file_in, not_served
from penstock.schemas.limits import Limits
from penstock.schemas.oip import read_id, read_request
from penstock.schemas.tensors import tensor_from_raw


class Decoded:
    """A request read by itself; exactly one of `bound` and `error` is set.

    Attributes:
        id: the JSON text of the body's id, quotes included; None where there is none.
        bound: its arrays.
        error: why it cannot run.
    """

    __slots__ = ("bound", "error", "id")

    def __init__(self, request_id: bytes | None, outcome: BoundRequest | RequestError) -> None:
        self.id = request_id
        self.bound = outcome if isinstance(outcome, BoundRequest) else None
        self.error = outcome if isinstance(outcome, RequestError) else None

    def __repr__(self) -> str:
        return f"<Decoded id={self.id!r} {self.error or self.bound!r}>"


class GeneralWay:
    """Reads requests for one signature.

    Args:
        signature: the model's.
        limits: bounds on each request.
    """

    def __init__(self, signature: Signature, limits: Limits) -> None:
        self._signature = signature
        self._limits = limits

    def read(self, value: bytes | None) -> Decoded:
        """Read a request in JSON."""
        request_id: bytes | None = None
        try:
            document = strict_json.loads(value, self._limits)
            given = read_id(document)
            request_id = None if given is None else orjson.dumps(given)
            return Decoded(request_id, bind(read_request(document, self._limits), self._signature))
        except RequestError as error:
            return Decoded(request_id, without_frames(error))

    def read_raw(self, value: bytes | None) -> Decoded:
        """Read a raw tensor."""
        try:
            return Decoded(None, self._bind_raw(value))
        except RequestError as error:
            return Decoded(None, without_frames(error))

    def _bind_raw(self, value: bytes | None) -> BoundRequest:
        if not value:
            raise RequestError(ErrorCode.BAD_REQUEST, "the record has no value")
        if len(value) > self._limits.max_bytes:
            raise RequestError(ErrorCode.TOO_LARGE, f"{len(value)} bytes; at most {self._limits.max_bytes} are read")
        file = file_in(value)
        if file is not None and file is not File.PICKLE:  # what a pickle begins with, a tensor may begin with too
            raise not_served(file)
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
