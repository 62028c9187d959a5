"""A reply topic of the run's own: nobody else reads its replies, and it is gone afterwards."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient

from penstock.cli.terminal import say
from penstock.transport.closing import closing
from penstock.transport.topics import TopicDirectory, create_topics

_DELETE_S: Final = 10.0


@asynccontextmanager
async def own_reply_topic(options: dict[str, Any], like: str) -> AsyncIterator[str]:
    """Create a topic beside another, with as many partitions, and delete it at the end.

    Args:
        options: keyword arguments for aiokafka's clients that concern the connection.
        like: the service's reply topic.

    Yields:
        Its name.

    Raises:
        TransportError: Kafka cannot be reached, the other topic does not exist, or it may not be created.
    """
    directory = TopicDirectory(options)
    try:
        await directory.start()
        partitions = await directory.require(like)
    finally:
        await directory.close()
    name = f"{like}.bench-{secrets.token_hex(4)}"
    await create_topics(options, {name: partitions})
    try:
        yield name
    finally:
        await _delete(options, name)


async def _delete(options: dict[str, Any], name: str) -> None:
    why = ""
    try:
        async with closing(AIOKafkaAdminClient(**options)) as admin, asyncio.timeout(_DELETE_S):
            await admin.start()
            answer = await admin.delete_topics([name])
            codes = [code for _, code, *_ in answer.topic_error_codes if code]
            why = kafka_errors.for_code(codes[0]).__name__ if codes else ""
    except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
        why = str(error) or type(error).__name__
    if why:
        say(f"note: topic {name} could not be deleted ({why}); it is not needed any more")
