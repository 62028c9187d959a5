"""Faults of the network between workers and brokers."""

from functools import partial

from tests.chaos.faults.brokers import troubles
from tests.chaos.faults.fault import Fault, seen
from tests.chaos.oracle import Evidence
from tests.chaos.proxy import Link
from tests.chaos.scene import Scene
from tests.support.waiting import until


class HalfOpen(Fault):
    """Every connection of a worker goes silent without being closed; new ones are good."""

    rank, name = 24, "half-open connections of a worker"
    settings = {"kafka__request_timeout_s": 5.0}  # noqa: RUF012

    def __init__(self, times: int = 1, requests: int = 0) -> None:
        self.times, self.requests = times, requests

    async def act(self, scene: Scene) -> None:
        proxy = scene.cluster.proxy
        for _ in range(self.times):
            victim = scene.rng.choice(scene.fleet.running)
            name = f"-{victim.pid}"
            silent = proxy.half_open(partial(_is_of, name))
            scene.timeline.mark(f"{silent} connections of {victim.pid} go silent")
            scene.notes["silent"] = scene.notes.get("silent", 0) + silent
            await until(partial(self._again, scene, name), within_s=60, every_s=0.2, what="a new connection")
            await scene.caught_up(60, behind=int(scene.generator.rate))

    def _again(self, scene: Scene, name: str) -> bool:
        return any(_is_of(name, link) and link.moving.is_set() for link in scene.cluster.proxy.links)

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(scene.notes.get("silent"), "the worker had no connection")
        return f"{scene.notes['silent']} connections went silent and were replaced; {troubles(scene)} complaints"


def _is_of(name: str, link: Link) -> bool:
    return name in link.client_id


class BadNetwork(Fault):
    """Everything takes long, and some of it has to be sent again."""

    rank, name = 25, "500 ms latency and 5 % loss"
    rate = 200.0

    def __init__(self, seconds: float = 20.0, requests: int = 0) -> None:
        self.seconds, self.requests = seconds, requests

    async def act(self, scene: Scene) -> None:
        before = await scene.fleet.metric("penstock_publish_seconds_sum"), await self._published(scene)
        weather = scene.cluster.proxy.weather
        weather.latency_s, weather.loss, weather.rng = 0.25, 0.05, scene.rng  # there and back
        scene.timeline.mark("250 ms each way, 5 % of all pieces late")
        await scene.lasting(self.seconds)
        after = await scene.fleet.metric("penstock_publish_seconds_sum"), await self._published(scene)
        scene.notes["publish_s"] = (after[0] - before[0]) / max(after[1] - before[1], 1)

    async def _published(self, scene: Scene) -> float:
        return await scene.fleet.metric("penstock_publish_seconds_count")

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        took_s = scene.notes.get("publish_s", 0.0)
        seen(took_s > 0.4, f"a write took {took_s:.3f} s on average")
        return f"a write took {took_s:.2f} s on average"


class CutConnections(Fault):
    """Every connection of every worker breaks, again and again, in the middle of whatever it carried."""

    rank, name = 24, "connections cut again and again"

    def __init__(self, times: int = 10, requests: int = 0) -> None:
        self.times, self.requests = times, requests

    async def act(self, scene: Scene) -> None:
        for _ in range(self.times):
            count = scene.cluster.proxy.cut()
            scene.notes["cut"] = scene.notes.get("cut", 0) + count
            scene.timeline.mark(f"{count} connections cut")
            await scene.lasting(scene.rng.uniform(0.2, 1.5))

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(scene.notes.get("cut", 0) > self.times, "there was nothing to cut")
        return f"{scene.notes['cut']} connections cut; {troubles(scene)} complaints of the workers"
