"""How much waits on the request topic, for the group that serves it."""

from dataclasses import dataclass

from penstock.cli.top.cluster import Cluster
from penstock.transport.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class Lag:
    """The requests that a group has not finished.

    Attributes:
        waiting: how many; None where that cannot be read.
        problem: why not.
    """

    waiting: int | None
    problem: str = ""


class LagReader:
    """Reads the lag of a group on one topic. Never raises.

    Args:
        kafka: the connection.
        group: None is not known.
        topic: that it reads.
    """

    def __init__(self, kafka: KafkaSettings, group: str | None, topic: str) -> None:
        self._group = group
        self._topic = topic
        self._cluster = Cluster(kafka.client_options())

    async def read(self) -> Lag:
        """Ask Kafka, for some seconds at most."""
        if self._group is None:
            return Lag(None, "worker.group_id is not set")
        state = await self._cluster.read(self._group, [self._topic])
        if state.problem is not None:
            return Lag(None, state.problem)
        if state.unknown_group:
            return Lag(None, f"there is no group {self._group} here")
        return Lag(sum(map(state.lag, state.ends)))

    async def close(self) -> None:
        """Disconnect."""
        await self._cluster.close()
