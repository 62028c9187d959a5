"""Tells requests that wait from offsets that hold none: marks of transactions, and what was taken back with them."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from penstock.transport.closing import closing

_POLL_MS: Final = 200


async def hold_requests(
    client_options: Mapping[str, Any], places: Mapping[TopicPartition, tuple[int, int]], *, timeout_s: float
) -> frozenset[TopicPartition]:
    """Return the partitions that hold a record for a reader of finished transactions.

    Args:
        client_options: keyword arguments for aiokafka's consumer that concern the connection.
        places: by partition, where to begin, and where the log ends.
        timeout_s: bound on all of it; a partition that shows no record by then holds none.
    """
    options = {**client_options, "enable_auto_commit": False, "isolation_level": "read_committed"}
    try:
        async with closing(AIOKafkaConsumer(**options)) as consumer, asyncio.timeout(timeout_s):
            await consumer.start()
            return await _read(consumer, places, time.monotonic() + timeout_s / 2)
    except (kafka_errors.KafkaError, TimeoutError, OSError):
        return frozenset(places)  # nothing is known: what waits is taken for requests


async def _read(
    consumer: AIOKafkaConsumer, places: Mapping[TopicPartition, tuple[int, int]], deadline: float
) -> frozenset[TopicPartition]:
    consumer.assign(list(places))
    for place, (beginning, _) in places.items():
        consumer.seek(place, beginning)
    found: set[TopicPartition] = set()
    open_places = set(places)
    while open_places and time.monotonic() < deadline:
        try:
            fetched = await consumer.getmany(*open_places, timeout_ms=_POLL_MS)
        except (UnicodeDecodeError, kafka_errors.CorruptRecordException):  # there is something, whatever it is
            return frozenset(found | open_places)
        found |= {place for place, records in fetched.items() if records}
        open_places -= found
        for place in list(open_places):
            if await consumer.position(place) >= places[place][1]:
                open_places.discard(place)
    return frozenset(found)
