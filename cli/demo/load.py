"""The demo's client: questions, many at a time, each answer compared."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from penstock.cli.demo.held_out import HeldOut
from penstock.producer.client import Client
from penstock.producer.prediction import Prediction
from penstock.schemas.errors import PenstockError

_SEED: Final = 7  # the same questions in the same order, in every run
MOST_MISSING: Final = 100  # each has cost its time; more of them would say nothing new


class Question(NamedTuple):
    """One held-out row of one model."""

    model: str
    row: int


@dataclass(slots=True)
class Tally:
    """What came of some questions.

    Attributes:
        wanted: how many there were to ask.
        right: answers that are scikit-learn's, by model.
        wrong: answers that are not, by model.
        missing: why there was no answer, for each question without one.
        seconds: from the first question to the last answer.
        latencies_s: from question to answer, each.
    """

    wanted: int
    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """How many answers came, right or wrong."""
        return self.right.total() + self.wrong.total()

    def rate(self, model: str | None = None) -> float:
        """Return answers per second, of one model or of all."""
        answers = self.answered if model is None else self.right[model] + self.wrong[model]
        return answers / self.seconds if self.seconds else 0.0

    def percentile_s(self, share: float) -> float:
        """Return a percentile of the latencies in seconds, NaN without any."""
        return float(np.percentile(self.latencies_s, share)) if self.latencies_s else float("nan")


def every_row(held_out: Mapping[str, HeldOut]) -> list[Question]:
    """Return every held-out row of every model once, shuffled, so that batches are formed from a mixture."""
    questions = [Question(model, row) for model, rows in held_out.items() for row in range(len(rows))]
    random.Random(_SEED).shuffle(questions)
    return questions


def mixture(held_out: Mapping[str, HeldOut], count: int) -> list[Question]:
    """Return so many questions, as many to each model on average."""
    draw = random.Random(_SEED)
    models = draw.choices(list(held_out), k=count)
    return [Question(model, draw.randrange(len(held_out[model]))) for model in models]


async def ask(
    client: Client,
    held_out: Mapping[str, HeldOut],
    questions: Sequence[Question],
    *,
    in_flight: int,
    on_answer: Callable[[Question, Prediction], None],
) -> Tally:
    """Ask questions, so many at a time, and compare each answer.

    Args:
        client: started.
        held_out: rows and what scikit-learn says of them, by model.
        questions: asked in this order.
        in_flight: asked and not answered yet, at most.
        on_answer: called with each answer, when its latency has been taken.
    """
    tally = Tally(len(questions))
    left = iter(questions)
    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(in_flight, len(questions))):
            group.create_task(_keep_asking(client, held_out, left, tally, on_answer))
    tally.seconds = time.perf_counter() - start
    return tally


async def _keep_asking(
    client: Client,
    held_out: Mapping[str, HeldOut],
    left: Iterator[Question],
    tally: Tally,
    on_answer: Callable[[Question, Prediction], None],
) -> None:
    """Ask one question after the other, until none are left."""
    for question in left:
        if len(tally.missing) >= MOST_MISSING:
            return
        rows = held_out[question.model]
        asked = time.perf_counter()
        try:
            answer = await client.predict(question.model, rows.row(question.row))
        except PenstockError as error:
            tally.missing.append(str(error))
            continue
        tally.latencies_s.append(time.perf_counter() - asked)
        counted = tally.right if rows.is_right(question.row, answer.outputs) else tally.wrong
        counted[question.model] += 1
        on_answer(question, answer)
