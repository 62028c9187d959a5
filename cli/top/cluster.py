"""What Kafka knows of the service: the group's members, and the lag of every partition, owned or not."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from penstock.cli.terminal import printable
from penstock.schemas.errors import TransportError
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.membership import GroupReader, Member
from penstock.transport.offsets import Place as At
from penstock.transport.offsets import lags

_CALL_S: Final = 3.0  # the page goes on meanwhile
_EMPTY_STATES: Final = ("Dead", "Empty")
Place = tuple[str, int]  # topic, partition


@dataclass(frozen=True, slots=True)
class ClusterState:
    """What Kafka said at one moment.

    Attributes:
        at: monotonic seconds.
        problem: why it said nothing; None when it did.
        state: of the group, as Kafka calls it: Stable, PreparingRebalance, Empty, Dead.
        members: of the group.
        ends: the end offset of each partition of the request topics.
        done: the next offset that the group is to read there: what is committed, else the first there is.
        committed: whether the group has ever committed one of them.
    """

    at: float
    problem: str | None = None
    state: str = ""
    members: tuple[Member, ...] = ()
    ends: Mapping[Place, int] = field(default_factory=dict)
    done: Mapping[Place, int] = field(default_factory=dict)
    committed: bool = False

    def lag(self, place: Place) -> int:
        """Return how many records of a partition are not finished."""
        return self.ends[place] - self.done[place]

    @property
    def unknown_group(self) -> bool:
        """Whether this cluster has no member and no trace of the group."""
        return self.state in _EMPTY_STATES and not self.members and not self.committed


class Cluster:
    """A connection to Kafka that is made when it is needed, and made anew after every failure.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
    """

    def __init__(self, client_options: dict[str, Any]) -> None:
        self._options = client_options
        self._reader: ClusterReader | None = None
        self._groups: dict[str, GroupReader] = {}

    async def read(self, group: str, topics: Iterable[str]) -> ClusterState:
        """Ask for the state of a group and of the topics it reads. Never raises; what fails is the state's problem."""
        try:
            return await self._read(group, list(topics))
        except TransportError as error:
            await self.close()
            return ClusterState(time.monotonic(), problem=printable(str(error).splitlines()[0].rstrip(".")))

    async def close(self) -> None:
        """Disconnect."""
        reader, self._reader = self._reader, None
        self._groups.clear()
        if reader is not None:
            await reader.close()

    async def _read(self, name: str, topics: list[str]) -> ClusterState:
        if self._reader is None:
            self._reader = ClusterReader(self._options, timeout_s=_CALL_S)
            await self._reader.connect()
        reader, at = self._reader, time.monotonic()
        group = self._groups.setdefault(name, GroupReader(reader, name, timeout_s=_CALL_S))
        cluster = await reader.describe(topics)
        # What is done is asked for before the ends: asked later it could be beyond them.
        described, committed, beginnings = await asyncio.gather(
            group.describe(), group.committed(), reader.offsets(cluster, topics, At.BEGINNING)
        )
        if described.hidden or committed is None:
            raise TransportError(f"not allowed to describe group {name}")
        known = lags(beginnings, await reader.offsets(cluster, topics, At.END), committed)
        if untold := sum(len(cluster.topics[topic].partitions) for topic in topics) - len(known):
            raise TransportError(f"{untold} partitions of the request topics have no leader that answers")
        members = [
            replace(each, client_id=printable(each.client_id), host=printable(each.host)) for each in described.members
        ]
        return ClusterState(
            at,
            state=described.state,
            members=tuple(sorted(members, key=lambda member: member.client_id)),
            ends={place: lag.end for place, lag in known.items()},
            done={place: lag.next_offset for place, lag in known.items()},
            committed=any(lag.committed is not None for lag in known.values()),
        )
