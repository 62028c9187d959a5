"""Requests of the Open Inference Protocol: read, refused, written."""

from typing import Any

import numpy as np
import orjson
import pytest

from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.limits import Limits
from penstock.schemas.oip import InferRequest, encode_request, read_request

X = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}


def read(document: Any) -> InferRequest:
    return read_request(document, Limits())


def refused(document: Any) -> ErrorCode:
    with pytest.raises(RequestError) as caught:
        read(document)
    return caught.value.code


def changed(**members: Any) -> dict[str, Any]:
    """A request whose one input has other members; those that are None are left out."""
    tensor = {name: value for name, value in {**X, **members}.items() if value is not None}
    return {"inputs": [tensor]}


def test_a_whole_request_is_read_and_foreign_members_are_passed_over() -> None:
    request = read(
        {
            "id": "1",
            "parameters": {"priority": 1},
            "inputs": [X, {**X, "name": "y", "datatype": "BYTES", "data": [["a", "b"]], "parameters": {}}],
            "outputs": [{"name": "a"}, {"name": "b", "parameters": {}}, {"name": "a"}],
            "whatever": [1],
        }
    )
    assert request.id == "1"
    assert [(tensor.name, tensor.datatype, tensor.data.tolist()) for tensor in request.inputs] == [
        ("x", "FP32", [[1.0, 2.0]]),
        ("y", "BYTES", [["a", "b"]]),
    ]
    assert request.outputs == ("a", "b")


@pytest.mark.parametrize("outputs", [None, []])
def test_no_outputs_are_all_outputs(outputs: Any) -> None:
    assert read({"inputs": [X], "outputs": outputs}).outputs is None


@pytest.mark.parametrize("document", [None, 1, "x", [], [{"inputs": [X]}], {}, {"inputs": []}, {"inputs": X}])
def test_what_has_no_inputs_is_a_bad_request(document: Any) -> None:
    assert refused(document) is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize("outputs", [{}, "a", 1, ["a"], [{}], [{"name": 1}], [None]])
def test_outputs_are_a_list_of_names(outputs: Any) -> None:
    assert refused({"inputs": [X], "outputs": outputs}) is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize("request_id", [1, True, [], {}])
def test_an_id_is_a_string(request_id: Any) -> None:
    assert refused({"id": request_id, "inputs": [X]}) is ErrorCode.BAD_REQUEST


def test_an_input_given_twice_is_a_bad_request() -> None:
    assert refused({"inputs": [X, {**X, "data": [3, 4]}]}) is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"inputs": [1]}, ErrorCode.BAD_REQUEST),
        ({"inputs": [None]}, ErrorCode.BAD_REQUEST),
        (changed(name=None), ErrorCode.BAD_REQUEST),
        (changed(name=1), ErrorCode.BAD_REQUEST),
        (changed(data=None), ErrorCode.BAD_REQUEST),
        (changed(datatype=None), ErrorCode.BAD_DTYPE),
        (changed(datatype="fp32"), ErrorCode.BAD_DTYPE),
        (changed(datatype=["FP32"]), ErrorCode.BAD_DTYPE),
        (changed(shape=None), ErrorCode.BAD_SHAPE),
        (changed(shape=[2]), None),
        (changed(shape=[3]), ErrorCode.BAD_SHAPE),
        (changed(shape=[10**9]), ErrorCode.TOO_LARGE),
        (changed(shape=[2**40, 2**40]), ErrorCode.BAD_SHAPE),
        (changed(parameters={"binary_data_size": 8}), ErrorCode.UNSUPPORTED),
        (changed(datatype="BYTES", data=["YQ==", "Y"], parameters={"content_type": "base64"}), ErrorCode.BAD_ENCODING),
    ],
)
def test_an_input_is_refused_with_the_code_of_what_is_wrong(document: Any, code: ErrorCode | None) -> None:
    assert (refused(document) if code else read(document).id) is code


def test_base64_content_becomes_bytes() -> None:
    request = read(changed(datatype="BYTES", data=["YQ==", "/w=="], parameters={"content_type": "base64"}))
    assert request.inputs[0].data.tolist() == [[b"a", b"\xff"]]


def test_what_is_written_is_read_again() -> None:
    array = np.arange(6, dtype=np.float32).reshape(3, 2)
    strings = np.array([["ü", 'a"b']])
    value = encode_request({"x": ("FP32", array), 'n"': ("BYTES", strings)}, request_id='i"')
    request = read(orjson.loads(value))
    assert request.id == 'i"'
    assert [tensor.name for tensor in request.inputs] == ["x", 'n"']
    assert request.inputs[0].data.tolist() == array.tolist()
    assert request.inputs[1].data.tolist() == strings.tolist()
    assert "id" not in orjson.loads(encode_request({"x": ("FP32", array)}))


def test_nan_cannot_be_written() -> None:
    with pytest.raises(RequestError) as caught:
        encode_request({"x": ("FP64", np.array([float("nan")]))})
    assert caught.value.code is ErrorCode.BAD_VALUE
