"""The self-test of a version before it takes traffic: it warms up, and says the same twice."""

from typing import Final

import numpy as np

from penstock.core.model import Array, Model, zeros_for
from penstock.schemas.errors import ModelError

_TOLERANCE: Final = 1e-4  # a graphics processor adds up in another order each time


def self_test(model: Model, *, finite: bool) -> None:
    """Warm a model up and run it twice on made-up rows.

    Args:
        model: loaded, and in nobody's use.
        finite: whether its answers must be finite.

    Raises:
        ModelError: it cannot run, or its answers differ, or are not finite.
    """
    model.warm_up()
    who, signature = f"{model.name}@{model.version}", model.signature
    rows = zeros_for(signature, min(2, signature.max_rows or 2))
    try:
        once, again = model.run(rows), model.run(rows)
    except ModelError:
        # Made-up text, or a length of 1 along a free dimension, is more than some sound models can take.
        if any(spec.datatype == "BYTES" or -1 in spec.shape for spec in signature.inputs):
            return
        raise
    for spec in signature.outputs:
        if not _agree(once[spec.name], again[spec.name]):
            raise ModelError(f"{who}: self-test failed: output {spec.name!r} differs between two runs of the same rows")
        if finite and once[spec.name].dtype.kind == "f" and not np.isfinite(once[spec.name]).all():
            raise ModelError(f"{who}: self-test failed: output {spec.name!r} is not finite")


def _agree(one: Array, other: Array) -> bool:
    if one.shape != other.shape:
        return False
    if one.dtype.kind != "f":
        return bool(np.array_equal(one, other))
    return bool(np.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True))
