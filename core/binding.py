"""Binding: whether a decoded request fits the model, and which arrays the model gets."""

from dataclasses import dataclass

import numpy as np

from penstock.core.model import Array, Signature, TensorSpec
from penstock.schemas.datatype_mismatch import mismatch
from penstock.schemas.datatypes import DTYPES
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.oip import InferRequest, InputTensor, Wanted


@dataclass(slots=True)  # frozen, it would take three times as long to make
class BoundRequest:
    """A request that the model can run.

    Attributes:
        inputs: every input of the signature, in its order and with its dtype.
        rows: the size of the first dimension; 1 for a model that is not batched.
        outputs: names of the outputs wanted; None is all.
    """

    inputs: dict[str, Array]
    rows: int
    outputs: Wanted


def bind(request: InferRequest, signature: Signature) -> BoundRequest:
    """Match a request against a signature.

    Raises:
        RequestError: BAD_INPUT, BAD_DTYPE or BAD_SHAPE.
    """
    tensors = _by_name(request, signature)
    inputs: dict[str, Array] = {}
    rows: int | None = None
    for spec in signature.inputs:
        array = _typed(tensors[spec.name], spec)
        if signature.batched:
            if array.ndim == 0 or (rows is not None and array.shape[0] != rows):
                raise RequestError(ErrorCode.BAD_SHAPE, "the inputs differ in their number of rows")
            rows = array.shape[0]
        _check_shape(spec, array, signature.batched)
        inputs[spec.name] = array
    if rows is not None:
        check_rows(rows, signature)
    if request.outputs is not None:
        known = {spec.name for spec in signature.outputs}
        for name in request.outputs:
            if name not in known:
                raise RequestError(ErrorCode.BAD_INPUT, f"the model has no output {_short(name)}")
    return BoundRequest(inputs, 1 if rows is None else rows, request.outputs)


def check_rows(rows: int, signature: Signature) -> None:
    """Hold a request to the model's own bound on a batch.

    Raises:
        RequestError: TOO_LARGE.
    """
    if signature.max_rows is not None and rows > signature.max_rows:
        raise RequestError(ErrorCode.TOO_LARGE, f"{rows} rows; the model takes at most {signature.max_rows} at once")


def _by_name(request: InferRequest, signature: Signature) -> dict[str, InputTensor]:
    given = {tensor.name: tensor for tensor in request.inputs}
    wanted = [spec.name for spec in signature.inputs]
    if given.keys() == set(wanted):
        return given
    if len(wanted) == 1 and set(given) == {""}:
        return {wanted[0]: given[""]}
    missing = [name for name in wanted if name not in given]
    if missing:
        raise RequestError(ErrorCode.BAD_INPUT, f"input {missing[0]!r} is missing; the model takes {wanted}")
    extra = [name for name in given if name not in wanted]
    if extra:
        raise RequestError(ErrorCode.BAD_INPUT, f"input {_short(extra[0])} is unknown; the model takes {wanted}")
    return given


def _short(name: str) -> str:
    """Quote a name that a request made up: an error reply must not grow with it."""
    return repr(name[:64])


def _typed(tensor: InputTensor, spec: TensorSpec) -> Array:
    if tensor.datatype == spec.datatype:
        return tensor.data
    if tensor.datatype == "FP64" and spec.datatype == "FP32":
        # The one cast that is taken: JSON clients have doubles and nothing else.
        with np.errstate(over="ignore"):
            cast = tensor.data.astype(DTYPES["FP32"])
        if not np.isfinite(cast).all():  # JSON has no infinity: this one has overflowed
            raise RequestError(ErrorCode.BAD_VALUE, f"input {spec.name!r} is FP32; a number does not fit it")
        return cast
    raise RequestError(ErrorCode.BAD_DTYPE, mismatch(spec.name, spec.datatype, tensor.datatype))


def _check_shape(spec: TensorSpec, array: Array, batched: bool) -> None:
    shape = array.shape[1:] if batched else array.shape
    if not spec.accepts(shape):
        free = ["rows"] if batched else []
        wanted = [*free, *("any" if dim < 0 else str(dim) for dim in spec.shape)]
        raise RequestError(
            ErrorCode.BAD_SHAPE,
            f"input {spec.name!r} has shape {list(array.shape)}; the model takes [{', '.join(wanted)}]",
        )
