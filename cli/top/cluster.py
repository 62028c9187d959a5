"""What Kafka knows of the service: the group's members, and the lag of every partition, owned or not."""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.structs import TopicPartition

from penstock.cli.top.sample import printable

_CONNECT_S: Final = 5.0  # the page goes on meanwhile
_READ_S: Final = 2.0
_TOPICS_AGE_S: Final = 30.0  # all topics of a cluster are much to ask for each second
_NOT_YET: Final = (
    kafka_errors.GroupCoordinatorNotAvailableError,
    kafka_errors.GroupLoadInProgressError,
    kafka_errors.NotCoordinatorForGroupError,
)
_EMPTY_STATES: Final = ("Dead", "Empty")
Place = tuple[str, int]  # topic, partition


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the group.

    Attributes:
        client_id, host: as the coordinator has them.
        partitions: its own.
    """

    client_id: str
    host: str
    partitions: frozenset[Place] = frozenset()


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
        return max(0, self.ends[place] - self.done.get(place, 0))

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
        self._admin: AIOKafkaAdminClient | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._counts: dict[str, int] = {}
        self._counted = float("-inf")

    async def read(self, group: str, topics: Iterable[str]) -> ClusterState:
        """Ask for the state of a group and of the topics it reads. Never raises; what fails is the state's problem."""
        timeout_s = _READ_S if self._consumer is not None else _CONNECT_S
        try:
            async with asyncio.timeout(timeout_s):
                return await self._read(group, tuple(topics))
        except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
            await self.close()
            return ClusterState(time.monotonic(), problem=_explain(error, group, timeout_s))

    async def close(self) -> None:
        """Disconnect."""
        admin, consumer = self._admin, self._consumer
        self._admin = self._consumer = None
        self._counted = float("-inf")
        closing = [each for each in (admin and admin.close(), consumer and consumer.stop()) if each is not None]
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1.0):
                await asyncio.gather(*closing, return_exceptions=True)

    async def _read(self, group: str, topics: tuple[str, ...]) -> ClusterState:
        if self._admin is None or self._consumer is None:
            self._admin = AIOKafkaAdminClient(**self._options)
            self._consumer = AIOKafkaConsumer(**self._options, enable_auto_commit=False)
            await asyncio.gather(self._admin.start(), self._consumer.start())
        admin, consumer = self._admin, self._consumer
        at = time.monotonic()
        places = await self._places(admin, topics)
        # What is done is asked for first: asked later it could be beyond the end.
        committed = await admin.list_consumer_group_offsets(group, partitions=places) if places else {}
        known = {place: state.offset for place, state in committed.items() if state.offset >= 0}
        done = dict(known)
        if fresh := [place for place in places if place not in done]:
            done |= await consumer.beginning_offsets(fresh)
        ends = await consumer.end_offsets(places) if places else {}
        state, members = await _described(admin, group)
        return ClusterState(
            at,
            state=state,
            members=members,
            ends={tuple(place): end for place, end in ends.items()},
            done={tuple(place): offset for place, offset in done.items()},
            committed=bool(known),
        )

    async def _places(self, admin: AIOKafkaAdminClient, topics: tuple[str, ...]) -> list[TopicPartition]:
        """Return the partitions of topics. All topics are asked for, since naming one could create it."""
        unknown = any(topic not in self._counts for topic in topics)
        age_s = time.monotonic() - self._counted
        if age_s > _TOPICS_AGE_S or (unknown and age_s > 1.0):
            self._counts = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
            self._counted = time.monotonic()
        return [TopicPartition(topic, number) for topic in topics for number in range(self._counts.get(topic, 0))]


async def _described(admin: AIOKafkaAdminClient, group: str) -> tuple[str, tuple[Member, ...]]:
    """Return the state and the members of a group."""
    members: list[Member] = []
    state = ""
    for response in await admin.describe_consumer_groups([group]):
        for code, _, state_name, _, _, described, *_ in response.groups:
            if code:
                raise kafka_errors.for_code(code)(f"group {group}")
            state = str(state_name)
            members += [_member(*each[1:5]) for each in described]
    return state, tuple(sorted(members, key=lambda member: member.client_id))


def _member(client_id: str, host: str, _metadata: bytes, assignment: bytes) -> Member:
    places: frozenset[Place] = frozenset()
    if assignment:  # a member that has just joined has none yet
        decoded = ConsumerProtocolMemberAssignment.decode(assignment)
        places = frozenset((topic, number) for topic, numbers in decoded.assignment for number in numbers)
    return Member(printable(client_id), printable(host.lstrip("/")), places)


def _explain(error: BaseException, group: str, timeout_s: float) -> str:
    if isinstance(error, kafka_errors.GroupAuthorizationFailedError):
        return f"not allowed to describe group {printable(group)}"
    if isinstance(error, kafka_errors.TopicAuthorizationFailedError):
        return "not allowed to describe the request topics"
    if isinstance(error, _NOT_YET):
        return f"no broker coordinates group {printable(group)} yet"
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, kafka_errors.KafkaConnectionError | kafka_errors.NodeNotReadyError | OSError):
        return "no broker answers, or none lets us in"
    return printable(f"{type(error).__name__}: {error}".split("\n", maxsplit=1)[0])
