"""A consumer group as its coordinator sees it: state, members, what each owns, committed offsets, rights."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from aiokafka import errors as kafka_errors
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from penstock.schemas.errors import TransportError
from penstock.transport.authorized import AuthorizedGroup, Rights, rights
from penstock.transport.cluster_reader import ClusterReader

Committed = dict[TopicPartition, OffsetAndMetadata]
T = TypeVar("T")

_GROUP: Final = 0  # the kind of coordinator
# The first group of a cluster waits until the topic of committed offsets is made; later its partitions move about.
_NOT_YET: Final = (
    kafka_errors.GroupCoordinatorNotAvailableError,
    kafka_errors.GroupLoadInProgressError,
    kafka_errors.NotCoordinatorForGroupError,
)
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
    owns: frozenset[TopicPartition] = frozenset()


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
        timeout_s: bound on each call, with the search for its coordinator.
    """

    def __init__(self, reader: ClusterReader, group: str, *, timeout_s: float = 10.0) -> None:
        self._reader = reader
        self._group = group
        self._timeout_s = timeout_s
        self._coordinator: int | None = None

    async def describe(self) -> ConsumerGroup:
        """Return state and members.

        Raises:
            TransportError: the coordinator did not answer by the deadline, or refused.
        """
        try:
            return await self._ask(AuthorizedGroup(self._group), read_group)
        except kafka_errors.GroupAuthorizationFailedError:
            return HIDDEN

    async def committed(self) -> Committed | None:
        """Return what is committed, for every partition that has a commit; None where one may not see it.

        Raises:
            TransportError: the coordinator did not answer by the deadline, or refused.
        """
        try:
            return await self._ask(OffsetFetchRequest(self._group, None), read_committed)
        except kafka_errors.GroupAuthorizationFailedError:
            return None

    async def _ask(self, request: Any, read: Callable[[Any], T]) -> T:
        """Ask the group's coordinator, and look for it anew when it is another by now.

        Raises:
            GroupAuthorizationFailedError: one may not see the group.
            TransportError: anything else.
        """
        failure = f"group {self._group} could not be looked at"
        last: Exception | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                while True:
                    try:
                        return read(await self._reader.ask(request, failure, node_id=await self._find(failure)))
                    except _NOT_YET as error:
                        self._coordinator, last = None, error
                    await asyncio.sleep(_RETRY_S)
        except TimeoutError as error:
            raise TransportError(f"{failure}: its coordinator could not be found") from last or error
        except kafka_errors.GroupAuthorizationFailedError:
            raise
        except kafka_errors.KafkaError as error:
            raise TransportError(f"{failure}: {type(error).__name__}") from error
        except TransportError:
            self._coordinator = None  # it may be another when it is asked the next time
            raise

    async def _find(self, failure: str) -> int:
        coordinator = self._coordinator
        if coordinator is None:
            response = await self._reader.ask(FindCoordinatorRequest(self._group, _GROUP), failure)
            _raise_for(response.error_code)
            self._coordinator = coordinator = int(response.coordinator_id)
        return coordinator


def read_group(response: Any) -> ConsumerGroup:
    """Turn the answer to `AuthorizedGroup` into a `ConsumerGroup`. Raises: KafkaError (a refusal)."""
    ((error_code, _, state, _, _, members, bits),) = response.groups
    _raise_for(error_code)
    found = tuple(
        Member(client_id, host.lstrip("/"), _owned(assignment)) for _, client_id, host, _, assignment in members
    )
    return ConsumerGroup(state or "Dead", found, may=rights(bits))


def read_committed(response: Any) -> Committed:
    """Turn the answer to `OffsetFetchRequest` into what is committed. Raises: KafkaError (a refusal)."""
    _raise_for(response.error_code)
    return {
        TopicPartition(topic, number): OffsetAndMetadata(offset, metadata or "")
        for topic, partitions in response.topics
        for number, offset, metadata, error_code in partitions
        if error_code == 0 and offset >= 0
    }


def _raise_for(error_code: int) -> None:
    if error_code:
        raise kafka_errors.for_code(error_code)


def _owned(assignment: bytes | None) -> frozenset[TopicPartition]:
    if not assignment:  # while the group rebalances nobody owns anything
        return frozenset()
    return frozenset(ConsumerProtocolMemberAssignment.decode(assignment).partitions())
