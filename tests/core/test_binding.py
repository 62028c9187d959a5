"""Binding: which requests fit a model."""

from typing import Any

import numpy as np
import pytest

from penstock.core.binding import BoundRequest, bind
from penstock.core.model import Signature, TensorSpec
from penstock.schemas.datatypes import DTYPES, Datatype
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.oip import InferRequest, InputTensor

ONE = Signature((TensorSpec("x", "FP32", (3,)),), (TensorSpec("y", "FP32", ()),))
TWO = Signature((TensorSpec("a", "INT64", (-1,)), TensorSpec("b", "BYTES", ())), (TensorSpec("y", "FP32", ()),))
WHOLE = Signature((TensorSpec("x", "FP32", (-1, 2)),), (TensorSpec("y", "FP32", ()),), batched=False)


def tensor(name: str, datatype: Datatype, shape: tuple[int, ...]) -> InputTensor:
    return InputTensor(name, datatype, np.zeros(shape, DTYPES[datatype]))


def bound(signature: Signature, *inputs: InputTensor, outputs: tuple[str, ...] | None = None) -> BoundRequest:
    return bind(InferRequest(inputs, None, outputs), signature)


def refused(signature: Signature, *inputs: InputTensor, **more: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        bound(signature, *inputs, **more)
    return caught.value


@pytest.mark.parametrize("name", ["x", ""])
def test_the_only_input_may_go_without_a_name(name: str) -> None:
    request = bound(ONE, tensor(name, "FP32", (2, 3)))
    assert list(request.inputs) == ["x"]
    assert (request.rows, request.outputs) == (2, None)


def test_inputs_come_in_the_order_of_the_signature() -> None:
    request = bound(TWO, tensor("b", "BYTES", (2,)), tensor("a", "INT64", (2, 7)), outputs=("y",))
    assert list(request.inputs) == ["a", "b"]
    assert (request.rows, request.outputs) == (2, ("y",))


@pytest.mark.parametrize("names", [["a"], ["b"], ["a", "b", "c"], ["a", ""], [""]])
def test_a_missing_or_unknown_input_is_a_bad_input(names: list[str]) -> None:
    assert refused(TWO, *(tensor(name, "INT64", (1, 1)) for name in names)).code is ErrorCode.BAD_INPUT


def test_an_unknown_output_is_a_bad_input() -> None:
    assert refused(ONE, tensor("x", "FP32", (1, 3)), outputs=("y", "z")).code is ErrorCode.BAD_INPUT


@pytest.mark.parametrize("signature", [ONE, TWO])
def test_an_error_does_not_grow_with_the_names_of_a_request(signature: Signature) -> None:
    long = "n" * 1_000_000
    inputs = [tensor(long, "FP32", (1, 3)), *(tensor(spec.name, spec.datatype, (1, 3)) for spec in signature.inputs)]
    assert len(refused(signature, *inputs).message) < 500
    assert len(refused(ONE, tensor("x", "FP32", (1, 3)), outputs=(long,)).message) < 500


def test_doubles_are_taken_for_floats_and_nothing_else_is_cast() -> None:
    taken = bound(ONE, InputTensor("x", "FP64", np.array([[0.1, 0.2, 0.3]]))).inputs["x"]
    assert taken.dtype == DTYPES["FP32"]
    assert taken.tolist() == np.array([[0.1, 0.2, 0.3]], np.float32).tolist()
    for datatype in set(DTYPES) - {"FP32", "FP64"}:
        assert refused(ONE, tensor("x", datatype, (1, 3))).code is ErrorCode.BAD_DTYPE
    single = Signature((TensorSpec("x", "FP64", (3,)),), ONE.outputs)
    assert refused(single, tensor("x", "FP32", (1, 3))).code is ErrorCode.BAD_DTYPE


def test_a_double_beyond_a_float_is_a_bad_value() -> None:
    assert refused(ONE, InputTensor("x", "FP64", np.array([[1e39, 0, 0]]))).code is ErrorCode.BAD_VALUE


@pytest.mark.parametrize("shape", [(), (3,), (1, 4), (1, 3, 1), (1, 1, 3)])
def test_another_rank_or_dimension_is_a_bad_shape(shape: tuple[int, ...]) -> None:
    error = refused(ONE, tensor("x", "FP32", shape))
    assert error.code is ErrorCode.BAD_SHAPE
    assert error.message.endswith("the model takes [rows, 3]") or shape == ()


def test_inputs_that_differ_in_rows_are_a_bad_shape() -> None:
    assert refused(TWO, tensor("a", "INT64", (2, 7)), tensor("b", "BYTES", (3,))).code is ErrorCode.BAD_SHAPE


def test_an_unbatched_model_takes_the_whole_tensor_as_one_row() -> None:
    request = bound(WHOLE, tensor("x", "FP32", (5, 2)))
    assert (request.rows, request.inputs["x"].shape) == (1, (5, 2))
    assert refused(WHOLE, tensor("x", "FP32", (1, 5, 2))).message.endswith("the model takes [any, 2]")


def test_more_rows_than_the_model_takes_at_once_are_too_large() -> None:
    signature = Signature((TensorSpec("x", "FP32", (1,)),), (TensorSpec("y", "FP32", (1,)),), max_rows=2)

    def request(rows: int) -> InferRequest:
        return InferRequest((InputTensor("x", "FP32", np.zeros((rows, 1), dtype=np.float32)),))

    assert bind(request(2), signature).rows == 2
    with pytest.raises(RequestError) as refused:
        bind(request(3), signature)
    assert refused.value.code is ErrorCode.TOO_LARGE
