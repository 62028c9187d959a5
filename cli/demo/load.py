"""The demo's client: every held-out row is asked for and compared, then many requests for rate and latency."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.cli.demo.model import NAME, ROWS_FILE, RTOL
from penstock.producer.client import Client
from penstock.producer.prediction import Prediction
from penstock.schemas.errors import PenstockError


@dataclass(slots=True)
class Tally:
    """What came of some requests.

    Attributes:
        sent, right: how many.
        wrong: answers that are not scikit-learn's.
        failed: requests without an answer, with why.
        seconds: from the first request to the last answer.
        latencies: seconds from request to answer, each.
    """

    sent: int = 0
    right: int = 0
    wrong: int = 0
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether every request was answered, rightly."""
        return self.sent > 0 and self.right == self.sent

    @property
    def rate(self) -> float:
        """Requests answered per second."""
        return (self.right + self.wrong) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Return a percentile of the latencies, in milliseconds."""
        return float(np.percentile(self.latencies, share)) * 1000 if self.latencies else float("nan")


class HeldOut:
    """The held-out rows, with what scikit-learn says of each.

    Args:
        folder: where `demo_model.build` has written them.
    """

    def __init__(self, folder: Path) -> None:
        with np.load(folder / ROWS_FILE) as stored:
            self.rows: NDArray[np.float32] = stored["rows"]
            self._labels: NDArray[np.int64] = stored["labels"]
            self._probabilities: NDArray[np.float64] = stored["probabilities"]

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, index: int) -> NDArray[np.float32]:
        """Return a row as a request takes it, shape [1, 30]; indices beyond the last begin again."""
        at = index % len(self.rows)
        return self.rows[at : at + 1]

    def is_right(self, index: int, prediction: Prediction) -> bool:
        """Tell whether an answer is scikit-learn's: the same label, probabilities within the tolerance."""
        at = index % len(self.rows)
        # One output is integers, the other has two columns; their names are the exporter's affair.
        outputs: list[NDArray[Any]] = sorted(prediction.outputs.values(), key=lambda array: array.size)
        label, probabilities = outputs[0], outputs[-1]
        return bool(
            label.size == 1
            and label.ravel()[0] == self._labels[at]
            and np.allclose(probabilities.ravel(), self._probabilities[at], rtol=RTOL, atol=1e-6)
        )


async def ask(client: Client, held_out: HeldOut, count: int, *, in_flight: int) -> Tally:
    """Send so many requests, that many at a time, and compare each answer."""
    tally = Tally(sent=count)
    asked: dict[int, float] = {}

    def inputs() -> Any:
        for index in range(count):
            asked[index] = time.perf_counter()
            yield held_out.row(index)

    start = time.perf_counter()
    answers = client.predict_many(NAME, inputs(), ordered=False, max_in_flight=in_flight, return_errors=True)
    async for answer in answers:
        if isinstance(answer, PenstockError):
            tally.failed.append(str(answer))
            continue
        index = answer.index or 0
        tally.latencies.append(time.perf_counter() - asked.pop(index))
        if held_out.is_right(index, answer):
            tally.right += 1
        else:
            tally.wrong += 1
    tally.seconds = time.perf_counter() - start
    return tally
