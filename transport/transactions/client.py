"""The connections of all transactional producers of a worker, and who is asked what.

A producer of aiokafka's for each partition would bring three connections and a bootstrap each. Here all share one
client; a broker answers the requests of one connection in turn, so there are a few of them, and each producer keeps
to one pair: one for coordinators, one for what is written.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from aiokafka import errors as kafka_errors
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from penstock.schemas.errors import TransportError
from penstock.transport.closing import close
from penstock.transport.reach import why_unreachable
from penstock.transport.transactions.errors import Verdict, verdict
from penstock.transport.transactions.offsets import StableOffsets, stable

LANES: Final = 8  # pairs of connections to a broker
_PAUSE_S: Final = 0.02
# The first look-up of all makes the topic that coordinators keep their log in.
_NOT_YET: Final = (kafka_errors.GroupCoordinatorNotAvailableError, kafka_errors.GroupLoadInProgressError)
_NO_MEMBER: Final = (22, 25)  # ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID


class Membership(NamedTuple):
    """Who a consumer is in its group.

    Attributes:
        generation: of the group when it was told its partitions.
        member_id: its name there; empty where the group has put it out.
    """

    generation: int
    member_id: str


class TransactClient:
    """Asks coordinators and leaders.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        group: the consumer group whose offsets are committed.
        request_timeout_s: after which a connection that does not answer is closed. Much below the timeout of a
            transaction, or the transaction would end before its producer knows that it has to do something.
    """

    def __init__(self, client_options: dict[str, Any], group: str, *, request_timeout_s: float) -> None:
        self._options = {**client_options, "request_timeout_ms": round(request_timeout_s * 1000)}
        self._timeout_s = request_timeout_s
        self.group = group
        self._client: AIOKafkaClient | None = None
        self._coordinators: dict[tuple[int, str], int] = {}

    def __repr__(self) -> str:
        return f"<TransactClient of {self.group}, {len(self._coordinators)} coordinators known>"

    async def start(self) -> None:
        """Connect.

        Raises:
            TransportError: Kafka could not be reached.
        """
        client = AIOKafkaClient(**self._options)
        try:
            async with asyncio.timeout(self._timeout_s):
                await client.bootstrap()
        except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
            await close(client)
            raise await why_unreachable(self._options) from error
        self._client = client

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await close(client)

    async def ask_group(self, request: Any, lane: int) -> Any:
        """Ask the group's coordinator. Raises: KafkaError."""
        return await self._ask_coordinator(CoordinationType.GROUP, self.group, request, lane)

    async def ask_owner(self, transactional_id: str, request: Any, lane: int) -> Any:
        """Ask the coordinator of a transactional id. Raises: KafkaError."""
        return await self._ask_coordinator(CoordinationType.TRANSACTION, transactional_id, request, lane)

    async def ask_leader(self, node_id: int, request: Any, lane: int) -> Any:
        """Ask the broker that leads a partition. Raises: KafkaError."""
        return await self._connected.send(node_id, request, group=2 * (lane % LANES) + 3)

    def forget_coordinators(self, of: str) -> None:
        """Look for the coordinators of a transactional id, and of the group, anew."""
        self._coordinators.pop((CoordinationType.TRANSACTION, of), None)
        self._coordinators.pop((CoordinationType.GROUP, self.group), None)

    def refresh_leaders(self) -> None:
        """Have the leaders looked up again."""
        self._connected.force_metadata_update()

    async def leader(self, place: TopicPartition) -> int:
        """Return the broker that leads a partition; waits until there is one.

        Raises:
            UnknownTopicOrPartitionError: there is no such partition, or none that one may see.
            TopicAuthorizationFailedError: one may not see the topic.
        """
        client = self._connected
        while True:
            found = client.cluster.leader_for_partition(place)
            if found is not None and found >= 0:
                return int(found)
            # aiokafka's producer waits the same way; a topic that it does not know yet it adds to those it asks for.
            if found is None and place.partition not in await client._wait_on_metadata(place.topic):
                raise kafka_errors.UnknownTopicOrPartitionError
            await client.force_metadata_update()
            await asyncio.sleep(_PAUSE_S)

    async def committed(
        self, places: Iterable[TopicPartition], timeout_s: float
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """Return what is committed once no transaction is about to change it; without a commit, left out.

        Raises:
            TransportError: the coordinator did not answer by the deadline, or a transaction did not end.
        """
        request, last = StableOffsets(self.group, places), "a transaction that wrote them does not end"
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    try:
                        found = stable(await self.ask_group(request, 0))
                        if found is not None:
                            return found
                    except (kafka_errors.KafkaError, OSError) as error:
                        last = repr(error)
                        self.forget_coordinators("")
                    await asyncio.sleep(_PAUSE_S)
        except TimeoutError:
            raise TransportError(f"committed offsets of {self.group} could not be read: {last}") from None

    async def is_member(self, who: Membership) -> bool:
        """Tell whether a consumer belongs to the group as it is now: a heartbeat.

        Raises:
            KafkaError: the coordinator could not be asked.
        """
        if not who.member_id:
            return False
        while True:
            response = await self.ask_group(HeartbeatRequest(self.group, who.generation, who.member_id), 0)
            if verdict(response.error_code) not in (Verdict.MOVED, Verdict.AGAIN):
                return response.error_code not in _NO_MEMBER
            self.forget_coordinators("")
            await asyncio.sleep(_PAUSE_S)

    async def _ask_coordinator(self, kind: CoordinationType, key: str, request: Any, lane: int) -> Any:
        node_id = self._coordinators.get((kind, key))
        if node_id is None:
            node_id = self._coordinators[kind, key] = await self._find_coordinator(kind, key)
        try:
            return await self._connected.send(node_id, request, group=2 * (lane % LANES) + 2)
        except kafka_errors.KafkaError:
            self._coordinators.pop((kind, key), None)
            raise

    async def _find_coordinator(self, kind: CoordinationType, key: str) -> int:
        while True:
            try:
                return int(await self._connected.coordinator_lookup(kind, key))
            except _NOT_YET:
                await asyncio.sleep(_PAUSE_S)

    @property
    def _connected(self) -> AIOKafkaClient:
        if self._client is None:
            raise TransportError("not connected")
        return self._client
