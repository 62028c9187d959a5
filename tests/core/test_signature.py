"""What may be declared of a model's inputs and outputs."""

from typing import Any

import pytest

from penstock.core.model import Signature, TensorSpec

X = TensorSpec("x", "FP32", (3,))


def test_lists_are_as_good_as_tuples() -> None:
    given: Any = [TensorSpec("x", "FP32", [3])]  # type: ignore[arg-type]
    assert Signature(inputs=given, outputs=given) == Signature(inputs=(X,), outputs=(X,))
    assert hash(Signature(inputs=given, outputs=given)) == hash(Signature(inputs=(X,), outputs=(X,)))


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_a_forgotten_comma_is_named(side: str) -> None:
    sides: dict[str, Any] = {"inputs": (X,), "outputs": (X,), side: (X)}
    with pytest.raises(TypeError, match=rf"{side} of a signature .* one alone needs its comma"):
        Signature(**sides)


def test_what_is_no_tensor_is_named() -> None:
    given: Any = ("x",)
    with pytest.raises(TypeError, match="inputs of a signature must be a tuple of TensorSpec, not \\('x',\\)"):
        Signature(inputs=given, outputs=(X,))


def test_a_datatype_of_numpy_is_none_of_the_protocols() -> None:
    given: Any = "float32"
    with pytest.raises(ValueError, match=r"tensor 'x': no datatype 'float32'; there are BOOL, .*FP32"):
        TensorSpec("x", given, (3,))


def test_a_number_is_no_shape() -> None:
    given: Any = 3
    with pytest.raises(TypeError, match=r"tensor 'x': a shape is a tuple such as \(4,\), not 3"):
        TensorSpec("x", "FP32", given)
