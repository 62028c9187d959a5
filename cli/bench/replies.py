"""Replies, read from every partition of a topic as they come, by one consumer without a group."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from penstock.schemas.logger import Logger
from penstock.transport.closing import close
from penstock.transport.raw_records import is_unreadable
from penstock.transport.tail import seek_to_ends, start_at_ends, tail_consumer

log = Logger(__name__)

_POLL_MS: Final = 200
_PAUSE_S: Final = 0.2
_AT_ONCE: Final = 250  # records; more would keep requests from leaving in time


class ReplyStream:
    """Reads a topic from its end at the start.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        topic: the reply topic.
        partitions: how many it has.
        on_records: called with records that came together.
        start_timeout_s: bound on finding the ends.
    """

    def __init__(
        self,
        client_options: dict[str, Any],
        topic: str,
        partitions: int,
        on_records: Callable[[Sequence[Any]], None],
        *,
        start_timeout_s: float,
    ) -> None:
        self._topic = topic
        self._places = [TopicPartition(topic, number) for number in range(partitions)]
        self._on_records = on_records
        self._start_timeout_s = start_timeout_s
        self._consumer = tail_consumer(client_options)
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<ReplyStream {self._topic}, {len(self._places)} partitions>"

    async def start(self) -> None:
        """Find the ends and read from there: a reply to a later request cannot be missed.

        Raises:
            TransportError: they could not be found by the deadline.
        """
        await start_at_ends(self._consumer, self._places, self._start_timeout_s)
        self._task = asyncio.create_task(self._read(), name="bench replies")

    async def close(self) -> None:
        """Stop reading and disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await close(self._consumer)

    async def _read(self) -> None:
        while True:
            try:
                fetched = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
            except Exception as error:  # whatever it is, other replies may still be read
                await self._recover(error)
                continue
            for records in fetched.values():
                self._on_records(records)
            await asyncio.sleep(0)  # where there is always more to read, requests must leave nevertheless

    async def _recover(self, error: Exception) -> None:
        """Go on after a fetch that failed: past somebody's record that cannot be read, or once more."""
        log.warning("replies could not be read; going on", error=repr(error))
        try:
            if is_unreadable(error):  # it does not say where: replies before the ends count as lost
                async with asyncio.timeout(self._start_timeout_s):
                    await seek_to_ends(self._consumer, self._places)
        except (kafka_errors.KafkaError, TimeoutError, OSError) as failure:
            log.warning("the end of the replies could not be found", error=repr(failure))
        await asyncio.sleep(_PAUSE_S)
