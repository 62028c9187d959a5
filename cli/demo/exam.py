"""The demo's phases: every held-out row at once, the load, one by one, then commands; and what came of them."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from penstock.cli.demo.batches import batches_between
from penstock.cli.demo.commanding import command
from penstock.cli.demo.figures import Example, Figures, ModelFigures
from penstock.cli.demo.held_out import HeldOut, describe
from penstock.cli.demo.load import Question, Tally, ask, every_row, mixture
from penstock.cli.demo.models import MODELS
from penstock.cli.demo.service import Service
from penstock.cli.demo.steps import Steps
from penstock.cli.demo.workers import REPLIES, REQUESTS
from penstock.producer.client import Client
from penstock.producer.prediction import Prediction

IN_FLIGHT: Final = 1000
CALM: Final = 300  # requests asked one by one, for the latency of an idle service


async def examine(service: Service, steps: Steps, requests: int, start: float) -> Figures:
    """Ask everything, and compare each answer.

    Args:
        service: that runs.
        steps: prints the phases.
        requests: of the load.
        start: of the demo, on the monotonic clock.
    """
    answers: dict[Question, Prediction] = {}
    in_flight = min(IN_FLIGHT, requests)
    rows, asked = every_row(service.held_out), mixture(service.held_out, requests)
    async with Client(service.bootstrap_servers, request_topic=REQUESTS, reply_topic=REPLIES) as client:
        phases = _Phases(client, service.held_out, steps)
        first = await phases.run("Held-out rows", "all asked at once", rows, len(rows), answers)
        at_start = await service.workers.look()
        load = await phases.run("Load", f"{in_flight:,} in flight", asked, in_flight)
        loaded = await service.workers.look()
        # After the load, because a young JVM is slow: calm figures are those of a broker that has warmed up.
        calm = await phases.run("Calm", "asked one by one", mixture(service.held_out, CALM), 1)
        calmed = await service.workers.look()
        scene, control = await command(service, client, steps)
        doubles = client.doubles
    return Figures(
        kafka=service.kafka.version,
        processes=len(service.workers.urls),
        models=model_figures(service.held_out, first, load, answers),
        held_out=first,
        load=load,
        calm=calm,
        in_flight=in_flight,
        batches=batches_between(at_start, loaded),
        calm_batches=batches_between(loaded, calmed),
        control=control,
        scene=scene,
        example=_example(service.held_out, answers),
        replies=await service.count_replies(),
        doubles=doubles,
        seconds=time.monotonic() - start,
        steps_s=dict(steps.taken_s),
    )


class _Phases:
    """Runs one phase after the other, each as a step."""

    def __init__(self, client: Client, held_out: Mapping[str, HeldOut], steps: Steps) -> None:
        self._client = client
        self._held_out = held_out
        self._steps = steps

    async def run(
        self,
        name: str,
        how: str,
        questions: Sequence[Question],
        in_flight: int,
        answers: dict[Question, Prediction] | None = None,
    ) -> Tally:
        """Ask, and say how many answers were right; `answers` gets them, where it is wanted."""
        with self._steps.step(name, total=len(questions)) as step:

            def on_answer(question: Question, answer: Prediction) -> None:
                if answers is not None:
                    answers[question] = answer
                step.advance()

            tally = await ask(self._client, self._held_out, questions, in_flight=in_flight, on_answer=on_answer)
            step.result = f"{tally.right.total():,} of {tally.wanted:,} answers right, {how}"
        return tally


def model_figures(
    held_out: Mapping[str, HeldOut], first: Tally, load: Tally, answers: Mapping[Question, Prediction]
) -> tuple[ModelFigures, ...]:
    """Return what the answers to held-out rows say of each model, and how fast it answered under load."""
    found = []
    for model in MODELS:
        rows = held_out[model.name]
        served = {question.row: each.outputs for question, each in answers.items() if question.model == model.name}
        found.append(
            ModelFigures(
                name=model.name,
                algorithm=model.algorithm,
                trained_on=rows.trained_on,
                held_out=len(rows),
                right=first.right[model.name],
                measure=rows.measure,
                score=rows.score(served) if served else float("nan"),
                per_second=load.rate(model.name),
            )
        )
    return tuple(found)


def _example(held_out: Mapping[str, HeldOut], answers: dict[Question, Prediction]) -> Example | None:
    """Return the last answer of the first model."""
    name = MODELS[0].name
    for question, answer in reversed(answers.items()):
        if question.model == name:
            return Example(
                model=answer.model,
                version=answer.version or "",
                source=answer.source,
                said=describe(answer.outputs),
                scikit_learn=describe(held_out[name].expected(question.row)),
            )
    return None
