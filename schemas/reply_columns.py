"""The outputs of a batch as JSON text: each is dumped once for the whole batch, and cut at the borders of its rows."""

from functools import lru_cache
from typing import Final

import numpy as np
import orjson

from penstock.schemas.datatypes import Datatype, datatype_of
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.tensors import Array, strings_to_json

_NUMPY: Final = orjson.OPT_SERIALIZE_NUMPY
_NOT_FINITE: Final = "the model answered NaN or infinity"
_NO_STRING: Final = "the model answered a string that is not Unicode"


@lru_cache(maxsize=1024)
def _column_text(name: str, datatype: Datatype, shape: tuple[int, ...], batched: bool) -> tuple[bytes, bytes, bytes]:
    """Return what stands before the number of rows, what follows it, and both with one row."""
    head = b'{"name":%s,"datatype":"%s","shape":[' % (orjson.dumps(name), datatype.encode())
    dims = b",".join(b"%d" % dim for dim in shape)
    after = (b"," if dims and batched else b"") + dims + b'],"data":['
    return head, after, head + (b"1" if batched else b"") + after


class Column:
    """One output of a batch as JSON text, cut into rows.

    Args:
        name: of the output.
        array: its rows, those of the whole batch.
        batched: False where the array is one request's answer, with one dimension put before it.

    Attributes:
        one: what stands before the elements of one row.
        cells: the elements of each row, between `one` and `]}`.
        bad: tells of each row whether it cannot be encoded; None where all can.
    """

    def __init__(self, name: str, array: Array, batched: bool) -> None:
        datatype = datatype_of(array.dtype)
        self._head, self._dims, self.one = _column_text(name, datatype, array.shape[1:], batched)
        self.cells, self.bad = _strings(array) if datatype == "BYTES" else _numbers(array)
        self._why = _NO_STRING if datatype == "BYTES" else _NOT_FINITE

    def row(self, index: int) -> bytes:
        """Encode one row.

        Raises:
            RequestError: BAD_OUTPUT when it cannot be encoded.
        """
        if self.bad is not None and self.bad[index]:
            raise RequestError(ErrorCode.BAD_OUTPUT, self._why)
        return self.one + self.cells[index] + b"]}"

    def rows(self, index: int, rows: int) -> bytes:
        """Encode neighbouring rows as one tensor.

        Raises:
            RequestError: BAD_OUTPUT when one of them cannot be encoded.
        """
        if self.bad is not None and self.bad[index : index + rows].any():
            raise RequestError(ErrorCode.BAD_OUTPUT, self._why)
        # Rows without elements have no commas between them either.
        cells = b",".join(self.cells[index : index + rows]) if self.cells[index] else b""
        return b"%s%d%s%s]}" % (self._head, rows, self._dims, cells)


def _strings(array: Array) -> tuple[list[bytes], Array | None]:
    """Return each row's strings as JSON text without brackets, and which rows have none."""
    cells: list[bytes] = []
    bad = np.zeros(len(array), dtype=bool)
    for index, row in enumerate(array.reshape(len(array), -1).tolist()):
        try:
            cells.append(strings_to_json(row)[1:-1])
        except RequestError:
            cells.append(b"")
            bad[index] = True
    return cells, bad if bad.any() else None


def _numbers(array: Array) -> tuple[list[bytes], Array | None]:
    """Return each row's numbers as JSON text without brackets, and which rows are not finite."""
    native = array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    if native.size == 0:
        return [b""] * len(array), None
    flat = np.ascontiguousarray(native).reshape(len(array), -1)
    if flat.shape[1] == 1:
        text = orjson.dumps(flat.reshape(-1), option=_NUMPY)
        cells = text[1:-1].split(b",")
    else:
        text = orjson.dumps(flat, option=_NUMPY)
        cells = text[2:-2].split(b"],[")
    # orjson writes null for NaN and infinity, and no number has an n.
    return cells, ~np.isfinite(flat).all(axis=1) if b"n" in text else None
