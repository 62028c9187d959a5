"""Tensors on the wire, to and from numpy.

JSON data is flat or nested, row-major (Open Inference Protocol v2, "Tensor Data"). Raw data is little-endian,
row-major, without padding (Triton, docs/protocol/extension_binary_data.md). Nothing is cast silently: a string,
a null or a boolean among numbers is refused, and so is a number that the datatype cannot hold.
"""

import base64
import binascii
import math
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from penstock.schemas.datatypes import DTYPES, Datatype
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.limits import Limits

Array = NDArray[Any]

_MAX_RANK: Final = 32  # numpy before 2 had no more; no model needs it
_INTEGERS: Final = frozenset({"UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"})


def check_shape(shape: object, limits: Limits) -> tuple[int, ...]:
    """Check a declared shape before anything of that size is made.

    Raises:
        RequestError: BAD_SHAPE for what is no shape, TOO_LARGE for one beyond `limits.max_elements`.
    """
    if not isinstance(shape, list) or len(shape) > _MAX_RANK:
        raise RequestError(ErrorCode.BAD_SHAPE, "shape must be a list of whole numbers")
    for dim in shape:
        if type(dim) is not int or dim < 1:
            raise RequestError(ErrorCode.BAD_SHAPE, "every dimension must be a whole number of at least 1")
    elements = math.prod(shape)  # Python's integers do not overflow
    if elements >= 2**63:
        raise RequestError(ErrorCode.BAD_SHAPE, "the product of the dimensions overflows 64 bits")
    if elements > limits.max_elements:
        raise RequestError(ErrorCode.TOO_LARGE, f"{elements} elements; at most {limits.max_elements}")
    return tuple(shape)


def tensor_from_json(
    datatype: Datatype, shape: tuple[int, ...], data: object, *, base64_strings: bool = False
) -> Array:
    """Make an array of `shape` from JSON data, flat or nested.

    Args:
        datatype: what the request declares.
        shape: checked by `check_shape`.
        data: a list, as orjson made it.
        base64_strings: BYTES elements are base64 (MLServer's `content_type: base64`), and become bytes.

    Returns:
        An array of the datatype's dtype; BYTES are an object array of str, or of bytes with `base64_strings`.

    Raises:
        RequestError: BAD_SHAPE where the data does not fill the shape, BAD_VALUE where an element is of another
            kind or out of range, BAD_ENCODING for broken base64.
    """
    if not isinstance(data, list):
        raise RequestError(ErrorCode.BAD_VALUE, "data must be a list")
    flat = _flatten(data, shape)
    if datatype == "BYTES":
        return _strings(flat, base64_strings).reshape(shape)
    kinds = set(map(type, flat))
    wanted = {bool} if datatype == "BOOL" else {int} if datatype in _INTEGERS else {int, float}
    if not kinds <= wanted:
        odd = ", ".join(sorted(kind.__name__ for kind in kinds - wanted))
        raise RequestError(ErrorCode.BAD_VALUE, f"{datatype} data holds elements of another kind: {odd}")
    return _numbers(datatype, flat).reshape(shape)


def _flatten(data: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """Return the elements in row-major order, having checked that the nesting is none or the shape's."""
    elements = math.prod(shape)
    level = data
    if not level or type(level[0]) is not list:
        if len(level) != elements:
            raise RequestError(ErrorCode.BAD_SHAPE, f"{len(level)} elements do not fill shape {list(shape)}")
        return level
    if len(level) != shape[0] if shape else True:
        raise RequestError(ErrorCode.BAD_SHAPE, f"nested data does not have shape {list(shape)}")
    for size in shape[1:]:
        below: list[Any] = []
        for part in level:
            if type(part) is not list or len(part) != size:
                raise RequestError(ErrorCode.BAD_SHAPE, f"nested data does not have shape {list(shape)}")
            below += part
        level = below
    if list in set(map(type, level)):
        raise RequestError(ErrorCode.BAD_SHAPE, f"nested data does not have shape {list(shape)}")
    return level


def _numbers(datatype: Datatype, flat: list[Any]) -> Array:
    dtype = DTYPES[datatype]
    try:
        made = np.fromiter(flat, np.float64 if dtype.kind == "f" else dtype, len(flat))
    except OverflowError:
        raise RequestError(ErrorCode.BAD_VALUE, f"a number does not fit {datatype}") from None
    if made.dtype == dtype:
        return made
    with np.errstate(over="ignore"):
        cast = made.astype(dtype)
    # JSON has no infinity, so an infinite element is one that overflowed.
    if not np.isfinite(cast).all():
        raise RequestError(ErrorCode.BAD_VALUE, f"a number does not fit {datatype}")
    return cast


def _strings(flat: list[Any], base64_strings: bool) -> Array:
    for element in flat:
        if type(element) is not str:
            raise RequestError(ErrorCode.BAD_VALUE, "BYTES data must be strings")
    made = np.empty(len(flat), dtype=object)
    if not base64_strings:
        made[:] = flat
        return made
    try:
        for index, element in enumerate(flat):
            made[index] = base64.b64decode(element, validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(ErrorCode.BAD_ENCODING, "BYTES data is not valid base64") from None
    return made


def tensor_from_raw(datatype: Datatype, row_shape: tuple[int, ...], value: bytes | memoryview) -> Array:
    """View raw bytes as rows of a tensor.

    Args:
        datatype: the datatype of the model's input; BYTES has no raw form.
        row_shape: the dimensions of one row, none of them free.
        value: little-endian, row-major.

    Returns:
        A read-only view, shape [rows, *row_shape].

    Raises:
        RequestError: BAD_SHAPE when the bytes are not a whole number of rows, UNSUPPORTED for BYTES or a row with
            free dimensions.
    """
    if datatype == "BYTES" or any(dim < 1 for dim in row_shape):
        raise RequestError(ErrorCode.UNSUPPORTED, "this model's input has no raw form; send JSON")
    dtype = DTYPES[datatype]
    row_bytes = dtype.itemsize * math.prod(row_shape)
    if len(value) == 0 or len(value) % row_bytes:
        raise RequestError(
            ErrorCode.BAD_SHAPE, f"{len(value)} bytes are not a whole number of rows of {row_bytes} bytes"
        )
    made = np.frombuffer(value, dtype=dtype)
    if dtype.kind == "b" and not (made.view(np.uint8) <= 1).all():
        raise RequestError(ErrorCode.BAD_VALUE, "a BOOL is one byte, 0 or 1")
    return made.reshape((-1, *row_shape))


def tensor_to_json(array: Array) -> bytes:
    """Encode the elements of a tensor as one flat JSON list, row-major.

    Strings stay strings; bytes that are UTF-8 become strings.

    Raises:
        RequestError: BAD_OUTPUT for NaN or infinity, which JSON cannot say, and for what is no string of Unicode.
    """
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.dtype.kind in "OSU":
        return strings_to_json(flat.tolist())
    if flat.dtype.kind == "f" and not np.isfinite(flat).all():
        raise RequestError(ErrorCode.BAD_OUTPUT, "the tensor holds NaN or infinity, which JSON cannot say")
    if flat.dtype.byteorder == ">":
        flat = flat.astype(flat.dtype.newbyteorder("="))
    return orjson.dumps(flat, option=orjson.OPT_SERIALIZE_NUMPY)


def strings_to_json(items: list[Any]) -> bytes:
    """Encode BYTES elements as a JSON list of strings.

    Raises:
        RequestError: BAD_OUTPUT for bytes that are not UTF-8, half a surrogate pair, and what is no string at all.
    """
    try:
        return orjson.dumps([str(item, "utf-8") if isinstance(item, bytes) else _text(item) for item in items])
    except (UnicodeDecodeError, TypeError):
        raise RequestError(ErrorCode.BAD_OUTPUT, "a BYTES element is no string, or not Unicode") from None


def _text(item: Any) -> str:
    if not isinstance(item, str):
        raise TypeError("not a string")
    return item
