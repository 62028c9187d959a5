"""A cluster as one of its users sees it at one moment: brokers, topics, rights. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.structs import TopicPartition

from penstock.transport.authorized import TOPIC_DENIED, Rights, rights


@dataclass(frozen=True, slots=True)
class Node:
    """A broker, with the address that it advertises."""

    node_id: int
    host: str
    port: int

    @property
    def address(self) -> str:
        """host:port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition; `leader` is None while it has none."""

    number: int
    leader: int | None
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as this user sees it.

    Attributes:
        partitions: in order; empty where the topic is missing or hidden.
        hidden: this user may not DESCRIBE it, so that it may exist or not.
        may: what this user may do with it; None where that was not told.
    """

    name: str
    partitions: tuple[Partition, ...] = ()
    hidden: bool = False
    may: Rights | None = None

    @property
    def replication(self) -> int:
        """Copies of each partition; the fewest where they differ."""
        return min((len(partition.replicas) for partition in self.partitions), default=0)

    @property
    def places(self) -> tuple[TopicPartition, ...]:
        """Its partitions by their addresses."""
        return tuple(TopicPartition(self.name, partition.number) for partition in self.partitions)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Brokers and topics at one moment.

    Attributes:
        controller: its node id, or that of a broker that speaks for it; None while there is none.
        may: what this user may do with the cluster; None where that was not told.
    """

    controller: int | None
    nodes: tuple[Node, ...]
    topics: Mapping[str, Topic]
    may: Rights | None = None


def read_cluster(response: Any) -> Cluster:
    """Turn the answer to `AuthorizedMetadata` into a `Cluster`."""
    topics: dict[str, Topic] = {}
    for error_code, name, _, partitions, bits in response.topics:
        found = [
            Partition(number, leader if leader >= 0 else None, tuple(replicas), tuple(in_sync))
            for _, number, leader, _, replicas, in_sync, _ in partitions
        ]
        in_order = tuple(sorted(found, key=lambda partition: partition.number))
        topics[name] = Topic(name, in_order, error_code == TOPIC_DENIED, rights(bits))
    return Cluster(
        controller=response.controller_id if response.controller_id >= 0 else None,
        nodes=tuple(Node(node_id, host, port) for node_id, host, port, _ in response.brokers),
        topics=topics,
        may=rights(response.authorized_operations),
    )
