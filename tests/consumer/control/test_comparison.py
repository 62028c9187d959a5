"""How a shadow's answers are held against the live ones."""

from typing import Any

import numpy as np
import pytest

from penstock.consumer.control.comparison import Comparison, compare

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("live", "shadow", "found"),
    [
        (np.array([1, 2, 3]), np.array([1, 0, 3]), Comparison(2, 1)),
        (np.array([1, 2], "i8"), np.array([1, 2], "i4"), Comparison(2, 0)),
        (np.array([[1, 2], [3, 4]]), np.array([[1, 9], [3, 4]]), Comparison(1, 1)),
        (np.array([True, False]), np.array([True, True]), Comparison(1, 1)),
        (np.array(["a", "b"], object), np.array(["a", "c"], object), Comparison(1, 1)),
        (np.array(["a", "b"], object), np.array(["a", "b"]), Comparison(2, 0)),
        (np.array([1.0, 2.0]), np.array([1.0, 2.5]), Comparison(0, 0, 0.5)),
        (np.array([1.0], "f4"), np.array([1.0], "f8"), Comparison(0, 0, 0.0)),
        (np.array([NAN, INFINITE, -INFINITE]), np.array([NAN, INFINITE, -INFINITE]), Comparison(0, 0, 0.0)),
        (np.array([NAN, 1.0]), np.array([1.0, 1.0]), Comparison(0, 0, INFINITE)),
        (np.array([INFINITE]), np.array([-INFINITE]), Comparison(0, 0, INFINITE)),
        (np.zeros((2, 0)), np.zeros((2, 0)), Comparison(0, 0, 0.0)),
        (np.zeros((2, 0), int), np.zeros((2, 0), int), Comparison(2, 0)),
    ],
)
def test_labels_are_compared_by_row_and_floats_by_their_largest_difference(
    live: Any, shadow: Any, found: Comparison
) -> None:
    assert compare(live, shadow) == found


@pytest.mark.parametrize(
    ("live", "shadow"),
    [
        (np.array([1]), np.array([1.0])),
        (np.array(["1"], object), np.array([1])),
        (np.array([[1, 2]]), np.array([[1, 2, 3]])),
        (np.array([1]), np.array([[1]])),
    ],
)
def test_outputs_of_another_kind_or_shape_are_not_compared(live: Any, shadow: Any) -> None:
    assert compare(live, shadow) is None


def test_what_is_one_requests_answer_counts_as_one() -> None:
    assert compare(np.array([1, 2, 3]), np.array([1, 0, 0]), batched=False) == Comparison(0, 1)
