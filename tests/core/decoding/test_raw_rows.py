"""Raw tensors: a step of them becomes one column, and each gets the answer it gets alone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.decoding.decoder import RequestDecoder
from penstock.core.decoding.general_way import GeneralWay
from penstock.core.model import Signature, TensorSpec
from penstock.schemas.errors import ErrorCode
from penstock.schemas.limits import Limits
from tests.core.decoding.decoded_answers import answers, of_decoded

LIMITS = Limits(max_bytes=100, max_elements=15)
OUTPUTS = (TensorSpec("y", "FP32", ()),)
X = TensorSpec("x", "FP32", (3,))
SIGNATURES = [
    Signature((X,), OUTPUTS),
    Signature((X,), OUTPUTS, max_rows=2),
    Signature((X,), OUTPUTS, batched=False),
    Signature((TensorSpec("x", "BOOL", (2,)),), OUTPUTS),
    Signature((TensorSpec("x", "FP64", ()),), OUTPUTS),
    Signature((TensorSpec("x", "FP32", (-1,)),), OUTPUTS),
    Signature((TensorSpec("x", "BYTES", ()),), OUTPUTS),
    Signature((X, TensorSpec("w", "FP32", ())), OUTPUTS),
]
VALUES: st.SearchStrategy[bytes | None] = st.one_of(
    st.none(),
    st.sampled_from([b"", bytes(12), bytes(24), bytes(36), bytes(101), b"\1\0", b"\2\0", bytes(13)]),
    st.binary(min_size=12, max_size=12),
    st.binary(max_size=80),
)


@settings(deadline=None)
@given(st.sampled_from(SIGNATURES), st.lists(VALUES, max_size=8))
def test_each_raw_tensor_gets_the_answer_it_gets_alone(signature: Signature, values: list[bytes | None]) -> None:
    general = GeneralWay(signature, LIMITS)
    step = RequestDecoder(signature, LIMITS).decode_raw(values)
    assert answers(step, len(values)) == [of_decoded(general.read_raw(value)) for value in values]


def test_raw_rows_become_one_column() -> None:
    rows = np.arange(12, dtype="<f4")
    step = RequestDecoder(SIGNATURES[0], LIMITS).decode_raw([rows[:3].tobytes(), b"", rows[3:9].tobytes()])
    assert step.columns["x"].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert list(step.odd) == [1]
    assert step.rows is not None
    assert (step.rows[0], step.rows[2]) == (1, 2)
    assert step.ids == [None] * 3


def test_a_raw_tensor_of_an_unbatched_model_is_one() -> None:
    step = RequestDecoder(SIGNATURES[2], LIMITS).decode_raw([bytes(12), bytes(24)])
    one, two = step.odd[0], step.odd[1]
    assert one.bound is not None
    assert (one.bound.rows, one.bound.inputs["x"].shape) == (1, (3,))
    assert two.error is not None
    assert two.error.code is ErrorCode.BAD_SHAPE


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, ErrorCode.BAD_REQUEST),
        (b"", ErrorCode.BAD_REQUEST),
        (bytes(13), ErrorCode.BAD_SHAPE),
        (bytes(72), ErrorCode.TOO_LARGE),  # elements
        (bytes(LIMITS.max_bytes + 1), ErrorCode.TOO_LARGE),
    ],
)
def test_a_raw_value_that_is_no_rows_is_refused(value: Any, code: ErrorCode) -> None:
    error = RequestDecoder(SIGNATURES[0], LIMITS).decode_raw([value]).odd[0].error
    assert error is not None
    assert error.code is code


def test_a_raw_tensor_needs_a_model_with_one_input() -> None:
    error = RequestDecoder(SIGNATURES[-1], LIMITS).decode_raw([bytes(12)]).odd[0].error
    assert error is not None
    assert error.code is ErrorCode.UNSUPPORTED
