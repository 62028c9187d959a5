"""Reading the only partition of a topic without a group: from any offset, to where it ends now, bounded in time."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from penstock.schemas.errors import ConfigurationError, TransportError
from penstock.transport.closing import close
from penstock.transport.raw_records import fetch_raw, is_unreadable, walk

R = TypeVar("R")

_FETCH_BYTES: Final = 8 * 1024 * 1024
# The broker answers in order, so a question for the end waits until an idle fetch is answered.
_IDLE_FETCH_MS: Final = 100
_SLICE_S: Final = 0.05  # a fetch of nothing but the marker of a transaction wakes nobody up
_ONCE_MORE_S: Final = 5.0  # to read as bytes what aiokafka cannot


class PartitionReader(Generic[R]):
    """Reads partition 0 of a topic, committed records only. For one task at a time. Made inside of an event loop.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        topic: it is there: naming it may create it.
        convert: makes what is given out of an offset and aiokafka's record, which is None where nobody can read it.

    Attributes:
        position: the offset to read next; -1 before the first `seek`.
    """

    def __init__(self, client_options: dict[str, Any], topic: str, convert: Callable[[int, Any], R]) -> None:
        self._options = client_options
        self._place = TopicPartition(topic, 0)
        self._convert = convert
        self._consumer = AIOKafkaConsumer(
            **client_options,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="none",  # what is gone under us must be heard of
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=_IDLE_FETCH_MS,
        )
        self.position = -1

    async def start(self, timeout_s: float) -> None:
        """Connect.

        Raises:
            TransportError: Kafka did not answer by the deadline.
        """
        async with self._within(timeout_s, f"{self._place.topic} cannot be read"):
            await self._consumer.start()
            await asyncio.sleep(0)  # a task that is cancelled before it began would cancel whoever closes the consumer

    async def close(self) -> None:
        """Disconnect."""
        await close(self._consumer)

    async def beginning(self, timeout_s: float) -> int:
        """Return the first offset that the topic still has. Raises: TransportError (no answer by the deadline)."""
        async with self._within(timeout_s, f"the beginning of {self._place.topic} could not be found"):
            return int((await self._consumer.beginning_offsets([self._place]))[self._place])

    async def end(self, timeout_s: float) -> int:
        """Return the offset behind the last committed record. Raises: TransportError (no answer by the deadline)."""
        async with self._within(timeout_s, f"the end of {self._place.topic} could not be found"):
            return int((await self._consumer.end_offsets([self._place]))[self._place])

    async def since(self, time_ms: int, timeout_s: float) -> int:
        """Return the first offset of this time or later, or the end. Raises: TransportError (no answer in time)."""
        async with self._within(timeout_s, f"{self._place.topic} could not be searched"):
            found = (await self._consumer.offsets_for_times({self._place: time_ms}))[self._place]
        return await self.end(timeout_s) if found is None else int(found.offset)

    def seek(self, offset: int) -> None:
        """Read on from there."""
        if not self._consumer.assignment():
            self._consumer.assign([self._place])
        self._consumer.seek(self._place, offset)
        self.position = offset

    async def read_until(self, end: int, deadline: float) -> list[R]:
        """Read to an offset, or a little further.

        Args:
            end: all before it is read.
            deadline: by the monotonic clock.

        Raises:
            ConfigurationError, TransportError: as `fetch`; or the deadline came. Some of it may have been read.
        """
        records: list[R] = []
        while self.position < end:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TransportError(
                    f"{self._place.topic} could not be read in time: {self.position} of {end} offsets.\n"
                    "`penstock doctor` finds out why."
                )
            records += await self.fetch(min(left_s, _SLICE_S))
        return records

    async def fetch(self, timeout_s: float) -> list[R]:
        """Return what comes next, waiting for it no longer than this; empty where nothing came.

        Raises:
            ConfigurationError: the topic was made anew, or cut, before all of it was read.
            TransportError: it cannot be read now.
        """
        try:
            # A cancelled getmany would leak what it counts: it has a deadline of its own.
            fetched = await self._consumer.getmany(self._place, timeout_ms=max(1, round(timeout_s * 1000)))
        except kafka_errors.OffsetOutOfRangeError as error:
            raise ConfigurationError(
                f"{self._place.topic} was made anew, or cut, while it was read: offset {self.position} is not there.\n"
                "Start again to read what is there now, and look at what is deployed."
            ) from error
        except Exception as error:
            if not is_unreadable(error):
                raise TransportError(f"{self._place.topic} could not be read: {error!r}") from error
            return await self._fetch_past_damage()
        self.position = await self._consumer.position(self._place)
        return [self._convert(record.offset, record) for record in fetched.get(self._place, ())]

    async def _fetch_past_damage(self) -> list[R]:
        data = await fetch_raw(self._options, self._place, self.position, timeout_s=_ONCE_MORE_S)
        stable = self._consumer.last_stable_offset(self._place)
        records: list[R] = []
        offset = self.position - 1
        for offset, record in walk(self._place, data, self.position):
            if stable is not None and offset >= stable:
                break
            records.append(self._convert(offset, record))
        self.seek(offset + 1 if stable is None else min(offset + 1, stable))
        return records

    @asynccontextmanager
    async def _within(self, timeout_s: float, failure: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(timeout_s):
                yield
        except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
            why = "no answer in time" if isinstance(error, TimeoutError) else repr(error)
            raise TransportError(f"{failure}: {why}.\n`penstock doctor` finds out why.") from error
