"""Reading what is written to partitions from now on, without a group and committed records only."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from penstock.schemas.errors import TransportError


def tail_consumer(client_options: dict[str, Any]) -> AIOKafkaConsumer:
    """Make the consumer; nothing is committed and nobody else is asked."""
    return AIOKafkaConsumer(
        **client_options,
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",  # if the log was cut under us, better read too much than miss a record
    )


async def start_at_ends(consumer: AIOKafkaConsumer, places: Sequence[TopicPartition], timeout_s: float) -> None:
    """Start a consumer that reads what comes after the call: nothing written later can be missed.

    Args:
        consumer: not started yet; the caller stops it, also after an error.
        places: partitions of one topic.
        timeout_s: bound on the whole call.

    Raises:
        TransportError: the ends could not be found by the deadline.
    """
    try:
        async with asyncio.timeout(timeout_s):
            await consumer.start()
            consumer.assign(list(places))
            await seek_to_ends(consumer, places)
    except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
        raise TransportError(f"the end of {places[0].topic} could not be found: {error!r}") from error


async def seek_to_ends(consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]) -> None:
    """Read on from where the partitions end now."""
    for place, end in (await consumer.end_offsets(list(places))).items():
        consumer.seek(place, end)
