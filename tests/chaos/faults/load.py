"""Faults of those who send: what cannot be answered, and far too much of it."""

from dataclasses import replace

from penstock.schemas import headers as h
from tests.chaos.faults.control import CONTROLLED, commands
from tests.chaos.faults.fault import Fault, seen
from tests.chaos.oracle import Evidence
from tests.chaos.requests import Layout, Outcome, Special
from tests.chaos.scene import Scene

_TENANT_S = 1.0  # from a change of the layout to the first number that it concerns


class BadInputStorm(Fault):
    """A part of the requests, or all, cannot be answered as they are."""

    rank, name = 16, "bad-input storm, 1 % and 100 % of the traffic"
    spreads_memory = True

    def __init__(self, seconds: float = 5.0, requests: int = 0, rate: float = 800.0) -> None:
        self.seconds, self.requests, self.rate = seconds, requests, rate
        self.layout = Layout(bad=0.01)

    async def act(self, scene: Scene) -> None:
        await scene.lasting(self.seconds)
        scene.timeline.mark("100 % of the requests are bad")
        start = scene.generator.count + int(self.rate * _TENANT_S)  # not among those that are sent already
        scene.generator.layout = replace(self.layout, storm=(start, start + int(self.rate * self.seconds)))
        await scene.lasting(self.seconds + 2 * _TENANT_S)
        await scene.caught_up(60, behind=int(self.rate))

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        kinds = evidence.committed.kind
        errors, dead = int((kinds == Outcome.ERROR).sum()), int((kinds == Outcome.DEAD).sum())
        codes = sorted(set(evidence.committed.code) - {""})
        seen(errors + dead > self.rate * self.seconds / 2 and len(codes) >= 5, f"{errors} errors, {dead} dead: {codes}")
        return f"{errors:,} error replies and {dead:,} dead letters, for {len(codes)} reasons"


class Burst(Fault):
    """One tenant sends ten times as much as all did together; a throttle holds it back, and the others go on."""

    rank, name = 28, "10x burst from one tenant"
    settings = CONTROLLED
    spreads_memory = True
    rate = 150.0
    recover_s = 180.0

    def __init__(self, seconds: float = 10.0, requests: int = 0) -> None:
        self.seconds, self.requests = seconds, requests

    async def act(self, scene: Scene) -> None:
        generator = scene.generator
        async with commands(scene) as control:
            issued = await control.throttle("tenant:noisy", self.rate * 2)
            await control.wait(issued, timeout_s=60)
            start = generator.count + int(self.rate * _TENANT_S)
            stop = start + int(self.rate * 11 * self.seconds)
            generator.layout = replace(generator.layout, special=lambda number: tenant(number, start, stop))
            scene.timeline.mark("one tenant sends ten times as much")
            generator.rate = self.rate * 11
            await scene.lasting(self.seconds)
            generator.rate = self.rate
            asked = generator.count
            await scene.lasting(2.0)
            answered = {each.number for each in list(scene.reader.seen)}
            calm = [number for number in range(asked) if not is_noisy(number, start, stop)]
            noisy = [number for number in range(asked) if is_noisy(number, start, stop)]
            scene.notes["calm"] = sum(number in answered for number in calm) / len(calm)
            scene.notes["noisy"] = sum(number in answered for number in noisy) / len(noisy)
            await control.unthrottle("tenant:noisy")

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        calm, noisy = scene.notes.get("calm", 0.0), scene.notes.get("noisy", 1.0)
        seen(noisy < 0.8, f"{noisy:.0%} of the burst were answered already: it was none")
        seen(calm > 0.95, f"only {calm:.0%} of the others' requests were answered")
        return f"after the burst {noisy:.0%} of it were answered, and {calm:.0%} of the others' requests"


def is_noisy(number: int, start: int, stop: int) -> bool:
    """Tell whether a request is of the tenant that sends too much: ten of eleven, of keys of its own."""
    return start <= number < stop and number % 240 % 11 != 0


def tenant(number: int, start: int, stop: int) -> Special:
    """Return whose request it is."""
    whose = b"noisy" if is_noisy(number, start, stop) else b"calm"
    return Special(((h.TENANT, whose),))
