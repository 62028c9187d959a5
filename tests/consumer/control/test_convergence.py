"""A thousand workers that join, leave, lag behind and fail to load: in the end all serve the same, and say so alike.

No Kafka and no models: the fold and the reconciler are what decides, and both are pure.
"""

import random
from dataclasses import dataclass, field

import orjson

from penstock.core.deployment_target import Target, target_of, target_of_settings
from penstock.core.model import Signature, TensorSpec
from penstock.core.reconciler import Fail, Here, Load, Retire, Serve, failed, next_step
from penstock.schemas.control.command import Command
from penstock.schemas.control.fold import ControlRecord, Fold, Trust
from penstock.schemas.control.resources import Kind, Resource
from penstock.schemas.control.specs import Deployment
from penstock.schemas.control.state import Entry

WORKERS, COMMANDS, ROUNDS = 1000, 16, 30
MODELS = ("iris", "digits")
ROTTEN = "9"  # nobody can load it, ever
SIGNATURE = Signature((TensorSpec("x", "FP32", ()),), (TensorSpec("y", "FP32", ()),))
TRUST = Trust("cluster", "group", {}, signing=False)


def command(number: int, chance: random.Random) -> ControlRecord:
    """A command of a random kind; one in six is refused, for its sequence."""
    model = chance.choice(MODELS)
    spec = None
    if chance.random() < 0.85:
        versions = chance.sample(["1", "2", "3", "4", ROTTEN], chance.randint(1, 2))
        spec = {"versions": [{"version": each, "weight": float(chance.randint(1, 9))} for each in versions]}
    made = Command(
        penstock="command/1",
        id=f"command-{number:04}",
        sequence=1 if chance.random() < 1 / 6 else number + 1,
        cluster="cluster",
        group="group",
        issuer="simulation",
        time=number,
        expires=number + 1000,
        resource=f"deployment/{model}",
        action="remove" if spec is None else "set",
        spec=spec,
    )
    return ControlRecord(number, number, made.resource.encode(), made.encode(), ())


@dataclass
class Simulated:
    """A worker: what it has read, and what it has of its models."""

    chance: random.Random
    fold: Fold = field(default_factory=lambda: Fold(TRUST))
    here: dict[str, Here] = field(default_factory=lambda: {model: Here() for model in MODELS})
    wanted: dict[str, list[Target]] = field(
        default_factory=lambda: {model: [target_of_settings(model, -1, ("1",))] for model in MODELS}
    )

    def read(self, record: ControlRecord) -> None:
        verdict = self.fold.apply(record)
        if verdict.command is not None and verdict.refused is None:
            model = verdict.command.about.name
            self.wanted[model].insert(0, wish(model, self.fold.state.entries[Resource(Kind.DEPLOYMENT, model)]))

    def work(self, now: float, steps: int, *, mishaps: bool) -> None:
        """Do so many things; while there are mishaps one load in three fails though the version is sound."""
        for model, here in self.here.items():
            for _ in range(steps):
                match next_step(self.wanted[model], here, now):
                    case None:
                        break
                    case Load(target, version) if version == ROTTEN or (mishaps and self.chance.random() < 1 / 3):
                        here.failures[target.offset] = failed(target, here, "broken", now, version=version)
                    case Load(_, version):
                        here.ready[version] = SIGNATURE
                    case Serve(target):
                        assert set(target.needed) <= here.ready.keys()
                        here.serving = target
                    case Retire(_, version):
                        del here.ready[version]
                    case Fail():
                        raise AssertionError("all versions are alike")

    def serves(self) -> str:
        serving = {model: here.serving.versions if here.serving else None for model, here in self.here.items()}
        return orjson.dumps(serving).decode()


def wish(model: str, entry: Entry) -> Target:
    if isinstance(entry.spec, Deployment):
        return target_of(model, entry.offset, entry.spec, lambda _, name: name)
    return target_of_settings(model, entry.offset, ("1",))


def test_a_thousand_workers_come_to_the_same_state_whatever_happens_on_the_way() -> None:
    chance = random.Random(20_261_123)
    log = [command(number, chance) for number in range(COMMANDS)]
    workers = [Simulated(random.Random(number)) for number in range(WORKERS)]
    for round_ in range(ROUNDS):
        written = min(COMMANDS, 1 + round_ * COMMANDS // (ROUNDS // 2))
        for number in chance.sample(range(WORKERS), WORKERS // 4):  # the others lag behind for this round
            worker = workers[number]
            for record in log[worker.fold.state.epoch + 1 : written][: chance.randint(1, 5)]:
                worker.read(record)
            worker.work(float(round_), chance.randint(0, 3), mishaps=True)
        for number in chance.sample(range(WORKERS), WORKERS // 100):  # one leaves, and another joins
            workers[number] = Simulated(random.Random(WORKERS * (round_ + 1) + number))
    for worker in workers:
        for record in log[worker.fold.state.epoch + 1 :]:
            worker.read(record)
        worker.work(1e6, 1000, mishaps=False)

    assert len({worker.fold.state.digest() for worker in workers}) == 1
    assert len({worker.fold.state.epoch for worker in workers}) == 1
    assert len({worker.serves() for worker in workers}) == 1
    assert ROTTEN not in workers[0].serves()
