"""The reading side of a client: replies from one partition, without a group, committed ones only."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from penstock.schemas.errors import TransportError
from penstock.schemas.logger import Logger
from penstock.transport.closing import close
from penstock.transport.raw_records import fetch_raw, is_unreadable, walk
from penstock.transport.tail import start_at_ends, tail_consumer

log = Logger(__name__)

_POLL_MS: Final = 200
_PAUSE_S: Final = 0.2


class ReplyReader:
    """Reads one reply partition from its end at start.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        place: the partition.
        on_record: called with each record.
        start_timeout_s: bound on resolving the position.
    """

    def __init__(
        self,
        client_options: dict[str, Any],
        place: TopicPartition,
        on_record: Callable[[Any], None],
        *,
        start_timeout_s: float,
    ) -> None:
        self._options = client_options
        self._place = place
        self._on_record = on_record
        self._start_timeout_s = start_timeout_s
        # Whoever reads a reply decides by its headers.
        self._consumer = tail_consumer(client_options)
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<ReplyReader {self._place.topic}/{self._place.partition}>"

    async def start(self) -> None:
        """Find the partition's end and read from there: a reply to a later request cannot be missed.

        Raises:
            TransportError: the position could not be resolved by the deadline.
        """
        try:
            await start_at_ends(self._consumer, [self._place], self._start_timeout_s)
        except TransportError:
            await self.close()
            raise
        self._task = asyncio.create_task(self._read(), name="penstock-replies")

    async def close(self) -> None:
        """Stop reading and disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await close(self._consumer)

    async def _read(self) -> None:
        while True:
            try:
                fetched = await self._consumer.getmany(self._place, timeout_ms=_POLL_MS)
            except Exception as error:
                await self._recover(error)
                continue
            for record in fetched.get(self._place, ()):
                self._on_record(record)

    async def _recover(self, error: Exception) -> None:
        """Go on after a fetch that failed: past somebody's record that cannot be read, or once more."""
        try:
            if not is_unreadable(error):
                raise error
            position = await self._consumer.position(self._place)
            data = await fetch_raw(self._options, self._place, position, timeout_s=self._start_timeout_s)
        except (kafka_errors.KafkaError, TransportError) as failure:
            log.warning("replies cannot be read; trying again", error=repr(failure))
            await asyncio.sleep(_PAUSE_S)
            return
        for offset, record in walk(self._place, data, position):
            if record is None:
                log.warning("unreadable record passed over", topic=self._place.topic, offset=offset)
            else:
                self._on_record(record)
            position = offset + 1
        self._consumer.seek(self._place, position)
