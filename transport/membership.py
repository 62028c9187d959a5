"""A consumer group as its coordinator sees it: state, members, what each owns, committed offsets, rights."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import errors as kafka_errors
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from penstock.schemas.errors import TransportError
from penstock.transport.authorized import GROUP_DENIED, AuthorizedGroup, Rights, rights
from penstock.transport.cluster_reader import ClusterReader

_GROUP: Final = 0  # the kind of coordinator
# The first group of a cluster waits until the topic of committed offsets is made.
_NOT_YET: Final = (kafka_errors.GroupCoordinatorNotAvailableError, kafka_errors.GroupLoadInProgressError)
_RETRY_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group.

    Attributes:
        client_id: the name that it gave itself.
        host: where it connects from.
        owns: the partitions assigned to it.
    """

    client_id: str
    host: str
    owns: frozenset[TopicPartition]


@dataclass(frozen=True, slots=True)
class ConsumerGroup:
    """A group at one moment.

    Attributes:
        state: Kafka's word: Stable, Empty, Dead (there is none), PreparingRebalance, CompletingRebalance.
        members: those that have joined.
        hidden: this user may not DESCRIBE it; nothing else is known then.
        may: what this user may do with it; None where that was not told.
    """

    state: str
    members: tuple[Member, ...] = ()
    hidden: bool = False
    may: Rights | None = None


HIDDEN: Final = ConsumerGroup("", hidden=True, may=frozenset())


class GroupReader:
    """Asks for one group.

    Args:
        reader: connected.
        group: its id.
        timeout_s: bound on finding its coordinator.
    """

    def __init__(self, reader: ClusterReader, group: str, *, timeout_s: float = 10.0) -> None:
        self._reader = reader
        self._group = group
        self._timeout_s = timeout_s
        self._coordinator: int | None = None

    async def describe(self) -> ConsumerGroup:
        """Return state and members.

        Raises:
            TransportError: the coordinator did not answer by the deadline.
        """
        try:
            response = await self._ask(AuthorizedGroup(self._group))
        except kafka_errors.GroupAuthorizationFailedError:
            return HIDDEN
        return read_group(response)

    async def committed(self) -> dict[TopicPartition, OffsetAndMetadata] | None:
        """Return what is committed, for every partition that has a commit; None where one may not see it.

        Raises:
            TransportError: the coordinator did not answer by the deadline.
        """
        try:
            response = await self._ask(OffsetFetchRequest(self._group, None))
        except kafka_errors.GroupAuthorizationFailedError:
            return None
        if response.error_code == GROUP_DENIED:
            return None
        return {
            TopicPartition(topic, number): OffsetAndMetadata(offset, metadata or "")
            for topic, partitions in response.topics
            for number, offset, metadata, error_code in partitions
            if error_code == 0 and offset >= 0
        }

    async def _ask(self, request: Any) -> Any:
        """Ask the group's coordinator. Raises: GroupAuthorizationFailedError, TransportError."""
        failure = f"group {self._group} could not be looked at"
        if self._coordinator is None:
            try:
                async with asyncio.timeout(self._timeout_s):
                    self._coordinator = await self._find(failure)
            except TimeoutError as error:
                raise TransportError(f"{failure}: its coordinator could not be found") from error
        return await self._reader.ask(request, failure, node_id=self._coordinator)

    async def _find(self, failure: str) -> int:
        while True:
            response = await self._reader.ask(FindCoordinatorRequest(self._group, _GROUP), failure)
            if response.error_code == 0:
                return int(response.coordinator_id)
            error = kafka_errors.for_code(response.error_code)
            if issubclass(error, kafka_errors.GroupAuthorizationFailedError):
                raise error(self._group)
            if not issubclass(error, _NOT_YET):
                raise TransportError(f"{failure}: {error.__name__}")
            await asyncio.sleep(_RETRY_S)


def read_group(response: Any) -> ConsumerGroup:
    """Turn the answer to `AuthorizedGroup` into a `ConsumerGroup`."""
    ((error_code, _, state, _, _, members, bits),) = response.groups
    if error_code == GROUP_DENIED:
        return HIDDEN
    found = tuple(
        Member(client_id, host.lstrip("/"), _owned(assignment)) for _, client_id, host, _, assignment in members
    )
    return ConsumerGroup(state or "Dead", found, may=rights(bits))


def _owned(assignment: bytes | None) -> frozenset[TopicPartition]:
    if not assignment:  # while the group rebalances nobody owns anything
        return frozenset()
    return frozenset(ConsumerProtocolMemberAssignment.decode(assignment).partitions())
