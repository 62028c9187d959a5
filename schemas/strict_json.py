"""JSON decoding that says what is wrong in the words of the error codes.

orjson does the work and is strict already: UTF-8 only, no NaN, no trailing data, at most 1,024 levels. What it
refuses is looked at a second time, slowly, to find out why.
"""

import re
from typing import Any, Final

import numpy as np
import orjson

from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.files import file_in, not_served
from penstock.schemas.limits import Limits

_ENDLESS_NUMBER: Final = re.compile(rb"[0-9]{400}")  # the largest double has 309 digits
_NOT_A_NUMBER: Final = re.compile(rb"(?:NaN|Infinity|inf|nan)\b")
# A string, or the rest of the text where it never ends. Possessive, because giving back what was matched would make
# the time grow with the square of the length.
_STRINGS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # one level down or up, as int8
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[{]}")


def loads(value: bytes | None, limits: Limits) -> Any:
    """Decode a record's value.

    Raises:
        RequestError: BAD_REQUEST for an empty value, TOO_LARGE, TOO_COMPLEX, BAD_ENCODING, BAD_VALUE, or UNSUPPORTED
            for a file of arrays or objects.
    """
    if not value:
        raise RequestError(ErrorCode.BAD_REQUEST, "the record has no value")
    if len(value) > limits.max_bytes:
        raise RequestError(ErrorCode.TOO_LARGE, f"{len(value)} bytes; at most {limits.max_bytes} are read")
    # As many brackets as levels allowed cannot nest deeper: most requests pass on two counts.
    if value.count(b"[") + value.count(b"{") > limits.max_depth and depth_of(value) > limits.max_depth:
        raise RequestError(ErrorCode.TOO_COMPLEX, f"nested deeper than {limits.max_depth} levels")
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise _explain(value, error) from None


def depth_of(value: bytes) -> int:
    """Return how deep brackets nest, those inside strings left out."""
    brackets = _STRINGS.sub(b"", value).translate(_STEPS, _NO_BRACKETS)
    return int(np.cumsum(np.frombuffer(brackets, dtype=np.int8), dtype=np.int32).max(initial=0))


def _explain(value: bytes, error: orjson.JSONDecodeError) -> RequestError:
    file = file_in(value)
    if file is not None:
        return not_served(file)
    text, outside = str(error), _STRINGS.sub(b"", value)
    if _ENDLESS_NUMBER.search(outside):
        return RequestError(ErrorCode.TOO_COMPLEX, "a number has hundreds of digits")
    if "infinity" in text or _NOT_A_NUMBER.search(outside):
        return RequestError(ErrorCode.BAD_VALUE, "JSON has no NaN or infinity, and no number beyond a double")
    # orjson's message ends in the position; it never quotes the document.
    return RequestError(ErrorCode.BAD_ENCODING, f"not JSON in UTF-8: {text}")
