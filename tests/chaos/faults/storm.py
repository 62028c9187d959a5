"""A group that never comes to rest."""

import asyncio

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from tests.chaos.faults.fault import Fault, seen
from tests.chaos.oracle import Evidence
from tests.chaos.scene import Scene

_STAYS_S = 1.0


class RebalanceStorm(Fault):
    """A member that reads nothing joins or leaves each second, and takes its share of the partitions meanwhile."""

    rank, name = 12, "rebalance storm"
    limit_s = 300.0

    def __init__(self, seconds: float = 20.0, requests: int = 0) -> None:
        self.seconds, self.requests = seconds, requests

    async def act(self, scene: Scene) -> None:
        scene.timeline.mark("a member joins or leaves each second")
        before = await scene.fleet.metric("penstock_assignment_epoch")
        members: list[AIOKafkaConsumer] = []
        try:
            for _ in range(int(self.seconds / _STAYS_S)):
                if members and (len(members) > 2 or scene.rng.random() < 0.5):
                    await members.pop(scene.rng.randrange(len(members))).stop()
                else:
                    members.append(await self._join(scene))
                await asyncio.sleep(_STAYS_S)
        finally:
            await asyncio.gather(*(member.stop() for member in members))
        scene.notes["assignments"] = await scene.fleet.metric("penstock_assignment_epoch") - before
        scene.timeline.mark("they are gone")

    async def _join(self, scene: Scene) -> AIOKafkaConsumer:
        member = AIOKafkaConsumer(
            scene.lane.requests,
            bootstrap_servers=scene.cluster.bootstrap,
            group_id=scene.lane.group,
            enable_auto_commit=False,
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            heartbeat_interval_ms=300,
            session_timeout_ms=6000,
        )
        await member.start()
        return member

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        count = scene.notes.get("assignments", 0)
        seen(count >= self.seconds / 2, f"{count:.0f} assignments in {self.seconds:g} s")
        return f"{count:.0f} assignments in {self.seconds:g} s"
