"""How far a shadow's answers are from the live ones: one output, a whole batch at a time.

Pure: arrays in, figures out.
"""

from typing import NamedTuple

import numpy as np

from penstock.core.model import Array


class Comparison(NamedTuple):
    """What came of comparing an output of two versions.

    Attributes:
        same, different: rows of labels, numbers without a fraction or strings, that are equal, or not; 0 for others.
        largest: the largest absolute difference in the batch where the output is of floats; else None.
    """

    same: int
    different: int
    largest: float | None = None


def compare(live: Array, shadow: Array, *, batched: bool = True) -> Comparison | None:
    """Compare one output of two versions for the same rows; None where they are not of one kind and shape.

    Args:
        live: what the live version answered, shape [rows, ...] when batched.
        shadow: what the shadow answered.
        batched: False where the whole array is one request's answer.
    """
    kind = _kind(live)
    if kind is None or kind != _kind(shadow) or live.shape != shadow.shape:
        return None
    if kind == "float":
        return Comparison(0, 0, _largest(live, shadow))
    rows = len(live) if batched else 1
    # A label may have several elements: one that differs makes the row differ.
    different = int(np.asarray(live != shadow, dtype=bool).reshape(rows, -1).any(axis=1).sum())
    return Comparison(rows - different, different)


def _kind(array: Array) -> str | None:
    kinds = {"b": "whole", "i": "whole", "u": "whole", "O": "text", "S": "text", "U": "text", "f": "float"}
    return kinds.get(array.dtype.kind)


def _largest(live: Array, shadow: Array) -> float:
    """Return the largest absolute difference: what is equal differs by 0, and from NaN only NaN does not differ."""
    one, other = live.astype(np.float64), shadow.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0.0, np.abs(one - other))
    return float(np.where(np.isnan(apart), np.inf, apart).max(initial=0.0))
