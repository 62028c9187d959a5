"""A lane of one test: its own request and reply topic and group, and what to do with them."""

import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from penstock.transport.topics import create_topics
from tests.support.waiting import until

PARTITIONS = 8
_numbers = itertools.count(1)
_run = secrets.token_hex(3)  # a given cluster may hold the topics of earlier runs


@dataclass(frozen=True)
class Lane:
    """Topics with 8 partitions each, and a group that nobody else uses."""

    bootstrap: str
    requests: str
    replies: str
    group: str

    @property
    def dead_letters(self) -> str:
        return f"{self.requests}-dlt"

    @asynccontextmanager
    async def producer(self, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
        settings = {"acks": "all", "enable_idempotence": True, "retry_backoff_ms": 20, **options}
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, **settings) as producer:
            yield producer

    async def send(self, records: Iterable[tuple[int | None, bytes | None, bytes | None, Sequence[Any]]]) -> list[Any]:
        """Produce (partition, key, value, headers) to the request topic and return Kafka's answers."""
        async with self.producer() as producer:
            futures = [
                await producer.send(self.requests, value, key=key, partition=partition, headers=list(headers))
                for partition, key, value, headers in records
            ]
            return [await future for future in futures]

    async def read(
        self,
        topic: str | None = None,
        *,
        enough: int | Callable[[list[Any]], bool],
        within_s: float = 30.0,
        partitions: int = PARTITIONS,
    ) -> list[Any]:
        """Read a topic, the reply topic by default, from its beginning until there is enough; ordered by partition."""
        topic = topic or self.replies
        found: list[Any] = []

        def done() -> bool:
            return enough(found) if callable(enough) else len(found) >= enough

        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        async with consumer:
            places = [TopicPartition(topic, number) for number in range(partitions)]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)

            async def poll() -> bool:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found.extend(records)
                return done()

            await until(poll, within_s=within_s, every_s=0.0, what=f"enough records on {topic}")
            # What lies there already is read too: a reply too many must not stay unseen.
            ends = await consumer.end_offsets(places)
            seen: dict[TopicPartition, int] = {}

            async def drained() -> bool:
                for place in places:
                    seen[place] = await consumer.position(place)
                if all(seen[place] >= end for place, end in ends.items()):
                    return True
                return await poll() and False

            await until(drained, within_s=within_s, every_s=0.0, what=f"the end of {topic}")
        return sorted(found, key=lambda record: (record.partition, record.offset))

    async def committed(self) -> dict[int, OffsetAndMetadata]:
        """What the group has committed, by partition."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(self.group)
        finally:
            await admin.close()
        return {place.partition: state for place, state in found.items() if place.topic == self.requests}

    async def ends(self, topic: str | None = None, partitions: int = PARTITIONS) -> dict[int, int]:
        """The end offsets of a topic, the request topic by default."""
        places = [TopicPartition(topic or self.requests, number) for number in range(partitions)]
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap) as consumer:
            return {place.partition: end for place, end in (await consumer.end_offsets(places)).items()}

    async def wait_until_committed(self, within_s: float = 15.0) -> None:
        """Wait until the group has committed the end of every partition."""
        ends = await self.ends()

        async def at_end() -> bool:
            committed = await self.committed()
            return all(number in committed and committed[number].offset == end for number, end in ends.items())

        await until(at_end, within_s=within_s, every_s=0.1, what=f"{self.group} at the end of {self.requests}")

    async def topics(self) -> set[str]:
        """Every topic of the cluster; asking creates none."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            return set(await admin.list_topics())
        finally:
            await admin.close()

    async def create(self, topic: str, partitions: int = PARTITIONS) -> str:
        await create_topics({"bootstrap_servers": self.bootstrap}, {topic: partitions}, replication_factor=1)
        return topic


async def new_lane(bootstrap: str, name: str = "lane") -> Lane:
    """Make the topics of a lane under fresh names."""
    label = f"{name}-{_run}-{next(_numbers)}"
    lane = Lane(bootstrap, f"{label}-requests", f"{label}-replies", f"{label}-group")
    options = {"bootstrap_servers": bootstrap}
    await create_topics(options, {lane.requests: PARTITIONS, lane.replies: PARTITIONS}, replication_factor=1)
    return lane
