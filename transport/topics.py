"""Which topics there are, with how many partitions."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient

from penstock.schemas.errors import TransportError
from penstock.schemas.logger import Logger
from penstock.transport.closing import close, closing
from penstock.transport.reach import why_unreachable

log = Logger(__name__)

_HEARD_OF_S: Final = 0.5  # from the creation of a topic until every broker lists it
_MAX_ABSENT: Final = 10_000  # names come from outside: remember no more than that
_DENIED: Final = (kafka_errors.TopicAuthorizationFailedError.errno, kafka_errors.ClusterAuthorizationFailedError.errno)
_FAILURES: Final = (kafka_errors.KafkaError, TimeoutError, OSError)


class TopicDirectory:
    """A snapshot of every topic's partition count.

    Naming a topic to a producer creates it where the broker auto-creates topics; looking it up here never does,
    because metadata is asked for all topics at once.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        min_interval_s: a name that was looked up and not there is looked for again no sooner than this.
        max_age_s: the snapshot is renewed at this interval, so that partitions added to a topic are seen.
        timeout_s: bound on one refresh.
    """

    def __init__(
        self,
        client_options: dict[str, Any],
        *,
        min_interval_s: float = 1.0,
        max_age_s: float = 30.0,
        timeout_s: float = 5.0,
    ) -> None:
        self._options = client_options
        self._min_interval_s = min_interval_s
        self._max_age_s = max_age_s
        self._timeout_s = timeout_s
        self._renewing: asyncio.Task[None] | None = None
        self._client: AIOKafkaClient | None = None
        self._counts: dict[str, int] = {}
        self._refreshed = float("-inf")
        self._absent: set[str] = set()  # looked up and not there; forgotten when the interval has passed

    @property
    def _where(self) -> str:
        servers = self._options.get("bootstrap_servers")
        return servers if isinstance(servers, str) else ",".join(servers or ())

    def __repr__(self) -> str:
        return f"<TopicDirectory of {len(self._counts)} topics>"

    async def start(self) -> None:
        """Connect and take the first snapshot.

        Raises:
            TransportError: Kafka could not be reached.
        """
        try:
            await self._open()
        except _FAILURES as error:
            raise await why_unreachable(self._options) from error
        self._renewing = asyncio.create_task(self._renew(), name="penstock-topics")

    async def close(self) -> None:
        """Disconnect."""
        if self._renewing is not None:
            self._renewing.cancel()
        client, self._client = self._client, None
        if client is not None:
            await close(client)

    async def _open(self) -> None:
        """Connect and take the first snapshot. Raises: KafkaError, TimeoutError, OSError."""
        self._client = AIOKafkaClient(**self._options)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._client.bootstrap()
                await self._refresh()
        except BaseException:  # also when it is given up
            await self.close()
            raise

    def partitions(self, topic: str) -> int:
        """Return the topic's partition count in the snapshot, 0 where it has none."""
        return self._counts.get(topic, 0)

    async def require(self, topic: str) -> int:
        """Return the topic's partition count. One that was created a moment ago is waited for.

        Raises:
            TransportError: it is not there.
        """
        await self.wait_for([topic], timeout_s=_HEARD_OF_S)
        count = self.partitions(topic)
        if not count:
            raise TransportError(
                f"topic {topic} does not exist on {self._where}, or is not for this user to see.\n"
                "Is its name right? `penstock topics create` makes a service's topics, `penstock doctor` looks closer."
            )
        return count

    async def look_up(self, topics: Iterable[str]) -> None:
        """Refresh the snapshot if one of these topics is not in it; what fails leaves it as it was."""
        missing = {topic for topic in topics if topic not in self._counts}
        if time.monotonic() - self._refreshed >= self._min_interval_s or len(self._absent) > _MAX_ABSENT:
            self._absent = set()
        if missing <= self._absent:
            return
        if await self._try_refresh():
            self._absent |= missing - self._counts.keys()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._max_age_s)
            await self._try_refresh()

    async def _try_refresh(self) -> bool:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._refresh()
        except _FAILURES as error:
            log.warning("topics could not be listed", error=repr(error))
            return False
        return True

    async def wait_for(self, topics: Iterable[str], *, timeout_s: float) -> None:
        """Refresh until every topic is in the snapshot, or the deadline comes."""
        wanted, deadline = list(topics), time.monotonic() + timeout_s
        while not all(topic in self._counts for topic in wanted) and time.monotonic() < deadline:
            self._refreshed = float("-inf")
            await self.look_up(wanted)
            await asyncio.sleep(0.05)

    async def _refresh(self) -> None:
        if self._client is None:
            return
        self._refreshed = time.monotonic()
        cluster = await self._client.fetch_all_metadata()
        counts = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in cluster.topics()}
        self._counts = {topic: count for topic, count in counts.items() if count}


async def is_gone(client_options: dict[str, Any], topic: str, partition: int = 0) -> bool:
    """Tell whether the cluster answers and has no such topic, or not that partition of it; asking creates none."""
    directory = TopicDirectory(client_options)
    try:
        await directory._open()
    except _FAILURES:
        return False
    await directory.close()
    return directory.partitions(topic) <= partition


async def create_topics(
    client_options: dict[str, Any],
    topics: Mapping[str, int],
    *,
    configs: Mapping[str, str] | None = None,
    own_configs: Mapping[str, Mapping[str, str]] | None = None,
    replication_factor: int = -1,
    timeout_s: float = 15.0,
) -> list[str]:
    """Create topics that are not there yet.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        topics: name -> partitions; -1 leaves it to the broker.
        configs: topic settings, the same for all.
        own_configs: topic settings by topic, over those.
        replication_factor: -1 leaves it to the broker.
        timeout_s: bound on the whole call.

    Returns:
        The names that were created; the others were there.

    Raises:
        TransportError: Kafka could not be reached, or refused; one line for each topic that it refused.
    """
    wanted = [
        # An empty assignment is how aiokafka is told that -1 is meant.
        NewTopic(
            name,
            partitions,
            replication_factor,
            {} if -1 in (partitions, replication_factor) else None,
            {**(configs or {}), **(own_configs or {}).get(name, {})},
        )
        for name, partitions in topics.items()
    ]
    try:
        async with closing(AIOKafkaAdminClient(**client_options)) as admin, asyncio.timeout(timeout_s):
            await admin.start()
            response = await admin.create_topics(wanted)
    except _FAILURES as error:
        raise await why_unreachable(client_options) from error
    refused = [
        f"topic {name} could not be created: {_refusal(code, detail)}"
        for name, code, *detail in response.topic_errors
        if code not in (0, kafka_errors.TopicAlreadyExistsError.errno)
    ]
    if refused:
        raise TransportError("\n".join(refused))
    return [name for name, code, *_ in response.topic_errors if code == 0]


def _refusal(code: int, detail: list[str | None]) -> str:
    if code in _DENIED:
        return "not authorized: this user needs the right CREATE on the topic, or on the cluster (kafka-acls.sh)"
    return (detail[0] if detail else None) or str(kafka_errors.for_code(code).__name__)
