"""Looks at a cluster and changes nothing in it: brokers, topics, settings, offsets, rights, the clock."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import errors as kafka_errors
from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.structs import TopicPartition

from penstock.schemas.errors import TransportError
from penstock.transport.authorized import AuthorizedMetadata
from penstock.transport.closing import close
from penstock.transport.cluster import Cluster, read_cluster
from penstock.transport.offsets import Listed, ListOffsets, Place, listed
from penstock.transport.quorum import DescribeQuorum, leader_clock_ms
from penstock.transport.reach import reached_addresses

_TOO_OLD: Final = (NotImplementedError, kafka_errors.IncompatibleBrokerVersion)  # or no Apache Kafka

_NOBODY_S: Final = 0.1  # until a cluster without a broker is looked at again


class ClusterReader:
    """Asks a cluster what it knows. An async context manager: connected inside. Naming a topic never creates it.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        timeout_s: bound on each call.
    """

    def __init__(self, client_options: Mapping[str, Any], *, timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s
        self._options = {**client_options, "request_timeout_ms": round(timeout_s * 1000)}
        self._client: AIOKafkaClient | None = None
        self._answered: int | None = None

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Connect, as entering does.

        Raises:
            TransportError: no broker answers; why, and what to do.
        """
        # aiokafka would try one address after the other, and not tell why none is of use.
        servers = await reached_addresses(self._options, timeout_s=self._timeout_s)
        self._client = AIOKafkaClient(**{**self._options, "bootstrap_servers": servers})
        try:
            async with self._deadline(f"no Kafka broker answers at {','.join(servers)}"):
                await self._client.bootstrap()
                # A cluster tells of no broker while it takes each of them for dead, as on a machine that is overloaded.
                while not self._client.cluster.brokers():
                    await asyncio.sleep(_NOBODY_S)
                    await self._client.force_metadata_update()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Disconnect, as leaving does."""
        client, self._client = self._client, None
        if client is not None:
            await close(client)

    @property
    def client(self) -> AIOKafkaClient:
        """The connected client. Raises: TransportError (not connected)."""
        if self._client is None:
            raise TransportError("not connected")
        return self._client

    async def describe(self, topics: Iterable[str] | None = None) -> Cluster:
        """Return brokers and topics.

        Args:
            topics: names; each is in the answer, with no partitions where it is missing. None is all one may see.

        Raises:
            TransportError: no broker answered by the deadline.
        """
        names = None if topics is None else list(topics)
        return read_cluster(await self.ask(AuthorizedMetadata(names), "topics could not be listed"))

    async def topic_settings(self, topics: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return the settings of topics; those one may not see (DESCRIBE_CONFIGS) are left out.

        Raises:
            TransportError: no broker answered by the deadline.
        """
        resources = [(ConfigResourceType.TOPIC, topic, None) for topic in topics]
        return await self._settings(resources, None) if resources else {}

    async def broker_settings(self, node_id: int) -> dict[str, str]:
        """Return the settings of a broker; none where one may not see them (DESCRIBE_CONFIGS on the cluster).

        Raises:
            TransportError: the broker did not answer by the deadline.
        """
        resources = [(ConfigResourceType.BROKER, str(node_id), None)]
        return (await self._settings(resources, node_id)).get(str(node_id), {})

    async def offsets(self, cluster: Cluster, topics: Iterable[str], wanted: Place) -> dict[TopicPartition, Listed]:
        """Return an offset of every partition of topics; those whose leader does not answer are left out."""
        by_leader: dict[int, list[TopicPartition]] = {}
        for topic in topics:
            for partition in cluster.topics[topic].partitions:
                if partition.leader is not None:
                    by_leader.setdefault(partition.leader, []).append(TopicPartition(topic, partition.number))
        requests = [
            self.ask(ListOffsets(places, wanted), "offsets could not be listed", node_id=leader)
            for leader, places in by_leader.items()
        ]
        answers = await asyncio.gather(*requests, return_exceptions=True)
        found: dict[TopicPartition, Listed] = {}
        for answer in answers:
            if not isinstance(answer, BaseException):
                found.update(listed(answer))
            elif not isinstance(answer, TransportError):
                raise answer
        return found

    async def controller_clock_ms(self) -> int | None:
        """Return the controller's time in epoch milliseconds; None where it may not be seen, or is not told.

        Raises:
            TransportError: no controller answered by the deadline.
        """
        try:
            return leader_clock_ms(await self.ask(DescribeQuorum(), "the controller does not answer"))
        except TransportError as error:
            if isinstance(error.__cause__, _TOO_OLD):
                return None
            raise

    async def ask(self, request: Any, failure: str, *, node_id: int | None = None) -> Any:
        """Send a request to one broker, or to each in turn until one answers; each has its share of the time.

        Raises:
            TransportError: `failure`, and why; a broker too old for the request counts as none.
        """
        last: Exception = kafka_errors.KafkaConnectionError("no broker is known")
        async with self._deadline(failure):
            # Who answered last comes first, and nobody may use up the time of those who come after.
            known = sorted((broker.nodeId for broker in self.client.cluster.brokers()), key=self._order)
            nodes = known if node_id is None else [node_id]
            deadline = time.monotonic() + self._timeout_s
            for tries, each in zip(range(len(nodes), 0, -1), nodes, strict=True):
                try:
                    async with asyncio.timeout((deadline - time.monotonic()) / tries):
                        answer = await self.client.send(each, request)
                except (kafka_errors.KafkaError, NotImplementedError, TimeoutError, OSError) as error:
                    last = error
                else:
                    self._answered = each
                    return answer
            raise last
        raise TransportError(failure)  # pragma: no cover - the block above returns or raises

    def _order(self, node_id: int) -> tuple[bool, int]:
        return node_id != self._answered, node_id

    async def _settings(self, resources: list[Any], node_id: int | None) -> dict[str, dict[str, str]]:
        request = DescribeConfigsRequest(resources)
        response = await self.ask(request, "settings could not be read", node_id=node_id)
        return {
            name: {key: value for key, value, *_ in entries if value is not None}
            for error_code, _, _, name, entries in response.resources
            if error_code == 0
        }

    @asynccontextmanager
    async def _deadline(self, failure: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except (kafka_errors.KafkaError, NotImplementedError, TimeoutError, OSError) as error:
            raise TransportError(f"{failure}: {_reason(error)}.\n`penstock doctor` finds out why.") from error


def _reason(error: Exception) -> str:
    if isinstance(error, kafka_errors.NodeNotReadyError):
        return "a broker cannot be reached at the address that it advertises"
    if isinstance(error, _TOO_OLD):
        return "the brokers are too old, or no Apache Kafka"
    if isinstance(error, TimeoutError | kafka_errors.RequestTimedOutError):
        return "no answer in time"
    return str(error) or type(error).__name__
