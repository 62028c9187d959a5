"""Closing clients of Kafka, which may hang or fail doing so: nobody waits for that, and nothing is lost by it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

C = TypeVar("C")

_CLOSE_S: Final = 2.0


async def close(client: Any, within_s: float = _CLOSE_S) -> None:
    """Close one of aiokafka's clients, or give it up at the deadline.

    Args:
        client: a consumer, an admin client or a plain one.
        within_s: the deadline.
    """
    # A task of its own: aiokafka waits for tasks that it has cancelled, and where one sleeps between two tries to reach
    # a broker, the cancellation comes out of it. It must not end whoever closes, nor leave the connections open.
    stopping = asyncio.create_task(_stop(client, within_s))
    await asyncio.wait([stopping])
    if stopping.cancelled() and (connections := getattr(client, "_client", None)) is not None:
        await _stop(connections, within_s)


async def _stop(client: Any, within_s: float) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(within_s):
            await (client.stop() if hasattr(client, "stop") else client.close())


@asynccontextmanager
async def closing(client: C, within_s: float = _CLOSE_S) -> AsyncIterator[C]:
    """Give a client, and close it at the end as `close` does."""
    try:
        yield client
    finally:
        await close(client, within_s)
