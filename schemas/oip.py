"""Requests of the Open Inference Protocol v2, in JSON.

Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md, "Inference Request JSON Object".
This is the reader of every legal request; `core.decoding` has a faster way for the common shape of one.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from penstock.schemas import tensors
from penstock.schemas.datatypes import DTYPES, Datatype
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.limits import Limits
from penstock.schemas.tensors import Array

Wanted = tuple[str, ...] | None  # names of the outputs that a request asks for; None is all


@dataclass(slots=True)  # frozen, it would take three times as long to make
class InputTensor:
    """One named input.

    Attributes:
        name: as the model calls it; empty stands for the model's only input.
        datatype: the datatype declared.
        data: shape and dtype as declared.
    """

    name: str
    datatype: Datatype
    data: Array


@dataclass(slots=True)
class InferRequest:
    """A decoded request.

    Attributes:
        inputs: in the order sent, names unique.
        id: the body's id, or None.
        outputs: names of the outputs wanted; None is all.
    """

    inputs: tuple[InputTensor, ...]
    id: str | None = None
    outputs: Wanted = None


def read_request(document: Any, limits: Limits) -> InferRequest:
    """Read a request from its decoded JSON. Members that the protocol does not know are passed over.

    Raises:
        RequestError: with the code of what is wrong.
    """
    if not isinstance(document, dict):
        raise RequestError(ErrorCode.BAD_REQUEST, "a request is a JSON object")
    request_id = read_id(document)
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise RequestError(ErrorCode.BAD_REQUEST, "a request needs a list of inputs")
    read = tuple(_read_input(item, limits) for item in inputs)
    names = [tensor.name for tensor in read]
    if len(set(names)) != len(names):
        raise RequestError(ErrorCode.BAD_REQUEST, "an input is given twice")
    return InferRequest(read, request_id, read_outputs(document.get("outputs")))


def read_id(document: Any) -> str | None:
    """Return the body's id.

    Raises:
        RequestError: BAD_REQUEST when it is not a string.
    """
    request_id = document.get("id") if isinstance(document, dict) else None
    if request_id is not None and not isinstance(request_id, str):
        raise RequestError(ErrorCode.BAD_REQUEST, "id must be a string")
    return request_id


def _read_input(item: Any, limits: Limits) -> InputTensor:
    if not isinstance(item, dict):
        raise RequestError(ErrorCode.BAD_REQUEST, "an input is a JSON object")
    name, datatype = item.get("name"), item.get("datatype")
    if not isinstance(name, str):
        raise RequestError(ErrorCode.BAD_REQUEST, "an input needs a name")
    if not isinstance(datatype, str) or datatype not in DTYPES:
        raise RequestError(ErrorCode.BAD_DTYPE, "an input's datatype is not one of the protocol's")
    parameters = item.get("parameters")
    if isinstance(parameters, dict) and "binary_data_size" in parameters:
        raise RequestError(ErrorCode.UNSUPPORTED, "binary tensors beside JSON are not read")
    if "data" not in item:
        raise RequestError(ErrorCode.BAD_REQUEST, "an input needs data")
    shape = tensors.check_shape(item.get("shape"), limits)
    as_base64 = isinstance(parameters, dict) and parameters.get("content_type") == "base64"
    data = tensors.tensor_from_json(datatype, shape, item["data"], base64_strings=as_base64)
    return InputTensor(name, datatype, data)


def read_outputs(outputs: Any) -> Wanted:
    """Return the names of the outputs asked for, each once, in the order of their first mention.

    Args:
        outputs: the member as it was decoded; None where there is none.

    Raises:
        RequestError: BAD_REQUEST when it is no list of objects with names.
    """
    if outputs is None or outputs == []:
        return None
    if not isinstance(outputs, list):
        raise RequestError(ErrorCode.BAD_REQUEST, "outputs must be a list")
    names: list[str] = []
    for item in outputs:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str):
            raise RequestError(ErrorCode.BAD_REQUEST, "a requested output needs a name")
        names.append(name)
    return tuple(dict.fromkeys(names))


def encode_request(inputs: dict[str, tuple[Datatype, Array]], *, request_id: str | None = None) -> bytes:
    """Encode a request as a client sends it.

    Args:
        inputs: name -> (datatype, array); the array's shape is the tensor's.
        request_id: the body's id, or None for no member.

    Raises:
        RequestError: BAD_OUTPUT is never raised for finite data; NaN and infinity cannot be said in JSON.
    """
    parts = [
        b'{"name":%s,"shape":%s,"datatype":"%s","data":%s}'
        % (orjson.dumps(name), orjson.dumps(list(array.shape)), datatype.encode(), _data(array))
        for name, (datatype, array) in inputs.items()
    ]
    head = b'{"id":%s,' % orjson.dumps(request_id) if request_id is not None else b"{"
    return head + b'"inputs":[' + b",".join(parts) + b"]}"


def _data(array: Array) -> bytes:
    try:
        return tensors.tensor_to_json(array)
    except RequestError as error:
        raise RequestError(ErrorCode.BAD_VALUE, error.message) from None
