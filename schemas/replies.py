"""Replies of the Open Inference Protocol v2: encoded a batch at a time by the worker, read by the client.

Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md, "Inference Response JSON
Object" and "Inference Response Errors". An error reply has the members id, code and retryable besides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
import orjson

from penstock.schemas.datatypes import DTYPES, datatype_of
from penstock.schemas.errors import RETRYABLE, ErrorCode, RequestError, ServiceError
from penstock.schemas.oip import Wanted
from penstock.schemas.reply_columns import Column
from penstock.schemas.tensors import Array, tensor_from_json


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
        finite_only: raw replies with NaN or infinity are refused too; JSON has no word for them.
    """

    def __init__(
        self,
        model: str,
        version: str,
        outputs: Mapping[str, Array],
        *,
        batched: bool = True,
        finite_only: bool = False,
    ) -> None:
        self._finite_only = finite_only
        self._head = _head(model, version)
        self._arrays = {name: array if batched else array[np.newaxis] for name, array in outputs.items()}
        self._batched = batched
        self._columns: dict[str, Column] = {}  # those that somebody has asked for

    def encode(self, index: int, rows: int, request_id: bytes | None, wanted: Wanted = None) -> bytes:
        """Encode the reply of one request.

        Args:
            index: the request's first row in the batch.
            rows: how many rows are its own.
            request_id: the JSON text of the body's id, echoed.
            wanted: names of the outputs to give; None is all.

        Raises:
            RequestError: BAD_OUTPUT where the rows are not finite, BAD_INPUT for an output the model has not.
        """
        parts = [column.row(index) if rows == 1 else column.rows(index, rows) for column in self._select(wanted)]
        head = b"{" if request_id is None else b'{"id":%s,' % request_id
        return head + self._head + b",".join(parts) + b"]}"

    def can_encode(self, start: int, stop: int, wanted: Sequence[Wanted] | None = None) -> bool:
        """Tell whether these rows of every output that one of the requests wants can be encoded.

        Args:
            start: the first row.
            stop: the row after the last one.
            wanted: names of the outputs that each request wants; None where all want all.

        Raises:
            RequestError: BAD_INPUT for an output the model has not.
        """
        kinds = {None} if wanted is None else set(wanted)
        names = None if None in kinds else tuple(dict.fromkeys(chain.from_iterable(filter(None, kinds))))
        return all(column.bad is None or not column.bad[start:stop].any() for column in self._select(names))

    def encode_rows(
        self, start: int, stop: int, ids: Sequence[bytes | None] | None, wanted: Sequence[Wanted] | None = None
    ) -> list[bytes]:
        """Encode rows that are one request's each: the common case.

        Only where they `can_encode`.

        Args:
            start: the first row.
            stop: the row after the last one.
            ids: the JSON text of each request's id; None where none has any.
            wanted: names of the outputs that each request wants; None where all want all.
        """
        if wanted is None or wanted.count(wanted[0]) == len(wanted):
            columns = self._select(None if wanted is None else wanted[0])
            return self._fill(columns, [column.cells[start:stop] for column in columns], ids)
        kinds: dict[Wanted, list[int]] = {}
        for at, each in enumerate(wanted):
            kinds.setdefault(each, []).append(at)
        values = [b""] * len(wanted)
        for each, places in kinds.items():
            columns = self._select(each)
            cells = [[column.cells[start + at] for at in places] for column in columns]
            filled = self._fill(columns, cells, ids and [ids[at] for at in places])
            for at, value in zip(places, filled, strict=True):
                values[at] = value
        return values

    def _fill(self, columns: list[Column], cells: list[list[bytes]], ids: Sequence[bytes | None] | None) -> list[bytes]:
        """Encode requests that want the same columns: one formatting each, from a template of what they share."""
        tail = _template(self._head, *[column.one for column in columns])
        if ids is None:
            return list(map((b"{" + tail).__mod__, zip(*cells, strict=True)))
        if None in ids:
            tops = [b"{" if each is None else b'{"id":%b,' % each for each in ids]
            return list(map((b"%b" + tail).__mod__, zip(tops, *cells, strict=True)))
        return list(map((b'{"id":%b,' + tail).__mod__, zip(ids, *cells, strict=True)))

    def encode_raw(self, index: int, rows: int, output: str | None) -> bytes:
        """Return the bytes of one output, the model's first unless named.

        Raises:
            RequestError: BAD_INPUT for an output the model has not, UNSUPPORTED for strings, BAD_OUTPUT for what is not
                finite where it has to be.
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
        if self._finite_only and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise RequestError(ErrorCode.BAD_OUTPUT, f"the model answered NaN or infinity in {name!r}")
        return array.astype(DTYPES[datatype_of(array.dtype)], copy=False)

    def _select(self, wanted: Wanted) -> list[Column]:
        """Return outputs as JSON text, made when they are first asked for."""
        names = tuple(self._arrays) if wanted is None else wanted
        for name in names:
            if name not in self._arrays:
                raise RequestError(ErrorCode.BAD_INPUT, f"the model has no output {name!r}")
            if name not in self._columns:
                self._columns[name] = Column(name, self._arrays[name], self._batched)
        return [self._columns[name] for name in names]


@lru_cache(maxsize=64)
def _head(model: str, version: str) -> bytes:
    return b'"model_name":%s,"model_version":%s,"outputs":[' % (orjson.dumps(model), orjson.dumps(version))


@lru_cache(maxsize=1024)
def _template(head: bytes, *columns: bytes) -> bytes:
    """Return a reply of one row, from behind its id, with a hole for the elements of each column."""
    return head.replace(b"%", b"%%") + b"]},".join(one.replace(b"%", b"%%") + b"%b" for one in columns) + b"]}]}"


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
