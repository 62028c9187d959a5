"""A leader that lacks what the last one had taken."""

import asyncio
from typing import Final

from tests.chaos.faults.fault import Fault, seen
from tests.chaos.oracle import Evidence
from tests.chaos.scene import Scene
from tests.support.waiting import until

_TOLD: Final = "the topic ends before what had been read of it; Kafka has lost records, or it was made anew"


class UncleanElection(Fault):
    """Kafka loses requests that it had acknowledged, and gives their offsets to others.

    With two copies of the request topic on three nodes, the controllers keep their majority through it. Nothing is
    asked while it happens, and all was answered before: so what Kafka loses is known, and was served.
    """

    rank, name = 27, "unclean leader election"
    rate = 200.0
    request_copies = 2
    limit_s = 300.0

    def __init__(self, requests: int = 0) -> None:
        self.requests = requests

    async def prepare(self, scene: Scene) -> None:
        may_be_lost = {"min.insync.replicas": "1", "unclean.leader.election.enable": "true"}
        await scene.configure(scene.lane.requests, may_be_lost)

    async def act(self, scene: Scene) -> None:
        leader = await scene.leader(scene.lane.requests)
        (follower,) = set(await scene.copies(scene.lane.requests)) - {leader}
        scene.timeline.mark(f"kill -9 node {follower}, a follower")
        await scene.cluster.node(follower).kill()
        await scene.answered(1000)
        scene.generator.rate = 0.0
        await scene.caught_up(60)
        await until(lambda: self._settled(scene), within_s=30, every_s=0.5, what="everything committed")
        scene.timeline.mark(f"kill -9 node {leader}, the leader; node {follower} starts")
        await scene.cluster.node(leader).kill()
        await scene.cluster.restart(scene.cluster.node(follower))
        await until(lambda: self._led_by(scene, follower), within_s=90, every_s=0.5, what="another leader")
        await scene.cluster.restart(scene.cluster.node(leader))
        await scene.cluster.until_whole()
        # What lay behind the new ends was answered; the requests that get these offsets are others.
        ends = await scene.ends()
        scene.forgotten = {number for number, partition, offset in scene.generator.placed if offset >= ends[partition]}
        scene.timeline.mark("requests flow again")
        await asyncio.to_thread(scene.generator.renew)
        scene.generator.rate = self.rate
        await scene.answered(300)

    async def _settled(self, scene: Scene) -> bool:
        return await scene.committed() == scene.in_log

    async def _led_by(self, scene: Scene, node_id: int) -> bool:
        return await scene.leader(scene.lane.requests) == node_id

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        lost = len(scene.forgotten)
        seen(lost, "Kafka has lost nothing")
        told = sum(line["count"] for line in scene.fleet.logged(_TOLD))
        seen(told, f"{lost} requests are gone, and no worker says so")
        return f"Kafka has lost {lost} requests, and the workers told of {told} offsets"
