"""What the demo has found out, for the summary and for programs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from penstock.cli.demo.batches import Batches, together
from penstock.cli.demo.commanded import Scene
from penstock.cli.demo.histogram import buckets
from penstock.cli.demo.load import Tally
from penstock.cli.figures import counted


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model, by the answers to its held-out rows that came through Kafka.

    Attributes:
        name, algorithm: of the model.
        trained_on, held_out: rows.
        right: answers to held-out rows that are scikit-learn's.
        measure: what `score` is: "accuracy" or "r2", against what is true.
        score: 1 is perfect.
        per_second: answers under load.
    """

    name: str
    algorithm: str
    trained_on: int
    held_out: int
    right: int
    measure: str
    score: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Example:
    """One answer, and what it says of itself.

    Attributes:
        model, version: that ran.
        source: `topic/partition/offset` of the request.
        said: the answer, for people.
        scikit_learn: what scikit-learn says of the row, likewise.
    """

    model: str
    version: str
    source: str
    said: str
    scikit_learn: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything.

    Attributes:
        kafka: version of the broker.
        processes: workers.
        models: in the order they were trained.
        held_out, load, calm: the first phases.
        in_flight: questions at a time under load.
        batches: under load, by model.
        calm_batches: one by one, by model.
        control: the phase in which commands were given.
        scene: those commands.
        example: an answer; None when none came.
        replies: on the reply topic.
        doubles: answers that came to the client a second time.
        seconds: since the start of the demo.
        steps_s: seconds of each step.
    """

    kafka: str
    processes: int
    models: tuple[ModelFigures, ...]
    held_out: Tally
    load: Tally
    calm: Tally
    in_flight: int
    batches: Mapping[str, Batches]
    calm_batches: Mapping[str, Batches]
    control: Tally
    scene: Scene
    example: Example | None
    replies: int
    doubles: int
    seconds: float
    steps_s: Mapping[str, float]

    @property
    def phases(self) -> Mapping[str, Tally]:
        """The phases by name."""
        return {"held_out": self.held_out, "load": self.load, "calm": self.calm, "control": self.control}

    @property
    def requests(self) -> int:
        """How many requests there were in all."""
        return sum(tally.wanted for tally in self.phases.values())

    @property
    def faults(self) -> list[str]:
        """What is not as it must be, a line each; nothing when every answer came once and was right."""
        found = []
        for name, tally in self.phases.items():
            wrong, missing = tally.wrong.total(), tally.wanted - tally.answered
            if wrong:
                by_model = ", ".join(f"{count} of {model}" for model, count in sorted(tally.wrong.items()))
                found.append(f"{name}: {wrong} of {tally.wanted} answers wrong: {by_model}")
            if missing:
                why = f"; the first: {tally.missing[0]}" if tally.missing else ""
                found.append(f"{name}: {missing} of {tally.wanted} answers missing{why}")
        found += self.scene.faults
        if self.replies != self.requests:
            found.append(f"{self.replies} replies to {self.requests} requests")
        if self.doubles:
            found.append(f"{counted(self.doubles, 'answer')} came double")
        return found

    def as_json(self) -> dict[str, Any]:
        """Return the figures as one JSON document; times are seconds."""
        return {
            "good": not self.faults,
            "faults": self.faults,
            "kafka": self.kafka,
            "processes": self.processes,
            "requests": self.requests,
            "replies": self.replies,
            "doubles": self.doubles,
            "models": [asdict(model) for model in self.models],
            "phases": {name: _phase(tally) for name, tally in self.phases.items()},
            "in_flight": self.in_flight,
            "rows_per_batch": {
                "load": _mean_rows(self.batches),
                "calm": _mean_rows(self.calm_batches),
            },
            "commands": [each.as_json() for each in self.scene.commands],
            "example": None if self.example is None else asdict(self.example),
            "seconds": round(self.seconds, 3),
            "steps_s": {name: round(seconds, 3) for name, seconds in self.steps_s.items()},
        }


def _phase(tally: Tally) -> dict[str, Any]:
    return {
        "requests": tally.wanted,
        "right": tally.right.total(),
        "wrong": tally.wrong.total(),
        "missing": tally.wanted - tally.answered,
        "seconds": tally.seconds,
        "per_second": tally.rate(),
        **{f"p{share}_s": tally.percentile_s(share) for share in (50, 90, 99)},
        "latency_s": [asdict(bucket) for bucket in buckets(tally.latencies_s)],
    }


def _mean_rows(found: Mapping[str, Batches]) -> dict[str, float]:
    return {"all": together(found).mean_rows, **{model: each.mean_rows for model, each in found.items()}}
