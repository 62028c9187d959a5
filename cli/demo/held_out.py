"""Rows that a model has not seen in training, with what scikit-learn answers and what is true."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Self

import numpy as np

from penstock.schemas.tensors import Array

# Between float32 in one order of additions and float32, or float64, in another.
_RTOL: Final = 1e-4
_ATOL: Final = 1e-6


class HeldOut:
    """The held-out rows of one model.

    Args:
        rows: float32 [n, features].
        truth: int64 classes or float32 numbers [n], from the data itself.
        labels: scikit-learn's classes [n]; None for a model that estimates a number.
        scores: scikit-learn's probabilities [n, classes], or its numbers [n, 1].
        trained_on: how many other rows the model learnt from.
    """

    def __init__(self, rows: Array, truth: Array, *, labels: Array | None, scores: Array, trained_on: int) -> None:
        self.rows = rows
        self.truth = truth
        self.labels = labels
        self.scores = scores
        self.trained_on = trained_on
        self._margins = _ATOL + _RTOL * np.abs(scores)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<HeldOut {len(self)} rows of {self.rows.shape[1]}>"

    @property
    def measure(self) -> str:
        """What `score` returns: "accuracy" or "r2"."""
        return "r2" if self.labels is None else "accuracy"

    def row(self, index: int) -> Array:
        """Return a row as a request takes it, shape [1, features]."""
        return self.rows[index : index + 1]

    def is_right(self, index: int, outputs: Mapping[str, Array]) -> bool:
        """Tell whether an answer to a row is scikit-learn's: the same class, and each number within the tolerance.

        Args:
            index: of the row.
            outputs: of the answer, by name. The names are the exporter's affair: classes are integers.
        """
        scores = _of_kind(outputs, "f")
        if scores is None or scores.size != self.scores.shape[1]:
            return False
        if not (np.abs(scores.ravel() - self.scores[index]) <= self._margins[index]).all():
            return False
        if self.labels is None:
            return True
        label = _of_kind(outputs, "iu")
        return label is not None and label.size == 1 and bool(label.ravel()[0] == self.labels[index])

    def score(self, answers: Mapping[int, Mapping[str, Array]]) -> float:
        """Return how true answers are: the share of true classes, or the coefficient of determination R².

        Args:
            answers: outputs by row; at least one.
        """
        at = list(answers)
        truth = self.truth[at]
        if self.labels is not None:
            return float((_firsts(answers.values(), "iu") == truth).mean())
        left = ((truth - _firsts(answers.values(), "f")) ** 2).sum()
        return float(1 - left / ((truth - truth.mean()) ** 2).sum())

    def expected(self, index: int) -> Mapping[str, Array]:
        """Return scikit-learn's answer to a row, as a model's outputs."""
        scores = self.scores[index : index + 1]
        return (
            {"scores": scores} if self.labels is None else {"label": self.labels[index : index + 1], "scores": scores}
        )

    def write(self, folder: Path, name: str) -> None:
        """Write everything to `<folder>/held-out/<name>.npz`."""
        path = _path(folder, name)
        path.parent.mkdir(exist_ok=True)
        np.savez(
            path,
            rows=self.rows,
            truth=self.truth,
            labels=np.empty(0) if self.labels is None else self.labels,
            scores=self.scores,
            trained_on=np.array(self.trained_on),
        )

    @classmethod
    def read(cls, folder: Path, name: str) -> Self:
        """Read what `write` has written."""
        with np.load(_path(folder, name)) as stored:
            return cls(
                stored["rows"],
                stored["truth"],
                labels=stored["labels"] if stored["labels"].size else None,
                scores=stored["scores"],
                trained_on=int(stored["trained_on"]),
            )


def describe(outputs: Mapping[str, Array]) -> str:
    """Return an answer to one row for people: its class and how probable it is, or its number."""
    label, scores = _of_kind(outputs, "iu"), _of_kind(outputs, "f")
    if scores is None:
        return "nothing"
    return f"{scores.ravel()[0]:.4f}" if label is None else f"class {label.ravel()[0]} at {scores.max():.4f}"


def _path(folder: Path, name: str) -> Path:
    return folder / "held-out" / f"{name}.npz"


def _of_kind(outputs: Mapping[str, Array], kinds: str) -> Array | None:
    """Return the output whose numpy kind is one of these; None unless there is exactly one."""
    found = [array for array in outputs.values() if array.dtype.kind in kinds]
    return found[0] if len(found) == 1 else None


def _firsts(answers: Iterable[Mapping[str, Array]], kinds: str) -> Array:
    """Return the first element of that kind of each answer; NaN for an answer without one."""
    found = [_of_kind(outputs, kinds) for outputs in answers]
    return np.array([np.nan if array is None else array.ravel()[0] for array in found])
