"""What came of each row, and how outputs read best: by their kind and shape, whatever they are called."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from penstock.cli.predict.asking import Answer
from penstock.producer.prediction import Prediction
from penstock.schemas.errors import PenstockError, RequestTimeout, ServiceError
from penstock.schemas.tensors import Array

_ALL_SCORES: Final = 4  # so many are shown side by side; of more, the highest few
_HIGHEST: Final = 3
_FEW: Final = 8  # elements of an array that are shown


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a row has no answer.

    Attributes:
        code: the service's, or TIMEOUT, or TRANSPORT.
        message: for a person.
        retryable: sending it again may succeed.
    """

    code: str
    message: str
    retryable: bool

    @classmethod
    def of(cls, error: PenstockError) -> "Failure":
        """Return what an error says."""
        if isinstance(error, ServiceError):
            return cls(error.code, error.message, error.retryable)
        code = "TIMEOUT" if isinstance(error, RequestTimeout) else "TRANSPORT"
        return cls(code, str(error).replace("\n", " "), True)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one row, or of several where a model's answer does not tell them apart.

    Attributes:
        number: of the row, from 1; of the first where there are several.
        rows: how many.
        outputs: name -> this row's part; empty when it failed.
        answer: the request that it was part of.
        failure: why it failed.
    """

    number: int
    rows: int
    outputs: Mapping[str, Array]
    answer: Answer
    failure: Failure | None

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        if self.failure is not None:
            failure = self.failure
            error = {"code": failure.code, "message": failure.message, "retryable": failure.retryable}
            return {"row": self.number, "error": error}
        prediction = self.answer.outcome
        assert isinstance(prediction, Prediction)
        several = {"rows": self.rows} if self.rows > 1 else {}
        return {
            "row": self.number,
            **several,
            "model": prediction.model,
            "version": prediction.version,
            "outputs": {name: _plain(array) for name, array in self.outputs.items()},
            "id": prediction.id,
            "source": prediction.source,
            "latency_ms": round(self.answer.took_s * 1000, 3),
        }


def rows_of(answer: Answer, first: int) -> Iterator[Row]:
    """Yield the rows of a request.

    Args:
        answer: of the request.
        first: number of its first row.
    """
    rows, outcome = len(answer.block), answer.outcome
    if isinstance(outcome, PenstockError):
        failure = Failure.of(outcome)
        yield from (Row(first + step, 1, {}, answer, failure) for step in range(rows))
    elif all(array.ndim and len(array) == rows for array in outcome.outputs.values()):
        for step in range(rows):
            yield Row(first + step, 1, {name: array[step] for name, array in outcome.outputs.items()}, answer, None)
    else:
        yield Row(first, rows, outcome.outputs, answer, None)


def cells_of(row: Row) -> dict[str, str]:
    """Return a row's outputs as a person reads them: heading -> text.

    A whole number or a string, and a vector of floats beside it, are a class and the scores of all classes. One float
    is a value. One vector of floats that sum to 1 are probabilities. Everything else stands under its own name.
    """
    outputs = {name: np.asarray(array) for name, array in row.outputs.items()}
    single = {name: array for name, array in outputs.items() if array.size == 1 and array.ndim <= 1}
    vectors = {
        name: array for name, array in outputs.items() if array.ndim == 1 and array.size > 1 and _is_float(array)
    }
    if len(outputs) == 2 and len(single) == 1 and len(vectors) == 1:
        ((label,), (scores,)) = single.values(), vectors.values()
        if not _is_float(label):
            return {"label": _text(label.reshape(-1)[0]), "scores": _scores(scores)}
    if len(outputs) == 1 and single:
        (only,) = single.values()
        return {"value" if _is_float(only) else "label": _text(only.reshape(-1)[0])}
    if len(outputs) == 1 and vectors and _are_probabilities(next(iter(vectors.values()))):
        return {"probabilities": _highest(next(iter(vectors.values())))}
    return {name: _array(array) for name, array in outputs.items()}


def _plain(array: Any) -> Any:
    """Return what JSON is made of: strings as a list, numbers as numpy has them, which keeps short floats short."""
    if not isinstance(array, np.ndarray):
        return array
    return array.tolist() if array.dtype.kind == "O" else np.ascontiguousarray(array)


def _is_float(array: Array) -> bool:
    return array.dtype.kind == "f"


def _are_probabilities(vector: Array) -> bool:
    return bool((vector >= 0).all()) and abs(float(vector.sum()) - 1) < 1e-3


def _scores(scores: Array) -> str:
    if scores.size > _ALL_SCORES:
        return _highest(scores)
    return " ".join(_score(score) for score in scores)


def _highest(scores: Array) -> str:
    """Return the highest scores, each after the place of its class, which is not always the class's name."""
    places = np.argsort(-scores, kind="stable")[:_HIGHEST]
    rest = ", ..." if scores.size > _HIGHEST else ""
    return ", ".join(f"[{place}] {_score(scores[place])}" for place in places) + rest


def _score(score: float) -> str:
    return f"{score:.4f}" if -1e-4 < score < 1 + 1e-4 else f"{score:.4g}"


def _text(element: Any) -> str:
    if isinstance(element, np.floating):
        return f"{element:.6g}"
    return element.decode(errors="replace") if isinstance(element, bytes) else str(element)


def _array(array: Array) -> str:
    flat = array.reshape(-1)
    shown = ", ".join(_text(element) for element in flat[:_FEW])
    if array.ndim == 0 or (array.size == 1 and array.ndim == 1):
        return shown
    shape = "x".join(map(str, array.shape))
    return (
        f"[{shown}]"
        if array.size <= _FEW and array.ndim == 1
        else f"[{shown}{', ...' * (array.size > _FEW)}] ({shape})"
    )
