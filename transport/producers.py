"""Idempotent producers: how they start, and how they end when they will not."""

import asyncio
import contextlib
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors

from penstock.schemas.errors import TransportError


async def connect(client_options: dict[str, Any], max_batch_bytes: int, timeout_s: float) -> AIOKafkaProducer:
    """Start a producer.

    Args:
        client_options: keyword arguments for aiokafka's producer that concern the connection.
        max_batch_bytes: bytes of one record batch.
        timeout_s: bound on the whole call.

    Raises:
        TransportError: Kafka could not be reached.
    """
    producer = AIOKafkaProducer(
        **client_options, enable_idempotence=True, acks="all", linger_ms=0, max_batch_size=max_batch_bytes
    )
    try:
        async with asyncio.timeout(timeout_s):
            await producer.start()
    except asyncio.CancelledError:
        await stop(producer, 0.5)
        raise
    except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
        await stop(producer, 1.0)
        raise TransportError(f"no connection to Kafka for publishing: {error!r}") from error
    return producer


async def stop(producer: AIOKafkaProducer, timeout_s: float) -> None:
    """Stop a producer that may hang or fail doing so (idempotent batches never expire while no broker answers)."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(timeout_s):
            await producer.stop()
            return
    # What stop() did not wait for would go on for ever, and write doubles when a broker is back.
    if producer._sender is not None and producer._sender.sender_task is not None:
        producer._sender.sender_task.cancel()
    waiting = producer._message_accumulator
    for batch in (*waiting._pending_batches, *chain.from_iterable(waiting._batches.values())):
        if not batch.future.done():
            batch.future.set_exception(kafka_errors.KafkaConnectionError("the producer was replaced"))
            batch.future.exception()  # its sender may have been cancelled, and nobody else asks for it
    with contextlib.suppress(Exception):
        async with asyncio.timeout(1.0):
            await producer.client.close()
