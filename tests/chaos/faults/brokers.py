"""Faults of brokers: killed, restarted, all away, and too few in sync."""

from tests.chaos.faults.fault import Fault, seen
from tests.chaos.oracle import Delivery, Evidence
from tests.chaos.scene import Scene
from tests.support.waiting import until

TROUBLES = (
    "publish failed; trying again",
    "fetch failed; trying again",
    "commit failed; it will be tried again",
    "commit rejected; the group has rebalanced",
    "partitions cannot be opened yet; trying again",
    "no producer yet",
    "topics could not be listed",
)
"""What a worker logs when a broker does not answer as it should."""


def troubles(scene: Scene) -> int:
    """Count what the workers had to say of Kafka."""
    return sum(len(scene.fleet.logged(event)) for event in TROUBLES)


class KillGroupCoordinator(Fault):
    """The node that knows the group's members and offsets dies, and comes back later."""

    rank, name = 7, "hard kill of the group coordinator's broker"

    def __init__(self, away_s: float = 8.0, requests: int = 0) -> None:
        self.away_s, self.requests = away_s, requests

    async def act(self, scene: Scene) -> None:
        node_id = await scene.coordinator()
        scene.timeline.mark(f"kill -9 node {node_id}, the group's coordinator")
        await scene.cluster.node(node_id).kill()
        await until(lambda: self._moved(scene, node_id), within_s=60, every_s=0.5, what="another coordinator")
        scene.notes["moved"] = True
        await scene.answered(50)
        await scene.lasting(self.away_s)

    async def _moved(self, scene: Scene, node_id: int) -> bool:
        return await scene.coordinator() not in (-1, node_id)

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(scene.notes.get("moved"), "the group has the coordinator that it had")
        return f"another node coordinates the group; {troubles(scene)} complaints of the workers"


class KillTransactionCoordinator(Fault):
    """The node that coordinates the most transactions dies, and comes back later."""

    rank, name = 8, "hard kill of the transaction coordinator's broker"
    only: Delivery | None = "exactly-once"

    def __init__(self, away_s: float = 8.0, requests: int = 0) -> None:
        self.away_s, self.requests = away_s, requests

    async def act(self, scene: Scene) -> None:
        node_id = await scene.leader("__transaction_state", scene.rng.randrange(4))
        scene.timeline.mark(f"kill -9 node {node_id}, a coordinator of transactions")
        await scene.cluster.node(node_id).kill()
        await scene.answered(50)
        await scene.lasting(self.away_s)

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(count := troubles(scene), "no worker noticed")
        return f"{count} complaints of the workers"


class AllBrokersDown(Fault):
    """Every node dies at once, and all come back after a while."""

    rank, name = 9, "all brokers down"
    spreads_memory = True

    def __init__(self, seconds: float = 60.0, requests: int = 0) -> None:
        self.seconds, self.requests = seconds, requests
        self.name = f"all brokers down for {seconds:g} s"
        self.limit_s = seconds + 120.0

    async def act(self, scene: Scene) -> None:
        scene.timeline.mark("kill -9 every node")
        for node in scene.cluster.nodes:
            await node.kill()
        before = len(scene.reader.answered)
        await scene.lasting(self.seconds)
        scene.notes["meanwhile"] = len(scene.reader.answered) - before
        scene.timeline.mark("every node starts")
        await scene.cluster.restart(*scene.cluster.nodes)
        await scene.answered(50)

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        count = len(scene.fleet.logged("publish failed; trying again")) + len(scene.fleet.logged("no producer yet"))
        seen(troubles(scene), "no worker noticed")
        meanwhile = scene.notes.get("meanwhile", -1)
        # What the reader had fetched when the nodes died, and no more.
        seen(0 <= meanwhile < scene.generator.rate * 2, f"{meanwhile} outcomes came while no node was there")
        return f"{troubles(scene)} complaints of the workers, {count} of them for want of a broker to write to"


class RollingRestart(Fault):
    """Node after node is stopped in good order and started, as an upgrade does."""

    rank, name = 10, "rolling restart of the brokers"
    limit_s = 300.0

    def __init__(self, requests: int = 0, rate: float = 400.0) -> None:
        self.requests, self.rate = requests, rate

    async def act(self, scene: Scene) -> None:
        for node in scene.cluster.nodes:
            scene.timeline.mark(f"node {node.node_id} restarts")
            leader = await scene.leader(scene.lane.replies)
            await node.stop()
            scene.notes["led"] = scene.notes.get("led", 0) + (leader == node.node_id)
            await scene.answered(50)
            await scene.cluster.restart(node)
            await scene.cluster.until_whole()

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(scene.notes.get("led"), "no node that was stopped led a partition of replies")
        return f"every node was another one's follower; {troubles(scene)} complaints of the workers"


class TooFewInSync(Fault):
    """Replies cannot be written, because too few copies are in sync, and then they can again."""

    rank, name = 26, "min.insync.replicas lost, then back"
    spreads_memory = True

    def __init__(self, seconds: float = 10.0, requests: int = 0) -> None:
        self.seconds, self.requests = seconds, requests

    async def act(self, scene: Scene) -> None:
        await scene.configure(scene.lane.replies, {"min.insync.replicas": "3"})
        node = scene.rng.choice([n for n in scene.cluster.nodes if n.node_id != await scene.coordinator()])
        scene.timeline.mark(f"min.insync.replicas=3; kill -9 node {node.node_id}")
        await node.kill()
        before = len(scene.reader.answered)
        await scene.lasting(self.seconds)
        scene.notes["stalled"] = await self._stalls(scene)
        scene.notes["meanwhile"] = len(scene.reader.answered) - before
        await scene.configure(scene.lane.replies, {"min.insync.replicas": "2"})
        scene.timeline.mark("min.insync.replicas=2")
        await scene.answered(50)

    async def _stalls(self, scene: Scene) -> bool:
        before = len(scene.reader.answered)
        await scene.lasting(1.0)
        return len(scene.reader.answered) == before

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(scene.notes.get("stalled"), "replies went on")
        return f"no reply for the last second; {troubles(scene)} complaints of the workers"
