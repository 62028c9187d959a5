"""The self-test of a version before it takes traffic."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from penstock.core.callable_model import CallableModel
from penstock.core.model import Signature, TensorSpec
from penstock.core.self_test import self_test
from penstock.schemas.datatypes import Datatype
from penstock.schemas.errors import ModelError


def model(
    function: Callable[[Any], Any], *, takes: Datatype = "FP32", gives: Datatype = "FP32", shape: tuple[int, ...] = ()
) -> CallableModel:
    signature = Signature((TensorSpec("x", takes, shape),), (TensorSpec("y", gives, shape),))
    return CallableModel("m", "1", lambda inputs: {"y": function(inputs["x"])}, signature)


def test_a_model_that_says_the_same_twice_passes() -> None:
    self_test(model(lambda x: x + 1), finite=True)
    self_test(model(lambda x: x, takes="BYTES", gives="BYTES"), finite=True)


def test_a_last_digit_that_differs_is_no_difference() -> None:
    number = itertools.count()
    self_test(model(lambda x: x + np.float32(1 + next(number) * 1e-6)), finite=True)


def test_one_that_says_something_else_each_time_fails() -> None:
    number = itertools.count()
    with pytest.raises(ModelError, match="m@1: self-test failed: output 'y' differs between two runs of the same rows"):
        self_test(model(lambda x: x + np.float32(next(number))), finite=False)
    with pytest.raises(ModelError, match="differs"):
        self_test(model(lambda x: np.full(len(x), next(number)), gives="INT64"), finite=False)


def test_what_is_not_finite_fails_only_where_it_must_be() -> None:
    blind = model(lambda x: x + np.float32("nan"))
    self_test(blind, finite=False)
    with pytest.raises(ModelError, match="output 'y' is not finite"):
        self_test(blind, finite=True)


def test_one_that_cannot_run_fails() -> None:
    with pytest.raises(ModelError, match="m@1 raised ZeroDivisionError"):
        self_test(model(lambda x: 1 // 0), finite=False)
