"""Replies of the Open Inference Protocol v2: encoded a batch at a time by the worker, read by the client.

Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md, "Inference Response JSON
Object" and "Inference Response Errors". An error reply has the members id, code and retryable besides.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
import orjson

from penstock.schemas.datatypes import DTYPES, Datatype, datatype_of
from penstock.schemas.errors import RETRYABLE, ErrorCode, RequestError, ServiceError
from penstock.schemas.tensors import Array, strings_to_json, tensor_from_json

_NUMPY: Final = orjson.OPT_SERIALIZE_NUMPY
_NOT_FINITE: Final = "the model answered NaN or infinity"
_NO_STRING: Final = "the model answered a string that is not Unicode"


def encode_error(error: RequestError, request_id: bytes | None) -> bytes:
    """Encode an error reply; the id is JSON text."""
    body: dict[str, Any] = {"error": error.message, "code": error.code.value}
    body["retryable"] = error.code in RETRYABLE
    if request_id is not None:
        body["id"] = orjson.Fragment(request_id)
    return orjson.dumps(body)


class BatchEncoder:
    """Encodes the outputs of one batch, each request's rows into a reply of its own.

    What is the same in every reply (model, version, names, datatypes) is encoded once; numbers are dumped once
    for the whole batch and cut at the row borders.

    Args:
        model, version: what ran.
        outputs: name -> array.
        batched: the first dimension of each output is the rows of the batch; else it is one request's answer.
    """

    def __init__(self, model: str, version: str, outputs: Mapping[str, Array], *, batched: bool = True) -> None:
        self._head = b'"model_name":%s,"model_version":%s,"outputs":[' % (
            orjson.dumps(model),
            orjson.dumps(version),
        )
        self._arrays = {name: array if batched else array[np.newaxis] for name, array in outputs.items()}
        self._batched = batched

    @cached_property
    def _columns(self) -> "list[_Column]":
        """The outputs as JSON text; nobody asks where all requests are raw."""
        return [_Column(name, array, self._batched) for name, array in self._arrays.items()]

    def encode(self, index: int, rows: int, request_id: bytes | None, wanted: tuple[str, ...] | None = None) -> bytes:
        """Encode the reply of one request.

        Args:
            index: the request's first row in the batch.
            rows: how many rows are its own.
            request_id: the JSON text of the body's id, echoed.
            wanted: names of the outputs to give; None is all.

        Raises:
            RequestError: BAD_OUTPUT where the rows are not finite, BAD_INPUT for an output the model has not.
        """
        columns = self._columns
        if wanted is not None:
            columns = self._select(wanted)
        parts = [column.row(index) if rows == 1 else column.rows(index, rows) for column in columns]
        head = b"{" if request_id is None else b'{"id":%s,' % request_id
        return head + self._head + b",".join(parts) + b"]}"

    def can_encode(self, start: int, stop: int) -> bool:
        """Tell whether these rows of every output can be encoded."""
        return all(column.bad is None or not column.bad[start:stop].any() for column in self._columns)

    def encode_rows(self, start: int, stop: int, ids: Sequence[bytes | None] | None) -> list[bytes]:
        """Encode rows that are one request's each, with every output: the common case.

        Only where they `can_encode`.

        Args:
            start: the first row.
            stop: the row after the last one.
            ids: the JSON text of each request's id; None where none has any.
        """
        # One formatting a row, from a template of what they share.
        columns = b"]},".join(column.one.replace(b"%", b"%%") + b"%b" for column in self._columns)
        tail = self._head.replace(b"%", b"%%") + columns + b"]}]}"
        cells = [column.cells[start:stop] for column in self._columns]
        if ids is None:
            return list(map((b"{" + tail).__mod__, zip(*cells, strict=True)))
        if None in ids:
            tops = [b"{" if each is None else b'{"id":%b,' % each for each in ids]
            return list(map((b"%b" + tail).__mod__, zip(tops, *cells, strict=True)))
        return list(map((b'{"id":%b,' + tail).__mod__, zip(ids, *cells, strict=True)))

    def encode_raw(self, index: int, rows: int, output: str | None) -> bytes:
        """Return the bytes of one output, the model's first unless named.

        Raises:
            RequestError: BAD_INPUT for an output the model has not, UNSUPPORTED for strings.
        """
        return self._raw(index, index + rows, output).tobytes()

    def encode_raw_rows(self, start: int, stop: int, output: str | None) -> list[bytes]:
        """Return the bytes of each row of one output.

        Raises:
            RequestError: as `encode_raw`.
        """
        array = self._raw(start, stop, output)
        data, size = array.tobytes(), array.nbytes // (stop - start)
        return [data[at : at + size] for at in range(0, len(data), size)] if size else [b""] * (stop - start)

    def _raw(self, start: int, stop: int, output: str | None) -> Array:
        name = next(iter(self._arrays)) if output is None else output
        if name not in self._arrays:
            raise RequestError(ErrorCode.BAD_INPUT, f"the model has no output {name!r}")
        array = self._arrays[name][start:stop]
        if array.dtype.kind in "OSU":
            raise RequestError(ErrorCode.UNSUPPORTED, f"output {name!r} holds strings and has no raw form; send JSON")
        return array.astype(DTYPES[datatype_of(array.dtype)], copy=False)

    def _select(self, wanted: tuple[str, ...]) -> "list[_Column]":
        by_name = {column.name: column for column in self._columns}
        missing = [name for name in wanted if name not in by_name]
        if missing:
            raise RequestError(ErrorCode.BAD_INPUT, f"the model has no output {missing[0]!r}")
        return [by_name[name] for name in wanted]


@lru_cache(maxsize=1024)
def _column_text(name: str, datatype: Datatype, shape: tuple[int, ...], batched: bool) -> tuple[bytes, bytes, bytes]:
    """Return what stands before the number of rows, what follows it, and both with one row."""
    head = b'{"name":%s,"datatype":"%s","shape":[' % (orjson.dumps(name), datatype.encode())
    dims = b",".join(b"%d" % dim for dim in shape)
    after = (b"," if dims and batched else b"") + dims + b'],"data":['
    return head, after, head + (b"1" if batched else b"") + after


class _Column:
    """One output of a batch as JSON text, cut into rows."""

    def __init__(self, name: str, array: Array, batched: bool) -> None:
        self.name = name
        datatype = datatype_of(array.dtype)
        self._head, self._dims, self.one = _column_text(name, datatype, array.shape[1:], batched)
        self.cells, self.bad = _strings(array) if datatype == "BYTES" else (_numbers(array), _not_finite_rows(array))
        self._why = _NO_STRING if datatype == "BYTES" else _NOT_FINITE

    def row(self, index: int) -> bytes:
        if self.bad is not None and self.bad[index]:
            raise RequestError(ErrorCode.BAD_OUTPUT, self._why)
        return self.one + self.cells[index] + b"]}"

    def rows(self, index: int, rows: int) -> bytes:
        if self.bad is not None and self.bad[index : index + rows].any():
            raise RequestError(ErrorCode.BAD_OUTPUT, self._why)
        # Rows without elements have no commas between them either.
        cells = b",".join(self.cells[index : index + rows]) if self.cells[index] else b""
        return b"%s%d%s%s]}" % (self._head, rows, self._dims, cells)


def _not_finite_rows(array: Array) -> Array | None:
    if array.dtype.kind != "f":
        return None
    finite = np.isfinite(array)
    if finite.all():
        return None
    return np.logical_not(finite.reshape(len(array), -1).all(axis=1))


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


def _numbers(array: Array) -> list[bytes]:
    """Return each row's numbers as JSON text without brackets."""
    native = np.ascontiguousarray(array)
    if not native.dtype.isnative:
        native = native.astype(native.dtype.newbyteorder("="))
    if math.prod(native.shape[1:]) == 1:
        return orjson.dumps(native.reshape(-1), option=_NUMPY)[1:-1].split(b",")
    if native.size == 0:
        return [b""] * len(array)
    return orjson.dumps(native.reshape(len(array), -1), option=_NUMPY)[2:-2].split(b"],[")


@dataclass(frozen=True, slots=True)
class InferReply:
    """A reply as a client reads it.

    Attributes:
        model, version: what ran.
        outputs: name -> array, shape and dtype as the service declared.
        id: the body's id, or None.
    """

    model: str
    version: str | None
    outputs: dict[str, Array]
    id: str | None = None


def read_reply(value: bytes) -> InferReply:
    """Read a reply.

    Raises:
        ServiceError: the value is an error reply.
        ValueError: the value is no reply at all.
    """
    try:
        body = orjson.loads(value)
        if not isinstance(body, dict):
            raise TypeError("no JSON object")
        if "error" in body:
            raise ServiceError(
                str(body.get("code", "UNKNOWN")), str(body["error"]), retryable=body.get("retryable") is True
            )
        outputs = {item["name"]: _read_output(item) for item in body["outputs"]}
        return InferReply(body["model_name"], body.get("model_version"), outputs, body.get("id"))
    except (ValueError, KeyError, TypeError, RequestError) as error:
        raise ValueError(f"not a reply of the Open Inference Protocol: {error}") from None


def _read_output(item: Any) -> Array:
    return tensor_from_json(item["datatype"], tuple(item["shape"]), item["data"])
