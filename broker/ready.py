"""One connection to a broker for a request of our own: is it ready, and who may do what."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from penstock.broker.ports import HOST

RETRY_S = 0.03
# A suspended broker accepts connections and answers nothing.
REQUEST_TIMEOUT_S = 2.0


@asynccontextmanager
async def connected(port: int, security: Mapping[str, Any]) -> AsyncIterator[Any]:
    """Hold an authenticated connection for the block. Raises: OSError, KafkaError, TimeoutError."""
    connection = await create_conn(
        HOST, port, client_id="penstock-broker", request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000), **security
    )
    try:
        yield connection
    finally:
        connection.close()


async def known_nodes(port: int, security: Mapping[str, Any]) -> set[int]:
    """Return the node ids in the metadata of the broker at ``port``; empty where it doesn't answer."""
    try:
        # The probe tells a closed port at no cost; the client would log each refusal.
        _, writer = await asyncio.open_connection(HOST, port)
        writer.close()
        async with connected(port, security) as connection:
            metadata = await connection.send(MetadataRequest([]))
    except (OSError, KafkaError, TimeoutError):
        return set()
    return {node_id for node_id, *_ in metadata.brokers}


async def wait_for_nodes(port: int, expected: set[int], security: Mapping[str, Any], deadline: float) -> bool:
    """Wait until the broker at ``port`` lists all ``expected`` nodes.

    Args:
        port: of its clients' listener.
        expected: node ids.
        security: keyword arguments of an aiokafka connection.
        deadline: on the monotonic clock.

    Returns: False where the deadline passed first.
    """
    while not expected <= await known_nodes(port, security):
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(RETRY_S)
    return True
