"""JSON decoding that says what is wrong in the words of the error codes.

orjson does the work and is strict already: UTF-8 only, no NaN, no trailing data, at most 1,024 levels. What it
refuses is looked at a second time, slowly, to find out why.
"""

import re
from typing import Any, Final

import numpy as np
import orjson

from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.limits import Limits

_ENDLESS_NUMBER: Final = re.compile(rb"[0-9]{400}")  # the largest double has 309 digits
_NOT_A_NUMBER: Final = re.compile(rb"-?(NaN|Infinity|inf|nan)\b")
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def loads(value: bytes | None, limits: Limits) -> Any:
    """Decode a record's value.

    Raises:
        RequestError: BAD_REQUEST for an empty value, TOO_LARGE, TOO_COMPLEX, BAD_ENCODING or BAD_VALUE.
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
    depth = _bracket_depth(value)
    # Strings can only make it look deeper, so they are taken out only where that matters.
    return depth if depth <= 2 or b'"' not in value else _bracket_depth(_STRINGS.sub(b"", value))


def _bracket_depth(value: bytes) -> int:
    chars = np.frombuffer(value, dtype=np.uint8) | 0x20  # maps [ to { and ] to }, and nothing else to them
    steps = (chars == ord("{")).astype(np.int32) - (chars == ord("}")).astype(np.int32)
    return int(np.cumsum(steps).max(initial=0))


def _explain(value: bytes, error: orjson.JSONDecodeError) -> RequestError:
    text = str(error)
    if _ENDLESS_NUMBER.search(value):
        return RequestError(ErrorCode.TOO_COMPLEX, "a number has hundreds of digits")
    if "infinity" in text or _NOT_A_NUMBER.search(_STRINGS.sub(b"", value)):
        return RequestError(ErrorCode.BAD_VALUE, "JSON has no NaN or infinity, and no number beyond a double")
    # orjson's message ends in the position; it never quotes the document.
    return RequestError(ErrorCode.BAD_ENCODING, f"not JSON in UTF-8: {text}")
