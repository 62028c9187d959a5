"""Faults of topics: deleted, refused, grown, and cut off at the front."""

from dataclasses import replace

from tests.chaos.faults.brokers import troubles
from tests.chaos.faults.fault import Fault, seen
from tests.chaos.oracle import Evidence
from tests.chaos.requests import Layout, Outcome, Special
from tests.chaos.scene import Scene
from tests.support.waiting import until

_HEARD_OF_S = 3.0  # until every worker knows that a topic is gone
_GONE = 50
_FORBIDDEN = Special((("penstock-reply-topic", b"not-allowed"),), Outcome.DEAD)


class DeadLettersUnavailable(Fault):
    """Dead letters cannot be written: what needs one keeps its offset, until they can."""

    rank, name = 18, "dead-letter topic unavailable"

    def __init__(self, seconds: float = 8.0, requests: int = 0) -> None:
        self.seconds, self.requests = seconds, requests
        # One key, and so one partition.
        self.layout = Layout(special=lambda number: _FORBIDDEN if number >= 2000 and number % 240 == 1 else None)

    async def act(self, scene: Scene) -> None:
        # More copies in sync than there are: Kafka takes nothing. Two are enough for all other topics.
        await scene.configure(scene.lane.dead_letters, {"min.insync.replicas": "3"})
        node = scene.rng.choice(scene.cluster.nodes)
        await node.kill()
        scene.timeline.mark(f"kill -9 node {node.node_id}: the dead-letter topic takes nothing")
        await until(lambda: scene.generator.acknowledged > 2500, within_s=60, every_s=0.2, what="requests for it")
        await scene.lasting(2.0)
        first = (await scene.offsets())[1][0]
        await scene.lasting(self.seconds)
        second = (await scene.offsets())[1][0]
        scene.notes["stayed"] = first == second
        scene.notes["others"] = (await scene.offsets())[0][0] > first
        await scene.configure(scene.lane.dead_letters, {"min.insync.replicas": "2"})
        scene.timeline.mark("the dead-letter topic takes records again")

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(scene.notes.get("stayed"), "the offset of a request without an outcome moved")
        seen(dead := int((evidence.committed.kind == Outcome.DEAD).sum()), "there was no dead letter")
        seen(scene.notes.get("others"), "the other partitions stood still")
        return f"the offset stayed, {troubles(scene)} complaints, then {dead} dead letters"


class ReplyTopicDeleted(Fault):
    """A reply topic that some requests name is deleted: those get dead letters, the others their answers."""

    rank, name = 19, "reply topic deleted"

    def __init__(self, seconds: float = 6.0, requests: int = 0) -> None:
        self.seconds, self.requests = seconds, requests

    async def prepare(self, scene: Scene) -> None:
        topic = f"{scene.lane.replies}-side"
        named = Special((("penstock-reply-topic", topic.encode()),), Outcome.ANY)
        scene.generator.layout = Layout(special=lambda number: named if number % 10 == 3 else None)
        scene.fleet.set("worker__allowed_reply_topics", topic)
        await scene.create({topic: self.layout.partitions})
        scene.notes["topic"] = topic

    async def act(self, scene: Scene) -> None:
        await scene.answered(200)
        topic = scene.notes["topic"]
        await scene.delete_topic(topic)
        # What was answered there went with it: the fault took those.
        soon = scene.generator.count + int(_HEARD_OF_S * self.rate)
        scene.taken.update(number for number in range(soon) if number % 10 == 3)
        scene.timeline.mark("a reply topic is deleted")
        await scene.lasting(_HEARD_OF_S + self.seconds)

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        codes = [code for code, kind in zip(evidence.committed.code, evidence.committed.kind, strict=True) if kind == 2]
        seen(len(codes) > 20, f"{len(codes)} dead letters")
        return f"{len(codes)} dead letters: {', '.join(sorted(set(codes)))}"


class PartitionsAdded(Fault):
    """The request topic grows while the service runs."""

    rank, name = 29, "partitions added while running"
    settings = {"kafka__metadata_max_age_s": 3.0}  # noqa: RUF012
    ordered = False  # a key that moves to another partition may overtake itself: the documents say so

    def __init__(self, requests: int = 0) -> None:
        self.requests = requests

    async def act(self, scene: Scene) -> None:
        before = self.layout.partitions
        await scene.add_partitions(scene.lane.requests, before + 2)
        scene.timeline.mark(f"{before} -> {before + 2} partitions")
        grown = before + 2
        scene.generator.layout = replace(self.layout, partitions=grown)
        await until(lambda: self._all_are_somebodys(scene, grown), within_s=60, every_s=0.5, what="new partitions")
        await scene.answered(100)

    async def _all_are_somebodys(self, scene: Scene, count: int) -> bool:
        return sum((await scene.assigned()).values()) == count

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        fresh = int((evidence.committed.source_partition >= self.layout.partitions).sum())
        seen(fresh, "no request of a new partition was answered")
        return f"{fresh} requests of the new partitions answered"


class RetentionPasses(Fault):
    """Requests are deleted before the group has read them: what is lost must be told."""

    rank, name = 30, "retention passes the committed offset"

    def __init__(self, requests: int = 0) -> None:
        self.requests = requests

    async def act(self, scene: Scene) -> None:
        for worker in scene.fleet.running:
            worker.suspend()
        scene.timeline.mark("the workers are held still")
        await scene.lasting(3.0)
        offsets = await scene.offsets()
        for worker in scene.fleet.running:
            await worker.die()
        scene.cut = {partition: offset + _GONE for partition, (offset, _) in offsets.items()}
        await scene.delete_records(scene.cut)
        placed = list(scene.generator.placed)
        scene.taken = {number for number, p, offset in placed if offsets[p][0] <= offset < scene.cut[p]}
        scene.timeline.mark(f"{_GONE} requests of each partition are deleted")
        await scene.fleet.start(2)
        await scene.answered(50)

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        told = scene.fleet.logged("requests were removed from the topic before they were served; check its retention")
        count = sum(line["count"] for line in told)
        wanted = _GONE * self.layout.partitions
        seen(count == wanted, f"{wanted} requests are gone, and the workers told of {count}")
        return f"{count} requests are gone, and the workers said so"
