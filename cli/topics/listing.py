"""Looks at the topics of a service, or of the whole cluster."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka.structs import TopicPartition

from penstock.cli.topics.control_roles import control_roles
from penstock.cli.topics.plan import duration
from penstock.consumer.lane import roles
from penstock.consumer.settings import ToolSettings
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.membership import GroupReader
from penstock.transport.offsets import Lag, Place, held, lags


@dataclass(frozen=True, slots=True)
class ListedTopic:
    """A topic and what lies in it.

    Attributes:
        role: what the service uses it for; None where it is not of the service.
        partitions: 0 where it is missing.
        hidden: this user may not see it, so that it may be missing or not.
        messages: what lies in it; None where that cannot be seen.
        waiting: requests that the group has not finished; None for other topics, or where there is no group.
        kept: how long records are kept; None where that may not be seen.
    """

    name: str
    role: str | None
    partitions: int
    replication: int
    hidden: bool
    messages: int | None
    waiting: int | None
    kept: str | None


async def look(settings: ToolSettings, *, every: bool) -> list[ListedTopic]:
    """List the service's topics, the missing ones too, and with `every` all others after them.

    Raises:
        TransportError: no broker answered.
    """
    lane = settings.worker
    own: dict[str, str] = {**roles(lane), **control_roles(lane, settings.control)}
    async with ClusterReader(settings.kafka.client_options()) as reader:
        cluster = await reader.describe(own)
        topics = dict(cluster.topics)
        if every:
            cluster = await reader.describe()
            topics |= cluster.topics
        there = [name for name, topic in topics.items() if name in cluster.topics and topic.partitions]
        beginnings = await reader.offsets(cluster, there, Place.BEGINNING)
        ends = await reader.offsets(cluster, there, Place.END)
        kept = await reader.topic_settings(there)
        committed = await GroupReader(reader, lane.group_id).committed() if lane.group_id else None
    known = lags(beginnings, ends, committed) if committed is not None else {}
    names = [*own, *sorted(topics.keys() - own.keys())]
    return [
        ListedTopic(
            name,
            own.get(name),
            len(topics[name].partitions),
            topics[name].replication,
            topics[name].hidden,
            held(beginnings, ends, name),
            _waiting(known, name) if name in lane.request_topics else None,
            _kept(kept[name]) if name in kept else None,
        )
        for name in names
    ]


def _waiting(known: Mapping[TopicPartition, Lag], topic: str) -> int | None:
    """Return how many requests the group has not finished; None where nothing is known of the topic."""
    waiting = [lag.waiting for place, lag in known.items() if place.topic == topic]
    return sum(waiting) if waiting else None


def _kept(settings: Mapping[str, str]) -> str:
    policy = settings.get("cleanup.policy", "delete")
    return "compacted" if policy == "compact" else duration(settings["retention.ms"])
