"""What a consumer group's coordinator knows, and what aiokafka's consumer does not offer of it."""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from penstock.schemas.errors import TransportError
from penstock.transport.closing import close, closing
from penstock.transport.reach import why_unreachable


class CommittedOffsets:
    """Reads a group's committed offsets together with their metadata; `AIOKafkaConsumer.committed` gives no metadata.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        group: the consumer group.
        connect_s: bound on connecting.
    """

    def __init__(self, client_options: dict[str, Any], group: str, *, connect_s: float = 30.0) -> None:
        self._options = client_options
        self._group = group
        self._connect_s = connect_s
        self._admin: AIOKafkaAdminClient | None = None

    async def start(self) -> None:
        """Connect.

        Raises:
            TransportError: Kafka could not be reached.
        """
        self._admin = AIOKafkaAdminClient(**self._options)
        try:
            async with asyncio.timeout(self._connect_s):
                await self._admin.start()
        except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
            await self.close()
            raise await why_unreachable(self._options) from error

    async def close(self) -> None:
        """Disconnect."""
        admin, self._admin = self._admin, None
        if admin is not None:
            await close(admin)

    async def read(
        self, partitions: Iterable[TopicPartition], timeout_s: float
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """Return what is committed; partitions without a commit are left out.

        Raises:
            TransportError: the coordinator did not answer by the deadline.
        """
        wanted = list(partitions)
        if self._admin is None:
            raise TransportError("not connected")
        last: Exception = TimeoutError()
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    try:
                        found = await self._admin.list_consumer_group_offsets(self._group, partitions=wanted)
                        return {place: state for place, state in found.items() if state.offset >= 0}
                    except (kafka_errors.KafkaError, OSError) as error:
                        last = error
                        await asyncio.sleep(0.1)
        except TimeoutError:
            raise TransportError(f"committed offsets of {self._group} could not be read: {last!r}") from last


async def leave_for(
    client_options: dict[str, Any], group: str, member_client_id: str, *, timeout_s: float = 5.0
) -> list[str]:
    """Take dead members out of a group, so that the others need not wait for their session to expire.

    A member that is killed cannot say good-bye; until its session ends, the group waits for it at each rebalance
    and nobody serves. Members are found by the client id that the dead process used and nobody else does.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        group: the consumer group.
        member_client_id: client id of the dead process.
        timeout_s: bound on the whole call.

    Returns:
        The ids of the members taken out; none when the process had not joined.

    Raises:
        TransportError: the coordinator did not answer by the deadline.
    """
    try:
        async with (
            closing(AIOKafkaAdminClient(**client_options)) as admin,
            closing(AIOKafkaClient(**client_options)) as client,
            asyncio.timeout(timeout_s),
        ):
            await admin.start()
            await client.bootstrap()
            members = await _members_of(admin, group, member_client_id)
            for member_id in members:
                coordinator = await client.coordinator_lookup(CoordinationType.GROUP, group)
                await client.send(coordinator, LeaveGroupRequest(group, member_id))
    except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
        raise TransportError(f"the dead member could not leave group {group}: {error!r}") from error
    return members


async def _members_of(admin: AIOKafkaAdminClient, group: str, member_client_id: str) -> list[str]:
    """Return the ids of the group's members with this client id."""
    found: list[str] = []
    for response in await admin.describe_consumer_groups([group]):
        for described in response.groups:
            members = described[5]  # error_code, group, state, protocol_type, protocol, members, ...
            found += [member[0] for member in members if member_client_id in member[1:4]]
    return found
