"""What Kafka is asked and told about the lane of a run: its topics, its group, and their leaders and offsets."""

import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it does not say that it exports them
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from tests.chaos.cluster import NODES, FaultyCluster
from tests.support.lane import Lane
from tests.support.waiting import until

_ADMIN_S: Final = 30.0


@dataclass
class Administration:
    """Asks and tells through the nodes' own addresses; `lane` has the proxy's, which are the workers'."""

    cluster: FaultyCluster
    lane: Lane

    async def assigned(self) -> dict[str, int]:
        """Return how many partitions each member of the group has, by its id."""

        def look(admin: Any) -> dict[str, int]:
            group = admin.describe_consumer_groups([self.lane.group])[self.lane.group].result(_ADMIN_S)
            return {each.member_id: len(each.assignment.topic_partitions) for each in group.members}

        found: dict[str, int] = await self.cluster.ask(look)
        return found

    async def coordinator(self) -> int:
        """Return the id of the node that coordinates the group."""

        def look(admin: Any) -> int:
            group = admin.describe_consumer_groups([self.lane.group])[self.lane.group].result(_ADMIN_S)
            return int(group.coordinator.id)

        return int(await self.cluster.ask(look))

    async def leader(self, topic: str, partition: int = 0) -> int:
        """Return the id of the node that leads a partition."""

        def look(admin: Any) -> int:
            return int(admin.list_topics(topic, timeout=_ADMIN_S).topics[topic].partitions[partition].leader)

        return int(await self.cluster.ask(look))

    async def offsets(self) -> dict[int, tuple[int, str]]:
        """Return what the group has committed on the request topic: partition -> offset and metadata."""

        def look(admin: Any) -> dict[int, tuple[int, str]]:
            wanted = [ConsumerGroupTopicPartitions(self.lane.group)]
            found = admin.list_consumer_group_offsets(wanted, require_stable=True)[self.lane.group].result(_ADMIN_S)
            return {
                each.partition: (each.offset, each.metadata or "")
                for each in found.topic_partitions
                if each.topic == self.lane.requests
            }

        committed: dict[int, tuple[int, str]] = await self.cluster.ask(look)
        return committed

    async def committed(self) -> int:
        """Return how many requests the group has committed."""
        return sum(offset for offset, _ in (await self.offsets()).values())

    async def copies(self, topic: str, partition: int = 0) -> list[int]:
        """Return the ids of the nodes with a copy of a partition."""

        def look(admin: Any) -> list[int]:
            return list(admin.list_topics(topic, timeout=_ADMIN_S).topics[topic].partitions[partition].replicas)

        found: list[int] = await self.cluster.ask(look)
        return found

    async def ends(self) -> dict[int, int]:
        """Return where each partition of the request topic ends."""

        def look(admin: Any) -> dict[int, int]:
            partitions = admin.list_topics(self.lane.requests, timeout=_ADMIN_S).topics[self.lane.requests].partitions
            places = {TopicPartition(self.lane.requests, each): OffsetSpec.latest() for each in partitions}
            found = admin.list_offsets(places)
            return {place.partition: future.result(_ADMIN_S).offset for place, future in found.items()}

        latest: dict[int, int] = await self.cluster.ask(look)
        return latest

    async def configure(self, topic: str, settings: Mapping[str, str | None]) -> None:
        """Set settings of a topic; None takes one back to the broker's."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET if value else AlterConfigOpType.DELETE)
            for name, value in settings.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        await self.cluster.ask(lambda admin: admin.incremental_alter_configs([resource])[resource].result(_ADMIN_S))

    async def create(self, topics: Mapping[str, int], copies: int = NODES, **settings: str) -> None:
        """Make topics, and wait until every node knows them."""
        await create(self.cluster, topics, copies, **settings)

    async def delete_topic(self, topic: str) -> None:
        """Delete a topic."""
        await self.cluster.ask(lambda admin: admin.delete_topics([topic])[topic].result(_ADMIN_S))

    async def delete_records(self, before: Mapping[int, int]) -> None:
        """Take records off the front of the request topic: partition -> first offset that stays."""
        places = [TopicPartition(self.lane.requests, partition, offset) for partition, offset in before.items()]

        def delete(admin: Any) -> None:
            for future in admin.delete_records(places).values():
                future.result(_ADMIN_S)

        await self.cluster.ask(delete)

    async def add_partitions(self, topic: str, total: int) -> None:
        """Give a topic more partitions."""
        await self.cluster.ask(
            lambda admin: admin.create_partitions([NewPartitions(topic, total)])[topic].result(_ADMIN_S)
        )


async def create(cluster: FaultyCluster, topics: Mapping[str, int], copies: int = NODES, **settings: str) -> None:
    """Make topics with so many copies, and wait until every node knows them and has its copy."""
    config = {name.replace("_", "."): value for name, value in settings.items()}
    wanted = [NewTopic(name, count, copies, config=config) for name, count in topics.items()]

    def make(admin: Any) -> None:
        for future in admin.create_topics(wanted).values():
            future.result(_ADMIN_S)

    await cluster.ask(make)

    async def known() -> bool:
        found = await cluster.ask(lambda admin: admin.list_topics(timeout=_ADMIN_S).topics)
        return all(len(found[name].partitions) == count for name, count in topics.items() if name in found) and set(
            topics
        ) <= set(found)

    await until(known, within_s=_ADMIN_S, every_s=0.1, what=f"topics {', '.join(topics)}")
    await cluster.until_whole()


async def drop_lane(cluster: FaultyCluster, lane: Lane) -> None:
    """Delete the topics of a lane, and those that its workers have made: a node that starts looks at every one."""
    label = lane.group.removesuffix("-group")

    def drop(admin: Any) -> None:
        topics = [name for name in admin.list_topics(timeout=_ADMIN_S).topics if name.startswith(label)]
        for future in admin.delete_topics(topics).values() if topics else ():
            future.result(_ADMIN_S)

    with contextlib.suppress(KafkaException):  # a run that failed may leave them
        await cluster.ask(drop)


async def new_lane(cluster: FaultyCluster, name: str, partitions: int, request_copies: int = NODES) -> Lane:
    """Make the topics of a lane under fresh names."""
    label = f"{name}-{secrets.token_hex(3)}"
    lane = Lane(cluster.proxied, f"{label}-requests", f"{label}-replies", f"{label}-group")
    await create(cluster, {lane.requests: partitions}, request_copies)
    await create(cluster, {lane.replies: partitions, lane.dead_letters: partitions})
    return lane
