"""Publishing records as record batches, in order per partition, with an answer for every record.

aiokafka's `send()` makes a future and a record build for each record; `send_batch()` does not, and carries three
times the rate. One record batch per partition is on its way at a time; what comes meanwhile gathers and becomes the
next one. So a loaded publisher makes large batches and an idle one sends at once.

    add(topic, partition, records) -> waiting -> send_batch -> acknowledged -> on_acked(tokens)
                                         ^                       |
                                         +---- rebuilt producer <-+ fatal error: sent again, in order

A record leaves the publisher in exactly one of two ways: `on_acked`, or `on_refused` when Kafka said that this
record can never be taken (too large, no permission, no such topic). An error that leaves the outcome open is
followed by a new producer and another try: at least once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from penstock.schemas.errors import TransportError
from penstock.schemas.headers import Header
from penstock.schemas.logger import Logger
from penstock.transport.parcels import Parcel, count, fill, joined_tokens
from penstock.transport.producers import connect, stop
from penstock.transport.record_batch import RecordBatch
from penstock.transport.record_encoding import SingleRecords
from penstock.transport.topics import is_gone

log = Logger(__name__)

# Kafka's verdict on the record itself: sending it again cannot help.
REFUSALS: Final = (
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.RecordTooLargeError,
    kafka_errors.RecordListTooLargeError,
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.InvalidTopicError,
    kafka_errors.UnknownTopicOrPartitionError,
)
TOO_LARGE: Final = REFUSALS[:3]
_UNKNOWN: Final = REFUSALS[-1]  # aiokafka's word also for a topic that it could ask no broker about


# One record to publish: key, value and headers as Kafka takes them; a token that is handed back when its fate is
# known; its timestamp in epoch milliseconds, None for now.
Outgoing = tuple[bytes | None, bytes | None, Sequence[Header], Any, int | None]


class _Lane:
    """The records of one partition: those waiting, and whether a task is sending them.

    `suspects` is how many of the first hold one that is too large, as far as is known: so many were refused together.
    """

    __slots__ = ("busy", "suspects", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Parcel] = deque()
        self.busy = False
        self.suspects = 0

    @property
    def most(self) -> int | None:
        """How many to send at once: half of the suspects, so that each refusal, which costs a producer, halves them."""
        return max(1, self.suspects // 2) if self.suspects else None


class RecordPublisher:
    """Publishes records to partitions.

    Args:
        client_options: keyword arguments for aiokafka's producer that concern the connection.
        on_acked: called with the tokens of records that Kafka has acknowledged, and the seconds since the
            oldest of them was handed to the producer. The tokens are a list, or what a parcel had in its place.
        on_refused: called with a token and the error of a record that Kafka will never take.
        on_written: called before `on_acked` with the partition, the offset of the first record, and the tokens: the
            records lie one after another. The offset is -1 where Kafka does not tell it, for a batch it had already.
        max_batch_bytes: bytes of one record batch; keep below the topics' `max.message.bytes`.
        send_timeout_s: how long one record batch may stay unacknowledged before the producer is replaced. While
            no broker answers, this repeats; nothing is given up.
    """

    def __init__(
        self,
        client_options: dict[str, Any],
        *,
        on_acked: Callable[[Sequence[Any], float], None],
        on_refused: Callable[[Any, Exception], None],
        on_written: Callable[[TopicPartition, int, Sequence[Any]], None] | None = None,
        max_batch_bytes: int = 900_000,
        send_timeout_s: float = 30.0,
    ) -> None:
        self._options = client_options
        self._on_acked = on_acked
        self._on_refused = on_refused
        self._on_written = on_written
        self._max_batch_bytes = max_batch_bytes
        self._send_timeout_s = send_timeout_s
        self._lanes: dict[TopicPartition, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._producer: AIOKafkaProducer | None = None
        self._rebuilding = asyncio.Lock()
        self._closed = False
        self.pending = 0  # records added whose fate is open

    def __repr__(self) -> str:
        return f"<RecordPublisher {self.pending} records open on {len(self._lanes)} partitions>"

    async def start(self) -> None:
        """Connect.

        Raises:
            TransportError: Kafka could not be reached.
        """
        self._producer = await connect(self._options, self._max_batch_bytes, self._send_timeout_s)

    def add(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        """Publish records to one partition, in this order and after all that was added before."""
        for key, value, headers, token, timestamp_ms in records:
            single = SingleRecords([(key, value, headers)])
            self.add_parcel(topic, partition, Parcel(single, [token], timestamp_ms))

    def add_parcel(self, topic: str, partition: int, parcel: Parcel) -> None:
        """Publish a parcel to one partition, in order and after all that was added before."""
        if self._closed:
            raise TransportError("the publisher is closed")
        place = TopicPartition(topic, partition)
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = _Lane()
        lane.waiting.append(parcel)
        self.pending += len(parcel.records)
        if not lane.busy:
            lane.busy = True
            task = asyncio.get_running_loop().create_task(self._drain(place, lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def flush(self, timeout_s: float) -> bool:
        """Wait until every record's fate is known; False when the deadline came first."""
        deadline = time.monotonic() + timeout_s
        while self._tasks and (left := deadline - time.monotonic()) > 0:
            await asyncio.wait(set(self._tasks), timeout=left)
        return not self._tasks

    async def close(self, timeout_s: float) -> None:
        """Flush and disconnect, by the deadline in any case."""
        deadline = time.monotonic() + timeout_s
        self._closed = True
        await self.flush(timeout_s)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._producer is not None:
            await stop(self._producer, max(0.5, deadline - time.monotonic()))
            self._producer = None

    async def _drain(self, place: TopicPartition, lane: _Lane) -> None:
        """Send what waits for one partition, a record batch at a time, until nothing does."""
        try:
            while lane.waiting:
                await self._send_next(place, lane)
        finally:
            lane.busy = False
            if not lane.waiting:
                self._lanes.pop(place, None)

    async def _send_next(self, place: TopicPartition, lane: _Lane) -> None:
        """Send one record batch, and settle what Kafka has decided of it."""
        producer, start, batch = self._producer, time.monotonic(), list[Parcel]()
        try:
            if producer is None:
                raise TransportError("not connected")
            builder = RecordBatch(self._max_batch_bytes)
            batch = fill(builder, lane.waiting, lane.most)
            async with asyncio.timeout(self._send_timeout_s):
                acknowledged = await producer.send_batch(builder, place.topic, partition=place.partition)
                written = await acknowledged
        except REFUSALS as error:
            # aiokafka has used up the sequence numbers of what was refused: the next batch would be out of order.
            lane.waiting.extendleft(reversed(batch))
            await self._rebuild(producer)
            if builder.record_count() > 1 and isinstance(error, TOO_LARGE):
                lane.suspects = builder.record_count()
            elif not isinstance(error, _UNKNOWN) or await is_gone(self._options, place.topic, place.partition):
                self._refuse(place, lane, [lane.waiting.popleft() for _ in batch], error)
        except Exception as error:  # whatever it is, the records must not be lost with it
            log.warning("publish failed; trying again", topic=place.topic, error=repr(error), records=count(batch))
            lane.waiting.extendleft(reversed(batch))
            await self._rebuild(producer)
            # What aiokafka asserts: the topic has that partition. One that was deleted and made anew may lack it.
            if isinstance(error, AssertionError) and await is_gone(self._options, place.topic, place.partition):
                self._refuse(place, lane, [lane.waiting.popleft() for _ in batch], _UNKNOWN())
        else:
            lane.suspects = max(0, lane.suspects - count(batch))
            self._acknowledged(place, batch, written.offset, time.monotonic() - start)

    def _acknowledged(self, place: TopicPartition, batch: list[Parcel], offset: int, took_s: float) -> None:
        self.pending -= count(batch)
        for tokens in joined_tokens(batch):
            if self._on_written is not None:
                self._on_written(place, offset, tokens)
                offset += len(tokens) if offset >= 0 else 0
            self._on_acked(tokens, took_s)

    def _refuse(self, place: TopicPartition, lane: _Lane, batch: list[Parcel], error: Exception) -> None:
        log.warning("records refused", topic=place.topic, partition=place.partition, error=repr(error))
        lane.suspects = 0
        self.pending -= count(batch)
        rest, lane.waiting = lane.waiting, deque()  # what is added in place of a refused record keeps its place
        for parcel in batch:
            for token in parcel.tokens:
                self._on_refused(token, error)
        lane.waiting.extend(rest)

    async def _rebuild(self, broken: AIOKafkaProducer | None) -> None:
        """Replace a producer that failed; only the first of those who saw it fail does."""
        async with self._rebuilding:
            if self._producer is not broken:
                return
            self._producer = None
            if broken is not None:
                await stop(broken, 1.0)
            delay_s = 0.05
            while not self._closed or self._tasks:
                try:
                    self._producer = await connect(self._options, self._max_batch_bytes, self._send_timeout_s)
                    return
                except TransportError as error:
                    log.warning("no producer yet", error=str(error))
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, 1.0)
