"""Reading a partition as it is at a moment: with what was aborted, or without."""

from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from tests.support.lane import PARTITIONS, Lane
from tests.support.waiting import until


async def read_committed(lane: Lane, number: int, *, committed: bool = True, topic: str | None = None) -> list[Any]:
    """Read a partition, of the reply topic by default, from its beginning until no transaction is open in it."""
    return await read_places(lane, [TopicPartition(topic or lane.replies, number)], committed=committed)


async def read_all(lane: Lane, *, committed: bool = True) -> list[Any]:
    """Read the reply topic from its beginning until no transaction is open in it; ordered by partition."""
    places = [TopicPartition(lane.replies, number) for number in range(PARTITIONS)]
    return await read_places(lane, places, committed=committed)


async def read_places(lane: Lane, places: list[TopicPartition], *, committed: bool) -> list[Any]:
    """Read partitions to where they end once no transaction is open in them."""
    level = "read_committed" if committed else "read_uncommitted"
    options = {"bootstrap_servers": lane.bootstrap, "enable_auto_commit": False, "auto_offset_reset": "earliest"}
    found: list[Any] = []
    async with (
        AIOKafkaConsumer(isolation_level=level, **options) as consumer,
        AIOKafkaConsumer(isolation_level="read_committed", **options) as stable,
        AIOKafkaConsumer(isolation_level="read_uncommitted", **options) as newest,
    ):
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)

        async def nothing_open() -> bool:
            return bool(await stable.end_offsets(places) == await newest.end_offsets(places))

        await until(nothing_open, within_s=40.0, what="no transaction is open")
        ends = await newest.end_offsets(places)

        async def at_end() -> bool:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found.extend(records)
            return all([await consumer.position(place) >= end for place, end in ends.items()])

        await until(at_end, within_s=40.0, every_s=0.0, what="the end of the partitions")
    return sorted(found, key=lambda record: (record.partition, record.offset))
